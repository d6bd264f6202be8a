//! Firefly on the RBF regression of the S2D paper: loss against width beside S2D and random growth,
//! and its ranking of candidates against what each of them does to the loss.

use burgeon_core::criterion::{
    Context, Criterion, Firefly, RandomNeuron, RandomSplit, Refinement, SteepestDescent,
};
use burgeon_core::growth::Growth;
use burgeon_core::select::TopK;
use burgeon_core::{Landscape, Plan};
use burgeon_nn::{MeanSquaredError, Samples, trace};
use burgeon_train::{GrowthStep, Subject};
use burn::optim::AdamConfig;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::growth::{initialise, train};
use super::rbf::{
    Losses, POINTS, RbfNet, Sizes, TARGET_NEURONS, grown, grown_by_search, losses_at,
    losses_by_width, recipe, scale_note, sizes, target, task, train_config, width_rows,
};
use super::{decode, encode, method_and_seed, results_of, seed_count};
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Report, Series, Table};
use crate::statistics::{Mean, PairedDifference, rank_correlation};
use crate::study::{Study, StudySettings, UnitContext};
use crate::units::Units;

/// The study.
#[derive(Debug)]
pub(super) struct FireflyToy;

const METHODS: [(&str, &str); 6] = [
    ("s2d", "S2D"),
    ("split", "random splits"),
    ("new", "random new neurons"),
    ("ffsplit", "firefly, splits"),
    ("ffnew", "firefly, new neurons"),
    ("firefly", "firefly, both"),
];

/// The unit that ranks candidates.
const RANKING: &str = "ranking";

/// Ways of firefly whose ranking is judged.
const RANKED: [(&str, Ways); 3] = [
    ("splits", Firefly::splits),
    ("new neurons", Firefly::new_neurons),
    ("both", Firefly::new),
];

type Ways = fn() -> Firefly;

/// Seeds of the other toys' tables are others.
const FIRST_SEED: usize = 300;

/// Neurons of the networks on which candidates are ranked.
const RANKED_WIDTH: usize = 4;

/// Steps by which candidates are optimised: the captured points are one minibatch.
const STEPS: usize = 50;

/// The rate of these steps.
const RATE: f64 = 0.01;

/// Loss at the end of training at width 1, 2, …
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grown {
    loss_at_width: Vec<f64>,
    /// Growth steps that were refused.
    refused: usize,
}

/// For each of [`RANKED`] the candidates on one trained network.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rankings {
    candidates: Vec<Vec<Ranked>>,
}

/// A candidate: what firefly expects of it, and what it does alone.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Ranked {
    expected: f64,
    measured: f64,
    is_split: bool,
}

fn few(way: Firefly) -> Result<Firefly, ExperimentError> {
    let refinement = Refinement::PAPER.with_learning_rate(RATE)?;
    Ok(way.with_refinement(refinement.with_steps(STEPS)))
}

impl Study for FireflyToy {
    fn name(&self) -> &str {
        "firefly-toy"
    }

    fn description(&self) -> &str {
        "RBF regression (synthetic): firefly's splits and new neurons beside S2D and random growth, \
         and its ranking against each candidate's own effect"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        let mut methods: Vec<&str> = METHODS.iter().map(|(method, _)| *method).collect();
        methods.push(RANKING);
        Units::new(&methods, FIRST_SEED, sizes(settings).seeds)
    }

    fn recipe(&self, settings: &StudySettings) -> Result<Value, ExperimentError> {
        Ok(json!({
            "net": recipe(&sizes(settings)),
            "ranked at width": RANKED_WIDTH,
            "steps of candidates": STEPS,
            "rate of candidates": RATE,
        }))
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        match method_and_seed(unit)? {
            (RANKING, _) => decode::<Rankings>(unit, result).map(drop),
            _ => decode::<Grown>(unit, result).map(drop),
        }
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (method, seed) = method_and_seed(unit)?;
        let sizes = sizes(&context.settings);
        let samples = target(context.backend.as_ref(), seed)?;
        let all = usize::MAX;
        let searched = |way: Firefly| grown_by_search(context, &samples, &sizes, seed, few(way)?);
        let (_, state) = match method {
            RANKING => return encode(&rankings(context, &samples, &sizes, seed)?),
            "s2d" => grown_by_search(context, &samples, &sizes, seed, SteepestDescent)?,
            "split" => grown(context, &samples, &sizes, seed, RandomSplit, all)?,
            "new" => {
                let criterion = RandomNeuron::zero_fan_out();
                grown(context, &samples, &sizes, seed, criterion, all)?
            }
            "ffsplit" => searched(Firefly::splits())?,
            "ffnew" => searched(Firefly::new_neurons())?,
            _ => searched(Firefly::new())?,
        };
        let (loss_at_width, _) = losses_by_width(&state, &sizes);
        let refused = state.journal.len() - state.growths;
        encode(&Grown {
            loss_at_width,
            refused,
        })
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let sizes = sizes(settings);
        let mut grown: Vec<Vec<Grown>> = Vec::new();
        for (method, _) in METHODS {
            grown.push(results_of(results, method)?);
        }
        let rankings: Vec<Rankings> = results_of(results, RANKING)?;
        Ok(Report {
            tables: vec![loss_table(&sizes, &grown), ranking_table(&sizes, &rankings)],
            figures: vec![loss_figure(&sizes, &grown), ranking_figure(&rankings)],
        })
    }
}

