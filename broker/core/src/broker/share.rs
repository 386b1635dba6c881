//! Shared subscriptions: which member has a message, and what becomes of it when that member goes (4.8.2).
//!
//! What a member was sent and has not acknowledged stays its own until its session ends: until then it may come back, and
//! finish it. What merely waits for it does not: it goes to the other members as soon as there is one that is here.

use std::sync::Arc;

use midge_protocol::{QoS, TopicFilter};

use super::Broker;
use super::deliver::outgoing::Outgoing;
use super::deliver::{Delivered, Held, Terms};
use crate::Time;
use crate::effects::Effects;
use crate::event::DropReason;
use crate::session::Session;
use crate::session::delivery::Delivery;
use crate::session::queue::Bounds;
use crate::store::EntryNumber;
use crate::subscriptions::{Group, Occasion, Options, Readiness, Subscriber};

type Members = Arc<Group<Arc<Session>>>;

/// Who may have a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takers {
    /// Members that are connected and have room.
    Ready,
    /// Members that have room, whether here or not.
    WithRoom,
    /// Any member: where nobody has room, the message, or an older one, is lost.
    Anyone,
}

impl Takers {
    /// What waits at QoS 1 or 2 does not go to somebody who may lose it, unless it would be lost otherwise.
    fn least_qos(self) -> QoS {
        match self {
            Self::Ready | Self::WithRoom => QoS::AtLeastOnce,
            Self::Anyone => QoS::AtMostOnce,
        }
    }

    fn worst(self) -> Readiness {
        match self {
            Self::Ready => Readiness::Ready,
            Self::WithRoom => Readiness::Absent,
            Self::Anyone => Readiness::AbsentAndFull,
        }
    }
}

impl Broker {
    /// Sends a message to one member of a shared subscription; false if none took it.
    pub(super) fn deliver_to_group(
        &self,
        group: &Members,
        outgoing: &mut Outgoing<'_>,
        takers: Takers,
        now: Time,
        effects: &mut Effects,
    ) -> bool {
        let (topic, publisher) = (outgoing.topic, outgoing.publisher.map(|publisher| &**publisher));
        let occasion = Occasion { topic, publisher, worst: takers.worst(), least_qos: takers.least_qos() };
        let (mut tried, mut refusals, mut first_refusal) = (Vec::new(), 0, None);
        while refusals < REFUSALS_MAX
            && let Some(pick) = group.pick(&occasion, &tried)
        {
            // If the best there is has no room, the others have none either.
            let may_refuse = takers != Takers::Anyone || pick.readiness < Readiness::Full;
            let terms = terms(group, outgoing, &pick.options, may_refuse);
            match self.deliver(&pick.subscriber, outgoing, &terms, now, effects) {
                Delivered::Taken => {
                    self.slow_down_for(group, &pick.subscriber, now, effects);
                    if pick.readiness != Readiness::Ready {
                        group.note_backlog();
                    }
                    return true;
                }
                Delivered::Refused => refusals += 1,
                // Whoever is picked may end before the message gets there; then it is the next one's.
                Delivered::Ended => {}
            }
            tried.push(pick.subscriber.id());
            if refusals > 0 {
                first_refusal.get_or_insert(pick);
            }
        }
        let Some(pick) = first_refusal.filter(|_| takers == Takers::Anyone) else { return false };
        let terms = terms(group, outgoing, &pick.options, false);
        let taken = self.deliver(&pick.subscriber, outgoing, &terms, now, effects) == Delivered::Taken;
        self.slow_down_for(group, &pick.subscriber, now, effects);
        taken
    }

    /// Publishers wait for a member with a crowded queue only where no other is better off.
    fn slow_down_for(&self, group: &Members, member: &Arc<Session>, now: Time, effects: &mut Effects) {
        if member.is_crowded() && !group.has_easy_member() && self.is_congested(member, now) {
            effects.slowed_by_queue(member);
        }
    }

    /// Gives a message of a shared subscription to another member; false if it is none or nobody took it.
    pub(super) fn pass_on(&self, delivery: &Delivery, takers: Takers, now: Time, effects: &mut Effects) -> bool {
        // The group may have come to an end since, and another of the same name may have come into being.
        let Some(group) = delivery.share().and_then(|share| self.group(share)) else { return false };
        let Some(message) = self.message_of(delivery) else { return false };
        let mut outgoing = Outgoing::from_message(&message, now);
        effects.encoder.reset();
        self.deliver_to_group(&group, &mut outgoing, takers, now, effects)
    }

    /// A member is not connected: what waits for it goes to those that are.
    pub(super) fn relieve(&self, session: &Arc<Session>, now: Time, effects: &mut Effects) {
        let shares = session.lock().queue.as_ref().map_or_else(Vec::new, |queue| queue.shares());
        for share in shares {
            let Some(group) = self.group(&share) else { continue };
            group.note_backlog();
            if group.has_ready_member() {
                self.hand_over(session, &share, Takers::Ready, now, effects);
            }
        }
    }

