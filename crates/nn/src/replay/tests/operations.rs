//! Functions of one operation or few.

use burn::tensor::ops::PadMode;
use burn::tensor::{IndexingUpdateOp, Int, Tensor, activation, s};

use super::{Named, constant, indices};

/// On `[n, 6]`.
#[rustfmt::skip]
pub(super) const ROWS: &[Named<2>] = &[
    ("add", |x| constant(&x, [1, 6]) + x),
    ("sub", |x| constant(&x, [1, 6]) - x),
    ("mul", |x| constant(&x, [1, 6]) * x),
    ("div", |x| constant(&x, [1, 6]) / x),
    ("square of itself", |x| x.clone() * x),
    ("remainder", |x| { let y = constant(&x, [1, 6]); x.remainder(y + 0.01) }),
    ("powi", |x| { let y = constant(&x, [1, 6]).floor(); x.powi(y) }),
    ("powf", |x| { let y = constant(&x, [1, 6]); x.abs().powf(y) }),
    ("hypot", |x| { let y = constant(&x, [1, 6]); x.hypot(y) }),
    ("atan2", |x| { let y = constant(&x, [1, 6]); x.atan2(y) }),
    ("scalars", |x| ((x + 0.3) * 1.7 - 0.1) / 0.9),
    ("remainder_scalar", |x| x.remainder_scalar(0.7)),
    ("powi_scalar", |x| x.powi_scalar(3)),
    ("powf_scalar", |x| x.abs().powf_scalar(1.3)),
    ("clamp", |x| x.clamp(-0.7, 1.1)),
    ("clamp_min", |x| x.clamp_min(-0.7)),
    ("clamp_max", |x| x.clamp_max(0.7)),
    ("neg", |x| -x),
    ("abs", |x| x.abs()),
    ("sign", |x| x.sign()),
    ("recip", |x| x.recip()),
    ("exp", |x| x.exp()),
    ("log", |x| x.abs().log()),
    ("log1p", |x| x.abs().log1p()),
    ("erf", |x| x.erf()),
    ("sqrt", |x| x.abs().sqrt()),
    ("sin", |x| x.sin()),
    ("cos", |x| x.cos()),
    ("tan", |x| x.tan()),
    ("asin", |x| (x * 0.5).asin()),
    ("acos", |x| (x * 0.5).acos()),
    ("atan", |x| x.atan()),
    ("sinh", |x| x.sinh()),
    ("cosh", |x| x.cosh()),
    ("tanh", |x| x.tanh()),
    ("asinh", |x| x.asinh()),
    ("acosh", |x| (x.abs() + 1.0).acosh()),
    ("atanh", |x| (x * 0.4).atanh()),
    ("round", |x| (x * 3.3).round()),
    ("floor", |x| x.floor()),
    ("ceil", |x| x.ceil()),
    ("trunc", |x| x.trunc()),
    ("matmul", |x| { let w = constant(&x, [6, 3]); x.matmul(w) }),
    ("cross", |x| { let y = x.clone().flip([1]).reshape([-1, 3]); x.reshape([-1, 3]).cross(y, 1) }),
    ("is_nan", |x| x.log().is_nan().float()),
    ("is_inf", |x| (x.abs() / 0.0).is_inf().float()),
    ("greater", |x| { let y = x.clone().flip([1]); x.greater(y).float() }),
    ("greater_equal", |x| { let y = x.clone().flip([1]); x.greater_equal(y).float() }),
    ("lower", |x| { let y = x.clone().flip([1]); x.lower(y).float() }),
    ("lower_equal", |x| { let y = x.clone().flip([1]); x.lower_equal(y).float() }),
    ("equal", |x| { let y = x.clone().abs(); x.equal(y).float() }),
    ("not_equal", |x| { let y = x.clone().abs(); x.not_equal(y).float() }),
    ("greater_elem", |x| x.greater_elem(0.5).float()),
    ("greater_equal_elem", |x| x.greater_equal_elem(0.5).float()),
    ("lower_elem", |x| x.lower_elem(0.5).float()),
    ("lower_equal_elem", |x| x.lower_equal_elem(0.5).float()),
    ("equal_elem", |x| x.floor().equal_elem(1.0).float()),
    ("not_equal_elem", |x| x.floor().not_equal_elem(1.0).float()),
    ("sum", |x| x.sum().reshape([1, 1])),
    ("mean", |x| x.mean().reshape([1, 1])),
    ("prod", |x| x.prod().reshape([1, 1])),
    ("max", |x| x.max().reshape([1, 1])),
    ("min", |x| x.min().reshape([1, 1])),
    ("max_abs", |x| x.max_abs().reshape([1, 1])),
    ("sum_dim", |x| x.sum_dim(1)),
    ("sum_dims", |x| x.sum_dims(&[0, 1])),
    ("mean_dim", |x| x.mean_dim(1)),
    ("mean over the batch", |x| x.mean_dim(0)),
    ("prod_dim", |x| x.prod_dim(1)),
    ("max_dim", |x| x.max_dim(1)),
    ("min_dim", |x| x.min_dim(1)),
    ("max_abs_dim", |x| x.max_abs_dim(1)),
    ("argmax", |x| x.argmax(1).float()),
    ("argmin", |x| x.argmin(1).float()),
    ("topk", |x| x.topk(2, 1)),
    ("argtopk", |x| x.argtopk(2, 1).float()),
    ("cumsum", |x| x.cumsum(1)),
    ("cumprod", |x| x.cumprod(1)),
    ("cummin", |x| x.cummin(1)),
    ("cummax", |x| x.cummax(1)),
    ("sort", |x| x.sort_descending(1)),
    ("argsort", |x| x.argsort(1).float()),
    ("pad", |x| x.pad((1, 2, 0, 1), PadMode::Constant(0.3))),
    ("pad by reflection", |x| x.pad((1, 2, 0, 0), PadMode::Reflect)),
    ("full", |x| x.full_like(0.3) + x),
    ("ones and zeros", |x| x.ones_like() * x.zeros_like() + x),
    ("var", |x| x.var(1)),
    ("relu", activation::relu),
    ("leaky_relu", |x| activation::leaky_relu(x, 0.1)),
    ("prelu", |x| { let slopes = constant(&x, [6]); activation::prelu(x, slopes) }),
    ("gelu", activation::gelu),
    ("gelu_approximate", activation::gelu_approximate),
    ("sigmoid", activation::sigmoid),
    ("hard_sigmoid", |x| activation::hard_sigmoid(x, 0.2, 0.5)),
    ("log_sigmoid", activation::log_sigmoid),
    ("softmax", |x| activation::softmax(x, 1)),
    ("log_softmax", |x| activation::log_softmax(x, 1)),
    ("softmin", |x| activation::softmin(x, 1)),
    ("silu", activation::silu),
    ("mish", activation::mish),
    ("softplus", |x| activation::softplus(x, 1.0)),
    ("elu", |x| activation::elu(x, 1.0)),
    ("selu", activation::selu),
    ("celu", |x| activation::celu(x, 1.3)),
    ("hard_swish", activation::hard_swish),
    ("relu6", activation::relu6),
    ("softsign", activation::softsign),
    ("soft_shrink", |x| activation::soft_shrink(x, 0.5)),
    ("glu", |x| activation::glu(x, 1)),
    ("all and any", |x| {
        let mask = x.greater_elem(0.1);
        let (all, any) = (mask.clone().all(), mask.clone().any());
        let lines = mask.clone().all_dim(1).float() + mask.any_dim(1).float();
        lines + (all.float() + any.float()).reshape([1, 1])
    }),
    ("all and any of floats", |x| {
        let dims = x.clone().all_dim(1).float() + x.clone().any_dim(1).float();
        dims + (x.clone().all().float() + x.any().float()).reshape([1, 1])
    }),
    ("boolean logic", |x| {
        let (a, b) = (x.clone().greater_elem(0.0), x.lower_elem(1.0));
        let either = a.clone().bool_or(b.clone());
        let both = a.clone().bool_and(b.clone());
        a.clone().bool_xor(b.clone()).bool_or(both.bool_not()).equal(either).not_equal(a).float()
            + b.equal_elem(true).int().float()
    }),
    ("boolean shapes", |x| {
        let a = x.greater_elem(0.0).flip([1]).swap_dims(0, 1).permute([1, 0]).repeat_dim(1, 2);
        let cut = a.clone().slice([0..2, 1..4]);
        let a = a.slice_assign([0..2, 2..5], cut);
        let rows = a.clone().any_dim(0).expand(a.dims());
        Tensor::cat(vec![a, rows], 1).float()
    }),
    ("integer arithmetic", |x| {
        let a = (x * 4.0).int();
        let b = a.clone().abs() + 1;
        let c = (a.clone() * b.clone() - a.clone()) / b.clone() + a.clone() % b;
        let c = -(c * 3 - 1) / 2 % 5;
        (c.clone().sign() + c.clone().clamp(-2, 2) + c.clone().clamp_min(0) + c.clamp_max(1)
            + a.powi_scalar(2)).float()
    }),
    ("integer comparisons", |x| {
        let a = (x * 4.0).int();
        let b = a.clone().flip([1]);
        let tensors = a.clone().greater(b.clone()).int() + a.clone().greater_equal(b.clone()).int()
            + a.clone().lower(b.clone()).int() + a.clone().lower_equal(b.clone()).int() * 2
            + a.clone().equal(b.clone()).int() + a.clone().not_equal(b).int();
        let scalars = a.clone().greater_elem(1).int() + a.clone().greater_equal_elem(1).int()
            + a.clone().lower_elem(2).int() + a.clone().lower_equal_elem(2).int()
            + a.clone().equal_elem(0).int() + a.not_equal_elem(0).int();
        (tensors * 10 + scalars).float()
    }),
    ("integer reductions", |x| {
        let a = (x * 4.0).int();
        let dims = a.clone().sum_dim(1) + a.clone().max_dim(1) + a.clone().min_dim(1)
            + a.clone().mean_dim(1) + a.clone().max_abs_dim(1) + a.clone().prod_dim(1);
        let all = a.clone().sum() + a.clone().max() + a.clone().min() + a.clone().max_abs();
        let places = a.clone().argmax(1).float() + a.clone().argmin(1).float()
            + a.clone().argsort(1).float() + a.clone().all_dim(1).float();
        let pairs = a.clone().cumsum(1) + a.clone().cummax(1) + a.clone().cummin(1) + a.sort(1);
        places + (dims + all.reshape([1, 1]) + pairs).float()
    }),
    ("integer shapes", |x| {
        let a = (x * 4.0).int().flip([1]).swap_dims(0, 1).permute([1, 0]).repeat_dim(1, 2);
        let cut = a.clone().slice([0..2, 1..4]);
        let a = a.slice_assign([0..2, 2..5], cut);
        let mask = a.clone().greater_elem(1);
        let a = a.clone().mask_where(mask.clone(), a.clone() * 2).mask_fill(mask.bool_not(), 7);
        let ones = a.ones_like() + a.zeros_like() + a.full_like(3);
        let at = Tensor::<1, Int>::from_ints([3, 0, 2], &a.device());
        let picked = a.clone().select(1, at.clone()).sum_dim(1).float();
        let short = a.clone().cast(burn::tensor::DType::I16).float();
        let picked = picked + a.clone().gather(1, a.clone().argmax(1)).float();
        Tensor::cat(vec![a.clone() + ones, a], 1).float() + short.repeat_dim(1, 2) + picked
    }),
    ("bits", |x| {
        let a = (x * 16.0).int().abs();
        let b = a.clone().flip([1]);
        let pairs = a.clone().bitwise_and(b.clone()) + a.clone().bitwise_or(b.clone())
            + a.clone().bitwise_xor(b);
        let scalars = a.clone().bitwise_and_scalar(5) + a.clone().bitwise_or_scalar(3)
            + a.clone().bitwise_xor_scalar(6) + a.clone().bitwise_left_shift_scalar(2)
            + a.clone().bitwise_right_shift_scalar(1);
        (pairs + scalars + a.bitwise_not()).float()
    }),
    ("positions", |x| {
        let places = Tensor::<1, Int>::arange(0..6, &x.device()).reshape([1, 6]);
        let later = places.clone().reshape([6, 1]).lower(places);
        let dims = [x.dims()[0], 6, 6];
        x.unsqueeze_dim::<3>(1).expand(dims).mask_fill(later.unsqueeze::<3>().expand(dims), 0.25)
            .sum_dim(2).squeeze_dim(2)
    }),
];

