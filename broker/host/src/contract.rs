//! The words the broker and the plugin host exchange: plain data, no WebAssembly in sight.
//!
//! The types mirror the records of `wit/`, so one adapter file (`adapters.rs`) turns the types of a contract track
//! into these once, and nothing outside this crate ever depends on a track.

mod access;
mod deliver;
mod exchange;
mod message;
mod page;
mod plugin;
mod stage;
mod status;
mod swap;

pub use access::{
    Authentication, ConnectFacts, Credentials, Denial, DenialCause, Effect, Grant, GrantLimits, Permission,
    Redirection, Ruling, SubscriptionQuestion, WillFacts,
};
pub use deliver::DeliveryQuestion;
pub use exchange::{Candidate, Exchange, ExchangeStep};
pub use message::{Action, Delivery, Event, InboundMessage, Message, Outcome, Refusal};
pub use page::{NoPage, PageRequest, PageResponse};
pub use plugin::{Hook, Lane, OnError, PluginLimits, PluginSource, PluginSpec};
pub use stage::{LogLevel, LogLine, Stage, StagedFailure, StagedRequest, StagedResponse};
pub use status::{
    BreakerState, CacheStatus, CustomMetric, CustomMetricKind, HookStatus, ImportStatus, LATENCY_BOUNDS,
    LatencyHistogram, PluginStatus, QueueStatus, ReuseStatus,
};
pub use swap::{Disagreement, ShadowStatus, SwapMode, Trial, TrialFault, TrialLimits, TrialStatus};

use std::pin::Pin;
use std::time::Instant;

/// Quality of Service, as `types.qos` of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QoS {
    /// QoS 0.
    AtMostOnce = 0,
    /// QoS 1.
    AtLeastOnce = 1,
    /// QoS 2.
    ExactlyOnce = 2,
}

/// The protocol version a client speaks, as `types.protocol` of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// MQTT 3.1.
    V31,
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.
    V5,
}

/// A name and a value, sent in this order.
pub type UserProperty = (String, String);

/// An answer that is either there at once or has to be waited for.
///
/// Plugins of the inline lane answer at once, so the hot path makes no task switch and no allocation.
pub enum Answer<T> {
    /// The answer.
    Ready(T),
    /// Await it. Dropping it abandons the call, and with it the plugin instance that was busy with it.
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> Answer<T> {
    /// Waits where that is needed.
    pub async fn resolve(self) -> T {
        match self {
            Self::Ready(answer) => answer,
            Self::Later(answer) => answer.await,
        }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ready(answer) => f.debug_tuple("Ready").field(answer).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// Keeps the entries of stores that are marked persistent beyond the life of the process. The server implements it.
///
/// Calls come with a lock held, so an implementation neither waits nor calls the host.
pub trait Keeper: Send + Sync {
    /// What was kept of a store, `plugin/store`. The one call that may wait: it is made where a plugin is loaded.
    ///
    /// # Errors
    /// It cannot be read; in words.
    fn kept(&self, store: &str) -> Result<Vec<KeptEntry>, String>;
    /// Whether it takes entries at the moment.
    fn is_open(&self) -> bool;
    /// Keeps an entry in place of the one that its key had.
    fn keep(&self, store: &str, key: &str, value: &[u8], expires: Option<Instant>);
    /// Forgets an entry.
    fn forget(&self, store: &str, key: &str);
}

/// An entry of a store that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEntry {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// When it ends; none if it stays.
    pub expires: Option<Instant>,
}

/// What plugins may do to the broker. The server implements it; every call was granted and counted before.
///
/// Calls arrive after the hook that ordered them has returned, so an implementation may call the host again.
pub trait Outside: Send + Sync {
    /// Routes a message that the plugin made. `Err` says in words what is wrong with it.
    ///
    /// # Errors
    /// The message cannot be routed: its topic is not a topic name, or the broker is full.
    fn publish(&self, plugin: &str, message: Message) -> Result<(), String>;
    /// Disconnects a client with an MQTT 5 reason code; false if there is no such client.
    fn disconnect(&self, plugin: &str, client_id: &str, code: u8, keep_session: bool) -> bool;
    /// Disconnects a client and sends it to another server; false if there is no such client.
    fn redirect(&self, plugin: &str, client_id: &str, to: &Redirection) -> bool;
    /// Checks the live clients of a principal again, once [`Host::revoke`](crate::Host::revoke) of the host in force has
    /// forgotten what plugins said of it.
    fn revoke(&self, plugin: &str, principal: &str);
}
