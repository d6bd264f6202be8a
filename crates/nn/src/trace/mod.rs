//! Tracing: a model's own forward pass as a graph.

mod check;
mod describe;
mod hold;
mod lower;
mod overgrown;
mod record;
mod recorded;

use std::collections::{HashMap, HashSet};

use burgeon_graph::{Graph, GraphBuilder, GroupId, Size, ValueId};
use burn::backend::capture::TensorId;
use burn::backend::ir::{BaseOperationIr, ModuleOperationIr, OperationIr, TensorIr};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

pub(crate) use check::traced;
pub use check::{retrace, trace};
pub(crate) use overgrown::Deeper;
use record::Leaf;
pub use recorded::Recorded;

use crate::copies::separate;
use crate::error::NnError;
use crate::ports::{Input, Output};
use crate::replay::{kind, smoothness};
use record::{Recording, record};

/// Layers whose convolutions are this project's.
const OURS: [&str; 2] = ["FastConv2d", "DepthwiseConv2d"];

fn is_ours(leaf: &Leaf) -> bool {
    let kind = leaf.containers.last();
    kind.is_some_and(|kind| OURS.contains(&kind.as_str()))
}

/// Batch sizes at which a model is looked at, each with the next. A linear layer folds its batch
/// or not by a rule on sizes, so two are looked for at which it does the same.
const BATCHES: [usize; 4] = [2, 16, 128, 1024];

/// A model's forward pass in inference mode: what it computes, for any batch.
#[derive(Debug, Clone)]
pub struct Trace {
    graph: Graph,
    /// As many as the graph has nodes.
    pub(crate) operations: Vec<OperationIr>,
    pub(crate) inputs: Vec<TensorId>,
    pub(crate) output: TensorId,
    pub(crate) constants: HashMap<TensorId, TensorData>,
    pub(crate) parameters: HashMap<TensorId, ParamId>,
    pub(crate) values: HashMap<TensorId, ValueId>,
    /// Parameters with axes of length 1 put before them.
    weights: HashMap<TensorId, ParamId>,
    /// Tensors that depend on the input.
    data: HashSet<TensorId>,
    /// Weights of layers whose convolutions are this project's.
    pub(crate) fast: HashSet<TensorId>,
    /// For each operation the tensors that no later one reads.
    pub(crate) last_uses: Vec<Vec<TensorId>>,
    /// The over-grown model, if it has a place for a block.
    pub(crate) deeper: Option<Deeper>,
}

impl Trace {
    /// Traces `forward` of `model`, in inference mode, for inputs like `example`, of which at
    /// least one row is needed. The model is not changed, and nothing is computed.
    ///
    /// # Errors
    /// [`NnError::Trace`] where the forward pass reads values, depends on the batch size, draws
    /// numbers, or makes data of its own for each batch; with what to do.
    pub fn of<M: Module, I: Input, O: Output>(
        model: &M,
        example: &I,
        forward: impl Fn(&M, I) -> O,
    ) -> Result<Self, NnError> {
        if example.is_empty() {
            return Err(NnError::Data(
                "tracing needs an example of at least one row, and as many rows of each input"
                    .into(),
            ));
        }
        let trained = Trained::of(model);
        let mut refused = None;
        for batch in BATCHES {
            let at = |rows: usize| {
                let indices: Vec<usize> = (0..rows).map(|row| row % example.len()).collect();
                let input = example.select_rows(&indices);
                record(separate(model), input, &forward, None)
            };
            let (first, second) = (at(batch)?, at(batch + 1)?);
            match sizes(&first, &second, batch) {
                Ok(sizes) => {
                    let mut trace = Self::new(first, &sizes, batch, &trained)?;
                    trace.hold_fixed(model, example, &forward);
                    return Ok(trace);
                }
                Err(difference) => refused.get_or_insert(difference),
            };
        }
        Err(NnError::Trace(format!(
            "`predict` computes something else for another batch size ({}): what it computes must \
             not depend on the number of samples",
            refused.unwrap_or_default()
        )))
    }

    /// Whether a tensor depends on the input.
    pub(crate) fn is_data(&self, tensor: TensorId) -> bool {
        self.data.contains(&tensor)
    }

