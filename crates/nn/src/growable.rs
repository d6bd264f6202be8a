//! What a user's model says of itself, and running it.

use std::ops::Range;

use burgeon_core::{CoreError, Team};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

use crate::checkpointing;
pub use crate::copies::copy;
use crate::copies::{detached, inference};
use crate::error::{NnError, quietly};
use crate::objective::Objective;
use crate::part::{Cut, Total};
use crate::ports::{Input, Output};
use crate::samples::{Samples, Targets};
use crate::stack::Stacks;

/// A Burn model that can grow: any, as it is.
///
/// ```
/// use burgeon_nn::Growable;
/// use burn::module::Module;
/// use burn::nn::Linear;
/// use burn::tensor::Tensor;
/// use burn::tensor::activation::relu;
///
/// #[derive(Module, Debug)]
/// struct Mlp {
///     hidden: Linear,
///     output: Linear,
/// }
///
/// impl Growable for Mlp {
///     type Input = Tensor<2>;
///     type Output = Tensor<2>;
///
///     fn predict(&self, input: Tensor<2>) -> Tensor<2> {
///         self.output.forward(relu(self.hidden.forward(input)))
///     }
/// }
/// ```
pub trait Growable: Module + Sync + 'static {
    /// What `predict` reads: tensors with one row for each sample.
    type Input: Input;

    /// What it answers: one row for each sample.
    type Output: Output;

    /// The forward pass, for any number of samples.
    fn predict(&self, input: Self::Input) -> Self::Output;

    /// The model with what its own fields say of widths brought in line with its weights, once
    /// growing has changed those. A model whose widths are those of its weights has nothing to do:
    /// this is for layers such as a depthwise `burn::nn::conv::Conv2d`, whose `groups` are to
    /// become its weight's rows. It must change nothing else.
    #[must_use]
    fn rebuilt(self) -> Self {
        self
    }

    /// The stacks of blocks that may become longer, by their paths in the model; none unless said.
    /// What is not in one keeps its depth. See [`Stacks`].
    fn stacks(&mut self) -> Stacks<'_> {
        Stacks::new()
    }

    /// A regulariser `[1]` of the parameters that training adds to the loss, such as the L1
    /// norm of the BatchNorm scales. Evaluation, capture and line search leave it out.
    fn penalty(&self) -> Option<Tensor<1>> {
        None
    }
}

/// A model's loss on samples, and its accuracy where the targets are classes.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Evaluation {
    /// Mean loss.
    pub loss: f64,
    /// Share of samples, or of their positions, whose largest output is at their class; labels
    /// that the objective ignores do not count.
    pub accuracy: Option<f64>,
}

/// Evaluates `model` in inference mode; batches are joined in f64.
///
/// # Errors
/// [`NnError::Data`] if the outputs do not fit the targets, [`NnError::Core`] if the
/// device fails.
pub fn evaluate<M: Growable>(
    model: &M,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    batch_size: usize,
) -> Result<Evaluation, NnError> {
    evaluate_in(model, objective, samples, batch_size, None)
}

/// [`evaluate`] of samples that all ranks of `team` have, each on its own pieces: all must call it,
/// and find the same.
///
/// # Errors
/// As [`evaluate`]; [`NnError::Core`] if a rank is gone.
pub fn evaluate_in<M: Growable>(
    model: &M,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    batch_size: usize,
    team: Option<&Team>,
) -> Result<Evaluation, NnError> {
    let model = inference(model);
    let cut = Cut::of(samples.len(), batch_size, team);
    let own = cut.own.into_iter().enumerate();
    let of_rows = |(index, rows): (usize, Range<usize>)| -> Result<Vec<f64>, NnError> {
        let batch = samples.slice(rows);
        let (mut right, mut counted) = (0, 0);
        let output = predict_batch(&model, &batch)?;
        if index == 0 {
            check_targets(&output, objective, samples.targets())?;
        }
        if let Some(classes) = batch.targets().classes() {
            let guess = output.clone().argmax(1).squeeze_dim::<1>(1);
            let hits = guess.equal(classes.clone());
            let counts = match objective.ignored() {
                Some(label) => classes.not_equal_elem(label as i64),
                None => hits.clone().bool_or(hits.clone().bool_not()),
            };
            let hits = hits.bool_and(counts.clone());
            right = scalar::<i64>(hits.int().sum().try_into_scalar())?;
            counted = scalar::<i64>(counts.int().sum().try_into_scalar())?;
        }
        let mean = objective.loss(output, batch.targets());
        let loss = scalar::<f64>(mean.try_into_scalar())? * batch.len() as f64;
        Ok(vec![loss, right as f64, counted as f64])
    };
    let mut total = Total::over(cut.pieces, team);
    match team {
        None => own.map(of_rows).try_for_each(|found| {
            total.add(found?);
            Ok::<_, NnError>(())
        })?,
        // Pieces are small.
        Some(_) => {
            let found: Vec<_> = own
                .collect::<Vec<_>>()
                .into_par_iter()
                .map(of_rows)
                .collect();
            for found in found {
                total.add(found?);
            }
        }
    }
    let found = total.finish()?;
    let [loss, right, counted] = std::array::from_fn(|k| found.get(k).copied().unwrap_or(0.0));
    let count = samples.len() as f64;
    Ok(Evaluation {
        loss: loss / count,
        accuracy: (counted > 0.0).then(|| right / counted),
    })
}

