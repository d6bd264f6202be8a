//! Models that are operated on.

use burgeon_core::cost::Macs;
use burgeon_core::{CostModel, Growth, Landscape};
use burgeon_nn::cost::{graph_layers, grown_shapes, parameters_added};
use burgeon_nn::growable::{evaluate, parameter_count};
use burgeon_nn::search::output_change_at_zero;
use burgeon_nn::surgery::{apply_plan, carry_optimizer, optimizer_tensors};
use burgeon_nn::{MeanSquaredError, trace};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{DType, Tensor};

use crate::models::{Drawn, Study, conv, mlp, plain, plan_of};

/// Plans of one new layer, of all, and of all among wider layers.
fn plans<M: Drawn>(study: &Study<M>) -> Vec<Vec<Growth>> {
    let layers = study.layers(5);
    let mut plans: Vec<Vec<Growth>> = layers.iter().map(|layer| vec![layer.clone()]).collect();
    let mut mixed = study.wider(6);
    mixed.extend(layers.iter().step_by(2).cloned());
    mixed.reverse();
    plans.push(mixed);
    plans.push(layers);
    plans
}

fn nothing_changes_at_zero<M: Drawn>(study: &Study<M>, bound: f64) {
    let plans = plans(study);
    assert!(plans.len() >= 3);
    for growths in plans {
        let plan = plan_of(growths);
        let change = output_change_at_zero(&study.model, &plan, &study.samples, 4);
        let change = change.expect("a plan that fits");
        assert!(change <= bound, "{change} under {plan}");
    }
}

#[test]
fn at_step_zero_no_output_changes() {
    for (dtype, bound) in [(DType::F64, 1e-12), (DType::F32, 1e-5)] {
        nothing_changes_at_zero(&Study::new(mlp(2, dtype), dtype), bound);
        nothing_changes_at_zero(&Study::new(mlp(0, dtype), dtype), bound);
        nothing_changes_at_zero(&Study::new(conv(dtype), dtype), bound);
        nothing_changes_at_zero(&Study::new(plain(dtype), dtype), bound);
    }
}

/// The losses of a search are those of the models that surgery makes, and what a model is said to
/// have and to cost is what it has.
fn a_search_is_surgery<M: Drawn>(study: &Study<M>) {
    const STEPS: [f64; 2] = [0.7, 0.2];
    let (graph, landscape) = (study.trace.graph(), study.landscape());
    for growths in plans(study) {
        let plan = plan_of(growths);
        let searched = landscape.losses(&plan, &STEPS).expect("a plan that fits");
        let before = evaluate(&study.model, &MeanSquaredError, &study.samples, 4);
        let before = before.expect("it runs").loss;
        assert!((searched.baseline - before).abs() <= 1e-14 * before);
        for trial in searched.trials {
            let grown = apply_plan(&study.model, graph, &plan, trial.epsilon);
            let (grown, _) = grown.expect("a plan that fits");
            let loss = evaluate(&grown, &MeanSquaredError, &study.samples, 4);
            let loss = loss.expect("it runs").loss;
            let found = trial.loss.expect("finite");
            assert!(
                (found - loss).abs() <= 1e-13 * loss,
                "{found} {loss} {plan}"
            );
            assert!((loss - before).abs() > 1e-6, "{plan} changes nothing");
            let added = parameter_count(&grown) - parameter_count(&study.model);
            assert_eq!(parameters_added(graph, &plan), added, "{plan}");
            let again = trace(&grown, &study.samples).expect("traceable");
            let cost = Macs.cost(&graph_layers(again.graph()));
            assert_eq!(Macs.cost(&grown_shapes(graph, &plan)), cost, "{plan}");
        }
    }
}

#[test]
fn a_search_finds_the_losses_of_surgery() {
    let dtype = DType::F64;
    a_search_is_surgery(&Study::new(mlp(1, dtype), dtype));
    a_search_is_surgery(&Study::new(mlp(0, dtype), dtype));
    a_search_is_surgery(&Study::new(conv(dtype), dtype));
    a_search_is_surgery(&Study::new(plain(dtype), dtype));
}

#[test]
fn a_place_costs_what_its_block_adds() {
    let study = Study::new(conv(DType::F32), DType::F32);
    let landscape = study.landscape();
    let layers = study.layers(1);
    assert_eq!(layers.len(), landscape.places().len());
    for (place, layer) in landscape.places().iter().zip(layers) {
        // Two convolutions between 4 and 3 channels, with their norms.
        assert_eq!(place.price, 2 * 9 * 4 * 3 + 2 * 3 + 2 * 4);
        let added = parameters_added(study.trace.graph(), &plan_of([layer]));
        assert_eq!(place.price, added);
    }
}

#[test]
fn a_grown_stack_grows_again_and_keeps_its_numbers() {
    let mut study = Study::new(mlp(1, DType::F64), DType::F64);
    let orders: [&[usize]; 2] = [&[1, 0, 2], &[3, 1, 4, 0, 5, 2, 6]];
    for order in orders {
        let plan = plan_of(study.layers(2));
        let graph = study.trace.graph();
        let (grown, _) = apply_plan(&study.model, graph, &plan, 0.3).expect("a plan that fits");
        assert_eq!(grown.body.order(), order);
        let outputs = output_change_at_zero(&grown, &plan_of([]), &study.samples, 4);
        assert!(outputs.is_ok());
        study = Study::new(grown, DType::F64);
    }
}

/// Adam's moments by the place of the parameter.
#[test]
fn the_optimizer_goes_on_and_new_weights_learn() {
    let study = Study::new(mlp(1, DType::F32), DType::F32);
    let mut optimizer = AdamConfig::new().init();
    let step = |model: crate::models::Mlp, optimizer: &mut burn::optim::ModuleOptimizer| {
        let rows = study.samples.to_autodiff();
        let output = burgeon_nn::Growable::predict(&model, rows.inputs().clone());
        let gradients = output.powi_scalar(2).mean().backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        optimizer.step(0.01, model, gradients)
    };
    let model = step(study.model.clone(), &mut optimizer);
    let kept = optimizer_tensors(&optimizer);
    let plan = plan_of(study.layers(4).into_iter().take(1));
    let (grown, edits) = apply_plan(&model, study.trace.graph(), &plan, 0.5).expect("it fits");
    let mut carried = carry_optimizer(optimizer, &edits).expect("Adam");
    assert_eq!(optimizer_tensors(&carried), kept, "others' moments stay");
    let before = values(&grown);
    let after = values(&step(grown, &mut carried));
    assert!(optimizer_tensors(&carried) > kept, "the block has its own");
    assert!(before.iter().zip(&after).all(|(a, b)| a != b), "all learn");
}

/// All floats, parameter by parameter.
fn values<M: Module>(model: &M) -> Vec<Vec<f32>> {
    struct Values(Vec<Vec<f32>>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let data = param.val().into_data().try_to_vec::<f32>();
            self.0.push(data.expect("f32"));
        }
    }
    let mut values = Values(Vec::new());
    model.visit(&mut values);
    values.0
}
