//! Surgery: model + plan → wider model, with the optimizer's state carried along; and pruning.

mod edit;
mod optimizer;
mod prune;
mod resolution;

pub use edit::ParamEdits;
pub use optimizer::carry_optimizer;
pub(crate) use optimizer::optimizer_tensors;
pub use prune::keep_channels;
pub(crate) use resolution::Resolution;

use std::collections::HashMap;

use burgeon_core::Plan;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use crate::checkpointing;
use crate::error::NnError;
use crate::layers::{FanInLayout, SiteSpec};
use crate::topology::{Group, Topology};
use edit::{AxisEdit, Offset};

/// Applies `plan` to `model` with step `epsilon`: the copies' parameters are
/// `θ + ε δ_i`, the consumers' columns are multiplied by `w_i`. The parent's place
/// is taken by the first copy, the others are appended.
///
/// Returns the wider model and the edits by which [`carry_optimizer`] widens the
/// optimizer's state. `model` is not changed, running statistics included.
///
/// # Errors
/// [`NnError::Plan`] if the plan does not fit the topology, or splits one channel twice, or
/// if the type of the weights does not resolve a step that is not 0.
pub fn apply_plan<M: Module>(
    model: &M,
    topology: &Topology,
    plan: &Plan,
    epsilon: f64,
) -> Result<(M, ParamEdits), NnError> {
    let edits = plan_edits(topology, plan, epsilon)?;
    Resolution::new(model, topology, plan).check(epsilon)?;
    Ok((apply_edits(model, &edits)?, edits))
}

fn apply_edits<M: Module>(model: &M, edits: &ParamEdits) -> Result<M, NnError> {
    let mut surgeon = Surgeon { edits, error: None };
    let grown = checkpointing::as_in(detached(model).map(&mut surgeon), model);
    match surgeon.error {
        Some(error) => Err(error),
        None => Ok(grown),
    }
}

/// A copy whose running statistics are its own: Burn's clones share them, and
/// mapping a clone would change the original.
pub(crate) fn detached<M: Module>(model: &M) -> M {
    let is_autodiff = model.devices().iter().any(|device| device.is_autodiff());
    if is_autodiff {
        model.valid().train()
    } else {
        model.clone().train().valid()
    }
}

struct Surgeon<'a> {
    edits: &'a ParamEdits,
    error: Option<NnError>,
}

