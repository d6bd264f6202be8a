//! `cargo xtask units` and `cargo xtask unit`: the units of a study as commands for many machines.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burgeon::backend;
use burgeon_experiments::{fits, kept_results, run_unit, studies};
use burgeon_terminal::{line, note};
use clap::Args;

use super::manifest::Manifest;
use super::progress::Progress;
use super::results::Results;
use super::settings::SettingsArguments;
use crate::error::{XtaskError, io};

#[derive(Debug, Args)]
pub struct UnitsOptions {
    /// The experiment
    study: String,
    #[command(flatten)]
    settings: SettingsArguments,
    /// Folder for the results
    #[arg(long, default_value = "results")]
    out: PathBuf,
    /// Only units that have no result yet
    #[arg(long)]
    missing: bool,
}

#[derive(Debug, Args)]
pub struct UnitOptions {
    /// The experiment
    study: String,
    /// One of its units, as `cargo xtask units` names them
    unit: String,
    #[command(flatten)]
    settings: SettingsArguments,
    /// Folder for the results
    #[arg(long, default_value = "results")]
    out: PathBuf,
}

/// Prints one command a line, and makes the folder ready for `reproduce --resume`.
pub fn list(options: &UnitsOptions) -> Result<(), XtaskError> {
    let study = studies::named(&options.study)?;
    let settings = options.settings.settings()?;
    // A device that is not there is told before a thousand jobs are.
    backend::open(options.settings.device())?;
    fits(study.as_ref(), &settings)?;
    let units = study.units(&settings)?;
    let selected = [study];
    let results = Results::open(&options.out)?;
    let asked = Manifest::new(settings.clone(), &selected, 1)?;
    let [study] = selected;
    let goes_on = results.holds_a_run();
    let Some(manifest) = results.prepare(asked, goes_on, false)? else {
        let out = options.out.display();
        note(format_args!(
            "the run in {out} is finished: no unit is left"
        ));
        return Ok(());
    };
    results.write_manifest(&manifest)?;
    let kept = kept_results(study.as_ref(), &settings, &results.of(study.name()))?;
    let program = std::env::current_exe().map_err(io("the program itself"))?;
    let program = program.to_string_lossy().into_owned();
    let mut command = vec![program, "unit".to_owned(), options.study.clone()];
    let place = command.len();
    command.extend(options.settings.arguments());
    command.extend([
        "--out".to_owned(),
        options.out.to_string_lossy().into_owned(),
    ]);
    let command: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    for index in 0..units.len() {
        if options.missing && kept.contains_key(&index) {
            continue;
        }
        let mut words = command.clone();
        words.insert(place, quoted(&units.get(index).unwrap_or_default()));
        line(words.join(" "))?;
    }
    Ok(())
}

/// Runs one unit, if it has no result yet.
pub fn run(options: &UnitOptions, interrupt: &Arc<AtomicBool>) -> Result<(), XtaskError> {
    let study = studies::named(&options.study)?;
    let settings = options.settings.settings()?;
    let backend = backend::open(options.settings.device())?;
    let folder = options.out.join(study.name());
    let mut progress = Progress::new(study.name());
    run_unit(
        study.as_ref(),
        &settings,
        &backend,
        &folder,
        &options.unit,
        interrupt,
        &mut progress,
    )?;
    Ok(())
}

/// `word` as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