/// Outputs `[n, k]` of `model` in inference mode.
pub fn predict<M: Growable>(
    model: &M,
    samples: &Samples<M::Input>,
    batch_size: usize,
) -> Tensor<2> {
    let model = inference(model);
    let outputs = samples
        .batches(batch_size)
        .map(|batch| model.predict(batch.inputs().clone()).into_rows());
    Tensor::cat(outputs.collect(), 0)
}

/// Runs `predict` where its shapes are not known to fit yet. Burn checks shapes by
/// panicking, and what a user hands in must not end the process.
///
/// # Errors
/// What Burn said.
pub(crate) fn try_predict<M: Growable>(model: &M, input: M::Input) -> Result<M::Output, String> {
    quietly(|| model.predict(input))
}

/// Outputs `[b, k]` of `model` for `batch`.
///
/// # Errors
/// [`NnError::Data`] if the model cannot read as many samples as the batch has, or answers with
/// another number of rows.
pub fn predict_batch<M: Growable>(
    model: &M,
    batch: &Samples<M::Input>,
) -> Result<Tensor<2>, NnError> {
    predict_inputs(model, batch.inputs().clone(), batch)
}

/// [`predict_batch`] for the inputs of `batch` in another type.
///
/// # Errors
/// As [`predict_batch`].
pub fn predict_inputs<M: Growable>(
    model: &M,
    inputs: M::Input,
    batch: &Samples<M::Input>,
) -> Result<Tensor<2>, NnError> {
    let output = try_predict(model, inputs).map_err(|said| {
        NnError::Data(format!(
            "the model cannot read a batch of {} samples: {FREE_BATCH} ({said})",
            batch.len()
        ))
    })?;
    check_rows(&output, batch)?;
    let output = output.into_rows();
    check_positions(&output, batch.targets())?;
    Ok(output)
}

/// What `predict` must do about its batch.
const FREE_BATCH: &str = "`predict` must take any number of samples, which a `reshape` to a \
                          number of its own or a `squeeze` of all axes does not";

/// Checks that `model` reads `samples`, in batches of any size, and that the objective can score
/// its answers.
///
/// # Errors
/// [`NnError::Data`] that says what does not fit, a batch size that `predict` fixes included.
pub fn check_reads<M: Growable>(
    model: &M,
    objective: &dyn Objective,
    samples: &Samples<M::Input>,
    batch_size: usize,
) -> Result<(), NnError> {
    let mut read = None;
    let mut refused = None;
    for size in [1, 2, batch_size] {
        if size > 2 && refused.is_none() {
            break;
        }
        let few: Vec<usize> = (0..size.min(samples.len())).collect();
        let few = samples.subset(&few)?;
        match try_predict(model, few.inputs().clone()) {
            Ok(output) => {
                check_rows(&output, &few)?;
                let output = output.into_rows();
                check_positions(&output, few.targets())?;
                check_targets(&output, objective, samples.targets())?;
                read.get_or_insert(few.len());
            }
            Err(said) => {
                refused.get_or_insert((few.len(), said));
            }
        }
    }
    let Some((size, said)) = refused else {
        return Ok(());
    };
    Err(NnError::Data(match read {
        Some(other) => format!(
            "the model reads a batch of {other} but not of {size} samples: `predict` fixes the \
             batch size; {FREE_BATCH} ({said})"
        ),
        None => format!("the model cannot read inputs of this shape: {said}"),
    }))
}

