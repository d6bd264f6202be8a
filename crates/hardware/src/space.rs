//! Design spaces, and the best design of one.

use serde::{Deserialize, Serialize};

use crate::accelerator::Accelerator;
use crate::board::Board;
use crate::engine::{ConvolutionEngine, DepthwiseEngine, Engine, Ports, Published, Tiling, Word};
use crate::error::HardwareError;
use crate::layer::ConvLayer;
use crate::network::NetworkCycles;

/// Input channels at a time (Tn) that are tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputTiles {
    /// Each of these.
    Each(Vec<usize>),
    /// As many as the board's multipliers allow beside the rest of the design.
    AllThatFit,
}

/// Designs as a grid of parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesignSpace {
    /// Output channels at a time (Tm).
    pub outputs: Vec<usize>,
    /// Input channels at a time (Tn).
    pub inputs: InputTiles,
    /// Tiles `[rows, columns]` of the output (Tr, Tc).
    pub tiles: Vec<[usize; 2]>,
    /// Ports, each of which is tried for weights, inputs and outputs.
    pub ports: Vec<usize>,
    /// Channels of the engine for depthwise layers; where there are none, or no such layers, there
    /// is no such engine.
    pub depthwise: Vec<usize>,
    /// The type of numbers.
    pub word: Word,
    /// A published form, to compare with its numbers.
    pub published: Option<Published>,
}

/// The best design of a space.
#[derive(Debug, Clone, PartialEq)]
pub struct BestDesign {
    /// The design.
    pub accelerator: Accelerator,
    /// What each layer takes on it.
    pub cycles: NetworkCycles,
    /// How many designs fit the board.
    pub tried: usize,
}

/// The largest windows of some layers.
#[derive(Debug, Clone, Copy)]
struct Windows {
    kernel: usize,
    stride: usize,
}

impl Windows {
    fn of<'a>(layers: impl Iterator<Item = &'a ConvLayer>) -> Option<Self> {
        layers.fold(None, |largest, layer| {
            let [kernel, stride] = [layer.kernel, layer.stride].map(|s| s[0].max(s[1]));
            let largest = largest.unwrap_or(Self { kernel, stride });
            Some(Self {
                kernel: kernel.max(largest.kernel),
                stride: stride.max(largest.stride),
            })
        })
    }
}

