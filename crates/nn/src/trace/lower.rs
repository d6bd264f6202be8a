//! Burn's recorded operations in the words of the graph.

use burgeon_graph::Operation;
use burn::backend::ir::{
    ActivationOperationIr, BaseOperationIr, BoolOperationIr, FloatOperationIr, IntOperationIr,
    ModuleOperationIr, NumericOperationIr, OperationIr, TensorIr,
};
use burn::tensor::Slice;

/// What a recorded operation does to channels, and its operands in the order of
/// [`Operation`].
pub(super) fn lower(operation: &OperationIr) -> (Operation, Vec<&TensorIr>) {
    let all = || operation.inputs().collect::<Vec<_>>();
    match operation {
        OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) => {
            lower_base(base).unwrap_or_else(|| (Operation::Opaque, all()))
        }
        OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) => {
            (lower_numeric(numeric), all())
        }
        OperationIr::Float(_, float) => match float {
            FloatOperationIr::Matmul(o) => (Operation::MatMul, vec![&o.lhs, &o.rhs]),
            FloatOperationIr::Cross(_)
            | FloatOperationIr::Random(_)
            | FloatOperationIr::Quantize(_)
            | FloatOperationIr::Dequantize(_)
            | FloatOperationIr::GridSample2d(_) => (Operation::Opaque, all()),
            _ => (POINTWISE, all()),
        },
        OperationIr::Int(int) => match int {
            IntOperationIr::Matmul(o) => (Operation::MatMul, vec![&o.lhs, &o.rhs]),
            _ => (POINTWISE, all()),
        },
        OperationIr::Bool(
            BoolOperationIr::IntoFloat(_)
            | BoolOperationIr::IntoInt(_)
            | BoolOperationIr::Not(_)
            | BoolOperationIr::And(_)
            | BoolOperationIr::Or(_)
            | BoolOperationIr::Xor(_),
        ) => (POINTWISE, all()),
        OperationIr::Activation(activation) => match activation {
            ActivationOperationIr::Softmax(o)
            | ActivationOperationIr::LogSoftmax(o)
            | ActivationOperationIr::Softmin(o) => {
                (Operation::Coupling { axis: o.axis }, vec![&o.input])
            }
            ActivationOperationIr::PRelu(o) => (prelu(&o.lhs, &o.rhs), vec![&o.lhs, &o.rhs]),
            _ => (POINTWISE, all()),
        },
        OperationIr::Module(module) => {
            lower_module(module).unwrap_or_else(|| (Operation::Opaque, all()))
        }
        _ => (Operation::Opaque, all()),
    }
}

const POINTWISE: Operation = Operation::Elementwise { adds: false };

/// Slopes of a PReLU lie along axis 1, as a normalisation's parameters do; a single one, or those
/// of rows, are broadcast.
fn prelu(x: &TensorIr, slopes: &TensorIr) -> Operation {
    match x.shape.len() > 2 && slopes.shape.len() == 1 && slopes.shape[0] > 1 {
        true => Operation::ChannelNorm,
        false => POINTWISE,
    }
}

fn ranges(slices: &[Slice], whole: &TensorIr) -> Vec<(usize, usize, usize)> {
    let of_axis = |(axis, &length): (usize, &usize)| {
        let Some(slice) = slices.get(axis) else {
            return (0, length, 1);
        };
        let range = slice.to_range(length);
        let step = usize::try_from(slice.step).unwrap_or(0);
        // A reversed axis is cut through, whatever its step.
        (
            range.start,
            range.end,
            if step == 0 { usize::MAX } else { step },
        )
    };
    whole.shape.iter().enumerate().map(of_axis).collect()
}

fn lower_base(base: &BaseOperationIr) -> Option<(Operation, Vec<&TensorIr>)> {
    Some(match base {
        BaseOperationIr::Reshape(o) => (Operation::Reshape, vec![&o.input]),
        BaseOperationIr::SwapDims(o) => {
            let mut axes: Vec<usize> = (0..o.input.shape.len()).collect();
            axes.swap(o.dim1, o.dim2);
            (Operation::Permute { axes }, vec![&o.input])
        }
        BaseOperationIr::Permute(o) => {
            let axes = o.axes.clone();
            (Operation::Permute { axes }, vec![&o.input])
        }
        BaseOperationIr::Flip(o) => {
            let axes = o.axes.clone();
            (Operation::Resize { axes }, vec![&o.input])
        }
        BaseOperationIr::Expand(o) => (Operation::Expand, vec![&o.input]),
        BaseOperationIr::Slice(o) => {
            let ranges = ranges(&o.ranges, &o.tensor);
            (Operation::Slice { ranges }, vec![&o.tensor])
        }
        BaseOperationIr::SliceAssign(o) => {
            let ranges = ranges(&o.ranges, &o.tensor);
            (Operation::SliceAssign { ranges }, vec![&o.tensor, &o.value])
        }
        BaseOperationIr::Select(o) => (
            Operation::Select { axis: o.dim },
            vec![&o.tensor, &o.indices],
        ),
        BaseOperationIr::MaskWhere(o) => (POINTWISE, vec![&o.tensor, &o.mask, &o.value]),
        BaseOperationIr::MaskFill(o) => (POINTWISE, vec![&o.tensor, &o.mask]),
        BaseOperationIr::Equal(o) | BaseOperationIr::NotEqual(o) => {
            (POINTWISE, vec![&o.lhs, &o.rhs])
        }
        BaseOperationIr::EqualElem(o) => (POINTWISE, vec![&o.lhs]),
        BaseOperationIr::RepeatDim(o) => {
            let (axis, times) = (o.dim, o.times);
            (Operation::Repeat { axis, times }, vec![&o.tensor])
        }
        BaseOperationIr::Cat(o) => (
            Operation::Concatenate { axis: o.dim },
            o.tensors.iter().collect(),
        ),
        BaseOperationIr::Cast(o) => (POINTWISE, vec![&o.input]),
        BaseOperationIr::Empty(_) | BaseOperationIr::Zeros(_) | BaseOperationIr::Ones(_) => {
            (Operation::Fill, Vec::new())
        }
        _ => return None,
    })
}

