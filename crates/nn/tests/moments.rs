//! Second moments of sites, against plain sums over rows.

use std::sync::Arc;

use burgeon_backend_flex::FLEX;
use burgeon_core::criterion::{Context, Criterion, Tiny};
use burgeon_core::{Capture, Landscape, Moments, Needs, Plan, Site, SiteMoments, SplitBackend};
use burgeon_nn::growable::cast;
use burgeon_nn::{Growable, MeanSquaredError, ModelLandscape, Samples, trace};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{relu, sigmoid, tanh};
use burn::tensor::{DType, Device, Tensor, TensorData};
use nalgebra::DMatrix;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Maps that two layers read behind a mean pool, and maps that a linear layer reads flattened.
#[derive(Module, Debug)]
struct Net {
    maps: Conv2d,
    pool: AvgPool2d,
    deeper: Conv2d,
    side: Conv2d,
    output: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        let same = PaddingConfig2d::Explicit(1, 1, 1, 1);
        let deeper = Conv2dConfig::new([3, 4], [3, 3]).with_padding(same.clone());
        let net = Self {
            maps: Conv2dConfig::new([2, 3], [3, 3])
                .with_padding(same)
                .init(device),
            pool: AvgPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            deeper: deeper.with_bias(false).init(device),
            side: Conv2dConfig::new([3, 2], [1, 1]).init(device),
            output: LinearConfig::new(4 * 4, 2).init(device),
        };
        cast(&net, DType::F64)
    }

    fn pooled(&self, input: Tensor<4>) -> Tensor<4> {
        self.pool.forward(tanh(self.maps.forward(input)))
    }

    fn answer(&self, deeper: Tensor<4>, side: Tensor<4>) -> Tensor<2> {
        let [b, k, ..] = side.dims();
        let side: Tensor<2> = side.mean_dim(3).mean_dim(2).reshape([b, k]);
        self.output.forward(relu(deeper).flatten(1, 3)) + side
    }
}

impl Growable for Net {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let pooled = self.pooled(input);
        let (deeper, side) = (
            self.deeper.forward(pooled.clone()),
            self.side.forward(pooled),
        );
        self.answer(deeper, side)
    }
}

fn samples(count: usize, outputs: usize) -> Samples<Tensor<4>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut draw = |shape: Vec<usize>| {
        let values: Vec<f64> = (0..shape.iter().product())
            .map(|_| rng.random_range(-1.0..1.0))
            .collect();
        TensorData::new(values, shape)
    };
    let device = FLEX.device();
    let inputs = Tensor::from_data(draw(vec![count, 2, 4, 4]), (&device, DType::F64));
    let values = Tensor::from_data(draw(vec![count, outputs]), (&device, DType::F64));
    Samples::regression(inputs, values).expect("sound")
}

fn captured<M: Growable<Input = Tensor<4>>>(net: &M, samples: &Samples<Tensor<4>>) -> Arc<Capture> {
    let trace = Arc::new(trace(net, samples).expect("traceable"));
    let landscape = ModelLandscape::new(net, trace, &MeanSquaredError, samples, 4, &FLEX);
    let found = landscape.capture(Needs::MOMENTS).expect("captured");
    let again = landscape.capture(Needs::SHAPES).expect("captured");
    assert!(Arc::ptr_eq(&found, &again), "captured once");
    assert!(landscape.gradient_macs() > 0);
    found
}

/// Numbers `[b, c, h, w]`.
struct Maps {
    shape: [usize; 4],
    values: Vec<f64>,
}

impl Maps {
    fn of(tensor: Tensor<4>) -> Self {
        Self {
            shape: tensor.dims(),
            values: tensor.into_data().iter::<f64>().collect(),
        }
    }

    fn at(&self, b: usize, c: usize, y: isize, x: isize) -> f64 {
        let [_, channels, h, w] = self.shape;
        let (Ok(y), Ok(x)) = (usize::try_from(y), usize::try_from(x)) else {
            return 0.0;
        };
        match y < h && x < w {
            true => self.values[((b * channels + c) * h + y) * w + x],
            false => 0.0,
        }
    }

