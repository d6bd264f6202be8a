//! What the image studies share: growing, training from scratch, judging each run
//! on the test set at its end.

use burgeon_core::WeightBound;
use burgeon_core::criterion::{RandomSplit, SignedSteepestDescent, SteepestDescent};
use burgeon_core::select::Fraction;
use burgeon_data::{ImageSet, Images};
use burgeon_nn::growable::{evaluate, parameter_count};
use burgeon_nn::{CrossEntropy, Growable, NnError, Samples, trace};
use burgeon_train::{
    Accept, EpochRecord, GrowerConfig, GrowthRecord, RateSchedule, SiteGrowth, StepSize, Task,
    TrainConfig, Trigger, Verdict,
};
use burn::optim::{AdamWConfig, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::growth::{grow, initialise, train};
use super::widths_text;
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Series};
use crate::statistics::Mean;
use crate::study::UnitContext;

const WEIGHT_DECAY: f32 = 0.1;

/// The step ε of random growth: a random direction is no descent direction, so no line search
/// chooses one.
pub(super) const RANDOM_STEP: f64 = 0.25;

/// How a network is grown and trained.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Recipe {
    /// Channels or neurons of the layers that grow, at the start.
    pub start: Vec<usize>,
    /// Trained parameters at most.
    pub budget: u64,
    /// Share of all neurons that is split in a step.
    pub fraction: f64,
    /// Epochs between growths.
    pub phase_epochs: usize,
    /// Growth steps at most.
    pub max_growths: usize,
    /// Epochs of training with a falling rate, after growing.
    pub final_epochs: usize,
    /// Learning rate.
    pub rate: f64,
    /// Samples in a batch.
    pub batch: usize,
    /// Samples that sites are captured on, at most.
    pub capture: usize,
    /// Share of the training set that is held for ε and the curves.
    pub held: f64,
}

/// What became of a trained network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NetworkResult {
    pub widths: Vec<usize>,
    pub parameters: u64,
    pub test_accuracy: f64,
    pub test_loss: f64,
    pub held_accuracy: f64,
    pub epochs: usize,
    /// At the end of each phase: parameters and held accuracy.
    pub curve: Vec<(u64, f64)>,
    /// Growth steps: predicted and measured decrease.
    pub decreases: Vec<(f64, f64)>,
    pub refused: usize,
    /// What growing did to each site, growth steps that were made.
    #[serde(default)]
    pub sites: Vec<SiteGrowth>,
}

/// What a unit found.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub network: NetworkResult,
    /// The grown network's final widths, trained from scratch.
    pub same_widths: Option<NetworkResult>,
}

/// The grown networks of one kind and their baselines.
pub(super) struct Grown {
    pub s2d: Vec<NetworkResult>,
    pub random: Vec<NetworkResult>,
    pub same_widths: Vec<NetworkResult>,
}

impl Grown {
    pub fn new(s2d: Vec<Outcome>, random: Vec<Outcome>) -> Self {
        let same_widths = s2d.iter().filter_map(|o| o.same_widths.clone()).collect();
        Self {
            s2d: s2d.into_iter().map(|o| o.network).collect(),
            random: random.into_iter().map(|o| o.network).collect(),
            same_widths,
        }
    }
}

/// Samples of a unit: training, held, test.
pub(super) struct SampleSets {
    train: Samples<Tensor<4>>,
    held: Samples<Tensor<4>>,
    test: Samples<Tensor<4>>,
}

/// Which growth a unit makes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Method {
    SteepestDescent,
    /// Signed splitting with `Σ|w_i| ≤ c`.
    Signed(f64),
    Random,
}

impl SampleSets {
    pub fn train(&self) -> &Samples<Tensor<4>> {
        &self.train
    }

    pub fn test(&self) -> &Samples<Tensor<4>> {
        &self.test
    }

    pub fn held(&self) -> &Samples<Tensor<4>> {
        &self.held
    }

    /// With at most `samples` of the training samples, drawn by `seed`.
    pub fn with_train_samples(mut self, samples: usize, seed: u64) -> Self {
        self.train = self.train.sample(samples, seed);
        self
    }
}

