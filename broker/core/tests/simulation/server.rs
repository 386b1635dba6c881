//! The broker with its connections' tasks, as the server crate drives them, in virtual time and on one thread.

mod output;
mod packets;

use std::collections::BTreeMap;
use std::sync::Arc;

use midge_core::{
    Broker, Chunk, CloseReason, Connection, Effects, Ending, Event, Limits, MemoryStore, Message, Origin,
    SessionOverrides, SharedStrategy, Sharing, Store, Time,
};
use midge_protocol::{Decoder, QoS, ReasonCode, TopicName};

use crate::oracle::{Drop, Name, Oracle, Publication, Verdict, Wire};
use crate::pipe::{Bell, Pipe};
use crate::store::{Handle, LateStore};

/// The broker, what the specification says about it, and the tasks of its connections.
pub(crate) struct Server {
    pub(crate) broker: Broker,
    pub(crate) oracle: Oracle,
    pub(crate) now: Time,
    store: Option<Arc<LateStore>>,
    tasks: BTreeMap<Wire, Task>,
    effects: Effects,
}

/// How a connection is accepted.
pub(crate) struct Accepting {
    pub(crate) name: Name,
    pub(crate) wire: Wire,
    pub(crate) pipe: Arc<Pipe>,
    /// Whether whoever has bytes for it writes them itself.
    pub(crate) inline: bool,
    /// What the client's grant changes.
    pub(crate) overrides: SessionOverrides,
}

/// What serves one Network Connection.
struct Task {
    accepting: Accepting,
    decoder: Decoder,
    /// What arrived and is not decoded yet.
    input: Vec<u8>,
    connection: Option<Connection>,
    bell: Arc<Bell>,
    /// A chunk the socket would not take all of, and how much it took.
    held: Option<(Chunk, usize)>,
    /// The client is gone.
    broken: bool,
    /// Served; nothing is left to do.
    over: bool,
}

impl Server {
    pub(crate) fn new(limits: Limits, seed: u64, late: bool, now: Time) -> Self {
        let store = late.then(Arc::<LateStore>::default);
        let boxed: Box<dyn Store> = match &store {
            Some(store) => Box::new(Handle(Arc::clone(store))),
            None => Box::new(MemoryStore),
        };
        let oracle = Oracle::new(limits.clone(), now);
        let broker = Broker::new(limits, boxed, seed).with_sharing(sharing(seed));
        Self { broker, oracle, now, store, tasks: BTreeMap::new(), effects: Effects::new() }
    }

    /// A client opened a connection.
    pub(crate) fn accept(&mut self, accepting: Accepting) {
        let task = Task {
            decoder: Decoder::server(1024 * 1024),
            input: Vec::new(),
            connection: None,
            bell: Arc::default(),
            held: None,
            broken: false,
            over: false,
            accepting,
        };
        self.tasks.insert(task.wire(), task);
    }

    /// Bytes from the client arrived.
    pub(crate) fn arrive(&mut self, wire: Wire, bytes: &[u8]) -> Verdict {
        let Some(task) = self.tasks.get_mut(&wire) else { return Ok(()) };
        task.input.extend_from_slice(bytes);
        self.run(wire)
    }

    /// The client's side of the connection is gone. The task notices when it runs next.
    pub(crate) fn break_wire(&mut self, wire: Wire) {
        if let Some(task) = self.tasks.get_mut(&wire) {
            task.broken = true;
        }
    }

    /// Tasks that have something to do.
    pub(crate) fn runnable(&self) -> Vec<Wire> {
        let can_write = |task: &Task| task.held.is_some() && task.accepting.pipe.has_room();
        let ready = |task: &&Task| task.bell.rings() || task.broken || can_write(task);
        self.tasks.values().filter(ready).map(Task::wire).collect()
    }

    /// Lets one task do all it can.
    pub(crate) fn run(&mut self, wire: Wire) -> Verdict {
        let Some(mut task) = self.tasks.remove(&wire) else { return Ok(()) };
        self.serve(&mut task)?;
        if task.over {
            task.accepting.pipe.close();
        } else {
            self.tasks.insert(wire, task);
        }
        self.hear(None)?;
        self.oracle.check_queues(&self.broker.statistics())
    }

    /// The clock has moved. Told by a tick, the broker and the oracle do what is due.
    pub(crate) fn advance(&mut self, seconds: u32, tick: bool) -> Verdict {
        self.now = self.now.after_seconds(seconds);
        self.oracle.pass(self.now);
        if tick {
            self.oracle.tick(self.now);
            self.broker.tick(self.now, &mut self.effects);
            self.effects.flush(&self.broker);
        }
        self.hear(None)
    }

    /// The store has written what it was given.
    pub(crate) fn commit(&self) {
        if let Some(store) = &self.store {
            store.commit();
            self.broker.committed();
        }
    }

    /// The broker itself says something. Only it may use topics that begin with `$` [MQTT-4.7.2-1].
    pub(crate) fn announce(&mut self, publication: Publication) -> Verdict {
        let topic = TopicName::new(&publication.topic).map_err(|error| error.to_string())?;
        let expires_at = publication.expiry.map(|seconds| self.now.after_seconds(seconds));
        let message = Message::new(topic, payload(publication.number, publication.padding).into_bytes())
            .with_qos(publication.qos)
            .with_retain(publication.retain)
            .with_expiry(expires_at);
        let routed = self.oracle.publish(publication);
        self.broker.publish_from(Origin::System, message, self.now, &mut self.effects);
        self.hear(Some(routed))?;
        self.effects.flush(&self.broker);
        self.hear(None)
    }

