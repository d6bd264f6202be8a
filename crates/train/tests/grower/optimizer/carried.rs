//! The carried state is what the grown network's own gradients would have built up.

use std::collections::BTreeMap;

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::surgery::{CopiedMoments, OptimizerRules, apply_plan, carry_optimizer};
use burn::optim::ModuleOptimizer;

use super::kept::{By, CASES, Case};
use super::network::{
    Array, Channel, Kept, Plain, SPLIT, WIDTH, assert_close, expanded, kept, plan, step, weights,
};
use crate::network::{digits, graph};

/// A network and its optimizer after some epochs.
fn trained(case: &Case) -> (Plain, ModuleOptimizer) {
    let mut optimizer = (case.make)();
    let mut model = Plain::new(&FLEX.device().autodiff());
    for _ in 0..3 {
        model = step(model, &mut optimizer, &digits(128), 0.02);
    }
    (model, optimizer)
}

/// The state of `before` after the splits, by hand.
fn by_hand(case: &Case, before: &Kept, of_copies: CopiedMoments) -> Kept {
    let state = |((parameter, state), array): (&(String, String), &Array)| {
        let (_, by) = case
            .states
            .iter()
            .find(|(name, _)| name == state)
            .expect("known");
        let factor = |read: Option<Channel>, own: Option<Channel>| {
            let appended = [read, own].into_iter().flatten().any(|c| c.appended);
            match of_copies {
                CopiedMoments::ZeroForCopies if appended => 0.0,
                _ => own.map_or(1.0, |channel| by.factor(channel.weight)),
            }
        };
        let grown = expanded(parameter, array, &factor);
        ((parameter.clone(), state.clone()), grown)
    };
    before.iter().map(state).collect()
}

fn assert_kept(found: &Kept, expected: &Kept, tolerance: f64, what: &str) {
    assert!(found.keys().eq(expected.keys()), "{what}");
    for ((key, found), expected) in found.iter().zip(expected.values()) {
        assert_close(found, expected, tolerance, &format!("{what}: {key:?}"));
    }
}

#[test]
fn states_are_multiplied_by_their_power_of_the_copys_weight() {
    for case in CASES {
        let (model, optimizer) = trained(&case);
        let before = kept(&optimizer);
        let graph = graph(&model);
        let (_, edits) = apply_plan(&model, &graph, &plan(&graph), 0.0).expect("fits");
        for of_copies in [CopiedMoments::Carried, CopiedMoments::ZeroForCopies] {
            let rules = OptimizerRules::default().with_copied_moments(of_copies);
            let carried = rules.carry(optimizer.clone(), &edits).expect("known");
            let expected = by_hand(&case, &before, of_copies);
            assert_kept(&kept(&carried), &expected, 1e-6, case.name);
        }
        let carried = carry_optimizer(optimizer, &edits).expect("known");
        let expected = by_hand(&case, &before, CopiedMoments::Carried);
        assert_kept(&kept(&carried), &expected, 1e-6, case.name);
    }
}

/// At a rate of 0 the weights stay, so parent and grown network see the same loss at each step.
#[test]
fn states_are_what_the_grown_networks_gradients_build_up() {
    let samples = digits(128);
    for case in CASES {
        let run = |mut model: Plain| {
            let mut optimizer = (case.make)();
            for _ in 0..3 {
                model = step(model, &mut optimizer, &samples, 0.0);
            }
            (model, optimizer)
        };
        let (parent, optimizer) = run(Plain::new(&FLEX.device().autodiff()));
        let graph = graph(&parent);
        let (grown, edits) = apply_plan(&parent, &graph, &plan(&graph), 0.0).expect("fits");
        let carried = carry_optimizer(optimizer, &edits).expect("known");
        let (_, own) = run(grown);
        // What becomes of a constant gradient's difference is rounding.
        let without_noise = |mut kept: Kept| {
            kept.retain(|(_, state), _| state != "momentum.exp_avg_diff");
            kept
        };
        let (found, expected) = (without_noise(kept(&carried)), without_noise(kept(&own)));
        assert_kept(&found, &expected, 1e-4, case.name);
    }
}

/// The next update: in a copy's own slices the parent's, times `w` or its sign; where the copy is
/// read, the parent's.
#[test]
fn the_next_update_is_the_parents_as_the_rule_says() {
    for case in CASES {
        let (parent, mut optimizer) = trained(&case);
        let graph = graph(&parent);
        let (grown, edits) = apply_plan(&parent, &graph, &plan(&graph), 0.0).expect("fits");
        let mut carried = carry_optimizer(optimizer.clone(), &edits).expect("known");
        let parents = moved(parent, &mut optimizer);
        let growns = moved(grown, &mut carried);
        for (path, found) in &growns {
            let factor =
                |_, own: Option<Channel>| own.map_or(1.0, |c| case.update.factor(c.weight));
            let expected = expanded(path, &parents[path], &factor);
            assert_close(found, &expected, 1e-2, &format!("{}: {path}", case.name));
        }
        if case.update == By::W {
            // The weights sum to 1: so do the copies' updates to the parent's.
            let copies = [SPLIT, WIDTH, WIDTH + 1];
            let bias = &growns["first.bias"].values;
            let found: f64 = copies.iter().map(|copy| bias[*copy]).sum();
            let expected = parents["first.bias"].values[SPLIT];
            assert!(
                (found - expected).abs() <= 1e-3 * expected.abs(),
                "{}",
                case.name
            );
        }
    }
}

/// How far one step at a rate of 1 moves each parameter.
fn moved(model: Plain, optimizer: &mut ModuleOptimizer) -> BTreeMap<String, Array> {
    let before = weights(&model);
    let mut after = weights(&step(model, optimizer, &digits(128), 1.0));
    for (path, array) in &mut after {
        for (now, then) in array.values.iter_mut().zip(&before[path].values) {
            *now -= then;
        }
    }
    after
}