    /// What a kernel of `k × k` taps reads that leaves the size as it is: a row for each place.
    fn rows(&self, k: usize, bias: bool) -> DMatrix<f64> {
        let [b, c, h, w] = self.shape;
        let half = (k / 2) as isize;
        DMatrix::from_fn(b * h * w, c * k * k + usize::from(bias), |row, column| {
            let (sample, y, x) = (row / (h * w), row / w % h, row % w);
            let (channel, tap) = (column / (k * k), column % (k * k));
            if channel == c {
                return 1.0;
            }
            let (dy, dx) = ((tap / k) as isize - half, (tap % k) as isize - half);
            self.at(sample, channel, y as isize + dy, x as isize + dx)
        })
    }

    /// A row for each place, a column for each channel.
    fn places(&self) -> DMatrix<f64> {
        self.rows(1, false)
    }

    fn from_rows(rows: &DMatrix<f64>, [b, h, w]: [usize; 3]) -> Self {
        let c = rows.ncols();
        let mut values = Vec::new();
        for sample in 0..b {
            for channel in 0..c {
                values.extend((0..h * w).map(|at| rows[(sample * h * w + at, channel)]));
            }
        }
        let shape = [b, c, h, w];
        Self { shape, values }
    }

    /// Means over 2 × 2 places.
    fn pooled(&self) -> Self {
        let [b, c, h, w] = self.shape;
        let mut values = Vec::new();
        for at in 0..b * c * (h / 2) * (w / 2) {
            let (map, y, x) = (at / (h / 2 * (w / 2)), at / (w / 2) % (h / 2), at % (w / 2));
            let own = |dy: usize, dx: usize| {
                let (y, x) = (2 * y + dy, 2 * x + dx);
                self.at(map / c, map % c, y as isize, x as isize)
            };
            values.push((own(0, 0) + own(0, 1) + own(1, 0) + own(1, 1)) / 4.0);
        }
        let shape = [b, c, h / 2, w / 2];
        Self { shape, values }
    }
}

/// What no linear map of the rows of `read` is of `wanted`.
fn left(read: &DMatrix<f64>, wanted: &DMatrix<f64>) -> DMatrix<f64> {
    let decomposed = read.clone().svd(true, true);
    let best = decomposed.solve(wanted, 1e-10).expect("solves");
    wanted - read * best
}

fn close(found: &DMatrix<f64>, expected: &DMatrix<f64>) {
    assert_eq!(found.shape(), expected.shape());
    let off = (found - expected).norm() / expected.norm();
    assert!(off < 1e-9, "{off:e}");
}

fn known(site: &Site) -> &SiteMoments {
    let moments = site.moments.as_ref().expect("asked for");
    moments.known().unwrap_or_else(|| panic!("{moments:?}"))
}

#[test]
fn they_are_plain_sums_over_rows() {
    const COUNT: usize = 50;
    let net = Net::new(&FLEX.device().autodiff());
    let samples = samples(COUNT, 2);
    let capture = captured(&net, &samples);
    let [deeper, maps] = &capture.sites[..] else {
        panic!("two layers grow")
    };
    let (deeper, maps) = match maps.name == "maps" {
        true => (deeper, maps),
        false => (maps, deeper),
    };
    // Gradients by Burn, with the outputs of layers as leaves.
    let device = FLEX.device().autodiff();
    let input = Tensor::<4>::from_inner(samples.inputs().clone()).to_device(&device);
    let leaf = |tensor: Tensor<4>| tensor.detach().require_grad();
    let pooled = net.pooled(input.clone());
    let below = leaf(net.deeper.forward(pooled.clone()));
    let aside = leaf(net.side.forward(pooled.clone()));
    let burgeon_nn::Targets::Values(targets) = samples.targets().clone() else {
        panic!("values")
    };
    let output = net.answer(below.clone(), aside.clone());
    let wanted = Tensor::from_inner(targets);
    let out = output.clone().detach().require_grad();
    let of_output = (out.clone() - wanted.clone()).square().mean().backward();
    let gradients = (output - wanted).square().mean().backward();
    // The functional gradient of one sample is so many times that of the mean.
    let count = COUNT as f64;
    let negative = |tensor: Tensor<4>| Maps::of(tensor).places() * -count;
    let of_below = negative(below.grad(&gradients).expect("reached"));
    let of_aside = negative(aside.grad(&gradients).expect("reached"));
    let out: Vec<f64> = out
        .grad(&of_output)
        .expect("reached")
        .into_data()
        .iter()
        .collect();
    let of_out = DMatrix::from_row_slice(COUNT, 2, &out) * -count;

    // `deeper`, which `output` reads, flattened from 2 × 2 places.
    let read = Maps::of(pooled.clone().inner());
    let rows = read.rows(3, false);
    let found = known(deeper);
    close(&found.inputs, &(rows.tr_mul(&rows) / count));
    let answered = Maps::of(relu(net.deeper.forward(pooled)).inner());
    let flat = DMatrix::from_fn(COUNT, 4 * 4 + 1, |row, column| match column {
        16 => 1.0,
        column => answered.values[row * 16 + column],
    });
    let rest = left(&flat, &of_out);
    let expected = DMatrix::from_fn(27, 4 * 2, |index, number| {
        let (place, output) = (number / 2, number % 2);
        let own = (0..COUNT).map(|row| rows[(row * 4 + place, index)] * rest[(row, output)]);
        own.sum::<f64>() / count
    });
    close(&found.cross, &expected);
    assert!((found.desired - of_out.norm_squared() / count).abs() < 1e-9 * found.desired);
    assert!((found.bottleneck - rest.norm_squared() / count).abs() < 1e-9 * found.desired);

    // `maps`, which `deeper` and `side` read behind the pool.
    let found = known(maps);
    let rows = Maps::of(input.inner()).rows(3, true);
    close(&found.inputs, &(rows.tr_mul(&rows) / count));
    let rest_below = left(&read.rows(3, false), &of_below);
    let rest_aside = left(&read.rows(1, true), &of_aside);
    let columns = Maps::from_rows(&rows, [COUNT, 4, 4]).pooled();
    let (near, places) = (columns.rows(3, false), columns.places());
    let expected = DMatrix::from_fn(19, 4 * 9 + 2, |index, number| {
        match number.checked_sub(36) {
            None => {
                let (output, tap) = (number / 9, number % 9);
                near.column(index * 9 + tap).dot(&rest_below.column(output)) / count
            }
            Some(output) => places.column(index).dot(&rest_aside.column(output)) / count,
        }
    });
    close(&found.cross, &expected);
    let rest = (rest_below.norm_squared() + rest_aside.norm_squared()) / count;
    assert!((found.bottleneck - rest).abs() < 1e-9 * found.desired);
}

