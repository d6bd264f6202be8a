//! What a convolution or a pooling reads at each output position.

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
