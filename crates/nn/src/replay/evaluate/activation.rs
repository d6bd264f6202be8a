//! Activations.

use burn::backend::Dispatch as B;
use burn::backend::ir::ActivationOperationIr as A;
use burn::backend::ops::ActivationOps;

use super::{Read, Value};

pub(super) fn evaluate(op: &A, read: &mut Read) -> Option<Value> {
    Some(match op {
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
