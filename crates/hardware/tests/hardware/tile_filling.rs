//! Growth under the price of an engine, against all choices there are.

use std::sync::Arc;

use burgeon_core::Candidate;
use burgeon_core::growth::{Gain, Growth, NewNeuron, Side};
use burgeon_core::select::{Room, Selector, TileFilling, WidthPrice};
use burgeon_hardware::engine::{ConvolutionEngine, Ports, Tiling};
use burgeon_hardware::{HardwareError, NetworkCycles};

use crate::networks::conv;

/// Four convolutions between three sites, on one engine.
#[derive(Debug)]
struct Chain(ConvolutionEngine);

impl WidthPrice for Chain {
    fn cost(&self, widths: &[(String, usize)]) -> Option<u64> {
        let own = widths.iter().map(|(_, width)| *width);
        let chain: Vec<usize> = [3].into_iter().chain(own).chain([10]).collect();
        let layers: Vec<_> = chain
            .windows(2)
            .map(|pair| conv([pair[0], pair[1]], 3, 1, [8, 8]))
            .collect();
        Some(NetworkCycles::of(&self.0, &layers).ok()?.total as u64)
    }
}

fn new_neuron(site: usize, gain: f64) -> Candidate {
    let growth = Growth::NewNeuron(NewNeuron {
        site: format!("site{site}"),
        fan_in: vec![1.0],
        fan_out: Vec::new(),
        scaled: Side::FanOut,
        statistics: Vec::new(),
        like: None,
    });
    Candidate {
        growth,
        gain: Some(Gain::first(gain)),
        score: gain,
        price: 1,
    }
}

#[test]
fn tiles_of_an_engine_are_filled_as_well_as_can_be() -> Result<(), HardwareError> {
    let ports = Ports::new([8, 8, 8])?;
    let engine = ConvolutionEngine::new(Tiling::new([4, 4, 8, 8])?, ports, 3)?;
    let price = Chain(engine);
    let widths: Vec<(String, usize)> = [5, 4, 7]
        .iter()
        .enumerate()
        .map(|(at, width)| (format!("site{at}"), *width))
        .collect();
    let gains = [0.5, 0.875, 0.25, 0.625, 1.0, 0.125, 0.75, 0.375, 0.9375];
    let all: Vec<Candidate> = gains
        .iter()
        .enumerate()
        .map(|(at, gain)| new_neuron(at % 3, *gain))
        .collect();
    let before = price.cost(&widths).expect("runs");
    let step = 9 * 64;
    let mut values = Vec::new();
    for budget in [0, step / 4, step, 2 * step, 5 * step, 20 * step] {
        let mut expected = 0.0_f64;
        for subset in 0..1_u32 << all.len() {
            let taken = || {
                all.iter()
                    .enumerate()
                    .filter(|(at, _)| subset >> at & 1 == 1)
            };
            let mut grown = widths.clone();
            taken().for_each(|(at, _)| grown[at % 3].1 += 1);
            if price.cost(&grown).expect("runs") <= before + budget {
                expected = expected.max(taken().map(|(_, candidate)| candidate.value()).sum());
            }
        }
        let room = Room {
            widths: widths.clone(),
            cost: Some(budget),
        };
        let selector = TileFilling::new(Arc::new(Chain(price.0.clone())));
        let chosen = selector.select(all.clone(), &room).expect("selects");
        let value: f64 = chosen.iter().map(Candidate::value).sum();
        assert_eq!(value, expected, "with {budget} cycles");
        values.push(value);
    }
    assert!(values.is_sorted() && values[0] < values[5]);
    Ok(())
}
