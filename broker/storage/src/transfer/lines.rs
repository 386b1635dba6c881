//! The lines of an export.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use midge_core::{
    BodyId, Change, ConnectionNumber, DeliveryRecord, EntryNumber, KeptDelivery, KeptSession, Message, Properties,
    SessionNumber, SessionRecord, Store, SubscriptionRecord, Time, Will,
};
use midge_protocol::{PacketId, QoS, SubscriptionId, TopicName};
use serde::{Deserialize, Serialize};

use crate::layout::ENTRY_MAX;
use crate::{Handle, PluginEntry};

/// The format that is written.
pub(super) const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Line {
    #[serde(rename = "midge-store")]
    Format(u32),
    Retained(MessageLine),
    Session(SessionLine),
    Delivery(Delivery),
    PluginEntry(PluginEntryLine),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginEntryLine {
    store: String,
    key: String,
    value: String,
    #[serde(default, skip_serializing_if = "is_default")]
    expires_at: Option<u64>,
}

/// Times are milliseconds since the Unix epoch.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageLine {
    topic: String,
    payload: String,
    qos: u8,
    #[serde(default, skip_serializing_if = "is_default")]
    retain: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    expires_at: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    publisher: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    payload_is_utf8: Option<bool>,
    #[serde(default, skip_serializing_if = "is_default")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    response_topic: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    correlation_data: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    user_properties: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionLine {
    pub(super) number: u64,
    client_id: String,
    #[serde(default, skip_serializing_if = "is_default")]
    principal: Option<String>,
    session_expiry: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    expires_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    will: Option<WillLine>,
    #[serde(default, skip_serializing_if = "is_default")]
    will_due: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    subscriptions: Vec<SubscriptionLine>,
    #[serde(default, skip_serializing_if = "is_default")]
    received: Vec<u16>,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct SubscriptionLine {
    filter: String,
    qos: u8,
    #[serde(default, skip_serializing_if = "is_default")]
    no_local: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    retain_as_published: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    subscription_id: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WillLine {
    message: MessageLine,
    delay: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    message_expiry: Option<u32>,
}

/// Without a body, PUBREC has come.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delivery {
    entry: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    packet_id: Option<u16>,
    #[serde(default, skip_serializing_if = "is_default")]
    body: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<MessageLine>,
    #[serde(default, skip_serializing_if = "is_default")]
    qos: u8,
    #[serde(default, skip_serializing_if = "is_default")]
    retain: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    subscription_ids: Vec<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    shared: Option<String>,
}

impl From<&PluginEntry> for PluginEntryLine {
    fn from(entry: &PluginEntry) -> Self {
        Self {
            store: entry.store.clone(),
            key: entry.key.clone(),
            value: STANDARD.encode(&entry.value),
            expires_at: entry.expires_at.map(|time| time.0),
        }
    }
}

impl TryFrom<PluginEntryLine> for PluginEntry {
    type Error = String;

    fn try_from(line: PluginEntryLine) -> Result<Self, String> {
        let PluginEntryLine { store, key, value, expires_at } = line;
        Ok(Self { store, key, value: binary(&value)?, expires_at: expires_at.map(Time) })
    }
}

impl From<&Message> for MessageLine {
    fn from(message: &Message) -> Self {
        let properties = message.properties().cloned().unwrap_or_default();
        let pairs = properties.user_properties.as_ref().iter();
        Self {
            topic: message.topic().to_owned(),
            payload: STANDARD.encode(message.payload()),
            qos: message.qos() as u8,
            retain: message.retain(),
            expires_at: message.expires_at().map(|time| time.0),
            publisher: message.publisher().map(|publisher| (**publisher).to_owned()),
            payload_is_utf8: properties.payload_is_utf8,
            user_properties: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            content_type: properties.content_type.map(Into::into),
            response_topic: properties.response_topic.map(Into::into),
            correlation_data: properties.correlation_data.map(|data| STANDARD.encode(data)),
        }
    }
}

impl TryFrom<MessageLine> for Message {
    type Error = String;

    fn try_from(line: MessageLine) -> Result<Self, String> {
        let topic = TopicName::new(&line.topic).map_err(|error| format!("topic {:?}: {error}", line.topic))?;
        let properties = Properties {
            payload_is_utf8: line.payload_is_utf8,
            content_type: line.content_type.map(Into::into),
            response_topic: line.response_topic.map(Into::into),
            correlation_data: line.correlation_data.as_deref().map(binary).transpose()?.map(Into::into),
            user_properties: line.user_properties.into_iter().collect(),
        };
        Ok(Self::new(topic, binary(&line.payload)?)
            .with_qos(qos(line.qos)?)
            .with_retain(line.retain)
            .with_expiry(line.expires_at.map(Time))
            .with_publisher(line.publisher.map(Into::into))
            .with_properties(properties))
    }
}

impl From<&KeptSession> for SessionLine {
    fn from(session: &KeptSession) -> Self {
        let record = &session.record;
        Self {
            number: session.session.0,
            client_id: (*record.client_id).to_owned(),
            principal: record.principal.as_deref().map(str::to_owned),
            session_expiry: record.session_expiry,
            expires_at: record.expires_at.map(|time| time.0),
            will: record.will.as_deref().map(|will| WillLine {
                message: (&will.message).into(),
                delay: will.delay,
                message_expiry: will.message_expiry,
            }),
            will_due: record.will_due.map(|time| time.0),
            subscriptions: session.subscriptions.iter().map(SubscriptionLine::from).collect(),
            received: session.received.iter().map(|id| id.get()).collect(),
        }
    }
}

impl SessionLine {
    pub(super) fn into_changes(self, by: ConnectionNumber, changes: &mut Vec<Change>) -> Result<(), String> {
        let session = SessionNumber(self.number);
        let will = self.will.map(|line| {
            let WillLine { message, delay, message_expiry } = line;
            Ok::<_, String>(Box::new(Will { message: message.try_into()?, delay, message_expiry }))
        });
        let record = SessionRecord {
            client_id: self.client_id.into(),
            principal: self.principal.map(Into::into),
            session_expiry: self.session_expiry,
            expires_at: self.expires_at.map(Time),
            will: will.transpose()?,
            will_due: self.will_due.map(Time),
        };
        changes.push(Change::Session { session, by, record });
        for line in self.subscriptions {
            changes.push(Change::Subscribed { session, subscription: line.try_into()? });
        }
        for id in self.received {
            changes.push(Change::Received { session, packet_id: packet_id(id)? });
        }
        Ok(())
    }
}

impl From<&SubscriptionRecord> for SubscriptionLine {
    fn from(record: &SubscriptionRecord) -> Self {
        Self {
            filter: record.filter.to_string(),
            qos: record.qos as u8,
            no_local: record.no_local,
            retain_as_published: record.retain_as_published,
            subscription_id: record.subscription_id.map(SubscriptionId::get),
        }
    }
}

impl TryFrom<SubscriptionLine> for SubscriptionRecord {
    type Error = String;

    fn try_from(line: SubscriptionLine) -> Result<Self, String> {
        Ok(Self {
            filter: line.filter.into(),
            qos: qos(line.qos)?,
            no_local: line.no_local,
            retain_as_published: line.retain_as_published,
            subscription_id: line.subscription_id.map(subscription_id).transpose()?,
        })
    }
}

impl Delivery {
    /// With the message, where it was not written before.
    pub(super) fn new(delivery: &KeptDelivery, message: Option<&Message>) -> Self {
        let kept = delivery.message.as_ref();
        let record = kept.map(|kept| &kept.delivery);
        Self {
            entry: delivery.entry.0,
            packet_id: delivery.packet_id.map(PacketId::get),
            body: kept.map(|kept| kept.body.0),
            message: message.map(Into::into),
            qos: record.map_or(0, |record| record.qos as u8),
            retain: record.is_some_and(|record| record.retain),
            subscription_ids: record
                .map(|record| record.subscription_ids.iter().map(|id| id.get()).collect())
                .unwrap_or_default(),
            shared: record.and_then(|record| record.shared.as_deref().map(str::to_owned)),
        }
    }

    pub(super) fn into_changes(
        self,
        session: SessionNumber,
        store: &Handle,
        changes: &mut Vec<Change>,
    ) -> Result<(), String> {
        let entry = EntryNumber(self.entry);
        if self.entry > ENTRY_MAX {
            return Err(format!("entry {} is more than any session has seen", self.entry));
        }
        let packet_id = self.packet_id.map(packet_id).transpose()?;
        let Some(body) = self.body.map(BodyId) else {
            let packet_id = packet_id.ok_or("a delivery has a body, a packet_id, or both")?;
            changes.push(stand_in(session, entry));
            changes.push(Change::Released { session, entry, packet_id });
            return Ok(());
        };
        let message = match self.message {
            Some(message) => message.try_into()?,
            None => {
                let known = store.read(body).map_err(|error| error.to_string())?;
                known.ok_or_else(|| format!("body {} has no message here or before", body.0))?
            }
        };
        let ids = self.subscription_ids.into_iter().map(subscription_id);
        let delivery = DeliveryRecord {
            qos: qos(self.qos)?,
            retain: self.retain,
            subscription_ids: ids.collect::<Result<_, _>>()?,
            shared: self.shared.map(Into::into),
        };
        changes.push(Change::Queued { session, entry, body, message, delivery });
        changes.extend(packet_id.map(|packet_id| Change::Sent { session, entry, packet_id }));
        Ok(())
    }
}

/// A store learns of PUBREC only for deliveries that it knows. This one is never written: PUBREC comes with it.
fn stand_in(session: SessionNumber, entry: EntryNumber) -> Change {
    let topic = TopicName::new("released").expect("a topic name");
    let delivery = DeliveryRecord { qos: QoS::ExactlyOnce, retain: false, subscription_ids: Vec::new(), shared: None };
    Change::Queued { session, entry, body: BodyId(u64::MAX), message: Message::new(topic, ""), delivery }
}

fn binary(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|error| format!("{text:?} is not base64: {error}"))
}

fn qos(value: u8) -> Result<QoS, String> {
    QoS::from_bits(value).ok_or_else(|| format!("qos {value} is not 0, 1 or 2"))
}

fn packet_id(value: u16) -> Result<PacketId, String> {
    PacketId::new(value).ok_or_else(|| "packet_id 0".to_owned())
}

fn subscription_id(value: u32) -> Result<SubscriptionId, String> {
    SubscriptionId::new(value).ok_or_else(|| format!("subscription id {value} is not 1 to 268435455"))
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
