//! A user's own three-layer MLP, grown on embedded digits.
//!
//! The model is an ordinary Burn model. What growing adds is `impl Growable`, which names its
//! forward pass, and the grower's own calls.

use burgeon::backend::flex::FLEX;
use burgeon::data::{Images, optdigits};
use burgeon::prelude::*;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::tensor::activation::relu;

#[derive(Module, Debug)]
struct Mlp {
    hidden1: Linear,
    hidden2: Linear,
    output: Linear,
}

impl Mlp {
    fn new(device: &Device) -> Self {
        Self {
            hidden1: LinearConfig::new(64, 8).init(device),
            hidden2: LinearConfig::new(8, 8).init(device),
            output: LinearConfig::new(8, 10).init(device),
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
    // The default recipe: all layers double, twice, by neurons that nothing reads yet.
    let config = GrowerConfig::default().with_parameter_budget(4000);
    let model = Mlp::new(&device.clone().autodiff());
    let optimizer = AdamWConfig::new().with_weight_decay(0.1).init();
    let mut grower = Grower::new(config, FLEX, task, model, optimizer)?.observe(Progress::new(100));
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
