//! What the host tells operators: start-up banner, metrics, admin API.

use super::{Hook, Lane, OnError, TrialStatus};

/// One loaded plugin.
#[derive(Clone, Debug)]
pub struct PluginStatus {
    /// Its name in the configuration.
    pub name: String,
    /// The file, or `bundled:NAME`.
    pub origin: String,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// Which loading of the plugin this is: the first of the process is 1.
    pub generation: u64,
    /// The contract track it was built for, such as `0.1`.
    pub track: &'static str,
    /// The lane its calls take.
    pub lane: Lane,
    /// Its grants, one sentence each.
    pub grants: Vec<String>,
    /// What a failure to answer means.
    pub on_error: OnError,
    /// The listeners about whose clients it is asked; `None` = all.
    pub listeners: Option<Vec<String>>,
    /// The tenants about whose clients it is asked; `None` = all.
    pub tenants: Option<Vec<String>>,
    /// Whether listeners wait until it is well before they open.
    pub required: bool,
    /// The hooks in use, with their counters.
    pub hooks: Vec<HookStatus>,
    /// Instances that are alive now.
    pub instances: u64,
    /// Instances made so far.
    pub instantiations: u64,
    /// Instances replaced because they were old or had grown.
    pub retired: u64,
    /// Instances that ended without `lifecycle.shutdown`, or in the middle of it: they broke, or their call was abandoned.
    pub lost: u64,
    /// Largest linear memory an instance had at the end of a call, in bytes.
    pub memory_bytes_max: u64,
    /// The queues of `sink` and `events`.
    pub queues: Vec<QueueStatus>,
    /// What its imports count.
    pub imports: ImportStatus,
    /// Metrics the plugin reported itself.
    pub custom: Vec<CustomMetric>,
    /// The generation that is to follow this one, while it is on trial.
    pub trial: Option<TrialStatus>,
}

/// Counters of what a plugin uses of the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportStatus {
    /// Metric updates dropped: too many series, or a name of another kind.
    pub metric_updates_dropped: u64,
    /// Log lines dropped: too many a second.
    pub log_lines_dropped: u64,
    /// Orders to the broker refused: too many a second.
    pub orders_refused: u64,
    /// Uses of something that is not granted.
    pub denials: u64,
    /// Bytes in the stores the plugin may use.
    pub kv_bytes: u64,
    /// Entries those stores dropped for want of room.
    pub kv_evicted: u64,
    /// Bytes written to files it appends to.
    pub appended_bytes: u64,
    /// Bytes that wait to be written to them.
    pub append_waiting_bytes: u64,
    /// Appends that were refused, or lost after all: too much waited, or the file was full.
    pub appends_lost: u64,
    /// HTTP exchanges that were answered.
    pub http_exchanges: u64,
    /// HTTP exchanges that failed.
    pub http_failures: u64,
    /// TCP connections open now.
    pub tcp_connections: u64,
    /// TCP connections opened so far.
    pub tcp_connects: u64,
    /// TCP connections that failed, or could not be opened.
    pub tcp_failures: u64,
    /// TCP connections not opened because there were as many as there may be.
    pub tcp_overloaded: u64,
    /// Bytes read from TCP connections.
    pub tcp_bytes_read: u64,
    /// Bytes written to TCP connections.
    pub tcp_bytes_written: u64,
    /// Password checks turned away, of all plugins.
    pub passwords_overloaded: u64,
}

/// Counters of one hook of one plugin. All grow monotonically but `breaker`.
#[derive(Clone, Debug)]
pub struct HookStatus {
    /// The hook.
    pub hook: Hook,
    /// Calls that were answered, whatever the answer.
    pub answered: u64,
    /// Of these: refusals. A refusal is never a failure.
    pub refused: u64,
    /// Failures the plugin reported (`err`).
    pub errors: u64,
    /// Traps.
    pub traps: u64,
    /// Calls that used up their processor time.
    pub deadlines: u64,
    /// Calls that waited too long.
    pub wait_timeouts: u64,
    /// Calls not made for want of an instance.
    pub overloaded: u64,
    /// Calls not made because the breaker was open.
    pub not_called: u64,
    /// Answers the contract forbids.
    pub bad_answers: u64,
    /// The circuit breaker.
    pub breaker: BreakerState,
    /// How long calls took, failures included.
    pub latency: LatencyHistogram,
}

/// Whether a hook of a plugin is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It is called.
    Closed,
    /// It failed too often and is not called for a moment.
    Open,
    /// One call is on its way to see whether it works again.
    HalfOpen,
}

/// Upper bounds of the latency buckets, in nanoseconds; the last bucket has none.
pub const LATENCY_BOUNDS: [u64; 16] = [
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    100_000,
    250_000,
    1_000_000,
    5_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    500_000_000,
    1_000_000_000,
    5_000_000_000,
];

/// How long calls took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyHistogram {
    /// Calls per bucket (not cumulative); one more entry than [`LATENCY_BOUNDS`].
    pub counts: [u64; LATENCY_BOUNDS.len() + 1],
    /// Sum of all durations, in nanoseconds.
    pub sum_ns: u64,
}

/// A bounded queue in front of a sink or an observer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStatus {
    /// `sink` or `events`.
    pub hook: Hook,
    /// Entries waiting now.
    pub depth: usize,
    /// Entries it may hold.
    pub capacity: usize,
    /// Entries done with success.
    pub done: u64,
    /// Entries tried again.
    pub retried: u64,
    /// Entries the plugin gave up on.
    pub rejected: u64,
    /// Entries dropped because the queue was full.
    pub dropped: u64,
}

/// The verdict cache of the whole host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus {
    /// Questions answered from the cache.
    pub hits: u64,
    /// Questions that went to a plugin.
    pub misses: u64,
    /// Questions that a plugin could not answer and an older ruling did (`on_error = "stale"`).
    pub stale: u64,
    /// Rulings held now.
    pub size: u64,
    /// Identities whose permissions or rulings are held now.
    pub identities: u64,
}

/// The answers of authenticators that are kept to be used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReuseStatus {
    /// Clients let in or refused by an answer that was kept.
    pub hits: u64,
    /// Clients that plugins were asked about, since an answer was kept for the first time.
    pub misses: u64,
    /// Answers held now.
    pub size: u64,
}

/// A metric a plugin reported.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomMetric {
    /// The plugin's name for it.
    pub name: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Its kind and value.
    pub value: CustomMetricKind,
}

/// The value of a [`CustomMetric`].
#[derive(Clone, Debug, PartialEq)]
pub enum CustomMetricKind {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(f64),
    /// Observations: how many, their sum, and per bucket (upper bound, count up to it).
    Histogram {
        /// How many.
        count: u64,
        /// Their sum.
        sum: f64,
        /// Upper bound and cumulative count.
        buckets: Vec<(f64, u64)>,
    },
}