/// Checks that a batch's outputs have a row for each of its samples.
pub(crate) fn check_rows<I: Input, O: Output>(
    output: &O,
    batch: &Samples<I>,
) -> Result<(), NnError> {
    if output.len() != batch.len() {
        return Err(NnError::Data(format!(
            "the model answers {} samples with {} rows: `predict` must keep the batch axis",
            batch.len(),
            output.len()
        )));
    }
    Ok(())
}

/// Checks that the objective can score outputs like `output` `[b, k]` against `targets`: those of
/// all samples, before any loss is computed, since a label out of range or values of another type
/// panic there.
///
/// # Errors
/// [`NnError::Data`] that says what does not fit.
pub fn check_targets(
    output: &Tensor<2>,
    objective: &dyn Objective,
    targets: &Targets,
) -> Result<(), NnError> {
    let [_, outputs] = output.dims();
    if let Targets::Values(values) = targets
        && values.dtype() != output.dtype()
    {
        return Err(NnError::Data(format!(
            "the target values are in {:?}, the model answers in {:?}: cast one of them",
            values.dtype(),
            output.dtype()
        )));
    }
    objective.check(outputs, targets)
}

/// Checks that outputs have a row for each row of the targets of their batch.
pub(crate) fn check_positions(output: &Tensor<2>, targets: &Targets) -> Result<(), NnError> {
    let [rows, _] = output.dims();
    if let Targets::Values(values) = targets {
        let samples = values.dims()[0];
        if samples == rows {
            return Ok(());
        }
        return Err(NnError::Data(format!(
            "the model answers {rows} times for {samples} samples: values are of samples, so \
             flatten the answer to `[b, k]`"
        )));
    }
    let classes = targets.classes().map_or(rows, |classes| classes.dims()[0]);
    if classes == rows {
        return Ok(());
    }
    Err(NnError::Data(format!(
        "the model answers {rows} times for {classes} labels: each position needs one of both"
    )))
}

/// A number read from the device.
///
/// # Errors
/// [`NnError::Core`] if the device fails.
pub fn scalar<T>(value: Result<T, impl std::fmt::Display>) -> Result<T, NnError> {
    value.map_err(|error| {
        NnError::Core(CoreError::Read {
            what: "a scalar".into(),
            reason: error.to_string(),
        })
    })
}

/// Trained parameters of `model`; running statistics do not count.
pub fn parameter_count<M: Module>(model: &M) -> u64 {
    struct Counter(u64);
    impl ModuleVisitor for Counter {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                self.0 += param.shape().num_elements() as u64;
            }
        }
    }
    let on_tape = model.devices().iter().any(|device| device.is_autodiff());
    let model = if on_tape {
        model.clone()
    } else {
        model.clone().train()
    };
    let mut counter = Counter(0);
    model.visit(&mut counter);
    counter.0
}

/// `model` with all its floats in `dtype`, as leaves of the graph where they were.
pub fn cast<M: Module>(model: &M, dtype: DType) -> M {
    struct Caster(DType);
    impl ModuleMapper for Caster {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, tensor, mapper) = param.consume();
            let requires_grad = tensor.is_require_grad();
            let cast = match tensor.is_autodiff() {
                true => {
                    Tensor::from_inner(tensor.inner().cast(self.0)).set_require_grad(requires_grad)
                }
                false => tensor.cast(self.0),
            };
            Param::from_mapped_value(id, cast, mapper)
        }
    }
    let cast = detached(model).map(&mut Caster(dtype));
    checkpointing::as_in(cast, model)
}

/// Whether all parameters and statistics of `model` are numbers.
pub fn is_finite<M: Module>(model: &M) -> bool {
    struct Checker(bool);
    impl ModuleVisitor for Checker {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 &= burgeon_core::block::is_finite(param.val());
        }
    }
    let mut checker = Checker(true);
    model.visit(&mut checker);
    checker.0
}
