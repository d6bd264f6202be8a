//! Absurd settings, samples, files and lists get errors: no public function panics.

#[path = "../../../nn/tests/properties/build.rs"]
mod build;
#[expect(dead_code, reason = "networks without kinks are drawn elsewhere")]
#[path = "../../../nn/tests/properties/draw.rs"]
mod draw;
#[expect(dead_code, reason = "instruments look at values elsewhere")]
#[path = "../../../nn/tests/properties/net.rs"]
mod net;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_core::cost::Macs;
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::Fraction;
use burgeon_nn::growable::evaluate;
use burgeon_nn::surgery::keep_channels;
use burgeon_nn::weights::{load_weights, save_weights};
use burgeon_nn::{
    MeanSquaredError, NnError, Objective, Samples, SpectrumConfig, WeightedCrossEntropy, trace,
};
use burgeon_train::{
    Accept, Decay, Grower, GrowerConfig, RateSchedule, SearchSamples, Span, StepSize, Task,
    Trigger, WidthLimits,
};
use burn::optim::SgdConfig;
use burn::tensor::Tensor;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngSeed, TestCaseError};

use draw::descriptions;

/// The same cases every time.
fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0xAB5),
        ..ProptestConfig::default()
    }
}

/// What `work` returns.
fn returns<R>(what: &str, work: impl FnOnce() -> R) -> Result<R, TestCaseError> {
    let found = catch_unwind(AssertUnwindSafe(work));
    found.map_err(|_| TestCaseError::fail(format!("{what} panics")))
}

fn count() -> impl Strategy<Value = usize> {
    select(vec![0, 1, 2, 3, 5, 1000, usize::MAX - 1, usize::MAX])
}

fn number() -> impl Strategy<Value = f64> {
    let odd = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
    ];
    select([&odd[..], &[0.0, -0.0, 1.0, -1.0, 0.5, 1e-3, 2.0]].concat())
}

fn trigger() -> impl Strategy<Value = Trigger> {
    prop_oneof![
        count().prop_map(|epochs| Trigger::Every { epochs }),
        (count(), number(), count()).prop_map(|(patience, min_decrease, max_epochs)| {
            Trigger::Stall {
                patience,
                min_decrease,
                max_epochs,
            }
        }),
    ]
}

fn step_size() -> impl Strategy<Value = StepSize> {
    prop_oneof![
        (number(), number(), count()).prop_map(|(largest, shrink, steps)| {
            StepSize::LineSearch {
                largest,
                shrink,
                steps,
            }
        }),
        (number(), any::<bool>()).prop_map(|(epsilon, always)| StepSize::Fixed {
            epsilon,
            accept: if always {
                Accept::Always
            } else {
                Accept::Decrease
            },
        }),
    ]
}

fn learning_rate() -> impl Strategy<Value = Result<RateSchedule, NnError>> {
    let span = || select(vec![Span::Run, Span::Epochs, Span::Phase]);
    prop_oneof![
        number().prop_map(RateSchedule::constant),
        (number(), span(), vec(number(), 0..3), number()).prop_map(
            |(rate, span, milestones, factor)| {
                let decay = Decay::Step { milestones, factor };
                RateSchedule::constant(rate)?.with_decay(span, decay)
            }
        ),
        (number(), span(), number(), number(), number()).prop_map(
            |(rate, span, from, to, last)| {
                let decay = Decay::Cosine { from, to, last };
                RateSchedule::constant(rate)?.with_decay(span, decay)
            }
        ),
    ]
}

fn widths() -> impl Strategy<Value = WidthLimits> {
    let name = select(vec![
        "",
        "nowhere",
        "layers.0.Conv",
        "layers.0.FastConv",
        "layers.1",
    ]);
    let one = WidthLimits::default;
    prop_oneof![
        9 => Just(one()),
        1 => name.clone().prop_map(move |name| one().without(name)),
        1 => (name, count()).prop_map(move |(name, most)| one().capped(name, most)),
        1 => count().prop_map(move |multiple| one().multiples_of(multiple)),
    ]
}

