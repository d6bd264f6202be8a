//! What a site's curvature does to vectors, computed on a backend.

use burn::tensor::{DType, Tensor, TensorData};
use nalgebra::DMatrix;

use crate::backend::SplitBackend;
use crate::block::CurvatureBlock;
use crate::curvature::Curvature;
use crate::error::CoreError;

impl Curvature {
    /// All splitting matrices, M of `d × d` (`Xᵀ diag(W_:j) X`), each block's computed in
    /// `dtype`, their sum in f64.
    ///
    /// # Errors
    /// [`CoreError::Read`] if the device fails, [`CoreError::NonFinite`] if a
    /// sum overflows.
    pub fn dense<B: SplitBackend + ?Sized>(
        &self,
        backend: &B,
        dtype: DType,
    ) -> Result<Vec<DMatrix<f64>>, CoreError> {
        let (m, d) = (self.neurons(), self.dim());
        let mut sums = vec![DMatrix::<f64>::zeros(d, d); m];
        for block in self.iter_blocks() {
            let matrices = backend.splitting_matrices(block, dtype);
            let values = read_f64(matrices, "splitting matrices")?;
            for (sum, part) in sums.iter_mut().zip(values.chunks_exact(d * d)) {
                for (to, from) in sum.as_mut_slice().iter_mut().zip(part) {
                    *to += from;
                }
            }
        }
        for sum in &mut sums {
            // Rounding may differ across the diagonal; the solver wants symmetry.
            *sum = (sum.transpose() + &*sum) * 0.5;
            if sum.iter().any(|value| !value.is_finite()) {
                return Err(CoreError::NonFinite {
                    site: self.site().to_owned(),
                    quantity: "a splitting matrix",
                });
            }
        }
        Ok(sums)
    }

    /// The products `S_j v_j` for the columns `v_j` of `directions` `[d, M]`, without
    /// building any `S_j`: `(W ∘ (X Vᵀ))ᵀ X`, each block's computed in `dtype`.
    ///
    /// # Errors
    /// [`CoreError::Shape`] if `directions` is not `[d, M]`, [`CoreError::Read`]
    /// if the device fails, [`CoreError::NonFinite`] if a sum overflows.
    pub fn apply<B: SplitBackend + ?Sized>(
        &self,
        backend: &B,
        directions: &DMatrix<f64>,
        dtype: DType,
    ) -> Result<DMatrix<f64>, CoreError> {
        let mut sum = DMatrix::<f64>::zeros(self.dim(), self.neurons());
        for block in 0..self.blocks() {
            sum += self.apply_block(backend, block, directions, dtype)?;
        }
        Ok(sum)
    }

    /// One block's part of [`apply`](Self::apply); 0 for a block that is not there.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_block<B: SplitBackend + ?Sized>(
        &self,
        backend: &B,
        block: usize,
        directions: &DMatrix<f64>,
        dtype: DType,
    ) -> Result<DMatrix<f64>, CoreError> {
        if directions.shape() != (self.dim(), self.neurons()) {
            return Err(CoreError::Shape {
                what: format!("site `{}`: directions", self.site()),
                expected: vec![self.dim(), self.neurons()],
                found: vec![directions.nrows(), directions.ncols()],
            });
        }
        match self.iter_blocks().nth(block) {
            Some(block) => block_products(backend, self.site(), block, directions, dtype),
            None => Ok(DMatrix::zeros(self.dim(), self.neurons())),
        }
    }
}

/// The products of one block of `site`, `[d, M]`, for the columns of `directions` `[d, M]`,
/// computed in `dtype`, or in f64 where the block is.
///
/// # Errors
/// [`CoreError::Read`] if the device fails, [`CoreError::NonFinite`] if a sum overflows.
pub fn block_products<B: SplitBackend + ?Sized>(
    backend: &B,
    site: &str,
    block: &CurvatureBlock,
    directions: &DMatrix<f64>,
    dtype: DType,
) -> Result<DMatrix<f64>, CoreError> {
    let (d, m) = directions.shape();
    // nalgebra stores a neuron's column as the tensor stores its row.
    let rows = TensorData::new(directions.as_slice().to_vec(), [m, d]);
    let dtype = match block.weights.dtype() {
        DType::F64 => DType::F64,
        _ => dtype,
    };
    let v = Tensor::<2>::from_data(rows, (&block.weights.device(), dtype));
    let products = read_f64(backend.splitting_products(block, v), "splitting products")?;
    if products.iter().any(|value| !value.is_finite()) {
        return Err(CoreError::NonFinite {
            site: site.to_owned(),
            quantity: "a splitting product",
        });
    }
    Ok(DMatrix::from_vec(d, m, products))
}

fn read_f64<const D: usize>(tensor: Tensor<D>, what: &str) -> Result<Vec<f64>, CoreError> {
    tensor
        .try_into_vec_as::<f64>()
        .map_err(|error| CoreError::Read {
            what: what.to_owned(),
            reason: error.to_string(),
        })
}
