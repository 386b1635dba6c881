//! What happened since everything was last settled, to be told when something is wrong.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::ledger::Name;

/// The events of a round, of all clients.
pub(crate) struct Story {
    start: Instant,
    events: Mutex<Vec<Event>>,
}

struct Event {
    at: Duration,
    who: String,
    /// The message that it is about.
    name: Option<Name>,
    what: String,
}

impl Story {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), events: Mutex::default() }
    }

    /// Time by the harness's own clock.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn tell(&self, who: &str, name: Option<Name>, what: impl Into<String>) {
        let event = Event { at: self.now(), who: who.to_owned(), name, what: what.into() };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// Everything is settled: nobody asks for what was before.
    pub(crate) fn forget(&self) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What happened to the message, and around it to the broker and to this client's connections.
    pub(crate) fn of(&self, name: Name, client: &str) -> String {
        self.told(|event| event.name == Some(name) || event.name.is_none() && [BROKER, client].contains(&&*event.who))
    }

    /// What this client did last, but for single messages.
    pub(crate) fn of_client(&self, client: &str) -> String {
        let text = self.told(|event| event.name.is_none() && (event.who == client || event.who == BROKER));
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LINES_MAX)..];
        format!("\n{}", last.join("\n"))
    }

    fn told(&self, is_asked_for: impl Fn(&Event) -> bool) -> String {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for Event { at, who, what, .. } in events.iter().filter(|event| is_asked_for(event)) {
            let _ = write!(text, "\n    {:10.4} s  {who}: {what}", at.as_secs_f64());
        }
        text
    }
}

const LINES_MAX: usize = 30;
/// Who the broker is in a story.
pub(crate) const BROKER: &str = "broker";
