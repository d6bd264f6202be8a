//! The conformance suite of [`SplitBackend`]: every backend crate runs it.

use burgeon_ops::{Activation, Window};
use burn::tensor::{DType, Device, Tensor, TensorData};
use nalgebra::{DMatrix, DVector};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use crate::backend::SplitBackend;
use crate::block::{CurvatureBlock, SiteInput};
use crate::curvature::Curvature;
use crate::error::CoreError;
use crate::row_sample::RowSample;

/// One comparison of the suite.
#[derive(Debug, Clone)]
pub struct Check {
    /// What was compared.
    pub name: String,
    /// Largest difference, relative to the largest entry of the reference.
    pub error: f64,
    /// Largest difference that passes.
    pub bound: f64,
}

impl Check {
    /// Whether the difference is within its bound.
    pub fn passed(&self) -> bool {
        self.error <= self.bound
    }
}

/// Compares a backend's curvature weights, splitting matrices and products with plain f64
/// loops on the host, over activations, layer kinds, odd shapes, scales and both float types.
///
/// # Errors
/// [`CoreError`] where the backend fails to compute at all.
pub fn conformance(backend: &dyn SplitBackend) -> Result<Vec<Check>, CoreError> {
    let mut checks = Vec::new();
    for dtype in [DType::F32, DType::F64] {
        if !backend.supports(dtype) {
            continue;
        }
        curvature_weights(backend, dtype, &mut checks)?;
        for case in cases() {
            let (block, rows) = case.block(&backend.device(), dtype);
            let weights = host(&block.weights);
            if let [rows] = rows.as_slice() {
                row_sample(backend, (case.name, dtype), &block, rows, &mut checks)?;
            }
            let (m, d) = (block.neurons(), block.dim());
            let reference = reference_matrices(&rows, &weights, m, d);
            let curvature = Curvature::new("conformance", vec![block.clone(), block])?;
            let directions = random_matrix(d, m, 7);
            for arithmetic in [DType::F32, DType::F64] {
                if !backend.device().supports_dtype(arithmetic) {
                    continue;
                }
                // f32 inputs are exact in f64, so only the arithmetic counts.
                let bound = bound(arithmetic);
                let dense = curvature.dense(backend, arithmetic)?;
                let products = curvature.apply(backend, &directions, arithmetic)?;
                let mut dense_error = Worst::default();
                let mut apply_error = Worst::default();
                for j in 0..m {
                    // Both blocks hold the same rows: every sum doubles.
                    dense_error.compare(&dense[j], &(&reference[j] * 2.0));
                    let expected = &reference[j] * directions.column(j) * 2.0;
                    apply_error.compare(&products.column(j), &expected);
                }
                for (what, worst) in [("dense", dense_error), ("apply", apply_error)] {
                    checks.push(Check {
                        name: format!("{what} {} {dtype:?} in {arithmetic:?}", case.name),
                        error: worst.relative(),
                        bound,
                    });
                }
            }
        }
    }
    Ok(checks)
}

