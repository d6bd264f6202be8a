//! The folder of a run's results: one run at a time, and none overwritten.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use burgeon::nn::stored::write_atomically;
use burgeon_experiments::{ExperimentError, differences};
use burgeon_terminal::note;
use serde_json::json;

use super::manifest::Manifest;
use crate::error::{XtaskError, io};

const MANIFEST: &str = "manifest.json";
const EARLIER: &str = "earlier";
const LOCK: &str = ".lock";
/// A manifest that was being written when the process ended.
const PARTIAL: &str = "manifest.json.partial";

/// A results folder that is this process's own until it ends, however it ends: the operating system
/// holds the lock.
#[derive(Debug)]
pub struct Results {
    folder: PathBuf,
    _lock: File,
}

impl Results {
    /// The folder `out`, made if it is not there.
    pub fn open(out: &Path) -> Result<Self, XtaskError> {
        if out.exists() && !out.is_dir() {
            let problem = "this is a file, not a folder: name another with --out";
            return Err(ExperimentError::file(out, problem).into());
        }
        fs::create_dir_all(out).map_err(io(out))?;
        let path = out.join(LOCK);
        if !path.exists() && !out.join(MANIFEST).exists() && holds_anything(out)? {
            let problem = "the folder is not empty and holds no run: name another with --out";
            return Err(ExperimentError::file(out, problem).into());
        }
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false);
        let lock = options.open(&path).map_err(io(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                folder: out.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(ExperimentError::Busy(out.to_owned()).into()),
            Err(TryLockError::Error(error)) => Err(io(&path)(error)),
        }
    }

    /// The folder of one study.
    pub fn of(&self, study: &str) -> PathBuf {
        self.folder.join(study)
    }

    /// Whether there is a run in it.
    pub fn holds_a_run(&self) -> bool {
        self.folder.join(MANIFEST).exists()
    }

    /// Makes the folder ready for the run that `asked` describes: an unfinished run in it is resumed
    /// or set aside as told, a finished one is left or set aside, none is overwritten. The answer is
    /// the manifest to go on with; none where the run that was to be resumed is finished.
    pub fn prepare(
        &self,
        asked: Manifest,
        resume: bool,
        fresh: bool,
    ) -> Result<Option<Manifest>, XtaskError> {
        let out = &self.folder;
        let path = out.join(MANIFEST);
        if !path.exists() {
            if holds_anything(out)? {
                let problem = "the folder is not empty and holds no run: name another with --out";
                return Err(ExperimentError::file(out, problem).into());
            }
            return Ok(Some(asked));
        }
        let text = fs::read_to_string(&path).map_err(io(&path))?;
        let found: Manifest = serde_json::from_str(&text).map_err(|error| {
            let problem = format!("not a manifest: {error}; name another folder with --out");
            ExperimentError::file(&path, problem)
        })?;
        if resume {
            return resumed(path, found, asked);
        }
        if !found.finished && !fresh {
            return Err(ExperimentError::Unfinished(out.clone()).into());
        }
        self.set_aside(&found.started)?;
        Ok(Some(asked))
    }

    /// Moves a run to `earlier/` under the time it started.
    fn set_aside(&self, started: &str) -> Result<(), XtaskError> {
        let out = &self.folder;
        let stem = started.replace(':', "-");
        let folder = (0..)
            .map(|n| match n {
                0 => out.join(EARLIER).join(&stem),
                n => out.join(EARLIER).join(format!("{stem}-{n}")),
            })
            .find(|folder| !folder.exists())
            .unwrap_or_else(|| out.join(EARLIER));
        fs::create_dir_all(&folder).map_err(io(&folder))?;
        for entry in fs::read_dir(out).map_err(io(out))? {
            let entry = entry.map_err(io(out))?;
            if entry.file_name() != EARLIER && entry.file_name() != LOCK {
                let target = folder.join(entry.file_name());
                fs::rename(entry.path(), &target).map_err(io(&target))?;
            }
        }
        note(format_args!(
            "the earlier run was moved to {}",
            folder.display()
        ));
        Ok(())
    }

    /// Writes the manifest, whole or not at all, also after a loss of power.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), XtaskError> {
        let path = self.folder.join(MANIFEST);
        let text = serde_json::to_string_pretty(manifest)
            .map_err(|error| io(&path)(std::io::Error::other(error)))?;
        let written = write_atomically(&path, (text + "\n").as_bytes());
        written.map_err(|error| XtaskError::Experiment(error.into()))
    }
}

/// Whether the folder has more in it than runs set aside and what an opened one has at once.
fn holds_anything(out: &Path) -> Result<bool, XtaskError> {
    let mut entries = fs::read_dir(out).map_err(io(out))?;
    Ok(entries.any(|entry| {
        entry.is_ok_and(|entry| {
            let name = entry.file_name();
            [EARLIER, LOCK, PARTIAL].iter().all(|own| name != *own)
        })
    }))
}

/// The run `found`, to be gone on with as `asked`: of the same settings and the same recipe, and
/// nothing if it is finished.
fn resumed(
    path: PathBuf,
    found: Manifest,
    asked: Manifest,
) -> Result<Option<Manifest>, XtaskError> {
    let settings = |run: &Manifest| json!({ "settings": run.settings, "studies": run.studies });
    let other = differences(&settings(&found), &settings(&asked));
    if !other.is_empty() {
        let differences = other;
        return Err(ExperimentError::OtherRun { path, differences }.into());
    }
    let other = differences(&json!(found.recipes), &json!(asked.recipes));
    if !other.is_empty() {
        let differences = other;
        return Err(ExperimentError::OtherRecipe { path, differences }.into());
    }
    if found.finished {
        return Ok(None);
    }
    let mut manifest = asked;
    manifest.earlier_revisions = found.earlier_revisions.clone();
    if found.git_revision != manifest.git_revision {
        note(format_args!(
            "note: the run was begun by revision {} of the code, and goes on by {}: its tables will \
             hold results of both",
            found.revision(),
            manifest.revision()
        ));
        let revision = found.revision().to_owned();
        if !manifest.earlier_revisions.contains(&revision) {
            manifest.earlier_revisions.push(revision);
        }
    }
    Ok(Some(manifest))
}
