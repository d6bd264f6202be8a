//! Call sequences with their right decisions, as tensors.

use burgeon_nn::Samples;
use burn::tensor::{Device, Tensor, TensorData};

use super::codec::Codec;
use super::loss::DecisionLoss;
use crate::calls::{CallSequence, CallSet};
use crate::controller::Controller;
use crate::error::NpiError;
use crate::program::Decision;

/// Calls packed step by step, the longest first, so that nothing is padded.
#[derive(Debug, Clone)]
pub struct Traces {
    codec: Codec,
    /// Input rows `[n, inputs]`.
    pub inputs: Tensor<2>,
    /// Target rows `[n, outputs]`.
    pub targets: Tensor<2>,
    /// Calls that have a first step, a second one, …
    pub sizes: Vec<usize>,
    decisions: Vec<Decision>,
}

impl Traces {
    /// The calls of a set with the decisions of `teacher`, on `device`.
    ///
    /// # Errors
    /// [`NpiError::Problem`] for no calls at all.
    pub fn new<T: Controller>(
        codec: Codec,
        calls: &CallSet,
        teacher: &mut T,
        device: &Device,
    ) -> Result<Self, NpiError> {
        if calls.is_empty() {
            return Err(NpiError::Problem("there are no calls to learn from".into()));
        }
        let mut sequences: Vec<(&CallSequence, Vec<Decision>)> = calls
            .iter()
            .map(|sequence| (sequence, sequence.decisions(teacher)))
            .collect();
        sequences.sort_by_key(|(_, decisions)| std::cmp::Reverse(decisions.len()));
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        let (mut sizes, mut right) = (Vec::new(), Vec::new());
        for step in 0.. {
            let reach = |(sequence, _): &&(&CallSequence, _)| sequence.observations.len() > step;
            let size = sequences.iter().take_while(reach).count();
            if size == 0 {
                break;
            }
            for (sequence, decisions) in &sequences[..size] {
                codec.input(sequence.call, sequence.observations[step], &mut inputs);
                codec.target(decisions[step], &mut targets);
                right.push(decisions[step]);
            }
            sizes.push(size);
        }
        let rows = |numbers: Vec<f32>, width: usize| {
            let count = numbers.len() / width;
            Tensor::from_data(TensorData::new(numbers, [count, width]), device)
        };
        Ok(Self {
            codec,
            inputs: rows(inputs, codec.inputs()),
            targets: rows(targets, codec.outputs()),
            sizes,
            decisions: right,
        })
    }

    /// Calls.
    pub fn calls(&self) -> usize {
        self.sizes.first().copied().unwrap_or(0)
    }

    /// The mean loss of output rows over the calls.
    pub fn loss(&self, outputs: Tensor<2>) -> Tensor<1> {
        let loss = DecisionLoss::new(self.codec);
        loss.sum(outputs, self.targets.clone())
            .div_scalar(self.calls() as f64)
    }

    /// How many decisions in output rows are wrong.
    ///
    /// # Errors
    /// [`NpiError::Device`] if the device fails.
    pub fn wrong(&self, outputs: &Tensor<2>) -> Result<usize, NpiError> {
        let rows = numbers(outputs)?;
        let found = rows.chunks(self.codec.outputs());
        let pairs = found.zip(&self.decisions);
        let wrong = pairs.filter(|(row, right)| self.codec.decision(row) != **right);
        Ok(wrong.count())
    }
}

/// The numbers of rows on the host.
pub(super) fn numbers(rows: &Tensor<2>) -> Result<Vec<f32>, NpiError> {
    let data = rows.clone().try_into_data();
    let data = data.map_err(|error| NpiError::Device(error.to_string()))?;
    data.try_into_vec::<f32>()
        .map_err(|error| NpiError::Device(error.to_string()))
}

/// Calls padded to the longest, with the decisions of `teacher`: samples of a [`Core`](super::Core)
/// as a model that grows.
///
/// # Errors
/// [`NpiError::Problem`] for no calls at all, [`NpiError::Device`] for what the device refuses.
pub fn samples<T: Controller>(
    codec: Codec,
    calls: &CallSet,
    teacher: &mut T,
    device: &Device,
) -> Result<Samples<Tensor<3>>, NpiError> {
    let steps = calls.longest();
    if steps == 0 {
        return Err(NpiError::Problem("there are no calls to learn from".into()));
    }
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for (count, sequence) in calls.iter().enumerate() {
        let decisions = sequence.decisions(teacher);
        for (observation, decision) in sequence.observations.iter().zip(decisions) {
            codec.input(sequence.call, *observation, &mut inputs);
            codec.target(decision, &mut targets);
        }
        inputs.resize((count + 1) * steps * codec.inputs(), 0.0);
        targets.resize((count + 1) * steps * codec.outputs(), 0.0);
    }
    let inputs = TensorData::new(inputs, [calls.len(), steps, codec.inputs()]);
    let targets = TensorData::new(targets, [calls.len(), steps * codec.outputs()]);
    Samples::regression(
        Tensor::from_data(inputs, device),
        Tensor::from_data(targets, device),
    )
    .map_err(|error| NpiError::Device(error.to_string()))
}