/// The candidates of each way on a network trained from scratch.
fn rankings(
    context: &UnitContext,
    samples: &Samples<Tensor<2>>,
    sizes: &Sizes,
    seed: u64,
) -> Result<Rankings, ExperimentError> {
    let backend = context.backend.as_ref();
    let model = initialise(backend, seed, |d| Ok(RbfNet::new(RANKED_WIDTH, d)))?;
    let epochs = sizes.epochs;
    let config = train_config(epochs, seed)?;
    let optimizer = AdamConfig::new().init();
    let (model, _) = train(context, config, &task(samples), model, optimizer, epochs)?;
    let subject = Subject {
        model: &model,
        trace: trace(&model, samples)?.into(),
        objective: &MeanSquaredError,
        train: samples,
        held: samples,
        batch_size: POINTS,
        backend,
    };
    let mut found = Vec::new();
    for (_, way) in RANKED {
        let criterion = few(way())?;
        let step = GrowthStep::new(criterion, TopK::new(1)?);
        let landscape = step.landscape(&subject, samples);
        let candidates = criterion.candidates(&landscape, &mut Context::seeded(seed))?;
        let mut ranked = Vec::new();
        for candidate in candidates {
            let (expected, is_split) = (
                candidate.score,
                matches!(candidate.growth, Growth::Split(_)),
            );
            let search = landscape.losses(&Plan::new("one", vec![candidate]), &[1.0])?;
            let Some((_, loss)) = search.best() else {
                continue;
            };
            ranked.push(Ranked {
                expected,
                measured: search.baseline - loss,
                is_split,
            });
        }
        found.push(ranked);
    }
    Ok(Rankings { candidates: found })
}

fn losses(grown: &[Grown]) -> Losses {
    grown.iter().map(|run| run.loss_at_width.clone()).collect()
}

fn loss_table(sizes: &Sizes, grown: &[Vec<Grown>]) -> Table {
    let labels = METHODS.map(|(_, label)| label);
    let losses: Vec<Losses> = grown.iter().map(|runs| losses(runs)).collect();
    let (columns, rows) = width_rows(&labels, &losses, sizes.widths);
    let seeds = losses[0].len();
    let at_end = |index: usize| losses_at(&losses[index], sizes.widths);
    let compared = (1..METHODS.len()).filter_map(|index| {
        let difference = PairedDifference::new(&at_end(index), &at_end(0));
        difference.error?;
        Some(format!("{} {}", METHODS[index].1, difference.text(4)))
    });
    let compared: Vec<String> = compared.collect();
    let mut notes = Vec::new();
    if !compared.is_empty() {
        notes.push(format!(
            "Loss at width {} less S2D's, same seed, mean ± standard error: {}.",
            sizes.widths,
            compared.join(", ")
        ));
    }
    let refused = grown.iter().zip(METHODS).map(|(runs, (_, label))| {
        let refused: usize = runs.iter().map(|run| run.refused).sum();
        format!("{label} {refused}")
    });
    notes.push(format!(
        "Growth steps refused, over all seeds: {}. A width that was not reached has the loss of the one \
         before.",
        refused.collect::<Vec<_>>().join(", ")
    ));
    notes.push(format!(
        "Firefly: 70 new neurons are tried, all candidates are optimised together in {STEPS} steps of \
         RMSprop at rate {RATE}, and the one of the largest integrated gradient is kept. S2D and firefly \
         search for the step; random splits have a fixed one. Target: {TARGET_NEURONS} RBF neurons, \
         {POINTS} points. The paper's own figures: not available."
    ));
    Table {
        name: "firefly-toy".into(),
        title: format!(
            "RBF regression: mean squared error by width, one growth a phase ({})",
            scale_note(sizes, seeds)
        ),
        columns,
        rows,
        notes,
    }
}

