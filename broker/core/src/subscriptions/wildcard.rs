//! Filters with wildcards: a tree of levels in one arena.
//!
//! Levels are interned, so an edge is two numbers; all edges stand in one table. A node knows its parent and its own
//! level, therefore the table needs to hold nothing but the child. Every node is on the way to some filter: with its
//! last filter a branch disappears, and its places are used again.

mod levels;

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use self::levels::{LevelId, Levels};
use super::group::{Group, Share};
use super::routes::Routes;
use super::subscribers::{Change, Removal, Subscribers};
use super::{Route, Subscriber};

/// All filters with wildcards.
pub(super) struct WildcardTree<S> {
    nodes: Vec<Node<S>>,
    /// Nodes not in use.
    free: Vec<NodeId>,
    levels: Levels,
    /// The children by literal levels, found by parent and level.
    edges: HashTable<NodeId>,
    hasher: foldhash::fast::FixedState,
}

struct Node<S> {
    parent: NodeId,
    /// The level it stands for; none is `+`.
    level: Option<LevelId>,
    /// The child for `+`; the root, which is nobody's child, if there is none.
    plus: NodeId,
    /// How many children there are for literal levels.
    literals: u32,
    /// Who subscribed to the filter that ends here.
    here: Option<Subscribers<S>>,
    /// Who subscribed to this filter followed by `/#`, which matches what `here` matches too (4.7.1.2).
    below: Option<Subscribers<S>>,
}

/// A place in `WildcardTree::nodes`.
type NodeId = u32;

const ROOT: NodeId = 0;

/// Reusable room for walks through the tree.
#[derive(Default)]
pub(super) struct Walk {
    /// The levels of the topic; none for those no filter names.
    levels: Vec<Option<LevelId>>,
    /// Nodes yet to visit, and how many levels lead to each.
    open: Vec<(NodeId, usize)>,
}

