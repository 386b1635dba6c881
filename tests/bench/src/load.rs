//! One thread that drives all connections of a scenario: sends as much as the windows allow, counts what comes, answers.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use midge_protocol::QoS;
use mio::{Events, Poll};

use crate::Broker;
use crate::batch::{Batch, stamp};
use crate::channel::Channel;
use crate::client::{Client, side_by_side};
use crate::frames::{Frame, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, split};
use crate::histogram::Histogram;
use crate::link::{Arrived, Link};
use crate::pacer::{Paced, Pacer};
use crate::scenario::Scenario;

/// The connections of a scenario.
pub(crate) struct Load {
    poll: Poll,
    links: Vec<Link>,
    roles: Vec<Role>,
    channels: Vec<Channel>,
    /// The publishers of each channel, and whose turn it is.
    turns: Vec<(Vec<usize>, usize)>,
    inbox: Vec<u8>,
    answers: Vec<u8>,
    /// Connections whose socket may hold more than was read.
    again: Vec<usize>,
    pub(crate) latencies: Arc<Histogram>,
    start: Instant,
    /// When the channels were looked at for what never comes.
    looked: Instant,
    payload_bytes: usize,
    paced: Option<Running>,
    /// Reads of subscribers, and what they brought.
    pub(crate) reads: u64,
    pub(crate) read_bytes: u64,
}

/// The thread that sends at a pace.
struct Running {
    thread: JoinHandle<io::Result<()>>,
    stop: Arc<AtomicBool>,
    /// What it has sent to each channel.
    sent: Arc<[AtomicU64]>,
    /// How much of that was told to the channels.
    told: Vec<u64>,
}

enum Role {
    Publisher(Box<Publisher>),
    Subscriber { channel: usize, number: usize },
}

struct Publisher {
    batch: Batch,
    qos: QoS,
    /// Messages above QoS 0 that are not acknowledged.
    unacknowledged: u64,
}

impl Load {
    /// Connects everybody and subscribes. Nothing is sent before [`Self::run`].
    pub(crate) fn connect(broker: &Broker, scenario: &Scenario, window: usize, batch: usize) -> io::Result<Self> {
        let topics = scenario.topics();
        let channels: Vec<Channel> = (0..topics)
            .map(|number| Channel::new(format!("bench/{number}"), scenario.fan_out(), window, batch))
            .collect();
        // Names that no connection of an earlier load has, which a broker may not have noticed the end of.
        let name = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
        let subscribe = |number: usize| -> io::Result<TcpStream> {
            let source = broker.source(number);
            let mut client = Client::connect(broker, source, &format!("b{name:x}-s{number}"))?;
            client.subscribe(&scenario.filter(&channels[number % topics].topic), scenario.qos)?;
            client.into_stream()
        };
        let subscribers = side_by_side(scenario.subscribers, CONNECTORS, &subscribe)?;
        let connect = |number: usize| -> io::Result<TcpStream> {
            let source = broker.source(scenario.subscribers + number);
            Client::connect(broker, source, &format!("b{name:x}-p{number}"))?.into_stream()
        };
        let publishers = side_by_side(scenario.publishers, CONNECTORS, &connect)?;

        let mut load = Self {
            poll: Poll::new()?,
            links: Vec::with_capacity(publishers.len() + subscribers.len()),
            roles: Vec::with_capacity(publishers.len() + subscribers.len()),
            turns: vec![(Vec::new(), 0); topics],
            channels,
            inbox: vec![0; INBOX_BYTES],
            answers: Vec::new(),
            again: Vec::new(),
            latencies: Arc::new(Histogram::new()),
            start: Instant::now(),
            looked: Instant::now(),
            payload_bytes: scenario.payload_bytes,
            paced: None,
            reads: 0,
            read_bytes: 0,
        };
        for (number, stream) in subscribers.into_iter().enumerate() {
            let number_of_channel = if scenario.shared { 0 } else { number / topics };
            load.add(stream, Role::Subscriber { channel: number % topics, number: number_of_channel })?;
        }
        let mut paced = Vec::new();
        for (number, stream) in publishers.into_iter().enumerate() {
            let channel = number % topics;
            let topic = &load.channels[channel].topic;
            let packets = Batch::new(topic, scenario.qos, scenario.payload_bytes, batch)?;
            let place = load.links.len();
            let writing = scenario.rate.map(|_| stream.try_clone()).transpose()?;
            let publisher = Publisher { batch: packets, qos: scenario.qos, unacknowledged: 0 };
            load.add(stream, Role::Publisher(Box::new(publisher)))?;
            load.turns[channel].0.push(place);
            if let Some(stream) = writing {
                let batch = Batch::new(&load.channels[channel].topic, scenario.qos, scenario.payload_bytes, 1)?;
                paced.push(Paced { stream, writer: load.links[place].share_writing(), batch, channel });
            }
        }
        if let Some(rate) = scenario.rate {
            load.pace(paced, rate)?;
        }
        Ok(load)
    }

