//! A model's layers as cost models see them, and what growths add.

use std::collections::HashMap;

use burgeon_core::{CostModel, LayerKind, LayerShape, MAX_ADDED, Plan, SiteInput};
use burn::module::ParamId;

use crate::error::NnError;
use crate::growable::{Growable, try_predict};
use crate::recording::{self, Passage};
use crate::samples::Samples;
use crate::surgery::detached;
use crate::topology::{Group, Node, Topology};

/// The layers of `model`'s topology, in its order, for inputs like those of `samples`.
///
/// Growable layers tell at how many positions they work in a forward pass of one sample. A
/// linear layer works at one; a normalisation where the channels that it joins are made; a plain
/// convolution like the growable layers that share its input and its output.
///
/// # Errors
/// [`NnError::Topology`] for a plain convolution, of which no position is known, or a growable
/// layer that `predict` does not use; [`NnError::Data`] if the model cannot read the samples.
pub fn layer_shapes<M: Growable>(
    model: &M,
    samples: &Samples<M::Input>,
) -> Result<Vec<LayerShape>, NnError> {
    let topology = model.topology()?;
    let one = samples.subset(&[0])?;
    try_predict(&crate::growable::inference(model), one.inputs().clone()).map_err(|said| {
        NnError::Data(format!(
            "the model cannot read inputs of this shape: {said}"
        ))
    })?;
    let inputs = one.to_autodiff().inputs().clone();
    let frozen = detached(model).freeze();
    let (_, passages) = recording::record(|| frozen.predict(inputs));
    let positions: HashMap<ParamId, [usize; 2]> = passages
        .iter()
        .map(|passage| (passage.weight, positions(passage)))
        .collect();
    let found = topology.nodes.iter().enumerate();
    found
        .map(|(index, node)| layer_shape(&topology, index, node, &positions))
        .collect()
}

/// Input and output positions of one sample.
fn positions(passage: &Passage) -> [usize; 2] {
    let outputs = passage.pre_activation.count();
    match &passage.input {
        SiteInput::Rows(rows) => [rows.dims()[0], outputs],
        SiteInput::Maps(maps, _) | SiteInput::ChannelMaps(maps, _) => {
            let [_, _, height, width] = maps.dims();
            [height * width, outputs]
        }
    }
}

fn layer_shape(
    topology: &Topology,
    index: usize,
    node: &Node,
    positions: &HashMap<ParamId, [usize; 2]>,
) -> Result<LayerShape, NnError> {
    let spec = &node.spec;
    let weight = spec.channel_params.first();
    let known = |node: &Node| {
        let site = node.spec.site.as_ref()?;
        positions.get(&site.weight).copied()
    };
    let unknown = |why: &str| NnError::Topology(format!("`{}` {why}", node.name));
    let (kind, inputs, taps) = match (spec.mixing, weight) {
        (Some(mixing), Some(weight)) => {
            let taps = weight.size / mixing.inputs.max(1);
            (LayerKind::Mixing, mixing.inputs, taps)
        }
        (None, Some(weight)) if spec.site.is_some() => {
            (LayerKind::ChannelWise, spec.outputs, weight.size)
        }
        _ => (LayerKind::ChannelWise, spec.outputs, 0),
    };
    let is_linear = spec.mixing.is_some_and(|mixing| mixing.input_axis == 0);
    let [input_positions, output_positions] = match (spec.site, known(node)) {
        (_, Some(positions)) => positions,
        (Some(_), None) => return Err(unknown("is not used by `predict`")),
        (None, None) if is_linear => [1, 1],
        (None, None) if spec.mixing.is_none() => {
            let group = topology.groups.iter().find(|g| g.members.contains(&index));
            let maker = group.and_then(|group| known(&topology.nodes[group.members[0]]));
            let [_, made] = maker.unwrap_or([1, 1]);
            [made, made]
        }
        (None, None) => beside(topology, index, &known).ok_or_else(|| {
            unknown(
                "is a plain convolution, and no growable layer beside it tells its positions: \
                 put a GrowableConv2d in its place",
            )
        })?,
    };
    let weights = usize::from(taps > 0);
    let extra = spec.channel_params.iter().skip(weights);
    Ok(LayerShape {
        name: node.name.clone(),
        kind,
        inputs,
        outputs: spec.outputs,
        taps,
        extra: extra.filter(|param| param.trained).map(|p| p.size).sum(),
        input_positions,
        output_positions,
    })
}

/// Positions of a plain convolution: it reads what other consumers of its input read, or what
/// the makers of its input give, and gives what is added to it, or what it reads if its window
/// keeps all positions.
fn beside(
    topology: &Topology,
    index: usize,
    known: &impl Fn(&Node) -> Option<[usize; 2]>,
) -> Option<[usize; 2]> {
    let at = |node: &usize| known(&topology.nodes[*node]);
    let reads = |group: &&Group| group.consumers.iter().any(|c| c.node == index);
    let input = topology.groups.iter().find(reads)?;
    let others = input.consumers.iter().find_map(|c| Some(at(&c.node)?[0]));
    let read = others.or_else(|| input.members.iter().find_map(|m| Some(at(m)?[1])))?;
    let tied = topology.groups.iter().find(|g| g.members.contains(&index));
    let given = tied.and_then(|group| group.members.iter().find_map(|m| Some(at(m)?[1])));
    let keeps = topology.nodes[index]
        .spec
        .mixing
        .is_some_and(|m| m.keeps_positions);
    Some([read, given.or(keeps.then_some(read))?])
}

impl Topology {
    /// `layers`, which are this topology's as [`layer_shapes`] gives them, after the growths of
    /// `plan`.
    pub fn grown_shapes(&self, layers: &[LayerShape], plan: &Plan) -> Vec<LayerShape> {
        self.widened_shapes(layers, &self.added_channels(plan))
    }

    /// What one, two and three more channels at `site` add to the cost of `layers`.
    pub fn added_costs(
        &self,
        layers: &[LayerShape],
        model: &dyn CostModel,
        site: &str,
    ) -> [u64; MAX_ADDED] {
        let group = self
            .groups
            .iter()
            .position(|group| group.members.iter().any(|&m| self.nodes[m].name == site));
        let before = model.cost(layers);
        std::array::from_fn(|index| {
            let mut added = vec![0; self.groups.len()];
            if let Some(group) = group {
                added[group] = index + 1;
            }
            let after = model.cost(&self.widened_shapes(layers, &added));
            after.saturating_sub(before)
        })
    }

    /// `layers` with so many more channels in each group.
    fn widened_shapes(&self, layers: &[LayerShape], added: &[usize]) -> Vec<LayerShape> {
        let widened = layers
            .iter()
            .cloned()
            .enumerate()
            .map(|(index, mut layer)| {
                for (group, added) in self.groups.iter().zip(added) {
                    if group.members.contains(&index) {
                        layer.outputs += added;
                        if layer.kind == LayerKind::ChannelWise {
                            layer.inputs += added;
                        }
                    }
                    let reads = group.consumers.iter().filter(|c| c.node == index);
                    layer.inputs += reads.map(|c| c.spread * added).sum::<usize>();
                }
                layer
            });
        widened.collect()
    }
}
