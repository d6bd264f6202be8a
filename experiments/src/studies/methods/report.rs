//! Tables and figures of ways of growing.

use serde_json::Value;

use super::super::{results_of, seed_count, widths_text};
use super::arm::{ARMS, Arm};
use super::bench::Bench;
use super::kind;
use super::run::{CURVE, Measured};
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Series, Table};
use crate::statistics::{Mean, PairedDifference};
use crate::study::StudySettings;

/// Ways whose curves are drawn.
const DRAWN: [&str; 7] = [
    "scratch", "start", "s2d", "firefly", "gradmax", "new", "split",
];

/// The runs of one way.
pub(super) struct Row {
    arm: &'static Arm,
    runs: Vec<Measured>,
}

/// The runs of all ways on `bench`, by seed.
pub(super) fn rows(
    bench: &Bench,
    results: &[(String, Value)],
) -> Result<Vec<Row>, ExperimentError> {
    let row = |arm: &'static Arm| {
        let runs = results_of(results, &kind(bench, arm, arm.rate(bench)))?;
        Ok(Row { arm, runs })
    };
    ARMS.iter().map(row).collect()
}

impl Row {
    fn values(&self, of: impl Fn(&Measured) -> f64) -> Vec<f64> {
        self.runs.iter().map(of).collect()
    }

    fn mean(&self, of: impl Fn(&Measured) -> f64) -> Mean {
        Mean::of(&self.values(of))
    }

    fn accuracies(&self) -> Vec<f64> {
        self.values(|run| 100.0 * run.test_accuracy)
    }

    /// Points of test accuracy above the same seeds of `other`.
    fn above(&self, other: &Self) -> PairedDifference {
        PairedDifference::new(&self.accuracies(), &other.accuracies())
    }
}

pub(super) fn table(bench: &Bench, settings: &StudySettings, rows: &[Row]) -> Table {
    let size = bench.size(settings.scale);
    let seeds = rows.first().map_or(0, |row| row.runs.len());
    let spread = if seeds > 1 {
        ", mean ± standard error"
    } else {
        ""
    };
    let columns = [
        "way",
        "rate",
        "widths",
        "test accuracy %",
        "test loss",
        "parameters",
        "forward MACs",
        "training cost, epochs at full width",
        "of it growing %",
        "seconds",
        "accuracy less from scratch's",
    ];
    let scratch = rows.first();
    let cells = rows.iter().enumerate().map(|(index, row)| {
        let difference = scratch
            .filter(|_| index > 0)
            .map(|scratch| row.above(scratch));
        vec![
            row.arm.label.to_owned(),
            row.arm.rate(bench).to_string(),
            widths_text(row.runs.iter().map(|run| &run.widths[..])),
            Mean::of(&row.accuracies()).text_with_error(2),
            row.mean(|run| run.test_loss).text_with_error(4),
            format!("{:.0}", row.mean(|run| run.parameters as f64).value),
            format!("{:.0}", row.mean(|run| run.macs as f64).value),
            format!("{:.1}", row.mean(|run| run.cost).value),
            format!(
                "{:.1}",
                row.mean(|run| 100.0 * run.growing_cost / run.cost).value
            ),
            format!("{:.1}", row.mean(|run| run.seconds).value),
            difference.map_or(String::new(), |difference| difference.text(2)),
        ]
    });
    let samples = match size.samples {
        usize::MAX => "official split".to_owned(),
        samples => format!("{samples} training samples"),
    };
    Table {
        name: format!("methods-{}", bench.name),
        title: format!(
            "{}: grown from {start}-{start} to {target}-{target} at equal cost ({samples}, {:.0} % of \
             the training set held, {}{spread})",
            bench.title,
            100.0 * bench.held,
            seed_count(seeds),
            start = bench.growing.start(bench.target),
            target = bench.target,
        ),
        columns: columns.map(str::to_owned).into(),
        rows: cells.collect(),
        notes: notes(bench, settings, rows),
    }
}

fn notes(bench: &Bench, settings: &StudySettings, rows: &[Row]) -> Vec<String> {
    let size = bench.size(settings.scale);
    let mut notes: Vec<String> = verdict(rows).into_iter().collect();
    let refused: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let refused = row.runs.iter().filter(|run| run.refused > 0).count();
            (refused > 0).then(|| format!("{} {refused} of {}", row.arm.label, row.runs.len()))
        })
        .collect();
    if !refused.is_empty() {
        let refused = refused.join(", ");
        notes.push(format!("Runs in which a growth was refused: {refused}."));
    }
    notes.push(format!(
        "Every run ends with the epoch whose end is nearest to the cost of {} epochs at full width: \
         three forward passes for each sample trained on, and all that growing takes (capture, \
         spectra, gradients of candidates, search, checks). All ways: AdamW, batches of 128, one \
         schedule over the whole cost (constant until 60 %, then half a cosine to 0), the optimizer's \
         state carried; growth in {}, by a factor common to all layers unless said, on {} captured \
         training samples, on which the step is searched for as well.",
        size.epochs,
        bench.growing.describe(),
        bench.capture,
    ));
    notes.push(
        "Each way's rate is the best of three by mean loss on held samples of other seeds, from 100 on \
         (`methods-rates`). Seconds are wall time of a run beside others on the same machine, for \
         orientation."
            .into(),
    );
    notes
}

/// Which ways are level with training from scratch; one seed cannot tell.
fn verdict(rows: &[Row]) -> Option<String> {
    let (scratch, others) = rows.split_first()?;
    let grown = |row: &&Row| matches!(row.arm.way, super::arm::Way::Grown(_));
    let mut level = Vec::new();
    for row in others.iter().filter(grown) {
        let difference = row.above(scratch);
        if difference.mean >= -difference.error? {
            level.push(format!("{} ({})", row.arm.label, difference.text(2)));
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

/// Accuracy on held samples against the cost.
pub(super) fn figure(bench: &Bench, rows: &[Row]) -> Figure {
    let seeds = rows.first().map_or(0, |row| row.runs.len());
    let drawn = rows.iter().filter(|row| DRAWN.contains(&row.arm.name));
    let series = drawn.map(|row| {
        let points = (0..CURVE).filter_map(|part| {
            let of = |run: &Measured| run.curve.get(part).map(|accuracy| 100.0 * accuracy);
            let held: Option<Vec<f64>> = row.runs.iter().map(of).collect();
            let held = Mean::of(&held?);
            Some(Point {
                x: 100.0 * (part + 1) as f64 / CURVE as f64,
                y: held.value,
                deviation: 0.0,
            })
        });
        Series {
            label: row.arm.label.into(),
            points: points.collect(),
            joined: true,
        }
    });
    Figure {
        name: format!("methods-{}", bench.name),
        title: format!(
            "{}: accuracy against training cost ({})",
            bench.title,
            seed_count(seeds)
        ),
        x_label: "share of the training cost spent, %".into(),
        y_label: "accuracy on held samples, %".into(),
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Linear,
        series: series.collect(),
        diagonal: false,
    }
}
