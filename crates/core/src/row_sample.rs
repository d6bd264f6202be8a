//! A part of a site's rows, drawn by what they contribute.

use burgeon_ops::Window;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng, RngExt};

use crate::block::{CurvatureBlock, SiteInput};

/// Rows drawn without replacement from all rows of a site: samples, or samples and
/// positions.
#[derive(Debug, Clone, PartialEq)]
pub struct RowSample {
    rows: Vec<usize>,
    /// What the weights of each row are to be multiplied with.
    factors: Vec<f64>,
}

impl RowSample {
    /// About `count` rows in their order, each drawn with a probability π in proportion to
    /// its size, and with certainty where that would be above 1. Weights are multiplied with
    /// 1/π, so expected sums are those over all rows (Horvitz and Thompson, 1952).
    ///
    /// `None` where no row would be left out, and where a size is negative or the sum of all is
    /// not finite.
    pub fn by_size(sizes: &[f64], count: usize, rng: &mut impl Rng) -> Option<Self> {
        let (total, [smallest, mut largest]) = sum_and_ends(sizes);
        if !total.is_finite() || smallest < 0.0 || count == 0 || sizes.len() <= count {
            return None;
        }
        // The largest are certain, until the others' probabilities are not above 1. Each that is
        // lowers the bound for the next.
        let mut is_certain = vec![false; sizes.len()];
        let mut rest = total;
        let mut left = count as f64;
        while left > 0.0 && left * largest >= rest {
            let (before, bound) = (left, rest);
            largest = 0.0;
            for (size, certain) in sizes.iter().zip(&mut is_certain) {
                if *certain {
                    continue;
                }
                if left > 0.0 && before * size >= bound {
                    *certain = true;
                    rest -= size;
                    left -= 1.0;
                } else {
                    largest = f64::max(largest, *size);
                }
            }
        }
        let share = if left > 0.0 { left / rest } else { 0.0 };
        // Systematic sampling: every whole number that the sum of the probabilities passes.
        let mut sum: f64 = rng.random();
        let mut next = 1.0;
        let (mut rows, mut factors) = (Vec::new(), Vec::new());
        for (row, (size, is_certain)) in sizes.iter().zip(is_certain).enumerate() {
            if is_certain {
                rows.push(row);
                factors.push(1.0);
                continue;
            }
            let probability = share * size;
            sum += probability;
            if sum >= next {
                rows.push(row);
                factors.push(1.0 / probability);
                next = sum.floor() + 1.0;
            }
        }
        Some(Self { rows, factors })
    }

    /// The rows.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// What the weights of each row are to be multiplied with.
    pub fn factors(&self) -> &[f64] {
        &self.factors
    }

    /// These rows of `x` `[n, k]`: `[count, k]`.
    pub fn of_rows(&self, x: Tensor<2>) -> Tensor<2> {
        let rows = indices(self.rows.iter().copied(), self.rows.len(), &x.device());
        x.select(0, rows)
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

/// The sum of `values`, the smallest and the largest, in several parts side by side.
fn sum_and_ends(values: &[f64]) -> (f64, [f64; 2]) {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (mut low, mut high) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
    for part in values.chunks(LANES) {
        for (i, &value) in part.iter().enumerate() {
            sums[i] += value;
            low[i] = if value < low[i] { value } else { low[i] };
            high[i] = if value > high[i] { value } else { high[i] };
        }
    }
    let smallest = low.into_iter().fold(f64::INFINITY, f64::min);
    let largest = high.into_iter().fold(f64::NEG_INFINITY, f64::max);
    (sums.iter().sum(), [smallest, largest])
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
    /// The rows of `sample`; positions of a convolution become rows of patches. A depthwise
    /// block stays whole: its products cost little, and a row of it would be M patches.
    #[must_use]
    pub fn sampled(self, sample: &RowSample) -> Self {
        let Some(input) = self.input.sampled(sample) else {
            return self;
        };
        self.of_sample(input, sample)
    }

    /// The block of `input`, which holds the rows of `sample` only.
    #[must_use]
    pub fn of_sample(self, input: SiteInput, sample: &RowSample) -> Self {
        let (device, dtype) = (self.weights.device(), self.weights.dtype());
        let factors = TensorData::new(sample.factors.clone(), [sample.rows.len(), 1]);
        let factors = Tensor::from_data(factors.convert_dtype(dtype), (&device, dtype));
        Self {
            input,
            bias: self.bias,
            weights: sample.of_rows(self.weights) * factors,
        }
    }
}

impl SiteInput {
    /// The rows of `sample`; nothing for a depthwise convolution.
    fn sampled(&self, sample: &RowSample) -> Option<Self> {
        match self {
            Self::Rows(x) => Some(Self::Rows(sample.of_rows(x.clone()))),
            Self::Maps(x, window) => Some(Self::Rows(sample.of_patches(x.clone(), window))),
            Self::ChannelMaps(..) => None,
        }
    }
}
