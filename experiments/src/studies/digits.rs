//! Handwritten digits (UCI optdigits): an MLP and a small convolutional net grown from
//! two neurons a layer, against random growth and training from scratch.

use burgeon_data::optdigits;
use burgeon_nn::NnError;
use burn::tensor::Device;
use serde_json::{Value, json};

use super::images::{
    Grown, Method, NetworkResult, Outcome, Recipe, accuracy, constants, curve_figure, end_series,
    from_scratch, grown_unit, parameters, result_columns, result_row, sample_sets,
};
use super::nets::{ConvNet, Mlp};
use super::notes::{TUNING_NOTE, capture_note, prediction_note};
use super::{decode, encode, method_and_seed, results_of, seed_count};
use crate::error::ExperimentError;
use crate::report::{Figure, Report, Table};
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// The study.
#[derive(Debug)]
pub(super) struct Digits;

/// Widths of the MLPs trained from scratch to find the smallest of a given accuracy.
const SWEEP: [usize; 4] = [16, 32, 40, 48];
const TARGET: f64 = 0.97;

pub(super) fn mlp_recipe() -> Recipe {
    Recipe {
        start: vec![2, 2],
        budget: 6000,
        fraction: 0.3,
        phase_epochs: 6,
        max_growths: 16,
        final_epochs: 60,
        rate: 0.02,
        batch: 128,
        capture: usize::MAX,
        held: 0.1,
    }
}

fn conv_recipe() -> Recipe {
    Recipe {
        start: vec![2, 2],
        budget: 1300,
        phase_epochs: 3,
        max_growths: 7,
        final_epochs: 20,
        rate: 0.02,
        ..mlp_recipe()
    }
}

fn seeds(settings: &StudySettings) -> usize {
    settings.seeds.unwrap_or(match settings.scale {
        Scale::Quick => 5,
        Scale::Full => 20,
    })
}

pub(super) fn mlp(widths: &[usize], device: &Device) -> Result<Mlp, NnError> {
    Mlp::new(64, widths, 10, device)
}

fn conv(widths: &[usize], device: &Device) -> Result<ConvNet, NnError> {
    ConvNet::new(8, widths, 10, device)
}

impl Study for Digits {
    fn name(&self) -> &'static str {
        "digits"
    }

    fn description(&self) -> &'static str {
        "optdigits: MLP and small convolutional net grown from 2 neurons a layer, against \
         random growth and training from scratch"
    }

    fn is_default(&self) -> bool {
        true
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        let sweep = SWEEP.map(|width| format!("mlp.scratch{width}"));
        let mut methods = vec!["conv.s2d", "conv.random", "mlp.s2d", "mlp.random"];
        methods.extend(sweep.iter().map(String::as_str));
        Units::new(&methods, 0, seeds(settings))
    }

    fn recipe(&self, _settings: &StudySettings) -> Value {
        json!({ "mlp": mlp_recipe(), "conv": conv_recipe(), "all": constants() })
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Outcome>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (method, seed) = method_and_seed(unit)?;
        let set = optdigits::load()?;
        let outcome = match method {
            "conv.s2d" => grown_unit(
                context,
                &set,
                &conv_recipe(),
                seed,
                Method::SteepestDescent,
                conv,
            )?,
            "conv.random" => grown_unit(context, &set, &conv_recipe(), seed, Method::Random, conv)?,
            "mlp.s2d" => grown_unit(
                context,
                &set,
                &mlp_recipe(),
                seed,
                Method::SteepestDescent,
                mlp,
            )?,
            "mlp.random" => grown_unit(context, &set, &mlp_recipe(), seed, Method::Random, mlp)?,
            other => {
                let width = other
                    .strip_prefix("mlp.scratch")
                    .and_then(|w| w.parse().ok());
                let width: usize = width.ok_or_else(|| {
                    ExperimentError::Settings(format!("`{unit}` is no unit of this study"))
                })?;
                let recipe = mlp_recipe();
                let sets = sample_sets(&set, recipe.held, seed, context)?;
                let widths = [width, width];
                Outcome {
                    network: from_scratch(context, &sets, &recipe, seed, &widths, mlp)?,
                    same_widths: None,
                }
            }
        };
        encode(&outcome)
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let seeds = seeds(settings);
        let of = |method: &str| results_of::<Outcome>(results, method);
        let mlp = Grown::new(of("mlp.s2d")?, of("mlp.random")?);
        let conv = Grown::new(of("conv.s2d")?, of("conv.random")?);
        let mut sweep = Vec::new();
        for width in SWEEP {
            let runs = of(&format!("mlp.scratch{width}"))?;
            sweep.push((
                width,
                runs.into_iter().map(|o| o.network).collect::<Vec<_>>(),
            ));
        }
        Ok(Report {
            tables: vec![mlp_table(seeds, &mlp, &sweep), conv_table(seeds, &conv)],
            figures: vec![
                figure("digits-mlp", "MLP", seeds, &mlp, sweep),
                figure("digits-conv", "convolutional net", seeds, &conv, Vec::new()),
            ],
        })
    }
}

