//! One generation of a plugin in the place of another: how it comes into force, and what is known of it until it has.

use std::sync::Arc;
use std::time::Duration;

use super::{Hook, PluginStatus};

/// How a new generation of a plugin comes into force. Until it has, the old one stands by: what the new one cannot answer
/// the old one is asked, so that no client pays for the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapMode {
    /// It is asked about every client.
    All,
    /// It is asked about this part of the clients, always the same ones: 0 to 100.
    Canary {
        /// Of a hundred clients, chosen by a hash of their Client Identifiers; of addresses where it is asked about these.
        percent: u8,
    },
    /// It is asked too, and the old one's answer is obeyed. The further steps of an exchange of enhanced authentication, sinks,
    /// events, ticks and pages stay with the old one.
    Shadow,
}

impl SwapMode {
    /// Its name, for logs and operators.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Canary { .. } => "canary",
            Self::Shadow => "shadow",
        }
    }
}

/// Bounds on what a trial keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialLimits {
    /// Disagreements of a shadow that are kept; the oldest goes first. Default 100.
    pub disagreements_max: usize,
    /// Questions that may wait for a shadow; more are not put to it, and counted. Default 1024.
    pub questions_max: usize,
}

impl Default for TrialLimits {
    fn default() -> Self {
        Self { disagreements_max: 100, questions_max: 1024 }
    }
}

/// A generation on trial.
#[derive(Clone, Debug)]
pub struct TrialStatus {
    /// The generation.
    pub candidate: Box<PluginStatus>,
    /// How it is tried.
    pub mode: SwapMode,
    /// For how long.
    pub age: Duration,
    /// Calls that it failed and the old generation then answered.
    pub rescued: u64,
    /// What its shadow said.
    pub shadow: ShadowStatus,
}

/// How a shadow compares with the generation in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowStatus {
    /// Questions to which both gave the same answer.
    pub agreed: u64,
    /// Questions to which they did not.
    pub disagreed: u64,
    /// Questions that were not put to it, because too many waited.
    pub skipped: u64,
    /// The latest disagreements, oldest first.
    pub disagreements: Vec<Disagreement>,
}

/// A question to which two generations gave different answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// When it was asked, in Unix milliseconds.
    pub at_ms: u64,
    /// The client it was about, or the address that wanted to connect.
    pub client_id: String,
    /// The hook.
    pub hook: Hook,
    /// What was asked about: a user name, a topic, a filter, a listener.
    pub about: String,
    /// The answer of the generation in force, which was obeyed.
    pub current: String,
    /// The answer of the shadow.
    pub candidate: String,
}

/// Why a generation should not stay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrialFault {
    /// Its circuit breaker opened, and the old generation's did not.
    #[error("its circuit breaker for {0} opened")]
    Breaker(Hook),
    /// It broke down where the old generation answered.
    #[error("it broke down over {broken} of {calls} questions that the old generation could answer")]
    Breaks {
        /// Traps, missed deadlines and forbidden answers to questions that the old generation answered.
        broken: u64,
        /// Calls of it.
        calls: u64,
    },
}

/// A trial under way, as whoever looks after it sees it.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The plugin.
    pub plugin: Arc<str>,
    /// The number of its new generation.
    pub generation: u64,
    /// How that is tried.
    pub mode: SwapMode,
    /// For how long.
    pub age: Duration,
    /// What speaks against the new generation.
    pub fault: Option<TrialFault>,
}
