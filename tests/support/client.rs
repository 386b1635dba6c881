//! A scripted client: it sends what it is told, and says exactly what arrived. Every wait has a deadline.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use midge_protocol::{
    Ack, Connack, Connect, ConnectProperties, Decoded, Decoder, Disconnect, Packet, PacketId, ProtocolVersion, Publish,
    QoS, ReasonCode, Subscribe, SubscribeFilter, SubscribeOptions, Unsubscribe, UserProperties,
};

use super::message::{Received, publish};
use super::stream::{Stream, tcp};
use super::{PATIENCE, Server};

/// One Network Connection, with as much session state as a script needs.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    version: ProtocolVersion,
    decoder: Decoder,
    unread: Vec<u8>,
    /// Messages that came while something else was waited for.
    early: VecDeque<Received>,
    last_id: u16,
}

impl Client {
    /// A connection on which nothing was said yet.
    pub(crate) fn open(address: SocketAddr, version: ProtocolVersion) -> Self {
        Self::over(Box::new(tcp(address)), version)
    }

    /// As [`Self::open`], over any stream.
    pub(crate) fn over(stream: Box<dyn Stream>, version: ProtocolVersion) -> Self {
        let decoder = Decoder::client(version, u32::MAX);
        Self { stream, version, decoder, unread: Vec::new(), early: VecDeque::new(), last_id: 0 }
    }

    /// A client with a new session that ends with it.
    pub(crate) fn connect(server: &Server, version: ProtocolVersion, client_id: &str) -> Self {
        Self::connect_with(server, version, client_id, |_| {}).0
    }

    /// A client that asks for what `adjust` says, and whether its session was there. CONNECT must succeed.
    pub(crate) fn connect_with<'a>(
        server: &Server,
        version: ProtocolVersion,
        client_id: &'a str,
        adjust: impl FnOnce(&mut Connect<'a>),
    ) -> (Self, bool) {
        let mut client = Self::open(server.address(), version);
        let present = client.say_hello(client_id, adjust);
        (client, present)
    }

    /// Sends CONNECT and waits for a CONNACK that accepts it; says whether the session was there.
    pub(crate) fn say_hello<'a>(&mut self, client_id: &'a str, adjust: impl FnOnce(&mut Connect<'a>)) -> bool {
        let mut hello = connect(self.version, client_id);
        adjust(&mut hello);
        self.send(&Packet::Connect(Box::new(hello)));
        self.connack(|connack| {
            assert_eq!(connack.reason, ReasonCode::Success);
            connack.session_present
        })
    }

    /// Waits for CONNACK.
    pub(crate) fn connack<T>(&mut self, look: impl FnOnce(&Connack<'_>) -> T) -> T {
        self.next(|packet| match packet {
            Packet::Connack(connack) => look(connack),
            other => panic!("{other:?} instead of CONNACK"),
        })
    }

    /// Sends a packet.
    pub(crate) fn send(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes).unwrap();
        self.send_bytes(&bytes);
    }