impl<S: Subscriber> WildcardTree<S> {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            nodes: vec![Node::new(ROOT, None)],
            free: Vec::new(),
            levels: Levels::new(seed),
            edges: HashTable::new(),
            hasher: foldhash::fast::FixedState::with_seed(seed),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.len() == self.free.len() + 1 && self.nodes[0].below.is_none()
    }

    pub(super) fn subscribe(&mut self, filter: &str, share: Option<Share<'_>>, route: Route<S>) -> Change {
        let (levels, below) = split(filter);
        let mut node = ROOT;
        for level in levels {
            node = self.child(node, level).unwrap_or_else(|| self.add_child(node, level));
        }
        match self.place(node, below) {
            Some(subscribers) => subscribers.subscribe(filter, share, route),
            place @ None => {
                *place = Some(Subscribers::new(filter, share, route));
                Change::ADDED
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, filter: &str, share: Option<&str>, id: u64) -> Change {
        let (mut levels, below) = split(filter);
        let Some(node) = levels.try_fold(ROOT, |node, level| self.child(node, level)) else { return Change::NONE };
        let place = self.place(node, below);
        let Some(subscribers) = place else { return Change::NONE };
        let Removal { change, empty } = subscribers.unsubscribe(share, id);
        if empty {
            *place = None;
            self.prune(node);
        }
        change
    }

    /// The members that share this filter under this name.
    pub(super) fn group(&self, filter: &str, share: &str) -> Option<Arc<Group<S>>> {
        let (mut levels, below) = split(filter);
        let node = levels.try_fold(ROOT, |node, level| self.child(node, level))?;
        let node = &self.nodes[node as usize];
        let subscribers = if below { &node.below } else { &node.here };
        subscribers.as_ref()?.group(share).cloned()
    }

    /// Appends who subscribed to a filter that matches the topic.
    pub(super) fn collect(&self, topic: &str, walk: &mut Walk, into: &mut Routes<S>) {
        walk.levels.clear();
        walk.levels.extend(topic.split('/').map(|level| self.levels.find(level)));
        // Neither `#` nor `+` in the first place match what begins with `$` [MQTT-4.7.2-1].
        let hidden = topic.starts_with('$');
        walk.open.push((ROOT, 0));
        while let Some((id, depth)) = walk.open.pop() {
            let node = &self.nodes[id as usize];
            let wildcards = !(hidden && id == ROOT);
            if let Some(below) = node.below.as_ref().filter(|_| wildcards) {
                below.collect(into);
            }
            let Some(level) = walk.levels.get(depth) else {
                if let Some(here) = &node.here {
                    here.collect(into);
                }
                continue;
            };
            if node.plus != ROOT && wildcards {
                walk.open.push((node.plus, depth + 1));
            }
            if node.literals > 0
                && let Some(child) = level.and_then(|level| self.literal_child(id, level))
            {
                walk.open.push((child, depth + 1));
            }
        }
    }

    /// How many nodes and how many levels are in use, and how many edges there are.
    #[cfg(test)]
    pub(super) fn in_use(&self) -> (usize, usize, usize) {
        (self.nodes.len() - self.free.len(), self.levels.len(), self.edges.len())
    }

    /// How many places for nodes there are, used or not.
    #[cfg(test)]
    pub(super) fn arena_len(&self) -> usize {
        self.nodes.len()
    }

    fn place(&mut self, node: NodeId, below: bool) -> &mut Option<Subscribers<S>> {
        let node = &mut self.nodes[node as usize];
        if below { &mut node.below } else { &mut node.here }
    }

    fn child(&self, parent: NodeId, level: &str) -> Option<NodeId> {
        if level == "+" {
            Some(self.nodes[parent as usize].plus).filter(|plus| *plus != ROOT)
        } else {
            self.literal_child(parent, self.levels.find(level)?)
        }
    }

    fn literal_child(&self, parent: NodeId, level: LevelId) -> Option<NodeId> {
        let is_it = |child: &NodeId| {
            let child = &self.nodes[*child as usize];
            child.parent == parent && child.level == Some(level)
        };
        self.edges.find(edge_hash(&self.hasher, parent, Some(level)), is_it).copied()
    }

    fn add_child(&mut self, parent: NodeId, level: &str) -> NodeId {
        let level = (level != "+").then(|| self.levels.hold(level));
        let node = Node::new(parent, level);
        let child = match self.free.pop() {
            Some(child) => {
                self.nodes[child as usize] = node;
                child
            }
            None => {
                self.nodes.push(node);
                NodeId::try_from(self.nodes.len() - 1).expect("memory ends before four thousand million nodes")
            }
        };
        if level.is_none() {
            self.nodes[parent as usize].plus = child;
        } else {
            self.nodes[parent as usize].literals += 1;
            let (nodes, hasher) = (&self.nodes, &self.hasher);
            let hash = |child: &NodeId| {
                let node = &nodes[*child as usize];
                edge_hash(hasher, node.parent, node.level)
            };
            self.edges.insert_unique(hash(&child), child, hash);
        }
        child
    }

    /// Removes the branch that ends at `node`, as far as it leads nowhere.
    fn prune(&mut self, mut node: NodeId) {
        while node != ROOT && self.nodes[node as usize].leads_nowhere() {
            let Node { parent, level, .. } = self.nodes[node as usize];
            match level {
                None => self.nodes[parent as usize].plus = ROOT,
                Some(level) => {
                    let hash = edge_hash(&self.hasher, parent, Some(level));
                    if let Ok(edge) = self.edges.find_entry(hash, |child| *child == node) {
                        edge.remove();
                    }
                    self.nodes[parent as usize].literals -= 1;
                    self.levels.release(level);
                }
            }
            self.free.push(node);
            node = parent;
        }
        if self.nodes.len() == self.free.len() + 1 {
            self.nodes.truncate(1);
            self.nodes.shrink_to_fit();
            self.free = Vec::new();
            self.edges = HashTable::new();
        }
    }
}

impl<S> Node<S> {
    fn new(parent: NodeId, level: Option<LevelId>) -> Self {
        Self { parent, level, plus: ROOT, literals: 0, here: None, below: None }
    }

    fn leads_nowhere(&self) -> bool {
        self.here.is_none() && self.below.is_none() && self.plus == ROOT && self.literals == 0
    }
}

fn edge_hash(hasher: &impl BuildHasher, parent: NodeId, level: Option<LevelId>) -> u64 {
    hasher.hash_one(u64::from(parent) << 32 | u64::from(level.map_or(0, LevelId::number)))
}

/// The levels of a filter that lead to its node, and whether `/#` follows them.
fn split(filter: &str) -> (impl Iterator<Item = &str>, bool) {
    let (path, below) = match filter.strip_suffix('#') {
        Some(path) => (path.strip_suffix('/'), true),
        None => (Some(filter), false),
    };
    (path.into_iter().flat_map(|path| path.split('/')), below)
}
