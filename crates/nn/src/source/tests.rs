//! Sources draw the same samples, however they are read.

use std::sync::Mutex;

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burn::tensor::{Tensor, TensorData};

use super::*;

/// Numbers from 0 on, with their remainders by 3.
fn numbers(indices: &[usize]) -> Samples<Tensor<2>> {
    let values: Vec<f32> = indices.iter().map(|&index| index as f32).collect();
    let labels: Vec<usize> = indices.iter().map(|index| index % 3).collect();
    let values = Tensor::from_data(TensorData::new(values, [indices.len(), 1]), &FLEX.device());
    Samples::classification(values, &labels, 3, &FLEX.device()).expect("sound")
}

fn in_memory(count: usize) -> Samples<Tensor<2>> {
    numbers(&(0..count).collect::<Vec<_>>())
}

/// Which numbers samples are, whose targets have to be theirs.
fn drawn(samples: &Samples<Tensor<2>>) -> Vec<usize> {
    let values = samples.inputs().clone().into_data();
    let values: Vec<usize> = values.iter::<f32>().map(|value| value as usize).collect();
    let classes = samples.targets().classes().expect("labels").into_data();
    let classes: Vec<i64> = classes.iter::<i64>().collect();
    let expected: Vec<i64> = values.iter().map(|value| (value % 3) as i64).collect();
    assert_eq!(classes, expected, "targets of other samples");
    values
}

fn epoch(source: &dyn Source<Tensor<2>>, size: usize, seed: u64) -> Vec<Vec<usize>> {
    let batches = source.batches(size, seed);
    batches.map(|b| drawn(&b.expect("read"))).collect()
}

fn refused<T>(result: Result<T, NnError>, expected: &str) {
    let Err(error) = result else {
        panic!("`{expected}` is not said");
    };
    let said = error.to_string();
    assert!(matches!(error, NnError::Data(_)), "{said}");
    assert!(said.contains(expected), "`{said}` is not `{expected}`");
}

/// Reads numbers when they are drawn, and notes how many at once.
struct Streamed(usize, Mutex<Vec<usize>>);

impl Streamed {
    fn new(count: usize) -> Self {
        Self(count, Mutex::default())
    }
}

impl Source<Tensor<2>> for Streamed {
    fn len(&self) -> usize {
        self.0
    }

    fn subset(&self, indices: &[usize]) -> Result<Samples<Tensor<2>>, NnError> {
        self.1.lock().expect("sound").push(indices.len());
        Ok(numbers(indices))
    }
}

#[test]
fn samples_in_memory_are_drawn_in_the_order_of_their_seed() {
    let samples = in_memory(9);
    let source: Box<dyn Source<Tensor<2>>> = Box::new(samples.clone());
    let expected: Vec<Vec<usize>> = order::shuffled_batches(9, 4, 7).collect();
    assert_eq!(epoch(source.as_ref(), 4, 7), expected);
    assert_eq!(expected.iter().map(Vec::len).collect::<Vec<_>>(), [4, 5]);
    assert_ne!(epoch(source.as_ref(), 4, 8), expected);
    let own: Vec<Vec<usize>> = samples.shuffled_batches(4, 7).map(|b| drawn(&b)).collect();
    assert_eq!(own, expected);
    assert_eq!(source.targets().map(Targets::len), Some(9));
    refused(source.subset(&[9]), "sample 9 does not exist");
    refused(source.subset(&[]), "at least one sample");
}

#[test]
fn streamed_samples_are_those_in_memory_and_no_more_than_a_batch_at_once() {
    let (samples, streamed) = (in_memory(23), Streamed::new(23));
    for seed in [3, 4] {
        assert_eq!(epoch(&streamed, 5, seed), epoch(&samples, 5, seed));
    }
    let most = streamed.1.lock().expect("sound").iter().copied().max();
    assert_eq!(most, Some(5));
    for count in [0, 1, 10, 22, 23, 50] {
        let found = streamed.sample(count, 6).expect("read");
        assert_eq!(drawn(&found), drawn(&samples.sample(count, 6)), "{count}");
    }
    assert!(streamed.targets().is_none());
}

/// Adds a fraction that the seed draws, which leaves what the number is.
fn shifted(samples: Samples<Tensor<2>>, seed: u64) -> Result<Samples<Tensor<2>>, NnError> {
    let shift = (seed % 1000) as f64 / 2000.0 + 0.01;
    samples.with_inputs(samples.inputs().clone() + shift, |values| values)
}

/// The fraction by which the numbers are shifted.
fn shift_of(samples: &Samples<Tensor<2>>) -> f32 {
    let values = samples.inputs().clone().into_data();
    let shifts: Vec<f32> = values.iter::<f32>().map(f32::fract).collect();
    assert!(shifts.iter().all(|shift| (shift - shifts[0]).abs() < 1e-4));
    shifts[0]
}

