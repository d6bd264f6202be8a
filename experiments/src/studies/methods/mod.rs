//! Ways of growing at equal cost: same start, same size, same multiply-accumulates of training,
//! growing included.

mod arm;
mod bench;
mod changes;
mod rates;
mod recipe;
mod report;
mod run;

pub(super) use changes::Changes;
pub(super) use rates::Rates;

use serde_json::{Value, json};

use self::arm::{ARMS, Arm};
use self::bench::Bench;
use self::run::{Measured, measured};
use super::images;
use super::{decode, encode, method_and_seed};
use crate::error::ExperimentError;
use crate::report::Report;
use crate::study::{Study, StudySettings, UnitContext};
use crate::units::Units;

/// The comparison on some benches.
#[derive(Debug)]
pub(super) struct Methods {
    name: &'static str,
    description: &'static str,
    benches: &'static [Bench],
}

impl Methods {
    /// The MLP on the embedded digits.
    pub const DIGITS: Self = Self {
        name: "methods",
        description: "optdigits, MLP: S2D, S3D, firefly, GradMax, TINY, random growth, Net2Net and \
                      training from scratch at equal cost",
        benches: bench::MLP,
    };
    /// The convolutional net on the embedded digits.
    pub const CONV: Self = Self {
        name: "methods-conv",
        description: "optdigits, convolutional net: the ways of growing of `methods` at equal cost",
        benches: bench::CONV,
    };
    /// On Fashion-MNIST.
    pub const FASHION: Self = Self {
        name: "methods-fashion",
        description: "Fashion-MNIST: the ways of growing of `methods` at equal cost (needs `cargo \
                      xtask data fetch fashion-mnist`)",
        benches: bench::FASHION,
    };
}

fn seeds(bench: &Bench, settings: &StudySettings) -> usize {
    settings.seeds.unwrap_or(bench.size(settings.scale).seeds)
}

/// The bench and the rest of a unit's kind `bench.rest`.
fn bench_and_rest<'a>(
    benches: &'static [Bench],
    kind: &'a str,
) -> Result<(&'static Bench, &'a str), ExperimentError> {
    let parts = kind.split_once('.').and_then(|(name, rest)| {
        let bench = benches.iter().find(|bench| bench.name == name)?;
        Some((bench, rest))
    });
    parts.ok_or_else(|| no_unit(kind))
}

/// The kind of the units of a way at a rate.
fn kind(bench: &Bench, arm: &Arm, rate: f64) -> String {
    format!("{}.{}.{rate}", bench.name, arm.name)
}

/// Runs a unit of such a [`kind`].
fn run_unit(
    benches: &'static [Bench],
    unit: &str,
    context: &UnitContext,
) -> Result<Value, ExperimentError> {
    let (kind, seed) = method_and_seed(unit)?;
    let (bench, rest) = bench_and_rest(benches, kind)?;
    let parts = rest.split_once('.');
    let parts = parts.and_then(|(name, rate)| Some((name, rate.parse().ok()?)));
    let (name, rate) = parts.ok_or_else(|| no_unit(unit))?;
    let arm = Arm::named(name)?;
    encode(&measured(context, bench, arm, &bench.growing, rate, seed)?)
}

fn no_unit(unit: &str) -> ExperimentError {
    ExperimentError::Settings(format!("`{unit}` is no unit of this study"))
}

/// What all studies of ways of growing depend on, by name.
fn recipe_of(benches: &[Bench], settings: &StudySettings) -> Value {
    let of = |bench: &Bench| (bench.name.to_owned(), bench.recipe(settings.scale));
    json!({
        "benches": benches.iter().map(of).collect::<serde_json::Map<_, _>>(),
        "ways": arm::constants(),
        "networks": images::constants(),
        "run": run::constants(),
    })
}

impl Study for Methods {
    fn name(&self) -> &'static str {
        self.name
    }

    fn description(&self) -> &'static str {
        self.description
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        let mut units = Units::default();
        for bench in self.benches {
            let kinds: Vec<String> = ARMS
                .iter()
                .map(|arm| kind(bench, arm, arm.rate(bench)))
                .collect();
            units = units.and(&kinds, 0, seeds(bench, settings))?;
        }
        Ok(units)
    }

    // Rates are in the units' names, so that a way that is added leaves those of the others.
    fn recipe(&self, settings: &StudySettings) -> Value {
        recipe_of(self.benches, settings)
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Measured>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        run_unit(self.benches, unit, context)
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let mut report = Report::default();
        for bench in self.benches {
            let rows = report::rows(bench, results)?;
            report.tables.push(report::table(bench, settings, &rows));
            report.figures.push(report::figure(bench, &rows));
        }
        Ok(report)
    }
}
