//! A broker that is short of memory.

use midge_protocol::{Packet, ProtocolVersion, QoS, ReasonCode};

use super::{MIB, flood, kept, number, resident};
use crate::support::client::connect;
use crate::support::{Client, Server};

#[test]
fn who_publishes_waits_until_there_is_memory_again_and_nothing_is_lost() {
    let usual = resident(&Server::start());
    let budget = (usual + 40.0 * MIB) / 0.75;
    let limits = "queued_bytes_max = \"1GiB\"\nqueued_messages_max = 100000\nin_flight_max = 1000";
    let server = Server::with(&format!("[limits]\nmemory_bytes_max = {}\n{limits}", budget as u64));
    assert_eq!(server.metric("midge_memory_budget_bytes", &[]) as u64, budget as u64);
    let (mut away, _) = Client::connect_with(&server, ProtocolVersion::V5, "away", kept);
    away.subscribe("flood", QoS::AtLeastOnce);
    away.disconnect();
    let mut witness = Client::connect(&server, ProtocolVersion::V5, "witness");
    witness.subscribe("witnessed", QoS::AtLeastOnce);

    let (count, bytes) = (1500, 60_000);
    let mut flooder = Client::connect(&server, ProtocolVersion::V5, "flooding");
    let flooding = std::thread::spawn(move || flood(&mut flooder, "flood", QoS::AtLeastOnce, count, bytes));
    server.metric_reaches("midge_memory_pressure", &[], 1.0);
    server.logged(&["memory is short", "limits.memory_bytes_max"]);
    // Whoever only listens is served as ever.
    (0..10).for_each(|_| witness.ping());
    assert!(server.metric("midge_queued_bytes", &[]) < (count * bytes) as f64, "the flood is held up");
    assert!(!flooding.is_finished());
    assert!(resident(&server) < budget);
    // Nor does a publisher get the impression that the broker is dead.
    let mut late = Client::connect(&server, ProtocolVersion::V5, "late");
    assert!(!late.publish("witnessed", "x", QoS::AtLeastOnce).is_error());
    late.ping();

    let (mut back, present) = Client::connect_with(&server, ProtocolVersion::V5, "away", kept);
    assert!(present);
    for expected in 0..count {
        assert_eq!(number(&back.take().payload), expected);
    }
    flooding.join().unwrap();
    server.logged(&["there is memory again"]);
    assert_eq!(server.metric("midge_memory_pressure", &[]), 0.0);
    assert!(server.metric("midge_publishers_slowed_total", &[("reason", "memory")]) > 0.0);
    assert_eq!(super::dropped_in_all(&server, "queue_full"), 0);
}

#[test]
fn where_there_is_hardly_any_left_nobody_new_is_let_in() {
    let server = Server::with("[limits]\nmemory_bytes_max = \"1MiB\"");
    server.logged(&["memory is very short", "0x97"]);
    let refused = |version| {
        let mut client = Client::open(server.address(), version);
        client.send(&Packet::Connect(Box::new(connect(version, "new"))));
        client.connack(|connack| connack.reason)
    };
    assert_eq!(refused(ProtocolVersion::V5), ReasonCode::QuotaExceeded);
    assert_eq!(refused(ProtocolVersion::V311), ReasonCode::ServerUnavailable);
    assert!(server.page("/readyz").contains("memory is very short"));
    assert_eq!(server.metric("midge_connects_over_limit_total", &[]), 2.0);
    assert_eq!(server.metric("midge_memory_pressure", &[]), 2.0);
}
