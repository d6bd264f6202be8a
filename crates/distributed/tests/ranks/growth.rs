//! Grown networks are the same bits on any number of ranks.

use burgeon_backend_flex::FLEX;
use burgeon_core::criterion::{Criterion, Firefly, GradMax, RandomNeuron, SteepestDescent, Tiny};
use burgeon_core::select::{Fraction, PerLayer};
use burgeon_core::{CoreError, SplitBackend, Team};
use burgeon_distributed::threads;
use burgeon_nn::{Growable, NnError, SpectrumConfig};
use burgeon_train::{FanIn, Grower, GrowerConfig, SearchSamples, StepSize, Verdict};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Tensor;
use burn::tensor::activation::silu;

use crate::digits::{adam, config, fixed, result, task};
use crate::grower;

#[test]
fn a_convolutional_net_with_normalisations_grows_three_times_to_the_same_bits() {
    let work = |world| -> Result<(String, usize), NnError> {
        let mut grower = grower(world, 400)?;
        grower.run()?;
        let made = grower.state().journal.iter();
        let made = made.filter(|record| record.verdict == Verdict::Committed);
        // Statistics of the whole batch are kept by all.
        let mean = grower.model().norm1.running_mean.value();
        assert!(mean.abs().min().into_scalar::<f32>() > 0.0);
        Ok((result(&grower)?, made.count()))
    };
    let alone = threads::run(1, work).remove(0).expect("grows");
    assert_eq!(alone.1, 3, "{}", alone.0);
    for ranks in 2..=4 {
        for (rank, found) in threads::run(ranks, work).into_iter().enumerate() {
            assert_eq!(found.expect("grows"), alone, "rank {rank} of {ranks}");
        }
    }
}

/// Two hidden layers.
#[derive(Module, Debug)]
pub struct Mlp {
    pub hidden1: Linear,
    pub hidden2: Linear,
    pub output: Linear,
}

impl Mlp {
    pub fn new(width: usize) -> Self {
        let device = &FLEX.device().autodiff();
        fixed(Self {
            hidden1: LinearConfig::new(64, width).init(device),
            hidden2: LinearConfig::new(width, width).init(device),
            output: LinearConfig::new(width, 10).init(device),
        })
    }
}

impl Growable for Mlp {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let features = silu(self.hidden1.forward(input.flatten::<2>(1, 3)));
        self.output.forward(silu(self.hidden2.forward(features)))
    }
}

/// That `model` comes to the same under `config` on one rank and on three, and grows.
fn same<M: Growable<Input = Tensor<4>>>(
    config: impl Fn() -> GrowerConfig + Sync,
    model: impl Fn() -> M + Sync,
) {
    let work = |world| -> Result<(String, bool), NnError> {
        let team = Team::of(world, 8).map_err(CoreError::from)?;
        let grower = Grower::new(config(), FLEX, task(240)?, model(), adam())?;
        let mut grower = grower.with_team(team)?;
        grower.run()?;
        let mut made = grower.state().journal.iter();
        let made = made.any(|record| record.verdict == Verdict::Committed);
        Ok((result(&grower)?, made))
    };
    let alone = threads::run(1, work).remove(0).expect("grows");
    assert!(alone.1, "{}", alone.0);
    for found in threads::run(3, work) {
        assert_eq!(found.expect("grows"), alone);
    }
}

fn by(criterion: impl Criterion + 'static) -> GrowerConfig {
    let small = config().expect("sound");
    let mut own = GrowerConfig::new(criterion, PerLayer::new(0.5).expect("in range"))
        .with_train(small.train)
        .with_schedule(small.schedule)
        .with_growth(small.growth)
        .with_max_growths(1)
        .with_max_epochs(3);
    own.train.batch_size = 64;
    own.with_capture_samples(100)
}

#[test]
fn whatever_a_criterion_asks_for() {
    same(|| by(Firefly::default()), || Mlp::new(4));
    same(|| by(GradMax::default()), || Mlp::new(4));
    same(|| by(Tiny::default()), || Mlp::new(4));
    same(
        || by(RandomNeuron::zero_fan_out()),
        || crate::digits::ConvNet::new(2),
    );
    let rescaled = || {
        let mut config = by(RandomNeuron::on_both_sides()).with_step_size(StepSize::Fixed {
            epsilon: 0.5,
            accept: burgeon_train::Accept::Always,
        });
        config.growth.fan_in = FanIn::Rescaled;
        config
    };
    same(rescaled, || Mlp::new(4));
}

#[test]
fn however_spectra_are_found() {
    let splits = |spectrum: SpectrumConfig| {
        let config = by(SteepestDescent).with_spectrum(spectrum);
        GrowerConfig {
            selector: std::sync::Arc::new(Fraction::new(0.5).expect("in range")),
            ..config.with_search_samples(SearchSamples::Captured)
        }
    };
    let spectra = SpectrumConfig::default();
    same(|| splits(spectra), || Mlp::new(4));
    same(|| splits(spectra.with_rows(40)), || Mlp::new(4));
    // More than what may be kept: the network runs again for each product.
    same(|| splits(spectra.with_memory_budget(1000)), || Mlp::new(4));
}
