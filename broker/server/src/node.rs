//! One running broker: what all its connections share.

mod plugins;
mod tell;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use midge_core::{Broker, Effects, Event as CoreEvent, PublishedWill, Session, Time};
use midge_host::contract::{Denial, DenialCause, Event};
use midge_host::{Host, Identities};
use midge_protocol::{ProtocolVersion, ReasonCode};
use midge_storage::Handle;
use parking_lot::Mutex;
use tracing::{debug, info, warn};

use crate::backlog::Backlog;
use crate::clock::Clock;
use crate::driver::Pace;
use crate::drops::Drops;
use crate::ending::ConnectionEnd;
use crate::hooks::{Client, core_event, deliver_own};
use crate::memory::Memory;
use crate::metrics::ServerMetrics;
use crate::redirects::Redirects;
use crate::revocations::Revocations;
use crate::slowed::{Cause, Slowed};

/// The core, the plugins, and what is counted.
pub(crate) struct Node {
    pub(crate) broker: Broker,
    pub(crate) identities: Arc<Identities>,
    /// The principal of clients that nobody vouched for, the same for all. What such a client calls itself is not its name.
    pub(crate) anonymous: Arc<str>,
    /// Shared with whatever writes to sockets.
    pub(crate) metrics: Arc<ServerMetrics>,
    pub(crate) clock: Clock,
    pub(crate) drops: Drops,
    pub(crate) slowed: Slowed,
    pub(crate) backlog: Backlog,
    pub(crate) redirects: Redirects,
    pub(crate) memory: Memory,
    pub(crate) rates: Rates,
    /// None where nothing survives the process.
    pub(crate) store: Option<Handle>,
    pub(crate) revocations: Revocations,
    /// Why a plugin's last new generation was rolled back, by the plugin's name, until another one is tried.
    pub(crate) rollbacks: Mutex<BTreeMap<String, String>>,
    /// A reload puts another one here; who is asking keeps the one it asked.
    host: ArcSwap<Host>,
    ready: AtomicBool,
}

/// How fast one client may be, how slow, and in how many steps it may say who it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    /// PUBLISH packets a second, unless its grant says otherwise; 0: no limit.
    pub(crate) messages_per_second: u32,
    /// Bytes a second, unless its grant says otherwise; 0: no limit.
    pub(crate) bytes_per_second: u64,
    /// Seconds in which it may take nothing of what waits for it.
    pub(crate) write_stall_max_s: u32,
    /// Challenges in one exchange of enhanced authentication.
    pub(crate) authentication_steps_max: u16,
}

impl Node {
    pub(crate) fn new(
        broker: Broker,
        host: Arc<Host>,
        identities: Arc<Identities>,
        clock: Clock,
        rates: Rates,
    ) -> Self {
        let (metrics, drops) = (Arc::new(ServerMetrics::new()), Drops::default());
        let node = Self {
            broker,
            identities,
            anonymous: ANONYMOUS.into(),
            metrics,
            clock,
            drops,
            slowed: Slowed::default(),
            backlog: Backlog::default(),
            redirects: Redirects::default(),
            memory: Memory::new(0),
            rates,
            store: None,
            revocations: Revocations::default(),
            rollbacks: Mutex::default(),
            host: ArcSwap::new(host),
            ready: AtomicBool::new(false),
        };
        node.attend_to_deliveries();
        node
    }

    /// The same, with the store that its broker writes to.
    pub(crate) fn with_store(self, store: Option<Handle>) -> Self {
        Self { store, ..self }
    }

    /// The same, with a bound on the memory of the process; 0: none.
    pub(crate) fn with_memory(self, bytes_max: u64) -> Self {
        Self { memory: Memory::new(bytes_max), ..self }
    }

    /// Whether clients are accepted: from the start's end to the stop's beginning.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// A client was asked about again: it may be known under another identity, and these subscriptions have ended.
    pub(crate) fn reviewed(&self, before: &Client, client: &Client, ended: &[&str], now: Time) {
        let identity = &client.identity;
        if let Some(first) = ended.first() {
            self.metrics.subscriptions_revoked(ended.len());
            warn!(
                client_id = %identity.client_id, principal = %identity.principal, count = ended.len(), first,
                "subscriptions ended: the client may not have them any more"
            );
        }
        for filter in ended {
            self.notify(|| Event {
                topic: Some((*filter).to_owned()),
                reason_code: Some(ReasonCode::NotAuthorized.value()),
                ..client.event("subscription.revoked", self.clock.moment(now))
            });
        }
        if before.identity.id() != identity.id() {
            self.host().identity_gone(&before.identity);
        }
    }

