//! From the file to its meaning: defaults that depend on other keys, and rules about more than one key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use midge_host::grants::{Grants, StoreGrant};

use super::check::Origins;
use super::error::Problem;
use super::plugin::{STALE_MAX, TICK_INTERVAL, is_name, json};
use super::{Admin, Config, Listener, Plugin, PluginSource, Store, StoreTopic, Tls, Transport, file};

/// What the file means. `base` is the directory that relative paths start from: the file's own.
pub(super) fn meaning(file: file::File, origins: Origins, base: &Path) -> Result<Config, Vec<Problem>> {
    let mut reader = Reader { origins: &origins, base, problems: Vec::new() };
    let plugins: Vec<Plugin> =
        file.plugin.into_iter().enumerate().filter_map(|(index, plugin)| reader.plugin(index, plugin)).collect();
    let listeners: Vec<Listener> = file
        .listener
        .into_iter()
        .enumerate()
        .filter_map(|(index, listener)| reader.listener(index, listener))
        .collect();
    let mut runtime = file.runtime;
    runtime.data_dir = base.join(runtime.data_dir);
    let store = reader.store(file.store, &runtime.data_dir);
    reader.persistent_stores(&plugins, &store);
    let listeners = if listeners.is_empty() && reader.problems.is_empty() { Listener::loopback() } else { listeners };
    reader.known_listeners(&plugins, &listeners);
    if reader.problems.is_empty() {
        reader.unique("plugin", "name", plugins.iter().map(|plugin| plugin.name.clone()));
        reader.unique("listener", "name", listeners.iter().map(|listener| listener.name.clone()));
        let fixed = listeners.iter().map(|listener| listener.address).map(|address| match address.port() {
            0 => None,
            _ => Some(address.to_string()),
        });
        reader.unique("listener", "address", fixed);
        reader.unique("store.topics", "filter", store.topics.iter().map(|topic| topic.filter.clone()));
    }
    let admin = Admin { token_file: file.admin.token_file.map(|file| reader.path(file)), ..file.admin };
    if !admin.address.ip().is_loopback() && admin.enabled && !admin.allow_remote {
        let what = "the admin port has no authentication and would be open to other machines; \
                    use a loopback address, or say allow_remote = true in [admin]";
        reader.problem("admin.address", Some(format!("\"{}\"", admin.address)), what);
    }
    let problems = reader.problems;
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Config {
        listeners,
        plugins,
        limits: file.limits,
        shared_subscriptions: file.shared_subscriptions,
        store,
        admin,
        swap: file.swap,
        log: file.log,
        runtime,
        sys: file.sys,
        shutdown: file.shutdown,
        origins,
    })
}

