//! Growth under a budget of multiply-accumulate operations: a MobileNet-style network grown by
//! energy-aware splitting (gain per cost), by plain splitting, of uniform width, and pruned from a
//! wide one.

mod net;
mod pruning;

use burgeon_core::cost::Macs;
use burgeon_core::criterion::{RandomSplit, SteepestDescent};
use burgeon_core::select::{Fraction, LinearProgramme};
use burgeon_data::{DataSet, ImageSet, load, optdigits};
use burgeon_nn::growable::evaluate;
use burgeon_nn::{CrossEntropy, SpectrumConfig};
use burgeon_train::{Accept, GrowerConfig, RateSchedule, StepSize, Trigger};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::net::{SmallMobileNet, macs, widest, widths};
use self::pruning::{Ranking, pruned};
use super::growth::{grow, initialise};
use super::images::{
    RANDOM_STEP, Recipe, SampleSets, common, constants, optimizer, sample_sets, spread_note, task,
    trained,
};
use super::{decode, encode, method_and_seed, results_of, seed_count};
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Report, Series, Table};
use crate::statistics::Mean;
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// The study.
#[derive(Debug)]
pub(super) struct EnergyAware;

/// Channels of the stem and of the three blocks at width 1.
const WIDTHS: [usize; 4] = [4, 6, 8, 8];

/// Multiples of the smallest network's MACs that budgets allow.
const BUDGETS: [f64; 3] = [2.0, 4.0, 8.0];

/// MACs of the network that is pruned, in units of the budget.
const PRUNED_FROM: f64 = 2.5;

/// Factor of the BatchNorm scales' L1 norm in the loss while a wide net trains to be slimmed: the
/// largest of those that arXiv 1708.06519 tries, because training is short.
const SLIMMING: f64 = 1e-3;

const METHODS: [(&str, &str); 7] = [
    ("aware", "energy-aware splitting"),
    ("plain", "plain splitting"),
    ("random", "random growth"),
    ("uniform", "uniform width"),
    ("short", "uniform width, final epochs only"),
    ("l1", "pruned by L1 norm from a wide net"),
    ("slimming", "slimmed by BatchNorm scales from a wide net"),
];

const SETS: [(&str, &str); 2] = [("digits", "optdigits"), ("fashion", "Fashion-MNIST")];

/// One trained network.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    macs: u64,
    budget: u64,
    test_accuracy: f64,
    /// After each growth step, the start first: channels of the stem and of each block.
    widths: Vec<Vec<usize>>,
}

fn recipe(set: &str, settings: &StudySettings) -> Recipe {
    let (phase_epochs, final_epochs) = match (set, settings.scale) {
        ("digits", Scale::Quick) => (4, 40),
        (_, Scale::Quick) => (1, 30),
        (_, Scale::Full) => (10, 60),
    };
    Recipe {
        start: WIDTHS.to_vec(),
        budget: u64::MAX,
        fraction: 0.3,
        phase_epochs,
        max_growths: 8,
        final_epochs,
        rate: 0.01,
        batch: 128,
        capture: usize::MAX,
        held: 0.1,
    }
}

/// Rows on which each site's spectra rest.
const ROWS: usize = 8192;

fn seeds(settings: &StudySettings) -> usize {
    settings.seeds.unwrap_or(match settings.scale {
        Scale::Quick => 3,
        Scale::Full => 10,
    })
}

/// Training samples that are used at most.
fn samples(settings: &StudySettings) -> usize {
    match settings.scale {
        Scale::Quick => 12_000,
        Scale::Full => usize::MAX,
    }
}

/// Grows under `budget` MACs.
fn grown(
    context: &UnitContext,
    sets: &SampleSets,
    recipe: &Recipe,
    seed: u64,
    budget: u64,
    (method, model): (&str, SmallMobileNet),
) -> Result<(SmallMobileNet, Vec<Vec<usize>>), ExperimentError> {
    let fraction = Fraction::new(recipe.fraction)?;
    let config = match method {
        "aware" => GrowerConfig::new(SteepestDescent, LinearProgramme::default()),
        "plain" => GrowerConfig::new(SteepestDescent, fraction),
        // A random direction is no descent direction, so all its growths are made.
        _ => GrowerConfig::new(RandomSplit, fraction).with_step_size(StepSize::Fixed {
            epsilon: RANDOM_STEP,
            accept: Accept::Always,
        }),
    };
    let start = widths(&model);
    let config = common(config, recipe, seed)
        .with_cost_budget(Macs, budget)
        .with_step_share(0.5)
        .with_trigger(Trigger::Every {
            epochs: recipe.phase_epochs,
        })
        .with_max_growths(recipe.max_growths)
        .with_max_refusals(recipe.max_growths + 1)
        .with_end_of_growth(true)
        .with_capture_samples(recipe.capture)
        .with_spectrum(SpectrumConfig::default().with_rows(ROWS))
        .with_learning_rate(RateSchedule::constant(recipe.rate)?)
        .with_max_epochs(recipe.phase_epochs * (recipe.max_growths + 1));
    let (model, state) = grow(context, config, task(sets), model, optimizer(), true)?;
    let mut steps = vec![start];
    for record in &state.journal {
        let after = record.widths_after.iter();
        steps.push(after.map(|(_, width)| *width).collect());
    }
    Ok((model, steps))
}

