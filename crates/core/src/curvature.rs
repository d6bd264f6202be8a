//! The splitting matrices of a site as a linear operator.

use burn::tensor::{DType, Tensor, TensorData};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::backend::SplitBackend;
use crate::error::CoreError;

/// The window a convolution slides over its input, `[height, width]` each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Kernel size.
    pub kernel: [usize; 2],
    /// Step between output positions.
    pub stride: [usize; 2],
    /// Zeros put `[before, after]` the input, per direction.
    pub padding: [[usize; 2]; 2],
    /// Step between the taps of the kernel.
    pub dilation: [usize; 2],
}

impl Window {
    /// Output size for an input of `size` = `[height, width]`; zero where the
    /// dilated kernel does not fit.
    pub fn output_size(&self, size: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|i| {
            let steps = || {
                let room = self.padded(size, i)?.checked_sub(self.span(i)?)?;
                room.checked_div(self.stride[i])
            };
            steps().map_or(0, |steps| steps + 1)
        })
    }

    /// Checks that the window slides over an input of `size` = `[height, width]` and reads some of
    /// it at each place.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] that names what is out of range.
    pub fn check(&self, size: [usize; 2]) -> Result<(), CoreError> {
        let refused = |name, value: usize, expected| {
            Err(CoreError::Parameter {
                name,
                value: value.to_string(),
                expected,
            })
        };
        for i in [0, 1] {
            let (Some(span), Some(padded)) = (self.span(i), self.padded(size, i)) else {
                let expected = "at least 1, and small enough to count with";
                return refused("kernel size", self.kernel[i], expected);
            };
            let padding = self.padding[i][0].max(self.padding[i][1]);
            if padding >= span {
                let expected = "less than the kernel, which else reads padding only";
                return refused("padding", padding, expected);
            }
            if span > padded {
                return refused("kernel size", self.kernel[i], "at most the padded input's");
            }
            if self.stride[i] == 0 || self.stride[i] > padded {
                let expected = "from 1 to the padded input's size";
                return refused("stride", self.stride[i], expected);
            }
        }
        Ok(())
    }

    /// Positions that the dilated kernel spans; `None` for a kernel or dilation of 0, or one
    /// beyond all numbers.
    fn span(&self, axis: usize) -> Option<usize> {
        let steps = self.kernel[axis].checked_sub(1)?;
        let dilation = self.dilation[axis];
        (dilation > 0).then_some(())?;
        steps.checked_mul(dilation)?.checked_add(1)
    }

    /// The padded input's size.
    fn padded(&self, size: [usize; 2], axis: usize) -> Option<usize> {
        let [before, after] = self.padding[axis];
        size[axis].checked_add(before)?.checked_add(after)
    }

    /// Taps per input channel.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}

/// What a site's neurons read, as it was captured.
#[derive(Debug, Clone)]
pub enum SiteInput {
    /// Rows `[n, d_in]` of a linear layer; every neuron reads all columns.
    Rows(Tensor<2>),
    /// Maps `[b, c, h, w]` of a convolution; every neuron reads the patch
    /// `c·kh·kw` of each output position.
    Maps(Tensor<4>, Window),
    /// Maps `[b, M, h, w]` of a depthwise convolution; neuron j reads the patch
    /// `kh·kw` of channel j only.
    ChannelMaps(Tensor<4>, Window),
}

/// One batch of a site's curvature: `S_j = Σ_rows W_rj · x̃_rj x̃_rjᵀ`.
///
/// The weights are `W = g ∘ σ″(z) ∘ c²` (MATH §1), `g` normalised as the loss
/// is, so that the matrices of several blocks add up.
#[derive(Debug, Clone)]
pub struct CurvatureBlock {
    /// The captured input.
    pub input: SiteInput,
    /// Whether a constant 1 is the last entry of every neuron's input.
    pub bias: bool,
    /// Curvature weights `[n, M]`, `n` = rows, or samples × positions in the
    /// order of `[b, h', w']`.
    pub weights: Tensor<2>,
}

impl CurvatureBlock {
    /// Dimension d of a neuron's fan-in, bias included.
    pub fn dim(&self) -> usize {
        let fan_in = match &self.input {
            SiteInput::Rows(x) => x.dims()[1],
            SiteInput::Maps(x, window) => x.dims()[1] * window.taps(),
            SiteInput::ChannelMaps(_, window) => window.taps(),
        };
        fan_in + usize::from(self.bias)
    }

    /// Number of neurons M.
    pub fn neurons(&self) -> usize {
        self.weights.dims()[1]
    }

    /// Numbers that the block holds, in bytes.
    pub fn bytes(&self) -> usize {
        let (input, dtype) = match &self.input {
            SiteInput::Rows(x) => (x.shape().num_elements(), x.dtype()),
            SiteInput::Maps(x, _) | SiteInput::ChannelMaps(x, _) => {
                (x.shape().num_elements(), x.dtype())
            }
        };
        let weights = self.weights.shape().num_elements();
        input * dtype.size() + weights * self.weights.dtype().size()
    }

