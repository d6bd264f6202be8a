//! What learns a sequence of tasks, and how it is judged.

use burgeon_nn::{Input, Samples};
use burn::tensor::Tensor;

use crate::error::ContinualError;
use crate::metrics::AccuracyMatrix;
use crate::task::ContinualTask;

/// What answers for tasks: each has a head of its own, and at prediction the task is told.
pub trait Predictor {
    /// Tasks learned.
    fn tasks(&self) -> usize;

    /// Logits `[b, classes]` of `task` for images `[b, channels, height, width]`.
    ///
    /// # Errors
    /// [`ContinualError::UnknownTask`], [`ContinualError::InputShape`].
    fn predict(&self, task: usize, images: &Tensor<4>) -> Result<Tensor<2>, ContinualError>;

    /// Parameters of all that is kept for prediction.
    fn parameters(&self) -> u64;

    /// Multiply-accumulates of all training so far, with everything that decisions took.
    fn training_macs(&self) -> u64;
}

/// What learns tasks one after the other.
pub trait Learner: Predictor {
    /// Its name.
    fn name(&self) -> &str;

    /// Learns one more task, without those before it.
    ///
    /// # Errors
    /// [`ContinualError`] where the task does not fit or training fails; what was learned before
    /// stays as it was.
    fn learn(&mut self, task: &ContinualTask) -> Result<(), ContinualError>;

    /// Whether outputs for learned tasks stay the same, bit for bit, while others are learned.
    fn keeps_outputs(&self) -> bool;

    /// Checks that `task` is the one that was learned as number `number`, as far as that is known.
    ///
    /// # Errors
    /// [`ContinualError::OtherTask`].
    fn recognise(&self, _number: usize, _task: &ContinualTask) -> Result<(), ContinualError> {
        Ok(())
    }
}

/// Images of a pass in which accuracies are found.
const BATCH: usize = 256;

/// The share of `samples` of `task` that `predictor` classifies rightly.
///
/// # Errors
/// As [`Predictor::predict`]; [`ContinualError::Targets`] for targets that are no classes.
pub fn accuracy(
    predictor: &dyn Predictor,
    task: usize,
    samples: &Samples<Tensor<4>>,
) -> Result<f64, ContinualError> {
    let Some(labels) = samples.targets().classes() else {
        return Err(ContinualError::Targets {
            task: task.to_string(),
            part: "test",
            problem: "an accuracy needs one class for each sample".into(),
        });
    };
    let mut right = 0;
    for start in (0..samples.len()).step_by(BATCH) {
        let end = (start + BATCH).min(samples.len());
        let logits = predictor.predict(task, &samples.inputs().slice_rows(start..end))?;
        let guesses = logits.argmax(1).squeeze_dim::<1>(1);
        let own = labels.clone().narrow(0, start, end - start);
        right += guesses.equal(own).int().sum().into_scalar::<i64>();
    }
    Ok(right as f64 / samples.len() as f64)
}

/// Learns `tasks` in their order, and finds the accuracies on all tasks so far after each. `watch`
/// is told of each row: the task's number and the accuracies.
///
/// A learner that has learned the first of them already goes on with the others; for that it must
/// [keep its outputs](Learner::keeps_outputs).
///
/// # Errors
/// [`ContinualError::NoTask`] for an empty sequence, [`ContinualError::Settings`] for a learner
/// that cannot go on; else as [`Learner::learn`].
pub fn learn_sequence(
    learner: &mut dyn Learner,
    tasks: &[ContinualTask],
    watch: &mut dyn FnMut(usize, &[f64]),
) -> Result<AccuracyMatrix, ContinualError> {
    if tasks.is_empty() {
        return Err(ContinualError::NoTask);
    }
    let known = learner.tasks();
    if known > tasks.len() || (known > 0 && !learner.keeps_outputs()) {
        return Err(ContinualError::Settings(format!(
            "`{}` has learned {known} tasks already, and cannot go on with a sequence of {}: begin \
             with a fresh one",
            learner.name(),
            tasks.len()
        )));
    }
    let mut matrix = AccuracyMatrix::new();
    for (number, task) in tasks.iter().enumerate() {
        match number < known {
            true => learner.recognise(number, task)?,
            false => learner.learn(task)?,
        }
        let seen = tasks[..=number].iter().enumerate();
        let row: Vec<f64> = seen
            .map(|(task, old)| accuracy(learner, task, old.test()))
            .collect::<Result<_, _>>()?;
        watch(number, &row);
        matrix.push(row)?;
    }
    Ok(matrix)
}
