//! Matrices turned over.

use pulp::Arch;
#[cfg(target_arch = "x86_64")]
use pulp::{NullaryFnOnce, core_arch::x86::Avx};

use crate::real::Real;

/// Writes a matrix `[lines, columns]` as `[columns, lines]`, each column moved by a constant.
pub struct Transposition<'a, T> {
    /// Lines of the matrix.
    pub lines: usize,
    /// The matrix `[lines, columns]`.
    pub from: &'a [T],
    /// Distance between the lines of `from`.
    pub from_stride: usize,
    /// Where `[columns, lines]` is written.
    pub to: &'a mut [T],
    /// Distance between the lines of `to`.
    pub to_stride: usize,
    /// One for each column.
    pub constants: &'a [T],
    /// Whether what is written is added to what stands there.
    pub adds: bool,
}

impl<T: Real> Transposition<'_, T> {
    /// Does it, with the vectors of `arch`.
    pub fn run(mut self, arch: Arch) {
        let [lines, columns] = self.blocks(arch);
        let all = [self.lines, self.constants.len()];
        self.one_by_one([0, columns], all);
        self.one_by_one([lines, 0], [all[0], columns]);
    }

    /// Turns over what fills whole blocks: so many lines and columns.
    fn blocks(&mut self, arch: Arch) -> [usize; 2] {
        #[cfg(target_arch = "x86_64")]
        if let (Some(from), Some(constants), Some(to)) = (
            f32::same(self.from),
            f32::same(self.constants),
            f32::same_mut(self.to),
        ) {
            let f32s = Transposition {
                lines: self.lines,
                from,
                from_stride: self.from_stride,
                to,
                to_stride: self.to_stride,
                constants,
                adds: self.adds,
            };
            match arch {
                Arch::V4(simd) => return simd.vectorize(Blocks(simd.avx, f32s)),
                Arch::V3(simd) => return simd.vectorize(Blocks(simd.avx, f32s)),
                _ => {}
            }
        }
        _ = arch;
        [0, 0]
    }

    #[inline(always)]
    fn one_by_one(&mut self, [line, column]: [usize; 2], [lines, columns]: [usize; 2]) {
        for line in line..lines {
            let from = &self.from[line * self.from_stride..][..columns];
            let values = from.iter().zip(self.constants).enumerate();
            for (column, (value, constant)) in values.skip(column) {
                let value = *value + *constant;
                let to = &mut self.to[column * self.to_stride + line];
                *to = if self.adds { *to + value } else { value };
            }
        }
    }
}

/// Lines and columns of a block.
#[cfg(target_arch = "x86_64")]
const BLOCK: usize = 8;

/// Lines whose columns are written one after the other: a few cache lines of each, which may
/// all compete for the same places of the cache.
#[cfg(target_arch = "x86_64")]
const TOGETHER: usize = 32;

#[cfg(target_arch = "x86_64")]
struct Blocks<'a>(Avx, Transposition<'a, f32>);

#[cfg(target_arch = "x86_64")]
impl NullaryFnOnce for Blocks<'_> {
    /// How many lines and columns the blocks covered.
    type Output = [usize; 2];

    #[inline(always)]
    fn call(self) -> [usize; 2] {
        let Self(avx, all) = self;
        let lines = all.lines / BLOCK * BLOCK;
        // The last columns too, where the lines go on behind them.
        let columns = match all.constants.len() {
            columns if columns.next_multiple_of(BLOCK) <= all.from_stride => columns,
            columns => columns / BLOCK * BLOCK,
        };
        for first_line in (0..lines).step_by(TOGETHER) {
            let end = (first_line + TOGETHER).min(lines);
            for column in (0..columns).step_by(BLOCK) {
                let count = BLOCK.min(columns - column);
                let constants = match count {
                    BLOCK => vector(&all.constants[column..]),
                    _ => first(&all.constants[column..]),
                };
                for line in (first_line..end).step_by(BLOCK) {
                    let mut block = [constants; BLOCK];
                    for (i, values) in block.iter_mut().enumerate() {
                        let from = vector(&all.from[(line + i) * all.from_stride + column..]);
                        *values = avx._mm256_add_ps(*values, from);
                    }
                    let block = turned_over(avx, block);
                    for (i, mut values) in block.into_iter().enumerate().take(count) {
                        let to = &mut all.to[(column + i) * all.to_stride + line..][..BLOCK];
                        if all.adds {
                            values = avx._mm256_add_ps(vector(to), values);
                        }
                        to.copy_from_slice(&bytemuck::cast::<_, [f32; BLOCK]>(values));
                    }
                }
            }
        }
        [lines, columns]
    }
}

