//! A random part of a block's rows.

use burn::tensor::{Int, Tensor, TensorData, s};
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::curvature::{CurvatureBlock, SiteInput, Window};

impl CurvatureBlock {
    /// `count` rows drawn without replacement, their weights multiplied by n/count, so that the
    /// expected splitting matrices stay the same; all rows where there are no more. Positions of
    /// a convolution become rows of patches. A depthwise block stays whole: its products cost
    /// little, and a row of it would be M patches.
    #[must_use]
    pub fn sampled(self, count: usize, rng: &mut ChaCha8Rng) -> Self {
        let total = self.weights.dims()[0];
        if total <= count || count == 0 || matches!(self.input, SiteInput::ChannelMaps(..)) {
            return self;
        }
        let mut rows = index::sample(rng, total, count).into_vec();
        rows.sort_unstable();
        let device = self.weights.device();
        let indices = |rows: Vec<usize>| {
            let count = rows.len();
            let rows: Vec<i64> = rows.into_iter().map(|row| row as i64).collect();
            Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), &device)
        };
        let weights = self.weights.select(0, indices(rows.clone()));
        let input = match self.input {
            SiteInput::Rows(x) => x.select(0, indices(rows)),
            SiteInput::Maps(x, window) | SiteInput::ChannelMaps(x, window) => {
                let [_, c, ..] = x.dims();
                let (lines, places) = padded_lines(x, &window, &rows);
                lines
                    .select(0, indices(places))
                    .reshape([count, window.taps(), c])
                    .swap_dims(1, 2)
                    .reshape([count, c * window.taps()])
            }
        };
        Self {
            input: SiteInput::Rows(input),
            bias: self.bias,
            weights: weights.mul_scalar(total as f64 / count as f64),
        }
    }
}

/// The padded maps as one line of channels for each pixel, and the line that every tap of
/// every row of `rows` reads.
fn padded_lines(maps: Tensor<4>, window: &Window, rows: &[usize]) -> (Tensor<2>, Vec<usize>) {
    let [b, c, h, w] = maps.dims();
    let [oh, ow] = window.output_size([h, w]);
    let [[top, bottom], [left, right]] = window.padding;
    let [height, width] = [top + h + bottom, left + w + right];
    let options = (&maps.device(), maps.dtype());
    let lines = Tensor::<4>::zeros([b, height, width, c], options)
        .slice_assign(
            s![.., top..top + h, left..left + w, ..],
            maps.permute([0, 2, 3, 1]),
        )
        .reshape([b * height * width, c]);
    let mut places = Vec::with_capacity(rows.len() * window.taps());
    for row in rows {
        let (sample, y, x) = (row / (oh * ow), row / ow % oh, row % ow);
        for ky in 0..window.kernel[0] {
            for kx in 0..window.kernel[1] {
                let y = y * window.stride[0] + ky * window.dilation[0];
                let x = x * window.stride[1] + kx * window.dilation[1];
                places.push((sample * height + y) * width + x);
            }
        }
    }
    (lines, places)
}
