//! Gradients of the loss in the weights of a plan's growths, by replay of the network under the
//! plan.

use std::borrow::Cow;
use std::collections::HashMap;

use burgeon_core::cost::Macs;
use burgeon_core::growth::Side;
use burgeon_core::{
    CoreError, CostModel, GradientRequest, Growth, GrowthGradient, Plan, PlanGradient,
};
use burn::backend::ir::TensorId;
use burn::backend::{AutodiffBackend, Dispatch, TensorMetadata};
use burn::module::ParamId;
use burn::tensor::{DType, Tensor};

use crate::cost::grown_shapes;
use crate::edits::{Compiled, Placement, Target, probed};
use crate::error::NnError;
use crate::growable::{Growable, check_positions, check_targets, scalar};
use crate::objective::Objective;
use crate::part::{Part, finished};
use crate::ports::{Input, Output};
use crate::replay::{Network, Probes, Value};

/// A forward and a backward pass, in forward passes.
pub(crate) const PASS: u64 = 3;

/// The gradient in the weights of the growths of `plan`, a mean over all samples of which `part`
/// is this rank's, and the multiply-accumulates that it took.
///
/// # Errors
/// [`NnError::Plan`] or [`NnError::Graph`] where the plan does not fit, [`NnError::Core`] where
/// the loss is not finite, [`NnError::Operation`] where the widened network does not run.
pub(crate) fn plan_gradient<M: Growable>(
    network: &Network,
    plan: &Plan,
    at: &GradientRequest,
    objective: &dyn Objective,
    part: &Part<M::Input>,
) -> Result<(PlanGradient, u64), NnError> {
    let mut sum = GradientSum::new(network, plan)?;
    let mut shards = part.sums();
    let count = part.count;
    for batch in &part.batches {
        let share = batch.len() as f64 / count.max(1) as f64;
        let recorded = batch.to_autodiff();
        let inputs = batch.inputs().clone().into_values();
        sum.add(at, &inputs, batch.len(), &|output| {
            let output = M::Output::from_value(output).into_rows();
            check_targets(&output, objective, recorded.targets())?;
            check_positions(&output, recorded.targets())?;
            Ok(objective.loss(output, recorded.targets()).mul_scalar(share))
        })?;
        if let Some(shards) = &mut shards {
            shards.push(sum.numbers().map(std::mem::take).collect());
        }
    }
    if let Some(shards) = shards {
        let found = finished(shards)?;
        sum.numbers()
            .zip(found)
            .for_each(|(number, found)| *number = found);
    }
    let macs = Macs.cost(&grown_shapes(network.trace.graph(), plan));
    let macs = macs.saturating_mul(PASS).saturating_mul(count as u64);
    Ok((sum.into_gradient(plan)?, macs))
}

/// A gradient that is summed pass by pass.
pub(crate) struct GradientSum<'a> {
    network: Cow<'a, Network>,
    target: Target<'a>,
    compiled: Compiled,
    loss: f64,
    growths: Vec<GrowthGradient>,
}

impl<'a> GradientSum<'a> {
    pub fn new(network: &'a Network, plan: &'a Plan) -> Result<Self, NnError> {
        let target = Target::of(network.trace.graph(), plan)?;
        let graph = target.graph;
        let mut growths = Vec::with_capacity(plan.growths.len());
        for growth in target.plan.growths() {
            let (dim, fan_out) = match growth {
                Growth::NewLayer(_) => (0, 0),
                _ => {
                    let site = graph.site(growth.site())?;
                    let read = graph.fan_out(site);
                    (site.dim(), read.iter().map(|part| part.size).sum())
                }
            };
            growths.push(GrowthGradient::zeros(growth, dim, fan_out));
        }
        Ok(Self {
            network: match target.is_deep() {
                true => Cow::Owned(network.deepened()?),
                false => Cow::Borrowed(network),
            },
            compiled: Compiled::of(&target, 0.0, true)?,
            target,
            loss: 0.0,
            growths,
        })
    }

