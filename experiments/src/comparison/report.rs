//! Table and figures of a comparison.

use serde_json::Value;

use super::recipe::{Arm, PaperFigure, Price, Recipe, Way};
use super::run::{CURVE, Measured};
use super::unit::kinds;
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Report, Series, Table};
use crate::results::{results_of, seed_count, widths_text};
use crate::statistics::{Mean, PairedDifference, correlation};
use crate::study::Scale;

/// The runs of one method within one budget, by seed.
struct Row<'a> {
    arm: Arm<'a>,
    multiple: Option<f64>,
    runs: Vec<Measured>,
    held: bool,
}

impl Row<'_> {
    /// What a reader calls it where rows are named in a sentence.
    fn title(&self) -> String {
        let label = &self.arm.method.label;
        match self.multiple {
            Some(times) => format!("{label} at {times} times the start"),
            None => label.clone(),
        }
    }

    fn values(&self, of: impl Fn(&Measured) -> f64) -> Vec<f64> {
        self.runs.iter().map(of).collect()
    }

    fn mean(&self, of: impl Fn(&Measured) -> f64) -> Mean {
        Mean::of(&self.values(of))
    }

    fn accuracies(&self) -> Vec<f64> {
        self.values(|run| {
            let share = if self.held {
                run.held_accuracy
            } else {
                run.test_accuracy
            };
            100.0 * share
        })
    }

    fn losses(&self) -> Vec<f64> {
        self.values(|run| {
            if self.held {
                run.held_loss
            } else {
                run.test_loss
            }
        })
    }

    /// Points of accuracy above the same seeds of `other`.
    fn above(&self, other: &Self) -> PairedDifference {
        PairedDifference::new(&self.accuracies(), &other.accuracies())
    }
}

/// All that is said of the runs of `recipe`.
pub(super) fn report(
    name: &str,
    recipe: &Recipe,
    scale: Scale,
    results: &[(String, Value)],
) -> Result<Report, ExperimentError> {
    let mut rows = Vec::new();
    let multiples: Vec<Option<f64>> = match recipe.budget.multiples[..] {
        [] => vec![None],
        ref multiples => multiples.iter().copied().map(Some).collect(),
    };
    for multiple in &multiples {
        for arm in recipe.arms()? {
            let own = kinds(recipe, &arm, arm.method.rate).into_iter();
            let kind = own
                .filter(|kind| kind.multiple == *multiple)
                .map(|kind| kind.text());
            let runs = results_of(results, &kind.collect::<String>())?;
            rows.push(Row {
                arm,
                multiple: *multiple,
                runs,
                held: recipe.report.held,
            });
        }
    }
    let mut figures = match recipe.budget.multiples.is_empty() {
        true => vec![cost_figure(name, recipe, &rows)],
        false => vec![budget_figure(name, recipe, &rows)],
    };
    for method in &recipe.report.widths {
        let last = rows.iter().rev().find(|row| row.arm.name == method);
        figures.extend(last.map(|row| width_figure(name, recipe, row)));
    }
    Ok(Report {
        tables: vec![table(name, recipe, scale, &rows)],
        figures,
    })
}

fn spread(seeds: usize) -> &'static str {
    if seeds > 1 {
        ", mean ± standard error"
    } else {
        ""
    }
}

/// `5 seeds, 2,500 training samples at most, images of 16×16`.
fn scale_text(recipe: &Recipe, scale: Scale, seeds: usize) -> String {
    let mut text = format!("scale {}, {}", scale.name(), seed_count(seeds));
    if let Some(samples) = recipe.data.samples {
        text += &format!(", {samples} training samples");
    }
    if let Some(side) = recipe.data.side {
        text += &format!(", images averaged to {side}×{side}");
    }
    text + &format!(
        ", training cost of {} epochs at the target widths",
        recipe.train.epochs
    )
}

/// The row that `row` is compared with.
fn reference<'a, 'b>(recipe: &Recipe, rows: &'b [Row<'a>], row: &Row<'a>) -> Option<&'b Row<'a>> {
    let name = row.arm.method.against.as_ref().or(recipe.compare.first())?;
    rows.iter()
        .find(|other| other.arm.name == name && other.multiple == row.multiple)
        .filter(|other| other.arm.name != row.arm.name)
}

