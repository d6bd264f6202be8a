//! A block of curvature in slices.

use burgeon_core::{CurvatureBlock, SiteInput};
use burgeon_ops::host::with_slice;
use burgeon_ops::real::Real;
use burn::tensor::DType;

use crate::fan_in::FanIn;

/// A [`CurvatureBlock`] whose values are of type `S`.
pub(crate) struct Site<'a, S> {
    pub input: FanIn<'a, S>,
    /// `[n, M]`.
    pub weights: &'a [S],
    pub neurons: usize,
    /// Fan-in dimension, bias included.
    pub dim: usize,
    pub bias: bool,
    /// Whether neuron j reads channel j only.
    pub channel_wise: bool,
}

impl<'a, S> Site<'a, S> {
    fn new(block: &CurvatureBlock, input: FanIn<'a, S>, weights: &'a [S]) -> Self {
        Self {
            input,
            weights,
            neurons: block.neurons(),
            dim: block.dim(),
            bias: block.bias,
            channel_wise: matches!(block.input, SiteInput::ChannelMaps(..)),
        }
    }

    /// Fan-in dimension without the bias.
    pub fn fan_in(&self) -> usize {
        self.dim - usize::from(self.bias)
    }
}

/// The type that holds the input and the weights of `block` without loss.
pub(crate) fn stored_type(block: &CurvatureBlock) -> DType {
    let input = match &block.input {
        SiteInput::Rows(x) => x.dtype(),
        SiteInput::Maps(x, _) | SiteInput::ChannelMaps(x, _) => x.dtype(),
    };
    match (input, block.weights.dtype()) {
        (DType::F64, _) | (_, DType::F64) => DType::F64,
        _ => DType::F32,
    }
}

/// Runs `work` on `block` in slices.
pub(crate) fn with_site<S: Real, R>(
    block: &CurvatureBlock,
    work: impl FnOnce(&Site<'_, S>) -> R,
) -> R {
    with_slice(block.weights.clone(), |weights: &[S]| match &block.input {
        SiteInput::Rows(x) => {
            let columns = x.dims()[1];
            with_slice(x.clone(), |values| {
                work(&Site::new(block, FanIn::Rows { values, columns }, weights))
            })
        }
        SiteInput::Maps(x, window) | SiteInput::ChannelMaps(x, window) => {
            let (shape, window) = (x.dims(), *window);
            with_slice(x.clone(), |values| {
                let input = FanIn::Maps {
                    values,
                    shape,
                    window,
                };
                work(&Site::new(block, input, weights))
            })
        }
    })
}
