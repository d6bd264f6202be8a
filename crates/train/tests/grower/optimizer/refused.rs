//! What cannot be carried is refused before training, by name.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::NnError;
use burgeon_nn::surgery::{MomentRule, OptimizerRules};
use burgeon_train::Grower;
use burn::module::ParamGroup;
use burn::optim::{AdafactorConfig, AdamConfig, ModuleOptimizer, MuonConfig};

use super::kept::CASES;
use super::network::{Plain, step};
use crate::network::{config, digits, graph, refused, task};

fn grower(optimizer: ModuleOptimizer) -> Result<Grower<Plain>, NnError> {
    let model = Plain::new(&FLEX.device().autodiff());
    Grower::new(config(), FLEX, task(100), model, optimizer)
}

#[test]
fn a_grower_takes_each_known_optimizer() {
    for case in CASES {
        if let Err(error) = grower((case.make)()) {
            panic!("{}: {error}", case.name);
        }
    }
}

#[test]
fn a_grower_refuses_an_unknown_state_by_its_name() {
    let error = grower(AdafactorConfig::new().init()).map(|_| ());
    let Err(error @ NnError::OptimizerState(_)) = error else {
        panic!("{error:?}");
    };
    let said = error.to_string();
    for expected in ["second_moment` for `", "AdamW", "OptimizerRules::with"] {
        assert!(
            said.contains(expected),
            "`{said}` does not say `{expected}`"
        );
    }
    // The name in the record begins with the parameter's number.
    assert!(!said.contains(|c: char| c.is_ascii_digit()), "{said}");
}

/// A rule for a factored state would widen the wrong axis.
#[test]
fn a_state_of_another_shape_is_refused() {
    let mut optimizer = AdafactorConfig::new().init();
    let model = Plain::new(&FLEX.device().autodiff());
    let model = step(model, &mut optimizer, &digits(8), 0.01);
    let rules = OptimizerRules::default()
        .with("second_moment", MomentRule::GradientPower(2))
        .with("column_second_moment", MomentRule::GradientPower(2));
    refused(rules.check(&graph(&model), &optimizer), "own shape");
}

/// The bias of the last layer is none of a site's.
#[test]
fn a_state_that_no_growth_edits_needs_no_rule() {
    let of_bias = ParamGroup::from_path("output.bias");
    let optimizer = AdamConfig::new().init();
    let optimizer = optimizer.with_group(of_bias, AdafactorConfig::new().build(), None);
    grower(optimizer).map(|_| ()).expect("not edited");
    let of_edited = ParamGroup::from_path("second.bias");
    let optimizer = AdamConfig::new().init();
    let optimizer = optimizer.with_group(of_edited, AdafactorConfig::new().build(), None);
    refused(grower(optimizer).map(|_| ()), "for `second.bias`");
}

#[test]
fn muon_for_weights_beside_adam_grows() {
    let weights = ["first.weight", "second.weight"]
        .map(str::to_owned)
        .to_vec();
    let optimizer = AdamConfig::new().init();
    let muon = MuonConfig::new().build();
    let optimizer = optimizer.with_group(ParamGroup::from_paths(weights), muon, None);
    let mut grower = grower(optimizer).expect("known states");
    grower.run().expect("runs");
    assert!(grower.model().first.weight.dims()[1] > super::network::WIDTH);
}
