//! What is kept of a pass, and what is computed of it again.

use std::collections::{HashMap, HashSet};

use burgeon_graph::Operation;
use burn::backend::ir::TensorId;

use super::network::{Network, Values, output_of};
use crate::error::NnError;
use crate::trace::Trace;

/// The tensors of a pass that are worth their memory: inputs, the answer, products, and what
/// normalisations and biases make of them. All others follow from them by passes over values.
pub(crate) fn worth_keeping(trace: &Trace) -> HashSet<TensorId> {
    let mut readers: HashMap<TensorId, usize> = HashMap::new();
    for operation in &trace.operations {
        for tensor in operation.inputs() {
            *readers.entry(tensor.id).or_default() += 1;
        }
    }
    let mut kept: HashSet<TensorId> = trace.inputs.iter().copied().collect();
    for (operation, node) in trace.operations.iter().zip(trace.graph().nodes()) {
        let continues = match node.operation {
            Operation::Linear | Operation::MatMul | Operation::Convolution { .. } => false,
            Operation::ChannelNorm | Operation::Elementwise { adds: true } => true,
            _ => continue,
        };
        let mut data = operation.inputs().filter(|t| trace.is_data(t.id));
        if let (true, Some(tensor), None) = (continues, data.next(), data.next())
            && readers.get(&tensor.id) == Some(&1)
            && !trace.inputs.contains(&tensor.id)
        {
            kept.remove(&tensor.id);
        }
        kept.extend(output_of(operation).filter(|made| trace.is_data(*made)));
    }
    kept.insert(trace.output);
    kept
}

impl Network {
    /// `known` tensors of a pass over `batch` rows, and those that `needs` names.
    ///
    /// # Errors
    /// As [`Network::predict`].
    pub(crate) fn completed(
        &self,
        known: &Values,
        needs: &HashSet<TensorId>,
        batch: usize,
    ) -> Result<Values, NnError> {
        let operations = &self.trace.operations;
        let mut wanted: HashSet<TensorId> = needs.iter().copied().collect();
        wanted.retain(|id| !known.contains_key(id));
        let mut again = Vec::new();
        for (index, operation) in operations.iter().enumerate().rev() {
            if output_of(operation).is_some_and(|made| wanted.contains(&made)) {
                let inputs = operation.inputs().map(|tensor| tensor.id);
                wanted.extend(inputs.filter(|id| !known.contains_key(id)));
                again.push(index);
            }
        }
        let mut values = known.clone();
        for index in again.into_iter().rev() {
            let read = |tensor: &burn::backend::ir::TensorIr| {
                let still = || self.in_frame(batch, |frame| self.still(tensor.id, frame));
                values.get(&tensor.id).cloned().or_else(still)
            };
            let output = self.operation(index, batch, &mut { read })?;
            values.extend(output_of(&operations[index]).map(|made| (made, output)));
        }
        Ok(values)
    }
}
