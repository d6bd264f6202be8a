//! Predicting with a network that was grown.

use std::path::Path;

use burgeon::backend::flex::FLEX;
use burgeon::data::own::Records;
use burgeon::prelude::*;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use serde::Serialize;

use crate::architecture::{Architecture, Cnn, Kind, Mlp};
use crate::error::{PredictorError, file, schema};
use crate::run::{Description, Folder, Summary, read_json};
use crate::schema::{Schema, TargetSchema, Targets};

/// Samples in a batch of predictions.
const BATCH: usize = 512;

/// What is predicted for one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Prediction {
    /// A class.
    Class {
        /// Its name.
        class: String,
        /// The probability that the network gives it.
        probability: f64,
    },
    /// A number, in the units of the data.
    Number {
        /// The number.
        value: f64,
    },
}

/// How well a network predicts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// Of classes.
    Classes {
        /// Share of the rows whose class is right.
        accuracy: f64,
        /// Mean cross-entropy, in nats.
        loss: f64,
        /// For each class its name, its rows, and the share of them that is right.
        classes: Vec<(String, usize, f64)>,
    },
    /// Of numbers.
    Numbers {
        /// Root of the mean squared error, in the units of the data.
        root_mean_squared_error: f64,
        /// Share of the variance that is explained; negative for worse than the mean.
        explained: f64,
    },
}

/// A grown network with what its inputs and answers mean.
#[derive(Debug)]
pub struct Predictor {
    schema: Schema,
    pub(crate) network: Network,
}

#[derive(Debug)]
pub(crate) enum Network {
    Mlp(Mlp),
    Cnn(Cnn),
}

impl Predictor {
    /// The network of the run in `folder`: the best one, or the one with so many `parameters` of
    /// those that growing passed.
    ///
    /// # Errors
    /// [`PredictorError::File`] where the folder holds no run, or none of that size.
    pub fn load(folder: &Path, parameters: Option<u64>) -> Result<Self, PredictorError> {
        let folder = Folder::open(folder)?;
        let description: Description = read_json(&folder.description())?;
        let checked = description.check();
        checked.map_err(|problem| file(folder.description(), problem))?;
        let weights = match parameters {
            None => folder.weights(),
            Some(parameters) => folder.path().join(Folder::size(parameters)),
        };
        if !weights.is_file() {
            let problem = match parameters {
                None => "the run is not finished: begin it again and it goes on".to_owned(),
                Some(_) => {
                    let sizes = read_json::<Summary>(&folder.summary())?.sizes;
                    let sizes: Vec<String> = sizes
                        .iter()
                        .map(|size| size.parameters.to_string())
                        .collect();
                    format!(
                        "no network of that size was passed: there are {}",
                        sizes.join(", ")
                    )
                }
            };
            return Err(file(weights, problem));
        }
        let network = match description.kind {
            Kind::Mlp => Network::Mlp(restored(&description, &weights)?),
            Kind::Cnn => Network::Cnn(restored(&description, &weights)?),
        };
        let schema = description.schema;
        Ok(Self { schema, network })
    }

    /// What its inputs and answers mean.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// A prediction for each row of `records`, which need no target.
    ///
    /// # Errors
    /// [`PredictorError::Schema`] where the columns or images are not those that it was made for.
    pub fn predict(&self, records: &Records) -> Result<Vec<Prediction>, PredictorError> {
        let answers = self.answers(records)?;
        Ok(match &self.schema.target {
            TargetSchema::Classes { names, .. } => {
                let all = probabilities(answers, names.len());
                all.chunks(names.len())
                    .map(|own| best(names, own))
                    .collect()
            }
            TargetSchema::Number {
                mean, deviation, ..
            } => numbers(answers)
                .into_iter()
                .map(|value| Prediction::Number {
                    value: value * deviation + mean,
                })
                .collect(),
        })
    }

