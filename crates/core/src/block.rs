//! What was captured of a site, batch by batch, as plain data.

use burgeon_ops::Window;
use burn::tensor::Tensor;

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
/// The weights are `W = g ∘ σ″(z) ∘ c²`, `g` normalised as the loss
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
