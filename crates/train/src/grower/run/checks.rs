//! What a grower refuses before it starts.

use burgeon_core::SplitBackend;
use burgeon_graph::Graph;
use burgeon_nn::growable::{check_targets, copy, is_finite, predict_batch, scalar};
use burgeon_nn::objective::check_is_mean;
use burgeon_nn::surgery::{OptimizerRules, optimizer_tensors};
use burgeon_nn::{Growable, Input, NnError, Objective, Output, Samples, Targets};
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Device, Int, Tensor};

use crate::task::Task;

/// Checks that a criterion that only makes networks deeper finds a place for a block.
///
/// # Errors
/// [`NnError::Settings`] that says why there is none, and what to change.
pub(super) fn check_places(graph: &Graph) -> Result<(), NnError> {
    if !graph.places().is_empty() {
        return Ok(());
    }
    let refused = graph.refused_stacks().iter();
    let refused: Vec<String> = refused
        .map(|(stack, reason)| format!("stack `{stack}`: {reason}"))
        .collect();
    Err(NnError::Settings(match refused.is_empty() {
        true => "the criterion makes the network deeper, and the model has no stack that takes a \
                 block: hold the blocks that may become more in a `Stack`, and name that in \
                 `Growable::stacks`"
            .into(),
        false => format!(
            "the criterion makes the network deeper, and no stack of the model takes a block: {}",
            refused.join("; ")
        ),
    }))
}

/// Checks that model, samples and backend are on one device.
///
/// # Errors
/// [`NnError::Settings`] that names two of them and their devices.
pub(super) fn check_devices<M: Module, I: Input>(
    model: &M,
    backend: &dyn SplitBackend,
    [train, held]: [&Samples<I>; 2],
) -> Result<(), NnError> {
    let expected = backend.device();
    let model = model
        .devices()
        .into_iter()
        .map(|device| ("the model", device));
    let train = devices_of(train).map(|device| ("the training samples", device));
    let held = devices_of(held).map(|device| ("the held samples", device));
    let mut all = model.chain(train).chain(held);
    match all.find(|(_, device)| *device != expected) {
        None => Ok(()),
        Some((what, device)) => Err(NnError::Settings(format!(
            "{what} and the backend {} are on different devices, {} and {}: use one for all",
            backend.name(),
            named(&device),
            named(&expected),
        ))),
    }
}

fn devices_of<I: Input>(samples: &Samples<I>) -> impl Iterator<Item = Device> {
    let targets = match samples.targets() {
        Targets::Classes(classes) => classes.device(),
        Targets::Positions(classes) => classes.device(),
        Targets::Values(values) => values.device(),
    };
    [samples.inputs().device(), targets].into_iter()
}

/// A device without its place in Burn's types.
fn named(device: &Device) -> String {
    format!("{:?}", device.clone().inner())
}

/// Checks that the objective of `task` is a mean, on outputs of `model` for a batch of training
/// samples, and that it has an accuracy where one is the run's target.
///
/// # Errors
/// [`NnError::Settings`] where it is not, or has none.
pub(super) fn check_objective<M: Growable>(
    model: &M,
    task: &Task<M::Input>,
    few: &Samples<M::Input>,
    target_accuracy: Option<f64>,
) -> Result<(), NnError> {
    let objective = task.objective.as_ref();
    if let Some(targets) = task.train.targets() {
        check_targets(&predict_batch(&model.valid(), few)?, objective, targets)?;
    }
    check_is_mean(
        objective,
        &predict_batch(&model.valid(), few)?,
        few.targets(),
    )?;
    let Some(target) = target_accuracy else {
        return Ok(());
    };
    let why = match task.held.targets().classes() {
        None => "the held samples have values for targets, not classes",
        Some(classes) if all_ignored(objective, &classes)? => {
            "the objective ignores every label of the held samples"
        }
        Some(_) => return Ok(()),
    };
    Err(NnError::Settings(format!(
        "a target accuracy of {target} can never be reached, since {why}: leave it out"
    )))
}

/// Whether `objective` counts none of `classes`.
fn all_ignored(objective: &dyn Objective, classes: &Tensor<1, Int>) -> Result<bool, NnError> {
    let Some(label) = objective.ignored() else {
        return Ok(false);
    };
    let counted = classes.clone().not_equal_elem(label as i64).int().sum();
    Ok(scalar::<i64>(counted.try_into_scalar())? == 0)
}

/// Checks that what `optimizer` keeps for `model` survives a growth: that there are rules by which
/// to carry it, and that it comes back in the model's type.
///
/// # Errors
/// [`NnError::OptimizerState`] that names a state without a rule, [`NnError::Settings`] for a model
/// of another type than what Burn brings back.
pub(super) fn check_optimizer<M: Growable>(
    model: &M,
    graph: &Graph,
    dtype: Option<DType>,
    optimizer: &ModuleOptimizer,
    task: &Task<M::Input>,
    first: &Samples<M::Input>,
    rules: &OptimizerRules,
) -> Result<(), NnError> {
    let stepped = stepped(model, optimizer, task, first)?;
    rules.check(graph, &stepped)?;
    // Burn restores the state of an optimizer in its device's default type, and mixed types panic
    // in the next step.
    let default = DType::from(Device::default().settings().float_dtype);
    match dtype {
        Some(dtype) if dtype != default && optimizer_tensors(&stepped) > 0 => {
            Err(NnError::Settings(format!(
                "the model is in {dtype:?}, but Burn would bring back this optimizer's state in \
                 {default:?} after a growth: train in {default:?}, by an optimizer that keeps no \
                 state, or make {dtype:?} the default type by `Device::configure` when the program \
                 starts"
            )))
        }
        _ => Ok(()),
    }
}

/// `optimizer` after a step of a copy of `model`, which shows what it keeps.
fn stepped<M: Growable>(
    model: &M,
    optimizer: &ModuleOptimizer,
    task: &Task<M::Input>,
    first: &Samples<M::Input>,
) -> Result<ModuleOptimizer, NnError> {
    let model = copy(model);
    let few: Vec<usize> = (0..first.len().min(2)).collect();
    let few = first.subset(&few)?;
    let few = match model.devices().first() {
        Some(device) => few.to_autodiff_of(device),
        None => few.to_autodiff(),
    };
    let output = model.predict(few.inputs().clone()).into_rows();
    let loss = task.objective.loss(output, few.targets());
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let mut optimizer = optimizer.clone();
    optimizer.step(0.0, model, gradients);
    Ok(optimizer)
}

/// Refuses a model that holds NaN or an infinity.
pub(super) fn check_finite<M: Growable>(model: &M) -> Result<(), NnError> {
    if is_finite(model) {
        return Ok(());
    }
    Err(NnError::Settings(
        "the model's weights hold NaN or an infinity: start from sound weights".into(),
    ))
}
