//! Operations that mix channels.

use burgeon_graph::{Operation, Size, Smoothness};

use crate::net::{Net, ROWS, convolution, frozen, grown, named, readers, roles, told};

#[test]
fn a_layer_makes_channels_that_the_next_one_reads() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let weight = net.parameter("a.weight", &[3, 4]);
    let bias = net.parameter("a.bias", &[4]);
    let x = net.node("a", Operation::Linear, &[input, weight, bias], &[4]);
    let shape = vec![ROWS, Size::fixed(4)];
    let relu = Operation::Elementwise { adds: false };
    let x = net
        .0
        .node("relu", relu, Smoothness::Surrogate, vec![x], shape);
    let graph = net.read(x, 4);
    assert_eq!(told(&graph, "a"), "4 of a.weight 1×3 + a.bias 0×1, by head");
    assert_eq!(
        told(&graph, "head"),
        "2 of head.weight 1×4, by ; it is the model's output"
    );
    let site = named(&graph, "a");
    assert_eq!((site.dim(), site.nodes()), (4, &[0, 1][..]));
    assert_eq!(site.producers(), ["a"]);
    assert_eq!(site.edges()[0].value, x);
    assert_eq!(site.smoothness(), Smoothness::Surrogate);
    assert_eq!(named(&graph, "head").smoothness(), Smoothness::Exact);
    assert_eq!(readers(&graph, "a"), ["head.weight 0×2"]);
    let all = ["a.weight", "a.bias", "head.weight"];
    assert_eq!(all.map(|path| roles(&graph, path)), ["RP", "B", "RP"]);
    assert_eq!(grown(&graph, "head.weight", "a", 6), [6, 2]);
}

#[test]
fn a_weight_may_stand_before_what_it_multiplies() {
    let mut net = Net::new();
    let input = net.input(&[3, 5]);
    let weight = net.parameter("a.weight", &[4, 3]);
    let x = net.node("a", Operation::MatMul, &[weight, input], &[4, 5]);
    let next = net.parameter("b.weight", &[6, 4]);
    let x = net.node("b", Operation::MatMul, &[next, x], &[6, 5]);
    let graph = net.0.build(&[x]);
    assert_eq!(told(&graph, "a"), "4 of a.weight 0×3, by b");
    assert_eq!(frozen(&graph, "b"), "it is the model's output");
    assert_eq!(roles(&graph, "b.weight"), "PR");
    assert_eq!(grown(&graph, "b.weight", "a", 7), [6, 7]);
}

#[test]
fn products_of_data_sum_over_both() {
    let mut net = Net::new();
    let input = net.input(&[5, 3]);
    let one = |net: &mut Net, path: &str| {
        let weight = net.parameter(path, &[3, 4]);
        net.node(path, Operation::Linear, &[input, weight], &[5, 4])
    };
    let (queries, keys, values) = (
        one(&mut net, "q.weight"),
        one(&mut net, "k.weight"),
        one(&mut net, "v.weight"),
    );
    let turned = Operation::Permute {
        axes: vec![0, 2, 1],
    };
    let keys = net.node("turn", turned, &[keys], &[4, 5]);
    let scores = net.node("scores", Operation::MatMul, &[queries, keys], &[5, 5]);
    let mixed = net.node("mix", Operation::MatMul, &[scores, values], &[5, 4]);
    let weight = net.parameter("head.weight", &[4, 2]);
    let output = net.node("head", Operation::Linear, &[mixed, weight], &[5, 2]);
    let graph = net.0.build(&[output]);
    for site in ["q", "k"] {
        assert_eq!(
            frozen(&graph, site),
            "`scores` sums them over both operands"
        );
    }
    assert_eq!(told(&graph, "v"), "4 of v.weight 1×3, by head");
}

