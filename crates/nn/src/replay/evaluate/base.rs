//! Operations that floats, integers and booleans have in common: shapes, slices, indices, masks.
//!
//! All three are the same tensors to the dispatching backend, so a kind is a table of functions.

use burn::backend::ir::{BaseOperationIr as O, TensorIr};
use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::backend::{Dispatch as B, TensorMetadata};
use burn::tensor::{BoolDType, IndexingUpdateOp, Scalar, Shape, Slice};

use super::{Frame, Read, Value};

type Compare<T> = fn(Value, T, BoolDType) -> Value;
type Make = fn(Shape, &Frame) -> Value;
/// Tensor, axis, indices, value.
type Update = fn(Value, usize, Value, Value, IndexingUpdateOp) -> Option<Value>;
/// Tensor, indices, values.
type UpdateNd = fn(Value, Value, Value, IndexingUpdateOp) -> Value;

/// The functions of one kind of tensor; `None` where the kind lacks the operation.
pub(super) struct Kind {
    reshape: fn(Value, Shape) -> Value,
    swap_dims: fn(Value, usize, usize) -> Value,
    permute: fn(Value, &[usize]) -> Value,
    flip: fn(Value, &[usize]) -> Value,
    expand: fn(Value, Shape) -> Value,
    unfold: fn(Value, usize, usize, usize) -> Value,
    slice: fn(Value, &[Slice]) -> Value,
    slice_assign: fn(Value, &[Slice], Value) -> Value,
    select: fn(Value, usize, Value) -> Value,
    select_assign: Update,
    gather: fn(usize, Value, Value) -> Value,
    scatter: Update,
    gather_nd: Option<fn(Value, Value) -> Value>,
    scatter_nd: Option<UpdateNd>,
    mask_where: fn(Value, Value, Value) -> Value,
    mask_fill: fn(Value, Value, Scalar) -> Value,
    equal: Compare<Value>,
    not_equal: Compare<Value>,
    equal_elem: Compare<Scalar>,
    not_equal_elem: Compare<Scalar>,
    repeat_dim: fn(Value, usize, usize) -> Value,
    cat: fn(Vec<Value>, usize) -> Value,
    cast: fn(Value, &TensorIr, &Frame) -> Option<Value>,
    zeros: Make,
    ones: Make,
    all: fn(Value, BoolDType) -> Value,
    any: fn(Value, BoolDType) -> Value,
    all_dim: fn(Value, usize, BoolDType) -> Value,
    any_dim: fn(Value, usize, BoolDType) -> Value,
}

pub(super) const FLOAT: Kind = Kind {
    reshape: B::float_reshape,
    swap_dims: B::float_swap_dims,
    permute: B::float_permute,
    flip: B::float_flip,
    expand: B::float_expand,
    unfold: B::float_unfold,
    slice: B::float_slice,
    slice_assign: B::float_slice_assign,
    select: B::float_select,
    select_assign: |x, dim, at, value, update| {
        Some(B::float_select_assign(x, dim, at, value, update))
    },
    gather: B::float_gather,
    scatter: |x, dim, at, value, update| Some(B::float_scatter(dim, x, at, value, update)),
    gather_nd: Some(B::float_gather_nd),
    scatter_nd: Some(B::float_scatter_nd),
    mask_where: B::float_mask_where,
    mask_fill: B::float_mask_fill,
    equal: B::float_equal,
    not_equal: B::float_not_equal,
    equal_elem: B::float_equal_elem,
    not_equal_elem: B::float_not_equal_elem,
    repeat_dim: B::float_repeat_dim,
    cat: B::float_cat,
    // One float type in the whole replay.
    cast: |x, _, frame| Some(frame.float(x)),
    zeros: |shape, frame| B::float_zeros(shape, frame.device, frame.floats()),
    ones: |shape, frame| B::float_ones(shape, frame.device, frame.floats()),
    all: B::float_all,
    any: B::float_any,
    all_dim: B::float_all_dim,
    any_dim: B::float_any_dim,
};

pub(super) const INT: Kind = Kind {
    reshape: B::int_reshape,
    swap_dims: B::int_swap_dims,
    permute: B::int_permute,
    flip: B::int_flip,
    expand: B::int_expand,
    unfold: B::int_unfold,
    slice: B::int_slice,
    slice_assign: B::int_slice_assign,
    select: B::int_select,
    select_assign: |x, dim, at, value, update| {
        Some(B::int_select_assign(x, dim, at, value, update))
    },
    gather: B::int_gather,
    scatter: |x, dim, at, value, update| Some(B::int_scatter(dim, x, at, value, update)),
    gather_nd: Some(B::int_gather_nd),
    scatter_nd: Some(B::int_scatter_nd),
    mask_where: B::int_mask_where,
    mask_fill: B::int_mask_fill,
    equal: B::int_equal,
    not_equal: B::int_not_equal,
    equal_elem: B::int_equal_elem,
    not_equal_elem: B::int_not_equal_elem,
    repeat_dim: B::int_repeat_dim,
    cat: B::int_cat,
    // Through the recorded type, which may wrap, and back to the one of the replay.
    cast: |x, out, frame| Some(frame.int(B::int_cast(x, out.dtype.into()))),
    zeros: |shape, frame| B::int_zeros(shape, frame.device, frame.ints()),
    ones: |shape, frame| B::int_ones(shape, frame.device, frame.ints()),
    all: B::int_all,
    any: B::int_any,
    all_dim: B::int_all_dim,
    any_dim: B::int_any_dim,
};

