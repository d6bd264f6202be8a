//! Samples whose targets are tensors already, as batchers make them.

use burn::tensor::Int;
use burn::tensor::Tensor;

use super::{Samples, Targets};
use crate::error::NnError;
use crate::growable::scalar;
use crate::ports::Input;

impl<I: Input> Samples<I> {
    /// Samples with `targets`, on a plain device.
    ///
    /// # Errors
    /// [`NnError::Data`] that names what is wrong.
    pub fn from_targets(inputs: I, targets: Targets) -> Result<Self, NnError> {
        match targets {
            Targets::Values(values) => return Self::regression(inputs, values),
            Targets::Classes(ref classes) => check_classes(classes.clone())?,
            Targets::Positions(ref classes) => check_classes(classes.clone().flatten(0, 1))?,
        }
        Self::new(inputs, targets)
    }
}

fn check_classes(classes: Tensor<1, Int>) -> Result<(), NnError> {
    // An empty set is refused for being one.
    if classes.dims()[0] == 0 {
        return Ok(());
    }
    let least = scalar::<i64>(classes.min().try_into_scalar())?;
    if least >= 0 {
        return Ok(());
    }
    Err(NnError::Data(format!(
        "label {least}: labels are classes from 0 on"
    )))
}

#[cfg(test)]
mod tests {
    use burgeon_backend_flex::FLEX;
    use burgeon_core::SplitBackend;

    use super::*;

    #[test]
    fn targets_are_checked() {
        let device = FLEX.device();
        let inputs = Tensor::<2>::zeros([2, 3], &device);
        let made = |targets| Samples::from_targets(inputs.clone(), targets);
        let classes = |labels: &[i64]| Targets::Classes(Tensor::from_data(labels, &device));
        assert_eq!(made(classes(&[0, 7])).expect("sound").len(), 2);
        let positions = Tensor::<2, Int>::from_data([[0, 1], [2, 3]], &device);
        assert_eq!(made(Targets::Positions(positions)).expect("sound").len(), 2);
        let values = Tensor::<2>::from_data([[0.5], [f32::NAN]], &device);
        let negative = Tensor::<2, Int>::from_data([[0, 1], [2, -3]], &device);
        for (targets, expected) in [
            (classes(&[0, -1]), "label -1"),
            (classes(&[0]), "2 inputs but 1 targets"),
            (Targets::Positions(negative), "label -3"),
            (Targets::Values(values), "the target values hold NaN"),
        ] {
            let said = made(targets).expect_err("wrong").to_string();
            assert!(said.contains(expected), "`{said}` is not `{expected}`");
        }
    }
}
