//! The loss of decisions: −log of the probability of the right end, program and arguments.

use burgeon_nn::{NnError, Objective, Targets};
use burn::tensor::Tensor;
use burn::tensor::activation::{log_sigmoid, log_softmax};

use super::codec::Codec;

/// Reed and de Freitas, equation 5, with a decision either to return or to call: a step that returns
/// has no program to be right about.
#[derive(Debug, Clone, Copy)]
pub struct DecisionLoss {
    codec: Codec,
}

impl DecisionLoss {
    /// That of a task's alphabet.
    pub fn new(codec: Codec) -> Self {
        Self { codec }
    }

    /// The sum over output rows `[n, outputs]` with their target rows
    /// ([`Codec::target`]).
    pub fn sum(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        let end = targets.clone().narrow(1, 0, 1);
        let signed = outputs.clone().narrow(1, 0, 1) * end.clone();
        // Rows without a target have 0 here and count nothing.
        let mut likelihood = (log_sigmoid(signed) * end.abs()).sum();
        for head in self.codec.heads() {
            let scores = outputs.clone().narrow(1, head.start, head.len());
            let right = targets.clone().narrow(1, head.start, head.len());
            likelihood = likelihood + (log_softmax(scores, 1) * right).sum();
        }
        likelihood.neg()
    }
}

impl Objective for DecisionLoss {
    fn name(&self) -> &'static str {
        "negative log-likelihood of decisions"
    }

    /// The mean over calls of the sum over their steps.
    fn loss(&self, output: Tensor<2>, targets: &Targets) -> Tensor<1> {
        let Targets::Values(values) = targets else {
            return Tensor::zeros([1], &output.device());
        };
        let [calls, width] = output.dims();
        let rows = [calls * width / self.codec.outputs(), self.codec.outputs()];
        self.sum(output.reshape(rows), values.clone().reshape(rows))
            .div_scalar(calls as f64)
    }

    fn check(&self, outputs: usize, targets: &Targets) -> Result<(), NnError> {
        match targets {
            Targets::Values(values)
                if values.dims()[1] == outputs && outputs.is_multiple_of(self.codec.outputs()) =>
            {
                Ok(())
            }
            _ => Err(NnError::Data(format!(
                "decisions have {} targets a step, which {outputs} outputs do not fit",
                self.codec.outputs()
            ))),
        }
    }
}