pub(super) fn sample_sets(
    set: &ImageSet,
    held: f64,
    seed: u64,
    context: &UnitContext,
) -> Result<SampleSets, ExperimentError> {
    let device = context.backend.device();
    let train = samples(&set.train, set.classes, &device)?;
    let (train, held) = train.split_off(held, seed)?;
    Ok(SampleSets {
        train,
        held,
        test: samples(&set.test, set.classes, &device)?,
    })
}

fn samples(
    images: &Images,
    classes: usize,
    device: &Device,
) -> Result<Samples<Tensor<4>>, ExperimentError> {
    let [c, h, w] = images.shape;
    let data = TensorData::new(images.pixels.clone(), [images.len(), c, h, w]);
    let inputs = Tensor::<4>::from_data(data, device);
    Ok(Samples::classification(
        inputs,
        &images.labels,
        classes,
        device,
    )?)
}

/// Grows a network, and for S2D trains its final widths from scratch beside it.
pub(super) fn grown_unit<M: Growable<Input = Tensor<4>>>(
    context: &UnitContext,
    set: &ImageSet,
    recipe: &Recipe,
    seed: u64,
    method: Method,
    make: impl Fn(&[usize], &Device) -> Result<M, NnError>,
) -> Result<Outcome, ExperimentError> {
    let sets = sample_sets(set, recipe.held, seed, context)?;
    let network = grown(context, &sets, recipe, seed, method, &make)?;
    let same_widths = match method {
        Method::SteepestDescent => {
            let widths = &network.widths;
            Some(from_scratch(context, &sets, recipe, seed, widths, &make)?)
        }
        Method::Signed(_) | Method::Random => None,
    };
    Ok(Outcome {
        network,
        same_widths,
    })
}

/// Grows one network on `set` and judges it.
pub(super) fn grown_network<M: Growable<Input = Tensor<4>>>(
    context: &UnitContext,
    set: &ImageSet,
    recipe: &Recipe,
    seed: u64,
    method: Method,
    make: impl Fn(&[usize], &Device) -> Result<M, NnError>,
) -> Result<NetworkResult, ExperimentError> {
    let sets = sample_sets(set, recipe.held, seed, context)?;
    grown(context, &sets, recipe, seed, method, make)
}

/// Grows a network from `recipe.start`, then trains it with a falling rate.
fn grown<M: Growable<Input = Tensor<4>>>(
    context: &UnitContext,
    sets: &SampleSets,
    recipe: &Recipe,
    seed: u64,
    method: Method,
    make: impl Fn(&[usize], &Device) -> Result<M, NnError>,
) -> Result<NetworkResult, ExperimentError> {
    let selector = Fraction::new(recipe.fraction)?;
    let config = match method {
        Method::SteepestDescent => GrowerConfig::new(SteepestDescent, selector),
        Method::Signed(c) => {
            GrowerConfig::new(SignedSteepestDescent::new(WeightBound::new(c)?), selector)
        }
        // A random direction is no descent direction, so all its growths are made.
        Method::Random => {
            GrowerConfig::new(RandomSplit, selector).with_step_size(StepSize::Fixed {
                epsilon: RANDOM_STEP,
                accept: Accept::Always,
            })
        }
    };
    let epochs = recipe.phase_epochs * (recipe.max_growths + 1);
    let config = common(config, recipe, seed)
        .with_trigger(Trigger::Every {
            epochs: recipe.phase_epochs,
        })
        .with_max_growths(recipe.max_growths)
        // A refused step is tried again after the next phase.
        .with_max_refusals(recipe.max_growths + 1)
        .with_end_of_growth(true)
        .with_parameter_budget(recipe.budget)
        .with_capture_samples(recipe.capture)
        .with_site_decreases(true)
        .with_learning_rate(RateSchedule::constant(recipe.rate)?)
        .with_max_epochs(epochs);
    let model = initialise(context.backend.as_ref(), seed, |d| make(&recipe.start, d))?;
    let optimizer = optimizer();
    let (model, growing) = grow(context, config, task(sets), model, optimizer, true)?;
    finish(
        context,
        sets,
        recipe,
        seed,
        model,
        (&growing.epochs, &growing.journal),
    )
}

