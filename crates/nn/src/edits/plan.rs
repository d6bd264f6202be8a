//! Plans as edits.

use std::collections::{BTreeMap, HashMap};

use burgeon_core::growth::{NewNeuron, Side, Split};
use burgeon_core::{Growth, Plan};
use burgeon_graph::{ChannelMap, Graph, GroupId, Parameter, Role, Site, Slices, Source};
use burn::module::ParamId;

use super::placement::Placement;
use super::places::places;
use super::{Add, Owner, ParamEdits, Primitive, Select, Target, block};
use crate::error::NnError;

/// What a plan adds to one channel.
struct Addition<'p> {
    /// The growth, by its place in the plan.
    growth: usize,
    /// Which neuron of those that the growth makes or moves.
    neuron: usize,
    /// The channel after the plan.
    channel: usize,
    side: Side,
    /// All 0 if empty.
    values: &'p [f64],
    is_scaled: bool,
}

/// What a plan does to one site.
#[derive(Default)]
struct SiteEdit<'p> {
    sources: Vec<Source>,
    additions: Vec<Addition<'p>>,
    removed: Vec<usize>,
    /// The running statistics of new channels.
    statistics: Vec<(usize, &'p [f64])>,
    /// New channels.
    new: usize,
}

impl<'p> SiteEdit<'p> {
    fn of(site: &Site) -> Self {
        Self {
            sources: ChannelMap::identity(site.width()).sources,
            ..Self::default()
        }
    }

