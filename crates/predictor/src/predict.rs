//! Predicting with a network that was grown.

use std::fs;
use std::path::Path;

use burgeon::backend::flex::FLEX;
use burgeon::data::own::Records;
use burgeon::prelude::*;
use burgeon_run::{InputSchema, Prediction, Schema, TargetSchema, Targets, predictions};
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use serde::Serialize;

use crate::architecture::{Architecture, Cnn, Kind, Mlp};
use crate::error::{PredictorError, file, schema};
use crate::int8;
use crate::layers::{MapsNetwork, RowsNetwork};
use crate::run::{Description, Folder, Summary, read_json};
use crate::trained::Trained;

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
    pub(crate) kind: Kind,
    pub(crate) network: Box<dyn Trained>,
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
        let is_image = matches!(description.schema.inputs, InputSchema::Images { .. });
        let network: Box<dyn Trained> = match description.kind {
            Kind::Mlp => Box::new(restored::<Mlp>(&description, &weights)?),
            Kind::Cnn => Box::new(restored::<Cnn>(&description, &weights)?),
            Kind::Layers if is_image => Box::new(restored::<MapsNetwork>(&description, &weights)?),
            Kind::Layers => Box::new(restored::<RowsNetwork>(&description, &weights)?),
        };
        Ok(Self {
            schema: description.schema,
            kind: description.kind,
            network,
        })
    }

    /// Trained parameters.
    pub fn parameters(&self) -> u64 {
        self.network.parameters()
    }

    /// Multiply-accumulates for one sample.
    ///
    /// # Errors
    /// [`PredictorError::Network`] where the network cannot be traced.
    pub fn macs(&self) -> Result<u64, PredictorError> {
        self.network
            .macs(&self.schema.inputs.shape(), self.schema.target.outputs())
    }

    /// The median time of one forward pass of one sample on this machine, in nanoseconds.
    pub fn latency(&self) -> u64 {
        self.network.latency(&self.schema.inputs.shape())
    }

    /// The same network with the weights of its linear layers and convolutions as int8 has them:
    /// whole numbers from −127 to 127, times a scale for each output.
    ///
    /// # Errors
    /// [`PredictorError::Network`] where weights are no numbers.
    pub fn quantised(&self) -> Result<Self, PredictorError> {
        let weights = int8::rounded(&self.network.weights());
        Ok(Self {
            schema: self.schema.clone(),
            kind: self.kind,
            network: self.network.with_weights(&weights)?,
        })
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
        let answers = numbers(self.answers(records)?);
        Ok(predictions(&self.schema.target, &answers))
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
        Ok(self.network.answers(&values, &shape))
    }
}

/// The network of a run with the weights of a file.
pub(crate) fn restored<A: Architecture>(
    description: &Description,
    path: &Path,
) -> Result<A, NnError> {
    let (form, device) = (description.form(), FLEX.device());
    // Growing only adds to what it starts from, and no float has fewer bytes than two.
    let length = fs::metadata(path).map_err(NnError::io(path))?.len();
    let weights = form.weights();
    if weights > length / 2 {
        let problem = format!(
            "{length} bytes do not hold the {weights} weights that the run's description begins \
             with: it is damaged, or of another run"
        );
        return Err(NnError::file(path, problem));
    }
    let network = A::new(&form, &device);
    let size = form.shape.iter().product();
    let example = A::inputs(vec![0.0; size], &form.shape, &device);
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
