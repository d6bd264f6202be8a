//! The choice under a staircase against all choices.

#[path = "common/candidates.rs"]
mod candidates;

use std::sync::Arc;

use burgeon_core::growth::{Gain, Side};
use burgeon_core::select::{Room, Selector, TileFilling, WidthPrice};
use burgeon_core::{Candidate, CoreError, Scheme};
use proptest::prelude::*;

/// A chain of layers between sites, whose tiles of outputs and of inputs multiply, as an
/// accelerator counts them.
#[derive(Debug)]
struct Tiles {
    ends: [usize; 2],
    outputs: usize,
    inputs: usize,
}

impl WidthPrice for Tiles {
    fn cost(&self, widths: &[(String, usize)]) -> Option<u64> {
        let own = widths.iter().map(|(_, width)| *width);
        let chain: Vec<usize> = [self.ends[0]]
            .into_iter()
            .chain(own)
            .chain([self.ends[1]])
            .collect();
        let tiles = chain
            .windows(2)
            .map(|pair| pair[0].div_ceil(self.inputs) * pair[1].div_ceil(self.outputs));
        Some(tiles.sum::<usize>() as u64)
    }
}

fn split(site: usize, neuron: usize, gain: f64) -> Candidate {
    candidates::split(&format!("site{site}"), neuron, Scheme::Positive2)
        .with_gain(Gain::second(gain))
        .with_score(gain)
}

/// The most value of any subset that the price lets through.
fn brute_force(all: &[Candidate], price: &Tiles, widths: &[(String, usize)], most: u64) -> f64 {
    let mut best = 0.0_f64;
    for subset in 0..1_u32 << all.len() {
        let taken = || {
            all.iter()
                .enumerate()
                .filter(|(at, _)| subset >> at & 1 == 1)
        };
        let mut grown = widths.to_vec();
        for (_, candidate) in taken() {
            let own = grown
                .iter_mut()
                .find(|(name, _)| name == candidate.growth.site());
            own.expect("a site").1 += 1;
        }
        if price.cost(&grown).expect("known") <= most {
            best = best.max(taken().map(|(_, candidate)| candidate.value()).sum());
        }
    }
    best
}

proptest! {
    #[test]
    fn choices_are_the_best_of_all(
        widths in prop::collection::vec(1_usize..9, 1..4),
        gains in prop::collection::vec((0_usize..3, 1_u32..1000), 0..11),
        (outputs, inputs) in (1_usize..6, 1_usize..6),
        budget in 0_u64..12,
    ) {
        let sites = widths.len();
        let price = Tiles { ends: [3, 10], outputs, inputs };
        let widths: Vec<(String, usize)> =
            widths.into_iter().enumerate().map(|(at, width)| (format!("site{at}"), width)).collect();
        // Sums of eighths are exact in any order.
        let all: Vec<Candidate> = gains
            .iter()
            .enumerate()
            .map(|(neuron, (site, gain))| split(site % sites, neuron, f64::from(*gain) / 8.0))
            .collect();
        let most = price.cost(&widths).expect("known") + budget;
        let expected = brute_force(&all, &price, &widths, most);
        let room = Room { widths: widths.clone(), cost: Some(budget) };
        let selector = TileFilling::new(Arc::new(price));
        let chosen = selector.select(all.clone(), &room).expect("selects");
        prop_assert_eq!(chosen.iter().map(Candidate::value).sum::<f64>(), expected);
        let mut grown = widths.clone();
        for candidate in &chosen {
            let own = grown.iter_mut().find(|(name, _)| name == candidate.growth.site());
            own.expect("a site").1 += 1;
        }
        let price = Tiles { ends: [3, 10], outputs, inputs };
        prop_assert!(price.cost(&grown).expect("known") <= most);
        // With no branch allowed the greedy start stands, and fits too.
        let greedy = selector.with_most_branches(0).select(all, &room).expect("selects");
        let value: f64 = greedy.iter().map(Candidate::value).sum();
        prop_assert!(value <= expected);
    }
}

