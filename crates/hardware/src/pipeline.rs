//! Networks on several boards.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::accelerator::Accelerator;
use crate::board::Board;
use crate::engine::Engine;
use crate::error::HardwareError;
use crate::layer::ConvLayer;
use crate::network::NetworkCycles;
use crate::partition::optimal_partition;
use crate::space::DesignSpace;

/// Boards that a network is divided among.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    boards: Vec<(Board, usize)>,
    link: f64,
}

/// A stage of a pipeline: consecutive layers on one board with one accelerator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PipelineStage {
    /// Its layers.
    pub layers: Range<usize>,
    /// Its board.
    pub board: Board,
    /// What is on it.
    pub accelerator: Accelerator,
    /// Cycles of a sample.
    pub cycles: f64,
    /// Seconds in which its output passes over the link to the next stage.
    pub transfer: f64,
    /// Seconds of a sample: the longer of computing and passing on, which overlap.
    pub seconds: f64,
}

/// A network on several boards, each with a sample at a time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pipeline {
    /// Its stages.
    pub stages: Vec<PipelineStage>,
    /// Seconds from one sample to the next: the slowest stage's.
    pub period: f64,
    /// Seconds of one sample through all stages.
    pub latency: f64,
}

impl Pool {
    /// So many of each board, joined by links of `link` words a second, which may be infinite.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] for no board or for a link that is not above 0.
    pub fn new(boards: Vec<(Board, usize)>, link: f64) -> Result<Self, HardwareError> {
        if boards.iter().all(|(_, count)| *count == 0) {
            return HardwareError::parameter("pool", "no board", "at least one board");
        }
        for (board, _) in &boards {
            board.check()?;
        }
        if link.is_nan() || link <= 0.0 {
            return HardwareError::parameter("link", link, "above 0 words a second");
        }
        Ok(Self { boards, link })
    }

    /// The boards, and how many of each.
    pub fn boards(&self) -> &[(Board, usize)] {
        &self.boards
    }

    /// The stage of `layers[range]` with `accelerator` on a board of type `board`.
    ///
    /// # Errors
    /// [`HardwareError`] where the accelerator does not fit or cannot run a layer, or where there
    /// is no such range or board.
    pub fn stage(
        &self,
        layers: &[ConvLayer],
        range: Range<usize>,
        board: usize,
        accelerator: Accelerator,
    ) -> Result<PipelineStage, HardwareError> {
        let own = layers.get(range.clone()).filter(|own| !own.is_empty());
        let (Some(own), Some((board, _))) = (own, self.boards.get(board)) else {
            return HardwareError::parameter(
                "stage",
                format!("layers {range:?} on board {board}"),
                "some of the network's layers on one of the pool's boards",
            );
        };
        board.fits(&accelerator.resources())?;
        let cycles = NetworkCycles::of(&accelerator, own)?.total;
        let transfer = self.transfer(layers, range.end);
        Ok(PipelineStage {
            layers: range,
            cycles,
            transfer,
            seconds: board.seconds(cycles).max(transfer),
            board: board.clone(),
            accelerator,
        })
    }

    /// The pipeline of the least period, and of these of the least latency: each stage on a board
    /// with the design of `space` that is best for its layers, buffers made for the windows of all.
    ///
    /// # Errors
    /// [`HardwareError::NoPartition`] where there is none; [`HardwareError::Parameter`] for a space
    /// that cannot be.
    pub fn pipeline(
        &self,
        layers: &[ConvLayer],
        space: &DesignSpace,
    ) -> Result<Pipeline, HardwareError> {
        let tables: Vec<StageTable> = self
            .boards
            .iter()
            .map(|(board, _)| StageTable::new(board, layers, space))
            .collect::<Result<_, _>>()?;
        let counts: Vec<usize> = self.boards.iter().map(|(_, count)| *count).collect();
        let time = |range: Range<usize>, board: usize| {
            let (cycles, _) = tables[board].best(&range)?;
            let transfer = self.transfer(layers, range.end);
            Some(self.boards[board].0.seconds(cycles).max(transfer))
        };
        let partition = optimal_partition(layers.len(), &counts, &time)?;
        let mut stages = Vec::new();
        for stage in partition.stages {
            let Some((_, design)) = tables[stage.board].best(&stage.layers) else {
                continue;
            };
            let accelerator = tables[stage.board].designs[design].clone();
            stages.push(self.stage(layers, stage.layers, stage.board, accelerator)?);
        }
        Ok(Pipeline::of(stages))
    }