    /// How fast a client may publish; none where it is not limited.
    pub(crate) fn pace(&self, client: &Client, now: Time) -> Option<Box<Pace>> {
        let limits = client.limits.as_deref();
        let messages = limits.and_then(|limits| limits.publish_per_second).unwrap_or(self.rates.messages_per_second);
        let bytes = limits.and_then(|limits| limits.bytes_per_second).map_or(self.rates.bytes_per_second, u64::from);
        Pace::new(messages, bytes, now)
    }

    /// Ends a batch: what was routed is written, what was answered leaves, and what happened is told.
    pub(crate) fn conclude(&self, effects: &mut Effects, now: Time) {
        effects.flush(&self.broker);
        for event in effects.drain_events() {
            self.happened(&event, now);
        }
        for PublishedWill { message, about } in effects.take_published() {
            self.will_routed(&about, &message, now);
            deliver_own(&self.host(), &message, self.clock.moment(now));
        }
    }

    /// A client was let in.
    pub(crate) fn connection_opened(
        &self,
        client: &Client,
        version: ProtocolVersion,
        session_present: bool,
        now: Time,
    ) {
        let identity = &client.identity;
        self.metrics.connection_opened(&identity.listener);
        info!(
            client_id = %identity.client_id,
            principal = %identity.principal,
            peer = %identity.peer,
            listener = %identity.listener,
            mqtt = %version,
            session_present,
            "client connected"
        );
        self.tell_connected(client, version, session_present, now);
    }

    /// A connected client has authenticated again: it is known under a new identity.
    pub(crate) fn reauthenticated(&self, before: &Client, client: &Client, now: Time) {
        let identity = &client.identity;
        info!(client_id = %identity.client_id, principal = %identity.principal, "client authenticated again");
        self.notify(|| client.event("client.reauthenticated", self.clock.moment(now)));
        self.host().identity_gone(&before.identity);
    }

    /// The one line about the end of a connection that had been let in.
    pub(crate) fn connection_ended(&self, client: &Client, version: ProtocolVersion, end: &ConnectionEnd, now: Time) {
        let identity = &client.identity;
        self.metrics.connection_closed(&identity.listener, end.name());
        if let ConnectionEnd::Reauthentication(denial) | ConnectionEnd::Revoked(denial) = end {
            self.count_denial(denial);
        }
        macro_rules! line {
            ($level:ident) => {
                $level!(
                    client_id = %identity.client_id,
                    principal = %identity.principal,
                    peer = %identity.peer,
                    listener = %identity.listener,
                    mqtt = %version,
                    end = end.name(),
                    reason = %end,
                    "client disconnected"
                )
            };
        }
        if end.is_warning() {
            line!(warn)
        } else {
            line!(info)
        }
        self.tell_disconnected(client, end, now);
        self.revocations.take(identity.id());
        self.host().identity_gone(identity);
    }

    /// The one line about a connection that ended before it was let in.
    pub(crate) fn connection_refused(&self, peer: &str, listener: &str, client_id: Option<&str>, end: &ConnectionEnd) {
        self.metrics.connect_refused(end.name());
        // Who has not said CONNECT is nobody yet.
        if let Some(client_id) = client_id {
            self.tell_refused(peer, listener, client_id, end);
        }
        let client_id = client_id.unwrap_or("");
        if let ConnectionEnd::Denied(denial) = end {
            self.count_denial(denial);
            let (plugin, took) = (denial.plugin.as_deref().unwrap_or("-"), denial.took);
            let reason = denial.reason.as_deref().unwrap_or("");
            warn!(
                client_id, peer, listener, plugin, hook = %denial.hook, ?took, cause = %denial.cause,
                code = format_args!("0x{:02X}", denial.code), reason, "connection denied"
            );
        } else if end.is_warning() {
            warn!(client_id, peer, listener, end = end.name(), reason = %end, "connection refused");
        } else {
            info!(client_id, peer, listener, end = end.name(), reason = %end, "connection ended before CONNECT");
        }
    }

