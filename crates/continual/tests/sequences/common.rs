//! Small sequences of tasks: handwritten digits, two at a time.

use std::sync::Arc;

use burgeon_backend_flex::FLEX;
use burgeon_continual::{
    Architecture, ContinualError, ContinualTask, GrownConfig, GrownLearner, LayerKind, Training,
    of_classes,
};
use burgeon_core::SplitBackend;
use burgeon_data::{Images, optdigits};
use burgeon_nn::stored::collect;
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

pub fn images(set: &Images) -> Tensor<4> {
    let data = TensorData::new(set.pixels.clone(), [set.len(), 1, 8, 8]);
    Tensor::from_data(data, &FLEX.device())
}

/// So many tasks of two digits, with at most `most` training images a class.
pub fn tasks(count: usize, most: usize) -> Result<Vec<ContinualTask>, ContinualError> {
    let digits = optdigits::load().expect("embedded");
    let (train, test) = (images(&digits.train), images(&digits.test));
    let task = |number: usize| {
        let pair = [2 * number, 2 * number + 1];
        let name = format!("{} or {}", pair[0], pair[1]);
        let learned = of_classes(&name, "training", &train, &digits.train.labels, &pair, most)?;
        let (learned, held) = learned.split_off(0.25, 3)?;
        let judged = of_classes(&name, "test", &test, &digits.test.labels, &pair, 60)?;
        ContinualTask::new(name, 2, learned, held, judged)
    };
    (0..count).map(task).collect()
}

pub fn dense() -> Architecture {
    Architecture::dense([1, 8, 8], 2).expect("fits")
}

pub fn convolutional() -> Architecture {
    let convolution = LayerKind::Convolution { kernel: 3, pool: 2 };
    Architecture::new([1, 8, 8], vec![convolution, LayerKind::Dense]).expect("fits")
}

/// Settings under which every task grows.
pub fn config(seed: u64) -> Result<GrownConfig, ContinualError> {
    let training = Training {
        batch_size: 32,
        ..Training::new(8, 0.01)?.with_seed(seed)
    };
    let mut config = GrownConfig {
        least_gain: 0.0,
        phase_epochs: 1,
        max_growths: 2,
        copies: 4,
        ..GrownConfig::new(training, vec![3, 3])?
    };
    config.firefly = config.firefly.with_new_neurons(4)?;
    Ok(config)
}

pub fn learner(
    architecture: Architecture,
    config: GrownConfig,
) -> Result<GrownLearner, ContinualError> {
    GrownLearner::new(architecture, config, Arc::new(FLEX))
}

/// The bits of all numbers.
pub fn bits<const D: usize>(tensor: Tensor<D>) -> Vec<u32> {
    tensor.into_data().iter::<f32>().map(f32::to_bits).collect()
}

/// The bits of all weights, by path.
pub fn weights<M: Module>(module: &M) -> Vec<(String, Vec<u32>)> {
    let read = |data: TensorData| data.iter::<f32>().map(f32::to_bits).collect();
    collect(module)
        .into_iter()
        .map(|(path, weight)| (path, read(weight.data)))
        .collect()
}
