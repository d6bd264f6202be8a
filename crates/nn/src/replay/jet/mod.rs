//! Second-order jets: value, first and second derivative along one direction, through captured
//! operations.
//!
//! Whatever the operation, no device or rank is named: everything goes through
//! [`Dispatch`](burn::backend::Dispatch). Only derivatives may be tracked by autodiff; values are
//! plain. So a linear function of the second derivatives is a quadratic form in the direction, and
//! its gradient comes from first-order autodiff.

mod algebra;
mod coupled;
mod kink;
mod linear;
mod mask;
mod pointwise;
mod pool;
#[cfg(test)]
mod tests;
mod trail;

use super::{Frame, Unsupported, Value, evaluate, kind};
use burn::backend::capture::TensorId;
use burn::backend::ir::{
    ActivationOperationIr, BaseOperationIr, FloatOperationIr, ModuleOperationIr,
    NumericOperationIr, OperationIr, TensorIr,
};
use mask::Chosen;
use trail::{Jump, Past, Trail};

/// A value, and its derivatives along one direction (`None`: zero everywhere).
#[derive(Clone)]
pub(crate) struct Jet {
    pub value: Value,
    pub first: Option<Value>,
    pub second: Option<Value>,
    past: Past,
}

impl Jet {
    pub(crate) fn new(value: Value, first: Option<Value>, second: Option<Value>) -> Self {
        Jet {
            value,
            first,
            second,
            past: Past::default(),
        }
    }

    /// A value that does not move.
    pub(crate) fn still(value: Value) -> Self {
        Jet::new(value, None, None)
    }

    fn jumping(value: Value, jump: Jump) -> Self {
        let mut jet = Jet::still(value);
        jet.past.jump = Some(jump);
        jet
    }

    /// A float that has a derivative, or a mask that depends on one.
    pub(crate) fn moves(&self) -> bool {
        self.first.is_some() || self.second.is_some() || self.past.jump.is_some()
    }
}

/// How far the jet of an operation is its true second derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Smoothness {
    /// It is.
    Exact,
    /// A kink's curvature, a delta, is replaced by a smooth bump. (A choice by a mask that stands
    /// still, or between branches that join smoothly, is exact all the same.)
    Surrogate,
    /// It is that of the elements, or of the sign, taken now: exact below the gap to the next.
    Selection,
}

/// [`Smoothness`] of an operation whose inputs move.
pub(crate) fn smoothness(op: &OperationIr) -> Smoothness {
    use ActivationOperationIr as Activation;
    use BaseOperationIr as Base;
    use ModuleOperationIr as Module;
    use NumericOperationIr as Numeric;
    match op {
        OperationIr::NumericFloat(_, numeric) => match numeric {
            Numeric::Abs(_) | Numeric::Clamp(_) | Numeric::ClampMin(_) | Numeric::ClampMax(_) => {
                Smoothness::Surrogate
            }
            Numeric::Sign(_)
            | Numeric::Max(_)
            | Numeric::Min(_)
            | Numeric::MaxDim(_)
            | Numeric::MinDim(_)
            | Numeric::MaxDimWithIndices(_)
            | Numeric::MinDimWithIndices(_) => Smoothness::Selection,
            _ => Smoothness::Exact,
        },
        OperationIr::Activation(
            Activation::Relu(_)
            | Activation::LeakyRelu(_)
            | Activation::PRelu(_)
            | Activation::HardSigmoid(_),
        )
        | OperationIr::BaseFloat(Base::MaskWhere(_) | Base::MaskFill(_)) => Smoothness::Surrogate,
        OperationIr::Module(
            Module::MaxPool1d(_)
            | Module::MaxPool1dWithIndices(_)
            | Module::MaxPool2d(_)
            | Module::MaxPool2dWithIndices(_),
        ) => Smoothness::Selection,
        _ => Smoothness::Exact,
    }
}

