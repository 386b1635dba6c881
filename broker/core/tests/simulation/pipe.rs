//! The way from the broker to a client: bytes that arrive in order, in pieces, or not at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Wake, Waker};

use midge_core::{Chunk, ConnectionNumber, Peer, Session};

/// One direction of a socket, with a buffer that can be full.
pub(crate) struct Pipe {
    bytes: Mutex<Vec<u8>>,
    capacity: usize,
    closed: AtomicBool,
}

impl Pipe {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { bytes: Mutex::new(Vec::new()), capacity, closed: AtomicBool::new(false) }
    }

    /// Takes as many bytes as there is room for, and says how many.
    pub(crate) fn write(&self, bytes: &[u8]) -> usize {
        let mut buffer = self.lock();
        let count = bytes.len().min(self.capacity.saturating_sub(buffer.len()));
        buffer.extend_from_slice(&bytes[..count]);
        count
    }

    /// As [`Self::write`], of what is behind the bytes of a chunk that were written before.
    pub(crate) fn write_from(&self, chunk: &Chunk, written: usize) -> usize {
        let bytes: Vec<u8> = chunk.parts().flatten().skip(written).copied().collect();
        self.write(&bytes)
    }

    /// The first bytes, at most so many.
    pub(crate) fn read(&self, most: usize) -> Vec<u8> {
        let mut buffer = self.lock();
        let count = most.min(buffer.len());
        buffer.drain(..count).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.len() < self.capacity
    }

    /// The broker has closed the connection. What the client has not read by now it never reads.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.lock().clear();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().expect("nobody panics while holding it")
    }
}

/// A peer that writes inline, or one that leaves it to the connection's owner as TLS does.
pub(crate) struct Writer {
    pub(crate) pipe: Arc<Pipe>,
    pub(crate) inline: bool,
}

impl Peer for Writer {
    fn flush(&self, session: &Arc<Session>, number: ConnectionNumber) {
        if !self.inline {
            return session.wake(number);
        }
        while let Some(chunk) = session.take_output(number) {
            let written = self.pipe.write_from(&chunk, 0);
            if !session.give_back(number, chunk, written) {
                return;
            }
        }
    }
}

/// The waker of a connection's owner: whoever is not woken is not run.
#[derive(Default)]
pub(crate) struct Bell(AtomicBool);

impl Bell {
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    pub(crate) fn ring(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it rang since it was asked last.
    pub(crate) fn answer(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn rings(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}
