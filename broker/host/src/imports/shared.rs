//! What instances have in common: [`Lasting`] for the process, [`Shared`] for one generation of one plugin.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::Value;
use tokio::runtime::Handle;

use super::append::{AppendFile, Appends};
use super::files::Files;
use super::http::Client;
use super::kv::{Store, Stores};
use super::limits::ImportLimits;
use super::metrics::Registry;
use super::passwords::Gate;
use super::rate::{Pass, Rate};
use super::secrets::Secrets;
use super::tcp::Dialer;
use crate::contract::{CustomMetric, ImportStatus, Keeper, LogLevel, LogLine, Outside, PluginSpec, Stage};
use crate::grants::{Denial, Grants};
use crate::identities::Identities;

/// What outlives every generation of plugins: key–value stores, files that are appended to, metrics, and the gate before
/// password hashing. One per process.
pub(crate) struct Lasting {
    limits: ImportLimits,
    runtime: Handle,
    stores: Stores,
    appends: Appends,
    metrics: Mutex<HashMap<String, Arc<Registry>>>,
    passwords: Gate,
    stage: Option<Arc<dyn Stage>>,
    /// How often each plugin was loaded.
    generations: Mutex<HashMap<String, u64>>,
}

impl std::fmt::Debug for Lasting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lasting").field("stores", &self.stores).finish_non_exhaustive()
    }
}

impl Lasting {
    /// `runtime` is where slow work goes: reading files and computing password hashes.
    pub(crate) fn new(limits: ImportLimits, runtime: Handle, keeper: Option<Arc<dyn Keeper>>) -> Self {
        let passwords = Gate::new(limits.password_parallel_max, limits.password_waiting_max);
        let appends = Appends::new(runtime.clone());
        Self {
            limits,
            runtime,
            stores: Stores::new(keeper),
            appends,
            metrics: Mutex::default(),
            passwords,
            stage: None,
            generations: Mutex::default(),
        }
    }

    /// The same with a stand-in for the world outside.
    pub(crate) fn with_stage(self, stage: Option<Arc<dyn Stage>>) -> Self {
        Self { stage, ..self }
    }

    /// Waits until everything appended is written, but not beyond `deadline`; what is left then is lost and counted.
    pub(crate) async fn finish(&self, deadline: tokio::time::Instant) {
        self.appends.finish(deadline).await;
    }

    /// The number of a plugin's next generation, from 1.
    pub(crate) fn next_generation(&self, plugin: &str) -> u64 {
        let mut generations = self.generations.lock();
        let number = generations.entry(plugin.to_owned()).or_insert(0);
        *number += 1;
        *number
    }

    fn registry(&self, plugin: &str) -> Arc<Registry> {
        let mut registries = self.metrics.lock();
        let new = || Arc::new(Registry::new(self.limits.metric_series_max));
        Arc::clone(registries.entry(plugin.to_owned()).or_insert_with(new))
    }
}

/// What all instances of one generation share. Immutable but for counters and caches.
pub(crate) struct Shared {
    lasting: Arc<Lasting>,
    plugin: Arc<str>,
    config: Value,
    config_json: String,
    grants: Grants,
    stores: HashMap<String, Arc<Store>>,
    secrets: Secrets,
    files: Files,
    appends: HashMap<String, Arc<AppendFile>>,
    http: Option<Client>,
    tcp: Option<Arc<Dialer>>,
    metrics: Arc<Registry>,
    identities: Arc<Identities>,
    outside: Arc<dyn Outside>,
    log_rate: Rate,
    order_rate: Rate,
    denial_rate: Rate,
    denials: AtomicU64,
    born: Instant,
    /// What a stage's clock showed then.
    born_ms: u64,
}