/// Trains a network of fixed `widths` for as long as a grown one.
pub(super) fn from_scratch<M: Growable<Input = Tensor<4>>>(
    context: &UnitContext,
    sets: &SampleSets,
    recipe: &Recipe,
    seed: u64,
    widths: &[usize],
    make: impl Fn(&[usize], &Device) -> Result<M, NnError>,
) -> Result<NetworkResult, ExperimentError> {
    let epochs = recipe.phase_epochs * (recipe.max_growths + 1);
    let model = initialise(context.backend.as_ref(), seed, |d| make(widths, d))?;
    let rate = RateSchedule::constant(recipe.rate)?;
    let (model, training) = trained(context, sets, recipe, seed, (epochs, rate), model)?;
    finish(context, sets, recipe, seed, model, (&training, &[]))
}

/// `model` after so many epochs of training at a rate, without growth.
pub(super) fn trained<M: Growable<Input = Tensor<4>>>(
    context: &UnitContext,
    sets: &SampleSets,
    recipe: &Recipe,
    seed: u64,
    (epochs, rate): (usize, RateSchedule),
    model: M,
) -> Result<(M, Vec<EpochRecord>), ExperimentError> {
    let config = TrainConfig {
        batch_size: recipe.batch,
        learning_rate: rate,
        // Units run side by side, and the networks draw nothing.
        seeds_device: false,
        seed,
        ..TrainConfig::default()
    };
    train(context, config, &task(sets), model, optimizer(), epochs)
}

/// Training with a falling rate, then the run's judgement on the test set.
fn finish<M: Growable<Input = Tensor<4>>>(
    context: &UnitContext,
    sets: &SampleSets,
    recipe: &Recipe,
    seed: u64,
    model: M,
    (epochs, journal): (&[EpochRecord], &[GrowthRecord]),
) -> Result<NetworkResult, ExperimentError> {
    let falling = RateSchedule::cosine_of_phase(recipe.rate, 0.0, recipe.final_epochs)?;
    let length = (recipe.final_epochs, falling);
    let (model, records) = trained(context, sets, recipe, seed, length, model)?;
    let test = evaluate(&model, &CrossEntropy, &sets.test, 512)?;
    let ends = epochs.chunks(recipe.phase_epochs).filter_map(<[_]>::last);
    let last = records.last().map(|record| record.held);
    let decreases = journal.iter().filter_map(|record| {
        let made = record.verdict == Verdict::Committed;
        Some((record.predicted_decrease?, record.measured_decrease?)).filter(|_| made)
    });
    let refused = journal.iter().filter(|r| r.verdict != Verdict::Committed);
    let widths = trace(&model, &sets.held)?.graph().widths();
    Ok(NetworkResult {
        widths: widths.into_iter().map(|(_, width)| width).collect(),
        parameters: parameter_count(&model),
        test_accuracy: test.accuracy.unwrap_or_default(),
        test_loss: test.loss,
        held_accuracy: last.and_then(|held| held.accuracy).unwrap_or_default(),
        epochs: epochs.len() + records.len(),
        curve: ends
            .map(|record| (record.parameters, record.held.accuracy.unwrap_or_default()))
            .collect(),
        decreases: decreases.collect(),
        refused: refused.count(),
        sites: journal
            .iter()
            .flat_map(|record| record.sites.clone())
            .collect(),
    })
}

/// What the results of all image studies depend on, by name.
pub(super) fn constants() -> Value {
    json!({ "weight decay": WEIGHT_DECAY, "step of random growth": RANDOM_STEP })
}

pub(super) fn optimizer() -> ModuleOptimizer {
    AdamWConfig::new().with_weight_decay(WEIGHT_DECAY).init()
}

pub(super) fn common(config: GrowerConfig, recipe: &Recipe, seed: u64) -> GrowerConfig {
    config
        .with_batch_size(recipe.batch)
        // Units run side by side, and the networks draw nothing.
        .with_device_seeding(false)
        .with_seed(seed)
}

pub(super) fn task(sets: &SampleSets) -> Task<Tensor<4>> {
    Task::new(CrossEntropy, sets.train.clone(), sets.held.clone())
}

