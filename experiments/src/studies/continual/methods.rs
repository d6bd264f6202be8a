//! The methods, on one sequence of tasks.

use std::sync::Arc;
use std::time::Instant;

use burgeon_continual::baseline::{Elastic, Joint, Separate, Sequential};
use burgeon_continual::{
    Architecture, ContinualTask, GrownConfig, GrownLearner, Learner, Predictor, Reuse, TaskRecord,
    Training, accuracy, learn_sequence,
};
use burgeon_train::GrowthConfig;
use serde::{Deserialize, Serialize};

use super::scenario::{Recipe, Scenario};
use crate::error::ExperimentError;
use crate::study::{UnitContext, UnitEvent};

/// The methods, in the order of tables.
pub(super) const METHODS: [&str; 6] = [GROWN, ALONE, TUNED, ELASTIC, SEPARATE, JOINT];

pub(super) const GROWN: &str = "grown";
pub(super) const ALONE: &str = "grown, nothing reused";
pub(super) const TUNED: &str = "fine-tuning";
pub(super) const ELASTIC: &str = "EWC";
pub(super) const SEPARATE: &str = "separate networks";
pub(super) const JOINT: &str = "all tasks at once";

/// What one method came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MethodResult {
    pub method: String,
    /// Test accuracies on all tasks so far after each; the last row alone for all tasks at once.
    pub rows: Vec<Vec<f64>>,
    pub average_accuracy: f64,
    pub forgetting: Option<f64>,
    pub parameters: u64,
    pub macs: u64,
    pub seconds: f64,
}

/// What a unit found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub methods: Vec<MethodResult>,
    /// How the grown network learned each task.
    pub tasks: Vec<TaskRecord>,
    /// Widths of the networks of fixed size: one for all tasks, and each of the separate ones.
    pub fixed_widths: Vec<usize>,
    pub separate_widths: Vec<usize>,
}

/// All methods on `tasks`. Networks of fixed size are as large as the grown one became.
pub(super) fn run_unit(
    context: &UnitContext,
    scenario: Scenario,
    recipe: &Recipe,
    tasks: &[ContinualTask],
    seed: u64,
) -> Result<Outcome, ExperimentError> {
    let input = tasks.first().map_or([1; 3], ContinualTask::input);
    let architecture = scenario.architecture(input)?;
    let device = context.backend.device();
    let training = Training {
        batch_size: recipe.batch,
        mixed_precision: context.settings.mixed_precision,
        ..Training::new(recipe.epochs, recipe.rate)?.with_seed(seed)
    };
    let config = grown_config(recipe, training.clone())?;
    let mut methods = Vec::new();

    let mut grown = grown_learner(context, &architecture, config.clone())?
        .checkpoint_at(&context.checkpoint)?;
    methods.push(learned(context, GROWN, &mut grown, tasks)?);
    let records = grown.records().cloned().collect();
    let parameters = grown.parameters();

    let mut alone = grown_learner(context, &architecture, config.without_reuse())?;
    methods.push(learned(context, ALONE, &mut alone, tasks)?);

    let outputs: usize = tasks.iter().map(ContinualTask::classes).sum();
    let fixed = architecture.uniform_widths(outputs, parameters);
    let tuned = || Sequential::new(architecture.clone(), &fixed, training.clone(), &device);
    let mut fine_tuned = tuned()?.interrupt_by(context.interrupt.clone());
    methods.push(learned(context, TUNED, &mut fine_tuned, tasks)?);
    let elastic = Elastic {
        strength: recipe.elastic,
        samples: recipe.fisher,
    };
    let held = tuned()?.with_elastic(elastic)?;
    methods.push(learned(
        context,
        ELASTIC,
        &mut held.interrupt_by(context.interrupt.clone()),
        tasks,
    )?);

    let classes = outputs / tasks.len().max(1);
    let each = architecture.uniform_widths(classes, parameters / tasks.len().max(1) as u64);
    let separate = Separate::new(architecture.clone(), &each, training.clone(), &device)?;
    let mut separate = separate.interrupt_by(context.interrupt.clone());
    methods.push(learned(context, SEPARATE, &mut separate, tasks)?);

    methods.push(at_once(context, architecture, &fixed, &training, tasks)?);
    Ok(Outcome {
        methods,
        tasks: records,
        fixed_widths: fixed,
        separate_widths: each,
    })
}

fn grown_config(recipe: &Recipe, training: Training) -> Result<GrownConfig, ExperimentError> {
    let config = GrownConfig::new(training, recipe.start.clone())?;
    Ok(GrownConfig {
        reuse: Reuse {
            share: recipe.reuse,
            samples: recipe.ranked_on,
            ..Reuse::default()
        },
        copies: recipe.candidates,
        firefly: config.firefly.with_new_neurons(recipe.candidates)?,
        growth: GrowthConfig {
            capture_samples: recipe.ranked_on,
            ..config.growth
        },
        phase_epochs: recipe.phase_epochs,
        max_growths: recipe.max_growths,
        enough: recipe.enough,
        least_gain: recipe.least_gain,
        ..config
    })
}

fn grown_learner(
    context: &UnitContext,
    architecture: &Architecture,
    config: GrownConfig,
) -> Result<GrownLearner, ExperimentError> {
    let learner = GrownLearner::new(architecture.clone(), config, context.backend.clone())?;
    Ok(learner.interrupt_by(context.interrupt.clone()))
}

/// Learns `tasks` one after the other.
fn learned(
    context: &UnitContext,
    method: &str,
    learner: &mut dyn Learner,
    tasks: &[ContinualTask],
) -> Result<MethodResult, ExperimentError> {
    let started = Instant::now();
    let mut watch = |task: usize, row: &[f64]| {
        let mean = row.iter().sum::<f64>() / row.len().max(1) as f64;
        tell(
            context,
            format!(
                "{method}, task {}: {:.2} % on average",
                task + 1,
                100.0 * mean
            ),
        );
    };
    let matrix = learn_sequence(learner, tasks, &mut watch)?;
    Ok(MethodResult {
        method: method.to_owned(),
        average_accuracy: matrix.average_accuracy().unwrap_or_default(),
        forgetting: matrix.forgetting(),
        rows: matrix.rows().to_vec(),
        parameters: learner.parameters(),
        macs: learner.training_macs(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// Learns all `tasks` together.
fn at_once(
    context: &UnitContext,
    architecture: Architecture,
    widths: &[usize],
    training: &Training,
    tasks: &[ContinualTask],
) -> Result<MethodResult, ExperimentError> {
    let started = Instant::now();
    let device = context.backend.device();
    let interrupt = Arc::clone(&context.interrupt);
    let joint = Joint::learn(architecture, widths, training, tasks, &device, &interrupt)?;
    let numbered = tasks.iter().enumerate();
    let row: Vec<f64> = numbered
        .map(|(number, task)| accuracy(&joint, number, task.test()))
        .collect::<Result<_, _>>()?;
    let average_accuracy = row.iter().sum::<f64>() / row.len().max(1) as f64;
    tell(
        context,
        format!("{JOINT}: {:.2} % on average", 100.0 * average_accuracy),
    );
    Ok(MethodResult {
        method: JOINT.to_owned(),
        rows: vec![row],
        average_accuracy,
        forgetting: None,
        parameters: joint.parameters(),
        macs: joint.training_macs(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn tell(context: &UnitContext, line: String) {
    // Nobody listening is no reason to stop.
    let _ = context
        .progress
        .send(UnitEvent::Progress(format!("{}: {line}", context.unit)));
}
