//! Tables and figures of the study.

use super::super::super::seed_count;
use super::run::{Found, Outcome, described};
use super::{Setting, WAYS};
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Report, Series, Table};
use crate::statistics::{Mean, PairedDifference};

/// The runs of each of [`WAYS`], by seed.
pub(super) fn report(setting: &Setting, ways: &[Vec<Outcome>]) -> Result<Report, ExperimentError> {
    Ok(Report {
        tables: vec![searches(setting, ways), ends(setting, ways)],
        figures: vec![volumes(setting, ways), fronts(setting, ways)],
    })
}

fn place(setting: &Setting, ways: &[Vec<Outcome>]) -> String {
    let [channels, side] = setting.images;
    format!(
        "{}, {channels}×{side}×{side}, {} samples, {} epochs a child ({})",
        setting.set,
        setting.samples,
        setting.epochs,
        seed_count(ways.first().map_or(0, Vec::len))
    )
}

fn mean(runs: &[Outcome], of: impl Fn(&Outcome) -> f64) -> Mean {
    Mean::of(&runs.iter().map(of).collect::<Vec<_>>())
}

/// Best held accuracy and hypervolume after so many trainings, or at the end of a search that ended
/// before.
fn after(run: &Outcome, trained: usize) -> [f64; 2] {
    let until = &run.curve[..trained.min(run.curve.len())];
    until
        .last()
        .map_or([0.0; 2], |at| at.map(|share| 100.0 * share))
}

/// Epochs trained until `run` had the best held accuracy that `other` ends with.
fn epochs_until(setting: &Setting, run: &Outcome, other: &Outcome) -> Option<usize> {
    let [best, _] = other.curve.last()?;
    let at = run.curve.iter().position(|[own, _]| own >= best)?;
    Some((at + 1) * setting.epochs)
}

fn searches(setting: &Setting, ways: &[Vec<Outcome>]) -> Table {
    let one = ways.get(1).map_or(&[][..], Vec::as_slice);
    let rows = WAYS.iter().zip(ways).map(|((_, label, _), runs)| {
        let at = |trained: usize, which: usize| {
            mean(runs, |run| after(run, trained)[which]).text_with_error(2)
        };
        let pairs = runs.iter().zip(one);
        let until: Vec<f64> = pairs
            .filter_map(|(run, other)| epochs_until(setting, run, other))
            .map(|epochs| epochs as f64)
            .collect();
        vec![
            (*label).to_owned(),
            at(setting.trained / 4, 0),
            at(setting.trained, 0),
            at(setting.trained / 4, 1),
            at(setting.trained, 1),
            format!(
                "{} ({} of {})",
                Mean::of(&until).text(0),
                until.len(),
                runs.len()
            ),
            mean(runs, |run| run.steps as f64).text(0),
            mean(runs, |run| run.pruned as f64).text(0),
            mean(runs, |run| run.measured as f64).text(0),
            mean(runs, |run| run.training_macs as f64 / 1e12).text_with_error(2),
        ]
    });
    let quarter = setting.trained / 4;
    let columns = [
        "search".to_owned(),
        format!("best held accuracy %, {quarter} trained"),
        format!("{} trained", setting.trained),
        format!("hypervolume %, {quarter} trained"),
        format!("{} trained", setting.trained),
        "trained epochs until one level's best accuracy".to_owned(),
        "steps".to_owned(),
        "pruned".to_owned(),
        "hardware models asked".to_owned(),
        "10¹² MACs of training".to_owned(),
    ];
    let first = ways.first();
    let compared = WAYS.iter().zip(ways).skip(1).filter_map(|((_, label, _), runs)| {
        let paired = |which: usize| {
            let values = |runs: &[Outcome]| -> Vec<f64> {
                runs.iter().map(|run| after(run, setting.trained)[which]).collect()
            };
            Some(PairedDifference::new(&values(first?), &values(runs)))
        };
        let (accuracy, volume) = (paired(0), paired(1));
        let (accuracy, volume) = (accuracy?, volume?);
        accuracy.error?;
        Some(format!(
            "Two levels less {label}, same seeds: {} points of best held accuracy, {} points of \
             hypervolume.",
            accuracy.text(2),
            volume.text(2)
        ))
    });
    let notes = [
        format!(
            "Hypervolume: of held accuracy above 10 % and a period below {:.0} µs, as a share of the \
             whole rectangle. A child with known networks but other hardware costs no training. A \
             search ends with {} trainings.",
            1e6 * setting.period,
            setting.trained
        ),
        described(),
        "A reproduction of the method of arXiv 1907.04650 in its space (filter sizes 1, 3, 5, 7), not \
         of a table: none of its tables could be had, and its boards, limits, weights and numbers of \
         steps are not known. Periods are a model's."
            .into(),
    ];
    Table {
        name: "co-exploration-chains".into(),
        title: format!(
            "Networks and accelerators searched together: {}",
            place(setting, ways)
        ),
        columns: columns.into(),
        rows: rows.collect(),
        notes: compared.chain(notes).collect(),
    }
}

