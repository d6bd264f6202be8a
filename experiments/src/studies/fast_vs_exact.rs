//! Exact against fast splitting (arXiv 1910.03103): the same growth by each way to the
//! spectra, in time and in what it gains, on a small convolutional net and Fashion-MNIST.

use std::collections::HashSet;
use std::time::Instant;

use burgeon_core::criterion::SteepestDescent;
use burgeon_core::eigen::{Method, RayleighDescent, SpectrumSolver};
use burgeon_core::growth::Claim;
use burgeon_core::select::Fraction;
use burgeon_core::{Growth, Landscape, Needs, Plan};
use burgeon_data::{DataSet, load};
use burgeon_nn::growable::evaluate;
use burgeon_nn::{CrossEntropy, Samples, SpectrumConfig, trace};
use burgeon_train::{GrowthConfig, GrowthStep, RateSchedule, Subject};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::growth::initialise;
use super::images::{SampleSets, constants, sample_sets, spread_note, trained};
use super::{decode, encode, seed_count};
use crate::error::ExperimentError;
use crate::nets::ConvNet;
use crate::report::{AxisScale, Figure, Point, Report, Series, Table};
use crate::statistics::Mean;
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// The study.
#[derive(Debug)]
pub(super) struct FastVsExact;

/// Channels of the two convolutions, the narrowest net first.
const WIDTHS: [[usize; 2]; 3] = [[4, 8], [8, 16], [16, 32]];

const METHODS: [Method; 3] = [Method::Dense, Method::Krylov, Method::Rayleigh];

/// Share of the neurons that is split.
const FRACTION: f64 = 0.5;

/// Passes of Rayleigh descent over the captured samples.
const PASSES: usize = 100;

/// Samples in a training batch, and in a minibatch of the descent.
const BATCH: usize = 64;

#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    widths: Vec<usize>,
    /// Fan-in of the second convolution.
    fan_in: usize,
    loss_before: f64,
    splits: Vec<Split>,
}

/// One growth of one network by one method.
#[derive(Debug, Serialize, Deserialize)]
struct Split {
    method: Method,
    /// To the spectra, capture included.
    seconds: f64,
    /// Sum of the least eigenvalues, those above 0 left out.
    gain: f64,
    /// Share of the neurons that the exact path chooses too.
    agreement: f64,
    loss_after: f64,
    /// After one more epoch of training.
    loss_trained: f64,
}

/// The learning rate.
const RATE: f64 = 3e-3;

/// Samples that sites are captured on.
const CAPTURE: usize = 1024;

/// Share of the training set that is held.
const HELD: f64 = 0.1;

/// Epochs of training before the growth.
fn epochs(settings: &StudySettings) -> usize {
    match settings.scale {
        Scale::Quick => 1,
        Scale::Cpu | Scale::Paper => 10,
    }
}

fn seeds(settings: &StudySettings) -> usize {
    settings.seeds.unwrap_or(match settings.scale {
        Scale::Quick => 2,
        Scale::Cpu | Scale::Paper => 5,
    })
}

/// Training samples that are used, all in a full run.
fn samples(settings: &StudySettings) -> usize {
    match settings.scale {
        Scale::Quick => 12_000,
        Scale::Cpu | Scale::Paper => usize::MAX,
    }
}

