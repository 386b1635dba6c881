//! How the members of a shared subscription are chosen: what an operator may say about it.

use std::collections::BTreeMap;

/// Which member of a shared subscription a message goes to (4.8.2 leaves it to the server).
///
/// Whatever the strategy, a member that is connected and has room comes before one that is not, so that one absent worker
/// does not hold up the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SharedStrategy {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// Any of them, each as likely as the others.
    Random,
    /// Always the same one, until it is gone or full; then another, which keeps them.
    Sticky,
    /// The same one for all messages of a client. Messages that come from no client go by their topic.
    HashClientId,
    /// The same one for all messages to a topic.
    HashTopic,
    /// The one with the fewest messages in flight to it or waiting for it.
    LeastInFlight,
}

/// The strategies of a broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// For every share name that has none of its own.
    pub strategy: SharedStrategy,
    /// By share name.
    pub strategies: BTreeMap<Box<str>, SharedStrategy>,
}

impl Sharing {
    /// How the members that share this name are chosen.
    pub(crate) fn strategy(&self, share: &str) -> SharedStrategy {
        self.strategies.get(share).copied().unwrap_or(self.strategy)
    }
}
