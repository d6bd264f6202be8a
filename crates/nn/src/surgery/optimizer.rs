//! Carrying an optimizer's state through surgery.

use burgeon_graph::Source;
use burn::module::ParamId;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::TensorData;
use burn_pack::{Reader, Tensor, Writer};

use super::ParamEdits;
use crate::edits::{Array, Owner};
use crate::error::NnError;

/// Widens the state that `optimizer` keeps for the edited parameters, so that
/// training goes on instead of restarting: means of gradients (Adam's first
/// moment, SGD's velocity) are multiplied by `w_i` in a copy's own row, means of
/// squares by `w_i²`; columns are copied. Step counters stay.
///
/// # Errors
/// [`NnError::OptimizerState`] for an optimizer whose state has no rule here.
pub fn carry_optimizer(
    optimizer: ModuleOptimizer,
    edits: &ParamEdits,
) -> Result<ModuleOptimizer, NnError> {
    let failed = |error: &dyn std::fmt::Display| NnError::OptimizerState(error.to_string());
    let bytes = optimizer
        .to_record()
        .into_bytes()
        .map_err(|error| failed(&error))?;
    let reader = Reader::from_bytes(bytes).map_err(|error| failed(&error))?;
    let (scalars, metadata) = (reader.scalars().clone(), reader.metadata().clone());
    let mut tensors = Vec::new();
    for tensor in reader.into_tensors().map_err(|error| failed(&error))? {
        let (name, dtype, shape, id, bytes) =
            tensor.into_parts().map_err(|error| failed(&error))?;
        let mut data = TensorData::from_bytes(bytes, shape, dtype);
        let param = id.map(ParamId::from);
        if let Some(param) = param.filter(|param| edits.contains(*param)) {
            let power = gradient_power(&name)?;
            data = carried(edits, param, data, power)?;
        }
        let (bytes, shape, dtype) = data.into_parts();
        tensors.push(Tensor::new(name, dtype, shape, id, bytes));
    }
    let mut writer = Writer::new(tensors);
    for (key, value) in &scalars {
        writer = writer.with_scalar(key, *value);
    }
    for (key, value) in &metadata {
        writer = writer.with_metadata(key, value);
    }
    let bytes = writer.into_bytes().map_err(|error| failed(&error))?;
    let record = OptimizerRecord::from_bytes(bytes).map_err(|error| failed(&error))?;
    Ok(optimizer.load_record(record))
}

/// What an optimizer keeps for a parameter, after its edits: the kept value is a mean of the
/// gradient's `power`-th power.
fn carried(
    edits: &ParamEdits,
    id: ParamId,
    data: TensorData,
    power: i32,
) -> Result<TensorData, NnError> {
    let dtype = data.dtype();
    let mut array = Array::read(data)?;
    for select in edits.selects(id) {
        let factor = |_: usize, source: &Source| match (source.is_new, select.owner) {
            (true, _) => 0.0,
            (false, Owner::Reads) => 1.0,
            (false, Owner::Makes | Owner::Belongs) => source.factor.powi(power),
        };
        array = array.select(select, &factor)?;
    }
    Ok(array.into_data(dtype))
}

/// How many tensors `optimizer` keeps.
///
/// # Errors
/// [`NnError::OptimizerState`] where its record cannot be read.
pub fn optimizer_tensors(optimizer: &ModuleOptimizer) -> Result<usize, NnError> {
    let failed = |error: &dyn std::fmt::Display| NnError::OptimizerState(error.to_string());
    let bytes = optimizer
        .to_record()
        .into_bytes()
        .map_err(|error| failed(&error))?;
    let reader = Reader::from_bytes(bytes).map_err(|error| failed(&error))?;
    let tensors = reader.into_tensors().map_err(|error| failed(&error))?;
    Ok(tensors.len())
}

/// The power of the gradient whose running mean the state `name` is.
fn gradient_power(name: &str) -> Result<i32, NnError> {
    match name.rsplit('.').next() {
        Some("moment_1" | "velocity") => Ok(1),
        Some("moment_2" | "max_moment_2") => Ok(2),
        _ => Err(NnError::OptimizerState(name.to_owned())),
    }
}
