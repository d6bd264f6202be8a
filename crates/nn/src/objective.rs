//! Losses.

mod mean;

pub use mean::check_is_mean;

use std::fmt::Debug;

use burgeon_ops::cross_entropy;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};

use crate::error::NnError;
use crate::samples::Targets;

/// A loss: the mean over a batch of a term for each sample, or for each of its positions.
///
/// That it is a mean is what the grower relies on when it joins batches.
pub trait Objective: Debug + Send + Sync {
    /// The loss's name.
    fn name(&self) -> &'static str;

    /// The label that counts nowhere, if there is one.
    fn ignored(&self) -> Option<usize> {
        None
    }

    /// The mean loss `[1]` of outputs `[rows, k]`: a row for each sample, or for each of its
    /// positions ([`Output::into_rows`](crate::Output::into_rows)).
    fn loss(&self, output: Tensor<2>, targets: &Targets) -> Tensor<1>;

    /// Whether the objective can score these targets for a model with `outputs`
    /// outputs.
    ///
    /// # Errors
    /// [`NnError::Data`] that names what does not fit.
    fn check(&self, outputs: usize, targets: &Targets) -> Result<(), NnError>;
}

/// Mean cross entropy of logits `[b, classes]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct CrossEntropy;

impl Objective for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross entropy"
    }

    fn loss(&self, output: Tensor<2>, targets: &Targets) -> Tensor<1> {
        match targets {
            Targets::Classes(_) | Targets::Positions(_) => {
                let classes = targets.classes().unwrap_or_else(|| no_labels(&output));
                cross_entropy(output, classes)
            }
            // Values are read as probabilities of the classes.
            Targets::Values(values) => {
                let samples = values.dims()[0] as f64;
                (log_softmax(output, 1) * values.clone())
                    .sum()
                    .div_scalar(-samples)
            }
        }
    }

    fn check(&self, outputs: usize, targets: &Targets) -> Result<(), NnError> {
        match targets {
            Targets::Classes(_) | Targets::Positions(_) => check_labels(outputs, targets, None),
            Targets::Values(values) => same_width(outputs, values),
        }
    }
}

/// Cross entropy of logits `[rows, classes]` with weights of classes, smoothed labels and a label
/// that is ignored: the mean over all rows, ignored ones included, of
/// `w_y ((1 − s) (−log p_y) + s · mean_k(−log p_k))`, which is 0 for an ignored row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WeightedCrossEntropy {
    weights: Option<Vec<f64>>,
    smoothing: f64,
    ignored: Option<usize>,
}

impl WeightedCrossEntropy {
    /// Plain cross entropy, to be changed.
    pub fn new() -> Self {
        Self::default()
    }

    /// A weight for each class, by which rows of it count.
    ///
    /// # Errors
    /// [`NnError::Settings`] for a weight that is negative or no number.
    pub fn with_weights(mut self, weights: Vec<f64>) -> Result<Self, NnError> {
        if let Some(weight) = weights.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
            return Err(NnError::Settings(format!(
                "a class weight of {weight}: it must be a number, and not negative"
            )));
        }
        self.weights = Some(weights);
        Ok(self)
    }

    /// The share s of a label that is spread over all classes, from 0 to below 1.
    ///
    /// # Errors
    /// [`NnError::Settings`] where it is out of range.
    pub fn with_smoothing(mut self, smoothing: f64) -> Result<Self, NnError> {
        if !(0.0..1.0).contains(&smoothing) {
            return Err(NnError::Settings(format!(
                "a label smoothing of {smoothing}: it must be at least 0 and below 1"
            )));
        }
        self.smoothing = smoothing;
        Ok(self)
    }

    /// A label that counts nowhere: padding, or what nobody labelled. It may be beyond the classes.
    pub fn with_ignored(mut self, label: usize) -> Self {
        self.ignored = Some(label);
        self
    }
}

