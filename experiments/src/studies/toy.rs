//! The RBF regression of the S2D paper: loss against width, and predicted against
//! measured decrease.

use burgeon_core::criterion::{Net2Net, RandomSplit, SteepestDescent};
use burgeon_core::select::TopK;
use burgeon_core::{Activation, Criterion, SplitBackend};
use burgeon_nn::grower::{Accept, GrowerState, Verdict};
use burgeon_nn::{
    Growable, GrowableLinear, GrowableLinearConfig, GrowerConfig, LearningRate, MeanSquaredError,
    NnError, Samples, StepSize, Task, Topology, Trigger,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::growth::{grow, initialise};
use super::{decode, encode, method_and_seed};
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Report, Series, Table};
use crate::statistics::{correlation, mean_deviation, median, plus_minus};
use crate::study::{Scale, Study, StudySettings, UnitContext};

const POINTS: usize = 1000;
const TARGET_NEURONS: usize = 15;
const EPSILON: f64 = 0.05;
const METHODS: [(&str, &str); 4] = [
    ("s2d", "splitting steepest descent"),
    ("random", "random splitting"),
    ("net2net", "Net2Net"),
    ("scratch", "each width from scratch"),
];

/// The study.
#[derive(Debug)]
pub(super) struct Toy;

/// `Σ_j w_j exp(−(θ_j1 x + θ_j2)²/2)`.
#[derive(Module, Debug)]
struct RbfNet {
    hidden: GrowableLinear,
    output: Linear,
}

impl RbfNet {
    fn new(neurons: usize, device: &Device) -> Result<Self, NnError> {
        let hidden = GrowableLinearConfig::new(1, neurons).with_activation(Activation::Rbf);
        let output = LinearConfig::new(neurons, 1).with_bias(false);
        Ok(Self {
            hidden: hidden.init(device)?,
            output: output.init(device),
        })
    }
}

impl Growable for RbfNet {
    type Input = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.hidden.forward(input))
    }

    fn topology(&self) -> Result<Topology, NnError> {
        Topology::chain()
            .layer("hidden", &self.hidden)
            .layer("output", &self.output)
            .build()
    }
}

/// What one unit found.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    /// Loss at the end of training at width 1, 2, …; a run that stopped growing
    /// keeps its last loss.
    loss_at_width: Vec<f64>,
    /// The width at which growing ended.
    final_width: usize,
    /// λ_min of the neuron that was split, with predicted and measured decrease.
    splits: Vec<SplitMeasured>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SplitMeasured {
    lambda_min: f64,
    predicted: f64,
    measured: f64,
}

struct Sizes {
    seeds: usize,
    widths: usize,
    epochs: usize,
}

fn sizes(settings: &StudySettings) -> Sizes {
    let (seeds, widths, epochs) = match settings.scale {
        Scale::Quick => (20, 8, 400),
        Scale::Full => (50, TARGET_NEURONS, 2000),
    };
    Sizes {
        seeds: settings.seeds.unwrap_or(seeds),
        widths,
        epochs,
    }
}

impl Study for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn description(&self) -> &'static str {
        "RBF regression in one dimension (synthetic, S2D paper): loss against width, \
         predicted against measured decrease"
    }

    fn is_default(&self) -> bool {
        true
    }

    fn units(&self, settings: &StudySettings) -> Vec<String> {
        let seeds = sizes(settings).seeds;
        METHODS
            .iter()
            .flat_map(|(method, _)| (0..seeds).map(move |seed| format!("{method}-{seed}")))
            .collect()
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (method, seed) = method_and_seed(unit)?;
        let sizes = sizes(&context.settings);
        let backend = context.backend()?;
        let samples = target(backend.as_ref(), seed)?;
        let outcome = match method {
            "s2d" => grown(context, &samples, &sizes, seed, SteepestDescent)?,
            "random" => grown(context, &samples, &sizes, seed, RandomSplit)?,
            "net2net" => grown(context, &samples, &sizes, seed, Net2Net)?,
            _ => from_scratch(context, &samples, &sizes, seed)?,
        };
        encode(&outcome)
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let sizes = sizes(settings);
        let mut outcomes: Vec<(&str, Vec<Outcome>)> = Vec::new();
        for (method, _) in METHODS {
            let own = results.iter().filter_map(|(unit, value)| {
                let (found, _) = method_and_seed(unit).ok()?;
                (found == method).then(|| decode(unit, value))
            });
            outcomes.push((method, own.collect::<Result<_, _>>()?));
        }
        let pairs: Vec<&SplitMeasured> = outcomes[0].1.iter().flat_map(|o| &o.splits).collect();
        Ok(Report {
            tables: vec![loss_table(&sizes, &outcomes, &pairs)],
            figures: vec![loss_figure(&sizes, &outcomes), split_figure(&sizes, &pairs)],
        })
    }
}