fn scale_note(seeds: usize) -> String {
    let spread = if seeds > 1 { ", mean ± deviation" } else { "" };
    format!(
        "official split, 10 % of the training set held, {}{spread}",
        seed_count(seeds)
    )
}

fn mlp_table(seeds: usize, mlp: &Grown, sweep: &[(usize, Vec<NetworkResult>)]) -> Table {
    let mut rows = vec![
        result_row("grown by S2D", &mlp.s2d),
        result_row("grown at random", &mlp.random),
        result_row("S2D's widths from scratch", &mlp.same_widths),
    ];
    rows.extend(
        sweep
            .iter()
            .map(|(width, runs)| result_row(&format!("scratch {width}-{width}"), runs)),
    );
    Table {
        name: "digits-mlp".into(),
        title: format!(
            "optdigits, MLP 64-h₁-h₂-10 grown from 2-2 ({})",
            scale_note(seeds)
        ),
        columns: result_columns(),
        rows,
        notes: smallest_note(mlp, sweep)
            .into_iter()
            .chain([
                prediction_note("S2D", &mlp.s2d),
                capture_note(&mlp_recipe()),
                TUNING_NOTE.into(),
                "Neither the network nor the data set is in the paper: no figure of its own to set \
                 beside these."
                    .into(),
            ])
            .collect(),
    }
}

/// Whether the grown MLP reaches the target with fewer parameters than the smallest
/// from-scratch MLP of equal accuracy; one seed cannot tell.
fn smallest_note(mlp: &Grown, sweep: &[(usize, Vec<NetworkResult>)]) -> Option<String> {
    if mlp.s2d.len() < 2 {
        return None;
    }
    let reached = accuracy(&mlp.s2d).value;
    let own = parameters(&mlp.s2d).value;
    let target = 100.0 * TARGET;
    let verdict = if reached >= target {
        format!("The grown MLP reaches {target:.0} %: {reached:.2} % with {own:.0} parameters.")
    } else {
        format!("The grown MLP does not reach {target:.0} %: {reached:.2} %, {own:.0} parameters.")
    };
    let equal = sweep
        .iter()
        .find(|(_, runs)| accuracy(runs).value >= reached);
    Some(match equal {
        Some((width, runs)) => {
            let other = parameters(runs).value;
            let comparison = if own < other {
                "fewer than"
            } else {
                "not fewer than"
            };
            format!(
                "{verdict} That is {comparison} the smallest from-scratch MLP of at least equal \
                 accuracy in the sweep, {width}-{width} with {other:.0}."
            )
        }
        None => format!(
            "{verdict} No from-scratch MLP of the sweep (up to {} parameters) is as accurate.",
            sweep.last().map_or(0.0, |(_, runs)| parameters(runs).value)
        ),
    })
}

fn conv_table(seeds: usize, conv: &Grown) -> Table {
    Table {
        name: "digits-conv".into(),
        title: format!(
            "optdigits, two 3×3 convolutions with BatchNorm grown from 2-2 channels ({})",
            scale_note(seeds)
        ),
        columns: result_columns(),
        rows: vec![
            result_row("grown by S2D", &conv.s2d),
            result_row("grown at random", &conv.random),
            result_row("S2D's widths from scratch", &conv.same_widths),
        ],
        notes: vec![
            prediction_note("S2D", &conv.s2d),
            capture_note(&conv_recipe()),
            TUNING_NOTE.into(),
        ],
    }
}

fn figure(
    name: &str,
    network: &str,
    seeds: usize,
    grown: &Grown,
    sweep: Vec<(usize, Vec<NetworkResult>)>,
) -> Figure {
    let same_widths = std::slice::from_ref(&grown.same_widths);
    let mut ends = vec![end_series(
        "S2D's widths from scratch, at the end",
        same_widths,
    )];
    if !sweep.is_empty() {
        let runs: Vec<Vec<NetworkResult>> = sweep.into_iter().map(|(_, runs)| runs).collect();
        ends.push(end_series("from scratch, at the end", &runs));
    }
    let title = format!(
        "optdigits, {network}: accuracy against parameters ({})",
        seed_count(seeds)
    );
    curve_figure(name, title, &grown.s2d, &grown.random, ends)
}