    fn add(&mut self, stream: TcpStream, role: Role) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let stream = mio::net::TcpStream::from_std(stream);
        self.links.push(Link::new(stream, self.poll.registry(), self.links.len())?);
        self.roles.push(role);
        Ok(())
    }

    fn pace(&mut self, publishers: Vec<Paced>, rate: u32) -> io::Result<()> {
        let stop = Arc::new(AtomicBool::new(false));
        let sent: Arc<[AtomicU64]> = self.channels.iter().map(|_| AtomicU64::new(0)).collect();
        let pacer = Pacer { publishers, rate, start: self.start, stop: Arc::clone(&stop), sent: Arc::clone(&sent) };
        let thread = thread::Builder::new().spawn(move || pacer.run())?;
        self.paced = Some(Running { thread, stop, sent, told: vec![0; self.channels.len()] });
        Ok(())
    }

    /// Drives the load until then.
    pub(crate) fn run_until(&mut self, end: Instant) -> io::Result<()> {
        while Instant::now() < end {
            if self.paced.is_none() {
                for channel in 0..self.channels.len() {
                    self.refill(channel)?;
                }
            }
            self.turn(end.saturating_duration_since(Instant::now()).min(LOOK))?;
        }
        Ok(())
    }

    /// Stops sending, waits for what is under way, and returns how many deliveries are missing; none where they still come.
    pub(crate) fn finish(mut self) -> io::Result<Option<u64>> {
        if let Some(paced) = &self.paced {
            paced.stop.store(true, Ordering::Relaxed);
            while self.paced.as_ref().is_some_and(|paced| !paced.thread.is_finished()) {
                self.turn(Duration::from_millis(1))?;
            }
            self.tell_paced();
        }
        self.channels.iter_mut().for_each(Channel::hope_again);
        let end = Instant::now() + DRAIN_PATIENCE;
        while !self.channels.iter().all(Channel::is_drained) && Instant::now() < end {
            self.turn(LOOK)?;
        }
        let drained = self.channels.iter().all(Channel::is_drained);
        self.links.iter().for_each(Link::hang_up);
        if let Some(paced) = self.paced.take() {
            paced.thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))?;
        }
        Ok(drained.then(|| self.channels.iter().map(Channel::missing).sum()))
    }

    /// Deliveries so far.
    pub(crate) fn delivered(&self) -> u64 {
        self.channels.iter().map(Channel::received).sum()
    }

    /// Waits for something to happen, and deals with it.
    fn turn(&mut self, patience: Duration) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let patience = if self.again.is_empty() { patience } else { Duration::ZERO };
        match self.poll.poll(&mut events, Some(patience)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for number in std::mem::take(&mut self.again) {
            self.read(number)?;
        }
        for event in &events {
            if event.is_writable() {
                self.links[event.token().0].flush()?;
            }
            if event.is_readable() {
                self.read(event.token().0)?;
            }
        }
        self.tell_paced();
        let now = Instant::now();
        if now.duration_since(self.looked) > LOOK {
            self.looked = now;
            self.channels.iter_mut().for_each(|channel| channel.give_up_if_stalled(now));
        }
        Ok(())
    }

    fn tell_paced(&mut self) {
        let Some(paced) = &mut self.paced else { return };
        for ((channel, sent), told) in self.channels.iter_mut().zip(paced.sent.iter()).zip(&mut paced.told) {
            let sent = sent.load(Ordering::Relaxed);
            channel.count_sent(usize::try_from(sent - *told).unwrap_or(usize::MAX));
            *told = sent;
        }
    }

    /// Sends batches of the channel's publishers in turn while there is room.
    fn refill(&mut self, channel: usize) -> io::Result<()> {
        let mut room = self.channels[channel].room();
        let (publishers, next) = &mut self.turns[channel];
        let mut passed_over = 0;
        while room > 0 && passed_over < publishers.len() {
            let number = publishers[*next];
            *next = (*next + 1) % publishers.len();
            let (link, Role::Publisher(publisher)) = (&mut self.links[number], &mut self.roles[number]) else {
                continue;
            };
            let messages = publisher.batch.len();
            if link.is_blocked() || publisher.unacknowledged + messages as u64 > UNACKNOWLEDGED_MAX {
                passed_over += 1;
                continue;
            }
            link.send(publisher.batch.next())?;
            if publisher.qos > QoS::AtMostOnce {
                publisher.unacknowledged += messages as u64;
            }
            self.channels[channel].count_sent(messages);
            (room, passed_over) = (room - 1, 0);
        }
        Ok(())
    }

    fn read(&mut self, number: usize) -> io::Result<()> {
        let link = &mut self.links[number];
        let (filled, read, more) = match link.read(&mut self.inbox)? {
            Arrived::Bytes { filled, read, more } => (filled, read, more),
            Arrived::Nothing => return Ok(()),
            Arrived::End => return Err(io::Error::other("the broker hung up")),
        };
        if more {
            self.again.push(number);
        }
        let bytes = &self.inbox[..filled];
        let mut done = 0;
        match &mut self.roles[number] {
            Role::Publisher(publisher) => {
                while let Some((frame, length)) = split(&bytes[done..]) {
                    publisher.receive(&frame, &mut self.answers);
                    done += length;
                }
            }
            Role::Subscriber { channel, number } => {
                let latencies = self.paced.as_ref().map(|_| &*self.latencies);
                let mut messages = 0;
                while let Some((frame, length)) = split(&bytes[done..]) {
                    messages += u64::from(frame.kind() == PUBLISH);
                    if let Some(latencies) = latencies
                        && let Some(sent) = stamp(frame.contents, self.payload_bytes)
                    {
                        latencies.record(nanoseconds(self.start).saturating_sub(sent));
                    }
                    if frame.first_byte != QOS_0_PUBLISH {
                        answer(&frame, &mut self.answers);
                    }
                    done += length;
                }
                self.channels[*channel].count_received(*number, messages);
                self.reads += 1;
                self.read_bytes += read as u64;
            }
        }
        link.keep(&bytes[done..]);
        if !self.answers.is_empty() {
            link.send(&self.answers)?;
            self.answers.clear();
        }
        Ok(())
    }
}