fn ranking_table(sizes: &Sizes, rankings: &[Rankings]) -> Table {
    let rows = RANKED.iter().enumerate().map(|(index, (label, _))| {
        let of_seed = |run: &Rankings| run.candidates.get(index).cloned().unwrap_or_default();
        let all: Vec<Vec<Ranked>> = rankings.iter().map(of_seed).collect();
        let pairs = |ranked: &Vec<Ranked>| -> Vec<(f64, f64)> {
            ranked.iter().map(|r| (r.expected, r.measured)).collect()
        };
        let correlations = all.iter().map(|ranked| rank_correlation(&pairs(ranked)));
        let correlations: Vec<f64> = correlations.filter(|value| value.is_finite()).collect();
        let candidates: Vec<f64> = all.iter().map(|ranked| ranked.len() as f64).collect();
        // Of the largest decrease that any candidate brings, what the first in the ranking brings.
        let shares = all.iter().filter_map(|ranked| {
            let first = ranked
                .iter()
                .max_by(|a, b| a.expected.total_cmp(&b.expected))?;
            let most = ranked.iter().map(|r| r.measured).fold(0.0, f64::max);
            (most > 0.0).then(|| 100.0 * first.measured / most)
        });
        let shares: Vec<f64> = shares.collect();
        vec![
            (*label).to_owned(),
            format!("{:.0}", Mean::of(&candidates).value),
            Mean::of(&correlations).text_with_error(3),
            Mean::of(&shares).text_with_error(0),
        ]
    });
    let columns = [
        "candidates",
        "with a predicted decrease",
        "Spearman's rank correlation",
        "decrease by the first, % of the best one's",
    ];
    Table {
        name: "firefly-toy-ranking".into(),
        title: format!(
            "Firefly's ranking against the decrease that each candidate brings alone at its full step, \
             on networks of {RANKED_WIDTH} RBF neurons (synthetic, {}, {} full-batch Adam steps)",
            seed_count(rankings.len()),
            sizes.epochs
        ),
        columns: columns.map(str::to_owned).into(),
        rows: rows.collect(),
        notes: vec![
            "Candidates are optimised and ranked together in one over-grown network, and measured one by \
             one; those without a predicted decrease are left out by firefly. Means over seeds."
                .into(),
        ],
    }
}

fn loss_figure(sizes: &Sizes, grown: &[Vec<Grown>]) -> Figure {
    let series = grown.iter().zip(METHODS).map(|(runs, (_, label))| {
        let losses = losses(runs);
        let points = (1..=sizes.widths).map(|width| {
            let mean = Mean::of(&losses_at(&losses, width));
            Point {
                x: width as f64,
                y: mean.value,
                deviation: mean.error().unwrap_or(0.0),
            }
        });
        Series {
            label: label.into(),
            points: points.collect(),
            joined: true,
        }
    });
    let seeds = grown[0].len();
    Figure {
        name: "firefly-toy".into(),
        title: format!("RBF regression ({})", scale_note(sizes, seeds)),
        x_label: "neurons".into(),
        y_label: match seeds {
            1 => "mean squared error".into(),
            _ => "mean squared error (mean ± standard error)".into(),
        },
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Log,
        series: series.collect(),
        diagonal: false,
    }
}

/// The candidates of the way that has both kinds.
fn ranking_figure(rankings: &[Rankings]) -> Figure {
    let both = RANKED.len() - 1;
    let all = rankings.iter().filter_map(|run| run.candidates.get(both));
    let all: Vec<Ranked> = all.flatten().copied().collect();
    let of = |label: &str, is_split: bool| Series {
        label: label.into(),
        points: all
            .iter()
            .filter(|r| r.is_split == is_split && r.expected > 0.0 && r.measured > 0.0)
            .map(|r| Point {
                x: r.expected,
                y: r.measured,
                deviation: 0.0,
            })
            .collect(),
        joined: false,
    };
    Figure {
        name: "firefly-toy-ranking".into(),
        title: format!(
            "Firefly's prediction against each candidate's own decrease ({})",
            seed_count(rankings.len())
        ),
        x_label: "integrated gradient, all candidates together".into(),
        y_label: "measured decrease of the loss, alone".into(),
        x_scale: AxisScale::Log,
        y_scale: AxisScale::Log,
        series: vec![of("splits", true), of("new neurons", false)],
        diagonal: true,
    }
}
