//! The end of a connection: what becomes of its Will and its session.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use midge_protocol::ReasonCode;

use super::Broker;
use crate::connection::Connection;
use crate::effects::Effects;
use crate::event::{About, SessionEnd};
use crate::session::state::{Absence, State};
use crate::session::{CloseReason, Session, wake};
use crate::{Time, Will};

/// Why a connection ended, as far as its Will and its session depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client sent DISCONNECT.
    Disconnected {
        /// With any reason but 0x00: the Will is published all the same.
        with_will: bool,
        /// A new Session Expiry Interval, in seconds.
        session_expiry: Option<u32>,
    },
    /// The connection closed without DISCONNECT: the network failed, the Keep Alive ran out, a rule was broken, or the broker
    /// wanted it closed.
    Lost,
    /// The server shuts down. The Will is published as after any loss, unless [`Broker::withhold_wills`] was called: that may
    /// be put off (3.1.2.5).
    Shutdown,
}

impl Broker {
    /// Ends a connection. Its session ends too, or waits; its Will is published, waits, or is forgotten. If another connection
    /// has taken the session over, only the connection itself is forgotten: all else was decided then.
    pub fn close(&self, connection: Connection, ending: Ending, now: Time, effects: &mut Effects) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        let Connection { session, number, session_expiry_max, .. } = connection;
        let mut state = session.lock();
        if state.link.as_ref().is_none_or(|link| link.number != number) {
            // Before its successor can say anything.
            if let Some(part) = state.awaits(number) {
                effects.say_last_word(Arc::clone(&session), part, self);
            }
            let waker = state.forget_departed(number);
            drop(state);
            wake(waker);
            return;
        }
        if state.ended {
            state.detach();
            return;
        }
        match ending {
            Ending::Disconnected { with_will, session_expiry } => {
                if !with_will {
                    state.will = None;
                }
                if let Some(expiry) = session_expiry.filter(|_| state.is_persistent()) {
                    state.session_expiry = expiry.min(session_expiry_max);
                }
            }
            Ending::Shutdown if self.withholds_wills() && !state.is_persistent() => state.will = None,
            Ending::Lost | Ending::Shutdown => {}
        }
        if state.is_persistent() {
            let withheld = ending == Ending::Shutdown && self.withholds_wills();
            let due = self.leave(&session, &mut state, withheld, now, effects);
            let about = About::new(&session, state.principal());
            drop(state);
            if let Some(will) = due {
                self.publish_will(&about, *will, now, effects);
            }
            self.relieve(&session, now, effects);
            return;
        }
        let remains = self.end(&session, &mut state, SessionEnd::Closed, effects);
        state.detach();
        drop(state);
        self.bury(&session, remains, now, effects);
    }

    /// Ends a client's session, and says whether it has one. If it is connected, its connection is closed with this reason and
    /// the session ends with it; else it ends at once. Its Will is published as after any loss of the connection.
    pub fn end_session(&self, client_id: &str, reason: ReasonCode, now: Time, effects: &mut Effects) -> bool {
        let Some(session) = self.registry.find(client_id) else { return false };
        let mut state = session.lock();
        if let Some(link) = &mut state.link {
            let waker = link.close_for(CloseReason::Administrative(reason));
            state.session_expiry = 0;
            drop(state);
            wake(waker);
            return true;
        }
        let remains = self.end(&session, &mut state, SessionEnd::Administrative, effects);
        drop(state);
        self.bury(&session, remains, now, effects)
    }

    /// The session stays without a connection, until its deadline. Returns the Will if it is due at once, and not `withheld`.
    fn leave(
        &self,
        session: &Arc<Session>,
        state: &mut State,
        withheld: bool,
        now: Time,
        effects: &mut Effects,
    ) -> Option<Box<Will>> {
        state.detach();
        let expires_at = (state.session_expiry < u32::MAX).then(|| now.after_seconds(state.session_expiry));
        let delay = state.will.as_ref().map(|will| will.delay);
        let will_due = delay.filter(|&delay| delay > 0 || withheld).map(|delay| now.after_seconds(delay));
        state.set_absence(Absence::until(will_due, expires_at));
        self.schedule(session, state);
        let due = if will_due.is_none() { state.will.take() } else { None };
        effects.note_session(session, state);
        due
    }
}
