//! Where calls are made: at once on the thread that asks, or apart from it where they can wait.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unreachable_pub, dead_code, reason = "support is shared by test programs")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use midge_host::contract::{Answer, Hook, PluginLimits, QoS, Ruling};
use midge_host::grants::Grants;
use midge_host::{Host, HostSettings, Identities, Identity};
use support::{Guest, counters, identity_in, load, load_with, publish, settings, within};

/// Long enough for whatever happens on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn ask(host: &Host, who: &Arc<Identity>, topic: &str) -> Answer<Ruling> {
    host.authorize_publish(who, topic, QoS::AtMostOnce, false, 0)
}

#[test]
fn a_call_that_waits_is_made_elsewhere_and_nobody_but_its_client_waits_for_it() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", server.local_addr().unwrap());
    let mut plugin = Guest::new(&["authz", "http"]).url(&format!("{origin}/")).spec("plugin");
    let allow = serde_json::json!({ "http": [origin] });
    plugin.allow = Grants::from_json("plugin", &allow, Path::new("/")).unwrap();
    plugin.limits = PluginLimits { wait: Some(PATIENCE), ..PluginLimits::default() };
    let control = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let host = control.block_on(load(vec![plugin])).unwrap();
    let identities = Identities::new();
    let [slow, others @ ..] = ["slow", "c", "d"].map(|client_id| identity_in(&identities, client_id));
    control.block_on(async {
        for who in others.iter().chain([&slow]) {
            host.permissions(who).await.unwrap();
        }
    });

    let Answer::Later(slow_answer) = ask(&host, &slow, "wait") else { panic!("it can wait") };
    // Nobody polls the answer, and no runtime runs on this thread: it is the host's that makes the call.
    let (mut backend, _) = server.accept().unwrap();
    assert!(backend.read(&mut [0; 1024]).unwrap() > 0);

    let shard = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut order = Vec::new();
    for (at, who) in others.iter().cycle().take(20).enumerate() {
        assert!(shard.block_on(publish(&host, who, "allow")).allow);
        order.push(at);
    }
    backend.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").unwrap();
    shard.block_on(within(slow_answer));
    assert_eq!(order.len(), 20, "all of them were answered before the backend answered once");
    assert_eq!(counters(&host, "plugin", Hook::Authz).wait_timeouts, 0);
}

#[tokio::test]
async fn each_thread_has_an_instance_of_its_own_and_there_are_no_more() {
    let host = load_with(HostSettings { workers: 3, ..settings() }, vec![Guest::new(&["authz"]).spec("plugin")]);
    let host = host.await.unwrap();
    let (identities, ready) = (Identities::new(), std::sync::Barrier::new(8));
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (host, ready, who) = (&host, &ready, identity_in(&identities, &format!("c{client}")));
            scope.spawn(move || {
                ready.wait();
                for _ in 0..200 {
                    assert!(matches!(ask(host, &who, "allow"), Answer::Ready(ruling) if ruling.allow));
                }
            });
        }
    });
    let status = &host.plugins()[0];
    assert!(status.instances <= 3, "{status:?}");
    assert_eq!(status.instances, status.instantiations, "none is made for a single call");
    // Each client was asked about its permissions once.
    assert_eq!(counters(&host, "plugin", Hook::Authz).answered, 8 * 200 + 8);
}
