//! Tables and figures of the study.

use super::{CHANCE, CONTROLLER, EVOLUTION, FAST, METHODS, MILLISECONDS, Outcome, Sizes};
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Report, Series, Table};
use crate::statistics::{Mean, PairedDifference, median};
use crate::studies::seed_count;

/// Each method's outcomes, in the order of [`METHODS`].
pub(super) fn report(sizes: &Sizes, outcomes: &[Vec<Outcome>]) -> Result<Report, ExperimentError> {
    Ok(Report {
        tables: vec![searches(sizes, outcomes), effort(sizes, outcomes)],
        figures: vec![
            figure(
                sizes,
                outcomes,
                "co-exploration-accuracy",
                "best validation accuracy, %",
                |outcome| &outcome.accuracies,
            ),
            figure(
                sizes,
                outcomes,
                "co-exploration-hypervolume",
                "hypervolume, % of the whole front's",
                |outcome| &outcome.hypervolumes,
            ),
        ],
    })
}

fn place(sizes: &Sizes) -> String {
    format!(
        "NAS-Bench-201 cells, CIFAR-10, 12-epoch runs, on HW-NAS-Bench's FPGA model, at most \
         {MILLISECONDS} ms ({})",
        seed_count(sizes.seeds)
    )
}

/// The mean over seeds at a number of cells judged, in per cent.
fn at(sizes: &Sizes, outcomes: &[Outcome], judged: usize, of: fn(&Outcome) -> &Vec<f64>) -> String {
    let Some(index) = sizes.points.iter().position(|point| *point == judged) else {
        return "–".into();
    };
    Mean::of(&values(outcomes, index, of)).text(2)
}

/// The values of all seeds at one point, in per cent.
fn values(outcomes: &[Outcome], index: usize, of: fn(&Outcome) -> &Vec<f64>) -> Vec<f64> {
    let values = outcomes.iter().filter_map(|outcome| of(outcome).get(index));
    values.map(|value| 100.0 * value).collect()
}

fn searches(sizes: &Sizes, outcomes: &[Vec<Outcome>]) -> Table {
    let last = sizes.points.last().copied().unwrap_or(0);
    let row = |((_, _, label), runs): (&(&str, f64, &str), &Vec<Outcome>)| {
        let found: Vec<f64> = runs
            .iter()
            .filter_map(|run| Some(run.until_best? as f64))
            .collect();
        let until = match found.is_empty() {
            true => "–".into(),
            false => format!("{:.0}", median(&found)),
        };
        vec![
            (*label).to_owned(),
            format!("{} of {}", found.len(), runs.len()),
            until,
            at(sizes, runs, 100, |run| &run.accuracies),
            at(sizes, runs, last, |run| &run.accuracies),
            at(sizes, runs, 100, |run| &run.hypervolumes),
            at(sizes, runs, last, |run| &run.hypervolumes),
        ]
    };
    let heads = [
        "search".to_owned(),
        "found #11465".into(),
        match sizes.seeds {
            1 => "cells judged until then".into(),
            _ => "cells judged until then, median".into(),
        },
        "best validation %, 100 judged".into(),
        format!("{last} judged"),
        "hypervolume %, 100 judged".into(),
        format!("{last} judged"),
    ];
    let compared = [(0, 1), (2, 3), (4, 3), (2, 6), (2, 7)].into_iter().filter_map(|(a, b)| {
        let best = |index: usize| -> Vec<f64> {
            let runs = outcomes[index].iter();
            runs.filter_map(|run| Some(100.0 * run.accuracies.last()?)).collect()
        };
        // Lower is worse here.
        let paired = PairedDifference::new(&best(b), &best(a));
        let noise = match paired.is_within_noise()? {
            true => "; within noise",
            false => "",
        };
        Some(format!(
            "Best validation accuracy, {} less {}: {:.3} ± {:.3} points (standard error), higher in \
             {} of {} seeds{noise}.",
            METHODS[a].2,
            METHODS[b].2,
            -paired.mean,
            paired.error?,
            paired.lower,
            paired.count
        ))
    });
    let notes = [
        format!(
            "#11465 is the best cell that meets the specification (84.53 % in validation); {last} \
             cells at most are judged, each once, and a search ends after {} steps. Hypervolume: \
             of all judged cells, below {MILLISECONDS} ms and above {:.0} %, of that of all 15,625.",
            sizes.steps,
            100.0 * CHANCE
        ),
        format!(
            "Reward β·accuracy + (1 − β)·time/limit, −1 without judging beyond the limit. Fast \
             level: up to {} steps, until {:.0} % of the limit is used. Controller: {} units, Adam \
             {}, entropy {}, both chosen on seeds 100 to 105; the method's β is not known, so two \
             are shown. Evolution: population {}, sample {}.",
            FAST.0,
            100.0 * FAST.1,
            CONTROLLER.hidden,
            CONTROLLER.learning_rate,
            CONTROLLER.entropy,
            EVOLUTION.0,
            EVOLUTION.1
        ),
        "A reproduction of the method, not of a table: no table of arXiv 1907.04650 could be had, \
         and it does not use this space. Its pool, weights and numbers of steps are not known."
            .into(),
    ];
    Table {
        name: "co-exploration".into(),
        title: format!("Searches against the table of all cells: {}", place(sizes)),
        columns: heads.into(),
        rows: METHODS.iter().zip(outcomes).map(row).collect(),
        notes: compared.chain(notes).collect(),
    }
}

fn effort(sizes: &Sizes, outcomes: &[Vec<Outcome>]) -> Table {
    let row = |((_, _, label), runs): (&(&str, f64, &str), &Vec<Outcome>)| {
        let mean = |of: fn(&Outcome) -> usize| {
            let values: Vec<f64> = runs.iter().map(|run| of(run) as f64).collect();
            Mean::of(&values).text(0)
        };
        let test: Vec<f64> = runs.iter().map(|run| 100.0 * run.test).collect();
        vec![
            (*label).to_owned(),
            mean(|run| run.judged),
            mean(|run| run.steps),
            mean(|run| run.pruned),
            mean(|run| run.measured),
            Mean::of(&test).text(2),
        ]
    };
    let heads = [
        "search",
        "cells judged",
        "steps",
        "steps pruned",
        "hardware models asked",
        "test % of the cell best in validation",
    ];
    Table {
        name: "co-exploration-effort".into(),
        title: format!("What the searches took: {}", place(sizes)),
        columns: heads.map(str::to_owned).into(),
        rows: METHODS.iter().zip(outcomes).map(row).collect(),
        notes: vec![
            "A judged cell stands for a training of 12 epochs; a step that comes to a cell known \
             already costs none. A policy that has settled proposes little that is new, so that \
             its search ends by steps."
                .into(),
        ],
    }
}

fn figure(
    sizes: &Sizes,
    outcomes: &[Vec<Outcome>],
    name: &str,
    label: &str,
    of: fn(&Outcome) -> &Vec<f64>,
) -> Figure {
    let series = METHODS.iter().zip(outcomes).map(|((_, _, label), runs)| {
        let points = sizes.points.iter().enumerate().map(|(index, judged)| {
            let mean = Mean::of(&values(runs, index, of));
            Point {
                x: *judged as f64,
                y: mean.value,
                deviation: mean.bar(),
            }
        });
        Series {
            label: (*label).into(),
            points: points.collect(),
            joined: true,
        }
    });
    Figure {
        name: name.into(),
        title: place(sizes),
        x_label: "cells judged".into(),
        y_label: label.into(),
        x_scale: AxisScale::Log,
        y_scale: AxisScale::Linear,
        series: series.collect(),
        diagonal: false,
    }
}
