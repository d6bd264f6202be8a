//! Which old neurons a task reuses.

use serde::{Deserialize, Serialize};

/// A neuron of a network that learns tasks, within its hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NeuronId {
    /// The task whose column it belongs to, from 0.
    pub task: usize,
    /// Its number in that column's layer.
    pub neuron: usize,
}

/// A task's mask over the neurons of the tasks before it: those that it reads, in the order in
/// which it reads them. Its own neurons are always part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mask {
    layers: Vec<Vec<NeuronId>>,
}

impl Mask {
    /// Nothing is reused of so many hidden layers.
    pub fn none(layers: usize) -> Self {
        Self {
            layers: vec![Vec::new(); layers],
        }
    }

    /// All neurons of columns of these widths, `[task][layer]`.
    pub fn all(widths: &[Vec<usize>], layers: usize) -> Self {
        let of_layer = |layer: usize| {
            let columns = widths.iter().enumerate();
            let neurons = columns.flat_map(|(task, widths)| {
                (0..widths[layer]).map(move |neuron| NeuronId { task, neuron })
            });
            neurons.collect()
        };
        Self {
            layers: (0..layers).map(of_layer).collect(),
        }
    }

    /// The reused neurons of each hidden layer.
    pub fn layers(&self) -> &[Vec<NeuronId>] {
        &self.layers
    }

    /// Reused neurons of all layers together.
    pub fn len(&self) -> usize {
        self.layers.iter().map(Vec::len).sum()
    }

    /// Whether nothing is reused.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The mask of those at `kept` of each layer.
    pub(crate) fn keeping(&self, kept: &[Vec<usize>]) -> Self {
        let layers = self.layers.iter().zip(kept);
        let chosen = layers.map(|(all, kept)| kept.iter().map(|&index| all[index]).collect());
        Self {
            layers: chosen.collect(),
        }
    }

    /// Whether all its neurons are of columns of these widths, `[task][layer]`.
    pub(crate) fn fits(&self, widths: &[Vec<usize>]) -> bool {
        self.layers.iter().enumerate().all(|(layer, ids)| {
            let width = |task: usize| widths.get(task).and_then(|widths| widths.get(layer));
            ids.iter()
                .all(|id| width(id.task).is_some_and(|width| id.neuron < *width))
        })
    }

    /// The tasks whose neurons it has, each once, in order.
    pub(crate) fn tasks(&self) -> Vec<usize> {
        let mut tasks: Vec<usize> = self.layers.iter().flatten().map(|id| id.task).collect();
        tasks.sort_unstable();
        tasks.dedup();
        tasks
    }
}
