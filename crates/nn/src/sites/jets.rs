//! Products with splitting matrices by second-order jets.

use std::cell::Cell;
use std::collections::HashMap;

use burgeon_core::CoreError;
use burgeon_core::eigen::{Directions, SiteShape, SplittingOperator};
use burn::backend::capture::TensorId;
use burn::backend::ops::FloatTensorOps;
use burn::backend::{AutodiffBackend, Dispatch, TensorMetadata};
use burn::module::ParamId;
use burn::tensor::{Bool, Int, Tensor, TensorData};
use nalgebra::DMatrix;
use rand::Rng;
use rand::seq::index::sample;

use super::{SiteForm, still};
use crate::error::NnError;
use crate::ports::index_tensor;
use crate::replay::{Jet, Network, Value, Values, jet, output_of};

/// What jets need of one pass.
pub(crate) struct JetBatch {
    /// Tensors that the site's operations read and give, off the graph.
    pub values: Values,
    /// `∂L/∂a` where the site's channels are mixed.
    pub gradients: HashMap<TensorId, Value>,
    /// Rows of the inputs.
    pub batch: usize,
}

impl JetBatch {
    /// Numbers that it holds, in bytes.
    pub fn bytes(&self) -> usize {
        let all = self.values.values().chain(self.gradients.values());
        let bytes = |value: &Value| value.shape().num_elements() * value.dtype().size();
        all.map(bytes).sum()
    }
}

impl JetBatch {
    /// About `rows` rows of the site: whole samples, drawn without replacement, each as likely as
    /// any other, with gradients that make expected sums those over all. All of them where there
    /// are no more, or where a tensor's samples cannot be told apart.
    pub fn sampled(self, network: &Network, rows: usize, rng: &mut impl Rng) -> Self {
        let gradient = self.gradients.values().next();
        let numbers = gradient.map_or(1, |gradient| gradient.shape().num_elements());
        let per_sample = self.channel_rows(network, numbers);
        let count = rows.div_ceil(per_sample.max(1));
        let all = self.values.keys().chain(self.gradients.keys());
        let blocks: Option<HashMap<TensorId, usize>> = all
            .map(|id| Some((*id, rows_per_sample(network, *id)?)))
            .collect();
        let (true, Some(blocks)) = (count < self.batch, blocks) else {
            return self;
        };
        let mut drawn = sample(rng, self.batch, count).into_vec();
        drawn.sort_unstable();
        let share = self.batch as f64 / count as f64;
        let part = |id: &TensorId, value: Value| match blocks[id] {
            0 => value,
            rows => selected(value, &drawn, rows),
        };
        let values = self.values.into_iter();
        let gradients = self.gradients.into_iter().map(|(id, value)| {
            let scaled = Dispatch::float_mul_scalar(part(&id, value), share.into());
            (id, scaled)
        });
        Self {
            values: values.map(|(id, value)| (id, part(&id, value))).collect(),
            gradients: gradients.collect(),
            batch: count,
        }
    }

    /// Rows that one sample is to the site: positions at a mixing point.
    fn channel_rows(&self, network: &Network, numbers: usize) -> usize {
        let graph = network.trace.graph();
        let id = self.gradients.keys().next();
        let value = id.and_then(|id| network.trace.values.get(id));
        let channels = value.map_or(1, |value| {
            let axes = graph.axes(*value).iter().filter(|axis| axis.has_channels());
            axes.map(|axis| axis.length()).product::<usize>()
        });
        numbers / (self.batch * channels.max(1)).max(1)
    }
}

/// Rows of a tensor's first axis that each sample has, 0 where it does not depend on the batch;
/// `None` where samples lie along other axes too.
fn rows_per_sample(network: &Network, id: TensorId) -> Option<usize> {
    let value = network.trace.values.get(&id)?;
    let sizes = network.trace.graph().sizes(*value);
    let (first, rest) = sizes.split_first()?;
    let elsewhere = rest.iter().any(|size| size.per_sample != 0);
    let shifted = first.per_sample != 0 && first.fixed != 0;
    (!elsewhere && !shifted).then_some(first.per_sample)
}

/// The rows of the samples `drawn`, of which each has `rows`.
fn selected(value: Value, drawn: &[usize], rows: usize) -> Value {
    let indices: Vec<usize> = drawn
        .iter()
        .flat_map(|sample| sample * rows..(sample + 1) * rows)
        .collect();
    match value.dtype() {
        dtype if dtype.is_float() => {
            let tensor = Tensor::<1>::from_dispatch(value);
            let indices = index_tensor(&indices, &tensor.device());
            tensor.select(0, indices).into_dispatch()
        }
        dtype if dtype.is_bool() => {
            let tensor = Tensor::<1, Bool>::from_dispatch(value);
            let indices = index_tensor(&indices, &tensor.device());
            tensor.select(0, indices).into_dispatch()
        }
        _ => {
            let tensor = Tensor::<1, Int>::from_dispatch(value);
            let indices = index_tensor(&indices, &tensor.device());
            tensor.select(0, indices).into_dispatch()
        }
    }
}

/// One site by its jets.
pub(crate) struct JetOperator<'a> {
    network: &'a Network,
    site: &'a SiteForm,
    batches: Vec<JetBatch>,
}

