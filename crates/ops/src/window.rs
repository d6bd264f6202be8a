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
            let span = self.dilation[i] * (self.kernel[i] - 1) + 1;
            let padded = size[i] + self.padding[i][0] + self.padding[i][1];
            match padded.checked_sub(span) {
                Some(room) => room / self.stride[i] + 1,
                None => 0,
            }
        })
    }

    /// Taps per input channel.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}
