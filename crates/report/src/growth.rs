//! What journals of growth tell: widths and spectra by growth step, predicted against measured decreases, what
//! growing took.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::axis::number;
use crate::data::{AxisScale, Figure, Point, Report, Series, Table};
use crate::error::{ReportError, file, io};

/// The end of a journal's file name.
const JOURNAL: &str = ".journal.jsonl";

/// What is read of one growth step.
#[derive(Debug, Clone, Deserialize)]
struct Step {
    verdict: String,
    predicted_decrease: Option<f64>,
    measured_decrease: Option<f64>,
    widths_before: Vec<(String, usize)>,
    widths_after: Vec<(String, usize)>,
    #[serde(default)]
    spectra: Vec<Spectrum>,
    parameters_after: u64,
    #[serde(default)]
    macs: u64,
    seconds: f64,
}

/// The smallest eigenvalue of each neuron of a site.
#[derive(Debug, Clone, Deserialize)]
struct Spectrum {
    site: String,
    smallest: Vec<f64>,
}

impl Step {
    fn is_made(&self) -> bool {
        self.verdict == "committed"
    }
}

/// All runs of a study by their method: the unit's name without its seed.
type Runs = BTreeMap<String, Vec<Vec<Step>>>;

/// The tables and figures of the journals in `folder`; none where there is no journal.
pub(crate) fn growth(folder: &Path) -> Result<Report, ReportError> {
    let runs = journals(folder)?;
    if runs.is_empty() {
        return Ok(Report::default());
    }
    let mut figures: Vec<Figure> = runs
        .iter()
        .flat_map(|(method, runs)| [widths(method, runs), spectra(method, runs)])
        .flatten()
        .collect();
    figures.extend(decreases(&runs));
    Ok(Report {
        tables: vec![costs(&runs)],
        figures,
    })
}

fn journals(folder: &Path) -> Result<Runs, ReportError> {
    let mut runs = Runs::new();
    if !folder.is_dir() {
        return Ok(runs);
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(io(folder))? {
        paths.push(entry.map_err(io(folder))?.path());
    }
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let Some(unit) = name.as_deref().and_then(|name| name.strip_suffix(JOURNAL)) else {
            continue;
        };
        let text = fs::read_to_string(&path).map_err(io(&path))?;
        let mut steps = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let step: Step = serde_json::from_str(line).map_err(|error| {
                file(
                    &path,
                    format!("line {} is no growth step: {error}", index + 1),
                )
            })?;
            steps.push(step);
        }
        let method = unit.rsplit_once('-').map_or(unit, |(method, _)| method);
        if !steps.is_empty() {
            runs.entry(method.to_owned()).or_default().push(steps);
        }
    }
    Ok(runs)
}

/// The widths after each growth that was made, means over runs.
fn widths(method: &str, runs: &[Vec<Step>]) -> Option<Figure> {
    let of_run = |run: &[Step]| {
        let made: Vec<&Step> = run.iter().filter(|step| step.is_made()).collect();
        let start = made.first().map(|step| &step.widths_before);
        let after = made.iter().map(|step| &step.widths_after);
        let all = start.into_iter().chain(after);
        all.map(|widths| {
            let widths = widths.iter();
            widths
                .map(|(site, width)| (site.clone(), *width as f64))
                .collect()
        })
        .collect()
    };
    Some(Figure {
        name: format!("widths-{method}"),
        title: format!("Widths by growth, {method}, {} runs", runs.len()),
        x_label: "growths made".into(),
        y_label: "channels".into(),
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Linear,
        series: by_growth(runs, of_run)?,
        diagonal: false,
    })
}

/// The smallest eigenvalue of each layer before the first growth and after each one, as far as
/// another step looked; means over runs.
fn spectra(method: &str, runs: &[Vec<Step>]) -> Option<Figure> {
    let of_run = |run: &[Step]| {
        let mut found: Vec<Vec<(String, f64)>> = Vec::new();
        let mut growth = 0;
        for step in run {
            // Of several looks at the same widths the last one counts.
            found.truncate(growth);
            let smallest = |own: &Spectrum| own.smallest.iter().copied().reduce(f64::min);
            let sites = step.spectra.iter();
            found.push(
                sites
                    .filter_map(|own| Some((own.site.clone(), smallest(own)?)))
                    .collect(),
            );
            growth += usize::from(step.is_made());
        }
        found
    };
    Some(Figure {
        name: format!("spectra-{method}"),
        title: format!(
            "Smallest eigenvalue of a layer's splitting matrices, {method}, {} runs",
            runs.len()
        ),
        x_label: "growths made before".into(),
        y_label: "smallest eigenvalue (loss per squared weight)".into(),
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Linear,
        series: by_growth(runs, of_run)?,
        diagonal: false,
    })
}

