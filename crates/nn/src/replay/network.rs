//! A traced model with its parameters on a device.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use burgeon_core::SlopeAtZero;
use burgeon_graph::GroupId;
use burn::backend::capture::TensorId;
use burn::backend::ir::{OperationIr, SliceAssignOpIr, SliceOpIr, TensorIr};
use burn::backend::{DispatchDevice, TensorMetadata};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, DType, Int, Slice, Tensor};

use super::{Frame, Value, evaluate};
use crate::copies::inference;
use crate::error::{NnError, quietly};
use crate::growable::Growable;
use crate::ports::{Input, Output};
use crate::trace::Trace;

/// Tensors of one pass, by their ids in the trace.
pub(crate) type Values = HashMap<TensorId, Value>;

/// Parameters by id.
pub(crate) type Parameters = HashMap<ParamId, Value>;

/// A traced model with its parameters: it answers as the model does, and can be looked into.
#[derive(Debug, Clone)]
pub struct Network {
    pub(crate) trace: Arc<Trace>,
    pub(crate) parameters: Parameters,
    /// Groups whose widths are no longer the trace's.
    pub(crate) widths: HashMap<GroupId, usize>,
    device: DispatchDevice,
    float: DType,
    slope_at_zero: SlopeAtZero,
}

impl Network {
    /// `model`, in inference mode, of which `trace` is.
    ///
    /// # Errors
    /// [`NnError::Model`] where parameters are of several float types or on several devices.
    pub fn of<M: Module>(trace: Arc<Trace>, model: &M) -> Result<Self, NnError> {
        let model = inference(model);
        let mut collector = Collector::default();
        model.visit(&mut collector);
        let Collector {
            parameters, first, ..
        } = collector;
        let Some((name, float)) = first else {
            return Err(NnError::Model("it has no parameter of floats".into()));
        };
        if let Some((other, dtype)) = collector.other {
            return Err(NnError::Model(format!(
                "`{name}` is of type {float:?}, `{other}` of {dtype:?}: cast the model to one type"
            )));
        }
        let devices = model.devices();
        let [device] = &devices[..] else {
            return Err(NnError::Model(format!(
                "its parameters are on several devices ({devices:?}): move it to one"
            )));
        };
        let device = device.as_dispatch().clone();
        Ok(Self {
            trace,
            parameters,
            widths: HashMap::new(),
            device,
            float,
            slope_at_zero: SlopeAtZero::Trained,
        })
    }

    /// The same, its ReLUs differentiated otherwise at 0.
    pub(crate) fn with_slope_at_zero(mut self, slope: SlopeAtZero) -> Self {
        self.slope_at_zero = slope;
        self
    }

    /// The type of its floats.
    pub fn dtype(&self) -> DType {
        self.float
    }

    /// What the model `M`, of which this is, answers to `input`.
    ///
    /// # Errors
    /// [`NnError::Operation`] that names the operation that cannot be done.
    pub fn predict<M: Growable>(&self, input: M::Input) -> Result<M::Output, NnError> {
        let batch = input.len();
        let output = self.forward(&input.into_values(), batch)?;
        Ok(M::Output::from_value(output))
    }

    pub(crate) fn device(&self) -> &DispatchDevice {
        &self.device
    }

    /// The same trace with other parameters, and other widths of some groups.
    pub(crate) fn with(&self, parameters: Parameters, widths: HashMap<GroupId, usize>) -> Self {
        self.of_trace(self.trace.clone(), parameters, widths)
    }

    /// Another trace on the same device, in the same type.
    pub(crate) fn of_trace(
        &self,
        trace: Arc<Trace>,
        parameters: Parameters,
        widths: HashMap<GroupId, usize>,
    ) -> Self {
        Self {
            trace,
            parameters,
            widths,
            device: self.device.clone(),
            ..*self
        }
    }

    /// A parameter in the type of the others.
    pub(crate) fn adopted(&self, value: Value) -> Value {
        self.in_frame(1, |frame| frame.adopt(value))
    }

    /// What the model answers to inputs of `batch` rows.
    pub(crate) fn forward(&self, inputs: &[Value], batch: usize) -> Result<Value, NnError> {
        let (output, _) = self.run(inputs, batch, &|_| false, &mut NoProbe)?;
        Ok(output)
    }

