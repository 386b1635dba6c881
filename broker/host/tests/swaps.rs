//! One generation of a plugin takes the place of another: what clients notice, which is nothing, and what operators see.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unreachable_pub, dead_code, reason = "support is shared by test programs")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use midge_host::contract::{
    Authentication, BreakerState, Hook, PluginLimits, PluginSpec, PluginStatus, QoS, SwapMode, TrialFault,
};
use midge_host::grants::Grants;
use midge_host::{Host, Identities, SwapError};
use support::{Guest, Nobody, counters, credentials, identity, identity_in, load, message, publish, settings, within};

const END: Duration = Duration::from_secs(10);

fn authorizer() -> Guest {
    Guest::new(&["authz"])
}

/// A host with one plugin of this name, and the host in which `candidate` is on trial.
async fn trial(current: PluginSpec, candidate: PluginSpec, mode: SwapMode) -> (Arc<Host>, Arc<Host>) {
    let before = load(vec![current]).await.unwrap();
    let during = before.with_candidate(candidate, mode).await.unwrap();
    (before, during)
}

fn status(host: &Host) -> PluginStatus {
    host.plugins().remove(0)
}

fn calls(status: &PluginStatus, hook: Hook) -> u64 {
    status.hooks.iter().find(|status| status.hook == hook).unwrap().answered
}

fn candidate(host: &Host) -> PluginStatus {
    *status(host).trial.unwrap().candidate
}

fn fault(host: &Host) -> Option<TrialFault> {
    host.trials().remove(0).fault
}

#[tokio::test]
async fn a_swap_moves_calls_over_and_ends_the_old_generation_when_nobody_asks_it() {
    let spec = || authorizer().spec("a");
    let (before, during) = trial(spec(), spec(), SwapMode::All).await;
    assert_eq!((status(&during).generation, candidate(&during).generation), (1, 2));
    let who = identity("c");
    assert!(publish(&during, &who, "allow").await.allow);
    assert_eq!((calls(&status(&during), Hook::Authz), candidate(&during).hooks[0].answered), (0, 2));

    let after = during.promoted("a").unwrap();
    assert!(matches!(after.promoted("a"), Err(SwapError::NotOnTrial(_))));
    let ending = [during.succeed(before, END), after.succeed(during, END)];
    for ending in ending {
        within(ending).await;
    }
    assert_eq!((status(&after).generation, status(&after).trial.is_none()), (2, true));
    assert!(publish(&after, &who, "allow").await.allow);
    assert_eq!(status(&after).instances, 1);
}

#[tokio::test]
async fn a_call_that_waits_has_its_answer_of_the_old_generation_before_that_ends() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", server.local_addr().unwrap());
    let mut spec = Guest::new(&["authz", "http"]).url(&format!("{origin}/")).spec("a");
    spec.allow = Grants::from_json("a", &serde_json::json!({ "http": [origin] }), Path::new("/")).unwrap();
    spec.limits = PluginLimits { wait: Some(END), ..PluginLimits::default() };
    let before = load(vec![spec]).await.unwrap();
    let who = identity("c");
    before.permissions(&who).await.unwrap();
    let asked = tokio::spawn(before.authorize_publish(&who, "wait", QoS::AtMostOnce, false, 0).resolve());
    let (mut backend, _) = tokio::task::spawn_blocking(move || server.accept().unwrap()).await.unwrap();

    let during = before.with_candidate(authorizer().spec("a"), SwapMode::All).await.unwrap();
    let after = during.promoted("a").unwrap();
    drop(during.succeed(Arc::clone(&before), END));
    let mut ending = Box::pin(after.succeed(before, END));
    drop(during);
    let early = tokio::time::timeout(Duration::from_millis(50), &mut ending).await;
    assert!(early.is_err(), "it does not end while a client waits for it");
    assert!(publish(&after, &who, "allow").await.allow, "others are answered by the new one meanwhile");
    assert!(backend.read(&mut [0; 1024]).unwrap() > 0);
    backend.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").unwrap();
    assert!(within(asked).await.unwrap().allow);
    within(ending).await;
}

