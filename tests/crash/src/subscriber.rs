//! A client that receives, and knows what it was sent.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use midge_protocol::{Ack, Packet, PacketId, QoS};

use crate::channel::{Channel, Gone, Hello, Stay};
use crate::ledger::{Name, Received};

/// Its session state, which outlives its connections.
pub(crate) struct Subscriber {
    client_id: String,
    /// SUBACK came: from then on everything is promised.
    subscribed: bool,
    /// QoS 2 messages between PUBLISH and PUBREL.
    unreleased: BTreeSet<PacketId>,
    pub(crate) received: Received,
}

enum Incoming {
    Message(QoS, Option<PacketId>, Option<Name>),
    Release(PacketId),
    Subscribed,
    Other,
}

impl Subscriber {
    pub(crate) fn new(number: u32) -> Self {
        Self {
            client_id: format!("subscriber-{number}"),
            subscribed: false,
            unreleased: BTreeSet::new(),
            received: Received::default(),
        }
    }

    /// Receives until told to stop, or until the broker is gone.
    pub(crate) fn work(&mut self, address: SocketAddr, stop: &AtomicBool) {
        let _ = self.session(address, |_| stop.load(Ordering::Relaxed));
    }

    /// Receives until `done`, and says whether that came about in time.
    pub(crate) fn settle(&mut self, address: SocketAddr, deadline: Instant, done: impl Fn(&Received) -> bool) -> bool {
        let is_over = |one: &Self| one.subscribed && done(&one.received);
        let _ = self.session(address, |one| is_over(one) || Instant::now() > deadline);
        is_over(self)
    }

    fn session(&mut self, address: SocketAddr, stop: impl Fn(&Self) -> bool) -> Result<(), Gone> {
        let (mut channel, session_present) = match Channel::connect(address, &self.client_id, Stay::Forever)? {
            Hello::Welcome { channel, session_present } => (channel, session_present),
            Hello::Refused(reason) => {
                self.received.wrong.push(format!("{}: refused with {reason}", self.client_id));
                return Err(Gone);
            }
        };
        if self.subscribed && !session_present {
            self.received.wrong.push(format!("{}: the session is lost", self.client_id));
        }
        if !self.subscribed {
            channel.subscribe("crash/#")?;
        }
        while !stop(self) {
            let incoming = channel.receive(Instant::now() + Duration::from_millis(50), |packet| match packet {
                Packet::Publish(publish) => {
                    Incoming::Message(publish.qos, publish.packet_id, Name::parse(publish.payload))
                }
                Packet::Pubrel(ack) => Incoming::Release(ack.packet_id),
                Packet::Suback(_) => Incoming::Subscribed,
                _ => Incoming::Other,
            })?;
            match incoming {
                Some(Incoming::Message(qos, id, name)) => self.message(&mut channel, qos, id, name)?,
                Some(Incoming::Release(id)) => {
                    self.unreleased.remove(&id);
                    channel.send(&Packet::Pubcomp(Ack::new(id)))?;
                }
                Some(Incoming::Subscribed) => self.subscribed = true,
                Some(Incoming::Other) | None => {}
            }
        }
        Ok(())
    }

    fn message(
        &mut self,
        channel: &mut Channel,
        qos: QoS,
        id: Option<PacketId>,
        name: Option<Name>,
    ) -> Result<(), Gone> {
        let Some(name) = name else {
            self.received.wrong.push(format!("{}: a message nobody sent", self.client_id));
            return Ok(());
        };
        match (qos, id) {
            (QoS::AtLeastOnce, Some(id)) => {
                self.received.take(name);
                channel.send(&Packet::Puback(Ack::new(id)))
            }
            (QoS::ExactlyOnce, Some(id)) => {
                // The same Packet Identifier again, before PUBREL, is the same message [MQTT-4.3.3-10].
                if self.unreleased.insert(id) {
                    self.received.take(name);
                }
                channel.send(&Packet::Pubrec(Ack::new(id)))
            }
            _ => {
                self.received.wrong.push(format!("{}: {name:?} with {qos:?}", self.client_id));
                Ok(())
            }
        }
    }
}
