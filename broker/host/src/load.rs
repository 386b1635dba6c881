//! From a file to a running generation: read, pin, inspect, compile or take from the cache, link, start.

mod cache;
mod inspect;
mod track;

use std::borrow::Cow;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{Component, Linker};

pub(crate) use self::cache::Cache;
use self::inspect::Found;
pub(crate) use self::track::{Track, short_name};
use crate::contract::{Hook, Lane, Outside, PluginSource, PluginSpec};
use crate::engine::PluginEngine;
use crate::error::{LoadError, LoadErrorKind};
use crate::identities::Identities;
use crate::imports::{Lasting, PluginState, Shared};
use crate::plugin::{About, Blueprint, CreateError, Environment, Exports, Generation};

/// What every plugin of a host is loaded with.
#[derive(Clone)]
pub(crate) struct Loader {
    pub(crate) engine: Arc<PluginEngine>,
    pub(crate) cache: Option<Arc<Cache>>,
    pub(crate) lasting: Arc<Lasting>,
    pub(crate) outside: Arc<dyn Outside>,
    pub(crate) identities: Arc<Identities>,
    pub(crate) broker_version: Arc<str>,
    pub(crate) node: Arc<str>,
    pub(crate) workers: usize,
    /// Whether hooks that an operator has to name are used where none is named: a tool tries whatever there is.
    pub(crate) tries_all: bool,
}

/// A loaded plugin and what its imports count.
pub(crate) struct Loaded {
    pub(crate) generation: Arc<Generation>,
    pub(crate) shared: Arc<Shared>,
}

impl Loader {
    /// Loads one plugin. Reading and compiling happen on a blocking thread.
    ///
    /// # Errors
    /// Whatever is wrong with it, in words that name the file.
    pub(crate) async fn load(self: Arc<Self>, spec: PluginSpec) -> Result<Arc<Loaded>, LoadError> {
        let (plugin, origin) = (spec.name.clone(), spec.source.to_string());
        let Prepared { about, blueprint, .. } = Arc::clone(&self).prepared(spec).await?;
        let shared = Arc::clone(&blueprint.shared);
        match Generation::start(about, blueprint, self.workers).await {
            Ok(generation) => Ok(Arc::new(Loaded { generation: Arc::new(generation), shared })),
            Err(error) => Err(LoadError { plugin, origin, kind: start_error(error) }),
        }
    }

    /// Everything that comes before the first instance, on a blocking thread.
    ///
    /// # Errors
    /// Whatever is wrong with it, in words that name the file.
    pub(crate) async fn prepared(self: Arc<Self>, spec: PluginSpec) -> Result<Prepared, LoadError> {
        let (plugin, origin) = (spec.name.clone(), spec.source.to_string());
        let failed = |kind| LoadError { plugin, origin, kind };
        if let Err(error) = self.engine.start_clock() {
            return Err(failed(LoadErrorKind::Setup(format!("no thread to watch deadlines: {error}"))));
        }
        let prepared = tokio::task::spawn_blocking(move || self.prepare(spec))
            .await
            .unwrap_or_else(|panic| Err(LoadErrorKind::Invalid(format!("its compilation panicked: {panic}"))));
        prepared.map_err(failed)
    }

    fn prepare(&self, spec: PluginSpec) -> Result<Prepared, LoadErrorKind> {
        let bytes = read(&spec.source)?;
        let digest = Digest::of(&bytes);
        if let Some(pinned) = spec.sha256
            && pinned != digest.0
        {
            return Err(LoadErrorKind::WrongDigest { found: digest.to_string(), accepted: Digest(pinned).to_string() });
        }
        inspect::is_component(&bytes)?;
        let began = Instant::now();
        let component = self.component(&spec, &bytes, &digest)?;
        let compiled_in = began.elapsed();
        let found = inspect::inspect(&component, spec.hooks.as_deref(), self.tries_all)?;
        if found.lane == Lane::Waiting && found.hooks.contains(&Hook::Admission) {
            return Err(LoadErrorKind::Setup(ADMISSION_WAITS.into()));
        }
        if let Some(hook) = found.unnamed {
            tracing::info!(plugin = spec.name, %hook, "the plugin has a hook that is asked only where `hooks` names it");
        }
        for import in &found.imports {
            if let Some(denial) = spec.allow.unmet(import) {
                tracing::debug!(plugin = spec.name, import, "{denial}");
            }
        }
        let shared = Shared::new(&spec, Arc::clone(&self.outside), Arc::clone(&self.identities), &self.lasting)
            .map_err(|error| LoadErrorKind::Setup(error.to_string()))?;
        let blueprint = self.blueprint(&spec, &component, &found, shared)?;
        let number = self.lasting.next_generation(&spec.name);
        let about = about(&spec, digest.to_string(), number, found.track, found.hooks);
        Ok(Prepared { about, blueprint, component, imports: found.imports, bytes: bytes.len(), compiled_in })
    }

