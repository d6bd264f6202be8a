//! The sequences of tasks.

use burgeon_continual::{Architecture, ContinualTask, LayerKind, of_classes, permuted};
use burgeon_data::{DataSet, ImageSet, Images};
use burgeon_nn::Samples;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;

use crate::error::ExperimentError;
use crate::study::Scale;

/// A sequence of five tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scenario {
    /// MNIST, two digits at a time.
    SplitMnist,
    /// CIFAR-10, two classes at a time.
    SplitCifar10,
    /// Fashion-MNIST, all classes, the pixels of each task in another order.
    PermutedFashion,
}

/// Tasks of a sequence.
pub(super) const TASKS: usize = 5;

/// How a sequence is learned.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Recipe {
    /// Training images of each class and task, at most; a share of them is held.
    pub of_class: usize,
    /// Test images of each class and task, at most.
    pub test_of_class: usize,
    /// Share of the training images that decisions are made on.
    pub held: f64,
    /// Epochs of a task.
    pub epochs: usize,
    /// Learning rate of all methods.
    pub rate: f64,
    /// Samples in a batch.
    pub batch: usize,
    /// Own neurons of each hidden layer that a task begins with.
    pub start: Vec<usize>,
    /// Share of old neurons that is reused at most.
    pub reuse: f64,
    /// Epochs between growths.
    pub phase_epochs: usize,
    /// Growths of a task at most.
    pub max_growths: usize,
    /// New neurons, and copies of old ones, that are tried for each hidden layer at each growth.
    pub candidates: usize,
    /// Training samples that candidates and reused neurons are ranked on, at most.
    pub ranked_on: usize,
    /// Held accuracy beyond which nothing grows.
    pub enough: f64,
    /// Relative decrease of the held loss that a growth must bring.
    pub least_gain: f64,
    /// Strength of elastic weight consolidation.
    pub elastic: f64,
    /// Samples of the Fisher information.
    pub fisher: usize,
}

impl Scenario {
    pub const ALL: [Self; 3] = [Self::SplitMnist, Self::SplitCifar10, Self::PermutedFashion];

    pub const fn name(self) -> &'static str {
        match self {
            Self::SplitMnist => "split-mnist",
            Self::SplitCifar10 => "split-cifar-10",
            Self::PermutedFashion => "permuted-fashion",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::SplitMnist => "Split MNIST, 5 × 2 classes",
            Self::SplitCifar10 => "Split CIFAR-10, 5 × 2 classes",
            Self::PermutedFashion => "Permuted Fashion-MNIST, 5 × 10 classes",
        }
    }

    pub fn named(name: &str) -> Result<Self, ExperimentError> {
        let found = Self::ALL
            .into_iter()
            .find(|scenario| scenario.name() == name);
        found.ok_or_else(|| ExperimentError::Settings(format!("`{name}` is no sequence of tasks")))
    }

    pub const fn data(self) -> DataSet {
        match self {
            Self::SplitMnist => DataSet::Mnist,
            Self::SplitCifar10 => DataSet::Cifar10,
            Self::PermutedFashion => DataSet::FashionMnist,
        }
    }

    pub fn recipe(self, scale: Scale) -> Recipe {
        let full = scale != Scale::Quick;
        let common = Recipe {
            of_class: if full { usize::MAX } else { 500 },
            test_of_class: if full { usize::MAX } else { 500 },
            held: 0.2,
            epochs: if full { 20 } else { 10 },
            rate: 0.003,
            batch: 64,
            start: vec![4, 4],
            reuse: 0.5,
            phase_epochs: if full { 2 } else { 1 },
            max_growths: 4,
            candidates: 16,
            ranked_on: if full { 4096 } else { 1024 },
            enough: 1.0,
            least_gain: 0.05,
            elastic: 100.0,
            fisher: 200,
        };
        match self {
            Self::SplitMnist => common,
            Self::SplitCifar10 => Recipe {
                of_class: if full { usize::MAX } else { 250 },
                test_of_class: if full { usize::MAX } else { 250 },
                candidates: 8,
                ranked_on: if full { 2048 } else { 192 },
                ..common
            },
            Self::PermutedFashion => Recipe {
                of_class: if full { usize::MAX } else { 200 },
                test_of_class: if full { usize::MAX } else { 100 },
                start: vec![8, 8],
                fisher: 100,
                ..common
            },
        }
    }

    pub fn architecture(self, input: [usize; 3]) -> Result<Architecture, ExperimentError> {
        const CONVOLUTION: LayerKind = LayerKind::Convolution { kernel: 3, pool: 2 };
        let layers = match self {
            Self::SplitCifar10 => vec![CONVOLUTION; 2],
            Self::SplitMnist | Self::PermutedFashion => vec![LayerKind::Dense; 2],
        };
        Ok(Architecture::new(input, layers)?)
    }

    /// What a network of the architecture is called in a title.
    pub const fn network(self) -> &'static str {
        match self {
            Self::SplitCifar10 => "two 3×3 convolutions with max pooling",
            Self::SplitMnist | Self::PermutedFashion => "two dense layers",
        }
    }

    /// The tasks of `seed`.
    pub fn tasks(
        self,
        set: &ImageSet,
        recipe: &Recipe,
        seed: u64,
        device: &Device,
    ) -> Result<Vec<ContinualTask>, ExperimentError> {
        let (train, test) = (tensor(&set.train, device), tensor(&set.test, device));
        let task = |number: usize| {
            let (name, classes, order) = match self {
                Self::PermutedFashion => {
                    let name = format!("order {number}");
                    (
                        name,
                        (0..set.classes).collect::<Vec<_>>(),
                        Some(1000 * seed + number as u64),
                    )
                }
                Self::SplitMnist | Self::SplitCifar10 => {
                    let pair = vec![2 * number, 2 * number + 1];
                    (format!("classes {} and {}", pair[0], pair[1]), pair, None)
                }
            };
            let part = |part, images: &Tensor<4>, labels: &[usize], most| {
                let chosen = of_classes(&name, part, images, labels, &classes, most)?;
                // The first task has the pixels as they are.
                let Some(order) = order.filter(|_| number > 0) else {
                    return Ok(chosen);
                };
                let inputs = permuted(chosen.inputs(), order);
                let permuted: Samples<Tensor<4>> = chosen.with_inputs(inputs, |values| values)?;
                Ok::<_, ExperimentError>(permuted)
            };
            let learned = part("training", &train, &set.train.labels, recipe.of_class)?;
            let (learned, held) = learned.split_off(recipe.held, seed)?;
            let judged = part("test", &test, &set.test.labels, recipe.test_of_class)?;
            Ok(ContinualTask::new(
                name.clone(),
                classes.len(),
                learned,
                held,
                judged,
            )?)
        };
        (0..TASKS).map(task).collect()
    }
}

fn tensor(images: &Images, device: &Device) -> Tensor<4> {
    let [channels, height, width] = images.shape;
    let shape = [images.len(), channels, height, width];
    Tensor::from_data(TensorData::new(images.pixels.clone(), shape), device)
}
