//! The kernels on Burn's tensors.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;

use crate::kernels::{self, Curve};

/// Whether the kernels take a tensor.
pub(crate) fn fits<const D: usize>(tensor: &Tensor<D>) -> bool {
    kernels::fits(tensor.dtype(), tensor.shape().num_elements())
}

/// [`kernels::curvature_weights`].
pub(crate) fn curvature_weights(
    z: Tensor<2>,
    gradient: Tensor<2>,
    scale: Tensor<1>,
    curve: (Curve, f32),
) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::splitting_weights(
        z.into_dispatch(),
        gradient.into_dispatch(),
        scale.into_dispatch(),
        curve,
    ))
}

/// [`kernels::weighted_gram`].
pub(crate) fn weighted_gram(rows: Tensor<3>, weights: Tensor<2>) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::splitting_gram(
        rows.into_dispatch(),
        weights.into_dispatch(),
    ))
}

/// `S_j v_j` for rows `[1 or M, n, d]`, weights `[n, M]` and directions `[M, d]`.
pub(crate) fn products(rows: Tensor<3>, weights: Tensor<2>, directions: Tensor<2>) -> Tensor<2> {
    let [sets, n, d] = rows.dims();
    if sets == 1 {
        let x = rows.reshape([n, d]);
        if fits(&x) && fits(&weights) {
            return weighted_products(x, weights, directions);
        }
        let along = x.clone().matmul(directions.transpose());
        return (weights * along).transpose().matmul(x);
    }
    // A depthwise filter has rows of its own, and few entries: the batched products are small.
    let along = rows.clone().matmul(directions.unsqueeze_dim::<3>(2));
    let along = weights.transpose() * along.squeeze_dim::<2>(2);
    along.unsqueeze_dim::<3>(1).matmul(rows).squeeze_dim(1)
}

/// `(W ∘ (X Vᵀ))ᵀ X`, `[M, d]`, by [`kernels::weighted_products`].
pub(crate) fn weighted_products(
    x: Tensor<2>,
    weights: Tensor<2>,
    directions: Tensor<2>,
) -> Tensor<2> {
    let parts: Tensor<3> = Tensor::from_dispatch(Dispatch::splitting_parts(
        x.into_dispatch(),
        weights.into_dispatch(),
        directions.into_dispatch(),
    ));
    parts.sum_dim(0).squeeze_dim(0)
}

/// [`kernels::symmetric_eigen`].
pub(crate) fn symmetric_eigen(matrices: Tensor<3>) -> (Tensor<2>, Tensor<3>) {
    let (values, vectors) = Dispatch::splitting_eigen(matrices.into_dispatch());
    (
        Tensor::from_dispatch(values),
        Tensor::from_dispatch(vectors),
    )
}

/// The kernels; called through the functions above.
#[backend_extension(Cube)]
trait SplittingOps: Backend {
    fn splitting_weights(
        z: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        curve: (Curve, f32),
    ) -> FloatTensor<Self>;

    fn splitting_gram(rows: FloatTensor<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self>;

    fn splitting_parts(
        x: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        directions: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    fn splitting_eigen(matrices: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>);
}

impl SplittingOps for CubeBackend {
    fn splitting_weights(
        z: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        curve: (Curve, f32),
    ) -> FloatTensor<Self> {
        kernels::curvature_weights(z, gradient, scale, curve)
    }

    fn splitting_gram(rows: FloatTensor<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self> {
        kernels::weighted_gram(rows, weights)
    }

    fn splitting_parts(
        x: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        directions: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        kernels::weighted_products(x, weights, directions)
    }

    fn splitting_eigen(matrices: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        kernels::symmetric_eigen(matrices)
    }
}
