//! Running statistics of new neurons in front of batch normalisations.

use std::collections::HashSet;

use burgeon_core::growth::{Growth, Side};
use burgeon_core::{CostModel, Plan, cost::Macs};
use burgeon_graph::{Graph, GroupId, Site};
use burn::backend::TensorMetadata;
use burn::backend::ir::TensorId;
use burn::tensor::{DType, Tensor};

use crate::cost::grown_shapes;
use crate::error::NnError;
use crate::growable::{Growable, scalar};
use crate::part::{Part, finished};
use crate::ports::Input;
use crate::replay::{Network, NoProbe, Value};
use crate::sites::Grown;

/// `plan` with the statistics that its new neurons have at ε = 0 over all samples of which `part`
/// is this rank's, and the multiply-accumulates that it took to find them. Normalisations of one channel behind
/// each other are measured one after the other.
///
/// # Errors
/// [`NnError::Plan`] or [`NnError::Graph`] where the plan does not fit, [`NnError::Operation`]
/// where the widened network does not run.
pub(crate) fn with_statistics<M: Growable>(
    network: &Network,
    plan: &Plan,
    part: &Part<M::Input>,
) -> Result<(Plan, u64), NnError> {
    let graph = network.trace.graph();
    let mut plan = plan.clone();
    let sites = measured_sites(graph, &plan)?;
    let depth = |site: &&Site| graph.normalisations(site).len();
    let rounds = sites.iter().map(depth).max().unwrap_or(0);
    for site in &sites {
        // Until they are measured: those of a distribution about 0 of spread 1.
        let start: Vec<f64> = graph
            .normalisations(site)
            .iter()
            .flat_map(|(_, means, variances)| {
                std::iter::repeat_n(0.0, means.size).chain(std::iter::repeat_n(1.0, variances.size))
            })
            .collect();
        set(&mut plan, site, |statistics, _| {
            statistics.clone_from(&start)
        });
    }
    let count = part.count;
    let forward = Macs.cost(&grown_shapes(graph, &plan));
    for round in 0..rounds {
        let grown = Grown::new(network, &plan)?.at(0.0);
        let mut sums: Vec<Sums> = sites
            .iter()
            .filter_map(|site| Sums::of(&plan, &grown, site, round))
            .collect();
        let kept: HashSet<TensorId> = sums.iter().map(|sums| sums.read).collect();
        let mut shards = part.sums();
        for batch in &part.batches {
            let inputs = batch.inputs().clone().into_values();
            let keep = |id| kept.contains(&id);
            let (_, values) = grown.run(&inputs, batch.len(), &keep, &mut NoProbe)?;
            for sums in &mut sums {
                if let Some(value) = values.get(&sums.read) {
                    sums.add(value.clone())?;
                }
            }
            if let Some(shards) = &mut shards {
                let numbers = sums.iter_mut().flat_map(Sums::numbers);
                shards.push(numbers.map(std::mem::take).collect());
            }
        }
        if let Some(shards) = shards {
            let found = finished(shards)?;
            let numbers = sums.iter_mut().flat_map(Sums::numbers);
            numbers
                .zip(found)
                .for_each(|(number, found)| *number = found);
        }
        for sums in sums {
            sums.write(&mut plan);
        }
    }
    let passes = (rounds as u64).saturating_mul(count as u64);
    Ok((plan, forward.saturating_mul(passes)))
}

/// The sites with batch normalisations whose new neurons compute something at ε = 0.
fn measured_sites<'g>(graph: &'g Graph, plan: &Plan) -> Result<Vec<&'g Site>, NnError> {
    let mut sites: Vec<&Site> = Vec::new();
    let mut starting: HashSet<GroupId> = HashSet::new();
    for growth in plan.growths() {
        let Growth::NewNeuron(new) = growth else {
            continue;
        };
        let site = graph.site(&new.site)?;
        if new.scaled == Side::FanIn {
            starting.insert(site.group());
        }
        if !graph.statistics(site).is_empty() && sites.iter().all(|own| own.name() != site.name()) {
            sites.push(site);
        }
    }
    sites.retain(|site| !starting.contains(&site.group()));
    Ok(sites)
}