/// 1,000 points of a random network of 15 RBF neurons.
fn target(backend: &dyn SplitBackend, seed: u64) -> Result<Samples<Tensor<2>>, ExperimentError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let normal = Normal::new(0.0, 3.0_f64.sqrt())
        .map_err(|error| ExperimentError::Settings(error.to_string()))?;
    let neurons: Vec<[f64; 3]> = (0..TARGET_NEURONS)
        .map(|_| [0; 3].map(|_| normal.sample(&mut rng)))
        .collect();
    let x: Vec<f64> = (0..POINTS).map(|_| rng.random_range(-5.0..5.0)).collect();
    let value = |x: &f64| -> f64 {
        let term = |[w, a, b]: &[f64; 3]| w * (-0.5 * (a * x + b).powi(2)).exp();
        neurons.iter().map(term).sum()
    };
    let y: Vec<f64> = x.iter().map(value).collect();
    let device = backend.device();
    let column = |values: Vec<f64>| {
        Tensor::<2>::from_data(
            TensorData::new(values, [POINTS, 1]).convert::<f32>(),
            &device,
        )
    };
    Ok(Samples::regression(column(x), column(y))?)
}

/// Each phase starts anew at a high rate and ends near convergence.
fn learning_rate(epochs: usize) -> LearningRate {
    LearningRate::Cosine {
        initial: 0.05,
        last: 0.001,
        epochs,
    }
}

fn config(criterion: impl Criterion + 'static, seed: u64) -> Result<GrowerConfig, ExperimentError> {
    Ok(GrowerConfig::new(criterion, TopK::new(1)?)
        .with_batch_size(POINTS)
        .with_capture_samples(POINTS)
        .with_step_size(StepSize::Fixed {
            epsilon: EPSILON,
            accept: Accept::Always,
        })
        // A refused step is tried again after the next phase.
        .with_max_refusals(usize::MAX)
        // Units run side by side, and the network draws nothing.
        .with_device_seeding(false)
        .with_seed(seed))
}

fn task(samples: &Samples<Tensor<2>>) -> Task<Tensor<2>> {
    Task {
        objective: Box::new(MeanSquaredError),
        train: samples.clone(),
        // The paper's toy has one set: it asks for optimisation, not generalisation.
        held: samples.clone(),
    }
}

fn grown(
    context: &UnitContext,
    samples: &Samples<Tensor<2>>,
    sizes: &Sizes,
    seed: u64,
    criterion: impl Criterion + 'static,
) -> Result<Outcome, ExperimentError> {
    let config = config(criterion, seed)?
        .with_trigger(Trigger::Every {
            epochs: sizes.epochs,
        })
        .with_learning_rate(learning_rate(sizes.epochs))
        .with_max_epochs(sizes.epochs * sizes.widths);
    let model = initialise(context.backend()?.as_ref(), seed, |d| RbfNet::new(1, d))?;
    let optimizer = AdamConfig::new().init();
    let (_, state) = grow(context, config, task(samples), model, optimizer, false)?;
    Ok(outcome_of(&state, sizes))
}

fn outcome_of(state: &GrowerState, sizes: &Sizes) -> Outcome {
    // The last epoch of each width; a width keeps training where growth is refused.
    let mut loss_at_width: Vec<f64> = Vec::new();
    let mut parameters = 0;
    for record in &state.epochs {
        if record.parameters > parameters {
            parameters = record.parameters;
            loss_at_width.push(record.held.loss);
        }
        if let Some(last) = loss_at_width.last_mut() {
            *last = record.held.loss;
        }
    }
    let final_width = loss_at_width.len();
    let last = loss_at_width.last().copied().unwrap_or(f64::NAN);
    loss_at_width.resize(sizes.widths, last);
    let splits = state.journal.iter().filter_map(|record| {
        let gain = record.plan.predicted_gain()?;
        Some(SplitMeasured {
            lambda_min: -2.0 * gain,
            predicted: record.predicted_decrease?,
            measured: record
                .measured_decrease
                .filter(|_| record.verdict == Verdict::Committed)?,
        })
    });
    Outcome {
        loss_at_width,
        final_width,
        splits: splits.collect(),
    }
}

/// Every width trained for as many epochs as a grown network of that width had.
fn from_scratch(
    context: &UnitContext,
    samples: &Samples<Tensor<2>>,
    sizes: &Sizes,
    seed: u64,
) -> Result<Outcome, ExperimentError> {
    let mut loss_at_width = Vec::new();
    for width in 1..=sizes.widths {
        let epochs = sizes.epochs * width;
        let config = config(RandomSplit, seed)?
            .with_max_growths(0)
            .with_trigger(Trigger::Every { epochs })
            .with_learning_rate(learning_rate(epochs))
            .with_max_epochs(epochs);
        let model = initialise(context.backend()?.as_ref(), seed, |d| RbfNet::new(width, d))?;
        let optimizer = AdamConfig::new().init();
        let (_, state) = grow(context, config, task(samples), model, optimizer, false)?;
        loss_at_width.extend(state.epochs.last().map(|record| record.held.loss));
    }
    Ok(Outcome {
        loss_at_width,
        final_width: sizes.widths,
        splits: Vec::new(),
    })
}

