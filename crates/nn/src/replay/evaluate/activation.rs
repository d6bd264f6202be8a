//! Activations.

use burgeon_core::SlopeAtZero;
use burn::backend::Dispatch as B;
use burn::backend::ir::ActivationOperationIr as A;
use burn::backend::ops::{ActivationOps, BoolTensorOps, FloatTensorOps};

use super::{Frame, Read, Value};

pub(super) fn evaluate(op: &A, frame: &Frame, read: &mut Read) -> Option<Value> {
    Some(match op {
        A::Relu(o) if frame.slope_at_zero == SlopeAtZero::One => {
            let input = read(&o.input);
            let answers = B::float_greater_equal_elem(input.clone(), 0.into(), frame.bools());
            B::float_mul(input, B::bool_into_float(answers, frame.floats()))
        }
        A::Relu(o) => B::relu(read(&o.input)),
        A::LeakyRelu(o) => B::leaky_relu(read(&o.lhs), o.rhs.into()),
        A::PRelu(o) => B::prelu(read(&o.lhs), read(&o.rhs)),
        A::Gelu(o) => B::gelu(read(&o.input)),
        A::Sigmoid(o) => B::sigmoid(read(&o.input)),
        A::HardSigmoid(o) => B::hard_sigmoid(read(&o.tensor), o.alpha.into(), o.beta.into()),
        A::LogSigmoid(o) => B::log_sigmoid(read(&o.input)),
        A::Softmax(o) => B::softmax(read(&o.input), o.axis),
        A::LogSoftmax(o) => B::log_softmax(read(&o.input), o.axis),
        A::Softmin(o) => B::softmin(read(&o.input), o.axis),
        A::ReluBackward(_)
        | A::GeluBackward(_)
        | A::SigmoidBackward(_)
        | A::LogSigmoidBackward(_) => return None,
    })
}
