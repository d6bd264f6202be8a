//! Sites of a single channel, whose axes are as long as those that are broadcast.

use burgeon_graph::{Graph, GraphBuilder, Operation, Role, Size, Smoothness, ValueId};
use burn::module::ParamId;

const BATCH: usize = 2;

/// The axis of samples.
const ROWS: Size = Size {
    per_sample: 1,
    fixed: 0,
};

struct Net(GraphBuilder);

impl Net {
    fn new() -> Self {
        Self(GraphBuilder::new(BATCH))
    }

    fn parameter(&mut self, path: &str, shape: &[usize]) -> ValueId {
        let container = "Linear";
        self.0
            .parameter(ParamId::new(), path, container, shape, true)
    }

    fn node(&mut self, operation: Operation, inputs: &[ValueId], lengths: &[usize]) -> ValueId {
        let sizes = lengths.iter().map(|&length| Size::fixed(length));
        let shape = std::iter::once(ROWS).chain(sizes).collect();
        self.0
            .node("node", operation, Smoothness::Exact, inputs.to_vec(), shape)
    }

    fn elementwise(&mut self, adds: bool, inputs: &[ValueId], lengths: &[usize]) -> ValueId {
        self.node(Operation::Elementwise { adds }, inputs, lengths)
    }

    /// Maps `[b, 1, 3, 3]` that a convolution makes of `[b, 2, 3, 3]`.
    fn maps(&mut self) -> ValueId {
        let input = [ROWS, Size::fixed(2), Size::fixed(3), Size::fixed(3)];
        let input = self.0.input(input.into());
        let weight = self.parameter("conv.weight", &[1, 2, 1, 1]);
        let convolution = Operation::Convolution {
            groups: 1,
            stride: vec![1, 1],
            transposed: false,
        };
        self.node(convolution, &[input, weight], &[1, 3, 3])
    }

    /// Rows `[b, 1]` that a linear layer makes of `[b, 3]`.
    fn rows(&mut self) -> ValueId {
        let input = self.0.input(vec![ROWS, Size::fixed(3)]);
        let weight = self.parameter("linear.weight", &[3, 1]);
        self.node(Operation::MatMul, &[input, weight], &[1])
    }

    /// A linear layer of `inputs` to 2 outputs, which are the model's.
    fn read(mut self, x: ValueId, inputs: usize) -> Graph {
        let weight = self.parameter("head.weight", &[inputs, 2]);
        let output = self.node(Operation::MatMul, &[x, weight], &[2]);
        self.0.build(&[output])
    }
}

/// Name, dimension and frozenness of the first site.
fn first(graph: &Graph) -> (&str, usize, Option<&str>) {
    let site = &graph.sites()[0];
    (site.name(), site.dim(), site.frozen())
}

#[test]
fn a_channel_goes_through_activations_and_a_bias_is_part_of_its_neuron() {
    let mut net = Net::new();
    let rows = net.rows();
    let bias = net.parameter("linear.bias", &[1]);
    let shape = vec![Size::fixed(1), Size::fixed(1)];
    let spread = net.0.node(
        "reshape",
        Operation::Reshape,
        Smoothness::Exact,
        vec![bias],
        shape,
    );
    let sum = net.elementwise(true, &[rows, spread], &[1]);
    let activated = net.elementwise(false, &[sum], &[1]);
    let graph = net.read(activated, 1);
    assert_eq!(first(&graph), ("linear", 4, None));
    let roles = |path: &str| {
        let found = graph.parameters().iter().find(|p| p.path == path);
        found.map(|parameter| parameter.roles.clone())
    };
    assert_eq!(roles("linear.bias"), Some(vec![Some(Role::Bias)]));
    assert_eq!(
        roles("head.weight"),
        Some(vec![Some(Role::Reader), Some(Role::Producer)])
    );
}

#[test]
fn a_channel_of_maps_is_flattened_and_normalised() {
    let mut net = Net::new();
    let maps = net.maps();
    let scale = net.parameter("norm.gamma", &[1]);
    let maps = net.node(Operation::ChannelNorm, &[maps, scale], &[1, 3, 3]);
    let flat = net.node(Operation::Reshape, &[maps], &[9]);
    let graph = net.read(flat, 9);
    assert_eq!(first(&graph), ("conv", 2, None));
    let wider = |group| (group == graph.sites()[0].group()).then_some(3);
    let shapes = graph.parameters().iter().map(|parameter| {
        let axes = parameter.axes.iter();
        let lengths: Vec<usize> = axes.map(|axis| axis.length_with(&wider)).collect();
        (parameter.path.as_str(), lengths)
    });
    let shapes: Vec<_> = shapes.collect();
    let expected = [
        ("conv.weight", vec![3, 2, 1, 1]),
        ("norm.gamma", vec![3]),
        ("head.weight", vec![27, 2]),
    ];
    assert_eq!(shapes, expected);
}

#[test]
fn a_channel_keeps_its_place_among_axes_of_length_one() {
    let mut net = Net::new();
    let maps = net.maps();
    let mean = Operation::Resize { axes: vec![2, 3] };
    let means = net.node(mean, &[maps], &[1, 1, 1]);
    let rows = net.node(Operation::Reshape, &[means], &[1]);
    let graph = net.read(rows, 1);
    assert_eq!(first(&graph), ("conv", 2, None));
}

#[test]
fn a_channel_that_is_repeated_over_others_cannot_grow() {
    let mut net = Net::new();
    let gate = net.rows();
    let other = net.0.input(vec![ROWS, Size::fixed(4)]);
    let gated = net.elementwise(false, &[gate, other], &[4]);
    // It is read besides.
    let head = net.parameter("other.weight", &[1, 4]);
    let read = net.node(Operation::MatMul, &[gate, head], &[4]);
    let sum = net.elementwise(true, &[gated, read], &[4]);
    let graph = net.read(sum, 4);
    let (name, _, frozen) = first(&graph);
    assert_eq!(name, "linear");
    assert!(
        frozen.is_some_and(|reason| reason.contains("repeats")),
        "{frozen:?}"
    );
}

#[test]
fn a_channel_whose_axis_is_taken_away_cannot_grow() {
    let mut net = Net::new();
    let rows = net.rows();
    let squeezed = net.node(Operation::Reshape, &[rows], &[]);
    let back = net.node(Operation::Reshape, &[squeezed], &[1]);
    let graph = net.read(back, 1);
    let (name, _, frozen) = first(&graph);
    assert_eq!(name, "linear");
    assert!(frozen.is_some(), "{graph:?}");
}