impl Study for EnergyAware {
    fn name(&self) -> &'static str {
        "energy"
    }

    fn description(&self) -> &'static str {
        "accuracy against MACs of a MobileNet-style net: energy-aware splitting, plain splitting, \
         random growth, uniform width, pruning by L1 norm, slimming (needs `cargo xtask data fetch fashion-mnist`)"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        let mut kinds = Vec::new();
        for (set, _) in SETS {
            for (method, _) in METHODS {
                let of = |budget| format!("{set}.{method}.{budget}");
                kinds.extend((0..BUDGETS.len()).map(of));
            }
        }
        Units::new(&kinds, 0, seeds(settings))
    }

    fn recipe(&self, settings: &StudySettings) -> Value {
        json!({
            "digits": recipe("digits", settings),
            "fashion": recipe("fashion", settings),
            "all": constants(),
            "widths": WIDTHS,
            "budgets": BUDGETS,
            "pruned from": PRUNED_FROM,
            "slimming": SLIMMING,
            "rows of spectra": ROWS,
            "training samples": samples(settings),
        })
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Outcome>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (kind, seed) = method_and_seed(unit)?;
        let fields: Vec<&str> = kind.split('.').collect();
        let budget = fields.get(2).and_then(|index| index.parse::<usize>().ok());
        let (Some(factor), [name, method, _]) = (
            budget.and_then(|index| BUDGETS.get(index)),
            fields.as_slice(),
        ) else {
            return Err(ExperimentError::Settings(format!(
                "`{unit}` is no unit of this study"
            )));
        };
        let (set, strides): (ImageSet, [usize; 4]) = match *name {
            "digits" => (optdigits::load()?, [1, 2, 1, 2]),
            _ => (
                load(DataSet::FashionMnist, &context.settings.data)?,
                [2, 2, 1, 2],
            ),
        };
        let recipe = recipe(name, &context.settings);
        let sets = sample_sets(&set, recipe.held, seed, context)?
            .with_train_samples(samples(&context.settings), seed);
        let backend = context.backend.clone();
        let make = |widths: &[usize]| {
            initialise(backend.as_ref(), seed, |device| {
                SmallMobileNet::new(widths, strides, set.classes, device)
            })
        };
        let start = make(&WIDTHS)?;
        let budget = (macs(&start, sets.held())? as f64 * factor) as u64;
        let length = recipe.phase_epochs * (recipe.max_growths + 1);
        let constant = RateSchedule::constant(recipe.rate)?;
        let (model, steps) = match *method {
            "short" => {
                let model = widest(&make, sets.held(), budget)?;
                let steps = vec![widths(&model)];
                (model, steps)
            }
            "uniform" => {
                let model = widest(&make, sets.held(), budget)?;
                let steps = vec![widths(&model)];
                let length = (length, constant);
                let model = trained(context, &sets, &recipe, seed, length, model)?.0;
                (model, steps)
            }
            "l1" | "slimming" => {
                let (ranking, sparsity) = match *method {
                    "l1" => (Ranking::FilterNorm, 0.0),
                    _ => (Ranking::NormScale, SLIMMING),
                };
                let wide = widest(&make, sets.held(), (budget as f64 * PRUNED_FROM) as u64)?;
                let first = (length / 2, constant.clone());
                let wide = wide.with_sparsity(sparsity);
                let wide = trained(context, &sets, &recipe, seed, first, wide)?.0;
                let model = pruned(&wide, ranking, sets.held(), budget)?.with_sparsity(0.0);
                let steps = vec![widths(&wide), widths(&model)];
                let rest = (length - length / 2, constant);
                let model = trained(context, &sets, &recipe, seed, rest, model)?.0;
                (model, steps)
            }
            method => {
                let start = (method, start);
                grown(context, &sets, &recipe, seed, budget, start)?
            }
        };
        let falling = RateSchedule::cosine_of_phase(recipe.rate, 0.0, recipe.final_epochs)?;
        let length = (recipe.final_epochs, falling);
        let model = trained(context, &sets, &recipe, seed, length, model)?.0;
        encode(&Outcome {
            macs: macs(&model, sets.held())?,
            budget,
            test_accuracy: evaluate(&model, &CrossEntropy, sets.test(), 512)?
                .accuracy
                .unwrap_or_default(),
            widths: steps,
        })
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let mut report = Report::default();
        for (set, title) in SETS {
            let mut rows = Vec::new();
            let mut series = Vec::new();
            for (method, label) in METHODS {
                let mut points = Vec::new();
                for budget in 0..BUDGETS.len() {
                    let runs: Vec<Outcome> =
                        results_of(results, &format!("{set}.{method}.{budget}"))?;
                    let of = |value: &dyn Fn(&Outcome) -> f64| {
                        Mean::of(&runs.iter().map(value).collect::<Vec<_>>())
                    };
                    let macs = of(&|run| run.macs as f64);
                    let accuracy = of(&|run| 100.0 * run.test_accuracy);
                    let allowed = runs.first().map_or(0, |run| run.budget);
                    rows.push(vec![
                        label.to_owned(),
                        allowed.to_string(),
                        macs.text(0),
                        accuracy.text(2),
                    ]);
                    points.push(Point {
                        x: macs.value,
                        y: accuracy.value,
                        deviation: accuracy.bar(),
                    });
                }
                series.push(Series {
                    label: label.into(),
                    points,
                    joined: true,
                });
            }
            let mut scale = seed_count(seeds(settings));
            if samples(settings) < usize::MAX {
                scale.push_str(&format!(", {} training samples at most", samples(settings)));
            }
            let recipe = recipe(set, settings);
            scale.push_str(&format!(
                ", {} epochs and {} final ones",
                recipe.phase_epochs * (recipe.max_growths + 1),
                recipe.final_epochs
            ));
            report.tables.push(Table {
                name: format!("energy-{set}"),
                title: format!("{title}, MobileNet-style net: accuracy under a budget of MACs ({scale})"),
                columns: ["network", "budget, MACs", "MACs", "test accuracy %"]
                    .map(str::to_owned)
                    .into(),
                rows,
                notes: vec![
"Energy-aware: the linear programme of arXiv 1910.03103 on gain and added MACs; \
                     plain: the 30 % of neurons with the largest gain; random: as many drawn, split in \
                     random directions with ε = 0.25; all in at most 8 steps of at most half the \
                     network's MACs, each of which captures all training samples; spectra rest on 8,192 rows of each \
                     site. Uniform: all widths times one factor. Pruned: a \
                     uniform net of 2.5 times the budget that loses the filters of least L1 norm, the \
                     same share of each layer, after half of the epochs before the final ones. Slimmed: \
                     such a net that trains that half with 0.001 times the L1 norm of its BatchNorm \
                     scales in the loss and loses the channels of least scale over all layers. All are \
                     trained for as many epochs, but for the uniform width that has the final ones \
                     only, as long as the others are fine-tuned at their last width. The paper's own figures are of \
                     MobileNets on CIFAR-100 and ImageNet (seed 0.059 G MACs 59.20 % top-1, grown to \
                     0.560 G 73.96 %), not of this network."
                        .into(),
                ],
            });
            report.figures.push(Figure {
                name: format!("energy-{set}"),
                title: format!("{title}: accuracy against MACs ({scale})"),
                x_label: "MACs for one sample".into(),
                y_label: format!("test accuracy, %{}", spread_note(seeds(settings))),
                x_scale: AxisScale::Log,
                y_scale: AxisScale::Linear,
                series,
                diagonal: false,
            });
            for (method, label) in &METHODS[..2] {
                let title = format!("{title}, {label}");
                report
                    .figures
                    .push(width_figure(set, method, &title, results)?);
            }
        }
        Ok(report)
    }
}

