//! Thick-restarted Lanczos for all neurons of a site, its vectors on the device throughout.
//!
//! As the host's iteration (`burgeon_core::eigen`), with two differences: the projected matrices
//! are decomposed on the device, and a neuron whose Krylov space is exhausted goes on with a
//! direction outside it, because all neurons of a block iterate alike. Eigenvalues and residual
//! bounds are read at each look; vectors and their products once, at the end.

use burgeon_core::criterion::unit_vector;
use burgeon_core::eigen::{KrylovLimits, verified_pair};
use burgeon_core::{CoreError, Curvature, Method, SiteSpectra, Spectrum};
use burn::tensor::{DType, Device, Tensor, TensorData, s};
use nalgebra::DVector;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::kernels::LARGEST;
use crate::ops;

/// Ritz vectors of each end that a restart keeps.
const KEPT: usize = 3;

/// Iterations before the first look, and between looks.
const INTERVAL: usize = 4;

/// A block's fan-in rows `[1 or M, n, d]` and curvature weights `[n, M]`.
type Rows = (Tensor<3>, Tensor<2>);

/// What a look reads of a neuron.
struct Look {
    values: [f32; 2],
    residuals: [f32; 2],
}

impl Look {
    fn is_done(&self, tolerance: f64) -> bool {
        let scale = self.values[0].abs().max(self.values[1].abs());
        let allowed = tolerance as f32 * scale;
        self.residuals.iter().all(|residual| *residual <= allowed)
    }
}

/// The spectra of `curvature`, whose blocks are `rows`.
pub(crate) fn spectra(
    device: &Device,
    curvature: &Curvature,
    rows: &[Rows],
    limits: &KrylovLimits,
) -> Result<SiteSpectra, CoreError> {
    let (m, d) = (curvature.neurons(), curvature.dim());
    let capacity = limits.basis.clamp(2 * KEPT + 2, LARGEST).min(d);
    let basis = (capacity + 4) * m * d * size_of::<f32>();
    // Rows are written out once for the whole iteration.
    let patches = rows
        .iter()
        .map(|(x, _)| x.shape().num_elements())
        .sum::<usize>();
    let patches = patches * size_of::<f32>();
    let mut space = Space::new(device, [m, capacity, d]);
    let mut iterations = 0;
    let mut next_look = INTERVAL.min(capacity);
    loop {
        let beta = space.extend(rows);
        iterations += 1;
        let count = space.count;
        let last = iterations >= limits.iterations || count == d;
        if count < next_look && count < capacity && !last {
            continue;
        }
        next_look = count + INTERVAL;
        let (values, vectors) =
            ops::symmetric_eigen(space.projected.clone().slice(s![.., 0..count, 0..count]));
        let looks = look(&values, &vectors, beta)?;
        if !looks.iter().all(|look| {
            look.values
                .iter()
                .chain(&look.residuals)
                .all(|x| x.is_finite())
        }) {
            return Err(CoreError::NonFinite {
                site: curvature.site().to_owned(),
                quantity: "a splitting product",
            });
        }
        if last || looks.iter().all(|look| look.is_done(limits.tolerance)) {
            let ends = Tensor::cat(
                vec![
                    vectors.clone().narrow(1, 0, 1),
                    vectors.narrow(1, count - 1, 1),
                ],
                1,
            );
            let ends = space.ritz(ends);
            return Ok(SiteSpectra {
                spectra: verified(&ends, rows)?,
                method: Method::Krylov,
                iterations,
                bytes: basis + patches,
            });
        }
        if count == capacity {
            space.restart(values, vectors);
            next_look = space.count + INTERVAL;
        }
    }
}

/// The orthonormal bases of all neurons.
struct Space {
    /// `[M, capacity, d]`; rows from `count` on are 0.
    basis: Tensor<3>,
    /// `Qᵀ S Q` over the scale, `[M, capacity, capacity]`.
    projected: Tensor<3>,
    /// The next basis vectors `[M, d]`.
    newest: Tensor<2>,
    /// What products are divided by, `[M, 1]`.
    scale: Option<Tensor<2>>,
    /// Where directions outside an exhausted space come from, `[M, d]`.
    noise: Tensor<2>,
    /// Basis vectors that have products.
    count: usize,
}

