//! `S_j = Xᵀ diag(W_:j) X` of all neurons: one triangle by tiles in shared memory, the other
//! its mirror.

use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{argument, dims, empty, units};

/// Units of a cube in each direction, where cubes have so many.
pub(super) const UNITS: u32 = 16;

/// Entries of a unit in each direction.
const EACH: u32 = 4;

/// Rows of `X` that are in shared memory at a time.
const ROWS: u32 = 16;

#[cube(launch)]
pub(crate) fn weighted_gram_kernel(
    x: &[f32],
    w: &[f32],
    s: &mut [f32],
    n: u32,
    d: u32,
    m: u32,
    tiles: u32,
    first: u32,
    set_stride: u32,
    #[comptime] side: u32,
) {
    // Rows and columns of a tile of `S`.
    let tile = comptime!(side * EACH);
    let tile_row = CUBE_POS_X / tiles;
    let tile_column = CUBE_POS_X % tiles;
    if tile_column > tile_row {
        terminate!();
    }
    let neuron = first + CUBE_POS_Y;
    let start = neuron * set_stride;
    let mut left = Shared::<[f32]>::new_slice(comptime!((ROWS * tile) as usize));
    let mut right = Shared::<[f32]>::new_slice(comptime!((ROWS * tile) as usize));
    let mut total = Array::<f32>::new(comptime!((EACH * EACH) as usize));
    let mut part = Array::<f32>::new(comptime!((EACH * EACH) as usize));
    #[unroll]
    for entry in 0..comptime!((EACH * EACH) as usize) {
        total[entry] = 0.0f32;
    }
    let mut row = 0u32;
    while row < n {
        let mut at = UNIT_POS;
        while at < ROWS * tile {
            let r = row + at / tile;
            let column = at % tile;
            let i = tile_row * tile + column;
            let j = tile_column * tile + column;
            let mut a = 0.0f32;
            let mut b = 0.0f32;
            if r < n {
                if i < d {
                    a = x[(start + r * d + i) as usize] * w[(r * m + neuron) as usize];
                }
                if j < d {
                    b = x[(start + r * d + j) as usize];
                }
            }
            left[at as usize] = a;
            right[at as usize] = b;
            at += comptime!(side * side);
        }
        sync_cube();
        // A sum for each slab of rows keeps the rounding of long sums small.
        #[unroll]
        for entry in 0..comptime!((EACH * EACH) as usize) {
            part[entry] = 0.0f32;
        }
        for r in 0..ROWS {
            #[unroll]
            for i in 0..EACH {
                let a = left[(r * tile + UNIT_POS_Y * EACH + i) as usize];
                #[unroll]
                for j in 0..EACH {
                    let b = right[(r * tile + UNIT_POS_X * EACH + j) as usize];
                    part[comptime!((i * EACH + j) as usize)] += a * b;
                }
            }
        }
        #[unroll]
        for entry in 0..comptime!((EACH * EACH) as usize) {
            total[entry] += part[entry];
        }
        sync_cube();
        row += ROWS;
    }
    let matrix = neuron * d * d;
    #[unroll]
    for i in 0..EACH {
        #[unroll]
        for j in 0..EACH {
            let row = tile_row * tile + UNIT_POS_Y * EACH + i;
            let column = tile_column * tile + UNIT_POS_X * EACH + j;
            if row < d && column <= row {
                let value = total[comptime!((i * EACH + j) as usize)];
                s[(matrix + row * d + column) as usize] = value;
                s[(matrix + column * d + row) as usize] = value;
            }
        }
    }
}

/// `[M, d, d]` of `rows` `[1 or M, n, d]` and `weights` `[n, M]`.
pub(crate) fn weighted_gram(rows: CubeTensor, weights: CubeTensor) -> CubeTensor {
    let [sets, n, d] = dims(&rows);
    let [_, m] = dims(&weights);
    let matrices = empty(&rows, [m, d, d]);
    let client = rows.client.clone();
    let side = units(&client, UNITS * UNITS).isqrt();
    let tiles = (d as u32).div_ceil(side * EACH);
    // The grid's second direction is limited.
    let most = client.properties().hardware.max_cube_count.1.max(1) as usize;
    let (rows, weights) = (into_contiguous(rows), into_contiguous(weights));
    for first in (0..m).step_by(most) {
        let neurons = most.min(m - first) as u32;
        weighted_gram_kernel::launch(
            &client,
            CubeCount::Static(tiles * tiles, neurons, 1),
            CubeDim::new_2d(side, side),
            argument(rows.clone()),
            argument(weights.clone()),
            matrices.clone().into_buffer_arg(),
            n as u32,
            d as u32,
            m as u32,
            tiles,
            first as u32,
            if sets == 1 { 0 } else { (n * d) as u32 },
            side,
        );
    }
    matrices
}