fn scale_note(sizes: &Sizes) -> String {
    format!(
        "synthetic, {} seeds, widths to {}, {} full-batch Adam steps a width",
        sizes.seeds, sizes.widths, sizes.epochs
    )
}

fn losses_at(outcomes: &[Outcome], width: usize) -> Vec<f64> {
    outcomes
        .iter()
        .map(|o| o.loss_at_width[width - 1])
        .collect()
}

fn loss_table(sizes: &Sizes, outcomes: &[(&str, Vec<Outcome>)], pairs: &[&SplitMeasured]) -> Table {
    let mut columns = vec!["width".to_owned()];
    columns.extend(METHODS.map(|(_, label)| label.to_owned()));
    let rows = (1..=sizes.widths)
        .map(|width| {
            let cells = outcomes.iter().map(|(_, runs)| {
                let losses = losses_at(runs, width);
                let spread = plus_minus(mean_deviation(&losses), 4);
                format!("{spread} (median {:.4})", median(&losses))
            });
            std::iter::once(width.to_string()).chain(cells).collect()
        })
        .collect();
    let last = |index: usize| mean_deviation(&losses_at(&outcomes[index].1, sizes.widths)).0;
    let stopped = outcomes[0]
        .1
        .iter()
        .filter(|o| o.final_width < sizes.widths)
        .count();
    let logs: Vec<(f64, f64)> = pairs
        .iter()
        .filter(|pair| pair.predicted > 0.0 && pair.measured > 0.0)
        .map(|pair| (pair.predicted.ln(), pair.measured.ln()))
        .collect();
    let plain: Vec<(f64, f64)> = pairs.iter().map(|p| (p.predicted, p.measured)).collect();
    let ratios: Vec<f64> = pairs.iter().map(|p| p.measured / p.predicted).collect();
    let comparison = if last(0) < last(1) {
        "beats"
    } else {
        "does not beat"
    };
    Table {
        name: "toy".into(),
        title: format!(
            "RBF regression: mean squared error by width ({})",
            scale_note(sizes)
        ),
        columns,
        rows,
        notes: vec![
            format!(
                "S2D {comparison} random splitting at width {}: mean loss {:.4} against {:.4}.",
                sizes.widths,
                last(0),
                last(1)
            ),
            format!(
                "In {stopped} of {} seeds S2D ended below width {}: at some steps no neuron had a \
                 negative eigenvalue, and the phase's training went on at the old width; such \
                 runs keep their last loss.",
                outcomes[0].1.len(),
                sizes.widths
            ),
            format!(
                "Predicted decrease −ε²λ_min/2 against the measured one over {} splits at ε = \
                 {EPSILON}: correlation {:.4}, of the logarithms {:.4} ({} with both positive), \
                 median ratio {:.3}.",
                pairs.len(),
                correlation(&plain),
                correlation(&logs),
                logs.len(),
                median(&ratios)
            ),
            format!(
                "Target: {TARGET_NEURONS} neurons w·exp(−(θ₁x+θ₂)²/2), w, θ ~ N(0, 3), {POINTS} \
                 points, x uniform in [−5, 5] (the paper's setting, unverified). The paper's own \
                 figures: not available."
            ),
        ],
    }
}

fn loss_figure(sizes: &Sizes, outcomes: &[(&str, Vec<Outcome>)]) -> Figure {
    let series = outcomes.iter().zip(METHODS).map(|((_, runs), (_, label))| {
        let points = (1..=sizes.widths).map(|width| {
            let (y, deviation) = mean_deviation(&losses_at(runs, width));
            Point {
                x: width as f64,
                y,
                deviation: deviation / (runs.len() as f64).sqrt(),
            }
        });
        Series {
            label: label.into(),
            points: points.collect(),
            joined: true,
        }
    });
    Figure {
        name: "toy-loss-against-width".into(),
        title: format!("RBF regression ({})", scale_note(sizes)),
        x_label: "neurons".into(),
        y_label: "mean squared error (mean ± standard error)".into(),
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Log,
        series: series.collect(),
        diagonal: false,
    }
}

fn split_figure(sizes: &Sizes, pairs: &[&SplitMeasured]) -> Figure {
    let points = pairs
        .iter()
        .filter(|pair| pair.predicted > 0.0 && pair.measured > 0.0)
        .map(|pair| Point {
            x: pair.predicted,
            y: pair.measured,
            deviation: 0.0,
        });
    Figure {
        name: "toy-predicted-against-measured".into(),
        title: format!(
            "λ_min against the real decrease, ε = {EPSILON} ({} seeds)",
            sizes.seeds
        ),
        x_label: "predicted decrease −ε²λ_min/2".into(),
        y_label: "measured decrease of the loss".into(),
        x_scale: AxisScale::Log,
        y_scale: AxisScale::Log,
        series: vec![Series {
            label: "splits by S2D".into(),
            points: points.collect(),
            joined: false,
        }],
        diagonal: true,
    }
}
