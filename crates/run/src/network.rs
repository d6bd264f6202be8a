//! A network that was exported.

use crate::error::RunError;
use crate::kernels::{self, Window};
use crate::step::{Function, Step};
use crate::weights::Weights;

/// Steps with their weights, checked against each other.
#[derive(Debug, Clone)]
pub struct Network {
    operations: Vec<Operation>,
    /// What goes in, and what each operation gives.
    shapes: Vec<Vec<usize>>,
    /// Of each operation, whether a later one adds what it gave.
    is_added: Vec<bool>,
}

#[derive(Debug, Clone)]
enum Operation {
    Keep,
    Linear {
        weight: Vec<f32>,
        bias: Vec<f32>,
    },
    Convolution {
        weight: Vec<f32>,
        bias: Option<Vec<f32>>,
        window: Window,
    },
    ScaleAndShift {
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
    Activation(Function),
    MaxPool(usize),
    MeanPool(usize),
    GlobalMean,
    Add(usize),
}

impl Network {
    /// The network of `steps` for inputs of `shape`, with `weights`.
    ///
    /// # Errors
    /// [`RunError::Network`] that names the step and what does not fit.
    pub fn new(steps: Vec<Step>, shape: &[usize], weights: &Weights) -> Result<Self, RunError> {
        let mut shapes = vec![shape.to_vec()];
        let mut operations = Vec::new();
        let mut is_added = vec![false; steps.len()];
        for (number, step) in steps.iter().enumerate() {
            let refuse = |problem: String| RunError::Network(format!("step {number}: {problem}"));
            let input = &shapes[number];
            let output = step.shape(input, &shapes[1..]).map_err(refuse)?;
            operations.push(operation(step, weights).map_err(refuse)?);
            shapes.push(output);
            if let Step::Add { step } = step {
                is_added[*step] = true;
            }
        }
        match operations.is_empty() {
            true => Err(RunError::Network("it has no steps".into())),
            false => Ok(Self {
                operations,
                shapes,
                is_added,
            }),
        }
    }

    /// Numbers that it answers with for one sample.
    pub fn outputs(&self) -> usize {
        self.shapes.last().map_or(0, |shape| shape.iter().product())
    }

    /// Answers `[n, outputs]` to inputs `[n, …]`, row-major.
    pub fn answers(&self, inputs: &[f32]) -> Vec<f32> {
        let size: usize = self.shapes[0].iter().product();
        let samples = inputs.chunks_exact(size.max(1));
        samples.flat_map(|sample| self.answer(sample)).collect()
    }

    fn answer(&self, sample: &[f32]) -> Vec<f32> {
        let mut values = sample.to_vec();
        let mut kept: Vec<Vec<f32>> = Vec::with_capacity(self.operations.len());
        for (number, operation) in self.operations.iter().enumerate() {
            let input = &self.shapes[number];
            let maps = || match input[..] {
                [channels, height, width] => [channels, height, width],
                _ => [1, 1, values.len()],
            };
            match operation {
                Operation::Keep => {}
                Operation::Linear { weight, bias } => {
                    values = kernels::linear(&values, weight, bias);
                }
                Operation::Convolution {
                    weight,
                    bias,
                    window,
                } => {
                    values = kernels::convolution(&values, maps(), weight, *window);
                    if let Some(bias) = bias {
                        kernels::add_bias(&mut values, bias);
                    }
                }
                Operation::ScaleAndShift { scale, shift } => {
                    kernels::scale_and_shift(&mut values, scale, shift);
                }
                Operation::Activation(function) => kernels::activate(&mut values, *function),
                Operation::MaxPool(size) => {
                    values = kernels::pool(&values, maps(), *size, f32::NEG_INFINITY, f32::max);
                }
                Operation::MeanPool(size) => {
                    values = kernels::pool(&values, maps(), *size, 0.0, |sum, value| sum + value);
                    let each = 1.0 / (size * size) as f32;
                    values.iter_mut().for_each(|value| *value *= each);
                }
                Operation::GlobalMean => values = kernels::means(&values, input[0]),
                Operation::Add(step) => {
                    let other = &kept[*step];
                    let pairs = values.iter_mut().zip(other);
                    pairs.for_each(|(value, other)| *value += other);
                }
            }
            kept.push(match self.is_added[number] {
                true => values.clone(),
                false => Vec::new(),
            });
        }
        values
    }
}

/// A step with its weights.
fn operation(step: &Step, weights: &Weights) -> Result<Operation, String> {
    let get = |layer: &str, name: &str, shape: &[usize]| -> Result<Vec<f32>, String> {
        Ok(weights.get(&format!("{layer}.{name}"), shape)?.to_vec())
    };
    Ok(match step {
        Step::Flatten => Operation::Keep,
        Step::Linear {
            layer,
            inputs,
            outputs,
        } => Operation::Linear {
            weight: get(layer, "weight", &[*inputs, *outputs])?,
            bias: get(layer, "bias", &[*outputs])?,
        },
        Step::Convolution {
            layer,
            inputs,
            outputs,
            kernel,
            stride,
            groups,
            bias,
        } => Operation::Convolution {
            weight: get(
                layer,
                "weight",
                &[*outputs, inputs / (*groups).max(1), *kernel, *kernel],
            )?,
            bias: bias.then(|| get(layer, "bias", &[*outputs])).transpose()?,
            window: Window {
                outputs: *outputs,
                kernel: *kernel,
                stride: *stride,
                groups: *groups,
            },
        },
        Step::Norm {
            layer,
            channels,
            epsilon,
        } => {
            let own = |name| get(layer, name, &[*channels]);
            let (gamma, beta) = (own("gamma")?, own("beta")?);
            let (mean, variance) = (own("running_mean")?, own("running_var")?);
            let scale = gamma
                .iter()
                .zip(&variance)
                .map(|(gamma, variance)| gamma / (f64::from(*variance) + epsilon).sqrt() as f32);
            let scale: Vec<f32> = scale.collect();
            if scale.iter().any(|scale| !scale.is_finite()) {
                return Err(format!("`{layer}` has a negative variance"));
            }
            let means = mean.iter().zip(&scale);
            let shift = beta
                .iter()
                .zip(means)
                .map(|(beta, (mean, scale))| beta - mean * scale)
                .collect();
            Operation::ScaleAndShift { scale, shift }
        }
        Step::Activation { function } => Operation::Activation(*function),
        Step::MaxPool { size } => Operation::MaxPool(*size),
        Step::MeanPool { size } => Operation::MeanPool(*size),
        Step::GlobalMean => Operation::GlobalMean,
        Step::Add { step } => Operation::Add(*step),
    })
}
