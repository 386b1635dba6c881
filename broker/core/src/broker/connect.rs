//! CONNECT: a connection gets its session, new or resumed, perhaps from another connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use midge_protocol::ProtocolVersion;

use super::connack::{self, Agreed};
use super::deliver::Held;
use super::remains::Remains;
use super::{Broker, Gated};
use crate::connection::{ConnectRequest, Connection};
use crate::effects::Effects;
use crate::event::{About, Event, SessionEnd};
use crate::session::state::{Link, Loading, State};
use crate::session::{Asking, ConnectionNumber, Peer, Session, wake};
use crate::statistics::Counters;
use crate::store::{Change, Health};
use crate::{Refusal, Time, Will};

/// What the client gets, after our limits and its grant.
struct Settled {
    session_expiry: u32,
    keep_alive: u16,
    quota: u16,
    queued_messages_max: u32,
}

impl Settled {
    /// What the CONNACK says of it.
    fn agreed(&self, session_present: bool) -> Agreed {
        Agreed { session_present, session_expiry: self.session_expiry, keep_alive: self.keep_alive }
    }
}

/// A session that is now this connection's, and what is left to do once its locks are open.
struct Claimed {
    session: Arc<Session>,
    session_present: bool,
    /// The principal of this connection, and of the one before it.
    principal: Option<Arc<str>>,
    before: Option<Arc<str>>,
    /// The task of the connection that had it.
    displaced: Option<Waker>,
    taken_over: bool,
    /// The Will of that connection, if it is due.
    will: Option<Box<Will>>,
    /// The session that was in its place.
    remains: Option<Remains>,
}

impl Broker {
    /// Accepts a CONNECT. The CONNACK, and for a resumed session what has to be sent again, is in the outbox; an older
    /// connection of the client is told to close (0x8E).
    ///
    /// # Errors
    /// [`Refusal`] if a limit is reached; nothing has changed then, and the caller answers with its reason.
    pub fn connect(
        &self,
        mut request: ConnectRequest,
        peer: Arc<dyn Peer>,
        now: Time,
        effects: &mut Effects,
    ) -> Result<Connection, Refusal> {
        let settled = self.settle(&request);
        if !connack::fits(&request, &settled.agreed(false), &self.limits) {
            return Err(Refusal::ConnackTooLarge);
        }
        if settled.session_expiry > 0 && matches!(self.store.health(), Health::Refusing(_)) {
            effects.counters.connections_refused += 1;
            return Err(Refusal::StoreUnavailable);
        }
        self.admit().inspect_err(|_| effects.counters.connections_refused += 1)?;
        let number = ConnectionNumber(self.next_number());
        let link = self.link(&request, &settled, number, peer);
        let will = request.will.take();
        let claimed = self.claim(&request, &settled, link, will, now, effects).inspect_err(|_| {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            effects.counters.connections_refused += 1;
        })?;
        let mut connection = Connection::new(Arc::clone(&claimed.session), number, &request, &self.limits);
        connection.session_present = claimed.session_present;
        connection.keep_alive = settled.keep_alive;
        effects.counters.connections_accepted += 1;
        self.settle_claim(claimed, now, effects);
        Ok(connection)
    }

    /// Counts a CONNECT that the server has to refuse for want of something that it alone knows about.
    pub fn refuse(&self, refusal: Refusal) -> Refusal {
        self.totals.fold(&mut Counters { connections_refused: 1, ..Counters::default() });
        refusal
    }

