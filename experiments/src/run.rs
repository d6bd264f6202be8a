//! Running the units of a study that are not kept yet.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use burgeon_core::SplitBackend;
use burgeon_train::remove_checkpoint;
use serde_json::Value;

use crate::error::ExperimentError;
use crate::kept::{kept_result, kept_results, unit_file, unit_folder, write};
use crate::study::{Scale, Study, StudyObserver, StudySettings, UnitContext, UnitEvent};

/// Runs the units of `study` that are not yet in `folder`, on `workers` threads (one, where
/// time is measured), and returns all results in order. Each result is kept as soon as it is there.
///
/// # Errors
/// Those of [`kept_results`], before anything runs; the first error of a unit: what was finished
/// stays.
pub fn run_units(
    study: &dyn Study,
    settings: &StudySettings,
    backend: &Arc<dyn SplitBackend>,
    folder: &Path,
    workers: usize,
    interrupt: &Arc<AtomicBool>,
    observer: &mut dyn StudyObserver,
) -> Result<Vec<(String, Value)>, ExperimentError> {
    fits(study, settings)?;
    let units = study.units(settings)?;
    let unit_folder = unit_folder(folder);
    fs::create_dir_all(&unit_folder).map_err(ExperimentError::io(&unit_folder))?;
    let mut results = kept_results(study, settings, folder)?;
    let kept: BTreeSet<usize> = results.keys().copied().collect();
    let total = units.len();
    observer.unit_finished("", kept.len(), total);
    let workers = if study.measures_time() { 1 } else { workers };
    let workers = workers.clamp(1, (total - kept.len()).max(1));
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
            let (units, kept, unit_folder) = (&units, &kept, &unit_folder);
            let (next, failed) = (&next, &failed);
            scope.spawn(move || {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(unit) = units.get(index) else { break };
                    if failed.load(Ordering::Relaxed) || interrupt.load(Ordering::Relaxed) {
                        break;
                    }
                    if kept.contains(&index) {
                        continue;
                    }
                    let alone = Alone {
                        study,
                        settings,
                        backend,
                        unit_folder,
                        interrupt,
                    };
                    let result = install(&pool, || alone.run(&unit, sender.clone()));
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
                    results.insert(index, value);
                    let unit = units.get(index).unwrap_or_default();
                    observer.unit_finished(&unit, results.len(), total);
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
    if results.len() < total {
        return Err(ExperimentError::Interrupted);
    }
    let named = |(index, value)| Some((units.get(index)?, value));
    Ok(results.into_iter().filter_map(named).collect())
}

/// Runs the unit `unit` of `study` alone, on the calling thread's pool, and keeps its result in
/// `folder`, where [`run_units`] finds it. One that is kept there already is not run again.
///
/// # Errors
/// [`ExperimentError::Settings`] for a name that is no unit of the study,
/// [`ExperimentError::BusyUnit`] if another process runs it; those of the unit, and those
/// of [`kept_results`] for its own file.
pub fn run_unit(
    study: &dyn Study,
    settings: &StudySettings,
    backend: &Arc<dyn SplitBackend>,
    folder: &Path,
    unit: &str,
    interrupt: &Arc<AtomicBool>,
    observer: &mut (dyn StudyObserver + Send),
) -> Result<Value, ExperimentError> {
    fits(study, settings)?;
    let units = study.units(settings)?;
    let Some(name) = units.index(unit).and_then(|index| units.get(index)) else {
        let first = units.get(0).unwrap_or_default();
        let last = units.get(units.len().saturating_sub(1)).unwrap_or_default();
        return Err(ExperimentError::Settings(format!(
            "`{unit}` is no unit of {}: it has {}, `{first}` to `{last}` (`cargo xtask units {}`)",
            study.name(),
            units.len(),
            study.name()
        )));
    };
    let unit_folder = unit_folder(folder);
    fs::create_dir_all(&unit_folder).map_err(ExperimentError::io(&unit_folder))?;
    let alone = Alone {
        study,
        settings,
        backend,
        unit_folder: &unit_folder,
        interrupt,
    };
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        scope.spawn(move || {
            for event in receiver {
                if let UnitEvent::Progress(line) = event {
                    observer.unit_progress(&line);
                }
            }
        });
        alone.run(&name, sender)
    })
}

/// Checks that `study` can be run with `settings`.
///
/// # Errors
/// [`ExperimentError::Settings`] for a scale that it does not have, or for changes of what no file
/// says.
pub fn fits(study: &dyn Study, settings: &StudySettings) -> Result<(), ExperimentError> {
    let name = study.name();
    let scales = study.scales();
    if !scales.contains(&settings.scale) {
        let scales: Vec<&str> = scales.into_iter().map(Scale::name).collect();
        return Err(ExperimentError::Settings(format!(
            "{name} has no scale `{}`: use {}",
            settings.scale.name(),
            scales.join(" or ")
        )));
    }
    if !settings.changes.is_empty() && !study.takes_changes() {
        return Err(ExperimentError::Settings(format!(
            "--set: the settings of {name} are not in a file, so that they cannot be changed"
        )));
    }
    Ok(())
}

/// Where a unit is run and kept.
struct Alone<'a> {
    study: &'a dyn Study,
    settings: &'a StudySettings,
    backend: &'a Arc<dyn SplitBackend>,
    unit_folder: &'a Path,
    interrupt: &'a Arc<AtomicBool>,
}

impl Alone<'_> {
    /// Runs `unit`, unless its result is kept, while no other process does.
    fn run(&self, unit: &str, progress: mpsc::Sender<UnitEvent>) -> Result<Value, ExperimentError> {
        let lock = UnitLock::take(self.unit_folder, unit)?;
        let recipe = self.study.unit_recipe(self.settings, unit)?;
        let kept = kept_result(self.study, unit, &recipe, self.unit_folder)?;
        if let Some(value) = kept {
            return Ok(value);
        }
        let context = UnitContext {
            settings: self.settings.clone(),
            backend: self.backend.clone(),
            checkpoint: self.unit_folder.join(format!("{unit}.checkpoint")),
            interrupt: self.interrupt.clone(),
            progress,
            unit: unit.to_owned(),
        };
        let value = self.study.run(unit, &context)?;
        write(&unit_file(self.unit_folder, unit), &recipe, &value)?;
        if context.checkpoint.exists() {
            remove_checkpoint(&context.checkpoint)?;
        }
        drop(lock);
        Ok(value)
    }
}

/// A unit that is this process's own until it ends, however it ends: the operating system holds the
/// lock.
struct UnitLock {
    path: PathBuf,
    _file: File,
}

impl UnitLock {
    fn take(unit_folder: &Path, unit: &str) -> Result<Self, ExperimentError> {
        let path = unit_folder.join(format!("{unit}.lock"));
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false);
        let file = options.open(&path).map_err(ExperimentError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, _file: file }),
            Err(TryLockError::WouldBlock) => Err(ExperimentError::BusyUnit(unit.to_owned())),
            Err(TryLockError::Error(error)) => Err(ExperimentError::io(&path)(error)),
        }
    }
}

impl Drop for UnitLock {
    fn drop(&mut self) {
        // Whoever opened it meanwhile finds the result. A file that stays does no harm.
        let _ = fs::remove_file(&self.path);
    }
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
