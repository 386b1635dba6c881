//! Filters with wildcards: a tree of levels in one arena.
//!
//! All edges for literal levels stand in one table, found by parent and level. A node knows its parent and its own level,
//! therefore the table needs to hold nothing but a hash and the child, and a step down costs two looks into memory. Every
//! node is on the way to some filter: with its last filter a branch disappears, and its memory goes back.
//!
//! A topic is followed down every branch that fits its beginning. With `n` levels these are at most 2^n leaves, for at each
//! level there are `+` and the level itself; and never more nodes than there are. Whoever wants to make a topic of 20
//! levels expensive therefore needs a million filters, of which each costs it a subscription; what was found for the
//! topic is then remembered, even if that is nothing.

mod arena;
mod edges;
mod label;

use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use self::arena::Arena;
use self::edges::{EdgeHash, Edges};
use self::label::Label;
use super::group::{Group, Share};
use super::routes::Routes;
use super::subscribers::{Change, Removal, Subscribers};
use super::{Route, Subscriber};

/// All filters with wildcards.
pub(super) struct WildcardTree<S> {
    nodes: Arena<Node<S>>,
    edges: Edges,
    hasher: foldhash::quality::FixedState,
}

struct Node<S> {
    /// The level it stands for.
    label: Label,
    ends: Ends<S>,
    parent: NodeId,
    /// The child for `+`; the root, which is nobody's child, if there is none.
    plus: NodeId,
    /// How many children there are for literal levels.
    literals: u32,
}

/// Who subscribed to the filters that end at a node: *here* to the one that leads to it, *below* to that followed by `/#`,
/// which matches the same and all below (4.7.1.2).
enum Ends<S> {
    Nobody,
    Here(Subscribers<S>),
    Below(Subscribers<S>),
    Both(Box<Both<S>>),
}

struct Both<S> {
    here: Subscribers<S>,
    below: Subscribers<S>,
}

/// A place in `WildcardTree::nodes`.
type NodeId = arena::Place;

const ROOT: NodeId = 0;

/// Reusable room for walks through the tree.
#[derive(Default)]
pub(super) struct Walk {
    /// Where each level of the topic is, and its hash.
    levels: Vec<(Range<usize>, u64)>,
    /// Nodes yet to visit, and how many levels lead to each.
    open: Vec<(NodeId, usize)>,
    #[cfg(test)]
    pub(super) visited: usize,
}