/// The jet of an operation's (first) output.
///
/// `known` is that output where it was recorded. If no input moves, the result stands still.
///
/// # Errors
///
/// An operation that has no rule, or one that jumps where its input moves.
pub(crate) fn jet(
    op: &OperationIr,
    frame: &Frame,
    known: Option<&Value>,
    read: &dyn Fn(&TensorIr) -> Jet,
) -> Result<Jet, Unsupported> {
    let step = Step {
        operation: op,
        frame,
        known,
        read,
    };
    if !op.inputs().any(|t| read(t).moves()) {
        return Ok(Jet::still(step.value()?));
    }
    let mut jet = rule(&step)?;
    if jet.moves() {
        jet.past.trail = Trail::of(op, read);
    }
    Ok(jet)
}

fn rule(step: &Step) -> Result<Jet, Unsupported> {
    use BaseOperationIr as Base;
    use FloatOperationIr as Float;
    use ModuleOperationIr as Module;
    let found = match step.operation {
        OperationIr::NumericFloat(dtype, numeric) => pointwise::arithmetic(step, numeric)
            .or_else(|| kink::arithmetic(step, numeric))
            .or_else(|| linear::reduction(step, numeric))
            .or_else(|| pool::extreme(step, numeric))
            .or_else(|| mask::comparison(step, *dtype, numeric)),
        // nothing finite moves there
        OperationIr::Float(_, Float::IsNan(_) | Float::IsInf(_)) => {
            Some(step.value().map(Jet::still))
        }
        OperationIr::Float(_, float) => Some(pointwise::float(step, float)),
        OperationIr::Activation(activation) => pointwise::activation(step, activation)
            .or_else(|| kink::activation(step, activation))
            .or_else(|| coupled::activation(step, activation)),
        OperationIr::BaseFloat(base) => match base {
            Base::MaskWhere(o) => Some(mask::choose(
                step,
                &o.tensor,
                &o.mask,
                Chosen::Tensor(&o.value),
            )),
            Base::MaskFill(o) => Some(mask::choose(
                step,
                &o.tensor,
                &o.mask,
                Chosen::Number(&o.value),
            )),
            Base::Equal(_) | Base::EqualElem(_) | Base::NotEqual(_) | Base::NotEqualElem(_) => {
                Some(mask::equality(step, base))
            }
            _ => linear::base(step, base),
        },
        OperationIr::Bool(logic) => Some(mask::logic(step, logic)),
        // a mask in another shape
        OperationIr::BaseBool(_) => {
            Some(step.value().map(|mask| Jet::jumping(mask, Jump::Unknown)))
        }
        OperationIr::Module(Module::LayerNorm(o)) => Some(coupled::layer_norm(step, o)),
        OperationIr::Module(module) => {
            linear::layer(step, module).or_else(|| pool::window(step, module))
        }
        _ => None,
    };
    found.unwrap_or_else(|| Err(step.unsupported()))
}

/// An operation, and what it is computed from.
struct Step<'a> {
    operation: &'a OperationIr,
    frame: &'a Frame<'a>,
    known: Option<&'a Value>,
    read: &'a dyn Fn(&TensorIr) -> Jet,
}

impl Step<'_> {
    fn read(&self, t: &TensorIr) -> Jet {
        (self.read)(t)
    }

    fn output(&self) -> Result<TensorId, Unsupported> {
        let output = self.operation.outputs().next();
        output.map(|t| t.id).ok_or_else(|| self.unsupported())
    }

    /// The operation's own value.
    fn value(&self) -> Result<Value, Unsupported> {
        match self.known {
            Some(value) => Ok(value.clone()),
            None => evaluate(self.operation, self.frame, &mut |t| self.read(t).value),
        }
    }

    fn unsupported(&self) -> Unsupported {
        self.refuse(kind(self.operation))
    }

    fn refuse_moving(&self) -> Unsupported {
        self.refuse(format!(
            "{}: one of its inputs may not depend on the split neuron's own value",
            kind(self.operation)
        ))
    }

    fn refuse(&self, operation: impl Into<String>) -> Unsupported {
        Unsupported {
            operation: operation.into(),
        }
    }
}