#[test]
fn computed_weights_hold_what_they_touch() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let x = net.linear("a", input, 3, 4);
    let halves = ["b.one", "b.other"].map(|path| net.parameter(path, &[4, 5]));
    let times = Operation::Elementwise { adds: false };
    let product = net.of_parameters("times", times, &halves, &[4, 5]);
    let x = net.node("b", Operation::MatMul, &[x, product], &[5]);
    let graph = net.read(x, 5);
    assert_eq!(frozen(&graph, "a"), "`b` reads them by a computed weight");
    assert_eq!(graph.sites().len(), 2, "nothing else makes channels");
    assert_eq!(roles(&graph, "b.one"), "--");
    // A number for all places is no data: what it multiplies is still a weight that is computed.
    let mut net = Net::new();
    let input = net.input(&[3]);
    let x = net.linear("a", input, 3, 4);
    let weight = net.parameter("b.weight", &[4, 5]);
    let number = net.of_parameters("number", Operation::Fill, &[], &[4, 5]);
    let times = Operation::Elementwise { adds: false };
    let product = net.of_parameters("times", times, &[weight, number], &[4, 5]);
    let x = net.node("b", Operation::MatMul, &[x, product], &[5]);
    let graph = net.read(x, 5);
    assert_eq!(frozen(&graph, "a"), "`b` reads them by a computed weight");
}

#[test]
fn products_of_vectors_hold_them() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let x = net.linear("a", input, 3, 4);
    let weight = net.parameter("b.weight", &[4]);
    let x = net.node("b", Operation::MatMul, &[x, weight], &[]);
    let graph = net.0.build(&[x]);
    assert_eq!(frozen(&graph, "a"), "a product of vectors reads them");
    let mut net = Net::new();
    let input = net.input(&[5, 3]);
    let weight = net.parameter("a.weight", &[3, 4]);
    let x = net.node("a", Operation::Linear, &[input, weight], &[5, 4]);
    let weight = net.parameter("b.weight", &[4]);
    let x = net.node("b", Operation::MatMul, &[x, weight], &[5]);
    let graph = net.0.build(&[x]);
    assert_eq!(frozen(&graph, "a"), "a product of vectors reads them");
}

#[test]
fn batches_of_weights_are_widened_together() {
    let mut net = Net::new();
    // Three experts, each with a weight of its own.
    let input = net.input(&[3, 1, 4]);
    let one = net.parameter("one.weight", &[3, 4, 5]);
    let x = net.node("one", Operation::MatMul, &[input, one], &[3, 1, 5]);
    let two = net.parameter("two.weight", &[3, 5, 2]);
    let x = net.node("two", Operation::MatMul, &[x, two], &[3, 1, 2]);
    let graph = net.0.build(&[x]);
    assert_eq!(told(&graph, "one"), "5 of one.weight 2×12, by two");
    assert_eq!(grown(&graph, "two.weight", "one", 9), [3, 9, 2]);
    assert_eq!(readers(&graph, "one"), ["two.weight 1×6"]);
}

#[test]
fn channels_stay_beside_a_product_along_other_axes() {
    let mut net = Net::new();
    let input = net.input(&[2, 3, 3]);
    let x = net.pointwise("conv", input, 2, 4);
    // The last axis of the maps is mixed, one weight for all channels.
    let weight = net.parameter("mix.weight", &[3, 5]);
    let x = net.node("mix", Operation::MatMul, &[x, weight], &[4, 3, 5]);
    let pool = Operation::Resize { axes: vec![2, 3] };
    let x = net.node("pool", pool, &[x], &[4, 1, 1]);
    let x = net.node("flat", Operation::Reshape, &[x], &[4]);
    let graph = net.read(x, 4);
    assert_eq!(told(&graph, "conv"), "4 of conv.weight 0×2, by head");
    assert_eq!(grown(&graph, "head.weight", "conv", 5), [5, 2]);
    assert_eq!(frozen(&graph, "mix"), "`pool` goes over them");
}

