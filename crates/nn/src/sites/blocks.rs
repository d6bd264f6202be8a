//! What a layer reads, as rows or columns, block by block.

use burgeon_core::backend::patches;
use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{DType, Shape, Tensor};

use super::form::Reads;
use super::pass::{maps, rows};
use crate::replay::Value;

/// Numbers of the largest tensor that is formed at once.
const CHUNK: usize = 1 << 22;

/// So many items from a first one on.
type Part<T> = Box<dyn Fn(usize, usize) -> T>;

/// What a layer reads, as rows `[n, p]`, block by block, with a column of 1 where it has a bias.
pub(super) fn row_blocks(
    input: Value,
    reads: Reads,
    bias: bool,
    dtype: DType,
) -> impl Iterator<Item = Tensor<2>> {
    let with_bias = move |rows: Tensor<2>| {
        if !bias {
            return rows;
        }
        let ones = Tensor::ones([rows.dims()[0], 1], (&rows.device(), dtype));
        Tensor::cat(vec![rows, ones], 1)
    };
    let (count, per_item, block): (usize, usize, Part<Tensor<2>>) = match reads {
        Reads::Rows => {
            let x = rows(input);
            let [n, columns] = x.dims();
            let block = move |first, count| x.clone().narrow(0, first, count).cast(dtype);
            (n, columns, Box::new(block))
        }
        Reads::Maps(window) | Reads::Signals(window) => {
            let x = maps(input);
            let [b, c, h, w] = x.dims();
            let [oh, ow] = window.output_size([h, w]);
            let block = move |first, count| {
                let part = x.clone().narrow(0, first, count).cast(dtype);
                patches(part, &window)
                    .reshape([count, c * window.taps(), oh * ow])
                    .swap_dims(1, 2)
                    .reshape([count * oh * ow, c * window.taps()])
            };
            (b, c * window.taps() * oh * ow, Box::new(block))
        }
    };
    let step = (CHUNK / per_item.max(1)).max(1);
    (0..count)
        .step_by(step)
        .map(move |first| with_bias(block(first, step.min(count - first))))
}

/// Columns of what a layer reads in the place of its channels.
pub(super) struct Columns {
    /// The number of the first, in the order of θ.
    pub first: usize,
    pub width: usize,
    pub value: Value,
}

/// The columns of what a layer reads, in the order of θ, block by block; each column takes the
/// place of a channel of `answer`, the shape of the layer's activations.
pub(super) fn column_blocks(
    input: Value,
    reads: Reads,
    bias: bool,
    answer: &[usize],
) -> impl Iterator<Item = Columns> {
    let axis = match reads {
        Reads::Rows => answer.len().saturating_sub(1),
        Reads::Maps(_) | Reads::Signals(_) => 1,
    };
    let answer = answer.to_vec();
    let channels = answer.get(axis).copied().unwrap_or(1).max(1);
    let per_column = answer.iter().product::<usize>() / channels;
    let shaped = move |value: Value, first: usize, width: usize| {
        let mut shape = answer.clone();
        if let Some(own) = shape.get_mut(axis) {
            *own = width;
        }
        Columns {
            first,
            width,
            value: Dispatch::float_reshape(value, Shape::from(shape)),
        }
    };
    let ones = {
        let like = Tensor::<1>::from_dispatch(input.clone());
        Tensor::<1>::ones([per_column], (&like.device(), input.dtype())).into_dispatch()
    };
    // Units: columns of rows, channels of maps, each of as many columns as there are taps.
    let (units, taps, block): (usize, usize, Part<Value>) = match reads {
        Reads::Rows => {
            let x = rows(input);
            let columns = x.dims()[1];
            let block = move |first, count| x.clone().narrow(1, first, count).into_dispatch();
            (columns, 1, Box::new(block))
        }
        Reads::Maps(window) | Reads::Signals(window) => {
            let x = maps(input);
            let channels = x.dims()[1];
            let block = move |first, count| {
                patches(x.clone().narrow(1, first, count), &window).into_dispatch()
            };
            (channels, window.taps(), Box::new(block))
        }
    };
    let step = (CHUNK / (per_column * taps).max(1)).max(1);
    let weights = (0..units).step_by(step).map({
        let shaped = shaped.clone();
        move |first| {
            let count = step.min(units - first);
            shaped(block(first, count), first * taps, count * taps)
        }
    });
    weights.chain(bias.then(|| shaped(ones, units * taps, 1)))
}
