//! Splitting on Burn's flex backend.

use burgeon_core::{CurvatureBlock, SplitBackend};
use burn::tensor::{DType, Device, Tensor};

/// The CPU through `burn-flex`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flex;

impl SplitBackend for Flex {
    fn name(&self) -> &'static str {
        "flex"
    }

    fn device(&self) -> Device {
        Device::flex()
    }

    fn splitting_matrices(&self, block: &CurvatureBlock, dtype: DType) -> Tensor<3> {
        burgeon_kernels::splitting_matrices(block, dtype)
    }

    fn splitting_products(&self, block: &CurvatureBlock, directions: Tensor<2>) -> Tensor<2> {
        burgeon_kernels::splitting_products(block, directions)
    }
}
