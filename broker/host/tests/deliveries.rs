//! `authz-deliver`: what a client may have, what of it is remembered, and when the hook is asked at all.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unreachable_pub, dead_code, reason = "support is shared by test programs")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use midge_host::contract::{Answer, DeliveryQuestion, DenialCause, Hook, OnError, PluginSpec, QoS, SwapMode};
use midge_host::{Host, Identities, Identity, LoadErrorKind};
use support::{Guest, Nobody, counters, identity, identity_in, load, publish, settings, within};

/// A plugin whose hook the operator has named.
fn deliver(name: &str) -> PluginSpec {
    named(Guest::new(&["authz-deliver"]).spec(name))
}

fn named(spec: PluginSpec) -> PluginSpec {
    PluginSpec { hooks: Some(vec![Hook::AuthzDeliver]), ..spec }
}

fn question(topic: &str) -> DeliveryQuestion {
    DeliveryQuestion { topic: topic.into(), publisher: None, qos: QoS::AtLeastOnce, retain: false }
}

/// Why the messages may not be had, in a word each; "" where they may.
async fn ask(host: &Host, who: &Arc<Identity>, topics: &[&str]) -> Vec<String> {
    ask_at(host, who, topics, 0).await
}

async fn ask_at(host: &Host, who: &Arc<Identity>, topics: &[&str], now_ms: u64) -> Vec<String> {
    let questions = topics.iter().map(|topic| question(topic)).collect();
    let denials = within(host.authorize_deliver(who, questions, now_ms).resolve()).await;
    let word = |cause: DenialCause| match cause {
        DenialCause::Refused => "refused".to_owned(),
        DenialCause::NobodyAllowed => "nobody".to_owned(),
        DenialCause::Backend(_) => "backend".to_owned(),
        DenialCause::Trapped(_) => "trapped".to_owned(),
        DenialCause::BadAnswer(_) => "bad answer".to_owned(),
        other => other.to_string(),
    };
    denials.into_iter().map(|denial| denial.map_or_else(String::new, |denial| word(denial.cause))).collect()
}

fn asked(host: &Host, plugin: &str) -> u64 {
    counters(host, plugin, Hook::AuthzDeliver).answered
}

#[tokio::test]
async fn each_message_has_its_own_answer_and_all_of_a_call_fail_together() {
    let host = load(vec![deliver("d")]).await.unwrap();
    let who = identity("c");
    assert_eq!(ask(&host, &who, &["allow", "deny", "next", "allow"]).await, ["", "refused", "nobody", ""]);
    assert_eq!(asked(&host, "d"), 1, "one call for all of them");
    assert_eq!(ask(&host, &who, &["allow", "error"]).await, ["backend", "backend"]);
    assert_eq!(ask(&host, &who, &["trap", "allow"]).await, ["trapped", "trapped"]);
    assert_eq!(ask(&host, &who, &["bad", "allow"]).await, ["bad answer", "bad answer"]);
}

#[tokio::test]
async fn what_one_plugin_leaves_open_the_next_decides() {
    let host = load(vec![deliver("a"), named(Guest::new(&["authz-deliver"]).broken('n').spec("b"))]).await.unwrap();
    assert_eq!(ask(&host, &identity("c"), &["allow", "next", "deny"]).await, ["", "trapped", "refused"]);
}

#[tokio::test]
async fn what_a_new_generation_breaks_at_an_old_one_that_is_for_others_is_not_asked() {
    // The test's clients are on the listener "tcp".
    let on = |listener: &str, guest: Guest| {
        let listeners = Some(vec![listener.to_owned()]);
        PluginSpec { listeners, ..named(guest.spec("d")) }
    };
    let old = load(vec![on("other", Guest::new(&["authz-deliver"]))]).await.unwrap();
    let new = on("tcp", Guest::new(&["authz-deliver"]).broken('n'));
    let during = old.with_candidate(new, SwapMode::All).await.unwrap();
    assert_eq!(ask(&during, &identity("c"), &["next"]).await, ["trapped"]);
    assert_eq!(asked(&during, "d"), 0);
}

#[tokio::test]
async fn a_failure_is_a_denial_unless_the_operator_says_otherwise() {
    let lenient = PluginSpec { on_error: OnError::Next, ..deliver("a") };
    let host = load(vec![lenient, named(Guest::new(&["authz-deliver"]).spec("b"))]).await.unwrap();
    assert_eq!(ask(&host, &identity("c"), &["error"]).await, ["backend"], "the second one fails and denies");
    let host = load(vec![PluginSpec { on_error: OnError::Next, ..deliver("a") }]).await.unwrap();
    assert_eq!(ask(&host, &identity("c"), &["error"]).await, ["nobody"], "the end of the chain");
}

