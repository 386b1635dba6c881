//! A broker with a clock, and clients that speak real packets with it. What a client gets is rendered as one line per packet.

mod packets;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use midge_protocol::{Connect, Decoded, Decoder, Packet, ProtocolVersion, Publish, QoS, SubscribeOptions, Unsubscribe};

use packets::render;
pub(super) use packets::{ack, connect_packet, packet_id, publish_packet, subscribe_packet};

use crate::{
    Broker, CloseReason, ConnectRequest, Connection, ConnectionNumber, Decision, DeliveryQuestion, Effects, Ending,
    Event, Limits, MemoryStore, Opening, Peer, ProtocolError, Received, Refusal, Session, Store, Time, Work,
};

/// A broker, its clock, and what it told.
pub(super) struct World {
    pub(super) broker: Broker,
    pub(super) now: Cell<Time>,
    pub(super) events: RefCell<Vec<Event>>,
    /// Topics of the Wills the core published.
    pub(super) wills: RefCell<Vec<String>>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Limits)) -> Self {
        Self::stored(change, Box::new(MemoryStore))
    }

    pub(super) fn stored(change: impl FnOnce(&mut Limits), store: Box<dyn Store>) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        let (events, wills) = (RefCell::default(), RefCell::default());
        Self { broker: Broker::new(limits, store, 7), now: Cell::new(Time(1_000_000)), events, wills }
    }

    /// Lets so many seconds pass, with a tick at the end.
    pub(super) fn pass(&self, seconds: u32) {
        self.now.set(self.now.get().after_seconds(seconds));
        self.batch(|effects| self.broker.tick(self.now.get(), effects));
    }

    /// Runs one read batch.
    pub(super) fn batch<R>(&self, run: impl FnOnce(&mut Effects) -> R) -> R {
        let mut effects = Effects::new();
        let result = run(&mut effects);
        effects.flush(&self.broker);
        self.events.borrow_mut().extend(effects.drain_events());
        let wills = effects.take_published();
        self.wills.borrow_mut().extend(wills.iter().map(|will| will.message.topic().to_owned()));
        result
    }

    /// A version 5 client with a clean start.
    pub(super) fn client(&self, id: &str) -> Client<'_> {
        self.connect(id, |_| {})
    }

    /// A version 5 client whose session lasts.
    pub(super) fn durable(&self, id: &str) -> Client<'_> {
        self.connect(id, |connect| {
            connect.clean_start = false;
            connect.properties.session_expiry = Some(1000);
        })
    }

    /// A version 3.1.1 client.
    pub(super) fn v3(&self, id: &str, clean: bool) -> Client<'_> {
        self.connect(id, |connect| {
            connect.version = ProtocolVersion::V311;
            connect.clean_start = clean;
        })
    }

    pub(super) fn connect<'a>(&self, id: &'a str, change: impl FnOnce(&mut Connect<'a>)) -> Client<'_> {
        self.try_connect(id, change).unwrap().unwrap()
    }

    pub(super) fn try_connect<'a>(
        &self,
        id: &'a str,
        change: impl FnOnce(&mut Connect<'a>),
    ) -> Result<Result<Client<'_>, Refusal>, ProtocolError> {
        let connect = connect_packet(id, change);
        let request = Opening::receive(Packet::Connect(Box::new(connect)), &self.broker)?;
        Ok(self.try_accept(request))
    }

    /// Connects with a request the server has had its hands on.
    pub(super) fn accept(&self, request: ConnectRequest) -> Client<'_> {
        self.try_accept(request).unwrap()
    }

    fn try_accept(&self, request: ConnectRequest) -> Result<Client<'_>, Refusal> {
        let decoder = Decoder::client(request.version, u32::MAX);
        let peer = Arc::new(CountingPeer::default());
        let connection =
            self.batch(|effects| self.broker.connect(request, Arc::clone(&peer) as _, self.now.get(), effects))?;
        let (session, number) = (Arc::clone(connection.session()), connection.number());
        Ok(Client { world: self, session, number, connection, decoder, peer, taken: false })
    }

    /// Takes the events so far.
    pub(super) fn told(&self) -> Vec<Event> {
        self.events.take()
    }

    /// Takes the events so far, rendered.
    pub(super) fn events(&self) -> Vec<String> {
        self.told().iter().map(|event| format!("{event:?}")).collect()
    }
}

