//! The end of a history: whatever was owed has to arrive.

use midge_core::SessionOverrides;
use midge_protocol::{ProtocolVersion, QoS, SubscribeOptions};

use super::World;
use crate::client::{Client, Opening};
use crate::oracle::Verdict;

impl World {
    /// The network heals, everybody comes back and acknowledges: whatever was owed has to arrive.
    pub(super) fn come_to_rest(&mut self) -> Verdict {
        self.tell("the network heals; whoever has a session comes back");
        self.messages = u32::MAX / 2;
        self.quiesce()?;
        self.server.check_displaced()?;
        for wire in std::mem::take(&mut self.lost) {
            self.server.break_wire(wire);
        }
        self.quiesce()?;
        self.server.advance(1, true)?;
        // More than once where the broker closes connections that are slow. A client whose own messages, which it sends
        // again each time, are what is too much for it, never gets on: there is nothing more to check then.
        let mut rounds = 0..20;
        loop {
            let all_here = !self.come_back();
            self.quiesce()?;
            if all_here {
                break;
            }
            if rounds.next().is_none() {
                return self.server.oracle.check_slow("anybody");
            }
        }
        self.server.oracle.check_all_received()?;
        if let Some(client) = self.clients.iter().find(|client| client.link.is_some() && !client.is_quiet()) {
            return Err(client.open_ends());
        }
        self.check_statistics()?;
        self.check_retained()
    }

    /// Whoever has a session connects; says whether anybody had to.
    fn come_back(&mut self) -> bool {
        let before = self.wires;
        for who in 0..self.clients.len() {
            let name = self.clients[who].name;
            if self.clients[who].link.is_none() && self.server.oracle.is_waiting_for(name) {
                let opening = Opening { clean_start: false, expiry: Some(100_000), will: None, ..self.opening(who) };
                self.open(who, &opening);
            }
        }
        self.wires > before
    }

    /// Lets everything happen that can, until nothing more does.
    fn quiesce(&mut self) -> Verdict {
        for _ in 0..10_000 {
            self.server.commit();
            let mut moved = false;
            for client in &mut self.clients {
                moved |= client.link.as_ref().is_some_and(|link| link.pipe.len() > 0);
                client.receive(usize::MAX, &mut self.server.oracle)?;
                client.acknowledge(usize::MAX, false);
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
        oracle.check_counted(&statistics)?;
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
            packet_bytes_max: None,
            alias_maximum: 0,
            overrides: SessionOverrides::default(),
            will: None,
        };
        self.open(who, &opening);
        self.quiesce()?;
        self.clients[who].subscribe(&[("#", SubscribeOptions::new(QoS::ExactlyOnce))], None);
        self.quiesce()?;
        // The oracle refuses what is not owed, and misses what is.
        self.server.oracle.check_all_received()
    }
}