fn shifts(source: &dyn Source<Tensor<2>>, seed: u64) -> Vec<f32> {
    let batches = source.batches(5, seed);
    batches.map(|b| shift_of(&b.expect("read"))).collect()
}

#[test]
fn training_alone_is_augmented() {
    let plain = in_memory(20);
    let source = plain.clone().with_augmentation(shifted);
    assert_eq!(epoch(&source, 5, 7), epoch(&plain, 5, 7), "another order");
    let found = shifts(&source, 7);
    assert!(found.iter().all(|shift| *shift > 0.0), "{found:?}");
    assert!(found.windows(2).all(|pair| pair[0] != pair[1]), "{found:?}");
    assert_eq!(found, shifts(&source, 7));
    assert_ne!(found, shifts(&source, 8));
    let few = source.subset(&[3, 1]).expect("there");
    assert_eq!((drawn(&few), shift_of(&few)), (vec![3, 1], 0.0));
    let few = source.sample(6, 2).expect("there");
    assert_eq!(drawn(&few), drawn(&plain.sample(6, 2)));
    assert_eq!(shift_of(&few), 0.0);
    assert_eq!(source.targets().map(Targets::len), Some(20));
}

#[test]
fn an_augmentation_keeps_the_number_of_samples() {
    let source = in_memory(20).with_augmentation(|samples, _| samples.subset(&[0, 1]));
    let first = source.batches(5, 7).next().expect("a batch");
    refused(first, "made 2 of 5 samples");
    let source = in_memory(20).with_augmentation(|_, _| Err(NnError::Data("no lamp".into())));
    refused(source.batches(5, 7).next().expect("a batch"), "no lamp");
}

#[cfg(feature = "dataset")]
mod datasets {
    use burn::data::dataloader::batcher::Batcher;
    use burn::data::dataset::{Dataset, DatasetError, InMemDataset};
    use burn::tensor::{Device, Int};

    use super::*;

    struct Numbers;

    type Batch = (Tensor<2>, Tensor<1, Int>);

    impl Batcher<usize, Batch> for Numbers {
        fn batch(&self, items: Vec<usize>, device: &Device) -> Batch {
            let values: Vec<f32> = items.iter().map(|&item| item as f32).collect();
            let labels: Vec<i64> = items.iter().map(|&item| (item % 3) as i64).collect();
            let count = items.len();
            (
                Tensor::from_data(TensorData::new(values, [count, 1]), device),
                Tensor::from_data(TensorData::new(labels, [count]), device),
            )
        }
    }

    fn samples((values, labels): Batch) -> Result<Samples<Tensor<2>>, NnError> {
        Samples::from_targets(values, Targets::Classes(labels))
    }

    fn source(dataset: impl Dataset<usize> + 'static) -> DatasetSource<Tensor<2>> {
        let device = FLEX.device().autodiff();
        DatasetSource::new(dataset, Numbers, &device, samples).expect("not empty")
    }

    #[test]
    fn a_data_set_is_drawn_as_samples_in_memory_are() {
        let source = source(InMemDataset::new((0..23).collect()));
        let samples = in_memory(23);
        assert_eq!(source.len(), 23);
        for seed in [3, 4] {
            assert_eq!(epoch(&source, 11, seed), epoch(&samples, 11, seed));
        }
        let few = source.sample(6, 2).expect("read");
        assert_eq!(drawn(&few), drawn(&samples.sample(6, 2)));
        assert!(!few.inputs().device().is_autodiff());
        refused(source.subset(&[1, 23]), "sample 23 does not exist");
        refused(source.subset(&[]), "at least one sample");
    }

    /// A data set whose seventh item is damaged.
    struct Damaged;

    impl Dataset<usize> for Damaged {
        fn get(&self, index: usize) -> Result<usize, DatasetError> {
            match index {
                7 => Err(DatasetError::new(std::io::Error::other("a torn page"))),
                _ => Ok(index),
            }
        }

        fn len(&self) -> usize {
            20
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let damaged = source(Damaged);
        assert_eq!(drawn(&damaged.subset(&[8]).expect("read")), [8]);
        refused(damaged.subset(&[6, 7]), "a torn page");
        let device = FLEX.device();
        let empty = InMemDataset::new(Vec::new());
        let empty = DatasetSource::new(empty, Numbers, &device, samples);
        refused(empty, "the data set is empty");
        let half =
            |(values, labels): Batch| samples((values.narrow(0, 0, 1), labels.narrow(0, 0, 1)));
        let half = DatasetSource::new(Damaged, Numbers, &device, half).expect("not empty");
        refused(half.subset(&[1, 2]), "made 1 samples of 2 items");
    }
}