impl FastVsExact {
    /// Grows `model` once by `method`.
    fn split(
        context: &UnitContext,
        sets: &SampleSets,
        model: &ConvNet,
        captured: &Samples<Tensor<4>>,
        method: Method,
    ) -> Result<(Split, Plan), ExperimentError> {
        let backend = context.backend.clone();
        let rayleigh = RayleighDescent {
            passes: PASSES,
            decay_passes: PASSES / 5,
            ..RayleighDescent::default()
        };
        let solver = SpectrumSolver::default()
            .with_method(method)
            .with_rayleigh(rayleigh);
        let growth = GrowthConfig {
            spectrum: SpectrumConfig::default().with_solver(solver),
            ..GrowthConfig::default()
        };
        let fraction = Fraction::new(FRACTION)?;
        let step = GrowthStep::new(SteepestDescent, fraction).with_config(growth);
        let subject = Subject {
            model,
            trace: trace(model, captured)?.into(),
            objective: &CrossEntropy,
            train: captured,
            held: sets.held(),
            batch_size: BATCH,
            backend: backend.as_ref(),
        };
        let started = Instant::now();
        let landscape = step.landscape(&subject, captured);
        let capture = landscape.capture(Needs::SPECTRA)?;
        let seconds = started.elapsed().as_secs_f64();
        let spectra = capture
            .sites
            .iter()
            .filter_map(|site| site.spectra.as_ref());
        let least = spectra.flat_map(|spectra| spectra.iter().map(|s| s.min.value.min(0.0)));
        let gain = least.sum();
        let made = step.run_on(&subject, &landscape, 1)?;
        let (plan, loss_after) = (made.record.plan, made.record.held_loss_after);
        // A refused growth leaves the network as it is.
        let grown = made.grown.map_or_else(|| model.clone(), |(grown, _)| grown);
        let length = (1, RateSchedule::constant(RATE)?);
        let grown = trained(context, sets, BATCH, 1, length, grown)?.0;
        let split = Split {
            method,
            seconds,
            gain,
            agreement: 1.0,
            loss_after,
            loss_trained: evaluate(&grown, &CrossEntropy, sets.held(), 512)?.loss,
        };
        Ok((split, plan))
    }
}

/// The share of `plan`'s neurons that are in `exact` as well.
fn agreement(plan: &Plan, exact: &Plan) -> f64 {
    let claims =
        |plan: &Plan| -> HashSet<Claim> { plan.growths().flat_map(Growth::claims).collect() };
    let common = claims(plan).intersection(&claims(exact)).count();
    common as f64 / exact.growths.len().max(1) as f64
}

impl Study for FastVsExact {
    fn name(&self) -> &str {
        "fast-vs-exact"
    }

