//! Masks of moving values, and choices by them.
//!
//! A choice `y = b + (a - b) H(z)` between two branches, `a` where `z > 0`, has beside the
//! branches' own second derivatives that of its kink at `z = 0`: the slope of `a - b` there, with
//! respect to `z`, times `δ(z) z′²`. So the branches are computed again where `z = 0`: they must
//! meet there, and the difference of their slopes is the kink's height. Branches that join
//! smoothly (ELU, the saturation of softplus) have none; for the others the delta becomes the
//! surrogate that a ReLU has. A choice that jumps is refused.

use super::algebra::{mul, number, plus, spread, square, sub, sum, times, zeros_like};
use super::kink::kink;
use super::trail::{Again, Bend, Comparison, Jump, Node, common_root};
use super::{Jet, Step, jet};
use crate::replay::{Unsupported, Value};
use burn::backend::capture::TensorId;
use burn::backend::ir::{
    BaseOperationIr, BoolOperationIr, NumericOperationIr, OperationIr, ScalarIr, ScalarOpIr,
    TensorIr, UnaryOpIr,
};
use burn::backend::ops::{BoolTensorOps, FloatTensorOps};
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{DType, Tensor};
use std::collections::HashMap;
use std::sync::Arc;

/// Newton steps to where a mask jumps; one is enough where the compared value is linear.
const STEPS: usize = 12;
/// How far from zero the compared value may stay there, and how far the branches may be apart
/// (rounding, and saturation that is taken for complete), in units of the larger of them and 1.
const TOLERANCE: f64 = 1e-4;
/// Below the square of any slope that counts, above the least normal f32.
const TINY: f64 = 1e-30;

/// Comparisons of moving values. `None`: another kind of operation.
pub(super) fn comparison(
    step: &Step,
    dtype: DType,
    operation: &NumericOperationIr,
) -> Option<Result<Jet, Unsupported>> {
    use NumericOperationIr as Numeric;
    let (difference, above) = match operation {
        Numeric::Greater(o) | Numeric::GreaterEqual(o) => (Numeric::Sub(o.clone()), true),
        Numeric::Lower(o) | Numeric::LowerEqual(o) => (Numeric::Sub(o.clone()), false),
        Numeric::GreaterElem(o) | Numeric::GreaterEqualElem(o) => {
            (Numeric::SubScalar(o.clone()), true)
        }
        Numeric::LowerElem(o) | Numeric::LowerEqualElem(o) => {
            (Numeric::SubScalar(o.clone()), false)
        }
        _ => return None,
    };
    Some(compared(
        step,
        OperationIr::NumericFloat(dtype, difference),
        above,
    ))
}

fn compared(step: &Step, difference: OperationIr, above: bool) -> Result<Jet, Unsupported> {
    let truth = step.value()?;
    let mask = step.output()?;
    let difference = jet(&difference, step.frame, None, step.read)?;
    let comparison = Comparison {
        mask,
        truth: truth.clone(),
        difference,
        above,
        negated: false,
    };
    Ok(Jet::jumping(truth, Jump::Compared(Arc::new(comparison))))
}

/// Operations on masks, of which one jumps.
pub(super) fn logic(step: &Step, operation: &BoolOperationIr) -> Result<Jet, Unsupported> {
    match operation {
        BoolOperationIr::Not(UnaryOpIr { input, .. }) => {
            let jump = match step.read(input).past.jump {
                Some(Jump::Compared(c)) => Jump::Compared(Arc::new(Comparison {
                    mask: c.mask,
                    truth: c.truth.clone(),
                    difference: c.difference.clone(),
                    above: c.above,
                    negated: !c.negated,
                })),
                _ => Jump::Unknown,
            };
            Ok(Jet::jumping(step.value()?, jump))
        }
        BoolOperationIr::And(_) | BoolOperationIr::Or(_) | BoolOperationIr::Xor(_) => {
            Ok(Jet::jumping(step.value()?, Jump::Unknown))
        }
        BoolOperationIr::IntoFloat(_) | BoolOperationIr::IntoInt(_) => Err(step.refuse(
            "a number made of a mask that depends on the split neuron's own value (choose with \
             mask_where or mask_fill instead)",
        )),
    }
}

/// Equality with a moving value.
pub(super) fn equality(step: &Step, operation: &BaseOperationIr) -> Result<Jet, Unsupported> {
    let value = step.value()?;
    Ok(match operation {
        // no finite value moves there
        BaseOperationIr::EqualElem(ScalarOpIr { rhs, .. })
        | BaseOperationIr::NotEqualElem(ScalarOpIr { rhs, .. })
            if !rhs.elem::<f64>().is_finite() =>
        {
            Jet::still(value)
        }
        _ => Jet::jumping(value, Jump::Unknown),
    })
}

