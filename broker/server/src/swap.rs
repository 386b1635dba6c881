//! One plugin is loaded anew while everything else goes on: begun, promoted or aborted by an operator, and taken back by
//! itself where the new generation does worse than the old one.

use std::sync::Arc;
use std::time::Duration;

use midge_host::contract::{PluginSpec, SwapMode, Trial, TrialFault};
use midge_host::{Host, SwapError};
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info};

use crate::config::ConfigError;
use crate::reload::Reload;

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

impl Reload {
    /// Reads the configuration again and loads another generation of one plugin, as the configuration has it now.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub(crate) async fn swap(&mut self, plugin: &str, mode: SwapMode) -> Result<Outcome, SwapFailure> {
        let begun = self.begin_swap(plugin, mode).await;
        if begun.is_ok() {
            self.node.rollbacks.lock().remove(plugin);
        }
        let outcome = *begun.as_ref().unwrap_or(&Outcome::Failed);
        // What somebody calls a plugin that is none does not become a label.
        if self.node.host().find(plugin).is_ok() {
            self.node.metrics.swapped(plugin, outcome.name());
        }
        match &begun {
            Ok(_) => {
                info!(plugin, mode = mode.name(), outcome = outcome.name(), "a new generation of a plugin is loaded")
            }
            Err(problem) => error!(plugin, "plugin reload failed, the old generation stays: {problem}"),
        }
        begun
    }

    async fn begin_swap(&mut self, plugin: &str, mode: SwapMode) -> Result<Outcome, SwapFailure> {
        self.node.host().find(plugin)?;
        let spec = self.specs_again()?.into_iter().find(|spec| spec.name == plugin);
        let spec = spec.ok_or_else(|| SwapFailure::NotConfigured(plugin.to_owned()))?;
        // Whoever reloads again is content with what is on probation.
        let is_on_probation = |trial: &Trial| *trial.plugin == *plugin && trial.mode == SwapMode::All;
        if self.node.host().trials().iter().any(is_on_probation) {
            self.promote(plugin)?;
        }
        let host = Arc::clone(&self.node.host());
        let next = host.with_candidate(spec, mode).await?;
        self.replace(host, next);
        if mode == SwapMode::All && self.config.swap.probation.is_zero() {
            return self.promote(plugin);
        }
        Ok(Outcome::Begun)
    }

    /// Has the generation on trial take the old one's place.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn promote(&mut self, plugin: &str) -> Result<Outcome, SwapFailure> {
        let host = Arc::clone(&self.node.host());
        let next = host.promoted(plugin)?;
        self.replace(host, next);
        self.node.metrics.swapped(plugin, Outcome::Promoted.name());
        info!(plugin, "the new generation of a plugin is in force");
        Ok(Outcome::Promoted)
    }

    /// Takes the generation on trial out.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn abort(&mut self, plugin: &str) -> Result<Outcome, SwapFailure> {
        self.withdraw(plugin)?;
        self.node.metrics.swapped(plugin, Outcome::Aborted.name());
        info!(plugin, "the new generation of a plugin is taken out; the old one goes on");
        Ok(Outcome::Aborted)
    }

    fn roll_back(&mut self, plugin: &str, fault: &TrialFault) {
        // Somebody else has ended it in this very moment.
        if self.withdraw(plugin).is_err() {
            return;
        }
        self.node.metrics.swapped(plugin, Outcome::RolledBack.name());
        self.node.rollbacks.lock().insert(plugin.to_owned(), fault.to_string());
        error!(plugin, %fault, "the new generation of a plugin was rolled back; the old one goes on");
    }

    fn withdraw(&mut self, plugin: &str) -> Result<(), SwapFailure> {
        let host = Arc::clone(&self.node.host());
        let next = host.withdrawn(plugin)?;
        self.replace(host, next);
        Ok(())
    }

    /// Puts `next` in the place of `host`; what is in it no longer ends when nobody waits for it any more.
    pub(crate) fn replace(&mut self, host: Arc<Host>, next: Arc<Host>) {
        next.enter_service();
        let before = self.node.swap_host(Arc::clone(&next));
        drop(host);
        tokio::spawn(next.succeed(before, self.config.shutdown.drain));
    }

    /// Looks after what is on trial: what does worse than the generation in force is taken out, what has done well for its
    /// time takes the other's place.
    fn look(&mut self) {
        let trials = self.node.host().trials();
        for trial in trials {
            if let Some(fault) = &trial.fault {
                self.roll_back(&trial.plugin, fault);
            } else if trial.mode == SwapMode::All && trial.age >= self.config.swap.probation {
                // The one error there could be is that it is over.
                let _ = self.promote(&trial.plugin);
            }
        }
    }

    fn specs_again(&self) -> Result<Vec<PluginSpec>, SwapFailure> {
        let config = (self.read_again)()?;
        Ok(config.plugin_specs(self.plugins.bundled())?)
    }
}

/// Looks after trials for as long as the broker runs.
pub(crate) async fn watch(reload: Arc<Mutex<Reload>>) {
    let node = Arc::clone(&reload.lock().await.node);
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if node.host().is_trying() {
            reload.lock().await.look();
        }
    }
}

/// How often trials are looked at. Until then the old generation answers what the new one cannot.
const LOOK_EVERY: Duration = Duration::from_millis(100);