impl Space {
    fn new(device: &Device, [m, capacity, d]: [usize; 3]) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(0x5EED);
        let mut draw = || {
            let rows: Vec<f64> = (0..m).flat_map(|_| unit_vector(d, &mut rng)).collect();
            Tensor::<2>::from_data(TensorData::new(rows, [m, d]), (device, DType::F32))
        };
        let zeros = |shape: [usize; 3]| Tensor::<3>::zeros(shape, (device, DType::F32));
        Self {
            basis: zeros([m, capacity, d]),
            projected: zeros([m, capacity, capacity]),
            newest: draw(),
            noise: draw(),
            scale: None,
            count: 0,
        }
    }

    /// Multiplies the newest vectors, and finds the next; the norms `[M, 1]` of what of the
    /// products is outside the bases.
    fn extend(&mut self, rows: &[Rows]) -> Tensor<2> {
        let at = self.count;
        let newest = self.newest.clone();
        self.basis = self
            .basis
            .clone()
            .slice_assign(s![.., at..at + 1, ..], newest.clone().unsqueeze_dim(1));
        let product = block_products(rows, &newest);
        // f32 neither overflows nor vanishes in what follows.
        let scale = self.scale.get_or_insert_with(|| {
            let largest = product.clone().abs().max_dim(1);
            let none = largest.clone().equal_elem(0.0);
            largest.mask_fill(none, 1.0)
        });
        let product = product / scale.clone();
        let size = norms(&product);
        let (rest, along) = self.outside(product);
        self.projected = self
            .projected
            .clone()
            .slice_assign(s![.., .., at..at + 1], along.clone())
            .slice_assign(s![.., at..at + 1, ..], along.swap_dims(1, 2));
        let beta = norms(&rest);
        let exhausted = beta
            .clone()
            .lower_equal(size.mul_scalar(16.0 * f32::EPSILON));
        let next = rest / beta.clone().clamp_min(f32::MIN_POSITIVE);
        let [m, d] = next.dims();
        self.newest = next.mask_where(exhausted.expand([m, d]), self.fresh());
        self.count += 1;
        beta
    }

    /// What of `vectors` `[M, d]` is outside the bases, and the coefficients `[M, capacity, 1]`
    /// of what is inside.
    fn outside(&self, vectors: Tensor<2>) -> (Tensor<2>, Tensor<3>) {
        // Once removes what is along the basis, twice what rounding left of it.
        let once = |vectors: Tensor<2>| {
            let along = self
                .basis
                .clone()
                .matmul(vectors.clone().unsqueeze_dim::<3>(2));
            let inside = along.clone().swap_dims(1, 2).matmul(self.basis.clone());
            (vectors - inside.squeeze_dim::<2>(1), along)
        };
        let (rest, along) = once(vectors);
        let (rest, correction) = once(rest);
        (rest, along + correction)
    }

    /// Unit vectors `[M, d]` outside the bases, other ones for each size of them.
    fn fresh(&self) -> Tensor<2> {
        let drawn = self
            .noise
            .clone()
            .mul_scalar(1000.0 * (self.count + 1) as f32)
            .sin();
        let unit = |vectors: Tensor<2>| {
            let norms = norms(&vectors).clamp_min(f32::MIN_POSITIVE);
            vectors / norms
        };
        let (rest, _) = self.outside(unit(drawn));
        let (rest, _) = self.outside(unit(rest));
        unit(rest)
    }

    /// The Ritz vectors `[M, e, d]` of coefficients `[M, e, count]`.
    fn ritz(&self, coefficients: Tensor<3>) -> Tensor<3> {
        coefficients.matmul(self.basis.clone().slice(s![.., 0..self.count, ..]))
    }

    /// Keeps the Ritz vectors of both ends, of ascending `values` `[M, count]` and coefficients
    /// `[M, count, count]`.
    fn restart(&mut self, values: Tensor<2>, vectors: Tensor<3>) {
        let high = self.count - KEPT;
        let both = |low: Tensor<3>, high: Tensor<3>| Tensor::cat(vec![low, high], 1);
        let ends = both(
            vectors.clone().narrow(1, 0, KEPT),
            vectors.narrow(1, high, KEPT),
        );
        let kept = self.ritz(ends);
        let values = Tensor::cat(
            vec![
                values.clone().narrow(1, 0, KEPT),
                values.narrow(1, high, KEPT),
            ],
            1,
        );
        self.basis = self
            .basis
            .zeros_like()
            .slice_assign(s![.., 0..2 * KEPT, ..], kept);
        self.projected = self.projected.zeros_like();
        for index in 0..2 * KEPT {
            let value = values.clone().narrow(1, index, 1).unsqueeze_dim::<3>(2);
            let at = s![.., index..index + 1, index..index + 1];
            self.projected = self.projected.clone().slice_assign(at, value);
        }
        self.count = 2 * KEPT;
    }
}