fn table(name: &str, recipe: &Recipe, scale: Scale, rows: &[Row<'_>]) -> Table {
    let seeds = rows.first().map_or(0, |row| row.runs.len());
    let several = !recipe.budget.multiples.is_empty();
    let judged = if recipe.report.held { "held" } else { "test" };
    let unit = match recipe.budget.price {
        Price::Parameters => "budget, parameters",
        Price::Macs => "budget, MACs",
    };
    let mut columns = vec!["method".to_owned()];
    if several {
        columns.push(unit.to_owned());
    }
    columns.extend(["rate", "widths"].map(str::to_owned));
    columns.extend([format!("{judged} accuracy %"), format!("{judged} loss")]);
    columns.extend(
        [
            "parameters",
            "forward MACs",
            "training cost",
            "of it growing %",
            "seconds",
            "accuracy less the first's",
        ]
        .map(str::to_owned),
    );
    let by_others = recipe.compare.iter().any(|name| {
        recipe
            .methods
            .get(name)
            .is_some_and(|method| method.against.is_some())
    });
    if let Some(last) = columns.last_mut().filter(|_| by_others) {
        *last = "accuracy less that of what it is compared with".into();
    }
    let cells = rows.iter().map(|row| {
        let difference = reference(recipe, rows, row).map(|other| row.above(other));
        let mut cells = vec![row.arm.method.label.clone()];
        if several {
            cells.push(format!("{:.0}", row.mean(|run| run.budget as f64).value));
        }
        cells.extend([
            row.arm.method.rate.to_string(),
            widths_text(row.runs.iter().map(|run| &run.widths[..])),
            Mean::of(&row.accuracies()).text_with_error(2),
            Mean::of(&row.losses()).text_with_error(4),
            format!("{:.0}", row.mean(|run| run.parameters as f64).value),
            format!("{:.0}", row.mean(|run| run.macs as f64).value),
            format!("{:.1}", row.mean(|run| run.cost).value),
            format!(
                "{:.1}",
                row.mean(|run| 100.0 * run.growing_cost / run.cost).value
            ),
            format!("{:.1}", row.mean(|run| run.seconds).value),
            difference.map_or(String::new(), |difference| difference.text(2)),
        ]);
        cells
    });
    let paper = recipe
        .report
        .paper
        .iter()
        .map(|figure| paper_cells(figure, &columns));
    Table {
        name: name.to_owned(),
        title: format!(
            "{} ({}{})",
            recipe.title,
            scale_text(recipe, scale, seeds),
            spread(seeds)
        ),
        rows: cells.chain(paper).collect(),
        columns,
        notes: notes(recipe, rows),
    }
}

/// A row of a paper's own figure.
fn paper_cells(figure: &PaperFigure, columns: &[String]) -> Vec<String> {
    let cell = |column: &String| match column.as_str() {
        "method" => format!("the paper's {} ({})", figure.label, figure.source),
        "test accuracy %" => figure.accuracy.to_string(),
        "parameters" => figure.parameters.clone(),
        "forward MACs" => figure.macs.clone(),
        _ => String::new(),
    };
    columns.iter().map(cell).collect()
}

fn notes(recipe: &Recipe, rows: &[Row<'_>]) -> Vec<String> {
    let mut notes: Vec<String> = verdict(recipe, rows).into_iter().collect();
    let refused: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let refused = row.runs.iter().filter(|run| run.refused > 0).count();
            (refused > 0).then(|| format!("{} {refused} of {}", row.title(), row.runs.len()))
        })
        .collect();
    if !refused.is_empty() {
        notes.push(format!(
            "Runs in which a growth was refused: {}.",
            refused.join(", ")
        ));
    }
    notes.extend(prediction(rows));
    notes.push(format!(
        "Every run ends with the epoch whose end is nearest to the training cost of {} epochs at the \
         target widths: three forward passes for each sample trained on, and all that growing takes \
         (capture, spectra, gradients of candidates, search, checks). Growing: {}, on {} captured \
         training samples at most unless a method says otherwise.",
        recipe.train.epochs,
        recipe.grow.describe(),
        recipe.grow.capture,
    ));
    if !recipe.train.rates.is_empty() {
        notes.push(match recipe.report.rates_chosen {
            true => "Each method's rate is the best of those tried by mean loss on held samples of other \
                     seeds, from 100 on (the study of this name with `-rates`)."
                .into(),
            false => "The rates were not chosen for this network and data: the study of this name with \
                      `-rates` compares them."
                .to_owned(),
        });
    }
    notes.push(
        "Seconds are wall time of a run beside others on the same machine, for orientation.".into(),
    );
    if recipe.report.paper.is_empty() && recipe.report.notes.is_empty() {
        notes.push("The papers have no figure of this network on this data.".into());
    }
    notes.extend(recipe.report.notes.iter().cloned());
    notes
}

/// How well predicted decreases agree with measured ones.
fn prediction(rows: &[Row<'_>]) -> Option<String> {
    let of = |row: &Row<'_>| {
        let pairs: Vec<(f64, f64)> = row
            .runs
            .iter()
            .flat_map(|run| run.decreases.iter().copied())
            .collect();
        let told = pairs.len() > 1 && pairs.iter().any(|(predicted, _)| *predicted != 0.0);
        told.then(|| {
            let (title, found) = (row.title(), correlation(&pairs));
            format!("{title} {found:.2} ({} growths)", pairs.len())
        })
    };
    let found: Vec<String> = rows.iter().filter_map(of).collect();
    match found.is_empty() {
        true => None,
        false => Some(format!(
            "Correlation of predicted with measured decreases at the chosen steps: {}.",
            found.join(", ")
        )),
    }
}

