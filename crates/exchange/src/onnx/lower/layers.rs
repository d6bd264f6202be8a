//! Layers, in inference.

use burn::backend::ir::{InterpolateModeIr, ModuleOperationIr as M, TensorIr};

use super::super::builder::{Builder, Name, Refusal, float, int, ints, text};
use super::super::proto::AttributeProto;

pub(super) fn lower(b: &mut Builder, op: &M) -> Result<bool, Refusal> {
    match op {
        M::Linear(o) => {
            let product = vec![b.operand(&o.x)?, b.operand(&o.weight)?];
            match &o.bias {
                None => b.node("MatMul", product, Vec::new(), &o.out),
                Some(bias) => {
                    let product = b.part("MatMul", product, Vec::new());
                    let inputs = vec![product, b.operand(bias)?];
                    b.node("Add", inputs, Vec::new(), &o.out);
                }
            }
        }
        M::Conv1d(o) => {
            let inputs = convolved(b, &o.x, &o.weight, o.bias.as_ref())?;
            let options = &o.options;
            let window = Window {
                stride: &options.stride,
                dilation: &options.dilation,
                padding: &options.padding,
            };
            let attributes = window.grouped(options.groups);
            b.node("Conv", inputs, attributes, &o.out);
        }
        M::Conv2d(o) => {
            let inputs = convolved(b, &o.x, &o.weight, o.bias.as_ref())?;
            let options = &o.options;
            let window = Window {
                stride: &options.stride,
                dilation: &options.dilation,
                padding: &options.padding,
            };
            let attributes = window.grouped(options.groups);
            b.node("Conv", inputs, attributes, &o.out);
        }
        M::ConvTranspose2d(o) => {
            let inputs = convolved(b, &o.x, &o.weight, o.bias.as_ref())?;
            let options = &o.options;
            let window = Window {
                stride: &options.stride,
                dilation: &options.dilation,
                padding: &options.padding.map(both),
            };
            let mut attributes = window.grouped(options.groups);
            attributes.push(ints("output_padding", options.padding_out));
            b.node("ConvTranspose", inputs, attributes, &o.out);
        }
        M::BatchNorm(o) => {
            let operands = [&o.x, &o.gamma, &o.beta, &o.mean, &o.variance];
            let inputs = operands.map(|tensor| b.operand(tensor));
            let inputs = inputs.into_iter().collect::<Result<_, _>>()?;
            let epsilon = float("epsilon", o.epsilon);
            b.node("BatchNormalization", inputs, vec![epsilon], &o.out);
        }
        M::LayerNorm(o) => {
            let mut inputs = vec![b.operand(&o.input)?, b.operand(&o.gamma)?];
            if let Some(beta) = &o.beta {
                inputs.push(b.operand(beta)?);
            }
            let attributes = vec![int("axis", -1), float("epsilon", o.epsilon)];
            b.node("LayerNormalization", inputs, attributes, &o.out);
        }
        M::MaxPool1d(o) => {
            let window = Window {
                stride: &[o.stride],
                dilation: &[o.dilation],
                padding: &[both(o.padding)],
            };
            let attributes = window.pooled([o.kernel_size], o.ceil_mode);
            let input = b.operand(&o.x)?;
            b.node("MaxPool", vec![input], attributes, &o.out);
        }
        M::MaxPool2d(o) => {
            let window = Window {
                stride: &o.stride,
                dilation: &o.dilation,
                padding: &o.padding.map(both),
            };
            let attributes = window.pooled(o.kernel_size, o.ceil_mode);
            let input = b.operand(&o.x)?;
            b.node("MaxPool", vec![input], attributes, &o.out);
        }
        M::AvgPool2d(o) => {
            let mut attributes = vec![
                ints("kernel_shape", o.kernel_size),
                ints("strides", o.stride),
                ints("pads", [o.padding, o.padding].concat()),
                int("ceil_mode", o.ceil_mode.into()),
            ];
            attributes.push(int("count_include_pad", o.count_include_pad.into()));
            let input = b.operand(&o.x)?;
            b.node("AveragePool", vec![input], attributes, &o.out);
        }
        M::AdaptiveAvgPool2d(o) => {
            let input = b.operand(&o.x)?;
            let size = |axis: usize| o.x.shape[axis + 2];
            if o.output_size == [1, 1] {
                b.node("GlobalAveragePool", vec![input], Vec::new(), &o.out);
                return Ok(true);
            }
            if (0..2).any(|axis| size(axis) % o.output_size[axis].max(1) != 0) {
                return Err(format!(
                    "the maps of {} × {} are no multiple of {:?}: use an average pool of fixed size",
                    size(0),
                    size(1),
                    o.output_size
                ));
            }
            let kernel = [0, 1].map(|axis| size(axis) / o.output_size[axis].max(1));
            let attributes = vec![ints("kernel_shape", kernel), ints("strides", kernel)];
            b.node("AveragePool", vec![input], attributes, &o.out);
        }
        M::Embedding(o) => {
            let inputs = vec![b.operand(&o.weights)?, b.operand(&o.indices)?];
            b.node("Gather", inputs, vec![int("axis", 0)], &o.out);
        }
        M::Interpolate(o) => {
            let (mode, place) = match (&o.options.mode, o.options.align_corners) {
                (InterpolateModeIr::Nearest, _) => ("nearest", "asymmetric"),
                (InterpolateModeIr::Bilinear, true) => ("linear", "align_corners"),
                (InterpolateModeIr::Bilinear, false) => ("linear", "half_pixel"),
                _ => return Err("only nearest and bilinear interpolation are written".to_owned()),
            };
            let sizes = b.integers("sizes", &o.output_size.map(|size| size as i64))?;
            // Neither regions nor scales are given.
            let inputs = vec![b.operand(&o.x)?, Name::new(), Name::new(), sizes];
            let attributes = vec![
                ints("axes", [2, 3]),
                text("mode", mode),
                text("coordinate_transformation_mode", place),
                text("nearest_mode", "floor"),
            ];
            b.node("Resize", inputs, attributes, &o.out);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Padding that is the same before and behind.
fn both(padding: usize) -> (usize, usize) {
    (padding, padding)
}

/// The steps of a kernel, axis by axis.
struct Window<'a> {
    stride: &'a [usize],
    dilation: &'a [usize],
    padding: &'a [(usize, usize)],
}

impl Window<'_> {
    fn attributes(&self) -> Vec<AttributeProto> {
        let before = self.padding.iter().map(|(before, _)| *before);
        let after = self.padding.iter().map(|(_, after)| *after);
        vec![
            ints("strides", self.stride.iter().copied()),
            ints("dilations", self.dilation.iter().copied()),
            ints("pads", before.chain(after)),
        ]
    }

    fn grouped(&self, groups: usize) -> Vec<AttributeProto> {
        let mut attributes = self.attributes();
        attributes.push(int("group", groups as i64));
        attributes
    }

    fn pooled(
        &self,
        kernel: impl IntoIterator<Item = usize>,
        rounds_up: bool,
    ) -> Vec<AttributeProto> {
        let mut attributes = self.attributes();
        attributes.push(ints("kernel_shape", kernel));
        attributes.push(int("ceil_mode", rounds_up.into()));
        attributes
    }
}

/// The inputs of a convolution.
fn convolved(
    b: &mut Builder,
    x: &TensorIr,
    weight: &TensorIr,
    bias: Option<&TensorIr>,
) -> Result<Vec<Name>, Refusal> {
    let mut inputs = vec![b.operand(x)?, b.operand(weight)?];
    if let Some(bias) = bias {
        inputs.push(b.operand(bias)?);
    }
    Ok(inputs)
}
