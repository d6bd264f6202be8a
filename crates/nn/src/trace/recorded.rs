//! What was recorded, for those who write it down in another form.

use std::collections::HashMap;

use burgeon_graph::Size;
use burn::backend::capture::TensorId;
use burn::backend::ir::OperationIr;
use burn::module::ParamId;
use burn::tensor::TensorData;

use super::Trace;

/// The operations of a forward pass, as Burn recorded them, and the tensors that they begin with.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// The operations, in their order: as many as the graph has nodes.
    pub operations: &'a [OperationIr],
    /// The inputs, in their order.
    pub inputs: &'a [TensorId],
    /// The answer.
    pub output: TensorId,
    /// Parameters and running statistics.
    pub parameters: &'a HashMap<TensorId, ParamId>,
    /// Data that the model holds besides.
    pub constants: &'a HashMap<TensorId, TensorData>,
}

impl Trace {
    /// What was recorded.
    pub fn recorded(&self) -> Recorded<'_> {
        Recorded {
            operations: &self.operations,
            inputs: &self.inputs,
            output: self.output,
            parameters: &self.parameters,
            constants: &self.constants,
        }
    }

    /// The sizes of a recorded tensor's axes, for any batch; none of an unknown one.
    pub fn sizes(&self, tensor: TensorId) -> Option<&[Size]> {
        let value = self.values.get(&tensor)?;
        Some(self.graph.sizes(*value))
    }
}
