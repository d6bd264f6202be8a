//! Studies: an experiment as independent units that can be run in any order,
//! kept one by one, and reported together.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use burgeon_core::SplitBackend;
use burgeon_train::remove_checkpoint;
use serde_json::Value;

use crate::error::ExperimentError;
use crate::report::Report;

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Minutes on two cores.
    Quick,
    /// The sizes of the papers, where they are known.
    Full,
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
    fn name(&self) -> &'static str;

    /// One line on what it shows.
    fn description(&self) -> &'static str;

    /// Whether it is run when no name is given.
    fn is_default(&self) -> bool;

    /// Whether its units measure time, so that one at a time is to run.
    fn measures_time(&self) -> bool {
        false
    }

    /// The keys of its units; they are file names.
    fn units(&self, settings: &StudySettings) -> Vec<String>;

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

/// Runs the units of `study` that are not yet in `folder`, on `workers` threads (one, where
/// time is measured), and
/// returns all results in order. Each result is kept as soon as it is there.
///
/// # Errors
/// The first error of a unit; what was finished stays.
pub fn run_units(
    study: &dyn Study,
    settings: &StudySettings,
    backend: &Arc<dyn SplitBackend>,
    folder: &Path,
    workers: usize,
    interrupt: &Arc<AtomicBool>,
    observer: &mut dyn StudyObserver,
) -> Result<Vec<(String, Value)>, ExperimentError> {
    let units = study.units(settings);
    let unit_folder = folder.join("units");
    fs::create_dir_all(&unit_folder).map_err(ExperimentError::io(&unit_folder))?;
    let mut results: Vec<Option<Value>> = Vec::with_capacity(units.len());
    for unit in &units {
        results.push(read_result(&unit_folder.join(format!("{unit}.json")))?);
    }
    let open: Vec<usize> = (0..units.len()).filter(|&i| results[i].is_none()).collect();
    let mut done = units.len() - open.len();
    observer.unit_finished("", done, units.len());
    let workers = if study.measures_time() { 1 } else { workers };
    let workers = workers.clamp(1, open.len().max(1));
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let mut first_error = None;
    // A pool for each worker: units that shared one would wait for each other at every tensor
    // operation, and a thread that waits inside one unit might start another on top of it.
    let threads = (rayon::current_num_threads() / workers).max(1);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..workers {
            let sender = sender.clone();
            let (units, open, unit_folder) = (&units, &open, &unit_folder);
            let (next, failed) = (&next, &failed);
            scope.spawn(move || {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                while let Some(&index) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if failed.load(Ordering::Relaxed) || interrupt.load(Ordering::Relaxed) {
                        break;
                    }
                    let context = UnitContext {
                        settings: settings.clone(),
                        backend: backend.clone(),
                        checkpoint: unit_folder.join(format!("{}.checkpoint", units[index])),
                        interrupt: interrupt.clone(),
                        progress: sender.clone(),
                        unit: units[index].clone(),
                    };
                    let run = || study.run(&units[index], &context);
                    let result = install(&pool, run).and_then(|value| {
                        let path = unit_folder.join(format!("{}.json", units[index]));
                        write_result(&path, &value)?;
                        if context.checkpoint.exists() {
                            remove_checkpoint(&context.checkpoint)?;
                        }
                        Ok(value)
                    });
                    if sender.send(UnitEvent::Ended(index, result)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for event in receiver {
            match event {
                UnitEvent::Progress(line) => observer.unit_progress(&line),
                UnitEvent::Ended(index, Ok(value)) => {
                    results[index] = Some(value);
                    done += 1;
                    observer.unit_finished(&units[index], done, units.len());
                }
                UnitEvent::Ended(_, Err(error)) => {
                    failed.store(true, Ordering::Relaxed);
                    first_error.get_or_insert(error);
                }
            }
        }
    });
    if let Some(error) = first_error {
        return Err(error);
    }
    units
        .into_iter()
        .zip(results)
        .map(|(unit, value)| Ok((unit, value.ok_or(ExperimentError::Interrupted)?)))
        .collect()
}

/// Runs `work` on `pool`, or where there is none on the threads of the process.
fn install<R: Send>(
    pool: &Result<rayon::ThreadPool, rayon::ThreadPoolBuildError>,
    work: impl FnOnce() -> R + Send,
) -> R {
    match pool {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

fn read_result(path: &Path) -> Result<Option<Value>, ExperimentError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).map_err(ExperimentError::io(path))?;
    let value = serde_json::from_str(&text).map_err(|error| {
        ExperimentError::file(
            path,
            format!("not a result: {error}; delete it to run it again"),
        )
    })?;
    Ok(Some(value))
}

fn write_result(path: &Path, value: &Value) -> Result<(), ExperimentError> {
    let partial = path.with_extension("partial");
    fs::write(&partial, value.to_string()).map_err(ExperimentError::io(&partial))?;
    fs::rename(&partial, path).map_err(ExperimentError::io(path))
}
