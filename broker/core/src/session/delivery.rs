//! One message on its way to one session.

use std::sync::Arc;

use hashbrown::HashMap;
use midge_protocol::{QoS, SubscriptionId};

use crate::store::{BodyId, DeliveryRecord, EntryNumber, KeptMessage};
use crate::{Message, Time};

/// A message on its way to a session, with what the session's subscriptions made of it.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) body: Body,
    /// Numbers the deliveries of a session for the store; 0 if the store does not know of this one.
    pub(crate) entry: EntryNumber,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// What most deliveries do without.
    pub(crate) rare: Option<Box<Rare>>,
}

/// Where the message is.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Here(Arc<Message>),
    /// Only in the store, which is to be asked for it when the client can have it.
    Stored(StoredBody),
}

/// What is known of a message that only the store has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredBody {
    pub(crate) id: BodyId,
    expires_at: Option<Time>,
    weight: u32,
}

/// The parts of a delivery that are mostly absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rare {
    pub(crate) subscription_ids: Vec<SubscriptionId>,
    /// The shared subscription that picked this session, `$share/NAME/FILTER`; another member gets the message if this one ends
    /// first.
    pub(crate) share: Option<Arc<str>>,
}

impl Delivery {
    /// One that the store has kept.
    pub(crate) fn kept(entry: EntryNumber, message: KeptMessage) -> Self {
        let KeptMessage { body, expires_at, weight, delivery } = message;
        let DeliveryRecord { qos, retain, subscription_ids, shared } = delivery;
        let plain = subscription_ids.is_empty() && shared.is_none();
        let rare = || Box::new(Rare { subscription_ids, share: shared.map(Arc::from) });
        Self {
            body: Body::Stored(StoredBody { id: body, expires_at, weight }),
            entry,
            qos,
            retain,
            rare: (!plain).then(rare),
        }
    }

    /// What the store keeps of it.
    pub(crate) fn record(&self) -> DeliveryRecord {
        DeliveryRecord {
            qos: self.qos,
            retain: self.retain,
            subscription_ids: self.subscription_ids().to_vec(),
            shared: self.share().map(|share| (**share).into()),
        }
    }

    pub(crate) fn subscription_ids(&self) -> &[SubscriptionId] {
        self.rare.as_ref().map_or(&[], |rare| &rare.subscription_ids)
    }

    pub(crate) fn share(&self) -> Option<&Arc<str>> {
        self.rare.as_ref()?.share.as_ref()
    }

    /// Whether the store knows of it.
    pub(crate) fn is_stored(&self) -> bool {
        self.entry > EntryNumber::default()
    }

    /// The message, where it is here.
    pub(crate) fn message(&self) -> Option<&Arc<Message>> {
        match &self.body {
            Body::Here(message) => Some(message),
            Body::Stored(_) => None,
        }
    }

    /// The name of the message, where only the store has it.
    pub(crate) fn missing(&self) -> Option<BodyId> {
        match &self.body {
            Body::Here(_) => None,
            Body::Stored(stored) => Some(stored.id),
        }
    }

    /// The topic, for whoever tells of the delivery; empty where only the store knows it.
    pub(crate) fn topic(&self) -> &str {
        self.message().map_or("", |message| message.topic())
    }

    /// What queue limits count.
    pub(crate) fn weight(&self) -> usize {
        match &self.body {
            Body::Here(message) => message.weight(),
            Body::Stored(stored) => stored.weight as usize,
        }
    }

    /// How much of that is in memory.
    pub(crate) fn weight_here(&self) -> u64 {
        self.message().map_or(0, |message| message.weight() as u64)
    }

    pub(crate) fn expires_at(&self) -> Option<Time> {
        match &self.body {
            Body::Here(message) => message.expires_at(),
            Body::Stored(stored) => stored.expires_at,
        }
    }

    pub(crate) fn is_expired(&self, now: Time) -> bool {
        self.expires_at().is_some_and(|deadline| deadline <= now)
    }

    /// Lets go of a message that the store has.
    pub(crate) fn put_away(&mut self) {
        if let Body::Here(message) = &self.body
            && let Some(id) = message.named_body()
            && self.is_stored()
        {
            let weight = u32::try_from(message.weight()).unwrap_or(u32::MAX);
            self.body = Body::Stored(StoredBody { id, expires_at: message.expires_at(), weight });
        }
    }
}

/// What came from the store: messages by their names, none where it has no such message.
#[derive(Default)]
pub(crate) struct Loaded(HashMap<BodyId, Option<Arc<Message>>, foldhash::fast::FixedState>);

impl Loaded {
    pub(crate) fn put(&mut self, body: BodyId, message: Option<Message>) {
        self.0.insert(body, message.map(|message| Arc::new(message.named(body))));
    }

    /// Puts the message in, if it came; false if there is none any more.
    pub(crate) fn fill(&self, delivery: &mut Delivery) -> bool {
        match delivery.missing().and_then(|body| self.0.get(&body)) {
            None => true,
            Some(None) => false,
            Some(Some(message)) => {
                delivery.body = Body::Here(Arc::clone(message));
                true
            }
        }
    }
}