/// Pre-activations from far below to far above 0, with and without the scales of a normalisation.
fn curvature_weights(
    backend: &dyn SplitBackend,
    dtype: DType,
    checks: &mut Vec<Check>,
) -> Result<(), CoreError> {
    let ([b, h, w], m) = ([2, 3, 7], 5);
    let n = b * h * w;
    let as_maps = |rows: Tensor<2>| rows.reshape([b, h, w, m]).permute([0, 3, 1, 2]);
    let device = backend.device();
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let mut draw = |count: usize, scale: f64| -> Vec<f64> {
        let mut one = || {
            let value: f64 = StandardNormal.sample(&mut rng);
            f64::from((value * scale) as f32)
        };
        (0..count).map(|_| one()).collect()
    };
    let mut z = draw(n * m, 2.0);
    z[..6].copy_from_slice(&[0.0, -0.0, 40.0, -40.0, 200.0, -200.0]);
    let (gradient, scales) = (draw(n * m, 1.0), draw(m, 1.0));
    let options = (&device, dtype);
    let on_device = |values: &Vec<f64>| {
        Tensor::<2>::from_data(TensorData::new(values.clone(), [n, m]), options)
    };
    let scale = Tensor::<1>::from_data(TensorData::new(scales.clone(), [m]), options);
    for name in Activation::NAMES {
        let activation: Activation = name.parse()?;
        for scaled in [false, true] {
            let weights = backend.curvature_weights(
                activation,
                on_device(&z),
                on_device(&gradient),
                scaled.then(|| scale.clone()),
            );
            let expected = (0..n * m).map(|at| {
                let c = if scaled { scales[at % m] } else { 1.0 };
                gradient[at] * second_derivative(activation, z[at]) * c * c
            });
            let of_maps = backend.curvature_weights_of_maps(
                activation,
                as_maps(on_device(&z)),
                as_maps(on_device(&gradient)),
                scaled.then(|| scale.clone()),
            );
            let expected = DMatrix::from_iterator(m, n, expected);
            for (what, found) in [("rows", weights), ("maps", of_maps)] {
                let mut worst = Worst::default();
                worst.compare(&DMatrix::from_vec(m, n, host(&found)), &expected);
                checks.push(Check {
                    name: format!("curvature weights, {what}, {name}, {dtype:?}, scaled: {scaled}"),
                    error: worst.relative(),
                    bound: bound(dtype),
                });
            }
        }
    }
    Ok(())
}

/// Sizes of rows, and the matrices of half of them.
fn row_sample(
    backend: &dyn SplitBackend,
    (name, dtype): (&str, DType),
    block: &CurvatureBlock,
    rows: &[Vec<f64>],
    checks: &mut Vec<Check>,
) -> Result<(), CoreError> {
    let (m, d) = (block.neurons(), block.dim());
    let mut weights = host(&block.weights);
    let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
    let lines = rows.iter().zip(weights.chunks(m));
    let sizes: Vec<f64> = lines.map(|(x, w)| norm(w) * norm(x).powi(2)).collect();
    let mut check = |what: &str, worst: Worst| {
        checks.push(Check {
            name: format!("{what} {name} {dtype:?}"),
            error: worst.relative(),
            bound: bound(dtype),
        });
    };
    let mut worst = Worst::default();
    let found = host(&backend.row_sizes(block));
    worst.compare(&DVector::from_vec(found), &DVector::from_vec(sizes.clone()));
    check("row sizes", worst);
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    let Some(sample) = RowSample::by_size(&sizes, rows.len() / 2, &mut rng) else {
        return Ok(());
    };
    let part = backend.sampled(block.clone(), &sample);
    let exact = backend.accumulation_dtype();
    let found = Curvature::new(name, vec![part])?.dense(backend, exact)?;
    let mut factors = vec![0.0; rows.len()];
    for (row, factor) in sample.rows().iter().zip(sample.factors()) {
        factors[*row] = *factor;
    }
    for (weights, factor) in weights.chunks_mut(m).zip(factors) {
        weights.iter_mut().for_each(|weight| *weight *= factor);
    }
    let mut worst = Worst::default();
    let expected = reference_matrices(&vec![rows.to_vec()], &weights, m, d);
    for (found, expected) in found.iter().zip(&expected) {
        worst.compare(found, expected);
    }
    check("sampled rows", worst);
    Ok(())
}

/// Largest relative difference that rounding in `dtype` explains.
fn bound(dtype: DType) -> f64 {
    if dtype == DType::F64 { 1e-12 } else { 1e-5 }
}

