//! Tables and figures of the study.

use serde_json::Value;

use super::methods::{ALONE, GROWN, METHODS, MethodResult, Outcome};
use super::scenario::{Recipe, Scenario};
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Report, Series, Table};
use crate::statistics::{Mean, PairedDifference};
use crate::studies::{results_of, seed_count};
use crate::study::Scale;

pub(super) fn report(
    scale: Scale,
    seeds: usize,
    results: &[(String, Value)],
) -> Result<Report, ExperimentError> {
    let mut report = Report::default();
    for scenario in Scenario::ALL {
        let outcomes: Vec<Outcome> = results_of(results, scenario.name())?;
        let recipe = scenario.recipe(scale);
        report
            .tables
            .push(comparison(scenario, &recipe, seeds, &outcomes));
        report.tables.push(growth(scenario, seeds, &outcomes));
        report.figures.push(curves(scenario, seeds, &outcomes));
    }
    Ok(report)
}

/// The results of one method, seed by seed.
fn of<'a>(outcomes: &'a [Outcome], method: &str) -> Vec<&'a MethodResult> {
    let all = outcomes.iter().flat_map(|outcome| &outcome.methods);
    all.filter(|result| result.method == method).collect()
}

fn mean(results: &[&MethodResult], value: impl Fn(&MethodResult) -> f64) -> Mean {
    Mean::of(
        &results
            .iter()
            .map(|result| value(result))
            .collect::<Vec<f64>>(),
    )
}

fn size(most: usize, of: &str) -> String {
    match most {
        usize::MAX => format!("all {of} images"),
        most => format!("at most {most} {of} images a class"),
    }
}

fn comparison(scenario: Scenario, recipe: &Recipe, seeds: usize, outcomes: &[Outcome]) -> Table {
    let heads = [
        "method",
        "average accuracy %",
        "forgetting, points",
        "parameters",
        "training, GMAC",
        "seconds",
    ];
    let row = |method: &str| {
        let results = of(outcomes, method);
        let lost: Vec<f64> = results
            .iter()
            .filter_map(|result| Some(100.0 * result.forgetting?))
            .collect();
        vec![
            method.to_owned(),
            mean(&results, |result| 100.0 * result.average_accuracy).text(2),
            Mean::of(&lost).text(2),
            mean(&results, |result| result.parameters as f64).text(0),
            mean(&results, |result| result.macs as f64 / 1e9).text(2),
            mean(&results, |result| result.seconds).text(1),
        ]
    };
    Table {
        name: scenario.name().into(),
        title: format!(
            "{} one after the other, {} ({}; {} and {} of each task, {:.0} % of the training \
             images held; {} epochs a task, rate {})",
            scenario.title(),
            scenario.network(),
            seed_count(seeds),
            size(recipe.of_class, "training"),
            size(recipe.test_of_class, "test"),
            100.0 * recipe.held,
            recipe.epochs,
            recipe.rate,
        ),
        columns: heads.map(str::to_owned).into(),
        rows: METHODS.map(row).into(),
        notes: comparison_notes(recipe, outcomes),
    }
}

fn comparison_notes(recipe: &Recipe, outcomes: &[Outcome]) -> Vec<String> {
    let widths = |widths: &dyn Fn(&Outcome) -> &Vec<usize>| {
        let mut all: Vec<String> = outcomes
            .iter()
            .map(|outcome| {
                let widths = widths(outcome).iter().map(usize::to_string);
                widths.collect::<Vec<_>>().join("-")
            })
            .collect();
        all.dedup();
        all.join(", ")
    };
    let mut notes = vec![
        format!(
            "The task is told at prediction. Accuracy is the mean over the tasks at the end; \
             forgetting the mean loss of the best accuracy on each earlier task. Fixed networks have \
             at most the parameters that the grown one ended with: {} for fine-tuning, EWC and all \
             tasks at once, {} for each separate one.",
            widths(&|outcome| &outcome.fixed_widths),
            widths(&|outcome| &outcome.separate_widths)
        ),
        format!(
            "Training counts 3 forward passes a sample, and all that growing, ranking reused neurons \
             and EWC's Fisher information take. EWC: strength {}, Fisher information exact over the \
             classes on {} training images a task.",
            recipe.elastic, recipe.fisher
        ),
    ];
    let accuracies = |method: &str| -> Vec<f64> {
        let results = of(outcomes, method).into_iter();
        results
            .map(|result| 100.0 * result.average_accuracy)
            .collect()
    };
    let grown = accuracies(GROWN);
    if grown.len() > 1 {
        let others = METHODS
            .iter()
            .filter(|method| **method != GROWN)
            .map(|method| {
                let difference = PairedDifference::new(&grown, &accuracies(method));
                let verdict = match difference.is_within_noise() {
                    Some(true) => "within noise",
                    _ => "more than noise",
                };
                format!("{method} {} ({verdict})", difference.text(2))
            });
        notes.push(format!(
            "Grown against, same seed, points of average accuracy with standard error: {}.",
            others.collect::<Vec<_>>().join("; ")
        ));
    }
    notes
}

