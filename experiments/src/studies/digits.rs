//! Handwritten digits (UCI optdigits): an MLP and a small convolutional net grown from
//! two neurons a layer, against random growth and training from scratch.

use burgeon_data::{ImageSet, optdigits};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::images::{Judged, Method, Parts, Recipe, from_scratch, grown, parts};
use super::nets::{ConvNet, Mlp};
use super::{decode, encode, method_and_seed};
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Report, Series, Table};
use crate::statistics::{correlation, mean_deviation, plus_minus};
use crate::study::{Scale, Study, StudySettings, UnitContext};

/// The study.
#[derive(Debug)]
pub(super) struct Digits;

/// Widths of the MLPs trained from scratch to find the smallest of a given accuracy.
const SWEEP: [usize; 6] = [16, 24, 32, 40, 48, 64];
const TARGET: f64 = 0.97;

/// What a unit found.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    network: Judged,
    /// The grown network's final widths, trained from scratch.
    same_widths: Option<Judged>,
}

fn mlp_recipe() -> Recipe {
    Recipe {
        start: vec![2, 2],
        budget: 4500,
        fraction: 0.3,
        phase_epochs: 6,
        max_growths: 14,
        final_epochs: 60,
        rate: 0.02,
        batch: 128,
        capture: 2048,
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
        capture: 1024,
        ..mlp_recipe()
    }
}

fn seeds(settings: &StudySettings) -> usize {
    settings.seeds.unwrap_or(match settings.scale {
        Scale::Quick => 5,
        Scale::Full => 20,
    })
}

fn mlp(widths: &[usize], device: &Device) -> Result<Mlp, burgeon_nn::NnError> {
    Mlp::new(64, widths, 10, device)
}

