//! The broker with its connections' tasks, as the server crate drives them, in virtual time and on one thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use midge_core::{
    Broker, Chunk, CloseReason, Connection, Decision, DropReason, Effects, Ending, Event, Inbound, Limits, MemoryStore,
    Opening, Received, Store, Time, Work,
};
use midge_protocol::{
    Connect, Decoded, Decoder, Disconnect, Packet, ProtocolVersion, QoS, ReasonCode, Subscribe, Unsubscribe,
};

use crate::oracle::{Connecting, Name, Oracle, Publication, Verdict, Will, Wire};
use crate::pipe::{Bell, Pipe, Writer};
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

/// What serves one Network Connection.
struct Task {
    name: Name,
    wire: Wire,
    decoder: Decoder,
    /// What arrived and is not decoded yet.
    input: Vec<u8>,
    connection: Option<Connection>,
    pipe: Arc<Pipe>,
    inline: bool,
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
        let broker = Broker::new(limits, boxed, seed);
        Self { broker, oracle: Oracle::new(now), now, store, tasks: BTreeMap::new(), effects: Effects::new() }
    }

    /// A client opened a connection.
    pub(crate) fn accept(&mut self, name: Name, wire: Wire, pipe: Arc<Pipe>, inline: bool) {
        let task = Task {
            name,
            wire,
            decoder: Decoder::server(1024 * 1024),
            input: Vec::new(),
            connection: None,
            pipe,
            inline,
            bell: Arc::default(),
            held: None,
            broken: false,
            over: false,
        };
        self.tasks.insert(wire, task);
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
        let can_write = |task: &Task| task.held.is_some() && task.pipe.has_room();
        let ready = |task: &&Task| task.bell.rings() || task.broken || can_write(task);
        self.tasks.values().filter(ready).map(|task| task.wire).collect()
    }

    /// Lets one task do all it can.
    pub(crate) fn run(&mut self, wire: Wire) -> Verdict {
        let Some(mut task) = self.tasks.remove(&wire) else { return Ok(()) };
        self.serve(&mut task)?;
        if !task.over {
            self.tasks.insert(wire, task);
        }
        self.check_events()
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
        self.check_events()
    }

    /// The store has written what it was given.
    pub(crate) fn commit(&self) {
        if let Some(store) = &self.store {
            store.commit();
            self.broker.committed();
        }
    }

    fn serve(&mut self, task: &mut Task) -> Verdict {
        self.read(task)?;
        if task.broken {
            task.over = true;
            if let Some(connection) = task.connection.take() {
                give_back(&connection, task.held.take());
                self.close(connection, Ending::Lost, task);
            }
            return Ok(());
        }
        self.write(task)
    }

    /// Takes every complete packet: one read batch.
    fn read(&mut self, task: &mut Task) -> Verdict {
        let input = std::mem::take(&mut task.input);
        let mut rest = input.as_slice();
        while !task.over {
            let decoded =
                task.decoder.decode(rest).map_err(|malformed| format!("refused as malformed: {malformed}"))?;
            let Decoded::Packet { packet, length } = decoded else { break };
            rest = &rest[length..];
            match task.connection.take() {
                None => self.open(task, packet)?,
                Some(connection) => self.take(task, connection, packet)?,
            }
        }
        task.input = rest.to_vec();
        self.effects.flush(&self.broker);
        Ok(())
    }

    fn open(&mut self, task: &mut Task, packet: Packet<'_>) -> Verdict {
        let Packet::Connect(connect) = &packet else { return Err(format!("{} came first", packet.kind())) };
        let expiry = session_expiry(connect);
        let connecting = Connecting {
            name: task.name,
            wire: task.wire,
            clean_start: connect.clean_start,
            expiry,
            will: will(connect)?,
        };
        let request = Opening::receive(packet, &self.broker).map_err(|error| format!("CONNECT refused: {error}"))?;
        let peer = Arc::new(Writer { pipe: Arc::clone(&task.pipe), inline: task.inline });
        let connection = self.broker.connect(request, peer, self.now, &mut self.effects);
        let connection = connection.map_err(|refusal| format!("CONNECT refused: {refusal}"))?;
        let present = self.oracle.connect(connecting);
        if connection.session_present() != present {
            return Err(format!("Session Present has to be {present} for {} [MQTT-3.2.2-2]", task.name));
        }
        task.connection = Some(connection);
        // The owner looks at its session's output once of its own accord, and from then on when woken.
        task.bell.ring();
        Ok(())
    }

    fn take(&mut self, task: &mut Task, mut connection: Connection, packet: Packet<'_>) -> Verdict {
        let (now, name) = (self.now, task.name);
        let received = connection.receive(packet).map_err(|error| format!("{name} broke a rule: {error}"))?;
        // A connection that lost its session serves nobody any more.
        let current = self.oracle.is_current(name, task.wire);
        match received {
            Received::Publish(inbound) => self.publish(task, &mut connection, &inbound, current)?,
            Received::Acknowledgement(acknowledgement) => {
                if acknowledgement.kind == midge_core::AcknowledgementKind::Pubrel && current {
                    self.oracle.release(name, acknowledgement.packet_id.get());
                }
                let done = self.broker.acknowledge(&mut connection, acknowledgement, now, &mut self.effects);
                done.map_err(|error| format!("{name} broke a rule: {error}"))?;
            }
            Received::Subscribe(subscribe) => self.subscribe(name, &mut connection, &subscribe, current),
            Received::Unsubscribe(unsubscribe) => self.unsubscribe(name, &mut connection, &unsubscribe, current),
            Received::Ping => self.broker.pong(&mut connection, &mut self.effects),
            Received::Authenticate(_) => return Err("nobody authenticates here".into()),
            Received::Disconnect(disconnect) => {
                let with_will = disconnect.reason == ReasonCode::DisconnectWithWill;
                let ending = Ending::Disconnected { with_will, session_expiry: disconnect.session_expiry };
                give_back(&connection, task.held.take());
                task.over = true;
                self.close(connection, ending, task);
                return Ok(());
            }
        }
        task.connection = Some(connection);
        Ok(())
    }

    fn publish(&mut self, task: &Task, connection: &mut Connection, inbound: &Inbound<'_>, current: bool) -> Verdict {
        let refused = inbound.topic.starts_with("refused");
        let id = inbound.packet_id.map_or(0, midge_protocol::PacketId::get);
        let new = inbound.qos < QoS::ExactlyOnce || (current && self.oracle.is_new(task.name, id));
        if current && new == inbound.repeated {
            return Err(format!("{} sent QoS 2 message {id}, which is new: {new} [MQTT-4.3.3-10]", task.name));
        }
        let decision = if refused {
            self.oracle.release(task.name, id);
            Decision::Refuse { reason: ReasonCode::NotAuthorized, text: Some("refused by rule") }
        } else {
            Decision::Accept
        };
        if new && !refused {
            self.oracle.publish(Publication {
                number: number(inbound.payload)?,
                topic: inbound.topic.to_string(),
                publisher: task.name,
                qos: inbound.qos,
                retain: inbound.retain,
                expiry: inbound.properties.message_expiry,
            });
        }
        self.broker.publish(connection, inbound, decision, self.now, &mut self.effects);
        Ok(())
    }

    fn subscribe(&mut self, name: Name, connection: &mut Connection, subscribe: &Subscribe<'_>, current: bool) {
        let rulings: Vec<Result<QoS, ReasonCode>> = subscribe.filters.iter().map(|_| Ok(QoS::ExactlyOnce)).collect();
        if current {
            let id = subscribe.subscription_id.map(midge_protocol::SubscriptionId::get);
            for asked in &subscribe.filters {
                self.oracle.subscribe(name, asked.filter, asked.options, id);
            }
        }
        self.broker.subscribe(connection, subscribe, &rulings, self.now, &mut self.effects);
    }

    fn unsubscribe(&mut self, name: Name, connection: &mut Connection, unsubscribe: &Unsubscribe<'_>, current: bool) {
        if current {
            for filter in &unsubscribe.filters {
                self.oracle.unsubscribe(name, filter);
            }
        }
        self.broker.unsubscribe(connection, unsubscribe, self.now, &mut self.effects);
    }

    /// Does what the session's output asks for, until it is pending.
    fn write(&mut self, task: &mut Task) -> Verdict {
        if let Some((chunk, mut written)) = task.held.take()
            && let Some(connection) = &task.connection
        {
            written += task.pipe.write(&chunk[written..]);
            if written < chunk.len() {
                task.held = Some((chunk, written));
            } else {
                connection.session().give_back(connection.number(), chunk, written);
                task.bell.ring();
            }
        }
        // Even while the socket is full the session may want the connection closed.
        while task.bell.answer() {
            let Some(connection) = task.connection.as_mut() else { return Ok(()) };
            let waker = task.bell.waker();
            let work = connection.session().poll_output(connection.number(), &mut Context::from_waker(&waker));
            let Poll::Ready(work) = work else { return Ok(()) };
            task.bell.ring();
            match work {
                Work::Write(chunk) => {
                    let written = task.pipe.write(&chunk);
                    if written < chunk.len() {
                        task.held = Some((chunk, written));
                    } else {
                        connection.session().give_back(connection.number(), chunk, written);
                    }
                }
                Work::Drained => {
                    self.broker.drained(connection, self.now, &mut self.effects);
                    self.effects.flush(&self.broker);
                }
                Work::Close(reason) => return self.turn_away(task, reason),
            }
        }
        Ok(())
    }

    /// The broker wants the connection closed.
    fn turn_away(&mut self, task: &mut Task, reason: CloseReason) -> Verdict {
        task.over = true;
        if reason != CloseReason::TakenOver {
            return Err(format!("{} was turned away: {reason:?}", task.name));
        }
        let Some(connection) = task.connection.take() else { return Ok(()) };
        give_back(&connection, task.held.take());
        if connection.version() == ProtocolVersion::V5 && !connection.session().is_cut_off(connection.number()) {
            let mut bytes = Vec::new();
            let disconnect = Packet::Disconnect(Disconnect::new(reason.reason_code()));
            disconnect.encode(ProtocolVersion::V5, &mut bytes).map_err(|error| error.to_string())?;
            task.pipe.write(&bytes);
        }
        self.close(connection, Ending::Lost, task);
        Ok(())
    }

    fn close(&mut self, connection: Connection, ending: Ending, task: &Task) {
        let (with_will, expiry) = match ending {
            Ending::Disconnected { with_will, session_expiry } => (with_will, session_expiry),
            Ending::Lost | Ending::Shutdown => (true, None),
        };
        self.oracle.close(task.name, task.wire, with_will, expiry);
        // What the batch did before comes before what its end brings about.
        self.effects.flush(&self.broker);
        self.broker.close(connection, ending, self.now, &mut self.effects);
        self.effects.flush(&self.broker);
    }

    /// Nothing here is large or slow enough to be dropped.
    fn check_events(&mut self) -> Verdict {
        self.effects.take_published();
        let lost = self.effects.drain_events().find(|event| match event {
            Event::MessageDropped { reason, .. } => !matches!(reason, DropReason::Expired | DropReason::SessionEnded),
            _ => false,
        });
        lost.map_or(Ok(()), |event| Err(format!("a message was dropped: {event:?}")))
    }
}

