//! What the server counts, and everything that `/metrics` shows.
//!
//! Four sources meet in [`render`]: the counters here (connections, bytes, denials), the core's
//! [`Statistics`](midge_core::Statistics), the store's, and the state of each plugin. All are read when they are asked for; nothing
//! is copied in between.

mod broker;
mod clients;
mod plugins;
mod process;
mod store;
mod text;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use midge_core::Statistics;
use midge_host::contract::{CacheStatus, PluginStatus, ReuseStatus};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub(crate) use clients::ClientsStatus;
pub(crate) use process::{MemoryStatus, resident_bytes};
pub(crate) use store::StoreStatus;
use text::Text;

/// One label and its value; the value is the listener's name or one of a fixed set.
type Labels<const N: usize> = [(&'static str, String); N];

/// What only the server sees: streams, their bytes, and why they end.
#[derive(Debug)]
pub(crate) struct ServerMetrics {
    registry: Registry,
    opened: Family<Labels<1>, Counter>,
    open: Family<Labels<1>, Gauge>,
    closed: Family<Labels<2>, Counter>,
    refused: Family<Labels<1>, Counter>,
    denied: Family<Labels<3>, Counter>,
    closed_at_accept: Family<Labels<2>, Counter>,
    accepts_failed: Family<Labels<1>, Counter>,
    handshakes_failed: Family<Labels<2>, Counter>,
    slowed_down: Family<Labels<1>, Counter>,
    slowed_down_seconds: Family<Labels<1>, Counter<f64, AtomicU64>>,
    swaps: Family<Labels<2>, Counter>,
    subscriptions_revoked: Counter,
    bytes_received: Counter,
    packets_received: Counter,
    bytes_sent: Counter,
}

impl ServerMetrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("midge"),
            opened: Family::default(),
            open: Family::default(),
            closed: Family::default(),
            refused: Family::default(),
            denied: Family::default(),
            closed_at_accept: Family::default(),
            accepts_failed: Family::default(),
            handshakes_failed: Family::default(),
            slowed_down: Family::default(),
            slowed_down_seconds: Family::default(),
            swaps: Family::default(),
            subscriptions_revoked: Counter::default(),
            bytes_received: Counter::default(),
            packets_received: Counter::default(),
            bytes_sent: Counter::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let Self {
            registry, opened, open, closed, refused, denied, bytes_received, packets_received, bytes_sent, ..
        } = self;
        registry.register("connections_opened", "Connections let in", opened.clone());
        registry.register("connections_open", "Connections open now", open.clone());
        registry.register("connections_closed", "Connections that had been let in, by why they ended", closed.clone());
        registry.register(
            "connects_refused",
            "Connections that ended before they were let in, by why",
            refused.clone(),
        );
        registry.register(
            "denied",
            "Questions denied, by the plugin and hook that denied them and the cause",
            denied.clone(),
        );
        registry.register("received_bytes", "Bytes of packets received", bytes_received.clone());
        registry.register("received_packets", "Packets received", packets_received.clone());
        registry.register("sent_bytes", "Bytes of packets sent", bytes_sent.clone());
        let Self {
            registry,
            closed_at_accept,
            accepts_failed,
            handshakes_failed,
            slowed_down,
            slowed_down_seconds,
            swaps,
            subscriptions_revoked,
            ..
        } = self;
        registry.register(
            "connections_closed_at_accept",
            "Connections closed without a word, by the limit that was reached, or because plugins did not admit their address",
            closed_at_accept.clone(),
        );
        registry.register("accepts_failed", "Times the operating system gave no connection", accepts_failed.clone());
        registry.register(
            "handshakes_failed",
            "TLS and WebSocket handshakes that failed, by which, or that took too long",
            handshakes_failed.clone(),
        );
        registry.register(
            "publishers_slowed",
            "Times a publisher was not read for a while, by why",
            slowed_down.clone(),
        );
        registry.register(
            "publishers_slowed_seconds",
            "Time for which publishers were not read, by why",
            slowed_down_seconds.clone(),
        );
        registry.register(
            "plugin_swaps",
            "New generations of a plugin by what became of them: begun, promoted, aborted, rolled_back, failed",
            swaps.clone(),
        );
        registry.register(
            "subscriptions_revoked",
            "Subscriptions ended because their clients may not have them any more",
            subscriptions_revoked.clone(),
        );
    }

    /// A connection was closed at accept, because this limit of a listener or of the broker was reached.
    pub(crate) fn closed_at_accept(&self, listener: &str, limit: &'static str) {
        self.closed_at_accept.get_or_create(&[("listener", listener.to_owned()), ("limit", limit.to_owned())]).inc();
    }

    /// The operating system gave no connection though one was there.
    pub(crate) fn accept_failed(&self, listener: &str) {
        self.accepts_failed.get_or_create(&[("listener", listener.to_owned())]).inc();
    }

    /// A handshake below MQTT failed.
    pub(crate) fn handshake_failed(&self, listener: &str, what: &'static str) {
        self.handshakes_failed.get_or_create(&[("listener", listener.to_owned()), ("what", what.to_owned())]).inc();
    }

    /// A publisher was not read for so long.
    pub(crate) fn slowed_down(&self, reason: &'static str, waited: Duration) {
        let labels = [("reason", reason.to_owned())];
        self.slowed_down.get_or_create(&labels).inc();
        self.slowed_down_seconds.get_or_create(&labels).inc_by(waited.as_secs_f64());
    }

    /// A new generation of a plugin has come so far. Only names of plugins that are there may become labels.
    pub(crate) fn swapped(&self, plugin: &str, outcome: &'static str) {
        self.swaps.get_or_create(&[("plugin", plugin.to_owned()), ("outcome", outcome.to_owned())]).inc();
    }

    /// So many subscriptions ended because their client may not have them any more.
    pub(crate) fn subscriptions_revoked(&self, count: usize) {
        self.subscriptions_revoked.inc_by(count as u64);
    }

    /// A client of this listener was let in.
    pub(crate) fn connection_opened(&self, listener: &str) {
        let listener = [("listener", listener.to_owned())];
        self.opened.get_or_create(&listener).inc();
        self.open.get_or_create(&listener).inc();
    }

    /// The connection of a client that had been let in is over; `end` is its reason's name.
    pub(crate) fn connection_closed(&self, listener: &str, end: &'static str) {
        let listener = ("listener", listener.to_owned());
        self.closed.get_or_create(&[listener.clone(), ("reason", end.to_owned())]).inc();
        self.open.get_or_create(&[listener]).dec();
    }

    /// A connection ended before it was let in; `end` is its reason's name.
    pub(crate) fn connect_refused(&self, end: &'static str) {
        self.refused.get_or_create(&[("reason", end.to_owned())]).inc();
    }

    /// A question was denied; without a plugin, by the broker, because nobody allowed it.
    pub(crate) fn denied(&self, plugin: Option<&str>, hook: &'static str, cause: &'static str) {
        let plugin = plugin.unwrap_or_default().to_owned();
        self.denied.get_or_create(&[("plugin", plugin), ("hook", hook.to_owned()), ("cause", cause.to_owned())]).inc();
    }

    /// So many bytes were read.
    pub(crate) fn received(&self, bytes: usize) {
        self.bytes_received.inc_by(bytes as u64);
    }

    /// So many packets were decoded.
    pub(crate) fn received_packets(&self, packets: u64) {
        self.packets_received.inc_by(packets);
    }

    /// So many bytes were written.
    pub(crate) fn sent(&self, bytes: usize) {
        self.bytes_sent.inc_by(bytes as u64);
    }

    /// Bytes read and written so far.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.bytes_received.get(), self.bytes_sent.get())
    }
}