    fn split(&mut self, site: &Site, growth: usize, split: &'p Split) -> Result<(), NnError> {
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
            self.additions.push(Addition {
                growth,
                neuron: copy,
                channel,
                side: Side::FanIn,
                values: &offspring.offset,
                is_scaled: true,
            });
        }
        Ok(())
    }

    fn new_neuron(
        &mut self,
        graph: &Graph,
        site: &Site,
        growth: usize,
        new: &'p NewNeuron,
    ) -> Result<(), NnError> {
        let fan_out = graph.fan_out(site).iter().map(|part| part.size).sum();
        // What is not its own weights it takes from the neurons there are, one after the other.
        let like = match new.like {
            Some(like) if like < site.width() => like,
            Some(like) => {
                return Err(NnError::Plan(format!(
                    "site `{}`: a new neuron is to be like neuron {like} of {}",
                    site.name(),
                    site.width()
                )));
            }
            None => (self.sources.len() - site.width()) % site.width(),
        };
        self.sources.push(Source::new_like(like));
        let channel = self.sources.len() - 1;
        self.new += 1;
        if !new.statistics.is_empty() {
            let expected = graph.statistics(site).iter().map(|part| part.size).sum();
            check_length(site, "channel's statistics", expected, &new.statistics)?;
            self.statistics.push((channel, &new.statistics));
        }
        for (side, what, expected, values) in [
            (Side::FanIn, "fan-in", site.dim(), &new.fan_in),
            (Side::FanOut, "fan-out", fan_out, &new.fan_out),
        ] {
            if !values.is_empty() {
                check_length(site, what, expected, values)?;
            }
            self.additions.push(Addition {
                growth,
                neuron: 0,
                channel,
                side,
                values,
                is_scaled: new.scaled == side,
            });
        }
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
        let own = self.additions.iter_mut().map(|own| &mut own.channel);
        for channel in own.chain(self.statistics.iter_mut().map(|own| &mut own.0)) {
            *channel = kept.binary_search(channel).unwrap_or(*channel);
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
/// the others and new neurons are appended. With new layers these are edits of a model that has
/// their blocks.
///
/// # Errors
/// [`NnError::Plan`] or [`NnError::Graph`] that names the growth that does not fit.
pub(crate) fn compile(graph: &Graph, plan: &Plan, epsilon: f64) -> Result<ParamEdits, NnError> {
    let target = Target::of(graph, plan)?;
    Compiled::of(&target, epsilon, false).map(|compiled| compiled.edits)
}

/// A plan as edits.
pub(crate) struct Compiled {
    pub edits: ParamEdits,
    /// Where all numbers of its growths lie, those that are 0 too; empty unless asked for.
    pub placements: Vec<Placement>,
}

impl Compiled {
    /// As [`compile`], with where the growths' numbers lie if they are `placed`.
    pub fn of(target: &Target<'_>, epsilon: f64, placed: bool) -> Result<Self, NnError> {
        let (graph, plan) = (target.graph, &*target.plan);
        plan.validate()?;
        if !epsilon.is_finite() {
            return Err(NnError::Plan(format!("the step ε is {epsilon}")));
        }
        let mut sites: BTreeMap<GroupId, (&Site, SiteEdit)> = BTreeMap::new();
        for (number, growth) in plan.growths().enumerate() {
            if matches!(growth, Growth::NewLayer(_)) {
                continue;
            }
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
                Growth::Split(split) => edit.split(site, number, split)?,
                Growth::NewNeuron(new) => edit.new_neuron(graph, site, number, new)?,
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
        let mut compiled = Self {
            edits,
            placements: Vec::new(),
        };
        for (number, (growth, place)) in plan.growths().zip(&target.places).enumerate() {
            if let (Growth::NewLayer(layer), Some(place)) = (growth, place) {
                let placements = placed.then_some(&mut compiled.placements);
                block::add(&mut compiled.edits, placements, number, layer, place)?;
            }
        }
        for (site, edit) in sites.values() {
            for addition in &edit.additions {
                compiled.add(graph, site, addition, placed);
            }
            compiled.set_statistics(graph, site, edit)?;
        }
        Ok(compiled)
    }

    /// Gives new channels their running statistics.
    fn set_statistics(
        &mut self,
        graph: &Graph,
        site: &Site,
        edit: &SiteEdit<'_>,
    ) -> Result<(), NnError> {
        if edit.statistics.is_empty() {
            return Ok(());
        }
        if edit.statistics.len() != edit.new {
            return Err(NnError::Plan(format!(
                "site `{}`: some of its new neurons have running statistics, others have not",
                site.name()
            )));
        }
        let mut first = 0;
        for part in graph.statistics(site) {
            let parameter = &graph.parameters()[part.parameter];
            let mut entries = Vec::new();
            for (channel, values) in &edit.statistics {
                let own = values.get(first..first + part.size).unwrap_or(&[]);
                let side = Side::FanIn;
                for (number, place) in places(parameter, &self.edits, site, &part, *channel, side) {
                    entries.extend(own.get(number).map(|value| (place, *value)));
                }
            }
            first += part.size;
            let primitives = self.edits.edits.get_mut(&parameter.id);
            if let Some([Primitive::Select(select), Primitive::Add(add)]) =
                primitives.map(Vec::as_mut_slice)
            {
                // New ones start at 0, so that what is added is what they are.
                select.owner = Owner::Makes;
                add.entries.extend(entries);
            }
        }
        Ok(())
    }

    /// Puts the numbers of `addition` where the primitives add them.
    fn add(&mut self, graph: &Graph, site: &Site, addition: &Addition<'_>, placed: bool) {
        let fan_out;
        let parts: &[Slices] = match addition.side {
            Side::FanIn => site.fan_in(),
            Side::FanOut => {
                fan_out = graph.fan_out(site);
                &fan_out
            }
        };
        let mut first = 0;
        for part in parts {
            let own = addition.values.get(first..first + part.size).unwrap_or(&[]);
            let is_zero = own.iter().all(|number| *number == 0.0);
            first += part.size;
            if is_zero && !placed {
                continue;
            }
            let parameter = &graph.parameters()[part.parameter];
            let found = places(
                parameter,
                &self.edits,
                site,
                part,
                addition.channel,
                addition.side,
            );
            let Some(primitives) = self.edits.edits.get_mut(&parameter.id) else {
                continue;
            };
            let select = match addition.side {
                Side::FanIn => primitives.iter().position(|primitive| {
                    matches!(primitive, Primitive::Select(select) if select.axis == part.axis)
                }),
                Side::FanOut => primitives.len().checked_sub(2),
            };
            let Some(primitive) = select.map(|select| select + 1) else {
                continue;
            };
            if let (false, Some(Primitive::Add(to))) = (is_zero, primitives.get_mut(primitive)) {
                let entries = found
                    .iter()
                    .filter_map(|(number, place)| Some((*place, *own.get(*number)?)));
                match addition.is_scaled {
                    true => to.scaled.extend(entries),
                    false => to.entries.extend(entries),
                }
            }
            if placed {
                let base = first - part.size;
                let of_side = |(number, place)| (base + number, place);
                self.placements.push(Placement {
                    growth: addition.growth,
                    neuron: addition.neuron,
                    side: addition.side,
                    parameter: parameter.id,
                    primitive,
                    entries: found.into_iter().map(of_side).collect(),
                });
            }
        }
    }
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