/// `5×5 24, 3×3 32 /2`: filter sizes, filters, and strides that are not 1.
fn text(found: &Found) -> String {
    let layers = found.network.architecture.chunks(3).map(|layer| {
        let strided = if layer[2] > 1 {
            format!(" /{}", layer[2])
        } else {
            String::new()
        };
        format!("{0}×{0} {1}{strided}", layer[0], layer[1])
    });
    layers.collect::<Vec<_>>().join(", ")
}

fn ends(setting: &Setting, ways: &[Vec<Outcome>]) -> Table {
    type Which = fn(&Outcome) -> Option<&Found>;
    let kinds: [(&str, Which); 2] = [
        ("OptHW", |run| run.efficient.as_ref()),
        ("OptSW", |run| run.accurate.as_ref()),
    ];
    let rows = WAYS.iter().zip(ways).flat_map(|((_, label, _), runs)| {
        kinds.map(|(kind, which)| {
            let found: Vec<&Found> = runs.iter().filter_map(which).collect();
            let mean = |of: fn(&Found) -> f64| {
                Mean::of(&found.iter().map(|own| of(own)).collect::<Vec<_>>())
            };
            vec![
                (*label).to_owned(),
                kind.to_owned(),
                mean(|own| 100.0 * own.network.held_accuracy).text_with_error(2),
                mean(|own| 100.0 * own.network.test_accuracy).text_with_error(2),
                mean(|own| 1.0 / own.period).text_with_error(0),
                mean(|own| 100.0 * own.utilisation).text_with_error(1),
                mean(|own| own.network.parameters as f64).text(0),
                found.first().map_or("–".into(), |own| text(own)),
            ]
        })
    });
    let columns = [
        "search",
        "network",
        "held accuracy %",
        "test accuracy %",
        "images a second",
        "boards used %",
        "parameters",
        "the first seed's",
    ];
    let notes = [format!(
        "Of the children that give an image every {:.0} µs or faster: OptHW uses its boards best, \
             OptSW is the most accurate on held samples, as the paper names them. Networks have {} \
             epochs of training on {} samples: a ranking, not what they can reach.",
        1e6 * setting.period,
        setting.epochs,
        setting.samples
    )];
    Table {
        name: "co-exploration-chains-ends".into(),
        title: format!("OptHW and OptSW: {}", place(setting, ways)),
        columns: columns.map(str::to_owned).into(),
        rows: rows.collect(),
        notes: notes.into(),
    }
}

fn volumes(setting: &Setting, ways: &[Vec<Outcome>]) -> Figure {
    let series = WAYS.iter().zip(ways).map(|((_, label, _), runs)| {
        let points = (1..=setting.trained).map(|trained| {
            let mean = mean(runs, |run| after(run, trained)[1]);
            Point {
                x: (trained * setting.epochs) as f64,
                y: mean.value,
                deviation: mean.error().unwrap_or(0.0),
            }
        });
        Series {
            label: (*label).into(),
            points: points.collect(),
            joined: true,
        }
    });
    Figure {
        name: "co-exploration-chains".into(),
        title: place(setting, ways),
        x_label: "epochs trained".into(),
        y_label: match ways.first().is_some_and(|runs| runs.len() > 1) {
            true => "hypervolume, % (mean ± standard error)".into(),
            false => "hypervolume, %".into(),
        },
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Linear,
        series: series.collect(),
        diagonal: false,
    }
}

fn fronts(setting: &Setting, ways: &[Vec<Outcome>]) -> Figure {
    let series = WAYS.iter().zip(ways).map(|((_, label, _), runs)| Series {
        label: (*label).into(),
        points: runs
            .iter()
            .flat_map(|run| &run.front)
            .map(|own| Point {
                x: 1.0 / own.period,
                y: 100.0 * own.network.held_accuracy,
                deviation: 0.0,
            })
            .collect(),
        joined: false,
    });
    Figure {
        name: "co-exploration-chains-fronts".into(),
        title: format!("fronts of all seeds: {}", place(setting, ways)),
        x_label: "images a second (model)".into(),
        y_label: "held accuracy, %".into(),
        x_scale: AxisScale::Log,
        y_scale: AxisScale::Linear,
        series: series.collect(),
        diagonal: false,
    }
}
