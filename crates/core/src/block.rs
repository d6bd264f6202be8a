//! What was captured of a site, batch by batch, as plain data.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

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

    /// The shape that the weights must have.
    pub(crate) fn expected_weights(&self) -> [usize; 2] {
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

/// Whether every entry is a number.
pub fn is_finite<const D: usize>(tensor: Tensor<D>) -> bool {
    // One pass where all is well: a sum with an entry that is no number is none. It may be none
    // otherwise too, by overflow.
    let sum = tensor.clone().sum().try_into_scalar::<f64>();
    sum.is_ok_and(f64::is_finite) || tensor.is_finite().all().into_scalar::<bool>()
}
