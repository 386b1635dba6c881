//! What most sessions lack most of the time, in one box: a session that has none of it pays a pointer.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use super::hold::PartNumber;
use super::replay::{Owed, Replay};
use super::state::{Absence, State};
use super::{CloseReason, ConnectionNumber, Decided, Work, register};
use crate::Time;
use crate::store::Ticket;

/// The rare parts of a session's state. The box is gone when the last of them is.
#[derive(Default)]
pub(super) struct Rare {
    /// Retained messages that new subscriptions are owed.
    replay: Option<Box<Replay>>,
    /// Whose turn it is, when both queue and replay wait.
    replay_next: bool,
    /// What only the clock brings about, while there is no connection.
    absence: Option<Absence>,
    /// Acknowledgements that wait for the store.
    gated: Option<Box<Gated>>,
    /// What was decided of deliveries and is not carried out yet.
    decided: Option<Box<Decided>>,
    /// Connections that lost the session and whose tasks have not closed them yet.
    departed: Box<[Departed]>,
}

/// Encoded acknowledgements in their order, each batch with the ticket it waits for. A later batch waits for the earlier ones.
type Gated = VecDeque<(Ticket, Vec<u8>)>;

/// A connection that was displaced.
pub(super) struct Departed {
    pub(super) number: ConnectionNumber,
    pub(super) waker: Option<Waker>,
    /// Somebody other than its own task is writing on it.
    pub(super) visited: bool,
    pub(super) cut_off: bool,
    /// Nothing reaches the client on its newer connection before this one has told the store all it knew.
    pub(super) part: Option<PartNumber>,
}

impl Rare {
    fn is_empty(&self) -> bool {
        self.replay.is_none()
            && self.absence.is_none()
            && self.gated.is_none()
            && self.decided.is_none()
            && self.departed.is_empty()
    }
}

impl State {
    /// Changes one of the rare parts, whether there is any or not.
    fn change_rare<R>(&mut self, change: impl FnOnce(&mut Rare) -> R) -> R {
        let result = change(self.rare.get_or_insert_default());
        self.rare.take_if(|rare| rare.is_empty());
        result
    }

    /// Changes one of the rare parts, if there is any.
    fn tidy_rare<R>(&mut self, change: impl FnOnce(&mut Rare) -> R) -> Option<R> {
        self.rare.is_some().then(|| self.change_rare(change))
    }

    /// The retained messages that new subscriptions are owed, if they are owed any.
    pub(crate) fn replay(&mut self) -> Option<&mut Replay> {
        self.rare.as_mut()?.replay.as_deref_mut()
    }

    /// A new subscription is owed retained messages.
    pub(crate) fn owe(&mut self, owed: Owed) {
        self.change_rare(|rare| rare.replay.get_or_insert_default().push(owed));
    }

    /// Nothing more is owed, but for what `keep` leaves.
    pub(crate) fn settle_owed(&mut self, keep: impl FnOnce(&mut Replay)) {
        self.tidy_rare(|rare| {
            if let Some(replay) = rare.replay.as_deref_mut() {
                keep(replay);
            }
            rare.replay.take_if(|replay| replay.is_empty());
        });
    }

    /// Whether it is the turn of what is owed, when the queue waits too. Each time it is the other's.
    pub(crate) fn is_turn_of_replay(&mut self) -> bool {
        self.rare.as_mut().is_some_and(|rare| {
            rare.replay_next = !rare.replay_next;
            rare.replay_next
        })
    }

