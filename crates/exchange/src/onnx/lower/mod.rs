//! Burn's recorded operations in ONNX's operators (opset 18), by families.

mod activation;
mod layers;
mod numeric;
mod operators;
mod shape;

use burn::backend::ir::{BoolOperationIr, IntOperationIr, OperationIr};

use super::builder::{Builder, Refusal};

/// What is said of an operation that none of the families knows.
const UNKNOWN: &str = "no operator is known for it: write the forward pass without it, or keep what \
                       it does out of the exported network";

/// Adds the nodes of `operation` to the graph.
///
/// # Errors
/// What to do about an operation that cannot be written.
pub fn lower(builder: &mut Builder, operation: &OperationIr) -> Result<(), Refusal> {
    let done = match operation {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            shape::lower(builder, op)?
        }
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => {
            numeric::lower(builder, op)?
        }
        OperationIr::Float(_, op) => numeric::lower_float(builder, op)?,
        OperationIr::Int(IntOperationIr::IntoFloat(op))
        | OperationIr::Bool(BoolOperationIr::IntoFloat(op) | BoolOperationIr::IntoInt(op)) => {
            operators::cast(builder, op)?;
            true
        }
        OperationIr::Bool(op) => numeric::lower_bool(builder, op)?,
        OperationIr::Activation(op) => activation::lower(builder, op)?,
        OperationIr::Module(op) => layers::lower(builder, op)?,
        _ => false,
    };
    match done {
        true => Ok(()),
        false => Err(UNKNOWN.to_owned()),
    }
}
