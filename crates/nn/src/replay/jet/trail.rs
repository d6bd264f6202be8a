//! How moving values came about: what a mask needs to find where its branches join.

use super::{Jet, jet};
use crate::replay::{Frame, Unsupported, Value};
use burn::backend::capture::TensorId;
use burn::backend::ir::{
    ActivationOperationIr, BaseOperationIr, BoolOperationIr, FloatOperationIr, NumericOperationIr,
    OperationIr, TensorIr,
};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// What a jet remembers beside its derivatives.
#[derive(Clone, Default)]
pub(super) struct Past {
    /// The pointwise operation that made it of moving values.
    pub trail: Option<Arc<Trail>>,
    /// Of a mask: where it jumps.
    pub jump: Option<Jump>,
    /// The part of `second` that one mask's kink gave.
    pub bend: Option<Bend>,
}

/// A kink's share of a second derivative. A later choice by the same mask reads each branch on
/// its own side only, where it has no kink.
#[derive(Clone)]
pub(super) struct Bend {
    pub mask: TensorId,
    pub part: Value,
}

/// A mask of moving values.
#[derive(Clone)]
pub(super) enum Jump {
    /// A comparison, or its negation.
    Compared(Arc<Comparison>),
    /// What it depends on is not followed.
    Unknown,
}

pub(super) struct Comparison {
    /// The comparison's own output, whatever was made of it since.
    pub mask: TensorId,
    pub truth: Value,
    /// Left minus right side: the mask jumps where it is zero.
    pub difference: Jet,
    /// The mask is true where the difference is positive, not where it is negative.
    pub above: bool,
    /// `truth` was negated.
    pub negated: bool,
}

/// A pointwise operation on moving values, which can be computed again elsewhere.
pub(super) struct Trail {
    operation: OperationIr,
    reads: Vec<Node>,
}

/// A tensor that a trail leads through.
#[derive(Clone)]
pub(super) struct Node {
    pub id: TensorId,
    pub value: Value,
    moves: bool,
    trail: Option<Arc<Trail>>,
}

impl Node {
    pub fn new(id: TensorId, jet: &Jet) -> Self {
        Node {
            id,
            value: jet.value.clone(),
            moves: jet.moves(),
            trail: jet.past.trail.clone(),
        }
    }

    fn moving_reads(&self) -> impl Iterator<Item = &Node> {
        self.trail
            .iter()
            .flat_map(|trail| trail.reads.iter().filter(|read| read.moves))
    }

    /// Every tensor above this one.
    fn ancestors(&self) -> HashSet<TensorId> {
        visited(&mut self.moving_reads().collect(), |_| false)
    }
}

impl Trail {
    /// `None` where the operation is not pointwise.
    pub fn of(operation: &OperationIr, read: &dyn Fn(&TensorIr) -> Jet) -> Option<Arc<Self>> {
        pointwise(operation).then(|| {
            let reads = operation.inputs().map(|t| Node::new(t.id, &read(t)));
            Arc::new(Trail {
                operation: operation.clone(),
                reads: reads.collect(),
            })
        })
    }
}

/// The tensors that trails lead through, down to those that `ends`.
fn visited(from: &mut VecDeque<&Node>, ends: impl Fn(TensorId) -> bool) -> HashSet<TensorId> {
    let mut seen = HashSet::new();
    while let Some(node) = from.pop_front() {
        if seen.insert(node.id) && !ends(node.id) {
            from.extend(node.moving_reads());
        }
    }
    seen
}

/// The nearest tensor through which alone `compared` and the `branches` share what moves them:
/// nothing that it depends on moves them in another way.
pub(super) fn common_root(compared: &Node, branches: &[Node]) -> Node {
    let mut queue = VecDeque::from([compared]);
    let mut seen = HashSet::new();
    while let Some(root) = queue.pop_front() {
        if !seen.insert(root.id) {
            continue;
        }
        let mut from: VecDeque<_> = branches.iter().chain([compared]).collect();
        let read = visited(&mut from, |id| id == root.id);
        if read.is_disjoint(&root.ancestors()) {
            return root.clone();
        }
        queue.extend(root.moving_reads());
    }
    // not reached: what no trail leads to depends on nothing
    compared.clone()
}

/// Values computed again along their trails.
pub(super) struct Again<'a> {
    pub frame: &'a Frame<'a>,
    /// The root where it is put, masks with a side to be on, and what was computed of them.
    pub known: HashMap<TensorId, Jet>,
}

impl Again<'_> {
    /// Masks stand still here, and so does everything that is not made of the root.
    pub fn jet(&mut self, node: &Node) -> Result<Jet, Unsupported> {
        if let Some(known) = self.known.get(&node.id) {
            return Ok(known.clone());
        }
        let mut again = match &node.trail {
            Some(trail) if node.moves => {
                let mut reads = HashMap::new();
                for read in &trail.reads {
                    reads.insert(read.id, self.jet(read)?);
                }
                jet(&trail.operation, self.frame, None, &|t| {
                    reads[&t.id].clone()
                })?
            }
            _ => Jet::still(node.value.clone()),
        };
        again.past = Past::default();
        self.known.insert(node.id, again.clone());
        Ok(again)
    }
}

fn pointwise(operation: &OperationIr) -> bool {
    use BaseOperationIr as Base;
    use FloatOperationIr as Float;
    use NumericOperationIr as Numeric;
    match operation {
        OperationIr::NumericFloat(_, numeric) => matches!(
            numeric,
            Numeric::Add(_)
                | Numeric::AddScalar(_)
                | Numeric::Sub(_)
                | Numeric::SubScalar(_)
                | Numeric::Mul(_)
                | Numeric::MulScalar(_)
                | Numeric::Div(_)
                | Numeric::DivScalar(_)
                | Numeric::Abs(_)
                | Numeric::Neg(_)
                | Numeric::Sign(_)
                | Numeric::Clamp(_)
                | Numeric::ClampMin(_)
                | Numeric::ClampMax(_)
                | Numeric::PowiScalar(_)
                | Numeric::Greater(_)
                | Numeric::GreaterElem(_)
                | Numeric::GreaterEqual(_)
                | Numeric::GreaterEqualElem(_)
                | Numeric::Lower(_)
                | Numeric::LowerElem(_)
                | Numeric::LowerEqual(_)
                | Numeric::LowerEqualElem(_)
        ),
        OperationIr::Float(_, float) => !matches!(
            float,
            Float::Matmul(_) | Float::Cross(_) | Float::Random(_) | Float::GridSample2d(_)
        ),
        OperationIr::Activation(activation) => !matches!(
            activation,
            ActivationOperationIr::Softmax(_)
                | ActivationOperationIr::LogSoftmax(_)
                | ActivationOperationIr::Softmin(_)
        ),
        OperationIr::BaseFloat(base) => {
            matches!(base, Base::MaskWhere(_) | Base::MaskFill(_) | Base::Cast(_))
        }
        OperationIr::Bool(BoolOperationIr::Not(_)) => true,
        _ => false,
    }
}
