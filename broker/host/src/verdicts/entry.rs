//! What is kept about one identity.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hashbrown::{Equivalent, HashMap};

use super::{Action, Placed, Verdict};

/// Everything kept about one identity.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) principal: Arc<str>,
    /// `Some` once every authorizer was asked for permissions: with those that were given, if any.
    pub(super) placed: Option<Option<Placed>>,
    exact: HashMap<Question<Box<str>>, Kept>,
    covering: Vec<(Question<Box<str>>, Kept)>,
}

/// A verdict, and how long it is good.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) verdict: Verdict,
    /// When it was asked for.
    pub(super) at_ms: u64,
    pub(super) until_ms: u64,
    /// How long it is of use, be it only when plugins cannot answer.
    pub(super) kept_until_ms: u64,
}

/// An action on a topic or filter: kept with a text of its own, looked for with a borrowed one.
#[derive(Debug, PartialEq, Eq)]
struct Question<T> {
    action: Action,
    about: T,
}

impl<T: AsRef<str>> Hash for Question<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The few actions on one topic may share a bucket.
        self.about.as_ref().hash(state);
    }
}

impl Equivalent<Question<Box<str>>> for Question<&str> {
    fn equivalent(&self, key: &Question<Box<str>>) -> bool {
        self.action == key.action && *self.about == *key.about
    }
}

impl Entry {
    pub(super) fn new(principal: &Arc<str>) -> Self {
        Self { principal: Arc::clone(principal), placed: None, exact: HashMap::new(), covering: Vec::new() }
    }

    pub(super) fn size(&self) -> u64 {
        (self.exact.len() + self.covering.len()) as u64
    }

    pub(super) fn clear(&mut self) {
        self.exact.clear();
        self.covering.clear();
    }

    pub(super) fn find(&self, action: Action, asked: &str, now_ms: u64) -> Option<Verdict> {
        let good = |kept: &&Kept| now_ms < kept.until_ms;
        let covers = |of: &Question<Box<str>>| of.action == action && action.is_covered(&of.about, asked);
        let mut covering = self.covering.iter().filter(|(of, _)| covers(of)).map(|(_, kept)| kept);
        let found = covering.find(good).or_else(|| self.exact.get(&Question { action, about: asked }).filter(good));
        found.map(|kept| kept.verdict.clone())
    }

    /// What was last decided, good or not.
    pub(super) fn last(&self, action: Action, asked: &str) -> Option<&Kept> {
        let covers = |of: &Question<Box<str>>| of.action == action && action.is_covered(&of.about, asked);
        let covering = self.covering.iter().filter(|(of, _)| covers(of)).map(|(_, kept)| kept);
        covering.chain(self.exact.get(&Question { action, about: asked })).max_by_key(|kept| kept.at_ms)
    }

    pub(super) fn keep(&mut self, action: Action, asked: &str, covers: Option<&str>, kept: Kept, now_ms: u64) {
        if self.size() >= PER_IDENTITY_MAX {
            self.exact.retain(|_, kept| now_ms < kept.kept_until_ms);
            self.covering.retain(|(_, kept)| now_ms < kept.kept_until_ms);
        }
        if self.size() >= PER_IDENTITY_MAX {
            self.clear();
        }
        match covers {
            Some(covers) => {
                let question = Question { action, about: covers.into() };
                self.covering.retain(|(of, _)| *of != question);
                self.covering.push((question, kept));
            }
            None => {
                self.exact.insert(Question { action, about: asked.into() }, kept);
            }
        }
    }
}

/// A client that asks about ever new topics pushes out its own verdicts only.
pub(super) const PER_IDENTITY_MAX: u64 = 128;
