//! Single operators that several families are written in.

use burn::backend::ir::{CastOpIr, ScalarIr, ScalarOpIr, TensorIr};

use super::super::builder::{Builder, Refusal, data_type, int, tensor};

/// An operator on the operands as they are.
pub(super) fn operator(
    b: &mut Builder,
    name: &str,
    operands: &[&TensorIr],
    out: &TensorIr,
) -> Result<(), Refusal> {
    let inputs = operands.iter().map(|tensor| b.operand(tensor));
    let inputs = inputs.collect::<Result<_, _>>()?;
    b.node(name, inputs, Vec::new(), out);
    Ok(())
}

pub(super) fn with_scalar(b: &mut Builder, name: &str, o: &ScalarOpIr) -> Result<(), Refusal> {
    let scalar = b.scalar("number", o.rhs, o.lhs.dtype)?;
    let input = b.operand(&o.lhs)?;
    b.node(name, vec![input, scalar], Vec::new(), &o.out);
    Ok(())
}

/// A tensor of one number everywhere.
pub(super) fn filled(b: &mut Builder, value: ScalarIr, out: &TensorIr) -> Result<(), Refusal> {
    let sizes = b.sizes(out);
    let shape = b.shape(&sizes)?;
    let value = tensor("value", value, out.dtype)?;
    b.node("ConstantOfShape", vec![shape], vec![value], out);
    Ok(())
}

/// Another type.
pub(super) fn cast(b: &mut Builder, o: &CastOpIr) -> Result<(), Refusal> {
    let input = b.operand(&o.input)?;
    let to = int("to", i32::from(data_type(o.out.dtype)?).into());
    b.node("Cast", vec![input], vec![to], &o.out);
    Ok(())
}
