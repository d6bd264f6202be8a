//! A short run of the grower on any model of the zoo.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::Fraction;
use burgeon_graph::Graph;
use burgeon_nn::{CrossEntropy, Growable, Output, Samples, trace};
use burgeon_train::{
    Grower, GrowerConfig, GrowthRecord, RateSchedule, SearchSamples, Task, Trigger, Verdict,
    WidthLimits,
};
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::DType;

use crate::zoo::{self, Example, every_example, made};

/// A model of the zoo that grows.
pub trait Grown: Growable + Example {
    /// `batch` samples.
    fn inputs(batch: usize, dtype: DType, seed: u64) -> <Self as Growable>::Input;
}

macro_rules! growable {
    ($($function:ident: $model:ident,)+) => {$(
        impl Growable for zoo::$model {
            type Input = <Self as Example>::Input;
            type Output = <Self as Example>::Output;

            fn predict(&self, input: <Self as Example>::Input) -> <Self as Example>::Output {
                Example::predict(self, input)
            }
        }

        impl Grown for zoo::$model {
            fn inputs(batch: usize, dtype: DType, seed: u64) -> <Self as Growable>::Input {
                Self::input(batch, &FLEX.device(), dtype, seed)
            }
        }
    )+};
}
every_example!(growable);

/// A model to train.
pub fn student<M: Grown>() -> M {
    made(&FLEX.device().autodiff(), 5)
}

/// Samples with the classes that another model of the kind finds the most likely: one for each
/// sample, or for each of its positions.
pub fn samples<M: Grown>(count: usize, dtype: DType, seed: u64) -> Samples<<M as Growable>::Input> {
    let device = FLEX.device();
    let input = M::inputs(count, dtype, seed);
    let teacher = burgeon_nn::growable::cast(&made::<M>(&device, 99), dtype);
    let rows = Growable::predict(&teacher, input.clone()).into_rows();
    let classes = rows.dims()[1];
    let labels: Vec<usize> = rows
        .argmax(1)
        .into_data()
        .iter::<i64>()
        .map(|label| usize::try_from(label).expect("an index"))
        .collect();
    let samples = match M::ANSWER.len() {
        1 => Samples::classification(input, &labels, classes, &device),
        _ => Samples::positions(input, &labels, &device),
    };
    samples.expect("sound")
}

/// 24 samples to train on and 12 held ones.
pub fn task<M: Grown>(dtype: DType) -> Task<<M as Growable>::Input> {
    Task::new(
        CrossEntropy,
        samples::<M>(24, dtype, 1),
        samples::<M>(12, dtype, 2),
    )
}

/// Three epochs, with a growth step after each but the last.
pub fn config() -> GrowerConfig {
    GrowerConfig::new(SteepestDescent, Fraction::new(0.3).expect("in range"))
        .with_trigger(Trigger::Every { epochs: 1 })
        .with_max_epochs(3)
        .with_max_refusals(5)
        .with_batch_size(8)
        .with_search_samples(SearchSamples::Captured)
        .with_learning_rate(RateSchedule::constant(0.01).expect("a rate"))
        .with_device_seeding(false)
}

pub fn adam() -> ModuleOptimizer {
    AdamConfig::new().init()
}

/// `config` with growth at the site `name` alone.
pub fn only<M: Grown>(config: GrowerConfig, model: &M, name: &str) -> GrowerConfig {
    let graph = graph_of(model);
    let site = graph.site(name).expect("a site that grows");
    let others = graph.growable().filter(|other| other.name() != site.name());
    let limits = others.fold(WidthLimits::default(), |limits, other| {
        limits.without(other.name())
    });
    config.with_widths(limits)
}

pub fn graph_of<M: Grown>(model: &M) -> Graph {
    let traced = trace(model, &samples::<M>(3, DType::F32, 3)).expect("traceable");
    traced.graph().clone()
}

pub fn grower<M: Grown>(model: M, config: GrowerConfig) -> Grower<M> {
    Grower::new(config, FLEX, task::<M>(DType::F32), model, adam()).expect("sound settings")
}

/// The growths that were made.
pub fn committed<M: Growable>(grower: &Grower<M>) -> Vec<&GrowthRecord> {
    let journal = grower.state().journal.iter();
    journal
        .filter(|record| record.verdict == Verdict::Committed)
        .collect()
}
