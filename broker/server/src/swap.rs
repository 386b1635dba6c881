//! Other plugins come into force while everything else goes on: one or all, begun, promoted or aborted by an operator, and taken
//! back by itself where a new generation does worse than the old one.

use std::sync::Arc;
use std::time::Duration;

use midge_host::contract::{SwapMode, Trial, TrialFault};
use midge_host::{Host, Successor, SwapError};
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info};

use crate::config::{Config, ConfigError};
use crate::node::Node;

/// Why a swap did not happen. Everything is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SwapFailure {
    #[error("the configuration cannot be used\n{0}")]
    Config(#[from] ConfigError),
    #[error("the configuration has no plugin {0:?} any more; reload all of it (SIGHUP)")]
    NotConfigured(String),
    #[error(transparent)]
    Swap(#[from] SwapError),
}

/// What a swap has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The new generation is on trial.
    Begun,
    /// It has taken the old one's place.
    Promoted,
    /// An operator has taken it out.
    Aborted,
    /// It did worse than the old one and was taken out.
    RolledBack,
    /// It could not be loaded.
    Failed,
}

impl Outcome {
    /// Its name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Promoted => "promoted",
            Self::Aborted => "aborted",
            Self::RolledBack => "rolled_back",
            Self::Failed => "failed",
        }
    }
}

/// Puts other plugins in force, one change after the other. Whatever is loaded is loaded before that: nothing waits here, so that a
/// generation that does badly is taken back at once, whatever is being loaded meanwhile.
pub(crate) struct Swaps {
    node: Arc<Node>,
    /// Held for one change.
    terms: Mutex<Terms>,
}

/// What the configuration in force says of changes.
#[derive(Clone, Copy)]
struct Terms {
    probation: Duration,
    /// How long a generation may take to end.
    drain: Duration,
}

impl From<&Config> for Terms {
    fn from(config: &Config) -> Self {
        Self { probation: config.swap.probation, drain: config.shutdown.drain }
    }
}

impl Swaps {
    pub(crate) fn new(node: &Arc<Node>, config: &Config) -> Arc<Self> {
        Arc::new(Self { node: Arc::clone(node), terms: Mutex::new(config.into()) })
    }

    /// Puts all plugins of another configuration in force. Those that were there before, with the same hooks, are on probation. A
    /// trial that is under way is over: the whole configuration is what counts now. Says how many are on probation.
    pub(crate) fn replace_all(&self, host: Arc<Host>, config: &Config) -> usize {
        let mut terms = self.terms.lock();
        *terms = config.into();
        let next = if terms.probation.is_zero() { host } else { host.on_probation_after(&self.node.host()) };
        self.put(next, terms.drain);
        self.node.rollbacks.lock().clear();
        let trials = self.node.host().trials();
        trials.iter().for_each(|trial| self.node.metrics.swapped(&trial.plugin, Outcome::Begun.name()));
        trials.len()
    }

    /// Begins the trial of a generation that is loaded.
    ///
    /// # Errors
    /// Another one is on trial; or there is no such plugin any more.
    pub(crate) fn begin(&self, plugin: &str, candidate: &Successor, mode: SwapMode) -> Result<Outcome, SwapError> {
        let terms = self.terms.lock();
        let mut host = Arc::clone(&self.node.host());
        // Whoever reloads again is content with what is on probation.
        let is_on_probation = |trial: &Trial| *trial.plugin == *plugin && trial.mode == SwapMode::All;
        let is_content = host.trials().iter().any(is_on_probation);
        if is_content {
            host = host.promoted(plugin)?;
        }
        let mut next = host.trying(candidate)?;
        let is_at_once = mode == SwapMode::All && terms.probation.is_zero();
        if is_at_once {
            next = next.promoted(plugin)?;
        }
        drop(host);
        self.put(next, terms.drain);
        if is_content {
            self.node.metrics.swapped(plugin, Outcome::Promoted.name());
        }
        Ok(if is_at_once { Outcome::Promoted } else { Outcome::Begun })
    }

    /// Has the generation on trial take the old one's place.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn promote(&self, plugin: &str) -> Result<Outcome, SwapFailure> {
        self.change(|host| host.promoted(plugin))?;
        Ok(self.note_promotion(plugin))
    }

    fn note_promotion(&self, plugin: &str) -> Outcome {
        self.node.metrics.swapped(plugin, Outcome::Promoted.name());
        info!(plugin, "the new generation of a plugin is in force");
        Outcome::Promoted
    }

    /// Takes the generation on trial out.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn abort(&self, plugin: &str) -> Result<Outcome, SwapFailure> {
        self.change(|host| host.withdrawn(plugin))?;
        self.node.metrics.swapped(plugin, Outcome::Aborted.name());
        info!(plugin, "the new generation of a plugin is taken out; the old one goes on");
        Ok(Outcome::Aborted)
    }

    fn note_rollback(&self, plugin: &str, fault: &TrialFault) {
        self.node.metrics.swapped(plugin, Outcome::RolledBack.name());
        self.node.rollbacks.lock().insert(plugin.to_owned(), fault.to_string());
        error!(plugin, %fault, "the new generation of a plugin was rolled back; the old one goes on");
    }

    fn change(&self, make: impl FnOnce(&Host) -> Result<Arc<Host>, SwapError>) -> Result<(), SwapError> {
        let terms = self.terms.lock();
        let next = make(&self.node.host())?;
        self.put(next, terms.drain);
        Ok(())
    }

    /// Puts a host in force; what is in it no longer ends when nobody waits for it any more.
    fn put(&self, next: Arc<Host>, drain: Duration) {
        next.enter_service();
        let before = self.node.swap_host(Arc::clone(&next));
        tokio::spawn(next.succeed(before, drain));
    }

    /// Looks after what is on trial: what does worse than the generation in force is taken out, what has done well for its
    /// time takes the other's place.
    fn look(&self) {
        let probation = self.terms.lock().probation;
        let trials = self.node.host().trials();
        for Trial { plugin, generation, mode, age, fault } in trials {
            // Somebody else may have ended it in this very moment, and begun another.
            let goes_on = |host: &Host| {
                let is_it = |now: &Trial| now.plugin == plugin && now.generation == generation;
                if host.trials().iter().any(is_it) { Ok(()) } else { Err(SwapError::NotOnTrial(plugin.to_string())) }
            };
            if let Some(fault) = fault {
                if self.change(|host| goes_on(host).and_then(|()| host.withdrawn(&plugin))).is_ok() {
                    self.note_rollback(&plugin, &fault);
                }
            } else if mode == SwapMode::All
                && age >= probation
                && self.change(|host| goes_on(host).and_then(|()| host.promoted(&plugin))).is_ok()
            {
                self.note_promotion(&plugin);
            }
        }
    }
}

/// Looks after trials for as long as the broker runs.
pub(crate) async fn watch(swaps: Arc<Swaps>) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if swaps.node.host().is_trying() {
            swaps.look();
        }
    }
}

/// How often trials are looked at. Until then the old generation answers what the new one cannot.
const LOOK_EVERY: Duration = Duration::from_millis(100);
