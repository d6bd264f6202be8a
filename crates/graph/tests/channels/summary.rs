//! A graph as text, and what its layers cost.

use burgeon_graph::{Operation, Size, Smoothness};

use crate::net::{Net, ROWS, convolution};

#[test]
fn a_row_for_each_layer() {
    let mut net = Net::new();
    let input = net.input(&[2, 5, 5]);
    let weight = net.parameter("conv.weight", &[3, 2, 3, 3]);
    let bias = net.parameter("conv.bias", &[3]);
    let x = net.node(
        "convolution",
        convolution(1, false),
        &[input, weight, bias],
        &[3, 5, 5],
    );
    let statistics = ["mean", "variance"].map(|name| net.still(&format!("norm.{name}"), &[3]));
    let scales = ["gamma", "beta"].map(|name| net.parameter(&format!("norm.{name}"), &[3]));
    let inputs = [x, scales[0], scales[1], statistics[0], statistics[1]];
    let x = net.node("norm", Operation::ChannelNorm, &inputs, &[3, 5, 5]);
    let x = net.node("flatten", Operation::Reshape, &[x], &[75]);
    let graph = net.read(x, 75);
    // 3·5·5 numbers of 2·9 products each; 2 of 75.
    let lines = [
        "layer  operation    output        parameters  MACs  grows",
        "conv   convolution  [b, 3, 5, 5]          57  1350  grows as `conv`",
        "norm   norm         [b, 3, 5, 5]           6     0  grows as `conv`",
        "head   head         [b, 2]               150   150  `head` is frozen: it is the model's output",
        "213 trained parameters, 1500 MACs a sample",
    ];
    assert_eq!(graph.to_string(), lines.join("\n"));
}

#[test]
fn a_transposed_convolution_multiplies_what_it_reads() {
    let mut net = Net::new();
    let input = net.input(&[2, 4, 4]);
    let weight = net.parameter("up.weight", &[2, 3, 2, 2]);
    let up = Operation::Convolution {
        groups: 1,
        stride: vec![2, 2],
        transposed: true,
    };
    let x = net.node("up", up, &[input, weight], &[3, 8, 8]);
    let graph = net.0.build(&[x]);
    // 2·4·4 numbers that are read, times 3·2·2.
    let text = graph.to_string();
    assert!(
        text.ends_with("24 trained parameters, 384 MACs a sample"),
        "{text}"
    );
}

#[test]
fn sizes_are_told_by_the_batch_and_parameters_once() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let weight = net.parameter("a.weight", &[3, 4]);
    for (per_sample, fixed) in [(1, 0), (2, 0), (2, 3), (1, -1), (0, 2)] {
        let shape = vec![Size { per_sample, fixed }, Size::fixed(4)];
        let inputs = vec![input, weight];
        net.0
            .node("a", Operation::Linear, Smoothness::Exact, inputs, shape);
    }
    let turned = Operation::Permute { axes: vec![1, 0] };
    net.of_parameters("turn", turned, &[weight], &[4, 3]);
    let text = net.0.build(&[]).to_string();
    let shapes: Vec<&str> = text
        .lines()
        .filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0))
        .collect();
    // The turned weight is no row of its own.
    assert_eq!(shapes, ["b, 4", "2b, 4", "2b+3, 4", "1b-1, 4", "2, 4"]);
    let counts: Vec<&str> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split(']').nth(1)?.split_whitespace().next())
        .collect();
    assert_eq!(counts, ["12", "0", "0", "0", "0"]);
}

#[test]
fn lengths_follow_from_the_batch() {
    let size = |per_sample, fixed| Size { per_sample, fixed };
    assert_eq!(size(3, 2).at(4), 14);
    assert_eq!(size(3, -2).at(4), 10);
    assert_eq!(size(1, -5).at(4), 0);
    assert_eq!(size(0, 7).at(4), 7);
    assert_eq!(Size::fixed(6), size(0, 6));
    assert_eq!(ROWS.at(5), 5);
}
