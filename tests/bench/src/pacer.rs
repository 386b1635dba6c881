//! Sends one message at a time, each when it is due.

use std::fs;
use std::io::{self, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::load::nanoseconds;

/// Publishers in turn, at a rate that they have together.
pub(crate) struct Pacer {
    pub(crate) publishers: Vec<Paced>,
    /// Messages a second.
    pub(crate) rate: u32,
    /// What stamps count from.
    pub(crate) start: Instant,
    pub(crate) stop: Arc<AtomicBool>,
    /// Messages sent to each channel.
    pub(crate) sent: Arc<[AtomicU64]>,
}

/// A publisher of one message at a time. Its connection never blocks, and somebody else answers what comes on it.
pub(crate) struct Paced {
    pub(crate) stream: TcpStream,
    pub(crate) writer: Arc<Mutex<()>>,
    pub(crate) batch: Batch,
    pub(crate) channel: usize,
}

impl Pacer {
    /// Sends until it is told to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        sleep_precisely();
        let interval = Duration::from_secs(1) / self.rate;
        let mut due = Instant::now();
        for turn in 0.. {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let turn = turn % self.publishers.len();
            let publisher = &mut self.publishers[turn];
            let bytes = publisher.batch.next_stamped(nanoseconds(self.start));
            let _writing = publisher.writer.lock().unwrap_or_else(PoisonError::into_inner);
            write_all(&mut publisher.stream, bytes)?;
            self.sent[publisher.channel].fetch_add(1, Ordering::Relaxed);
            due += interval;
        }
        Ok(())
    }
}

/// Everything, although the socket does not block: what waits for room has its stamp, so that waiting counts.
fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(Duration::from_micros(50)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Linux lets a sleeping thread lie for 50 µs more unless it is told not to: as long as a message lasts at 20,000 a second.
fn sleep_precisely() {
    // The link ends with the thread's number. A sleep that is less precise is no reason to give up.
    if let Ok(link) = fs::read_link("/proc/thread-self")
        && let Some(thread) = link.file_name()
    {
        let _ = fs::write(Path::new("/proc").join(thread).join("timerslack_ns"), "1");
    }
}
