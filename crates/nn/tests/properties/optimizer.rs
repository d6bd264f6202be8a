//! Optimizer state across surgery.

use burgeon_backend_flex::FLEX;
use burgeon_core::Scheme;
use burgeon_nn::surgery::{apply_plan, carry_optimizer};
use burgeon_nn::{Growable, MeanSquaredError, Objective, Samples};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdamConfig, AdanConfig, GradientsParams, LionConfig, ModuleOptimizer,
    RmsPropConfig, SgdConfig,
};
use burn::tensor::{Tensor, TensorData};
use proptest::prelude::*;

use crate::draw::descriptions;
use crate::net::RandomNet;
use crate::plans::{bound, graph, orthonormal, plan};

/// Steps of `net` at a rate of 0: weights stay, so the gradient is the same at each step.
fn stepped(net: &RandomNet, optimizer: &mut ModuleOptimizer, data: &Samples<Tensor<4>>) {
    let data = data.to_autodiff();
    let mut net = net.clone();
    for _ in 0..3 {
        let output = net.predict(data.inputs().clone());
        let loss = MeanSquaredError.loss(output, data.targets());
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        net = optimizer.step(0.0, net, gradients);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// At ε = 0 the carried state is what the grown network's own gradients would have
    /// built up. Gradients are in f64; Burn brings the carried state back in f32.
    #[test]
    fn optimizer_state_is_carried_exactly(mut description in descriptions()) {
        // Statistics of few samples cancel to noise.
        description.batch = 24;
        let net = description.net(&FLEX);
        let data = description.samples(&FLEX);
        let graph = graph(&net, &data);
        // RMSprop's momentum of updates is the sign of noise where a gradient is 0.
        let optimizers: [fn() -> ModuleOptimizer; 6] = [
            || SgdConfig::new().with_momentum(Some(MomentumConfig::new())).init(),
            || AdamConfig::new().with_amsgrad(true).init(),
            || RmsPropConfig::new().with_momentum(0.0).with_centered(true).init(),
            || AdaGradConfig::new().init(),
            || LionConfig::new().init(),
            || AdanConfig::new().init(),
        ];
        for site in graph.growable() {
            let ends = orthonormal(site.dim(), description.seed);
            let neuron = (description.seed % site.width() as u64) as usize;
            let ends = [&ends[0][..], &ends[1][..]];
            let schemes = Scheme::DIRECTED;
            let scheme = schemes[(description.seed % schemes.len() as u64) as usize];
            let plan = plan(site.name(), neuron, scheme, ends, bound(3.0));
            for make in optimizers {
                let mut optimizer = make();
                stepped(&net, &mut optimizer, &data);
                let (grown, edits) = apply_plan(&net, &graph, &plan, 0.0).expect("fits");
                let carried = carry_optimizer(optimizer, &edits).expect("a known optimizer");
                let mut own = make();
                stepped(&grown, &mut own, &data);
                let (found, expected) = (moments(&carried), moments(&own));
                prop_assert_eq!(found.len(), expected.len());
                let largest = |of: &str| {
                    let same = expected.iter().filter(|(name, _)| kind(name) == of);
                    same.flat_map(|(_, b)| b).fold(0.0_f64, |m, v| m.max(v.abs()))
                };
                for ((name, a), (other, b)) in found.iter().zip(&expected) {
                    prop_assert_eq!(name, other);
                    prop_assert_eq!(a.len(), b.len(), "{}", name);
                    let scale = b.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
                    for (x, y) in a.iter().zip(b) {
                        prop_assert!(
                            (x - y).abs() <= 1e-6 * scale + 1e-9 * largest(kind(name)),
                            "{} of {}: {x:e} {y:e} of {scale:e}", name, site.name()
                        );
                    }
                }
            }
        }
    }
}

/// What a tensor of a state is, without the parameter's name.
fn kind(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

/// All tensors of an optimizer's state, in a fixed order.
fn moments(optimizer: &ModuleOptimizer) -> Vec<(String, Vec<f64>)> {
    let bytes = optimizer.to_record().into_bytes().expect("serialisable");
    let tensors = burn_pack::Reader::from_bytes(bytes).expect("readable");
    let tensors = tensors.into_tensors().expect("readable").into_iter();
    let mut all: Vec<(String, Vec<f64>)> = tensors
        .map(|tensor| {
            let (name, dtype, shape, _, bytes) = tensor.into_parts().expect("in memory");
            let data = TensorData::from_bytes(bytes, shape, dtype);
            let values = data.convert::<f64>().try_to_vec().expect("f64");
            (name, values)
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}
