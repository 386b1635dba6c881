//! Topics and subscriptions: SUBSCRIBE and SUBACK (3.8, 3.9), UNSUBSCRIBE and UNSUBACK (3.10, 3.11), chapters 4.7 and 4.8.2.

mod options;
mod shared;
mod subscribe;
mod topics;
mod unsubscribe;

use midge_protocol::{
    Packet, PacketId, ProtocolVersion, ReasonCode, RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions,
    SubscriptionId, Unsubscribe, UserProperties,
};

use crate::support::Client;

/// Subscribes to several filters with one packet, and returns what SUBACK says about each.
fn subscribe_all(client: &mut Client, id: Option<u32>, filters: &[(&str, SubscribeOptions)]) -> Vec<ReasonCode> {
    let packet_id = client.new_id();
    client.send(&subscribe_packet(packet_id, id, filters));
    client.suback(packet_id)
}

fn subscribe_packet<'a>(packet_id: PacketId, id: Option<u32>, filters: &[(&'a str, SubscribeOptions)]) -> Packet<'a> {
    Packet::Subscribe(Subscribe {
        packet_id,
        subscription_id: id.and_then(SubscriptionId::new),
        user_properties: UserProperties::default(),
        filters: filters.iter().map(|&(filter, options)| SubscribeFilter { filter, options }).collect(),
    })
}

fn unsubscribe_packet<'a>(packet_id: PacketId, filters: &[&'a str]) -> Packet<'a> {
    Packet::Unsubscribe(Unsubscribe {
        packet_id,
        user_properties: UserProperties::default(),
        filters: filters.to_vec(),
    })
}

fn encoded(packet: &Packet<'_>, version: ProtocolVersion) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes).unwrap();
    bytes
}

fn handling(retain_handling: RetainHandling, options: SubscribeOptions) -> SubscribeOptions {
    SubscribeOptions { retain_handling, ..options }
}