/// `σ″(z)`, written out.
fn second_derivative(activation: Activation, z: f64) -> f64 {
    let logistic = |z: f64| 1.0 / (1.0 + (-z).exp());
    let density = (-0.5 * z * z).exp();
    match activation {
        Activation::Relu { beta } | Activation::Softplus { beta } => {
            let s = logistic(beta * z);
            beta * s * (1.0 - s)
        }
        Activation::Tanh => -2.0 * z.tanh() * (1.0 - z.tanh().powi(2)),
        Activation::Sigmoid => {
            let s = logistic(z);
            s * (1.0 - s) * (1.0 - 2.0 * s)
        }
        Activation::Silu => {
            let s = logistic(z);
            s * (1.0 - s) * (2.0 + z * (1.0 - 2.0 * s))
        }
        Activation::Gelu => density / (2.0 * std::f64::consts::PI).sqrt() * (2.0 - z * z),
        Activation::Rbf => density * (z * z - 1.0),
    }
}

#[derive(Default)]
struct Worst {
    difference: f64,
    scale: f64,
}

impl Worst {
    fn compare<R, C, S1, S2>(
        &mut self,
        found: &nalgebra::Matrix<f64, R, C, S1>,
        expected: &nalgebra::Matrix<f64, R, C, S2>,
    ) where
        R: nalgebra::Dim,
        C: nalgebra::Dim,
        S1: nalgebra::RawStorage<f64, R, C>,
        S2: nalgebra::RawStorage<f64, R, C>,
    {
        for (a, b) in found.iter().zip(expected.iter()) {
            self.difference = self.difference.max((a - b).abs());
            self.scale = self.scale.max(b.abs());
        }
    }

    fn relative(&self) -> f64 {
        self.difference / self.scale.max(f64::MIN_POSITIVE)
    }
}

struct Case {
    name: &'static str,
    kind: Kind,
    bias: bool,
    scale: f64,
}

enum Kind {
    Linear {
        rows: usize,
        inputs: usize,
        neurons: usize,
    },
    Convolution {
        maps: [usize; 4],
        window: Window,
        neurons: usize,
    },
    Depthwise {
        maps: [usize; 4],
        window: Window,
    },
}

fn cases() -> Vec<Case> {
    let window = |kernel, stride, padding, dilation| Window {
        kernel,
        stride,
        padding,
        dilation,
    };
    let linear = |rows, inputs, neurons| Kind::Linear {
        rows,
        inputs,
        neurons,
    };
    let same = window([3, 3], [1, 1], [[1, 1]; 2], [1, 1]);
    let odd = window([3, 2], [2, 3], [[1, 0], [0, 2]], [2, 1]);
    let case = |name, kind, bias, scale| Case {
        name,
        kind,
        bias,
        scale,
    };
    vec![
        case("linear", linear(33, 7, 5), true, 1.0),
        case("linear, one row", linear(1, 4, 3), false, 1.0),
        case("linear, one neuron", linear(17, 6, 1), true, 1.0),
        case("linear, d = 1", linear(9, 1, 4), false, 1.0),
        case("linear, large values", linear(20, 5, 3), true, 1e6),
        case(
            "linear, many rows and inputs",
            linear(1500, 70, 9),
            true,
            1.0,
        ),
        case(
            "convolution 3x3, padded",
            Kind::Convolution {
                maps: [2, 3, 6, 5],
                window: same,
                neurons: 4,
            },
            true,
            1.0,
        ),
        case(
            "convolution, stride and dilation",
            Kind::Convolution {
                maps: [2, 2, 9, 8],
                window: odd,
                neurons: 3,
            },
            false,
            1.0,
        ),
        case(
            "depthwise 3x3",
            Kind::Depthwise {
                maps: [3, 4, 5, 6],
                window: same,
            },
            true,
            1.0,
        ),
        case(
            "depthwise, stride and dilation",
            Kind::Depthwise {
                maps: [2, 3, 9, 8],
                window: odd,
            },
            false,
            1.0,
        ),
    ]
}

/// Rows of each neuron's fan-in: `rows[set][row]`, one set where all share it.
type Rows = Vec<Vec<Vec<f64>>>;

