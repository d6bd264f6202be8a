//! What a model's layers, and growing them, cost.

use burgeon_core::growth::NewLayer;
use burgeon_core::{
    CostModel, Geometry, Growth, LayerKind, LayerShape, MAX_ADDED, Plan, PlannedGrowth,
};
use burgeon_graph::{Graph, GroupId, Node, Operation, Parameter, Place, Role, Smoothness, ValueId};

use crate::error::NnError;
use crate::growable::Growable;
use crate::samples::Samples;
use crate::trace::traced;

/// The widths that groups have; `None` where a group is as it was traced.
type Widths<'a> = &'a dyn Fn(GroupId) -> Option<usize>;

/// The layers of `model` for one sample like those of `samples`, in the order in which they are
/// used: whatever has parameters. A layer that is used several times (shared, or over time) is
/// one layer that works at more positions.
///
/// # Errors
/// As [`trace`](crate::trace()).
pub fn layer_shapes<M: Growable>(
    model: &M,
    samples: &Samples<M::Input>,
) -> Result<Vec<LayerShape>, NnError> {
    Ok(graph_layers(traced(model, samples)?.graph()))
}

/// [`layer_shapes`] of a model of which the graph is known.
pub fn graph_layers(graph: &Graph) -> Vec<LayerShape> {
    shapes(graph, &|_| None)
}

/// The graph in which the growths of `plan` are: over-grown where it has new layers.
fn graph_of<'a>(graph: &'a Graph, plan: &Plan) -> &'a Graph {
    let is_deeper = plan.growths().any(|g| matches!(g, Growth::NewLayer(_)));
    let deeper = graph.overgrown().filter(|_| is_deeper);
    deeper.unwrap_or(graph)
}

/// Whether `plan` puts a block at a place.
fn takes(plan: &Plan, place: &Place) -> bool {
    plan.growths().any(|growth| match growth {
        Growth::NewLayer(layer) => layer.stack == place.stack && layer.after == place.after,
        _ => false,
    })
}

fn shapes(graph: &Graph, width: Widths<'_>) -> Vec<LayerShape> {
    let mut layers: Vec<LayerShape> = Vec::new();
    for node in graph.nodes() {
        let Some(shape) = layer_shape(graph, node, width) else {
            continue;
        };
        match layers.iter_mut().find(|layer| layer.name == shape.name) {
            Some(known) if known.taps == shape.taps && known.kind == shape.kind => {
                known.input_positions += shape.input_positions;
                known.output_positions += shape.output_positions;
            }
            // A layer of several weights (attention) has a shape for each.
            Some(_) => layers.push(LayerShape {
                name: format!("{}#{}", shape.name, layers.len()),
                ..shape
            }),
            None => layers.push(shape),
        }
    }
    layers
}

