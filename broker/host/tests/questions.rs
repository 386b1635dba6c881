//! What plugins answer and what becomes of it: chains, caches, permissions, identities, messages.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unreachable_pub, dead_code, reason = "support is shared by test programs")]

mod support;

use midge_host::contract::{
    Action, Answer, Authentication, DenialCause, Hook, OnError, PluginSpec, QoS, SubscriptionQuestion,
};
use support::{Guest, counters, credentials, identity, load, message, publish};

fn authz(name: &str) -> PluginSpec {
    Guest::new(&["authz"]).spec(name)
}

fn authn(name: &str) -> PluginSpec {
    Guest::new(&["authn"]).spec(name)
}

fn question(filter: &str) -> SubscriptionQuestion {
    SubscriptionQuestion { filter: filter.into(), qos: QoS::AtLeastOnce, no_local: false, share: None }
}

#[tokio::test]
async fn the_first_authenticator_that_knows_decides() {
    let host = load(vec![authn("first"), authn("second")]).await.unwrap();
    let (who, facts) = credentials("alice");
    let Authentication::Allowed { grant, plugin } = host.authenticate(who, facts).await else { panic!("denied") };
    assert_eq!((grant.principal.as_str(), &*plugin), ("alice", "first"));
    assert_eq!(counters(&host, "second", Hook::Authn).answered, 0);

    let (who, facts) = credentials("dave");
    let Authentication::Denied(denial) = host.authenticate(who, facts).await else { panic!("allowed") };
    assert_eq!((denial.code, &denial.cause), (0x86, &DenialCause::Refused));
    assert_eq!(denial.plugin.as_deref(), Some("first"));
    assert_eq!(counters(&host, "first", Hook::Authn).refused, 1);
}

#[tokio::test]
async fn the_end_of_a_chain_denies() {
    let host = load(vec![authn("first"), authn("second"), authz("third")]).await.unwrap();
    let (who, facts) = credentials("nobody");
    let Authentication::Denied(denial) = host.authenticate(who, facts).await else { panic!("allowed") };
    assert_eq!((denial.code, &denial.cause, &denial.plugin), (0x87, &DenialCause::NobodyAllowed, &None));
    assert_eq!(counters(&host, "second", Hook::Authn).answered, 1);
    let denial = publish(&host, &identity("c"), "next").await.denial.unwrap();
    assert_eq!(denial.cause, DenialCause::NobodyAllowed);
}

#[tokio::test]
async fn a_plugin_that_cannot_answer_denies() {
    let host = load(vec![authn("first"), authn("second"), authz("third")]).await.unwrap();
    for (username, trapped) in [("error", false), ("trap", true)] {
        let (who, facts) = credentials(username);
        let Authentication::Denied(denial) = host.authenticate(who, facts).await else { panic!("allowed") };
        assert_eq!((denial.code, denial.reason, denial.plugin.as_deref()), (0x88, None, Some("first")));
        assert_eq!(matches!(denial.cause, DenialCause::Trapped(_)), trapped, "{:?}", denial.cause);
    }
    let denial = publish(&host, &identity("c"), "error").await.denial.unwrap();
    assert_eq!((denial.code, denial.cause), (0x83, DenialCause::Backend("down".into())));
    assert_eq!(counters(&host, "second", Hook::Authn).answered, 0);
}

#[tokio::test]
async fn on_error_next_asks_the_next_one() {
    let mut tolerant = authn("first");
    tolerant.on_error = OnError::Next;
    let host = load(vec![tolerant, authn("second")]).await.unwrap();
    let (who, facts) = credentials("error");
    let Authentication::Denied(denial) = host.authenticate(who, facts).await else { panic!("allowed") };
    assert_eq!(denial.plugin.as_deref(), Some("second"), "the second plugin fails as well, and denies");
}

