//! How the curvature of a site is had.

use std::collections::{HashMap, HashSet};

use burgeon_core::{Activation, Window};
use burgeon_graph::{GroupId, Operation, Role, Site, Smoothness};
use burn::backend::capture::TensorId;
use burn::backend::ir::{
    ActivationOperationIr, BaseOperationIr, FloatOperationIr, ModuleOperationIr,
    NumericOperationIr, OperationIr,
};

use super::linear::{is_linear, selects};
use crate::replay::output_of;
use crate::trace::Trace;

/// The curvature of a site.
#[derive(Debug, Clone)]
pub(crate) enum Form {
    /// `σ(c θᵀx)`: curvature weights `W = g ∘ σ″(z) ∘ c²` and the rows `x` say all.
    Pointwise(Box<Pointwise>),
    /// Anything else: second-order jets through the site's operations.
    Jets,
}

/// A site whose neurons are `σ(c (θᵀx + b) + …)` of one producer.
#[derive(Debug, Clone)]
pub(crate) struct Pointwise {
    /// What the producer reads.
    pub input: TensorId,
    pub reads: Reads,
    pub bias: bool,
    /// The normalisations between producer and `z`.
    pub norms: Vec<usize>,
    /// The pre-activation.
    pub z: TensorId,
    /// The operations from `z` to `a`.
    pub sigma: Vec<usize>,
    /// All operations on the channels from the producer on that lie before `a`, in their order.
    pub chain: Vec<usize>,
    /// The post-activation, behind which everything is linear up to the edges.
    pub a: TensorId,
    /// Where σ is one that the backends know.
    pub activation: Option<Activation>,
}

/// How a producer reads its input.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reads {
    /// Rows, the last axis is the fan-in.
    Rows,
    /// Maps `[b, c, h, w]` through a window.
    Maps(Window),
    /// Signals `[b, c, l]` through a window of one row.
    Signals(Window),
}

/// How a value depends on the producer's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Affine, channel by channel and place by place.
    Affine,
    /// A function of it, place by place.
    Pointwise,
    /// Linear in the value at which it began.
    Behind(TensorId),
}

impl Form {
    pub fn of(trace: &Trace, site: &Site) -> Self {
        match Pointwise::of(trace, site) {
            Some(form) => Self::Pointwise(Box::new(form)),
            None => Self::Jets,
        }
    }
}

