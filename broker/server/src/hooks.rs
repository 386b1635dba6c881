//! Where MQTT meets the plugins: what is asked, what is told, and what a failure to answer means.
//!
//! Everything here fails closed. An allow comes from permissions or from a plugin that said so; whatever else happens,
//! a trap, a deadline, no plugin at all where one is needed, is a denial with its cause.

mod authenticate;
pub(crate) mod convert;
mod deliver;
mod exchange;
mod leave;
mod notice;
mod question;
mod review;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};

use midge_core::Message;
use midge_host::Identity;
use midge_host::contract::{Denial, GrantLimits};

pub(crate) use authenticate::{Admitted, Arrival, admit, let_in};
pub(crate) use exchange::{Reauthenticated, Regranted, candidate, kept, reauthenticate};
pub(crate) use notice::{core_event, deliver_made, deliver_own, event, event_about};
pub(crate) use review::{Reviewed, review};

/// What the broker knows of a client beyond its session: who it is, and by whose word.
pub(crate) struct Client {
    /// What plugins know it by.
    pub(crate) identity: Arc<Identity>,
    /// The plugin whose permissions the broker evaluates itself; denials are in its name.
    pub(crate) permissions_from: Option<Arc<str>>,
    /// What authentication allowed it, where that differs from the broker's limits.
    pub(crate) limits: Option<Box<GrantLimits>>,
    /// The second of its last logged denial in the upper half, denials since then in the lower: a client that is
    /// denied ten thousand times a second gets one line for it.
    pub(crate) denials: AtomicU64,
    /// The revocations that were looked at for it, as counted by [`Revocations`](crate::revocations::Revocations).
    pub(crate) reviewed: AtomicU32,
    /// Whether what it may do came with its authentication; no authorizer is asked about it.
    pub(crate) is_granted: bool,
}

/// What became of the question whether a PUBLISH may happen.
#[derive(Debug)]
pub(crate) enum PublishVerdict {
    /// As it is.
    Accept,
    /// These instead, none to many.
    Replace(Vec<Message>),
    /// Not at all.
    Refuse(Box<Denial>),
}
