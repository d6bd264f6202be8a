//! Operations of booleans only.

use burn::backend::Dispatch as B;
use burn::backend::ir::BoolOperationIr as O;
use burn::backend::ops::BoolTensorOps;

use super::{Frame, Read, Value};

pub(super) fn evaluate(op: &O, frame: &Frame, read: &mut Read) -> Value {
    match op {
        O::IntoFloat(o) => B::bool_into_float(read(&o.input), frame.floats()),
        O::IntoInt(o) => B::bool_into_int(read(&o.input), frame.ints()),
        O::Not(o) => B::bool_not(read(&o.input)),
        O::And(o) => B::bool_and(read(&o.lhs), read(&o.rhs)),
        O::Or(o) => B::bool_or(read(&o.lhs), read(&o.rhs)),
        O::Xor(o) => B::bool_xor(read(&o.lhs), read(&o.rhs)),
    }
}
