//! Widths of the network and designs of one board, as a space for searches and as a price for
//! growth.

use burgeon_coexplore::{CoexploreError, Measured, Problem};
use burgeon_core::select::WidthPrice;
use burgeon_hardware::engine::{ConvolutionEngine, Ports, Tiling, Word};
use burgeon_hardware::{Accelerator, Board, Engine, HardwareError};

use super::super::net::conv_layers;

/// Widths that a search chooses from; growth may stop between them.
pub(super) const WIDTHS: [usize; 7] = [4, 6, 8, 12, 16, 20, 24];

/// The widest layer of all.
pub(super) const WIDEST: usize = 24;

/// The board, whose 220 slices are 44 multipliers of 32-bit floats.
pub(super) const BOARD: &str = "pynq-z1";

/// Output and input channels at a time.
pub(super) const OUTPUTS: [usize; 7] = [2, 4, 6, 8, 12, 16, 24];
pub(super) const INPUTS: [usize; 6] = [1, 2, 3, 4, 6, 8];

/// Words of weights, inputs and outputs in a cycle, as many as the board's ports move.
pub(super) const PORTS: [[usize; 3]; 3] = [[6, 5, 5], [8, 4, 4], [4, 8, 4]];

/// Cycles that a network may take, which the widest one takes on few designs.
pub(super) const CYCLES: f64 = 6000.0;

/// The space. What each layer takes on each design is looked up, so that the best design of all is
/// found in microseconds.
#[derive(Debug)]
pub(super) struct WidthSpace {
    board: Board,
    designs: Vec<Design>,
}

/// A design that fits the board.
#[derive(Debug)]
struct Design {
    /// Numbers of its tiles and ports.
    choices: [usize; 3],
    accelerator: Accelerator,
    /// Cycles of each layer: of the first and the last by one width less 1, of those between by
    /// both.
    first: Vec<f64>,
    second: Vec<f64>,
    third: Vec<f64>,
    output: Vec<f64>,
}

impl Design {
    fn new(
        choices: [usize; 3],
        accelerator: Accelerator,
        side: usize,
        classes: usize,
    ) -> Result<Self, HardwareError> {
        let of = |layer: usize, widths: [usize; 3]| {
            let layers = conv_layers(side, widths, classes)?;
            Ok::<_, HardwareError>(accelerator.cycles(&layers[layer])?.total)
        };
        let mut design = Self {
            choices,
            first: Vec::new(),
            second: Vec::new(),
            third: Vec::new(),
            output: Vec::new(),
            accelerator: accelerator.clone(),
        };
        for a in 1..=WIDEST {
            design.first.push(of(0, [a, 1, 1])?);
            design.output.push(of(3, [1, 1, a])?);
            for b in 1..=WIDEST {
                design.second.push(of(1, [a, b, 1])?);
                design.third.push(of(2, [1, a, b])?);
            }
        }
        Ok(design)
    }

    /// Cycles of the network of these widths; `None` for a width that is 0 or above [`WIDEST`].
    fn cycles(&self, [a, b, c]: [usize; 3]) -> Option<f64> {
        let at = |width: usize| width.checked_sub(1).filter(|at| *at < WIDEST);
        let (a, b, c) = (at(a)?, at(b)?, at(c)?);
        Some(
            self.first[a]
                + self.second[a * WIDEST + b]
                + self.third[b * WIDEST + c]
                + self.output[c],
        )
    }
}

impl WidthSpace {
    /// For images of one channel with `side` rows and columns, of so many classes.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] where a number is 0.
    pub fn new(side: usize, classes: usize) -> Result<Self, HardwareError> {
        let board = Board::named(BOARD)?;
        let mut designs = Vec::new();
        for (m, outputs) in OUTPUTS.into_iter().enumerate() {
            for (n, inputs) in INPUTS.into_iter().enumerate() {
                for (p, ports) in PORTS.into_iter().enumerate() {
                    let tiling = Tiling::new([outputs, inputs, side, side])?;
                    let convolution = ConvolutionEngine::new(tiling, Ports::new(ports)?, 3)?
                        .with_word(Word::Float32)
                        .with_stride(1)?;
                    let accelerator = Accelerator {
                        convolution,
                        depthwise: None,
                    };
                    if board.fits(&accelerator.resources()).is_ok() {
                        designs.push(Design::new([m, n, p], accelerator, side, classes)?);
                    }
                }
            }
        }
        Ok(Self { board, designs })
    }

    /// The designs that fit the board.
    pub fn accelerators(&self) -> Vec<Accelerator> {
        let all = self.designs.iter();
        all.map(|design| design.accelerator.clone()).collect()
    }

    /// Cycles on the best design of all for these widths.
    pub fn best(&self, widths: [usize; 3]) -> Option<f64> {
        let all = self.designs.iter();
        all.filter_map(|design| design.cycles(widths))
            .reduce(f64::min)
    }

