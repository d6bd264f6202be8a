//! Whether a step moves copies apart at all, in the type of the model's weights.

use std::collections::HashMap;

use burgeon_core::Plan;
use burgeon_core::plan::Growth;
use burgeon_core::scheme::Offspring;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor, bf16, f16};

use crate::error::NnError;
use crate::layers::{FanInLayout, InnerOrSelf, SiteSpec};
use crate::topology::Topology;

/// The fan-ins of a plan's sites as they are, from which steps are judged.
pub(crate) struct Resolution<'a> {
    plan: &'a Plan,
    /// The fan-in of each growth's neuron, and the type that it is kept in.
    fan_ins: Vec<Option<(Vec<f64>, DType)>>,
}

impl<'a> Resolution<'a> {
    /// Of `plan` on `model`. Growths that do not fit the model are left to surgery.
    pub(crate) fn new<M: Module>(model: &M, topology: &Topology, plan: &'a Plan) -> Self {
        let sites = plan.growths.iter().map(|growth| {
            let node = topology.node(&growth.site)?;
            node.spec.site
        });
        let sites: Vec<Option<SiteSpec>> = sites.collect();
        let ids = sites.iter().flatten();
        let ids = ids.flat_map(|site| site.bias.into_iter().chain([site.weight]));
        let mut reader = Reader(ids.map(|id| (id, None)).collect());
        model.visit(&mut reader);
        let fan_in = |(growth, site): (&Growth, &Option<SiteSpec>)| {
            fan_in(&reader.0, site.as_ref()?, growth.neuron)
        };
        let fan_ins = plan.growths.iter().zip(&sites).map(fan_in).collect();
        Self { plan, fan_ins }
    }

    /// Checks that the step `epsilon` moves the copies of every split neuron apart, as far as
    /// they are meant to be.
    ///
    /// # Errors
    /// [`NnError::Plan`] that names a neuron whose copies would stay equal for ever: they have
    /// equal gradients.
    pub(crate) fn check(&self, epsilon: f64) -> Result<(), NnError> {
        for (growth, fan_in) in self.plan.growths.iter().zip(&self.fan_ins) {
            let Some((theta, dtype)) = fan_in else {
                continue;
            };
            if epsilon == 0.0 || !is_directed(growth) || moves(growth, theta, *dtype, epsilon) {
                continue;
            }
            return Err(NnError::Plan(format!(
                "the step ε = {epsilon:e} is below what {dtype:?} resolves at the weights of `{}` \
                 neuron {}: its copies would stay equal for ever; take a larger step",
                growth.site, growth.neuron
            )));
        }
        Ok(())
    }
}

/// Whether the copies of `growth` are meant to lie apart.
fn is_directed(growth: &Growth) -> bool {
    let mut offsets = growth.offspring.iter().map(|copy| &copy.offset);
    let first = offsets.next();
    offsets.any(|offset| Some(offset) != first)
}

/// Whether two copies of a neuron differ after rounding.
fn moves(growth: &Growth, theta: &[f64], dtype: DType, epsilon: f64) -> bool {
    let placed = |copy: &Offspring, entry: usize| {
        let by = copy.offset.get(entry).copied().unwrap_or_default();
        rounded(theta[entry] + epsilon * by, dtype)
    };
    let differs = |entry: usize| {
        let mut copies = growth.offspring.iter().map(|copy| placed(copy, entry));
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

/// `θ` of a neuron, and the type of its weight.
fn fan_in(
    read: &HashMap<ParamId, Option<Values>>,
    site: &SiteSpec,
    neuron: usize,
) -> Option<(Vec<f64>, DType)> {
    let Values { values, dtype } = read.get(&site.weight)?.as_ref()?;
    let inputs = site.dim - usize::from(site.bias.is_some());
    let mut theta: Vec<f64> = match site.layout {
        FanInLayout::Row => values.get(neuron * inputs..(neuron + 1) * inputs)?.to_vec(),
        FanInLayout::Column => {
            let width = values.len() / inputs.max(1);
            let column = (0..inputs).map(|row| values.get(row * width + neuron).copied());
            column.collect::<Option<_>>()?
        }
    };
    if let Some(id) = site.bias {
        let bias = read.get(&id)?.as_ref()?;
        theta.push(*bias.values.get(neuron)?);
    }
    Some((theta, *dtype))
}
