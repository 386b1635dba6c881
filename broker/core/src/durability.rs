//! How safe messages must be before they are acknowledged, by topic.

use midge_protocol::{TopicFilter, TopicName};

use crate::store::Durability;

/// How safe a message must be before it is acknowledged. Where the store keeps nothing, this means nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durabilities {
    /// For everything no rule is for, and for sessions and subscriptions. A store that is there keeps those even if this is
    /// [`Durability::Memory`]: then nobody waits for it.
    pub default: Durability,
    /// Topic Filters, and what holds for the topics they match. The first that matches decides; one that is no Topic Filter
    /// matches nothing.
    pub rules: Vec<(String, Durability)>,
}

impl Durabilities {
    /// What holds for messages with this topic.
    #[must_use]
    pub fn of(&self, topic: &str) -> Durability {
        // Asked for every message that is kept, and mostly there is no rule.
        if self.rules.is_empty() {
            return self.default;
        }
        let Ok(name) = TopicName::new(topic) else { return self.default };
        let matches = |filter: &str| TopicFilter::new(filter).is_ok_and(|filter| filter.matches(name));
        self.rules.iter().find(|(filter, _)| matches(filter)).map_or(self.default, |(_, durability)| *durability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules =
            [("a/b", Durability::Os), ("a/#", Durability::Memory), ("a/c", Durability::Fsync), ("#", Durability::Os)];
        let rules = rules.map(|(filter, durability)| (filter.to_owned(), durability)).into();
        let durabilities = Durabilities { default: Durability::Fsync, rules };
        assert_eq!(durabilities.of("a/b"), Durability::Os);
        assert_eq!(durabilities.of("a/c"), Durability::Memory);
        assert_eq!(durabilities.of("$x"), Durability::Fsync, "no wildcard in front matches what begins with $");
    }
}
