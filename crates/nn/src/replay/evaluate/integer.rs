//! Arithmetic, comparisons and reductions of integers: positions, indices and masks.

use burn::backend::Dispatch as B;
use burn::backend::ir::{IntOperationIr as I, NumericOperationIr as N};
use burn::backend::ops::IntTensorOps;

use super::{Frame, Read, Value};

pub(super) fn numeric(op: &N, frame: &Frame, read: &mut Read) -> Option<Value> {
    Some(match op {
        N::Add(o) => B::int_add(read(&o.lhs), read(&o.rhs)),
        N::Sub(o) => B::int_sub(read(&o.lhs), read(&o.rhs)),
        N::Mul(o) => B::int_mul(read(&o.lhs), read(&o.rhs)),
        N::Div(o) => B::int_div(read(&o.lhs), read(&o.rhs)),
        N::Rem(o) => B::int_remainder(read(&o.lhs), read(&o.rhs)),
        N::Powi(o) => B::int_powi(read(&o.lhs), read(&o.rhs)),
        N::AddScalar(o) => B::int_add_scalar(read(&o.lhs), o.rhs.into()),
        N::SubScalar(o) => B::int_sub_scalar(read(&o.lhs), o.rhs.into()),
        N::MulScalar(o) => B::int_mul_scalar(read(&o.lhs), o.rhs.into()),
        N::DivScalar(o) => B::int_div_scalar(read(&o.lhs), o.rhs.into()),
        N::RemScalar(o) => B::int_remainder_scalar(read(&o.lhs), o.rhs.into()),
        N::PowiScalar(o) => B::int_powi_scalar(read(&o.lhs), o.rhs.into()),
        N::ClampMin(o) => B::int_clamp_min(read(&o.lhs), o.rhs.into()),
        N::ClampMax(o) => B::int_clamp_max(read(&o.lhs), o.rhs.into()),
        N::Clamp(o) => B::int_clamp(read(&o.tensor), o.min.into(), o.max.into()),
        N::Neg(o) => B::int_neg(read(&o.input)),
        N::Abs(o) => B::int_abs(read(&o.input)),
        N::Sign(o) => B::int_sign(read(&o.input)),
        N::Greater(o) => B::int_greater(read(&o.lhs), read(&o.rhs), frame.bools()),
        N::GreaterElem(o) => B::int_greater_elem(read(&o.lhs), o.rhs.into(), frame.bools()),
        N::GreaterEqual(o) => B::int_greater_equal(read(&o.lhs), read(&o.rhs), frame.bools()),
        N::GreaterEqualElem(o) => {
            B::int_greater_equal_elem(read(&o.lhs), o.rhs.into(), frame.bools())
        }
        N::Lower(o) => B::int_lower(read(&o.lhs), read(&o.rhs), frame.bools()),
        N::LowerElem(o) => B::int_lower_elem(read(&o.lhs), o.rhs.into(), frame.bools()),
        N::LowerEqual(o) => B::int_lower_equal(read(&o.lhs), read(&o.rhs), frame.bools()),
        N::LowerEqualElem(o) => B::int_lower_equal_elem(read(&o.lhs), o.rhs.into(), frame.bools()),
        N::Sum(o) => B::int_sum(read(&o.input)),
        N::Mean(o) => B::int_mean(read(&o.input)),
        N::Prod(o) => B::int_prod(read(&o.input)),
        N::Max(o) => B::int_max(read(&o.input)),
        N::Min(o) => B::int_min(read(&o.input)),
        N::MaxAbs(o) => B::int_max_abs(read(&o.input)),
        N::SumDim(o) => B::int_sum_dim(read(&o.input), o.axis),
        N::SumDims(o) => (o.axes.iter()).fold(read(&o.input), |x, &axis| B::int_sum_dim(x, axis)),
        N::MeanDim(o) => B::int_mean_dim(read(&o.input), o.axis),
        N::ProdDim(o) => B::int_prod_dim(read(&o.input), o.axis),
        N::MaxDim(o) => B::int_max_dim(read(&o.input), o.axis),
        N::MinDim(o) => B::int_min_dim(read(&o.input), o.axis),
        N::MaxAbsDim(o) => B::int_max_abs_dim(read(&o.input), o.axis),
        N::ArgMax(o) => B::int_argmax(read(&o.input), o.axis),
        N::ArgMin(o) => B::int_argmin(read(&o.input), o.axis),
        N::TopK(o) => B::int_topk(read(&o.input), o.axis, o.accumulator_len),
        N::ArgTopK(o) => B::int_argtopk(read(&o.input), o.axis, o.accumulator_len),
        N::CumSum(o) => B::int_cumsum(read(&o.input), o.axis),
        N::CumProd(o) => B::int_cumprod(read(&o.input), o.axis),
        N::CumMin(o) => B::int_cummin(read(&o.input), o.axis),
        N::CumMax(o) => B::int_cummax(read(&o.input), o.axis),
        N::Sort(o) => B::int_sort(read(&o.input), o.dim, o.descending),
        N::ArgSort(o) => B::int_argsort(read(&o.input), o.dim, o.descending),
        N::Pad(o) => B::int_pad(read(&o.input), &o.padding, o.mode.into()),
        N::Full(o) => {
            let shape = frame.shape(&o.out);
            B::int_full(shape, o.value.into(), frame.device, frame.ints())
        }
        N::IntRandom(_)
        | N::MaxDimWithIndices(_)
        | N::MinDimWithIndices(_)
        | N::TopKWithIndices(_)
        | N::SortWithIndices(_) => return None,
    })
}

pub(super) fn evaluate(op: &I, frame: &Frame, read: &mut Read) -> Value {
    match op {
        I::IntoFloat(o) => B::int_into_float(read(&o.input), frame.floats()),
        I::Matmul(o) => B::int_matmul(read(&o.lhs), read(&o.rhs)),
        I::BitwiseAnd(o) => B::bitwise_and(read(&o.lhs), read(&o.rhs)),
        I::BitwiseOr(o) => B::bitwise_or(read(&o.lhs), read(&o.rhs)),
        I::BitwiseXor(o) => B::bitwise_xor(read(&o.lhs), read(&o.rhs)),
        I::BitwiseNot(o) => B::bitwise_not(read(&o.input)),
        I::BitwiseLeftShift(o) => B::bitwise_left_shift(read(&o.lhs), read(&o.rhs)),
        I::BitwiseRightShift(o) => B::bitwise_right_shift(read(&o.lhs), read(&o.rhs)),
        I::BitwiseAndScalar(o) => B::bitwise_and_scalar(read(&o.lhs), o.rhs.into()),
        I::BitwiseOrScalar(o) => B::bitwise_or_scalar(read(&o.lhs), o.rhs.into()),
        I::BitwiseXorScalar(o) => B::bitwise_xor_scalar(read(&o.lhs), o.rhs.into()),
        I::BitwiseLeftShiftScalar(o) => B::bitwise_left_shift_scalar(read(&o.lhs), o.rhs.into()),
        I::BitwiseRightShiftScalar(o) => B::bitwise_right_shift_scalar(read(&o.lhs), o.rhs.into()),
    }
}
