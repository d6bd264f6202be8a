//! Signed splitting on the RBF regression: escape from points where plain splitting is
//! stable.

use burgeon_core::criterion::{RandomSignedSplit, SignedSteepestDescent, SteepestDescent};
use burgeon_core::select::TopK;
use burgeon_core::{Landscape, Needs, WeightBound};
use burgeon_nn::{MeanSquaredError, Samples, trace};
use burgeon_train::{GrowerState, GrowthEnd, GrowthStep, Subject, Verdict};
use burn::optim::AdamConfig;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rbf::{
    Losses, POINTS, RbfNet, Sizes, from_scratch, grown, losses_at, losses_by_width, recipe,
    scale_note, sizes, target, task, train_config, width_rows,
};
use super::{decode, encode, method_and_seed, results_of, seed_count};
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Report, Series, Table};
use crate::statistics::{PairedDifference, median};
use crate::study::{Study, StudySettings, UnitContext};
use crate::units::Units;

/// The bound c on the sum of |w| in this study; the paper's own is not available.
const BOUND: f64 = 3.0;
const METHODS: [(&str, &str); 4] = [
    ("s2d", "S2D"),
    ("s3d", "S3D"),
    ("signed", "random signed splitting"),
    ("scratch", "each width from scratch"),
];

/// The study.
#[derive(Debug)]
pub(super) struct SignedToy;

#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    loss_at_width: Vec<f64>,
    final_width: usize,
    /// The point at which S2D was stable, if it was.
    stable: Option<Stable>,
}

/// A splitting-stable network, and what came of it.
#[derive(Debug, Serialize, Deserialize)]
struct Stable {
    width: usize,
    loss: f64,
    /// λ_min and λ_max of each neuron.
    spectrum: Vec<(f64, f64)>,
    /// The loss right after one signed split, if any step decreased it.
    after_split: Option<f64>,
    /// The loss after one more phase of training that split network.
    after_training: Option<f64>,
    /// The loss after training the stable network as it is for the same phase.
    without_split: f64,
}

impl Study for SignedToy {
    fn name(&self) -> &str {
        "s3d-toy"
    }

    fn description(&self) -> &str {
        "RBF regression (synthetic): signed splitting goes on where plain splitting is stable"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        Units::new(&METHODS.map(|(method, _)| method), 0, sizes(settings).seeds)
    }

    fn recipe(&self, settings: &StudySettings) -> Result<Value, ExperimentError> {
        Ok(json!({ "net": recipe(&sizes(settings)), "bound": BOUND }))
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Outcome>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (method, seed) = method_and_seed(unit)?;
        let sizes = sizes(&context.settings);
        let samples = target(context.backend.as_ref(), seed)?;
        let bound = WeightBound::new(BOUND)?;
        let signed = SignedSteepestDescent::new(bound);
        let all = usize::MAX;
        let outcome = match method {
            "s2d" => {
                let (net, state) = grown(context, &samples, &sizes, seed, SteepestDescent, 1)?;
                plain(context, &samples, &sizes, seed, net, &state)?
            }
            "s3d" => signed_outcome(
                &grown(context, &samples, &sizes, seed, signed, all)?.1,
                &sizes,
            ),
            "signed" => {
                let random = RandomSignedSplit::new(bound);
                signed_outcome(
                    &grown(context, &samples, &sizes, seed, random, all)?.1,
                    &sizes,
                )
            }
            _ => Outcome {
                loss_at_width: from_scratch(context, &samples, &sizes, seed)?,
                final_width: sizes.widths,
                stable: None,
            },
        };
        encode(&outcome)
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let sizes = sizes(settings);
        let mut outcomes: Vec<Vec<Outcome>> = Vec::new();
        for (method, _) in METHODS {
            outcomes.push(results_of(results, method)?);
        }
        let stable: Vec<&Stable> = outcomes[0]
            .iter()
            .filter_map(|outcome| outcome.stable.as_ref())
            .collect();
        Ok(Report {
            tables: vec![loss_table(&sizes, &outcomes), escape_table(&sizes, &stable)],
            figures: vec![loss_figure(&sizes, &outcomes), spectrum_figure(&stable)],
        })
    }
}

