//! Messages the broker says it dropped: whether it may have, and which that can have been.

use std::collections::BTreeMap;

use midge_core::{DropReason, QueuePolicy, Statistics};
use midge_protocol::QoS;

use super::{Copy, Loss, Name, Oracle, Session, Verdict, is_over};

/// What the broker says it dropped.
pub(crate) struct Drop<'a> {
    pub(crate) name: &'a str,
    /// The topic of the first of them; empty where only the store knew it.
    pub(crate) topic: &'a str,
    pub(crate) reason: DropReason,
    pub(crate) count: u64,
    /// The one publication that was being routed, if it was one.
    pub(crate) routed: Option<usize>,
}

impl Drop<'_> {
    fn is_about(&self, topic: &str) -> bool {
        self.topic.is_empty() || self.topic == topic
    }
}

/// What happened, counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) created: u64,
    pub(crate) resumed: u64,
    pub(crate) taken_over: u64,
    pub(crate) ended: u64,
    pub(crate) wills: u64,
    /// PUBLISH packets from clients, by QoS.
    pub(crate) received: [u64; 3],
    dropped: BTreeMap<&'static str, u64>,
}

impl Oracle {
    /// The broker dropped messages: an error if it had no reason to.
    pub(crate) fn dropped(&mut self, drop: &Drop<'_>) -> Verdict {
        *self.told.dropped.entry(drop.reason.name()).or_default() += drop.count;
        if !self.sessions.contains_key(drop.name) {
            return Ok(());
        }
        let reason_holds = match drop.reason {
            // It is reported in the moment the session ends, after which there is none, or a new one.
            DropReason::SessionEnded => true,
            DropReason::Expired => self.any_expired(drop),
            DropReason::TooLarge => self.drop_too_large(drop),
            DropReason::QueueFull => self.drop_from_queue(drop),
            DropReason::OutboxFull => self.drop_from_outbox(drop),
            // The model of a store loses nothing, and no simulated broker refuses or asks.
            DropReason::Unreadable | DropReason::Refused | DropReason::Denied => false,
        };
        if reason_holds {
            return Ok(());
        }
        Err(format!("{} messages for {} were dropped, {:?}, which they are not", drop.count, drop.name, drop.reason))
    }

    /// Closing a client for being slow is for brokers that are told to, and whose outbox is small.
    pub(crate) fn check_slow(&self, name: Name) -> Verdict {
        let disconnects = self.limits.outbox_policy == midge_core::OutboxPolicy::Disconnect;
        if disconnects && self.limits.outbox_bytes_max < LARGE { Ok(()) } else { Err(format!("{name} was not slow")) }
    }

    /// What the broker counted is what it told, and what it told is what had to happen.
    pub(crate) fn check_counted(&self, counted: &Statistics) -> Verdict {
        let Told { created, resumed, taken_over, ended, wills, .. } = self.told;
        let told = [created, resumed, taken_over, ended, wills];
        let due = [self.due.created, self.due.resumed, self.due.taken_over, self.due.ended, self.due.wills];
        if told != due {
            return Err(format!("sessions created, resumed, taken over, ended, Wills: {due:?} are due, told {told:?}"));
        }
        let of = |reason: DropReason| self.told.dropped.get(reason.name()).copied().unwrap_or(0);
        let told = [created, resumed, taken_over, wills]
            .into_iter()
            .chain([DropReason::QueueFull, DropReason::OutboxFull, DropReason::TooLarge].map(of))
            .chain([DropReason::Expired, DropReason::SessionEnded].map(of))
            .chain(self.told.received);
        let counted = [
            counted.sessions_created,
            counted.sessions_resumed,
            counted.sessions_taken_over,
            counted.wills_published,
            counted.dropped_queue_full,
            counted.dropped_outbox_full,
            counted.dropped_too_large,
            counted.dropped_expired,
            counted.dropped_session_ended,
            counted.messages_received_qos0,
            counted.messages_received_qos1,
            counted.messages_received_qos2,
        ];
        if told.clone().eq(counted) {
            return Ok(());
        }
        Err(format!("{counted:?} are counted, {:?} were told", told.collect::<Vec<u64>>()))
    }

    /// No session has more waiting than it may.
    pub(crate) fn check_queues(&self, counted: &Statistics) -> Verdict {
        let most: usize = self.sessions.values().map(|session| session.queue_most).sum();
        let queued = counted.queued_messages;
        if queued <= most as u64 { Ok(()) } else { Err(format!("{queued} messages wait, at most {most} may")) }
    }

    /// [MQTT-3.3.2-5]
    fn any_expired(&self, drop: &Drop<'_>) -> bool {
        let Some((name, session)) = self.sessions.iter().find(|(name, _)| **name == drop.name) else { return true };
        if session.connected == session.made && session.owed.is_empty() {
            // It was dropped as the client's session before this one ended.
            return true;
        }
        let of_topic = |publication: usize| drop.is_about(&self.publications[publication].topic);
        let own = session.owed.iter().any(|copy| is_over(copy.expires_at, self.now) && of_topic(copy.publication));
        let member = (*name, session.made);
        let mut shared = self.shared.iter().filter(|copy| copy.concerns(member));
        own || shared.any(|copy| is_over(copy.expires_at, self.now) && of_topic(copy.publication))
    }

