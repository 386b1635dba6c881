//! `[[plugin]]`: which plugins run, what they may use, and what they may reach.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use midge_host::contract::{self, Hook, PluginSpec};
use midge_host::grants::Grants;
use serde::{Deserialize, Serialize};

use super::units::{milliseconds, seconds, size};

/// The components built into the binary: name and bytes.
pub type Bundled = &'static [(&'static str, &'static [u8])];

/// One plugin as the operator configured it. Plugins are asked in the order in which they appear in the file.
#[derive(Debug, Clone, Serialize)]
pub struct Plugin {
    /// Its name in logs and metrics.
    pub name: String,
    /// Where the component is.
    #[serde(rename = "path")]
    pub source: PluginSource,
    /// The SHA-256 that it must have, 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Use only these of the hooks that it exports; `None`: all but `authz-deliver`, which has to be named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Vec<String>>,
    /// The topic filters of what its `messages` and `sink` hooks get; `None`: what it registers itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topics: Option<Vec<String>>,
    /// The listeners about whose clients it is asked; `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listeners: Option<Vec<String>>,
    /// The tenants about whose clients its `authz`, `messages` and `sink` hooks are asked; `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<String>>,
    /// Whether listeners wait until it is well before they open.
    pub required: bool,
    /// What a failure to answer means.
    pub on_error: OnError,
    /// How long after one of its ticks the next one comes.
    #[serde(rename = "tick_interval_ms", with = "milliseconds")]
    pub tick_interval: Duration,
    /// With `on_error` stale, how old a decision may be that stands; 300 s unless said.
    #[serde(rename = "stale_max_s", with = "seconds")]
    pub stale_max: Duration,
    /// Its own configuration.
    pub config: toml::Table,
    /// What it may reach, as written.
    pub allow: toml::Table,
    /// The same, understood.
    #[serde(skip)]
    pub grants: Grants,
    /// What it may use.
    pub limits: PluginLimits,
}

impl Plugin {
    /// Whether its component may turn out to authenticate the clients of a listener.
    pub(super) fn may_authenticate(&self, listener: &str) -> bool {
        let is_on = self.listeners.as_ref().is_none_or(|names| names.iter().any(|name| name == listener));
        is_on && self.hooks.as_ref().is_none_or(|hooks| hooks.iter().any(|hook| AUTHENTICATES.contains(&hook.as_str())))
    }

    /// The plugin as the host takes it. Err: what to say about a bundled plugin that this binary does not have.
    pub(super) fn spec(&self, bundled: Bundled) -> Result<PluginSpec, String> {
        let source = match &self.source {
            PluginSource::File(path) => contract::PluginSource::File(path.clone()),
            PluginSource::Bundled(name) => contract::PluginSource::Bytes {
                origin: format!("bundled:{name}"),
                bytes: Cow::Borrowed(find(bundled, name)?),
            },
        };
        let hooks = self.hooks.as_ref().map(|names| names.iter().filter_map(|name| Hook::from_name(name)).collect());
        Ok(PluginSpec {
            sha256: self.sha256.as_deref().and_then(digest),
            hooks,
            config: json(&self.config),
            allow: self.grants.clone(),
            limits: self.limits.host(),
            on_error: match self.on_error {
                OnError::Deny => contract::OnError::Deny,
                OnError::Next => contract::OnError::Next,
                OnError::Stale => contract::OnError::Stale { max: self.stale_max },
            },
            topics: self.topics.clone(),
            tick_interval: self.tick_interval,
            listeners: self.listeners.clone(),
            tenants: self.tenants.clone(),
            required: self.required,
            ..PluginSpec::new(&self.name, source)
        })
    }
}

fn find(bundled: Bundled, name: &str) -> Result<&'static [u8], String> {
    if bundled.is_empty() {
        return Err(
            "this midge was built without bundled plugins; `cargo xtask build` (or `cargo xtask run`) builds one \
                    with them, or give the path of a .wasm file"
                .into(),
        );
    }
    bundled.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes).ok_or_else(|| {
        let known: Vec<&str> = bundled.iter().map(|(known, _)| *known).collect();
        format!("there is no such bundled plugin; this midge has {}", known.join(", "))
    })
}

/// A table as the JSON that plugins are given.
pub(super) fn json(table: &toml::Table) -> serde_json::Value {
    serde_json::to_value(table).unwrap_or(serde_json::Value::Null)
}

/// Where a plugin's component comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum PluginSource {
    /// A file.
    File(PathBuf),
    /// `bundled:NAME`: built into this binary.
    Bundled(String),
}

impl From<String> for PluginSource {
    fn from(text: String) -> Self {
        match text.strip_prefix("bundled:") {
            Some(name) => Self::Bundled(name.into()),
            None => Self::File(text.into()),
        }
    }
}

