//! [`Alone`]: one plugin by itself, for tools and tests. It is loaded, sandboxed and granted as in a broker, and each of its
//! functions is called by its name, with JSON in the words of the contract. There are no chains, caches, queues and breakers.
//!
//! What a function takes and returns is read from the component. So whatever the contract has can be called, and a hook that is
//! added to it needs nothing here.

mod check;
mod connect;
mod input;
mod inspection;
mod measure;
mod output;
mod people;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Handle;
use wasmtime::component::ComponentExportIndex;
use wasmtime::component::types::ComponentFunc;

pub use self::input::InputError;
pub use self::inspection::{ExportedFunction, ImportFound, Inspection};
pub use self::measure::Measured;
pub use self::output::written;
use self::people::People;
use crate::contract::{CustomMetric, Hook, ImportStatus, Outside, PluginSpec};
use crate::error::{HookFailure, LoadError};
use crate::host::HostSettings;
use crate::identities::Identities;
use crate::imports::Shared;
use crate::load::{Cache, Loader, Prepared, start_error};
use crate::plugin::{About, CreateError, Instance, NamedCall, Nursery, Registration, spares_instance};

/// One plugin, and at most one instance of it.
pub struct Alone {
    about: About,
    inspection: Inspection,
    functions: Vec<Function>,
    nursery: Nursery,
    shared: Arc<Shared>,
    people: People,
    instance: Option<Box<Instance>>,
    registration: Registration,
}

/// A function that the component exports.
#[derive(Clone)]
struct Function {
    hook: Hook,
    name: String,
    interface: ComponentExportIndex,
    ty: ComponentFunc,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Report {
    /// The hook.
    pub hook: Hook,
    /// The function.
    pub function: String,
    /// What the function returned, in the words of the contract: an `ok` as it is, null for nothing. An `err` is a failure of
    /// the plugin, as a trap or a missed deadline is, and so is an answer that the contract forbids.
    pub answer: Result<Value, HookFailure>,
    /// What the broker would make of the answer besides, in words.
    pub remarks: Vec<String>,
    /// How long it took, with what it waited for.
    pub took: Duration,
    /// Linear memory of the instance afterwards, in bytes; it never shrinks.
    pub memory_bytes: u64,
}

/// Why a function was not called.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The plugin exports no such function.
    #[error("there is no function {asked:?}; this plugin has {known}")]
    UnknownFunction {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: String,
    },
    /// The input is not the function's.
    #[error("the input of {function}: {error}")]
    Input {
        /// The function.
        function: String,
        /// What is wrong with it.
        error: InputError,
    },
    /// The plugin does not start.
    #[error(transparent)]
    Start(LoadError),
}

impl Alone {
    /// Reads, compiles and inspects a plugin; nothing of it runs yet. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// The plugin cannot be loaded: its file, what was found and what would be accepted.
    pub async fn load(settings: HostSettings, spec: PluginSpec, outside: Arc<dyn Outside>) -> Result<Self, LoadError> {
        let identities = Arc::new(Identities::new());
        let loader = Arc::new(Loader {
            lasting: Arc::clone(settings.engine.lasting(&Handle::current())),
            cache: settings.cache_directory.as_deref().and_then(Cache::open).map(Arc::new),
            outside,
            identities: Arc::clone(&identities),
            broker_version: settings.broker_version.into(),
            node: settings.node.into(),
            workers: 1,
            tries_all: true,
            engine: settings.engine,
        });
        let grants = spec.allow.clone();
        let prepared = loader.prepared(spec).await?;
        let functions = functions(&prepared);
        let inspection = inspection::inspect(&prepared, &functions, &grants);
        let Prepared { about, blueprint, .. } = prepared;
        Ok(Self {
            about,
            inspection,
            functions,
            shared: Arc::clone(&blueprint.shared),
            nursery: Nursery::alone(blueprint),
            people: People::new(identities),
            instance: None,
            registration: Registration { topics: Vec::new(), wants_payload: true },
        })
    }

    /// What it is, and what it wants.
    #[must_use]
    pub const fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// Makes the instance that calls go to, in place of the one there was, and has it initialised. Returns how long that took.
    ///
    /// # Errors
    /// It does not start, or refuses to.
    pub async fn start(&mut self) -> Result<Duration, LoadError> {
        self.begin().await.map_err(|error| self.load_error(error))
    }

    /// Calls a function: by its name (`authenticate`), with its hook (`authn.authenticate`), or by the hook alone where that has
    /// one function. `input` has the function's parameters by name; where it is clear whose they are, the fields of a parameter
    /// may stand in its place. What is left out has a default, or is missing and named.
    ///
    /// The first call starts the plugin. After a failure that its instance did not survive the next one starts it again.
    ///
    /// # Errors
    /// The function was not called. A call that failed is a [`Report`].
    pub async fn call(&mut self, function: &str, input: &Value) -> Result<Report, CallError> {
        let function = self.find(function)?;
        if (function.hook, &*function.name) == (Hook::Lifecycle, "init") {
            return self.init(function).await;
        }
        let (hidden, wants_payload) = (&self.about, self.registration.wants_payload);
        let mut reader = input::Reader {
            people: &mut self.people,
            now_ms: self.shared.unix_ms(),
            shows_password: hidden.shows_password,
            shows_payload: hidden.shows_payload && wants_payload,
            client_id: None,
            index: 0,
        };
        let input_of = |error| CallError::Input { function: function.name.clone(), error };
        let (arguments, batch) = reader.arguments(&function.ty, input).map_err(input_of)?;
        if self.instance.is_none() {
            self.start().await.map_err(CallError::Start)?;
        }
        // Just made, or there before.
        let Some(mut instance) = self.instance.take() else { unreachable!("an instance was made just now") };
        let limits = &self.nursery.blueprint.limits;
        let (began, cpu) = (Instant::now(), limits.cpu_of(function.hook));
        let deadline = began + limits.wait_of(function.hook);
        let (hook, interface, name) = (function.hook, function.interface, &function.name);
        let call = NamedCall { hook, interface, function: name, arguments, cpu, deadline };
        let called = tokio::time::timeout_at(deadline.into(), instance.call_by_name(call)).await;
        let called = called.unwrap_or(Err(HookFailure::WaitTimeout));
        let (took, memory_bytes) = (began.elapsed(), instance.memory_bytes() as u64);
        let orders = std::mem::take(&mut instance.orders);
        if called.as_ref().map_or_else(spares_instance, |_| function.name != "shutdown") {
            self.instance = Some(instance);
        }
        self.nursery.carry_out(orders);
        if function.name == "identity-gone" {
            self.people.forget(input);
        }
        let answer = called.and_then(|value| output::answer(value, &function.ty));
        let mut remarks = Vec::new();
        let answer = answer.and_then(|answer| check::check(answer, batch, limits, &mut remarks));
        Ok(Report { hook, function: function.name, answer, remarks, took, memory_bytes })
    }

