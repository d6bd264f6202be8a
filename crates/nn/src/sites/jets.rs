//! Products with splitting matrices by second-order jets.

use std::cell::Cell;
use std::collections::HashMap;

use burgeon_core::CoreError;
use burgeon_core::eigen::{Directions, SiteShape, SplittingOperator};
use burn::backend::capture::TensorId;
use burn::backend::ops::FloatTensorOps;
use burn::backend::{AutodiffBackend, Dispatch, TensorMetadata};
use burn::module::ParamId;
use burn::tensor::{Tensor, TensorData};
use nalgebra::DMatrix;

use super::{SiteForm, still};
use crate::error::NnError;
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