    /// Sends bytes, whatever they are. A broker that has closed already is no error here.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        let sent = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
        if let Err(error) = sent {
            assert!(is_closed(error.kind()), "{error}");
        }
    }

    /// Waits for the next packet, whatever it is.
    pub(crate) fn next<T>(&mut self, look: impl FnOnce(&Packet<'_>) -> T) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.decoder.decode(&self.unread).unwrap() {
                Decoded::Packet { packet, length } => {
                    let answer = look(&packet);
                    drop(packet);
                    self.unread.drain(..length);
                    return answer;
                }
                Decoded::Incomplete { .. } => assert!(self.read_more(deadline), "the broker closed the connection"),
            }
        }
    }

    /// Waits for the next packet that is no PUBLISH; those are kept for [`Self::receive`].
    pub(super) fn answer<T>(&mut self, look: impl FnOnce(&Packet<'_>) -> T) -> T {
        let mut look = Some(look);
        loop {
            let mut message = None;
            let answered = self.next(|packet| match packet {
                Packet::Publish(early) => {
                    message = Some(Received::from(early));
                    None
                }
                other => look.take().map(|look| look(other)),
            });
            self.early.extend(message);
            if let Some(answer) = answered {
                return answer;
            }
        }
    }

    /// Subscribes to one filter and returns what SUBACK says about it.
    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS) -> ReasonCode {
        self.subscribe_with(filter, SubscribeOptions::new(qos))
    }

    /// As [`Self::subscribe`], with every option.
    pub(crate) fn subscribe_with(&mut self, filter: &str, options: SubscribeOptions) -> ReasonCode {
        let packet_id = self.send_subscribe(filter, options);
        self.suback(packet_id)[0]
    }

    /// Sends SUBSCRIBE for one filter and waits for nothing.
    pub(crate) fn send_subscribe(&mut self, filter: &str, options: SubscribeOptions) -> PacketId {
        let packet_id = self.new_id();
        self.send(&Packet::Subscribe(Subscribe {
            packet_id,
            subscription_id: None,
            user_properties: UserProperties::default(),
            filters: vec![SubscribeFilter { filter, options }],
        }));
        packet_id
    }

    /// Waits for the SUBACK of a SUBSCRIBE.
    pub(crate) fn suback(&mut self, packet_id: PacketId) -> Vec<ReasonCode> {
        self.answer(|packet| match packet {
            Packet::Suback(suback) => {
                assert_eq!(suback.packet_id, packet_id);
                suback.reasons.clone()
            }
            other => panic!("{other:?} instead of SUBACK"),
        })
    }

    /// Unsubscribes from one filter; below version 5 the answer is always success.
    pub(crate) fn unsubscribe(&mut self, filter: &str) -> ReasonCode {
        let packet_id = self.new_id();
        let user_properties = UserProperties::default();
        self.send(&Packet::Unsubscribe(Unsubscribe { packet_id, user_properties, filters: vec![filter] }));
        self.answer(|packet| match packet {
            Packet::Unsuback(unsuback) => {
                assert_eq!(unsuback.packet_id, packet_id);
                unsuback.reasons.first().copied().unwrap_or(ReasonCode::Success)
            }
            other => panic!("{other:?} instead of UNSUBACK"),
        })
    }

    /// Publishes and waits until the broker has the message for good. Returns its last word.
    pub(crate) fn publish(&mut self, topic: &str, payload: &str, qos: QoS) -> ReasonCode {
        self.publish_with(Publish { qos, ..publish(topic, payload.as_bytes()) })
    }

    /// As [`Self::publish`], with RETAIN.
    pub(crate) fn retain(&mut self, topic: &str, payload: &str, qos: QoS) -> ReasonCode {
        self.publish_with(Publish { qos, retain: true, ..publish(topic, payload.as_bytes()) })
    }

    /// As [`Self::publish`]; the packet id is given here. QoS 0 is followed by a ping, so that it was carried out too.
    pub(crate) fn publish_with(&mut self, mut message: Publish<'_>) -> ReasonCode {
        if message.qos == QoS::AtMostOnce {
            self.send(&Packet::Publish(message));
            self.ping();
            return ReasonCode::Success;
        }
        let packet_id = self.new_id();
        message.packet_id = Some(packet_id);
        let qos = message.qos;
        self.send(&Packet::Publish(message));
        let first = self.acknowledgement(packet_id);
        if qos == QoS::AtLeastOnce || first.is_error() {
            return first;
        }
        self.send(&Packet::Pubrel(Ack::new(packet_id)));
        self.acknowledgement(packet_id)
    }

    /// Waits for PUBACK, PUBREC, PUBREL or PUBCOMP of `packet_id`.
    pub(crate) fn acknowledgement(&mut self, packet_id: PacketId) -> ReasonCode {
        self.answer(|packet| match packet {
            Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
                assert_eq!(ack.packet_id, packet_id);
                ack.reason
            }
            other => panic!("{other:?} instead of an acknowledgement"),
        })
    }

    /// The next message. It is not acknowledged.
    pub(crate) fn receive(&mut self) -> Received {
        if let Some(message) = self.early.pop_front() {
            return message;
        }
        self.next(|packet| match packet {
            Packet::Publish(message) => Received::from(message),
            other => panic!("{other:?} instead of a message"),
        })
    }

    /// The next message, acknowledged to the end of its flow.
    pub(crate) fn take(&mut self) -> Received {
        let message = self.receive();
        let Some(packet_id) = message.packet_id else { return message };
        if message.qos == QoS::AtLeastOnce {
            self.send(&Packet::Puback(Ack::new(packet_id)));
        } else {
            self.send(&Packet::Pubrec(Ack::new(packet_id)));
            assert_eq!(self.acknowledgement(packet_id), ReasonCode::Success);
            self.send(&Packet::Pubcomp(Ack::new(packet_id)));
        }
        message
    }

    /// Sends PINGREQ and waits for PINGRESP: everything sent before was carried out.
    pub(crate) fn ping(&mut self) {
        self.send(&Packet::Pingreq);
        self.answer(|packet| assert_eq!(*packet, Packet::Pingresp));
    }

    /// Pings, and says how many messages came before the answer. They are acknowledged, whatever was asked for.
    pub(crate) fn messages_until_pong(&mut self) -> usize {
        self.ping();
        let count = self.early.len();
        for message in std::mem::take(&mut self.early) {
            if let Some(packet_id) = message.packet_id.filter(|_| message.qos == QoS::AtLeastOnce) {
                self.send(&Packet::Puback(Ack::new(packet_id)));
            }
        }
        count
    }

    /// Pings, and returns the messages that came before the answer. None of them is acknowledged.
    pub(crate) fn messages(&mut self) -> Vec<Received> {
        self.ping();
        std::mem::take(&mut self.early).into()
    }

    /// Nothing has arrived, and nothing that was under way arrives before the answer to a ping.
    pub(crate) fn expect_nothing(&mut self) {
        self.ping();
        assert_eq!(self.early.pop_front(), None, "nothing was expected");
    }

    /// The broker closes; a version 5 client is told `reason` before, others nothing.
    pub(crate) fn expect_disconnect(&mut self, reason: ReasonCode) {
        if self.version.is_v5() {
            self.answer(|packet| match packet {
                Packet::Disconnect(goodbye) => assert_eq!(goodbye.reason, reason),
                other => panic!("{other:?} instead of DISCONNECT with {reason}"),
            });
        }
        self.expect_close();
    }

    /// The broker closes, and sends nothing before.
    pub(crate) fn expect_close(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.read_more(deadline) {}
        assert_eq!(self.unread, b"", "only the end was expected");
    }

    /// Everything that still arrives, undecoded.
    pub(crate) fn bytes_until_close(&mut self) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        while self.read_more(deadline) {}
        std::mem::take(&mut self.unread)
    }

    /// The next `count` bytes, undecoded; fewer at the end.
    pub(crate) fn bytes_or_close(&mut self, count: usize) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        while self.unread.len() < count && self.read_more(deadline) {}
        let count = count.min(self.unread.len());
        self.unread.drain(..count).collect()
    }

    /// Publishes with QoS 1 and is refused with `reason`, by PUBACK or by DISCONNECT.
    pub(crate) fn publish_refused(&mut self, topic: &str, reason: ReasonCode) {
        let packet_id = Some(self.new_id());
        self.send(&Packet::Publish(Publish { qos: QoS::AtLeastOnce, packet_id, ..publish(topic, b"x") }));
        let refused = self.answer(|packet| match packet {
            Packet::Puback(ack) => ack.reason,
            Packet::Disconnect(goodbye) => goodbye.reason,
            other => panic!("{other:?} instead of a refusal"),
        });
        assert_eq!(refused, reason);
    }

    /// Leaves as the protocol wants it: no Will.
    pub(crate) fn disconnect(mut self) {
        self.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
        self.expect_close();
    }

    /// A packet id that is not in use: scripts never have many at once.
    pub(crate) fn new_id(&mut self) -> PacketId {
        self.last_id = self.last_id % u16::MAX + 1;
        PacketId::new(self.last_id).unwrap()
    }

    /// Reads what there is; `false` at the end.
    fn read_more(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.stream.set_patience(left);
        let mut space = [0; 64 * 1024];
        match self.stream.read(&mut space) {
            Ok(length) => {
                self.unread.extend_from_slice(&space[..length]);
                length > 0
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) if is_closed(error.kind()) => false,
            Err(error) => panic!("nothing arrived in time ({error}); unread: {:02x?}", self.unread),
        }
    }
}

fn is_closed(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}

/// A CONNECT for a session that ends with its connection; its fields are there to be changed.
pub(crate) fn connect(version: ProtocolVersion, client_id: &str) -> Connect<'_> {
    Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive: 0,
        properties: ConnectProperties::default(),
        client_id,
        will: None,
        username: None,
        password: None,
    }
}
