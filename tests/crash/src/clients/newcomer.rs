//! A client that was never there, and asks for what is retained.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use midge_protocol::{MessageProperties, Packet, PacketId, Publish, QoS};

use crate::channel::{Channel, Gone, Hello, Login, PATIENCE};
use crate::ledger::Name;

/// Compares the retained messages with what they must be.
pub(crate) fn check(address: SocketAddr, expected: &BTreeSet<Name>) -> Result<(), String> {
    let found = collect(address, expected).map_err(|Gone| "the broker closed on a newcomer".to_owned())?;
    let missing: Vec<_> = expected.difference(&found).collect();
    let stale: Vec<_> = found.difference(expected).collect();
    if missing.is_empty() && stale.is_empty() {
        Ok(())
    } else {
        Err(format!("retained messages: {missing:?} are not there, {stale:?} are there"))
    }
}

fn collect(address: SocketAddr, expected: &BTreeSet<Name>) -> Result<BTreeSet<Name>, Gone> {
    let Hello::Welcome { mut channel, .. } = Channel::connect(address, Login::briefly("newcomer"))? else {
        return Err(Gone);
    };
    channel.subscribe(PacketId::new(1).expect("not 0"), "crash/#", QoS::AtMostOnce)?;
    let mut found = receive(&mut channel, Instant::now() + PATIENCE, |found| expected.is_subset(found))?;
    // What should not be there comes before the answer to a question that is asked now, or at least soon.
    channel.subscribe(PacketId::new(2).expect("not 0"), "newcomer/echo", QoS::AtMostOnce)?;
    channel.send(&Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "newcomer/echo",
        packet_id: None,
        topic_alias: None,
        subscription_ids: Vec::new(),
        properties: MessageProperties::default(),
        payload: b"",
    }))?;
    found.extend(receive(&mut channel, Instant::now() + Duration::from_millis(20), |_| false)?);
    Ok(found)
}

fn receive(
    channel: &mut Channel,
    deadline: Instant,
    done: impl Fn(&BTreeSet<Name>) -> bool,
) -> Result<BTreeSet<Name>, Gone> {
    let mut found = BTreeSet::new();
    while !done(&found) {
        let name = channel.receive(deadline, |packet| match packet {
            Packet::Publish(publish) if publish.retain => publish.properties.correlation_data.and_then(Name::parse),
            _ => None,
        })?;
        match name {
            Some(name) => found.extend(name),
            None => break,
        }
    }
    Ok(found)
}
