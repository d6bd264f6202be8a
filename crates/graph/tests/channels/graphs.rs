//! What a graph says of its parameters and sites.

use burgeon_graph::{
    ChannelMap, Graph, GraphError, GroupId, Operation, Role, Size, Slices, Source, ValueId,
};

use crate::net::{Net, ROWS, convolution, frozen, named, roles};

/// A convolution that is normalised, flattened and read; the value of its maps.
fn normalised() -> (Graph, ValueId) {
    let mut net = Net::new();
    let input = net.input(&[2, 3, 3]);
    let weight = net.parameter("conv.weight", &[4, 2, 1, 1]);
    let bias = net.parameter("conv.bias", &[4]);
    let x = net.node(
        "conv",
        convolution(1, false),
        &[input, weight, bias],
        &[4, 3, 3],
    );
    let gamma = net.parameter("norm.gamma", &[4]);
    let beta = net.parameter("norm.beta", &[4]);
    let mean = net.still("norm.mean", &[4]);
    let variance = net.still("norm.variance", &[4]);
    let inputs = [x, gamma, beta, mean, variance];
    let maps = net.node("norm", Operation::ChannelNorm, &inputs, &[4, 3, 3]);
    let x = net.node("flat", Operation::Reshape, &[maps], &[36]);
    (net.read(x, 36), maps)
}

fn part(graph: &Graph, path: &str, axis: usize, size: usize) -> Slices {
    let parameter = graph.parameters().iter().position(|p| p.path == path);
    Slices {
        parameter: parameter.expect("a parameter"),
        axis,
        size,
    }
}

#[test]
fn the_statistics_of_a_site_are_those_of_its_normalisations() {
    let (graph, _) = normalised();
    let site = named(&graph, "conv");
    let mean = part(&graph, "norm.mean", 0, 1);
    let variance = part(&graph, "norm.variance", 0, 1);
    assert_eq!(
        graph.normalisations(site),
        [(1, mean.clone(), variance.clone())]
    );
    assert_eq!(graph.statistics(site), [mean, variance]);
    assert_eq!(graph.normalisations(named(&graph, "head")), []);
    assert_eq!(roles(&graph, "norm.gamma"), "M");
    assert_eq!(roles(&graph, "norm.mean"), "M");
    // Running statistics are not trained, which holds nothing.
    assert_eq!(frozen(&graph, "conv"), "it can grow");
}

#[test]
fn a_normalisation_of_joined_sites_is_of_neither_alone() {
    let mut net = Net::new();
    let input = net.input(&[3, 3, 3]);
    let parts = ["a", "b"].map(|name| net.pointwise(name, input, 3, 2));
    let x = net.node(
        "join",
        Operation::Concatenate { axis: 1 },
        &parts,
        &[4, 3, 3],
    );
    let mut inputs = vec![x];
    for name in ["gamma", "beta", "mean", "variance"] {
        inputs.push(net.still(&format!("norm.{name}"), &[4]));
    }
    let x = net.node("norm", Operation::ChannelNorm, &inputs, &[4, 3, 3]);
    let x = net.pointwise("last", x, 4, 2);
    let graph = net.0.build(&[x]);
    for name in ["a", "b"] {
        assert_eq!(graph.statistics(named(&graph, name)), []);
        assert_eq!(frozen(&graph, name), "it can grow");
    }
}

#[test]
fn slices_are_where_a_channel_lies() {
    let (graph, _) = normalised();
    let site = named(&graph, "conv");
    let numbers = |parts: &[Slices], channel| -> Vec<Vec<usize>> {
        let parts = parts.iter();
        parts.map(|part| graph.slice(site, part, channel)).collect()
    };
    assert_eq!(numbers(site.fan_in(), 3), [vec![6, 7], vec![3]]);
    let fan_out = graph.fan_out(site);
    assert_eq!(fan_out, [part(&graph, "head.weight", 0, 18)]);
    // Nine rows of two numbers.
    let expected: Vec<usize> = (36..54).collect();
    assert_eq!(numbers(&fan_out, 2), [expected]);
    // Columns of a matrix are apart.
    let head = named(&graph, "head");
    let column: Vec<usize> = (0..36).map(|row| 2 * row + 1).collect();
    assert_eq!(graph.slice(head, &head.fan_in()[0], 1), column);
    assert_eq!(graph.fan_out(head), []);
    assert_eq!(head.dim(), 36);
}

