//! Bad arguments get errors: no public function panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burgeon_backend_flex::FLEX;
use burgeon_core::cost::Macs;
use burgeon_core::growth::{Growth, NewNeuron, Removal, Split};
use burgeon_core::{Plan, Scheme, SplitBackend};
use burgeon_nn::capture::capture;
use burgeon_nn::cost::{
    added_costs, cost_per_neuron, fit_budget, fit_cost_budget, grown_shapes, layer_shapes,
    parameters_added, predicts_exactly,
};
use burgeon_nn::growable::evaluate;
use burgeon_nn::search::{line_search, output_change_at_zero, preview};
use burgeon_nn::surgery::{apply_plan, keep_channels};
use burgeon_nn::{
    CrossEntropy, ForwardPasses, MeanSquaredError, Samples, SpectrumConfig, capture_spectra,
    capture_with_passes, trace,
};
use burn::tensor::{Distribution, Tensor};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::draw::descriptions;
use crate::plans::{bound, first_split, graph, new_neuron, of, orthonormal, plan};

/// What `work` returns.
fn returns<R>(what: &str, work: impl FnOnce() -> R) -> Result<R, TestCaseError> {
    let found = catch_unwind(AssertUnwindSafe(work));
    found.map_err(|_| TestCaseError::fail(format!("{what} panics")))
}

/// Plans that do not fit, from one that does.
fn bad_plans(good: &Plan, width: usize) -> Vec<Plan> {
    let changed = |change: &dyn Fn(&mut Split)| {
        let mut plan = good.clone();
        change(first_split(&mut plan));
        plan
    };
    let mut twice = good.clone();
    twice.growths.push(good.growths[0].clone());
    vec![
        changed(&|split| split.site = "nowhere".into()),
        changed(&|split| split.site = String::new()),
        changed(&|split| split.neuron = width),
        changed(&|split| split.neuron = usize::MAX),
        changed(&|split| split.offspring.clear()),
        changed(&|split| split.offspring[0].weight = f64::NAN),
        changed(&|split| split.offspring[0].weight = 7.0),
        changed(&|split| split.offspring[0].offset.clear()),
        changed(&|split| split.offspring[0].offset.push(1.0)),
        changed(&|split| split.offspring[0].offset[0] = f64::INFINITY),
        twice,
    ]
}

/// New neurons that do not fit, from one that does.
fn bad_neurons(good: &NewNeuron) -> Vec<Plan> {
    let changed = |change: &dyn Fn(&mut NewNeuron)| {
        let mut new = good.clone();
        change(&mut new);
        of([Growth::NewNeuron(good.clone()), Growth::NewNeuron(new)])
    };
    vec![
        changed(&|new| new.site = "nowhere".into()),
        changed(&|new| new.fan_in.push(1.0)),
        changed(&|new| new.like = Some(usize::MAX)),
        changed(&|new| new.fan_in[0] = f64::NAN),
        changed(&|new| new.fan_out.push(1.0)),
        changed(&|new| new.fan_out[0] = f64::NEG_INFINITY),
        changed(&|new| (new.fan_in, new.fan_out) = (Vec::new(), Vec::new())),
        changed(&|new| {
            new.fan_in.fill(0.0);
            new.fan_out.fill(-0.0);
        }),
    ]
}

