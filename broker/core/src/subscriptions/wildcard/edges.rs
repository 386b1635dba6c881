//! From a node to its child for a literal level, for all nodes in one table.

use hashbrown::HashTable;

use super::NodeId;

/// Children by what their parent and level hash to. Kept in parts: a part that grows keeps everybody waiting only briefly.
pub(super) struct Edges {
    parts: Box<[HashTable<Edge>]>,
}

struct Edge {
    /// Kept, so that a part grows without a look at any node.
    hash: EdgeHash,
    child: NodeId,
}

/// The hash of a parent and a level.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct EdgeHash(u32);

impl EdgeHash {
    /// Of this parent and a level with this hash, which whoever chooses levels cannot foresee.
    pub(super) fn new(parent: NodeId, level: u64) -> Self {
        let mixed = (level ^ u64::from(parent).wrapping_mul(SPREAD)).wrapping_mul(SPREAD);
        Self((mixed >> 32) as u32)
    }

    fn part(self) -> usize {
        (self.0 >> (u32::BITS - PART_BITS)) as usize
    }

    /// The hash as tables want it, with chance in the lowest and in the highest bits.
    fn spread(self) -> u64 {
        u64::from(self.0).wrapping_mul(SPREAD)
    }
}

impl Edges {
    pub(super) fn new() -> Self {
        Self { parts: (0..1 << PART_BITS).map(|_| HashTable::new()).collect() }
    }

    /// The child of this hash that is the one.
    pub(super) fn find(&self, hash: EdgeHash, is_it: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        let same = |edge: &Edge| edge.hash == hash && is_it(edge.child);
        Some(self.parts[hash.part()].find(hash.spread(), same)?.child)
    }

    /// Adds one that is not there.
    pub(super) fn insert(&mut self, hash: EdgeHash, child: NodeId) {
        self.parts[hash.part()].insert_unique(hash.spread(), Edge { hash, child }, |edge| edge.hash.spread());
    }

    /// Removes one, and gives memory back where little is left.
    pub(super) fn remove(&mut self, hash: EdgeHash, child: NodeId) {
        let part = &mut self.parts[hash.part()];
        if let Ok(edge) = part.find_entry(hash.spread(), |edge| edge.child == child) {
            edge.remove();
        }
        if part.len() * 4 < part.capacity() {
            part.shrink_to(part.len() * 2, |edge| edge.hash.spread());
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(HashTable::len).sum()
    }

    /// How many there is room for.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.parts.iter().map(HashTable::capacity).sum()
    }
}

const PART_BITS: u32 = 6;
/// The golden ratio, as a fraction of 2^64.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
