//! What fills the tiles of an accelerator.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use super::{Room, Selector, most_valuable, within};
use crate::candidate::Candidate;
use crate::error::CoreError;

/// What a network costs at any widths of its sites: a staircase where hardware works by tiles.
/// Wider is never cheaper.
pub trait WidthPrice: Debug + Send + Sync {
    /// The cost with these widths, by site; `None` for a site that is not known.
    fn cost(&self, widths: &[(String, usize)]) -> Option<u64>;
}

/// The choice of most value under a price that rises in steps (our own; we know of nobody who
/// published it).
///
/// An accelerator of Tm outputs at a time takes as long for one more neuron as for all up to the
/// next multiple of Tm: they are free until there, and the next one costs a step. And the price of
/// a layer's tiles is a product of both of its widths. Candidates priced one by one tell neither:
/// here widths are priced together, by the network that would come of them.
///
/// Of each site the most valuable candidates are taken first, so that a choice is how many of each
/// site. It is found by branch and bound from a greedy start that fills tile after tile by value for
/// cost; where a bound on branches ends it, the best choice so far stands. With one channel for
/// each candidate it is the best of all choices unless that bound is met. Without a budget, all
/// that gain.
#[derive(Debug, Clone)]
pub struct TileFilling {
    price: Arc<dyn WidthPrice>,
    most_branches: usize,
}

impl TileFilling {
    /// Under `price`.
    pub fn new(price: Arc<dyn WidthPrice>) -> Self {
        Self {
            price,
            most_branches: 200_000,
        }
    }

    /// With another bound on branches.
    #[must_use]
    pub fn with_most_branches(mut self, branches: usize) -> Self {
        self.most_branches = branches;
        self
    }
}

impl Selector for TileFilling {
    fn name(&self) -> &str {
        "tile-filling"
    }

    /// # Errors
    /// [`CoreError::Solver`] where the price does not know a site.
    fn select(&self, candidates: Vec<Candidate>, room: &Room) -> Result<Vec<Candidate>, CoreError> {
        // Prices of single candidates say nothing here; claims do.
        let open = Room {
            cost: None,
            ..room.clone()
        };
        let candidates = within(most_valuable(candidates, &open), &open);
        let Some(budget) = room.cost else {
            return Ok(candidates);
        };
        let count = candidates.len();
        let mut sites: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
        for candidate in candidates {
            let site = candidate.growth.site().to_owned();
            sites.entry(site).or_default().push(candidate);
        }
        let before = self.price.cost(&room.widths);
        let known = |site: &String| room.widths.iter().position(|(name, _)| name == site);
        let at: Option<Vec<usize>> = sites.keys().map(known).collect();
        let (Some(before), Some(at)) = (before, at) else {
            return Err(CoreError::Solver {
                candidates: count,
                reason: "the price of widths does not know all sites of the candidates: make it \
                         for this network"
                    .into(),
            });
        };
        let ladders: Vec<Ladder> = sites.values().map(|own| Ladder::of(own)).collect();
        let mut filling = Filling {
            price: self.price.as_ref(),
            widths: &room.widths,
            at: &at,
            ladders: &ladders,
            most: before.saturating_add(budget),
            branches: self.most_branches,
            best: vec![0; ladders.len()],
        };
        filling.fill(before);
        let value = filling.value(&filling.best);
        filling.branch(&mut vec![0; ladders.len()], 0, value);
        let best = filling.best;
        let chosen = sites.into_values().zip(best).flat_map(|(mut own, taken)| {
            own.truncate(taken);
            own
        });
        let mut chosen: Vec<Candidate> = chosen.collect();
        chosen.sort_by(|a, b| b.value().total_cmp(&a.value()));
        Ok(chosen)
    }
}

/// Of one site: values and channels of the first so many candidates.
#[derive(Debug)]
struct Ladder {
    values: Vec<f64>,
    channels: Vec<isize>,
}

