//! Whether an objective is a mean over its batch.

use burn::tensor::{DType, Tensor};

use super::Objective;
use crate::error::NnError;
use crate::growable::scalar;
use crate::samples::Targets;

/// Checks that `objective` is a mean over the rows of its batch: on outputs `[rows, k]` with their
/// targets, and on each of them twice, it has to be the same. A sum would depend on the batch size.
///
/// # Errors
/// [`NnError::Settings`] where it is not, with both losses.
pub fn check_is_mean(
    objective: &dyn Objective,
    output: &Tensor<2>,
    targets: &Targets,
) -> Result<(), NnError> {
    let loss = |output: Tensor<2>, targets: &Targets| {
        scalar::<f64>(objective.loss(output, targets).try_into_scalar())
    };
    let twice = Tensor::cat(vec![output.clone(), output.clone()], 0);
    let once = loss(output.clone(), targets)?;
    let doubled = loss(twice, &repeated(targets))?;
    // Means are rounded, more so in few digits; the least that another form differs by is its
    // share of one row in a batch.
    let tolerance = match output.dtype() {
        DType::F16 | DType::BF16 => 0.03,
        _ => 1e-4,
    };
    let same = (doubled - once).abs() <= tolerance * once.abs().max(doubled.abs());
    // A loss that is not finite is refused for that.
    if same || !once.is_finite() || !doubled.is_finite() {
        return Ok(());
    }
    Err(NnError::Settings(format!(
        "the objective `{}` is {once} on {} samples and {doubled} on the same samples twice, but \
         it must be a mean over the batch: divide a sum by the number of rows",
        objective.name(),
        targets.len()
    )))
}

/// The same targets after themselves.
fn repeated(targets: &Targets) -> Targets {
    match targets {
        Targets::Classes(classes) => {
            Targets::Classes(Tensor::cat(vec![classes.clone(), classes.clone()], 0))
        }
        Targets::Positions(classes) => {
            Targets::Positions(Tensor::cat(vec![classes.clone(), classes.clone()], 0))
        }
        Targets::Values(values) => {
            Targets::Values(Tensor::cat(vec![values.clone(), values.clone()], 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use burgeon_backend_flex::FLEX;
    use burgeon_core::SplitBackend;

    use super::*;
    use crate::samples::Samples;
    use crate::{CrossEntropy, MeanSquaredError, WeightedCrossEntropy};

    /// Squared errors, joined in some way.
    #[derive(Debug)]
    struct Squares(fn(Tensor<2>) -> Tensor<1>);

    impl Objective for Squares {
        fn name(&self) -> &'static str {
            "squares"
        }

        fn loss(&self, output: Tensor<2>, targets: &Targets) -> Tensor<1> {
            let Targets::Values(values) = targets else {
                return Tensor::zeros([1], &output.device());
            };
            (self.0)((output - values.clone()).square())
        }

        fn check(&self, _outputs: usize, _targets: &Targets) -> Result<(), NnError> {
            Ok(())
        }
    }

    fn output() -> Tensor<2> {
        let rows = [[0.5, 2.0], [-1.0, 0.25], [3.0, 1.0], [0.1, 0.7]];
        Tensor::from_data(rows, &FLEX.device())
    }

    fn values() -> Targets {
        Targets::Values(Tensor::zeros([4, 2], &FLEX.device()))
    }

    fn labels(positions: bool) -> Targets {
        let (device, labels) = (FLEX.device(), [0, 1, 1, 0]);
        let samples = match positions {
            false => Samples::classification(output(), &labels, 2, &device),
            true => Samples::positions(output().slice(0..2), &labels, &device),
        };
        samples.expect("sound").targets().clone()
    }

    #[test]
    fn means_pass() {
        let weighted = WeightedCrossEntropy::new().with_weights(vec![0.3, 2.0]);
        let weighted = weighted.expect("weights").with_ignored(0);
        let objectives: [&dyn Objective; 3] = [&CrossEntropy, &MeanSquaredError, &weighted];
        for objective in objectives {
            for targets in [values(), labels(false), labels(true)] {
                check_is_mean(objective, &output(), &targets).expect("a mean");
            }
        }
        check_is_mean(&Squares(Tensor::mean), &output(), &values()).expect("a mean");
        let half = output().cast(DType::F16);
        let targets = Targets::Values(half.zeros_like());
        check_is_mean(&Squares(Tensor::mean), &half, &targets).expect("a mean");
    }

    #[test]
    fn sums_are_refused() {
        let sums: [fn(Tensor<2>) -> Tensor<1>; 3] = [
            Tensor::sum,
            |squares| squares.clone().sum() / (squares.dims()[0] as f64 - 1.0),
            |squares| -squares.sum(),
        ];
        for sum in sums {
            let found = check_is_mean(&Squares(sum), &output(), &values());
            let error = found.expect_err("a sum");
            assert!(matches!(error, NnError::Settings(_)), "{error}");
            let said = error.to_string();
            assert!(
                said.contains("`squares`") && said.contains("mean over the batch"),
                "{said}"
            );
        }
    }
}
