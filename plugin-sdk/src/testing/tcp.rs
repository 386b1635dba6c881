//! The doubles of `tcp`: who is at the other end of connections is a function.

use std::cell::{Cell, RefCell};

use super::world;
use crate::tcp::Error;

/// Who answers at a host and port.
pub(super) struct Peer {
    /// Taken out while it is asked, so that it may use this module.
    answer: Option<Answer>,
    /// Grows when it closes its connections.
    generation: u32,
    written: Vec<u8>,
}

/// Says what can be read after this was written.
type Answer = Box<dyn FnMut(&[u8]) -> Vec<u8>>;

/// Grants connections to a host and port, where `answer` is given what the plugin writes and returns what the plugin can
/// read then. Where nothing can be read, a read ends with [`Error::Timeout`].
pub fn set_peer(host: &str, port: u16, answer: impl FnMut(&[u8]) -> Vec<u8> + 'static) {
    let peer = Peer { answer: Some(Box::new(answer)), generation: 0, written: Vec::new() };
    world(|world| world.peers.insert((host.to_owned(), port), peer));
}

/// Closes all connections to this host and port from over there. New ones can be opened.
pub fn close_peer(host: &str, port: u16) {
    world(|world| {
        if let Some(peer) = world.peers.get_mut(&(host.to_owned(), port)) {
            peer.generation += 1;
        }
    });
}

/// What was written to this host and port so far, over all connections.
#[must_use]
pub fn written(host: &str, port: u16) -> Vec<u8> {
    world(|world| world.peers.get(&(host.to_owned(), port)).map(|peer| peer.written.clone()).unwrap_or_default())
}

/// A connection of a test. It belongs to the test's thread.
pub(crate) struct Connection {
    to: (String, u16),
    generation: u32,
    failed: Cell<bool>,
    unread: RefCell<Vec<u8>>,
}

pub(crate) fn connect(host: &str, port: u16, _timeout_ms: u32) -> Result<Connection, Error> {
    let to = (host.to_owned(), port);
    let generation = world(|world| world.peers.get(&to).map(|peer| peer.generation));
    let generation = generation.ok_or_else(|| Error::NotGranted(format!("the test set no peer {host}:{port}")))?;
    Ok(Connection { to, generation, failed: Cell::new(false), unread: Vec::new().into() })
}

impl Connection {
    pub(crate) fn secure(&self, _server_name: Option<&str>, _timeout_ms: u32) -> Result<(), Error> {
        if self.is_open() { Ok(()) } else { Err(Error::Closed) }
    }

    pub(crate) fn read(&self, max: u32, _timeout_ms: u32) -> Result<Vec<u8>, Error> {
        let mut unread = self.unread.borrow_mut();
        if !unread.is_empty() {
            let length = unread.len().min(max as usize);
            return Ok(unread.drain(..length).collect());
        }
        match (self.failed.get(), self.is_open()) {
            (true, _) => Err(Error::Closed),
            (false, true) => Err(Error::Timeout),
            (false, false) => Ok(Vec::new()),
        }
    }

    pub(crate) fn write(&self, bytes: &[u8], _timeout_ms: u32) -> Result<(), Error> {
        if !self.is_open() {
            self.failed.set(true);
            return Err(Error::Closed);
        }
        let answer = world(|world| {
            let peer = world.peers.get_mut(&self.to)?;
            peer.written.extend_from_slice(bytes);
            peer.answer.take()
        });
        let Some(mut answer) = answer else { return Err(Error::Closed) };
        self.unread.borrow_mut().extend(answer(bytes));
        world(|world| {
            if let Some(peer) = world.peers.get_mut(&self.to) {
                peer.answer = Some(answer);
            }
        });
        Ok(())
    }

    pub(crate) fn is_open(&self) -> bool {
        let generation = world(|world| world.peers.get(&self.to).map(|peer| peer.generation));
        !self.failed.get() && generation == Some(self.generation)
    }
}
