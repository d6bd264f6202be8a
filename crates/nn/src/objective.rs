//! Losses.

use std::fmt::Debug;

use burgeon_ops::cross_entropy;
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

use crate::error::NnError;
use crate::samples::Targets;

/// A loss: the mean over a batch of a term for each sample.
///
/// That it is a mean is what the grower relies on when it joins batches.
pub trait Objective: Debug + Send + Sync {
    /// The loss's name.
    fn name(&self) -> &'static str;

    /// The mean loss `[1]` of outputs `[b, k]`.
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
            Targets::Classes(classes) => cross_entropy(output, classes.clone()),
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
            Targets::Classes(classes) => {
                let largest = classes.clone().max().into_scalar::<i64>();
                if largest < outputs as i64 {
                    return Ok(());
                }
                Err(NnError::Data(format!(
                    "label {largest} needs {} outputs, the model has {outputs}",
                    largest + 1
                )))
            }
            Targets::Values(values) => same_width(outputs, values),
        }
    }
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
            Targets::Classes(classes) => {
                let classes: Tensor<2> = classes.clone().one_hot(output.dims()[1]).float();
                classes.cast(output.dtype())
            }
        };
        (output - values).square().mean()
    }

    fn check(&self, outputs: usize, targets: &Targets) -> Result<(), NnError> {
        match targets {
            Targets::Values(values) => same_width(outputs, values),
            Targets::Classes(_) => CrossEntropy.check(outputs, targets),
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