#[tokio::test]
async fn an_inline_plugin_answers_at_once() {
    let host = load(vec![authz("a")]).await.unwrap();
    let who = identity("c");
    assert!(
        matches!(host.authorize_publish(&who, "a", QoS::AtMostOnce, false, 0), Answer::Ready(ruling) if ruling.allow)
    );
    let rulings = host.authorize_subscribe(&who, vec![question("a/#"), question("deny"), question("next")], 0);
    let Answer::Ready(rulings) = rulings else { panic!("later") };
    let allowed: Vec<_> = rulings.iter().map(|ruling| ruling.allow).collect();
    assert_eq!(allowed, [true, false, false]);
    assert_eq!(rulings[1].denial.as_ref().unwrap().cause, DenialCause::Refused);
    assert_eq!(rulings[2].denial.as_ref().unwrap().cause, DenialCause::NobodyAllowed);
}

#[tokio::test]
async fn a_failed_subscribe_denies_every_filter() {
    let host = load(vec![authz("a")]).await.unwrap();
    let questions = vec![question("a"), question("error")];
    let rulings = host.authorize_subscribe(&identity("c"), questions, 0).resolve().await;
    assert!(rulings.iter().all(|ruling| !ruling.allow && ruling.denial.as_ref().unwrap().code == 0x83));
}

#[tokio::test]
async fn an_answer_is_reused_exactly_as_far_as_it_says() {
    let host = load(vec![authz("a")]).await.unwrap();
    let (who, other) = (identity("c"), midge_host::Identities::new());
    let calls = || counters(&host, "a", Hook::Authz).answered;
    publish(&host, &who, "allow").await;
    let before = calls();
    publish(&host, &who, "allow").await;
    assert_eq!(calls(), before + 1, "no reuse unless the plugin says so");

    for (topic, allow) in [("cached", true), ("xcluded", false)] {
        assert_eq!(publish(&host, &who, topic).await.allow, allow);
        let before = calls();
        let again = publish(&host, &who, topic).await;
        assert_eq!((again.allow, calls()), (allow, before), "positive and negative answers are reused");
    }
    publish(&host, &who, "v/one").await;
    let before = calls();
    assert!(publish(&host, &who, "v/two/three").await.allow);
    assert_eq!(calls(), before, "an answer that covers v/# holds for all of it");
    drop(other);

    host.identity_gone(&who);
    publish(&host, &who, "cached").await;
    assert!(calls() > before, "nothing is kept about an identity that is gone");
}

#[tokio::test]
async fn a_remembered_refusal_still_names_its_plugin() {
    let host = load(vec![authz("a")]).await.unwrap();
    let who = identity("c");
    for _ in 0..2 {
        let denial = publish(&host, &who, "xcluded").await.denial.unwrap();
        assert_eq!((denial.plugin.as_deref(), denial.cause), (Some("a"), DenialCause::Refused));
    }
    assert_eq!(host.cache().hits, 1);
}

#[tokio::test]
async fn failures_are_never_reused() {
    let host = load(vec![authz("a")]).await.unwrap();
    let who = identity("c");
    publish(&host, &who, "error").await;
    publish(&host, &who, "error").await;
    assert_eq!(counters(&host, "a", Hook::Authz).errors, 2);
    assert_eq!(host.cache().size, 0);
}

#[tokio::test]
async fn permissions_of_the_first_authorizer_go_to_the_broker() {
    let host = load(vec![authz("a"), authz("b")]).await.unwrap();
    let permissions = host.permissions(&identity("p")).await.unwrap().unwrap();
    assert_eq!((permissions.len(), permissions[0].topic_filter.as_str()), (1, "next/#"));
    assert!(host.permissions(&identity("c")).await.unwrap().is_none());
    assert!(host.permissions(&identity("error")).await.is_err(), "fails closed");
}