impl From<PluginSource> for String {
    fn from(source: PluginSource) -> Self {
        match source {
            PluginSource::File(path) => path.display().to_string(),
            PluginSource::Bundled(name) => format!("bundled:{name}"),
        }
    }
}

/// What a failure to answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The client is refused.
    #[default]
    Deny,
    /// As if the plugin had not been asked.
    Next,
    /// Of `authz` and `authz-deliver`: what was last decided stands for a while; else as `Deny`.
    Stale,
}

/// How old a decision may be that stands though its plugin cannot answer, unless said.
pub(super) const STALE_MAX: Duration = Duration::from_secs(300);

/// `limits` of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginLimits {
    /// Linear memory of one instance.
    #[serde(with = "size")]
    pub memory_bytes_max: u64,
    /// Processor time of one call; `None`: the host's default of the hook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Wall time of one call; `None`: the host's default of the hook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// Processor time of its init.
    #[serde(rename = "init_cpu_ms", with = "milliseconds")]
    pub init_cpu: Duration,
    /// Instances side by side, where calls can wait.
    pub instances_max: u32,
    /// Calls that may wait for an instance.
    pub waiting_max: u32,
    /// Calls after which an instance is replaced.
    pub calls_max: u64,
    /// Messages or events that may wait for it.
    pub queue_max: u32,
    /// Messages or events in one call.
    pub batch_max: u32,
    /// Bytes kept for it between two steps of one exchange of enhanced authentication.
    #[serde(with = "size")]
    pub state_bytes_max: u64,
    /// Bytes that wait to be written to each file it appends to.
    #[serde(with = "size")]
    pub append_bytes_max: u64,
    /// HTTP requests of its instances under way at once; others wait for their turn.
    pub http_requests_max: u32,
    /// TCP connections that its instances may have open at once.
    pub tcp_connections_max: u32,
    /// Bytes of the body of a request to its pages, and of the answer.
    #[serde(with = "size")]
    pub admin_bytes_max: u64,
}

impl Default for PluginLimits {
    fn default() -> Self {
        let host = contract::PluginLimits::default();
        Self {
            memory_bytes_max: host.memory_bytes_max as u64,
            cpu_ms: None,
            wait_ms: None,
            init_cpu: host.init_cpu,
            instances_max: host.instances_max,
            waiting_max: host.waiting_max,
            calls_max: host.calls_max,
            queue_max: u32::try_from(host.queue_max).unwrap_or(u32::MAX),
            batch_max: u32::try_from(host.batch_max).unwrap_or(u32::MAX),
            state_bytes_max: host.state_bytes_max as u64,
            append_bytes_max: host.append_bytes_max as u64,
            http_requests_max: host.http_requests_max,
            tcp_connections_max: host.tcp_connections_max,
            admin_bytes_max: host.admin_bytes_max as u64,
        }
    }
}

impl PluginLimits {
    fn host(&self) -> contract::PluginLimits {
        contract::PluginLimits {
            memory_bytes_max: usize::try_from(self.memory_bytes_max).unwrap_or(usize::MAX),
            cpu: self.cpu_ms.map(Duration::from_millis),
            wait: self.wait_ms.map(Duration::from_millis),
            init_cpu: self.init_cpu,
            instances_max: self.instances_max,
            waiting_max: self.waiting_max,
            calls_max: self.calls_max,
            queue_max: self.queue_max as usize,
            batch_max: self.batch_max as usize,
            state_bytes_max: usize::try_from(self.state_bytes_max).unwrap_or(usize::MAX),
            append_bytes_max: usize::try_from(self.append_bytes_max).unwrap_or(usize::MAX),
            http_requests_max: self.http_requests_max,
            tcp_connections_max: self.tcp_connections_max,
            admin_bytes_max: usize::try_from(self.admin_bytes_max).unwrap_or(usize::MAX),
        }
    }
}

/// How long after one tick the next one comes, unless said.
pub(super) const TICK_INTERVAL: Duration = Duration::from_secs(60);
/// The hooks that say who a client is.
const AUTHENTICATES: [&str; 2] = [Hook::Authn.name(), Hook::EnhancedAuthn.name()];

/// A name of a plugin or a listener: it becomes a label and part of log lines.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// A hook that an operator can name.
pub(super) fn is_hook(text: &str) -> bool {
    Hook::from_name(text).is_some_and(|hook| hook != Hook::Lifecycle)
}

pub(super) fn is_sha256(text: &str) -> bool {
    digest(text).is_some()
}

/// A topic filter as the specification has it (4.7): `#` last, wildcards alone in their level.
pub(super) fn is_topic_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let alone = |level: &&str| !level.contains(['#', '+']) || matches!(*level, "#" | "+");
    let last = levels.iter().position(|level| *level == "#").is_none_or(|at| at + 1 == levels.len());
    !text.is_empty() && text.len() <= 65_535 && !text.contains('\0') && levels.iter().all(alone) && last
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}