    /// Seconds in which the output of layer `end − 1` passes over a link; 0 for the last layer's.
    fn transfer(&self, layers: &[ConvLayer], end: usize) -> f64 {
        match end.checked_sub(1).and_then(|last| layers.get(last)) {
            Some(layer) if end < layers.len() => layer.output_size() / self.link,
            _ => 0.0,
        }
    }
}

/// The best design of every range of layers on one board.
struct StageTable {
    layers: usize,
    designs: Vec<Accelerator>,
    /// Cycles and number of the best design, by first layer and last layer + 1.
    best: Vec<Option<(f64, usize)>>,
}

impl StageTable {
    fn new(
        board: &Board,
        layers: &[ConvLayer],
        space: &DesignSpace,
    ) -> Result<Self, HardwareError> {
        let designs = space.designs(board, layers)?;
        let count = layers.len();
        let mut best: Vec<Option<(f64, usize)>> = vec![None; count * (count + 1)];
        for (number, design) in designs.iter().enumerate() {
            let cycles: Vec<Option<f64>> = layers
                .iter()
                .map(|layer| design.cycles(layer).ok().map(|cycles| cycles.total))
                .collect();
            for from in 0..count {
                let mut sum = 0.0;
                for to in from + 1..=count {
                    let Some(own) = cycles[to - 1] else { break };
                    sum += own;
                    let known = &mut best[from * (count + 1) + to];
                    if known.is_none_or(|(least, _)| sum < least) {
                        *known = Some((sum, number));
                    }
                }
            }
        }
        Ok(Self {
            layers: count,
            designs,
            best,
        })
    }

    fn best(&self, range: &Range<usize>) -> Option<(f64, usize)> {
        self.best[range.start * (self.layers + 1) + range.end]
    }
}

impl Pipeline {
    /// Of stages in their order.
    pub fn of(stages: Vec<PipelineStage>) -> Self {
        let seconds = || stages.iter().map(|stage| stage.seconds);
        Self {
            period: seconds().fold(0.0, f64::max),
            latency: seconds().sum(),
            stages,
        }
    }

    /// Samples a second.
    pub fn throughput(&self) -> f64 {
        self.period.recip()
    }

    /// The share of `period` that each stage works; `None` for one that takes longer.
    pub fn utilisation(&self, period: f64) -> Vec<Option<f64>> {
        let share =
            |stage: &PipelineStage| (stage.seconds <= period).then(|| stage.seconds / period);
        self.stages.iter().map(share).collect()
    }

    /// The share of their time that all stages work, at the pipeline's own period.
    pub fn efficiency(&self) -> f64 {
        self.latency / (self.stages.len() as f64 * self.period)
    }

    /// The share of all boards' multipliers that is used, at the pipeline's own period.
    pub fn multiplier_efficiency(&self, layers: &[ConvLayer]) -> f64 {
        let macs: f64 = layers.iter().map(ConvLayer::macs).sum();
        let most = |stage: &PipelineStage| stage.board.dsp as f64 * stage.board.megahertz * 1e6;
        let most: f64 = self.stages.iter().map(most).sum();
        macs / (self.period * most)
    }

    /// Joule of a sample, with each board's stated power over the whole period.
    pub fn energy(&self) -> f64 {
        let watts: f64 = self.stages.iter().map(|stage| stage.board.watts).sum();
        watts * self.period
    }
}
