//! Widths in fields that `rebuilt` brings in line.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::growable::predict;
use burgeon_nn::weights::{load_weights, save_weights};
use burgeon_nn::{Growable, trace};
use burgeon_train::Grower;
use burn::module::Module;
use burn::tensor::{DType, Tensor};

use crate::run::{adam, config, graph_of, samples, student, task};
use crate::zoo::{DepthwiseLayer, MobileNetV2};

/// A MobileNet with Burn's own depthwise convolutions.
#[derive(Module, Debug)]
struct Rebuilt {
    net: MobileNetV2,
}

impl Growable for Rebuilt {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        self.net.forward(input)
    }

    fn rebuilt(mut self) -> Self {
        for block in &mut self.net.blocks {
            if let DepthwiseLayer::Grouped(conv) = &mut block.depthwise {
                conv.groups = conv.weight.dims()[0];
            }
        }
        self
    }
}

#[test]
fn groups_in_a_field_hold_a_site() {
    let graph = graph_of(&student::<MobileNetV2>());
    let refused = graph
        .site("blocks.0.expand.conv")
        .expect_err("groups are a field");
    let said = refused.to_string();
    assert!(
        said.contains("the field `groups` of `Conv2d`") && said.contains("`Growable::rebuilt`"),
        "{said}"
    );
}

#[test]
fn groups_that_are_rebuilt_grow() {
    let start = || Rebuilt { net: student() };
    let few = samples::<MobileNetV2>(5, DType::F32, 4);
    let site = "net.blocks.0.expand.conv";
    let traced = trace(&start(), &few).expect("traceable");
    assert_eq!(traced.graph().site(site).expect("rebuilt").width(), 6);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let run = |epochs| {
        let config = config().with_max_epochs(epochs);
        let task = task::<MobileNetV2>(DType::F32);
        let grower = Grower::new(config, FLEX, task, start(), adam()).expect("sound");
        let mut grower = grower.checkpoint_at(&path).expect("usable");
        grower.run().expect("runs");
        grower.into_model()
    };
    let grown = run(4);
    let mut widths = Vec::new();
    for block in &grown.net.blocks {
        let DepthwiseLayer::Grouped(conv) = &block.depthwise else {
            panic!("Burn's own");
        };
        assert_eq!(conv.groups, conv.weight.dims()[0]);
        assert_eq!(conv.weight.dims()[0], block.expand.conv.weight.dims()[0]);
        widths.push(conv.groups);
    }
    assert!(widths.iter().any(|width| *width > 6), "{widths:?}");
    // A finished run, and a file, bring the groups back.
    let answers = predict(&grown, &few, 5).into_data();
    assert_eq!(predict(&run(4), &few, 5).into_data(), answers);
    let path = folder.path().join("weights.safetensors");
    save_weights(&grown, &path).expect("writable");
    let example = Tensor::zeros([1, 3, 8, 8], &FLEX.device());
    let loaded = load_weights(&start(), &path, &example).expect("its weights");
    assert_eq!(predict(&loaded, &few, 5).into_data(), answers);
}
