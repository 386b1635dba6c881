//! `[shared_subscriptions]`: which member of a shared subscription gets a message.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `[shared_subscriptions]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SharedSubscriptions {
    /// For every share name that `strategies` does not name.
    pub strategy: SharedStrategy,
    /// By share name, the `NAME` of `$share/NAME/FILTER`.
    pub strategies: BTreeMap<String, SharedStrategy>,
}

/// How a member is chosen among those that are connected and have room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharedStrategy {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// Any of them.
    Random,
    /// The same one until it is gone or full.
    Sticky,
    /// The same one for all messages of a publisher.
    HashClientId,
    /// The same one for all messages to a topic.
    HashTopic,
    /// The one with the fewest messages in flight and waiting.
    LeastInFlight,
}

impl SharedStrategy {
    /// All of them, as the configuration writes them.
    pub(super) const NAMES: &[&str] =
        &["round-robin", "random", "sticky", "hash-client-id", "hash-topic", "least-in-flight"];

    fn core(self) -> midge_core::SharedStrategy {
        match self {
            Self::RoundRobin => midge_core::SharedStrategy::RoundRobin,
            Self::Random => midge_core::SharedStrategy::Random,
            Self::Sticky => midge_core::SharedStrategy::Sticky,
            Self::HashClientId => midge_core::SharedStrategy::HashClientId,
            Self::HashTopic => midge_core::SharedStrategy::HashTopic,
            Self::LeastInFlight => midge_core::SharedStrategy::LeastInFlight,
        }
    }
}

impl SharedSubscriptions {
    /// The same in the core's words.
    #[must_use]
    pub fn core(&self) -> midge_core::Sharing {
        let strategies = self.strategies.iter();
        midge_core::Sharing {
            strategy: self.strategy.core(),
            strategies: strategies.map(|(name, strategy)| (name.as_str().into(), strategy.core())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unless_said_otherwise_the_core_keeps_its_own_defaults() {
        assert_eq!(SharedSubscriptions::default().core(), midge_core::Sharing::default());
    }

    #[test]
    fn every_name_is_a_strategy() {
        for name in SharedStrategy::NAMES {
            let text = format!("strategies = {{ workers = \"{name}\" }}");
            let read: Result<SharedSubscriptions, _> = toml::from_str(&text);
            assert!(read.is_ok_and(|read| read.core().strategies.len() == 1), "{name}");
        }
    }
}
