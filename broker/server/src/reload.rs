//! Configuration, certificates and plugins are read again. At SIGHUP either all of it is in force afterwards, or nothing has
//! changed; `midge plugin reload` asks for one plugin.

use std::sync::Arc;

use midge_host::contract::{SwapMode, Trial};
use midge_host::{Host, SwapError};
use tracing::{error, info, warn};

use crate::config::{self, Config, ConfigError};
use crate::error::Cause;
use crate::listener::Listener;
use crate::node::Node;
use crate::start::Plugins;
use crate::swap::{Outcome, SwapFailure, Swaps};

/// What a reload needs to know of the running broker.
pub(crate) struct Reload {
    pub(crate) read_again: Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>,
    pub(crate) plugins: Plugins,
    pub(crate) node: Arc<Node>,
    pub(crate) swaps: Arc<Swaps>,
    pub(crate) listeners: Vec<Arc<Listener>>,
    /// What is in force.
    pub(crate) config: Config,
}

impl Reload {
    /// Reloads, and says in the log how it went. No client is disconnected.
    pub(crate) async fn perform(&mut self) {
        match self.attempt().await {
            Ok(on_probation) => info!(on_probation, "reloaded: plugins and certificates are the new ones"),
            Err(problem) => error!("reload failed, everything stays as it was: {problem}"),
        }
    }

    /// Says how many plugins are on probation.
    async fn attempt(&mut self) -> Result<usize, Cause> {
        let mut config = (self.read_again)()?;
        let host = self.plugins.load(&config).await?;
        if let Err(cause) = self.admit(&mut config, &host).await {
            host.shutdown(config.shutdown.drain).await;
            return Err(cause);
        }
        self.name_what_waits(&config);
        let on_probation = self.swaps.replace_all(host, &config);
        self.config.plugins = config.plugins;
        self.config.shutdown = config.shutdown;
        self.config.swap.probation = config.swap.probation;
        Ok(on_probation)
    }

    /// Whether what was loaded can take the place of what is in force.
    async fn admit(&self, config: &mut Config, host: &Host) -> Result<(), Cause> {
        config.settle(|listener| host.authenticates(listener))?;
        self.keep_anonymity(config)?;
        if let Some(error) = host.unhealthy().await.into_iter().next() {
            return Err(error.into());
        }
        for listener in &self.listeners {
            listener
                .reload()
                .map_err(|error| Cause::Certificate { listener: listener.config().name.clone(), error })?;
        }
        Ok(())
    }

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
        let config = (self.read_again)()?;
        let spec = config.plugin_specs(self.plugins.bundled())?.into_iter().find(|spec| spec.name == plugin);
        let spec = spec.ok_or_else(|| SwapFailure::NotConfigured(plugin.to_owned()))?;
        // What is on trial for a part of the clients, or for none, stays. Better said before anything is loaded than after.
        let stays = |trial: &Trial| *trial.plugin == *plugin && trial.mode != SwapMode::All;
        if self.node.host().trials().iter().any(stays) {
            return Err(SwapError::OnTrial(plugin.to_owned()).into());
        }
        let loading = self.node.host().prepare(spec, mode)?;
        let candidate = loading.await?;
        match self.swaps.begin(plugin, &candidate, mode) {
            Ok(outcome) => Ok(outcome),
            Err(error) => {
                candidate.reject().await;
                Err(error.into())
            }
        }
    }

    /// Who may be anonymous is part of an open listener. It must not stay open because its plugin came later.
    fn keep_anonymity(&self, config: &Config) -> Result<(), Cause> {
        for listener in &self.listeners {
            let (name, before) = (&listener.config().name, listener.config().anonymous);
            let after = config.listeners.iter().find(|wanted| wanted.name == *name).map(|wanted| wanted.anonymous);
            if after.is_some_and(|after| after != before) {
                return Err(Cause::AnonymityChanged { listener: name.clone(), anonymous: before });
            }
        }
        Ok(())
    }

    /// Some keys are only read at start; an operator who changed one should know.
    fn name_what_waits(&self, config: &Config) {
        let waits = [
            ("[[listener]]", self.config.listeners != config.listeners),
            ("[limits]", self.config.limits != config.limits),
            ("[shared_subscriptions]", self.config.shared_subscriptions != config.shared_subscriptions),
            ("[store]", self.config.store != config.store),
            ("[admin]", self.config.admin != config.admin),
            ("[swap]", {
                let probation = self.config.swap.probation;
                self.config.swap != config::Swap { probation, ..config.swap.clone() }
            }),
            ("[log]", self.config.log != config.log),
            ("[runtime]", self.config.runtime != config.runtime),
            ("[sys]", self.config.sys != config.sys),
        ];
        for (table, _) in waits.iter().filter(|(_, changed)| *changed) {
            warn!(table, "what changed here takes effect when the broker is restarted");
        }
    }
}
