//! The evaluation of one captured operation, by families.
//!
//! Each operand is read once for each time it stands in the operation, in the operation's order,
//! and handed on by value, so that a tensor's last use may be written over.

mod activation;
mod base;
mod boolean;
mod convolution;
mod float;
mod integer;
mod module;

use burn::backend::ir::{OperationIr, TensorIr};

use super::{Frame, Unsupported, Value, kind};

/// How operands are read.
type Read<'r> = dyn FnMut(&TensorIr) -> Value + 'r;

/// The result of `op` on the operands that `read` gives.
///
/// # Errors
///
/// [`Unsupported`] where the operation has no single result that a replay could repeat.
pub(crate) fn evaluate(
    op: &OperationIr,
    frame: &Frame,
    read: &mut dyn FnMut(&TensorIr) -> Value,
) -> Result<Value, Unsupported> {
    let value = match op {
        OperationIr::BaseFloat(op) => base::evaluate(&base::FLOAT, op, frame, read),
        OperationIr::BaseInt(op) => base::evaluate(&base::INT, op, frame, read),
        OperationIr::BaseBool(op) => base::evaluate(&base::BOOL, op, frame, read),
        OperationIr::NumericFloat(_, op) => float::numeric(op, frame, read),
        OperationIr::Float(_, op) => float::evaluate(op, frame, read),
        OperationIr::NumericInt(_, op) => integer::numeric(op, frame, read),
        OperationIr::Int(op) => Some(integer::evaluate(op, frame, read)),
        OperationIr::Bool(op) => Some(boolean::evaluate(op, frame, read)),
        OperationIr::Activation(op) => activation::evaluate(op, frame, read),
        OperationIr::Module(op) => module::evaluate(op, frame, read),
        OperationIr::Init(_)
        | OperationIr::Custom(_)
        | OperationIr::Drop(_)
        | OperationIr::Distributed(_) => None,
    };
    value.ok_or_else(|| Unsupported {
        operation: kind(op),
    })
}
