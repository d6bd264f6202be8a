//! Growth that fills the tiles of an accelerator, against prices of neurons one by one and against
//! rounded widths: same start, same cycles at most, same multiply-accumulates of training.

mod report;
mod run;

use serde_json::{Value, json};

use self::run::{Measured, measured};
use super::super::{decode, encode, images, method_and_seed, results_of};
use crate::error::ExperimentError;
use crate::report::Report;
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// The comparison, or how its learning rates were chosen.
#[derive(Debug)]
pub(in super::super) struct FilledTiles {
    chooses_rates: bool,
}

impl FilledTiles {
    /// Every way at the rate that was chosen for it.
    pub const COMPARED: Self = Self {
        chooses_rates: false,
    };
    /// Every way at each of three rates, on other seeds.
    pub const RATES: Self = Self {
        chooses_rates: true,
    };
}

/// One way of coming to a network under the budget of cycles.
#[derive(Debug)]
struct Way {
    /// Its name in units.
    name: &'static str,
    /// What a reader calls it.
    label: &'static str,
    /// The learning rate chosen on held samples of other seeds.
    rate: f64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It has these widths from the start.
    Scratch([usize; 3]),
    /// It has the widths from the start that filling tiles finds.
    ScratchFound,
    /// It grows.
    Grown(Choice),
}

/// Which candidates are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// The set of most gain under the price of the network that would come of it.
    Tiles,
    /// The knapsack of candidates each of which has the price of one neuron more.
    Neurons,
    /// The same, and what leaves a width that is no multiple of the tile is dropped.
    Rounded,
}

/// The widest uniform network that the budget pays.
const UNIFORM: [usize; 3] = [16; 3];

/// All ways, in the order of the table; the first is what the others are compared with.
const WAYS: [Way; 5] = [
    Way {
        name: "scratch",
        label: "from scratch, uniform width",
        rate: 0.02,
        kind: Kind::Scratch(UNIFORM),
    },
    Way {
        name: "found",
        label: "from scratch, widths found by filling tiles",
        rate: 0.02,
        kind: Kind::ScratchFound,
    },
    Way {
        name: "tiles",
        label: "grown, tiles filled",
        rate: 0.02,
        kind: Kind::Grown(Choice::Tiles),
    },
    Way {
        name: "neurons",
        label: "grown, neurons priced one by one",
        rate: 0.02,
        kind: Kind::Grown(Choice::Neurons),
    },
    Way {
        name: "rounded",
        label: "grown, priced one by one, widths rounded to multiples of 8",
        rate: 0.02,
        kind: Kind::Grown(Choice::Rounded),
    },
];

/// Rates that every way chooses from.
const RATES: [f64; 3] = [0.01, 0.02, 0.04];

/// The first of the seeds on which rates are chosen.
const FIRST_RATE_SEED: usize = 100;

/// Seeds, and what a run costs in epochs at [`UNIFORM`] width.
fn sizes(settings: &StudySettings, chooses_rates: bool) -> (usize, usize) {
    let (seeds, rate_seeds, epochs) = match settings.scale {
        Scale::Quick => (5, 2, 24),
        Scale::Cpu | Scale::Paper => (40, 10, 60),
    };
    let seeds = if chooses_rates { rate_seeds } else { seeds };
    (settings.seeds.unwrap_or(seeds), epochs)
}

/// The kind of the units of a way at a rate.
fn kind(way: &Way, rate: f64) -> String {
    format!("{}.{rate}", way.name)
}

impl Study for FilledTiles {
    fn name(&self) -> &str {
        match self.chooses_rates {
            false => "tile-filling",
            true => "tile-filling-rates",
        }
    }

    fn description(&self) -> &str {
        match self.chooses_rates {
            false => {
                "optdigits, convolutional net on an accelerator: growth that fills tiles, neurons \
                 priced one by one, rounded widths, at equal cost"
            }
            true => "how the learning rates of `tile-filling` were chosen",
        }
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        let (seeds, _) = sizes(settings, self.chooses_rates);
        let (kinds, first): (Vec<String>, usize) = match self.chooses_rates {
            false => (WAYS.iter().map(|way| kind(way, way.rate)).collect(), 0),
            true => {
                let of = |way: &'static Way| RATES.map(|rate| kind(way, rate));
                (WAYS.iter().flat_map(of).collect(), FIRST_RATE_SEED)
            }
        };
        Units::new(&kinds, first, seeds)
    }

    // Rates are in the units' names.
    fn recipe(&self, settings: &StudySettings) -> Result<Value, ExperimentError> {
        let (_, epochs) = sizes(settings, self.chooses_rates);
        Ok(json!({
            "epochs": epochs,
            "uniform": UNIFORM,
            "run": run::constants(),
            "networks": images::constants(),
        }))
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Measured>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (kind, seed) = method_and_seed(unit)?;
        let parts = kind.split_once('.').and_then(|(name, rate)| {
            let way = WAYS.iter().find(|way| way.name == name)?;
            Some((way, rate.parse().ok()?))
        });
        let Some((way, rate)) = parts else {
            return Err(ExperimentError::Settings(format!(
                "`{unit}` is no unit of this study"
            )));
        };
        let (_, epochs) = sizes(&context.settings, self.chooses_rates);
        encode(&measured(context, way.kind, epochs, rate, seed)?)
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let runs = |way: &Way, rate: f64| results_of(results, &kind(way, rate));
        let tables = match self.chooses_rates {
            false => {
                let runs = WAYS.iter().map(|way| runs(way, way.rate));
                let (_, epochs) = sizes(settings, false);
                report::compared(&runs.collect::<Result<Vec<_>, _>>()?, epochs)
            }
            true => {
                let of_way = |way: &Way| {
                    let runs = RATES.iter().map(|rate| runs(way, *rate));
                    runs.collect::<Result<Vec<_>, _>>()
                };
                report::rates(&WAYS.iter().map(of_way).collect::<Result<Vec<_>, _>>()?)
            }
        };
        Ok(Report {
            tables: vec![tables],
            figures: Vec::new(),
        })
    }
}
