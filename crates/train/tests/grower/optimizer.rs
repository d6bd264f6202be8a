//! Optimizer state across surgery.

use burgeon_core::criterion::Candidate;
use burgeon_core::growth::Split;
use burgeon_core::{Growth, Plan, Scheme, WeightBound};
use burgeon_graph::Graph;
use burgeon_nn::surgery::{apply_plan, carry_optimizer};
use burgeon_nn::{CrossEntropy, Growable, Objective, Samples, Targets};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Tensor, TensorData};

use crate::network::{Mlp, bits, digits, graph};

/// One training step of `model` at a learning rate of `rate`.
fn step(
    model: Mlp,
    optimizer: &mut ModuleOptimizer,
    samples: &Samples<Tensor<2>>,
    rate: f64,
) -> Mlp {
    let output = model.predict(Tensor::from_inner(samples.inputs().clone()));
    let Targets::Classes(classes) = samples.targets() else {
        unreachable!("digits have classes");
    };
    let targets = Targets::Classes(Tensor::from_inner(classes.clone()));
    let loss = CrossEntropy.loss(output, &targets);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    optimizer.step(rate, model, gradients)
}

/// At ε = 0 the carried state is what the grown network's own gradients would
/// have built up.
#[test]
fn optimizer_state_is_carried_exactly() {
    let optimizers: [fn() -> ModuleOptimizer; 3] = [
        || {
            SgdConfig::new()
                .with_momentum(Some(MomentumConfig::new()))
                .init()
        },
        || AdamConfig::new().init(),
        || AdamWConfig::new().init(),
    ];
    let samples = digits(128);
    for make in optimizers {
        let model = Mlp::fixed(3);
        let graph = graph(&model);
        let plan = both_layers(&graph);
        let mut optimizer = make();
        let mut parent = model.clone();
        for _ in 0..3 {
            // At rate 0 the weights stay, so the gradient is the same at each step.
            parent = step(parent, &mut optimizer, &samples, 0.0);
        }
        let (grown, edits) = apply_plan(&parent, &graph, &plan, 0.0).expect("fits");
        let mut carried = carry_optimizer(optimizer, &edits).expect("a known optimizer");
        let mut own = make();
        let mut child = grown;
        for _ in 0..3 {
            child = step(child, &mut own, &samples, 0.0);
        }
        let (found, expected) = (moments(&carried), moments(&own));
        assert_eq!(found.len(), expected.len());
        for ((name, a), (other, b)) in found.iter().zip(&expected) {
            assert_eq!(name, other);
            let scale = b.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            for (x, y) in a.iter().zip(b) {
                assert!(
                    (x - y).abs() <= 2e-5 * scale + 1e-7,
                    "{name}: {x:e} {y:e} of {scale:e}"
                );
            }
            assert_eq!(a.len(), b.len(), "{name}");
        }
        // And training goes on.
        let before = bits(&child);
        let after = step(child, &mut carried, &samples, 0.01);
        assert!(before != bits(&after), "training does not go on");
    }
}

/// A split in each layer.
fn both_layers(graph: &Graph) -> Plan {
    let candidates = graph.growable().map(|site| {
        let mut direction = vec![0.0; site.dim()];
        direction[0] = 1.0;
        let scheme = Scheme::Positive2;
        Candidate {
            growth: Growth::Split(Split {
                site: site.name().to_owned(),
                neuron: 1,
                scheme,
                offspring: scheme.offspring(&direction, &direction, WeightBound::POSITIVE),
            }),
            gain: None,
            score: 0.0,
            price: 0,
        }
    });
    Plan::new("test", candidates.collect())
}

/// All tensors of an optimizer's state, in a fixed order.
fn moments(optimizer: &ModuleOptimizer) -> Vec<(String, Vec<f64>)> {
    let bytes = optimizer.to_record().into_bytes().expect("serialisable");
    let tensors = burn_pack::Reader::from_bytes(bytes)
        .expect("readable")
        .into_tensors();
    let mut all: Vec<(String, Vec<f64>)> = tensors
        .expect("readable")
        .into_iter()
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
