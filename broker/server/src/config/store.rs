//! `[store]`: what survives the end of the process, and when a message is safe enough to be acknowledged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use midge_core::Durabilities;
use serde::{Deserialize, Serialize};

use super::units::{milliseconds, size};

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Store {
    /// Where sessions, their messages and retained messages are kept; `store` in `runtime.data_dir` unless said.
    pub directory: PathBuf,
    /// How safe a message is before it is acknowledged, unless one of `topics` says otherwise.
    pub durability: Durability,
    /// Topics with a level of their own; the first whose filter matches decides.
    pub topics: Vec<StoreTopic>,
    /// The least time between two commits.
    #[serde(rename = "commit_interval_ms", with = "milliseconds")]
    pub commit_interval: Duration,
    /// Memory for parts of the store that were read or are about to be.
    #[serde(with = "size")]
    pub cache_bytes_max: u64,
    /// Changes that wait to be written; above it publishers are slowed down.
    #[serde(with = "size")]
    pub waiting_bytes_max: u64,
}

/// `[[store.topics]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreTopic {
    /// The topics.
    pub filter: String,
    /// How safe their messages are before they are acknowledged.
    pub durability: Durability,
}

/// When a message is safe enough to be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// When it is on stable storage: it survives the loss of power.
    #[default]
    Fsync,
    /// When the operating system has it: it survives the end of the process.
    Os,
    /// At once: it is lost with the process.
    Memory,
}

impl Store {
    /// Every default, in the `store` of this `data_dir`.
    pub(super) fn below(data_dir: &Path) -> Self {
        Self {
            directory: data_dir.join("store"),
            durability: Durability::default(),
            topics: Vec::new(),
            commit_interval: Duration::ZERO,
            cache_bytes_max: 64 << 20,
            waiting_bytes_max: 64 << 20,
        }
    }

    /// Whether anything is to survive the process at all.
    #[must_use]
    pub fn keeps_anything(&self) -> bool {
        let topics = self.topics.iter().map(|topic| topic.durability);
        topics.chain([self.durability]).any(|level| level != Durability::Memory)
    }

    /// When a message is safe enough to be acknowledged, in the core's words.
    #[must_use]
    pub fn core(&self) -> Durabilities {
        let rules = self.topics.iter().map(|topic| (topic.filter.clone(), topic.durability.core()));
        Durabilities { default: self.durability.core(), rules: rules.collect() }
    }
}

impl Durability {
    /// All of them, as the configuration writes them.
    pub(super) const NAMES: &[&str] = &["fsync", "os", "memory"];

    const fn core(self) -> midge_core::Durability {
        match self {
            Self::Fsync => midge_core::Durability::Fsync,
            Self::Os => midge_core::Durability::Os,
            Self::Memory => midge_core::Durability::Memory,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_level_and_the_first_is_the_core_s_default() {
        for name in Durability::NAMES {
            assert!(toml::Value::from(*name).try_into::<Durability>().is_ok(), "{name}");
        }
        assert_eq!(Durability::default().core(), midge_core::Durability::default());
    }

    #[test]
    fn a_store_of_memory_alone_keeps_nothing() {
        let topic = |durability| StoreTopic { filter: "a/#".into(), durability };
        let store = |durability, topics| Store { durability, topics, ..Store::below(Path::new("")) };
        assert!(!store(Durability::Memory, vec![topic(Durability::Memory)]).keeps_anything());
        assert!(store(Durability::Memory, vec![topic(Durability::Os)]).keeps_anything());
        assert!(store(Durability::Fsync, vec![topic(Durability::Memory)]).keeps_anything());
    }
}