impl Case {
    /// The block on `device`, and its fan-in rows computed by plain loops from
    /// the values as the device holds them.
    fn block(&self, device: &Device, dtype: DType) -> (CurvatureBlock, Rows) {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut draw = |count: usize| -> Vec<f64> {
            (0..count)
                .map(|_| {
                    let value: f64 = StandardNormal.sample(&mut rng);
                    f64::from((value * self.scale) as f32)
                })
                .collect()
        };
        let options = || (device, dtype);
        let (input, mut rows, n, m) = match &self.kind {
            &Kind::Linear {
                rows,
                inputs,
                neurons,
            } => {
                let values = draw(rows * inputs);
                let set = values.chunks(inputs).map(<[f64]>::to_vec).collect();
                let data = TensorData::new(values, [rows, inputs]);
                let tensor = Tensor::<2>::from_data(data, options());
                (SiteInput::Rows(tensor), vec![set], rows, neurons)
            }
            Kind::Convolution { maps, window, .. } | Kind::Depthwise { maps, window } => {
                let values = draw(maps.iter().product());
                let tensor =
                    Tensor::<4>::from_data(TensorData::new(values.clone(), *maps), options());
                let per_channel: Rows = (0..maps[1])
                    .map(|channel| channel_patches(&values, *maps, window, channel))
                    .collect();
                let n = per_channel[0].len();
                match self.kind {
                    Kind::Convolution { neurons, .. } => {
                        let joined = (0..n)
                            .map(|row| per_channel.iter().flat_map(|c| c[row].clone()).collect())
                            .collect();
                        (SiteInput::Maps(tensor, *window), vec![joined], n, neurons)
                    }
                    _ => (
                        SiteInput::ChannelMaps(tensor, *window),
                        per_channel,
                        n,
                        maps[1],
                    ),
                }
            }
        };
        if self.bias {
            rows.iter_mut().flatten().for_each(|row| row.push(1.0));
        }
        let weights = Tensor::from_data(TensorData::new(draw(n * m), [n, m]), options());
        let block = CurvatureBlock {
            input,
            bias: self.bias,
            weights,
        };
        (block, rows)
    }
}

fn channel_patches(
    values: &[f64],
    [b, c, h, w]: [usize; 4],
    window: &Window,
    channel: usize,
) -> Vec<Vec<f64>> {
    let [oh, ow] = window.output_size([h, w]);
    let mut rows = Vec::with_capacity(b * oh * ow);
    for sample in 0..b {
        for y in 0..oh {
            for x in 0..ow {
                let mut row = Vec::with_capacity(window.taps());
                for ky in 0..window.kernel[0] {
                    for kx in 0..window.kernel[1] {
                        let iy = y * window.stride[0] + ky * window.dilation[0];
                        let ix = x * window.stride[1] + kx * window.dilation[1];
                        let iy = iy.checked_sub(window.padding[0][0]).filter(|&i| i < h);
                        let ix = ix.checked_sub(window.padding[1][0]).filter(|&i| i < w);
                        row.push(match (iy, ix) {
                            (Some(iy), Some(ix)) => {
                                values[((sample * c + channel) * h + iy) * w + ix]
                            }
                            _ => 0.0,
                        });
                    }
                }
                rows.push(row);
            }
        }
    }
    rows
}

fn reference_matrices(rows: &Rows, weights: &[f64], m: usize, d: usize) -> Vec<DMatrix<f64>> {
    (0..m)
        .map(|j| {
            let set = &rows[if rows.len() == 1 { 0 } else { j }];
            let mut sum = DMatrix::zeros(d, d);
            for (r, row) in set.iter().enumerate() {
                let x = DVector::from_column_slice(row);
                sum += &x * x.transpose() * weights[r * m + j];
            }
            sum
        })
        .collect()
}

fn random_matrix(rows: usize, columns: usize, seed: u64) -> DMatrix<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    DMatrix::from_fn(rows, columns, |_, _| StandardNormal.sample(&mut rng))
}

fn host<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    // Not every device has f64, so the host converts.
    tensor.clone().into_data().iter().collect()
}
