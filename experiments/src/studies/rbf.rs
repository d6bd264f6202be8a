//! The RBF regression that the toy studies share.

use burgeon_core::select::TopK;
use burgeon_core::{Activation, Criterion, SplitBackend};
use burgeon_nn::{Growable, MeanSquaredError, Samples};
use burgeon_train::{
    Accept, GrowerConfig, GrowerState, RateSchedule, StepSize, Task, TrainConfig, Trigger,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal};
use serde_json::{Value, json};

use super::growth::{Kept, grow, initialise, train};
use super::seed_count;
use crate::error::ExperimentError;
use crate::statistics::{Mean, median};
use crate::study::{Scale, StudySettings, UnitContext};

pub(super) const POINTS: usize = 1000;
/// The learning rate of each phase, at its begin and at its end.
const RATES: [f64; 2] = [0.05, 0.001];
pub(super) const TARGET_NEURONS: usize = 15;
pub(super) const EPSILON: f64 = 0.05;

/// Parameters of one neuron: θ₁, θ₂ and w.
pub(super) const PARAMETERS: usize = 3;

/// `Σ_j w_j exp(−(θ_j1 x + θ_j2)²/2)`.
#[derive(Module, Debug)]
pub(super) struct RbfNet {
    hidden: Linear,
    output: Linear,
}

impl RbfNet {
    pub fn new(neurons: usize, device: &Device) -> Self {
        let hidden = LinearConfig::new(1, neurons);
        let output = LinearConfig::new(neurons, 1).with_bias(false);
        Self {
            hidden: hidden.init(device),
            output: output.init(device),
        }
    }
}

impl Growable for RbfNet {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let features = Activation::Rbf.value(self.hidden.forward(input));
        self.output.forward(features)
    }
}

/// How much a toy study runs.
pub(super) struct Sizes {
    pub seeds: usize,
    pub widths: usize,
    pub epochs: usize,
}

pub(super) fn sizes(settings: &StudySettings) -> Sizes {
    let (seeds, widths, epochs) = match settings.scale {
        Scale::Quick => (20, 8, 400),
        Scale::Cpu | Scale::Paper => (50, TARGET_NEURONS, 2000),
    };
    Sizes {
        seeds: settings.seeds.unwrap_or(seeds),
        widths,
        epochs,
    }
}

/// What the results of the toy studies depend on, by name.
pub(super) fn recipe(sizes: &Sizes) -> Value {
    json!({
        "points": POINTS,
        "neurons of the target": TARGET_NEURONS,
        "step": EPSILON,
        "widths": sizes.widths,
        "epochs a width": sizes.epochs,
        "learning rate": RATES,
    })
}

