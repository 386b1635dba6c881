//! What a host tells operators about its plugins.

use super::{Host, Member};
use crate::contract::{CacheStatus, PluginStatus, ReuseStatus, TrialStatus};
use crate::error::HookError;
use crate::load::Loaded;
use crate::trial::Trial;

impl Host {
    /// Asks plugins that have `lifecycle` how they are; those that are well are not in the list.
    pub async fn unhealthy(&self) -> Vec<HookError> {
        let mut unhealthy = Vec::new();
        for seat in &self.seats {
            unhealthy.extend(seat.health().await.err());
        }
        unhealthy
    }

    /// The same of those for which listeners wait.
    pub async fn unready(&self) -> Vec<HookError> {
        let mut unready = Vec::new();
        for seat in self.seats.iter().filter(|seat| seat.current().is_required()) {
            unready.extend(seat.health().await.err());
        }
        unready
    }

    /// What there is to say about each plugin, in order.
    #[must_use]
    pub fn plugins(&self) -> Vec<PluginStatus> {
        self.members.iter().map(|member| self.member_status(member)).collect()
    }

    /// The verdict cache.
    #[must_use]
    pub fn cache(&self) -> CacheStatus {
        self.chains.verdicts.status()
    }

    /// Answers of authenticators that are kept to be used again.
    #[must_use]
    pub fn authentications(&self) -> ReuseStatus {
        self.chains.authentications.status()
    }

    pub(super) fn member_status(&self, member: &Member) -> PluginStatus {
        PluginStatus { trial: member.trial.as_deref().map(Self::trial_status), ..self.status(&member.current) }
    }

    fn status(&self, loaded: &Loaded) -> PluginStatus {
        PluginStatus {
            queues: self.common.engine.queues().status(loaded.generation.name()),
            imports: loaded.shared.status(),
            custom: loaded.shared.custom_metrics(),
            ..loaded.generation.status()
        }
    }

    /// Queues and reported metrics are the plugin's, whichever generation: they stand with the one in force.
    fn trial_status(trial: &Trial) -> TrialStatus {
        let candidate = PluginStatus { imports: trial.candidate.shared.status(), ..trial.generation().status() };
        TrialStatus {
            candidate: Box::new(candidate),
            mode: trial.mode,
            age: trial.began.elapsed(),
            rescued: trial.rescued_total(),
            shadow: trial.shadow_status(),
        }
    }
}
