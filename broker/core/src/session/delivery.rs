//! One message on its way to one session.

use std::num::NonZeroU32;
use std::sync::Arc;

use hashbrown::HashMap;
use midge_protocol::{QoS, SubscriptionId};

use crate::store::{BodyId, DeliveryRecord, EntryNumber, KeptMessage};
use crate::subscriptions::GroupName;
use crate::{Message, Time};

/// A message on its way to a session, with what the session's subscriptions made of it.
///
/// A million may wait for one session, so it is packed: 32 bytes, wherever the message is.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// Numbers the deliveries of a session for the store; 0 if the store does not know of this one.
    pub(crate) entry: EntryNumber,
    body: Body,
}

/// Where the message is. What all have in common stands in each, where it takes no room.
#[derive(Clone, Debug)]
enum Body {
    Here {
        manner: Manner,
        message: Message,
        share: Option<GroupName>,
    },
    HereRare {
        manner: Manner,
        message: Message,
        rare: Box<Rare>,
    },
    /// Only in the store, which is to be asked for it when the client can have it.
    Away {
        manner: Manner,
        away: Away,
    },
    AwayRare {
        manner: Manner,
        away: Box<(Away, Rare)>,
    },
}

/// How it is sent.
#[derive(Clone, Copy, Debug)]
struct Manner {
    qos: QoS,
    retain: bool,
}

/// What is known of a message that only the store has.
#[derive(Clone, Copy, Debug)]
struct Away {
    id: BodyId,
    weight: u32,
    /// The full second when it has certainly expired. The message itself knows the moment.
    expires_at: Option<NonZeroU32>,
}

/// The parts of a delivery that are mostly absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rare {
    pub(crate) subscription_ids: Vec<SubscriptionId>,
    /// The shared subscription that picked this session, `$share/NAME/FILTER`; another member gets the message if this one ends
    /// first.
    pub(crate) share: Option<GroupName>,
}

impl Delivery {
    /// One whose message is here, and of which the store does not know.
    pub(crate) fn new(message: Message, qos: QoS, retain: bool, rare: Rare) -> Self {
        Self { entry: EntryNumber::default(), body: Body::here(Manner { qos, retain }, message, rare) }
    }

    /// One that the store has kept.
    pub(crate) fn kept(entry: EntryNumber, message: KeptMessage) -> Self {
        let KeptMessage { body, expires_at, weight, delivery } = message;
        let DeliveryRecord { qos, retain, subscription_ids, shared } = delivery;
        let rare = Rare { subscription_ids, share: shared.map(Arc::new) };
        let away = Away::new(body, weight, expires_at);
        Self { entry, body: Body::away(Manner { qos, retain }, away, rare) }
    }

    /// What the store keeps of it.
    pub(crate) fn record(&self) -> DeliveryRecord {
        DeliveryRecord {
            qos: self.qos(),
            retain: self.retain(),
            subscription_ids: self.subscription_ids().to_vec(),
            shared: self.share().map(|share| (**share).clone()),
        }
    }

    pub(crate) fn qos(&self) -> QoS {
        self.manner().qos
    }

    pub(crate) fn retain(&self) -> bool {
        self.manner().retain
    }

    pub(crate) fn subscription_ids(&self) -> &[SubscriptionId] {
        match &self.body {
            Body::Here { .. } | Body::Away { .. } => &[],
            Body::HereRare { rare, .. } => &rare.subscription_ids,
            Body::AwayRare { away, .. } => &away.1.subscription_ids,
        }
    }

    pub(crate) fn share(&self) -> Option<&GroupName> {
        match &self.body {
            Body::Here { share, .. } => share.as_ref(),
            Body::HereRare { rare, .. } => rare.share.as_ref(),
            Body::Away { .. } => None,
            Body::AwayRare { away, .. } => away.1.share.as_ref(),
        }
    }

    /// Whether the store knows of it.
    pub(crate) fn is_stored(&self) -> bool {
        self.entry > EntryNumber::default()
    }

    /// The message, where it is here.
    pub(crate) fn message(&self) -> Option<&Message> {
        match &self.body {
            Body::Here { message, .. } | Body::HereRare { message, .. } => Some(message),
            Body::Away { .. } | Body::AwayRare { .. } => None,
        }
    }

    /// The name of the message, where only the store has it.
    pub(crate) fn missing(&self) -> Option<BodyId> {
        Some(self.away()?.id)
    }

    /// The topic, for whoever tells of the delivery; empty where only the store knows it.
    pub(crate) fn topic(&self) -> &str {
        self.message().map_or("", |message| message.topic())
    }

    /// What queue limits count.
    pub(crate) fn weight(&self) -> usize {
        match self.away() {
            Some(away) => away.weight as usize,
            None => self.weight_here() as usize,
        }
    }

    /// How much of that is in memory.
    pub(crate) fn weight_here(&self) -> u64 {
        self.message().map_or(0, |message| message.weight() as u64)
    }

    /// Whether it expires some time.
    pub(crate) fn is_mortal(&self) -> bool {
        match self.away() {
            Some(away) => away.expires_at.is_some(),
            None => self.message().is_some_and(|message| message.expires_at().is_some()),
        }
    }