impl Pointwise {
    fn of(trace: &Trace, site: &Site) -> Option<Self> {
        let graph = trace.graph();
        let (producer, bias) = match site.fan_in() {
            [weight] => (weight, false),
            [weight, bias] => {
                let role = graph.parameters()[bias.parameter].roles[bias.axis];
                (weight, (role == Some(Role::Bias)).then_some(true)?)
            }
            _ => return None,
        };
        let parameter = &graph.parameters()[producer.parameter];
        let plain = parameter.axes[producer.axis].plain() == Some(site.group());
        if !plain || parameter.roles[producer.axis] != Some(Role::Producer) {
            return None;
        }
        // One operation makes the channels, of the parameter itself.
        let of_data = |index: &usize| !graph.is_of_parameters(&graph.nodes()[*index]);
        let nodes: Vec<usize> = site.nodes().iter().copied().filter(of_data).collect();
        let (&first, rest) = nodes.split_first()?;
        let is_weight = |tensor: TensorId| trace.weight(tensor) == Some(parameter.id);
        let operation = &trace.operations[first];
        let (input, reads) = producer_of(operation, &is_weight)?;
        let made = output_of(operation)?;
        let mut states = HashMap::from([(made, State::Affine)]);
        let (mut norms, mut sigma, mut chain) = (Vec::new(), Vec::new(), vec![first]);
        let mut left: HashSet<TensorId> = HashSet::new();
        let mut z: Option<TensorId> = None;
        for &index in rest {
            let node = &graph.nodes()[index];
            let operation = &trace.operations[index];
            if node.smoothness == Smoothness::Surrogate && !is_pointwise(&node.operation) {
                return None;
            }
            let moving: Vec<(TensorId, State)> = operation
                .inputs()
                .filter_map(|tensor| Some((tensor.id, *states.get(&tensor.id)?)))
                .collect();
            let output = output_of(operation)?;
            // Operations on parameters of the site only (a bias in another shape).
            if moving.is_empty() {
                let of_data = operation.inputs().any(|tensor| trace.is_data(tensor.id));
                if of_data {
                    return None;
                }
                continue;
            }
            if site.edges().iter().any(|edge| edge.node == index) {
                // It reads these channels and makes some of them again.
                return None;
            }
            let state = match &node.operation {
                Operation::Elementwise { adds } => {
                    let affine = moving.iter().all(|(_, state)| *state == State::Affine);
                    let other = operation.inputs().find(|t| !states.contains_key(&t.id));
                    if affine && *adds && moving.len() == 1 && other.is_some() {
                        // A bias of θ behind a normalisation is not scaled by it.
                        if bias && !norms.is_empty() {
                            return None;
                        }
                        // Nor is one that is taken away added.
                        let OperationIr::NumericFloat(_, NumericOperationIr::Add(_)) = operation
                        else {
                            return None;
                        };
                        (!trace.is_data(other?.id)).then_some(State::Affine)?
                    } else {
                        if moving.iter().any(|(_, s)| matches!(s, State::Behind(_))) {
                            return None;
                        }
                        if other.is_some_and(|tensor| trace.is_data(tensor.id)) {
                            return None;
                        }
                        for (id, _) in moving.iter().filter(|(_, s)| *s == State::Affine) {
                            if z.replace(*id).is_some_and(|z| z != *id) {
                                return None;
                            }
                        }
                        sigma.push(index);
                        State::Pointwise
                    }
                }
                Operation::ChannelNorm => match moving[..] {
                    [(_, State::Affine)] if is_batch_norm(operation) => {
                        norms.push(index);
                        State::Affine
                    }
                    // A slope of its own for each channel.
                    [(id, State::Affine)] if !is_batch_norm(operation) => {
                        if z.replace(id).is_some_and(|z| z != id) {
                            return None;
                        }
                        sigma.push(index);
                        State::Pointwise
                    }
                    _ => return None,
                },
                // Rows stay rows, in their order.
                Operation::Reshape
                    if matches!(reads, Reads::Rows)
                        && matches!(moving[..], [(_, State::Affine | State::Pointwise)])
                        && ends_in(trace, output, site.group()) =>
                {
                    let state = moving[0].1;
                    if state == State::Pointwise {
                        sigma.push(index);
                    }
                    state
                }
                Operation::Resize { .. } if !(is_linear(operation) || selects(operation)) => {
                    return None;
                }
                Operation::Reshape
                | Operation::Permute { .. }
                | Operation::Resize { .. }
                | Operation::Slice { .. }
                | Operation::Expand
                | Operation::Repeat { .. }
                | Operation::Concatenate { .. } => {
                    let starts: HashSet<TensorId> = moving
                        .iter()
                        .map(|(id, state)| match state {
                            State::Behind(start) => *start,
                            _ => *id,
                        })
                        .collect();
                    let [start] = starts.into_iter().collect::<Vec<_>>()[..] else {
                        return None;
                    };
                    left.insert(start);
                    State::Behind(start)
                }
                _ => return None,
            };
            if !matches!(state, State::Behind(_)) {
                chain.push(index);
            }
            states.insert(output, state);
        }
        for edge in site.edges() {
            let read = trace.operations[edge.node]
                .inputs()
                .find(|tensor| trace.values.get(&tensor.id) == Some(&edge.value))?;
            if site.nodes().contains(&edge.node) && edge.node != first {
                return None;
            }
            left.insert(match states.get(&read.id)? {
                State::Behind(start) => *start,
                _ => read.id,
            });
        }
        let [a] = left.into_iter().collect::<Vec<_>>()[..] else {
            return None;
        };
        // Pieces of σ that nothing behind `a` needs.
        let formed = match reads {
            Reads::Rows => ends_in(trace, a, site.group()),
            Reads::Maps(_) | Reads::Signals(_) => {
                let along = graph.axes(*trace.values.get(&a)?).get(1)?.plain();
                trace.rank(a) == trace.rank(made) && along == Some(site.group())
            }
        };
        if states.get(&a) != Some(&State::Pointwise) || !formed {
            return None;
        }
        let activation = recognised(trace, &sigma);
        Some(Self {
            input,
            reads,
            bias,
            norms,
            z: z?,
            sigma,
            chain,
            a,
            activation,
        })
    }
}

