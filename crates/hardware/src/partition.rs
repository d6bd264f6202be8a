//! Layers in their order, cut into stages that run beside each other.

use std::ops::Range;

use crate::error::HardwareError;

/// More states than this are refused: their table would not fit into memory.
const MOST_STATES: usize = 50_000_000;

/// A stage of a partition.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its layers.
    pub layers: Range<usize>,
    /// The type of its board.
    pub board: usize,
    /// What it takes.
    pub time: f64,
}

/// Layers divided among boards.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    /// The stages, in the order of the layers.
    pub stages: Vec<Stage>,
    /// The time of the slowest one.
    pub period: f64,
    /// The time of all of them.
    pub latency: f64,
}

/// The contiguous partition of `layers` layers among boards, `counts[type]` of each type, with the
/// least period, and of those with the least latency; boards may be left over. `time` is what a
/// board of a type takes for a stage, `None` where it cannot run it.
///
/// Two dynamic programmes over (layers done, boards used): the first minimises the slowest stage,
/// the second the sum over stages no slower than that. O(L² · types · Π (count + 1)) steps.
///
/// # Errors
/// [`HardwareError::NoPartition`] where none is feasible; [`HardwareError::Parameter`] for more
/// combinations of boards than can be looked at.
pub fn optimal_partition(
    layers: usize,
    counts: &[usize],
    time: &dyn Fn(Range<usize>, usize) -> Option<f64>,
) -> Result<Partition, HardwareError> {
    // More stages than layers there are not.
    let counts: Vec<usize> = counts.iter().map(|count| (*count).min(layers)).collect();
    let states = counts.iter().try_fold(layers + 1, |all, count| {
        all.checked_mul(count + 1).filter(|all| *all <= MOST_STATES)
    });
    let Some(states) = states else {
        return HardwareError::parameter(
            "pool",
            format!("{counts:?} boards for {layers} layers"),
            "fewer types of boards, or fewer of each",
        );
    };
    let none = HardwareError::NoPartition {
        layers,
        boards: counts.iter().sum(),
    };
    let programme = Programme::new(layers, &counts, states, time);
    let Some(period) = programme
        .solve(f64::INFINITY, f64::max)
        .map(|found| found.0)
    else {
        return Err(none);
    };
    let Some((latency, stages)) = programme.solve(period, |sum, time| sum + time) else {
        return Err(none);
    };
    Ok(Partition {
        stages,
        period,
        latency,
    })
}

struct Programme<'a> {
    layers: usize,
    counts: &'a [usize],
    /// What one board more of each type adds to the number of a combination.
    weights: Vec<usize>,
    combinations: usize,
    /// By first layer, last layer + 1 and type.
    times: Vec<Option<f64>>,
}

/// How a state is reached: first layer of its last stage, and that stage's board.
type Step = Option<(f64, usize, usize)>;

impl<'a> Programme<'a> {
    fn new(
        layers: usize,
        counts: &'a [usize],
        states: usize,
        time: &dyn Fn(Range<usize>, usize) -> Option<f64>,
    ) -> Self {
        let mut weights = Vec::with_capacity(counts.len());
        let mut weight = 1;
        for count in counts {
            weights.push(weight);
            weight *= count + 1;
        }
        let mut times = vec![None; layers * (layers + 1) * counts.len()];
        for from in 0..layers {
            for to in from + 1..=layers {
                for board in 0..counts.len() {
                    let at = (from * (layers + 1) + to) * counts.len() + board;
                    times[at] = time(from..to, board).filter(|time| !time.is_nan());
                }
            }
        }
        Self {
            layers,
            counts,
            weights,
            combinations: states / (layers + 1),
            times,
        }
    }

    fn time(&self, from: usize, to: usize, board: usize) -> Option<f64> {
        self.times[(from * (self.layers + 1) + to) * self.counts.len() + board]
    }

    /// The least value over all partitions without a stage longer than `longest`, where `join`
    /// takes a stage into the value of those before it.
    fn solve(&self, longest: f64, join: fn(f64, f64) -> f64) -> Option<(f64, Vec<Stage>)> {
        let mut table: Vec<Step> = vec![None; (self.layers + 1) * self.combinations];
        table[0] = Some((0.0, 0, 0));
        for to in 1..=self.layers {
            for used in 1..self.combinations {
                let mut best: Step = None;
                for (board, weight) in self.weights.iter().enumerate() {
                    if (used / weight).is_multiple_of(self.counts[board] + 1) {
                        continue;
                    }
                    for from in 0..to {
                        let before = table[from * self.combinations + used - weight];
                        let time = self.time(from, to, board).filter(|time| *time <= longest);
                        let (Some((before, ..)), Some(time)) = (before, time) else {
                            continue;
                        };
                        let value = join(before, time);
                        if best.is_none_or(|(least, ..)| value < least) {
                            best = Some((value, from, board));
                        }
                    }
                }
                table[to * self.combinations + used] = best;
            }
        }
        let ends = &table[self.layers * self.combinations..];
        let reached = ends
            .iter()
            .enumerate()
            .filter_map(|(used, end)| Some((used, (*end)?.0)));
        let (mut used, value) = reached.min_by(|a, b| a.1.total_cmp(&b.1))?;
        let mut stages = Vec::new();
        let mut to = self.layers;
        while to > 0 {
            let (_, from, board) = table[to * self.combinations + used]?;
            stages.push(Stage {
                layers: from..to,
                board,
                time: self.time(from, to, board)?,
            });
            used -= self.weights[board];
            to = from;
        }
        stages.reverse();
        Some((value, stages))
    }
}