#[test]
fn sizes_follow_from_widths() {
    let (graph, maps) = normalised();
    let group = named(&graph, "conv").group();
    let wider = |found: GroupId| (found == group).then_some(6);
    assert_eq!(graph.shape(maps, 5, &|_| None), [5, 4, 3, 3]);
    assert_eq!(graph.shape(maps, 5, &wider), [5, 6, 3, 3]);
    // Weights, bias, γ, β and 9 rows of the head for each channel.
    assert_eq!(graph.parameter_count(&|_| None), 8 + 4 + 8 + 72);
    assert_eq!(graph.parameter_count(&wider), 12 + 6 + 12 + 108);
    let weight = &graph.parameters()[0];
    assert_eq!(
        (weight.size_with(&|_| None), weight.size_with(&wider)),
        (8, 12)
    );
    assert_eq!(
        graph.sizes(maps),
        [ROWS, Size::fixed(4), Size::fixed(3), Size::fixed(3)]
    );
    assert_eq!(graph.axes(maps)[1].plain(), Some(group));
    assert_eq!(graph.widths(), [("conv".to_owned(), 4)]);
    assert_eq!(group.index(), 0);
}

#[test]
fn selections_are_of_the_axes_that_change() {
    let (graph, _) = normalised();
    let group = named(&graph, "conv").group();
    let sources = vec![Source::kept(0), Source::copied(3, 0.5)];
    let map = ChannelMap { sources };
    let change = |found: GroupId| (found == group).then(|| map.clone());
    let selected = |path: &str| {
        let parameter = graph.parameters().iter().find(|p| p.path == path);
        graph.selections(parameter.expect("a parameter"), &change)
    };
    assert_eq!(selected("conv.weight"), [(0, map.sources.clone())]);
    assert_eq!(selected("norm.mean"), [(0, map.sources.clone())]);
    let [(0, rows)] = &selected("head.weight")[..] else {
        panic!("the rows alone change");
    };
    let expected: Vec<Source> = (0..9)
        .map(Source::kept)
        .chain((27..36).map(|row| Source::copied(row, 0.5)))
        .collect();
    assert_eq!(*rows, expected);
    assert!(
        graph
            .selections(&graph.parameters()[0], &|_| None)
            .is_empty()
    );
}

#[test]
fn parameters_are_found_by_value_and_by_name() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let weight = net.parameter("body.a.weight", &[4, 3]);
    let turned = Operation::Permute { axes: vec![1, 0] };
    let turned = net.of_parameters("turn", turned, &[weight], &[3, 4]);
    let again = net.of_parameters("same", Operation::Reshape, &[turned], &[3, 4]);
    let times = Operation::Elementwise { adds: false };
    let product = net.of_parameters("times", times, &[weight, weight], &[4, 3]);
    let x = net.node("a", Operation::Linear, &[input, again], &[4]);
    let held = net.0.constant(vec![Size::fixed(4)]);
    let last = net.parameter("scale", &[4]);
    let x = net.node(
        "scaled",
        Operation::Elementwise { adds: false },
        &[x, last],
        &[4],
    );
    let graph = net.0.build(&[x]);
    let path = |value| graph.parameter_of(value).map(|p| p.path.as_str());
    for value in [weight, turned, again] {
        assert_eq!(path(value), Some("body.a.weight"));
    }
    for value in [input, product, x, held] {
        assert_eq!(path(value), None);
    }
    let own: Vec<bool> = graph
        .nodes()
        .iter()
        .map(|node| graph.is_of_parameters(node))
        .collect();
    assert_eq!(own, [true, true, false, false, false]);
    let parameter = &graph.parameters()[0];
    assert_eq!(
        (parameter.layer(), parameter.container.as_str()),
        ("body.a", "Kind")
    );
    assert_eq!(graph.parameters()[1].layer(), "");
    let found = graph.parameter(parameter.id).map(|p| p.path.as_str());
    assert_eq!(found, Some("body.a.weight"));
    assert!(graph.parameter(burn::module::ParamId::new()).is_none());
    // Operations are of the layer whose parameters they read, or that they follow.
    let layers: Vec<&str> = graph
        .nodes()
        .iter()
        .map(|node| node.layer.as_str())
        .collect();
    assert_eq!(layers, ["body.a", "body.a", "body.a", "body.a", ""]);
}

