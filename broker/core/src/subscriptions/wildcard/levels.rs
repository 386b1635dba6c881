//! The distinct levels that filters are made of, each kept once.

use std::hash::BuildHasher;
use std::num::NonZeroU32;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Names a level while something holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LevelId(NonZeroU32);

/// Levels and who holds them, counted.
pub(super) struct Levels {
    levels: Vec<Level>,
    /// Places in `levels` not in use.
    free: Vec<LevelId>,
    by_text: HashTable<LevelId>,
    hasher: foldhash::quality::FixedState,
}

struct Level {
    text: Box<str>,
    holders: u32,
}

impl LevelId {
    /// Its number, from 1 on.
    pub(super) fn number(self) -> u32 {
        self.0.get()
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl Levels {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            levels: Vec::new(),
            free: Vec::new(),
            by_text: HashTable::new(),
            hasher: foldhash::quality::FixedState::with_seed(seed),
        }
    }

    /// The level, if anything holds it.
    pub(super) fn find(&self, text: &str) -> Option<LevelId> {
        self.by_text.find(self.hasher.hash_one(text), |id| *self.levels[id.index()].text == *text).copied()
    }

    /// The level, held once more.
    pub(super) fn hold(&mut self, text: &str) -> LevelId {
        let Self { levels, free, by_text, hasher } = self;
        let same = |id: &LevelId| *levels[id.index()].text == *text;
        let hash = |id: &LevelId| hasher.hash_one(&*levels[id.index()].text);
        match by_text.entry(hasher.hash_one(text), same, hash) {
            Entry::Occupied(known) => {
                let id = *known.get();
                levels[id.index()].holders += 1;
                id
            }
            Entry::Vacant(place) => {
                let level = Level { text: text.into(), holders: 1 };
                let id = free.pop().unwrap_or_else(|| {
                    let next = u32::try_from(levels.len() + 1).ok().and_then(NonZeroU32::new);
                    LevelId(next.expect("memory ends before four thousand million levels"))
                });
                place.insert(id);
                match levels.get_mut(id.index()) {
                    Some(unused) => *unused = level,
                    None => levels.push(level),
                }
                id
            }
        }
    }

    /// Ends one hold; a level nobody holds is forgotten.
    pub(super) fn release(&mut self, id: LevelId) {
        let level = &mut self.levels[id.index()];
        level.holders -= 1;
        if level.holders > 0 {
            return;
        }
        let text = std::mem::take(&mut level.text);
        if let Ok(known) = self.by_text.find_entry(self.hasher.hash_one(&*text), |known| *known == id) {
            known.remove();
        }
        self.free.push(id);
        if self.by_text.is_empty() {
            self.levels = Vec::new();
            self.free = Vec::new();
            self.by_text = HashTable::new();
        }
    }

    /// How many levels are held.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_text.len()
    }
}