impl Publisher {
    fn receive(&mut self, frame: &Frame<'_>, answers: &mut Vec<u8>) {
        match frame.kind() {
            PUBACK | PUBCOMP => self.unacknowledged = self.unacknowledged.saturating_sub(1),
            PUBREC => {
                if let Some([high, low]) = frame.leading_id() {
                    answers.extend_from_slice(&[(PUBREL << 4) | 0b10, 2, high, low]);
                }
            }
            _ => {}
        }
    }
}

/// PUBACK or PUBREC to a PUBLISH, PUBCOMP to a PUBREL.
fn answer(frame: &Frame<'_>, answers: &mut Vec<u8>) {
    let (kind, id) = match (frame.kind(), frame.qos()) {
        (PUBLISH, 1) => (PUBACK, frame.publish_id()),
        (PUBLISH, 2) => (PUBREC, frame.publish_id()),
        (PUBREL, _) => (PUBCOMP, frame.leading_id()),
        _ => return,
    };
    if let Some([high, low]) = id {
        answers.extend_from_slice(&[kind << 4, 2, high, low]);
    }
}

/// Nanoseconds since then.
pub(crate) fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

const QOS_0_PUBLISH: u8 = PUBLISH << 4;
/// Large, so that a read costs little beside what it brings.
const INBOX_BYTES: usize = 256 * 1024;
/// Far below the 65,535 Packet Identifiers there are.
const UNACKNOWLEDGED_MAX: u64 = 10_000;
/// How often the load looks up where nothing happens.
const LOOK: Duration = Duration::from_millis(100);
/// How long a slow broker may take to deliver what is under way at the end.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);
/// Threads that connect side by side.
const CONNECTORS: usize = 16;