impl Ladder {
    fn of(candidates: &[Candidate]) -> Self {
        let (mut values, mut channels) = (vec![0.0], vec![0]);
        let (mut value, mut added) = (0.0, 0_isize);
        for candidate in candidates {
            value += candidate.value();
            added = added.saturating_add(candidate.growth.channels_added());
            values.push(value);
            channels.push(added);
        }
        Self { values, channels }
    }

    fn len(&self) -> usize {
        self.values.len() - 1
    }
}

/// The search for how many candidates of each site.
struct Filling<'a> {
    price: &'a dyn WidthPrice,
    widths: &'a [(String, usize)],
    /// Where each ladder's site is among the widths.
    at: &'a [usize],
    ladders: &'a [Ladder],
    most: u64,
    branches: usize,
    best: Vec<usize>,
}

impl Filling<'_> {
    fn value(&self, taken: &[usize]) -> f64 {
        let pairs = self.ladders.iter().zip(taken);
        pairs.map(|(ladder, taken)| ladder.values[*taken]).sum()
    }

    fn cost(&self, taken: &[usize]) -> u64 {
        let mut widths = self.widths.to_vec();
        for ((ladder, at), taken) in self.ladders.iter().zip(self.at).zip(taken) {
            let width = &mut widths[*at].1;
            *width = width.saturating_add_signed(ladder.channels[*taken]);
        }
        self.price.cost(&widths).unwrap_or(u64::MAX)
    }

    /// The most that can be taken of `site` beside the others in `taken` for `most`.
    fn reach(&self, taken: &[usize], site: usize, most: u64) -> usize {
        let mut tried = taken.to_vec();
        let (mut fits, mut beyond) = (taken[site], self.ladders[site].len() + 1);
        while beyond - fits > 1 {
            let middle = fits + (beyond - fits) / 2;
            tried[site] = middle;
            match self.cost(&tried) <= most {
                true => fits = middle,
                false => beyond = middle,
            }
        }
        fits
    }

    /// The greedy start: what is free, and then step after step the one of most value for its cost.
    fn fill(&mut self, before: u64) {
        let mut taken = self.best.clone();
        let mut cost = before;
        loop {
            for site in 0..taken.len() {
                taken[site] = self.reach(&taken, site, cost);
            }
            let mut next: Option<(f64, Vec<usize>, u64)> = None;
            for site in 0..taken.len() {
                if taken[site] == self.ladders[site].len() {
                    continue;
                }
                let mut tried = taken.clone();
                tried[site] += 1;
                let step = self.cost(&tried);
                if step > self.most {
                    continue;
                }
                tried[site] = self.reach(&tried, site, step);
                let gain = self.value(&tried) - self.value(&taken);
                let worth = gain / (step - cost).max(1) as f64;
                if next.as_ref().is_none_or(|(most, ..)| worth > *most) {
                    next = Some((worth, tried, step));
                }
            }
            let Some((_, step, price)) = next else { break };
            (taken, cost) = (step, price);
        }
        self.best = taken;
    }

    /// All choices for the sites from `site` on that can be worth more than `least`; returns the
    /// value of the best choice.
    fn branch(&mut self, taken: &mut Vec<usize>, site: usize, mut least: f64) -> f64 {
        if site == taken.len() {
            let value = self.value(taken);
            // A price that falls somewhere is met by this.
            if value > least && self.cost(taken) <= self.most {
                self.best.clone_from(taken);
                return value;
            }
            return least;
        }
        // What each later site could have beside nothing of the others: never less than it will.
        let bound: f64 = (site + 1..taken.len())
            .map(|later| self.ladders[later].values[self.reach(taken, later, self.most)])
            .sum();
        let reach = self.reach(taken, site, self.most);
        for count in (0..=reach).rev() {
            if self.branches == 0 {
                break;
            }
            self.branches -= 1;
            taken[site] = count;
            if self.value(taken) + bound <= least {
                break;
            }
            least = self.branch(taken, site + 1, least);
        }
        taken[site] = 0;
        least
    }
}
