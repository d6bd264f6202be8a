//! The graphs that are sorted.

use std::collections::BTreeSet;

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
    pub(super) children: Vec<Vec<usize>>,
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
    pub(super) fn cycle(&self) -> Option<Vec<usize>> {
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
}
