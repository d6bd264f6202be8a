//! Operations that are linear in what they read, or in each of two things.

use super::algebra::{
    along, dims, map, mul, product_parts, recip, sub, sum, sum_of, times, zeros_like,
};
use super::{Jet, Step};
use crate::replay::{Unsupported, Value, evaluate};
use burn::backend::Dispatch;
use burn::backend::Scalar;
use burn::backend::ir::{
    BaseOperationIr, BatchNormOpIr, CrossOpIr, MatmulOpIr, ModuleOperationIr, NumericOperationIr,
    OperationIr, PadModeIr, PadOpIr, TensorIr,
};
use burn::backend::ops::{FloatTensorOps, PadMode};
use burn::tensor::IndexingUpdateOp;

/// The operation on every part of what it is jointly linear in; all else that it reads must stand
/// still.
pub(super) fn linear(step: &Step, moving: &[&TensorIr]) -> Result<Jet, Unsupported> {
    let is_moving = |t: &TensorIr| moving.iter().any(|m| m.id == t.id);
    if step
        .operation
        .inputs()
        .any(|t| !is_moving(t) && step.read(t).moves())
    {
        return Err(step.refuse_moving());
    }
    let part = |of: fn(&Jet) -> &Option<Value>| {
        let none = moving.iter().all(|t| of(&step.read(t)).is_none());
        if none {
            return Ok(None);
        }
        evaluate(step.operation, step.frame, &mut |t| {
            let jet = step.read(t);
            if !is_moving(t) {
                return jet.value;
            }
            of(&jet).clone().unwrap_or_else(|| zeros_like(&jet.value))
        })
        .map(Some)
    };
    Ok(Jet::new(
        step.value()?,
        part(|jet| &jet.first)?,
        part(|jet| &jet.second)?,
    ))
}

/// Shapes, selections and assignments. `None`: another kind of operation.
pub(super) fn base(step: &Step, operation: &BaseOperationIr) -> Option<Result<Jet, Unsupported>> {
    use BaseOperationIr as Base;
    use IndexingUpdateOp::{Add, Assign};
    Some(match operation {
        Base::Reshape(o) | Base::Expand(o) => linear(step, &[&o.input]),
        Base::SwapDims(o) => linear(step, &[&o.input]),
        Base::Permute(o) => linear(step, &[&o.input]),
        Base::Flip(o) => linear(step, &[&o.input]),
        Base::Unfold(o) => linear(step, &[&o.input]),
        Base::Slice(o) => linear(step, &[&o.tensor]),
        Base::SliceAssign(o) => linear(step, &[&o.tensor, &o.value]),
        Base::Select(o) => linear(step, &[&o.tensor]),
        Base::SelectAssign(o) if matches!(o.update, Add | Assign) => {
            linear(step, &[&o.tensor, &o.value])
        }
        Base::Gather(o) => linear(step, &[&o.tensor]),
        Base::GatherNd(o) => linear(step, &[&o.data]),
        Base::Scatter(o) if matches!(o.update, Add | Assign) => {
            linear(step, &[&o.tensor, &o.value])
        }
        Base::ScatterNd(o) if matches!(o.reduction, Add | Assign) => {
            linear(step, &[&o.data, &o.values])
        }
        Base::RepeatDim(o) => linear(step, &[&o.tensor]),
        Base::Cat(o) => linear(step, &o.tensors.iter().collect::<Vec<_>>()),
        Base::Cast(o) => linear(step, &[&o.input]),
        _ => return None,
    })
}

/// Sums and means. `None`: another kind of operation.
pub(super) fn reduction(
    step: &Step,
    operation: &NumericOperationIr,
) -> Option<Result<Jet, Unsupported>> {
    use NumericOperationIr as Numeric;
    Some(match operation {
        Numeric::Sum(o) | Numeric::Mean(o) => linear(step, &[&o.input]),
        Numeric::SumDim(o) | Numeric::MeanDim(o) => linear(step, &[&o.input]),
        Numeric::SumDims(o) => linear(step, &[&o.input]),
        Numeric::CumSum(o) => linear(step, &[&o.input]),
        Numeric::Pad(o) => pad(step, o),
        _ => return None,
    })
}

/// The padding of a derivative is zero, whatever the values are padded with.
fn pad(step: &Step, o: &PadOpIr) -> Result<Jet, Unsupported> {
    if !matches!(o.mode, PadModeIr::Constant(_)) {
        return linear(step, &[&o.input]);
    }
    let zero = PadMode::Constant(0.0);
    Ok(map(&step.read(&o.input), step.value()?, |part| {
        Dispatch::float_pad(part, &o.padding, zero)
    }))
}