fn give_back(connection: &Connection, held: Option<(Chunk, usize)>) {
    if let Some((chunk, written)) = held {
        connection.session().give_back(connection.number(), chunk, written);
    }
}

/// The number a payload names; none is 0.
pub(crate) fn number(payload: &[u8]) -> Result<u32, String> {
    let text = std::str::from_utf8(payload).map_err(|error| error.to_string())?;
    if text.is_empty() { Ok(0) } else { text.parse().map_err(|error| format!("payload {text:?}: {error}")) }
}

/// Before version 5 a session that is not clean lasts for ever (3.1.2.11.2).
fn session_expiry(connect: &Connect<'_>) -> u32 {
    match (connect.version, connect.clean_start) {
        (ProtocolVersion::V5, _) => connect.properties.session_expiry.unwrap_or(0),
        (_, true) => 0,
        (_, false) => u32::MAX,
    }
}

fn will(connect: &Connect<'_>) -> Result<Option<Will>, String> {
    let Some(will) = &connect.will else { return Ok(None) };
    Ok(Some(Will {
        number: number(will.payload)?,
        topic: will.topic.to_owned(),
        qos: will.qos,
        retain: will.retain,
        delay: will.delay.unwrap_or(0),
        expiry: will.properties.message_expiry,
    }))
}
