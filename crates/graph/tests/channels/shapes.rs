//! Operations that put the same numbers elsewhere, or freeze what they touch.

use burgeon_graph::{Graph, Operation, ValueId};

use crate::net::{Net, frozen, grown, named, readers, roles, told};

/// A layer of 4 channels, then `operation` on its output `[b, 4]` to `lengths`, then a head.
fn after(operation: Operation, lengths: &[usize]) -> Graph {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let x = net.linear("a", input, 3, 4);
    let x = net.node("moved", operation, &[x], lengths);
    match lengths {
        [width] => net.read(x, *width),
        _ => net.0.build(&[x]),
    }
}

/// The reason for which the channels are held behind `operation`.
fn held(operation: Operation, lengths: &[usize]) -> String {
    frozen(&after(operation, lengths), "a").to_owned()
}

fn slice(start: usize, end: usize, step: usize) -> Operation {
    Operation::Slice {
        ranges: vec![(0, 2, 1), (start, end, step)],
    }
}

#[test]
fn a_slice_takes_whole_channels_and_whole_stretches() {
    let all = after(slice(0, 4, 1), &[4]);
    assert_eq!(told(&all, "a"), "4 of a.weight 1×3, by head");
    let beyond = after(slice(0, 9, 1), &[4]);
    assert_eq!(told(&beyond, "a"), "4 of a.weight 1×3, by head");
    // What is left over is read by nobody.
    let some = after(slice(1, 3, 1), &[2]);
    assert_eq!(told(&some, "a#2"), "2 of a.weight 1×3, by head");
    for (name, width) in [("a", 1), ("a#3", 1)] {
        assert_eq!(named(&some, name).width(), width);
        assert_eq!(frozen(&some, name), "no layer reads it");
    }
    assert_eq!(grown(&some, "head.weight", "a#2", 5), [5, 2]);
    assert_eq!(held(slice(0, 4, 2), &[2]), "`moved` cuts through them");
    // As many as are taken: 0, 3 of 4.
    assert_eq!(held(slice(0, 4, 3), &[2]), "`moved` cuts through them");
}

#[test]
fn a_slice_within_a_channel_is_refused() {
    let mut net = Net::new();
    let input = net.input(&[2, 3, 3]);
    let x = net.pointwise("conv", input, 2, 4);
    let flat = net.node("flat", Operation::Reshape, &[x], &[36]);
    let x = net.node("part", slice(0, 20, 1), &[flat], &[20]);
    let graph = net.read(x, 20);
    assert_eq!(frozen(&graph, "conv"), "`part` cuts through them");
    let mut net = Net::new();
    let input = net.input(&[2, 3, 3]);
    let x = net.pointwise("conv", input, 2, 4);
    let flat = net.node("flat", Operation::Reshape, &[x], &[36]);
    let x = net.node("part", slice(9, 36, 1), &[flat], &[27]);
    let graph = net.read(x, 27);
    assert_eq!(told(&graph, "conv#2"), "3 of conv.weight 0×2, by head");
    assert_eq!(readers(&graph, "conv#2"), ["head.weight 0×18"]);
}

#[test]
fn places_of_no_channel_may_be_sliced() {
    let mut net = Net::new();
    let input = net.input(&[5, 3]);
    let weight = net.parameter("a.weight", &[3, 4]);
    let x = net.node("a", Operation::Linear, &[input, weight], &[5, 4]);
    let ranges = vec![(0, 2, 1), (1, 5, 2), (0, 4, 1)];
    let x = net.node("some", Operation::Slice { ranges }, &[x], &[2, 4]);
    let weight = net.parameter("head.weight", &[4, 2]);
    let output = net.node("head", Operation::Linear, &[x, weight], &[2, 2]);
    let graph = net.0.build(&[output]);
    assert_eq!(told(&graph, "a"), "4 of a.weight 1×3, by head");
}

#[test]
fn a_part_that_is_written_over_is_tied_to_what_is_written() {
    let assigned = |start: usize, end: usize| {
        let mut net = Net::new();
        let input = net.input(&[3]);
        let whole = net.linear("whole", input, 3, 5);
        let part = net.linear("part", input, 3, end - start);
        let ranges = vec![(0, 2, 1), (start, end, 1)];
        let write = Operation::SliceAssign { ranges };
        let x = net.node("write", write, &[whole, part], &[5]);
        net.read(x, 5)
    };
    let graph = assigned(2, 5);
    assert_eq!(told(&graph, "whole"), "2 of whole.weight 1×3, by head");
    assert_eq!(
        told(&graph, "whole#2"),
        "3 of whole.weight 1×3 + part.weight 1×3, by head"
    );
    assert_eq!(grown(&graph, "part.weight", "whole#2", 7), [3, 7]);
    let graph = assigned(0, 5);
    assert_eq!(
        told(&graph, "whole"),
        "5 of whole.weight 1×3 + part.weight 1×3, by head"
    );
}

