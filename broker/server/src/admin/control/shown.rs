//! A plugin as programs are shown it.

use std::collections::BTreeMap;

use midge_host::contract::{
    BreakerState, Disagreement, HookStatus, LATENCY_BOUNDS, LatencyHistogram, PluginStatus, QueueStatus, TrialStatus,
};
use serde::Serialize;

/// One plugin.
#[derive(Serialize)]
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) generation: u64,
    pub(super) origin: String,
    pub(super) digest: String,
    pub(super) track: &'static str,
    pub(super) lane: String,
    pub(super) grants: Vec<String>,
    pub(super) instances: u64,
    pub(super) memory_bytes_max: u64,
    pub(super) hooks: Vec<ShownHook>,
    pub(super) queues: Vec<ShownQueue>,
    /// The generation that is to follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trial: Option<ShownTrial>,
    /// Why the last one that was tried was rolled back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rolled_back: Option<String>,
}

/// One hook. Latencies are upper bounds of the buckets they fall into; none for the last one, which has no bound.
#[derive(Serialize)]
pub(super) struct ShownHook {
    pub(super) hook: &'static str,
    pub(super) breaker: &'static str,
    pub(super) answered: u64,
    pub(super) refused: u64,
    pub(super) errors: u64,
    pub(super) traps: u64,
    pub(super) deadlines: u64,
    pub(super) wait_timeouts: u64,
    pub(super) overloaded: u64,
    pub(super) not_called: u64,
    pub(super) bad_answers: u64,
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
}

#[derive(Serialize)]
pub(super) struct ShownQueue {
    pub(super) hook: &'static str,
    pub(super) depth: usize,
    pub(super) capacity: usize,
    pub(super) done: u64,
    pub(super) retried: u64,
    pub(super) rejected: u64,
    pub(super) dropped: u64,
}

#[derive(Serialize)]
pub(super) struct ShownTrial {
    pub(super) mode: &'static str,
    /// Of a canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) percent: Option<u8>,
    pub(super) age_s: f64,
    /// Calls that it failed and the generation in force answered.
    pub(super) rescued: u64,
    pub(super) candidate: Box<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shadow: Option<ShownShadow>,
}

#[derive(Serialize)]
pub(super) struct ShownShadow {
    pub(super) agreed: u64,
    pub(super) disagreed: u64,
    pub(super) skipped: u64,
    /// The latest, oldest first.
    pub(super) disagreements: Vec<ShownDisagreement>,
}

#[derive(Serialize)]
pub(super) struct ShownDisagreement {
    pub(super) at_ms: u64,
    pub(super) client_id: String,
    pub(super) hook: &'static str,
    pub(super) about: String,
    pub(super) current: String,
    pub(super) candidate: String,
}

impl Shown {
    pub(super) fn new(status: PluginStatus, rollbacks: &BTreeMap<String, String>) -> Self {
        Self { rolled_back: rollbacks.get(&status.name).cloned(), ..Self::from(status) }
    }
}

impl From<PluginStatus> for Shown {
    fn from(status: PluginStatus) -> Self {
        Self {
            name: status.name,
            generation: status.generation,
            origin: status.origin,
            digest: status.digest,
            track: status.track,
            lane: status.lane.to_string(),
            grants: status.grants,
            instances: status.instances,
            memory_bytes_max: status.memory_bytes_max,
            hooks: status.hooks.iter().map(ShownHook::from).collect(),
            queues: status.queues.iter().map(ShownQueue::from).collect(),
            trial: status.trial.map(ShownTrial::from),
            rolled_back: None,
        }
    }
}

impl From<&HookStatus> for ShownHook {
    fn from(status: &HookStatus) -> Self {
        Self {
            hook: status.hook.name(),
            breaker: match status.breaker {
                BreakerState::Closed => "closed",
                BreakerState::Open => "open",
                BreakerState::HalfOpen => "half-open",
            },
            answered: status.answered,
            refused: status.refused,
            errors: status.errors,
            traps: status.traps,
            deadlines: status.deadlines,
            wait_timeouts: status.wait_timeouts,
            overloaded: status.overloaded,
            not_called: status.not_called,
            bad_answers: status.bad_answers,
            p50_us: quantile_us(&status.latency, 50),
            p99_us: quantile_us(&status.latency, 99),
        }
    }
}

impl From<&QueueStatus> for ShownQueue {
    fn from(status: &QueueStatus) -> Self {
        let QueueStatus { hook, depth, capacity, done, retried, rejected, dropped } = *status;
        Self { hook: hook.name(), depth, capacity, done, retried, rejected, dropped }
    }
}

impl From<TrialStatus> for ShownTrial {
    fn from(status: TrialStatus) -> Self {
        use midge_host::contract::SwapMode;
        let TrialStatus { candidate, mode, age, rescued, shadow } = status;
        Self {
            mode: mode.name(),
            percent: if let SwapMode::Canary { percent } = mode { Some(percent) } else { None },
            age_s: age.as_secs_f64(),
            rescued,
            candidate: Box::new((*candidate).into()),
            shadow: (mode == SwapMode::Shadow).then(|| ShownShadow {
                agreed: shadow.agreed,
                disagreed: shadow.disagreed,
                skipped: shadow.skipped,
                disagreements: shadow.disagreements.into_iter().map(Into::into).collect(),
            }),
        }
    }
}

impl From<Disagreement> for ShownDisagreement {
    fn from(of: Disagreement) -> Self {
        let Disagreement { at_ms, client_id, hook, about, current, candidate } = of;
        Self { at_ms, client_id, hook: hook.name(), about, current, candidate }
    }
}

/// The bound below which this percentage of all calls stayed, in microseconds; none without calls or without a bound.
fn quantile_us(latency: &LatencyHistogram, percent: u64) -> Option<f64> {
    let calls: u64 = latency.counts.iter().sum();
    let mut left = (calls * percent).div_ceil(100);
    if calls == 0 {
        return None;
    }
    for (count, bound) in latency.counts.iter().zip(LATENCY_BOUNDS) {
        if *count >= left {
            return Some(bound as f64 / 1000.0);
        }
        left -= count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_bound_of_its_bucket() {
        let mut latency = LatencyHistogram::default();
        assert_eq!(quantile_us(&latency, 50), None);
        latency.counts[0] = 98;
        latency.counts[3] = 1;
        latency.counts[LATENCY_BOUNDS.len()] = 1;
        assert_eq!(quantile_us(&latency, 50), Some(0.5));
        assert_eq!(quantile_us(&latency, 99), Some(5.0));
        assert_eq!(quantile_us(&latency, 100), None);
    }
}
