//! Clients that make a plugin trap or spin.
//!
//! A packet that kills an instance kills the next one just as well. If such failures opened the circuit breaker, one
//! client could shut everybody out; so after two of them it is that client that is not let near the plugin.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The strikes of one plugin's clients.
#[derive(Debug, Default)]
pub(crate) struct Strikes {
    clients: Mutex<HashMap<Box<str>, Strike>>,
    /// Mirrors whether `clients` is empty, so that the usual case takes no lock.
    any: std::sync::atomic::AtomicBool,
}

impl Strikes {
    /// Whether this client is barred now.
    pub(crate) fn bars(&self, client: Option<&str>) -> bool {
        use std::sync::atomic::Ordering::Relaxed;
        self.any.load(Relaxed) && client.is_some_and(|client| self.bars_at(client, Instant::now()))
    }

    /// Counts a failure that ended an instance. Returns whether the client is barred from now on: the failure is then
    /// the client's, not the plugin's.
    pub(crate) fn strike(&self, client: Option<&str>) -> bool {
        client.is_some_and(|client| self.strike_at(client, Instant::now()))
    }

    fn bars_at(&self, client: &str, now: Instant) -> bool {
        let clients = self.clients.lock();
        clients.get(client).is_some_and(|strike| strike.count >= STRIKES && now < strike.last + BARRED)
    }

    fn strike_at(&self, client: &str, now: Instant) -> bool {
        let mut clients = self.clients.lock();
        if clients.len() >= CLIENTS_MAX {
            clients.retain(|_, strike| now < strike.last + BARRED);
        }
        if clients.len() >= CLIENTS_MAX && !clients.contains_key(client) {
            return false;
        }
        let strike = clients.entry(client.into()).or_insert(Strike { count: 0, last: now });
        if now >= strike.last + BARRED {
            strike.count = 0;
        }
        strike.count += 1;
        strike.last = now;
        let barred = strike.count >= STRIKES;
        self.any.store(true, std::sync::atomic::Ordering::Relaxed);
        barred
    }
}

#[derive(Debug)]
struct Strike {
    count: u32,
    last: Instant,
}

/// So many within [`BARRED`] and the client is barred for that long.
const STRIKES: u32 = 2;
const BARRED: Duration = Duration::from_secs(60);
/// Clients remembered per plugin.
const CLIENTS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_strike_bars_the_client_alone() {
        let (strikes, now) = (Strikes::default(), Instant::now());
        assert!(!strikes.strike_at("mallory", now));
        assert!(!strikes.bars_at("mallory", now));
        assert!(strikes.strike_at("mallory", now));
        assert!(strikes.bars_at("mallory", now));
        assert!(!strikes.bars_at("alice", now));
    }

    #[test]
    fn a_bar_ends() {
        let (strikes, now) = (Strikes::default(), Instant::now());
        strikes.strike_at("mallory", now);
        strikes.strike_at("mallory", now);
        assert!(!strikes.bars_at("mallory", now + BARRED));
        assert!(!strikes.strike_at("mallory", now + BARRED));
    }

    #[test]
    fn the_list_is_bounded() {
        let (strikes, now) = (Strikes::default(), Instant::now());
        for client in 0..CLIENTS_MAX + 10 {
            strikes.strike_at(&client.to_string(), now);
        }
        assert_eq!(strikes.clients.lock().len(), CLIENTS_MAX);
        strikes.strike_at("late", now + BARRED);
        assert_eq!(strikes.clients.lock().len(), 1);
    }
}
