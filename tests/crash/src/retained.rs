//! What a newcomer is told.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use midge_protocol::Packet;

use crate::channel::{Channel, Gone, Hello, PATIENCE, Stay};
use crate::ledger::Name;
use crate::publisher::RETAINED;

/// Compares the retained messages with what they must be.
pub(crate) fn check(address: SocketAddr, expected: &BTreeSet<Name>) -> Result<(), String> {
    let found = collect(address, expected.len()).map_err(|Gone| "the broker closed on a newcomer".to_owned())?;
    if found == *expected { Ok(()) } else { Err(format!("retained: {found:?} instead of {expected:?}")) }
}

fn collect(address: SocketAddr, count: usize) -> Result<BTreeSet<Name>, Gone> {
    let Hello::Welcome { mut channel, .. } = Channel::connect(address, "newcomer", Stay::Briefly)? else {
        return Err(Gone);
    };
    channel.subscribe(&format!("crash/+/{RETAINED}"))?;
    let (mut found, deadline) = (BTreeSet::new(), Instant::now() + PATIENCE);
    while found.len() < count {
        let name = channel.receive(deadline, |packet| match packet {
            Packet::Publish(publish) if publish.retain => Name::parse(publish.payload),
            _ => None,
        })?;
        match name {
            Some(name) => found.extend(name),
            None => break,
        }
    }
    Ok(found)
}