    /// Runs the trace: its output, and the tensors that `keep` names.
    pub(crate) fn run(
        &self,
        inputs: &[Value],
        batch: usize,
        keep: &dyn Fn(TensorId) -> bool,
        probes: &mut dyn Probes,
    ) -> Result<(Value, Values), NnError> {
        let trace = &*self.trace;
        let mut values = Values::new();
        let mut kept = Values::new();
        for (id, value) in self.leaves(inputs, batch) {
            if keep(id) {
                kept.insert(id, value.clone());
            }
            values.insert(id, probes.lifted(value));
        }
        for (index, operation) in trace.operations.iter().enumerate() {
            let ends = &trace.last_uses[index];
            let output = self.operation(index, batch, &mut |tensor| {
                // A tensor that is read twice by its last reader must not be gone.
                let once = operation.inputs().filter(|t| t.id == tensor.id).count() == 1;
                let value = match once && ends.contains(&tensor.id) {
                    true => values.remove(&tensor.id),
                    false => values.get(&tensor.id).cloned(),
                };
                value.map(|value| probes.read(index, tensor.id, value))
            })?;
            for id in ends {
                values.remove(id);
            }
            let Some(made) = operation.outputs().next().map(|tensor| tensor.id) else {
                continue;
            };
            if keep(made) {
                kept.insert(made, probes.plain(output.clone()));
            }
            values.insert(made, probes.made(made, output));
        }
        let output = values.remove(&trace.output);
        let output = output.ok_or_else(|| NnError::Trace("it answers nothing".into()))?;
        Ok((output, kept))
    }

    /// Runs what depends on `changed` parameters, everything else being as in `before`, which need
    /// not have parameters and constants: the output.
    pub(crate) fn run_from(
        &self,
        before: &Values,
        changed: &HashSet<ParamId>,
        batch: usize,
    ) -> Result<Value, NnError> {
        let trace = &*self.trace;
        let mut values = Values::new();
        // What no parameter makes, such as the first state of a recurrence, has widths as well.
        let widened = |operation: &OperationIr| {
            let made = output_of(operation).and_then(|id| trace.values.get(&id));
            let axes = made.map_or(&[][..], |value| trace.graph().axes(*value));
            let mut groups = axes.iter().flat_map(|axis| axis.groups());
            groups.any(|group| self.widths.contains_key(&group))
        };
        for (id, parameter) in &trace.parameters {
            if let (true, Some(value)) =
                (changed.contains(parameter), self.parameters.get(parameter))
            {
                values.insert(*id, value.clone());
            }
        }
        for (index, operation) in trace.operations.iter().enumerate() {
            let mut read = operation.inputs();
            if read.any(|t| values.contains_key(&t.id)) || widened(operation) {
                self.renew(index, batch, &mut values, before)?;
            }
        }
        let output = values.remove(&trace.output);
        let output = output.or_else(|| before.get(&trace.output).cloned());
        output.ok_or_else(|| NnError::Trace("it answers nothing".into()))
    }

    /// Does operation number `index` on `values`, and on what is `before` where they have nothing;
    /// values that nothing later reads go.
    pub(crate) fn renew(
        &self,
        index: usize,
        batch: usize,
        values: &mut Values,
        before: &Values,
    ) -> Result<(), NnError> {
        let operation = &self.trace.operations[index];
        let ends = &self.trace.last_uses[index];
        let output = self.operation(index, batch, &mut |tensor| {
            let once = operation.inputs().filter(|t| t.id == tensor.id).count() == 1;
            let own = match once && ends.contains(&tensor.id) {
                true => values.remove(&tensor.id),
                false => values.get(&tensor.id).cloned(),
            };
            let known = own.or_else(|| before.get(&tensor.id).cloned());
            let still = || self.in_frame(batch, |frame| self.still(tensor.id, frame));
            known.or_else(still)
        })?;
        values.extend(output_of(operation).map(|made| (made, output)));
        for id in ends {
            values.remove(id);
        }
        Ok(())
    }

    /// Parameters, constants and inputs.
    fn leaves(&self, inputs: &[Value], batch: usize) -> Vec<(TensorId, Value)> {
        let trace = &*self.trace;
        let mut leaves = Vec::new();
        self.in_frame(batch, |frame| {
            for (id, parameter) in &trace.parameters {
                if let Some(value) = self.parameters.get(parameter) {
                    leaves.push((*id, value.clone()));
                }
            }
            for (id, data) in &trace.constants {
                leaves.push((*id, frame.constant(data)));
            }
            for (id, value) in trace.inputs.iter().zip(inputs) {
                leaves.push((*id, frame.adopt(value.clone())));
            }
        });
        leaves
    }

    /// A parameter or constant.
    pub(crate) fn still(&self, id: TensorId, frame: &Frame) -> Option<Value> {
        let own = self.trace.parameters.get(&id);
        let own = own.and_then(|id| self.parameters.get(id)).cloned();
        own.or_else(|| Some(frame.constant(self.trace.constants.get(&id)?)))
    }

