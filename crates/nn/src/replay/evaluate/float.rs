//! Arithmetic, comparisons and reductions of floats.

use burn::backend::Dispatch as B;
use burn::backend::ir::{FloatOperationIr as F, NumericOperationIr as N};
use burn::backend::ops::FloatTensorOps;

use super::{Frame, Read, Value};

pub(super) fn numeric(op: &N, frame: &Frame, read: &mut Read) -> Option<Value> {
    Some(match op {
        N::Add(o) => B::float_add(read(&o.lhs), read(&o.rhs)),
        N::Sub(o) => B::float_sub(read(&o.lhs), read(&o.rhs)),
        N::Mul(o) => B::float_mul(read(&o.lhs), read(&o.rhs)),
        N::Div(o) => B::float_div(read(&o.lhs), read(&o.rhs)),
        N::Rem(o) => B::float_remainder(read(&o.lhs), read(&o.rhs)),
        N::Powi(o) => B::float_powi(read(&o.lhs), read(&o.rhs)),
        N::AddScalar(o) => B::float_add_scalar(read(&o.lhs), o.rhs.into()),
        N::SubScalar(o) => B::float_sub_scalar(read(&o.lhs), o.rhs.into()),
        N::MulScalar(o) => B::float_mul_scalar(read(&o.lhs), o.rhs.into()),
        N::DivScalar(o) => B::float_div_scalar(read(&o.lhs), o.rhs.into()),
        N::RemScalar(o) => B::float_remainder_scalar(read(&o.lhs), o.rhs.into()),
        N::PowiScalar(o) => B::float_powi_scalar(read(&o.lhs), o.rhs.into()),
        N::ClampMin(o) => B::float_clamp_min(read(&o.lhs), o.rhs.into()),
        N::ClampMax(o) => B::float_clamp_max(read(&o.lhs), o.rhs.into()),
        N::Clamp(o) => B::float_clamp(read(&o.tensor), o.min.into(), o.max.into()),
        N::Neg(o) => B::float_neg(read(&o.input)),
        N::Abs(o) => B::float_abs(read(&o.input)),
        N::Sign(o) => B::float_sign(read(&o.input)),
        N::Greater(o) => B::float_greater(read(&o.lhs), read(&o.rhs), frame.bools()),
        N::GreaterElem(o) => B::float_greater_elem(read(&o.lhs), o.rhs.into(), frame.bools()),
        N::GreaterEqual(o) => B::float_greater_equal(read(&o.lhs), read(&o.rhs), frame.bools()),
        N::GreaterEqualElem(o) => {
            B::float_greater_equal_elem(read(&o.lhs), o.rhs.into(), frame.bools())
        }
        N::Lower(o) => B::float_lower(read(&o.lhs), read(&o.rhs), frame.bools()),
        N::LowerElem(o) => B::float_lower_elem(read(&o.lhs), o.rhs.into(), frame.bools()),
        N::LowerEqual(o) => B::float_lower_equal(read(&o.lhs), read(&o.rhs), frame.bools()),
        N::LowerEqualElem(o) => {
            B::float_lower_equal_elem(read(&o.lhs), o.rhs.into(), frame.bools())
        }
        N::Sum(o) => B::float_sum(read(&o.input)),
        N::Mean(o) => B::float_mean(read(&o.input)),
        N::Prod(o) => B::float_prod(read(&o.input)),
        N::Max(o) => B::float_max(read(&o.input)),
        N::Min(o) => B::float_min(read(&o.input)),
        N::MaxAbs(o) => B::float_max_abs(read(&o.input)),
        N::SumDim(o) => B::float_sum_dim(read(&o.input), o.axis),
        N::SumDims(o) => B::float_sum_dims(read(&o.input), &o.axes),
        N::MeanDim(o) => B::float_mean_dim(read(&o.input), o.axis),
        N::ProdDim(o) => B::float_prod_dim(read(&o.input), o.axis),
        N::MaxDim(o) => B::float_max_dim(read(&o.input), o.axis),
        N::MinDim(o) => B::float_min_dim(read(&o.input), o.axis),
        N::MaxAbsDim(o) => B::float_max_abs_dim(read(&o.input), o.axis),
        N::ArgMax(o) => B::float_argmax(read(&o.input), o.axis, frame.ints()),
        N::ArgMin(o) => B::float_argmin(read(&o.input), o.axis, frame.ints()),
        N::TopK(o) => B::float_topk(read(&o.input), o.axis, o.accumulator_len),
        N::ArgTopK(o) => B::float_argtopk(read(&o.input), o.axis, o.accumulator_len, frame.ints()),
        N::CumSum(o) => B::float_cumsum(read(&o.input), o.axis),
        N::CumProd(o) => B::float_cumprod(read(&o.input), o.axis),
        N::CumMin(o) => B::float_cummin(read(&o.input), o.axis),
        N::CumMax(o) => B::float_cummax(read(&o.input), o.axis),
        N::Sort(o) => B::float_sort(read(&o.input), o.dim, o.descending),
        N::ArgSort(o) => B::float_argsort(read(&o.input), o.dim, o.descending, frame.ints()),
        N::Pad(o) => B::float_pad(read(&o.input), &o.padding, o.mode.into()),
        N::Full(o) => {
            let shape = frame.shape(&o.out);
            B::float_full(shape, o.value.into(), frame.device, frame.floats())
        }
        N::IntRandom(_)
        | N::MaxDimWithIndices(_)
        | N::MinDimWithIndices(_)
        | N::TopKWithIndices(_)
        | N::SortWithIndices(_) => return None,
    })
}

