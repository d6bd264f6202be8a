//! Steps that are too small for the type of the weights.

use burgeon_backend_flex::FLEX;
use burgeon_core::criterion::{Context, Criterion, SteepestDescent};
use burgeon_core::{CapturedLandscape, Plan};
use burgeon_nn::growable::cast;
use burgeon_nn::search::line_search;
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{CrossEntropy, SpectrumConfig, capture_spectra};
use burn::tensor::DType;

use crate::network::{Mlp, digits, graph, refused};

#[test]
fn a_step_that_the_type_does_not_resolve_is_refused() {
    let model = Mlp::fixed(2);
    let graph = graph(&model);
    let captured = capture_spectra(
        &model,
        &CrossEntropy,
        &digits(50),
        50,
        &SpectrumConfig::default(),
        &FLEX,
    );
    let landscape = CapturedLandscape::new(captured.expect("captured"), &FLEX);
    let candidates = SteepestDescent.candidates(&landscape, &mut Context::seeded(0));
    let plan = Plan::new("s2d", candidates.expect("computed"));
    let search =
        |model: &Mlp, grid: &[f64]| line_search(model, &plan, grid, &CrossEntropy, &digits(50), 50);
    let expected = "is below what F32 resolves at the weights of `hidden";
    refused(
        apply_plan(&model, &graph, &plan, 1e-12).map(|_| ()),
        expected,
    );
    refused(search(&model, &[1e-12, -1e-13]), expected);
    let found = search(&model, &[0.1, 1e-12]).expect("one step is resolved");
    let losses: Vec<bool> = found
        .trials
        .iter()
        .map(|trial| trial.loss.is_some())
        .collect();
    assert_eq!(losses, [true, false]);
    apply_plan(&model, &graph, &plan, 0.0).expect("copies that are meant to be equal");
    let double = cast(&model, DType::F64);
    apply_plan(&double, &graph, &plan, 1e-12).expect("F64 resolves it");
    let half = cast(&model, DType::BF16);
    let found = apply_plan(&half, &graph, &plan, 1e-8).map(|_| ());
    refused(found, "is below what BF16 resolves");
}
