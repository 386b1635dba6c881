//! The limit to compare brokers with: cuts the stream into packets and passes QoS 0 messages on, and knows nothing else of MQTT.
//!
//! One thread, no authorization, no wildcards, no acknowledgements, no limits: no broker can cost less and keep its promises.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use clap::Args;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

use crate::frames::{Frame, PUBLISH, split};
use crate::link::{Arrived, Link};

/// Where it serves.
#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:1883")]
    listen: SocketAddr,
}

/// Serves for ever.
pub(crate) fn serve(settings: &Settings) -> io::Result<()> {
    let mut forwarder = Forwarder {
        poll: Poll::new()?,
        listener: TcpListener::bind(settings.listen)?,
        links: Vec::new(),
        free: Vec::new(),
        again: Vec::new(),
        topics: HashMap::new(),
    };
    forwarder.poll.registry().register(&mut forwarder.listener, LISTENER, Interest::READABLE)?;
    let (mut events, mut inbox) = (Events::with_capacity(1024), vec![0; INBOX_BYTES]);
    loop {
        let patience = (!forwarder.again.is_empty()).then_some(std::time::Duration::ZERO);
        match forwarder.poll.poll(&mut events, patience) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for number in std::mem::take(&mut forwarder.again) {
            forwarder.read(number, &mut inbox);
        }
        for event in &events {
            match event.token() {
                LISTENER => forwarder.accept()?,
                Token(number) => {
                    if event.is_writable() {
                        forwarder.write(number, Link::flush);
                    }
                    if event.is_readable() {
                        forwarder.read(number, &mut inbox);
                    }
                }
            }
        }
    }
}

struct Forwarder {
    poll: Poll,
    listener: TcpListener,
    links: Vec<Option<Link>>,
    free: Vec<usize>,
    /// Connections whose socket may hold more than was read.
    again: Vec<usize>,
    topics: HashMap<Vec<u8>, Topic>,
}

#[derive(Default)]
struct Topic {
    subscribers: Vec<usize>,
    /// Who shares a subscription, and whose turn it is.
    groups: HashMap<Vec<u8>, (Vec<usize>, usize)>,
}

impl Forwarder {
    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => continue,
            };
            let number = self.free.pop().unwrap_or_else(|| {
                self.links.push(None);
                self.links.len() - 1
            });
            match Link::new(stream, self.poll.registry(), number) {
                Ok(link) => self.links[number] = Some(link),
                Err(_) => self.free.push(number),
            }
        }
    }

    fn read(&mut self, number: usize, inbox: &mut Vec<u8>) {
        let arrived = match self.links.get_mut(number) {
            Some(Some(link)) => link.read(inbox),
            _ => return,
        };
        let (filled, more) = match arrived {
            Ok(Arrived::Bytes { filled, more, .. }) => (filled, more),
            Ok(Arrived::Nothing) => return,
            Ok(Arrived::End) | Err(_) => return self.close(number),
        };
        if more {
            self.again.push(number);
        }
        let done = self.forward(number, &inbox[..filled]);
        if let Some(Some(link)) = self.links.get_mut(number) {
            link.keep(&inbox[done..filled]);
        }
    }

    /// Passes on what is whole, messages to one topic in a row at once; returns how far that was.
    fn forward(&mut self, number: usize, bytes: &[u8]) -> usize {
        let (mut done, mut run, mut topic): (usize, Range<usize>, &[u8]) = (0, 0..0, &[]);
        while let Some((frame, length)) = split(&bytes[done..]) {
            if frame.kind() == PUBLISH {
                let name = string(frame.contents).unwrap_or_default();
                if name != topic || run.end != done {
                    self.deliver(topic, &bytes[run]);
                    (run, topic) = (done..done, name);
                }
                run.end = done + length;
            } else {
                self.answer(number, &frame);
            }
            done += length;
        }
        self.deliver(topic, &bytes[run]);
        done
    }

    fn deliver(&mut self, topic: &[u8], bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let Some(topic) = self.topics.get_mut(topic) else { return };
        let mut failed = Vec::new();
        let turns = topic.groups.values_mut().filter_map(|(members, next)| {
            *next = (*next + 1) % members.len().max(1);
            members.get(*next)
        });
        for number in topic.subscribers.iter().chain(turns) {
            if let Some(Some(link)) = self.links.get_mut(*number)
                && (link.send(bytes).is_err() || link.waiting() > WAITING_MAX)
            {
                failed.push(*number);
            }
        }
        failed.into_iter().for_each(|number| self.close(number));
    }

    /// CONNACK, SUBACK and PINGRESP; whatever else comes needs no answer here.
    fn answer(&mut self, number: usize, frame: &Frame<'_>) {
        let answer = match frame.kind() {
            CONNECT => vec![0x20, 2, 0, 0],
            SUBSCRIBE => self.subscribe(number, frame.contents),
            PINGREQ => vec![0xD0, 0],
            _ => return,
        };
        self.write(number, |link| link.send(&answer));
    }

    /// As version 3.1.1 writes it. Every filter is a topic, and QoS 0 is all there is.
    fn subscribe(&mut self, number: usize, contents: &[u8]) -> Vec<u8> {
        let (id, mut rest) = contents.split_at_checked(2).unwrap_or_default();
        let mut granted = Vec::new();
        while let Some(filter) = string(rest) {
            rest = rest.get(filter.len() + 3..).unwrap_or_default();
            granted.push(0);
            let mut parts = filter.splitn(3, |byte| *byte == b'/');
            match (parts.next(), parts.next(), parts.next()) {
                (Some(b"$share"), Some(group), Some(topic)) => {
                    let topic = self.topics.entry(topic.to_vec()).or_default();
                    topic.groups.entry(group.to_vec()).or_default().0.push(number);
                }
                _ => self.topics.entry(filter.to_vec()).or_default().subscribers.push(number),
            }
        }
        let mut answer = vec![0x90, u8::try_from(granted.len() + 2).unwrap_or(u8::MAX)];
        answer.extend_from_slice(id);
        answer.extend_from_slice(&granted);
        answer
    }

    fn write(&mut self, number: usize, write: impl FnOnce(&mut Link) -> io::Result<()>) {
        if let Some(Some(link)) = self.links.get_mut(number)
            && write(link).is_err()
        {
            self.close(number);
        }
    }

    fn close(&mut self, number: usize) {
        if self.links.get_mut(number).and_then(Option::take).is_none() {
            return;
        }
        self.free.push(number);
        self.topics.retain(|_, topic| {
            topic.subscribers.retain(|subscriber| *subscriber != number);
            topic.groups.retain(|_, (members, _)| {
                members.retain(|member| *member != number);
                !members.is_empty()
            });
            !topic.subscribers.is_empty() || !topic.groups.is_empty()
        });
    }
}

/// The string at the start, without its length.
fn string(bytes: &[u8]) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
    bytes.get(2..2 + length)
}

const CONNECT: u8 = 1;
const SUBSCRIBE: u8 = 8;
const PINGREQ: u8 = 12;
const LISTENER: Token = Token(usize::MAX);
const INBOX_BYTES: usize = 64 * 1024;
/// Who leaves so much unread is hung up on.
const WAITING_MAX: usize = 64 * 1024 * 1024;
