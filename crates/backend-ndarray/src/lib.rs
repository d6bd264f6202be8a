//! Splitting on Burn's ndarray backend.

use burgeon_core::{Activation, CurvatureBlock, RowSample, SplitBackend};
use burn::tensor::{DType, Device, Tensor};

/// The CPU through `burn-ndarray`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NdArray;

impl SplitBackend for NdArray {
    fn name(&self) -> &'static str {
        "ndarray"
    }

    // Upstream deprecates the backend in favour of flex; this crate exists to offer it.
    #[expect(deprecated, reason = "this crate is the ndarray backend")]
    fn device(&self) -> Device {
        Device::ndarray()
    }

    fn curvature_weights(
        &self,
        activation: Activation,
        z: Tensor<2>,
        gradient: Tensor<2>,
        scale: Option<Tensor<1>>,
    ) -> Tensor<2> {
        burgeon_kernels::curvature_weights(activation, z, gradient, scale)
    }

    fn curvature_weights_of_maps(
        &self,
        activation: Activation,
        z: Tensor<4>,
        gradient: Tensor<4>,
        scale: Option<Tensor<1>>,
    ) -> Tensor<2> {
        burgeon_kernels::curvature_weights_of_maps(activation, z, gradient, scale)
    }

    fn row_sizes(&self, block: &CurvatureBlock) -> Tensor<1> {
        burgeon_kernels::row_sizes(block)
    }

    fn sampled(&self, block: CurvatureBlock, sample: &RowSample) -> CurvatureBlock {
        burgeon_kernels::sampled(block, sample)
    }

    fn splitting_matrices(&self, block: &CurvatureBlock, dtype: DType) -> Tensor<3> {
        burgeon_kernels::splitting_matrices(block, dtype)
    }

    fn splitting_products(&self, block: &CurvatureBlock, directions: Tensor<2>) -> Tensor<2> {
        burgeon_kernels::splitting_products(block, directions)
    }
}
