//! Splitting on one of Burn's CPU backends.

use burgeon_core::{Activation, CurvatureBlock, RowSample, SplitBackend};
use burn::tensor::{DType, Device, Tensor};

use crate::curvature_weights::{curvature_weights, curvature_weights_of_maps};
use crate::grams::splitting_matrices;
use crate::products::splitting_products;
use crate::row_sample::{row_sizes, sampled};

/// Splitting on a device whose tensors lie in the host's memory. A backend crate is one constant
/// of this type.
#[derive(Debug, Clone, Copy)]
pub struct HostBackend {
    name: &'static str,
    device: fn() -> Device,
}

impl HostBackend {
    /// The backend of that name on the command line, whose tensors live on `device`.
    pub const fn new(name: &'static str, device: fn() -> Device) -> Self {
        Self { name, device }
    }
}

impl SplitBackend for HostBackend {
    fn name(&self) -> &'static str {
        self.name
    }

    fn device(&self) -> Device {
        (self.device)()
    }

    fn curvature_weights(
        &self,
        activation: Activation,
        z: Tensor<2>,
        gradient: Tensor<2>,
        scale: Option<Tensor<1>>,
    ) -> Tensor<2> {
        curvature_weights(activation, z, gradient, scale)
    }

    fn curvature_weights_of_maps(
        &self,
        activation: Activation,
        z: Tensor<4>,
        gradient: Tensor<4>,
        scale: Option<Tensor<1>>,
    ) -> Tensor<2> {
        curvature_weights_of_maps(activation, z, gradient, scale)
    }

    fn row_sizes(&self, block: &CurvatureBlock) -> Tensor<1> {
        row_sizes(block)
    }

    fn sampled(&self, block: CurvatureBlock, sample: &RowSample) -> CurvatureBlock {
        sampled(block, sample)
    }

    fn splitting_matrices(&self, block: &CurvatureBlock, dtype: DType) -> Tensor<3> {
        splitting_matrices(block, dtype)
    }

    fn splitting_products(&self, block: &CurvatureBlock, directions: Tensor<2>) -> Tensor<2> {
        splitting_products(block, directions)
    }
}