#[test]
fn a_tile_is_filled_and_no_more() -> Result<(), CoreError> {
    let price = Tiles {
        ends: [4, 4],
        outputs: 4,
        inputs: 4,
    };
    let all: Vec<Candidate> = (0..6).map(|neuron| split(0, neuron, 1.0)).collect();
    let selector = TileFilling::new(Arc::new(price));
    assert_eq!(selector.name(), "tile-filling");
    let count = |width: usize, cost| {
        let room = Room {
            widths: vec![("site0".into(), width)],
            cost,
        };
        Ok::<_, CoreError>(selector.select(all.clone(), &room)?.len())
    };
    // Up to 8 for nothing; from there a tile before and one behind, of four each.
    assert_eq!(count(5, Some(0))?, 3);
    assert_eq!(count(8, Some(0))?, 0);
    assert_eq!(count(8, Some(1))?, 0);
    assert_eq!(count(8, Some(2))?, 4);
    assert_eq!(count(8, None)?, 6);
    Ok(())
}

#[test]
fn one_growth_for_each_channel_and_none_without_worth() -> Result<(), CoreError> {
    let price = Arc::new(Tiles {
        ends: [4, 4],
        outputs: 4,
        inputs: 4,
    });
    let site = candidates::site("site0", 5);
    let fresh = Candidate::new_neuron(&site, vec![1.0], Vec::new(), Side::FanOut);
    let all = vec![
        split(0, 0, 1.0),
        split(0, 0, 2.0),
        split(0, 1, f64::NAN),
        split(0, 2, -1.0),
        fresh.with_gain(Gain::first(0.5)),
    ];
    let room = Room {
        widths: vec![("site0".into(), 5)],
        cost: Some(0),
    };
    let selector = TileFilling::new(price);
    let chosen = selector.select(all.clone(), &room)?;
    let values: Vec<f64> = chosen.iter().map(Candidate::value).collect();
    assert_eq!(values, [2.0, 0.5]);
    let channels: Vec<Option<(&str, usize)>> = chosen.iter().map(candidates::channel).collect();
    assert_eq!(channels, [Some(("site0", 0)), None]);
    // A site that the room does not know.
    let other = Room {
        widths: vec![("site1".into(), 5)],
        cost: Some(0),
    };
    assert!(matches!(
        selector.select(all, &other),
        Err(CoreError::Solver { .. })
    ));
    Ok(())
}

/// Channels of the first site cost 4 each, pairs of the second's 3.
#[derive(Debug)]
struct Pairs;

impl WidthPrice for Pairs {
    fn cost(&self, widths: &[(String, usize)]) -> Option<u64> {
        Some((4 * widths[0].1 + 3 * widths[1].1.div_ceil(2)) as u64)
    }
}

#[test]
fn the_greedy_start_fills_up_what_is_worth_most_for_its_cost() -> Result<(), CoreError> {
    let all: Vec<Candidate> = [(0, 0, 5.0), (0, 1, 1.0)]
        .into_iter()
        .chain((0..4).map(|neuron| (1, neuron, 2.0)))
        .map(|(site, neuron, gain)| split(site, neuron, gain))
        .collect();
    let chosen = |budget, branches| {
        let room = Room {
            widths: vec![("site0".into(), 1), ("site1".into(), 1)],
            cost: Some(budget),
        };
        let selector = TileFilling::new(Arc::new(Pairs)).with_most_branches(branches);
        let chosen = selector.select(all.clone(), &room)?;
        let values = chosen.iter().map(Candidate::value);
        Ok::<Vec<f64>, CoreError>(values.collect())
    };
    // One is free. Two more are worth 4/3 each unit of cost, the other site's one 5/4.
    assert_eq!(chosen(0, 0)?, [2.0]);
    assert_eq!(chosen(3, 0)?, [2.0, 2.0, 2.0]);
    assert_eq!(chosen(4, 0)?, [2.0, 2.0, 2.0]);
    assert_eq!(chosen(7, 0)?, [5.0, 2.0, 2.0, 2.0]);
    // What is had already does not count.
    let rich = [(0, 0, 9.0), (1, 0, 100.0), (1, 1, 2.0), (1, 2, 2.0)];
    let rich = rich.map(|(site, neuron, gain)| split(site, neuron, gain));
    let room = Room {
        widths: vec![("site0".into(), 1), ("site1".into(), 1)],
        cost: Some(4),
    };
    let greedy = TileFilling::new(Arc::new(Pairs)).with_most_branches(0);
    let values = greedy.select(rich.to_vec(), &room)?;
    let values: Vec<f64> = values.iter().map(Candidate::value).collect();
    assert_eq!(values, [100.0, 9.0]);
    // The search is better once it may look at two branches.
    assert_eq!(chosen(4, 1)?, [2.0, 2.0, 2.0]);
    assert_eq!(chosen(4, 2)?, [5.0, 2.0]);
    assert_eq!(chosen(4, 200_000)?, [5.0, 2.0]);
    Ok(())
}