/// Mostly `sound`: a configuration of nothing but absurd settings is refused for the first.
fn or<T: Clone + std::fmt::Debug + 'static>(
    sound: T,
    absurd: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = T> {
    prop_oneof![9 => Just(sound), 1 => absurd]
}

fn config() -> impl Strategy<Value = GrowerConfig> {
    let loop_ = (
        or(Trigger::Every { epochs: 1 }, trigger()),
        or(StepSize::line_search(), step_size()),
        or(
            Some(RateSchedule::default()),
            learning_rate().prop_map(Result::ok),
        ),
        widths(),
    );
    let sizes = (
        or(2, count()),
        or(9, count()),
        or(2, 0_usize..4),
        or(5, count()),
        or(5, count()),
    );
    let budget = or(None, proptest::option::of(count()));
    let limits = (budget, or(0.5, number()), or(10.0, number()), any::<bool>());
    let spectra = (
        or(None, proptest::option::of(count())),
        or(1 << 20, count()),
    );
    (loop_, sizes, limits, spectra).prop_map(|(loop_, sizes, limits, (rows, memory))| {
        let (trigger, step_size, learning_rate, widths) = loop_;
        let (batch, captured, epochs, growths, refusals) = sizes;
        let (budget, share, bound, on_captured) = limits;
        let spectrum = SpectrumConfig::default().with_memory_budget(memory);
        let all = Fraction::new(0.5).expect("in range");
        let mut config = GrowerConfig::new(SteepestDescent, all)
            .with_trigger(trigger)
            .with_step_size(step_size)
            .with_learning_rate(learning_rate.unwrap_or_default())
            .with_widths(widths)
            .with_batch_size(batch)
            .with_capture_samples(captured)
            .with_max_epochs(epochs)
            .with_max_growths(growths)
            .with_max_refusals(refusals)
            .with_prediction_bound(bound)
            .with_device_seeding(false)
            .with_spectrum(match rows {
                Some(rows) => spectrum.with_rows(rows),
                None => spectrum,
            });
        if on_captured {
            config = config.with_search_samples(SearchSamples::Captured);
        }
        match budget {
            Some(budget) if budget % 2 == 0 => config.with_parameter_budget(budget as u64),
            Some(budget) => config
                .with_cost_budget(Macs, budget as u64)
                .with_step_share(share),
            None => config,
        }
    })
}

proptest! {
    #![proptest_config(seeded(48))]

    #[test]
    fn settings_are_refused_or_lead_to_an_end(description in descriptions(), config in config()) {
        let samples = description.samples(&FLEX);
        let task = Task::new(MeanSquaredError, samples.clone(), samples);
        let (net, plain) = (description.net(&FLEX), SgdConfig::new().init());
        let grower = returns("the grower", || Grower::new(config, FLEX, task, net, plain))?;
        if let Ok(mut grower) = grower {
            let end = returns("the run", || grower.run().map(|_| ()))?;
            // What only growing shows is refused then.
            if let Err(error) = end {
                prop_assert!(matches!(error, NnError::Plan(_)), "{error}");
            }
        }
    }

    #[test]
    fn samples_are_sound_or_refused(
        rows in 0_usize..4,
        labels in vec(count(), 0..6),
        classes in count(),
        indices in vec(count(), 0..4),
        share in number(),
        ignored in count(),
    ) {
        let device = FLEX.device();
        let inputs = Tensor::<2>::zeros([rows, 3], &device);
        let found = returns("classification", || {
            Samples::classification(inputs.clone(), &labels, classes, &device)
        })?;
        let fits = |label: &usize| *label < classes && i32::try_from(*label).is_ok();
        let sound = rows > 0 && labels.len() == rows && labels.iter().all(fits);
        prop_assert_eq!(found.is_ok(), sound);
        let each = Tensor::<3>::zeros([rows, 2, 4], &device);
        let positions = returns("positions", || Samples::positions(each, &labels, &device))?;
        if let Ok(positions) = positions {
            let objective = WeightedCrossEntropy::new().with_ignored(ignored);
            let outputs = Tensor::<2>::zeros([labels.len(), 4], &device);
            if returns("the check", || objective.check(4, positions.targets()))?.is_ok() {
                let loss = returns("the loss", || objective.loss(outputs, positions.targets()))?;
                prop_assert!(loss.into_scalar::<f64>().is_finite());
            }
        }
        for value in [0.0, share] {
            let values = Tensor::full([labels.len(), 2], value, &device);
            let found = returns("regression", || Samples::regression(inputs.clone(), values))?;
            let Ok(samples) = found else { continue };
            let subset = returns("a subset", || samples.subset(&indices))?;
            let there = !indices.is_empty() && indices.iter().all(|index| *index < rows);
            prop_assert_eq!(subset.is_ok(), there);
            returns("a sample", || samples.sample(classes, 3).len())?;
            returns("a split", || samples.split_off(share, 3).is_ok())?;
        }
        let uneven = (inputs, Tensor::<2>::zeros([rows + 1, 3], &device));
        let found = returns("two inputs", || {
            Samples::regression(uneven, Tensor::zeros([rows, 1], &device))
        })?;
        prop_assert!(found.is_err());
    }
}