    /// What could not be given to others at the time, because some batch was not over.
    pub(super) fn relieve_later(&self, now: Time, effects: &mut Effects) {
        let unrelieved = std::mem::take(&mut *self.unrelieved.lock());
        unrelieved.iter().for_each(|session| self.relieve(session, now, effects));
    }

    /// A member is here: what waits for those of its groups that are not is given to those that are.
    pub(super) fn relieve_others(&self, session: &Arc<Session>, now: Time, effects: &mut Effects) {
        let shares: Vec<Members> = {
            let state = session.lock();
            let filters = state.subscriptions.iter().map(|own| &own.filter);
            filters.filter(|filter| filter.starts_with("$share/")).filter_map(|filter| self.group(filter)).collect()
        };
        for group in shares {
            for absent in group.take_backlog() {
                self.relieve(&absent, now, effects);
            }
        }
    }

    /// A member has unsubscribed: what was not sent to it goes to the others. What was sent is completed with it
    /// [MQTT-3.10.4-3], and where nobody else is left, it gets the rest too.
    pub(super) fn release(&self, session: &Arc<Session>, name: &str, now: Time, effects: &mut Effects) {
        if self.group(name).is_some() {
            self.hand_over(session, name, Takers::WithRoom, now, effects);
        }
    }

    /// Takes the messages of a shared subscription out of a session's queue and gives them to other members, in their order.
    /// When nobody takes one, it and those behind it go back to where they were.
    fn hand_over(&self, session: &Arc<Session>, name: &str, takers: Takers, now: Time, effects: &mut Effects) {
        let (taken, principal) = {
            let mut state = session.lock();
            // It has come back meanwhile.
            if state.ended || (takers == Takers::Ready && state.link.is_some()) || state.queue.is_none() {
                return;
            }
            // Somebody else would have, and speak of, what the store has not even heard of.
            if state.outbox.awaits_batch() {
                return self.unrelieved.lock().push(Arc::clone(session));
            }
            (state.full, state.crowded) = (false, false);
            let mut held = Held { broker: self, session, state: &mut state, effects, now };
            (held.with_queue(|queue| queue.take_shared(name)), state.principal().cloned())
        };
        let mut rest = taken.into_iter();
        let mut gone = Vec::new();
        let mut left = Vec::new();
        for delivery in rest.by_ref() {
            if delivery.is_expired(now) {
                effects.dropped(session, principal.as_ref(), delivery.topic(), DropReason::Expired);
            } else if !self.pass_on(&delivery, takers, now, effects) {
                left.push(delivery);
                break;
            }
            gone.push(delivery.entry);
        }
        left.extend(rest);
        self.take_back(session, &gone, left, now, effects);
    }

    /// The end of a handing over: what others took is no more this session's, what is left still is.
    fn take_back(
        &self,
        session: &Arc<Session>,
        gone: &[EntryNumber],
        left: Vec<Delivery>,
        now: Time,
        effects: &mut Effects,
    ) {
        let mut state = session.lock();
        if state.ended {
            let principal = state.principal().cloned();
            drop(state);
            for delivery in left {
                if !self.pass_on(&delivery, Takers::Anyone, now, effects) {
                    effects.dropped(session, principal.as_ref(), delivery.topic(), DropReason::SessionEnded);
                }
            }
            return;
        }
        let bounds = Bounds::new(&self.limits, state.queued_messages_max);
        let mut held = Held { broker: self, session, state: &mut state, effects, now };
        gone.iter().for_each(|&entry| held.strike_out(entry));
        if left.is_empty() {
            return;
        }
        let mut dropped = Vec::new();
        held.with_queue(|queue| queue.put_back(left, bounds, |delivery| dropped.push(delivery)));
        for delivery in dropped {
            held.give_up(delivery.entry, delivery.topic(), DropReason::QueueFull);
        }
        held.pump();
    }

    /// The group of a filter as clients write it, `$share/NAME/FILTER`.
    pub(super) fn group(&self, name: &str) -> Option<Members> {
        let (share, filter) = TopicFilter::new(name).ok()?.share()?;
        self.subscriptions.group(filter, share)
    }
}

fn terms<'a>(group: &'a Members, outgoing: &Outgoing<'_>, options: &'a Options, may_refuse: bool) -> Terms<'a> {
    Terms {
        qos: outgoing.qos.min(options.qos),
        retain: outgoing.retain && options.retain_as_published,
        subscription_ids: options.subscription_id.as_slice(),
        group: Some(group),
        may_refuse,
    }
}

/// So many members may have no room before the next one is not asked: under overload a message costs no more than this.
const REFUSALS_MAX: usize = 8;