    /// What the client's Maximum Packet Size forbids to send is dropped for this client alone [MQTT-3.1.2-24],
    /// [MQTT-3.1.2-25]. That it was sent before does not help it on a connection where it does not fit.
    fn drop_too_large(&mut self, drop: &Drop<'_>) -> bool {
        let Self { sessions, shared, publications, .. } = self;
        let Some((name, session)) = find(sessions, drop.name) else { return true };
        let (most, version) = (session.packet_bytes_max, session.version);
        let mut fitting = false;
        for copy in session.owed.iter_mut().filter(|copy| copy.lost == Loss::No) {
            let publication = &publications[copy.publication];
            if publication.packet_bytes(&copy.form, version) > most {
                copy.lost = Loss::Perhaps;
                fitting |= drop.is_about(&publication.topic);
            }
        }
        fitting |= session.owed.iter().any(|copy| copy.lost == Loss::Perhaps);
        session.drops += drop.count;
        let member = (name, session.made);
        for copy in shared.iter_mut() {
            let publication = &publications[copy.publication];
            let own = copy.members.iter().chain(&copy.joined).filter(|(name, made, _)| (*name, *made) == member);
            if own.into_iter().any(|(_, _, form)| publication.packet_bytes(form, version) > most) {
                copy.lost = Loss::Perhaps;
                fitting |= drop.is_about(&publication.topic);
            }
        }
        fitting
    }

    /// A full queue loses the message that waited longest or the one that just came, as the operator chose. Either way
    /// there have to be more than it may hold.
    fn drop_from_queue(&mut self, drop: &Drop<'_>) -> bool {
        let Self { sessions, shared, limits, publications, .. } = self;
        let Some((name, session)) = find(sessions, drop.name) else { return true };
        if session.shares {
            mark_shared(shared, (name, session.made));
            session.mark(drop.count, 0, |copy| copy.form.qos > QoS::AtMostOnce);
            return true;
        }
        let number = |copy: &Copy| publications[copy.publication].number;
        // A message that came as retained looks like the same one, published again.
        let stands_in = |copy: &Copy| {
            let came = |other: &Copy| other.waits() && other.receipt.is_some() && number(other) == number(copy);
            copy.form.qos > QoS::AtMostOnce && session.owed.iter().any(came)
        };
        let here = |copy: &&Copy| copy.receipt.is_none() && copy.lost != Loss::Yes && (copy.waits() || stands_in(copy));
        let perhaps_gone = session.owed.iter().filter(here).filter(|copy| copy.lost == Loss::Perhaps).count();
        let waiting = session.owed.iter().filter(here).count() - session.queue_drops.min(perhaps_gone);
        let full = waiting >= session.queue_max + drop.count as usize;
        let newest = session.owed.iter_mut().rfind(|copy| copy.waits());
        match (limits.queue_policy, drop.routed, newest) {
            (QueuePolicy::DropNewest, Some(routed), Some(copy)) => {
                let right = copy.publication == routed && drop.count == 1;
                (copy.lost, copy.must) = (Loss::Yes, false);
                return full && right;
            }
            // What came last has not waited longest: the queue is full of it.
            (QueuePolicy::DropOldest, ..) => session.mark(drop.count, session.queue_max, Copy::waits),
            (QueuePolicy::DropNewest | QueuePolicy::Refuse, ..) => session.mark(drop.count, 0, Copy::waits),
        }
        session.queue_drops += drop.count as usize;
        full
    }

    /// QoS 0 messages for a client that does not read.
    fn drop_from_outbox(&mut self, drop: &Drop<'_>) -> bool {
        let Self { sessions, shared, limits, .. } = self;
        let Some((name, session)) = find(sessions, drop.name) else { return true };
        let may_be = |copy: &Copy| copy.form.qos == QoS::AtMostOnce && copy.retained_for.is_none();
        match session.owed.last_mut().filter(|copy| Some(copy.publication) == drop.routed && may_be(copy)) {
            Some(copy) if !session.shares => (copy.lost, copy.must) = (Loss::Yes, false),
            _ => {
                mark_shared(shared, (name, session.made));
                session.mark(drop.count, 0, may_be);
            }
        }
        limits.outbox_bytes_max < LARGE
    }
}

impl Session {
    /// So many of these copies were dropped; not among the newest ones.
    fn mark(&mut self, count: u64, newest: usize, these: impl Fn(&Copy) -> bool) {
        self.drops += count;
        for copy in self.owed.iter_mut().rev().filter(|copy| these(copy)).skip(newest) {
            if copy.lost == Loss::No && copy.receipt.is_none() {
                copy.lost = Loss::Perhaps;
            }
        }
    }
}

impl Copy {
    /// Whether it is of the kind that goes through the queue.
    fn waits(&self) -> bool {
        self.form.qos > QoS::AtMostOnce && self.retained_for.is_none()
    }
}

fn mark_shared(shared: &mut [super::SharedCopy], member: (Name, u64)) {
    for copy in shared.iter_mut().filter(|copy| copy.concerns(member)) {
        copy.lost = Loss::Perhaps;
    }
}

fn find<'a>(sessions: &'a mut BTreeMap<Name, Session>, name: &str) -> Option<(Name, &'a mut Session)> {
    sessions.iter_mut().find(|(own, _)| **own == name).map(|(own, session)| (*own, session))
}

/// An outbox this large is never full here.
const LARGE: usize = 100_000;
