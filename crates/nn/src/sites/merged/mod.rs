//! Outputs under a plan without widening anything.
//!
//! Copies `σ(θ_iᵀx)` whose outgoing weights are `w_i` times the parent's do to their readers
//! what one neuron of post-activation `Σ w_i σ(θ_iᵀx)` does, as long as what lies between is
//! linear in each channel. So the network as it is, whose split neurons answer with that sum, has
//! the outputs of the grown one. For the steps of a line search this saves most of the arithmetic:
//! the pre-activations of the copies of the first split layer are `z + ε c δᵀx` for each ε, and a
//! layer behind it that reads both split and other channels multiplies only what the split ones
//! changed.

mod fits;
mod layer;
mod product;
mod split;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use burgeon_core::Plan;
use burgeon_core::growth::{Growth, Split};
use burgeon_graph::Operation;
use burn::backend::ir::{ModuleOperationIr, OperationIr, TensorId};
use burn::tensor::Tensor;

use super::form::{Form, producer_of};
use crate::error::NnError;
use crate::replay::{Network, Value, Values, output_of};
use crate::trace::Trace;
use layer::{LayerState, SplitLayer};
use product::{Latest, Product, Renewed};

/// A network under a plan, each split neuron of which answers for its copies.
pub(crate) struct MergedGrowth<'a> {
    network: &'a Network,
    steps: Vec<Step>,
    /// The tensors of a pass of the network as it is that are read.
    needs: HashSet<TensorId>,
}

/// What is done for each ε, in the order of the trace.
struct Step {
    /// The operation's number.
    index: usize,
    action: Action,
}

enum Action {
    /// The operation on what its inputs are now.
    Operation,
    /// A product of which few channels of the input changed.
    Product(Box<Reader>),
    /// A layer up to its post-activations.
    Layer(Box<SplitLayer>),
}

/// A convolution that reads split channels.
struct Reader {
    input: TensorId,
    output: TensorId,
    renewed: Renewed,
}

/// What a step keeps of one batch.
enum State {
    Nothing,
    Product(Box<Option<Latest>>),
    Layer(Box<LayerState>),
}

/// The channels, at axis 1, in which a tensor differs; `None` if all may.
type Moved = Option<Vec<usize>>;

