//! Whether a step moves copies apart at all, in the type of the model's weights.

use std::collections::HashMap;

use burgeon_core::Plan;
use burgeon_core::growth::{Growth, Split};
use burgeon_core::scheme::Offspring;
use burgeon_graph::{Graph, Site};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor, bf16, f16};

use crate::error::NnError;
use crate::ports::InnerOrSelf;
use crate::replay::Network;

/// The fan-ins of a plan's sites as they are, from which steps are judged.
pub(crate) struct Resolution<'a> {
    splits: Vec<&'a Split>,
    /// The fan-in of each split neuron, and the type that it is kept in.
    fan_ins: Vec<Option<(Vec<f64>, DType)>>,
}

impl<'a> Resolution<'a> {
    /// Of `plan` on `model`, whose graph is `graph`. Growths that do not fit are left to surgery.
    pub(crate) fn new<M: Module>(model: &M, graph: &Graph, plan: &'a Plan) -> Self {
        let splits = splits(plan);
        let sites = splits.iter().map(|split| graph.site(&split.site).ok());
        let sites: Vec<Option<&Site>> = sites.collect();
        let parts = sites.iter().flatten().flat_map(|site| site.fan_in());
        let ids = parts.map(|part| graph.parameters()[part.parameter].id);
        let mut reader = Reader(ids.map(|id| (id, None)).collect());
        model.visit(&mut reader);
        let fan_in = |(split, site): (&&Split, &Option<&Site>)| {
            fan_in(&reader.0, graph, site.as_ref()?, split.neuron)
        };
        let fan_ins = splits.iter().zip(&sites).map(fan_in).collect();
        Self { splits, fan_ins }
    }

    /// Of `plan` on a network.
    pub(crate) fn of_network(network: &Network, plan: &'a Plan) -> Self {
        let splits = splits(plan);
        let graph = network.trace.graph();
        let mut read = HashMap::new();
        let fan_in_of = |split: &&Split| {
            let site = graph.site(&split.site).ok()?;
            for part in site.fan_in() {
                let id = graph.parameters()[part.parameter].id;
                let value = network.parameters.get(&id)?.clone();
                read.entry(id).or_insert_with(|| {
                    let data = Tensor::<1>::from_dispatch(value).into_data();
                    Some(Values {
                        values: data.iter::<f64>().collect(),
                        dtype: data.dtype(),
                    })
                });
            }
            fan_in(&read, graph, site, split.neuron)
        };
        let fan_ins = splits.iter().map(fan_in_of).collect();
        Self { splits, fan_ins }
    }

    /// Checks that the step `epsilon` moves the copies of every split neuron apart, as far as
    /// they are meant to be.
    ///
    /// # Errors
    /// [`NnError::Plan`] for a step that is no number, or that names a neuron whose copies would
    /// stay equal for ever: they have equal gradients.
    pub(crate) fn check(&self, epsilon: f64) -> Result<(), NnError> {
        if !epsilon.is_finite() {
            return Err(NnError::Plan(format!("the step ε is {epsilon}")));
        }
        for (split, fan_in) in self.splits.iter().zip(&self.fan_ins) {
            let Some((theta, dtype)) = fan_in else {
                continue;
            };
            if epsilon == 0.0 || !is_directed(split) || moves(split, theta, *dtype, epsilon) {
                continue;
            }
            return Err(NnError::Plan(format!(
                "the step ε = {epsilon:e} is below what {dtype:?} resolves at the weights of `{}` \
                 neuron {}: its copies would stay equal for ever; take a larger step",
                split.site, split.neuron
            )));
        }
        Ok(())
    }
}

fn splits(plan: &Plan) -> Vec<&Split> {
    let splits = plan.growths().filter_map(|growth| match growth {
        Growth::Split(split) => Some(split),
        _ => None,
    });
    splits.collect()
}

/// Whether the copies of `split` are meant to lie apart.
fn is_directed(split: &Split) -> bool {
    let mut offsets = split.offspring.iter().map(|copy| &copy.offset);
    let first = offsets.next();
    offsets.any(|offset| Some(offset) != first)
}

/// Whether two copies of a neuron differ after rounding.
fn moves(split: &Split, theta: &[f64], dtype: DType, epsilon: f64) -> bool {
    let placed = |copy: &Offspring, entry: usize| {
        let by = copy.offset.get(entry).copied().unwrap_or_default();
        rounded(theta[entry] + epsilon * by, dtype)
    };
    let differs = |entry: usize| {
        let mut copies = split.offspring.iter().map(|copy| placed(copy, entry));
        let first = copies.next();
        copies.any(|copy| Some(copy) != first)
    };
    (0..theta.len()).any(differs)
}

/// The number that `value` becomes in `dtype`.
fn rounded(value: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F64 => value,
        DType::F16 => f16::from_f64(value).to_f64(),
        DType::BF16 => bf16::from_f64(value).to_f64(),
        _ => f64::from(value as f32),
    }
}

/// A parameter's values and the type that they are kept in.
struct Values {
    values: Vec<f64>,
    dtype: DType,
}

/// Reads the parameters that it has places for.
struct Reader(HashMap<ParamId, Option<Values>>);

impl ModuleVisitor for Reader {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(place) = self.0.get_mut(&param.id) {
            let data = param.val().inner_or_self().into_data();
            *place = Some(Values {
                values: data.iter::<f64>().collect(),
                dtype: data.dtype(),
            });
        }
    }
}

/// `θ` of a neuron, and the type of its weights.
fn fan_in(
    read: &HashMap<ParamId, Option<Values>>,
    graph: &Graph,
    site: &Site,
    neuron: usize,
) -> Option<(Vec<f64>, DType)> {
    if neuron >= site.width() {
        return None;
    }
    let mut theta = Vec::with_capacity(site.dim());
    let mut kept = None;
    for part in site.fan_in() {
        let id = graph.parameters()[part.parameter].id;
        let Values { values, dtype } = read.get(&id)?.as_ref()?;
        for place in graph.slice(site, part, neuron) {
            theta.push(*values.get(place)?);
        }
        kept.get_or_insert(*dtype);
    }
    Some((theta, kept?))
}
