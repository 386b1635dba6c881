//! One plugin changes while all others stay: hosts that follow one another share what did not change.
//!
//! Every step makes another [`Host`], which the server puts in the place of the one before. Answers that may be used again
//! are not carried over: they are another generation's. Whoever is asking goes on with the host it asked, and a generation
//! that is in no host any more is shut down when the last of these has its answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Host, Member};
use crate::contract::{self, Hook, PluginSpec, PluginStatus, SwapMode};
use crate::error::SwapError;
use crate::load::{Loaded, Loader};
use crate::plugin::Generation;
use crate::trial::{Muted, Trial};

/// A generation of a plugin that is loaded, well, and in no host yet.
pub struct Successor {
    loaded: Arc<Loaded>,
    mode: SwapMode,
    orders: Arc<Muted>,
}

impl Successor {
    /// It is not taken, and ends.
    pub async fn reject(self) {
        self.loaded.generation.shutdown((Instant::now() + REJECTED_SHUTDOWN_MAX).into_std()).await;
    }
}

impl std::fmt::Debug for Successor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, number) = (self.loaded.generation.name(), self.loaded.generation.number());
        write!(f, "Successor {name} {number}, {}", self.mode.name())
    }
}

impl Host {
    /// Loads another generation of a plugin, has it start and say how it is. That takes its time, in which nothing of this
    /// host is kept alive: another one may take its place.
    ///
    /// # Errors
    /// There is no such plugin; and when it is awaited: the new generation cannot be loaded, is not well, or has other hooks.
    pub fn prepare(
        &self,
        spec: PluginSpec,
        mode: SwapMode,
    ) -> Result<impl Future<Output = Result<Successor, SwapError>> + Send + use<>, SwapError> {
        let (name, hooks) = (spec.name.clone(), hook_names(&self.members[self.position(&spec.name)?].current));
        let orders = Muted::new(mode == SwapMode::Shadow, Arc::clone(&self.common.outside));
        let loader = Loader { outside: Arc::clone(&orders) as _, ..self.common.loader.clone() };
        Ok(async move {
            let candidate = Successor { loaded: Arc::new(loader).load(spec).await?, mode, orders };
            let found = hook_names(&candidate.loaded);
            let admitted = match found == hooks {
                true => candidate.loaded.generation.health().await.map_err(SwapError::from),
                false => Err(SwapError::OtherHooks { plugin: name, current: hooks, candidate: found }),
            };
            match admitted {
                Ok(()) => Ok(candidate),
                Err(error) => {
                    candidate.reject().await;
                    Err(error)
                }
            }
        })
    }

    /// Begins the trial of a generation that is loaded. The host that is returned has it; this one stays as it is.
    ///
    /// # Errors
    /// There is no such plugin, or it has a generation on trial already.
    pub fn trying(&self, candidate: &Successor) -> Result<Arc<Self>, SwapError> {
        let Successor { loaded, mode, orders } = candidate;
        let at = self.position(loaded.generation.name())?;
        if self.members[at].trial.is_some() {
            return Err(SwapError::OnTrial(loaded.generation.name().to_string()));
        }
        let (limits, runtime) = (&self.common.trial, &self.common.runtime);
        let trial = Trial::begin(Arc::clone(loaded), *mode, Arc::clone(orders), limits, runtime);
        Ok(self.with(at, |member| member.trial = Some(trial)))
    }

    /// Loads another generation of a plugin and begins its trial: [`Self::prepare`] and [`Self::trying`].
    ///
    /// # Errors
    /// Of either.
    pub async fn with_candidate(&self, spec: PluginSpec, mode: SwapMode) -> Result<Arc<Self>, SwapError> {
        let candidate = self.prepare(spec, mode)?.await?;
        match self.trying(&candidate) {
            Ok(host) => Ok(host),
            Err(error) => {
                candidate.reject().await;
                Err(error)
            }
        }
    }

    /// This host, which was loaded to take the place of `before`, with its plugins on probation: for each that `before` has with
    /// the same hooks, the generation there stands by. For others nobody could.
    #[must_use]
    pub fn on_probation_after(&self, before: &Self) -> Arc<Self> {
        let members = self.members.iter().map(|member| {
            let older = before.members.iter().find(|older| older.name() == member.name()).map(Member::in_charge);
            let Some(older) = older.filter(|older| hook_names(older) == hook_names(&member.current)) else {
                return member.clone();
            };
            let (limits, runtime) = (&self.common.trial, &self.common.runtime);
            let orders = Muted::new(false, Arc::clone(&self.common.outside));
            let trial = Trial::begin(Arc::clone(&member.current), SwapMode::All, orders, limits, runtime);
            Member { current: Arc::clone(older), trial: Some(trial) }
        });
        Self::of(members.collect(), Arc::clone(&self.common))
    }

