//! Maxima and minima: the derivatives of the element that is taken. Exact as long as no other
//! element overtakes it.

use super::algebra::{dims, map};
use super::{Jet, Step};
use crate::replay::{Unsupported, Value};
use burn::backend::Dispatch;
use burn::backend::ir::{ModuleOperationIr, NumericOperationIr, TensorIr};
use burn::backend::ops::{FloatTensorOps, IntTensorOps, ModuleOps};
use burn::tensor::{IntDType, Shape};

const INDICES: IntDType = IntDType::I64;

/// Over an axis, or all elements. `None`: another kind of operation.
pub(super) fn extreme(
    step: &Step,
    operation: &NumericOperationIr,
) -> Option<Result<Jet, Unsupported>> {
    use NumericOperationIr as Numeric;
    Some(match operation {
        Numeric::MaxDim(o) => over_axis(step, &o.input, o.axis, Dispatch::float_argmax),
        Numeric::MinDim(o) => over_axis(step, &o.input, o.axis, Dispatch::float_argmin),
        Numeric::MaxDimWithIndices(o) => over_axis(step, &o.tensor, o.dim, Dispatch::float_argmax),
        Numeric::MinDimWithIndices(o) => over_axis(step, &o.tensor, o.dim, Dispatch::float_argmin),
        Numeric::Max(o) => over_all(step, &o.input, Dispatch::float_argmax),
        Numeric::Min(o) => over_all(step, &o.input, Dispatch::float_argmin),
        _ => return None,
    })
}

type Find = fn(Value, usize, IntDType) -> Value;

fn over_axis(step: &Step, x: &TensorIr, axis: usize, find: Find) -> Result<Jet, Unsupported> {
    let u = step.read(x);
    let at = find(u.value.clone(), axis, INDICES);
    let value = step.value()?;
    Ok(map(&u, value, |part| {
        Dispatch::float_gather(axis, part, at.clone())
    }))
}

fn over_all(step: &Step, x: &TensorIr, find: Find) -> Result<Jet, Unsupported> {
    let u = step.read(x);
    let flat = |part: Value| {
        let elements = part_len(&part);
        Dispatch::float_reshape(part, Shape::from(vec![elements]))
    };
    let at = find(flat(u.value.clone()), 0, INDICES);
    let value = step.value()?;
    Ok(map(&u, value, |part| {
        Dispatch::float_gather(0, flat(part), at.clone())
    }))
}

fn part_len(value: &Value) -> usize {
    dims(value).iter().product()
}

/// Pooling windows. `None`: another kind of operation.
pub(super) fn window(
    step: &Step,
    operation: &ModuleOperationIr,
) -> Option<Result<Jet, Unsupported>> {
    use ModuleOperationIr as Module;
    macro_rules! indices {
        ($o:ident, $pool:ident) => {
            taken(step, &$o.x, |x| {
                let pooled = Dispatch::$pool(
                    x,
                    $o.kernel_size,
                    $o.stride,
                    $o.padding,
                    $o.dilation,
                    $o.ceil_mode,
                    INDICES,
                );
                pooled.indices
            })
        };
    }
    Some(match operation {
        Module::MaxPool1d(o) => indices!(o, max_pool1d_with_indices),
        Module::MaxPool1dWithIndices(o) => indices!(o, max_pool1d_with_indices),
        Module::MaxPool2d(o) => indices!(o, max_pool2d_with_indices),
        Module::MaxPool2dWithIndices(o) => indices!(o, max_pool2d_with_indices),
        _ => return None,
    })
}

/// `indices` gives for every output the place in the flattened spatial axes of its `[n, c, …]`.
fn taken(step: &Step, x: &TensorIr, indices: impl Fn(Value) -> Value) -> Result<Jet, Unsupported> {
    let (u, value) = (step.read(x), step.value()?);
    let flat = |shape: &[usize]| {
        Shape::from(vec![
            shape[0],
            shape[1],
            shape[2..].iter().product::<usize>(),
        ])
    };
    let (from, to) = (flat(&dims(&u.value)), flat(&dims(&value)));
    let at = Dispatch::int_reshape(indices(u.value.clone()), to);
    let shape = Shape::from(dims(&value));
    Ok(map(&u, value, |part| {
        let part = Dispatch::float_reshape(part, from.clone());
        let picked = Dispatch::float_gather(2, part, at.clone());
        Dispatch::float_reshape(picked, shape.clone())
    }))
}
