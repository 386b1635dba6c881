//! What other tasks know of a connection: how to write to it, and when it was last heard.

use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use midge_core::{Chunk, CloseReason, Connection, ConnectionNumber, Peer, Session};

use crate::clock::Moment;
use crate::listener::Permit;
use crate::metrics::ServerMetrics;
use crate::timers::{Expires, REACH, Timers};
use crate::transport::Writer;

/// The shared half of a connection. A publisher writes to its subscribers' sockets through it, and the timer wheel
/// looks at its clocks; everything else belongs to the driver.
pub(crate) struct Link {
    writer: Writer,
    metrics: Arc<ServerMetrics>,
    /// The wheel of the shard that drives the connection.
    timers: Arc<Timers>,
    /// Its place among the connections that may be open.
    _permit: Permit,
    /// Seconds in which the client may take nothing of what waits for it; then it is disconnected, and its session stays.
    stall_max_s: u32,
    clocks: Clocks,
    /// Set once, when CONNECT has been accepted.
    session: OnceLock<(Arc<Session>, ConnectionNumber)>,
}

/// Seconds of the shard's coarse clock; 0 where there is nothing to watch.
struct Clocks {
    /// When a packet of the client arrived last.
    last_received: AtomicU32,
    /// Since when bytes wait for a socket that takes none.
    stalled_since: AtomicU32,
    /// When the identity's time is over.
    expires_at: AtomicU32,
    /// When the wheel is to look next. An entry of the wheel that comes up before is one of the past.
    next_look: AtomicU32,
    /// The Keep Alive.
    keep_alive: AtomicU16,
    /// Whether we do not read the client at the moment: what it sent meanwhile keeps it alive, once it is read.
    paused: AtomicBool,
    /// Whether it is in the [`Backlog`](crate::backlog::Backlog).
    listed: AtomicBool,
}

impl Link {
    pub(crate) fn new(
        writer: Writer,
        metrics: Arc<ServerMetrics>,
        timers: Arc<Timers>,
        permit: Permit,
        stall_max_s: u32,
    ) -> Self {
        let zero = || AtomicU32::new(0);
        let clocks = Clocks {
            last_received: zero(),
            stalled_since: zero(),
            expires_at: zero(),
            next_look: zero(),
            keep_alive: AtomicU16::new(0),
            paused: AtomicBool::new(false),
            listed: AtomicBool::new(false),
        };
        Self { writer, metrics, timers, _permit: permit, stall_max_s, clocks, session: OnceLock::new() }
    }

    /// CONNECT was accepted: from now on the wheel may close the connection. The identity is over at `expires_at`, in Unix
    /// seconds.
    pub(crate) fn open(self: &Arc<Self>, connection: &Connection, expires_at: Option<u64>, at: Moment) {
        let now = self.timers.now();
        let expires_at = self.timers.second_of(expires_at, at);
        self.clocks.last_received.store(now, Ordering::Relaxed);
        self.clocks.keep_alive.store(connection.keep_alive(), Ordering::Relaxed);
        self.clocks.expires_at.store(expires_at.unwrap_or(0), Ordering::Relaxed);
        let first = self.session.set((Arc::clone(connection.session()), connection.number())).is_ok();
        debug_assert!(first, "a connection is opened once");
        self.timers.watch(self.look_again(now), Arc::downgrade(self));
    }

    /// The identity is over at another moment, in Unix seconds.
    pub(crate) fn renew(self: &Arc<Self>, expires_at: Option<u64>, at: Moment) {
        let expires_at = self.timers.second_of(expires_at, at);
        self.clocks.expires_at.store(expires_at.unwrap_or(0), Ordering::Relaxed);
        // Where the wheel looks soon enough, it finds out by itself.
        if let Some(sooner) = expires_at.filter(|at| *at < self.clocks.next_look.load(Ordering::Relaxed)) {
            self.clocks.next_look.store(sooner, Ordering::Relaxed);
            self.timers.watch(sooner, Arc::downgrade(self));
        }
    }

    /// A packet arrived.
    pub(crate) fn received(&self) {
        self.clocks.last_received.store(self.timers.now(), Ordering::Relaxed);
    }

