//! Between the vectors θ of a site's neurons and its parameters.

use std::collections::HashMap;

use burgeon_graph::{Graph, Site};
use burn::module::ParamId;
use burn::tensor::TensorData;
use nalgebra::DMatrix;

/// Where θ of each neuron lies in the parameters of a site.
#[derive(Debug, Clone)]
pub(crate) struct Theta {
    parts: Vec<Part>,
    neurons: usize,
    dim: usize,
}

#[derive(Debug, Clone)]
struct Part {
    id: ParamId,
    shape: Vec<usize>,
    /// For each neuron, the places of its numbers.
    places: Vec<Vec<usize>>,
}

impl Theta {
    pub fn of(graph: &Graph, site: &Site) -> Self {
        let part = |part: &burgeon_graph::Slices| {
            let parameter = &graph.parameters()[part.parameter];
            Part {
                id: parameter.id,
                shape: parameter.shape.clone(),
                places: (0..site.width())
                    .map(|channel| graph.slice(site, part, channel))
                    .collect(),
            }
        };
        Self {
            parts: site.fan_in().iter().map(part).collect(),
            neurons: site.width(),
            dim: site.dim(),
        }
    }

    /// Vectors `[d, M]`, a column for each neuron, as tangents of the parameters.
    pub fn scatter(&self, vectors: &DMatrix<f64>) -> Vec<(ParamId, TensorData)> {
        let mut start = 0;
        let mut tangents: Vec<(ParamId, TensorData)> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let size: usize = part.shape.iter().product();
            let mut values = vec![0.0; size];
            let length = part.places.first().map_or(0, Vec::len);
            for (neuron, places) in part.places.iter().enumerate().take(self.neurons) {
                let column = vectors.column(neuron);
                for (index, place) in places.iter().enumerate() {
                    values[*place] = column[start + index];
                }
            }
            start += length;
            tangents.push((part.id, TensorData::new(values, part.shape.clone())));
        }
        tangents
    }

    /// The columns `[d, M]` that tensors of the parameters' shapes are.
    pub fn gather(&self, tangents: &HashMap<ParamId, Vec<f64>>) -> DMatrix<f64> {
        let mut vectors = DMatrix::zeros(self.dim, self.neurons);
        let mut start = 0;
        for part in &self.parts {
            let length = part.places.first().map_or(0, Vec::len);
            if let Some(values) = tangents.get(&part.id) {
                for (neuron, places) in part.places.iter().enumerate() {
                    for (index, place) in places.iter().enumerate() {
                        vectors[(start + index, neuron)] = values[*place];
                    }
                }
            }
            start += length;
        }
        vectors
    }
}
