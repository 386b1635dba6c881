//! One history: what the clients, the network, the clock and the store do, step by step, as the seed has it.

mod choices;
mod settle;

use std::sync::Arc;

use midge_core::Time;
use midge_protocol::{ProtocolVersion, RetainHandling, SubscribeOptions};

use crate::client::{Client, Message, Opening};
use crate::histories;
use crate::oracle::{Publication, Verdict, Wire};
use crate::pipe::Pipe;
use crate::random::Random;
use crate::server::{Accepting, Server};

/// Everything there is in one history.
pub(crate) struct World {
    seed: u64,
    random: Random,
    pub(crate) server: Server,
    clients: Vec<Client>,
    wires: Wire,
    messages: u32,
    /// What happened, in words.
    story: Vec<String>,
    /// Whether sockets take only a few bytes at a time.
    narrow: bool,
    /// Connections whose end the broker has not noticed.
    lost: Vec<Wire>,
}

const NAMES: [&str; 5] = ["anna", "bert", "cleo", "dora", "emil"];

impl histories::World for World {
    fn new(seed: u64) -> Self {
        Self::begin(seed)
    }

    fn step(&mut self, step: u64) -> Verdict {
        self.go_on(step)
    }

    fn settle(&mut self) -> Verdict {
        self.come_to_rest()
    }

    fn into_story(self) -> Vec<String> {
        self.story
    }
}

impl World {
    fn begin(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let limits = choices::limits(&mut random);
        let late = random.chance(30);
        let narrow = random.chance(30);
        let now = Time(1_700_000_000_000);
        let story = vec![format!(
            "broker: {}; store {}; sockets {}",
            choices::describe(&limits),
            if late { "late" } else { "volatile" },
            if narrow { "narrow" } else { "wide" },
        )];
        let clients = NAMES.iter().map(|name| Client::new(name)).collect();
        let server = Server::new(limits, seed, late, now);
        Self { seed, random, server, clients, wires: 0, messages: 0, story, narrow, lost: Vec::new() }
    }

    /// Something happens.
    fn go_on(&mut self, number: u64) -> Verdict {
        self.random = Random::of_step(self.seed, number);
        self.messages = number as u32 * 8;
        let who = self.random.below(self.clients.len());
        let connected = self.clients[who].link.is_some();
        let ready = self.clients[who].link.as_ref().is_some_and(|link| link.ready);
        match self.random.below(100) {
            0..=7 if !connected => self.connect(who),
            0 if connected => self.take_over(who),
            1..=3 if connected => self.lose(who),
            4..=5 if ready => self.disconnect(who),
            8..=27 if ready => self.publish(who),
            28 if ready => self.repeat(who),
            29 => self.announce(),
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
        let (wire, overrides) = (self.wires, opening.overrides);
        let in_flight_max = overrides.inflight.unwrap_or(u16::MAX).min(self.server.broker.limits().in_flight_max);
        self.server.accept(Accepting { name, wire, pipe: Arc::clone(&pipe), inline, overrides });
        self.clients[who].connect(opening, wire, pipe, in_flight_max, self.server.now);
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
        let expiry = expiry.filter(|_| v5 && client.link.as_ref().is_some_and(|link| link.expires));
        client.disconnect(with_will && v5, expiry);
        let Some(mut link) = client.link.take() else { return Ok(()) };
        let name = client.name;
        self.tell(&format!("{name} disconnects, with Will: {with_will}, expiry: {expiry:?}"));
        let bytes: Vec<u8> = link.sending.drain(..).collect();
        // If the broker does not read it, for the client did not read either, all it will notice is that it is gone.
        self.lost.push(link.wire);
        self.server.arrive(link.wire, &bytes)
    }

    fn publish(&mut self, who: usize) -> Verdict {
        let topic = self.random.pick(&choices::TOPICS);
        let message = self.message(topic, true);
        let alias = self.random.chance(20);
        let text = format!("{} publishes {message:?}", self.clients[who].name);
        if self.clients[who].publish(message, alias) {
            self.tell(&text);
        }
        Ok(())
    }

    fn repeat(&mut self, who: usize) -> Verdict {
        if self.clients[who].repeat() {
            self.tell(&format!("{} sends a message again", self.clients[who].name));
        }
        Ok(())
    }

    /// The broker itself publishes something.
    fn announce(&mut self) -> Verdict {
        let topic = self.random.pick(&["$own/a", "a/b", "$own/a/b"]);
        let message = self.message(topic, false);
        self.tell(&format!("the broker announces {message:?}"));
        let Message { number, padding, topic, qos, retain, expiry } = message;
        let topic = topic.to_owned();
        self.server.announce(Publication { number, padding, topic, publisher: "", qos, retain, expiry })
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
            let mut options = SubscribeOptions::new(self.random.pick(&choices::QOS));
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
        let fails = self.random.chance(10);
        self.tell(&format!("{} acknowledges up to {most}, as failures: {fails}", self.clients[who].name));
        self.clients[who].acknowledge(most, fails);
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

    fn commit(&mut self) -> Verdict {
        self.tell("the store has written everything");
        self.server.commit();
        Ok(())
    }

    fn tell(&mut self, text: &str) {
        self.story.push(text.to_owned());
    }
}
