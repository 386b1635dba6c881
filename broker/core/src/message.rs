//! The Application Message: what is left of a PUBLISH once it no longer belongs to a connection.

mod properties;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use midge_protocol::{MessageProperties, QoS, TopicName};
use triomphe::ThinArc;

pub use properties::Properties;

use crate::Time;
use crate::session::outbox::pool;
use crate::store::BodyId;

/// An Application Message the broker holds on to: retained, queued, in flight, or made inside the broker.
///
/// Its clones are the same message: one serves every session that waits for it. It is a single allocation, topic and payload
/// included; only properties and a large payload have memory of their own. What `with_…` makes of a message that somebody else
/// holds too is another message, and a copy.
#[derive(Clone)]
pub struct Message(ThinArc<Head, u8>);

/// What stands before the bytes.
struct Head {
    /// What the store calls its body, 0 until it needs a name.
    body: AtomicU64,
    expires_at: Option<Time>,
    publisher: Option<Arc<str>>,
    properties: Option<Box<Properties>>,
    /// A large payload, which packets share; any other follows the topic.
    large: Option<Box<Bytes>>,
    /// The Message Expiry Interval it came with: it only ever shrinks.
    expiry_max: u32,
    topic_bytes: u16,
    qos: QoS,
    retain: bool,
}

impl Message {
    /// A QoS 0 message that is not retained and has no properties.
    #[must_use]
    pub fn new(topic: TopicName<'_>, payload: impl Into<Bytes>) -> Self {
        let payload = payload.into();
        if payload.len() < LARGE_BYTES_MIN {
            return Self::copied(topic, &payload);
        }
        let head = Head { large: Some(Box::new(payload)), ..Head::new(topic) };
        Self(ThinArc::from_header_and_slice(head, topic.as_str().as_bytes()))
    }

    /// As [`Message::new`], of a payload that stays with its owner.
    #[must_use]
    pub fn copied(topic: TopicName<'_>, payload: &[u8]) -> Self {
        if payload.len() >= LARGE_BYTES_MIN {
            return Self::new(topic, payload.to_vec());
        }
        let parts = [topic.as_str().as_bytes(), payload];
        pool::joined(&parts, |bytes| Self(ThinArc::from_header_and_slice(Head::new(topic), bytes)))
    }

    /// The same message with another `QoS`.
    #[must_use]
    pub fn with_qos(self, qos: QoS) -> Self {
        self.change(|head| head.qos = qos)
    }

    /// The same message with RETAIN set or not.
    #[must_use]
    pub fn with_retain(self, retain: bool) -> Self {
        self.change(|head| head.retain = retain)
    }

    /// The same message, worthless from `expires_at` on.
    #[must_use]
    pub fn with_expiry(self, expires_at: Option<Time>) -> Self {
        self.change(|head| head.expires_at = expires_at)
    }

    /// The same message, worthless so many seconds after `received`. Whoever sends it may have looked at the clock a moment
    /// earlier than that, and says no more than this all the same [MQTT-3.3.2-6].
    #[must_use]
    pub fn with_expiry_interval(self, seconds: Option<u32>, received: Time) -> Self {
        self.change(|head| {
            head.expires_at = seconds.map(|seconds| received.after_seconds(seconds));
            head.expiry_max = seconds.unwrap_or(u32::MAX);
        })
    }

    /// The same message, known to come from the client with this Client Identifier, which No Local compares.
    #[must_use]
    pub fn with_publisher(self, publisher: Option<Arc<str>>) -> Self {
        self.change(|head| head.publisher = publisher)
    }

    /// The same message with these properties.
    #[must_use]
    pub fn with_properties(self, properties: Properties) -> Self {
        let properties = (!properties.is_empty()).then(|| Box::new(properties));
        self.change(|head| head.properties = properties)
    }

    /// The Topic Name.
    #[must_use]
    pub fn topic(&self) -> &str {
        let topic = &self.0.slice[..usize::from(self.head().topic_bytes)];
        std::str::from_utf8(topic).expect("it was copied from a Topic Name")
    }

