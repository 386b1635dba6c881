//! What a host is loaded with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::contract::TrialLimits;
use crate::engine::PluginEngine;

/// What a host is loaded with, beside its plugins.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// The engine, one per process; a reload uses it again.
    pub engine: Arc<PluginEngine>,
    /// Where compiled components are kept; `None` compiles them at each start. Made if need be, for this user alone.
    pub cache_directory: Option<PathBuf>,
    /// Threads that make calls: inline plugins have an instance for each. Default: the number of processors.
    pub workers: usize,
    /// The broker's version, as plugins see it. Default: this crate's.
    pub broker_version: String,
    /// The node's name, as plugins see it. Default `midge`.
    pub node: String,
    /// Longest time an answer is reused, whatever its plugin says. Default 5 min; zero turns reuse off.
    pub reuse_max: Duration,
    /// Answers kept for reuse: verdicts of all identities, and as many of authenticators. Default 1,000,000.
    pub answers_max: u64,
    /// Bounds on what a trial of a new generation keeps.
    pub trial: TrialLimits,
}

impl HostSettings {
    /// The defaults.
    #[must_use]
    pub fn new(engine: Arc<PluginEngine>, cache_directory: impl Into<Option<PathBuf>>) -> Self {
        Self {
            engine,
            cache_directory: cache_directory.into(),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            broker_version: env!("CARGO_PKG_VERSION").to_owned(),
            node: "midge".to_owned(),
            reuse_max: Duration::from_secs(300),
            answers_max: 1_000_000,
            trial: TrialLimits::default(),
        }
    }
}