#[test]
fn concatenated_channels_lie_side_by_side() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let parts = [("a", 3), ("b", 4)].map(|(name, width)| net.linear(name, input, 3, width));
    let inputs = [parts[0], parts[1], input];
    let x = net.node("join", Operation::Concatenate { axis: 1 }, &inputs, &[10]);
    let graph = net.read(x, 10);
    assert_eq!(readers(&graph, "a"), ["head.weight 0×2"]);
    let wider = |name: &str| grown(&graph, "head.weight", name, 8);
    assert_eq!((wider("a"), wider("b")), (vec![15, 2], vec![14, 2]));
    let axis = &graph.parameters()[2].axes[0];
    assert_eq!(axis.places(named(&graph, "a").group(), 2), [2]);
    assert_eq!(axis.places(named(&graph, "b").group(), 0), [3]);
    // Along the samples the channels are the same.
    let mut net = Net::new();
    let input = net.input(&[3]);
    let parts = ["a", "b"].map(|name| net.linear(name, input, 3, 4));
    let double = burgeon_graph::Size {
        per_sample: 2,
        fixed: 0,
    };
    let shape = vec![double, burgeon_graph::Size::fixed(4)];
    let stack = Operation::Concatenate { axis: 0 };
    let exact = burgeon_graph::Smoothness::Exact;
    let x = net.0.node("stack", stack, exact, parts.to_vec(), shape);
    let graph = net.read(x, 4);
    assert_eq!(
        told(&graph, "a"),
        "4 of a.weight 1×3 + b.weight 1×3, by head"
    );
    assert_eq!(named(&graph, "a").producers(), ["a", "b"]);
}

#[test]
fn parts_of_a_weight_are_joined_as_it_is_used() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let halves =
        [("a.one", 2), ("a.other", 5)].map(|(path, width)| net.parameter(path, &[3, width]));
    let join = Operation::Concatenate { axis: 1 };
    let weight = net.of_parameters("join", join, &halves, &[3, 7]);
    let x = net.node("a", Operation::Linear, &[input, weight], &[7]);
    let graph = net.read(x, 7);
    assert_eq!(told(&graph, "a"), "2 of a.one 1×3, by head");
    assert_eq!(told(&graph, "a#2"), "5 of a.other 1×3, by head");
    assert_eq!(roles(&graph, "a.other"), "RP");
}

#[test]
fn a_part_of_a_weight_is_a_weight() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let weight = net.parameter("a.weight", &[4, 3]);
    let ranges = vec![(1, 4, 1), (0, 3, 1)];
    let part = net.of_parameters("part", Operation::Slice { ranges }, &[weight], &[3, 3]);
    let turned = Operation::Permute { axes: vec![1, 0] };
    let turned = net.of_parameters("turn", turned, &[part], &[3, 3]);
    let x = net.node("a", Operation::Linear, &[input, turned], &[3]);
    let graph = net.read(x, 3);
    assert_eq!(named(&graph, "a#2").width(), 3);
    assert_eq!(roles(&graph, "a.weight"), "PR");
}

#[test]
fn channels_go_with_their_axis() {
    let mut net = Net::new();
    let input = net.input(&[2, 3, 3]);
    let x = net.pointwise("conv", input, 2, 4);
    let last = Operation::Permute {
        axes: vec![0, 2, 3, 1],
    };
    let x = net.node("last", last, &[x], &[3, 3, 4]);
    let flat = net.node("flat", Operation::Reshape, &[x], &[36]);
    let graph = net.read(flat, 36);
    assert_eq!(told(&graph, "conv"), "4 of conv.weight 0×2, by head");
    let axis = &graph.parameters()[1].axes[0];
    let places: Vec<usize> = (0..9).map(|position| 4 * position + 3).collect();
    assert_eq!(axis.places(named(&graph, "conv").group(), 3), places);
}

