//! The WebAssembly engine: one per process, shared by every generation of every plugin.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::contract::{Keeper, Stage};
use crate::imports::{ImportLimits, Lasting};
use crate::queues::Queues;

/// How large the engine's pool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Plugin instances alive at once in the whole process. Default 1000. A call that needs one more is denied as
    /// overloaded.
    pub instances_max: u32,
    /// Reserve the address space of all instances at start, which makes instances three times cheaper to create.
    /// Default true; where the reservation fails the engine goes on without it and says so.
    pub pooled: bool,
    /// Bounds on what plugins may use of the broker through their imports.
    pub imports: ImportLimits,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self { instances_max: 1000, pooled: true, imports: ImportLimits::default() }
    }
}

/// The engine, and what else outlives generations: stores, metrics, the queues of sinks.
pub struct PluginEngine {
    engine: Engine,
    pooled: bool,
    clock_running: Mutex<bool>,
    imports: ImportLimits,
    keeper: Option<Arc<dyn Keeper>>,
    stage: Option<Arc<dyn Stage>>,
    lasting: OnceLock<Arc<Lasting>>,
    queues: Queues,
}

impl PluginEngine {
    /// Makes the engine and reserves its pool.
    ///
    /// # Errors
    /// This machine cannot run WebAssembly at all: an unsupported processor, or no address space.
    pub fn new(settings: EngineSettings) -> Result<Self, EngineError> {
        if settings.pooled {
            let mut config = configuration();
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings.instances_max)));
            match Engine::new(&config) {
                Ok(engine) => return Ok(Self::from_engine(engine, true, settings.imports)),
                Err(error) => tracing::warn!(
                    instances_max = settings.instances_max,
                    error = format!("{error:#}"),
                    "no address space for the plugin pool: instances are made one by one, which is slower"
                ),
            }
        }
        let engine = Engine::new(&configuration()).map_err(|error| EngineError(format!("{error:#}")))?;
        Ok(Self::from_engine(engine, false, settings.imports))
    }

    /// The same engine, whose plugins have stores that outlive the process. Without a keeper they are memory.
    #[must_use]
    pub fn with_keeper(self, keeper: Option<Arc<dyn Keeper>>) -> Self {
        Self { keeper, ..self }
    }

    /// The same engine, whose plugins find this in place of the world outside.
    #[must_use]
    pub fn with_stage(self, stage: Arc<dyn Stage>) -> Self {
        Self { stage: Some(stage), ..self }
    }

    /// Whether instances come from a reserved pool.
    #[must_use]
    pub const fn pooled(&self) -> bool {
        self.pooled
    }

    pub(crate) const fn wasmtime(&self) -> &Engine {
        &self.engine
    }

    /// What imports keep over reloads; slow work of imports goes to the first runtime that asks.
    pub(crate) fn lasting(&self, runtime: &Handle) -> &Arc<Lasting> {
        let new = || {
            let lasting = Lasting::new(self.imports.clone(), runtime.clone(), self.keeper.clone());
            Arc::new(lasting.with_stage(self.stage.clone()))
        };
        self.lasting.get_or_init(new)
    }

    pub(crate) const fn queues(&self) -> &Queues {
        &self.queues
    }

    /// Starts the clock that deadlines are measured with. Without plugins it never ticks.
    ///
    /// # Errors
    /// The operating system gives no thread. Without the clock endless loops would not be stopped.
    pub(crate) fn start_clock(&self) -> std::io::Result<()> {
        let mut running = self.clock_running.lock();
        if !*running {
            let engine = self.engine.weak();
            let tick = move || {
                while let Some(engine) = engine.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                }
            };
            std::thread::Builder::new().name("midge-epochs".into()).spawn(tick)?;
            *running = true;
        }
        Ok(())
    }

    fn from_engine(engine: Engine, pooled: bool, imports: ImportLimits) -> Self {
        Self {
            engine,
            pooled,
            clock_running: Mutex::new(false),
            imports,
            keeper: None,
            stage: None,
            lasting: OnceLock::new(),
            queues: Queues::default(),
        }
    }
}

impl std::fmt::Debug for PluginEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginEngine").field("pooled", &self.pooled).finish_non_exhaustive()
    }
}

/// No engine can be made on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine cannot start: {0}")]
pub struct EngineError(String);

/// How often the epoch advances: the resolution of every processor-time budget.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// What is the same with and without a pool. Whatever is here is part of the key of the compilation cache.
fn configuration() -> Config {
    let mut config = Config::new();
    config
        // Component-model async costs every call three times as much and no hook uses it.
        .concurrency_support(false)
        .epoch_interruption(true)
        .wasm_memory64(false)
        // With several memories (the default): a component that is made of others, such as JavaScript's, copies from one to
        // another. All of them together are bounded by the instance's limit.
        // Crypto in guests: 64x64-bit multiplication in one instruction.
        .wasm_wide_arithmetic(true)
        // The inline lane runs on the worker's own stack, whose overflow would end the process: keep far away from it.
        .max_wasm_stack(256 << 10)
        .async_stack_size(1 << 20);
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    // One component is several core instances: two or three for Rust and C, about five for Go and JavaScript.
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(5))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(4))
        .total_stacks(instances)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn an_engine_without_room_for_its_pool_goes_on_without_one() {
        let hopeless = EngineSettings { instances_max: 1 << 20, ..EngineSettings::default() };
        assert!(!PluginEngine::new(hopeless).unwrap().pooled());
    }

    #[test]
    fn the_default_engine_has_a_pool() {
        assert!(PluginEngine::new(EngineSettings::default()).unwrap().pooled());
    }
}
