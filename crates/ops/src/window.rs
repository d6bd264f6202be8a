//! What a convolution or a pooling reads at each output position.

use burn::nn::PaddingConfig2d;
use serde::{Deserialize, Serialize};

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

/// A window that does not slide over an input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} = {value} is out of range: {expected}")]
pub struct WindowError {
    /// What is out of range.
    pub name: &'static str,
    /// Its value.
    pub value: usize,
    /// What would be accepted.
    pub expected: &'static str,
}

impl Window {
    /// The window of a kernel with the padding that `padding` means for an input of `size` =
    /// `[height, width]`. As Burn does it, [`PaddingConfig2d::Same`] counts with the undilated
    /// kernel and puts the odd zero at the end.
    pub fn padded(
        kernel: [usize; 2],
        stride: [usize; 2],
        dilation: [usize; 2],
        padding: &PaddingConfig2d,
        size: [usize; 2],
    ) -> Self {
        let padding = match padding {
            PaddingConfig2d::Valid => [[0; 2]; 2],
            PaddingConfig2d::Explicit(top, left, bottom, right) => {
                [[*top, *bottom], [*left, *right]]
            }
            PaddingConfig2d::Same => [0, 1].map(|i| {
                let output = size[i].div_ceil(stride[i]);
                let needed = (output.max(1) - 1) * stride[i] + kernel[i];
                let total = needed.saturating_sub(size[i]);
                [total / 2, total - total / 2]
            }),
        };
        Self {
            kernel,
            stride,
            padding,
            dilation,
        }
    }

    /// Output size for an input of `size` = `[height, width]`; zero where the
    /// dilated kernel does not fit.
    pub fn output_size(&self, size: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|i| {
            let steps = || {
                let room = self.padded_size(size, i)?.checked_sub(self.span(i)?)?;
                room.checked_div(self.stride[i])
            };
            steps().map_or(0, |steps| steps + 1)
        })
    }

    /// Checks that the window slides over an input of `size` = `[height, width]` and reads some of
    /// it at each place.
    ///
    /// # Errors
    /// [`WindowError`] that names what is out of range.
    pub fn check(&self, size: [usize; 2]) -> Result<(), WindowError> {
        let refused = |name, value: usize, expected| {
            Err(WindowError {
                name,
                value,
                expected,
            })
        };
        for i in [0, 1] {
            let (Some(span), Some(padded)) = (self.span(i), self.padded_size(size, i)) else {
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
    fn padded_size(&self, size: [usize; 2], axis: usize) -> Option<usize> {
        let [before, after] = self.padding[axis];
        size[axis].checked_add(before)?.checked_add(after)
    }

    /// Taps per input channel.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}
