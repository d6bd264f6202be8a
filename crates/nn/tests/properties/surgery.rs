//! Surgery: nothing changes at ε = 0, and virtual growth is surgery.

use burgeon_backend_flex::FLEX;
use burgeon_backend_ndarray::NDARRAY;
use burgeon_core::SplitBackend;
use burgeon_nn::cost::parameters_added;
use burgeon_nn::growable::{cast, evaluate, parameter_count, predict};
use burgeon_nn::search::{line_search, output_change_at_zero, preview};
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{ForwardPasses, MeanSquaredError};
use burn::tensor::DType;
use proptest::prelude::*;

use crate::draw::descriptions;
use crate::plans::{graph, neuron_plans, plans, removal_plans, solved_plans};

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Property 1: at ε = 0 every surgery that only adds leaves the output unchanged to rounding,
    /// the input model as it was, and adds the parameters it was priced at.
    #[test]
    fn surgery_at_zero_changes_nothing(description in descriptions()) {
        let backends: [&dyn SplitBackend; 2] = [&FLEX, &NDARRAY];
        for backend in backends {
            let net = description.net(backend);
            let data = description.samples(backend);
            let (count, output) = (parameter_count(&net), predict(&net, &data, 3).into_data());
            let graph = graph(&net, &data);
            let solved = solved_plans(&net, &data, backend);
            let single = cast(&net, DType::F32);
            let inputs = data.inputs().clone().cast(DType::F32);
            let narrow = data.with_inputs(inputs, |v| v.cast(DType::F32)).expect("sound");
            let all = plans(&graph, description.seed)
                .into_iter()
                .chain(neuron_plans(&graph, description.seed))
                .chain(solved);
            for plan in all {
                let change = output_change_at_zero(&net, &plan, &data, 3).expect("surgery works");
                prop_assert!(change <= 1e-12, "{change:e} in f64 under {plan}");
                let (grown, _) = apply_plan(&net, &graph, &plan, 0.1).expect("surgery works");
                prop_assert_eq!(parameter_count(&grown) - count, parameters_added(&graph, &plan));
                let change = output_change_at_zero(&single, &plan, &narrow, 3).expect("works");
                prop_assert!(change <= 1e-5, "{change:e} in f32 under {plan}");
            }
            prop_assert_eq!(predict(&net, &data, 3).into_data(), output);
        }
    }

    /// A line search by replay finds the losses of networks that were operated on.
    #[test]
    fn virtual_growth_is_surgery(description in descriptions()) {
        const GRID: [f64; 4] = [0.5, 0.01, -0.1, 0.0];
        let net = description.net(&FLEX);
        let data = description.samples(&FLEX);
        let graph = graph(&net, &data);
        let objective = &MeanSquaredError;
        let passes = ForwardPasses::new(&net, &data, 3).expect("traceable");
        let baseline = evaluate(&net, objective, &data, 3).expect("runs").loss;
        let all = plans(&graph, description.seed)
            .into_iter()
            .chain(neuron_plans(&graph, description.seed))
            .chain(removal_plans(&graph, description.seed));
        for plan in all {
            let search = line_search(&net, &plan, &GRID, objective, &data, 3).expect("runs");
            let again = passes.line_search(&plan, &GRID, objective).expect("runs");
            prop_assert_eq!(&search, &again);
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();
            prop_assert!(close(search.baseline, baseline));
            for (trial, epsilon) in search.trials.iter().zip(GRID) {
                let (grown, _) = apply_plan(&net, &graph, &plan, epsilon).expect("fits");
                let own = evaluate(&grown, objective, &data, 3).expect("runs").loss;
                let found = trial.loss.expect("finite");
                prop_assert!(close(found, own), "{found} by replay, {own} by surgery of {plan}");
                let seen = preview(&net, &plan, epsilon, objective, &data, 3).expect("runs");
                prop_assert_eq!(seen.loss, own);
            }
        }
    }
}
