//! What an optimizer keeps, as a record that can be edited.

use std::collections::BTreeMap;

use burn::module::{Module, ParamId};
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Bytes, TensorData};
use burn_pack::{Reader, Scalar, Tensor, Writer};

use super::{OptimizerRules, ParamEdits};
use crate::error::{NnError, quietly};

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

/// Reads the state that [`ModuleOptimizer::into_bytes`] wrote for `model` into `optimizer`, where
/// Burn's own reader panics on bytes that were altered: [`OptimizerRules::read`] by the
/// default rules.
///
/// # Errors
/// [`NnError::OptimizerState`] for bytes that are no such state, or that of another optimizer or
/// model.
pub fn read_optimizer<M: Module>(
    optimizer: ModuleOptimizer,
    model: &M,
    bytes: &[u8],
) -> Result<ModuleOptimizer, NnError> {
    OptimizerRules::default().read(optimizer, model, bytes)
}

/// How many tensors `optimizer` keeps.
pub(crate) fn optimizer_tensors(optimizer: &ModuleOptimizer) -> usize {
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

    /// The record in bytes that may be damaged.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, NnError> {
        quietly(|| Self::parse(Bytes::from_bytes_vec(bytes))).map_err(unreadable)?
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

    /// Checks that what is kept for a parameter is kept for one of this rank: Burn takes the rank
    /// from the record, and another one panics in the next step.
    pub fn check_rank(&self, id: ParamId, rank: usize) -> Result<(), NnError> {
        match self.scalars.get(&format!("{}.__rank", id.val())) {
            Some(kept) if usize::try_from(*kept) != Ok(rank) => Err(unreadable(format!(
                "it says that a parameter of rank {rank} has rank {kept:?}"
            ))),
            _ => Ok(()),
        }
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

    /// As [`load_into`](Self::load_into), for a record that may not be this optimizer's: Burn
    /// leaves out or panics at what does not fit.
    pub fn load_checked(self, optimizer: ModuleOptimizer) -> Result<ModuleOptimizer, NnError> {
        let expected = self.clone();
        let loaded = quietly(|| self.load_into(optimizer)).map_err(unreadable)??;
        let found = Self::of(&loaded)?;
        let names = |record: &Self| -> Vec<(String, Vec<usize>)> {
            let shapes = record.states.iter();
            let mut all: Vec<_> = shapes
                .map(|state| (state.name.clone(), state.data.shape().to_vec()))
                .collect();
            all.sort();
            all
        };
        if names(&expected) != names(&found) || expected.scalars != found.scalars {
            return Err(unreadable("it is the state of another optimizer"));
        }
        Ok(loaded)
    }
}

fn unreadable(problem: impl std::fmt::Display) -> NnError {
    NnError::OptimizerState(format!("its state cannot be read: {problem}"))
}