impl Objective for WeightedCrossEntropy {
    fn name(&self) -> &'static str {
        "weighted cross entropy"
    }

    fn ignored(&self) -> Option<usize> {
        self.ignored
    }

    fn loss(&self, output: Tensor<2>, targets: &Targets) -> Tensor<1> {
        let [rows, outputs] = output.dims();
        let Some(classes) = targets.classes() else {
            return CrossEntropy.loss(output, targets);
        };
        let (device, dtype) = (output.device(), output.dtype());
        let logs = log_softmax(output, 1);
        let ignored = self
            .ignored
            .map(|label| classes.clone().equal_elem(label as i64));
        let classes = match &ignored {
            Some(ignored) => classes.mask_fill(ignored.clone(), 0),
            None => classes,
        };
        let own = logs.clone().gather(1, classes.clone().unsqueeze_dim(1));
        let mut terms = own.squeeze_dim::<1>(1).mul_scalar(self.smoothing - 1.0);
        if self.smoothing > 0.0 {
            terms = terms
                - logs
                    .mean_dim(1)
                    .squeeze_dim::<1>(1)
                    .mul_scalar(self.smoothing);
        }
        if let Some(weights) = &self.weights {
            let data = TensorData::new(weights.clone(), [outputs]).convert_dtype(dtype);
            let weights = Tensor::<1>::from_data(data, (&device, dtype));
            terms = terms * weights.select(0, classes);
        }
        if let Some(ignored) = ignored {
            terms = terms.mask_fill(ignored, 0.0);
        }
        terms.sum().div_scalar(rows as f64)
    }

    fn check(&self, outputs: usize, targets: &Targets) -> Result<(), NnError> {
        if let Some(weights) = &self.weights
            && weights.len() != outputs
        {
            return Err(NnError::Data(format!(
                "{} class weights, but the model has {outputs} outputs: each class needs one",
                weights.len()
            )));
        }
        check_labels(outputs, targets, self.ignored)
    }
}

/// What stands for labels where there are none, which a check has refused before.
fn no_labels(output: &Tensor<2>) -> Tensor<1, Int> {
    Tensor::zeros([output.dims()[0]], &output.device())
}

/// Refuses labels beyond the outputs, and values of another width.
fn check_labels(outputs: usize, targets: &Targets, ignored: Option<usize>) -> Result<(), NnError> {
    let classes = match targets {
        Targets::Values(values) => return same_width(outputs, values),
        Targets::Classes(classes) => classes.clone(),
        Targets::Positions(classes) => classes.clone().flatten(0, 1),
    };
    let classes = match ignored {
        Some(label) => {
            let ignored = classes.clone().equal_elem(label as i64);
            classes.mask_fill(ignored, 0)
        }
        None => classes,
    };
    let largest = classes.max().into_scalar::<i64>();
    if largest < outputs as i64 {
        return Ok(());
    }
    Err(NnError::Data(format!(
        "label {largest} needs {} outputs, the model has {outputs}",
        largest + 1
    )))
}

/// Mean of squared differences over samples and outputs.
#[derive(Debug, Clone, Copy, Default)]
pub struct MeanSquaredError;

impl Objective for MeanSquaredError {
    fn name(&self) -> &'static str {
        "mean squared error"
    }

    fn loss(&self, output: Tensor<2>, targets: &Targets) -> Tensor<1> {
        let values = match targets {
            Targets::Values(values) => values.clone(),
            Targets::Classes(_) | Targets::Positions(_) => {
                let classes = targets.classes().unwrap_or_else(|| no_labels(&output));
                let classes: Tensor<2> = classes.one_hot(output.dims()[1]).float();
                classes.cast(output.dtype())
            }
        };
        (output - values).square().mean()
    }

    fn check(&self, outputs: usize, targets: &Targets) -> Result<(), NnError> {
        match targets {
            Targets::Values(values) => same_width(outputs, values),
            Targets::Classes(_) | Targets::Positions(_) => check_labels(outputs, targets, None),
        }
    }
}

fn same_width(outputs: usize, values: &Tensor<2>) -> Result<(), NnError> {
    let width = values.dims()[1];
    if width == outputs {
        return Ok(());
    }
    Err(NnError::Data(format!(
        "the targets have {width} values for each sample, the model has {outputs} outputs"
    )))
}