fn growth(scenario: Scenario, seeds: usize, outcomes: &[Outcome]) -> Table {
    let heads = [
        "task",
        "own neurons",
        "old neurons",
        "reused",
        "growths kept",
        "split off",
        "new",
        "copied",
        "accuracy %",
        "nothing reused %",
    ];
    let tasks = outcomes
        .iter()
        .map(|outcome| outcome.tasks.len())
        .min()
        .unwrap_or(0);
    let row = |task: usize| {
        let of_task = |value: &dyn Fn(&burgeon_continual::TaskRecord) -> usize| {
            let values = outcomes
                .iter()
                .map(|outcome| value(&outcome.tasks[task]) as f64);
            Mean::of(&values.collect::<Vec<f64>>()).text(1)
        };
        let accuracy = |method: &str| {
            let results = of(outcomes, method);
            let last = |result: &MethodResult| {
                let row = result.rows.last();
                100.0
                    * row
                        .and_then(|row| row.get(task))
                        .copied()
                        .unwrap_or_default()
            };
            mean(&results, last).text(2)
        };
        vec![
            (task + 1).to_string(),
            of_task(&|record| record.widths.iter().sum()),
            of_task(&|record| record.old),
            of_task(&|record| record.reused),
            of_task(&|record| record.growths),
            of_task(&|record| record.splits),
            of_task(&|record| record.new_neurons),
            of_task(&|record| record.copies),
            accuracy(GROWN),
            accuracy(ALONE),
        ]
    };
    Table {
        name: format!("{}-growth", scenario.name()),
        title: format!(
            "{}: what each task grew ({})",
            scenario.title(),
            seed_count(seeds)
        ),
        columns: heads.map(str::to_owned).into(),
        rows: (0..tasks).map(row).collect(),
        notes: vec![
            "Neurons of both hidden layers together. Of growths that are kept: neurons split off, \
             new ones, and copies of old neurons that are trained from then on."
                .into(),
        ],
    }
}

fn curves(scenario: Scenario, seeds: usize, outcomes: &[Outcome]) -> Figure {
    let series = METHODS.map(|method| {
        let results = of(outcomes, method);
        let tasks = results
            .iter()
            .map(|result| result.rows.len())
            .min()
            .unwrap_or(0);
        let points = (0..tasks).map(|task| {
            let after = mean(&results, |result| {
                let row = &result.rows[task];
                100.0 * row.iter().sum::<f64>() / row.len().max(1) as f64
            });
            let learned = results.first().map_or(0, |result| result.rows[task].len());
            Point {
                x: learned as f64,
                y: after.value,
                deviation: after.bar(),
            }
        });
        let points: Vec<Point> = points.collect();
        Series {
            label: method.into(),
            joined: points.len() > 1,
            points,
        }
    });
    Figure {
        name: scenario.name().into(),
        title: format!(
            "{}: accuracy while tasks are learned ({})",
            scenario.title(),
            seed_count(seeds)
        ),
        x_label: "tasks learned".into(),
        y_label: "average test accuracy on them, %".into(),
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Linear,
        series: series.into(),
        diagonal: false,
    }
}