impl Shared {
    /// Prepares a generation: reads its secrets and files, opens its stores, makes its HTTP client. Reads files, so
    /// call it where blocking is allowed.
    ///
    /// # Errors
    /// A secret's file, a store that is kept, or the certificate authorities cannot be read, or a file cannot be appended to.
    pub(crate) fn new(
        spec: &PluginSpec,
        outside: Arc<dyn Outside>,
        identities: Arc<Identities>,
        lasting: &Arc<Lasting>,
    ) -> Result<Arc<Self>, ImportError> {
        let (grants, limits, now) = (spec.allow.clone(), &lasting.limits, Instant::now());
        let http =
            if grants.any_http() { Some(Client::new(&grants, spec.limits.http_requests_max, limits)?) } else { None };
        let connections_max = spec.limits.tcp_connections_max;
        let tcp = if grants.any_tcp() { Some(Dialer::new(&grants, connections_max, &lasting.runtime)?) } else { None };
        Ok(Arc::new(Self {
            plugin: spec.name.as_str().into(),
            config_json: if spec.config.is_null() { "{}".to_owned() } else { spec.config.to_string() },
            config: spec.config.clone(),
            stores: lasting.stores.granted(&grants)?,
            secrets: Secrets::load(&grants)?,
            files: Files::load(&grants, limits, lasting.runtime.clone()),
            appends: lasting.appends.granted(&grants, spec.limits.append_bytes_max)?,
            http,
            tcp,
            metrics: lasting.registry(&spec.name),
            identities,
            outside,
            log_rate: Rate::new(limits.log_lines_per_second, now),
            order_rate: Rate::new(limits.orders_per_second, now),
            denial_rate: Rate::new(DENIAL_LINES_PER_SECOND, now),
            denials: AtomicU64::new(0),
            born: now,
            born_ms: lasting.stage.as_ref().and_then(|stage| stage.unix_ms()).unwrap_or_default(),
            grants,
            lasting: Arc::clone(lasting),
        }))
    }

    /// The plugin's name.
    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Everybody who is known, for whoever asks about them later.
    pub(crate) fn identities_table(&self) -> &Arc<Identities> {
        &self.identities
    }

    /// Its grants.
    pub(crate) fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Counts a denial, and logs it with the line that would grant it, unless it just logged some.
    pub(super) fn denied(&self, denial: &Denial) {
        self.denials.fetch_add(1, Ordering::Relaxed);
        if let Some(stage) = self.stage() {
            let message = format!("denied: {denial}");
            stage.log(LogLine { level: LogLevel::Warn, hook: None, message, fields: String::new(), is_hosts: true });
        } else if self.denial_rate.pass(Instant::now()) != Pass::No {
            tracing::warn!(plugin = &*self.plugin, "denied: {denial}");
        }
    }

    /// The metrics the plugin reported.
    pub(crate) fn custom_metrics(&self) -> Vec<CustomMetric> {
        self.metrics.snapshot()
    }

    /// Its counters, for metrics.
    pub(crate) fn status(&self) -> ImportStatus {
        let http = self.http.as_ref().map(Client::counts).unwrap_or_default();
        let tcp = self.tcp.as_deref().map(Dialer::counts).unwrap_or_default();
        ImportStatus {
            metric_updates_dropped: self.metrics.dropped(),
            log_lines_dropped: self.log_rate.refused(),
            orders_refused: self.order_rate.refused(),
            denials: self.denials.load(Ordering::Relaxed),
            kv_bytes: self.stores.values().map(|store| store.bytes()).sum(),
            kv_evicted: self.stores.values().map(|store| store.evicted()).sum(),
            appended_bytes: self.appends.values().map(|file| file.written()).sum(),
            append_waiting_bytes: self.appends.values().map(|file| file.waiting()).sum(),
            appends_lost: self.appends.values().map(|file| file.lost()).sum(),
            http_exchanges: http.exchanges,
            http_failures: http.failures,
            tcp_connections: tcp.open,
            tcp_connects: tcp.opened,
            tcp_failures: tcp.failures,
            tcp_overloaded: tcp.overloaded,
            tcp_bytes_read: tcp.bytes_read,
            tcp_bytes_written: tcp.bytes_written,
            passwords_overloaded: self.lasting.passwords.overloaded(),
        }
    }

    pub(super) fn config(&self) -> &Value {
        &self.config
    }

    pub(super) fn config_json(&self) -> &str {
        &self.config_json
    }

    pub(super) fn limits(&self) -> &ImportLimits {
        &self.lasting.limits
    }

