//! A connection that sends: as much as the window allows, or at a pace.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::channel::Channel;
use crate::frames::{Inbox, PUBACK, PUBCOMP, PUBREC, PUBREL};

/// One publisher. Two threads drive it: one sends, the other reads what the broker acknowledges.
pub(crate) struct Publisher {
    pub(crate) stream: TcpStream,
    pub(crate) channel: Arc<Channel>,
    pub(crate) batch: Batch,
    pub(crate) acknowledgements: Option<Arc<Acknowledgements>>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl Publisher {
    /// Sends whole batches until it is told to stop.
    pub(crate) fn saturate(mut self) -> io::Result<()> {
        let messages = self.batch.len();
        while self.channel.reserve(&self.stop) {
            if let Some(acknowledgements) = &self.acknowledgements {
                acknowledgements.reserve(messages, &self.stop);
            }
            self.write(None)?;
        }
        Ok(())
    }

    /// Sends one batch each `interval` until it is told to stop. `start` is what stamps count from.
    pub(crate) fn pace(mut self, interval: Duration, offset: Duration, start: Instant) -> io::Result<()> {
        let messages = self.batch.len();
        let mut due = Instant::now() + offset;
        while !self.stop.load(Ordering::Relaxed) {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let now = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.channel.count_sent(messages);
            self.write(Some(now))?;
            due += interval;
        }
        Ok(())
    }

    fn write(&mut self, stamp: Option<u64>) -> io::Result<()> {
        let bytes = match stamp {
            None => self.batch.next(),
            Some(nanoseconds) => self.batch.next_stamped(nanoseconds),
        };
        match &self.acknowledgements {
            // The reading thread writes PUBREL in between.
            Some(acknowledgements) => acknowledgements.lock().write_all(bytes),
            None => self.stream.write_all(bytes),
        }
    }
}

/// What was sent above QoS 0 and is not yet acknowledged.
pub(crate) struct Acknowledgements {
    writer: Mutex<TcpStream>,
    sent: AtomicU64,
    received: AtomicU64,
    sender: Mutex<Option<Thread>>,
}

impl Acknowledgements {
    pub(crate) fn new(stream: &TcpStream) -> io::Result<Self> {
        Ok(Self {
            writer: Mutex::new(stream.try_clone()?),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sender: Mutex::new(None),
        })
    }

    /// Reads acknowledgements and answers PUBREC until the stream ends, which is an error.
    pub(crate) fn run(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut inbox = Inbox::new(16 * 1024);
        let mut answers = Vec::new();
        loop {
            let mut done = 0;
            let more = inbox.read(&mut stream, |frame| match frame.kind() {
                PUBACK | PUBCOMP => done += 1,
                PUBREC => {
                    if let Some([high, low]) = frame.leading_id() {
                        answers.extend_from_slice(&[(PUBREL << 4) | 0b10, 2, high, low]);
                    }
                }
                _ => {}
            })?;
            if !answers.is_empty() {
                self.lock().write_all(&answers)?;
                answers.clear();
            }
            self.received.fetch_add(done, Ordering::Relaxed);
            if let Some(sender) = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take() {
                sender.unpark();
            }
            if !more {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Waits while more than [`UNACKNOWLEDGED_MAX`] messages are not acknowledged.
    fn reserve(&self, messages: usize, stop: &AtomicBool) {
        let sent = self.sent.fetch_add(messages as u64, Ordering::Relaxed) + messages as u64;
        while sent > self.received.load(Ordering::Relaxed) + UNACKNOWLEDGED_MAX && !stop.load(Ordering::Relaxed) {
            *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current());
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, TcpStream> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends both directions; threads that read see the end of the stream.
pub(crate) fn hang_up(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}

/// Far below the 65,535 Packet Identifiers there are.
const UNACKNOWLEDGED_MAX: u64 = 10_000;