    /// The parameter that a tensor is, or is with axes of length 1 put before it.
    pub(crate) fn weight(&self, tensor: TensorId) -> Option<ParamId> {
        let own = self.parameters.get(&tensor).copied();
        own.or_else(|| self.weights.get(&tensor).copied())
    }

    /// Number of axes.
    pub(crate) fn rank(&self, tensor: TensorId) -> Option<usize> {
        let value = self.values.get(&tensor)?;
        Some(self.graph.axes(*value).len())
    }

    /// Says that the site of a group cannot grow, and why.
    pub fn freeze(&mut self, group: GroupId, reason: impl Into<String>) {
        self.graph.freeze(group, reason);
    }

    /// What the model computes.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    fn new(
        recording: Recording,
        sizes: &HashMap<TensorId, Vec<Size>>,
        batch: usize,
        trained: &Trained,
    ) -> Result<Self, NnError> {
        let Recording {
            operations,
            inputs,
            outputs,
            constants,
            leaves,
        } = recording;
        let Some(&output) = outputs.first() else {
            return Err(NnError::Trace("the model answers nothing".into()));
        };
        let operations = reached(operations, output);
        let mut builder = GraphBuilder::new(batch);
        let mut values: HashMap<TensorId, ValueId> = HashMap::new();
        let size = |tensor: &TensorIr| {
            let fixed = || tensor.shape.iter().map(|&n| Size::fixed(n)).collect();
            sizes.get(&tensor.id).cloned().unwrap_or_else(fixed)
        };
        // Parameters by path, so that the graph does not depend on a map's order.
        let mut named: Vec<(&TensorId, &Leaf)> = leaves.iter().collect();
        named.sort_by(|a, b| a.1.path.cmp(&b.1.path));
        for (tensor, leaf) in named {
            let container = leaf.containers.join(".");
            let is_trained = trained.contains(leaf.id);
            let value = builder.parameter(leaf.id, &leaf.path, &container, &leaf.shape, is_trained);
            values.insert(*tensor, value);
        }
        let mut fast = HashSet::new();
        let mut layer = String::new();
        for operation in &operations {
            place(operation, &leaves, &mut layer);
            let refused = |problem| NnError::Operation {
                operation: kind(operation),
                layer: layer.clone(),
                problem,
            };
            for tensor in operation.inputs() {
                if values.contains_key(&tensor.id) {
                    continue;
                }
                let value = if inputs.contains(&tensor.id) {
                    builder.input(size(tensor))
                } else {
                    if size(tensor).iter().any(|size| size.per_sample != 0) {
                        let shape: Vec<usize> = tensor.shape.iter().copied().collect();
                        return Err(refused(format!(
                            "it reads data of shape {shape:?} that `predict` makes for each batch: \
                             keep them in the model, or make them of the input by tensor operations"
                        )));
                    }
                    builder.constant(size(tensor))
                };
                values.insert(tensor.id, value);
            }
            let (operation_kind, operands) = lower::lower(operation);
            let made = operation.outputs().collect::<Vec<_>>();
            let [out] = made[..] else {
                return Err(refused(
                    "it gives several tensors at once, which a replay does not know: ask for each \
                     by an operation of its own (`max_dim` and `argmax`)"
                        .into(),
                ));
            };
            let operand = operands.iter().map(|tensor| values[&tensor.id]).collect();
            let (name, smooth) = (kind(operation), smoothness(operation));
            let value = builder.node(&name, operation_kind, smooth, operand, size(out));
            values.insert(out.id, value);
            if let OperationIr::Module(ModuleOperationIr::Conv2d(o)) = operation
                && leaves.get(&o.weight.id).is_some_and(is_ours)
            {
                fast.insert(o.weight.id);
            }
        }
        let graph = builder.build(&[values[&output]]);
        let last_uses = last_uses(&operations, output);
        let mut data: HashSet<TensorId> = inputs.iter().copied().collect();
        for operation in &operations {
            if operation.inputs().any(|tensor| data.contains(&tensor.id)) {
                data.extend(operation.outputs().map(|tensor| tensor.id));
            }
        }
        let mut weights: HashMap<TensorId, ParamId> = HashMap::new();
        for operation in &operations {
            if let OperationIr::BaseFloat(BaseOperationIr::Reshape(o)) = operation {
                let known = leaves.get(&o.input.id).map(|leaf| leaf.id);
                let known = known.or_else(|| weights.get(&o.input.id).copied());
                let added = o.out.shape.len().saturating_sub(o.input.shape.len());
                let (ones, rest) = o.out.shape.as_slice().split_at(added);
                if let (true, Some(id)) = (
                    ones.iter().all(|n| *n == 1) && rest == o.input.shape.as_slice(),
                    known,
                ) {
                    weights.insert(o.out.id, id);
                }
            }
        }
        let parameters = leaves.iter().map(|(tensor, leaf)| (*tensor, leaf.id));
        Ok(Self {
            graph,
            inputs,
            output,
            parameters: parameters.collect(),
            constants,
            values,
            weights,
            data,
            fast,
            last_uses,
            deeper: None,
            operations,
        })
    }
}

