//! The graphs that are sorted.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::NpiError;

/// Colours as values of features.
pub(crate) const WHITE: u8 = 0;
pub(crate) const GREY: u8 = 1;
pub(crate) const BLACK: u8 = 2;
pub(crate) const INVALID: u8 = 3;

/// A directed graph without cycles; the order of a vertex's children is that of its edges.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Children of each vertex, from 0.
    children: Vec<Vec<usize>>,
}

impl Graph {
    /// A graph of vertices 1 to `vertices`.
    ///
    /// # Errors
    /// [`NpiError::Problem`] for no vertices, an edge to none of them and a repeated edge,
    /// [`NpiError::CyclicGraph`] with the cycle.
    pub fn new(vertices: usize, edges: &[(usize, usize)]) -> Result<Self, NpiError> {
        /// More would take the memory of the machine before any step is made.
        const MOST: usize = 1_000_000;
        if !(1..=MOST).contains(&vertices) {
            return Err(NpiError::Problem(format!(
                "a graph of {vertices} vertices: there must be from 1 to {MOST}"
            )));
        }
        let mut children = vec![Vec::new(); vertices];
        let mut known = BTreeSet::new();
        for &(from, to) in edges {
            let inside = 1..=vertices;
            if !(inside.contains(&from) && inside.contains(&to)) {
                return Err(NpiError::Problem(format!(
                    "the edge {from}-{to} leaves the graph: its vertices are 1 to {vertices}"
                )));
            }
            if !known.insert((from, to)) {
                return Err(NpiError::Problem(format!(
                    "the edge {from}-{to} is given twice: give it once"
                )));
            }
            children[from - 1].push(to - 1);
        }
        let graph = Self { children };
        match graph.cycle() {
            Some(cycle) => {
                let vertices: Vec<String> = cycle.iter().map(|v| (v + 1).to_string()).collect();
                Err(NpiError::CyclicGraph {
                    cycle: vertices.join(" -> "),
                })
            }
            None => Ok(graph),
        }
    }

    /// How many vertices there are.
    pub fn vertices(&self) -> usize {
        self.children.len()
    }

    /// A cycle, the first vertex again at the end, if there is one.
    fn cycle(&self) -> Option<Vec<usize>> {
        let mut colours = vec![WHITE; self.vertices()];
        for start in 0..self.vertices() {
            let mut path = vec![(start, 0)];
            if colours[start] != WHITE {
                continue;
            }
            colours[start] = GREY;
            while let Some((vertex, next)) = path.last_mut() {
                let Some(&child) = self.children[*vertex].get(*next) else {
                    colours[*vertex] = BLACK;
                    path.pop();
                    continue;
                };
                *next += 1;
                match colours[child] {
                    WHITE => {
                        colours[child] = GREY;
                        path.push((child, 0));
                    }
                    GREY => {
                        let vertices = path.iter().map(|(vertex, _)| *vertex);
                        let cycle = vertices.skip_while(|vertex| *vertex != child);
                        return Some(cycle.chain([child]).collect());
                    }
                    _ => {}
                }
            }
        }
        None
    }

    /// The graph in words of the command line.
    pub(super) fn parse(words: &[String], usage: &str) -> Result<Self, NpiError> {
        let unread =
            |word: &str| NpiError::Problem(format!("`{word}` is not readable here: give {usage}"));
        let Some((count, edges)) = words.split_first() else {
            return Err(NpiError::Problem(format!("no graph: give {usage}")));
        };
        let vertices = count.parse().map_err(|_| unread(count))?;
        let edge = |word: &String| -> Result<(usize, usize), NpiError> {
            let (from, to) = word.split_once('-').ok_or_else(|| unread(word))?;
            match (from.parse(), to.parse()) {
                (Ok(from), Ok(to)) => Ok((from, to)),
                _ => Err(unread(word)),
            }
        };
        let edges = edges.iter().map(edge).collect::<Result<Vec<_>, _>>()?;
        Self::new(vertices, &edges)
    }

    /// A random graph of `size` vertices, with no edges up to eight a vertex, where there are so
    /// many.
    pub(super) fn random(size: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut order: Vec<usize> = (0..size).collect();
        order.shuffle(rng);
        let density = rng.random_range(0.0..1.0) * (16.0 / size as f64).min(1.0);
        let mut children = vec![Vec::new(); size];
        for (place, &from) in order.iter().enumerate() {
            for &to in &order[place + 1..] {
                if rng.random_bool(density) {
                    children[from].push(to);
                }
            }
            children[from].shuffle(rng);
        }
        Self { children }
    }

    /// All graphs of `size` vertices whose children are in order.
    pub(super) fn all(size: usize) -> impl Iterator<Item = Self> {
        let pairs: Vec<(usize, usize)> = (0..size)
            .flat_map(|from| (0..size).map(move |to| (from, to)))
            .filter(|(from, to)| from != to)
            .collect();
        let count = u32::try_from(pairs.len()).ok();
        let count = count
            .and_then(|bits| 1_u64.checked_shl(bits))
            .unwrap_or(u64::MAX);
        let graphs = (0..count).map(move |edges| {
            let mut children = vec![Vec::new(); size];
            for (bit, &(from, to)) in pairs.iter().enumerate() {
                if edges >> bit & 1 == 1 {
                    children[from].push(to);
                }
            }
            Self { children }
        });
        graphs.filter(|graph| graph.cycle().is_none())
    }

    /// Children of a vertex, from 0.
    pub(super) fn children(&self, vertex: usize) -> &[usize] {
        &self.children[vertex]
    }

    /// All edges, by vertices from 0.
    pub(super) fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let children = self.children.iter().enumerate();
        children.flat_map(|(from, to)| to.iter().map(move |to| (from, *to)))
    }
}
