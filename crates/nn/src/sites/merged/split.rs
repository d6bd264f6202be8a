//! The split neurons of a site as tensors' numbers: along which directions copies move, and how
//! they are weighted.

use std::collections::HashSet;

use burgeon_core::growth::Split;
use burgeon_core::scheme::Offspring;
use burgeon_ops::{CopyOfEach, NeuronCopies};

/// The share of a linear layer's neurons from which on all are gone through: they have one value
/// each, and gathering many would take longer.
const MANY: f64 = 0.2;

/// The split neurons of one site.
pub(super) struct SplitNeurons {
    /// Which are split.
    pub split: Vec<usize>,
    /// The directions `[d]`: the first one of each neuron of `copies`, the second ones, and so on.
    pub directions: Vec<Vec<f64>>,
    /// The split neurons' copies; where all are gone through, the others have themselves as the
    /// only copy.
    pub copies: NeuronCopies,
}

impl SplitNeurons {
    /// `splits` of a site of `width` neurons of `dim` entries each; `None` where one does not
    /// fit.
    pub fn of(splits: &[&Split], width: usize, dim: usize, is_linear: bool) -> Option<Self> {
        let mut seen = HashSet::new();
        let fits = |split: &Split| {
            let mut offsets = split.offspring.iter().map(|copy| copy.offset.len());
            split.neuron < width && offsets.all(|length| length == dim)
        };
        if !splits.iter().all(|g| fits(g) && seen.insert(g.neuron)) {
            return None;
        }
        let split: Vec<usize> = splits.iter().map(|split| split.neuron).collect();
        let mut neurons = split.clone();
        let mut placed: Vec<Placed> = splits.iter().map(|split| Placed::of(split)).collect();
        if is_linear && split.len() as f64 >= MANY * width as f64 {
            let mut all: Vec<Placed> = (0..width).map(|_| Placed::at_rest()).collect();
            for (neuron, placed) in split.iter().zip(placed) {
                all[*neuron] = placed;
            }
            placed = all;
            neurons = (0..width).collect();
        }
        let most = |of: &dyn Fn(&Placed) -> usize| placed.iter().map(of).max().unwrap_or(0);
        let directions = most(&|neuron| neuron.directions.len());
        let copies = most(&|neuron| neuron.copies.len());
        let direction = |index: usize| {
            let of_neuron = move |neuron: &Placed| neuron.directions.get(index).cloned();
            let all = placed.iter();
            all.map(move |neuron| of_neuron(neuron).unwrap_or_else(|| vec![0.0; dim]))
        };
        Some(Self {
            split,
            directions: (0..directions).flat_map(direction).collect(),
            copies: NeuronCopies {
                neurons,
                directions,
                copies: (0..copies)
                    .map(|index| copy_of_each(&placed, index, directions))
                    .collect(),
            },
        })
    }
}

/// Copy number `index` of each neuron; one that a neuron does not have weighs 0.
fn copy_of_each(placed: &[Placed], index: usize, directions: usize) -> CopyOfEach {
    let copies = placed.iter();
    let copies = copies.map(|neuron| neuron.copies.get(index).copied().unwrap_or_default());
    let copies: Vec<PlacedCopy> = copies.collect();
    let along = |direction: usize| {
        copies.iter().map(move |copy| match copy.direction {
            own if own == direction => copy.step,
            _ => 0.0,
        })
    };
    CopyOfEach {
        weights: copies.iter().map(|copy| copy.weight).collect(),
        steps: (0..directions).flat_map(along).collect(),
    }
}

/// One neuron's copies along as few directions as they need.
struct Placed {
    directions: Vec<Vec<f64>>,
    copies: Vec<PlacedCopy>,
}

#[derive(Clone, Copy, Default)]
struct PlacedCopy {
    weight: f64,
    direction: usize,
    /// 1, −1, or 0 where it rests.
    step: f64,
}

impl Placed {
    /// A neuron that is not split.
    fn at_rest() -> Self {
        let copy = PlacedCopy {
            weight: 1.0,
            ..PlacedCopy::default()
        };
        Self {
            directions: Vec::new(),
            copies: vec![copy],
        }
    }

    fn of(split: &Split) -> Self {
        let mut directions: Vec<Vec<f64>> = Vec::new();
        let place = |Offspring { weight, offset }: &Offspring| {
            let (direction, step) = place(&mut directions, offset);
            PlacedCopy {
                weight: *weight,
                direction,
                step,
            }
        };
        let copies = split.offspring.iter().map(place).collect();
        Self { directions, copies }
    }
}

/// The place of `offset` among `directions`, where it or its opposite may stand already, and
/// its sign.
fn place(directions: &mut Vec<Vec<f64>>, offset: &[f64]) -> (usize, f64) {
    if offset.iter().all(|value| *value == 0.0) {
        return (0, 0.0);
    }
    for (index, known) in directions.iter().enumerate() {
        let pairs = || known.iter().zip(offset);
        if pairs().all(|(a, b)| a == b) {
            return (index, 1.0);
        }
        if pairs().all(|(a, b)| *a == -b) {
            return (index, -1.0);
        }
    }
    directions.push(offset.to_vec());
    (directions.len() - 1, 1.0)
}
