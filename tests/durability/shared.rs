//! Shared subscriptions: what waits for their members.

use midge_protocol::{ProtocolVersion, QoS};

use super::{ENDS, away, back, durable};
use crate::support::Client;

const VERSION: ProtocolVersion = ProtocolVersion::V5;

#[test]
fn what_waits_for_all_members_goes_to_whoever_is_back_first() {
    for end in ENDS {
        let mut server = durable();
        for id in ["one", "two"] {
            away(&server, VERSION, id, "$share/jobs/a", QoS::AtLeastOnce);
        }
        let mut publisher = Client::connect(&server, VERSION, "publisher");
        for number in 0..10 {
            publisher.publish("a", &number.to_string(), QoS::AtLeastOnce);
        }
        server.again(end);
        let mut one = back(&server, VERSION, "one");
        let mut seen: Vec<u32> = (0..10).map(|_| one.take().text().parse().unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>(), "{end:?}");
        one.expect_nothing();
        let mut two = back(&server, VERSION, "two");
        two.expect_nothing();
        let mut publisher = Client::connect(&server, VERSION, "publisher");
        for _ in 0..2 {
            publisher.publish("a", "each in turn", QoS::AtLeastOnce);
        }
        assert_eq!([one.take().text(), two.take().text()], ["each in turn"; 2]);
    }
}