#[tokio::test]
async fn permissions_behind_a_plugin_that_is_asked_are_evaluated_here() {
    let second = Guest::new(&["authz"]).permissions('q').spec("second");
    let host = load(vec![authz("first"), second]).await.unwrap();
    let who = identity("q");
    assert!(host.permissions(&who).await.unwrap().is_none(), "the first authorizer wants to be asked");
    assert!(publish(&host, &who, "allow").await.allow, "the first one decides what it knows");
    assert!(publish(&host, &who, "next/x").await.allow, "the rest is up to the second one's permissions");
    let denial = publish(&host, &who, "nowhere").await.denial.unwrap();
    assert_eq!((denial.plugin.as_deref(), denial.cause), (Some("second"), DenialCause::Refused));
    let rulings = host.authorize_subscribe(&who, vec![question("next/+"), question("n/#")], 0).resolve().await;
    assert_eq!((rulings[0].allow, rulings[1].allow), (true, false));
    let calls = counters(&host, "second", Hook::Authz).answered;
    assert_eq!(calls, 1, "the second plugin was asked for permissions and nothing else");
}

#[tokio::test]
async fn every_instance_hears_that_an_identity_is_gone() {
    let host = load(vec![authz("a")]).await.unwrap();
    let who = identity("c");
    assert!(!publish(&host, &who, "gone").await.allow);
    host.identity_gone(&who);
    assert!(publish(&host, &who, "gone").await.allow);
}

#[tokio::test]
async fn messages_are_kept_replaced_dropped_or_refused() {
    let host = load(vec![Guest::new(&["messages"]).spec("m")]).await.unwrap();
    assert!(host.wants_messages("anything"));
    let batch = ["allow", "replace", "drop", "format"].map(message).to_vec();
    let actions = host.on_publish(batch).resolve().await;
    assert_eq!(actions[0], Action::Keep);
    let Action::Replace(messages) = &actions[1] else { panic!("{actions:?}") };
    assert_eq!(&*messages[0].topic, "replaced");
    assert_eq!(actions[2], Action::Replace(Vec::new()));
    let Action::Refuse(refusal) = &actions[3] else { panic!("{actions:?}") };
    assert_eq!((refusal.code, refusal.plugin.as_deref()), (0x99, Some("m")));
}

#[tokio::test]
async fn a_message_nobody_could_decide_about_is_refused_or_kept_as_configured() {
    let mut tolerant = Guest::new(&["messages"]).spec("m");
    let strict = load(vec![tolerant.clone()]).await.unwrap();
    tolerant.on_error = OnError::Next;
    let tolerant = load(vec![tolerant]).await.unwrap();
    for topic in ["error", "trap", "bad"] {
        let actions = strict.on_publish(vec![message(topic)]).resolve().await;
        assert!(matches!(&actions[0], Action::Refuse(refusal) if refusal.code == 0x83), "{topic}: {actions:?}");
        assert_eq!(tolerant.on_publish(vec![message(topic)]).resolve().await, [Action::Keep], "{topic}");
    }
}

#[tokio::test]
async fn a_second_transformer_sees_what_the_first_made_of_a_message() {
    let mut second = Guest::new(&["messages"]).spec("second");
    second.topics = Some(vec!["replaced".into()]);
    let host = load(vec![Guest::new(&["messages"]).spec("first"), second]).await.unwrap();
    let actions = host.on_publish(vec![message("allow"), message("replace")]).resolve().await;
    assert_eq!(actions[0], Action::Keep);
    assert!(matches!(&actions[1], Action::Replace(messages) if messages.len() == 1));
    let second = counters(&host, "second", Hook::Messages);
    assert_eq!(second.answered, 1);
}

#[tokio::test]
async fn sinks_are_offered_only_what_they_want() {
    let mut sink = Guest::new(&["sink"]).spec("s");
    sink.topics = Some(vec!["data/#".into()]);
    let host = load(vec![sink]).await.unwrap();
    assert!(host.wants_delivery("data/x") && !host.wants_delivery("other"));
    host.deliver(message("data/x"));
    host.deliver(message("other"));
    host.shutdown(std::time::Duration::from_secs(10)).await;
    let queue = &host.plugins()[0].queues[0];
    assert_eq!((queue.done, queue.dropped, queue.depth), (1, 0, 0));
}
