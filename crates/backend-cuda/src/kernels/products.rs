//! `(W ∘ (X Vᵀ))ᵀ X` without `X Vᵀ`: a cube takes a few neurons and a part of the rows, and keeps
//! the products along the directions of one slab of rows at a time.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{argument, dims, empty, units};

/// Units of a cube in each direction, where cubes have so many; neurons of a cube, and columns at a time.
pub(super) const UNITS: u32 = 16;

/// Rows of a slab for each unit.
const EACH: u32 = 4;

/// Rows that are worth a cube, and how many parts of the rows there are at most.
const PART_ROWS: usize = 512;
const PARTS: usize = 32;

/// Column `column` of the rows from `row` to `end` of `x` `[n, d]`, 0 outside it, each unit its own.
#[cube]
fn load_slab(
    x: &[f32],
    slab: &mut [f32],
    row: u32,
    end: u32,
    column: u32,
    d: u32,
    #[comptime] side: u32,
) {
    let pitch = comptime!(side + 1);
    #[unroll]
    for i in 0..EACH {
        let r = row + i * side + UNIT_POS_Y;
        let mut value = 0.0f32;
        if r < end && column < d {
            value = x[(r * d + column) as usize];
        }
        slab[((i * side + UNIT_POS_Y) * pitch + UNIT_POS_X) as usize] = value;
    }
}

#[cube(launch)]
pub(crate) fn weighted_products_kernel(
    x: &[f32],
    w: &[f32],
    v: &[f32],
    parts: &mut [f32],
    n: u32,
    d: u32,
    m: u32,
    rows_each: u32,
    #[comptime] side: u32,
) {
    let rows = comptime!(side * EACH);
    // Odd, so that a column's entries lie in different banks of shared memory.
    let pitch = comptime!(side + 1);
    let tx = UNIT_POS_X;
    let ty = UNIT_POS_Y;
    let first = CUBE_POS_X * side;
    let start = CUBE_POS_Y * rows_each;
    let mut end = start + rows_each;
    if end > n {
        end = n;
    }
    let out = (CUBE_POS_Y * m + first + ty) * d;
    let mut slab = Shared::<[f32]>::new_slice(comptime!((rows * pitch) as usize));
    let mut directions = Shared::<[f32]>::new_slice(comptime!((side * pitch) as usize));
    let mut along = Shared::<[f32]>::new_slice(comptime!((rows * pitch) as usize));
    let mut sums = Array::<f32>::new(comptime!(EACH as usize));
    let mut row = start;
    while row < end {
        #[unroll]
        for i in 0..EACH {
            sums[comptime!(i as usize)] = 0.0f32;
        }
        let mut column = 0u32;
        while column < d {
            let mine = column + tx;
            load_slab(x, &mut slab, row, end, mine, d, side);
            let mut value = 0.0f32;
            if first + ty < m && mine < d {
                value = v[((first + ty) * d + mine) as usize];
            }
            directions[(ty * pitch + tx) as usize] = value;
            sync_cube();
            for k in 0..side {
                let direction = directions[(tx * pitch + k) as usize];
                #[unroll]
                for i in 0..EACH {
                    sums[comptime!(i as usize)] +=
                        slab[((i * side + ty) * pitch + k) as usize] * direction;
                }
            }
            sync_cube();
            column += side;
        }
        #[unroll]
        for i in 0..EACH {
            let r = row + i * side + ty;
            let mut weight = 0.0f32;
            if r < end && first + tx < m {
                weight = w[(r * m + first + tx) as usize];
            }
            along[((i * side + ty) * pitch + tx) as usize] = weight * sums[comptime!(i as usize)];
        }
        sync_cube();
        let mut column = 0u32;
        while column < d {
            let mine = column + tx;
            load_slab(x, &mut slab, row, end, mine, d, side);
            sync_cube();
            if first + ty < m && mine < d {
                let mut sum = 0.0f32;
                for r in 0..rows {
                    sum += along[(r * pitch + ty) as usize] * slab[(r * pitch + tx) as usize];
                }
                // Each part has its own place, and one unit each of its entries.
                let mut before = 0.0f32;
                if row > start {
                    before = parts[(out + mine) as usize];
                }
                parts[(out + mine) as usize] = before + sum;
            }
            sync_cube();
            column += side;
        }
        row += rows;
    }
}

/// `[parts, M, d]` of `x` `[n, d]`, `weights` `[n, M]` and `directions` `[M, d]`: products over
/// parts of the rows, to be added up.
pub(crate) fn weighted_products(
    x: CubeTensor,
    weights: CubeTensor,
    directions: CubeTensor,
) -> CubeTensor {
    let [n, d] = dims(&x);
    let [_, m] = dims(&weights);
    let each = n.div_ceil((n / PART_ROWS).clamp(1, PARTS)).max(1);
    let parts = n.div_ceil(each);
    let products = empty(&x, [parts, m, d]);
    let client = x.client.clone();
    let side = units(&client, UNITS * UNITS).isqrt();
    weighted_products_kernel::launch(
        &client,
        CubeCount::Static((m as u32).div_ceil(side), parts as u32, 1),
        CubeDim::new_2d(side, side),
        argument(x),
        argument(weights),
        argument(directions),
        products.clone().into_buffer_arg(),
        n as u32,
        d as u32,
        m as u32,
        each as u32,
        side,
    );
    products
}