#[test]
fn places_are_added_before_channels_and_repeated() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let x = net.linear("a", input, 3, 4);
    let row = net.parameter("row", &[4]);
    // A row for each of the others, added: a bias.
    let spread = net.of_parameters("spread", Operation::Expand, &[row], &[1, 4]);
    let x = net.sum(x, spread, &[4]);
    let graph = net.read(x, 4);
    assert_eq!(told(&graph, "a"), "4 of a.weight 1×3 + row 0×1, by head");
    assert_eq!(roles(&graph, "row"), "B");
    let mut net = Net::new();
    let input = net.input(&[3]);
    let x = net.linear("a", input, 3, 1);
    let spread = net.node("spread", Operation::Expand, &[x], &[4]);
    let graph = net.read(spread, 4);
    assert_eq!(frozen(&graph, "a"), "`spread` repeats it");
    // A whole axis comes several times.
    let twice = Operation::Repeat { axis: 1, times: 3 };
    let graph = after(twice, &[12]);
    assert_eq!(told(&graph, "a"), "4 of a.weight 1×3, by head");
    assert_eq!(grown(&graph, "head.weight", "a", 5), [15, 2]);
    assert_eq!(
        graph.parameters()[1].axes[0].places(named(&graph, "a").group(), 1),
        [1, 5, 9]
    );
    let mut net = Net::new();
    let input = net.input(&[5, 3]);
    let weight = net.parameter("a.weight", &[3, 4]);
    let x = net.node("a", Operation::Linear, &[input, weight], &[5, 4]);
    let twice = Operation::Repeat { axis: 1, times: 2 };
    let x = net.node("twice", twice, &[x], &[10, 4]);
    let weight = net.parameter("head.weight", &[4, 2]);
    let output = net.node("head", Operation::Linear, &[x, weight], &[10, 2]);
    let graph = net.0.build(&[output]);
    assert_eq!(told(&graph, "a"), "4 of a.weight 1×3, by head");
}

#[test]
fn what_is_not_followed_freezes_what_it_touches() {
    assert_eq!(
        held(Operation::Coupling { axis: 1 }, &[4]),
        "`moved` couples them"
    );
    assert_eq!(
        held(Operation::Select { axis: 1 }, &[3]),
        "`moved` takes them by index"
    );
    assert_eq!(
        held(Operation::Resize { axes: vec![1] }, &[2]),
        "`moved` goes over them"
    );
    assert_eq!(held(Operation::Opaque, &[4]), "`moved` is not understood");
    let order = Operation::Permute { axes: vec![0, 1] };
    assert_eq!(held(order, &[5]), "`moved` changes their shape");
    // Along the samples they do not touch the channels.
    for operation in [
        Operation::Coupling { axis: 0 },
        Operation::Select { axis: 0 },
        Operation::Resize { axes: vec![0] },
        Operation::Resize { axes: Vec::new() },
        Operation::Permute { axes: vec![0, 1] },
    ] {
        let graph = after(operation, &[4]);
        assert_eq!(told(&graph, "a"), "4 of a.weight 1×3, by head");
    }
}

#[test]
fn what_a_coupling_multiplies_by_is_held_too() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let x = net.linear("a", input, 3, 4);
    let by = net.linear("b", input, 3, 4);
    let couple = Operation::Coupling { axis: 1 };
    let x = net.node("norm", couple, &[x, by], &[4]);
    let graph = net.read(x, 4);
    assert_eq!(frozen(&graph, "a"), "`norm` couples them");
    assert_eq!(graph.sites().len(), 2, "both are one site: {graph}");
}

#[test]
fn pooled_places_are_not_channels() {
    let mut net = Net::new();
    let input = net.input(&[2, 3, 3]);
    let x = net.pointwise("conv", input, 2, 4);
    let pool = Operation::Resize { axes: vec![2, 3] };
    let x = net.node("pool", pool, &[x], &[4, 1, 1]);
    let x = net.node("flat", Operation::Reshape, &[x], &[4]);
    let graph = net.read(x, 4);
    assert_eq!(told(&graph, "conv"), "4 of conv.weight 0×2, by head");
    assert_eq!(readers(&graph, "conv"), ["head.weight 0×2"]);
}

fn elementwise(net: &mut Net, inputs: &[ValueId], lengths: &[usize]) -> ValueId {
    let times = Operation::Elementwise { adds: false };
    net.node("times", times, inputs, lengths)
}

#[test]
fn what_meets_place_by_place_is_widened_together() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let [a, b] = ["a", "b"].map(|name| net.linear(name, input, 3, 4));
    let x = elementwise(&mut net, &[a, b], &[4]);
    let graph = net.read(x, 4);
    assert_eq!(
        told(&graph, "a"),
        "4 of a.weight 1×3 + b.weight 1×3, by head"
    );
    // The other operand has no channels.
    let mut net = Net::new();
    let input = net.input(&[4]);
    let a = net.linear("a", input, 4, 4);
    let x = elementwise(&mut net, &[input, a], &[4]);
    let graph = net.read(x, 4);
    assert_eq!(
        frozen(&graph, "a"),
        "`times` joins them to places of fixed number"
    );
    // One number for all.
    let mut net = Net::new();
    let input = net.input(&[4]);
    let a = net.linear("a", input, 4, 4);
    let one = net.input(&[1]);
    let x = elementwise(&mut net, &[a, one], &[4]);
    let graph = net.read(x, 4);
    assert_eq!(told(&graph, "a"), "4 of a.weight 1×4, by head");
}