fn conv(widths: &[usize], device: &Device) -> Result<ConvNet, burgeon_nn::NnError> {
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

    fn units(&self, settings: &StudySettings) -> Vec<String> {
        let grown = ["conv.s2d", "conv.random", "mlp.s2d", "mlp.random"].map(str::to_owned);
        let sweep = SWEEP.map(|width| format!("mlp.scratch{width}"));
        let seeds = seeds(settings);
        grown
            .into_iter()
            .chain(sweep)
            .flat_map(|method| (0..seeds).map(move |seed| format!("{method}-{seed}")))
            .collect()
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (method, seed) = method_and_seed(unit)?;
        let set = optdigits::load()?;
        let outcome = match method {
            "conv.s2d" => conv_unit(context, &set, seed, Method::SteepestDescent)?,
            "conv.random" => conv_unit(context, &set, seed, Method::Random)?,
            "mlp.s2d" => mlp_unit(context, &set, seed, Method::SteepestDescent)?,
            "mlp.random" => mlp_unit(context, &set, seed, Method::Random)?,
            other => {
                let width = other.strip_prefix("mlp.scratch").and_then(|w| w.parse().ok());
                let width: usize = width.ok_or_else(|| {
                    ExperimentError::Settings(format!("`{unit}` is no unit of this study"))
                })?;
                let recipe = mlp_recipe();
                let parts = parts(&set, recipe.held, seed, context)?;
                let widths = [width, width];
                Outcome {
                    network: from_scratch(context, &parts, &recipe, seed, &widths, mlp)?,
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
        let of = |method: &str| -> Result<Vec<Outcome>, ExperimentError> {
            let own = results.iter().filter(|(unit, _)| {
                method_and_seed(unit).is_ok_and(|(found, _)| found == method)
            });
            own.map(|(unit, value)| decode(unit, value)).collect()
        };
        let mlp = Grown::new(of("mlp.s2d")?, of("mlp.random")?);
        let conv = Grown::new(of("conv.s2d")?, of("conv.random")?);
        let mut sweep = Vec::new();
        for width in SWEEP {
            let runs = of(&format!("mlp.scratch{width}"))?;
            sweep.push((width, runs.into_iter().map(|o| o.network).collect::<Vec<_>>()));
        }
        Ok(Report {
            tables: vec![
                mlp_table(seeds, &mlp, &sweep),
                conv_table(seeds, &conv),
            ],
            figures: vec![
                curve_figure("mlp", "MLP", seeds, &mlp, &sweep),
                curve_figure("conv", "convolutional net", seeds, &conv, &[]),
            ],
        })
    }
}

fn mlp_unit(
    context: &UnitContext,
    set: &ImageSet,
    seed: u64,
    method: Method,
) -> Result<Outcome, ExperimentError> {
    let recipe = mlp_recipe();
    let parts = parts(set, recipe.held, seed, context)?;
    let network = grown(context, &parts, &recipe, seed, method, mlp)?;
    let again = |parts: &Parts| {
        from_scratch(context, parts, &recipe, seed, &network.widths, mlp)
    };
    let same_widths = match method {
        Method::SteepestDescent => Some(again(&parts)?),
        Method::Random => None,
    };
    Ok(Outcome {
        network,
        same_widths,
    })
}

fn conv_unit(
    context: &UnitContext,
    set: &ImageSet,
    seed: u64,
    method: Method,
) -> Result<Outcome, ExperimentError> {
    let recipe = conv_recipe();
    let parts = parts(set, recipe.held, seed, context)?;
    let network = grown(context, &parts, &recipe, seed, method, conv)?;
    let same_widths = match method {
        Method::SteepestDescent => {
            let widths = &network.widths;
            Some(from_scratch(context, &parts, &recipe, seed, widths, conv)?)
        }
        Method::Random => None,
    };
    Ok(Outcome {
        network,
        same_widths,
    })
}

/// The grown networks of one kind and their baselines.
struct Grown {
    s2d: Vec<Judged>,
    random: Vec<Judged>,
    same_widths: Vec<Judged>,
}

impl Grown {
    fn new(s2d: Vec<Outcome>, random: Vec<Outcome>) -> Self {
        let same_widths = s2d.iter().filter_map(|o| o.same_widths.clone()).collect();
        Self {
            s2d: s2d.into_iter().map(|o| o.network).collect(),
            random: random.into_iter().map(|o| o.network).collect(),
            same_widths,
        }
    }
}

fn accuracy(runs: &[Judged]) -> (f64, f64) {
    let values: Vec<f64> = runs.iter().map(|run| 100.0 * run.test_accuracy).collect();
    mean_deviation(&values)
}

fn parameters(runs: &[Judged]) -> (f64, f64) {
    let values: Vec<f64> = runs.iter().map(|run| run.parameters as f64).collect();
    mean_deviation(&values)
}

fn row(label: &str, runs: &[Judged]) -> Vec<String> {
    let widths: Vec<String> = runs.iter().map(|run| format!("{:?}", run.widths)).collect();
    let mut distinct = widths.clone();
    distinct.dedup();
    let losses: Vec<f64> = runs.iter().map(|run| run.test_loss).collect();
    vec![
        label.to_owned(),
        distinct.join(" "),
        plus_minus(parameters(runs), 0),
        plus_minus(accuracy(runs), 2),
        plus_minus(mean_deviation(&losses), 4),
        runs.first().map_or(0, |run| run.epochs).to_string(),
    ]
}

fn columns() -> Vec<String> {
    let heads = ["network", "final widths", "parameters", "test accuracy %", "test loss", "epochs"];
    heads.map(str::to_owned).into()
}

fn prediction_note(runs: &[Judged]) -> String {
    let pairs: Vec<(f64, f64)> = runs.iter().flat_map(|run| run.decreases.clone()).collect();
    let refused: usize = runs.iter().map(|run| run.refused).sum();
    format!(
        "S2D, line search for ε on the held set: {} growths made, {refused} refused; predicted \
         against measured decrease at the chosen ε: correlation {:.3} (whole steps of many \
         neurons at large ε).",
        pairs.len(),
        correlation(&pairs)
    )
}

fn scale_note(seeds: usize) -> String {
    format!("official split, 10 % of the training set held, {seeds} seeds, mean ± deviation")
}

fn mlp_table(seeds: usize, mlp: &Grown, sweep: &[(usize, Vec<Judged>)]) -> Table {
    let mut rows = vec![
        row("grown by S2D", &mlp.s2d),
        row("grown at random", &mlp.random),
        row("S2D's widths from scratch", &mlp.same_widths),
    ];
    rows.extend(sweep.iter().map(|(width, runs)| row(&format!("scratch {width}-{width}"), runs)));
    Table {
        name: "digits-mlp".into(),
        title: format!("optdigits, MLP 64-h₁-h₂-10 grown from 2-2 ({})", scale_note(seeds)),
        columns: columns(),
        rows,
        notes: vec![
            smallest_note(mlp, sweep),
            prediction_note(&mlp.s2d),
            "Neither the network nor the data set is in the paper: no figure of its own to set \
             beside these."
                .into(),
        ],
    }
}

/// Whether the grown MLP reaches the target with fewer parameters than the smallest
/// from-scratch MLP of equal accuracy.
fn smallest_note(mlp: &Grown, sweep: &[(usize, Vec<Judged>)]) -> String {
    let (reached, _) = accuracy(&mlp.s2d);
    let (own, _) = parameters(&mlp.s2d);
    let target = 100.0 * TARGET;
    let verdict = if reached >= target {
        format!("The grown MLP reaches {target:.0} %: {reached:.2} % with {own:.0} parameters.")
    } else {
        format!("The grown MLP does not reach {target:.0} %: {reached:.2} %, {own:.0} parameters.")
    };
    let equal = sweep.iter().find(|(_, runs)| accuracy(runs).0 >= reached);
    match equal {
        Some((width, runs)) => {
            let (other, _) = parameters(runs);
            let comparison = if own < other { "fewer than" } else { "not fewer than" };
            format!(
                "{verdict} That is {comparison} the smallest from-scratch MLP of at least equal \
                 accuracy in the sweep, {width}-{width} with {other:.0}."
            )
        }
        None => format!(
            "{verdict} No from-scratch MLP of the sweep (up to {} parameters) is as accurate.",
            sweep.last().map_or(0.0, |(_, runs)| parameters(runs).0)
        ),
    }
}

fn conv_table(seeds: usize, conv: &Grown) -> Table {
    Table {
        name: "digits-conv".into(),
        title: format!(
            "optdigits, two 3×3 convolutions with BatchNorm grown from 2-2 channels ({})",
            scale_note(seeds)
        ),
        columns: columns(),
        rows: vec![
            row("grown by S2D", &conv.s2d),
            row("grown at random", &conv.random),
            row("S2D's widths from scratch", &conv.same_widths),
        ],
        notes: vec![prediction_note(&conv.s2d)],
    }
}

fn curve_figure(
    name: &str,
    title: &str,
    seeds: usize,
    grown: &Grown,
    sweep: &[(usize, Vec<Judged>)],
) -> Figure {
    let curve = |label: &str, runs: &[Judged]| {
        let phases = runs.iter().map(|run| run.curve.len()).min().unwrap_or(0);
        let points = (0..phases).map(|phase| {
            let sizes: Vec<f64> = runs.iter().map(|r| r.curve[phase].0 as f64).collect();
            let held: Vec<f64> = runs.iter().map(|r| 100.0 * r.curve[phase].1).collect();
            let (y, deviation) = mean_deviation(&held);
            Point {
                x: mean_deviation(&sizes).0,
                y,
                deviation,
            }
        });
        Series {
            label: label.into(),
            points: points.collect(),
            joined: true,
        }
    };
    let end = |runs: &[Judged]| {
        let held: Vec<f64> = runs.iter().map(|run| 100.0 * run.held_accuracy).collect();
        let (y, deviation) = mean_deviation(&held);
        Point {
            x: parameters(runs).0,
            y,
            deviation,
        }
    };
    let mut series = vec![
        curve("grown by S2D, while growing", &grown.s2d),
        curve("grown at random, while growing", &grown.random),
        Series {
            label: "grown by S2D, at the end".into(),
            points: vec![end(&grown.s2d)],
            joined: false,
        },
        Series {
            label: "S2D's widths from scratch, at the end".into(),
            points: vec![end(&grown.same_widths)],
            joined: false,
        },
    ];
    if !sweep.is_empty() {
        series.push(Series {
            label: "from scratch, at the end".into(),
            points: sweep.iter().map(|(_, runs)| end(runs)).collect(),
            joined: true,
        });
    }
    Figure {
        name: format!("digits-{name}"),
        title: format!("optdigits, {title}: accuracy against parameters ({seeds} seeds)"),
        x_label: "trained parameters".into(),
        y_label: "accuracy on held samples, % (mean ± deviation)".into(),
        x_scale: AxisScale::Log,
        y_scale: AxisScale::Linear,
        series,
        diagonal: false,
    }
}