pub(super) fn evaluate(op: &F, frame: &Frame, read: &mut Read) -> Option<Value> {
    Some(match op {
        F::Exp(o) => B::float_exp(read(&o.input)),
        F::Log(o) => B::float_log(read(&o.input)),
        F::Log1p(o) => B::float_log1p(read(&o.input)),
        F::Erf(o) => B::float_erf(read(&o.input)),
        F::Sqrt(o) => B::float_sqrt(read(&o.input)),
        F::Recip(o) => B::float_recip(read(&o.input)),
        F::Powf(o) => B::float_powf(read(&o.lhs), read(&o.rhs)),
        F::PowfScalar(o) => B::float_powf_scalar(read(&o.lhs), o.rhs.into()),
        F::Hypot(o) => B::float_hypot(read(&o.lhs), read(&o.rhs)),
        F::Sin(o) => B::float_sin(read(&o.input)),
        F::Cos(o) => B::float_cos(read(&o.input)),
        F::Tan(o) => B::float_tan(read(&o.input)),
        F::ArcSin(o) => B::float_asin(read(&o.input)),
        F::ArcCos(o) => B::float_acos(read(&o.input)),
        F::ArcTan(o) => B::float_atan(read(&o.input)),
        F::ArcTan2(o) => B::float_atan2(read(&o.lhs), read(&o.rhs)),
        F::Sinh(o) => B::float_sinh(read(&o.input)),
        F::Cosh(o) => B::float_cosh(read(&o.input)),
        F::Tanh(o) => B::float_tanh(read(&o.input)),
        F::ArcSinh(o) => B::float_asinh(read(&o.input)),
        F::ArcCosh(o) => B::float_acosh(read(&o.input)),
        F::ArcTanh(o) => B::float_atanh(read(&o.input)),
        F::Round(o) => B::float_round(read(&o.input)),
        F::Floor(o) => B::float_floor(read(&o.input)),
        F::Ceil(o) => B::float_ceil(read(&o.input)),
        F::Trunc(o) => B::float_trunc(read(&o.input)),
        F::IsNan(o) => B::float_is_nan(read(&o.input), frame.bools()),
        F::IsInf(o) => B::float_is_inf(read(&o.input), frame.bools()),
        F::IntoInt(o) => B::float_into_int(read(&o.input), frame.ints()),
        F::Matmul(o) => B::float_matmul(read(&o.lhs), read(&o.rhs)),
        F::Cross(o) => B::float_cross(read(&o.lhs), read(&o.rhs), o.dim),
        F::GridSample2d(o) => {
            B::float_grid_sample_2d(read(&o.tensor), read(&o.grid), o.options.clone().into())
        }
        F::Random(_) | F::Quantize(_) | F::Dequantize(_) => return None,
    })
}
