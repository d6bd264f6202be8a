//! Splitting on Burn's ndarray backend.

use burgeon_core::{CurvatureBlock, SplitBackend};
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

    fn splitting_matrices(&self, block: &CurvatureBlock, dtype: DType) -> Tensor<3> {
        burgeon_kernels::splitting_matrices(block, dtype)
    }

    fn splitting_products(&self, block: &CurvatureBlock, directions: Tensor<2>) -> Tensor<2> {
        burgeon_kernels::splitting_products(block, directions)
    }
}