#[test]
fn a_site_is_found_or_it_is_said_why_not() {
    let (mut graph, _) = normalised();
    assert_eq!(graph.site("conv").map(|site| site.width()), Ok(4));
    let unknown = GraphError::UnknownSite {
        site: "stem".into(),
        known: vec!["conv".into()],
    };
    assert_eq!(graph.site("stem").err(), Some(unknown));
    let held = graph.site("head").err();
    let frozen = |site: &str, reason: &str| GraphError::Frozen {
        site: site.into(),
        reason: reason.into(),
    };
    assert_eq!(held, Some(frozen("head", "it is the model's output")));
    let group = named(&graph, "conv").group();
    graph.freeze(group, "asked");
    graph.freeze(group, "asked again");
    assert_eq!(graph.site("conv").err(), Some(frozen("conv", "asked")));
    assert_eq!(graph.growable().count(), 0);
    assert_eq!(graph.widths(), []);
}

#[test]
fn what_is_held_keeps_its_number() {
    let build = |axis: Option<usize>| {
        let mut net = Net::new();
        let input = net.input(&[3]);
        let x = net.linear("a", input, 3, 4);
        net.0.hold(x, axis, "it is shown");
        net.read(x, 4)
    };
    assert_eq!(frozen(&build(None), "a"), "it is shown");
    assert_eq!(frozen(&build(Some(1)), "a"), "it is shown");
    assert_eq!(frozen(&build(Some(0)), "a"), "it can grow");
}

#[test]
fn a_parameter_that_is_not_trained_holds_its_channels() {
    for (path, expected) in [
        ("a.weight", "its parameter `a.weight` is frozen"),
        ("a.bias", "its parameter `a.bias` is frozen"),
        ("head.weight", "its parameter `head.weight` is frozen"),
        ("scale", "it can grow"),
    ] {
        let mut net = Net::new();
        let input = net.input(&[3]);
        let parameter = |net: &mut Net, own: &str, shape: &[usize]| match own == path {
            true => net.still(own, shape),
            false => net.parameter(own, shape),
        };
        let weight = parameter(&mut net, "a.weight", &[3, 4]);
        let bias = parameter(&mut net, "a.bias", &[4]);
        let x = net.node("a", Operation::Linear, &[input, weight, bias], &[4]);
        let scale = parameter(&mut net, "scale", &[4]);
        let times = Operation::Elementwise { adds: false };
        let x = net.node("times", times, &[x, scale], &[4]);
        let head = parameter(&mut net, "head.weight", &[4, 2]);
        let x = net.node("head", Operation::Linear, &[x, head], &[2]);
        let graph = net.0.build(&[x]);
        assert_eq!(frozen(&graph, "a"), expected);
        assert_eq!(graph.parameters()[2].roles, [Some(Role::Member)]);
    }
}

#[test]
fn a_site_that_nobody_reads_is_held() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    net.linear("dead", input, 3, 4);
    let x = net.linear("a", input, 3, 4);
    let graph = net.read(x, 4);
    assert_eq!(frozen(&graph, "dead"), "no layer reads it");
    assert_eq!(frozen(&graph, "a"), "it can grow");
}