    /// Whether publishers have to wait for want of memory. Cheap enough for every batch.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        if self.memory.is_due(self.metrics.bytes().0) {
            let _next = self.look_at_memory();
        }
        self.memory.is_tight()
    }

    /// Looks how much memory is used, and says when to look again, if ever.
    pub(crate) fn look_at_memory(&self) -> Option<Duration> {
        let now = self.broker.statistics();
        self.memory.look(now.queued_bytes + now.retained_bytes + self.backlog.latest().bytes)
    }

    /// A publisher was not read for so long, or is not going to be.
    pub(crate) fn slowed_down(&self, cause: Cause, subscriber: Option<&Session>, waited: Duration) {
        self.metrics.slowed_down(cause.name(), waited);
        if let Some(subscriber) = subscriber {
            self.slowed.add(subscriber, cause, waited);
        }
    }

    /// A PUBLISH was refused.
    pub(crate) fn publish_denied(&self, client: &Client, topic: &str, denial: &Denial) {
        self.denied(client, "publish", topic, denial);
    }

    /// A filter of a SUBSCRIBE was refused.
    pub(crate) fn subscribe_denied(&self, client: &Client, filter: &str, denial: &Denial) {
        self.denied(client, "subscribe", filter, denial);
    }

    /// A filter of an UNSUBSCRIBE was refused.
    pub(crate) fn unsubscribe_denied(&self, client: &Client, filter: &str, denial: &Denial) {
        self.denied(client, "unsubscribe", filter, denial);
    }

    /// A message was not sent to its subscriber. Plugins hear of it as of every message that was dropped.
    pub(crate) fn delivery_denied(&self, client: &Client, topic: &str, denial: &Denial) {
        self.count_denial(denial);
        self.log_denied(client, "deliver", topic, denial, self.clock.now());
    }

    fn denied(&self, client: &Client, action: &'static str, topic: &str, denial: &Denial) {
        self.count_denial(denial);
        let now = self.clock.now();
        self.tell_denied(client, action, topic, denial, now);
        self.log_denied(client, action, topic, denial, now);
    }

    fn log_denied(&self, client: &Client, action: &'static str, topic: &str, denial: &Denial, now: Time) {
        let Some(suppressed) = due_line(client, now) else { return };
        let (plugin, took) = (denial.plugin.as_deref().unwrap_or("-"), denial.took);
        let reason = denial.reason.as_deref().unwrap_or("");
        warn!(
            client_id = %client.identity.client_id,
            principal = %client.identity.principal,
            action, topic, plugin, hook = %denial.hook, ?took, cause = %denial.cause,
            code = format_args!("0x{:02X}", denial.code), reason, suppressed, "denied"
        );
    }

    fn count_denial(&self, denial: &Denial) {
        self.metrics.denied(denial.plugin.as_deref(), denial.hook.name(), cause_name(&denial.cause));
    }

    /// Tells plugins, and builds the event only where one wants it.
    fn notify(&self, event: impl FnOnce() -> Event) {
        let host = self.host();
        if host.wants_events() {
            host.notify(event());
        }
    }

    fn happened(&self, core: &CoreEvent, now: Time) {
        match core {
            CoreEvent::MessageDropped { about, topic, reason, count } => {
                self.drops.add(&about.client_id, topic, *reason, *count);
            }
            other => debug!(event = ?other, "session"),
        }
        self.notify(|| core_event(core, self.clock.moment(now)));
    }
}

/// Whether a denial of this client gets a line, and how many before it got none: one a second is enough to see.
fn due_line(client: &Client, now: Time) -> Option<u64> {
    let second = now.0 / 1000;
    let mut suppressed = None;
    let update = |seen: u64| {
        let (last, count) = (seen >> COUNT_BITS, seen & COUNT_MASK);
        if last == second & (u64::MAX >> COUNT_BITS) {
            suppressed = None;
            Some((seen & !COUNT_MASK) | (count + 1).min(COUNT_MASK))
        } else {
            suppressed = Some(count);
            Some(second << COUNT_BITS)
        }
    };
    // The closure never declines, so the update never fails.
    let _ = client.denials.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
    suppressed
}

/// The label of a cause; its text may be anything a plugin said.
fn cause_name(cause: &DenialCause) -> &'static str {
    match cause {
        DenialCause::Refused => "refused",
        DenialCause::Redirected(_) => "redirected",
        DenialCause::NobodyAllowed => "nobody_allowed",
        DenialCause::Backend(_) => "backend",
        DenialCause::Trapped(_) => "trapped",
        DenialCause::Deadline => "deadline",
        DenialCause::WaitTimeout => "wait_timeout",
        DenialCause::Overloaded(_) => "overloaded",
        DenialCause::BreakerOpen => "breaker_open",
        DenialCause::BadAnswer(_) => "bad_answer",
    }
}

/// What `anonymous` is called.
pub(crate) const ANONYMOUS: &str = "anonymous";

const COUNT_BITS: u32 = 24;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