/// Layers behind which TINY has something to say, and others.
#[derive(Module, Debug)]
struct Mixed {
    maps: Conv2d,
    norm: BatchNorm,
    pool: MaxPool2d,
    gate: Linear,
    value: Linear,
    output: Linear,
}

impl Mixed {
    fn new(device: &Device) -> Self {
        let net = Self {
            maps: Conv2dConfig::new([2, 3], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
            norm: BatchNormConfig::new(3).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            gate: LinearConfig::new(12, 5).init(device),
            value: LinearConfig::new(12, 5).init(device),
            output: LinearConfig::new(5, 2).init(device),
        };
        cast(&net, DType::F64)
    }
}

impl Growable for Mixed {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps = relu(self.norm.forward(self.maps.forward(input)));
        let flat: Tensor<2> = self.pool.forward(maps).flatten(1, 3);
        let gated = sigmoid(self.gate.forward(flat.clone())) * self.value.forward(flat);
        self.output.forward(gated)
    }
}

#[test]
fn where_there_are_none_it_is_said() {
    let net = Mixed::new(&FLEX.device().autodiff());
    let samples = samples(50, 2);
    let capture = captured(&net, &samples);
    let of = |name: &str| {
        let found = capture.sites.iter().find(|site| site.name == name);
        found
            .and_then(|site| site.moments.clone())
            .expect("asked for")
    };
    assert!(of("maps").known().is_some(), "{:?}", of("maps"));
    let Moments::Undefined(reason) = of("gate") else {
        panic!("a gate")
    };
    assert!(reason.contains("a gate"), "{reason}");
    // The other sites grow all the same.
    let trace = Arc::new(trace(&net, &samples).expect("traceable"));
    let landscape = ModelLandscape::new(&net, trace, &MeanSquaredError, &samples, 4, &FLEX);
    let found = Tiny::new().candidates(&landscape, &mut Context::seeded(0));
    let candidates = found.expect("some");
    assert!(!candidates.is_empty());
    assert!(candidates.iter().all(|c| c.growth.site() == "maps"));
    let plan = Plan::new("tiny", candidates);
    let search = landscape.losses(&plan, &[1e-4]).expect("fits");
    let decrease = (search.baseline - search.trials[0].loss.expect("finite")) / 1e-4;
    let predicted = plan.predicted_decrease(1.0).expect("predicted");
    assert!(
        (decrease - predicted).abs() < 0.01 * predicted,
        "{decrease} {predicted}"
    );
}