impl<'a> MergedGrowth<'a> {
    /// The network as it is.
    pub fn network(&self) -> &'a Network {
        self.network
    }

    /// `network` under `plan`; `None` where a site of the plan is of another kind, or where a
    /// growth does not fit, which widening the network tells.
    ///
    /// # Errors
    /// [`NnError::Core`] if the device fails.
    pub fn of(network: &'a Network, plan: &Plan) -> Result<Option<Self>, NnError> {
        if plan.validate().is_err() {
            return Ok(None);
        }
        let trace = &*network.trace;
        let mut splits: BTreeMap<&str, Vec<&Split>> = BTreeMap::new();
        for growth in plan.growths() {
            // What is no split changes more than what a neuron answers.
            let Growth::Split(split) = growth else {
                return Ok(None);
            };
            splits.entry(&split.site).or_default().push(split);
        }
        let mut sites = Vec::with_capacity(splits.len());
        for (name, splits) in splits {
            let Ok(site) = trace.graph().site(name) else {
                return Ok(None);
            };
            match Form::of(trace, site) {
                Form::Pointwise(form) if fits::merges(trace, site, &form) => {
                    sites.push((site, form, splits));
                }
                _ => return Ok(None),
            }
        }
        let within = sites.iter().flat_map(|(_, form, _)| &form.chain);
        let within: HashSet<usize> = within.copied().collect();
        let mut changed: HashMap<TensorId, Moved> = HashMap::new();
        let mut steps = Vec::new();
        for (index, operation) in trace.operations.iter().enumerate() {
            let split = sites.iter().find(|(_, form, _)| form.chain[0] == index);
            if let Some((site, form, splits)) = split {
                let moved = changed.get(&form.input);
                let moved_channels = moved.map(Option::as_deref);
                let layer = SplitLayer::of(network, site, form, splits, moved_channels)?;
                let Some(layer) = layer else {
                    return Ok(None);
                };
                let now = moved.is_none().then(|| layer.split.clone());
                changed.insert(form.a, now);
                let action = Action::Layer(Box::new(layer));
                steps.push(Step { index, action });
                continue;
            }
            let reads = operation.inputs().any(|t| changed.contains_key(&t.id));
            let Some(made) = output_of(operation).filter(|_| reads && !within.contains(&index))
            else {
                continue;
            };
            let action = match Reader::of(network, operation, &changed) {
                Some(reader) => Action::Product(Box::new(reader)),
                None => Action::Operation,
            };
            let moved = moved_through(trace, index, &changed);
            changed.insert(made, moved);
            steps.push(Step { index, action });
        }
        let mut needs = HashSet::from([trace.output]);
        for Step { index, action } in &steps {
            match action {
                Action::Layer(layer) => needs.extend([layer.input, layer.z]),
                Action::Product(reader) => needs.extend([reader.input, reader.output]),
                Action::Operation => {
                    let inputs = trace.operations[*index].inputs().map(|tensor| tensor.id);
                    needs.extend(inputs.filter(|id| !changed.contains_key(id)));
                }
            }
        }
        // They make their own.
        let layers = steps.iter().filter_map(|step| match &step.action {
            Action::Layer(layer) if layer.is_first() => Some(layer.a),
            _ => None,
        });
        layers.for_each(|a| {
            needs.remove(&a);
        });
        Ok(Some(Self {
            network,
            steps,
            needs,
        }))
    }

    /// The tensors of the network as it is that [`outputs`](Self::outputs) reads.
    pub fn needs(&self) -> &HashSet<TensorId> {
        &self.needs
    }

    /// The outputs for each ε of `grid` on a batch, of which `before` is what the network as it
    /// is has, or that of it from which the rest follows.
    ///
    /// # Errors
    /// As [`Network::predict`].
    pub fn outputs(
        &self,
        before: &Values,
        grid: &[f64],
        batch: usize,
    ) -> Result<Vec<Value>, NnError> {
        let mut known = self.network.completed(before, &self.needs, batch)?;
        let mut states = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            states.push(self.state(step, &mut known)?);
        }
        // What only states are made of goes, so that it can be written over.
        known.retain(|id, _| self.needs.contains(id));
        let before = &known;
        let mut outputs = Vec::with_capacity(grid.len());
        for &epsilon in grid {
            let mut values = Values::new();
            for (step, state) in self.steps.iter().zip(&mut states) {
                self.run(step, state, &mut values, before, epsilon, batch)?;
            }
            let id = self.network.trace.output;
            let output = values.remove(&id).or_else(|| before.get(&id).cloned());
            outputs.push(output.ok_or_else(lost)?);
        }
        Ok(outputs)
    }

    fn state(&self, step: &Step, before: &mut Values) -> Result<State, NnError> {
        Ok(match &step.action {
            Action::Operation => State::Nothing,
            Action::Layer(layer) => {
                let state = layer.state(before).ok_or_else(lost)?;
                before.extend(state.answer().map(|answer| (layer.a, answer.clone())));
                State::Layer(Box::new(state))
            }
            Action::Product(reader) => {
                let of = |id: TensorId| {
                    let value = before.get(&id).ok_or_else(lost)?;
                    Ok::<_, NnError>(Tensor::<4>::from_dispatch(value.clone()))
                };
                let latest = reader.renewed.from(of(reader.input)?, of(reader.output)?);
                State::Product(Box::new(Some(latest)))
            }
        })
    }

    fn run(
        &self,
        step: &Step,
        state: &mut State,
        values: &mut Values,
        before: &Values,
        epsilon: f64,
        batch: usize,
    ) -> Result<(), NnError> {
        match (&step.action, state) {
            (Action::Layer(layer), State::Layer(state)) => {
                let input = values.get(&layer.input);
                let answer = layer.answer(state, before, input, epsilon);
                values.insert(layer.a, answer.ok_or_else(lost)?);
            }
            (Action::Product(reader), State::Product(latest)) => {
                let input = values.get(&reader.input).cloned().ok_or_else(lost)?;
                let known = latest.take().ok_or_else(lost)?;
                let (next, output) = reader
                    .renewed
                    .next(known, Tensor::<4>::from_dispatch(input));
                **latest = Some(next);
                values.insert(reader.output, output.into_dispatch());
            }
            _ => return self.network.renew(step.index, batch, values, before),
        }
        for id in &self.network.trace.last_uses[step.index] {
            values.remove(id);
        }
        Ok(())
    }
}

fn lost() -> NnError {
    NnError::Trace("a pass lost a tensor".into())
}

impl Reader {
    /// `operation` as a product of few changed channels, if it is one.
    fn of(
        network: &Network,
        operation: &OperationIr,
        changed: &HashMap<TensorId, Moved>,
    ) -> Option<Self> {
        let trace = &*network.trace;
        let OperationIr::Module(ModuleOperationIr::Conv2d(o)) = operation else {
            return None;
        };
        let moved = changed.get(&o.x.id)?.as_deref()?;
        let is_weight = |id: TensorId| id == o.weight.id;
        let (input, reads) = producer_of(operation, &is_weight)?;
        let weight = network
            .parameters
            .get(trace.parameters.get(&o.weight.id)?)?;
        if 2 * moved.len() > o.x.shape[1] {
            return None;
        }
        let product = Product::of(trace, reads, o.weight.id);
        let weight = Tensor::<4>::from_dispatch(weight.clone());
        Some(Self {
            input,
            output: o.out.id,
            renewed: Renewed::new(product, weight, Some(moved)),
        })
    }
}

/// The channels in which the output of operation `index` differs.
fn moved_through(trace: &Trace, index: usize, changed: &HashMap<TensorId, Moved>) -> Moved {
    let Operation::Resize { axes } = &trace.graph().nodes()[index].operation else {
        return None;
    };
    let input = trace.operations[index].inputs().next()?;
    match axes.contains(&1) {
        true => None,
        false => changed.get(&input.id)?.clone(),
    }
}