    /// Linear memory of the instance that calls go to, in bytes; none where there is no instance.
    pub fn memory_bytes(&mut self) -> Option<u64> {
        self.instance.as_mut().map(|instance| instance.memory_bytes() as u64)
    }

    /// What a store that is granted has under a key.
    #[must_use]
    pub fn kept(&self, store: &str, key: &str) -> Option<Vec<u8>> {
        self.shared.kept(store, key)
    }

    /// Puts a value into a store that is granted; false if it is not, or there is no room.
    pub fn keep(&self, store: &str, key: &str, value: &[u8]) -> bool {
        self.shared.keep(store, key, value)
    }

    /// Has changes of granted files seen now instead of within a second.
    pub fn look_at_files(&self) {
        self.shared.look_at_files();
    }

    /// The metrics it reported.
    #[must_use]
    pub fn metrics(&self) -> Vec<CustomMetric> {
        self.shared.custom_metrics()
    }

    /// What its imports counted.
    #[must_use]
    pub fn imports(&self) -> ImportStatus {
        self.shared.status()
    }

    async fn begin(&mut self) -> Result<Duration, CreateError> {
        self.instance = None;
        let began = Instant::now();
        let wait = self.nursery.blueprint.limits.wait_of(Hook::Lifecycle);
        let made = tokio::time::timeout(wait, self.nursery.create()).await;
        let (mut instance, registration) = made.unwrap_or(Err(CreateError::Failed(HookFailure::WaitTimeout)))?;
        let took = began.elapsed();
        self.nursery.carry_out(std::mem::take(&mut instance.orders));
        self.instance = Some(instance);
        self.registration = registration;
        Ok(took)
    }

    /// `lifecycle.init` is the start of an instance, and nothing else is.
    async fn init(&mut self, function: Function) -> Result<Report, CallError> {
        let began = Instant::now();
        let answer = match self.begin().await {
            Ok(_) => {
                Ok(json!({ "topics": self.registration.topics, "wants-payload": self.registration.wants_payload }))
            }
            Err(CreateError::Refused(text)) => Err(HookFailure::Backend(text)),
            Err(CreateError::Failed(failure)) => Err(failure),
            Err(error @ CreateError::WrongSignature(_)) => return Err(CallError::Start(self.load_error(error))),
        };
        Ok(Report {
            hook: function.hook,
            function: function.name,
            answer,
            remarks: Vec::new(),
            took: began.elapsed(),
            memory_bytes: self.instance.as_mut().map_or(0, |instance| instance.memory_bytes() as u64),
        })
    }

    fn find(&self, asked: &str) -> Result<Function, CallError> {
        let (hook, name) = asked.split_once('.').map_or((None, asked), |(hook, name)| (Some(hook), name));
        let is_it =
            |function: &&Function| function.name == name && hook.is_none_or(|hook| function.hook.name() == hook);
        if let Some(function) = self.functions.iter().find(is_it) {
            return Ok(function.clone());
        }
        let mut of_hook = self.functions.iter().filter(|function| function.hook.name() == asked);
        if let (Some(function), None) = (of_hook.next(), of_hook.next()) {
            return Ok(function.clone());
        }
        let known = self.functions.iter().map(|function| format!("{}.{}", function.hook, function.name));
        Err(CallError::UnknownFunction { asked: asked.to_owned(), known: known.collect::<Vec<_>>().join(", ") })
    }

    fn load_error(&self, error: CreateError) -> LoadError {
        LoadError { plugin: self.about.name.to_string(), origin: self.about.origin.clone(), kind: start_error(error) }
    }
}

impl std::fmt::Debug for Alone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alone").field("about", &self.about).finish_non_exhaustive()
    }
}

/// The functions of the hooks that are in use.
fn functions(prepared: &Prepared) -> Vec<Function> {
    use wasmtime::component::types::ComponentItem;
    let component = &prepared.component;
    let engine = component.engine();
    let mut found = Vec::new();
    for &hook in &prepared.about.hooks {
        let interface = prepared.about.track.interface(hook);
        let Some((item, index)) = component.get_export(None, &interface) else { continue };
        let ComponentItem::ComponentInstance(instance) = item else { continue };
        for (name, export) in instance.exports(engine) {
            if let ComponentItem::ComponentFunc(ty) = export.ty {
                found.push(Function { hook, name: name.to_owned(), interface: index, ty });
            }
        }
    }
    found
}