#[tokio::test]
async fn what_the_new_generation_cannot_answer_the_old_one_does_and_that_speaks_against_it() {
    let (_, during) = trial(authorizer().spec("a"), authorizer().broken('a').spec("a"), SwapMode::All).await;
    for client in ["c1", "c2", "c3"] {
        assert_eq!(fault(&during), None);
        assert!(publish(&during, &identity(client), "allow").await.allow, "{client}");
    }
    assert!(matches!(fault(&during), Some(TrialFault::Breaks { broken: 3, .. })), "{:?}", fault(&during));
    assert_eq!(status(&during).trial.unwrap().rescued, 3);
    let after = during.withdrawn("a").unwrap();
    assert!(publish(&after, &identity("c"), "allow").await.allow);
    assert_eq!((status(&after).generation, after.is_trying()), (1, false));
}

#[tokio::test]
async fn a_client_that_breaks_both_generations_speaks_against_neither() {
    let (_, during) = trial(authorizer().spec("a"), authorizer().spec("a"), SwapMode::All).await;
    for client in 0..5 {
        assert!(!publish(&during, &identity(&format!("c{client}")), "trap").await.allow);
        assert!(publish(&during, &identity(&format!("c{client}")), "allow").await.allow);
    }
    assert_eq!(fault(&during), None);
}

#[tokio::test]
async fn a_backend_that_is_down_for_both_generations_speaks_against_neither() {
    let (_, during) = trial(authorizer().spec("a"), authorizer().spec("a"), SwapMode::All).await;
    let who = identity("c");
    for _ in 0..6 {
        assert!(!publish(&during, &who, "error").await.allow);
    }
    assert_eq!(candidate(&during).hooks[0].breaker, BreakerState::Open);
    assert_eq!(fault(&during), None);
}

#[tokio::test]
async fn a_canary_is_asked_about_its_tenth_of_the_clients_and_no_others() {
    let (_, during) = trial(authorizer().spec("a"), authorizer().spec("a"), SwapMode::Canary { percent: 10 }).await;
    let identities = Arc::new(Identities::new());
    for client in 0..2000 {
        assert!(publish(&during, &identity_in(&identities, &format!("client-{client}")), "allow").await.allow);
    }
    // Two calls for each client: its permissions and the question.
    let theirs = calls(&candidate(&during), Hook::Authz);
    assert!((320..=480).contains(&theirs), "{theirs} of 4000");
    assert_eq!(calls(&status(&during), Hook::Authz) + theirs, 4000);
}

