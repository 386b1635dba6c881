//! Whether there is room for a message in every queue it would wait in, for brokers that refuse it otherwise.

use std::sync::Arc;

use midge_protocol::QoS;

use super::Broker;
use super::deliver::Held;
use super::deliver::outgoing::Outgoing;
use crate::Time;
use crate::effects::Effects;
use crate::event::DropReason;
use crate::session::Session;
use crate::subscriptions::{Match, Route};

impl Broker {
    /// Whether somebody's queue would overflow, who is then named in the count. Of two messages that come at the same time, both
    /// may find room for one: the later is dropped and counted then.
    pub(super) fn overfills(&self, outgoing: &mut Outgoing<'_>, now: Time, effects: &mut Effects) -> bool {
        if outgoing.qos == QoS::AtMostOnce {
            return false;
        }
        let mut full = false;
        self.subscriptions.matches(outgoing.topic, |found| {
            full |= match found {
                Match::Subscriber(routes) => self.overfills_one(routes, outgoing, now, effects),
                Match::Group(group) => group.is_full(),
            };
        });
        full
    }

    fn overfills_one(
        &self,
        routes: &[Route<Arc<Session>>],
        outgoing: &mut Outgoing<'_>,
        now: Time,
        effects: &mut Effects,
    ) -> bool {
        let wanted = |route: &&Route<Arc<Session>>| route.options.qos > QoS::AtMostOnce && outgoing.is_for(route);
        let Some(Route { subscriber: session, .. }) = routes.iter().find(wanted) else { return false };
        let mut state = session.lock();
        if state.ended {
            return false;
        }
        let overfills = Held { broker: self, session, state: &mut state, effects, now }.lacks_room_for(outgoing);
        if overfills {
            effects.dropped(session, state.principal(), outgoing.topic, DropReason::Refused);
        }
        overfills
    }
}
