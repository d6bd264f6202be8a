//! An analytic model of energy.

use serde::{Deserialize, Serialize};

use super::{CostModel, LayerShape};

/// The type of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floating point.
    Float32,
    /// 16-bit floating point.
    Float16,
    /// 8-bit integers, sums in 32 bits.
    Int8,
}

/// Energy of one sample in femtojoule: its multiply-accumulate operations, weights read from
/// DRAM once, inputs and outputs through on-chip SRAM.
///
/// Energies of a 45 nm process at 0.9 V, from M. Horowitz, "Computing's Energy Problem (and
/// What We Can Do About It)", ISSCC 2014, figure 1.1.9: floating-point multiplication 3.7 pJ (32 bits)
/// and 1.1 pJ (16), addition 0.9 and 0.4 pJ; integer multiplication 0.2 pJ (8 bits), addition 0.1 pJ
/// (32 bits). Memory as in Han et al., "Learning both Weights and Connections for Efficient Neural
/// Networks", NeurIPS 2015, table 1, which gives the same source for 32 bits: SRAM 5 pJ, DRAM
/// 640 pJ; narrower numbers in proportion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Energy {
    precision: Precision,
}

/// 32 bits from DRAM, in femtojoule.
const DRAM: u64 = 640_000;

/// 32 bits from SRAM, in femtojoule.
const SRAM: u64 = 5_000;

impl Energy {
    /// For numbers of this type.
    pub fn new(precision: Precision) -> Self {
        Self { precision }
    }

    /// Energy of one multiply-accumulate operation, in femtojoule.
    fn mac(self) -> u64 {
        match self.precision {
            Precision::Float32 => 3_700 + 900,
            Precision::Float16 => 1_100 + 400,
            Precision::Int8 => 200 + 100,
        }
    }

    fn bits(self) -> u64 {
        match self.precision {
            Precision::Float32 => 32,
            Precision::Float16 => 16,
            Precision::Int8 => 8,
        }
    }
}

impl CostModel for Energy {
    fn name(&self) -> &'static str {
        match self.precision {
            Precision::Float32 => "energy-f32",
            Precision::Float16 => "energy-f16",
            Precision::Int8 => "energy-int8",
        }
    }

    fn unit(&self) -> &'static str {
        "fJ"
    }

    fn layer_cost(&self, layer: &LayerShape) -> u64 {
        let weights = DRAM * self.bits() / 32 * layer.parameters();
        let maps = SRAM * self.bits() / 32 * (layer.input_size() + layer.output_size());
        self.mac() * layer.macs() + weights + maps
    }
}
