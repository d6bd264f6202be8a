//! The networks and data sets on which ways of growing are compared.

use burgeon_data::DataSet;
use serde_json::{Value, json};

use super::recipe::Recipe;
use crate::study::Scale;

/// A kind of network with two layers that grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Net {
    /// Two hidden layers, SiLU.
    Mlp,
    /// Two 3×3 convolutions with BatchNorm and max pooling, SiLU.
    NormConv,
    /// The same without normalisation.
    Conv,
}

/// A network on a data set, and what training it may cost.
#[derive(Debug)]
pub(super) struct Bench {
    /// Its name in units, tables and figures.
    pub name: &'static str,
    /// What a reader calls it.
    pub title: &'static str,
    pub set: DataSet,
    pub net: Net,
    /// Neurons or channels of both layers at the end.
    pub target: usize,
    /// How it grows.
    pub growing: Recipe,
    /// Share of the training set that is held, for curves and rates.
    pub held: f64,
    /// Samples that a growth step looks at, at most.
    pub capture: usize,
    /// The learning rates that every way chooses from.
    pub rates: [f64; 3],
    quick: Size,
    full: Size,
}

/// How much is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub seeds: usize,
    /// Seeds on which rates are compared.
    pub rate_seeds: usize,
    /// Training samples at most.
    pub samples: usize,
    /// What a run costs altogether, in epochs at the target widths.
    pub epochs: usize,
}

impl Bench {
    /// How much is run at `scale`.
    pub fn size(&self, scale: Scale) -> Size {
        match scale {
            Scale::Quick => self.quick,
            Scale::Full => self.full,
        }
    }

    /// What results on it depend on, by name.
    pub fn recipe(&self, scale: Scale) -> Value {
        let size = self.size(scale);
        json!({
            "target": self.target,
            "growing": self.growing,
            "held": self.held,
            "captured samples": self.capture,
            "training samples": size.samples,
            "epochs": size.epochs,
        })
    }
}

/// The MLP on the embedded digits.
pub(super) const MLP: &[Bench] = &[Bench {
    name: "mlp",
    title: "optdigits, MLP 64-h₁-h₂-10",
    set: DataSet::Optdigits,
    net: Net::Mlp,
    target: 32,
    growing: Recipe::ONCE,
    held: 0.1,
    capture: 1024,
    rates: [0.02, 0.04, 0.08],
    quick: Size {
        seeds: 20,
        rate_seeds: 3,
        samples: usize::MAX,
        epochs: 60,
    },
    full: Size {
        seeds: 40,
        rate_seeds: 10,
        samples: usize::MAX,
        epochs: 60,
    },
}];

/// The convolutional net on the embedded digits.
pub(super) const CONV: &[Bench] = &[Bench {
    name: "conv",
    title: "optdigits, two 3×3 convolutions with BatchNorm",
    set: DataSet::Optdigits,
    net: Net::NormConv,
    target: 12,
    growing: Recipe::ONCE,
    held: 0.1,
    capture: 1024,
    rates: [0.01, 0.02, 0.04],
    quick: Size {
        seeds: 20,
        rate_seeds: 2,
        samples: usize::MAX,
        epochs: 28,
    },
    full: Size {
        seeds: 40,
        rate_seeds: 10,
        samples: usize::MAX,
        epochs: 28,
    },
}];

/// The bench on Fashion-MNIST.
pub(super) const FASHION: &[Bench] = &[Bench {
    name: "fashion",
    title: "Fashion-MNIST, two 3×3 convolutions",
    set: DataSet::FashionMnist,
    net: Net::Conv,
    target: 8,
    growing: Recipe::ONCE,
    held: 0.01,
    capture: 1024,
    rates: [0.005, 0.01, 0.02],
    quick: Size {
        seeds: 5,
        rate_seeds: 1,
        samples: 2_500,
        epochs: 10,
    },
    full: Size {
        seeds: 10,
        rate_seeds: 3,
        samples: usize::MAX,
        epochs: 30,
    },
}];