/// A series for each site of what `of_run` tells of each number of growths, means over runs; none
/// where it tells nothing.
fn by_growth(
    runs: &[Vec<Step>],
    of_run: impl Fn(&[Step]) -> Vec<Vec<(String, f64)>>,
) -> Option<Vec<Series>> {
    // In the order of the network.
    let mut found: Vec<(String, BTreeMap<usize, Vec<f64>>)> = Vec::new();
    for run in runs {
        for (growth, sites) in of_run(run).into_iter().enumerate() {
            for (site, value) in sites {
                let place = found.iter().position(|(known, _)| *known == site);
                let place = place.unwrap_or_else(|| {
                    found.push((site, BTreeMap::new()));
                    found.len() - 1
                });
                found[place].1.entry(growth).or_default().push(value);
            }
        }
    }
    let series = found.into_iter().map(|(site, growths)| Series {
        label: site,
        points: growths
            .into_iter()
            .map(|(growth, values)| {
                let (y, deviation) = mean(&values);
                Point {
                    x: growth as f64,
                    y,
                    deviation,
                }
            })
            .collect(),
        joined: true,
    });
    let series: Vec<Series> = series.collect();
    (!series.is_empty()).then_some(series)
}

/// Predicted against measured decreases, where both are above 0.
fn decreases(runs: &Runs) -> Option<Figure> {
    let of_method = |(method, runs): (&String, &Vec<Vec<Step>>)| {
        let steps = runs.iter().flatten().filter(|step| step.is_made());
        let points = steps.filter_map(|step| {
            let (x, y) = (step.predicted_decrease?, step.measured_decrease?);
            (x > 0.0 && y > 0.0).then_some(Point {
                x,
                y,
                deviation: 0.0,
            })
        });
        Series {
            label: method.clone(),
            points: points.collect(),
            joined: false,
        }
    };
    let series: Vec<Series> = runs.iter().map(of_method).collect();
    let some = series.iter().any(|series| !series.points.is_empty());
    some.then(|| Figure {
        name: "decreases".into(),
        title: "Predicted against measured decrease of the loss, whole growth steps".into(),
        x_label: "predicted decrease".into(),
        y_label: "measured decrease".into(),
        x_scale: AxisScale::Log,
        y_scale: AxisScale::Log,
        series,
        diagonal: true,
    })
}

fn costs(runs: &Runs) -> Table {
    let row = |(method, runs): (&String, &Vec<Vec<Step>>)| {
        let steps: Vec<&Step> = runs.iter().flatten().collect();
        let made = steps.iter().filter(|step| step.is_made()).count();
        let of_run = |value: &dyn Fn(&Step) -> f64| {
            let sums = runs.iter().map(|run| run.iter().map(value).sum());
            mean(&sums.collect::<Vec<f64>>())
        };
        let ends = runs
            .iter()
            .filter_map(|run| Some(run.last()?.parameters_after as f64));
        let (parameters, _) = mean(&ends.collect::<Vec<f64>>());
        let (seconds, _) = of_run(&|step| step.seconds);
        let macs = match of_run(&|step| step.macs as f64).0 {
            0.0 => "not recorded".to_owned(),
            macs => number(macs),
        };
        [
            method.clone(),
            runs.len().to_string(),
            made.to_string(),
            (steps.len() - made).to_string(),
            number(parameters),
            number(seconds),
            macs,
        ]
        .to_vec()
    };
    Table {
        name: "growth".into(),
        title: "What growing took, means over runs".into(),
        columns: [
            "method",
            "runs",
            "growths made",
            "refused",
            "parameters at the end",
            "seconds a run",
            "MACs of growing a run",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: runs.iter().map(row).collect(),
        notes: vec![
            "Seconds are of the machine as it was, other runs beside; MACs are of captures, \
             spectra, searches and checks, without training."
                .into(),
        ],
    }
}

/// Mean and standard deviation; the deviation of one number is 0.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = match values.len() {
        0 | 1 => 0.0,
        _ => (squares / (count - 1.0)).sqrt(),
    };
    (mean, deviation)
}
