//! A plan as tensors: which neurons are split, and where their copies go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use burgeon_core::Plan;
use burgeon_core::plan::Growth;
use burgeon_core::scheme::Offspring;
use burgeon_ops::{CopyOfEach, NeuronCopies};
use burn::module::ParamId;

use crate::layers::{FanInLayout, SiteSpec};
use crate::topology::Topology;

/// The split sites of a plan by their layer's weight.
#[derive(Clone, Default)]
pub(super) struct SplitSites(Arc<HashMap<ParamId, Arc<SplitSite>>>);

/// The split neurons of one site.
pub(crate) struct SplitSite {
    /// How the directions lie in the layer's weight.
    pub spec: SiteSpec,
    /// The directions of each neuron, `[d]` each: the first ones of all, the second ones, …
    pub directions: Vec<Vec<f64>>,
    /// The neurons that are split.
    pub split: Vec<usize>,
    /// They and their copies, or all neurons, of which the others have themselves as the only
    /// copy: where many of a layer with one value for each are split, gathering them would take
    /// longer.
    pub copies: NeuronCopies,
}

/// The share of a linear layer's neurons that is many.
const MANY: f64 = 0.2;

impl SplitSites {
    /// The sites of `plan`; `None` where a site does not exist, an offset does not fit or a
    /// neuron is split twice.
    pub fn of(topology: &Topology, plan: &Plan) -> Option<Self> {
        let mut sites: HashMap<ParamId, Arc<SplitSite>> = HashMap::new();
        for (name, part) in plan.by_site() {
            let node = topology.node(&name)?;
            let site = SplitSite::of(node.spec.site?, node.spec.outputs, &part.growths)?;
            sites.insert(site.spec.weight, Arc::new(site));
        }
        (!sites.is_empty()).then(|| Self(Arc::new(sites)))
    }

    pub fn get(&self, weight: ParamId) -> Option<Arc<SplitSite>> {
        self.0.get(&weight).cloned()
    }

    pub fn ids(&self) -> impl Iterator<Item = ParamId> {
        self.0.keys().copied()
    }
}

impl SplitSite {
    fn of(spec: SiteSpec, width: usize, growths: &[Growth]) -> Option<Self> {
        let mut seen = HashSet::new();
        let fits = |growth: &Growth| {
            let offsets = growth.offspring.iter();
            growth.neuron < width && offsets.map(|o| o.offset.len()).all(|d| d == spec.dim)
        };
        if !growths.iter().all(|g| fits(g) && seen.insert(g.neuron)) {
            return None;
        }
        let split: Vec<usize> = growths.iter().map(|growth| growth.neuron).collect();
        let mut neurons = split.clone();
        let mut placed: Vec<Placed> = growths.iter().map(Placed::of).collect();
        if spec.layout == FanInLayout::Column && split.len() as f64 >= MANY * width as f64 {
            let mut all: Vec<Placed> = (0..width).map(|_| Placed::at_rest()).collect();
            for (neuron, placed) in split.iter().zip(placed) {
                all[*neuron] = placed;
            }
            placed = all;
            neurons = (0..width).collect();
        }
        let most = |of: &dyn Fn(&Placed) -> usize| placed.iter().map(of).max().unwrap_or(0);
        let (directions, copies) = (most(&|p| p.directions.len()), most(&|p| p.copies.len()));
        let copy = |index: usize| {
            let of_neuron = |p: &Placed| p.copies.get(index).copied().unwrap_or_default();
            let step = |direction: usize| {
                let along = move |copy: PlacedCopy| match copy.direction == direction {
                    true => copy.step,
                    false => 0.0,
                };
                placed.iter().map(of_neuron).map(along)
            };
            CopyOfEach {
                weights: placed.iter().map(|p| of_neuron(p).weight).collect(),
                steps: (0..directions).flat_map(step).collect(),
            }
        };
        let direction = |index: usize| {
            let at_rest = || vec![0.0; spec.dim];
            let of_neuron = move |p: &Placed| p.directions.get(index).cloned();
            placed
                .iter()
                .map(move |p| of_neuron(p).unwrap_or_else(at_rest))
        };
        Some(Self {
            spec,
            split,
            directions: (0..directions).flat_map(direction).collect(),
            copies: NeuronCopies {
                neurons,
                directions,
                copies: (0..copies).map(copy).collect(),
            },
        })
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

    fn of(growth: &Growth) -> Self {
        let mut directions: Vec<Vec<f64>> = Vec::new();
        let place = |Offspring { weight, offset }: &Offspring| {
            let (direction, step) = place(&mut directions, offset);
            PlacedCopy {
                weight: *weight,
                direction,
                step,
            }
        };
        let copies = growth.offspring.iter().map(place).collect();
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