    fn component(&self, spec: &PluginSpec, bytes: &[u8], digest: &Digest) -> Result<Component, LoadErrorKind> {
        let engine = self.engine.wasmtime();
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.find(engine, digest)) {
            return Ok(component);
        }
        let began = Instant::now();
        if bytes.len() > SLOW_BYTES {
            tracing::info!(plugin = spec.name, bytes = bytes.len(), "compiling a large plugin, which takes seconds");
        }
        let component =
            Component::from_binary(engine, bytes).map_err(|error| LoadErrorKind::Invalid(format!("{error:#}")))?;
        tracing::debug!(plugin = spec.name, took_ms = began.elapsed().as_millis() as u64, "plugin compiled");
        if let Some(cache) = &self.cache {
            cache.keep(engine, digest, &component);
        }
        Ok(component)
    }

    fn blueprint(
        &self,
        spec: &PluginSpec,
        component: &Component,
        found: &Found,
        shared: Arc<Shared>,
    ) -> Result<Blueprint, LoadErrorKind> {
        let invalid = |error: wasmtime::Error| LoadErrorKind::Invalid(format!("{error:#}"));
        let mut linker = Linker::<PluginState>::new(self.engine.wasmtime());
        found.track.link(&mut linker, component).map_err(invalid)?;
        let instances = match found.lane {
            Lane::Inline => u32::try_from(self.workers).unwrap_or(u32::MAX),
            Lane::Waiting => spec.limits.instances_max,
        };
        Ok(Blueprint {
            pre: linker.instantiate_pre(component).map_err(invalid)?,
            exports: Exports::find(component, found.track, &found.hooks),
            lane: found.lane,
            shared,
            limits: spec.limits.clone(),
            environment: Environment {
                broker_version: Arc::clone(&self.broker_version),
                node: Arc::clone(&self.node),
                name: spec.name.as_str().into(),
                instance: 0,
                instances,
            },
        })
    }
}

/// A plugin before its first instance.
pub(crate) struct Prepared {
    pub(crate) about: About,
    pub(crate) blueprint: Blueprint,
    pub(crate) component: Component,
    /// Interfaces it imports, with their versions.
    pub(crate) imports: Vec<String>,
    /// The component's size.
    pub(crate) bytes: usize,
    /// How long it took to compile it, or to take it from the cache.
    pub(crate) compiled_in: Duration,
}

fn about(spec: &PluginSpec, digest: String, number: u64, track: Track, hooks: Vec<Hook>) -> About {
    About {
        name: spec.name.as_str().into(),
        origin: spec.source.to_string(),
        digest,
        number,
        track,
        hooks,
        on_error: spec.on_error,
        grants: spec.allow.describe(),
        topics: spec.topics.clone(),
        tick_interval: spec.tick_interval,
        serves_pages: spec.allow.admin().map_err(|denial| denial.to_string()),
        listeners: spec.listeners.clone(),
        tenants: spec.tenants.clone(),
        required: spec.required,
        shows_password: spec.allow.shows_password(),
        shows_payload: spec.allow.shows_payload(),
    }
}

pub(crate) fn start_error(error: CreateError) -> LoadErrorKind {
    match error {
        CreateError::WrongSignature(wrong) => {
            LoadErrorKind::WrongSignature { function: wrong.function, reason: wrong.reason }
        }
        CreateError::Refused(text) => LoadErrorKind::Refused(text),
        CreateError::Failed(failure) => LoadErrorKind::Start(failure.to_string()),
    }
}

fn read(source: &PluginSource) -> Result<Cow<'_, [u8]>, LoadErrorKind> {
    let bytes = match source {
        PluginSource::Bytes { bytes, .. } => Cow::Borrowed(&**bytes),
        PluginSource::File(path) => Cow::Owned(read_file(path)?),
    };
    if bytes.len() as u64 > COMPONENT_BYTES_MAX {
        return Err(LoadErrorKind::TooLarge { found: bytes.len() as u64, accepted: COMPONENT_BYTES_MAX });
    }
    Ok(bytes)
}

/// Reads one byte more than accepted at most, so that neither a huge file nor an endless device fills the memory.
fn read_file(path: &PathBuf) -> Result<Vec<u8>, LoadErrorKind> {
    let file = std::fs::File::open(path).map_err(LoadErrorKind::Unreadable)?;
    let found = file.metadata().map_err(LoadErrorKind::Unreadable)?.len();
    if found > COMPONENT_BYTES_MAX {
        return Err(LoadErrorKind::TooLarge { found, accepted: COMPONENT_BYTES_MAX });
    }
    let mut bytes = Vec::new();
    file.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(LoadErrorKind::Unreadable)?;
    Ok(bytes)
}

/// The SHA-256 of a component.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        Self(digest.as_ref().try_into().expect("a SHA-256 is 32 bytes long"))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Nobody waits before a connection is accepted.
const ADMISSION_WAITS: &str = "its hook admission is asked before anything of a connection is read and must not wait, but it imports \
                               http, tcp or passwords; build it without them, or name its other hooks in `hooks`";
/// No component needs more; checked before anything is compiled.
const COMPONENT_BYTES_MAX: u64 = 64 << 20;
/// From about this size on, compiling is worth a line in the log.
const SLOW_BYTES: usize = 1 << 20;
