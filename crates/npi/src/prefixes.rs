//! A trie of the beginnings of calls.
//!
//! A call's decisions depend on the call and the observations since it began. So a controller is a
//! map from such prefixes to decisions, and a learned recursive program, which meets finitely many
//! of them, is a finite trie.

use std::collections::HashMap;

use crate::program::{Call, Observation};

/// A node of a [`Prefixes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(usize);

/// Prefixes with a value each.
#[derive(Debug, Clone)]
pub struct Prefixes<T> {
    roots: HashMap<Call, Node>,
    children: HashMap<(Node, Observation), Node>,
    nodes: Vec<Entry<T>>,
    valued: usize,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    call: Call,
    /// The node before the last observation, and that observation; none at a root.
    last: Option<(Node, Observation)>,
    value: Option<T>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self {
            roots: HashMap::new(),
            children: HashMap::new(),
            nodes: Vec::new(),
            valued: 0,
        }
    }
}

impl<T> Prefixes<T> {
    /// The node of `call` before its first observation.
    pub fn root(&mut self, call: Call) -> Node {
        let nodes = &mut self.nodes;
        *self.roots.entry(call).or_insert_with(|| {
            nodes.push(Entry {
                call,
                last: None,
                value: None,
            });
            Node(nodes.len() - 1)
        })
    }

    /// The node after one more observation.
    pub fn child(&mut self, node: Node, observation: Observation) -> Node {
        let nodes = &mut self.nodes;
        let entry = self.children.entry((node, observation));
        *entry.or_insert_with(|| {
            nodes.push(Entry {
                call: nodes[node.0].call,
                last: Some((node, observation)),
                value: None,
            });
            Node(nodes.len() - 1)
        })
    }

    /// The value at a node, if it was set.
    pub fn value(&self, node: Node) -> Option<&T> {
        self.nodes[node.0].value.as_ref()
    }

    /// Sets the value at a node.
    pub fn set(&mut self, node: Node, value: T) {
        let old = self.nodes[node.0].value.replace(value);
        self.valued += usize::from(old.is_none());
    }

    /// The call of a node and its observations, first to last.
    pub fn path(&self, node: Node) -> (Call, Vec<Observation>) {
        let mut observations = Vec::new();
        let mut entry = &self.nodes[node.0];
        while let Some((before, observation)) = entry.last {
            observations.push(observation);
            entry = &self.nodes[before.0];
        }
        observations.reverse();
        (entry.call, observations)
    }

    /// The call of a node and its last observation, unless it has none yet.
    pub fn last(&self, node: Node) -> (Call, Option<Observation>) {
        let entry = &self.nodes[node.0];
        (entry.call, entry.last.map(|(_, observation)| observation))
    }

    /// Prefixes that have a value.
    pub fn len(&self) -> usize {
        self.valued
    }

    /// Whether none has a value.
    pub fn is_empty(&self) -> bool {
        self.valued == 0
    }
}