    /// The client is not read from now on, or is again.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.received();
        self.clocks.paused.store(paused, Ordering::Relaxed);
    }

    /// The socket takes nothing though bytes wait.
    pub(crate) fn stalled(&self) {
        let now = self.timers.now().max(1);
        let _ = self.clocks.stalled_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The socket took something.
    pub(crate) fn progressed(&self) {
        if self.clocks.stalled_since.load(Ordering::Relaxed) != 0 {
            self.clocks.stalled_since.store(0, Ordering::Relaxed);
        }
    }

    /// Lists it among those for which something waits, and says whether it was not listed yet.
    pub(crate) fn enlist(&self) -> bool {
        !self.clocks.listed.load(Ordering::Relaxed) && !self.clocks.listed.swap(true, Ordering::Relaxed)
    }

    /// It is listed no longer.
    pub(crate) fn delist(&self) {
        self.clocks.listed.store(false, Ordering::Relaxed);
    }

    /// Bytes that wait for its socket.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.session.get().map_or(0, |(session, number)| session.output_bytes(*number))
    }

    /// One and a half times the Keep Alive [MQTT-3.1.2-22]; 0: the client may be silent for ever.
    fn silence_max(&self) -> u32 {
        (u32::from(self.clocks.keep_alive.load(Ordering::Relaxed)) * 3).div_ceil(2)
    }

    /// Why the connection is over, if it is.
    fn overdue(&self, now: u32) -> Option<CloseReason> {
        let Clocks { last_received, stalled_since, expires_at, paused, .. } = &self.clocks;
        let silence_max = self.silence_max();
        let expires_at = expires_at.load(Ordering::Relaxed);
        let stalled_since = stalled_since.load(Ordering::Relaxed);
        // The clock counts whole seconds: only what is later than the limit by one is certainly late.
        let is_silent = silence_max > 0 && !paused.load(Ordering::Relaxed);
        if is_silent && now > last_received.load(Ordering::Relaxed).saturating_add(silence_max) {
            Some(CloseReason::KeepAlive)
        } else if expires_at > 0 && now >= expires_at {
            Some(CloseReason::IdentityExpired)
        } else if stalled_since > 0 && now > stalled_since.saturating_add(self.stall_max_s) {
            Some(CloseReason::SlowConsumer)
        } else {
            None
        }
    }

    /// The earliest second at which the connection could be overdue; a stall that begins meanwhile is seen in time.
    fn look_again(&self, now: u32) -> u32 {
        let silence_max = self.silence_max();
        let expires_at = self.clocks.expires_at.load(Ordering::Relaxed);
        let mut next = now.saturating_add(self.stall_max_s.min(REACH));
        let stalled_since = self.clocks.stalled_since.load(Ordering::Relaxed);
        if stalled_since > 0 {
            next = next.min(stalled_since.saturating_add(self.stall_max_s).saturating_add(1));
        }
        if silence_max > 0 {
            let due = self.clocks.last_received.load(Ordering::Relaxed).saturating_add(silence_max);
            next = next.min(due.saturating_add(1));
        }
        if expires_at > 0 {
            next = next.min(expires_at);
        }
        let next = next.max(now.saturating_add(1));
        self.clocks.next_look.store(next, Ordering::Relaxed);
        next
    }
}

impl Peer for Link {
    fn flush(&self, session: &Arc<Session>, number: ConnectionNumber) {
        if !self.writer.inline_capable() {
            session.wake(number);
            return;
        }
        while let Some(chunk) = session.take_output(number) {
            // An error here is the owner's to see: it is woken for what is left, and its own write fails.
            let written = match parts(&chunk) {
                Parts::One(bytes) => self.writer.try_write(bytes),
                Parts::Several(slices) => self.writer.try_write_vectored(&slices),
            };
            let written = written.unwrap_or(0);
            self.metrics.sent(written);
            if !session.give_back(number, chunk, written) {
                break;
            }
        }
    }
}

impl Expires for Link {
    fn fire(&self, now: u32) -> Option<u32> {
        let (session, number) = self.session.get()?;
        if now < self.clocks.next_look.load(Ordering::Relaxed) {
            return None;
        }
        match self.overdue(now) {
            Some(reason) => {
                session.request_close(*number, reason);
                None
            }
            None => {
                session.rest();
                Some(self.look_again(now))
            }
        }
    }
}

/// The bytes of a chunk as a system call takes them.
pub(super) enum Parts<'a> {
    One(&'a [u8]),
    Several(Vec<IoSlice<'a>>),
}

/// Large payloads are written from where they are, so that they are not copied for each who gets them.
pub(super) fn parts(chunk: &Chunk) -> Parts<'_> {
    let mut parts = chunk.parts();
    match (parts.next(), parts.next()) {
        (first, None) => Parts::One(first.unwrap_or_default()),
        (first, second) => {
            let slices = first.into_iter().chain(second).chain(parts).take(PARTS_MAX);
            Parts::Several(slices.map(IoSlice::new).collect())
        }
    }
}

/// Parts of one write; what is behind them leaves with the next.
const PARTS_MAX: usize = 64;
