//! A trap, an endless loop or a memory bomb in a plugin costs that call only.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unreachable_pub, dead_code, reason = "support is shared by test programs")]

mod support;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_host::contract::{BreakerState, DenialCause, Hook, OnError, PluginLimits, PluginSpec, PluginStatus, QoS};
use midge_host::grants::Grants;
use midge_host::{EngineSettings, Host, HostSettings, PluginEngine};
use support::{Guest, breaker, counters, identity, load, load_with, publish, settings, within};

/// The same guest in both lanes.
fn lanes() -> [PluginSpec; 2] {
    [Guest::new(&["authz"]).spec("plugin"), Guest::new(&["authz", "http"]).spec("plugin")]
}

async fn cause(host: &Host, client: &str, topic: &str) -> DenialCause {
    publish(host, &identity(client), topic).await.denial.unwrap().cause
}

#[tokio::test]
async fn a_trap_costs_that_call_only() {
    for plugin in lanes() {
        let host = load(vec![plugin]).await.unwrap();
        for client in ["a", "b", "c"] {
            let cause = cause(&host, client, "trap").await;
            assert!(matches!(&cause, DenialCause::Trapped(text) if text.contains("unreachable")), "{cause:?}");
            assert!(publish(&host, &identity(client), "allow").await.allow);
        }
        let counters = counters(&host, "plugin", Hook::Authz);
        assert_eq!((counters.traps, counters.breaker), (3, BreakerState::Closed));
        let status = &host.plugins()[0];
        assert!(status.instantiations >= 4 && status.instances <= 2, "{status:?}");
    }
}

#[tokio::test]
async fn an_endless_loop_ends_with_its_processor_time() {
    for mut plugin in lanes() {
        plugin.limits.cpu = Some(Duration::from_millis(30));
        let host = load(vec![plugin]).await.unwrap();
        let began = Instant::now();
        assert_eq!(cause(&host, "c", "loop").await, DenialCause::Deadline);
        // Generous upwards, since the machine may be busy; what matters is that it ends, and not too early.
        assert!(began.elapsed() >= Duration::from_millis(25), "{:?}", began.elapsed());
        assert!(publish(&host, &identity("d"), "allow").await.allow);
        assert_eq!(counters(&host, "plugin", Hook::Authz).deadlines, 1);
    }
}

#[tokio::test]
async fn a_memory_bomb_is_stopped_at_its_limit() {
    for mut plugin in lanes() {
        plugin.limits.memory_bytes_max = 4 << 20;
        let host = load(vec![plugin]).await.unwrap();
        let cause = cause(&host, "c", "memory").await;
        assert!(matches!(&cause, DenialCause::Trapped(text) if text.contains("4194304")), "{cause:?}");
        assert!(publish(&host, &identity("d"), "allow").await.allow);
        assert!(host.plugins()[0].memory_bytes_max <= 4 << 20);
    }
}

