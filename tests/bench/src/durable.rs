//! What it costs to keep messages for those who are not there.

pub(crate) mod backlog;
pub(crate) mod fill;
pub(crate) mod pace;

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use midge_protocol::{MessageProperties, PacketId, ProtocolVersion, Publish, QoS};

use crate::Broker;
use crate::client::{Client, side_by_side};
use crate::frames::{Inbox, PUBACK};

/// A publisher at QoS 1, and what the broker acknowledged of it.
struct Publisher {
    stream: TcpStream,
    last_id: u16,
    sent: u64,
    acknowledged: Arc<Acknowledged>,
    reader: JoinHandle<io::Result<()>>,
}

/// What was acknowledged, told by the thread that reads.
struct Acknowledged {
    count: AtomicU64,
    /// When the message of each Packet Identifier was due, in nanoseconds.
    due: Box<[AtomicU64]>,
    sender: Mutex<Option<thread::Thread>>,
}

/// A PUBLISH packet, and where in it its Packet Identifier stands.
struct Template {
    bytes: Vec<u8>,
    id_place: usize,
}

impl Template {
    fn new(topic: &str, retain: bool, payload: &[u8]) -> io::Result<Self> {
        let publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain,
            topic,
            packet_id: PacketId::new(1),
            topic_alias: None,
            subscription_ids: Vec::new(),
            properties: MessageProperties::default(),
            payload,
        };
        let mut bytes = Vec::new();
        let id_place = publish.encode_located(ProtocolVersion::V311, &mut bytes).map_err(io::Error::other)?;
        Ok(Self { bytes, id_place: id_place.ok_or_else(|| io::Error::other("QoS 1 has a Packet Identifier"))? })
    }
}

impl Publisher {
    /// `acknowledge` is called with the time between a message's due time and its acknowledgement, in nanoseconds.
    fn connect(
        broker: &Broker,
        client_id: &str,
        start: Instant,
        acknowledge: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Self> {
        let stream = Client::connect(broker, None, client_id)?.into_stream()?;
        let due = (0..=u16::MAX).map(|_| AtomicU64::new(0)).collect();
        let acknowledged = Arc::new(Acknowledged { count: AtomicU64::new(0), due, sender: Mutex::default() });
        let (mut reading, told) = (stream.try_clone()?, Arc::clone(&acknowledged));
        let reader = thread::spawn(move || {
            let mut inbox = Inbox::new(64 * 1024);
            loop {
                let (mut count, now) = (0, &mut None);
                let more = inbox.read(&mut reading, |frame| {
                    if frame.kind() == PUBACK
                        && let Some(id) = frame.leading_id()
                    {
                        count += 1;
                        let now = *now.get_or_insert_with(|| nanoseconds(start));
                        let due = told.due[usize::from(u16::from_be_bytes(id))].load(Ordering::Relaxed);
                        acknowledge(now.saturating_sub(due));
                    }
                })?;
                told.count.fetch_add(count, Ordering::Relaxed);
                if let Some(sender) = told.sender.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    sender.unpark();
                }
                if !more {
                    return Ok(());
                }
            }
        });
        Ok(Self { stream, last_id: 0, sent: 0, acknowledged, reader })
    }

    /// Appends a message that was due then.
    fn add(&mut self, template: &Template, due: u64, bytes: &mut Vec<u8>) {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.acknowledged.due[usize::from(self.last_id)].store(due, Ordering::Relaxed);
        let start = bytes.len() + template.id_place;
        bytes.extend_from_slice(&template.bytes);
        bytes[start..start + 2].copy_from_slice(&self.last_id.to_be_bytes());
        self.sent += 1;
    }

    /// Sends what was added, once not too much is under way.
    fn send(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        self.wait(UNACKNOWLEDGED_MAX)?;
        self.stream.write_all(bytes)?;
        bytes.clear();
        Ok(())
    }

    /// Waits until no more than so many are under way.
    fn wait(&self, count: u64) -> io::Result<()> {
        let mut progress = (0, Instant::now());
        loop {
            *self.acknowledged.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current());
            let acknowledged = self.acknowledged.count.load(Ordering::Relaxed);
            if self.sent <= acknowledged + count {
                return Ok(());
            }
            if acknowledged != progress.0 {
                progress = (acknowledged, Instant::now());
            }
            if self.reader.is_finished() || progress.1.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("{acknowledged} of {} messages were acknowledged", self.sent)));
            }
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// Waits for everything and closes.
    fn finish(self) -> io::Result<()> {
        self.wait(0)?;
        self.stream.shutdown(std::net::Shutdown::Both)?;
        self.reader.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
    }
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Makes sessions that stay, numbered, each with one subscription, and leaves them.
fn make_sessions(broker: &Broker, names: &(impl Fn(usize) -> (String, String) + Sync), count: usize) -> io::Result<()> {
    let make = |number: usize| -> io::Result<()> {
        let (client_id, filter) = names(number);
        let mut client = Client::connect_persistent(broker, &client_id)?;
        client.subscribe(&filter, QoS::AtLeastOnce)?;
        client.disconnect()
    };
    side_by_side(count, CONNECTORS, &make).map(drop)
}

/// Far below the 65,535 Packet Identifiers there are.
const UNACKNOWLEDGED_MAX: u64 = 20_000;
/// How long nothing may be acknowledged.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECTORS: usize = 32;
