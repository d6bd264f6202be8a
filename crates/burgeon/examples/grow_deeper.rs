//! A residual MLP that becomes wider and deeper on embedded digits, by firefly descent.
//!
//! The model begins without a single block. Splits, new neurons and new layers are ranked in one
//! list, and those that lower the loss fastest for their parameters are made.

use burgeon::backend::flex::FLEX;
use burgeon::core::select::Knapsack;
use burgeon::data::{Images, optdigits};
use burgeon::prelude::*;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn::tensor::activation::silu;

#[derive(Module, Debug)]
struct ResidualMlp {
    stem: Linear,
    body: Stack<ResidualLinear>,
    head: Linear,
}

impl ResidualMlp {
    fn new(device: &Device) -> Self {
        Self {
            stem: LinearConfig::new(64, 8).init(device),
            body: Stack::new(Vec::new()),
            head: LinearConfig::new(8, 10).init(device),
        }
    }
}

impl Growable for ResidualMlp {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let stream = self.body.forward(silu(self.stem.forward(input)));
        self.head.forward(silu(stream))
    }

    /// The stack by its field, with the block that may stand at its front: as wide as what it
    /// reads, which grows, so the width is read off a weight.
    fn stacks(&mut self) -> Stacks<'_> {
        let (device, width) = (self.stem.weight.device(), self.stem.weight.dims()[1]);
        let front = move || ResidualLinear::new(width, 8, &device);
        Stacks::new().with_front("body", &mut self.body, front)
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
    let firefly = Firefly::new().with_new_neurons(8)?;
    let config = GrowerConfig::new(firefly, Knapsack)
        .with_trigger(Trigger::Every { epochs: 5 })
        .with_cost_budget(Parameters, 2500)
        .with_step_share(0.5)
        .with_max_growths(3)
        .with_max_epochs(30);
    let model = ResidualMlp::new(&device.clone().autodiff());
    let optimizer = AdamConfig::new().init();
    let mut grower = Grower::new(config, FLEX, task, model, optimizer)?;
    println!("{}", grower.graph());
    grower.run()?;
    for record in &grower.state().journal {
        println!("epoch {:>2}: {}", record.epoch, record.verdict);
        for site in &record.sites {
            println!("    {}: {:?}", site.site, site.kinds);
        }
    }
    println!("{}", grower.graph());
    let test = samples(&digits.test, &device)?;
    let test = evaluate(grower.model(), &CrossEntropy, &test, 512)?;
    println!(
        "{} blocks, test accuracy {:.2} %",
        grower.model().body.len(),
        100.0 * test.accuracy.unwrap_or_default()
    );
    Ok(())
}