fn signed_outcome(state: &GrowerState, sizes: &Sizes) -> Outcome {
    let (loss_at_width, final_width) = losses_by_width(state, sizes);
    Outcome {
        loss_at_width,
        final_width,
        stable: None,
    }
}

/// What S2D reached, and, if it ended at a stable point, the escape from there.
fn plain(
    context: &UnitContext,
    samples: &Samples<Tensor<2>>,
    sizes: &Sizes,
    seed: u64,
    net: RbfNet,
    state: &GrowerState,
) -> Result<Outcome, ExperimentError> {
    let mut outcome = signed_outcome(state, sizes);
    if state.growing_ended != Some(GrowthEnd::Refused(Verdict::NoCandidate)) {
        return Ok(outcome);
    }
    let criterion = SignedSteepestDescent::new(WeightBound::new(BOUND)?);
    let step = GrowthStep::new(criterion, TopK::new(1)?);
    let subject = Subject {
        model: &net,
        trace: trace(&net, samples)?.into(),
        objective: &MeanSquaredError,
        train: samples,
        held: samples,
        batch_size: POINTS,
        backend: context.backend.as_ref(),
    };
    let landscape = step.landscape(&subject, samples);
    let captured = landscape.capture(Needs::SPECTRA)?;
    let spectra = captured
        .sites
        .iter()
        .filter_map(|site| site.spectra.as_ref());
    let spectrum = spectra
        .flat_map(|spectra| spectra.iter().map(|s| (s.min.value, s.max.value)))
        .collect();
    let made = step.run_on(&subject, &landscape, 1)?;
    let without_split = train(context, samples, sizes, seed, net.clone())?;
    let (after_split, after_training) = match made.grown {
        Some((split, _)) => (
            Some(made.record.held_loss_after),
            Some(train(context, samples, sizes, seed, split)?),
        ),
        None => (None, None),
    };
    outcome.stable = Some(Stable {
        width: outcome.final_width,
        loss: captured.loss,
        spectrum,
        after_split,
        after_training,
        without_split,
    });
    Ok(outcome)
}

/// The loss after one phase of training without growth.
fn train(
    context: &UnitContext,
    samples: &Samples<Tensor<2>>,
    sizes: &Sizes,
    seed: u64,
    net: RbfNet,
) -> Result<f64, ExperimentError> {
    let config = train_config(sizes.epochs, seed)?;
    let optimizer = AdamConfig::new().init();
    let (_, records) = super::growth::train(
        context,
        config,
        &task(samples),
        net,
        optimizer,
        sizes.epochs,
    )?;
    Ok(records.last().map_or(f64::NAN, |record| record.held.loss))
}

/// Every method's losses, in the order of [`METHODS`].
fn losses(outcomes: &[Vec<Outcome>]) -> Vec<Losses> {
    let of = |runs: &Vec<Outcome>| runs.iter().map(|run| run.loss_at_width.clone()).collect();
    outcomes.iter().map(of).collect()
}

fn loss_table(sizes: &Sizes, outcomes: &[Vec<Outcome>]) -> Table {
    let losses = losses(outcomes);
    let labels = METHODS.map(|(_, label)| label);
    let (columns, rows) = width_rows(&labels, &losses, sizes.widths);
    let paired = PairedDifference::new(
        &losses_at(&losses[1], sizes.widths),
        &losses_at(&losses[0], sizes.widths),
    );
    let compared = paired.is_within_noise().map(|within_noise| {
        format!(
            "S3D against S2D at width {}: paired difference {} (standard error), S3D lower in {} of \
             {} seeds{}.",
            sizes.widths,
            paired.text(4),
            paired.lower,
            paired.count,
            if within_noise { "; that is within noise" } else { "" }
        )
    });
    let others = [
        "Here S2D ends for good at its first stable point and keeps that loss; S3D's steps add 1 to \
         3 neurons, and a width it passes over has the loss of the one before.",
        "The paper's c and figures: not available.",
    ];
    Table {
        name: "s3d-toy".into(),
        title: format!(
            "RBF regression, signed splitting with c = {BOUND}: mean squared error by width ({})",
            scale_note(sizes, sizes.seeds)
        ),
        columns,
        rows,
        notes: compared
            .into_iter()
            .chain(others.map(str::to_owned))
            .collect(),
    }
}