#[tokio::test]
async fn an_answer_is_used_again_for_as_long_and_as_much_as_the_plugin_said() {
    let host = load(vec![deliver("d")]).await.unwrap();
    let identities = Identities::new();
    let (who, other) = (identity_in(&identities, "c"), identity_in(&identities, "o"));
    assert_eq!(ask_at(&host, &who, &["v/1", "cached", "xed"], 0).await, ["", "", "refused"]);
    assert_eq!(ask_at(&host, &who, &["v/2", "cached", "xed"], 59_999).await, ["", "", "refused"]);
    assert_eq!(asked(&host, "d"), 1);
    ask_at(&host, &who, &["v/3", "cached"], 60_000).await;
    assert_eq!(asked(&host, "d"), 2, "their time is over");
    ask_at(&host, &other, &["v/3"], 60_000).await;
    assert_eq!(asked(&host, "d"), 3, "another identity");
    host.revoke("alice");
    ask_at(&host, &who, &["v/3"], 60_000).await;
    assert_eq!(asked(&host, "d"), 4, "revoked");
    host.identity_gone(&who);
    host.identity_gone(&other);
    assert_eq!(host.cache().identities, 0);
}

#[tokio::test]
async fn what_was_decided_stands_for_a_while_where_the_operator_says_so() {
    let stale = OnError::Stale { max: Duration::from_secs(300) };
    let guest = named(Guest::new(&["authz-deliver", "http"]).url("http://127.0.0.1:9/").spec("d"));
    let host = load(vec![PluginSpec { on_error: stale, ..guest }]).await.unwrap();
    let who = identity("c");
    assert_eq!(ask_at(&host, &who, &["cached"], 0).await, [""]);
    // The same call has a message that makes it fail.
    assert_eq!(ask_at(&host, &who, &["cached", "error"], 100_000).await, ["", "backend"]);
    assert_eq!(ask_at(&host, &who, &["cached", "error"], 400_000).await, ["backend", "backend"]);
}

#[tokio::test]
async fn a_plugin_that_waits_is_waited_for_and_what_is_remembered_is_there_at_once() {
    let host = load(vec![named(Guest::new(&["authz-deliver", "http"]).spec("d"))]).await.unwrap();
    let who = identity("c");
    let answer = host.authorize_deliver(&who, vec![question("cached")], 0);
    assert!(matches!(answer, Answer::Later(_)));
    assert!(within(answer.resolve()).await[0].is_none());
    let Answer::Ready(denials) = host.authorize_deliver(&who, vec![question("cached")], 0) else { panic!("asked") };
    assert!(denials[0].is_none());
}

#[tokio::test]
async fn a_publisher_is_known_by_its_client_identifier_while_it_is_here() {
    let identities = Arc::new(Identities::new());
    identities.index_clients(true);
    let host = Host::load(settings(), vec![deliver("d")], Arc::new(Nobody), Arc::clone(&identities)).await.unwrap();
    let (who, publisher) = (identity_in(&identities, "c"), identity_in(&identities, "p"));
    let of = |client_id: Option<&str>| DeliveryQuestion { publisher: client_id.map(Into::into), ..question("p") };
    let questions = vec![of(Some("p")), of(Some("gone")), of(None)];
    let denials = within(host.authorize_deliver(&who, questions.clone(), 0).resolve()).await;
    assert_eq!(denials.iter().map(Option::is_none).collect::<Vec<_>>(), [true, false, false]);
    drop(publisher);
    assert!(within(host.authorize_deliver(&who, questions, 0).resolve()).await[0].is_some());
}

#[tokio::test]
async fn the_hook_is_not_in_use_unless_the_operator_names_it() {
    let both = Guest::new(&["authz", "authz-deliver"]).spec("both");
    let host = load(vec![both.clone()]).await.unwrap();
    assert!(!host.has(Hook::AuthzDeliver) && host.has(Hook::Authz));
    assert!(publish(&host, &identity("c"), "allow").await.allow);
    let hooks = Some(vec![Hook::Authz, Hook::AuthzDeliver]);
    assert!(load(vec![PluginSpec { hooks, ..both }]).await.unwrap().has(Hook::AuthzDeliver));

    let alone = Guest::new(&["authz-deliver"]).spec("alone");
    let Err(error) = load(vec![alone]).await else { panic!("loaded without any hook in use") };
    assert!(matches!(&error.kind, LoadErrorKind::NoHook { accepted, .. } if accepted.contains("names it")), "{error}");
}