    /// The rows of all `blocks` in one block; blocks of maps stay as they are. Products of few
    /// large blocks take less than those of many small ones.
    pub fn joined(blocks: Vec<Self>) -> Vec<Self> {
        let rows = |block: &Self| match &block.input {
            SiteInput::Rows(x) => Some(x.clone()),
            SiteInput::Maps(..) | SiteInput::ChannelMaps(..) => None,
        };
        let inputs: Option<Vec<_>> = blocks.iter().map(rows).collect();
        match (inputs, blocks.first().map(|block| block.bias)) {
            (Some(inputs), Some(bias)) if inputs.len() > 1 => {
                let weights = blocks.into_iter().map(|block| block.weights).collect();
                vec![Self {
                    input: SiteInput::Rows(Tensor::cat(inputs, 0)),
                    bias,
                    weights: Tensor::cat(weights, 0),
                }]
            }
            _ => blocks,
        }
    }

    fn expected_weights(&self) -> [usize; 2] {
        match &self.input {
            SiteInput::Rows(x) => [x.dims()[0], self.neurons()],
            SiteInput::Maps(x, window) => {
                let [b, _, h, w] = x.dims();
                let [oh, ow] = window.output_size([h, w]);
                [b * oh * ow, self.neurons()]
            }
            SiteInput::ChannelMaps(x, window) => {
                let [b, c, h, w] = x.dims();
                let [oh, ow] = window.output_size([h, w]);
                [b * oh * ow, c]
            }
        }
    }
}

/// The splitting matrices `S_j`, j < M, of one site, as an operator.
///
/// Nothing is computed until [`dense`](Self::dense) or [`apply`](Self::apply)
/// asks for it, and each keeps at most one block's patches at a time.
#[derive(Debug, Clone)]
pub struct Curvature {
    site: String,
    blocks: Vec<CurvatureBlock>,
    neurons: usize,
    dim: usize,
}

impl Curvature {
    /// Collects the blocks of `site`.
    ///
    /// # Errors
    /// [`CoreError::EmptyCapture`] without a row, [`CoreError::Shape`] where blocks
    /// disagree, [`CoreError::NonFinite`] for NaN or an infinity.
    pub fn new(site: impl Into<String>, blocks: Vec<CurvatureBlock>) -> Result<Self, CoreError> {
        let site = site.into();
        let Some(first) = blocks.first() else {
            return Err(CoreError::EmptyCapture { site });
        };
        let (neurons, dim) = (first.neurons(), first.dim());
        if blocks.iter().all(|block| block.weights.dims()[0] == 0) || neurons == 0 {
            return Err(CoreError::EmptyCapture { site });
        }
        for block in &blocks {
            let found = [block.weights.dims()[0], block.neurons(), block.dim()];
            let [rows, columns] = block.expected_weights();
            if found != [rows, columns, dim] || block.neurons() != neurons {
                return Err(CoreError::Shape {
                    what: format!("site `{site}`: curvature weights and fan-in [n, M, d]"),
                    expected: vec![rows, neurons, dim],
                    found: found.to_vec(),
                });
            }
            let finite = match &block.input {
                SiteInput::Rows(x) => is_finite(x.clone()),
                SiteInput::Maps(x, _) | SiteInput::ChannelMaps(x, _) => is_finite(x.clone()),
            };
            if !finite {
                let quantity = "the captured input";
                return Err(CoreError::NonFinite { site, quantity });
            }
            if !is_finite(block.weights.clone()) {
                let quantity = "the captured gradient times σ″";
                return Err(CoreError::NonFinite { site, quantity });
            }
        }
        Ok(Self {
            site,
            blocks,
            neurons,
            dim,
        })
    }

    /// The site's name.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// Number of neurons M.
    pub fn neurons(&self) -> usize {
        self.neurons
    }

    /// Fan-in dimension d, bias included.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Rows of all blocks.
    pub fn rows(&self) -> usize {
        self.blocks
            .iter()
            .map(|block| block.weights.dims()[0])
            .sum()
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Numbers that the blocks hold, in bytes.
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(CurvatureBlock::bytes).sum()
    }

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
        let (m, d) = (self.neurons, self.dim);
        let mut sums = vec![DMatrix::<f64>::zeros(d, d); m];
        for block in &self.blocks {
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
                    site: self.site.clone(),
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
        let mut sum = DMatrix::<f64>::zeros(self.dim, self.neurons);
        for block in 0..self.blocks.len() {
            sum += self.apply_block(backend, block, directions, dtype)?;
        }
        Ok(sum)
    }

    /// The blocks whose sum the operator is.
    pub fn iter_blocks(&self) -> impl Iterator<Item = &CurvatureBlock> {
        self.blocks.iter()
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
        if directions.shape() != (self.dim, self.neurons) {
            return Err(CoreError::Shape {
                what: format!("site `{}`: directions", self.site),
                expected: vec![self.dim, self.neurons],
                found: vec![directions.nrows(), directions.ncols()],
            });
        }
        match self.blocks.get(block) {
            Some(block) => block_products(backend, &self.site, block, directions, dtype),
            None => Ok(DMatrix::zeros(self.dim, self.neurons)),
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

/// Whether every entry is a number.
pub fn is_finite<const D: usize>(tensor: Tensor<D>) -> bool {
    // One pass where all is well: a sum with an entry that is no number is none. It may be none
    // otherwise too, by overflow.
    let sum = tensor.clone().sum().try_into_scalar::<f64>();
    sum.is_ok_and(f64::is_finite) || tensor.is_finite().all().into_scalar::<bool>()
}

pub(crate) fn read_f64<const D: usize>(
    tensor: Tensor<D>,
    what: &str,
) -> Result<Vec<f64>, CoreError> {
    tensor
        .try_into_vec_as::<f64>()
        .map_err(|error| CoreError::Read {
            what: what.to_owned(),
            reason: error.to_string(),
        })
}