fn layer_shape(graph: &Graph, node: &Node, width: Widths<'_>) -> Option<LayerShape> {
    if graph.is_of_parameters(node) {
        return None;
    }
    let shape = |value: ValueId| graph.shape(value, 1, width);
    let numbers = |value: ValueId| shape(value).iter().product::<usize>();
    let own: Vec<&Parameter> = node
        .inputs
        .iter()
        .filter_map(|v| graph.parameter_of(*v))
        .collect();
    let weight = *own.first()?;
    let lengths: Vec<usize> = weight
        .axes
        .iter()
        .map(|axis| axis.length_with(width))
        .collect();
    let biases = |name: &str| {
        let of_layer = graph.parameters().iter().filter(|p| p.layer() == name);
        of_layer
            .filter(|p| p.trained && p.roles.contains(&Some(Role::Bias)))
            .count()
    };
    let output = numbers(node.output);
    let input = numbers(*node.inputs.first()?);
    let (kind, inputs, outputs, taps, extra) = match &node.operation {
        Operation::Linear | Operation::MatMul => {
            let extra = biases(weight.layer());
            (LayerKind::Mixing, lengths[0], *lengths.get(1)?, 1, extra)
        }
        Operation::Convolution {
            groups, transposed, ..
        } => {
            let taps = lengths.get(2..)?.iter().product();
            let extra = biases(weight.layer());
            match (groups, transposed) {
                (2.., false) if lengths[1] == 1 => {
                    (LayerKind::ChannelWise, lengths[0], lengths[0], taps, extra)
                }
                (_, false) => (LayerKind::Mixing, lengths[1], lengths[0], taps, extra),
                (_, true) => (LayerKind::Mixing, lengths[0], lengths[1], taps, extra),
            }
        }
        // A table is read, not multiplied.
        Operation::Embedding => (LayerKind::ChannelWise, 1, *lengths.get(1)?, 0, lengths[0]),
        // A bias, in whatever shape, is counted with the product of its layer.
        _ if weight.roles.contains(&Some(Role::Bias)) => return None,
        _ => {
            let trained = own.iter().filter(|p| p.trained);
            let all: u64 = trained.map(|p| p.size_with(width)).sum();
            let channels = weight.axes.iter().zip(&lengths);
            let channels = channels.filter(|(axis, _)| axis.has_channels());
            let channels: usize = channels.map(|(_, n)| *n).product::<usize>().max(1);
            let channels = match weight.axes.iter().any(|axis| axis.has_channels()) {
                true => channels,
                false => lengths.iter().product::<usize>().max(1),
            };
            let extra = usize::try_from(all).unwrap_or(usize::MAX) / channels;
            (LayerKind::ChannelWise, channels, channels, 0, extra)
        }
    };
    let (input_positions, output_positions) = (input / inputs.max(1), output / outputs.max(1));
    let geometry = match &node.operation {
        Operation::Convolution {
            groups,
            stride,
            transposed,
        } => Geometry {
            kernel: plane(lengths.get(2..)?),
            // A transposed convolution steps over what it writes, not over what it reads.
            stride: if *transposed { [1, 1] } else { plane(stride) },
            input: plane(shape(*node.inputs.first()?).get(2..)?),
            output: plane(shape(node.output).get(2..)?),
            groups: match kind {
                LayerKind::Mixing => *groups,
                LayerKind::ChannelWise => outputs,
            },
        },
        _ => Geometry {
            input: [1, input_positions],
            output: [1, output_positions],
            ..Geometry::default()
        },
    };
    Some(LayerShape {
        name: match weight.layer() {
            "" => weight.path.clone(),
            layer => layer.to_owned(),
        },
        kind,
        inputs,
        outputs,
        taps,
        extra,
        input_positions,
        output_positions,
        geometry,
    })
}

/// Sizes along any number of axes as `[rows, columns]`, all but the last one together.
fn plane(sizes: &[usize]) -> [usize; 2] {
    match sizes.split_last() {
        Some((columns, rows)) => [rows.iter().product(), *columns],
        None => [1, 1],
    }
}

/// The layers of a model of `graph` after the growths of `plan`.
pub fn grown_shapes(graph: &Graph, plan: &Plan) -> Vec<LayerShape> {
    let of = graph_of(graph, plan);
    let widths = grown_widths(of, plan);
    let mut layers = shapes(of, &|group| widths.get(group.index()).copied());
    let places = graph.places().iter();
    let left_out: Vec<&Place> = places.filter(|place| !takes(plan, place)).collect();
    layers.retain(|layer| !left_out.iter().any(|place| place.holds(&layer.name)));
    layers
}

/// The layers of a model of `graph` with these widths of its sites, by name, and others as they
/// were; `None` for a site that it does not have.
pub(crate) fn shapes_with_widths(
    graph: &Graph,
    widths: &[(String, usize)],
) -> Option<Vec<LayerShape>> {
    let mut all: Vec<usize> = graph.sites().iter().map(|site| site.width()).collect();
    for (site, width) in widths {
        all[graph.site(site).ok()?.group().index()] = *width;
    }
    Some(shapes(graph, &|group| all.get(group.index()).copied()))
}

/// What one, two and three more channels at `site` add to the cost by `model`.
pub fn added_costs(graph: &Graph, model: &dyn CostModel, site: &str) -> [u64; MAX_ADDED] {
    let before = model.cost(&graph_layers(graph));
    std::array::from_fn(|index| {
        let after = match graph.site(site) {
            Ok(site) => shapes(graph, &|group| {
                (group == site.group()).then(|| site.width() + index + 1)
            }),
            Err(_) => return 0,
        };
        model.cost(&after).saturating_sub(before)
    })
}

