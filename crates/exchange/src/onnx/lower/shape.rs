//! Operations that move numbers: shapes, slices, indices, masks, types.

use burgeon_graph::Size;
use burn::backend::ir::{BaseOperationIr as O, ScalarIr, ShapeOpIr, SliceOpIr};
use burn::tensor::TensorData;

use super::super::builder::{Builder, Known, Name, Refusal, int, ints};
use super::operators::{cast, filled, operator, with_scalar};

pub(super) fn lower(b: &mut Builder, op: &O) -> Result<bool, Refusal> {
    match op {
        O::Reshape(o) => reshape(b, o)?,
        O::SwapDims(o) => {
            let mut axes: Vec<usize> = (0..o.input.shape.len()).collect();
            axes.swap(o.dim1, o.dim2);
            let input = b.operand(&o.input)?;
            b.node("Transpose", vec![input], vec![ints("perm", axes)], &o.out);
        }
        O::Permute(o) => {
            let input = b.operand(&o.input)?;
            let axes = ints("perm", o.axes.iter().copied());
            b.node("Transpose", vec![input], vec![axes], &o.out);
        }
        O::Expand(o) => {
            let sizes = b.sizes(&o.out);
            let inputs = vec![b.operand(&o.input)?, b.shape(&sizes)?];
            b.node("Expand", inputs, Vec::new(), &o.out);
        }
        O::Flip(o) => {
            let input = b.operand(&o.input)?;
            let ranges = o.axes.iter().map(|&axis| Range {
                axis,
                start: -1,
                end: i64::MIN,
                step: -1,
            });
            let inputs = sliced(b, input, &ranges.collect::<Vec<_>>())?;
            b.node("Slice", inputs, Vec::new(), &o.out);
        }
        O::Slice(o) => slice(b, o)?,
        O::Select(o) => {
            let inputs = vec![b.operand(&o.tensor)?, b.operand(&o.indices)?];
            b.node("Gather", inputs, vec![int("axis", o.dim as i64)], &o.out);
        }
        O::Gather(o) => {
            let inputs = vec![b.operand(&o.tensor)?, b.operand(&o.indices)?];
            let axis = int("axis", o.dim as i64);
            b.node("GatherElements", inputs, vec![axis], &o.out);
        }
        O::RepeatDim(o) => {
            let (from, to) = (b.sizes(&o.tensor)[o.dim], b.sizes(&o.out));
            let input = b.operand(&o.tensor)?;
            if from == Size::fixed(1) {
                let shape = b.shape(&to)?;
                b.node("Expand", vec![input, shape], Vec::new(), &o.out);
            } else if to[o.dim].per_sample == o.times * from.per_sample {
                let mut times = vec![1; to.len()];
                times[o.dim] = o.times as i64;
                let times = b.integers("times", &times)?;
                b.node("Tile", vec![input, times], Vec::new(), &o.out);
            } else {
                return Err(
                    "it repeats as often as there are samples: expand an axis of length 1 \
                            instead"
                        .to_owned(),
                );
            }
        }
        O::Cat(o) => {
            let inputs = o.tensors.iter().map(|tensor| b.operand(tensor));
            let inputs = inputs.collect::<Result<_, _>>()?;
            b.node("Concat", inputs, vec![int("axis", o.dim as i64)], &o.out);
        }
        O::MaskWhere(o) => operator(b, "Where", &[&o.mask, &o.value, &o.tensor], &o.out)?,
        O::MaskFill(o) => {
            let mask = b.operand(&o.mask)?;
            let value = b.scalar("filling", o.value, o.tensor.dtype)?;
            let inputs = vec![mask, value, b.operand(&o.tensor)?];
            b.node("Where", inputs, Vec::new(), &o.out);
        }
        O::Equal(o) => operator(b, "Equal", &[&o.lhs, &o.rhs], &o.out)?,
        O::EqualElem(o) => with_scalar(b, "Equal", o)?,
        O::Cast(o) => cast(b, o)?,
        // What an empty tensor holds is nobody's to rely on.
        O::Empty(o) | O::Zeros(o) => filled(b, ScalarIr::Float(0.0), &o.out)?,
        O::Ones(o) => filled(b, ScalarIr::Float(1.0), &o.out)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn reshape(b: &mut Builder, o: &ShapeOpIr) -> Result<(), Refusal> {
    let sizes = b.sizes(&o.out);
    let is_fixed = sizes.iter().all(|size| size.per_sample == 0);
    if let (Some(Known { path, data }), true) = (b.known(o.input.id), is_fixed) {
        // A weight is written in its new shape.
        let bytes = data.as_bytes().to_vec();
        let data = TensorData::from_bytes_vec(bytes, o.out.shape.to_vec(), data.dtype());
        let path = path.clone();
        b.know(o.out.id, Known { path, data });
        return Ok(());
    }
    let length = |size: &Size| match size.per_sample {
        0 => size.fixed as i64,
        _ => -1,
    };
    let follow = sizes.iter().filter(|size| size.per_sample != 0).count();
    let shape = match follow {
        // One length can be left open.
        0 | 1 => b.integers("shape", &sizes.iter().map(length).collect::<Vec<_>>())?,
        _ => b.shape(&sizes)?,
    };
    let inputs = vec![b.operand(&o.input)?, shape];
    b.node("Reshape", inputs, Vec::new(), &o.out);
    Ok(())
}

struct Range {
    axis: usize,
    start: i64,
    end: i64,
    step: i64,
}

fn slice(b: &mut Builder, o: &SliceOpIr) -> Result<(), Refusal> {
    let (sizes, left) = (b.sizes(&o.tensor), b.sizes(&o.out));
    let mut ranges = Vec::new();
    for (axis, range) in o.ranges.iter().enumerate() {
        if range.step == 1 && range.start == 0 && sizes[axis] == left[axis] {
            continue;
        }
        if sizes[axis].per_sample != 0 {
            return Err(format!(
                "it takes a part of axis {axis}, whose length follows the number of samples: slice \
                 other axes"
            ));
        }
        // Burn takes a part backwards from its end; ONNX from where it says.
        if range.step < 0 {
            return Err("it goes backwards: flip the axis instead".to_owned());
        }
        ranges.push(Range {
            axis,
            start: range.start as i64,
            end: range.end.map_or(i64::MAX, |end| end as i64),
            step: range.step as i64,
        });
    }
    let input = b.operand(&o.tensor)?;
    match ranges.is_empty() {
        true => b.node("Identity", vec![input], Vec::new(), &o.out),
        false => {
            let inputs = sliced(b, input, &ranges)?;
            b.node("Slice", inputs, Vec::new(), &o.out);
        }
    }
    Ok(())
}

/// The inputs of a `Slice`.
fn sliced(b: &mut Builder, input: Name, ranges: &[Range]) -> Result<Vec<Name>, Refusal> {
    let of = |value: &dyn Fn(&Range) -> i64| ranges.iter().map(value).collect::<Vec<_>>();
    Ok(vec![
        input,
        b.integers("starts", &of(&|range| range.start))?,
        b.integers("ends", &of(&|range| range.end))?,
        b.integers("axes", &of(&|range| range.axis as i64))?,
        b.integers("steps", &of(&|range| range.step))?,
    ])
}
