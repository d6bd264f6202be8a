//! A random part of a site's rows.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::curvature::{CurvatureBlock, SiteInput, Window};

/// Rows drawn without replacement from all rows of a site: samples, or samples and
/// positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSample {
    rows: Vec<usize>,
    total: usize,
}

impl RowSample {
    /// `count` of `total` rows in their order; nothing where there are no more than that.
    pub fn draw(total: usize, count: usize, rng: &mut ChaCha8Rng) -> Option<Self> {
        if total <= count || count == 0 {
            return None;
        }
        let mut rows = index::sample(rng, total, count).into_vec();
        rows.sort_unstable();
        Some(Self { rows, total })
    }

    /// What the weights of the rows are to be multiplied with, so that expected sums are
    /// those over all rows: n/count.
    pub fn factor(&self) -> f64 {
        self.total as f64 / self.rows.len() as f64
    }

    /// These rows of `x` `[n, k]`: `[count, k]`.
    pub fn of_rows(&self, x: Tensor<2>) -> Tensor<2> {
        let rows = indices(self.rows.iter().copied(), self.rows.len(), &x.device());
        x.select(0, rows)
    }

    /// What maps `[b, c, h, w]` hold at these rows, each a sample and a position: `[count, c]`.
    pub fn of_maps(&self, maps: Tensor<4>) -> Tensor<2> {
        let [_, c, h, w] = maps.dims();
        let plane = h * w;
        let places = self.rows.iter().flat_map(|row| {
            let start = row / plane * c * plane + row % plane;
            (0..c).map(move |channel| start + channel * plane)
        });
        let count = self.rows.len();
        gather(maps, places, count * c).reshape([count, c])
    }

    /// The patches `[count, c·kh·kw]` that `window` reads from maps `[b, c, h, w]` at these
    /// rows, each a sample and an output position.
    pub fn of_patches(&self, maps: Tensor<4>, window: &Window) -> Tensor<2> {
        let [_, c, h, w] = maps.dims();
        let [oh, ow] = window.output_size([h, w]);
        let [[top, _], [left, _]] = window.padding;
        let size = self.rows.len() * c * window.taps();
        let (device, dtype) = (maps.device(), maps.dtype());
        let mut places = Vec::with_capacity(size);
        // Padding is read from the first place, and multiplied by 0.
        let mut inside = Vec::with_capacity(size);
        for row in &self.rows {
            let (sample, y, x) = (row / (oh * ow), row / ow % oh, row % ow);
            for channel in 0..c {
                for ky in 0..window.kernel[0] {
                    let y = (y * window.stride[0] + ky * window.dilation[0]).checked_sub(top);
                    let y = y.filter(|y| *y < h);
                    for kx in 0..window.kernel[1] {
                        let x = (x * window.stride[1] + kx * window.dilation[1]).checked_sub(left);
                        let place = y
                            .zip(x.filter(|x| *x < w))
                            .map(|(y, x)| ((sample * c + channel) * h + y) * w + x);
                        inside.push(f32::from(u8::from(place.is_some())));
                        places.push(place.unwrap_or(0));
                    }
                }
            }
        }
        let values = gather(maps, places, size);
        let inside = Tensor::<1>::from_data(TensorData::new(inside, [size]), (&device, dtype));
        (values * inside).reshape([self.rows.len(), c * window.taps()])
    }
}

fn gather(maps: Tensor<4>, places: impl IntoIterator<Item = usize>, count: usize) -> Tensor<1> {
    let places = indices(places, count, &maps.device());
    maps.flatten::<1>(0, 3).select(0, places)
}

fn indices(
    places: impl IntoIterator<Item = usize>,
    count: usize,
    device: &Device,
) -> Tensor<1, Int> {
    let places: Vec<i64> = places.into_iter().map(|place| place as i64).collect();
    Tensor::from_data(TensorData::new(places, [count]), device)
}

impl CurvatureBlock {
    /// `count` rows drawn without replacement, their weights multiplied by n/count, so that the
    /// expected splitting matrices stay the same; all rows where there are no more. Positions of
    /// a convolution become rows of patches. A depthwise block stays whole: its products cost
    /// little, and a row of it would be M patches.
    #[must_use]
    pub fn sampled(self, count: usize, rng: &mut ChaCha8Rng) -> Self {
        let Some(sample) = RowSample::draw(self.weights.dims()[0], count, rng) else {
            return self;
        };
        let Some(input) = self.input.sampled(&sample) else {
            return self;
        };
        Self {
            input,
            bias: self.bias,
            weights: sample.of_rows(self.weights).mul_scalar(sample.factor()),
        }
    }
}

impl SiteInput {
    /// The rows of `sample`; nothing for a depthwise convolution.
    pub fn sampled(&self, sample: &RowSample) -> Option<Self> {
        match self {
            Self::Rows(x) => Some(Self::Rows(sample.of_rows(x.clone()))),
            Self::Maps(x, window) => Some(Self::Rows(sample.of_patches(x.clone(), window))),
            Self::ChannelMaps(..) => None,
        }
    }
}
