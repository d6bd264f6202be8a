//! Recording a model's forward pass. All use of Burn's capture device is in this file.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use burn::backend::capture::{CaptureBackend, TensorId};
use burn::backend::ir::{GraphIr, OperationIr};
use burn::backend::{DispatchTensor, TensorMetadata};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::edits::{self, ParamEdits};
use crate::error::{NnError, quietly};
use crate::ports::{Input, Output};

/// A parameter or running statistic as it was recorded.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub id: ParamId,
    pub path: String,
    /// The kind of the layer that holds it, and the kinds of those around it.
    pub containers: Vec<String>,
    pub shape: Vec<usize>,
}

/// One forward pass.
pub(super) struct Recording {
    pub operations: Vec<OperationIr>,
    pub inputs: Vec<TensorId>,
    pub outputs: Vec<TensorId>,
    /// The data that the model holds besides its parameters.
    pub constants: HashMap<TensorId, TensorData>,
    pub leaves: HashMap<TensorId, Leaf>,
}

#[derive(Default)]
struct Names {
    path: Vec<String>,
    containers: Vec<String>,
    leaves: HashMap<TensorId, Leaf>,
}

impl Names {
    fn leaf(&mut self, id: ParamId, tensor: Option<TensorId>, shape: Vec<usize>) {
        let Some(tensor) = tensor else {
            return;
        };
        let kinds = self.containers.iter();
        let structs = kinds.filter_map(|kind| kind.strip_prefix("Struct:"));
        let leaf = Leaf {
            id,
            path: self.path.join("."),
            containers: structs.map(str::to_owned).collect(),
            shape,
        };
        self.leaves.insert(tensor, leaf);
    }
}

impl ModuleVisitor for Names {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push(name.to_owned());
        self.containers.push(container.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
        self.containers.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().try_into_primitive::<CaptureBackend>();
        self.leaf(
            param.id,
            tensor.ok().map(|tensor| tensor.id()),
            param.val().dims().to_vec(),
        );
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        let tensor = param.val().try_into_primitive::<CaptureBackend>();
        self.leaf(
            param.id,
            tensor.ok().map(|tensor| tensor.id()),
            param.val().dims().to_vec(),
        );
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        let tensor = param.val().try_into_primitive::<CaptureBackend>();
        self.leaf(
            param.id,
            tensor.ok().map(|tensor| tensor.id()),
            param.val().dims().to_vec(),
        );
    }
}

/// Puts tensors of no content in the place of a model's parameters.
struct Shells<'a> {
    device: &'a Device,
}

impl ModuleMapper for Shells<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let shell = Tensor::empty(tensor.dims(), (self.device, tensor.dtype()));
        Param::from_mapped_value(id, shell, mapper)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        let (id, tensor, mapper) = param.consume();
        let shell = Tensor::empty(tensor.dims(), (self.device, tensor.dtype()));
        Param::from_mapped_value(id, shell, mapper)
    }
}

/// A capture device. A process has 65,536 of them, so they are used again; one records one pass at
/// a time.
struct Recorder(Device);

static IDLE: Mutex<Vec<Device>> = Mutex::new(Vec::new());

impl Recorder {
    fn take() -> Self {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(idle.unwrap_or_else(Device::capture))
    }

    fn device(&self) -> &Device {
        &self.0
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(self.0.clone());
    }
}

fn recorded_id(value: DispatchTensor) -> Option<TensorId> {
    // Nothing is read of the tensor but its id, so its rank does not matter.
    let recorded = match value.dtype() {
        dtype if dtype.is_float() => {
            Tensor::<1>::from_dispatch(value).try_into_primitive::<CaptureBackend>()
        }
        dtype if dtype.is_bool() => {
            Tensor::<1, Bool>::from_dispatch(value).try_into_primitive::<CaptureBackend>()
        }
        _ => Tensor::<1, Int>::from_dispatch(value).try_into_primitive::<CaptureBackend>(),
    };
    recorded.ok().map(|tensor| tensor.id())
}

/// Records `forward`, with `edits` made first. `model` must be `valid()`, and be used for nothing else: moving a clone of
/// a training model would move its running statistics too.
///
/// # Errors
/// [`NnError::Trace`] with what the forward pass said where it panics, as it does where it reads
/// a value.
pub(super) fn record<M: Module, I: Input, O: Output>(
    model: M,
    input: I,
    forward: &dyn Fn(&M, I) -> O,
    edits: Option<&ParamEdits>,
) -> Result<Recording, NnError> {
    let recorder = Recorder::take();
    let device = recorder.device();
    let mut names = Names::default();
    let captured = quietly(|| {
        device.capture_scope(|scope| {
            // Shapes are all that is asked of parameters, so their numbers stay where they are.
            let mut shapes = Shells { device };
            let mut model = model.map(&mut shapes).to_device(device);
            if let Some(edits) = edits {
                model = match edits::map(model, edits) {
                    Ok(model) => model,
                    // Burn's own refusals come the same way.
                    Err(error) => std::panic::panic_any(error.to_string()),
                };
            }
            model.visit(&mut names);
            let input = input.to_device(device);
            let inputs: Vec<_> = input.clone().into_values();
            let inputs = inputs
                .into_iter()
                .filter_map(recorded_id)
                .collect::<Vec<_>>();
            let output = recorded_id(forward(&model, input).into_value());
            scope.complete(inputs, output)
        })
    });
    let captured = captured.map_err(|said| NnError::Trace(explained(said)))?;
    let captured = captured.map_err(|error| NnError::Trace(format!("{error:?}")))?;
    let GraphIr {
        operations,
        inputs,
        outputs,
    } = captured.graph;
    let is_leaf = |o: &OperationIr| o.outputs().any(|out| names.leaves.contains_key(&out.id));
    let computes =
        |o: &OperationIr| !matches!(o, OperationIr::Init(_) | OperationIr::Drop(_)) && !is_leaf(o);
    Ok(Recording {
        operations: operations.into_iter().filter(|o| computes(o)).collect(),
        constants: captured
            .values
            .into_iter()
            .filter(|(id, _)| !inputs.contains(id))
            .collect(),
        inputs,
        outputs,
        leaves: names.leaves,
    })
}

/// What to do about what a forward pass said when it was recorded.
fn explained(said: String) -> String {
    match said.contains("no concrete value") {
        true => format!(
            "`predict` reads a value of a tensor (`into_scalar`, `into_data`), which is not known \
             while it is traced: compute with tensors instead, by `mask_where` in place of an `if` \
             ({said})"
        ),
        false => said,
    }
}