/// `value` where `mask` is true, else `tensor`.
pub(super) fn choose(
    step: &Step,
    tensor: &TensorIr,
    mask: &TensorIr,
    value: Chosen,
) -> Result<Jet, Unsupported> {
    let (base, truth) = (step.read(tensor), step.read(mask));
    let chosen = match value {
        Chosen::Tensor(value) => step.read(value),
        Chosen::Number(_) => Jet::still(base.value.clone()),
    };
    let out = step.value()?;
    let kink = match &truth.past.jump {
        None => None,
        Some(Jump::Unknown) => {
            return Err(step.refuse(
                "a choice by a mask that depends on the split neuron's own value, other than one \
                 comparison",
            ));
        }
        Some(Jump::Compared(comparison)) => {
            let base = Node::new(tensor.id, &base);
            let chosen = match value {
                Chosen::Tensor(value) => Node::new(value.id, &chosen),
                Chosen::Number(number) => {
                    let number = plus(&zeros_like(&base.value), number.elem());
                    Node::new(step.output()?, &Jet::still(number))
                }
            };
            Some(joint(step, comparison, base, chosen)?)
        }
    };
    let own = |jet: &Jet| match (&kink, &jet.past.bend) {
        // what this mask's kink gave a branch lies on the other branch's side
        (Some((id, _)), Some(bend)) if bend.mask == *id => {
            sum([jet.second.clone(), Some(times(&bend.part, -1.0))])
        }
        _ => jet.second.clone(),
    };
    let pick = |base: Option<Value>, chosen: Option<Value>| {
        (base.is_some() || chosen.is_some()).then(|| {
            let part = |part| spread(part, &out).unwrap_or_else(|| zeros_like(&out));
            Dispatch::float_mask_where(part(base), truth.value.clone(), part(chosen))
        })
    };
    let first = pick(base.first.clone(), chosen.first.clone());
    let second = pick(own(&base), own(&chosen));
    let (mask, part) = kink.unzip();
    let part = spread(part.flatten(), &out);
    let mut jet = Jet::new(out.clone(), first, sum([second, part.clone()]));
    jet.past.bend = mask.zip(part).map(|(mask, part)| Bend { mask, part });
    Ok(jet)
}

#[derive(Clone, Copy)]
pub(super) enum Chosen<'a> {
    Tensor(&'a TensorIr),
    Number(&'a ScalarIr),
}

/// The mask, and the second derivative that the choice's kink gives (`None`: a smooth joint).
fn joint(
    step: &Step,
    comparison: &Comparison,
    base: Node,
    chosen: Node,
) -> Result<(TensorId, Option<Value>), Unsupported> {
    let difference = Node::new(comparison.mask, &comparison.difference);
    let branches = [base, chosen];
    let root = common_root(&difference, &branches);
    let place = boundary(step, &root, &difference)?;
    let side = |mask: bool| {
        let mut known = HashMap::from([(root.id, place.root.clone())]);
        let truth = constant(&comparison.truth, mask != comparison.negated);
        known.insert(comparison.mask, Jet::still(truth));
        Again {
            frame: step.frame,
            known,
        }
    };
    let [base, chosen] = &branches;
    let (below, above) = (side(false).jet(base)?, side(true).jet(chosen)?);
    let slope = sum([above.first, below.first.map(|first| times(&first, -1.0))]);
    let value = sub(&above.value, &below.value);
    let scale = largest(&below.value).max(1.0);
    let apart = largest(&mul(&value, &place.counts));
    if apart.is_nan() || apart > TOLERANCE * scale {
        return Err(step.refuse(
            "a choice by a mask that depends on the split neuron's own value, between values that \
             do not meet where the mask changes: the network jumps there",
        ));
    }
    let part = match (slope, &comparison.difference.first) {
        (Some(slope), Some(first)) => {
            let height = mul(&slope, &place.inverse);
            let most = largest(&height);
            if !most.is_finite() {
                return Err(step.refuse("a choice whose branches have no slope where they meet"));
            }
            let sign = if comparison.above != comparison.negated {
                1.0
            } else {
                -1.0
            };
            (most > 0.0).then(|| {
                let delta = times(&kink(&comparison.difference.value), sign);
                mul(&mul(&height, &delta), &square(first))
            })
        }
        _ => None,
    };
    Ok((comparison.mask, part))
}

/// Where the compared value is zero.
struct Place {
    root: Jet,
    /// One over the compared value's slope with respect to the root; 0 where it has none.
    inverse: Value,
    /// 1 where it has a slope: where it has none, no boundary is near.
    counts: Value,
}

/// Newton's method, for all elements at once.
fn boundary(step: &Step, root: &Node, difference: &Node) -> Result<Place, Unsupported> {
    let mut value = root.value.clone();
    let near = match value.dtype() {
        DType::F64 => 1e-12,
        _ => 1e-6,
    };
    for _ in 0..STEPS {
        let one = plus(&zeros_like(&value), 1.0);
        let at = Jet::new(value.clone(), Some(one), None);
        let known = HashMap::from([(root.id, at.clone())]);
        let z = Again {
            frame: step.frame,
            known,
        }
        .jet(difference)?;
        let slope = z.first.unwrap_or_else(|| zeros_like(&z.value));
        let squared = Dispatch::float_add_scalar(square(&slope), number(TINY));
        let inverse = Dispatch::float_div(slope.clone(), squared);
        let counts = Dispatch::float_abs(Dispatch::float_sign(slope));
        let shift = mul(&z.value, &inverse);
        if largest(&mul(&z.value, &counts)) <= near * largest(&value).max(1.0) {
            return Ok(Place {
                root: at,
                inverse,
                counts,
            });
        }
        value = sub(&value, &shift);
    }
    Err(step.refuse(
        "a choice by a mask that depends on the split neuron's own value: where the mask changes \
         was not found",
    ))
}

/// A mask that is true, or false, everywhere.
fn constant(mask: &Value, truth: bool) -> Value {
    let not = Dispatch::bool_not(mask.clone());
    if truth {
        Dispatch::bool_or(mask.clone(), not)
    } else {
        Dispatch::bool_and(mask.clone(), not)
    }
}

/// The largest absolute value; not a number where one of them is none.
fn largest(values: &Value) -> f64 {
    let values = Dispatch::float_abs(values.clone());
    let read = |value: Value| {
        let data = Tensor::<1>::from_dispatch(value).into_data();
        data.iter::<f64>().next().unwrap_or(0.0)
    };
    // a maximum may pass over what is no number; a sum does not
    if read(Dispatch::float_sum(values.clone())).is_nan() {
        return f64::NAN;
    }
    read(Dispatch::float_max(values))
}