/// Never writes by itself; counts how often it is asked to.
#[derive(Default)]
pub(super) struct CountingPeer(pub(super) AtomicUsize);

impl Peer for CountingPeer {
    fn flush(&self, _session: &Arc<Session>, _number: ConnectionNumber) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A waker that counts.
#[derive(Default)]
pub(super) struct Woken(pub(super) AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// One connection, with the client at its far end.
pub(super) struct Client<'w> {
    pub(super) world: &'w World,
    pub(super) session: Arc<Session>,
    pub(super) number: ConnectionNumber,
    pub(super) connection: Connection,
    decoder: Decoder,
    pub(super) peer: Arc<CountingPeer>,
    /// Whether its latest PUBLISH was taken.
    pub(super) taken: bool,
}

impl Client<'_> {
    /// Sends a packet, which is accepted by whoever decides.
    pub(super) fn send(&mut self, packet: Packet<'_>) -> Result<(), ProtocolError> {
        self.send_decided(packet, Decision::Accept)
    }

    pub(super) fn send_decided(&mut self, packet: Packet<'_>, decision: Decision<'_>) -> Result<(), ProtocolError> {
        let (broker, now) = (&self.world.broker, self.world.now.get());
        let mut encoded = Vec::new();
        packet.encode(self.connection.version(), &mut encoded).unwrap();
        let received = self.connection.receive(&packet)?;
        let connection = &mut self.connection;
        self.world.batch(|effects| {
            match received {
                Received::Publish(mut inbound) => {
                    inbound.keep_encoded(&encoded, connection.version());
                    self.taken = broker.publish(connection, &inbound, decision, now, effects);
                }
                Received::Acknowledgement(ack) => broker.acknowledge(connection, ack, now, effects)?,
                Received::Subscribe(subscribe) => {
                    let rulings = vec![Ok(QoS::ExactlyOnce); subscribe.filters.len()];
                    broker.subscribe(connection, subscribe, &rulings, now, effects);
                }
                Received::Unsubscribe(unsubscribe) => {
                    broker.unsubscribe(connection, unsubscribe, &[], now, effects);
                }
                Received::Ping => broker.pong(connection, effects),
                Received::Authenticate(_) | Received::Disconnect(_) => {}
            }
            Ok(())
        })
    }

    pub(super) fn publish(&mut self, topic: &str, payload: &str, qos: u8, id: u16) {
        self.publish_with(topic, payload, qos, id, |_| {});
    }

    pub(super) fn publish_with<'a>(
        &mut self,
        topic: &'a str,
        payload: &'a str,
        qos: u8,
        id: u16,
        change: impl FnOnce(&mut Publish<'a>),
    ) {
        self.send(publish_packet(topic, payload, qos, id, change)).unwrap();
    }

    pub(super) fn subscribe(&mut self, filter: &str, qos: u8) {
        self.subscribe_with(filter, qos, None, |_| {});
    }

    pub(super) fn subscribe_with(
        &mut self,
        filter: &str,
        qos: u8,
        id: Option<u32>,
        change: impl FnOnce(&mut SubscribeOptions),
    ) {
        self.send(subscribe_packet(filter, qos, id, change)).unwrap();
    }

    pub(super) fn unsubscribe(&mut self, filter: &str) {
        let packet =
            Unsubscribe { packet_id: packet_id(9), user_properties: Default::default(), filters: vec![filter] };
        self.send(Packet::Unsubscribe(packet)).unwrap();
    }

    pub(super) fn puback(&mut self, id: u16) {
        self.send(Packet::Puback(ack(id))).unwrap();
    }