fn norms(vectors: &Tensor<2>) -> Tensor<2> {
    vectors.clone().square().sum_dim(1).sqrt()
}

fn block_products(rows: &[Rows], directions: &Tensor<2>) -> Tensor<2> {
    let of = |(x, w): &Rows| ops::products(x.clone(), w.clone(), directions.clone());
    let sum = rows.iter().map(of).reduce(|a, b| a + b);
    sum.unwrap_or_else(|| directions.zeros_like())
}

/// Reads both ends' Ritz values and residual bounds.
fn look(values: &Tensor<2>, vectors: &Tensor<3>, beta: Tensor<2>) -> Result<Vec<Look>, CoreError> {
    let count = values.dims()[1];
    let last = |end: usize| {
        let entry = vectors
            .clone()
            .slice(s![.., end..end + 1, count - 1..count]);
        entry.squeeze_dim::<2>(2).abs() * beta.clone()
    };
    let value = |end: usize| values.clone().narrow(1, end, 1);
    let high = count - 1;
    let read = Tensor::cat(vec![value(0), value(high), last(0), last(high)], 1);
    let numbers = read_f32(read, "Ritz values")?;
    let looks = numbers.chunks_exact(4).map(|of| Look {
        values: [of[0], of[1]],
        residuals: [of[2], of[3]],
    });
    Ok(looks.collect())
}

/// The pairs of unit vectors along `ends` `[M, 2, d]`, with residuals from one more product each.
fn verified(ends: &Tensor<3>, rows: &[Rows]) -> Result<Vec<Spectrum>, CoreError> {
    let [_, _, d] = ends.dims();
    let mut pairs = Vec::new();
    for end in 0..2 {
        let vectors = ends.clone().narrow(1, end, 1).squeeze_dim::<2>(1);
        let vectors = vectors.clone() / norms(&vectors).clamp_min(f32::MIN_POSITIVE);
        let products = read_f32(block_products(rows, &vectors), "splitting products")?;
        let vectors = read_f32(vectors, "Ritz vectors")?;
        let wide = |row: &[f32]| DVector::from_iterator(d, row.iter().map(|x| f64::from(*x)));
        let of = |(vector, product): (&[f32], &[f32])| {
            verified_pair(wide(vector).normalize(), &wide(product))
        };
        let both = vectors.chunks_exact(d).zip(products.chunks_exact(d));
        pairs.push(both.map(of).collect::<Vec<_>>());
    }
    let high = pairs.pop().unwrap_or_default();
    let low = pairs.pop().unwrap_or_default();
    Ok(low
        .into_iter()
        .zip(high)
        .map(|(a, b)| Spectrum::ordered(a, b))
        .collect())
}

fn read_f32<const D: usize>(tensor: Tensor<D>, what: &str) -> Result<Vec<f32>, CoreError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| CoreError::Read {
            what: what.to_owned(),
            reason: error.to_string(),
        })
}