    /// Whether it has expired; of a message that only the store has, up to a second later.
    pub(crate) fn is_expired(&self, now: Time) -> bool {
        match self.away() {
            Some(away) => away.expires_at.is_some_and(|second| u64::from(second.get()) * 1000 <= now.0),
            None => self.message().is_some_and(|message| message.is_expired(now)),
        }
    }

    /// Lets go of a message that the store has.
    pub(crate) fn put_away(&mut self) {
        if let Some(message) = self.message().filter(|_| self.is_stored())
            && let Some(id) = message.named_body()
        {
            let weight = u32::try_from(message.weight()).unwrap_or(u32::MAX);
            let away = Away::new(id, weight, message.expires_at());
            self.body = Body::away(self.manner(), away, self.take_rare());
        }
    }

    /// Nobody else is to have it, whatever subscription it came by.
    pub(crate) fn keep(&mut self) {
        self.take_rare();
    }

    /// Takes a message back that only the store had.
    fn bring(&mut self, message: Message) {
        self.body = Body::here(self.manner(), message, self.take_rare());
    }

    /// What its subscriptions were, which it knows no more.
    fn take_rare(&mut self) -> Rare {
        match &mut self.body {
            Body::Here { share, .. } => Rare { share: share.take(), ..Rare::default() },
            Body::HereRare { rare, .. } => std::mem::take(rare.as_mut()),
            Body::Away { .. } => Rare::default(),
            Body::AwayRare { away, .. } => std::mem::take(&mut away.1),
        }
    }

    fn manner(&self) -> Manner {
        match self.body {
            Body::Here { manner, .. }
            | Body::HereRare { manner, .. }
            | Body::Away { manner, .. }
            | Body::AwayRare { manner, .. } => manner,
        }
    }

    fn away(&self) -> Option<&Away> {
        match &self.body {
            Body::Here { .. } | Body::HereRare { .. } => None,
            Body::Away { away, .. } => Some(away),
            Body::AwayRare { away, .. } => Some(&away.0),
        }
    }
}

impl Body {
    fn here(manner: Manner, message: Message, rare: Rare) -> Self {
        match rare {
            Rare { subscription_ids, share } if subscription_ids.is_empty() => Self::Here { manner, message, share },
            rare => Self::HereRare { manner, message, rare: Box::new(rare) },
        }
    }

    fn away(manner: Manner, away: Away, rare: Rare) -> Self {
        if rare.subscription_ids.is_empty() && rare.share.is_none() {
            return Self::Away { manner, away };
        }
        Self::AwayRare { manner, away: Box::new((away, rare)) }
    }
}

impl Away {
    fn new(id: BodyId, weight: u32, expires_at: Option<Time>) -> Self {
        let second = |time: Time| u32::try_from(time.0.div_ceil(1000)).unwrap_or(u32::MAX).max(1);
        Self { id, weight, expires_at: expires_at.map(second).and_then(NonZeroU32::new) }
    }
}

/// What came from the store: messages by their names, none where it has no such message.
#[derive(Default)]
pub(crate) struct Loaded(HashMap<BodyId, Option<Message>, foldhash::fast::FixedState>);

impl Loaded {
    pub(crate) fn put(&mut self, body: BodyId, message: Option<Message>) {
        self.0.insert(body, message.map(|message| message.named(body)));
    }

    /// Puts the message in, if it came; false if there is none any more.
    pub(crate) fn fill(&self, delivery: &mut Delivery) -> bool {
        match delivery.missing().and_then(|body| self.0.get(&body)) {
            None => true,
            Some(None) => false,
            Some(Some(message)) => {
                delivery.bring(message.clone());
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use midge_protocol::TopicName;

    use super::*;

    #[test]
    fn a_delivery_stays_small() {
        assert_eq!(size_of::<Delivery>(), 32);
    }

    #[test]
    fn a_message_that_was_put_away_is_sent_in_the_same_manner() {
        let message = Message::new(TopicName::new("t").unwrap(), "x").with_expiry(Some(Time(1500))).named(BodyId(7));
        let subscription_ids = vec![SubscriptionId::new(3).unwrap()];
        let share = Some(Arc::new("$share/a/t".into()));
        let shared = Rare { share: share.clone(), ..Rare::default() };
        for rare in [Rare::default(), shared, Rare { subscription_ids, share }] {
            let mut delivery = Delivery::new(message.clone(), QoS::ExactlyOnce, true, rare);
            delivery.put_away();
            assert!(delivery.message().is_some(), "the store does not know of it");
            delivery.entry = EntryNumber(9);
            let (record, weight) = (delivery.record(), delivery.weight());
            delivery.put_away();
            assert_eq!((delivery.missing(), delivery.weight_here()), (Some(BodyId(7)), 0));
            assert_eq!((delivery.record(), delivery.weight(), delivery.is_mortal()), (record.clone(), weight, true));
            assert_eq!([1500, 1999, 2000].map(|now| delivery.is_expired(Time(now))), [false, false, true]);
            delivery.bring(message.clone());
            assert_eq!((delivery.record(), delivery.weight()), (record, weight));
            assert_eq!([1499, 1500].map(|now| delivery.is_expired(Time(now))), [false, true]);
        }
    }
}
