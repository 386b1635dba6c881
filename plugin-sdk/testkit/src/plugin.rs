//! [`Plugin`]: a component, and the world it is put into.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use midge_host::contract::{CustomMetric, Hook, LogLine, Outside, PluginLimits, PluginSource, PluginSpec, Stage};
use midge_host::grants::{GrantError, Grants};
use midge_host::{
    Alone, CallError, EngineError, EngineSettings, HostSettings, Inspection, LoadError, Measured, PluginEngine,
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::answer::Answer;
use crate::world::{Served, World};

/// A component, the world it is put into, and the instance that is called. It is loaded and started by the first call.
///
/// It brings its own threads and waits for its calls, so it is used outside of asynchronous code.
pub struct Plugin {
    spec: PluginSpec,
    allow: Map<String, Value>,
    base: PathBuf,
    files: BTreeMap<String, String>,
    kept: Vec<(String, String, Vec<u8>)>,
    cache: Option<PathBuf>,
    world: Arc<World>,
    loaded: Option<Loaded>,
}

struct Loaded {
    alone: Alone,
    files: TempDir,
    runtime: Runtime,
}

/// Why a plugin was not called.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be loaded, or does not start.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The function or its input is none of the plugin's.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What it should be granted makes no sense.
    #[error(transparent)]
    Grants(#[from] GrantError),
    /// This machine runs no WebAssembly.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A value cannot be put into a store: it is not granted, or too small.
    #[error(
        "the store {0:?} is not granted, or has no room for {1:?}; allow.kv = {{ {0:?} = \"1MiB\" }} would grant it"
    )]
    Store(String, String),
    /// A file is to be changed that the test has not made.
    #[error("the test has made no file {0:?} that could change")]
    NoFile(String),
    /// A file of the test cannot be written, or there are no threads.
    #[error("the test cannot be set up: {0}")]
    SetUp(#[from] io::Error),
}

impl Plugin {
    /// A component in a file.
    #[must_use]
    pub fn load(file: impl AsRef<Path>) -> Self {
        let name = file.as_ref().file_stem().map_or_else(|| "plugin".into(), |name| name.to_string_lossy());
        let name = name.into_owned();
        Self::new(&name, PluginSource::File(file.as_ref().to_owned()))
    }

    /// A component that is here already; `origin` is what messages call it.
    #[must_use]
    pub fn of_bytes(name: &str, origin: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        Self::new(name, PluginSource::Bytes { origin: origin.to_owned(), bytes: bytes.into() })
    }

    fn new(name: &str, source: PluginSource) -> Self {
        Self {
            spec: PluginSpec::new(name, source),
            allow: Map::new(),
            base: PathBuf::new(),
            files: BTreeMap::new(),
            kept: Vec::new(),
            cache: None,
            world: Arc::default(),
            loaded: None,
        }
    }

