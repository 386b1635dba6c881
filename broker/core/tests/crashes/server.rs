//! The broker, its store, and one open batch for each connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use midge_core::{
    Broker, Connection, ConnectionNumber, Decision, Effects, Ending, Event, Limits, Opening, Peer, Received, Session,
    Time, Work,
};
use midge_protocol::{Packet, QoS};

use crate::store::{Handle, LateStore};

/// Names a Network Connection.
pub(crate) type Wire = u64;

pub(crate) struct Server {
    broker: Broker,
    store: Arc<LateStore>,
    pub(crate) now: Time,
    seats: BTreeMap<Wire, Seat>,
    wires: Wire,
    /// Messages that were dropped. Here nothing ever need be.
    pub(crate) dropped: Vec<String>,
}

struct Seat {
    connection: Connection,
    effects: Effects,
}

/// What a client finds when it reads.
pub(crate) struct Output {
    pub(crate) bytes: Vec<u8>,
    pub(crate) closed: bool,
}

/// Sockets here are written by nobody but their owners.
struct Silent;

impl Peer for Silent {
    fn flush(&self, _session: &Arc<Session>, _number: ConnectionNumber) {}
}

impl Server {
    pub(crate) fn new() -> Self {
        let store = Arc::<LateStore>::default();
        let broker = broker(&store);
        Self { broker, store, now: Time(1_000_000), seats: BTreeMap::new(), wires: 0, dropped: Vec::new() }
    }

    /// A CONNECT arrives; none if it is refused.
    pub(crate) fn connect(&mut self, connect: Packet<'_>) -> Option<Wire> {
        let request = Opening::receive(connect, &self.broker).expect("the clients' CONNECTs are right");
        let mut effects = Effects::new();
        let connection = self.broker.connect(request, Arc::new(Silent), self.now, &mut effects).ok()?;
        self.wires += 1;
        self.seats.insert(self.wires, Seat { connection, effects });
        Some(self.wires)
    }

    /// A packet arrives. What it brings about is part of the connection's open batch.
    pub(crate) fn receive(&mut self, wire: Wire, packet: Packet<'_>) -> Result<(), String> {
        let (broker, now) = (&self.broker, self.now);
        let Some(Seat { connection, effects }) = self.seats.get_mut(&wire) else { return Ok(()) };
        match connection.receive(&packet).map_err(|error| error.to_string())? {
            Received::Publish(inbound) => {
                broker.publish(connection, &inbound, Decision::Accept, now, effects);
            }
            Received::Acknowledgement(ack) => {
                broker.acknowledge(connection, ack, now, effects).map_err(|error| error.to_string())?;
            }
            Received::Subscribe(subscribe) => {
                let rulings = vec![Ok(QoS::ExactlyOnce); subscribe.filters.len()];
                broker.subscribe(connection, subscribe, &rulings, now, effects);
            }
            _ => return Err("no client says this".to_owned()),
        }
        Ok(())
    }

    /// The connection's batch ends.
    pub(crate) fn flush(&mut self, wire: Wire) {
        if let Some(seat) = self.seats.get_mut(&wire) {
            seat.effects.flush(&self.broker);
            self.dropped.extend(seat.effects.drain_events().filter_map(drop_of));
        }
    }

    /// What the connection's task would write, after its batch; it closes if it is to.
    pub(crate) fn read(&mut self, wire: Wire) -> Output {
        self.flush(wire);
        let (broker, now) = (&self.broker, self.now);
        let mut output = Output { bytes: Vec::new(), closed: false };
        let Some(Seat { connection, effects }) = self.seats.get_mut(&wire) else {
            return Output { closed: true, ..output };
        };
        let (session, number) = (Arc::clone(connection.session()), connection.number());
        while let Poll::Ready(work) = session.poll_output(number, &mut Context::from_waker(Waker::noop())) {
            match work {
                Work::Write(chunk) => {
                    output.bytes.extend(chunk.parts().flatten());
                    let length = chunk.len();
                    session.give_back(number, chunk, length);
                }
                Work::Drained => broker.drained(connection, now, effects),
                Work::Load(bodies) => broker.loaded(connection, broker.fetch(&bodies), now, effects),
                Work::Authorize(questions) => {
                    let verdicts = questions.into_iter().map(|question| (question, true)).collect();
                    broker.authorized(connection, verdicts, now, effects);
                }
                Work::Close(_) => {
                    self.lose(wire);
                    output.closed = true;
                    return output;
                }
            }
            effects.flush(broker);
            self.dropped.extend(effects.drain_events().filter_map(drop_of));
        }
        output
    }

    /// The connection is gone.
    pub(crate) fn lose(&mut self, wire: Wire) {
        if let Some(Seat { connection, mut effects }) = self.seats.remove(&wire) {
            effects.flush(&self.broker);
            self.broker.close(connection, Ending::Lost, self.now, &mut effects);
            effects.flush(&self.broker);
            self.dropped.extend(effects.drain_events().filter_map(drop_of));
        }
    }

    pub(crate) fn wires(&self) -> Vec<Wire> {
        self.seats.keys().copied().collect()
    }

    /// So many more batches are safe; the broker may hear of it later.
    pub(crate) fn commit(&mut self, batches: usize, tell: bool) {
        self.store.commit_some(batches);
        if tell {
            self.broker.committed();
        }
    }

    /// The process ends, and another starts. Every connection is gone.
    pub(crate) fn crash(&mut self) {
        self.seats.clear();
        self.broker = broker(&self.store);
        let mut effects = Effects::new();
        for kept in self.store.crash() {
            self.broker.restore(kept, self.now, &mut effects);
        }
        effects.flush(&self.broker);
    }

    pub(crate) fn tick(&mut self, seconds: u32) {
        self.now = self.now.after_seconds(seconds);
        let mut effects = Effects::new();
        self.broker.tick(self.now, &mut effects);
        effects.flush(&self.broker);
    }
}

fn drop_of(event: Event) -> Option<String> {
    matches!(event, Event::MessageDropped { .. }).then(|| format!("{event:?}"))
}

fn broker(store: &Arc<LateStore>) -> Broker {
    Broker::new(Limits::default(), Box::new(Handle(Arc::clone(store))), 7)
}