    pub(super) fn store(&self, name: &str) -> Option<&Store> {
        self.stores.get(name).map(|store| &**store)
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    pub(super) fn append_file(&self, path: &str) -> Option<&Arc<AppendFile>> {
        self.appends.get(path)
    }

    pub(super) fn http(&self) -> Option<&Client> {
        self.http.as_ref()
    }

    pub(super) fn tcp(&self) -> Option<&Arc<Dialer>> {
        self.tcp.as_ref()
    }

    pub(super) fn metrics(&self) -> &Registry {
        &self.metrics
    }

    pub(super) fn passwords(&self) -> &Gate {
        &self.lasting.passwords
    }

    pub(super) fn identities(&self) -> &Identities {
        &self.identities
    }

    pub(super) fn outside(&self) -> &dyn Outside {
        &*self.outside
    }

    pub(super) fn log_rate(&self) -> &Rate {
        &self.log_rate
    }

    pub(super) fn order_rate(&self) -> &Rate {
        &self.order_rate
    }

    /// What stands in for the world outside, if anything does.
    pub(super) fn stage(&self) -> Option<&dyn Stage> {
        self.lasting.stage.as_deref()
    }

    /// Now, by the clock that the plugin sees.
    pub(super) fn now(&self) -> Instant {
        let staged = self.stage().and_then(Stage::unix_ms).map(|ms| ms.saturating_sub(self.born_ms));
        let staged = staged.and_then(|passed| self.born.checked_add(Duration::from_millis(passed)));
        staged.unwrap_or_else(Instant::now)
    }

    /// The time since the Unix epoch, by the clock that the plugin sees.
    pub(super) fn since_epoch(&self) -> Duration {
        self.stage().and_then(Stage::unix_ms).map_or_else(
            // A clock before 1970 is no clock; 0 then, rather than a trap.
            || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Duration::from_millis,
        )
    }

    /// The same in milliseconds.
    pub(crate) fn unix_ms(&self) -> u64 {
        u64::try_from(self.since_epoch().as_millis()).unwrap_or(u64::MAX)
    }

    /// Nanoseconds since the generation was made, by the clock that the plugin sees.
    pub(super) fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.now().saturating_duration_since(self.born).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Fills in what nobody can foresee, unless a stage says what.
    ///
    /// # Errors
    /// The operating system has no randomness.
    pub(super) fn fill_random(&self, bytes: &mut [u8]) -> wasmtime::Result<()> {
        if self.stage().is_some_and(|stage| stage.fill_random(bytes)) {
            return Ok(());
        }
        SystemRandom::new().fill(bytes).map_err(|_| wasmtime::format_err!("the operating system has no randomness"))
    }

    /// A value of a store that the plugin may use.
    pub(crate) fn kept(&self, store: &str, key: &str) -> Option<Vec<u8>> {
        self.store(store)?.value(key, self.now())
    }

    /// Puts a value into a store that the plugin may use; false if it may not, or there is no room.
    pub(crate) fn keep(&self, store: &str, key: &str, value: &[u8]) -> bool {
        self.store(store).is_some_and(|store| store.set(key, value.into(), None, self.now()).is_ok())
    }

    /// Reads the granted files again that have changed, at once.
    pub(crate) fn look_at_files(&self) {
        self.files.look();
    }
}

/// Why a generation's imports could not be prepared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// A granted secret's file cannot be read.
    #[error("plugin {plugin}: secret {name}: {}: {error}", path.display())]
    Secret {
        /// The plugin.
        plugin: String,
        /// The secret's name.
        name: String,
        /// Its file.
        path: PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// A file that it may append to cannot be.
    #[error("plugin {plugin}: allow.append: {}: {reason}", path.display())]
    Append {
        /// The plugin.
        plugin: String,
        /// The file.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// What was kept of a store cannot be read.
    #[error("store {store}: {reason}")]
    Store {
        /// The store, `plugin/store`.
        store: String,
        /// Why not.
        reason: String,
    },
    /// The file with certificate authorities cannot be used.
    #[error("certificate authorities in {}: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client cannot be made.
    #[error("plugin {plugin}: HTTP client: {reason}")]
    Http {
        /// The plugin.
        plugin: String,
        /// What is wrong.
        reason: String,
    },
}

const DENIAL_LINES_PER_SECOND: u32 = 1;
