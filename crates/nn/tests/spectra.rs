//! Captures that end in spectra: kept, streamed and from a part of the rows.

use burgeon_backend_flex::FLEX;
use burgeon_core::criterion::{Context, Criterion, SteepestDescent};
use burgeon_core::select::{Room, Selector, TopK};
use burgeon_core::{Capture, CapturedLandscape, Method, Plan, SpectrumSolver, SplitBackend};
use burgeon_nn::search::line_search;
use burgeon_nn::{
    Growable, MeanSquaredError, NnError, Samples, SpectrumConfig, capture_spectra,
    capture_with_passes,
};
use burgeon_ops::{FastConv2d, FastConv2dConfig};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{silu, tanh};
use burn::tensor::{Device, Distribution, Tensor};

#[derive(Module, Debug)]
struct Net {
    maps: FastConv2d,
    hidden: Linear,
    output: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        Self {
            maps: FastConv2dConfig::new([2, 3], [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device),
            hidden: LinearConfig::new(3 * 16, 5).init(device),
            output: LinearConfig::new(5, 2).init(device),
        }
    }
}

impl Growable for Net {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps: Tensor<2> = silu(self.maps.forward(input)).flatten(1, 3);
        self.output.forward(tanh(self.hidden.forward(maps)))
    }
}

/// A network with data. Burn's generator is the process's, so what one test compares is drawn
/// once.
struct Fixture {
    net: Net,
    samples: Samples<Tensor<4>>,
}

impl Fixture {
    fn new() -> Result<Self, NnError> {
        let device = FLEX.device();
        let normal = Distribution::Normal(0.0, 1.0);
        let inputs = Tensor::<4>::random([37, 2, 4, 4], normal, &device);
        let targets = Tensor::<2>::random([37, 2], normal, &device);
        Ok(Self {
            net: Net::new(&device.autodiff()),
            samples: Samples::regression(inputs, targets)?,
        })
    }

    fn captured(&self, config: &SpectrumConfig) -> Result<Capture, NnError> {
        let Self { net, samples } = self;
        capture_spectra(net, &MeanSquaredError, samples, 8, config, &FLEX)
    }
}

/// Both ends of every neuron of every site.
fn ends(capture: &Capture) -> Vec<[f64; 2]> {
    let spectra = capture.sites.iter().flat_map(|site| &site.spectra);
    spectra
        .flat_map(|site| site.iter().map(|s| [s.min.value, s.max.value]))
        .collect()
}

#[test]
fn what_does_not_fit_is_streamed_to_the_same_spectra() {
    let fixture = Fixture::new().expect("fits");
    for method in [Method::Dense, Method::Krylov] {
        let solver = SpectrumSolver::default()
            .with_method(method)
            .with_tolerance(1e-8);
        let config = SpectrumConfig::default().with_solver(solver);
        let kept = fixture.captured(&config).expect("captured");
        let streamed = fixture
            .captured(&config.with_memory_budget(1))
            .expect("captured");
        assert!(
            streamed.bytes < kept.bytes / 2,
            "a fifth of the data is held at once"
        );
        assert!((kept.loss - streamed.loss).abs() < 1e-6);
        let (kept, streamed) = (ends(&kept), ends(&streamed));
        assert_eq!(kept.len(), 3 + 5);
        for (a, b) in kept.iter().zip(&streamed) {
            let scale = a[0].abs().max(a[1].abs());
            assert!((a[0] - b[0]).abs() <= 1e-5 * scale, "{method}: {a:?} {b:?}");
            assert!((a[1] - b[1]).abs() <= 1e-5 * scale, "{method}: {a:?} {b:?}");
        }
    }
}

#[test]
fn the_methods_agree_and_a_part_of_the_rows_is_less_data() {
    let fixture = Fixture::new().expect("fits");
    let with = |method| {
        let solver = SpectrumSolver::default()
            .with_method(method)
            .with_tolerance(1e-8);
        SpectrumConfig::default().with_solver(solver)
    };
    let dense = fixture.captured(&with(Method::Dense)).expect("captured");
    let krylov = fixture.captured(&with(Method::Krylov)).expect("captured");
    for (a, b) in ends(&dense).iter().zip(&ends(&krylov)) {
        let scale = a[0].abs().max(a[1].abs());
        assert!((a[0] - b[0]).abs() <= 1e-7 * scale, "{a:?} {b:?}");
        assert!((a[1] - b[1]).abs() <= 1e-7 * scale, "{a:?} {b:?}");
    }
    let part = fixture
        .captured(&with(Method::Dense).with_rows(20))
        .expect("captured");
    assert!(ends(&part).iter().flatten().all(|value| value.is_finite()));
    assert_ne!(ends(&part), ends(&dense));
    assert!(part.bytes < dense.bytes);
    let error = fixture
        .captured(&with(Method::Dense).with_rows(0))
        .expect_err("refused");
    assert!(error.to_string().contains("at least one row"), "{error}");
}

#[test]
fn passes_side_by_side_capture_the_same_bits() {
    let fixture = Fixture::new().expect("fits");
    let config = SpectrumConfig::default().with_rows(20);
    let found = [1, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().expect("threads");
        let captured = pool.install(|| fixture.captured(&config));
        let captured = captured.expect("captured");
        (ends(&captured), captured.loss, captured.bytes)
    });
    assert_eq!(found[0], found[1]);
}

#[test]
fn a_line_search_from_kept_passes_is_that_from_the_start() {
    const GRID: [f64; 4] = [1.0, 0.5, -0.25, 0.1];
    let Fixture { net, samples } = Fixture::new().expect("fits");
    let objective = &MeanSquaredError;
    for rows in [None, Some(20)] {
        let mut config = SpectrumConfig::default();
        if let Some(rows) = rows {
            config = config.with_rows(rows);
        }
        let plain = capture_spectra(&net, objective, &samples, 8, &config, &FLEX);
        let plain = plain.expect("captured");
        let found = capture_with_passes(&net, objective, &samples, 8, &config, &FLEX);
        let (captured, passes) = found.expect("captured");
        assert_eq!(ends(&captured), ends(&plain));
        // At least what two layers answer to 37 samples before their activation, in f32.
        assert!(passes.bytes() >= 37 * (3 * 16 + 5) * 4);
        let landscape = CapturedLandscape::new(captured.clone(), &FLEX);
        let candidates = SteepestDescent.candidates(&landscape, &mut Context::seeded(1));
        let chosen = TopK::new(6)
            .expect("some")
            .select(candidates.expect("computes"), &Room::default());
        let plan = Plan::new("s2d", chosen.expect("selects"));
        let again = line_search(&net, &plan, &GRID, objective, &samples, 8);
        let (again, kept) = (
            again.expect("runs"),
            passes.line_search(&plan, &GRID, objective),
        );
        let kept = kept.expect("runs");
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-5;
        assert!(close(kept.baseline, again.baseline));
        for (kept, again) in kept.trials.iter().zip(&again.trials) {
            let (kept, again) = (kept.loss.expect("finite"), again.loss.expect("finite"));
            assert!(close(kept, again), "{kept} {again}");
        }
        // Beyond the budget nothing is kept, and found all the same.
        let tight = config.with_memory_budget(captured.bytes + passes.bytes() / 2);
        let found = capture_with_passes(&net, objective, &samples, 8, &tight, &FLEX);
        let (captured, passes) = found.expect("captured");
        assert_eq!(ends(&captured), ends(&plain));
        assert_eq!(passes.bytes(), 0);
        let none = passes.line_search(&plan, &GRID, objective).expect("runs");
        assert_eq!(none, again);
    }
}
