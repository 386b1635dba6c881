//! Deliveries that somebody else decides on: what is asked, and what was said.

use std::collections::VecDeque;

use midge_protocol::QoS;

use super::state::{LOADED_AT_ONCE, LOADED_BYTES_AT_ONCE, Link, State};
use super::{ConnectionNumber, Session};
use crate::Message;

/// May the client have this message, as it would be sent?
#[derive(Clone, Debug)]
pub struct DeliveryQuestion {
    /// The message.
    pub message: Message,
    /// The `QoS` it would be sent with.
    pub qos: QoS,
    /// The RETAIN it would be sent with.
    pub retain: bool,
}

/// How far a connection is with asking whether its client may have what is to be sent next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Asking {
    /// Nobody is to be asked.
    #[default]
    Never,
    /// There is nothing to ask about.
    Idle,
    /// Its owner is to be told.
    Wanted,
    /// Its owner asks.
    Underway,
    /// Its owner waits for the answer.
    Awaited,
}

/// What was decided and is not carried out yet, in the order in which it was asked.
#[derive(Debug, Default)]
pub(crate) struct Decided(VecDeque<(DeliveryQuestion, bool)>);

impl Decided {
    pub(crate) fn new(verdicts: Vec<(DeliveryQuestion, bool)>) -> Self {
        Self(verdicts.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this may be sent; none if that was not decided. Of what was asked twice, each answer is for once.
    pub(crate) fn take(&mut self, message: &Message, qos: QoS, retain: bool) -> Option<bool> {
        let is_it = |(asked, _): &(DeliveryQuestion, bool)| {
            asked.message.is(message) && asked.qos == qos && asked.retain == retain
        };
        let at = self.0.iter().position(is_it)?;
        self.0.remove(at).map(|(_, allowed)| allowed)
    }
}

impl State {
    /// Whether somebody is to be asked about each message before it is sent on the connection there is.
    pub(crate) fn is_asked_about(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.asking != Asking::Never)
    }

    /// What would be sent next, and so has to be asked about: as much as is worth asking about at once, and no more than could
    /// be sent. Retained messages and the queue take turns, so there is something of each.
    pub(crate) fn undecided(&self) -> Vec<DeliveryQuestion> {
        let room = self.room();
        let mut questions = Vec::new();
        let owed = self.owed().into_iter().flat_map(|owed| {
            let question = |message: &Message| (message.qos().min(owed.qos), true, message.clone());
            owed.found.iter().map(question)
        });
        choose(&mut questions, owed, room);
        let queued = self.queue.iter().flat_map(|queue| queue.iter()).map_while(|delivery| {
            let message = delivery.message()?;
            Some((delivery.qos(), delivery.retain(), message.clone()))
        });
        choose(&mut questions, queued, room);
        questions
    }

    /// How many new QoS 1 and 2 messages may be sent now.
    fn room(&self) -> usize {
        match (&self.window, &self.link) {
            (Some(window), _) => window.room(),
            (None, link) => link.as_ref().map_or(0, |link| link.quota.into()),
        }
    }
}

impl Session {
    /// For an owner that was told to ask about deliveries: the answer takes its time, and no publisher is to wait for it.
    pub fn await_verdicts(&self, number: ConnectionNumber) {
        if let Some((link, _)) = self.lock().link_of(number).filter(|(link, _)| link.is_asking()) {
            link.asking = Asking::Awaited;
        }
    }
}

impl Link {
    /// Whether its owner asks about deliveries.
    pub(crate) fn is_asking(&self) -> bool {
        matches!(self.asking, Asking::Underway | Asking::Awaited)
    }
}

/// Adds the first of what waits in one place, up to where it would have to wait on.
fn choose(questions: &mut Vec<DeliveryQuestion>, waiting: impl Iterator<Item = (QoS, bool, Message)>, mut room: usize) {
    let mut bytes = 0;
    for (qos, retain, message) in waiting.take(LOADED_AT_ONCE) {
        if bytes >= LOADED_BYTES_AT_ONCE || (qos > QoS::AtMostOnce && room == 0) {
            return;
        }
        bytes += message.weight();
        room -= usize::from(qos > QoS::AtMostOnce);
        questions.push(DeliveryQuestion { message, qos, retain });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use midge_protocol::TopicName;

    use super::*;

    fn question(topic: &str) -> DeliveryQuestion {
        let message = Message::new(TopicName::new(topic).unwrap(), "x");
        DeliveryQuestion { message, qos: QoS::AtLeastOnce, retain: false }
    }

    #[test]
    fn an_answer_is_for_that_very_message_sent_that_way_and_for_once() {
        let (a, b) = (question("a"), question("a"));
        let mut decided = Decided::new(vec![(a.clone(), false), (b.clone(), true), (b.clone(), true)]);
        assert_eq!(decided.take(&b.message, QoS::AtMostOnce, false), None, "another QoS");
        assert_eq!(decided.take(&b.message, QoS::AtLeastOnce, true), None, "retained");
        assert_eq!(decided.take(&b.message, QoS::AtLeastOnce, false), Some(true));
        assert_eq!(decided.take(&b.message, QoS::AtLeastOnce, false), Some(true));
        assert_eq!(decided.take(&b.message, QoS::AtLeastOnce, false), None);
        assert_eq!(decided.take(&a.message, QoS::AtLeastOnce, false), Some(false));
        assert!(decided.is_empty());
    }

    #[test]
    fn no_more_is_asked_about_than_the_quota_leaves_room_for() {
        let waiting = |qos: [QoS; 4]| qos.map(|qos| (qos, false, question("a").message)).into_iter();
        let count = |qos, room| {
            let mut questions = Vec::new();
            choose(&mut questions, waiting(qos), room);
            questions.len()
        };
        let (none, one) = (QoS::AtMostOnce, QoS::AtLeastOnce);
        assert_eq!(count([none, one, one, none], 1), 2);
        assert_eq!(count([none; 4], 0), 4);
        assert_eq!(count([one; 4], 0), 0);
    }
}