/// 1,000 points of a random network of 15 RBF neurons.
pub(super) fn target(
    backend: &dyn SplitBackend,
    seed: u64,
) -> Result<Samples<Tensor<2>>, ExperimentError> {
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
pub(super) fn learning_rate(epochs: usize) -> Result<RateSchedule, ExperimentError> {
    Ok(RateSchedule::cosine_of_phase(RATES[0], RATES[1], epochs)?)
}

/// Training without growth for so many epochs.
pub(super) fn train_config(epochs: usize, seed: u64) -> Result<TrainConfig, ExperimentError> {
    Ok(TrainConfig {
        batch_size: POINTS,
        learning_rate: learning_rate(epochs)?,
        // Units run side by side, and the network draws nothing.
        seeds_device: false,
        seed,
        ..TrainConfig::default()
    })
}

fn config(criterion: impl Criterion + 'static, seed: u64) -> Result<GrowerConfig, ExperimentError> {
    Ok(GrowerConfig::new(criterion, TopK::new(1)?)
        .with_batch_size(POINTS)
        .with_capture_samples(POINTS)
        .with_step_size(StepSize::Fixed {
            epsilon: EPSILON,
            accept: Accept::Always,
        })
        // Units run side by side, and the network draws nothing.
        .with_device_seeding(false)
        .with_seed(seed))
}

pub(super) fn task(samples: &Samples<Tensor<2>>) -> Task<Tensor<2>> {
    Task::new(MeanSquaredError, samples.clone(), samples.clone())
}

/// Grows a network from one neuron, one split of a fixed step a phase.
pub(super) fn grown(
    context: &UnitContext,
    samples: &Samples<Tensor<2>>,
    sizes: &Sizes,
    seed: u64,
    criterion: impl Criterion + 'static,
    max_refusals: usize,
) -> Result<(RbfNet, GrowerState), ExperimentError> {
    let config = config(criterion, seed)?.with_max_refusals(max_refusals);
    grown_by(context, samples, sizes, seed, config)
}

/// Grows a network from one neuron, one growth a phase, whose step is searched for on all points; a
/// refused growth is tried again after the next phase.
pub(super) fn grown_by_search(
    context: &UnitContext,
    samples: &Samples<Tensor<2>>,
    sizes: &Sizes,
    seed: u64,
    criterion: impl Criterion + 'static,
) -> Result<(RbfNet, GrowerState), ExperimentError> {
    let config = config(criterion, seed)?
        .with_step_size(StepSize::line_search())
        .with_max_refusals(usize::MAX);
    grown_by(context, samples, sizes, seed, config)
}

fn grown_by(
    context: &UnitContext,
    samples: &Samples<Tensor<2>>,
    sizes: &Sizes,
    seed: u64,
    config: GrowerConfig,
) -> Result<(RbfNet, GrowerState), ExperimentError> {
    let config = config
        .with_trigger(Trigger::Every {
            epochs: sizes.epochs,
        })
        .with_learning_rate(learning_rate(sizes.epochs)?)
        .with_max_epochs(sizes.epochs * sizes.widths)
        .with_parameter_budget((PARAMETERS * sizes.widths) as u64)
        .with_end_of_growth(true);
    let model = initialise(context.backend.as_ref(), seed, |d| Ok(RbfNet::new(1, d)))?;
    let optimizer = AdamConfig::new().init();
    grow(
        context,
        config,
        task(samples),
        model,
        optimizer,
        Kept::default(),
    )
}

/// The losses at the end of training at width 1, 2, …, each trained for as many epochs as
/// a grown network of that width had.
pub(super) fn from_scratch(
    context: &UnitContext,
    samples: &Samples<Tensor<2>>,
    sizes: &Sizes,
    seed: u64,
) -> Result<Vec<f64>, ExperimentError> {
    let mut loss_at_width = Vec::new();
    for width in 1..=sizes.widths {
        let epochs = sizes.epochs * width;
        let config = train_config(epochs, seed)?;
        let model = initialise(context.backend.as_ref(), seed, |d| {
            Ok(RbfNet::new(width, d))
        })?;
        let optimizer = AdamConfig::new().init();
        let (_, records) = train(context, config, &task(samples), model, optimizer, epochs)?;
        loss_at_width.extend(records.last().map(|record| record.held.loss));
    }
    Ok(loss_at_width)
}

/// The last loss at each width to `widths`, with the widest network's width. Widths that
/// a run passed over or did not reach have the loss of the next smaller one.
pub(super) fn losses_by_width(state: &GrowerState, sizes: &Sizes) -> (Vec<f64>, usize) {
    let mut losses = vec![f64::NAN; sizes.widths];
    let mut widest = 0;
    for record in &state.epochs {
        let width = usize::try_from(record.parameters).unwrap_or(0) / PARAMETERS;
        widest = widest.max(width);
        if let Some(loss) = losses.get_mut(width.wrapping_sub(1)) {
            *loss = record.held.loss;
        }
    }
    for index in 1..losses.len() {
        if losses[index].is_nan() {
            losses[index] = losses[index - 1];
        }
    }
    (losses, widest)
}

/// A table's note on its scale.
pub(super) fn scale_note(sizes: &Sizes, seeds: usize) -> String {
    format!(
        "synthetic, {}, widths to {}, {} full-batch Adam steps a width",
        seed_count(seeds),
        sizes.widths,
        sizes.epochs
    )
}

/// The losses of one method's runs, by seed and width.
pub(super) type Losses = Vec<Vec<f64>>;

/// The losses of all seeds at `width`.
pub(super) fn losses_at(losses: &Losses, width: usize) -> Vec<f64> {
    losses.iter().map(|run| run[width - 1]).collect()
}

/// Column heads and a row for each width: mean ± deviation and median of every method, or the one
/// loss that there is.
pub(super) fn width_rows(
    labels: &[&str],
    methods: &[Losses],
    widths: usize,
) -> (Vec<String>, Vec<Vec<String>>) {
    let heads = std::iter::once("width").chain(labels.iter().copied());
    let rows = (1..=widths).map(|width| {
        let cells = methods.iter().map(|losses| {
            let losses = losses_at(losses, width);
            match Mean::of(&losses) {
                mean if mean.deviation.is_none() => mean.text(4),
                mean => format!("{} (median {:.4})", mean.text(4), median(&losses)),
            }
        });
        std::iter::once(width.to_string()).chain(cells).collect()
    });
    (heads.map(str::to_owned).collect(), rows.collect())
}

#[cfg(test)]
mod tests {
    use burgeon_nn::trace;

    use super::*;

    #[test]
    fn a_single_neuron_is_a_site_of_its_weight_and_bias() -> Result<(), ExperimentError> {
        let device = Device::flex();
        let net = RbfNet::new(1, &device.clone().autodiff());
        let column = Tensor::<2>::ones([4, 1], &device);
        let samples = Samples::regression(column.clone(), column)?;
        let trace = trace(&net, &samples)?;
        let sites = trace.graph().growable();
        let sites: Vec<_> = sites
            .map(|site| (site.name(), site.width(), site.dim()))
            .collect();
        assert_eq!(sites, [("hidden", 1, 2)]);
        Ok(())
    }
}
