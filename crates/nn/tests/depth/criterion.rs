//! Firefly descent with new layers.

use burgeon_core::criterion::{Context, Criterion, Firefly, Refinement};
use burgeon_core::select::{Room, Selector, TopK};
use burgeon_core::{Candidate, Growth, Landscape, Plan};
use burgeon_nn::stored::collect;
use burgeon_nn::surgery::apply_plan;
use burn::tensor::DType;

use crate::models::{Drawn, Study, conv, mlp, plain};

fn candidates<M: Drawn>(study: &Study<M>, firefly: &Firefly, seed: u64) -> Vec<Candidate> {
    let found = firefly.candidates(&study.landscape(), &mut Context::seeded(seed));
    found.expect("it runs")
}

fn is_layer(candidate: &Candidate) -> bool {
    matches!(candidate.growth, Growth::NewLayer(_))
}

/// New layers are ranked by what they bring, each with the loss going down for a small step.
fn layers_lower_the_loss<M: Drawn>(study: &Study<M>) {
    let landscape = study.landscape();
    let found = candidates(study, &Firefly::new_layers(), 1);
    assert_eq!(found.len(), landscape.places().len());
    for candidate in found {
        assert!(is_layer(&candidate) && candidate.score > 0.0 && candidate.price > 0);
        let plan = Plan::new("one", vec![candidate]);
        let losses = landscape.losses(&plan, &[0.05]).expect("it fits");
        let decrease = losses.baseline - losses.trials[0].loss.expect("finite");
        assert!(decrease > 0.0, "{plan}");
    }
}

#[test]
fn new_layers_go_down_the_gradient() {
    layers_lower_the_loss(&Study::new(mlp(1, DType::F64), DType::F64));
    layers_lower_the_loss(&Study::new(conv(DType::F64), DType::F64));
    layers_lower_the_loss(&Study::new(plain(DType::F64), DType::F64));
}

/// What a ranked layer is said to bring alone is what it brings, to second order.
#[test]
fn a_first_order_gain_is_the_loss_change_of_a_small_layer() {
    let study = Study::new(mlp(1, DType::F64), DType::F64);
    let small = Firefly::new_layers().with_bound(1e-3).expect("above 0");
    let small = small.with_refinement(Refinement::PAPER.with_steps(0));
    for candidate in candidates(&study, &small, 2) {
        let gain = candidate.gain.expect("predicted").value;
        let plan = Plan::new("one", vec![candidate]);
        let losses = study.landscape().losses(&plan, &[1.0]).expect("it fits");
        let decrease = losses.baseline - losses.trials[0].loss.expect("finite");
        assert!(
            (gain - decrease).abs() < 0.02 * decrease,
            "{gain} {decrease}"
        );
    }
}

#[test]
fn splits_new_neurons_and_new_layers_are_in_one_list() {
    let study = Study::new(mlp(1, DType::F64), DType::F64);
    let few = Firefly::new().with_new_neurons(4).expect("some");
    let all = candidates(&study, &few, 3);
    let kinds = ["split2", "new neuron", "new layer"];
    let count = |label: &str| all.iter().filter(|c| c.growth.label() == label).count();
    assert!(
        count("new neuron") > 0 && count("new layer") > 0,
        "{kinds:?}"
    );
    assert!(all.iter().any(|c| matches!(c.growth, Growth::Split(_))));
    let without = few.with_new_layers(false).expect("splits are left");
    assert!(!candidates(&study, &without, 3).iter().any(is_layer));
    let refused = Firefly::new_layers().with_new_layers(false);
    assert!(refused.is_err(), "nothing is left to propose");
}

/// The unchosen leave no trace: the network that was asked is what it was, and the chosen alone are
/// in the one that is made.
#[test]
fn candidates_that_are_not_chosen_leave_no_trace() {
    let study = Study::new(mlp(2, DType::F32), DType::F32);
    let before = collect(&study.model);
    let few = Firefly::new().with_new_neurons(3).expect("some");
    let all = candidates(&study, &few, 4);
    let layers: Vec<Candidate> = all.into_iter().filter(is_layer).collect();
    assert_eq!(layers.len(), 3);
    let top = TopK::new(1).expect("one");
    let chosen = top.select(layers, &Room::default()).expect("one fits");
    let plan = Plan::new("one", chosen);
    let (grown, _) =
        apply_plan(&study.model, study.trace.graph(), &plan, 1.0).expect("a plan that fits");
    let after = collect(&study.model);
    for (path, weight) in &before {
        assert!(after[path].data == weight.data, "{path} was changed");
    }
    let weights = collect(&grown);
    assert_eq!(weights.len(), before.len() + 4, "one block of two layers");
    for (path, weight) in &before {
        assert!(weights[path].data == weight.data, "{path} was changed");
        assert_eq!(weights[path].id, weight.id);
    }
}
