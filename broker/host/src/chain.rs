//! Chains: who is asked, in which order, and what the answers add up to.
//!
//! A plugin says yes, no, or `next`. `next` asks the next plugin; the end of an authentication or authorization chain
//! denies. A plugin that cannot answer denies too, unless its `on_error` says to go on as if it had said `next`.
//! What a client is told and what the log says are kept apart: a failure's words never reach a client.

mod admission;
mod authn;
mod authz;
mod deliver;
mod exchange;
mod leave;
mod messages;

pub(crate) use self::authz::PublishQuestion;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::admissions::Admissions;
use crate::authentications::Authentications;
use crate::contract::{Denial, DenialCause, Hook, OnError};
use crate::error::HookError;
use crate::plugin::{Generation, Refused};
use crate::seat::Seat;
use crate::verdicts::Verdicts;

/// The plugins of each hook, in order.
pub(crate) struct Chains {
    authn: Box<[Seat]>,
    enhanced: Box<[Seat]>,
    authz: Box<[Seat]>,
    messages: Box<[Seat]>,
    unsubscribe: Box<[Seat]>,
    will: Box<[Seat]>,
    deliver: Box<[Seat]>,
    admission: Box<[Seat]>,
    pub(crate) verdicts: Arc<Verdicts>,
    pub(crate) authentications: Arc<Authentications>,
    pub(crate) admissions: Admissions,
}

impl Chains {
    pub(crate) fn new(
        seats: &[Seat],
        verdicts: Arc<Verdicts>,
        authentications: Arc<Authentications>,
        admissions: Admissions,
    ) -> Self {
        let of = |hook| seats.iter().filter(|seat| seat.has(hook)).cloned().collect();
        Self {
            authn: of(Hook::Authn),
            enhanced: of(Hook::EnhancedAuthn),
            authz: of(Hook::Authz),
            messages: of(Hook::Messages),
            unsubscribe: of(Hook::AuthzUnsubscribe),
            will: of(Hook::AuthzWill),
            deliver: of(Hook::AuthzDeliver),
            admission: of(Hook::Admission),
            verdicts,
            authentications,
            admissions,
        }
    }

    /// Whether no plugin of this hook ever waits.
    pub(crate) fn is_inline(&self, hook: Hook) -> bool {
        let chain = match hook {
            Hook::Authz => &self.authz,
            Hook::Messages => &self.messages,
            Hook::EnhancedAuthn => &self.enhanced,
            Hook::AuthzUnsubscribe => &self.unsubscribe,
            Hook::AuthzWill => &self.will,
            Hook::AuthzDeliver => &self.deliver,
            _ => &self.authn,
        };
        chain.iter().all(Seat::is_inline)
    }
}

/// A chain under way: what a denial must say besides its cause.
struct Walk {
    hook: Hook,
    began: Instant,
    /// When the last plugin answered.
    now: Instant,
    /// Reason Code when a plugin fails.
    failure_code: u8,
}

impl Walk {
    fn begin(hook: Hook, failure_code: u8, now: Instant) -> Self {
        Self { hook, began: now, now, failure_code }
    }

    fn refused(&self, plugin: &Generation, code: u8, reason: Option<Arc<str>>) -> Denial {
        plugin.count_refusal(self.hook);
        self.denial(code, reason, Some(plugin.name()), DenialCause::Refused)
    }

    /// The same of a client that may be sent to another server.
    fn turned_away(&self, plugin: &Generation, Refused { code, reason, elsewhere }: Refused) -> Denial {
        plugin.count_refusal(self.hook);
        let cause = elsewhere.map_or(DenialCause::Refused, DenialCause::Redirected);
        self.denial(code, reason, Some(plugin.name()), cause)
    }

    fn nobody(&self) -> Denial {
        self.denial(NOT_AUTHORIZED, None, None, DenialCause::NobodyAllowed)
    }

    /// What a failure means: a denial, or nothing if the operator wants to go on.
    fn failed(&self, plugin: &Generation, error: HookError) -> Option<Denial> {
        match plugin.on_error() {
            OnError::Deny | OnError::Stale { .. } => Some(self.broken(plugin, error)),
            OnError::Next => {
                tracing::debug!(%error, "plugin failed and is skipped, as its on_error says");
                None
            }
        }
    }

    /// A failure that denies, whatever the operator says.
    fn broken(&self, plugin: &Generation, error: HookError) -> Denial {
        self.denial(self.failure_code, None, Some(plugin.name()), error.failure.into())
    }

    fn denial(&self, code: u8, reason: Option<Arc<str>>, plugin: Option<&Arc<str>>, cause: DenialCause) -> Denial {
        let took = self.now.saturating_duration_since(self.began);
        Denial { code, reason, plugin: plugin.cloned(), hook: self.hook, took, cause }
    }
}

/// A refusal that is given again without asking.
fn remembered_refusal(hook: Hook, code: u8, reason: Option<Arc<str>>, plugin: Option<Arc<str>>) -> Denial {
    Denial { code, reason, plugin, hook, took: Duration::ZERO, cause: DenialCause::Refused }
}

const NOT_AUTHORIZED: u8 = 0x87;
const SERVER_UNAVAILABLE: u8 = 0x88;
const IMPLEMENTATION_SPECIFIC: u8 = 0x83;
