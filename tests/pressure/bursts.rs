//! What nobody needs any more goes back to the system, though nothing else happens.

use std::time::{Duration, Instant};

use midge_protocol::{ProtocolVersion, QoS};

use super::{MIB, flood, kept, resident};
use crate::support::{Client, PATIENCE, Server};

#[test]
fn what_bursts_of_large_messages_took_is_given_back() {
    let limits = "queued_bytes_max = \"1GiB\"\nqueued_messages_max = 100000\nin_flight_max = 1000";
    let server = Server::with(&format!("[store]\ndurability = \"memory\"\n[limits]\n{limits}"));
    let usual = resident(&server);
    let (count, bytes) = (1200, 60_000);
    for _ in 0..3 {
        let (mut away, _) = Client::connect_with(&server, ProtocolVersion::V5, "away", kept);
        away.subscribe("flood", QoS::AtLeastOnce);
        away.disconnect();
        let mut flooder = Client::connect(&server, ProtocolVersion::V5, "flooding");
        flood(&mut flooder, "flood", QoS::AtLeastOnce, count, bytes);
        assert!(resident(&server) - usual > (count * bytes) as f64 / 2.0, "it is in memory");
        let (mut back, _) = Client::connect_with(&server, ProtocolVersion::V5, "away", kept);
        (0..count).for_each(|_| drop(back.take()));
        // The broker has the last acknowledgement too.
        back.ping();
    }
    let deadline = Instant::now() + PATIENCE;
    while resident(&server) - usual > 24.0 * MIB {
        assert!(Instant::now() < deadline, "{} MiB stay", (resident(&server) - usual) / MIB);
        std::thread::sleep(Duration::from_millis(100));
    }
}
