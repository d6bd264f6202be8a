//! `cargo xtask reproduce`: run studies, keep their units, write tables and figures.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use burgeon::backend;
use burgeon_experiments::report::Report;
use burgeon_experiments::study::{StudyObserver, run_units};
use burgeon_experiments::{ExperimentError, Scale, Study, StudySettings, studies};
use burgeon_terminal::{Table, line, note};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{XtaskError, io};
use crate::manifest::Manifest;
use crate::{data_directory, render};

#[derive(Debug, Args)]
pub struct Options {
    /// Run only this experiment (may be given several times)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How much to run
    #[arg(long, value_enum, default_value_t = ScaleArgument::Quick)]
    scale: ScaleArgument,
    /// Seeds for each method, instead of the experiment's own number
    #[arg(long)]
    seeds: Option<usize>,
    /// Device to compute on: flex, ndarray, cuda:N, wgpu:N or cpu (see `burgeon doctor`)
    #[arg(long, default_value = backend::DEFAULT)]
    device: String,
    /// Train in mixed precision: products in bfloat16, where the device has them
    #[arg(long)]
    mixed_precision: bool,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScaleArgument {
    /// Minutes on two cores
    Quick,
    /// The papers' sizes, where they are known
    Full,
}

const MANIFEST: &str = "manifest.json";
const EARLIER: &str = "earlier";

pub fn run(options: &Options, interrupt: &Arc<AtomicBool>) -> Result<(), XtaskError> {
    if options.list {
        return list();
    }
    let selected = selected(options)?;
    if options.seeds == Some(0) {
        return Err(ExperimentError::Settings("--seeds must be at least 1".into()).into());
    }
    let backend = backend::open(&options.device)?;
    let settings = StudySettings {
        scale: match options.scale {
            ScaleArgument::Quick => Scale::Quick,
            ScaleArgument::Full => Scale::Full,
        },
        seeds: options.seeds,
        device: options.device.clone(),
        data: data_directory(),
        mixed_precision: options.mixed_precision,
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = options.workers.unwrap_or(threads).max(1);
    let names = selected
        .iter()
        .map(|study| study.name().to_owned())
        .collect();
    let mut manifest = Manifest::new(settings.clone(), names, workers);
    prepare(options, &manifest)?;
    write_manifest(&options.out, &manifest)?;
    let mut reports = Vec::new();
    for study in &selected {
        let started = Instant::now();
        let folder = options.out.join(study.name());
        let mut progress = Progress::new(study.name());
        let results = run_units(
            study.as_ref(),
            &settings,
            &backend,
            &folder,
            workers,
            interrupt,
            &mut progress,
        )?;
        let mut report = study.report(&settings, &results)?;
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
        write_manifest(&options.out, &manifest)?;
        reports.push((study.name(), report));
    }
    write_summary(&options.out, &reports, &manifest)?;
    manifest.finished = true;
    write_manifest(&options.out, &manifest)?;
    line(format_args!(
        "tables, figures and manifest are in {}",
        options.out.display()
    ))?;
    Ok(())
}

fn selected(options: &Options) -> Result<Vec<Box<dyn Study>>, XtaskError> {
    if options.only.is_empty() {
        let all = studies::all();
        return Ok(all.into_iter().filter(|study| study.is_default()).collect());
    }
    let named = options.only.iter().map(|name| studies::named(name));
    Ok(named.collect::<Result<_, _>>()?)
}

fn list() -> Result<(), XtaskError> {
    let rows: Vec<Vec<String>> = studies::all()
        .iter()
        .map(|study| {
            let default = if study.is_default() { "yes" } else { "" };
            let cells = [study.name(), default, study.description()];
            cells.map(str::to_owned).into()
        })
        .collect();
    let table = Table {
        title: "Experiments",
        columns: &["name", "by default", "what it shows"].map(str::to_owned),
        rows: &rows,
        notes: &[],
    };
    Ok(table.print()?)
}

/// Makes the results folder ready: a finished run in it is set aside, an unfinished
/// one is resumed or set aside as asked, and never overwritten.
fn prepare(options: &Options, manifest: &Manifest) -> Result<(), XtaskError> {
    let out = &options.out;
    fs::create_dir_all(out).map_err(io(out))?;
    let path = out.join(MANIFEST);
    if !path.exists() {
        let mut entries = fs::read_dir(out).map_err(io(out))?;
        if entries.any(|entry| entry.is_ok_and(|e| e.file_name() != EARLIER)) {
            let problem = "the folder is not empty and holds no run: name another with --out";
            let path = out.clone();
            let problem = problem.to_owned();
            return Err(ExperimentError::File { path, problem }.into());
        }
        return Ok(());
    }
    let found: Manifest = fs::read_to_string(&path)
        .map_err(io(&path))
        .and_then(|text| {
            serde_json::from_str(&text).map_err(|error| {
                let problem = format!("not a manifest: {error}; name another folder with --out");
                let path = path.clone();
                ExperimentError::File { path, problem }.into()
            })
        })?;
    if !found.finished && options.resume {
        if found.settings != manifest.settings || found.studies != manifest.studies {
            let found = format!("`{}`", found.command.join(" "));
            return Err(ExperimentError::OtherRun { path, found }.into());
        }
        return Ok(());
    }
    if !found.finished && !options.fresh {
        return Err(ExperimentError::Unfinished(out.clone()).into());
    }
    set_aside(out, &found.started)
}

/// Moves a run to `earlier/` under the time it started.
fn set_aside(out: &Path, started: &str) -> Result<(), XtaskError> {
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
        if entry.file_name() != EARLIER {
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

fn write_manifest(out: &Path, manifest: &Manifest) -> Result<(), XtaskError> {
    let path = out.join(MANIFEST);
    let partial = out.join("manifest.partial");
    let text = serde_json::to_string_pretty(manifest)
        .map_err(|error| io(&path)(std::io::Error::other(error)))?;
    fs::write(&partial, text + "\n").map_err(io(&partial))?;
    fs::rename(&partial, &path).map_err(io(&path))
}

/// One Markdown page with all tables and figures.
fn write_summary(
    out: &Path,
    reports: &[(&str, Report)],
    manifest: &Manifest,
) -> Result<(), XtaskError> {
    let mut page = format!(
        "# Results\n\nStarted {}, device {}, {} threads, revision {}.\n",
        manifest.started,
        manifest.settings.device,
        manifest.threads,
        manifest.git_revision.as_deref().unwrap_or("unknown")
    );
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

/// A bar on a terminal, a line at each tenth elsewhere.
struct Progress {
    name: &'static str,
    bar: Option<ProgressBar>,
    printed: usize,
    spoken: Instant,
}

impl Progress {
    fn new(name: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{prefix:>8} [{elapsed_precise}] {bar:32} {pos}/{len} units  {msg}";
            let bar = ProgressBar::new(0).with_prefix(name);
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Self {
            name,
            bar,
            printed: 0,
            spoken: Instant::now(),
        }
    }

    fn finish(&self, elapsed: Duration) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = elapsed.as_secs_f64();
        note(format_args!("{}: finished in {seconds:.0} s", self.name));
    }
}

impl StudyObserver for Progress {
    fn unit_finished(&mut self, unit: &str, done: usize, total: usize) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                bar.set_message(unit.to_owned());
            }
            None => {
                let tenth = done * 10 / total.max(1);
                if tenth > self.printed || done == 0 {
                    note(format_args!("{}: {done} of {total} units", self.name));
                }
                self.printed = self.printed.max(tenth);
            }
        }
    }

    fn unit_progress(&mut self, line: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(line.to_owned()),
            None if self.spoken.elapsed() >= Duration::from_secs(30) => {
                self.spoken = Instant::now();
                note(line);
            }
            None => {}
        }
    }
}
