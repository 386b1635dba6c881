//! A new generation of a plugin until it has taken the old one's place: who is asked about whom, and whether it does well.

mod shadow;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use tokio::runtime::Handle;

pub(crate) use self::shadow::Shadow;
use crate::contract::{
    BreakerState, Hook, Message, Outside, Redirection, ShadowStatus, SwapMode, TrialFault, TrialLimits,
};
use crate::error::HookFailure;
use crate::load::Loaded;
use crate::plugin::Generation;

/// A generation on trial.
pub(crate) struct Trial {
    pub(crate) candidate: Arc<Loaded>,
    pub(crate) mode: SwapMode,
    pub(crate) began: Instant,
    /// What it orders from the broker; carried out by nobody while it is a shadow.
    orders: Arc<Muted>,
    shadow: Option<Shadow>,
    /// Calls that it failed and the old generation answered …
    rescued: AtomicU64,
    /// … because it broke, not its backend.
    broken: AtomicU64,
}

impl Trial {
    /// Begins one. The questions of a shadow are asked on `runtime`.
    pub(crate) fn begin(
        candidate: Arc<Loaded>,
        mode: SwapMode,
        orders: Arc<Muted>,
        limits: &TrialLimits,
        runtime: &Handle,
    ) -> Arc<Self> {
        let shadow = (mode == SwapMode::Shadow).then(|| Shadow::start(&candidate, limits, runtime));
        let (rescued, broken) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { candidate, mode, began: Instant::now(), orders, shadow, rescued, broken })
    }

    pub(crate) fn generation(&self) -> &Arc<Generation> {
        &self.candidate.generation
    }

    /// Whether it is what is asked about somebody: a client by its Client Identifier, an address where no more is known yet.
    /// Nobody has no name, and is left to the generation in force while only a part is not.
    pub(crate) fn serves(&self, whom: &str) -> bool {
        serves(self.mode, whom)
    }

    /// Whether it is what any client's questions go to.
    pub(crate) fn serves_any(&self) -> bool {
        self.mode != SwapMode::Shadow
    }

    pub(crate) fn shadow(&self) -> Option<&Shadow> {
        self.shadow.as_ref()
    }

    /// Notes a call that it failed and the old generation answered.
    pub(crate) fn rescued(&self, failure: &HookFailure) {
        self.rescued.fetch_add(1, Ordering::Relaxed);
        let broke = match failure {
            HookFailure::Trapped(_) | HookFailure::Deadline | HookFailure::WaitTimeout | HookFailure::BadAnswer(_) => {
                true
            }
            HookFailure::Backend(_) | HookFailure::Overloaded(_) | HookFailure::BreakerOpen => false,
        };
        if broke {
            self.broken.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn rescued_total(&self) -> u64 {
        self.rescued.load(Ordering::Relaxed) + self.shadow.as_ref().map_or(0, Shadow::failed)
    }

    pub(crate) fn shadow_status(&self) -> ShadowStatus {
        self.shadow.as_ref().map(Shadow::status).unwrap_or_default()
    }

    /// What speaks against it, compared with `current`: a failure counts where the old generation could answer the very same
    /// question, so that neither a client that breaks both nor a backend that is down for both is held against it.
    pub(crate) fn fault(&self, current: &Generation) -> Option<TrialFault> {
        let candidate = self.generation();
        let opened = |hook: &Hook| {
            candidate.breaker(*hook) != BreakerState::Closed && current.breaker(*hook) == BreakerState::Closed
        };
        if let Some(hook) = Hook::ALL.into_iter().find(opened) {
            return Some(TrialFault::Breaker(hook));
        }
        let broken = self.broken.load(Ordering::Relaxed) + self.shadow.as_ref().map_or(0, Shadow::broken);
        let calls = candidate.calls_total();
        (broken >= BROKEN_MIN && broken * 100 >= calls).then_some(TrialFault::Breaks { broken, calls })
    }

    /// It takes the old one's place: from now on its orders are carried out.
    pub(crate) fn promote(&self) {
        self.orders.unmute();
    }
}

fn serves(mode: SwapMode, whom: &str) -> bool {
    match mode {
        SwapMode::All => true,
        SwapMode::Canary { percent } => !whom.is_empty() && is_within(whom, percent),
        SwapMode::Shadow => false,
    }
}

/// Whether somebody is among `percent` of all, by a hash that is the same in every process: who is among 10 % is also
/// among 20 %.
fn is_within(whom: &str, percent: u8) -> bool {
    stable_hash(whom) % 10_000 < u64::from(percent) * 100
}

/// FNV-1a, and a last step that spreads what differs at the end only.
fn stable_hash(text: &str) -> u64 {
    let fnv = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

/// What a plugin may do to the broker, while it may.
pub(crate) struct Muted {
    mute: AtomicBool,
    outside: Arc<dyn Outside>,
}

impl Muted {
    pub(crate) fn new(mute: bool, outside: Arc<dyn Outside>) -> Arc<Self> {
        Arc::new(Self { mute: AtomicBool::new(mute), outside })
    }

    fn unmute(&self) {
        self.mute.store(false, Ordering::Relaxed);
    }

    fn heard(&self) -> Option<&dyn Outside> {
        (!self.mute.load(Ordering::Relaxed)).then_some(&*self.outside)
    }
}

impl Outside for Muted {
    fn publish(&self, plugin: &str, message: Message) -> Result<(), String> {
        self.heard().map_or(Ok(()), |outside| outside.publish(plugin, message))
    }

    fn disconnect(&self, plugin: &str, client_id: &str, code: u8, keep_session: bool) -> bool {
        self.heard().is_none_or(|outside| outside.disconnect(plugin, client_id, code, keep_session))
    }

    fn redirect(&self, plugin: &str, client_id: &str, to: &Redirection) -> bool {
        self.heard().is_none_or(|outside| outside.redirect(plugin, client_id, to))
    }

    fn revoke(&self, plugin: &str, principal: &str) {
        if let Some(outside) = self.heard() {
            outside.revoke(plugin, principal);
        }
    }
}

/// So many breakdowns that the old generation did not share are too many, if they are a hundredth of all calls.
const BROKEN_MIN: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_clients_is_a_tenth_and_stays_among_a_fifth() {
        for form in ["client-", "01234567-89ab-", "sensor/room/"] {
            let ids: Vec<String> = (0..10_000).map(|number| format!("{form}{number}")).collect();
            let tenth: Vec<_> = ids.iter().filter(|id| is_within(id, 10)).collect();
            assert!((800..=1200).contains(&tenth.len()), "{form}: {}", tenth.len());
            assert!(tenth.iter().all(|id| is_within(id, 20)));
        }
    }

    #[test]
    fn nobody_is_left_to_the_generation_in_force_until_the_new_one_serves_all() {
        let serves_nobody = |mode| serves(mode, "");
        assert!(serves_nobody(SwapMode::All) && !serves_nobody(SwapMode::Shadow));
        assert!((1..=100).all(|percent| !serves_nobody(SwapMode::Canary { percent })));
        assert!(serves(SwapMode::Canary { percent: 100 }, "c") && !serves(SwapMode::Shadow, "c"));
    }

    #[test]
    fn none_and_all_are_none_and_all() {
        for number in 0..1000 {
            let id = number.to_string();
            assert!(!is_within(&id, 0) && is_within(&id, 100));
        }
    }
}