#[test]
fn a_convolution_reads_all_maps_and_slides_over_places() {
    let mut net = Net::new();
    let input = net.input(&[2, 3, 3]);
    let weight = net.parameter("conv.weight", &[4, 2, 3, 3]);
    let bias = net.parameter("conv.bias", &[4]);
    let x = net.node(
        "conv",
        convolution(1, false),
        &[input, weight, bias],
        &[4, 3, 3],
    );
    let x = net.pointwise("next", x, 4, 5);
    let graph = net.0.build(&[x]);
    assert_eq!(
        told(&graph, "conv"),
        "4 of conv.weight 0×18 + conv.bias 0×1, by next"
    );
    assert_eq!(named(&graph, "conv").dim(), 19);
    assert_eq!(roles(&graph, "conv.weight"), "PR--");
    assert_eq!(roles(&graph, "next.weight"), "PR--");
    assert_eq!(readers(&graph, "conv"), ["next.weight 1×5"]);
    // Channels turned into places are held.
    let mut net = Net::new();
    let input = net.input(&[3]);
    let x = net.linear("a", input, 3, 9);
    let maps = net.node("maps", Operation::Reshape, &[x], &[1, 1, 9]);
    let weight = net.parameter("conv.weight", &[4, 1, 1, 3]);
    let x = net.node("conv", convolution(1, false), &[maps, weight], &[4, 1, 7]);
    let graph = net.0.build(&[x]);
    assert_eq!(frozen(&graph, "a"), "`conv` slides over them");
}

#[test]
fn a_convolution_of_one_map_or_without_places_makes_channels() {
    let mut net = Net::new();
    let input = net.input(&[1, 3, 3]);
    let x = net.pointwise("conv", input, 1, 4);
    let x = net.pointwise("last", x, 4, 2);
    let graph = net.0.build(&[x]);
    assert_eq!(told(&graph, "conv"), "4 of conv.weight 0×1, by last");
    assert_eq!(roles(&graph, "conv.weight"), "PR--");
    let mut net = Net::new();
    let input = net.input(&[3]);
    let weight = net.parameter("conv.weight", &[4, 3]);
    let x = net.node("conv", convolution(1, false), &[input, weight], &[4]);
    let graph = net.read(x, 4);
    assert_eq!(told(&graph, "conv"), "4 of conv.weight 0×3, by head");
}

#[test]
fn a_transposed_convolution_makes_maps_along_the_other_axis() {
    let mut net = Net::new();
    let input = net.input(&[2, 3, 3]);
    let x = net.pointwise("first", input, 2, 4);
    let weight = net.parameter("up.weight", &[4, 3, 2, 2]);
    let x = net.node("up", convolution(1, true), &[x, weight], &[3, 3, 3]);
    let x = net.pointwise("last", x, 3, 2);
    let graph = net.0.build(&[x]);
    assert_eq!(told(&graph, "up"), "3 of up.weight 1×16, by last");
    assert_eq!(told(&graph, "first"), "4 of first.weight 0×2, by up");
    assert_eq!(roles(&graph, "up.weight"), "RP--");
    assert_eq!(readers(&graph, "first"), ["up.weight 0×12"]);
}

#[test]
fn all_groups_of_a_convolution_are_widened_alike() {
    let mut net = Net::new();
    let input = net.input(&[3, 3, 3]);
    let x = net.pointwise("first", input, 3, 4);
    let weight = net.parameter("second.weight", &[6, 2, 1, 1]);
    let x = net.convolution("second", x, weight, 2, 6);
    let x = net.pointwise("last", x, 6, 2);
    let graph = net.0.build(&[x]);
    // One channel of the site is one of each group.
    assert_eq!(told(&graph, "first"), "2 of first.weight 0×6, by second");
    assert_eq!(told(&graph, "second"), "3 of second.weight 0×4, by last");
    assert_eq!(roles(&graph, "second.weight"), "PR--");
    assert_eq!(grown(&graph, "first.weight", "first", 5), [10, 3, 1, 1]);
    assert_eq!(grown(&graph, "second.weight", "first", 5), [6, 5, 1, 1]);
    assert_eq!(grown(&graph, "second.weight", "second", 4), [8, 2, 1, 1]);
    assert_eq!(grown(&graph, "last.weight", "second", 4), [2, 8, 1, 1]);
    // The same the other way round.
    let mut net = Net::new();
    let input = net.input(&[3, 3, 3]);
    let x = net.pointwise("first", input, 3, 4);
    let weight = net.parameter("second.weight", &[4, 3, 1, 1]);
    let x = net.node("second", convolution(2, true), &[x, weight], &[6, 3, 3]);
    let x = net.pointwise("last", x, 6, 2);
    let graph = net.0.build(&[x]);
    assert_eq!(told(&graph, "first"), "2 of first.weight 0×6, by second");
    assert_eq!(told(&graph, "second"), "3 of second.weight 1×4, by last");
    assert_eq!(roles(&graph, "second.weight"), "RP--");
    assert_eq!(grown(&graph, "second.weight", "first", 5), [10, 3, 1, 1]);
    assert_eq!(grown(&graph, "last.weight", "second", 4), [2, 8, 1, 1]);
}

