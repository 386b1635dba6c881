//! What happens, step by step.

use crate::client::Client;
use crate::histories;
use crate::ledger::{Ledger, SHARE};
use crate::random::Random;
use crate::server::Server;

pub(crate) struct World {
    seed: u64,
    server: Server,
    clients: Vec<Client>,
    ledger: Ledger,
    story: Vec<String>,
}

impl histories::World for World {
    fn new(seed: u64) -> Self {
        let clients = vec![
            Client::new("p0", 0, None),
            Client::new("p1", 1, None),
            Client::new("two", 2, Some(("t/#", 2, "two"))),
            Client::new("one", 3, Some(("t/#", 1, "one"))),
            Client::new("member a", 4, Some(("$share/g/t/#", 2, SHARE))),
            Client::new("member b", 5, Some(("$share/g/t/#", 2, SHARE))),
        ];
        Self { seed, server: Server::new(), clients, ledger: Ledger::default(), story: Vec::new() }
    }

    fn step(&mut self, step: u64) -> Result<(), String> {
        let mut random = Random::of_step(self.seed, step);
        let Self { server, clients, ledger, story, .. } = self;
        let who = random.below(clients.len());
        let client = &mut clients[who];
        let name = client.name;
        if let Some(dropped) = server.dropped.first() {
            return Err(dropped.clone());
        }
        match random.below(100) {
            0..25 => {
                let client = &mut clients[random.below(2)];
                story.push(format!("{} publishes", client.name));
                client.publish(server, ledger, &mut random)?;
            }
            25..50 => {
                story.push(format!("{name} reads"));
                client.read(server, ledger)?;
            }
            50..62 => {
                let most = 1 + random.below(3);
                story.push(format!("{name} acknowledges {most}"));
                client.acknowledge(server, most)?;
            }
            62..72 => {
                let wires = server.wires();
                if !wires.is_empty() {
                    let wire = random.pick(&wires);
                    story.push(format!("the batch of #{wire} ends"));
                    server.flush(wire);
                }
            }
            72..84 => {
                let (batches, tell) = (random.below(6), random.chance(80));
                story.push(format!("{batches} more batches are safe, and the broker hears of it: {tell}"));
                server.commit(batches, tell);
            }
            84..92 => {
                let takes_over = random.chance(20);
                if client.wire.is_none() || takes_over {
                    client.connect(server, 1 + random.below(4) as u16);
                    story.push(format!("{name} connects as #{:?}", client.wire));
                }
            }
            92..95 => {
                story.push(format!("{name} loses its connection"));
                if let Some(wire) = client.wire {
                    server.lose(wire);
                }
                client.forget_connection();
            }
            95..97 => {
                let wires = server.wires();
                let old = wires.iter().find(|wire| clients.iter().all(|client| client.wire != Some(**wire)));
                if let Some(wire) = old {
                    story.push(format!("the broker notices that #{wire} is to go"));
                    server.read(*wire);
                }
            }
            97 => {
                story.push("five seconds pass".to_owned());
                server.tick(5);
            }
            _ => self.crash(),
        }
        Ok(())
    }

    /// The network heals, nothing crashes any more, and everybody finishes what was begun.
    fn settle(&mut self) -> Result<(), String> {
        self.story.push("everything heals".to_owned());
        if self.seed.is_multiple_of(2) {
            self.crash();
        }
        let Self { server, clients, ledger, .. } = self;
        for client in &mut *clients {
            if let Some(wire) = client.wire {
                server.lose(wire);
            }
            client.connect(server, 10);
        }
        for _ in 0..ROUNDS_MAX {
            if let Some(dropped) = server.dropped.first() {
                return Err(dropped.clone());
            }
            for wire in server.wires() {
                server.flush(wire);
                if clients.iter().all(|client| client.wire != Some(wire)) {
                    server.read(wire);
                }
            }
            server.tick(0);
            server.commit(usize::MAX, true);
            let mut came = false;
            for client in &mut *clients {
                came |= client.read(server, ledger)?;
                client.acknowledge(server, usize::MAX)?;
            }
            if !came && clients.iter().all(Client::is_quiet) {
                return ledger.check();
            }
        }
        Err("it never comes to rest".to_owned())
    }

    fn into_story(self) -> Vec<String> {
        self.story
    }
}

impl World {
    fn crash(&mut self) {
        self.story.push("CRASH".to_owned());
        self.server.crash();
        self.clients.iter_mut().for_each(Client::forget_connection);
    }
}

/// So often everybody does all it can, and it is not enough.
const ROUNDS_MAX: usize = 500;