fn lower_numeric(numeric: &NumericOperationIr) -> Operation {
    use NumericOperationIr as N;
    let every = |t: &TensorIr| Operation::Resize {
        axes: (0..t.shape.len()).collect(),
    };
    match numeric {
        N::Add(_) | N::Sub(_) => Operation::Elementwise { adds: true },
        N::Full(_) => Operation::Fill,
        N::MeanDim(o)
        | N::SumDim(o)
        | N::ProdDim(o)
        | N::MaxDim(o)
        | N::MinDim(o)
        | N::MaxAbsDim(o)
        | N::ArgMax(o)
        | N::ArgMin(o) => Operation::Resize { axes: vec![o.axis] },
        N::SumDims(o) => Operation::Resize {
            axes: o.axes.clone(),
        },
        N::CumSum(o) | N::CumProd(o) | N::CumMin(o) | N::CumMax(o) => {
            Operation::Coupling { axis: o.axis }
        }
        N::Pad(o) => {
            let rank = o.input.shape.len();
            let padded = o.padding.iter().enumerate();
            let axes = padded.filter(|(_, sides)| **sides != (0, 0));
            Operation::Resize {
                axes: axes.map(|(axis, _)| axis).filter(|&a| a < rank).collect(),
            }
        }
        N::Mean(o) | N::Sum(o) | N::Prod(o) | N::Max(o) | N::Min(o) | N::MaxAbs(o) => {
            every(&o.input)
        }
        N::ArgTopK(_)
        | N::TopK(_)
        | N::TopKWithIndices(_)
        | N::Sort(_)
        | N::SortWithIndices(_)
        | N::ArgSort(_)
        | N::MaxDimWithIndices(_)
        | N::MinDimWithIndices(_)
        | N::IntRandom(_) => Operation::Opaque,
        _ => POINTWISE,
    }
}

fn lower_module(module: &ModuleOperationIr) -> Option<(Operation, Vec<&TensorIr>)> {
    use ModuleOperationIr as M;
    fn with<'a>(
        x: &'a TensorIr,
        weight: &'a TensorIr,
        bias: &'a Option<TensorIr>,
    ) -> Vec<&'a TensorIr> {
        [x, weight].into_iter().chain(bias.as_ref()).collect()
    }
    let convolution = |groups, stride: &[usize]| Operation::Convolution {
        groups,
        stride: stride.to_vec(),
        transposed: false,
    };
    let transposed = |groups, stride: &[usize]| Operation::Convolution {
        groups,
        stride: stride.to_vec(),
        transposed: true,
    };
    let spatial = |x: &TensorIr| Operation::Resize {
        axes: (2..x.shape.len()).collect(),
    };
    Some(match module {
        M::Linear(o) => (Operation::Linear, with(&o.x, &o.weight, &o.bias)),
        M::Conv1d(o) => (
            convolution(o.options.groups, &o.options.stride),
            with(&o.x, &o.weight, &o.bias),
        ),
        M::Conv2d(o) => (
            convolution(o.options.groups, &o.options.stride),
            with(&o.x, &o.weight, &o.bias),
        ),
        M::Conv3d(o) => (
            convolution(o.options.groups, &o.options.stride),
            with(&o.x, &o.weight, &o.bias),
        ),
        M::ConvTranspose1d(o) => (
            transposed(o.options.groups, &o.options.stride),
            with(&o.x, &o.weight, &o.bias),
        ),
        M::ConvTranspose2d(o) => (
            transposed(o.options.groups, &o.options.stride),
            with(&o.x, &o.weight, &o.bias),
        ),
        M::ConvTranspose3d(o) => (
            transposed(o.options.groups, &o.options.stride),
            with(&o.x, &o.weight, &o.bias),
        ),
        M::BatchNorm(o) => (
            Operation::ChannelNorm,
            vec![&o.x, &o.gamma, &o.beta, &o.mean, &o.variance],
        ),
        M::LayerNorm(o) => {
            let axis = o.input.shape.len().saturating_sub(1);
            let mut operands = vec![&o.input, &o.gamma];
            operands.extend(&o.beta);
            (Operation::Coupling { axis }, operands)
        }
        M::Embedding(o) => (Operation::Embedding, vec![&o.weights, &o.indices]),
        M::MaxPool1d(o) => (spatial(&o.x), vec![&o.x]),
        M::MaxPool2d(o) => (spatial(&o.x), vec![&o.x]),
        M::AvgPool1d(o) => (spatial(&o.x), vec![&o.x]),
        M::AvgPool2d(o) => (spatial(&o.x), vec![&o.x]),
        M::AdaptiveAvgPool1d(o) => (spatial(&o.x), vec![&o.x]),
        M::AdaptiveAvgPool2d(o) => (spatial(&o.x), vec![&o.x]),
        M::AdaptiveAvgPool3d(o) => (spatial(&o.x), vec![&o.x]),
        M::Interpolate(o) => (spatial(&o.x), vec![&o.x]),
        _ => return None,
    })
}
