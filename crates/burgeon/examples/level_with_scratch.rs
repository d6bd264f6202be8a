//! Networks grown by the default recipe beside networks of their final widths from scratch, at
//! the same training cost: multiply-accumulates of training, and of all that growing takes.
//! Paired over seeds, on embedded digits.

use burgeon::backend::flex::FLEX;
use burgeon::data::{Images, optdigits};
use burgeon::prelude::*;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::tensor::activation::relu;

const SEEDS: u64 = 20;
const EPOCHS: usize = 100;
/// Learning rates from scratch: the default, and others that a careful user would try.
const RATES: [f64; 3] = [0.005, 0.01, 0.02];

#[derive(Module, Debug)]
struct Mlp {
    hidden1: Linear,
    hidden2: Linear,
    output: Linear,
}

impl Mlp {
    fn new([first, second]: [usize; 2], device: &Device) -> Self {
        Self {
            hidden1: LinearConfig::new(64, first).init(device),
            hidden2: LinearConfig::new(first, second).init(device),
            output: LinearConfig::new(second, 10).init(device),
        }
    }
}

impl Growable for Mlp {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, pixels: Tensor<2>) -> Tensor<2> {
        let hidden = relu(self.hidden1.forward(pixels));
        self.output.forward(relu(self.hidden2.forward(hidden)))
    }
}

fn samples(images: &Images, device: &Device) -> Result<Samples<Tensor<2>>, NnError> {
    let pixels = TensorData::new(images.pixels.clone(), [images.len(), 64]);
    Samples::classification(
        Tensor::from_data(pixels, device),
        &images.labels,
        10,
        device,
    )
}

/// Test accuracy and loss of a run, its training cost, and its final widths.
struct Run {
    accuracy: f64,
    loss: f64,
    macs: u64,
    widths: [usize; 2],
}

fn run(
    config: GrowerConfig,
    start: [usize; 2],
    seed: u64,
) -> Result<Run, Box<dyn std::error::Error>> {
    let device = FLEX.device();
    let digits = optdigits::load()?;
    let (train, held) = samples(&digits.train, &device)?.split_off(0.1, seed)?;
    device.seed(seed);
    let model = Mlp::new(start, &device.clone().autodiff());
    let task = Task::new(CrossEntropy, train, held);
    let optimizer = AdamWConfig::new().with_weight_decay(0.1).init();
    let config = config.with_seed(seed);
    let mut grower = Grower::new(config, FLEX, task, model, optimizer)?;
    grower.run()?;
    let test = evaluate(
        grower.model(),
        &CrossEntropy,
        &samples(&digits.test, &device)?,
        512,
    )?;
    let model = grower.model();
    Ok(Run {
        accuracy: 100.0 * test.accuracy.unwrap_or_default(),
        loss: test.loss,
        macs: grower.state().training_macs,
        widths: [
            model.hidden1.weight.dims()[1],
            model.hidden2.weight.dims()[1],
        ],
    })
}

fn summary(values: &[f64]) -> String {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    format!(
        "{mean:.4} ± {:.4}",
        (squares / (count - 1.0) / count).sqrt()
    )
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut grown = Vec::new();
    let mut scratch: [Vec<Run>; RATES.len()] = Default::default();
    for seed in 0..SEEDS {
        let own = run(
            GrowerConfig::default().with_max_epochs(EPOCHS),
            [8, 8],
            seed,
        )?;
        for (runs, rate) in scratch.iter_mut().zip(RATES) {
            let same_cost = GrowerConfig::default()
                .with_max_growths(0)
                .with_max_epochs(usize::MAX)
                .with_training_macs(own.macs)
                .with_learning_rate(RateSchedule::stable_then_decay(rate)?);
            runs.push(run(same_cost, own.widths, seed)?);
        }
        grown.push(own);
    }
    let cost = |runs: &[Run]| {
        let all: Vec<f64> = runs.iter().map(|run| run.macs as f64 / 1e9).collect();
        summary(&all)
    };
    println!(
        "| network | rate | widths | training cost, 10⁹ MACs | test accuracy % | test loss | accuracy less grown's |"
    );
    println!("|---|---|---|---|---|---|---|");
    let accuracy = |runs: &[Run]| -> Vec<f64> { runs.iter().map(|run| run.accuracy).collect() };
    let loss = |runs: &[Run]| -> Vec<f64> { runs.iter().map(|run| run.loss).collect() };
    let row = |name: &str, rate: f64, runs: &[Run]| {
        let of_grown = accuracy(&grown);
        let pairs = accuracy(runs).into_iter().zip(of_grown);
        let differences: Vec<f64> = pairs.map(|(a, b)| a - b).collect();
        println!(
            "| {name} | {rate} | {:?} | {} | {} | {} | {} |",
            runs[0].widths,
            cost(runs),
            summary(&accuracy(runs)),
            summary(&loss(runs)),
            summary(&differences)
        );
    };
    row("grown by default", RATES[0], &grown);
    for (runs, rate) in scratch.iter().zip(RATES) {
        row("from scratch", rate, runs);
    }
    println!("Means and standard errors over {SEEDS} seeds.");
    Ok(())
}
