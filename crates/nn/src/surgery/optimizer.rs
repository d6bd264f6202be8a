//! What an optimizer keeps, as a record that can be edited.

use std::collections::BTreeMap;

use burn::module::ParamId;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Bytes, TensorData};
use burn_pack::{Reader, Scalar, Tensor, Writer};

use super::{OptimizerRules, ParamEdits};
use crate::error::NnError;

/// Widens the state that `optimizer` keeps for the edited parameters, by the default rules:
/// [`OptimizerRules::carry`].
///
/// # Errors
/// [`NnError::OptimizerState`] for an optimizer whose state has no rule.
pub fn carry_optimizer(
    optimizer: ModuleOptimizer,
    edits: &ParamEdits,
) -> Result<ModuleOptimizer, NnError> {
    OptimizerRules::default().carry(optimizer, edits)
}

/// How many tensors `optimizer` keeps.
pub fn optimizer_tensors(optimizer: &ModuleOptimizer) -> usize {
    optimizer.to_record().len()
}

/// A tensor that an optimizer keeps for a parameter.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// The parameter.
    pub id: ParamId,
    /// Its path in the model, where the record knows it.
    parameter: Option<String>,
    /// Its name in the record: the id, then fields of the optimizer's state.
    name: String,
    /// The name without numbers: neither the id nor places in lists.
    pub path: String,
    /// The kept numbers.
    pub data: TensorData,
}

impl State {
    /// The parameter, for messages.
    pub fn parameter(&self) -> String {
        match &self.parameter {
            Some(path) => format!("`{path}`"),
            None => "a parameter".to_owned(),
        }
    }
}

/// All that an optimizer keeps.
#[derive(Debug, Clone)]
pub(super) struct StateRecord {
    pub states: Vec<State>,
    /// Counters and ranks, by name.
    scalars: BTreeMap<String, Scalar>,
    /// The paths of parameters, by id.
    metadata: BTreeMap<String, String>,
}

impl StateRecord {
    pub fn of(optimizer: &ModuleOptimizer) -> Result<Self, NnError> {
        Self::parse(optimizer.to_record().into_bytes().map_err(unreadable)?)
    }

    fn parse(bytes: Bytes) -> Result<Self, NnError> {
        let reader = Reader::from_bytes(bytes).map_err(unreadable)?;
        let (scalars, metadata) = (reader.scalars().clone(), reader.metadata().clone());
        let tensors = reader.into_tensors().map_err(unreadable)?;
        let states = tensors.into_iter().map(|tensor| {
            let (name, dtype, shape, id, bytes) = tensor.into_parts().map_err(unreadable)?;
            let Some(id) = id.filter(|id| name.starts_with(&format!("{id}."))) else {
                let problem = format!("its state `{name}` does not say whose parameter's it is");
                return Err(unreadable(problem));
            };
            if !dtype.is_float() {
                return Err(unreadable(format!(
                    "its state `{name}` is of type {dtype:?}"
                )));
            }
            let path = name.split('.').filter(|part| part.parse::<u64>().is_err());
            Ok(State {
                id: ParamId::from(id),
                parameter: metadata.get(&id.to_string()).cloned(),
                path: path.collect::<Vec<_>>().join("."),
                name,
                data: TensorData::from_bytes(bytes, shape, dtype),
            })
        });
        let states = states.collect::<Result<_, _>>()?;
        Ok(Self {
            states,
            scalars,
            metadata,
        })
    }

    /// `optimizer` with this state.
    pub fn load_into(self, optimizer: ModuleOptimizer) -> Result<ModuleOptimizer, NnError> {
        let tensors = self.states.into_iter().map(|state| {
            let (bytes, shape, dtype) = state.data.into_parts();
            Tensor::new(state.name, dtype, shape, Some(state.id.val()), bytes)
        });
        let mut writer = Writer::new(tensors.collect());
        for (key, value) in &self.scalars {
            writer = writer.with_scalar(key, *value);
        }
        for (key, value) in &self.metadata {
            writer = writer.with_metadata(key, value);
        }
        let bytes = writer.into_bytes().map_err(unreadable)?;
        let record = OptimizerRecord::from_bytes(bytes).map_err(unreadable)?;
        Ok(optimizer.load_record(record))
    }
}

fn unreadable(problem: impl std::fmt::Display) -> NnError {
    NnError::OptimizerState(format!("its state cannot be read: {problem}"))
}
