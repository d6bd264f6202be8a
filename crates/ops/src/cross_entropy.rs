//! The cross entropy of classes as one operation on Burn's tensors, with its gradient.
//!
//! Composed of Burn's own operations it takes several passes, each of which costs more than its
//! arithmetic where outputs are few.

use std::sync::Arc;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, NdArray, TensorMetadata, backend_extension,
};
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Int, Shape, Tensor};
use pulp::{Arch, Simd, WithSimd};

use crate::elementwise::map;
use crate::host::{Host, is_host};
use crate::real::Real;

/// The mean of `−ln softmax(z)_c`, `[1]`, of logits `z` `[n, k]` and classes `c < k` `[n]`: on
/// Burn's CPU devices, in f32 and f64, by one pass of this crate, gradient included; elsewhere by
/// Burn's operations.
///
/// Panics, as Burn's operations do, where a class is not below k or shapes do not fit.
pub fn cross_entropy(logits: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    if !matches!(logits.dtype(), DType::F32 | DType::F64) || !is_host(&logits.device()) {
        return log_softmax(logits, 1)
            .gather(1, classes.unsqueeze_dim::<2>(1))
            .mean()
            .neg();
    }
    let data = classes.into_data();
    let classes = Classes(data.iter::<i64>().map(|class| class as usize).collect());
    Tensor::from_dispatch(Dispatch::mean_cross_entropy(
        logits.into_dispatch(),
        classes,
    ))
}

#[derive(Debug, Clone)]
struct Classes(Arc<[usize]>);

/// The cross entropy on each backend; called through [`cross_entropy`].
#[backend_extension(Autodiff, Flex, NdArray)]
trait CrossEntropyOp: Backend {
    fn mean_cross_entropy(logits: FloatTensor<Self>, classes: Classes) -> FloatTensor<Self>;
}

impl CrossEntropyOp for Flex {
    fn mean_cross_entropy(logits: FloatTensor<Self>, classes: Classes) -> FloatTensor<Self> {
        forward::<Self>(logits, &classes)
    }
}

impl CrossEntropyOp for NdArray {
    fn mean_cross_entropy(logits: FloatTensor<Self>, classes: Classes) -> FloatTensor<Self> {
        forward::<Self>(logits, &classes)
    }
}

impl<B: Host + CrossEntropyOp, C: CheckpointStrategy> CrossEntropyOp for Autodiff<B, C> {
    fn mean_cross_entropy(logits: FloatTensor<Self>, classes: Classes) -> FloatTensor<Self> {
        let output = B::mean_cross_entropy(logits.primitive().clone(), classes.clone());
        let prepared = Residual.prepare::<C>([logits.node()]);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let kept = prepared.checkpoint(&logits);
                prepared.finish((kept, classes), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

/// The gradient: what the softmax has beyond the classes.
#[derive(Debug)]
struct Residual;

impl<B: Host> Backward<B, 1> for Residual {
    type State = (NodeId, Classes);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [parent] = ops.parents;
        let gradient = gradients.consume::<B>(&ops.node);
        let (kept, classes) = ops.state;
        let logits = checkpointer.retrieve_node_output::<FloatTensor<B>>(kept);
        if let Some(parent) = parent {
            let result = match logits.dtype() {
                DType::F64 => backward::<B, f64>(logits, &classes, gradient),
                _ => backward::<B, f32>(logits, &classes, gradient),
            };
            gradients.register::<B>(parent.id, result);
        }
    }
}

fn forward<B: Host>(logits: FloatTensor<B>, classes: &Classes) -> FloatTensor<B> {
    match logits.dtype() {
        DType::F64 => mean::<B, f64>(logits, classes),
        _ => mean::<B, f32>(logits, classes),
    }
}

fn mean<B: Host, T: Real>(logits: FloatTensor<B>, Classes(classes): &Classes) -> FloatTensor<B> {
    let [rows, outputs] = logits.shape().dims();
    let sum = B::read(logits, |logits: &[T]| {
        let powers = Powers::of(logits, outputs);
        let rows = logits.chunks_exact(outputs.max(1)).zip(classes.iter());
        let terms = rows.zip(&powers.largest).zip(&powers.sums);
        terms.fold(0.0, |total, (((logits, class), largest), sum)| {
            total + sum.to_f64().ln() + (*largest - logits[*class]).to_f64()
        })
    });
    B::write(vec![T::from_f64(sum / rows as f64)], Shape::new([1]))
}

fn backward<B: Host, T: Real>(
    logits: FloatTensor<B>,
    Classes(classes): &Classes,
    gradient: FloatTensor<B>,
) -> FloatTensor<B> {
    let shape = logits.shape();
    let [rows, outputs] = shape.dims();
    let gradient = B::read(gradient, |gradient: &[T]| gradient[0]) / T::from_f64(rows as f64);
    let mut values = B::read(logits, |logits: &[T]| {
        let mut powers = Powers::of(logits, outputs);
        let lines = powers.values.chunks_exact_mut(outputs.max(1));
        for (line, sum) in lines.zip(&powers.sums) {
            let factor = gradient / *sum;
            for value in line {
                *value *= factor;
            }
        }
        powers.values
    });
    let lines = values.chunks_exact_mut(outputs.max(1));
    for (line, class) in lines.zip(classes.iter()) {
        line[*class] -= gradient;
    }
    B::write(values, shape)
}

/// `exp(z − max z)` of each row.
struct Powers<T> {
    /// `[n, k]`.
    values: Vec<T>,
    /// The largest logit of each row.
    largest: Vec<T>,
    /// Of each row of `values`.
    sums: Vec<T>,
}

impl<T: Real> Powers<T> {
    fn of(logits: &[T], outputs: usize) -> Self {
        Arch::new().dispatch(Rows { logits, outputs })
    }
}

struct Rows<'a, T> {
    logits: &'a [T],
    outputs: usize,
}

impl<T: Real> WithSimd for Rows<'_, T> {
    type Output = Powers<T>;

    // Compiled for the widest vectors.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Powers<T> {
        let Self { logits, outputs } = self;
        let rows = || logits.chunks_exact(outputs.max(1));
        let larger = |a: T, b: &T| if *b > a { *b } else { a };
        let largest: Vec<T> = rows().map(|row| row.iter().fold(row[0], larger)).collect();
        let mut shifted = Vec::with_capacity(logits.len());
        for (row, largest) in rows().zip(&largest) {
            shifted.extend(row.iter().map(|value| *value - *largest));
        }
        let mut values = vec![T::ZERO; shifted.len()];
        map(&shifted, &mut values, T::exponential);
        let lines = values.chunks_exact(outputs.max(1));
        let sums = lines.map(|line| line.iter().fold(T::ZERO, |sum, value| sum + *value));
        Powers {
            sums: sums.collect(),
            largest,
            values,
        }
    }
}