#[cfg(target_arch = "x86_64")]
type Vector = std::arch::x86_64::__m256;

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn vector(values: &[f32]) -> Vector {
    let mut array = [0.0; BLOCK];
    array.copy_from_slice(&values[..BLOCK]);
    bytemuck::cast(array)
}

/// Fewer values than a vector holds, and zeros.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn first(values: &[f32]) -> Vector {
    let mut array = [0.0; BLOCK];
    for (to, value) in array.iter_mut().zip(values) {
        *to = *value;
    }
    bytemuck::cast(array)
}

/// A block turned over: pairs, fours, halves.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn turned_over(avx: Avx, a: [Vector; BLOCK]) -> [Vector; BLOCK] {
    let mut pairs = a;
    for i in 0..BLOCK / 2 {
        pairs[2 * i] = avx._mm256_unpacklo_ps(a[2 * i], a[2 * i + 1]);
        pairs[2 * i + 1] = avx._mm256_unpackhi_ps(a[2 * i], a[2 * i + 1]);
    }
    let mut fours = a;
    for i in 0..2 {
        for j in 0..2 {
            let (low, high) = (pairs[4 * i + j], pairs[4 * i + j + 2]);
            fours[4 * i + 2 * j] = avx._mm256_shuffle_ps::<0b01_00_01_00>(low, high);
            fours[4 * i + 2 * j + 1] = avx._mm256_shuffle_ps::<0b11_10_11_10>(low, high);
        }
    }
    let mut eights = a;
    for i in 0..BLOCK / 2 {
        let (low, high) = (fours[i], fours[i + 4]);
        eights[i] = avx._mm256_permute2f128_ps::<0x20>(low, high);
        eights[i + 4] = avx._mm256_permute2f128_ps::<0x31>(low, high);
    }
    eights
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn turned_over<T: Real>(
        arch: Arch,
        [lines, columns]: [usize; 2],
        adds: bool,
    ) -> (Vec<T>, Vec<T>) {
        let (from_stride, to_stride) = (columns + 4, lines + 2);
        let value = |i: usize| T::from_f64((i as f64 * 0.7).sin());
        let from: Vec<T> = (0..lines * from_stride).map(value).collect();
        let constants: Vec<T> = (0..columns).map(|i| value(i + 1000)).collect();
        let before: Vec<T> = (0..columns * to_stride).map(|i| value(i + 99)).collect();
        let mut expected = before.clone();
        for line in 0..lines {
            for column in 0..columns {
                let value = from[line * from_stride + column] + constants[column];
                let to = &mut expected[column * to_stride + line];
                *to = if adds { *to + value } else { value };
            }
        }
        let mut to = before;
        Transposition {
            lines,
            from: &from,
            from_stride,
            to: &mut to,
            to_stride,
            constants: &constants,
            adds,
        }
        .run(arch);
        (to, expected)
    }

    proptest! {
        #[test]
        fn every_value_goes_to_its_place(lines in 0_usize..40, columns in 0_usize..40, adds: bool) {
            for arch in crate::lanes::vector_units() {
                let (found, expected) = turned_over::<f32>(arch, [lines, columns], adds);
                prop_assert_eq!(found, expected);
                let (found, expected) = turned_over::<f64>(arch, [lines, columns], adds);
                prop_assert_eq!(found, expected);
            }
        }
    }
}