    fn description(&self) -> &str {
        "exact against fast splitting: time and loss after growth of a small convolutional net \
         on Fashion-MNIST (needs `cargo xtask data fetch fashion-mnist`)"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn measures_time(&self) -> bool {
        true
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        let widths: Vec<String> = (0..WIDTHS.len()).map(|width| width.to_string()).collect();
        Units::new(&widths, 0, seeds(settings))
    }

    fn recipe(&self, settings: &StudySettings) -> Result<Value, ExperimentError> {
        Ok(json!({
            "epochs": epochs(settings),
            "rate": RATE,
            "captured samples": CAPTURE,
            "held": HELD,
            "all": constants(),
            "widths": WIDTHS,
            "training samples": samples(settings),
            "passes of the descent": PASSES,
        }))
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Outcome>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (width, seed) = super::method_and_seed(unit)?;
        let widths = width
            .parse()
            .ok()
            .and_then(|index: usize| WIDTHS.get(index));
        let widths = widths.ok_or_else(|| {
            ExperimentError::Settings(format!("`{unit}` is no unit of this study"))
        })?;
        let set = load(DataSet::FashionMnist, &context.settings.data)?;
        let sets = sample_sets(&set, HELD, seed, context)?
            .with_train_samples(samples(&context.settings), seed);
        let backend = context.backend.clone();
        let model = initialise(backend.as_ref(), seed, |device| {
            ConvNet::new(28, widths, set.classes, true, device)
        })?;
        let length = (epochs(&context.settings), RateSchedule::constant(RATE)?);
        let model = trained(context, &sets, BATCH, seed, length, model)?.0;
        let captured = sets.train().sample(CAPTURE, seed);
        let mut splits = Vec::new();
        let mut exact: Option<Plan> = None;
        for method in METHODS {
            let (mut split, plan) = Self::split(context, &sets, &model, &captured, method)?;
            split.agreement = exact.as_ref().map_or(1.0, |exact| agreement(&plan, exact));
            exact.get_or_insert(plan);
            splits.push(split);
        }
        encode(&Outcome {
            widths: widths.to_vec(),
            fan_in: 9 * widths[0],
            loss_before: evaluate(&model, &CrossEntropy, sets.held(), 512)?.loss,
            splits,
        })
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let outcomes: Vec<Outcome> = results
            .iter()
            .map(|(unit, value)| decode(unit, value))
            .collect::<Result<_, _>>()?;
        let scale = format!(
            "{}, {} training samples at most, spectra on {}",
            seed_count(seeds(settings)),
            match samples(settings) {
                usize::MAX => "54000".to_owned(),
                samples => samples.to_string(),
            },
            CAPTURE
        );
        let mut rows = Vec::new();
        let mut series: Vec<Series> = METHODS
            .iter()
            .map(|method| Series {
                label: label(*method).to_owned(),
                points: Vec::new(),
                joined: true,
            })
            .collect();
        for widths in WIDTHS {
            let runs: Vec<&Outcome> = outcomes.iter().filter(|o| o.widths == widths).collect();
            for (index, method) in METHODS.into_iter().enumerate() {
                let column = |of: &dyn Fn(&Outcome, &Split) -> f64| -> Mean {
                    let values: Vec<f64> = runs
                        .iter()
                        .filter_map(|run| {
                            let split = run.splits.iter().find(|s| s.method == method)?;
                            Some(of(run, split))
                        })
                        .collect();
                    Mean::of(&values)
                };
                let seconds = column(&|_, split| split.seconds);
                let exact_gain = |run: &Outcome| run.splits.first().map_or(0.0, |s| s.gain);
                rows.push(vec![
                    format!("{}-{}", widths[0], widths[1]),
                    label(method).to_owned(),
                    seconds.text(3),
                    format!("{:.3}", column(&|run, s| s.gain / exact_gain(run)).value),
                    format!("{:.0} %", 100.0 * column(&|_, s| s.agreement).value),
                    column(&|run, _| run.loss_before).text(4),
                    column(&|_, s| s.loss_after).text(4),
                    column(&|_, s| s.loss_trained).text(4),
                ]);
                series[index].points.push(Point {
                    x: (9 * widths[0]) as f64,
                    y: seconds.value,
                    deviation: seconds.bar(),
                });
            }
        }
        let columns = [
            "channels",
            "spectra by",
            "seconds, capture included",
            "Σ λ_min found / exact",
            "neurons chosen as by exact",
            "held loss before",
            "after the growth",
            "one epoch later",
        ];
        let table = Table {
            name: "fast-vs-exact".into(),
            title: format!(
                "Exact against fast splitting: two 3×3 convolutions on Fashion-MNIST, half of all \
                 channels split ({scale}; device {})",
                settings.device
            ),
            columns: columns.map(str::to_owned).into(),
            rows,
            notes: vec![
                format!(
                    "Rayleigh descent: {PASSES} passes over the captured samples in minibatches of \
                     {BATCH} (RMSprop 1e-3, momentum 0.9, the rate times 0.2 every {} passes), both \
                     ends of the spectra at once. Krylov: relative residual 1e-3. One unit runs at a \
                     time, so that times can be compared.",
                    PASSES / 5
                ),
                "The paper times whole runs of other networks (VGG-19 and MobileNet on CIFAR-100, \
                 GPUs): it has no figures for this one."
                    .into(),
            ],
        };
        let figure = Figure {
            name: "fast-vs-exact".into(),
            title: format!("Time to the spectra of a growth ({scale})"),
            x_label: "fan-in d of the second convolution".into(),
            y_label: format!("seconds, capture included{}", spread_note(seeds(settings))),
            x_scale: AxisScale::Log,
            y_scale: AxisScale::Log,
            series,
            diagonal: false,
        };
        Ok(Report {
            tables: vec![table],
            figures: vec![figure],
        })
    }
}

fn label(method: Method) -> &'static str {
    match method {
        Method::Dense => "exact (dense)",
        Method::Krylov => "Krylov",
        Method::Rayleigh => "Rayleigh descent (the paper's)",
        Method::Auto => "automatic",
    }
}
