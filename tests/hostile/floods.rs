//! Plugins that fill what the broker keeps for them: stores and metrics are bounded, and no other plugin has less of its own.

use midge_protocol::ProtocolVersion;

use super::{Conversation, ask, plugin};
use crate::support::client::connect;
use crate::support::{Client, Server};

/// A broker with a plugin that floods what its callers name, and one that goes about its business for callers with a password.
fn house(grants: &str) -> Server {
    let honest = plugin("importer", &format!("hooks = [\"authn\"]\nallow = {{ {grants} }}"));
    // So much time that the flood, and not its end, is what there is to bear.
    let hostile = format!("hooks = [\"authn\"]\nallow = {{ {grants} }}\nlimits = {{ cpu_ms = 8000 }}");
    let observer = plugin("event-counter", "");
    Server::with(&format!("{honest}{}{observer}", plugin("hostile", &hostile)))
}

/// Has the honest plugin use its own store: it counts there, and calls the client by the count.
fn count(server: &Server) {
    let mut client = Client::open(server.address(), ProtocolVersion::V5);
    let mut hello = connect(ProtocolVersion::V5, "honest");
    (hello.username, hello.password) = (Some("kv"), Some(&b"default"[..]));
    client.send(&midge_protocol::Packet::Connect(Box::new(hello)));
    assert!(!client.connack(|connack| connack.reason).is_error());
}

#[test]
fn a_plugin_that_fills_its_store_has_its_oldest_entries_dropped_and_no_other_store_is_touched() {
    let server = house("kv = { default = \"1MiB\" }");
    let mut others = Conversation::start(&server);
    count(&server);
    server.logged(&["client connected", "client_id=honest", "principal=1"]);
    others.during(|| drop(ask(&server, ProtocolVersion::V5, "offender", "kv-flood")));
    assert!(server.metric("midge_plugin_kv_bytes", &[("plugin", "hostile")]) <= f64::from(1 << 20));
    let evicted = [("plugin", "hostile"), ("what", "kv_entry_evicted")];
    assert!(server.metric("midge_plugin_imports_total", &evicted) >= 1.0);
    count(&server);
    server.logged(&["client connected", "client_id=honest", "principal=2"]);
    let evicted = [("plugin", "importer"), ("what", "kv_entry_evicted")];
    assert_eq!(server.metric("midge_plugin_imports_total", &evicted), 0.0);
}

#[test]
fn a_plugin_that_makes_up_metrics_without_end_has_so_many_and_the_rest_is_counted() {
    let server = house("");
    let mut others = Conversation::start(&server);
    others.during(|| drop(ask(&server, ProtocolVersion::V5, "offender", "metric-flood")));
    let page = server.page("/metrics");
    let series = page.lines().filter(|line| line.starts_with("midge_custom_flood_")).count();
    assert!((1..=1000).contains(&series), "{series} series");
    let dropped = [("plugin", "hostile"), ("what", "metric_update_dropped")];
    assert!(server.metric("midge_plugin_imports_total", &dropped) >= 1.0);
    // Another plugin's metrics go on.
    let counted = [("plugin", "event-counter"), ("kind", "client.connected")];
    let before = server.metric("midge_custom_events_total", &counted);
    drop(Client::connect(&server, ProtocolVersion::V5, "later"));
    server.metric_reaches("midge_custom_events_total", &counted, before + 1.0);
}
