//! What is predicted of a growth by the grower is what happens: activations behind sums and behind
//! depthwise layers, concatenated maps, gates, recurrences. And no channel is split twice.

use std::collections::HashSet;

use burgeon_backend_flex::FLEX;
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::Fraction;
use burgeon_nn::cost::predicts_exactly;
use burgeon_nn::growable::cast;
use burgeon_train::{Accept, Grower, GrowerConfig, RateSchedule, StepSize, Trigger};
use burn::optim::SgdConfig;
use burn::tensor::DType;

use crate::run::{Grown, committed, student, task};
use crate::zoo;

fn predicts<M: Grown>() {
    const STEP: f64 = 2e-3;
    let all = Fraction::new(1.0).expect("in range");
    let config = GrowerConfig::new(SteepestDescent, all)
        .with_trigger(Trigger::Every { epochs: 1 })
        .with_max_epochs(2)
        .with_batch_size(24)
        .with_learning_rate(RateSchedule::constant(0.01).expect("a rate"))
        .with_device_seeding(false)
        .with_step_size(StepSize::Fixed {
            epsilon: STEP,
            accept: Accept::Always,
        });
    let model = cast(&student::<M>(), DType::F64);
    let plain = SgdConfig::new().init();
    let grower = Grower::new(config, FLEX, task::<M>(DType::F64), model, plain);
    let mut grower = grower.expect("sound");
    let start = grower.graph().clone();
    grower.run().expect("runs");
    let made = committed(&grower);
    let [record] = made[..] else {
        panic!("{}: one growth: {:#?}", M::NAME, grower.state().journal);
    };
    let mut split = HashSet::new();
    for growth in record.plan.growths() {
        assert!(predicts_exactly(&start, growth.site()), "{}", M::NAME);
        for claim in growth.claims() {
            assert!(split.insert(claim), "{}", M::NAME);
        }
    }
    assert!(split.len() > 1, "{}", M::NAME);
    assert!(record.output_change_at_zero <= 1e-12, "{}", M::NAME);
    let predicted = record.predicted_decrease.expect("of S2D");
    let measured = record.measured_decrease.expect("measured");
    let ratio = measured / predicted;
    assert!((ratio - 1.0).abs() < 0.1, "{}: {ratio}", M::NAME);
}

macro_rules! tests {
    ($($function:ident: $model:ident,)+) => {$(
        #[test]
        fn $function() {
            predicts::<zoo::$model>();
        }
    )+};
}
tests! {
    activation_behind_a_sum: ResNet20,
    depthwise_behind_an_activation: MobileNetV2Depthwise,
    dense_block: DenseBlock,
    gate: GatedUnit,
    lstm: LstmCell,
    fused_lstm: FusedLstmCell,
    shared_head: SharedHead,
    mixer: MlpMixer,
    own_activation: ActivatedBump,
    squeeze_excite: SqueezeExcite,
}
