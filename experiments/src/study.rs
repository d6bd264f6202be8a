//! Studies: an experiment as independent units that can be run in any order,
//! kept one by one, and reported together.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;

use burgeon_core::SplitBackend;
use serde_json::Value;

use crate::error::ExperimentError;
use crate::report::Report;
use crate::units::Units;

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Minutes on two cores.
    Quick,
    /// At most an hour on two cores.
    Cpu,
    /// The papers' sizes, where they are known.
    Paper,
}

impl Scale {
    /// All of them, the smallest first.
    pub const ALL: [Self; 3] = [Self::Quick, Self::Cpu, Self::Paper];

    /// Its name on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Cpu => "cpu",
            Self::Paper => "paper",
        }
    }
}

/// The settings of a run that its units depend on.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StudySettings {
    /// How much is run.
    pub scale: Scale,
    /// Seeds, if not the study's own number.
    pub seeds: Option<usize>,
    /// The device's name.
    pub device: String,
    /// Where data sets lie.
    pub data: PathBuf,
    /// Whether networks train in mixed precision.
    #[serde(default)]
    pub mixed_precision: bool,
    /// Changes `section.key=value` of what a study's file says.
    #[serde(default)]
    pub changes: Vec<String>,
}

impl StudySettings {
    /// Everything as it is unless told, at `scale`.
    pub fn at(scale: Scale) -> Self {
        Self {
            scale,
            seeds: None,
            device: burgeon::backend::DEFAULT.to_owned(),
            data: PathBuf::from("data"),
            mixed_precision: false,
            changes: Vec::new(),
        }
    }
}

/// What a unit may use.
#[derive(Debug)]
pub struct UnitContext {
    /// The run's settings.
    pub settings: StudySettings,
    /// The run's backend, opened once.
    pub backend: Arc<dyn SplitBackend>,
    /// A file in which the unit can keep a checkpoint.
    pub checkpoint: PathBuf,
    /// Set when the run should end.
    pub interrupt: Arc<AtomicBool>,
    /// Takes a line on how the unit goes.
    pub progress: mpsc::Sender<UnitEvent>,
    /// The unit's key.
    pub unit: String,
}

/// What a unit tells while it runs.
#[derive(Debug)]
pub enum UnitEvent {
    /// A line on how it goes.
    Progress(String),
    /// It ended: its index and its result.
    Ended(usize, Result<Value, ExperimentError>),
}

/// An experiment.
pub trait Study: Debug + Send + Sync {
    /// Its name on the command line.
    fn name(&self) -> &str;

    /// One line on what it shows.
    fn description(&self) -> &str;

    /// Whether it is run when no name is given.
    fn is_default(&self) -> bool;

    /// The scales at which it can be run.
    fn scales(&self) -> Vec<Scale> {
        vec![Scale::Quick, Scale::Paper]
    }

    /// Whether its settings are a file's, which [`StudySettings::changes`] can change.
    fn takes_changes(&self) -> bool {
        false
    }

    /// Whether its units measure time, so that one at a time is to run.
    fn measures_time(&self) -> bool {
        false
    }

    /// Its units; their names are those of files.
    ///
    /// # Errors
    /// [`ExperimentError::Settings`] for more seeds than can be counted.
    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError>;

    /// All that results depend on besides the settings, by name. It is kept with every result, and
    /// results of another recipe are not reported with new ones.
    ///
    /// # Errors
    /// [`ExperimentError::Settings`] for settings that the study cannot be run with.
    fn recipe(&self, settings: &StudySettings) -> Result<Value, ExperimentError>;

    /// Of the recipe, what the result of this unit depends on: all of it unless told.
    ///
    /// # Errors
    /// As [`recipe`](Self::recipe), and for a unit of another study.
    fn unit_recipe(&self, settings: &StudySettings, unit: &str) -> Result<Value, ExperimentError> {
        let _ = unit;
        self.recipe(settings)
    }

    /// Whether `result` is what [`run`](Self::run) gives for this unit.
    ///
    /// # Errors
    /// [`ExperimentError::Settings`] with what is wrong.
    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError>;

    /// Runs one unit.
    ///
    /// # Errors
    /// Whatever goes wrong; [`ExperimentError::Interrupted`] if asked to end.
    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError>;

    /// Joins the results of all units, in the order of [`units`](Self::units).
    ///
    /// # Errors
    /// [`ExperimentError::Settings`] for a result that is not one of this study's.
    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError>;
}

/// Told how a study goes.
pub trait StudyObserver {
    /// `done` of `total` units are finished, `unit` the last.
    fn unit_finished(&mut self, unit: &str, done: usize, total: usize);

    /// A running unit tells how it goes.
    fn unit_progress(&mut self, line: &str);
}