    fn admit(&self) -> Result<(), Refusal> {
        if self.shutting_down.load(Ordering::Relaxed) {
            return Err(Refusal::ShuttingDown);
        }
        if self.connections.fetch_add(1, Ordering::Relaxed) >= self.limits.connections_max {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::TooManyConnections);
        }
        Ok(())
    }

    fn settle(&self, request: &ConnectRequest) -> Settled {
        let (limits, overrides) = (&self.limits, &request.overrides);
        let keep_alive_max = overrides.keep_alive(limits);
        // Only a version 5 client can be told to use another Keep Alive [MQTT-3.1.2-21].
        let too_long = keep_alive_max > 0 && (request.keep_alive == 0 || request.keep_alive > keep_alive_max);
        let keep_alive =
            if too_long && request.version == ProtocolVersion::V5 { keep_alive_max } else { request.keep_alive };
        Settled {
            session_expiry: request.session_expiry.min(overrides.session_expiry(limits)),
            keep_alive,
            quota: request.receive_maximum.min(overrides.inflight(limits)),
            queued_messages_max: overrides.queued_messages(limits),
        }
    }

    fn link(&self, request: &ConnectRequest, settled: &Settled, number: ConnectionNumber, peer: Arc<dyn Peer>) -> Link {
        let v5 = request.version == ProtocolVersion::V5;
        Link {
            number,
            peer,
            waker: None,
            closing: None,
            silenced: false,
            version: request.version,
            wants_room: false,
            loading: Loading::No,
            asking: Asking::Never,
            maximum_packet_size: request.maximum_packet_size.unwrap_or(u32::MAX),
            quota: settled.quota,
            alias_maximum: if v5 { request.topic_alias_maximum.min(self.limits.topic_aliases_sent_max) } else { 0 },
            aliases: None,
        }
    }

    /// Finds or makes the session, with the place of its Client Identifier locked, so that of two connections one is first.
    fn claim(
        &self,
        request: &ConnectRequest,
        settled: &Settled,
        link: Link,
        will: Option<Will>,
        now: Time,
        effects: &mut Effects,
    ) -> Result<Claimed, Refusal> {
        let mut place = self.registry.lock(&request.client_id);
        // Read with the place locked: whoever changes it for all finds this connection, or has done so already.
        let link = Link { asking: self.asking(), ..link };
        let existing = place.session().cloned();
        let mut remains = None;
        if let Some(session) = existing {
            let mut state = session.lock();
            let expired = state.expires_at().is_some_and(|deadline| deadline <= now);
            if !request.clean_start && state.is_persistent() && !state.ended && !expired {
                let claimed = self.resume(&session, &mut state, (request, settled), link, now);
                let welcome = Welcome { request, settled, session_present: true };
                self.welcome(&session, &mut state, welcome, will, effects);
                Held { broker: self, session: &session, state: &mut state, effects, now }.pump();
                return Ok(claimed);
            }
            let cause = match expired {
                true => SessionEnd::Expired,
                false if request.clean_start => SessionEnd::CleanStart,
                false => SessionEnd::Closed,
            };
            remains = self.end(&session, &mut state, cause, effects);
        } else if self.registry.len() >= self.limits.sessions_max as usize {
            return Err(Refusal::TooManySessions);
        }
        let mut state = State::new(settled.session_expiry, settled.queued_messages_max);
        state.set_principal(request.principal.clone());
        state.attach(link);
        let session = Arc::new(Session::new(self.next_number(), Arc::clone(&request.client_id), state));
        let welcome = Welcome { request, settled, session_present: false };
        self.welcome(&session, &mut session.lock(), welcome, will, effects);
        place.put(Arc::clone(&session));
        let displaced = remains.as_mut().and_then(|remains| remains.displaced.take());
        let taken_over = remains.as_ref().is_some_and(|remains| remains.was_connected);
        let before = remains.as_ref().and_then(|remains| remains.principal.clone());
        let principal = request.principal.clone();
        Ok(Claimed { session, session_present: false, principal, before, displaced, taken_over, will: None, remains })
    }

    /// Moves an existing session, with all that is in flight, to the new connection.
    fn resume(
        &self,
        session: &Arc<Session>,
        state: &mut State,
        (request, settled): (&ConnectRequest, &Settled),
        link: Link,
        now: Time,
    ) -> Claimed {
        let taken_over = state.link.is_some();
        // Coming back before the Will Delay Interval has passed cancels the Will [MQTT-3.1.3-9].
        let will = state.will.take().filter(|will| {
            let overdue = state.will_due().is_some_and(|due| due <= now);
            if taken_over { will.delay == 0 } else { overdue }
        });
        self.unschedule(state);
        let displaced = state.attach(link);
        state.session_expiry = settled.session_expiry;
        state.queued_messages_max = settled.queued_messages_max;
        let principal = request.principal.clone();
        Claimed {
            session: Arc::clone(session),
            session_present: true,
            before: state.set_principal(principal.clone()),
            principal,
            displaced,
            taken_over,
            will,
            remains: None,
        }
    }

    /// Puts the new connection's Will and CONNACK into the session. Nothing leaves before the store has what it needs.
    fn welcome(
        &self,
        session: &Arc<Session>,
        state: &mut State,
        welcome: Welcome<'_>,
        will: Option<Will>,
        effects: &mut Effects,
    ) {
        let Welcome { request, settled, session_present } = welcome;
        let client_id = session.shared_client_id();
        state.will = will.map(|will| {
            let message = will.message.with_publisher(Some(Arc::clone(client_id)));
            Box::new(Will { message, ..will })
        });
        state.stored |= !self.volatile && settled.session_expiry > 0;
        effects.note(session, state, |number| Change::Session {
            session: number,
            by: state.last,
            record: state.record(client_id),
        });
        let ticket = effects.commit(self, true);
        let State { link: Some(link), outbox, .. } = state else { return };
        if !self.store.is_durable(ticket) {
            if let Some(part) = outbox.hold(|_| false) {
                outbox.settle(part, ticket, |_| false);
            }
            self.gate.lock().push(Gated { ticket, session: Arc::clone(session), number: link.number });
        }
        connack::encode(request, &settled.agreed(session_present), &self.limits, outbox.buffer());
        effects.touch(session, link, outbox);
    }

    /// The session is claimed and nothing is locked: deals with whoever had it before.
    fn settle_claim(&self, claimed: Claimed, now: Time, effects: &mut Effects) {
        let Claimed { session, session_present, principal, before, displaced, taken_over, will, remains } = claimed;
        wake(displaced);
        // What the CONNACK waits for may have become durable before it was on the list.
        self.committed();
        if taken_over {
            effects.counters.sessions_taken_over += 1;
            effects.event(Event::TakenOver { about: About::new(&session, before.as_ref()), by: principal.clone() });
        }
        if let Some(will) = will {
            self.publish_will(&About::new(&session, before.as_ref()), *will, now, effects);
        }
        if let Some(remains) = remains {
            self.dispose(remains, now, effects);
        }
        let about = About::new(&session, principal.as_ref());
        if session_present {
            self.relieve_others(&session, now, effects);
            effects.counters.sessions_resumed += 1;
            effects.event(Event::SessionResumed { about, before });
        } else {
            effects.counters.sessions_created += 1;
            effects.event(Event::SessionCreated { about });
        }
    }
}

/// What a CONNACK is made of.
struct Welcome<'a> {
    request: &'a ConnectRequest,
    settled: &'a Settled,
    session_present: bool,
}