/// Where the channels went under the largest budget, seed by seed averaged.
fn width_figure(
    set: &str,
    method: &str,
    title: &str,
    results: &[(String, Value)],
) -> Result<Figure, ExperimentError> {
    let largest = BUDGETS.len() - 1;
    let runs: Vec<Outcome> = results_of(results, &format!("{set}.{method}.{largest}"))?;
    // All runs have these steps.
    let steps = runs.iter().map(|run| run.widths.len()).min().unwrap_or(0);
    let series = (0..WIDTHS.len()).map(|layer| {
        let point = |step: usize| {
            let widths = runs.iter().map(|run| run.widths[step][layer] as f64);
            let width = Mean::of(&widths.collect::<Vec<_>>());
            Point {
                x: step as f64,
                y: width.value,
                deviation: width.bar(),
            }
        };
        Series {
            label: match layer {
                0 => "stem".to_owned(),
                block => format!("block {block}"),
            },
            points: (0..steps).map(point).collect(),
            joined: true,
        }
    });
    Ok(Figure {
        name: format!("energy-{set}-widths-{method}"),
        title: format!("{title}: channels while growing, largest budget"),
        x_label: "growth step".into(),
        y_label: format!("channels{}", spread_note(runs.len())),
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Linear,
        series: series.collect(),
        diagonal: false,
    })
}