/// Layers. `None`: another kind of operation.
pub(super) fn layer(
    step: &Step,
    operation: &ModuleOperationIr,
) -> Option<Result<Jet, Unsupported>> {
    use ModuleOperationIr as Module;
    // x ∗ w + b, where b belongs to axis 1 (convolutions) or to the last (linear layers)
    macro_rules! weighted {
        ($kind:ident, $o:ident, $axis:expr) => {{
            let mut bare = $o.clone();
            bare.bias = None;
            let bare = OperationIr::Module(Module::$kind(bare));
            weighted(step, &bare, (&$o.x, &$o.weight), $o.bias.as_ref(), $axis)
        }};
    }
    let channels = |_: usize| 1;
    Some(match operation {
        Module::Linear(o) => weighted!(Linear, o, |rank: usize| rank - 1),
        Module::Conv1d(o) => weighted!(Conv1d, o, channels),
        Module::Conv2d(o) => weighted!(Conv2d, o, channels),
        Module::Conv3d(o) => weighted!(Conv3d, o, channels),
        Module::ConvTranspose1d(o) => weighted!(ConvTranspose1d, o, channels),
        Module::ConvTranspose2d(o) => weighted!(ConvTranspose2d, o, channels),
        Module::ConvTranspose3d(o) => weighted!(ConvTranspose3d, o, channels),
        Module::BatchNorm(o) => batch_norm(step, o),
        Module::Embedding(o) => linear(step, &[&o.weights]),
        Module::AvgPool1d(o) => linear(step, &[&o.x]),
        Module::AvgPool2d(o) => linear(step, &[&o.x]),
        Module::AdaptiveAvgPool1d(o) => linear(step, &[&o.x]),
        Module::AdaptiveAvgPool2d(o) => linear(step, &[&o.x]),
        Module::AdaptiveAvgPool3d(o) => linear(step, &[&o.x]),
        Module::Interpolate(o) => linear(step, &[&o.x]),
        Module::Unfold4d(o) => linear(step, &[&o.x]),
        _ => return None,
    })
}

/// The derivatives of a bilinear map.
fn bilinear(
    a: &Jet,
    b: &Jet,
    on: impl Fn(&Value, &Value) -> Result<Value, Unsupported>,
) -> Result<(Option<Value>, Option<Value>), Unsupported> {
    let left = |part: &Option<Value>| part.as_ref().map(|p| on(p, &b.value)).transpose();
    let right = |part: &Option<Value>| part.as_ref().map(|p| on(&a.value, p)).transpose();
    let cross = match (&a.first, &b.first) {
        (Some(a), Some(b)) => Some(times(&on(a, b)?, 2.0)),
        _ => None,
    };
    Ok((
        sum([left(&a.first)?, right(&b.first)?]),
        sum([left(&a.second)?, right(&b.second)?, cross]),
    ))
}

fn weighted(
    step: &Step,
    bare: &OperationIr,
    (x, weight): (&TensorIr, &TensorIr),
    bias: Option<&TensorIr>,
    axis: impl Fn(usize) -> usize,
) -> Result<Jet, Unsupported> {
    if x.id == weight.id {
        return Err(step.refuse("a layer whose weight is its own input"));
    }
    let (first, second) = bilinear(&step.read(x), &step.read(weight), |x, w| {
        let pick = |t: &TensorIr| if t.id == weight.id { w } else { x }.clone();
        evaluate(bare, step.frame, &mut |t| pick(t))
    })?;
    let product = Jet::new(step.value()?, first, second);
    let Some(bias) = bias.map(|bias| step.read(bias)).filter(Jet::moves) else {
        return Ok(product);
    };
    let rank = dims(&product.value).len();
    let bias = map(&bias, product.value.clone(), |part| {
        along(&part, axis(rank), rank)
    });
    Ok(sum_of(&product, &bias, 1.0, product.value.clone()))
}

pub(super) fn matmul(step: &Step, o: &MatmulOpIr) -> Result<Jet, Unsupported> {
    let (first, second) = bilinear(&step.read(&o.lhs), &step.read(&o.rhs), |a, b| {
        Ok(Dispatch::float_matmul(a.clone(), b.clone()))
    })?;
    Ok(Jet::new(step.value()?, first, second))
}

pub(super) fn cross(step: &Step, o: &CrossOpIr) -> Result<Jet, Unsupported> {
    let (first, second) = bilinear(&step.read(&o.lhs), &step.read(&o.rhs), |a, b| {
        Ok(Dispatch::float_cross(a.clone(), b.clone(), o.dim))
    })?;
    Ok(Jet::new(step.value()?, first, second))
}

/// `γ (x - m) / √(v + ε) + β` with statistics that stand still.
fn batch_norm(step: &Step, o: &BatchNormOpIr) -> Result<Jet, Unsupported> {
    let (mean, variance) = (step.read(&o.mean), step.read(&o.variance));
    if mean.moves() || variance.moves() {
        return Err(
            step.refuse("BatchNorm by statistics that depend on the split neuron's own value")
        );
    }
    let (x, gamma, beta) = (step.read(&o.x), step.read(&o.gamma), step.read(&o.beta));
    let value = step.value()?;
    let rank = dims(&value).len();
    let channel = |jet: &Jet| {
        let at = |part| along(&part, 1, rank);
        map(jet, at(jet.value.clone()), at)
    };
    let deviation = Dispatch::float_add_scalar(variance.value, Scalar::Float(o.epsilon.elem()));
    let inverse = recip(&Dispatch::float_sqrt(deviation));
    let scale = channel(&map(&gamma, mul(&gamma.value, &inverse), |part| {
        mul(&part, &inverse)
    }));
    let mean = along(&mean.value, 1, rank);
    let centered = if scale.moves() {
        sub(&x.value, &mean)
    } else {
        x.value.clone()
    };
    let centered = Jet {
        value: centered,
        ..x
    };
    let (first, second) = product_parts(&centered, &scale);
    let scaled = Jet::new(value.clone(), first, second);
    Ok(sum_of(&scaled, &channel(&beta), 1.0, value))
}
