//! An optimizer of a user's own, with a state that no default rule knows.

use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::surgery::{MomentRule, OptimizerRules, apply_plan, carry_optimizer};

use super::network::{Channel, Plain, assert_close, expanded, kept, plan, step};
use crate::network::{digits, graph, refused};

/// Divides the gradient by the root of a mean of |g|³.
#[derive(Clone)]
struct Cubic;

#[derive(Clone)]
pub struct CubicState<const D: usize> {
    cubes: Tensor<D>,
    /// The largest gradient so far: one number, whatever the parameter's shape.
    largest: Tensor<1>,
}

impl<const D: usize> RecordState for CubicState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "history.cubes", self.cubes.to_data());
        out.push_tensor(prefix, "largest", self.largest.to_data());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let cubes = src.take_tensor(prefix, "history.cubes")?;
        let largest = src.take_tensor(prefix, "largest")?;
        Some(Self {
            cubes: Tensor::from_data(cubes, device),
            largest: Tensor::from_data(largest, device),
        })
    }
}

impl Optimizer for Cubic {
    type State<const D: usize> = CubicState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<CubicState<D>>,
    ) -> (Tensor<D>, Option<CubicState<D>>) {
        let cube = grad.clone().abs().powi_scalar(3);
        let largest = grad.clone().abs().max();
        let state = match state {
            None => CubicState {
                cubes: cube,
                largest,
            },
            Some(state) => CubicState {
                cubes: state.cubes.mul_scalar(0.9) + cube.mul_scalar(0.1),
                largest: state.largest.max_pair(largest),
            },
        };
        let size = state.cubes.clone().powf_scalar(1.0 / 3.0).add_scalar(1e-8);
        (tensor - grad.div(size).mul_scalar(lr), Some(state))
    }

    fn to_device<const D: usize>(state: CubicState<D>, device: &Device) -> CubicState<D> {
        CubicState {
            cubes: state.cubes.to_device(device),
            largest: state.largest.to_device(device),
        }
    }
}

#[test]
fn a_users_rule_carries_a_users_state() {
    let samples = digits(64);
    let mut optimizer = ModuleOptimizer::from(Cubic);
    let model = step(
        Plain::new(&FLEX.device().autodiff()),
        &mut optimizer,
        &samples,
        0.01,
    );
    let graph = graph(&model);
    let (grown, edits) = apply_plan(&model, &graph, &plan(&graph), 0.0).expect("fits");

    let default = OptimizerRules::default();
    refused(default.check(&graph, &optimizer), "history.cubes");
    refused(
        carry_optimizer(optimizer.clone(), &edits).map(|_| ()),
        "history.cubes",
    );

    let rules = default.with("cubes", MomentRule::GradientPower(3));
    let rules = rules.with("largest", MomentRule::Kept);
    rules
        .check(&graph, &optimizer)
        .expect("all states have rules");
    let before = kept(&optimizer);
    let mut carried = rules
        .carry(optimizer, &edits)
        .expect("all states have rules");
    for ((parameter, state), found) in kept(&carried) {
        let old = &before[&(parameter.clone(), state.clone())];
        let cube = |_, own: Option<Channel>| own.map_or(1.0, |c| c.weight.powi(3));
        let expected = match state.as_str() {
            "history.cubes" => expanded(&parameter, old, &cube),
            _ => old.clone(),
        };
        assert_close(&found, &expected, 1e-6, &format!("{parameter} {state}"));
    }
    step(grown, &mut carried, &samples, 0.01);
}

#[test]
fn the_longest_name_counts_and_a_default_can_be_replaced() {
    let rules = OptimizerRules::default();
    assert_eq!(rules.rule("momentum.buf"), Some(MomentRule::Sign));
    assert_eq!(rules.rule("buf"), None);
    assert_eq!(
        rules.rule("momentum.velocity"),
        Some(MomentRule::GradientPower(1))
    );
    let rules = rules
        .with("buf", MomentRule::GradientPower(1))
        .with("velocity", MomentRule::Kept);
    assert_eq!(rules.rule("momentum.buf"), Some(MomentRule::Sign));
    assert_eq!(rules.rule("other.buf"), Some(MomentRule::GradientPower(1)));
    assert_eq!(rules.rule("momentum.velocity"), Some(MomentRule::Kept));
    assert_eq!(MomentRule::Sign.factor(0.0), 0.0);
}
