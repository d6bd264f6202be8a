//! Digits, and the networks and settings that several ranks grow on them.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::Fraction;
use burgeon_data::optdigits;
use burgeon_nn::hash::{hex, of_data};
use burgeon_nn::stored::collect;
use burgeon_nn::{CrossEntropy, Growable, NnError, Samples};
use burgeon_ops::{
    FastBatchNorm, FastBatchNormConfig, FastConv2d, FastConv2dConfig, FastMaxPool2d,
    FastMaxPool2dConfig,
};
use burgeon_train::{Grower, GrowerConfig, RateSchedule, Task, Trigger};
use burn::module::{Module, ModuleMapper, Param};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor, TensorData};

/// Two 3×3 convolutions with batch normalisations, max pooling after each, a linear head.
#[derive(Module, Debug)]
pub struct ConvNet {
    pub conv1: FastConv2d,
    pub norm1: FastBatchNorm,
    pub conv2: FastConv2d,
    pub norm2: FastBatchNorm,
    pool: FastMaxPool2d,
    pub output: Linear,
}

impl ConvNet {
    /// Of `width` channels in each layer, with the same weights every time.
    pub fn new(width: usize) -> Self {
        let device = &FLEX.device().autodiff();
        let conv = |channels| {
            FastConv2dConfig::new(channels, [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .with_bias(false)
                .init(device)
        };
        let norm = || FastBatchNormConfig::new(width).init(device);
        fixed(Self {
            conv1: conv([1, width]),
            norm1: norm(),
            conv2: conv([width, width]),
            norm2: norm(),
            pool: FastMaxPool2dConfig::new([2, 2]).init(),
            output: LinearConfig::new(width * 4, 10).init(device),
        })
    }
}

impl Growable for ConvNet {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps = silu(self.norm1.forward(self.conv1.forward(input)));
        let maps = self.conv2.forward(self.pool.forward(maps));
        let maps = self.pool.forward(silu(self.norm2.forward(maps)));
        self.output.forward(maps.flatten::<2>(1, 3))
    }
}

/// `model` with the same weights every time, whatever other threads draw meanwhile.
pub fn fixed<M: Module>(model: M) -> M {
    struct Fix {
        number: f32,
        running: bool,
    }
    impl ModuleMapper for Fix {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.running = name.starts_with("running");
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.running {
                return param;
            }
            let (id, tensor, mapper) = param.consume();
            let shape = tensor.dims();
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|_| {
                    self.number += 1.0;
                    let wave = (self.number * 12.9898).sin() * 0.4;
                    if D == 1 { wave.abs() + 0.5 } else { wave }
                })
                .collect();
            let leaf = Tensor::from_data(TensorData::new(values, shape), &tensor.device());
            let leaf = leaf.set_require_grad(tensor.is_require_grad());
            Param::from_mapped_value(id, leaf, mapper)
        }
    }
    model.map(&mut Fix {
        number: 0.0,
        running: false,
    })
}

/// The first images of the digits.
pub fn images(count: usize, device: &Device) -> Result<Samples<Tensor<4>>, NnError> {
    let digits = optdigits::load().map_err(|error| NnError::Data(error.to_string()))?;
    let train = digits.train;
    let count = count.min(train.len());
    let pixels = TensorData::new(train.pixels[..count * 64].to_vec(), [count, 1, 8, 8]);
    let labels = &train.labels[..count];
    Samples::classification(Tensor::from_data(pixels, device), labels, 10, device)
}

/// What is learnt: so many images, a quarter of them held.
pub fn task(count: usize) -> Result<Task<Tensor<4>>, NnError> {
    let (train, held) = images(count, &FLEX.device())?.split_off(0.25, 3)?;
    Ok(Task::new(CrossEntropy, train, held))
}

/// Three growths, one after each epoch, and an epoch behind them.
pub fn config() -> Result<GrowerConfig, NnError> {
    Ok(GrowerConfig::new(SteepestDescent, Fraction::new(0.5)?)
        .with_trigger(Trigger::Every { epochs: 1 })
        .with_max_growths(3)
        .with_max_refusals(10)
        .with_max_epochs(5)
        .with_learning_rate(RateSchedule::constant(0.02)?)
        .with_capture_samples(200)
        .with_batch_size(128)
        .with_seed(5))
}

pub fn adam() -> ModuleOptimizer {
    AdamConfig::new().init()
}

/// What a run came to, to the last bit: a hash of each weight and statistic, and each growth
/// without its time.
pub fn result<M: Growable>(grower: &Grower<M>) -> Result<String, NnError> {
    let mut lines: Vec<String> = collect(grower.model())
        .iter()
        .map(|(path, weight)| format!("{path} {}", hex(&of_data(&weight.data))))
        .collect();
    for record in &grower.state().journal {
        let mut record = record.clone();
        record.seconds = 0.0;
        let record = serde_json::to_string(&record);
        lines.push(record.map_err(|error| NnError::Data(error.to_string()))?);
    }
    for epoch in &grower.state().epochs {
        lines.push(format!("{} {:?}", epoch.train_loss, epoch.held));
    }
    Ok(lines.join("\n"))
}