/// Mean and deviation of the test accuracy, in percent.
pub(super) fn accuracy(runs: &[NetworkResult]) -> Mean {
    let values: Vec<f64> = runs.iter().map(|run| 100.0 * run.test_accuracy).collect();
    Mean::of(&values)
}

/// Mean and deviation of the number of parameters.
pub(super) fn parameters(runs: &[NetworkResult]) -> Mean {
    let values: Vec<f64> = runs.iter().map(|run| run.parameters as f64).collect();
    Mean::of(&values)
}

/// What an axis says of its error bars, where there are any.
pub(super) fn spread_note(runs: usize) -> &'static str {
    if runs > 1 { " (mean ± deviation)" } else { "" }
}

/// Column heads of [`result_row`].
pub(super) fn result_columns() -> Vec<String> {
    let heads = [
        "network",
        "final widths",
        "parameters",
        "test accuracy %",
        "test loss",
        "epochs",
    ];
    heads.map(str::to_owned).into()
}

/// A table's row on runs of one kind.
pub(super) fn result_row(label: &str, runs: &[NetworkResult]) -> Vec<String> {
    let losses: Vec<f64> = runs.iter().map(|run| run.test_loss).collect();
    let epochs: Vec<f64> = runs.iter().map(|run| run.epochs as f64).collect();
    vec![
        label.to_owned(),
        widths_text(runs.iter().map(|run| &run.widths[..])),
        parameters(runs).text(0),
        accuracy(runs).text(2),
        Mean::of(&losses).text(4),
        format!("{:.0}", Mean::of(&epochs).value),
    ]
}

/// Held accuracy at the end of training for each group of runs, by parameters.
pub(super) fn end_series(label: &str, groups: &[Vec<NetworkResult>]) -> Series {
    let point = |runs: &Vec<NetworkResult>| {
        let held: Vec<f64> = runs.iter().map(|run| 100.0 * run.held_accuracy).collect();
        let held = Mean::of(&held);
        Point {
            x: parameters(runs).value,
            y: held.value,
            deviation: held.bar(),
        }
    };
    Series {
        label: label.into(),
        points: groups.iter().map(point).collect(),
        joined: groups.len() > 1,
    }
}

/// Held accuracy against parameters of S2D and random growth: while growing, and at the end.
pub(super) fn curve_figure(
    name: &str,
    title: String,
    s2d: &[NetworkResult],
    random: &[NetworkResult],
    ends: Vec<Series>,
) -> Figure {
    let named = [("grown by S2D", s2d), ("grown at random", random)];
    curve_pair_figure(name, title, &named, ends)
}

/// Held accuracy against parameters of each of the named groups: while growing, and at the end.
pub(super) fn curve_pair_figure(
    name: &str,
    title: String,
    named: &[(&str, &[NetworkResult])],
    ends: Vec<Series>,
) -> Figure {
    let curve = |label: &str, runs: &[NetworkResult]| {
        let phases = runs.iter().map(|run| run.curve.len()).min().unwrap_or(0);
        let points = (0..phases).map(|phase| {
            let sizes: Vec<f64> = runs.iter().map(|r| r.curve[phase].0 as f64).collect();
            let held: Vec<f64> = runs.iter().map(|r| 100.0 * r.curve[phase].1).collect();
            let held = Mean::of(&held);
            Point {
                x: Mean::of(&sizes).value,
                y: held.value,
                deviation: held.bar(),
            }
        });
        Series {
            label: format!("{label}, while growing"),
            points: points.collect(),
            joined: true,
        }
    };
    let most_runs = named.iter().map(|(_, runs)| runs.len()).max().unwrap_or(0);
    let growing = named.iter().map(|(label, runs)| curve(label, runs));
    let at_end = named
        .iter()
        .map(|(label, runs)| end_series(&format!("{label}, at the end"), &[runs.to_vec()]));
    let mut series: Vec<Series> = growing.chain(at_end).collect();
    series.extend(ends);
    Figure {
        name: name.into(),
        title,
        x_label: "trained parameters".into(),
        y_label: format!("accuracy on held samples, %{}", spread_note(most_runs)),
        x_scale: AxisScale::Log,
        y_scale: AxisScale::Linear,
        series,
        diagonal: false,
    }
}