#[test]
fn depthwise_kernels_go_with_their_channels() {
    let mut net = Net::new();
    let input = net.input(&[3, 3, 3]);
    let x = net.pointwise("first", input, 3, 4);
    // Two outputs for each channel.
    let weight = net.parameter("depthwise.weight", &[8, 1, 3, 3]);
    let bias = net.parameter("depthwise.bias", &[8]);
    let inputs = [x, weight, bias];
    let x = net.node("depthwise", convolution(4, false), &inputs, &[8, 3, 3]);
    let x = net.pointwise("last", x, 8, 2);
    let graph = net.0.build(&[x]);
    assert_eq!(
        told(&graph, "first"),
        "4 of first.weight 0×3 + depthwise.weight 0×18 + depthwise.bias 0×2, by last"
    );
    assert_eq!(named(&graph, "first").producers(), ["first"]);
    assert_eq!(roles(&graph, "depthwise.weight"), "K---");
    assert_eq!(grown(&graph, "depthwise.weight", "first", 5), [10, 1, 3, 3]);
    assert_eq!(grown(&graph, "last.weight", "first", 5), [2, 10, 1, 1]);
    assert_eq!(readers(&graph, "first"), ["last.weight 1×4"]);
}

#[test]
fn a_convolution_without_groups_makes_nothing() {
    let mut net = Net::new();
    let input = net.input(&[3, 3, 3]);
    let weight = net.parameter("conv.weight", &[4, 3, 1, 1]);
    let x = net.convolution("conv", input, weight, 0, 4);
    let graph = net.0.build(&[x]);
    assert!(graph.sites().is_empty());
    // Nor does one of what has no channels, or by a vector.
    for (lengths, shape) in [(&[][..], &[4, 3, 1, 1][..]), (&[3, 3, 3], &[4])] {
        let mut net = Net::new();
        let input = net.input(lengths);
        let weight = net.parameter("conv.weight", shape);
        let x = net.convolution("conv", input, weight, 1, 4);
        let graph = net.0.build(&[x]);
        assert!(graph.sites().is_empty());
    }
}

#[test]
fn rows_of_a_table_are_not_channels_but_its_columns_are() {
    let mut net = Net::new();
    let indices = net.input(&[5]);
    let table = net.parameter("words.weight", &[10, 4]);
    let x = net.node("words", Operation::Embedding, &[table, indices], &[5, 4]);
    let weight = net.parameter("head.weight", &[4, 2]);
    let output = net.node("head", Operation::Linear, &[x, weight], &[5, 2]);
    let graph = net.0.build(&[output]);
    assert_eq!(told(&graph, "words"), "4 of words.weight 1×10, by head");
    assert_eq!(roles(&graph, "words.weight"), "-P");
}

#[test]
fn a_weight_used_both_ways_is_held() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let weight = net.parameter("tied.weight", &[3, 4]);
    let x = net.node("code", Operation::Linear, &[input, weight], &[4]);
    let turned = Operation::Permute { axes: vec![1, 0] };
    let turned = net.of_parameters("turn", turned, &[weight], &[4, 3]);
    let x = net.node("decode", Operation::Linear, &[x, turned], &[3]);
    let graph = net.0.build(&[x]);
    assert_eq!(
        frozen(&graph, "tied"),
        "`tied.weight` both makes and reads along the same axis"
    );
}

#[test]
fn one_layer_that_is_used_twice_is_one_site() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let weight = net.parameter("a.weight", &[3, 4]);
    let twice = [0, 1].map(|_| net.node("a", Operation::Linear, &[input, weight], &[4]));
    let x = net.sum(twice[0], twice[1], &[4]);
    let graph = net.read(x, 4);
    assert_eq!(told(&graph, "a"), "4 of a.weight 1×3, by head");
    assert_eq!(named(&graph, "a").producers(), ["a"]);
    assert_eq!(named(&graph, "a").nodes(), [0, 1, 2]);
}