impl ModuleMapper for Surgeon<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !self.edits.contains(param.id) || self.error.is_some() {
            return param;
        }
        let (id, tensor, mapper) = param.consume();
        let tensor = match self.edits.apply_to_tensor(id, tensor.clone()) {
            Ok(edited) => edited,
            Err(error) => {
                self.error = Some(error);
                tensor
            }
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

/// What happens to one group's channels.
struct ChannelMap {
    /// For each new channel, the channel it is a copy of.
    source: Vec<usize>,
    /// For each new channel, its share of the parent's outgoing weight.
    weight: Vec<f64>,
}

fn plan_edits(topology: &Topology, plan: &Plan, epsilon: f64) -> Result<ParamEdits, NnError> {
    plan.validate()?;
    check_channels(topology, plan)?;
    if !epsilon.is_finite() {
        return Err(NnError::Plan(format!("the step ε is {epsilon}")));
    }
    let mut edits = ParamEdits::default();
    let mut maps: HashMap<usize, ChannelMap> = HashMap::new();
    for growth in &plan.growths {
        let index = topology.groups.iter().position(|group| {
            let named = |&node: &usize| topology.nodes[node].name == growth.site;
            !group.consumers.is_empty() && group.members.iter().any(named)
        });
        let site = topology.node(&growth.site).and_then(|node| node.spec.site);
        let (Some(index), Some(site)) = (index, site) else {
            let names: Vec<_> = topology.sites().map(|(name, _)| name).collect();
            return Err(NnError::Plan(format!(
                "the model has no site `{}`; it has {}",
                growth.site,
                names.join(", ")
            )));
        };
        let width = topology.nodes[topology.groups[index].members[0]]
            .spec
            .outputs;
        if growth.neuron >= width {
            return Err(NnError::Plan(format!(
                "site `{}` has {width} neurons, the plan splits neuron {}",
                growth.site, growth.neuron
            )));
        }
        let map = maps.entry(index).or_insert_with(|| ChannelMap {
            source: (0..width).collect(),
            weight: vec![1.0; width],
        });
        let share = map.weight[growth.neuron];
        for (copy, offspring) in growth.offspring.iter().enumerate() {
            if offspring.offset.len() != site.dim {
                return Err(NnError::Plan(format!(
                    "site `{}` has a fan-in of {}, the plan's offset has {} entries",
                    growth.site,
                    site.dim,
                    offspring.offset.len()
                )));
            }
            let channel = if copy == 0 {
                map.weight[growth.neuron] = share * offspring.weight;
                growth.neuron
            } else {
                map.source.push(growth.neuron);
                map.weight.push(share * offspring.weight);
                map.source.len() - 1
            };
            add_offset(&mut edits, &site, channel, &offspring.offset, epsilon);
        }
    }
    for (index, map) in maps {
        widen(&mut edits, topology, &topology.groups[index], &map);
    }
    Ok(edits)
}

/// Refuses a plan that splits a channel twice, at one site or at two that share it: the copies of
/// the second split would not be centred, and the loss would move at order ε.
fn check_channels(topology: &Topology, plan: &Plan) -> Result<(), NnError> {
    let mut split: HashMap<(&str, usize), &str> = HashMap::new();
    for growth in &plan.growths {
        let channels = topology.channels_of(&growth.site).unwrap_or(&growth.site);
        if let Some(other) = split.insert((channels, growth.neuron), &growth.site) {
            return Err(NnError::Plan(format!(
                "`{other}` neuron {neuron} and `{site}` neuron {neuron} are one channel, which a \
                 plan may split once: drop one of them",
                site = growth.site,
                neuron = growth.neuron,
            )));
        }
    }
    Ok(())
}

fn add_offset(
    edits: &mut ParamEdits,
    site: &SiteSpec,
    channel: usize,
    offset: &[f64],
    epsilon: f64,
) {
    let scaled: Vec<f64> = offset.iter().map(|value| epsilon * value).collect();
    let (weights, bias) = scaled.split_at(site.dim - usize::from(site.bias.is_some()));
    let axis = match site.layout {
        FanInLayout::Column => 1,
        FanInLayout::Row => 0,
    };
    edits.offset(
        site.weight,
        Offset {
            axis,
            index: channel,
            values: weights.to_vec(),
        },
    );
    if let Some(id) = site.bias {
        edits.offset(
            id,
            Offset {
                axis: 0,
                index: channel,
                values: bias.to_vec(),
            },
        );
    }
}

fn widen(edits: &mut ParamEdits, topology: &Topology, group: &Group, map: &ChannelMap) {
    for &member in &group.members {
        for param in &topology.nodes[member].spec.channel_params {
            edits.rows(
                param.id,
                AxisEdit {
                    axis: param.axis,
                    source: map.source.clone(),
                    factor: map.weight.clone(),
                },
            );
        }
    }
    for consumer in &group.consumers {
        let Some(mixing) = topology.nodes[consumer.node].spec.mixing else {
            continue;
        };
        let columns = |channel: &usize| {
            let start = channel * consumer.spread;
            start..start + consumer.spread
        };
        let repeat = |weight: &f64| std::iter::repeat_n(*weight, consumer.spread);
        edits.columns(
            mixing.weight,
            AxisEdit {
                axis: mixing.input_axis,
                source: map.source.iter().flat_map(columns).collect(),
                factor: map.weight.iter().flat_map(repeat).collect(),
            },
        );
    }
}