/// What the rest of the broker says of itself at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) statistics: Statistics,
    pub(crate) clients: ClientsStatus,
    pub(crate) memory: MemoryStatus,
    /// None where nothing survives the process.
    pub(crate) store: Option<StoreStatus>,
    pub(crate) plugins: Vec<PluginStatus>,
    pub(crate) cache: CacheStatus,
    pub(crate) authentications: ReuseStatus,
    pub(crate) admissions: ReuseStatus,
    pub(crate) uptime: Duration,
}

/// Everything in the OpenMetrics text format.
///
/// # Errors
/// Never in practice: writing to a `String` does not fail.
pub(crate) fn render(metrics: &ServerMetrics, snapshot: Snapshot) -> Result<String, fmt::Error> {
    use prometheus_client::encoding::text::{encode_eof, encode_registry};

    let mut rest = Registry::default();
    rest.register_collector(Box::new(snapshot));
    let mut page = String::new();
    encode_registry(&mut page, &metrics.registry)?;
    encode_registry(&mut page, &rest)?;
    encode_eof(&mut page)?;
    Ok(page)
}

/// What a response with [`render`]'s text declares itself as.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut text = Text::new(encoder);
        broker::write(&self.statistics, &mut text)?;
        clients::write(&self.clients, &mut text)?;
        if let Some(store) = &self.store {
            store::write(store, &mut text)?;
        }
        plugins::write(&self.plugins, &self.cache, &self.authentications, &mut text)?;
        plugins::write_admissions(&self.admissions, &mut text)?;
        process::write(self.uptime, self.memory, &mut text)
    }
}

#[cfg(test)]
mod tests;
