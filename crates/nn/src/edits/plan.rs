//! Plans as edits.

use std::collections::{BTreeMap, HashMap};

use burgeon_core::growth::{NewNeuron, Side, Split};
use burgeon_core::{Growth, Plan};
use burgeon_graph::{ChannelMap, Graph, GroupId, Parameter, Role, Site, Slices, Source};
use burn::module::ParamId;

use super::{Add, Owner, ParamEdits, Primitive, Select};
use crate::error::NnError;

/// What a plan adds to one channel.
struct Addition {
    /// The channel after the plan.
    channel: usize,
    side: Side,
    values: Vec<f64>,
    is_scaled: bool,
}

/// What a plan does to one site.
#[derive(Default)]
struct SiteEdit {
    sources: Vec<Source>,
    additions: Vec<Addition>,
    removed: Vec<usize>,
}

impl SiteEdit {
    fn of(site: &Site) -> Self {
        Self {
            sources: ChannelMap::identity(site.width()).sources,
            ..Self::default()
        }
    }

    fn add(&mut self, channel: usize, side: Side, values: &[f64], is_scaled: bool) {
        if values.iter().any(|value| *value != 0.0) {
            self.additions.push(Addition {
                channel,
                side,
                values: values.to_vec(),
                is_scaled,
            });
        }
    }

    fn split(&mut self, site: &Site, split: &Split) -> Result<(), NnError> {
        for (copy, offspring) in split.offspring.iter().enumerate() {
            check_length(site, "offset", site.dim(), &offspring.offset)?;
            let source = Source::copied(split.neuron, offspring.weight);
            let channel = if copy == 0 {
                self.sources[split.neuron] = source;
                split.neuron
            } else {
                self.sources.push(source);
                self.sources.len() - 1
            };
            self.add(channel, Side::FanIn, &offspring.offset, true);
        }
        Ok(())
    }

    fn new_neuron(&mut self, graph: &Graph, site: &Site, new: &NewNeuron) -> Result<(), NnError> {
        let fan_out = graph.fan_out(site).iter().map(|part| part.size).sum();
        for (what, expected, values) in [
            ("fan-in", site.dim(), &new.fan_in),
            ("fan-out", fan_out, &new.fan_out),
        ] {
            if !values.is_empty() {
                check_length(site, what, expected, values)?;
            }
        }
        // What is not its own weights it takes from the neurons there are, one after the other.
        let like = (self.sources.len() - site.width()) % site.width();
        self.sources.push(Source::new_like(like));
        let channel = self.sources.len() - 1;
        self.add(channel, Side::FanIn, &new.fan_in, new.scaled == Side::FanIn);
        self.add(
            channel,
            Side::FanOut,
            &new.fan_out,
            new.scaled == Side::FanOut,
        );
        Ok(())
    }

    /// Leaves out the removed channels.
    fn close(&mut self, site: &Site) -> Result<(), NnError> {
        if self.removed.is_empty() {
            return Ok(());
        }
        let kept: Vec<usize> = (0..self.sources.len())
            .filter(|channel| !self.removed.contains(channel))
            .collect();
        if kept.is_empty() {
            return Err(NnError::Plan(format!(
                "the plan removes all neurons of site `{}`",
                site.name()
            )));
        }
        self.sources = kept.iter().map(|channel| self.sources[*channel]).collect();
        for addition in &mut self.additions {
            let place = kept.binary_search(&addition.channel);
            addition.channel = place.unwrap_or(addition.channel);
        }
        Ok(())
    }
}

fn check_length(site: &Site, what: &str, expected: usize, found: &[f64]) -> Result<(), NnError> {
    if found.len() == expected {
        return Ok(());
    }
    Err(NnError::Plan(format!(
        "site `{}` needs {expected} numbers for a {what}, the plan has {}",
        site.name(),
        found.len()
    )))
}