/// Removals that do not fit the site of the split `good`.
fn bad_removals(good: &Plan, width: usize) -> Vec<Plan> {
    let site = good.growths().next().expect("a split").site();
    let removed = |neuron: usize| {
        let site = site.to_owned();
        Growth::Removal(Removal { site, neuron })
    };
    let mut also_split = good.clone();
    also_split.growths.extend(of([removed(0)]).growths);
    vec![
        of([removed(width)]),
        of([removed(usize::MAX)]),
        of([removed(0), removed(0)]),
        of((0..width).map(removed)),
        also_split,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn plans_that_do_not_fit_are_refused(description in descriptions()) {
        let net = description.net(&FLEX);
        let data = description.samples(&FLEX);
        let objective = &MeanSquaredError;
        let graph = graph(&net, &data);
        let passes = ForwardPasses::new(&net, &data, 2).expect("traceable");
        for site in graph.growable() {
            let [min, max] = orthonormal(site.dim(), description.seed);
            let good = plan(site.name(), 0, Scheme::Positive2, [&min, &max], bound(2.0));
            let new = new_neuron(&graph, site, description.seed);
            let bad = bad_plans(&good, site.width())
                .into_iter()
                .chain(bad_neurons(&new))
                .chain(bad_removals(&good, site.width()));
            for bad in bad {
                prop_assert!(returns("surgery", || apply_plan(&net, &graph, &bad, 0.1))?.is_err());
                let zero = || output_change_at_zero(&net, &bad, &data, 2);
                prop_assert!(returns("the check at 0", zero)?.is_err());
                let seen = || preview(&net, &bad, 0.1, objective, &data, 2);
                prop_assert!(returns("the preview", seen)?.is_err());
                let search = || passes.line_search(&bad, &[0.1], objective);
                prop_assert!(returns("the line search", search)?.is_err());
                returns("pricing", || {
                    parameters_added(&graph, &bad);
                    grown_shapes(&graph, &bad);
                    fit_budget(&graph, &mut bad.clone(), 0, 0);
                    fit_cost_budget(&graph, &mut bad.clone(), &Macs, 0);
                })?;
            }
            for step in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                prop_assert!(returns("surgery", || apply_plan(&net, &graph, &good, step))?.is_err());
                let search = || passes.line_search(&good, &[step], objective);
                prop_assert!(returns("the line search", search)?.is_err());
            }
            let none = returns("the line search", || passes.line_search(&good, &[], objective))?;
            prop_assert!(none.is_ok_and(|none| none.best().is_none()));
            let far = returns("surgery", || apply_plan(&net, &graph, &good, 1e300))?;
            prop_assert!(far.is_ok());
        }
    }

    #[test]
    fn questions_about_what_is_not_there_are_answered(description in descriptions()) {
        let net = description.net(&FLEX);
        let data = description.samples(&FLEX);
        let graph = graph(&net, &data);
        for name in ["", "nowhere", "layers", "layers.0", "layers.999.Linear"] {
            let answer = returns("a question", || {
                let kept = [(name.to_owned(), vec![0])];
                (
                    cost_per_neuron(&graph, name),
                    added_costs(&graph, &Macs, name),
                    predicts_exactly(&graph, name),
                    graph.site(name).is_err(),
                    keep_channels(&net, &graph, &kept).is_err(),
                )
            })?;
            prop_assert_eq!(answer, (0, [0; 3], false, true, true));
        }
    }

    #[test]
    fn samples_that_do_not_fit_are_refused(description in descriptions()) {
        let net = description.net(&FLEX);
        let data = description.samples(&FLEX);
        let device = FLEX.device();
        let normal = Distribution::Normal(0.0, 1.0);
        let labels = vec![5; data.len()];
        let classes = Samples::classification(data.inputs().clone(), &labels, 6, &device);
        let wide = data.with_inputs(data.inputs().clone(), |values| {
            Tensor::cat(vec![values.clone(), values], 1)
        });
        let small = data.with_inputs(Tensor::random([data.len(), 2, 1, 1], normal, &device), |v| v);
        let channels = Tensor::random([data.len(), 5, 6, 6], normal, &device);
        let channels = data.with_inputs(channels, |values| values);
        let config = SpectrumConfig::default();
        for (samples, must_fail) in [
            (wide.expect("sound in itself"), true),
            // A net that pads much reads them all the same.
            (small.expect("sound in itself"), false),
            (channels.expect("sound in itself"), true),
        ] {
            let objective = &MeanSquaredError;
            for batch in [0, 1, usize::MAX] {
                let failed = [
                    returns("evaluation", || evaluate(&net, objective, &samples, batch).is_err())?,
                    returns("the capture", || {
                        capture(&net, objective, &samples, batch, Some(&FLEX)).is_err()
                    })?,
                    returns("the spectra", || {
                        capture_spectra(&net, objective, &samples, batch, &config, &FLEX).is_err()
                    })?,
                    returns("the passes", || {
                        capture_with_passes(&net, objective, &samples, batch, &config, &FLEX).is_err()
                    })?,
                    returns("the line search", || {
                        let none = Plan::new("none", Vec::new());
                        line_search(&net, &none, &[0.1], objective, &samples, batch).is_err()
                    })?,
                ];
                prop_assert!(!must_fail || failed == [true; 5], "{:?}", failed);
            }
            returns("the trace", || trace(&net, &samples).is_ok())?;
            returns("the layers", || layer_shapes(&net, &samples).is_ok())?;
        }
        let classes = classes.expect("sound in itself");
        prop_assert!(returns("evaluation", || evaluate(&net, &CrossEntropy, &classes, 2))?.is_err());
        prop_assert!(returns("evaluation", || evaluate(&net, &MeanSquaredError, &classes, 2))?.is_err());
        let found = || capture_spectra(&net, &CrossEntropy, &classes, 2, &config, &FLEX);
        prop_assert!(returns("the spectra", found)?.is_err());
        for config in [
            SpectrumConfig::default().with_memory_budget(0),
            SpectrumConfig::default().with_rows(1),
            SpectrumConfig::default().with_rows(usize::MAX),
        ] {
            let found = || capture_spectra(&net, &MeanSquaredError, &data, 0, &config, &FLEX);
            prop_assert!(returns("the spectra", found)?.is_ok());
        }
        prop_assert!(returns("a subset", || data.subset(&[data.len()]))?.is_err());
        prop_assert!(returns("a split", || data.split_off(f64::NAN, 0))?.is_err());
    }
}