/// Whether the last axis of a tensor holds the channels of `group` and nothing else.
fn ends_in(trace: &Trace, tensor: TensorId, group: GroupId) -> bool {
    let value = trace.values.get(&tensor);
    let last = value.and_then(|value| trace.graph().axes(*value).last());
    last.and_then(|axis| axis.plain()) == Some(group)
}

fn is_pointwise(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Elementwise { .. } | Operation::ChannelNorm
    )
}

fn is_batch_norm(operation: &OperationIr) -> bool {
    matches!(
        operation,
        OperationIr::Module(ModuleOperationIr::BatchNorm(_))
    )
}

/// What the producer reads, and how, if it is a product with the parameter as it stands.
pub(super) fn producer_of(
    operation: &OperationIr,
    is_weight: &dyn Fn(TensorId) -> bool,
) -> Option<(TensorId, Reads)> {
    match operation {
        OperationIr::Float(_, FloatOperationIr::Matmul(o)) if is_weight(o.rhs.id) => {
            Some((o.lhs.id, Reads::Rows))
        }
        OperationIr::Module(ModuleOperationIr::Linear(o)) if is_weight(o.weight.id) => {
            Some((o.x.id, Reads::Rows))
        }
        OperationIr::Module(ModuleOperationIr::Conv2d(o))
            if is_weight(o.weight.id) && o.options.groups == 1 =>
        {
            let window = Window {
                kernel: [o.weight.shape[2], o.weight.shape[3]],
                stride: o.options.stride,
                padding: o.options.padding.map(|(before, after)| [before, after]),
                dilation: o.options.dilation,
            };
            Some((o.x.id, Reads::Maps(window)))
        }
        OperationIr::Module(ModuleOperationIr::Conv1d(o))
            if is_weight(o.weight.id) && o.options.groups == 1 =>
        {
            let window = Window {
                kernel: [1, o.weight.shape[2]],
                stride: [1, o.options.stride[0]],
                padding: [[0, 0], o.options.padding[0].into()],
                dilation: [1, o.options.dilation[0]],
            };
            Some((o.x.id, Reads::Signals(window)))
        }
        _ => None,
    }
}

/// The activation that the operations `sigma` are, if the backends know it.
fn recognised(trace: &Trace, sigma: &[usize]) -> Option<Activation> {
    let operations = sigma.iter().map(|i| &trace.operations[*i]);
    let operations: Vec<&OperationIr> = operations
        .filter(|o| !matches!(o, OperationIr::BaseFloat(BaseOperationIr::Reshape(_))))
        .collect();
    match operations[..] {
        [OperationIr::Activation(ActivationOperationIr::Relu(_))] => Some(Activation::relu()),
        [OperationIr::Activation(ActivationOperationIr::Gelu(_))] => Some(Activation::Gelu),
        [OperationIr::Activation(ActivationOperationIr::Sigmoid(_))] => Some(Activation::Sigmoid),
        [OperationIr::Float(_, FloatOperationIr::Tanh(_))] => Some(Activation::Tanh),
        [
            OperationIr::Activation(ActivationOperationIr::Sigmoid(s)),
            OperationIr::NumericFloat(_, NumericOperationIr::Mul(o)),
        ] => {
            let (x, y) = (o.lhs.id, o.rhs.id);
            let silu = (x == s.input.id && y == s.out.id) || (y == s.input.id && x == s.out.id);
            silu.then_some(Activation::Silu)
        }
        _ => None,
    }
}