/// The edits that `plan` is on a model of `graph`, with step `epsilon`. Copies' parameters are
/// `θ + ε δ_i`, what reads them is multiplied by `w_i`; the first copy takes the parent's place,
/// the others and new neurons are appended.
///
/// # Errors
/// [`NnError::Plan`] or [`NnError::Graph`] that names the growth that does not fit.
pub(crate) fn compile(graph: &Graph, plan: &Plan, epsilon: f64) -> Result<ParamEdits, NnError> {
    plan.validate()?;
    if !epsilon.is_finite() {
        return Err(NnError::Plan(format!("the step ε is {epsilon}")));
    }
    let mut sites: BTreeMap<GroupId, (&Site, SiteEdit)> = BTreeMap::new();
    for growth in plan.growths() {
        let site = graph.site(growth.site())?;
        let neuron = match growth {
            Growth::Split(split) => Some(split.neuron),
            Growth::Removal(removal) => Some(removal.neuron),
            _ => None,
        };
        if let Some(neuron) = neuron.filter(|neuron| *neuron >= site.width()) {
            return Err(NnError::Plan(format!(
                "site `{}` has {} neurons, the plan changes neuron {neuron}",
                growth.site(),
                site.width(),
            )));
        }
        let edit = sites.entry(site.group());
        let (_, edit) = edit.or_insert_with(|| (site, SiteEdit::of(site)));
        match growth {
            Growth::Split(split) => edit.split(site, split)?,
            Growth::NewNeuron(new) => edit.new_neuron(graph, site, new)?,
            Growth::Removal(removal) => edit.removed.push(removal.neuron),
            other => {
                return Err(NnError::Plan(format!(
                    "a model's surgery does not know this growth: {other}"
                )));
            }
        }
    }
    let mut maps = HashMap::new();
    for (group, (site, edit)) in &mut sites {
        edit.close(site)?;
        let sources = edit.sources.clone();
        maps.insert(*group, ChannelMap { sources });
    }
    let mut edits = select_channels(graph, &maps);
    edits.epsilon = epsilon;
    for (site, edit) in sites.values() {
        for addition in &edit.additions {
            add(graph, &mut edits, site, addition);
        }
    }
    Ok(edits)
}

/// The edits that keep, drop, copy or add channels: of each parameter first what makes channels,
/// with room for what is added there, then what reads them.
pub(crate) fn select_channels(graph: &Graph, maps: &HashMap<GroupId, ChannelMap>) -> ParamEdits {
    let mut edits: HashMap<ParamId, Vec<Primitive>> = HashMap::new();
    for parameter in graph.parameters() {
        let (mut own, mut reads) = (Vec::new(), Vec::new());
        for (axis, sources) in graph.selections(parameter, &|group| maps.get(&group).cloned()) {
            let owner = owner(parameter, axis);
            let select = Primitive::Select(Select {
                axis,
                sources,
                owner,
            });
            match owner {
                Owner::Reads => reads.push(select),
                Owner::Makes | Owner::Belongs => {
                    own.extend([select, Primitive::Add(Add::default())]);
                }
            }
        }
        if !reads.is_empty() {
            reads.push(Primitive::Add(Add::default()));
        }
        own.append(&mut reads);
        if !own.is_empty() {
            edits.insert(parameter.id, own);
        }
    }
    let widths = maps.iter().map(|(group, map)| (*group, map.sources.len()));
    ParamEdits {
        edits,
        widths: widths.collect(),
        epsilon: 0.0,
    }
}

fn owner(parameter: &Parameter, axis: usize) -> Owner {
    match parameter.roles[axis] {
        Some(Role::Reader) => Owner::Reads,
        // All of θ.
        Some(Role::Producer | Role::Bias | Role::Kernel) => Owner::Makes,
        Some(Role::Member) | None => Owner::Belongs,
    }
}

