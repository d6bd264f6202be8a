//! Batched eigen-decompositions of small symmetric matrices: a cube for each, by cyclic Jacobi
//! rotations of disjoint pairs side by side.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{argument, dims, empty, units};

/// Rows of the largest matrix; two of that size fit in 16 KiB of shared memory.
pub(crate) const LARGEST: usize = 32;

const PITCH: u32 = LARGEST as u32;
const PAIRS: u32 = PITCH / 2;

/// Units of a cube, where cubes have so many.
pub(super) const UNITS: u32 = 128;

/// Passes over all pairs: convergence is quadratic, in f32 by the sixth or seventh.
const SWEEPS: u32 = 10;

#[cube(launch)]
pub(crate) fn symmetric_eigen_kernel(
    matrices: &[f32],
    values: &mut [f32],
    vectors: &mut [f32],
    size: u32,
    #[comptime] units: u32,
) {
    let batch = CUBE_POS_X;
    let mut a = Shared::<[f32]>::new_slice(comptime!((PITCH * PITCH) as usize));
    let mut v = Shared::<[f32]>::new_slice(comptime!((PITCH * PITCH) as usize));
    let mut cosines = Shared::<[f32]>::new_slice(comptime!(PAIRS as usize));
    let mut sines = Shared::<[f32]>::new_slice(comptime!(PAIRS as usize));
    let mut firsts = Shared::<[u32]>::new_slice(comptime!(PAIRS as usize));
    let mut seconds = Shared::<[u32]>::new_slice(comptime!(PAIRS as usize));
    let base = batch * size * size;
    let mut at = UNIT_POS;
    while at < size * size {
        let (row, column) = (at / size, at % size);
        a[(row * PITCH + column) as usize] = matrices[(base + at) as usize];
        v[(row * PITCH + column) as usize] = select(row == column, 1.0f32, 0.0f32);
        at += units;
    }
    sync_cube();
    // A tournament: in each of `players − 1` rounds everyone meets one other.
    let players = size + size % 2u32;
    let pairs = players / 2u32;
    for _ in 0..SWEEPS {
        let mut round = 0u32;
        while round + 1u32 < players {
            let mut pair = UNIT_POS;
            while pair < pairs {
                let others = players - 1u32;
                let one = (round + pair) % others;
                let mut two = (round + others - pair) % others;
                if pair == 0u32 {
                    two = others;
                }
                let p = min(one, two);
                let q = max(one, two);
                let mut c = 1.0f32;
                let mut s = 0.0f32;
                // An odd size has a player who is not there.
                if q < size {
                    let pq = a[(p * PITCH + q) as usize];
                    let pp = a[(p * PITCH + p) as usize];
                    let qq = a[(q * PITCH + q) as usize];
                    if pq.abs() > 1.0e-30f32 {
                        let tau = (qq - pp) / (2.0f32 * pq);
                        let root = tau.abs() + (1.0f32 + tau * tau).sqrt();
                        let t = select(tau < 0.0f32, -1.0f32 / root, 1.0f32 / root);
                        c = 1.0f32 / (1.0f32 + t * t).sqrt();
                        s = t * c;
                    }
                }
                cosines[pair as usize] = c;
                sines[pair as usize] = s;
                firsts[pair as usize] = p;
                seconds[pair as usize] = q;
                pair += units;
            }
            sync_cube();
            let mut at = UNIT_POS;
            while at < pairs * size {
                let pair = at / size;
                let row = at % size;
                let p = firsts[pair as usize];
                let q = seconds[pair as usize];
                if q < size {
                    let c = cosines[pair as usize];
                    let s = sines[pair as usize];
                    let ap = a[(row * PITCH + p) as usize];
                    let aq = a[(row * PITCH + q) as usize];
                    a[(row * PITCH + p) as usize] = c * ap - s * aq;
                    a[(row * PITCH + q) as usize] = s * ap + c * aq;
                    let vp = v[(row * PITCH + p) as usize];
                    let vq = v[(row * PITCH + q) as usize];
                    v[(row * PITCH + p) as usize] = c * vp - s * vq;
                    v[(row * PITCH + q) as usize] = s * vp + c * vq;
                }
                at += units;
            }
            sync_cube();
            let mut at = UNIT_POS;
            while at < pairs * size {
                let pair = at / size;
                let column = at % size;
                let p = firsts[pair as usize];
                let q = seconds[pair as usize];
                if q < size {
                    let c = cosines[pair as usize];
                    let s = sines[pair as usize];
                    let ap = a[(p * PITCH + column) as usize];
                    let aq = a[(q * PITCH + column) as usize];
                    a[(p * PITCH + column) as usize] = c * ap - s * aq;
                    a[(q * PITCH + column) as usize] = s * ap + c * aq;
                }
                at += units;
            }
            sync_cube();
            round += 1u32;
        }
    }
    let mut mine = UNIT_POS;
    while mine < size {
        let own = a[(mine * PITCH + mine) as usize];
        let mut rank = 0u32;
        for other in 0..size {
            let value = a[(other * PITCH + other) as usize];
            if value < own || (value == own && other < mine) {
                rank += 1u32;
            }
        }
        values[(batch * size + rank) as usize] = own;
        for entry in 0..size {
            vectors[(base + rank * size + entry) as usize] = v[(entry * PITCH + mine) as usize];
        }
        mine += units;
    }
}

/// Eigenvalues `[b, k]`, ascending, and unit eigenvectors as rows `[b, k, k]` of symmetric
/// matrices `[b, k, k]`, `k` at most [`LARGEST`].
pub(crate) fn symmetric_eigen(matrices: CubeTensor) -> (CubeTensor, CubeTensor) {
    let [batch, size, _] = dims(&matrices);
    let values = empty(&matrices, [batch, size]);
    let vectors = empty(&matrices, [batch, size, size]);
    let client = matrices.client.clone();
    let units = units(&client, UNITS);
    symmetric_eigen_kernel::launch(
        &client,
        CubeCount::Static(batch as u32, 1, 1),
        CubeDim::new_1d(units),
        argument(matrices),
        values.clone().into_buffer_arg(),
        vectors.clone().into_buffer_arg(),
        size as u32,
        units,
    );
    (values, vectors)
}