proptest! {
    #![proptest_config(seeded(12))]

    #[test]
    fn channels_are_kept_or_the_list_is_refused(
        description in descriptions(),
        lists in vec(vec(0_usize..6, 0..5), 1..6),
    ) {
        let (net, data) = (description.net(&FLEX), description.samples(&FLEX));
        let trace = trace(&net, &data).expect("a random network is traceable");
        let graph = trace.graph();
        let printed = returns("printing", || graph.to_string())?;
        for site in graph.growable() {
            let line = format!("grows as `{}`", site.name());
            prop_assert!(printed.contains(&line));
            for list in &lists {
                let kept = [(site.name().to_owned(), list.clone())];
                let found = returns("pruning", || keep_channels(&net, graph, &kept))?;
                let distinct: HashSet<&usize> = list.iter().collect();
                let sound = !list.is_empty()
                    && distinct.len() == list.len()
                    && list.iter().all(|channel| *channel < site.width());
                prop_assert_eq!(found.is_ok(), sound);
                if let Ok((narrow, _)) = found {
                    let loss = evaluate(&narrow, &MeanSquaredError, &data, 2);
                    prop_assert!(loss.is_ok());
                }
            }
            let twice = [0, 0].map(|channel| (site.name().to_owned(), vec![channel]));
            prop_assert!(returns("pruning", || keep_channels(&net, graph, &twice))?.is_err());
        }
    }

    #[test]
    fn files_of_other_models_are_refused(
        [one, other] in [descriptions(), descriptions()],
        end in 0_usize..4000,
        place in 0_usize..4000,
        byte in any::<u8>(),
    ) {
        let (net, data) = (one.net(&FLEX), one.samples(&FLEX));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weights.safetensors");
        let load = || {
            returns("loading", || load_weights(&net, &path, data.inputs()))?
                .map(|loaded| returns("evaluation", || evaluate(&loaded, &MeanSquaredError, &data, 2)))
                .map_err(|error| error.to_string())
                .map_or_else(|error| Ok(Err(error)), |found| found.map(Ok))
        };
        prop_assert!(load()?.is_err());
        save_weights(&other.net(&FLEX), &path).expect("writable");
        if let Ok(found) = load()? {
            prop_assert!(found.is_ok());
        }
        save_weights(&net, &path).expect("writable");
        prop_assert!(load()?.is_ok_and(|found| found.is_ok()));
        let mut bytes = std::fs::read(&path).expect("readable");
        let (end, place) = (end % bytes.len(), place % bytes.len());
        std::fs::write(&path, &bytes[..end]).expect("writable");
        prop_assert!(load()?.is_err());
        bytes[place] = byte;
        std::fs::write(&path, &bytes).expect("writable");
        load()?.ok();
        let none = Tensor::<4>::zeros([0, 2, one.size[0], one.size[1]], &FLEX.device());
        prop_assert!(returns("loading", || load_weights(&net, &path, &none))?.is_err());
    }
}