/// Which ways of growing are level with the first method; one seed cannot tell.
fn verdict(recipe: &Recipe, rows: &[Row<'_>]) -> Option<String> {
    let first = recipe.compare.first()?;
    let is_scratch = recipe.arm(first).ok()?.method.way == Way::Scratch;
    let apart = recipe
        .methods
        .values()
        .any(|method| method.against.is_some());
    if !is_scratch || apart {
        return None;
    }
    let grown = || rows.iter().filter(|row| row.arm.method.way == Way::Grown);
    grown().next()?;
    let mut level = Vec::new();
    for row in grown() {
        let difference = row.above(reference(recipe, rows, row)?);
        if difference.mean >= -difference.error? {
            level.push(format!("{} ({})", row.title(), difference.text(2)));
        }
    }
    Some(match level.is_empty() {
        true => "No way of growing is level with training from scratch at equal cost, within one \
                 standard error of the paired difference."
            .into(),
        false => format!(
            "Level with training from scratch at equal cost or better, within one standard error of \
             the paired difference: {}.",
            level.join(", ")
        ),
    })
}

fn is_drawn(recipe: &Recipe, row: &Row<'_>) -> bool {
    let drawn = &recipe.report.drawn;
    drawn.is_empty() || drawn.iter().any(|name| name == row.arm.name)
}

/// Error on held samples against the cost: on a logarithmic axis the ends of training stay apart.
fn cost_figure(name: &str, recipe: &Recipe, rows: &[Row<'_>]) -> Figure {
    let seeds = rows.first().map_or(0, |row| row.runs.len());
    let drawn = rows.iter().filter(|row| is_drawn(recipe, row));
    let series = drawn.map(|row| {
        let points = (0..CURVE).filter_map(|part| {
            let of = |run: &Measured| run.curve.get(part).map(|accuracy| 100.0 * (1.0 - accuracy));
            let held: Option<Vec<f64>> = row.runs.iter().map(of).collect();
            Some(Point {
                x: 100.0 * (part + 1) as f64 / CURVE as f64,
                y: Mean::of(&held?).value,
                deviation: 0.0,
            })
        });
        Series {
            label: row.arm.method.label.clone(),
            points: points.collect(),
            joined: true,
        }
    });
    Figure {
        name: name.to_owned(),
        title: format!(
            "{}: error against training cost ({})",
            recipe.title,
            seed_count(seeds)
        ),
        x_label: "share of the training cost spent, %".into(),
        y_label: "error on held samples, %".into(),
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Log,
        series: series.collect(),
        diagonal: false,
    }
}

/// Accuracy against what networks cost.
fn budget_figure(name: &str, recipe: &Recipe, rows: &[Row<'_>]) -> Figure {
    let seeds = rows.first().map_or(0, |row| row.runs.len());
    let (unit, cost): (&str, fn(&Measured) -> f64) = match recipe.budget.price {
        Price::Parameters => ("trained parameters", |run| run.parameters as f64),
        Price::Macs => ("MACs for one sample", |run| run.macs as f64),
    };
    let of_method = |method: &String| {
        let own = rows
            .iter()
            .filter(|row| row.arm.name == method && is_drawn(recipe, row));
        let points: Vec<Point> = own
            .map(|row| {
                let accuracy = Mean::of(&row.accuracies());
                Point {
                    x: row.mean(cost).value,
                    y: accuracy.value,
                    deviation: accuracy.error().unwrap_or(0.0),
                }
            })
            .collect();
        (!points.is_empty()).then(|| Series {
            label: recipe
                .methods
                .get(method)
                .map_or(String::new(), |method| method.label.clone()),
            points,
            joined: true,
        })
    };
    Figure {
        name: name.to_owned(),
        title: format!(
            "{}: accuracy at equal training cost ({})",
            recipe.title,
            seed_count(seeds)
        ),
        x_label: unit.into(),
        y_label: format!(
            "test accuracy, %{}",
            if seeds > 1 {
                " (mean ± standard error)"
            } else {
                ""
            }
        ),
        x_scale: AxisScale::Log,
        y_scale: AxisScale::Linear,
        series: recipe.compare.iter().filter_map(of_method).collect(),
        diagonal: false,
    }
}

/// Where the channels went, the mean over seeds.
fn width_figure(name: &str, recipe: &Recipe, row: &Row<'_>) -> Figure {
    // All runs have these steps and layers.
    let steps = row
        .runs
        .iter()
        .map(|run| run.steps.len())
        .min()
        .unwrap_or(0);
    let first = || row.runs.iter().filter_map(|run| run.steps.first());
    let layers = first().map(Vec::len).min().unwrap_or(0);
    let series = (0..layers).map(|layer| {
        let points = (0..steps).map(|step| {
            let widths = row.runs.iter().map(|run| run.steps[step][layer] as f64);
            Point {
                x: step as f64,
                y: Mean::of(&widths.collect::<Vec<_>>()).value,
                deviation: 0.0,
            }
        });
        Series {
            label: format!("layer {}", layer + 1),
            points: points.collect(),
            joined: true,
        }
    });
    let label = &row.arm.method.label;
    Figure {
        name: format!("{name}-widths-{}", row.arm.name),
        title: format!("{}, {label}: widths over growth steps", recipe.title),
        x_label: "growth steps made".into(),
        y_label: "neurons or channels (mean)".into(),
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Linear,
        series: series.collect(),
        diagonal: false,
    }
}
