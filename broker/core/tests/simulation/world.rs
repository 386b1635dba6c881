//! One history: what the clients, the network, the clock and the store do, step by step, as the seed has it.

use std::sync::Arc;

use midge_core::{Limits, Time};
use midge_protocol::{ProtocolVersion, QoS, RetainHandling, SubscribeOptions};

use crate::client::{Client, Message, Opening};
use crate::oracle::{Verdict, Wire};
use crate::pipe::Pipe;
use crate::random::Random;
use crate::server::Server;

/// Everything there is in one history.
pub(crate) struct World {
    random: Random,
    pub(crate) server: Server,
    clients: Vec<Client>,
    wires: Wire,
    messages: u32,
    /// What happened, in words.
    pub(crate) story: Vec<String>,
    /// Whether sockets take only a few bytes at a time.
    narrow: bool,
    /// Connections whose end the broker has not noticed.
    lost: Vec<Wire>,
}

const NAMES: [&str; 5] = ["anna", "bert", "cleo", "dora", "emil"];
const WILL_TOPICS: [&str; 5] = ["will/anna", "will/bert", "will/cleo", "will/dora", "will/emil"];
const TOPICS: [&str; 6] = ["a", "a/b", "a/b/c", "b", "b/b", "refused/a"];
/// What the first clients subscribe to, and what the others do. No topic is matched by two shared subscriptions, nor by
/// a shared and another one of the same client: what came for which could not be told.
const FILTERS: [&[&str]; 2] = [
    &["a", "a/b", "b", "#", "a/#", "+/b", "+", "will/+"],
    &["$share/one/a/#", "$share/one/a/#", "$share/one/b", "$share/two/will/+", "b/b", "+/b/b"],
];
/// How many clients share subscriptions: the last ones.
const SHARERS: usize = 3;
const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let limits = Limits {
            in_flight_max: random.pick(&[1, 2, 3, 1024]),
            receive_maximum: random.pick(&[1, 3, 1024]),
            topic_alias_maximum: random.pick(&[0, 2]),
            ..Limits::default()
        };
        let late = random.chance(30);
        let narrow = random.chance(30);
        let now = Time(1_700_000_000_000);
        let story = vec![format!(
            "broker: {} in flight, Receive Maximum {}, {} aliases; store {}; sockets {}",
            limits.in_flight_max,
            limits.receive_maximum,
            limits.topic_alias_maximum,
            if late { "late" } else { "volatile" },
            if narrow { "narrow" } else { "wide" },
        )];
        let clients = NAMES.iter().map(|name| Client::new(name)).collect();
        let server = Server::new(limits, seed, late, now);
        Self { random, server, clients, wires: 0, messages: 0, story, narrow, lost: Vec::new() }
    }

    /// Something happens.
    pub(crate) fn step(&mut self) -> Verdict {
        let who = self.random.below(self.clients.len());
        let connected = self.clients[who].link.is_some();
        let ready = self.clients[who].link.as_ref().is_some_and(|link| link.ready);
        match self.random.below(100) {
            0..=7 if !connected => self.connect(who),
            0 if connected => self.take_over(who),
            1..=3 if connected => self.lose(who),
            4..=5 if ready => self.disconnect(who),
            8..=29 if ready => self.publish(who),
            30..=36 if ready => self.subscribe(who),
            37..=39 if ready => self.unsubscribe(who),
            40 if ready => self.ping(who),
            41..=56 => self.send(who),
            57..=74 => self.receive(who),
            75..=84 => self.acknowledge(who),
            85..=92 => self.run_tasks(),
            93..=95 => self.advance(),
            96..=97 => self.commit(),
            _ => Ok(()),
        }
    }

    /// The network heals, everybody comes back and acknowledges: whatever was owed has to arrive.
    pub(crate) fn settle(&mut self) -> Verdict {
        self.tell("the network heals; whoever has a session comes back");
        for wire in std::mem::take(&mut self.lost) {
            self.server.break_wire(wire);
        }
        self.quiesce()?;
        self.server.advance(1, true)?;
        for who in 0..self.clients.len() {
            let name = self.clients[who].name;
            if self.clients[who].link.is_none() && self.server.oracle.is_waiting_for(name) {
                let opening = Opening { clean_start: false, expiry: Some(100_000), will: None, ..self.opening(who) };
                self.open(who, &opening);
            }
        }
        self.quiesce()?;
        self.server.oracle.check_all_received()?;
        if let Some(client) = self.clients.iter().find(|client| client.link.is_some() && !client.is_quiet()) {
            return Err(client.open_ends());
        }
        self.check_statistics()?;
        self.check_retained()
    }

    /// Lets everything happen that can, until nothing more does.
    fn quiesce(&mut self) -> Verdict {
        for _ in 0..10_000 {
            self.server.commit();
            let mut moved = false;
            for client in &mut self.clients {
                moved |= client.link.as_ref().is_some_and(|link| link.pipe.len() > 0);
                client.receive(usize::MAX, &mut self.server.oracle)?;
                client.acknowledge(usize::MAX);
                if let Some(link) = &mut client.link {
                    let bytes: Vec<u8> = link.sending.drain(..).collect();
                    if !bytes.is_empty() {
                        moved = true;
                        self.server.arrive(link.wire, &bytes)?;
                    }
                }
            }
            let tasks = self.server.runnable();
            moved |= !tasks.is_empty();
            for wire in tasks {
                self.server.run(wire)?;
            }
            if !moved {
                return Ok(());
            }
        }
        Err("the broker never comes to rest".into())
    }

    fn check_statistics(&self) -> Verdict {
        let (statistics, oracle) = (self.server.broker.statistics(), &self.server.oracle);
        let told = [statistics.sessions, statistics.subscriptions, statistics.retained_messages];
        let right = [oracle.session_count(), oracle.subscription_count(), oracle.retained().len() as u64];
        if told != right {
            return Err(format!("sessions, subscriptions, retained messages are {right:?}, told are {told:?}"));
        }
        let left = [statistics.queued_messages, statistics.queued_bytes, statistics.in_flight];
        if left != [0, 0, 0] {
            return Err(format!("queued messages and bytes, in flight: {left:?} are told, and all has arrived"));
        }
        Ok(())
    }

    /// A newcomer that asks for everything gets the last retained message of each topic and nothing else.
    fn check_retained(&mut self) -> Verdict {
        self.tell("eve asks for everything that is retained");
        self.clients.push(Client::new("eve"));
        let who = self.clients.len() - 1;
        let opening = Opening {
            version: ProtocolVersion::V311,
            clean_start: true,
            expiry: None,
            receive_maximum: 20,
            alias_maximum: 0,
            will: None,
        };
        self.open(who, &opening);
        self.quiesce()?;
        self.clients[who].subscribe(&[("#", SubscribeOptions::new(QoS::ExactlyOnce))], None);
        self.quiesce()?;
        // The oracle refuses what is not owed, and misses what is.
        self.server.oracle.check_all_received()
    }

    fn connect(&mut self, who: usize) -> Verdict {
        let opening = self.opening(who);
        self.open(who, &opening);
        Ok(())
    }

    /// The client believes its connection dead and opens another; the broker knows nothing of the first one's end.
    fn take_over(&mut self, who: usize) -> Verdict {
        let opening = self.opening(who);
        self.lost.extend(self.clients[who].link.take().map(|link| link.wire));
        self.open(who, &opening);
        Ok(())
    }

    fn open(&mut self, who: usize, opening: &Opening) {
        self.wires += 1;
        let capacity = if self.narrow { 1 + self.random.below(60) } else { usize::MAX };
        let pipe = Arc::new(Pipe::new(capacity));
        let inline = self.random.chance(60);
        let name = self.clients[who].name;
        self.tell(&format!("{name} connects as #{}: {opening:?}", self.wires));
        self.server.accept(name, self.wires, Arc::clone(&pipe), inline);
        self.clients[who].connect(opening, self.wires, pipe, self.server.now);
    }

    fn lose(&mut self, who: usize) -> Verdict {
        let Some(mut link) = self.clients[who].link.take() else { return Ok(()) };
        let name = self.clients[who].name;
        let part = self.random.below(link.sending.len() + 1);
        let bytes: Vec<u8> = link.sending.drain(..part).collect();
        self.tell(&format!("{name} loses its connection, {part} bytes arrive"));
        self.server.arrive(link.wire, &bytes)?;
        if self.random.chance(70) {
            self.server.break_wire(link.wire);
        } else {
            // The broker will notice only when somebody else comes, or at the end.
            self.tell("the broker does not notice");
            self.lost.push(link.wire);
        }
        Ok(())
    }

    fn disconnect(&mut self, who: usize) -> Verdict {
        let with_will = self.random.chance(30);
        let expiry = self.random.chance(30).then(|| self.random.pick(&[0, 10, 5000]));
        let client = &mut self.clients[who];
        let Some(version) = client.link.as_ref().map(|link| link.version) else { return Ok(()) };
        // Version 3 has neither; and what was 0 may not be raised [MQTT-3.1.2-11].
        let v5 = version == ProtocolVersion::V5;
        let expiry = expiry.filter(|_| v5 && client.link.as_ref().is_some_and(|link| link.persistent));
        client.disconnect(with_will && v5, expiry);
        let Some(mut link) = client.link.take() else { return Ok(()) };
        let name = client.name;
        self.tell(&format!("{name} disconnects, with Will: {with_will}, expiry: {expiry:?}"));
        let bytes: Vec<u8> = link.sending.drain(..).collect();
        self.server.arrive(link.wire, &bytes)
    }

    fn publish(&mut self, who: usize) -> Verdict {
        let topic = self.random.pick(&TOPICS);
        let message = self.message(topic, true);
        let alias = self.random.chance(20);
        let text = format!("{} publishes {message:?}", self.clients[who].name);
        if self.clients[who].publish(message, alias) {
            self.tell(&text);
        }
        Ok(())
    }

    fn subscribe(&mut self, who: usize) -> Verdict {
        let Some(version) = self.clients[who].link.as_ref().map(|link| link.version) else { return Ok(()) };
        let count = 1 + self.random.below(2);
        let mut filters: Vec<(&'static str, SubscribeOptions)> = Vec::new();
        let mut id = None;
        for _ in 0..count {
            let (place, filter) = self.filter(who);
            if filters.iter().any(|(other, _)| *other == filter) {
                continue;
            }
            let mut options = SubscribeOptions::new(self.random.pick(&QOS));
            if version == ProtocolVersion::V5 {
                options.no_local = self.random.chance(20) && !filter.starts_with("$share");
                options.retain_as_published = self.random.chance(30);
                options.retain_handling =
                    self.random.pick(&[RetainHandling::OnSubscribe, RetainHandling::IfNew, RetainHandling::Never]);
                id = self.random.chance(70).then_some(place as u32 + 1);
            }
            filters.push((filter, options));
        }
        self.tell(&format!("{} subscribes to {filters:?}, identifier {id:?}", self.clients[who].name));
        self.clients[who].subscribe(&filters, id);
        Ok(())
    }

    fn unsubscribe(&mut self, who: usize) -> Verdict {
        let (_, filter) = self.filter(who);
        self.tell(&format!("{} unsubscribes from {filter}", self.clients[who].name));
        self.clients[who].unsubscribe(filter);
        Ok(())
    }

    /// A filter of this client's kind, and its number.
    fn filter(&mut self, who: usize) -> (usize, &'static str) {
        let filters = FILTERS[usize::from(who + SHARERS >= NAMES.len())];
        let place = self.random.below(filters.len());
        (place, filters[place])
    }

    fn ping(&mut self, who: usize) -> Verdict {
        self.clients[who].ping();
        Ok(())
    }

    /// Some of what the client sent arrives.
    fn send(&mut self, who: usize) -> Verdict {
        let Some(link) = &mut self.clients[who].link else { return Ok(()) };
        let most = if self.random.chance(70) { usize::MAX } else { 1 + self.random.below(30) };
        let part = most.min(link.sending.len());
        let (wire, bytes) = (link.wire, link.sending.drain(..part).collect::<Vec<u8>>());
        if part > 0 {
            self.tell(&format!("{part} bytes from #{wire} arrive"));
            self.server.arrive(wire, &bytes)?;
        }
        Ok(())
    }

    /// Some of what the broker sent arrives.
    fn receive(&mut self, who: usize) -> Verdict {
        let most = if self.random.chance(70) { usize::MAX } else { 1 + self.random.below(30) };
        if self.clients[who].link.as_ref().is_some_and(|link| link.pipe.len() > 0) {
            self.tell(&format!("{} reads", self.clients[who].name));
        }
        self.clients[who].receive(most, &mut self.server.oracle)
    }

    fn acknowledge(&mut self, who: usize) -> Verdict {
        let most = 1 + self.random.below(3);
        self.clients[who].acknowledge(most);
        Ok(())
    }

    fn run_tasks(&mut self) -> Verdict {
        let tasks = self.server.runnable();
        if tasks.is_empty() {
            return Ok(());
        }
        let wire = self.random.pick(&tasks);
        self.server.run(wire)
    }

    fn advance(&mut self) -> Verdict {
        let seconds = self.random.pick(&[1, 1, 5, 12, 60, 6000]);
        let tick = self.random.chance(80);
        self.tell(&format!("{seconds} seconds pass, tick: {tick}"));
        self.server.advance(seconds, tick)
    }

    fn opening(&mut self, who: usize) -> Opening {
        let version = self.random.pick(&[ProtocolVersion::V311, ProtocolVersion::V5, ProtocolVersion::V5]);
        let v5 = version == ProtocolVersion::V5;
        let will = self.random.chance(40).then(|| {
            let message = self.message(WILL_TOPICS[who], false);
            (message, if v5 { self.random.pick(&[0, 0, 3, 30]) } else { 0 })
        });
        Opening {
            version,
            clean_start: self.random.chance(25),
            expiry: self.random.pick(&[None, Some(0), Some(5), Some(100), Some(5000), Some(u32::MAX)]).filter(|_| v5),
            receive_maximum: self.random.pick(&[1, 2, 20]),
            alias_maximum: self.random.pick(&[0, 1, 3]),
            will,
        }
    }

    fn message(&mut self, topic: &'static str, may_clear: bool) -> Message {
        let retain = self.random.chance(25);
        let clears = retain && may_clear && self.random.chance(30);
        self.messages += 1;
        Message {
            number: if clears { 0 } else { self.messages },
            topic,
            qos: self.random.pick(&QOS),
            retain,
            expiry: self.random.chance(20).then(|| self.random.pick(&[2, 20, 4000])),
        }
    }

    fn commit(&mut self) -> Verdict {
        self.tell("the store has written everything");
        self.server.commit();
        Ok(())
    }

    fn tell(&mut self, text: &str) {
        self.story.push(text.to_owned());
    }
}