pub(super) const BOOL: Kind = Kind {
    reshape: B::bool_reshape,
    swap_dims: B::bool_swap_dims,
    permute: B::bool_permute,
    flip: B::bool_flip,
    expand: B::bool_expand,
    unfold: B::bool_unfold,
    slice: B::bool_slice,
    slice_assign: B::bool_slice_assign,
    select: B::bool_select,
    select_assign: |x, dim, at, value, update| match update {
        IndexingUpdateOp::Add => Some(B::bool_select_or(x, dim, at, value)),
        _ => None,
    },
    gather: B::bool_gather,
    scatter: |x, dim, at, value, update| match update {
        IndexingUpdateOp::Add => Some(B::bool_scatter_or(dim, x, at, value)),
        _ => None,
    },
    gather_nd: None,
    scatter_nd: None,
    mask_where: B::bool_mask_where,
    mask_fill: B::bool_mask_fill,
    equal: |a, b, _| B::bool_equal(a, b),
    not_equal: |a, b, _| B::bool_not_equal(a, b),
    equal_elem: |a, b, _| B::bool_equal_elem(a, b),
    not_equal_elem: |a, b, _| B::bool_not_equal_elem(a, b),
    repeat_dim: B::bool_repeat_dim,
    cat: B::bool_cat,
    cast: |_, _, _| None,
    zeros: |shape, frame| B::bool_zeros(shape, frame.device, frame.bools()),
    ones: |shape, frame| B::bool_ones(shape, frame.device, frame.bools()),
    all: |x, _| B::bool_all(x),
    any: |x, _| B::bool_any(x),
    all_dim: |x, dim, _| B::bool_all_dim(x, dim),
    any_dim: |x, dim, _| B::bool_any_dim(x, dim),
};

pub(super) fn evaluate(kind: &Kind, op: &O, frame: &Frame, read: &mut Read) -> Option<Value> {
    Some(match op {
        O::Reshape(o) => (kind.reshape)(read(&o.input), frame.shape(&o.out)),
        O::SwapDims(o) => (kind.swap_dims)(read(&o.input), o.dim1, o.dim2),
        O::Permute(o) => (kind.permute)(read(&o.input), &o.axes),
        O::Flip(o) => (kind.flip)(read(&o.input), &o.axes),
        O::Expand(o) => (kind.expand)(read(&o.input), frame.shape(&o.out)),
        O::Unfold(o) => (kind.unfold)(read(&o.input), o.dim, o.size, o.step),
        O::Slice(o) => (kind.slice)(read(&o.tensor), &(frame.ranges)(o)),
        O::SliceAssign(o) => {
            let ranges = (frame.assigned)(o);
            (kind.slice_assign)(read(&o.tensor), &ranges, read(&o.value))
        }
        O::Select(o) => (kind.select)(read(&o.tensor), o.dim, read(&o.indices)),
        O::SelectAssign(o) => {
            let (x, at, value) = (read(&o.tensor), read(&o.indices), read(&o.value));
            return (kind.select_assign)(x, o.dim, at, value, o.update);
        }
        O::Gather(o) => (kind.gather)(o.dim, read(&o.tensor), read(&o.indices)),
        O::Scatter(o) => {
            let (x, at, value) = (read(&o.tensor), read(&o.indices), read(&o.value));
            return (kind.scatter)(x, o.dim, at, value, o.update);
        }
        O::GatherNd(o) => (kind.gather_nd?)(read(&o.data), read(&o.indices)),
        O::ScatterNd(o) => {
            let (x, at, values) = (read(&o.data), read(&o.indices), read(&o.values));
            (kind.scatter_nd?)(x, at, values, o.reduction)
        }
        O::MaskWhere(o) => (kind.mask_where)(read(&o.tensor), read(&o.mask), read(&o.value)),
        O::MaskFill(o) => (kind.mask_fill)(read(&o.tensor), read(&o.mask), o.value.into()),
        O::Equal(o) => (kind.equal)(read(&o.lhs), read(&o.rhs), frame.bools()),
        O::NotEqual(o) => (kind.not_equal)(read(&o.lhs), read(&o.rhs), frame.bools()),
        O::EqualElem(o) => (kind.equal_elem)(read(&o.lhs), o.rhs.into(), frame.bools()),
        O::NotEqualElem(o) => (kind.not_equal_elem)(read(&o.lhs), o.rhs.into(), frame.bools()),
        O::RepeatDim(o) => {
            let (x, out) = (read(&o.tensor), (frame.shapes)(&o.out));
            let times = out[o.dim].checked_div(x.shape()[o.dim]);
            (kind.repeat_dim)(x, o.dim, times.unwrap_or(o.times))
        }
        O::Cat(o) => (kind.cat)(o.tensors.iter().map(read).collect(), o.dim),
        O::Cast(o) => return (kind.cast)(read(&o.input), &o.out, frame),
        // What an empty tensor holds is nobody's to rely on.
        O::Empty(o) | O::Zeros(o) => (kind.zeros)(frame.shape(&o.out), frame),
        O::Ones(o) => (kind.ones)(frame.shape(&o.out), frame),
        O::All(o) => (kind.all)(read(&o.input), frame.bools()),
        O::Any(o) => (kind.any)(read(&o.input), frame.bools()),
        O::AllDim(o) => (kind.all_dim)(read(&o.input), o.axis, frame.bools()),
        O::AnyDim(o) => (kind.any_dim)(read(&o.input), o.axis, frame.bools()),
    })
}
