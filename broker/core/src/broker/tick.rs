//! What only the clock brings about: delayed Wills, the end of sessions, expired retained messages.

use std::sync::Arc;

use super::Broker;
use crate::Time;
use crate::effects::Effects;
use crate::event::{About, SessionEnd};
use crate::session::Session;
use crate::session::state::Absence;
use crate::store::Change;

impl Broker {
    /// Does what is due, within `tick_work_max`; what is left comes with the next call. To be called about once a second.
    pub fn tick(&self, now: Time, effects: &mut Effects) {
        if self.withholds_wills() {
            return;
        }
        self.relieve_later(now, effects);
        let mut due = Vec::new();
        self.wheel.lock().expired(now, self.limits.tick_work_max, &mut due);
        for session in due {
            self.fall_due(&session, now, effects);
        }
        let mut expired = Vec::new();
        self.retained.expire(now, self.limits.tick_work_max, &mut expired);
        for message in expired.iter().filter(|message| self.keeps_retained(message.topic())) {
            effects.change(Change::RetainedCleared { topic: message.topic().into() });
        }
    }

    /// A disconnected session's deadline came: its Will, its end, or both, the Will first.
    fn fall_due(&self, session: &Arc<Session>, now: Time, effects: &mut Effects) {
        let mut state = session.lock();
        if let Some(absence) = state.absence_mut() {
            absence.timer = None;
        }
        if state.link.is_some() || state.ended {
            return;
        }
        if state.expires_at().is_some_and(|deadline| deadline <= now) {
            let remains = self.end(session, &mut state, SessionEnd::Expired, effects);
            drop(state);
            effects.counters.sessions_expired += 1;
            self.bury(session, remains, now, effects);
            return;
        }
        let will = if state.will_due().is_some_and(|due| due <= now) { state.will.take() } else { None };
        if will.is_some() {
            let absence = Absence::until(None, state.expires_at());
            state.set_absence(absence);
            effects.note_session(session, &state);
        }
        self.schedule(session, &mut state);
        let about = About::new(session, state.principal());
        drop(state);
        if let Some(will) = will {
            self.publish_will(&about, *will, now, effects);
        }
    }
}