    /// How well it predicts the targets of `records`.
    ///
    /// # Errors
    /// As [`predict`](Self::predict), and where there are no targets.
    pub fn evaluate(&self, records: &Records) -> Result<Score, PredictorError> {
        let targets = self.schema.target.encode(records)?;
        let answers = self.answers(records)?;
        Ok(match (&self.schema.target, targets) {
            (TargetSchema::Classes { names, .. }, Targets::Classes(classes)) => {
                score(names, &probabilities(answers, names.len()), &classes)
            }
            (TargetSchema::Number { deviation, .. }, Targets::Numbers(targets)) => {
                let targets: Vec<f64> = targets.into_iter().map(f64::from).collect();
                error(&numbers(answers), &targets, *deviation)
            }
            _ => return Err(schema("targets of another kind than the network's")),
        })
    }

    fn answers(&self, records: &Records) -> Result<Tensor<2>, PredictorError> {
        let values = self.schema.inputs.encode(records)?;
        let shape = self.schema.inputs.shape();
        Ok(match &self.network {
            Network::Mlp(network) => answers(network, &values, &shape),
            Network::Cnn(network) => answers(network, &values, &shape),
        })
    }
}

/// `[n, outputs]`. The network is on a plain device, where BatchNorm and the like infer.
fn answers<A: Architecture>(network: &A, values: &[f32], shape: &[usize]) -> Tensor<2> {
    let size: usize = shape.iter().product();
    let batches = values.chunks(BATCH * size.max(1)).map(|values| {
        let inputs = A::inputs(values.to_vec(), shape, &FLEX.device());
        network.predict(inputs)
    });
    Tensor::cat(batches.collect(), 0)
}

fn restored<A: Architecture>(description: &Description, path: &Path) -> Result<A, NnError> {
    let (schema, device) = (&description.schema, FLEX.device());
    let (shape, outputs) = (schema.inputs.shape(), schema.target.outputs());
    let widths = vec![description.start_width; description.layers];
    let network = A::new(&shape, outputs, &widths, &device);
    let size = shape.iter().product();
    let example = A::inputs(vec![0.0; size], &shape, &device);
    load_weights(&network, path, &example)
}

fn numbers(answers: Tensor<2>) -> Vec<f64> {
    answers.into_data().iter::<f64>().collect()
}

/// `[n, classes]`, row-major.
fn probabilities(answers: Tensor<2>, classes: usize) -> Vec<f64> {
    let all = numbers(softmax(answers, 1));
    debug_assert_eq!(all.len() % classes, 0);
    all
}

fn largest(own: &[f64]) -> usize {
    let most = own.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    most.map_or(0, |(class, _)| class)
}

fn best(names: &[String], own: &[f64]) -> Prediction {
    let class = largest(own);
    Prediction::Class {
        class: names[class].clone(),
        probability: own[class],
    }
}

fn score(names: &[String], all: &[f64], classes: &[usize]) -> Score {
    let mut counts = vec![(0_usize, 0_usize); names.len()];
    let mut loss = 0.0;
    for (own, &class) in all.chunks(names.len()).zip(classes) {
        counts[class].0 += 1;
        counts[class].1 += usize::from(largest(own) == class);
        loss -= own[class].max(f64::MIN_POSITIVE).ln();
    }
    let right: usize = counts.iter().map(|(_, right)| right).sum();
    let rows = classes.len().max(1) as f64;
    let share = |(name, (rows, right)): (&String, (usize, usize))| {
        let share = right as f64 / rows.max(1) as f64;
        (name.clone(), rows, share)
    };
    Score::Classes {
        accuracy: right as f64 / rows,
        loss: loss / rows,
        classes: names.iter().zip(counts).map(share).collect(),
    }
}

/// Of standardised numbers.
fn error(answers: &[f64], targets: &[f64], deviation: f64) -> Score {
    let rows = targets.len().max(1) as f64;
    let mean = targets.iter().sum::<f64>() / rows;
    let square = |of: &dyn Fn(usize) -> f64| -> f64 {
        (0..targets.len()).map(|row| of(row).powi(2)).sum::<f64>() / rows
    };
    let error = square(&|row| answers[row] - targets[row]);
    let variance = square(&|row| targets[row] - mean);
    Score::Numbers {
        root_mean_squared_error: error.sqrt() * deviation,
        explained: 1.0 - error / variance.max(f64::MIN_POSITIVE),
    }
}
