//! Arithmetic, comparisons and reductions.

use burn::backend::ir::{
    BoolOperationIr as B, FloatOperationIr as F, NumericOperationIr as N, PadModeIr, ReduceDimOpIr,
    ScalarIr, TensorIr,
};

use super::super::builder::{Builder, Refusal, data_type, int, text};
use super::operators::{cast, filled, operator, with_scalar};

pub(super) fn lower(b: &mut Builder, op: &N) -> Result<bool, Refusal> {
    match op {
        N::Add(o) => operator(b, "Add", &[&o.lhs, &o.rhs], &o.out)?,
        N::Sub(o) => operator(b, "Sub", &[&o.lhs, &o.rhs], &o.out)?,
        N::Mul(o) => operator(b, "Mul", &[&o.lhs, &o.rhs], &o.out)?,
        N::Div(o) => operator(b, "Div", &[&o.lhs, &o.rhs], &o.out)?,
        N::Powi(o) => operator(b, "Pow", &[&o.lhs, &o.rhs], &o.out)?,
        N::AddScalar(o) => with_scalar(b, "Add", o)?,
        N::SubScalar(o) => with_scalar(b, "Sub", o)?,
        N::MulScalar(o) => with_scalar(b, "Mul", o)?,
        N::DivScalar(o) => with_scalar(b, "Div", o)?,
        N::PowiScalar(o) => with_scalar(b, "Pow", o)?,
        N::ClampMin(o) => with_scalar(b, "Max", o)?,
        N::ClampMax(o) => with_scalar(b, "Min", o)?,
        N::Clamp(o) => {
            let least = b.scalar("least", o.min, o.tensor.dtype)?;
            let most = b.scalar("most", o.max, o.tensor.dtype)?;
            let input = b.operand(&o.tensor)?;
            b.node("Clip", vec![input, least, most], Vec::new(), &o.out);
        }
        N::Neg(o) => operator(b, "Neg", &[&o.input], &o.out)?,
        N::Abs(o) => operator(b, "Abs", &[&o.input], &o.out)?,
        N::Sign(o) => operator(b, "Sign", &[&o.input], &o.out)?,
        N::Greater(o) => operator(b, "Greater", &[&o.lhs, &o.rhs], &o.out)?,
        N::GreaterEqual(o) => operator(b, "GreaterOrEqual", &[&o.lhs, &o.rhs], &o.out)?,
        N::Lower(o) => operator(b, "Less", &[&o.lhs, &o.rhs], &o.out)?,
        N::LowerEqual(o) => operator(b, "LessOrEqual", &[&o.lhs, &o.rhs], &o.out)?,
        N::GreaterElem(o) => with_scalar(b, "Greater", o)?,
        N::GreaterEqualElem(o) => with_scalar(b, "GreaterOrEqual", o)?,
        N::LowerElem(o) => with_scalar(b, "Less", o)?,
        N::LowerEqualElem(o) => with_scalar(b, "LessOrEqual", o)?,
        N::SumDim(o) => reduction(b, "ReduceSum", &o.input, &[o.axis], &o.out)?,
        N::SumDims(o) => reduction(b, "ReduceSum", &o.input, &o.axes, &o.out)?,
        N::MeanDim(o) => reduction(b, "ReduceMean", &o.input, &[o.axis], &o.out)?,
        N::MaxDim(o) => reduction(b, "ReduceMax", &o.input, &[o.axis], &o.out)?,
        N::MinDim(o) => reduction(b, "ReduceMin", &o.input, &[o.axis], &o.out)?,
        N::ArgMax(o) => arg(b, "ArgMax", o)?,
        N::ArgMin(o) => arg(b, "ArgMin", o)?,
        N::Sum(_) | N::Mean(_) | N::Max(_) | N::Min(_) | N::Prod(_) => {
            return Err("it joins all axes, the samples' included: name the axes".into());
        }
        N::Full(o) => filled(b, o.value, &o.out)?,
        N::Pad(o) => {
            let before = o.padding.iter().map(|(before, _)| *before as i64);
            let after = o.padding.iter().map(|(_, after)| *after as i64);
            let pads: Vec<i64> = before.chain(after).collect();
            let mut inputs = vec![b.operand(&o.input)?, b.integers("pads", &pads)?];
            let mode = match o.mode {
                PadModeIr::Constant(value) => {
                    inputs.push(b.scalar("padding", value, o.input.dtype)?);
                    "constant"
                }
                PadModeIr::Reflect => "reflect",
                PadModeIr::Edge => "edge",
            };
            b.node("Pad", inputs, vec![text("mode", mode)], &o.out);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

pub(super) fn lower_float(b: &mut Builder, op: &F) -> Result<bool, Refusal> {
    let (name, input, out) = match op {
        F::Matmul(o) => {
            operator(b, "MatMul", &[&o.lhs, &o.rhs], &o.out)?;
            return Ok(true);
        }
        F::Powf(o) => {
            operator(b, "Pow", &[&o.lhs, &o.rhs], &o.out)?;
            return Ok(true);
        }
        F::PowfScalar(o) => {
            with_scalar(b, "Pow", o)?;
            return Ok(true);
        }
        F::Log1p(o) => {
            let one = b.scalar("one", ScalarIr::Float(1.0), o.input.dtype)?;
            let input = b.operand(&o.input)?;
            let sum = b.part("Add", vec![input, one], Vec::new());
            b.node("Log", vec![sum], Vec::new(), &o.out);
            return Ok(true);
        }
        F::IntoInt(o) => {
            cast(b, o)?;
            return Ok(true);
        }
        F::Exp(o) => ("Exp", &o.input, &o.out),
        F::Log(o) => ("Log", &o.input, &o.out),
        F::Erf(o) => ("Erf", &o.input, &o.out),
        F::Sqrt(o) => ("Sqrt", &o.input, &o.out),
        F::Recip(o) => ("Reciprocal", &o.input, &o.out),
        F::Sin(o) => ("Sin", &o.input, &o.out),
        F::Cos(o) => ("Cos", &o.input, &o.out),
        F::Tanh(o) => ("Tanh", &o.input, &o.out),
        F::Floor(o) => ("Floor", &o.input, &o.out),
        F::Ceil(o) => ("Ceil", &o.input, &o.out),
        _ => return Ok(false),
    };
    operator(b, name, &[input], out)?;
    Ok(true)
}

pub(super) fn lower_bool(b: &mut Builder, op: &B) -> Result<bool, Refusal> {
    match op {
        B::Not(o) => operator(b, "Not", &[&o.input], &o.out)?,
        B::And(o) => operator(b, "And", &[&o.lhs, &o.rhs], &o.out)?,
        B::Or(o) => operator(b, "Or", &[&o.lhs, &o.rhs], &o.out)?,
        B::Xor(o) => operator(b, "Xor", &[&o.lhs, &o.rhs], &o.out)?,
        B::IntoFloat(_) | B::IntoInt(_) => return Ok(false),
    }
    Ok(true)
}

fn reduction(
    b: &mut Builder,
    name: &str,
    input: &TensorIr,
    axes: &[usize],
    out: &TensorIr,
) -> Result<(), Refusal> {
    let axes: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
    let inputs = vec![b.operand(input)?, b.integers("axes", &axes)?];
    let keeps = input.shape.len() == out.shape.len();
    b.node(name, inputs, vec![int("keepdims", keeps.into())], out);
    Ok(())
}

fn arg(b: &mut Builder, name: &str, o: &ReduceDimOpIr) -> Result<(), Refusal> {
    let input = b.operand(&o.input)?;
    let keeps = o.input.shape.len() == o.out.shape.len();
    let attributes = vec![int("axis", o.axis as i64), int("keepdims", keeps.into())];
    let found = b.part(name, vec![input], attributes);
    let to = int("to", i32::from(data_type(o.out.dtype)?).into());
    b.node("Cast", vec![found], vec![to], &o.out);
    Ok(())
}
