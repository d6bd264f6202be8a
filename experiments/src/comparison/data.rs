//! Data sets as comparisons train on them.

use burgeon_data::{DataSet, ImageSet, Images, load};
use burgeon_nn::{AnyInput, AnySource, CrossEntropy, NnError, Samples, Source};
use burgeon_train::Task;
use burn::tensor::{Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::net::Shape;
use super::recipe::Data;
use crate::error::ExperimentError;
use crate::studies::images::samples;
use crate::study::UnitContext;

/// The samples of a unit.
pub(super) struct Sets {
    train: Samples<Tensor<4>>,
    augmented: bool,
    pub held: Samples<AnyInput>,
    pub test: Samples<AnyInput>,
    pub shape: Shape,
}

impl Sets {
    /// Reads and splits what `data` says; `seed` draws what is held and what trains.
    ///
    /// # Errors
    /// [`ExperimentError::Data`] for a set that is not there,
    /// [`ExperimentError::Settings`] for a side that images cannot be averaged to.
    pub fn of(data: &Data, seed: u64, context: &UnitContext) -> Result<Self, ExperimentError> {
        let set = load(DataSet::named(&data.set)?, &context.settings.data)?;
        let set = prepared(set, data.side, data.standardised)?;
        let device = context.backend.device();
        let samples = |images: &Images| samples(images, set.classes, &device);
        let (mut train, held) = samples(&set.train)?.split_off(data.held, seed)?;
        if let Some(count) = data.samples {
            train = train.sample(count, seed);
        }
        Ok(Self {
            train,
            augmented: data.augmented,
            held: held.into_any(),
            test: samples(&set.test)?.into_any(),
            shape: Shape {
                input: set.train.shape,
                classes: set.classes,
            },
        })
    }

    /// Number of training samples.
    pub fn count(&self) -> usize {
        self.train.len()
    }

    /// What a run trains on and is judged on while it goes.
    pub fn task(&self) -> Task<AnyInput> {
        let train = self.train.clone();
        let source: Box<dyn Source<Tensor<4>>> = match self.augmented {
            true => Box::new(train.with_augmentation(shifted_and_mirrored)),
            false => Box::new(train),
        };
        Task::new(CrossEntropy, AnySource::new(source), self.held.clone())
    }
}

/// The images averaged to `side` rows and columns, each channel with mean 0 and deviation 1 over the
/// training images, as far as it is asked for.
///
/// # Errors
/// [`ExperimentError::Settings`] for a side that images cannot be averaged to.
pub(crate) fn prepared(
    mut set: ImageSet,
    side: Option<usize>,
    standardised: bool,
) -> Result<ImageSet, ExperimentError> {
    if let Some(side) = side {
        set.train = averaged(&set.train, side)?;
        set.test = averaged(&set.test, side)?;
    }
    if standardised {
        let channels = moments(&set.train);
        standardise(&mut set.train, &channels);
        standardise(&mut set.test, &channels);
    }
    Ok(set)
}

/// The images with squares of pixels replaced by their means.
fn averaged(images: &Images, side: usize) -> Result<Images, ExperimentError> {
    let [channels, height, width] = images.shape;
    if side == 0 || height % side != 0 || height != width {
        return Err(ExperimentError::Settings(format!(
            "images of {height}×{width} cannot be averaged to {side}×{side}: give a divisor"
        )));
    }
    let factor = height / side;
    let mut pixels = Vec::with_capacity(images.len() * channels * side * side);
    for map in images.pixels.chunks(height * width) {
        for (row, column) in (0..side).flat_map(|row| (0..side).map(move |column| (row, column))) {
            let lines =
                (row * factor..(row + 1) * factor).map(|line| line * width + column * factor);
            let sum: f32 = lines
                .map(|from| map[from..from + factor].iter().sum::<f32>())
                .sum();
            pixels.push(sum / (factor * factor) as f32);
        }
    }
    Ok(Images {
        shape: [channels, side, side],
        pixels,
        labels: images.labels.clone(),
    })
}

/// Mean and deviation of each channel.
fn moments(images: &Images) -> Vec<(f64, f64)> {
    let [channels, height, width] = images.shape;
    let size = height * width;
    let of = |channel: usize| {
        let maps = images.pixels.chunks(size).skip(channel).step_by(channels);
        let numbers = (images.len() * size) as f64;
        let sum = |f: &dyn Fn(f64) -> f64| -> f64 {
            let sums = maps
                .clone()
                .map(|map| map.iter().map(|v| f(f64::from(*v))).sum::<f64>());
            sums.sum::<f64>() / numbers
        };
        let mean = sum(&|value| value);
        (mean, sum(&|value| (value - mean) * (value - mean)).sqrt())
    };
    (0..channels).map(of).collect()
}

fn standardise(images: &mut Images, channels: &[(f64, f64)]) {
    let [_, height, width] = images.shape;
    let maps = images.pixels.chunks_mut(height * width);
    for (map, (mean, deviation)) in maps.zip(channels.iter().cycle()) {
        for value in map {
            *value = ((f64::from(*value) - mean) / deviation.max(f64::MIN_POSITIVE)) as f32;
        }
    }
}

/// Each image shifted by up to an eighth of its side, with zeros where it was not, and mirrored or
/// not.
fn shifted_and_mirrored(
    batch: Samples<Tensor<4>>,
    seed: u64,
) -> Result<Samples<Tensor<4>>, NnError> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let inputs = batch.inputs().clone();
    let (shape, device) = (inputs.dims(), inputs.device());
    let [count, channels, height, width] = shape;
    let pixels: Vec<f32> = inputs.into_data().iter().collect();
    let most = (height.max(width) / 8) as i32;
    let mut changed = vec![0.0; pixels.len()];
    let size = channels * height * width;
    for index in 0..count {
        let [down, right] = [0; 2].map(|_: usize| random.random_range(-most..=most) as isize);
        let mirrored = random.random::<bool>();
        let (from, to) = (&pixels[index * size..], &mut changed[index * size..]);
        for channel in 0..channels {
            for row in 0..height {
                let Some(source) = row.checked_add_signed(-down).filter(|row| *row < height) else {
                    continue;
                };
                for column in 0..width {
                    let moved = column.checked_add_signed(-right);
                    let Some(moved) = moved.filter(|column| *column < width) else {
                        continue;
                    };
                    let moved = if mirrored { width - 1 - moved } else { moved };
                    let line = channel * height;
                    to[(line + row) * width + column] = from[(line + source) * width + moved];
                }
            }
        }
    }
    let inputs = Tensor::from_data(TensorData::new(changed, shape), &device);
    batch.with_inputs(inputs, |values| values)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn images(shape: [usize; 3], pixels: Vec<f32>) -> Images {
        let labels = vec![0; pixels.len() / shape.iter().product::<usize>()];
        Images {
            shape,
            pixels,
            labels,
        }
    }

    #[test]
    fn images_are_averaged_by_squares() -> Result<(), ExperimentError> {
        let pixels = (0..32).map(|value| value as f32).collect();
        let small = averaged(&images([2, 4, 4], pixels), 2)?;
        assert_eq!(small.shape, [2, 2, 2]);
        assert_eq!(small.pixels, [2.5, 4.5, 10.5, 12.5, 18.5, 20.5, 26.5, 28.5]);
        let error = averaged(&images([1, 4, 4], vec![0.0; 16]), 3).unwrap_err();
        assert!(error.to_string().contains("divisor"), "{error}");
        Ok(())
    }

    #[test]
    fn each_channel_is_standardised_by_the_training_images() {
        let mut train = images([2, 1, 2], vec![0.0, 2.0, 10.0, 10.0, 4.0, 2.0, 14.0, 14.0]);
        let channels = moments(&train);
        assert_eq!(channels, [(2.0, 2.0_f64.sqrt()), (12.0, 2.0)]);
        standardise(&mut train, &channels);
        assert_eq!(train.pixels[2], -1.0);
        for (mean, deviation) in moments(&train) {
            assert!(mean.abs() < 1e-6 && (deviation - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn augmented_images_are_shifted_and_mirrored_by_the_seed_alone() -> Result<(), ExperimentError>
    {
        let device = Device::flex();
        let pixels: Vec<f32> = (1..=64).cycle().take(64 * 20).map(|v| v as f32).collect();
        let plain = samples(&images([1, 8, 8], pixels), 2, &device)?;
        let read = |samples: &Samples<Tensor<4>>| -> Vec<f32> {
            samples.inputs().clone().into_data().iter().collect()
        };
        let once = read(&shifted_and_mirrored(plain.clone(), 3)?);
        assert_eq!(once, read(&shifted_and_mirrored(plain.clone(), 3)?));
        assert_ne!(once, read(&shifted_and_mirrored(plain, 4)?));
        let own = |image: &[f32], down: isize, right: isize, mirrored: bool| {
            (0..8).all(|row: isize| {
                (0..8).all(|column: isize| {
                    let (from, at) = (row - down, column - right);
                    let inside = (0..8).contains(&from) && (0..8).contains(&at);
                    let at = if mirrored { 7 - at } else { at };
                    let expected = if inside {
                        (from * 8 + at + 1) as f32
                    } else {
                        0.0
                    };
                    image[(row * 8 + column) as usize] == expected
                })
            })
        };
        let mut kinds = std::collections::BTreeSet::new();
        for image in once.chunks(64) {
            let steps = (-1..=1).flat_map(|down| (-1..=1).map(move |right| (down, right)));
            let mut found = steps
                .flat_map(|(down, right)| [false, true].map(|mirrored| (down, right, mirrored)));
            let kind = found.find(|(down, right, mirrored)| own(image, *down, *right, *mirrored));
            kinds.insert(kind.expect("an image that is no shift of the original"));
        }
        assert!(kinds.len() > 5, "{kinds:?}");
        Ok(())
    }
}
