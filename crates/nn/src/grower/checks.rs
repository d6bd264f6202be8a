//! What a grower refuses before it starts.

use std::sync::Arc;

use burgeon_core::SplitBackend;
use burgeon_graph::Graph;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Device, Tensor};

use super::Task;
use crate::capture::Pass;
use crate::copies::detached;
use crate::error::NnError;
use crate::growable::Growable;
use crate::ports::{Input, Output};
use crate::samples::Targets;
use crate::sites::{CapturedSite, JetOperator};
use crate::surgery::{OptimizerRules, optimizer_tensors};
use crate::trace::Trace;

/// Checks that model, samples and backend are on one device.
///
/// # Errors
/// [`NnError::Settings`] that names two of them and their devices.
pub(super) fn check_devices<M: Module, I: Input>(
    model: &M,
    backend: &dyn SplitBackend,
    task: &Task<I>,
) -> Result<(), NnError> {
    let expected = backend.device();
    let model = model
        .devices()
        .into_iter()
        .map(|device| ("the model", device));
    let train = devices_of(&task.train).map(|device| ("the training samples", device));
    let held = devices_of(&task.held).map(|device| ("the held samples", device));
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

fn devices_of<I: Input>(samples: &crate::Samples<I>) -> impl Iterator<Item = Device> {
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

/// Checks that all floats of `model` are of one type, which is returned.
///
/// # Errors
/// [`NnError::Settings`] that names two parameters of different types.
pub(super) fn check_types<M: Module>(model: &M) -> Result<Option<DType>, NnError> {
    struct Types {
        path: Vec<String>,
        first: Option<(String, DType)>,
        problem: Option<String>,
    }
    impl ModuleVisitor for Types {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let (name, dtype) = (self.path.join("."), param.val().dtype());
            let (first, expected) = self.first.get_or_insert_with(|| (name.clone(), dtype));
            if dtype != *expected {
                self.problem.get_or_insert(format!(
                    "`{name}` is in {dtype:?}, but `{first}` is in {expected:?}: bring the model \
                     into one type, for instance by `burgeon_nn::growable::cast`"
                ));
            }
        }
    }
    let mut types = Types {
        path: Vec::new(),
        first: None,
        problem: None,
    };
    model.visit(&mut types);
    match types.problem {
        None => Ok(types.first.map(|(_, dtype)| dtype)),
        Some(problem) => Err(NnError::Settings(problem)),
    }
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
) -> Result<(), NnError> {
    let stepped = stepped(model, optimizer, task)?;
    OptimizerRules::default().check(graph, &stepped)?;
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
) -> Result<ModuleOptimizer, NnError> {
    let model = detached(model);
    let few: Vec<usize> = (0..task.train.len().min(2)).collect();
    let few = task.train.subset(&few)?.to_autodiff();
    let output = model.predict(few.inputs().clone()).into_rows();
    let loss = task.objective.loss(output, few.targets());
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let mut optimizer = optimizer.clone();
    optimizer.step(0.0, model, gradients);
    Ok(optimizer)
}

/// Checks that the curvature of every site can be had, on a few samples: a function that jumps has
/// none.
///
/// # Errors
/// [`NnError::Operation`] that names the operation.
pub(super) fn check_curvature<M: Growable>(
    model: &M,
    trace: &Arc<Trace>,
    backend: &dyn SplitBackend,
    task: &Task<M::Input>,
) -> Result<(), NnError> {
    let few: Vec<usize> = (0..task.train.len().min(2)).collect();
    let few = task.train.subset(&few)?;
    let objective = task.objective.as_ref();
    let pass = Pass::new(model, trace.clone(), objective, &few, few.len(), backend)?;
    for (form, site) in pass.forms.iter().zip(pass.run(0, false)?.sites) {
        if let CapturedSite::Jets(jets) = site {
            JetOperator::new(&pass.network, form, vec![jets]).check()?;
        }
    }
    Ok(())
}