    /// The period of so many cycles, in microseconds.
    pub fn microseconds(&self, cycles: f64) -> f64 {
        1e6 * self.board.seconds(cycles)
    }

    fn widths(child: &[usize]) -> Option<[usize; 3]> {
        let widths: Vec<usize> = child
            .get(..3)?
            .iter()
            .map_while(|at| WIDTHS.get(*at).copied())
            .collect();
        widths.try_into().ok()
    }

    fn no_child<T>(child: &[usize]) -> Result<T, CoexploreError> {
        Err(CoexploreError::Child {
            child: child.to_vec(),
            problem: "it has three widths, two tiles and the ports",
        })
    }
}

impl Problem for WidthSpace {
    fn stages(&self) -> Vec<Vec<usize>> {
        let width = WIDTHS.len();
        vec![vec![
            width,
            width,
            width,
            OUTPUTS.len(),
            INPUTS.len(),
            PORTS.len(),
        ]]
    }

    fn measure(&self, child: &[usize]) -> Result<Measured, CoexploreError> {
        let (Some(widths), Some(choices)) = (Self::widths(child), child.get(3..)) else {
            return Self::no_child(child);
        };
        let design = self
            .designs
            .iter()
            .find(|design| design.choices == *choices);
        let cycles = design.and_then(|design| design.cycles(widths));
        Ok(Measured::new(&[cycles.unwrap_or(f64::INFINITY)], CYCLES))
    }

    fn architecture(&self, child: &[usize]) -> Result<Vec<usize>, CoexploreError> {
        match Self::widths(child) {
            Some(widths) => Ok(widths.to_vec()),
            None => Self::no_child(child),
        }
    }
}

/// Hardware is found anew for all widths that are priced.
impl WidthPrice for WidthSpace {
    fn cost(&self, widths: &[(String, usize)]) -> Option<u64> {
        let [(_, a), (_, b), (_, c)] = widths else {
            return None;
        };
        // Wider than any design was looked up for is beyond every budget.
        let cycles = self.best([*a, *b, *c]).unwrap_or(f64::INFINITY);
        Some(cycles.ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use burgeon_hardware::{BestDesignCycles, NetworkCycles};
    use burgeon_nn::{Samples, WidthCost, trace};
    use burn::tensor::Tensor;

    use super::super::super::net::ThreeConvNet;
    use super::*;
    use crate::error::ExperimentError;

    #[test]
    fn what_is_looked_up_is_what_trying_all_finds() -> Result<(), HardwareError> {
        let space = WidthSpace::new(8, 10)?;
        let all = BestDesignCycles::new(space.accelerators())?;
        assert!(all.designs().len() > 40);
        for widths in [[4, 4, 4], [24, 24, 24], [7, 13, 9]] {
            let layers = conv_layers(8, widths, 10)?;
            let totals = all.designs().iter().map(|design| {
                let cycles = NetworkCycles::of(design, &layers);
                cycles.map_or(f64::INFINITY, |cycles| cycles.total)
            });
            assert_eq!(space.best(widths), totals.reduce(f64::min));
        }
        assert_eq!(space.best([25, 1, 1]), None);
        Ok(())
    }

    #[test]
    fn growth_is_priced_as_the_model_is() -> Result<(), ExperimentError> {
        let space = WidthSpace::new(8, 10)?;
        let device = burgeon::backend::open("flex")?.device();
        let model = ThreeConvNet::new(8, &[4, 5, 6], 10, &device)?;
        let images = Tensor::<4>::zeros([1, 1, 8, 8], &device);
        let sample = Samples::classification(images, &[3], 10, &device)?;
        let graph = trace(&model, &sample)?.graph().clone();
        let mut widths = graph.widths();
        let model = WidthCost::new(graph, BestDesignCycles::new(space.accelerators())?);
        for grown in [[4, 5, 6], [13, 5, 9], [6, 20, 7]] {
            widths
                .iter_mut()
                .zip(grown)
                .for_each(|(own, width)| own.1 = width);
            assert_eq!(space.cost(&widths), model.cost(&widths));
        }
        assert_eq!(space.cost(&widths[..2]), None);
        Ok(())
    }

    #[test]
    fn children_are_priced_on_their_own_design() -> Result<(), CoexploreError> {
        let space = WidthSpace::new(8, 10)?;
        // 8-16-24 with tiles of 8 by 4; tiles of 24 by 8 do not fit the board.
        let child = [2, 4, 6, 3, 3, 0];
        assert_eq!(space.architecture(&child)?, [8, 16, 24]);
        let measured = space.measure(&child)?;
        assert!(measured.is_feasible() && Some(measured.time) >= space.best([8, 16, 24]));
        assert!(!space.measure(&[2, 4, 6, 6, 5, 0])?.is_feasible());
        assert!(space.measure(&[7, 0, 0, 0, 0, 0]).is_err());
        assert!(space.architecture(&[0, 0]).is_err());
        Ok(())
    }
}