    /// The payload; empty clears a retained message.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self.large_payload() {
            Some(payload) => payload,
            None => &self.0.slice[usize::from(self.head().topic_bytes)..],
        }
    }

    /// The payload as bytes that outlive the message: shared with it if it is large, else a copy.
    #[must_use]
    pub fn payload_bytes(&self) -> Bytes {
        self.large_payload().cloned().unwrap_or_else(|| Bytes::copy_from_slice(self.payload()))
    }

    /// The payload, if it is large enough to be shared by packets.
    pub(crate) fn large_payload(&self) -> Option<&Bytes> {
        self.head().large.as_deref()
    }

    /// The `QoS` it was published with.
    #[must_use]
    pub fn qos(&self) -> QoS {
        self.head().qos
    }

    /// Whether it was published with RETAIN set.
    #[must_use]
    pub fn retain(&self) -> bool {
        self.head().retain
    }

    /// When its Message Expiry Interval is over, if it has one.
    #[must_use]
    pub fn expires_at(&self) -> Option<Time> {
        self.head().expires_at
    }

    /// Whether its Message Expiry Interval is over.
    #[must_use]
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires_at().is_some_and(|deadline| deadline <= now)
    }

    /// The Client Identifier it came from; none for what the broker itself says.
    #[must_use]
    pub fn publisher(&self) -> Option<&Arc<str>> {
        self.head().publisher.as_ref()
    }

    /// The properties that travel with it; none if it has none.
    #[must_use]
    pub fn properties(&self) -> Option<&Properties> {
        self.head().properties.as_deref()
    }

    /// Roughly the bytes it occupies: what queue and retained limits count.
    #[must_use]
    pub fn weight(&self) -> usize {
        // The head is behind the number of its owners and before that of the bytes.
        const OVERHEAD: usize = size_of::<Head>() + 2 * size_of::<usize>();
        let large = self.large_payload().map_or(0, |payload| size_of::<Bytes>() + payload.len());
        OVERHEAD + self.0.slice.len() + large + self.properties().map_or(0, Properties::weight)
    }

    /// The same message, as the store calls it.
    pub(crate) fn named(self, body: BodyId) -> Self {
        if self.named_body() == Some(body) {
            return self;
        }
        self.change(|head| head.body = AtomicU64::new(body.0))
    }

    /// The same message, for which the store has no name yet: one that it gave back need not have the name it had.
    pub(crate) fn unnamed(self) -> Self {
        if self.named_body().is_none() { self } else { self.change(|_| {}) }
    }

    /// What the store calls its body, if it has been named.
    pub(crate) fn named_body(&self) -> Option<BodyId> {
        Some(self.head().body.load(Ordering::Relaxed)).filter(|&name| name != 0).map(BodyId)
    }

    /// What the store calls its body; the first call names it.
    pub(crate) fn body(&self, name: impl FnOnce() -> u64) -> BodyId {
        if let Some(named) = self.named_body() {
            return named;
        }
        let name = name();
        match self.head().body.compare_exchange(0, name, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => BodyId(name),
            Err(named) => BodyId(named),
        }
    }

    /// Whether it is this very message, not one that says the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.as_ptr() == other.0.as_ptr()
    }

    /// Its properties as a packet carries them, the expiry interval being what is left of it `now` [MQTT-3.3.2-6].
    pub(crate) fn wire_properties(&self, now: Time) -> MessageProperties<'_> {
        let mut wire = self.properties().map_or_else(MessageProperties::default, Properties::as_wire);
        wire.message_expiry = self.expires_at().map(|deadline| now.seconds_until(deadline).min(self.head().expiry_max));
        wire
    }

    fn head(&self) -> &Head {
        &self.0.header.header
    }

    /// Another message, which the store does not know: this one where nobody else has it, else a copy.
    fn change(mut self, change: impl FnOnce(&mut Head)) -> Self {
        if !self.0.with_arc(triomphe::Arc::is_unique) {
            self = Self(ThinArc::from_header_and_slice(self.head().clone(), &self.0.slice));
        }
        self.0.with_arc_mut(|arc| {
            let parts = triomphe::Arc::get_mut(arc).expect("nobody else has it");
            parts.header_mut().body = AtomicU64::new(0);
            change(parts.header_mut());
        });
        self
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        let facts = |message: &Self| {
            let Head { expires_at, expiry_max, qos, retain, .. } = *message.head();
            (expires_at, expiry_max, qos, retain)
        };
        facts(self) == facts(other)
            && self.topic() == other.topic()
            && self.payload() == other.payload()
            && self.publisher() == other.publisher()
            && self.properties() == other.properties()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic())
            .field("payload", &self.payload())
            .field("qos", &self.qos())
            .field("retain", &self.retain())
            .field("expires_at", &self.expires_at())
            .field("publisher", &self.publisher())
            .field("properties", &self.properties())
            .finish_non_exhaustive()
    }
}

impl Head {
    fn new(topic: TopicName<'_>) -> Self {
        let topic_bytes = topic.as_str().len().try_into().expect("a Topic Name has at most 65,535 bytes");
        Self {
            body: AtomicU64::new(0),
            expires_at: None,
            publisher: None,
            properties: None,
            large: None,
            expiry_max: u32::MAX,
            topic_bytes,
            qos: QoS::AtMostOnce,
            retain: false,
        }
    }
}

impl Clone for Head {
    /// A copy has another body.
    fn clone(&self) -> Self {
        Self {
            body: AtomicU64::new(0),
            publisher: self.publisher.clone(),
            properties: self.properties.clone(),
            large: self.large.clone(),
            ..*self
        }
    }
}

/// Payloads of so many bytes are shared by all packets that carry them. Fewer are copied for everybody: that costs less than
/// one more part of a write.
pub(crate) const LARGE_BYTES_MIN: usize = 16 * 1024;

#[cfg(test)]
mod tests;
