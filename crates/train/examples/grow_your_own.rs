//! A user's own three-layer MLP, grown on embedded digits.
//!
//! The model is an ordinary Burn model. What growing adds is `impl Growable`, which names its
//! forward pass, and the grower's own calls.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::Fraction;
use burgeon_data::{Images, optdigits};
use burgeon_nn::growable::evaluate;
use burgeon_nn::{CrossEntropy, Growable, NnError, Samples};
use burgeon_train::observer::Progress;
use burgeon_train::{Grower, GrowerConfig, RateSchedule, Task, Trigger};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};

#[derive(Module, Debug)]
struct Mlp {
    hidden1: Linear,
    hidden2: Linear,
    output: Linear,
}

impl Mlp {
    fn new(device: &Device) -> Self {
        Self {
            hidden1: LinearConfig::new(64, 4).init(device),
            hidden2: LinearConfig::new(4, 4).init(device),
            output: LinearConfig::new(4, 10).init(device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = relu(self.hidden1.forward(x));
        let x = relu(self.hidden2.forward(x));
        self.output.forward(x)
    }
}

impl Growable for Mlp {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.forward(input)
    }
}

fn samples(images: &Images, device: &Device) -> Result<Samples<Tensor<2>>, NnError> {
    let data = TensorData::new(images.pixels.clone(), [images.len(), 64]);
    Samples::classification(Tensor::from_data(data, device), &images.labels, 10, device)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = FLEX.device();
    device.seed(7);
    let digits = optdigits::load()?;
    let (train, held) = samples(&digits.train, &device)?.split_off(0.1, 7)?;
    let task = Task::new(CrossEntropy, train, held);
    let config = GrowerConfig::new(SteepestDescent, Fraction::new(0.3)?)
        .with_trigger(Trigger::Every { epochs: 5 })
        .with_learning_rate(RateSchedule::constant(0.01)?)
        .with_parameter_budget(3000)
        .with_max_epochs(60);
    let model = Mlp::new(&device.clone().autodiff());
    let mut grower = Grower::new(config, FLEX, task, model, AdamConfig::new().init())?
        .observe(Progress::new(60));
    println!("{}", grower.graph());
    grower.run()?;
    let test = evaluate(
        grower.model(),
        &CrossEntropy,
        &samples(&digits.test, &device)?,
        512,
    )?;
    for record in &grower.state().journal {
        println!(
            "epoch {:>2}: {}, {:?}, {} parameters",
            record.epoch, record.verdict, record.widths_after, record.parameters_after
        );
    }
    println!(
        "test accuracy {:.2} %",
        100.0 * test.accuracy.unwrap_or_default()
    );
    Ok(())
}