    /// What operation number `index` gives for the operands that `read` has.
    pub(crate) fn operation(
        &self,
        index: usize,
        batch: usize,
        read: &mut dyn FnMut(&TensorIr) -> Option<Value>,
    ) -> Result<Value, NnError> {
        let operation = &self.trace.operations[index];
        let mut missing = false;
        let fallback = |tensor: &TensorIr| {
            let data = burn::tensor::TensorData::zeros::<f32, _>(tensor.shape.clone());
            self.in_frame(batch, |frame| frame.constant(&data))
        };
        // Burn checks by panicking what only values tell, such as an index.
        let run = || {
            self.in_frame(batch, |frame| {
                evaluate(operation, frame, &mut |tensor| {
                    read(tensor).unwrap_or_else(|| {
                        missing = true;
                        fallback(tensor)
                    })
                })
            })
        };
        match quietly(run) {
            Ok(_) if missing => Err(self.refused(index, "an operand is not known")),
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.refused(index, &error.to_string())),
            Err(said) => Err(self.refused(index, &said)),
        }
    }

    /// The error for an operation, which names its place in the model.
    pub(crate) fn refused(&self, index: usize, problem: &str) -> NnError {
        let node = &self.trace.graph().nodes()[index];
        NnError::Operation {
            operation: node.name.clone(),
            layer: node.layer.clone(),
            problem: problem.to_owned(),
        }
    }

    /// Runs `work` on a frame for inputs of `batch` rows.
    pub(crate) fn in_frame<R>(&self, batch: usize, work: impl FnOnce(&Frame) -> R) -> R {
        let trace = &*self.trace;
        let graph = trace.graph();
        let width = |group: GroupId| self.widths.get(&group).copied();
        let shapes = |tensor: &TensorIr| match trace.values.get(&tensor.id) {
            Some(value) => graph.shape(*value, batch, &width),
            None => tensor.shape.iter().copied().collect(),
        };
        let cut = |tensor: &TensorIr, ranges: &[Slice], part: &TensorIr| {
            let (whole, part) = (shapes(tensor), shapes(part));
            let maps = trace.values.get(&tensor.id).map(|value| graph.axes(*value));
            ranges
                .iter()
                .enumerate()
                .map(|(axis, range)| {
                    let recorded = range.to_range(tensor.shape[axis]);
                    let start = recorded.start as isize;
                    if range.step != 1 {
                        return *range;
                    }
                    if recorded.start == 0 && recorded.end == tensor.shape[axis] {
                        return Slice::new(0, Some(whole[axis] as isize), 1);
                    }
                    let map = maps.and_then(|maps| maps.get(axis));
                    match map.filter(|map| map.has_channels()) {
                        Some(map) => {
                            let at = |place| map.moved(place, &width) as isize;
                            Slice::new(at(recorded.start), Some(at(recorded.end)), 1)
                        }
                        None => Slice::new(start, Some(start + part[axis] as isize), 1),
                    }
                })
                .collect()
        };
        work(&Frame {
            device: &self.device,
            float: self.float,
            shapes: &shapes,
            ranges: &|o: &SliceOpIr| cut(&o.tensor, &o.ranges, &o.out),
            assigned: &|o: &SliceAssignOpIr| cut(&o.tensor, &o.ranges, &o.value),
            fast: &|weight| trace.fast.contains(&weight),
            slope_at_zero: self.slope_at_zero,
        })
    }
}

/// What looks into a pass.
pub(crate) trait Probes {
    /// A parameter, constant or input as the pass is to use it.
    fn lifted(&mut self, value: Value) -> Value;

    /// What operation number `operation` is to read in place of `value`.
    fn read(&mut self, operation: usize, id: TensorId, value: Value) -> Value;

    /// What all later operations are to read in place of `value`, which was just made.
    fn made(&mut self, id: TensorId, value: Value) -> Value;

    /// A tensor of the pass off the graph.
    fn plain(&self, value: Value) -> Value;
}

/// Nothing is looked into.
pub(crate) struct NoProbe;

impl Probes for NoProbe {
    fn lifted(&mut self, value: Value) -> Value {
        value
    }

    fn read(&mut self, _operation: usize, _id: TensorId, value: Value) -> Value {
        value
    }

    fn made(&mut self, _id: TensorId, value: Value) -> Value {
        value
    }

    fn plain(&self, value: Value) -> Value {
        value
    }
}

/// All parameters of a model.
#[derive(Default)]
struct Collector {
    path: Vec<String>,
    parameters: Parameters,
    first: Option<(String, DType)>,
    other: Option<(String, DType)>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val().into_dispatch();
        let found = (self.path.join("."), value.dtype());
        match &self.first {
            None => self.first = Some(found),
            Some((_, dtype)) if *dtype != found.1 => {
                self.other.get_or_insert(found);
            }
            Some(_) => {}
        }
        self.parameters.insert(param.id, value);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.parameters
            .insert(param.id, param.val().into_dispatch());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.parameters
            .insert(param.id, param.val().into_dispatch());
    }
}

/// The output of an operation.
pub(crate) fn output_of(operation: &OperationIr) -> Option<TensorId> {
    operation.outputs().next().map(|tensor| tensor.id)
}