    /// Whether retained messages are owed.
    pub(crate) fn owes(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.replay.is_some())
    }

    /// The subscription whose turn it is of those that retained messages are owed for.
    pub(super) fn owed(&self) -> Option<&Owed> {
        self.rare.as_ref()?.replay.as_ref()?.first()
    }

    /// What was decided of deliveries, for whoever carries it out and puts back what is left.
    pub(crate) fn take_decided(&mut self) -> Option<Box<Decided>> {
        self.tidy_rare(|rare| rare.decided.take()).flatten()
    }

    /// This was decided of deliveries, and nothing else.
    pub(crate) fn set_decided(&mut self, decided: Option<Box<Decided>>) {
        match decided.filter(|decided| !decided.is_empty()) {
            None => self.tidy_rare(|rare| rare.decided = None).unwrap_or_default(),
            decided => self.change_rare(|rare| rare.decided = decided),
        }
    }

    /// What is due while the session has no connection.
    pub(crate) fn absence(&self) -> Option<&Absence> {
        self.rare.as_ref()?.absence.as_ref()
    }

    /// As [`Self::absence`], to be changed.
    pub(crate) fn absence_mut(&mut self) -> Option<&mut Absence> {
        self.rare.as_mut()?.absence.as_mut()
    }

    /// Something else is due, or nothing any more. Returns what was.
    pub(crate) fn set_absence(&mut self, absence: Option<Absence>) -> Option<Absence> {
        if absence.is_none() && self.rare.is_none() {
            return None;
        }
        self.change_rare(|rare| std::mem::replace(&mut rare.absence, absence))
    }

    /// Whether acknowledgements wait for the store: later ones wait behind them.
    pub(crate) fn is_gated(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.gated.is_some())
    }

    /// These acknowledgements wait for a ticket.
    pub(crate) fn gate(&mut self, ticket: Ticket, replies: Vec<u8>) {
        self.change_rare(|rare| rare.gated.get_or_insert_default().push_back((ticket, replies)));
    }

    /// Moves the acknowledgements into the outbox that wait no longer.
    pub(super) fn open_gate(&mut self, is_durable: impl Fn(Ticket) -> bool) {
        let Some(gated) = self.rare.as_mut().and_then(|rare| rare.gated.as_mut()) else { return };
        while let Some((_, replies)) = gated.pop_front_if(|(ticket, _)| is_durable(*ticket)) {
            self.outbox.buffer().extend_from_slice(&replies);
        }
        self.tidy_rare(|rare| rare.gated.take_if(|gated| gated.is_empty()));
    }

    /// The connection is gone for which acknowledgements waited.
    pub(super) fn forget_gated(&mut self) {
        self.tidy_rare(|rare| rare.gated = None);
    }

    /// A connection was displaced.
    pub(super) fn depart(&mut self, connection: Departed) {
        self.change_rare(|rare| {
            let mut departed = std::mem::take(&mut rare.departed).into_vec();
            departed.push(connection);
            rare.departed = departed.into();
        });
    }

    /// The displaced connections that have not closed.
    pub(super) fn departed(&self) -> &[Departed] {
        self.rare.as_ref().map_or(&[], |rare| &rare.departed)
    }

    fn departed_mut(&mut self, number: ConnectionNumber) -> Option<&mut Departed> {
        self.rare.as_mut()?.departed.iter_mut().find(|departed| departed.number == number)
    }

    /// What waits for the last word of a displaced connection to the store.
    pub(crate) fn awaits(&self, number: ConnectionNumber) -> Option<PartNumber> {
        self.departed().iter().find(|departed| departed.number == number)?.part
    }

    /// Whether a connection that had the session has not said its last word to the store.
    pub(crate) fn awaits_any(&self) -> bool {
        self.departed().iter().any(|departed| departed.part.is_some())
    }

    /// Forgets a displaced connection; it has closed. The waker is for after the lock.
    pub(crate) fn forget_departed(&mut self, number: ConnectionNumber) -> Option<Waker> {
        let at = self.departed().iter().position(|departed| departed.number == number)?;
        self.tidy_rare(|rare| {
            let mut departed = std::mem::take(&mut rare.departed).into_vec();
            departed.swap_remove(at);
            rare.departed = departed.into();
        });
        self.link.as_mut()?.waker.take()
    }

    /// The owner of a displaced connection asks what to do: close, once nobody writes on it any more.
    pub(crate) fn poll_departed(&mut self, number: ConnectionNumber, context: &Context<'_>) -> Poll<Work> {
        match self.departed_mut(number) {
            Some(departed) if departed.visited => {
                register(&mut departed.waker, context);
                Poll::Pending
            }
            _ => Poll::Ready(Work::Close(CloseReason::TakenOver)),
        }
    }

    /// The writer of a displaced connection is done; its owner may close it now.
    pub(crate) fn departed_stopped_writing(&mut self, number: ConnectionNumber, cut_off: bool) -> Option<Waker> {
        let departed = self.departed_mut(number)?;
        departed.visited = false;
        departed.cut_off = cut_off;
        departed.waker.take()
    }

    /// When the delayed Will is due.
    pub(crate) fn will_due(&self) -> Option<Time> {
        self.absence()?.will_due
    }

    /// When the session ends, if nobody comes back.
    pub(crate) fn expires_at(&self) -> Option<Time> {
        self.absence()?.expires_at
    }
}