#[tokio::test]
async fn a_lie_about_an_answer_costs_that_call_only() {
    for plugin in lanes() {
        let host = load(vec![plugin]).await.unwrap();
        for (client, topic) in [("a", "bad"), ("b", "huge")] {
            assert!(!publish(&host, &identity(client), topic).await.allow);
            assert!(publish(&host, &identity(client), "allow").await.allow);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_clients_go_on_while_one_call_loops() {
    let mut plugin = lanes()[1].clone();
    plugin.limits.cpu = Some(Duration::from_millis(200));
    let host = load(vec![plugin]).await.unwrap();
    let looping = tokio::spawn({
        let host = Arc::clone(&host);
        async move { publish(&host, &identity("looper"), "loop").await }
    });
    let mut answered = 0;
    while !looping.is_finished() {
        assert!(publish(&host, &identity("other"), "allow").await.allow);
        answered += 1;
        tokio::task::yield_now().await;
    }
    assert!(answered > 10, "only {answered} calls were answered meanwhile");
    assert!(!looping.await.unwrap().allow);
}

/// A plugin that waits for a server that never answers.
fn waiting(limits: PluginLimits) -> (PluginSpec, TcpListener) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", server.local_addr().unwrap());
    let mut plugin = Guest::new(&["authz", "http"]).url(&format!("{origin}/")).spec("plugin");
    let allow = serde_json::json!({ "http": [origin] });
    plugin.allow = Grants::from_json("plugin", &allow, Path::new("/")).unwrap();
    plugin.limits = limits;
    (plugin, server)
}

#[tokio::test]
async fn a_call_that_waits_too_long_is_denied() {
    let limits = PluginLimits { wait: Some(Duration::from_millis(100)), ..PluginLimits::default() };
    let (plugin, _server) = waiting(limits);
    let host = load(vec![plugin]).await.unwrap();
    let ruling = publish(&host, &identity("c"), "wait").await;
    // The import gives up at the same deadline as the call: whichever is first, the client is not kept waiting, and
    // the guest may even get to answer.
    assert!(ruling.allow || ruling.denial.unwrap().cause == DenialCause::WaitTimeout);
    assert!(publish(&host, &identity("d"), "allow").await.allow);
}

#[tokio::test]
async fn waiting_costs_no_processor_time() {
    let limits = PluginLimits {
        wait: Some(Duration::from_millis(400)),
        cpu: Some(Duration::from_millis(20)),
        ..PluginLimits::default()
    };
    let (plugin, _server) = waiting(limits);
    let host = load(vec![plugin]).await.unwrap();
    publish(&host, &identity("c"), "wait").await;
    assert_eq!(counters(&host, "plugin", Hook::Authz).deadlines, 0);
}

#[tokio::test]
async fn one_call_more_than_instances_waits_and_too_many_are_overload() {
    let limits = PluginLimits {
        wait: Some(Duration::from_millis(500)),
        instances_max: 1,
        waiting_max: 1,
        ..PluginLimits::default()
    };
    let (plugin, _server) = waiting(limits);
    let host = load(vec![plugin]).await.unwrap();
    let who = identity("c");
    host.permissions(&who).await.unwrap();
    let ask = |topic| host.authorize_publish(&who, topic, QoS::AtMostOnce, false, 0).resolve();
    let (_, second, third) = within(async { tokio::join!(ask("wait"), ask("allow"), ask("allow")) }).await;
    assert!(third.denial.is_some_and(|denial| matches!(denial.cause, DenialCause::Overloaded(_))));
    // The second got the instance, or its own time was over before it was done with it.
    let in_vain = |cause| matches!(cause, DenialCause::Overloaded(_) | DenialCause::WaitTimeout);
    assert!(second.allow || in_vain(second.denial.unwrap().cause));
    assert_eq!(breaker(&host, "plugin", Hook::Authz), BreakerState::Closed, "overload is not the plugin's failure");
}

#[tokio::test]
async fn an_exhausted_pool_is_overload() {
    let engine = EngineSettings { instances_max: 2, ..EngineSettings::default() };
    let settings = HostSettings { engine: Arc::new(PluginEngine::new(engine).unwrap()), ..settings() };
    let limits = PluginLimits { wait: Some(Duration::from_millis(500)), ..PluginLimits::default() };
    let (plugin, _server) = waiting(limits);
    let host = load_with(settings, vec![plugin]).await.unwrap();
    let who = identity("c");
    host.permissions(&who).await.unwrap();
    let ask = || host.authorize_publish(&who, "wait", QoS::AtMostOnce, false, 0).resolve();
    let (_, _, third) = within(async { tokio::join!(ask(), ask(), ask()) }).await;
    let cause = third.denial.unwrap().cause;
    assert!(matches!(&cause, DenialCause::Overloaded(_)), "{cause:?}");
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_instance_with_it() {
    let (plugin, _server) = waiting(PluginLimits::default());
    let host = load(vec![plugin]).await.unwrap();
    let who = identity("c");
    host.permissions(&who).await.unwrap();
    let asked = host.authorize_publish(&who, "wait", QoS::AtMostOnce, false, 0).resolve();
    assert!(tokio::time::timeout(Duration::from_millis(100), asked).await.is_err());
    // It goes where its call was made.
    within(async {
        while host.plugins()[0].instances != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(publish(&host, &who, "allow").await.allow);
}

#[tokio::test]
async fn a_plugin_that_keeps_failing_is_not_called_for_a_moment_and_then_tried() {
    let host = load(vec![lanes()[0].clone()]).await.unwrap();
    let who = identity("c");
    for _ in 0..5 {
        publish(&host, &who, "error").await;
    }
    assert_eq!(breaker(&host, "plugin", Hook::Authz), BreakerState::Open);
    assert_eq!(cause(&host, "d", "allow").await, DenialCause::BreakerOpen);
    assert_eq!(counters(&host, "plugin", Hook::Authz).errors, 5);
    within(async {
        while !publish(&host, &who, "allow").await.allow {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(breaker(&host, "plugin", Hook::Authz), BreakerState::Closed);
}

#[tokio::test]
async fn one_client_cannot_open_the_breaker_for_all() {
    let host = load(vec![lanes()[0].clone()]).await.unwrap();
    let mallory = identity("mallory");
    for _ in 0..20 {
        assert!(!publish(&host, &mallory, "trap").await.allow);
    }
    assert_eq!(breaker(&host, "plugin", Hook::Authz), BreakerState::Closed);
    assert!(publish(&host, &identity("alice"), "allow").await.allow);
    assert_eq!(counters(&host, "plugin", Hook::Authz).traps, 2, "after two traps the client is kept away");
}

#[tokio::test]
async fn an_old_instance_makes_room_for_a_fresh_one() {
    for mut plugin in lanes() {
        plugin.limits.calls_max = 3;
        let host = load(vec![plugin]).await.unwrap();
        let who = identity("c");
        for _ in 0..20 {
            assert!(publish(&host, &who, "allow").await.allow);
        }
        let status = &host.plugins()[0];
        assert!(status.retired >= 3 && status.instances <= 2, "{status:?}");
    }
}

/// The same guest in both lanes, with a `lifecycle` of which the end goes like this.
fn ending(how: char) -> [PluginSpec; 2] {
    let part = |parts: &[&'static str]| {
        let mut plugin = Guest::new(parts).shutdown(how).spec("plugin");
        plugin.limits.calls_max = 3;
        plugin.limits.init_cpu = Duration::from_millis(100);
        plugin
    };
    [part(&["lifecycle", "authz"]), part(&["lifecycle", "authz", "http"])]
}

#[tokio::test]
async fn a_worn_instance_is_told_that_it_ends_and_nobody_waits_for_that() {
    // A `shutdown` that traps, or never returns, shows by that that it was called.
    for (how, is_told) in [('a', true), ('t', false), ('l', false)] {
        for plugin in ending(how) {
            let host = load(vec![plugin]).await.unwrap();
            let who = identity("c");
            let status = || host.plugins().remove(0);
            within(async {
                while status().retired < 3 {
                    assert!(publish(&host, &who, "allow").await.allow);
                    tokio::task::yield_now().await;
                }
                // All that were replaced have ended, and at most one is in service.
                let lost = |status: &PluginStatus| if is_told { 0 } else { status.retired };
                while status().instances > 1 || status().lost != lost(&status()) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await;
            assert!(is_told || status().lost >= 3, "{how}");
        }
    }
}

#[tokio::test]
async fn an_instance_that_broke_or_was_abandoned_is_counted_as_lost() {
    for plugin in ending('a') {
        let host = load(vec![plugin]).await.unwrap();
        cause(&host, "c", "trap").await;
        assert_eq!(host.plugins()[0].lost, 1);
        host.shutdown(Duration::from_secs(10)).await;
        let status = &host.plugins()[0];
        assert_eq!((status.lost, status.instances), (1, 0), "{status:?}");
    }
}

#[tokio::test]
async fn an_instance_that_is_busy_when_its_generation_ends_is_told_so_when_it_comes_back() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", server.local_addr().unwrap());
    let mut plugin = Guest::new(&["lifecycle", "authz", "http"]).url(&format!("{origin}/")).spec("plugin");
    plugin.allow = Grants::from_json("plugin", &serde_json::json!({ "http": [origin] }), Path::new("/")).unwrap();
    let host = load(vec![plugin]).await.unwrap();
    let who = identity("c");
    host.permissions(&who).await.unwrap();
    let asked = tokio::spawn(host.authorize_publish(&who, "wait", QoS::AtMostOnce, false, 0).resolve());
    let (backend, _) = tokio::task::spawn_blocking(move || server.accept().unwrap()).await.unwrap();
    host.shutdown(Duration::from_secs(10)).await;
    assert_eq!(host.plugins()[0].instances, 1);
    // The backend goes away, and the call comes back.
    drop(backend);
    within(asked).await.unwrap();
    within(async {
        while host.plugins()[0].instances > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(host.plugins()[0].lost, 0);
}

#[tokio::test]
async fn what_was_last_decided_stands_while_the_plugin_cannot_answer_if_the_operator_says_so() {
    let mut plugin = Guest::new(&["authz"]).spec("plugin");
    plugin.on_error = OnError::Stale { max: Duration::from_secs(60) };
    let host = load(vec![plugin]).await.unwrap();
    let who = identity("c");
    let ask = async |topic: &str| publish(&host, &who, topic).await;
    assert!(ask("allow").await.allow && !ask("deny").await.allow);
    // Five failures open the circuit breaker: from then on the plugin answers nothing.
    for _ in 0..5 {
        assert!(!ask("error").await.allow, "about this nothing was ever decided");
    }
    assert_eq!(breaker(&host, "plugin", Hook::Authz), BreakerState::Open);
    assert!(ask("allow").await.allow && !ask("deny").await.allow && !ask("a/new/one").await.allow);
    assert_eq!(host.cache().stale, 2);
    host.revoke("alice");
    assert!(!ask("allow").await.allow, "what was revoked is not remembered");
}
