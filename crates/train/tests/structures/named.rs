//! The site that a structure is known for grows alone.

use burgeon_nn::growable::parameter_count;
use burgeon_nn::trace;
use burn::tensor::DType;

use crate::run::{Grown, committed, config, grower, only, samples, student};
use crate::zoo::*;

/// Grows the site `name` of a model alone, and gives what has grown.
fn grows_at<M: Grown>(name: &str, width: usize) -> M {
    let model = student::<M>();
    let before = parameter_count(&model);
    let config = only(config(), &model, name);
    let mut grower = grower(model, config);
    assert_eq!(grower.graph().widths(), [(name.to_owned(), width)]);
    grower.run().expect("runs");
    assert!(!committed(&grower).is_empty(), "{:#?}", grower.state());
    let [(_, after)] = &grower.graph().widths()[..] else {
        panic!("one site: {:?}", grower.graph().widths());
    };
    assert!(*after > width, "{after}");
    assert!(parameter_count(grower.model()) > before);
    grower.into_model()
}

#[test]
fn the_trunk_of_a_resnet() {
    let grown: ResNet20 = grows_at("stem.conv", 3);
    let width = grown.stem.conv.weight.dims()[0];
    for block in &grown.blocks[..3] {
        assert_eq!(block.second.conv.weight.dims()[0], width);
        assert_eq!(block.second.norm.gamma.dims(), [width]);
    }
    let shortcut = grown.blocks[3].shortcut.as_ref().expect("projects");
    assert_eq!(shortcut.conv.weight.dims()[1], width);
}

#[test]
fn maps_that_a_unet_concatenates() {
    let grown: UNet = grows_at("down1.second.conv", 3);
    let width = grown.down1.second.conv.weight.dims()[0];
    assert_eq!(grown.join1.first.conv.weight.dims()[1], width + 3);
}

#[test]
fn all_maps_before_it_are_read_by_a_layer_of_a_dense_block() {
    let grown: DenseBlock = grows_at("layers.0.conv", 3);
    let width = grown.layers[0].conv.weight.dims()[0];
    assert_eq!(grown.layers[2].norm.gamma.dims(), [4 + width + 3]);
    assert_eq!(grown.head.weight.dims(), [4 + width + 6, 3]);
}

#[test]
fn expanded_and_depthwise_maps_of_a_mobilenet() {
    let grown: MobileNetV2Depthwise = grows_at("net.blocks.0.expand.conv", 6);
    let block = &grown.net.blocks[0];
    let width = block.expand.conv.weight.dims()[0];
    let DepthwiseLayer::Own(depthwise) = &block.depthwise else {
        panic!("its groups are its weight's rows");
    };
    assert_eq!(depthwise.weight.dims(), [width, 1, 3, 3]);
    assert_eq!(block.project.conv.weight.dims()[1], width);
}

#[test]
fn hidden_layers_of_a_mixer() {
    let grown: MlpMixer = grows_at("blocks.0.token1", 6);
    assert!(grown.blocks[0].token2.weight.dims()[0] > 6);
    let grown: MlpMixer = grows_at("blocks.1.channel1", 7);
    assert!(grown.blocks[1].channel2.weight.dims()[0] > 7);
}

#[test]
fn the_feed_forward_of_a_transformer_of_token_ids() {
    grows_at::<TextEncoder>("encoder.layers.0.pwff.linear_inner", 10);
    grows_at::<Tagger>("encoder.layers.0.pwff.linear_inner", 10);
    grows_at::<Attention>("wide", 8);
}

#[test]
fn the_state_of_an_lstm() {
    let grown: LstmCell = grows_at("keep.input", 5);
    let width = grown.head.weight.dims()[0];
    for gate in [&grown.keep, &grown.write, &grown.candidate, &grown.output] {
        assert_eq!(gate.input.weight.dims(), [4, width]);
        assert_eq!(gate.hidden.weight.dims(), [width, width]);
    }
    for grown in [
        grows_at::<FusedLstmCell>("input", 5),
        grows_at::<SlicedLstmCell>("net.input", 5).net,
    ] {
        let width = grown.head.weight.dims()[0];
        assert_eq!(grown.hidden.weight.dims(), [width, 4 * width]);
    }
}

#[test]
fn flattened_maps() {
    let grown: ChannelsLast = grows_at("conv", 4);
    let width = grown.conv.weight.dims()[0];
    assert_eq!(grown.fc.weight.dims(), [9 * width, 5]);
    let grown: ConvFlatNorm = grows_at("conv", 4);
    let width = grown.conv.weight.dims()[0];
    assert_eq!(grown.norm.gamma.dims(), [9 * width]);
    let grown: LinearToConv = grows_at("fc", 4);
    let width = grown.norm.gamma.dims()[0];
    assert_eq!(grown.fc.weight.dims(), [5, 16 * width]);
}

#[test]
fn maps_of_a_shared_head_grow_together() {
    let grown: SharedHead = grows_at("left", 5);
    let width = grown.head.weight.dims()[0];
    assert_eq!(grown.left.weight.dims()[0], width);
    assert_eq!(grown.right.weight.dims()[0], width);
}

#[test]
fn convolutions_over_time_and_of_groups() {
    grows_at::<Audio>("conv1", 5);
    let grown: Grouped = grows_at("first", 2);
    assert!(grown.first.weight.dims()[0].is_multiple_of(2));
    grows_at::<Generator>("up", 6);
    grows_at::<TwoInputs>("right", 4);
    grows_at::<ImageAndFeatures>("conv", 5);
}

#[test]
fn a_norm_over_channels_holds_them_and_the_others_grow() {
    grows_at::<GroupNormNet>("conv2", 5);
    let model = student::<GroupNormNet>();
    let traced = trace(&model, &samples::<GroupNormNet>(3, DType::F32, 1)).expect("traceable");
    let refused = traced.graph().site("conv1").expect_err("a group norm");
    assert!(refused.to_string().contains("goes over them"), "{refused}");
    let model = student::<MlpMixer>();
    let traced = trace(&model, &samples::<MlpMixer>(3, DType::F32, 1)).expect("traceable");
    let refused = traced.graph().site("patch").expect_err("a layer norm");
    assert!(
        refused.to_string().contains("`LayerNorm` couples them"),
        "{refused}"
    );
}
