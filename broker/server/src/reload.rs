//! SIGHUP: configuration, certificates and plugins are read again. Either all of it is in force afterwards, or nothing
//! has changed.

use std::sync::Arc;

use tracing::{error, info, warn};

use crate::config::{self, Config, ConfigError};
use crate::error::Cause;
use crate::listener::Listener;
use crate::node::Node;
use crate::start::Plugins;

/// What a reload needs to know of the running broker.
pub(crate) struct Reload {
    pub(crate) read_again: Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>,
    pub(crate) plugins: Plugins,
    pub(crate) node: Arc<Node>,
    pub(crate) listeners: Vec<Arc<Listener>>,
    /// What is in force.
    pub(crate) config: Config,
}

impl Reload {
    /// Reloads, and says in the log how it went. No client is disconnected.
    pub(crate) async fn perform(&mut self) {
        match self.attempt().await {
            Ok(()) => info!("reloaded: plugins and certificates are the new ones"),
            Err(problem) => error!("reload failed, everything stays as it was: {problem}"),
        }
    }

    async fn attempt(&mut self) -> Result<(), Cause> {
        let mut config = (self.read_again)()?;
        let host = self.plugins.load(&config).await?;
        config.settle(|listener| host.authenticates(listener))?;
        self.keep_anonymity(&config)?;
        for listener in &self.listeners {
            listener
                .reload()
                .map_err(|error| Cause::Certificate { listener: listener.config().name.clone(), error })?;
        }
        if let Some(error) = host.unhealthy().await.into_iter().next() {
            host.shutdown(config.shutdown.drain).await;
            return Err(error.into());
        }
        self.name_what_waits(&config);
        self.config.plugins = config.plugins;
        self.config.shutdown = config.shutdown;
        self.config.swap.probation = config.swap.probation;
        // A trial that is under way is over: the whole configuration is what counts now.
        let before = Arc::clone(&self.node.host());
        self.replace(before, host);
        self.node.rollbacks.lock().clear();
        Ok(())
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