/// Does something to the statistics of each new neuron of a site, with its number.
fn set(plan: &mut Plan, site: &Site, mut change: impl FnMut(&mut Vec<f64>, usize)) {
    let growths = plan.growths.iter_mut().map(|planned| &mut planned.growth);
    let new = growths.filter_map(|growth| match growth {
        Growth::NewNeuron(new) if new.site == site.name() => Some(new),
        _ => None,
    });
    for (number, new) in new.enumerate() {
        change(&mut new.statistics, number);
    }
}

/// The channels of a site's new neurons after the plan: copies and new neurons are appended in
/// their order, and what is removed leaves no gap.
fn new_channels(plan: &Plan, site: &Site) -> Vec<usize> {
    let mut next = site.width();
    let (mut new, mut removed) = (Vec::new(), 0);
    for growth in plan.growths().filter(|own| own.site() == site.name()) {
        match growth {
            Growth::Split(split) => next += split.offspring.len().saturating_sub(1),
            Growth::NewNeuron(_) => {
                new.push(next);
                next += 1;
            }
            Growth::Removal(_) => removed += 1,
            _ => {}
        }
    }
    new.iter()
        .map(|channel| channel.saturating_sub(removed))
        .collect()
}

/// Sums at the places of a site's new channels where a normalisation reads them.
struct Sums<'g> {
    site: &'g Site,
    read: TensorId,
    /// Where the first of its statistics is.
    first: usize,
    /// For each new channel its places.
    places: Vec<Vec<usize>>,
    /// For each place of each new channel the sums of values and of squares.
    sums: Vec<Vec<(f64, f64)>>,
    rows: f64,
}

impl<'g> Sums<'g> {
    /// For normalisation number `round` of `site`, if it has so many.
    fn of(plan: &Plan, grown: &Network, site: &'g Site, round: usize) -> Option<Self> {
        let trace = &*grown.trace;
        let graph = trace.graph();
        let all = graph.normalisations(site);
        let (index, means, _) = all.get(round)?;
        let before = all.iter().take(round);
        let first = before
            .map(|(_, means, variances)| means.size + variances.size)
            .sum();
        let read = trace.operations[*index].inputs().next()?.id;
        let width = |group: GroupId| grown.widths.get(&group).copied();
        let map = &graph.parameters()[means.parameter].axes[means.axis];
        let channels = new_channels(plan, site).into_iter();
        let places: Vec<Vec<usize>> = channels
            .map(|channel| map.places_with(site.group(), channel, &width))
            .collect();
        Some(Self {
            site,
            read,
            first,
            sums: places
                .iter()
                .map(|own| vec![(0.0, 0.0); own.len()])
                .collect(),
            places,
            rows: 0.0,
        })
    }

    /// Adds values `[b, c, ..]`.
    fn add(&mut self, value: Value) -> Result<(), NnError> {
        let shape: Vec<usize> = value.shape().iter().copied().collect();
        let [b, c] = [0, 1].map(|axis| shape.get(axis).copied().unwrap_or(1));
        let inner = shape.iter().skip(2).product();
        let value = Tensor::<1>::from_dispatch(value).reshape([b, c, inner]);
        self.rows += (b * inner) as f64;
        for (places, sums) in self.places.iter().zip(&mut self.sums) {
            for (place, (sum, square)) in places.iter().zip(sums) {
                let own = value.clone().narrow(1, *place, 1).cast(DType::F64);
                *sum += scalar::<f64>(own.clone().sum().try_into_scalar())?;
                *square += scalar::<f64>(own.square().sum().try_into_scalar())?;
            }
        }
        Ok(())
    }

    /// All that is summed.
    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        let sums = self.sums.iter_mut().flatten();
        let sums = sums.flat_map(|(sum, square)| [sum, square]);
        sums.chain(std::iter::once(&mut self.rows))
    }

    /// Puts what was found into the plan.
    fn write(self, plan: &mut Plan) {
        let rows = self.rows.max(1.0);
        set(plan, self.site, |statistics, number| {
            let Some(sums) = self.sums.get(number) else {
                return;
            };
            for (place, (sum, square)) in sums.iter().enumerate() {
                let mean = sum / rows;
                let variance = (square / rows - mean * mean).max(0.0);
                let at = self.first + place;
                if let Some(own) = statistics.get_mut(at) {
                    *own = mean;
                }
                if let Some(own) = statistics.get_mut(at + sums.len()) {
                    *own = variance;
                }
            }
        });
    }
}