impl<S: Subscriber> WildcardTree<S> {
    pub(super) fn new(seed: u64) -> Self {
        let mut nodes = Arena::new();
        let root = nodes.insert(Node::UNUSED, || Node::UNUSED);
        debug_assert_eq!(root, ROOT, "the first place of an arena");
        Self { nodes, edges: Edges::new(), hasher: foldhash::quality::FixedState::with_seed(seed) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.len() == 1 && self.nodes[ROOT].ends.are_nobody()
    }

    pub(super) fn subscribe(&mut self, filter: &str, share: Option<Share<'_>>, route: Route<S>) -> Change {
        let (levels, below) = split(filter);
        let mut node = ROOT;
        for level in levels {
            node = self.child(node, level).unwrap_or_else(|| self.add_child(node, level));
        }
        let ends = &mut self.nodes[node].ends;
        match ends.get_mut(below) {
            Some(subscribers) => subscribers.subscribe(filter, share, route),
            None => {
                ends.put(below, Subscribers::new(filter, share, route));
                Change::ADDED
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, filter: &str, share: Option<&str>, id: u64) -> Change {
        let (mut levels, below) = split(filter);
        let Some(node) = levels.try_fold(ROOT, |node, level| self.child(node, level)) else { return Change::NONE };
        let ends = &mut self.nodes[node].ends;
        let Some(subscribers) = ends.get_mut(below) else { return Change::NONE };
        let Removal { change, empty } = subscribers.unsubscribe(share, id);
        if empty {
            ends.clear(below);
            self.prune(node);
        }
        change
    }

    /// The members that share this filter under this name.
    pub(super) fn group(&self, filter: &str, share: &str) -> Option<Arc<Group<S>>> {
        let (mut levels, below) = split(filter);
        let node = levels.try_fold(ROOT, |node, level| self.child(node, level))?;
        self.nodes[node].ends.get(below)?.group(share).cloned()
    }

    /// Appends who subscribed to a filter that matches the topic.
    pub(super) fn collect(&self, topic: &str, walk: &mut Walk, into: &mut Routes<S>) {
        walk.levels.clear();
        let mut start = 0;
        for level in topic.split('/') {
            walk.levels.push((start..start + level.len(), self.hasher.hash_one(level.as_bytes())));
            start += level.len() + 1;
        }
        // Neither `#` nor `+` in the first place match what begins with `$` [MQTT-4.7.2-1].
        let hidden = topic.starts_with('$');
        walk.open.push((ROOT, 0));
        while let Some((id, depth)) = walk.open.pop() {
            let node = &self.nodes[id];
            #[cfg(test)]
            (walk.visited += 1);
            let wildcards = !(hidden && id == ROOT);
            if let Some(below) = node.ends.get(true).filter(|_| wildcards) {
                below.collect(into);
            }
            let Some((level, hash)) = walk.levels.get(depth) else {
                if let Some(here) = node.ends.get(false) {
                    here.collect(into);
                }
                continue;
            };
            if node.plus != ROOT && wildcards {
                walk.open.push((node.plus, depth + 1));
            }
            if node.literals > 0
                && let Some(child) = self.literal_child(id, &topic[level.clone()], EdgeHash::new(id, *hash))
            {
                walk.open.push((child, depth + 1));
            }
        }
    }

    /// How many nodes and how many edges there are, and for how many there is room.
    #[cfg(test)]
    pub(super) fn in_use(&self) -> [(usize, usize); 2] {
        [(self.nodes.len(), self.nodes.capacity()), (self.edges.len(), self.edges.capacity())]
    }

    fn child(&self, parent: NodeId, level: &str) -> Option<NodeId> {
        if level == "+" {
            Some(self.nodes[parent].plus).filter(|plus| *plus != ROOT)
        } else {
            self.literal_child(parent, level, self.edge_hash(parent, level.as_bytes()))
        }
    }

    fn literal_child(&self, parent: NodeId, level: &str, hash: EdgeHash) -> Option<NodeId> {
        self.edges.find(hash, |child| {
            let child = &self.nodes[child];
            child.parent == parent && child.label.is(level)
        })
    }

    fn add_child(&mut self, parent: NodeId, level: &str) -> NodeId {
        let is_plus = level == "+";
        let label = if is_plus { Label::Plus } else { Label::literal(level) };
        let child = self.nodes.insert(Node { label, parent, ..Node::UNUSED }, || Node::UNUSED);
        if is_plus {
            self.nodes[parent].plus = child;
        } else {
            self.nodes[parent].literals += 1;
            self.edges.insert(self.edge_hash(parent, level.as_bytes()), child);
        }
        child
    }

    /// Removes the branch that ends at `node`, as far as it leads nowhere.
    fn prune(&mut self, mut node: NodeId) {
        while node != ROOT && self.nodes[node].leads_nowhere() {
            let Node { label, parent, .. } = self.nodes.remove(node, Node::UNUSED);
            match label.text() {
                None => self.nodes[parent].plus = ROOT,
                Some(level) => {
                    self.edges.remove(self.edge_hash(parent, level), node);
                    self.nodes[parent].literals -= 1;
                }
            }
            node = parent;
        }
    }

    fn edge_hash(&self, parent: NodeId, level: &[u8]) -> EdgeHash {
        EdgeHash::new(parent, self.hasher.hash_one(level))
    }
}

impl<S> Node<S> {
    /// The root at first, and what stands where no node is.
    const UNUSED: Self = Self { label: Label::Plus, ends: Ends::Nobody, parent: ROOT, plus: ROOT, literals: 0 };

    fn leads_nowhere(&self) -> bool {
        self.ends.are_nobody() && self.plus == ROOT && self.literals == 0
    }
}

impl<S> Ends<S> {
    fn are_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }

    /// Those who subscribed here or below.
    fn get(&self, below: bool) -> Option<&Subscribers<S>> {
        match self {
            Self::Here(here) if !below => Some(here),
            Self::Below(all) if below => Some(all),
            Self::Both(both) => Some(if below { &both.below } else { &both.here }),
            _ => None,
        }
    }

    fn get_mut(&mut self, below: bool) -> Option<&mut Subscribers<S>> {
        match self {
            Self::Here(here) if !below => Some(here),
            Self::Below(all) if below => Some(all),
            Self::Both(both) => Some(if below { &mut both.below } else { &mut both.here }),
            _ => None,
        }
    }

    /// Adds subscribers here or below, where there were none.
    fn put(&mut self, below: bool, subscribers: Subscribers<S>) {
        *self = match (std::mem::replace(self, Self::Nobody), below) {
            (Self::Here(here), true) => Self::Both(Box::new(Both { here, below: subscribers })),
            (Self::Below(all), false) => Self::Both(Box::new(Both { here: subscribers, below: all })),
            (_, false) => Self::Here(subscribers),
            (_, true) => Self::Below(subscribers),
        };
    }

    /// Forgets the subscribers here or below.
    fn clear(&mut self, below: bool) {
        *self = match (std::mem::replace(self, Self::Nobody), below) {
            (Self::Both(both), false) => Self::Below(both.below),
            (Self::Both(both), true) => Self::Here(both.here),
            (kept @ Self::Here(_), true) | (kept @ Self::Below(_), false) => kept,
            _ => Self::Nobody,
        };
    }
}

/// The levels of a filter that lead to its node, and whether `/#` follows them.
fn split(filter: &str) -> (impl Iterator<Item = &str>, bool) {
    let (path, below) = match filter.strip_suffix('#') {
        Some(path) => (path.strip_suffix('/'), true),
        None => (Some(filter), false),
    };
    (path.into_iter().flat_map(|path| path.split('/')), below)
}