struct Reader<'a> {
    origins: &'a Origins,
    base: &'a Path,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn listener(&mut self, index: usize, file: file::Listener) -> Option<Listener> {
        let path = format!("listener[{index}]");
        let Some(address) = file.address else {
            self.missing(&path, "address", "\"127.0.0.1:1883\"");
            return None;
        };
        let name = file.name.unwrap_or_else(|| format!("listener{}", index + 1));
        let unsaid = Listener::new(name, address);
        let protocol = file.protocol.unwrap_or_default();
        if let (Transport::Mqtt, Some(http_path)) = (protocol, &file.path) {
            let found = Some(format!("{http_path:?}"));
            self.problem(&format!("{path}.path"), found, "only protocol = \"ws\" has an HTTP path");
        }
        Some(Listener {
            protocol,
            path: file.path.unwrap_or(unsaid.path),
            tls: file.tls.and_then(|tls| self.tls(&path, tls)),
            anonymous_said: file.anonymous,
            versions: file.versions.unwrap_or(unsaid.versions),
            connections_max: file.connections_max.unwrap_or(unsaid.connections_max),
            connects_per_second: file.connects_per_second.unwrap_or(unsaid.connects_per_second),
            connect_timeout: file.connect_timeout_ms.map_or(unsaid.connect_timeout, Duration::from_millis),
            ..unsaid
        })
    }

    fn tls(&mut self, listener: &str, file: file::Tls) -> Option<Tls> {
        let path = format!("{listener}.tls");
        if file.certificate.is_none() {
            self.missing(&path, "certificate", "\"server.pem\"");
        }
        if file.key.is_none() {
            self.missing(&path, "key", "\"server.key\"");
        }
        let client_certificate = file.client_certificate.unwrap_or_default();
        match (client_certificate, &file.client_ca) {
            (super::ClientCertificate::None, Some(ca)) => {
                let found = Some(format!("{:?}", ca.display().to_string()));
                let what = "without effect: say client_certificate = \"optional\" or \"required\" too";
                self.problem(&format!("{path}.client_ca"), found, what);
            }
            (super::ClientCertificate::Optional | super::ClientCertificate::Required, None) => {
                self.missing(&path, "client_ca", "\"clients.pem\"");
            }
            _ => {}
        }
        Some(Tls {
            certificate: self.path(file.certificate?),
            key: self.path(file.key?),
            client_ca: file.client_ca.map(|ca| self.path(ca)),
            client_certificate,
        })
    }

    fn plugin(&mut self, index: usize, file: file::Plugin) -> Option<Plugin> {
        let path = format!("plugin[{index}]");
        let Some(source) = file.path else {
            self.missing(&path, "path", "\"auth.wasm\" or \"bundled:password-file\"");
            return None;
        };
        let name = file.name.unwrap_or_else(|| name_of(&source));
        if !is_name(&name) {
            self.missing(&path, "name", "\"auth\"");
        }
        let allow = file.allow.unwrap_or_default();
        let grants = match Grants::from_json(&name, &json(&allow), self.base) {
            Ok(grants) => grants,
            Err(error) => {
                self.problem(&format!("{path}.allow"), None, error.to_string());
                return None;
            }
        };
        Some(Plugin {
            name,
            source: match source {
                PluginSource::File(file) => PluginSource::File(self.path(file)),
                bundled @ PluginSource::Bundled(_) => bundled,
            },
            sha256: file.sha256,
            hooks: file.hooks,
            topics: file.topics,
            listeners: file.listeners,
            tenants: file.tenants,
            required: file.required.unwrap_or(false),
            on_error: file.on_error.unwrap_or_default(),
            tick_interval: file.tick_interval_ms.map_or(TICK_INTERVAL, Duration::from_millis),
            stale_max: file.stale_max_s.map_or(STALE_MAX, Duration::from_secs),
            config: file.config.unwrap_or_default(),
            allow,
            grants,
            limits: file.limits.unwrap_or_default(),
        })
    }

    fn store(&mut self, file: file::Store, data_dir: &Path) -> Store {
        let unsaid = Store::below(data_dir);
        let topics = file.topics.into_iter().enumerate();
        Store {
            directory: file.directory.map_or(unsaid.directory, |directory| self.path(directory)),
            durability: file.durability,
            topics: topics.filter_map(|(index, topic)| self.store_topic(index, topic)).collect(),
            commit_interval: file.commit_interval_ms.map_or(unsaid.commit_interval, Duration::from_millis),
            cache_bytes_max: file.cache_bytes_max.map_or(unsaid.cache_bytes_max, |size| size.0),
            waiting_bytes_max: file.waiting_bytes_max.map_or(unsaid.waiting_bytes_max, |size| size.0),
        }
    }

    /// What outlives the process needs a place to be.
    fn persistent_stores(&mut self, plugins: &[Plugin], store: &Store) {
        if store.keeps_anything() {
            return;
        }
        for (index, plugin) in plugins.iter().enumerate() {
            let is_persistent = |grant| matches!(grant, StoreGrant::Own { is_persistent: true, .. });
            if let Some((name, _)) = plugin.grants.stores().find(|(_, grant)| is_persistent(*grant)) {
                let what = format!(
                    "kv.{name} is persistent, and with store.durability = \"memory\" nothing survives; say \"os\" or \"fsync\" \
                     there, or persistent = false here"
                );
                self.problem(&format!("plugin[{index}].allow"), None, what);
            }
        }
    }

    /// A plugin is for listeners that there are.
    fn known_listeners(&mut self, plugins: &[Plugin], listeners: &[Listener]) {
        let is_known = |name: &String| listeners.iter().any(|listener| listener.name == *name);
        for (index, plugin) in plugins.iter().enumerate() {
            if let Some(name) = plugin.listeners.iter().flatten().find(|name| !is_known(name)) {
                let known: Vec<&str> = listeners.iter().map(|listener| listener.name.as_str()).collect();
                let what = format!("there is no listener of this name; there are {}", known.join(", "));
                self.problem(&format!("plugin[{index}].listeners"), Some(format!("{name:?}")), what);
            }
        }
    }

    fn store_topic(&mut self, index: usize, file: file::StoreTopic) -> Option<StoreTopic> {
        let path = format!("store.topics[{index}]");
        if file.filter.is_none() {
            self.missing(&path, "filter", "\"telemetry/#\"");
        }
        if file.durability.is_none() {
            self.missing(&path, "durability", "\"memory\"");
        }
        Some(StoreTopic { filter: file.filter?, durability: file.durability? })
    }

    /// Every value that there is at most once.
    fn unique(&mut self, table: &str, key: &str, values: impl Iterator<Item = impl Into<Option<String>>>) {
        let mut seen = BTreeMap::new();
        for (index, value) in values.enumerate() {
            let Some(value) = value.into() else { continue };
            if let Some(first) = seen.insert(value.clone(), index) {
                let path = format!("{table}[{index}].{key}");
                self.problem(&path, Some(format!("{value:?}")), format!("{table}[{first}] has this {key} already"));
            }
        }
    }

    /// Relative paths start from the file's directory, so that a config means the same wherever midge is started.
    fn path(&self, path: PathBuf) -> PathBuf {
        self.base.join(path)
    }

    fn missing(&mut self, table: &str, name: &str, example: &str) {
        self.problem(table, None, format!("{name} is missing; add for example {name} = {example}"));
    }

    fn problem(&mut self, key: &str, found: Option<String>, what: impl Into<String>) {
        self.problems.push(Problem { origin: origin(self.origins, key), key: key.into(), found, what: what.into() });
    }
}

/// Where a key was written or, failing that, the table it belongs to.
pub(super) fn origin(origins: &Origins, key: &str) -> Option<super::Origin> {
    let mut key = key;
    loop {
        if let Some(origin) = origins.get(key) {
            return Some(origin.clone());
        }
        key = key.rsplit_once('.')?.0;
    }
}

/// The name of a plugin that was given none: its file's, or its bundled name.
fn name_of(source: &PluginSource) -> String {
    match source {
        PluginSource::Bundled(name) => name.clone(),
        PluginSource::File(path) => {
            path.file_stem().map_or_else(|| "plugin".into(), |stem| stem.to_string_lossy().into_owned())
        }
    }
}
