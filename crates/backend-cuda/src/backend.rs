//! The splitting products on a device of CubeCL.

use burgeon_core::backend::curvature_weights;
use burgeon_core::eigen::KrylovLimits;
use burgeon_core::{Activation, CoreError, Curvature, CurvatureBlock, SiteSpectra, SplitBackend};
use burn::tensor::{DType, Device, Tensor};

use crate::error::DeviceError;
use crate::kernels::Curve;
use crate::runtime::Runtime;
use crate::{krylov, ops};

/// A device of a CubeCL runtime.
///
/// Networks and captures are f32, and so are sums, which these devices have no wider type for;
/// the kernels add up slab by slab, which keeps the rounding of long sums small.
#[derive(Debug, Clone)]
pub struct CubeDevice {
    runtime: Runtime,
    device: Device,
}

impl CubeDevice {
    /// NVIDIA GPU number `index`, from 0.
    ///
    /// # Errors
    /// [`DeviceError`] if the build, the driver, the GPU or the index is missing, or the GPU does
    /// not start.
    pub fn cuda(index: usize) -> Result<Self, DeviceError> {
        Self::open(Runtime::Cuda, index)
    }

    /// Device number `index`, from 0, among those that wgpu finds.
    ///
    /// # Errors
    /// As [`cuda`](Self::cuda).
    pub fn wgpu(index: usize) -> Result<Self, DeviceError> {
        Self::open(Runtime::Wgpu, index)
    }

    /// Device number `index` of `runtime`.
    ///
    /// # Errors
    /// As [`cuda`](Self::cuda).
    pub fn open(runtime: Runtime, index: usize) -> Result<Self, DeviceError> {
        Ok(Self {
            runtime,
            device: runtime.open(index)?,
        })
    }
}

impl SplitBackend for CubeDevice {
    fn name(&self) -> &'static str {
        self.runtime.name()
    }

    fn device(&self) -> Device {
        self.device.clone()
    }

    fn supports(&self, dtype: DType) -> bool {
        dtype == DType::F32
    }

    fn accumulation_dtype(&self) -> DType {
        DType::F32
    }

    fn curvature_weights(
        &self,
        activation: Activation,
        z: Tensor<2>,
        gradient: Tensor<2>,
        scale: Option<Tensor<1>>,
    ) -> Tensor<2> {
        if !ops::fits(&z) {
            return curvature_weights(activation, z, gradient, scale);
        }
        let ones = || Tensor::ones([z.dims()[1]], (&z.device(), z.dtype()));
        let scale = scale.unwrap_or_else(ones);
        ops::curvature_weights(z, gradient, scale, Curve::of(activation))
    }

    fn krylov_spectra(
        &self,
        curvature: &Curvature,
        limits: &KrylovLimits,
    ) -> Option<Result<SiteSpectra, CoreError>> {
        let rows: Vec<_> = curvature
            .iter_blocks()
            .map(|block| self.rows(block, DType::F32))
            .collect();
        rows.iter()
            .all(|(x, w)| ops::fits(x) && ops::fits(w))
            .then(|| krylov::spectra(&self.device, curvature, &rows, limits))
    }

    fn splitting_matrices(&self, block: &CurvatureBlock, dtype: DType) -> Tensor<3> {
        let (rows, weights) = self.rows(block, dtype);
        let [m, d] = [block.neurons(), block.dim()];
        if ops::fits(&rows) && u32::try_from(m * d * d).is_ok() {
            return ops::weighted_gram(rows, weights);
        }
        // Neuron by neuron through Burn's products.
        let [sets, n, d] = rows.dims();
        let matrix = |j: usize| {
            let set = if sets == 1 { 0 } else { j };
            let x = rows.clone().narrow(0, set, 1).reshape([n, d]);
            let w = weights.clone().narrow(1, j, 1);
            (x.clone() * w).transpose().matmul(x).unsqueeze_dim::<3>(0)
        };
        Tensor::cat((0..m).map(matrix).collect(), 0)
    }

    fn splitting_products(&self, block: &CurvatureBlock, directions: Tensor<2>) -> Tensor<2> {
        let (rows, weights) = self.rows(block, directions.dtype());
        ops::products(rows, weights, directions)
    }
}

impl CubeDevice {
    /// A block's fan-in rows `[1 or M, n, d]` and weights `[n, M]` in `dtype`.
    fn rows(&self, block: &CurvatureBlock, dtype: DType) -> (Tensor<3>, Tensor<2>) {
        let rows = self.fan_in_rows(block, dtype);
        (rows, block.weights.clone().cast(dtype))
    }
}
