//! Plans as edits.

use std::collections::{HashMap, HashSet};

use burgeon_core::Plan;
use burgeon_graph::{ChannelMap, Graph, GroupId, Role, Site};
use burn::module::ParamId;

use super::{Edit, OwnEdit, ParamEdits, Select};
use crate::error::NnError;

/// Numbers added to channels of a group: the place of the part of θ, the new channel, and the
/// part's numbers.
type Offsets = Vec<(usize, usize, Vec<f64>)>;

/// The edits that `plan` is on a model of `graph`, with step `epsilon`: the copies' parameters are
/// `θ + ε δ_i`, what reads them is multiplied by `w_i`. The first copy takes the parent's place,
/// the others are appended.
///
/// # Errors
/// [`NnError::Plan`] or [`NnError::Graph`] that names the growth that does not fit.
pub(crate) fn compile(graph: &Graph, plan: &Plan, epsilon: f64) -> Result<ParamEdits, NnError> {
    plan.validate()?;
    if !epsilon.is_finite() {
        return Err(NnError::Plan(format!("the step ε is {epsilon}")));
    }
    let mut maps: HashMap<GroupId, ChannelMap> = HashMap::new();
    let mut offsets: HashMap<GroupId, Offsets> = HashMap::new();
    let mut split = HashSet::new();
    for growth in &plan.growths {
        let site = graph.site(&growth.site)?;
        if growth.neuron >= site.width() {
            return Err(NnError::Plan(format!(
                "site `{}` has {} neurons, the plan splits neuron {}",
                growth.site,
                site.width(),
                growth.neuron
            )));
        }
        if !split.insert((site.group(), growth.neuron)) {
            return Err(NnError::Plan(format!(
                "the plan splits neuron {} of site `{}` twice: a channel is split once",
                growth.neuron, growth.site
            )));
        }
        let map = maps
            .entry(site.group())
            .or_insert_with(|| ChannelMap::identity(site.width()));
        for (copy, offspring) in growth.offspring.iter().enumerate() {
            if offspring.offset.len() != site.dim() {
                return Err(NnError::Plan(format!(
                    "site `{}` has a fan-in of {}, the plan's offset has {} entries",
                    growth.site,
                    site.dim(),
                    offspring.offset.len()
                )));
            }
            let channel = if copy == 0 {
                map.factor[growth.neuron] = offspring.weight;
                growth.neuron
            } else {
                map.source.push(growth.neuron);
                map.factor.push(offspring.weight);
                map.source.len() - 1
            };
            let mut rest = &offspring.offset[..];
            for (index, part) in site.fan_in().iter().enumerate() {
                let (numbers, after) = rest.split_at(part.size);
                rest = after;
                if numbers.iter().any(|number| *number != 0.0) {
                    let of_site = offsets.entry(site.group()).or_default();
                    of_site.push((index, channel, numbers.to_vec()));
                }
            }
        }
    }
    let mut edits = select_channels(graph, &maps);
    edits.epsilon = epsilon;
    for site in graph.growable() {
        for (part, channel, numbers) in offsets.remove(&site.group()).unwrap_or_default() {
            add_offset(graph, &mut edits, site, part, channel, &numbers);
        }
    }
    Ok(edits)
}

/// The edits that keep, drop or copy channels.
pub(crate) fn select_channels(graph: &Graph, maps: &HashMap<GroupId, ChannelMap>) -> ParamEdits {
    let mut edits: HashMap<ParamId, Edit> = HashMap::new();
    for parameter in graph.parameters() {
        let mut edit = Edit::default();
        for (axis, places) in graph.selections(parameter, &|group| maps.get(&group).cloned()) {
            let (source, factor) = places.into_iter().unzip();
            let select = Select {
                axis,
                source,
                factor,
            };
            if parameter.roles[axis] == Some(Role::Reader) {
                edit.reads.push(select);
            } else {
                let added = Vec::new();
                edit.own.push(OwnEdit { select, added });
            }
        }
        if edit != Edit::default() {
            edits.insert(parameter.id, edit);
        }
    }
    let widths = maps.iter().map(|(group, map)| (*group, map.source.len()));
    ParamEdits {
        edits,
        widths: widths.collect(),
        epsilon: 0.0,
    }
}

fn add_offset(
    graph: &Graph,
    edits: &mut ParamEdits,
    site: &Site,
    part: usize,
    channel: usize,
    numbers: &[f64],
) {
    let part = &site.fan_in()[part];
    let parameter = &graph.parameters()[part.parameter];
    let widths = edits.widths.clone();
    let width = |group: GroupId| widths.get(&group).copied();
    let map = &parameter.axes[part.axis];
    let length = map.length_with(&width);
    // Axes that are read are widened after what channels own, so they are as they were.
    let outer: usize = parameter.shape[..part.axis].iter().product();
    let inner: usize = parameter.shape[part.axis + 1..].iter().product();
    let mut numbers = numbers.iter();
    let mut added = Vec::with_capacity(part.size);
    for place in map.places_with(site.group(), channel, &width) {
        for block in 0..outer {
            for index in 0..inner {
                let at = (block * length + place) * inner + index;
                added.extend(numbers.next().map(|number| (at, *number)));
            }
        }
    }
    if let Some(edit) = edits.edits.get_mut(&parameter.id) {
        let own = edit.own.iter_mut().find(|own| own.select.axis == part.axis);
        if let Some(own) = own {
            own.added.extend(added);
        }
    }
}