fn escape_table(sizes: &Sizes, stable: &[&Stable]) -> Table {
    let least = |pairs: &[(f64, f64)]| pairs.iter().map(|p| p.0).fold(f64::INFINITY, f64::min);
    let most = |pairs: &[(f64, f64)]| pairs.iter().map(|p| p.1).fold(0.0, f64::max);
    let cell = |loss: Option<f64>| loss.map_or("no step decreases".into(), |l| format!("{l:.4}"));
    let rows = stable.iter().map(|point| {
        vec![
            point.width.to_string(),
            format!("{:.1e}", least(&point.spectrum)),
            format!("{:.1e}", most(&point.spectrum)),
            format!("{:.4}", point.loss),
            cell(point.after_split),
            cell(point.after_training),
            format!("{:.4}", point.without_split),
        ]
    });
    let lower = stable.iter().filter(|point| {
        point
            .after_training
            .is_some_and(|loss| loss < point.without_split)
    });
    let heads = [
        "width",
        "least λ_min",
        "largest λ_max",
        "loss",
        "after a signed split",
        "after a phase of training it",
        "the same phase without the split",
    ];
    Table {
        name: "s3d-toy-escape".into(),
        title: format!(
            "Networks at which S2D is stable, and one signed split from there ({})",
            scale_note(sizes, sizes.seeds)
        ),
        columns: heads.map(str::to_owned).into(),
        rows: rows.collect(),
        notes: vec![format!(
            "S2D ended at a stable point in {} of {}; in {} of these the network with a \
             signed split reaches a lower loss than the one without.",
            stable.len(),
            seed_count(sizes.seeds),
            lower.count()
        )],
    }
}

fn loss_figure(sizes: &Sizes, outcomes: &[Vec<Outcome>]) -> Figure {
    let losses = losses(outcomes);
    let series = losses.iter().zip(METHODS).map(|(runs, (_, label))| {
        let points = (1..=sizes.widths).map(|width| Point {
            x: width as f64,
            y: median(&losses_at(runs, width)),
            deviation: 0.0,
        });
        Series {
            label: label.into(),
            points: points.collect(),
            joined: true,
        }
    });
    Figure {
        name: "s3d-toy-loss-against-width".into(),
        title: format!(
            "Signed splitting, c = {BOUND} ({})",
            scale_note(sizes, sizes.seeds)
        ),
        x_label: "neurons".into(),
        y_label: match sizes.seeds {
            1 => "mean squared error".into(),
            _ => "mean squared error (median over seeds)".into(),
        },
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Log,
        series: series.collect(),
        diagonal: false,
    }
}

fn spectrum_figure(stable: &[&Stable]) -> Figure {
    let end = |label: &str, pick: fn(&(f64, f64)) -> f64| Series {
        label: label.into(),
        points: stable
            .iter()
            .enumerate()
            .flat_map(|(index, point)| {
                point.spectrum.iter().map(move |pair| Point {
                    x: index as f64,
                    y: pick(pair),
                    deviation: 0.0,
                })
            })
            .collect(),
        joined: false,
    };
    Figure {
        name: "s3d-toy-spectrum".into(),
        title: "Spectra of all neurons where S2D is stable".into(),
        x_label: "stable network".into(),
        y_label: "eigenvalue of the splitting matrix".into(),
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Linear,
        series: vec![end("λ_min", |pair| pair.0), end("λ_max", |pair| pair.1)],
        diagonal: false,
    }
}