/// Trained parameters that one more channel at `site` adds: its own slices,
/// those of all that belongs to it, and what reads it. 0 where there is no such site.
pub fn cost_per_neuron(graph: &Graph, site: &str) -> u64 {
    let Ok(site) = graph.site(site) else {
        return 0;
    };
    let wider = |group| (group == site.group()).then(|| site.width() + 1);
    graph
        .parameter_count(&wider)
        .saturating_sub(graph.parameter_count(&|_| None))
}

/// Trained parameters that `plan` adds, exactly: layers that widen on both
/// sides are counted with their new corner.
pub fn parameters_added(graph: &Graph, plan: &Plan) -> u64 {
    let of = graph_of(graph, plan);
    let widths = grown_widths(of, plan);
    let width = |group: GroupId| widths.get(group.index()).copied();
    let places = graph.places().iter();
    let left_out: Vec<&Place> = places.filter(|place| !takes(plan, place)).collect();
    let counts = |parameter: &&Parameter| {
        parameter.trained && !left_out.iter().any(|place| place.holds(&parameter.path))
    };
    let kept = of.parameters().iter().filter(counts);
    let after: u64 = kept.map(|parameter| parameter.size_with(&width)).sum();
    after.saturating_sub(graph.parameter_count(&|_| None))
}

/// What a block at `place` adds to the cost by `model`, to the number of trained parameters if
/// `None`.
pub fn place_cost(graph: &Graph, model: Option<&dyn CostModel>, place: &Place) -> u64 {
    let plan = Plan {
        criterion: String::new(),
        growths: vec![PlannedGrowth {
            growth: Growth::NewLayer(NewLayer {
                stack: place.stack.clone(),
                after: place.after,
                opening: Vec::new(),
                closing: Vec::new(),
            }),
            gain: None,
            price: 0,
        }],
    };
    match model {
        None => parameters_added(graph, &plan),
        Some(model) => {
            let after = model.cost(&grown_shapes(graph, &plan));
            after.saturating_sub(model.cost(&graph_layers(graph)))
        }
    }
}

/// Whether the predicted gain of a split at `site` is exact to O(ε³): all that lies between its
/// producers and what mixes its channels is differentiated exactly. Behind max pooling it is exact
/// below the gap between the largest values only, and behind a kink (ReLU) a surrogate stands for
/// the curvature: neither counts as exact.
pub fn predicts_exactly(graph: &Graph, site: &str) -> bool {
    let site = graph.site(site);
    site.is_ok_and(|site| site.smoothness() == Smoothness::Exact)
}

/// Drops growths from the plan's end until the grown network has at most `budget`
/// parameters: candidates are priced one by one, but a neuron in each of two
/// neighbouring layers also adds the weight between them.
pub fn fit_budget(graph: &Graph, plan: &mut Plan, parameters: u64, budget: u64) {
    while parameters + parameters_added(graph, plan) > budget && drop_last_addition(plan) {}
}

/// Drops the last growth that adds anything; `false` if there is none.
fn drop_last_addition(plan: &mut Plan) -> bool {
    let adds = |planned: &PlannedGrowth| planned.growth.is_addition();
    let last = plan.growths.iter().rposition(adds);
    if let Some(last) = last {
        plan.growths.remove(last);
    }
    last.is_some()
}

/// As [`fit_budget`], for a cost model's `budget`.
pub fn fit_cost_budget(graph: &Graph, plan: &mut Plan, model: &dyn CostModel, budget: u64) {
    while model.cost(&grown_shapes(graph, plan)) > budget && drop_last_addition(plan) {}
}

/// The widths of all groups after `plan`.
pub(crate) fn grown_widths(graph: &Graph, plan: &Plan) -> Vec<usize> {
    let mut widths: Vec<usize> = graph.sites().iter().map(|site| site.width()).collect();
    for growth in plan.growths() {
        if let Ok(site) = graph.site(growth.site()) {
            let width = &mut widths[site.group().index()];
            *width = width.saturating_add_signed(growth.channels_added());
        }
    }
    widths
}