/// Puts the numbers of `addition` where the primitives add them.
fn add(graph: &Graph, edits: &mut ParamEdits, site: &Site, addition: &Addition) {
    let fan_out;
    let parts: &[Slices] = match addition.side {
        Side::FanIn => site.fan_in(),
        Side::FanOut => {
            fan_out = graph.fan_out(site);
            &fan_out
        }
    };
    let mut rest = &addition.values[..];
    for part in parts {
        let (numbers, after) = rest.split_at(part.size.min(rest.len()));
        rest = after;
        if numbers.iter().all(|number| *number == 0.0) {
            continue;
        }
        let parameter = &graph.parameters()[part.parameter];
        let entries = match addition.side {
            Side::FanIn => made(parameter, edits, site, part, addition.channel, numbers),
            Side::FanOut => read(parameter, edits, site, part, addition.channel, numbers),
        };
        let Some(primitives) = edits.edits.get_mut(&parameter.id) else {
            continue;
        };
        let last = match addition.side {
            Side::FanIn => primitives.iter().position(|primitive| {
                matches!(primitive, Primitive::Select(select) if select.axis == part.axis)
            }),
            Side::FanOut => primitives.len().checked_sub(2),
        };
        if let Some(Primitive::Add(to)) = last.and_then(|last| primitives.get_mut(last + 1)) {
            match addition.is_scaled {
                true => to.scaled.extend(entries),
                false => to.entries.extend(entries),
            }
        }
    }
}

/// The entries of a channel where it is made: axes that are read are as they were.
fn made(
    parameter: &Parameter,
    edits: &ParamEdits,
    site: &Site,
    part: &Slices,
    channel: usize,
    numbers: &[f64],
) -> Vec<(usize, f64)> {
    let width = |group: GroupId| edits.widths.get(&group).copied();
    let map = &parameter.axes[part.axis];
    let length = map.length_with(&width);
    let outer: usize = parameter.shape[..part.axis].iter().product();
    let inner: usize = parameter.shape[part.axis + 1..].iter().product();
    let mut numbers = numbers.iter();
    let mut entries = Vec::with_capacity(part.size);
    for place in map.places_with(site.group(), channel, &width) {
        for block in 0..outer {
            for index in 0..inner {
                let at = (block * length + place) * inner + index;
                entries.extend(numbers.next().map(|number| (at, *number)));
            }
        }
    }
    entries
}

/// The entries of a channel where it is read, once everything is selected: copies of what reads it
/// read it as their parent does, new ones do not.
fn read(
    parameter: &Parameter,
    edits: &ParamEdits,
    site: &Site,
    part: &Slices,
    channel: usize,
    numbers: &[f64],
) -> Vec<(usize, f64)> {
    let width = |group: GroupId| edits.widths.get(&group).copied();
    let sources: Vec<Vec<Source>> = (0..parameter.shape.len())
        .map(|axis| {
            let mut selects = edits.selects(parameter.id);
            let select = selects.find(|select| select.axis == axis);
            match select {
                Some(select) => select.sources.clone(),
                None => (0..parameter.shape[axis]).map(Source::kept).collect(),
            }
        })
        .collect();
    let places = parameter.axes[part.axis].places_with(site.group(), channel, &width);
    let (before, after) = (&sources[..part.axis], &sources[part.axis + 1..]);
    let lengths: Vec<usize> = sources.iter().map(Vec::len).collect();
    let inner: usize = lengths[part.axis + 1..].iter().product();
    let shape = &parameter.shape;
    let outer = old_places(before, &shape[..part.axis]);
    let inside = old_places(after, &shape[part.axis + 1..]);
    let old_outer: usize = parameter.shape[..part.axis].iter().product();
    let old_inner: usize = parameter.shape[part.axis + 1..].iter().product();
    let mut entries = Vec::new();
    for (slot, place) in places.iter().enumerate() {
        for (block, old_block) in outer.iter().enumerate() {
            for (index, old_index) in inside.iter().enumerate() {
                let (Some(old_block), Some(old_index)) = (old_block, old_index) else {
                    continue;
                };
                let from = (slot * old_outer + old_block) * old_inner + old_index;
                let at = (block * lengths[part.axis] + place) * inner + index;
                entries.extend(numbers.get(from).map(|number| (at, *number)));
            }
        }
    }
    entries
}

/// For each place over the axes of `sources` together, which had the lengths of `shape`, the old
/// one; `None` where one is new.
fn old_places(sources: &[Vec<Source>], shape: &[usize]) -> Vec<Option<usize>> {
    let mut places = vec![Some(0)];
    for (axis, length) in sources.iter().zip(shape) {
        let mut next = Vec::with_capacity(places.len() * axis.len());
        for place in &places {
            for source in axis {
                let old = place.filter(|_| !source.is_new);
                next.push(old.map(|old| old * length + source.index));
            }
        }
        places = next;
    }
    places
}
