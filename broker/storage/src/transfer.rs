//! A store as text, one JSON object a line: to look at, to keep a copy of, and to carry to another machine or release.
//!
//! The first line names the format. Then come retained messages and sessions; the deliveries of a session follow it, and
//! a message that several deliveries share stands in the first of them. Last come
//! entries of plugins' stores. Payloads and other binary data are base64.

mod lines;

use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::time::Duration;

use midge_core::{
    BodyId, Change, ConnectionNumber, Durability, Health, Kept, KeptDelivery, KeptSession, SessionNumber, Store,
    Unreadable,
};

use crate::{Handle, PluginEntry};
use lines::Line;

/// Why a store could not be written as text, or text read into one.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The text cannot be written or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] Unreadable),
    /// A line is not what an export writes.
    #[error("line {number}: {detail}")]
    Line {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        detail: String,
    },
}

/// How much was carried over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Retained messages.
    pub retained: u64,
    /// Sessions.
    pub sessions: u64,
    /// Messages that wait for sessions, or are on their way to them.
    pub deliveries: u64,
    /// Entries of plugins' stores.
    pub plugin_entries: u64,
}

/// Writes a store as text, from what was found in it.
pub struct Export<'a, W> {
    store: &'a Handle,
    out: W,
    carried: Carried,
    /// Bodies that were written.
    bodies: HashSet<BodyId>,
}

impl<'a, W: Write> Export<'a, W> {
    /// Begins with the first line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(store: &'a Handle, out: W) -> Result<Self, TransferError> {
        let mut export = Self { store, out, carried: Carried::default(), bodies: HashSet::new() };
        export.line(&Line::Format(lines::FORMAT))?;
        Ok(export)
    }

    /// Writes one thing that was found.
    ///
    /// # Errors
    /// When a line cannot be written, or a message cannot be read.
    pub fn found(&mut self, found: &Kept) -> Result<(), TransferError> {
        match found {
            Kept::Retained(message) => {
                self.carried.retained += 1;
                self.line(&Line::Retained(message.into()))
            }
            Kept::Session(session) => self.session(session),
        }
    }

    /// Writes an entry of a plugin's store.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn plugin_entry(&mut self, entry: &PluginEntry) -> Result<(), TransferError> {
        self.carried.plugin_entries += 1;
        self.line(&Line::PluginEntry(entry.into()))
    }

    /// Ends, and says how much was written.
    ///
    /// # Errors
    /// When the last of it cannot be written.
    pub fn finish(mut self) -> Result<Carried, TransferError> {
        self.out.flush()?;
        Ok(self.carried)
    }

    fn session(&mut self, session: &KeptSession) -> Result<(), TransferError> {
        self.carried.sessions += 1;
        self.line(&Line::Session(session.into()))?;
        for delivery in &session.deliveries {
            self.delivery(delivery)?;
        }
        Ok(())
    }

    fn delivery(&mut self, delivery: &KeptDelivery) -> Result<(), TransferError> {
        self.carried.deliveries += 1;
        let message = match &delivery.message {
            Some(kept) if self.bodies.insert(kept.body) => self.store.read(kept.body)?,
            _ => None,
        };
        self.line(&Line::Delivery(lines::Delivery::new(delivery, message.as_ref())))
    }

    fn line(&mut self, line: &Line) -> Result<(), TransferError> {
        serde_json::to_writer(&mut self.out, line).map_err(io::Error::from)?;
        Ok(self.out.write_all(b"\n")?)
    }
}

/// Reads an export into a store, which should be empty, and must be started: where it does not keep up, it is waited for. All
/// of it is on stable storage once the store is dropped.
///
/// # Errors
/// [`TransferError`], with the line that is at fault. What came before it is in the store. Or the disk fails.
pub fn import(store: &Handle, text: impl BufRead) -> Result<Carried, TransferError> {
    let mut import = Import { store, carried: Carried::default(), session: None };
    for (index, line) in text.lines().enumerate() {
        let at = |detail: String| TransferError::Line { number: index + 1, detail };
        let line: Line = serde_json::from_str(&line?).map_err(|error| at(error.to_string()))?;
        match (index, &line) {
            (0, Line::Format(lines::FORMAT)) => continue,
            (0, Line::Format(other)) => return Err(at(format!("format {other}, which this release does not know"))),
            (0, _) => return Err(at("an export of Midge begins with its format".to_owned())),
            _ => {}
        }
        import.line(line).map_err(at)?;
        import.wait()?;
    }
    Ok(import.carried)
}

struct Import<'a> {
    store: &'a Handle,
    carried: Carried,
    /// The session that the next deliveries belong to.
    session: Option<SessionNumber>,
}

impl Import<'_> {
    fn line(&mut self, line: Line) -> Result<(), String> {
        let mut changes = Vec::new();
        match line {
            Line::Format(_) => return Err("the format is named once, at the beginning".to_owned()),
            Line::Retained(message) => {
                self.carried.retained += 1;
                changes.push(Change::Retained(message.try_into()?));
            }
            Line::PluginEntry(entry) => {
                self.carried.plugin_entries += 1;
                self.store.keep_entry(&entry.try_into()?);
                return Ok(());
            }
            Line::Session(session) => {
                self.carried.sessions += 1;
                let number = SessionNumber(session.number);
                self.session = Some(number);
                session.into_changes(IMPORTER, &mut changes)?;
            }
            Line::Delivery(delivery) => {
                self.carried.deliveries += 1;
                let session = self.session.ok_or("a delivery follows the session it belongs to")?;
                delivery.into_changes(session, self.store, &mut changes)?;
            }
        }
        self.store.append(&mut changes, Some(Durability::Os));
        Ok(())
    }

    /// Until the store keeps up.
    fn wait(&self) -> Result<(), Unreadable> {
        while self.store.health() != Health::Good {
            if let Some(failure) = self.store.failure() {
                return Err(Unreadable::Failed(failure));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// Nobody was connected.
const IMPORTER: ConnectionNumber = ConnectionNumber(0);
