//! `cargo xtask reproduce`: run studies, keep their units, write tables and figures.

mod manifest;
mod progress;
mod results;
mod settings;
pub mod units;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use burgeon::backend;
use burgeon::nn::stored::write_atomically;
use burgeon_experiments::report::Report;
use burgeon_experiments::{ExperimentError, Scale, Study, fits, kept_results, run_units, studies};
use burgeon_terminal::{Table, line};
use clap::Args;

use self::manifest::Manifest;
use self::progress::Progress;
use self::results::Results;
use self::settings::SettingsArguments;
use crate::error::{XtaskError, io};
use crate::render;

/// The results as one page.
const PAGE: &str = "index.html";

/// More threads than this help nobody.
const MOST_WORKERS: usize = 1024;

#[derive(Debug, Args)]
pub struct Options {
    /// Run only this experiment (may be given several times)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    #[command(flatten)]
    settings: SettingsArguments,
    /// Folder for the results
    #[arg(long, default_value = "results")]
    out: PathBuf,
    /// Units run at the same time
    #[arg(long)]
    workers: Option<usize>,
    /// Go on with the unfinished run in the folder
    #[arg(long, conflicts_with = "fresh")]
    resume: bool,
    /// Set an unfinished run aside and start anew
    #[arg(long)]
    fresh: bool,
    /// List the experiments and end
    #[arg(long)]
    list: bool,
}

pub fn run(options: &Options, interrupt: &Arc<AtomicBool>) -> Result<(), XtaskError> {
    if options.list {
        return list();
    }
    let settings = options.settings.settings()?;
    let selected = selected(options, settings.scale)?;
    let backend = backend::open(options.settings.device())?;
    for study in &selected {
        fits(study.as_ref(), &settings)?;
        study.units(&settings)?;
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = options.workers.unwrap_or(threads).clamp(1, MOST_WORKERS);
    let results = Results::open(&options.out)?;
    let manifest = Manifest::new(settings.clone(), &selected, workers)?;
    let Some(mut manifest) = results.prepare(manifest, options.resume, options.fresh)? else {
        let out = options.out.display();
        // The page comes last: all but it may be there.
        if !options.out.join(PAGE).is_file() {
            write_page(&options.out)?;
            line(format_args!(
                "the run in {out} is finished: its page was made"
            ))?;
            return Ok(());
        }
        line(format_args!(
            "the run in {out} is finished: nothing was done"
        ))?;
        return Ok(());
    };
    // All that is kept is looked at before hours are spent on what is not.
    for study in &selected {
        kept_results(study.as_ref(), &settings, &results.of(study.name()))?;
    }
    results.write_manifest(&manifest)?;
    let mut reports = Vec::new();
    for study in &selected {
        let started = Instant::now();
        let folder = results.of(study.name());
        let mut progress = Progress::new(study.name());
        let found = run_units(
            study.as_ref(),
            &settings,
            &backend,
            &folder,
            workers,
            interrupt,
            &mut progress,
        )?;
        let mut report = study.report(&settings, &found)?;
        if settings.mixed_precision {
            let note = "Trained in mixed precision: products in bfloat16.";
            for table in &mut report.tables {
                table.notes.push(note.into());
            }
        }
        let elapsed = started.elapsed();
        progress.finish(elapsed);
        render::write(&folder, &report)?;
        for table in &report.tables {
            render::print(table)?;
            line("")?;
        }
        let seconds = (study.name().to_owned(), elapsed.as_secs_f64());
        manifest.seconds.push(seconds);
        results.write_manifest(&manifest)?;
        reports.push((study.name().to_owned(), report));
    }
    write_summary(&options.out, &reports, &manifest)?;
    manifest.finished = true;
    results.write_manifest(&manifest)?;
    let page = write_page(&options.out)?;
    line(format_args!(
        "tables, figures and manifest are in {}, all of it as one page in {}",
        options.out.display(),
        page.display()
    ))?;
    Ok(())
}

/// Writes the page of the results in `out`, whole or not at all.
fn write_page(out: &Path) -> Result<PathBuf, XtaskError> {
    let page = out.join(PAGE);
    let text = burgeon_report::read(out)?.to_html();
    let written = write_atomically(&page, text.as_bytes());
    written.map_err(|error| XtaskError::Experiment(error.into()))?;
    Ok(page)
}

fn selected(options: &Options, scale: Scale) -> Result<Vec<Box<dyn Study>>, XtaskError> {
    if !options.only.is_empty() {
        let named = options.only.iter().map(|name| studies::named(name));
        return Ok(named.collect::<Result<_, _>>()?);
    }
    let mut fitting = studies::all()?;
    fitting.retain(|study| study.scales().contains(&scale));
    if !fitting.iter().any(|study| study.is_default()) {
        let names: Vec<&str> = fitting.iter().map(|study| study.name()).collect();
        let (scale, names) = (scale.name(), names.join(", "));
        return Err(ExperimentError::Settings(format!(
            "nothing that is run by default has the scale `{scale}`: choose by --only among {names}"
        ))
        .into());
    }
    let defaults = fitting.into_iter().filter(|study| study.is_default());
    Ok(defaults.collect())
}

fn list() -> Result<(), XtaskError> {
    let rows: Vec<Vec<String>> = studies::all()?
        .iter()
        .map(|study| {
            let scales: Vec<&str> = study.scales().into_iter().map(Scale::name).collect();
            let default = if study.is_default() { "yes" } else { "" };
            let cells = [
                study.name(),
                default,
                &scales.join(" "),
                study.description(),
            ];
            cells.map(str::to_owned).into()
        })
        .collect();
    let table = Table {
        title: "Experiments",
        columns: &["name", "by default", "scales", "what it shows"].map(str::to_owned),
        rows: &rows,
        notes: &[],
    };
    Ok(table.print()?)
}

/// One Markdown page with all tables and figures.
fn write_summary(
    out: &Path,
    reports: &[(String, Report)],
    manifest: &Manifest,
) -> Result<(), XtaskError> {
    let mut page = format!(
        "# Results\n\nStarted {}, device {}, {} threads, revision {}.\n",
        manifest.started,
        manifest.settings.device,
        manifest.threads,
        manifest.revision()
    );
    if !manifest.earlier_revisions.is_empty() {
        let earlier = manifest.earlier_revisions.join(", ");
        page += &format!("\nPart of it is by another revision of the code: {earlier}.\n");
    }
    for (name, report) in reports {
        for table in &report.tables {
            page += &format!("\n{}", render::markdown(table));
        }
        for figure in &report.figures {
            page += &format!("\n![{}]({name}/{}.png)\n", figure.title, figure.name);
        }
    }
    let path = out.join("README.md");
    fs::write(&path, page).map_err(io(&path))
}
