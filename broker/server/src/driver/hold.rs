//! A publisher that is not read again before there is room for what it says.
//!
//! Nothing behind the PUBLISH that found too little room is looked at meanwhile, and so nothing behind it is acknowledged; the
//! client is slowed by its own window and by TCP. Whether there is room again is looked for every now and then: subscribers
//! need not know who waits for them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use midge_core::{Session, Time};
use tokio::time::{Instant, Sleep, sleep};

use crate::node::Node;
use crate::slowed::Cause;

/// A wait for room.
pub(crate) struct Hold {
    lack: Lack,
    since: Time,
    /// How long until the next look.
    step: Duration,
    sleep: Pin<Box<Sleep>>,
}

/// What there is too little of.
pub(crate) enum Lack {
    /// Room in the queue of this session.
    Room(Arc<Session>),
    /// Memory.
    Memory,
}

impl Hold {
    /// Waits from `now` on, and for as long as the client has to be silent anyway.
    pub(super) fn new(lack: Lack, owed: Option<Duration>, now: Time) -> Self {
        let step = owed.unwrap_or_default().max(FIRST_LOOK);
        Self { lack, since: now, step: FIRST_LOOK, sleep: Box::pin(sleep(step)) }
    }

    /// Ready when the client, whose session is `own`, may go on.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, node: &Node, own: &Session) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(context));
            let now = node.clock.now();
            let waited = now.since(self.since);
            if waited >= self.at_most(node, own) || !self.lack.persists(node, now) {
                node.slowed_down(self.lack.cause(), self.lack.session(), waited);
                return Poll::Ready(());
            }
            self.step = (self.step * 2).min(LATER_LOOKS);
            self.sleep.as_mut().reset(Instant::now() + self.step);
        }
    }

    /// How long the client is not read. One that owes acknowledgements sends them behind what it publishes: those it holds up
    /// may be the very ones it waits for, so it is only slowed.
    fn at_most(&self, node: &Node, own: &Session) -> Duration {
        match &self.lack {
            Lack::Room(_) if own.is_owing() => OWING_MAX,
            Lack::Room(_) => node.broker.limits().slow_down_max,
            Lack::Memory if own.is_owing() => MEMORY_OWING_MAX,
            Lack::Memory => MEMORY_MAX,
        }
    }
}

impl Lack {
    fn persists(&self, node: &Node, now: Time) -> bool {
        match self {
            Self::Room(session) => node.broker.is_congested(session, now),
            Self::Memory => node.memory.is_tight(),
        }
    }

    fn cause(&self) -> Cause {
        match self {
            Self::Room(_) => Cause::Queue,
            Self::Memory => Cause::Memory,
        }
    }

    fn session(&self) -> Option<&Session> {
        match self {
            Self::Room(session) => Some(session),
            Self::Memory => None,
        }
    }
}

/// A client that takes what it gets has room again soon.
const FIRST_LOOK: Duration = Duration::from_millis(2);
/// Each look is twice as late as the one before, up to this.
const LATER_LOOKS: Duration = Duration::from_millis(32);
/// For a client that owes acknowledgements.
const OWING_MAX: Duration = Duration::from_millis(5);
/// One PUBLISH in this time is taken even where memory is short: clients are not to think that the broker is dead.
const MEMORY_MAX: Duration = Duration::from_secs(5);
const MEMORY_OWING_MAX: Duration = Duration::from_millis(100);
