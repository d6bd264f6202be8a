//! Boards: what an accelerator may use.

use serde::{Deserialize, Serialize};

use crate::error::{HardwareError, Shortage};

/// An FPGA board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Its name.
    pub name: String,
    /// Multipliers (DSP slices).
    pub dsp: u64,
    /// Memories of 18,000 bits (BRAM18).
    pub bram18: u64,
    /// Bits that its memory ports move in a cycle.
    pub port_bits: u64,
    /// Clock of the design, in MHz.
    pub megahertz: f64,
    /// Power, in watt: a stated constant that energies are computed with, not a measurement of any
    /// design.
    pub watts: f64,
}

/// The names that [`Board::named`] knows.
pub const BOARDS: [&str; 4] = ["pynq-z1", "vc707", "zc706", "zcu102"];

impl Board {
    /// A board that is known by name, at 100 MHz.
    ///
    /// DSP and BRAM18 are those of the devices (XC7Z020, XC7VX485T, XC7Z045, XCZU9EG); port bits
    /// of `zcu102` are its four 128-bit ports, and the others are given as much. Watts: `vc707` has
    /// the 18.61 W that Zhang et al. (FPGA 2015) report of their design; the others are
    /// assumptions, to be replaced by what a user knows.
    ///
    /// # Errors
    /// [`HardwareError::UnknownBoard`].
    pub fn named(name: &str) -> Result<Self, HardwareError> {
        let (dsp, bram18, watts) = match name {
            "pynq-z1" => (220, 280, 2.5),
            "vc707" => (2800, 2060, 18.61),
            "zc706" => (900, 1090, 10.0),
            "zcu102" => (2520, 1824, 20.0),
            _ => {
                return Err(HardwareError::UnknownBoard {
                    name: name.to_owned(),
                    known: BOARDS.join(", "),
                });
            }
        };
        Ok(Self {
            name: name.to_owned(),
            dsp,
            bram18,
            port_bits: 512,
            megahertz: 100.0,
            watts,
        })
    }

    /// Checks numbers that may come of a file.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] for a clock or a power that is not above 0.
    pub fn check(&self) -> Result<(), HardwareError> {
        for (name, value) in [("megahertz", self.megahertz), ("watts", self.watts)] {
            if !(value.is_finite() && value > 0.0) {
                return HardwareError::parameter(name, value, "above 0");
            }
        }
        Ok(())
    }

    /// Seconds of so many cycles.
    pub fn seconds(&self, cycles: f64) -> f64 {
        cycles / (self.megahertz * 1e6)
    }

    /// Whether what `needed` says is there.
    ///
    /// # Errors
    /// [`HardwareError::TooSmall`] with the first thing that is not.
    pub fn fits(&self, needed: &Resources) -> Result<(), HardwareError> {
        let pairs = [
            ("DSP slices", needed.dsp, self.dsp),
            ("BRAM18", needed.bram18, self.bram18),
            ("port bits", needed.port_bits, self.port_bits),
        ];
        match pairs.into_iter().find(|(_, needed, there)| needed > there) {
            None => Ok(()),
            Some((what, needed, there)) => Err(HardwareError::TooSmall {
                board: self.name.clone(),
                shortage: Shortage {
                    what,
                    needed,
                    there,
                },
            }),
        }
    }
}

/// What an engine needs of a board.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Multipliers (DSP slices).
    pub dsp: u64,
    /// Memories of 18,000 bits.
    pub bram18: u64,
    /// Bits moved in a cycle.
    pub port_bits: u64,
}