/// On `[n, 4, 6, 6]`.
#[rustfmt::skip]
pub(super) const MAPS: &[Named<4>] = &[
    ("reshape", |x| { let n = x.dims()[0]; x.reshape([n, 2, 2, 36]).reshape([2 * n, 2, 6, 6]) }),
    ("swap_dims", |x| x.swap_dims(1, 3)),
    ("permute", |x| x.permute([0, 2, 3, 1])),
    ("flip", |x| x.flip([1, 3])),
    ("expand", |x| { let dims = x.dims(); x.mean_dim(1).expand(dims) }),
    ("repeat_dim", |x| x.repeat_dim(1, 3)),
    ("a row for each of the batch", |x| {
        let row = constant(&x, [1, 4, 6, 6]).repeat_dim(0, x.dims()[0]);
        Tensor::cat(vec![row, x], 1)
    }),
    ("slice", |x| x.slice(s![.., 1..3, ..;2, -3..])),
    ("slice of the batch", |x| { let n = x.dims()[0]; x.slice(s![n - 1.., .., .., ..]) }),
    ("slice_assign", |x| {
        let value = x.clone().slice(s![.., 0..2, .., ..]) * 2.0;
        x.slice_assign(s![.., 1..3, .., ..], value)
    }),
    ("cat", |x| Tensor::cat(vec![x.clone(), x.clone().flip([1]), x], 1)),
    ("select", |x| { let at = indices(&x, &[3, 0, 3], [3]); x.select(1, at) }),
    ("select_assign", |x| {
        let at = indices(&x, &[3, 0, 3], [3]);
        let value = x.clone().slice(s![.., 0..3, .., ..]);
        x.select_assign(1, at, value, IndexingUpdateOp::Add)
    }),
    ("gather", |x| { let at = x.clone().argmax(1); x.gather(1, at) }),
    ("scatter", |x| {
        let (at, value) = (x.clone().argmax(1), x.clone().max_dim(1));
        x.scatter(1, at, value, IndexingUpdateOp::Add)
    }),
    ("gather_nd", |x| {
        let at = indices(&x, &[1, 0, 0, 3], [2, 2]);
        x.gather_nd::<2, 3>(at).reshape([2, 1, 6, 6])
    }),
    ("scatter_nd", |x| {
        let (at, value) = (indices(&x, &[1, 0, 0, 3], [2, 2]), constant(&x, [2, 6, 6]));
        x.scatter_nd(at, value, IndexingUpdateOp::Add)
    }),
    ("mask_where", |x| { let y = x.clone() * 3.0; x.clone().mask_where(x.greater_elem(0.2), y) }),
    ("mask_fill", |x| { let mask = x.clone().lower_elem(0.2); x.mask_fill(mask, 0.3) }),
    ("unfold", |x| { let n = x.dims()[0]; x.unfold::<5, _>(2, 3, 1).reshape([n, 16, 6, 3]) }),
    ("cast", |x| { let kept = x.dtype(); x.cast(burn::tensor::DType::F64).cast(kept) }),
    ("empty filled", |x| { let dims = x.dims(); x.empty_like().slice_assign(
        dims.map(|size| 0..size), x) }),
];