impl<'a> JetOperator<'a> {
    pub fn new(network: &'a Network, site: &'a SiteForm, batches: Vec<JetBatch>) -> Self {
        Self {
            network,
            site,
            batches,
        }
    }

    /// Checks that a product can be had of each batch.
    ///
    /// # Errors
    /// [`NnError::Operation`] that names what has no second derivative.
    pub fn check(&self) -> Result<(), NnError> {
        let shape = &self.site.shape;
        let vectors = DMatrix::from_element(shape.dim, shape.neurons, 1.0);
        for batch in &self.batches {
            self.product(batch, &vectors)?;
        }
        Ok(())
    }

    /// `S v` for all neurons, `[d, M]`: half the gradient in v of
    /// `q(v) = Σ ⟨g, a″(v)⟩` over the site's mixing points.
    fn product(&self, batch: &JetBatch, vectors: &DMatrix<f64>) -> Result<DMatrix<f64>, NnError> {
        let theta = &self.site.theta;
        let mut leaves: HashMap<ParamId, Value> = HashMap::new();
        for (id, data) in theta.scatter(vectors) {
            leaves.insert(id, self.leaf(data));
        }
        let mut gathered = HashMap::new();
        if let Some(q) = self.second_order(batch, &leaves)? {
            let gradients = Tensor::<1>::from_dispatch(q).backward();
            for (id, leaf) in leaves {
                let Some(gradient) = Tensor::<1>::from_dispatch(leaf).grad(&gradients) else {
                    continue;
                };
                let values = gradient
                    .into_data()
                    .iter::<f64>()
                    .map(|v| 0.5 * v)
                    .collect();
                gathered.insert(id, values);
            }
        }
        Ok(theta.gather(&gathered))
    }

    fn leaf(&self, data: TensorData) -> Value {
        let data = data.convert_dtype(self.network.dtype());
        let plain = Dispatch::float_from_data(data, self.network.device());
        Dispatch::float_set_require_grad(Dispatch::from_inner(plain), true)
    }

    /// q; `None` where it is 0 because nothing bends.
    fn second_order(
        &self,
        batch: &JetBatch,
        tangents: &HashMap<ParamId, Value>,
    ) -> Result<Option<Value>, NnError> {
        let network = self.network;
        let trace = &*network.trace;
        let mut jets: HashMap<TensorId, Jet> = HashMap::new();
        for (id, parameter) in &trace.parameters {
            if let (Some(tangent), Some(value)) =
                (tangents.get(parameter), network.parameters.get(parameter))
            {
                let jet = Jet::new(value.clone(), Some(tangent.clone()), None);
                jets.insert(*id, jet);
            }
        }
        for &index in &self.site.order {
            let operation = &trace.operations[index];
            let Some(made) = output_of(operation) else {
                continue;
            };
            let known = batch.values.get(&made);
            let missing = Cell::new(false);
            let found = network.in_frame(batch.batch, |frame| {
                jet(operation, frame, known, &|tensor| {
                    // What the site's own makers read lies behind a mixing point: it stands still.
                    let mixed = self.site.edges.contains(&(index, tensor.id));
                    let moving = jets.get(&tensor.id).filter(|_| !mixed).cloned();
                    let still = || still(network, &batch.values, tensor, frame).map(Jet::still);
                    moving.or_else(still).unwrap_or_else(|| {
                        missing.set(true);
                        let zeros = TensorData::zeros::<f32, _>((frame.shapes)(tensor));
                        Jet::still(frame.constant(&zeros))
                    })
                })
            });
            if missing.get() {
                return Err(network.refused(index, "an operand is not known"));
            }
            let found = found.map_err(|error| network.refused(index, &error.to_string()))?;
            jets.insert(made, found);
        }
        let mut q: Option<Value> = None;
        for (id, gradient) in &batch.gradients {
            let Some(second) = jets.get(id).and_then(|jet| jet.second.clone()) else {
                continue;
            };
            let term = Dispatch::float_sum(Dispatch::float_mul(gradient.clone(), second));
            q = Some(match q {
                Some(sum) => Dispatch::float_add(sum, term),
                None => term,
            });
        }
        Ok(q)
    }
}

impl SplittingOperator for JetOperator<'_> {
    fn sites(&self) -> Vec<SiteShape> {
        vec![self.site.shape.clone()]
    }

    fn batches(&self) -> usize {
        self.batches.len()
    }

    fn apply_batch(
        &self,
        batch: usize,
        directions: &[Directions],
    ) -> Result<Vec<Vec<DMatrix<f64>>>, CoreError> {
        let product = |vectors: &DMatrix<f64>| {
            let found = self.product(&self.batches[batch], vectors);
            let product = found.map_err(|error| CoreError::Read {
                what: format!("a splitting product of `{}`", self.site.name),
                reason: error.to_string(),
            })?;
            match product.iter().all(|value| value.is_finite()) {
                true => Ok(product),
                false => Err(CoreError::NonFinite {
                    site: self.site.name.clone(),
                    quantity: "a splitting product",
                }),
            }
        };
        let asked = directions
            .iter()
            .map(|d| d.vectors.iter().map(product).collect());
        asked.collect()
    }
}