impl DesignSpace {
    /// A space for networks of any kind: powers of two and what lies between them for Tm, Tn and
    /// depthwise channels, square tiles from 7 to 56, ports from 2 to 18 words of 16 bits.
    pub fn standard() -> Self {
        let ladder = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];
        Self {
            outputs: ladder.to_vec(),
            inputs: InputTiles::Each(ladder.to_vec()),
            tiles: [7, 14, 28, 56].map(|side| [side; 2]).to_vec(),
            ports: vec![2, 6, 10, 14, 18],
            depthwise: vec![16, 64, 192],
            word: Word::Fixed16,
            published: None,
        }
    }

    /// The space that HotNAS (arXiv 2007.09087) searches, in the form of cycles `published`.
    pub fn hot_nas(published: Published) -> Self {
        let sides = [32, 64, 256];
        let tiles = sides
            .iter()
            .flat_map(|r| sides.iter().map(move |c| [*r, *c]));
        Self {
            outputs: (10..=220).step_by(30).collect(),
            inputs: InputTiles::AllThatFit,
            tiles: tiles.collect(),
            ports: vec![2, 6, 10, 14, 18],
            depthwise: (64..=960).step_by(128).collect(),
            word: Word::Fixed16,
            published: Some(published),
        }
    }

    /// The designs that fit `board`, with buffers for the windows of `layers`. Of ports that fit,
    /// those are left out beside which others are as wide in everything: no layer is faster on
    /// them.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] where a number of the space is 0.
    pub fn designs(
        &self,
        board: &Board,
        layers: &[ConvLayer],
    ) -> Result<Vec<Accelerator>, HardwareError> {
        let ports = self.widest_ports(board)?;
        let mixing = Windows::of(layers.iter().filter(|layer| !layer.is_depthwise()));
        let filters = Windows::of(layers.iter().filter(|layer| layer.is_depthwise()));
        let beside: Vec<Option<usize>> = match filters {
            Some(_) if !self.depthwise.is_empty() => self
                .depthwise
                .iter()
                .map(|channels| Some(*channels))
                .collect(),
            _ => vec![None],
        };
        // A layer that has no engine of its own runs on the convolution engine.
        let windows = match self.depthwise.is_empty() {
            true => Windows::of(layers.iter()),
            false => mixing.or(filters),
        };
        let windows = windows.unwrap_or(Windows {
            kernel: 1,
            stride: 1,
        });
        let mut designs = Vec::new();
        for depthwise in beside {
            for outputs in &self.outputs {
                for inputs in self.input_tiles(board, *outputs, depthwise.unwrap_or(0)) {
                    for [rows, columns] in &self.tiles {
                        let tiling = Tiling::new([*outputs, inputs, *rows, *columns])?;
                        for ports in &ports {
                            let mut convolution =
                                ConvolutionEngine::new(tiling, *ports, windows.kernel)?
                                    .with_word(self.word)
                                    .with_stride(windows.stride)?;
                            if let Some(form) = self.published {
                                convolution = convolution.published(form);
                            }
                            let depthwise = match (depthwise, filters) {
                                (Some(channels), Some(windows)) => {
                                    let tile = [channels, *rows, *columns];
                                    let engine =
                                        DepthwiseEngine::new(tile, *ports, windows.kernel)?
                                            .with_word(self.word)
                                            .with_stride(windows.stride)?;
                                    Some(match self.published {
                                        Some(_) => engine.published(),
                                        None => engine,
                                    })
                                }
                                _ => None,
                            };
                            let design = Accelerator {
                                convolution,
                                depthwise,
                            };
                            if board.fits(&design.resources()).is_ok() {
                                designs.push(design);
                            }
                        }
                    }
                }
            }
        }
        Ok(designs)
    }

    /// The design that runs `layers`, one after the other, in the fewest cycles, by trying all;
    /// the first one of equals.
    ///
    /// # Errors
    /// [`HardwareError::NoDesign`] where none fits `board`; [`HardwareError::Parameter`] for a
    /// board or a space that cannot be.
    pub fn best(&self, board: &Board, layers: &[ConvLayer]) -> Result<BestDesign, HardwareError> {
        board.check()?;
        let designs = self.designs(board, layers)?;
        let tried = designs.len();
        let mut best: Option<(f64, Accelerator)> = None;
        for design in designs {
            let Ok(cycles) = NetworkCycles::of(&design, layers) else {
                continue;
            };
            if best.as_ref().is_none_or(|(least, _)| cycles.total < *least) {
                best = Some((cycles.total, design));
            }
        }
        let Some((_, accelerator)) = best else {
            return Err(HardwareError::NoDesign {
                board: board.name.clone(),
                layers: layers.len(),
            });
        };
        Ok(BestDesign {
            cycles: NetworkCycles::of(&accelerator, layers)?,
            accelerator,
            tried,
        })
    }

    fn input_tiles(&self, board: &Board, outputs: usize, beside: usize) -> Vec<usize> {
        match &self.inputs {
            InputTiles::Each(tiles) => tiles.clone(),
            InputTiles::AllThatFit => {
                let multipliers = board.dsp / self.word.dsp();
                let left = multipliers.saturating_sub(beside as u64);
                let tile = left / (outputs.max(1) as u64);
                let tile = usize::try_from(tile).unwrap_or(usize::MAX);
                (tile > 0).then_some(tile).into_iter().collect()
            }
        }
    }

    fn widest_ports(&self, board: &Board) -> Result<Vec<Ports>, HardwareError> {
        let mut fitting: Vec<[usize; 3]> = Vec::new();
        for weights in &self.ports {
            for inputs in &self.ports {
                for outputs in &self.ports {
                    let sizes = [*weights, *inputs, *outputs];
                    let bits = Ports::new(sizes)?.words().saturating_mul(self.word.bits());
                    if bits <= board.port_bits {
                        fitting.push(sizes);
                    }
                }
            }
        }
        let narrower = |a: &[usize; 3], b: &[usize; 3]| a != b && (0..3).all(|i| a[i] <= b[i]);
        let widest = fitting
            .iter()
            .filter(|ports| !fitting.iter().any(|other| narrower(ports, other)));
        widest.map(|sizes| Ports::new(*sizes)).collect()
    }
}