    /// Its name, as `name` of `[[plugin]]`; unless said, that of its file.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.spec.name);
        self
    }

    /// Its configuration, as `config` of `[[plugin]]`: an object.
    #[must_use]
    pub fn config(mut self, config: Value) -> Self {
        self.spec.config = config;
        self
    }

    /// What it may do, as `allow` of `[[plugin]]`: an object, whose keys replace those that were said before.
    #[must_use]
    pub fn allow(mut self, allow: Value) -> Self {
        if let Value::Object(allow) = allow {
            self.allow.extend(allow);
        }
        self
    }

    /// Its bounds, as `limits` of `[[plugin]]`.
    #[must_use]
    pub fn limits(mut self, limits: PluginLimits) -> Self {
        self.spec.limits = limits;
        self
    }

    /// Uses only these of its hooks.
    #[must_use]
    pub fn hooks(mut self, hooks: &[Hook]) -> Self {
        self.spec.hooks = Some(hooks.to_vec());
        self
    }

    /// Where the relative paths of [`Self::allow`] begin; unless said, where the test runs.
    #[must_use]
    pub fn base(mut self, directory: impl Into<PathBuf>) -> Self {
        self.base = directory.into();
        self
    }

    /// A file that it is granted, with what is in it.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.insert(name.to_owned(), text.to_owned());
        self
    }

    /// A secret that it is granted.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        let secrets = self.allow.entry("secrets").or_insert_with(|| json!({}));
        if let Value::Object(secrets) = secrets {
            secrets.insert(name.to_owned(), json!({ "value": value }));
        }
        self
    }

    /// A store of its own that it is granted, 1 MiB large unless its size was said.
    #[must_use]
    pub fn store(mut self, name: &str) -> Self {
        let stores = self.allow.entry("kv").or_insert_with(|| json!({}));
        if let Value::Object(stores) = stores {
            stores.entry(name).or_insert_with(|| json!("1MiB"));
        }
        self
    }

    /// A value that is in one of its stores from the start. The store is granted if it was not.
    #[must_use]
    pub fn kept(self, store: &str, key: &str, value: impl Into<Vec<u8>>) -> Self {
        let mut plugin = self.store(store);
        plugin.kept.push((store.to_owned(), key.to_owned(), value.into()));
        plugin
    }

    /// Stops its clock at this moment, in milliseconds since the Unix epoch. [`Self::advance`] moves it on.
    #[must_use]
    pub fn at(self, unix_ms: u64) -> Self {
        self.world.set_now(unix_ms);
        self
    }

    /// Makes what `clock.random` hands out the same every time.
    #[must_use]
    pub fn seed(self, text: &str) -> Self {
        self.world.seed(text);
        self
    }

    /// Has an HTTP service answer. Each answer is given once, in order, and the last that fits goes on. A request that nothing fits
    /// finds nobody there. The origin must be granted all the same.
    #[must_use]
    pub fn serve(self, served: Served) -> Self {
        self.world.serve(served);
        self
    }

    /// Has requests that nothing was made ready for really sent.
    #[must_use]
    pub fn online(self) -> Self {
        self.world.set_online(true);
        self
    }

    /// Keeps the compiled component in this directory, and takes it from there.
    #[must_use]
    pub fn cache(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache = Some(directory.into());
        self
    }

    /// What it is and wants. Loads it, and starts nothing.
    ///
    /// # Errors
    /// It cannot be loaded.
    pub fn inspect(&mut self) -> Result<&Inspection, Error> {
        Ok(self.loaded()?.alone.inspection())
    }

    /// Starts it, again if it was started before, and says how long that took.
    ///
    /// # Errors
    /// It cannot be loaded, or does not start.
    pub fn start(&mut self) -> Result<Duration, Error> {
        let Loaded { alone, runtime, .. } = self.loaded()?;
        Ok(runtime.block_on(alone.start())?)
    }

    /// Linear memory of its instance, in bytes; none before it has started.
    pub fn memory_bytes(&mut self) -> Option<u64> {
        self.loaded.as_mut()?.alone.memory_bytes()
    }

    /// Calls a function, by its name, with JSON in the words of the contract.
    ///
    /// # Errors
    /// It was not called: it cannot be loaded, does not start, or has no such function, or the input is not the function's. A call
    /// that failed is an [`Answer`].
    pub fn call(&mut self, function: &str, input: &Value) -> Result<Answer, Error> {
        self.loaded()?;
        let Some(Loaded { alone, runtime, .. }) = &mut self.loaded else { unreachable!("it was loaded just now") };
        let report = runtime.block_on(alone.call(function, input))?;
        Ok(Answer::new(report, self.world.deeds()))
    }

    /// What calls of a hook cost; see [`Alone::measure`].
    ///
    /// # Errors
    /// It cannot be loaded, or does not start.
    pub fn measure(&mut self, hook: Hook, calls: usize, at_most: Duration) -> Result<Vec<Measured>, Error> {
        let Loaded { alone, runtime, .. } = self.loaded()?;
        Ok(runtime.block_on(alone.measure(hook, calls, at_most))?)
    }

    /// Moves its clock on. One that was not stopped before begins at 1970.
    pub fn advance(&mut self, ms: u64) {
        self.world.advance(ms);
    }

    /// Has an HTTP service answer from now on, as [`Self::serve`].
    pub fn serve_now(&mut self, served: Served) {
        self.world.serve(served);
    }

    /// Forgets the answers that HTTP services have ready.
    pub fn serve_nothing(&mut self) {
        self.world.serve_nothing();
    }

    /// What it logged since the last call: at its start, or until it was found not to start. What else it did then is forgotten.
    pub fn leftovers(&mut self) -> Vec<LogLine> {
        self.world.deeds().logs
    }

    /// Changes a file that [`Self::file`] made, which the plugin sees at once.
    ///
    /// # Errors
    /// There is no such file, or it cannot be written.
    pub fn change_file(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let at = self.files.keys().position(|known| known == name);
        let at = at.ok_or_else(|| Error::NoFile(name.to_owned()))?;
        self.files.insert(name.to_owned(), text.to_owned());
        if let Some(Loaded { alone, files, .. }) = &self.loaded {
            fs::write(files.path().join(at.to_string()), text)?;
            alone.look_at_files();
        }
        Ok(())
    }

    /// What one of its stores has under a key.
    #[must_use]
    pub fn value(&self, store: &str, key: &str) -> Option<Vec<u8>> {
        self.loaded.as_ref()?.alone.kept(store, key)
    }

    /// The metrics it reported so far.
    #[must_use]
    pub fn metrics(&self) -> Vec<CustomMetric> {
        self.loaded.as_ref().map(|loaded| loaded.alone.metrics()).unwrap_or_default()
    }

    fn loaded(&mut self) -> Result<&mut Loaded, Error> {
        if self.loaded.is_none() {
            self.loaded = Some(self.made()?);
        }
        match &mut self.loaded {
            Some(loaded) => Ok(loaded),
            None => unreachable!("it was loaded just now"),
        }
    }

    fn made(&self) -> Result<Loaded, Error> {
        let files = TempDir::new()?;
        let mut spec = self.spec.clone();
        let allow = Value::Object(self.allow.clone());
        let mut grants = Grants::from_json(&spec.name, &allow, &self.base)?;
        for (at, (name, text)) in self.files.iter().enumerate() {
            let path = files.path().join(at.to_string());
            fs::write(&path, text)?;
            grants = grants.with_file(name, path);
        }
        spec.allow = grants;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let engine = PluginEngine::new(EngineSettings { pooled: false, ..EngineSettings::default() })?;
        let engine = Arc::new(engine.with_stage(Arc::clone(&self.world) as Arc<dyn Stage>));
        let settings = HostSettings::new(engine, self.cache.clone());
        let outside = Arc::clone(&self.world) as Arc<dyn Outside>;
        let alone = runtime.block_on(Alone::load(settings, spec, outside))?;
        for (store, key, value) in &self.kept {
            if !alone.keep(store, key, value) {
                return Err(Error::Store(store.clone(), key.clone()));
            }
        }
        Ok(Loaded { alone, files, runtime })
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.spec.name).finish_non_exhaustive()
    }
}