#[tokio::test]
async fn a_shadow_is_asked_too_and_the_old_generation_obeyed() {
    let identities = Arc::new(Identities::new());
    let specs = vec![Guest::new(&["authn", "authz"]).permissions('p').spec("a")];
    let before = Host::load(settings(), specs, Arc::new(Nobody), Arc::clone(&identities)).await.unwrap();
    let shadow = Guest::new(&["authn", "authz"]).permissions('q').broken('d').spec("a");
    let during = before.with_candidate(shadow, SwapMode::Shadow).await.unwrap();
    let who = identity_in(&identities, "pat");
    assert!(during.permissions(&who).await.unwrap().is_some(), "the old one has permissions for p…");
    let (credentials, facts) = credentials("deny");
    assert!(matches!(during.authenticate(credentials, facts).await, Authentication::Denied(_)));
    let (credentials, facts) = support::credentials("allow");
    assert!(matches!(during.authenticate(credentials, facts).await, Authentication::Allowed { .. }));

    let shadow = || status(&during).trial.unwrap().shadow;
    within(async {
        while shadow().agreed + shadow().disagreed < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let shadow = shadow();
    assert_eq!((shadow.agreed, shadow.disagreed, shadow.skipped), (1, 2, 0));
    let [first, second] = &*shadow.disagreements else { panic!("{:?}", shadow.disagreements) };
    assert_eq!((first.client_id.as_str(), first.hook), ("pat", Hook::Authz));
    assert!(first.current.starts_with("permissions [") && first.candidate == "ask", "{first:?}");
    assert_eq!(
        (second.client_id.as_str(), second.hook, second.about.as_str()),
        ("client-of-deny", Hook::Authn, "deny")
    );
    assert!(second.current.starts_with("deny 0x") && second.candidate.starts_with("failed: trapped"), "{second:?}");
}

#[tokio::test]
async fn disagreements_are_kept_up_to_their_bound() {
    let mut settings = settings();
    settings.trial.disagreements_max = 2;
    let specs = vec![Guest::new(&["authn"]).spec("a")];
    let before = support::load_with(settings, specs).await.unwrap();
    let shadow = Guest::new(&["authn"]).broken('a').spec("a");
    let during = before.with_candidate(shadow, SwapMode::Shadow).await.unwrap();
    for number in 0..5 {
        let (credentials, facts) = credentials(&format!("a{number}"));
        assert!(matches!(during.authenticate(credentials, facts).await, Authentication::Allowed { .. }));
    }
    let shadow = || status(&during).trial.unwrap().shadow;
    within(async {
        while shadow().disagreed < 5 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let about: Vec<_> = shadow().disagreements.into_iter().map(|one| one.about).collect();
    assert_eq!(about, ["a3", "a4"], "the latest");
    assert!(fault(&during).is_some(), "a shadow that breaks is to be taken out, too");
}

#[tokio::test]
async fn answers_are_not_reused_over_a_swap() {
    let before = load(vec![authorizer().spec("a")]).await.unwrap();
    let who = identity("c");
    publish(&before, &who, "cached").await;
    publish(&before, &who, "cached").await;
    assert_eq!(before.cache().hits, 1);
    let during = before.with_candidate(authorizer().spec("a"), SwapMode::All).await.unwrap();
    publish(&during, &who, "cached").await;
    assert_eq!((during.cache().hits, calls(&candidate(&during), Hook::Authz)), (0, 2));
}

#[tokio::test]
async fn a_sink_loses_nothing_and_delivers_nothing_twice_over_swaps() {
    let sink = || Guest::new(&["sink"]).spec("s");
    let mut host = load(vec![sink()]).await.unwrap();
    let mut offered = 0;
    for round in 0..10 {
        for _ in 0..20 {
            host.deliver(message("allow"));
            offered += 1;
        }
        let mode = if round % 2 == 0 { SwapMode::All } else { SwapMode::Canary { percent: 50 } };
        let next = host.with_candidate(sink(), mode).await.unwrap();
        next.enter_service();
        next.deliver(message("allow"));
        let after = if round % 3 == 0 { next.withdrawn("s") } else { next.promoted("s") }.unwrap();
        after.enter_service();
        tokio::spawn(after.succeed(std::mem::replace(&mut host, Arc::clone(&after)), END));
        offered += 1;
    }
    let queue = || status(&host).queues[0].clone();
    within(async {
        while queue().done < offered {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let queue = queue();
    assert_eq!((queue.done, queue.dropped, queue.retried, queue.rejected), (offered, 0, 0, 0));
}

#[tokio::test]
async fn what_a_broken_sink_on_trial_cannot_deliver_the_old_one_does() {
    let sink = || Guest::new(&["sink"]);
    let (_, during) = trial(sink().spec("s"), sink().broken('a').spec("s"), SwapMode::All).await;
    during.enter_service();
    for _ in 0..3 {
        during.deliver(message("allow"));
    }
    within(async {
        while status(&during).queues[0].done < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert_eq!((status(&during).queues[0].retried, counters(&during, "s", Hook::Sink).traps), (0, 0));
}

#[tokio::test]
async fn a_turn_that_the_new_generation_breaks_at_is_the_old_ones() {
    let spec = |guest: Guest| PluginSpec { tick_interval: Duration::from_secs(3600), ..guest.spec("t") };
    let ticker = || Guest::new(&["ticker"]);
    let (_, during) = trial(spec(ticker()), spec(ticker().broken('k')), SwapMode::All).await;
    during.enter_service();
    within(async {
        while status(&during).trial.unwrap().rescued < 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert_eq!((calls(&status(&during), Hook::Ticker), candidate(&during).hooks[0].traps), (1, 1));
}

#[tokio::test]
async fn who_is_asked_goes_by_the_configuration_of_the_generation_whose_turn_it_is() {
    // The test's clients are on the listener "tcp".
    let spec = |broken: char, listener: &str| {
        let listeners = Some(vec![listener.to_owned()]);
        PluginSpec { listeners, ..authorizer().broken(broken).spec("a") }
    };
    let asked = |host: &Host| (calls(&status(host), Hook::Authz), candidate(host).hooks[0].traps);
    // The old one is for others: it is not asked what the new one breaks at.
    let (_, during) = trial(spec('-', "other"), spec('a', "tcp"), SwapMode::All).await;
    assert!(!publish(&during, &identity("c"), "allow").await.allow);
    assert_eq!(asked(&during), (0, 1));
    assert_eq!(fault(&during), None);
    // The new one is for others: as a shadow it is not asked either.
    let (_, during) = trial(spec('-', "tcp"), spec('a', "other"), SwapMode::Shadow).await;
    assert!(publish(&during, &identity("c"), "allow").await.allow);
    assert!(publish(&during, &identity("d"), "deny").await.denial.is_some());
    let shadow = status(&during).trial.unwrap().shadow;
    assert_eq!((shadow.agreed + shadow.disagreed + shadow.skipped, asked(&during).1), (0, 0));
}

#[tokio::test]
async fn how_a_plugin_is_goes_by_whoever_serves_all_and_both_are_asked() {
    let guest = || Guest::new(&["authz", "lifecycle"]);
    for (mode, answered) in [(SwapMode::All, 2), (SwapMode::Canary { percent: 50 }, 2), (SwapMode::Shadow, 1)] {
        let (_, during) = trial(guest().spec("a"), guest().spec("a"), mode).await;
        assert!(during.unhealthy().await.is_empty());
        let asked = |status: PluginStatus| calls(&status, Hook::Lifecycle);
        assert_eq!((asked(status(&during)), asked(candidate(&during))), (1, answered), "{mode:?}");
    }
}

#[tokio::test]
async fn what_cannot_replace_a_generation_changes_nothing() {
    let host = load(vec![authorizer().spec("a")]).await.unwrap();
    let refused = |spec| host.with_candidate(spec, SwapMode::All);
    assert!(matches!(refused(authorizer().spec("b")).await, Err(SwapError::NoPlugin { .. })));
    let error = refused(Guest::new(&["authn"]).spec("a")).await.unwrap_err().to_string();
    assert!(error.contains("authz") && error.contains("authn"), "{error}");
    let error = refused(Guest::new(&["authz", "lifecycle"]).init('t').spec("a")).await.unwrap_err();
    assert!(matches!(error, SwapError::Load(_)), "{error}");
    let error = refused(support::spec("a", b"garbage".to_vec())).await.unwrap_err();
    assert!(matches!(error, SwapError::Load(_)), "{error}");
    let during = refused(Guest::new(&["authz", "lifecycle"]).spec("a")).await.unwrap();
    let again = during.with_candidate(authorizer().spec("a"), SwapMode::All).await;
    assert!(matches!(again, Err(SwapError::OnTrial(_))));
    assert!(publish(&host, &identity("c"), "allow").await.allow);
}
