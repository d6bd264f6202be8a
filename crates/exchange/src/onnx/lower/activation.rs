//! Activations.

use burn::backend::ir::{ActivationOperationIr as A, ScalarIr};

use super::super::builder::{Builder, Refusal, float, int};
use super::super::proto::AttributeProto;
use super::operators::operator;

pub(super) fn lower(b: &mut Builder, op: &A) -> Result<bool, Refusal> {
    match op {
        A::Relu(o) => operator(b, "Relu", &[&o.input], &o.out)?,
        A::Sigmoid(o) => operator(b, "Sigmoid", &[&o.input], &o.out)?,
        A::LeakyRelu(o) => {
            let input = b.operand(&o.lhs)?;
            b.node(
                "LeakyRelu",
                vec![input],
                vec![float("alpha", o.rhs)],
                &o.out,
            );
        }
        // x Φ(x) = x (1 + erf(x / √2)) / 2; the operator itself came with opset 20.
        A::Gelu(o) => {
            let dtype = o.input.dtype;
            let mut number = |what, value| b.scalar(what, ScalarIr::Float(value), dtype);
            let root = number("root_of_2", std::f64::consts::SQRT_2)?;
            let (one, half) = (number("one", 1.0)?, number("half", 0.5)?);
            let input = b.operand(&o.input)?;
            let scaled = b.part("Div", vec![input.clone(), root], Vec::new());
            let error = b.part("Erf", vec![scaled], Vec::new());
            let sum = b.part("Add", vec![error, one], Vec::new());
            let halved = b.part("Mul", vec![input, half], Vec::new());
            b.node("Mul", vec![halved, sum], Vec::new(), &o.out);
        }
        A::PRelu(o) => {
            let (input, mut slopes) = (b.operand(&o.lhs)?, b.operand(&o.rhs)?);
            // Slopes lie along axis 1, which ONNX would take for the last one.
            let behind = o.lhs.shape.len().saturating_sub(2);
            if o.rhs.shape.len() == 1 && behind > 0 {
                let mut shape = vec![-1];
                shape.resize(1 + behind, 1);
                let shape = b.integers("shape", &shape)?;
                slopes = b.part("Reshape", vec![slopes, shape], Vec::new());
            }
            b.node("PRelu", vec![input, slopes], Vec::new(), &o.out);
        }
        A::HardSigmoid(o) => {
            let input = b.operand(&o.tensor)?;
            let settings = vec![float("alpha", o.alpha), float("beta", o.beta)];
            b.node("HardSigmoid", vec![input], settings, &o.out);
        }
        // log σ(x) = −softplus(−x).
        A::LogSigmoid(o) => {
            let input = b.operand(&o.input)?;
            let minus = b.part("Neg", vec![input], Vec::new());
            let soft = b.part("Softplus", vec![minus], Vec::new());
            b.node("Neg", vec![soft], Vec::new(), &o.out);
        }
        A::Softmax(o) => {
            let input = b.operand(&o.input)?;
            b.node("Softmax", vec![input], vec![axis(o.axis)], &o.out);
        }
        A::LogSoftmax(o) => {
            let input = b.operand(&o.input)?;
            b.node("LogSoftmax", vec![input], vec![axis(o.axis)], &o.out);
        }
        A::Softmin(o) => {
            let input = b.operand(&o.input)?;
            let minus = b.part("Neg", vec![input], Vec::new());
            b.node("Softmax", vec![minus], vec![axis(o.axis)], &o.out);
        }
        A::ReluBackward(_)
        | A::GeluBackward(_)
        | A::SigmoidBackward(_)
        | A::LogSigmoidBackward(_) => return Ok(false),
    }
    Ok(true)
}

fn axis(axis: usize) -> AttributeProto {
    int("axis", axis as i64)
}