#[test]
fn broadcast_operands_meet_at_their_last_axes() {
    let mut net = Net::new();
    let input = net.input(&[5, 3]);
    let weight = net.parameter("a.weight", &[3, 4]);
    let x = net.node("a", Operation::Linear, &[input, weight], &[5, 4]);
    let scale = net.parameter("scale", &[4]);
    let x = elementwise(&mut net, &[x, scale], &[5, 4]);
    let shift = net.parameter("shift", &[5, 1]);
    let x = net.sum(x, shift, &[5, 4]);
    let weight = net.parameter("head.weight", &[4, 2]);
    let output = net.node("head", Operation::Linear, &[x, weight], &[5, 2]);
    let graph = net.0.build(&[output]);
    // A number for each channel that multiplies it goes with it, and is no part of θ; a number for
    // each place belongs to no channel.
    assert_eq!(told(&graph, "a"), "4 of a.weight 1×3, by head");
    assert_eq!(roles(&graph, "scale"), "M");
    assert_eq!(grown(&graph, "scale", "a", 9), [9]);
    assert_eq!(grown(&graph, "shift", "a", 9), [5, 1]);
    // A whole table that is added is no bias.
    let mut net = Net::new();
    let input = net.input(&[5, 3]);
    let weight = net.parameter("a.weight", &[3, 4]);
    let x = net.node("a", Operation::Linear, &[input, weight], &[5, 4]);
    let table = net.parameter("table", &[5, 4]);
    let x = net.sum(x, table, &[5, 4]);
    let weight = net.parameter("head.weight", &[4, 2]);
    let output = net.node("head", Operation::Linear, &[x, weight], &[5, 2]);
    let graph = net.0.build(&[output]);
    assert_eq!(told(&graph, "a"), "4 of a.weight 1×3, by head");
    assert_eq!(roles(&graph, "table"), "-M");
}

#[test]
fn weights_keep_their_places_through_a_reshape() {
    // A bias `[4]` spread to `[1, 4, 1, 1]` and added to maps.
    let mut net = Net::new();
    let input = net.input(&[2, 3, 3]);
    let x = net.pointwise("conv", input, 2, 4);
    let bias = net.parameter("conv.bias", &[4]);
    let spread = net.of_parameters("spread", Operation::Reshape, &[bias], &[1, 4, 1, 1]);
    let x = net.sum(x, spread, &[4, 3, 3]);
    let x = net.pointwise("last", x, 4, 2);
    let graph = net.0.build(&[x]);
    assert_eq!(
        told(&graph, "conv"),
        "4 of conv.weight 0×2 + conv.bias 0×1, by last"
    );
    // Axes of length 1 come and go.
    let mut net = Net::new();
    let input = net.input(&[3]);
    let weight = net.parameter("a.weight", &[1, 3, 4]);
    let flat = net.of_parameters("flat", Operation::Reshape, &[weight], &[3, 4]);
    let x = net.node("a", Operation::Linear, &[input, flat], &[4]);
    let graph = net.read(x, 4);
    assert_eq!(told(&graph, "a"), "4 of a.weight 2×3, by head");
    assert_eq!(roles(&graph, "a.weight"), "-RP");
    // One whose axes are cut elsewhere is of both at once.
    let mut net = Net::new();
    let input = net.input(&[3]);
    let weight = net.parameter("a.weight", &[2, 6]);
    let cut = net.of_parameters("cut", Operation::Reshape, &[weight], &[3, 4]);
    let x = net.node("a", Operation::Linear, &[input, cut], &[4]);
    let graph = net.read(x, 4);
    assert!(graph.sites().iter().all(|site| site.name() == "head"));
    // So is one whose axes are joined.
    let mut net = Net::new();
    let input = net.input(&[3]);
    let weight = net.parameter("a.weight", &[3, 2, 2]);
    let flat = net.of_parameters("flat", Operation::Reshape, &[weight], &[3, 4]);
    let x = net.node("a", Operation::Linear, &[input, flat], &[4]);
    let graph = net.read(x, 4);
    assert!(
        graph.sites().iter().all(|site| site.name() == "head"),
        "neither axis can grow alone: {graph}"
    );
}