    pub(super) fn pubrec(&mut self, id: u16) {
        self.send(Packet::Pubrec(ack(id))).unwrap();
    }

    pub(super) fn pubrel(&mut self, id: u16) {
        self.send(Packet::Pubrel(ack(id))).unwrap();
    }

    pub(super) fn pubcomp(&mut self, id: u16) {
        self.send(Packet::Pubcomp(ack(id))).unwrap();
    }

    /// Everything the broker sent, as the connection's task would write it, one line per packet.
    pub(super) fn output(&mut self) -> Vec<String> {
        let bytes = self.bytes();
        self.render(&bytes)
    }

    /// What is in the outbox, without asking for more.
    pub(super) fn written(&mut self) -> Vec<String> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.session.take_output(self.number) {
            bytes.extend(chunk.parts().flatten());
            let length = chunk.len();
            self.session.give_back(self.number, chunk, length);
        }
        self.render(&bytes)
    }

    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            match self.poll() {
                Poll::Ready(Work::Write(chunk)) => {
                    bytes.extend(chunk.parts().flatten());
                    let length = chunk.len();
                    self.session.give_back(self.number, chunk, length);
                }
                Poll::Ready(Work::Drained) => {
                    let (broker, now) = (&self.world.broker, self.world.now.get());
                    self.world.batch(|effects| broker.drained(&mut self.connection, now, effects));
                }
                Poll::Ready(Work::Load(bodies)) => {
                    let (broker, now) = (&self.world.broker, self.world.now.get());
                    let fetched = broker.fetch(&bodies);
                    self.world.batch(|effects| broker.loaded(&mut self.connection, fetched, now, effects));
                }
                Poll::Ready(Work::Authorize(questions)) => self.answer(questions, |topic| !topic.starts_with("deny")),
                Poll::Ready(Work::Close(_)) | Poll::Pending => return bytes,
            }
        }
    }

    pub(super) fn poll(&mut self) -> Poll<Work> {
        self.session.poll_output(self.number, &mut Context::from_waker(Waker::noop()))
    }

    /// Says of each message by its topic whether the client may have it.
    pub(super) fn answer(&mut self, questions: Vec<DeliveryQuestion>, may_have: impl Fn(&str) -> bool) {
        let verdict = |question: DeliveryQuestion| {
            let allowed = may_have(question.message.topic());
            (question, allowed)
        };
        let verdicts = questions.into_iter().map(verdict).collect();
        let (broker, now) = (&self.world.broker, self.world.now.get());
        self.world.batch(|effects| broker.authorized(&mut self.connection, verdicts, now, effects));
    }

    /// What the broker asks about now, as its owner is told.
    pub(super) fn asked(&mut self) -> Vec<DeliveryQuestion> {
        match self.poll() {
            Poll::Ready(Work::Authorize(questions)) => questions,
            other => panic!("nothing is asked, but {other:?}"),
        }
    }

    /// Why the broker wants the connection closed, if it does.
    pub(super) fn close_reason(&mut self) -> Option<CloseReason> {
        self.bytes();
        match self.poll() {
            Poll::Ready(Work::Close(reason)) => Some(reason),
            _ => None,
        }
    }

    /// DISCONNECT.
    pub(super) fn disconnect(self) {
        self.end(Ending::Disconnected { with_will: false, session_expiry: None });
    }

    /// The network fails.
    pub(super) fn lose(self) {
        self.end(Ending::Lost);
    }

    pub(super) fn end(self, ending: Ending) {
        let (world, connection) = (self.world, self.connection);
        world.batch(|effects| world.broker.close(connection, ending, world.now.get(), effects));
    }

    /// What these bytes say, one line per packet.
    pub(super) fn render(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        while let Decoded::Packet { packet, length } = self.decoder.decode(bytes).unwrap() {
            lines.push(render(&packet));
            bytes = &bytes[length..];
        }
        assert!(bytes.is_empty(), "the broker sends whole packets");
        lines
    }
}