/// Which parameters are trained.
struct Trained(HashSet<ParamId>);

impl Trained {
    fn of<M: Module>(model: &M) -> Self {
        struct Visitor(HashSet<ParamId>);
        impl ModuleVisitor for Visitor {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if param.is_require_grad() {
                    self.0.insert(param.id);
                }
            }
        }
        let on_tape = model.devices().iter().any(|device| device.is_autodiff());
        let model = match on_tape {
            true => model.clone(),
            // What would be trained cannot be told of a model that is not: all of it.
            false => model.clone().train(),
        };
        let mut visitor = Visitor(HashSet::new());
        model.visit(&mut visitor);
        Self(visitor.0)
    }

    fn contains(&self, id: ParamId) -> bool {
        self.0.contains(&id)
    }
}

/// Makes `layer` the path of the layer that `operation` belongs to, or leaves the one before.
fn place(operation: &OperationIr, leaves: &HashMap<TensorId, Leaf>, layer: &mut String) {
    let leaf = operation.inputs().find_map(|tensor| leaves.get(&tensor.id));
    if let Some(leaf) = leaf {
        let (path, _) = leaf.path.rsplit_once('.').unwrap_or_default();
        path.clone_into(layer);
    }
}

/// The operations on which `output` depends, in their order.
fn reached(operations: Vec<OperationIr>, output: TensorId) -> Vec<OperationIr> {
    let mut wanted = HashSet::from([output]);
    let mut kept: Vec<OperationIr> = Vec::with_capacity(operations.len());
    for operation in operations.into_iter().rev() {
        if operation
            .outputs()
            .any(|tensor| wanted.contains(&tensor.id))
        {
            wanted.extend(operation.inputs().map(|tensor| tensor.id));
            kept.push(operation);
        }
    }
    kept.reverse();
    kept
}

/// For each operation the tensors that no later one reads, the output left out.
fn last_uses(operations: &[OperationIr], output: TensorId) -> Vec<Vec<TensorId>> {
    let mut seen = HashSet::from([output]);
    let mut uses: Vec<Vec<TensorId>> = operations
        .iter()
        .rev()
        .map(|operation| {
            let read = operation.inputs().map(|tensor| tensor.id);
            read.filter(|id| seen.insert(*id)).collect()
        })
        .collect();
    uses.reverse();
    uses
}

/// The sizes of all tensors by two recordings at `batch` and one more; what differs otherwise
/// where something does.
fn sizes(
    first: &Recording,
    second: &Recording,
    batch: usize,
) -> Result<HashMap<TensorId, Vec<Size>>, String> {
    let pairs = || first.operations.iter().zip(&second.operations);
    let mut layer = String::new();
    for (a, b) in pairs() {
        place(a, &first.leaves, &mut layer);
        if kind(a) != kind(b) {
            return Err(format!("`{}` at `{layer}` becomes `{}`", kind(a), kind(b)));
        }
    }
    if first.operations.len() != second.operations.len() {
        return Err(format!(
            "{} operations become {}, the last ones at `{layer}`",
            first.operations.len(),
            second.operations.len()
        ));
    }
    let mut sizes = HashMap::new();
    for (a, b) in pairs() {
        for (s, t) in a.nodes().into_iter().zip(b.nodes()) {
            let lengths = s.shape.iter().zip(t.shape.iter());
            let size = lengths.map(|(&now, &next)| {
                let per_sample = next.saturating_sub(now);
                Size {
                    per_sample,
                    fixed: now as isize - (per_sample * batch) as isize,
                }
            });
            sizes.insert(s.id, size.collect());
        }
    }
    Ok(sizes)
}
