//! A client's place at the broker, without a socket: bytes in, bytes out.

use std::sync::{Arc, Mutex};

use midge_core::{Broker, Connection, ConnectionNumber, Decision, Effects, Ending, Opening, Peer, Received, Session};
use midge_protocol::{
    Ack, Connect, ConnectProperties, Decoded, Decoder, MessageProperties, Packet, PacketId, ProtocolVersion, Publish,
    QoS, ReasonCode, ReasonProperties, Subscribe, SubscribeFilter, SubscribeOptions, Unsubscribe, UserProperties,
};

use crate::NOW;

/// The broker's side of one connection, driven as a server drives it.
pub(crate) struct Seat {
    broker: Arc<Broker>,
    decoder: Decoder,
    connection: Connection,
    outlet: Arc<Outlet>,
}

/// What the broker wrote.
#[derive(Default)]
struct Outlet(Mutex<Vec<u8>>);

impl Peer for Outlet {
    fn flush(&self, session: &Arc<Session>, number: ConnectionNumber) {
        while let Some(chunk) = session.take_output(number) {
            let written = chunk.len();
            chunk.parts().for_each(|part| self.0.lock().unwrap().extend_from_slice(part));
            if !session.give_back(number, chunk, written) {
                return;
            }
        }
    }
}

impl Seat {
    /// Takes a CONNECT.
    pub(crate) fn connect(broker: &Arc<Broker>, connect: &[u8], effects: &mut Effects) -> Self {
        let mut decoder = Decoder::server(1 << 20);
        let Ok(Decoded::Packet { packet, .. }) = decoder.decode(connect) else { unreachable!("a whole CONNECT") };
        let request = Opening::receive(packet, broker).unwrap();
        let outlet = Arc::<Outlet>::default();
        let connection = broker.connect(request, Arc::clone(&outlet) as Arc<dyn Peer>, NOW, effects).unwrap();
        effects.flush(broker);
        outlet.0.lock().unwrap().clear();
        Self { broker: Arc::clone(broker), decoder, connection, outlet }
    }

    /// Carries out what is read at once.
    pub(crate) fn receive(&mut self, bytes: &[u8], effects: &mut Effects) {
        let Self { broker, decoder, connection, .. } = self;
        let mut rest = bytes;
        while let Decoded::Packet { packet, length } = decoder.decode(rest).unwrap() {
            let (encoded, behind) = rest.split_at(length);
            rest = behind;
            match connection.receive(&packet).unwrap() {
                Received::Publish(mut inbound) => {
                    inbound.keep_encoded(encoded, connection.version());
                    broker.publish(connection, &inbound, Decision::Accept, NOW, effects);
                }
                Received::Acknowledgement(acknowledgement) => {
                    broker.acknowledge(connection, acknowledgement, NOW, effects).unwrap();
                }
                Received::Subscribe(subscribe) => {
                    let granted = vec![Ok(QoS::ExactlyOnce); subscribe.filters.len()];
                    broker.subscribe(connection, subscribe, &granted, NOW, effects);
                }
                Received::Unsubscribe(unsubscribe) => {
                    broker.unsubscribe(connection, unsubscribe, &[], NOW, effects);
                }
                other => unreachable!("{other:?} is no part of any path"),
            }
        }
        effects.flush(broker);
    }

    /// Reads what was written, and says what the client answers.
    pub(crate) fn answers(&self, version: ProtocolVersion) -> Vec<u8> {
        let written = std::mem::take(&mut *self.outlet.0.lock().unwrap());
        let (mut decoder, mut answers) = (Decoder::client(version, u32::MAX), Vec::new());
        let mut rest = written.as_slice();
        while let Decoded::Packet { packet, length } = decoder.decode(rest).unwrap() {
            rest = &rest[length..];
            let answer = match packet {
                Packet::Publish(Publish { packet_id: Some(id), qos: QoS::AtLeastOnce, .. }) => Packet::Puback(ack(id)),
                Packet::Publish(Publish { packet_id: Some(id), .. }) => Packet::Pubrec(ack(id)),
                Packet::Pubrec(received) => Packet::Pubrel(ack(received.packet_id)),
                Packet::Pubrel(released) => Packet::Pubcomp(ack(released.packet_id)),
                _ => continue,
            };
            answer.encode(version, &mut answers).unwrap();
        }
        answers
    }

    /// The connection ends.
    pub(crate) fn close(self, effects: &mut Effects) {
        self.broker.close(self.connection, Ending::Lost, NOW, effects);
        effects.flush(&self.broker);
    }
}

fn ack(packet_id: PacketId) -> Ack<'static> {
    Ack { packet_id, reason: ReasonCode::Success, properties: ReasonProperties::default() }
}

/// What clients send.
pub(crate) struct Wire;

impl Wire {
    pub(crate) fn connect(client_id: &str, version: ProtocolVersion, clean_start: bool) -> Vec<u8> {
        encoded(
            version,
            &Packet::Connect(Box::new(Connect {
                version,
                bridge: false,
                clean_start,
                keep_alive: 60,
                properties: ConnectProperties::default(),
                client_id,
                will: None,
                username: None,
                password: None,
            })),
        )
    }

    pub(crate) fn publish(version: ProtocolVersion, topic: &str, qos: QoS, messages: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in 1..=messages {
            let packet_id = PacketId::new(number as u16).filter(|_| qos > QoS::AtMostOnce);
            let publish = Publish {
                dup: false,
                qos,
                retain: false,
                topic,
                packet_id,
                topic_alias: None,
                subscription_ids: Vec::new(),
                properties: MessageProperties::default(),
                payload: &[b'x'; 64],
            };
            publish.encode(version, &mut bytes).unwrap();
        }
        bytes
    }

    pub(crate) fn subscribe(version: ProtocolVersion, filters: &[&str], qos: QoS) -> Vec<u8> {
        let options = SubscribeOptions::new(qos);
        let filters = filters.iter().map(|filter| SubscribeFilter { filter, options }).collect();
        let packet_id = PacketId::new(1).unwrap();
        let subscribe =
            Subscribe { packet_id, subscription_id: None, user_properties: UserProperties::default(), filters };
        encoded(version, &Packet::Subscribe(subscribe))
    }

    pub(crate) fn unsubscribe(version: ProtocolVersion, filters: &[&str]) -> Vec<u8> {
        let packet_id = PacketId::new(1).unwrap();
        let filters = filters.to_vec();
        let unsubscribe = Unsubscribe { packet_id, user_properties: UserProperties::default(), filters };
        encoded(version, &Packet::Unsubscribe(unsubscribe))
    }
}

fn encoded(version: ProtocolVersion, packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes).unwrap();
    bytes
}
