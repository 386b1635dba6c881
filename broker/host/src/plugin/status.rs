//! What a generation tells operators.

use std::sync::atomic::Ordering;

use super::Generation;
use crate::contract::{Hook, HookStatus, ImportStatus, PluginStatus};

impl Generation {
    /// Its state for operators. Queues and custom metrics are added by who has them.
    pub(crate) fn status(&self) -> PluginStatus {
        let counts = &self.nursery.counts;
        let made = counts.made.load(Ordering::Relaxed);
        PluginStatus {
            name: self.about.name.to_string(),
            origin: self.about.origin.clone(),
            digest: self.about.digest.clone(),
            generation: self.about.number,
            track: self.about.track.name(),
            lane: self.nursery.blueprint.lane,
            grants: self.about.grants.clone(),
            on_error: self.about.on_error,
            listeners: self.about.listeners.clone(),
            tenants: self.about.tenants.clone(),
            required: self.about.required,
            hooks: self.about.hooks.iter().map(|&hook| self.hook_status(hook)).collect(),
            instances: made.saturating_sub(counts.ended.load(Ordering::Relaxed)),
            instantiations: made,
            retired: counts.retired.load(Ordering::Relaxed),
            lost: counts.lost.load(Ordering::Relaxed),
            memory_bytes_max: counts.memory_bytes_max.load(Ordering::Relaxed),
            queues: Vec::new(),
            imports: ImportStatus::default(),
            custom: Vec::new(),
            trial: None,
        }
    }

    fn hook_status(&self, hook: Hook) -> HookStatus {
        let state = &self.hooks[hook.index()];
        state.metrics.status(hook, state.breaker.state())
    }
}