    /// Connections that lost their session have been closed [MQTT-3.1.4-3], their clients heard of or not.
    pub(crate) fn check_displaced(&self) -> Verdict {
        let is_open = |task: &&Task| task.connection.is_some() && !self.oracle.is_current(task.name(), task.wire());
        match self.tasks.values().find(is_open) {
            Some(task) => Err(format!("#{} of {} is open, and another has its session", task.wire(), task.name())),
            None => Ok(()),
        }
    }

    fn serve(&mut self, task: &mut Task) -> Verdict {
        // What is written may make room for the answers to what was not read before.
        loop {
            let was_overfull = self.is_overfull(task);
            if !was_overfull {
                self.read(task)?;
            }
            if task.broken && !task.over {
                task.over = true;
                self.close(task, Ending::Lost)?;
            }
            if task.over {
                return Ok(());
            }
            self.write(task)?;
            if task.over || !was_overfull || self.is_overfull(task) {
                return Ok(());
            }
        }
    }

    fn close(&mut self, task: &mut Task, ending: Ending) -> Verdict {
        let Some(connection) = task.connection.take() else { return Ok(()) };
        if let Some((chunk, written)) = task.held.take() {
            connection.session().give_back(connection.number(), chunk, written);
        }
        let (with_will, expiry) = match ending {
            Ending::Disconnected { with_will, session_expiry } => (with_will, session_expiry),
            Ending::Lost | Ending::Shutdown => (true, None),
        };
        // What the batch did before comes before what its end brings about.
        self.effects.flush(&self.broker);
        self.hear(None)?;
        self.oracle.close(task.name(), task.wire(), with_will, expiry);
        self.broker.close(connection, ending, self.now, &mut self.effects);
        self.effects.flush(&self.broker);
        self.hear(None)
    }

    /// Tells the oracle what the broker says it dropped while it did one thing: routing that publication, or another.
    fn hear(&mut self, routed: Option<usize>) -> Verdict {
        self.effects.take_published();
        for event in self.effects.drain_events() {
            match event {
                Event::MessageDropped { about, topic, reason, count } => {
                    let drop = Drop { name: &about.client_id, topic: &topic, reason, count, routed };
                    self.oracle.dropped(&drop)?;
                }
                Event::SessionCreated { .. } => self.oracle.told.created += 1,
                Event::SessionResumed { .. } => self.oracle.told.resumed += 1,
                Event::WillPublished { .. } => self.oracle.told.wills += 1,
                Event::TakenOver { .. } => self.oracle.told.taken_over += 1,
                Event::SessionEnded { .. } => self.oracle.told.ended += 1,
            }
        }
        Ok(())
    }

    /// The broker wants the connection closed.
    fn turn_away(&mut self, task: &mut Task, reason: CloseReason) -> Verdict {
        task.over = true;
        if reason == CloseReason::SlowConsumer {
            self.oracle.check_slow(task.name())?;
        } else if reason != CloseReason::TakenOver {
            return Err(format!("{} was turned away: {reason:?}", task.name()));
        }
        self.say_farewell(task, reason)?;
        self.close(task, Ending::Lost)
    }
}

impl Task {
    fn name(&self) -> Name {
        self.accepting.name
    }

    fn wire(&self) -> Wire {
        self.accepting.wire
    }
}

/// What a client's permissions say about a SUBSCRIBE.
pub(crate) fn ruling(filter: &str) -> Result<QoS, ReasonCode> {
    match filter {
        "b" => Ok(QoS::AtMostOnce),
        "+/b" | "$share/one/b" => Ok(QoS::AtLeastOnce),
        "forbidden/#" => Err(ReasonCode::NotAuthorized),
        _ => Ok(QoS::ExactlyOnce),
    }
}

/// The payload of a message: its number, and so many dots. Number 0 has none.
pub(crate) fn payload(number: u32, padding: usize) -> String {
    if number == 0 { String::new() } else { format!("{number}{}", ".".repeat(padding)) }
}

/// The number a payload names, and how many dots follow; none is 0.
pub(crate) fn number(payload: &[u8]) -> Result<(u32, usize), String> {
    let text = std::str::from_utf8(payload).map_err(|error| error.to_string())?;
    let digits = text.trim_end_matches('.');
    if text.is_empty() {
        return Ok((0, 0));
    }
    let number = digits.parse().map_err(|error| format!("payload {text:?}: {error}"))?;
    Ok((number, text.len() - digits.len()))
}

/// Every strategy has its histories.
fn sharing(seed: u64) -> Sharing {
    let strategies = [
        SharedStrategy::RoundRobin,
        SharedStrategy::Random,
        SharedStrategy::Sticky,
        SharedStrategy::HashClientId,
        SharedStrategy::HashTopic,
        SharedStrategy::LeastInFlight,
    ];
    Sharing { strategy: strategies[(seed % 6) as usize], ..Sharing::default() }
}