    /// Adds the gradient of `loss` of the output for `inputs` of `batch` rows.
    pub fn add(
        &mut self,
        at: &GradientRequest,
        inputs: &[Value],
        batch: usize,
        loss: &dyn Fn(Value) -> Result<Tensor<1>, NnError>,
    ) -> Result<(), NnError> {
        let grown = Probed::new(&self.network, &self.compiled, at)?;
        let (output, _) = grown.network.run(inputs, batch, &|_| false, &mut Lifted)?;
        let loss = loss(output)?;
        self.loss += scalar::<f64>(loss.clone().inner().try_into_scalar())?;
        let gradients = loss.backward();
        let mut read: HashMap<(ParamId, usize), Vec<f64>> = HashMap::new();
        for (key, probe) in grown.probes {
            // A parameter that the loss does not depend on has none.
            if let Some(found) = probe.grad(&gradients) {
                let data = found.into_data().convert_dtype(DType::F64);
                let values = data.try_to_vec::<f64>().map_err(|error| {
                    NnError::Plan(format!("a gradient cannot be read: {error}"))
                })?;
                read.insert(key, values);
            }
        }
        for placement in &self.compiled.placements {
            let key = (placement.parameter, placement.primitive);
            let own = self.growths.get_mut(placement.growth);
            if let (Some(values), Some(own)) = (read.get(&key), own) {
                gather(placement, values, own);
            }
        }
        Ok(())
    }

    /// All that is summed.
    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        let of_growths = self.growths.iter_mut().flat_map(|own| {
            let fan_in = own.fan_in.iter_mut().flatten();
            fan_in.chain(&mut own.fan_out)
        });
        std::iter::once(&mut self.loss).chain(of_growths)
    }

    /// The sum.
    ///
    /// # Errors
    /// [`NnError::Core`] where the loss is not finite.
    pub fn into_gradient(self, plan: &Plan) -> Result<PlanGradient, NnError> {
        if !self.loss.is_finite() {
            let first = plan.growths().next();
            return Err(NnError::Core(CoreError::NonFinite {
                site: first.map_or("", |growth| growth.site()).to_owned(),
                quantity: "the loss under a plan",
            }));
        }
        Ok(PlanGradient {
            loss: self.loss,
            growths: self.target.gathered(self.growths),
        })
    }
}

fn gather(placement: &Placement, gradient: &[f64], own: &mut GrowthGradient) {
    let side = match placement.side {
        Side::FanIn => own.fan_in.get_mut(placement.neuron),
        Side::FanOut => Some(&mut own.fan_out),
    };
    let Some(side) = side else { return };
    for (number, place) in &placement.entries {
        if let (Some(sum), Some(value)) = (side.get_mut(*number), gradient.get(*place)) {
            *sum += value;
        }
    }
}

/// A network under a plan where gradients are recorded.
struct Probed {
    network: Network,
    /// By parameter and primitive.
    probes: HashMap<(ParamId, usize), Tensor<1>>,
}

impl Probed {
    fn new(network: &Network, compiled: &Compiled, at: &GradientRequest) -> Result<Self, NnError> {
        let mut parameters = network.parameters.clone();
        let mut probes = HashMap::new();
        for (id, edit) in &compiled.edits.edits {
            let value = network.parameters.get(id).cloned().ok_or_else(|| {
                NnError::Plan("the model lost a parameter since it was traced".into())
            })?;
            let (value, found) = probed(edit, value, at.epsilon)?;
            parameters.insert(*id, value);
            for (primitive, probe) in found.into_iter().enumerate() {
                probes.extend(probe.map(|probe| ((*id, primitive), probe)));
            }
        }
        let network = network.with(parameters, compiled.edits.widths.clone());
        Ok(Self {
            network: network.with_slope_at_zero(at.slope_at_zero),
            probes,
        })
    }
}

/// Everything is on the graph; what is on it already stays.
struct Lifted;

impl Probes for Lifted {
    fn lifted(&mut self, value: Value) -> Value {
        let is_float = value.dtype().is_float();
        match is_float && !Tensor::<1>::from_dispatch(value.clone()).is_autodiff() {
            true => Dispatch::from_inner(value),
            false => value,
        }
    }

    fn read(&mut self, _operation: usize, _id: TensorId, value: Value) -> Value {
        value
    }

    fn made(&mut self, _id: TensorId, value: Value) -> Value {
        value
    }

    fn plain(&self, value: Value) -> Value {
        value
    }
}