    /// Ends the trial of a plugin's new generation, which is the one in force in the host that is returned.
    ///
    /// # Errors
    /// There is no such plugin or no such trial.
    pub fn promoted(&self, plugin: &str) -> Result<Arc<Self>, SwapError> {
        let at = self.position(plugin)?;
        let Some(trial) = &self.members[at].trial else { return Err(SwapError::NotOnTrial(plugin.to_owned())) };
        trial.promote();
        Ok(self.with(at, |member| *member = Member { current: Arc::clone(&trial.candidate), trial: None }))
    }

    /// Ends the trial of a plugin's new generation, which is gone from the host that is returned.
    ///
    /// # Errors
    /// There is no such plugin or no such trial.
    pub fn withdrawn(&self, plugin: &str) -> Result<Arc<Self>, SwapError> {
        let at = self.position(plugin)?;
        if self.members[at].trial.is_none() {
            return Err(SwapError::NotOnTrial(plugin.to_owned()));
        }
        Ok(self.with(at, |member| member.trial = None))
    }

    /// Whether any plugin has a generation on trial.
    #[must_use]
    pub fn is_trying(&self) -> bool {
        self.members.iter().any(|member| member.trial.is_some())
    }

    /// The generations on trial.
    #[must_use]
    pub fn trials(&self) -> Vec<contract::Trial> {
        let judge = |member: &Member| {
            let trial = member.trial.as_ref()?;
            Some(contract::Trial {
                plugin: Arc::clone(member.name()),
                generation: trial.generation().number(),
                mode: trial.mode,
                age: trial.began.elapsed(),
                fault: trial.fault(&member.current.generation),
            })
        };
        self.members.iter().filter_map(judge).collect()
    }

    /// Finds a plugin.
    ///
    /// # Errors
    /// There is no such plugin; the error names those that there are.
    pub fn find(&self, plugin: &str) -> Result<PluginStatus, SwapError> {
        Ok(self.member_status(&self.members[self.position(plugin)?]))
    }

    /// Ends the generations of `before` that are not in this host, which has taken its place: each is shut down when nobody
    /// waits for an answer of it any more, or after the longest time that a call of it may take and `limit`.
    pub fn succeed(&self, before: Arc<Self>, limit: Duration) -> impl Future<Output = ()> + Send + use<> {
        let stays =
            |loaded: &Arc<Loaded>| self.members.iter().flat_map(Member::loaded).any(|other| Arc::ptr_eq(other, loaded));
        let leaving: Vec<Arc<Loaded>> =
            before.members.iter().flat_map(Member::loaded).filter(|loaded| !stays(loaded)).cloned().collect();
        // Neither host is kept alive by this: it would keep its generations alive.
        drop(before);
        async move {
            for loaded in leaving {
                drain(&loaded.generation, limit).await;
            }
        }
    }

    /// The same host with another member.
    fn with(&self, at: usize, change: impl FnOnce(&mut Member)) -> Arc<Self> {
        let mut members = self.members.clone();
        change(&mut members[at]);
        Self::of(members, Arc::clone(&self.common))
    }

    fn position(&self, plugin: &str) -> Result<usize, SwapError> {
        self.members.iter().position(|member| **member.name() == *plugin).ok_or_else(|| SwapError::NoPlugin {
            name: plugin.to_owned(),
            known: self.members.iter().map(|member| member.name().to_string()).collect(),
        })
    }
}

/// The hooks that a plugin is asked by, which a trial does not change.
fn hook_names(of: &Loaded) -> String {
    let hooks = of.generation.hooks().iter().filter(|hook| **hook != Hook::Lifecycle);
    hooks.map(|hook| hook.name()).collect::<Vec<_>>().join(", ")
}

/// Shuts a generation down once nobody but the caller has it.
async fn drain(generation: &Arc<Generation>, limit: Duration) {
    let (plugin, number) = (&**generation.name(), generation.number());
    let calls_end = Instant::now() + longest_call(generation) + limit;
    while Arc::strong_count(generation) > 1 && Instant::now() < calls_end {
        sleep(LOOK_AGAIN).await;
    }
    if Arc::strong_count(generation) > 1 {
        tracing::warn!(
            plugin,
            generation = number,
            "somebody still waits for an answer of it; it is shut down all the same"
        );
    }
    generation.shutdown((Instant::now() + limit).into_std()).await;
    tracing::info!(plugin, generation = number, "a generation that was replaced is shut down");
}

/// The longest that a call of a plugin may take.
fn longest_call(generation: &Generation) -> Duration {
    generation.hooks().iter().map(|hook| generation.limits().wait_of(*hook)).max().unwrap_or_default()
}

/// How often it is looked whether the last answer is there.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long a generation that was not taken may take to end.
pub(super) const REJECTED_SHUTDOWN_MAX: Duration = Duration::from_secs(5);
