//! Running the units of a study that are not kept yet.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use burgeon_core::SplitBackend;
use burgeon_train::remove_checkpoint;
use serde_json::Value;

use crate::error::ExperimentError;
use crate::kept::{kept_results, unit_folder, write};
use crate::study::{Study, StudyObserver, StudySettings, UnitContext, UnitEvent};

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
    let units = study.units(settings)?;
    let recipe = study.recipe(settings);
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
            let recipe = &recipe;
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
                    let context = UnitContext {
                        settings: settings.clone(),
                        backend: backend.clone(),
                        checkpoint: unit_folder.join(format!("{unit}.checkpoint")),
                        interrupt: interrupt.clone(),
                        progress: sender.clone(),
                        unit: unit.clone(),
                    };
                    let run = || study.run(&unit, &context);
                    let result = install(&pool, run).and_then(|value| {
                        write(&unit_folder.join(format!("{unit}.json")), recipe, &value)?;
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
