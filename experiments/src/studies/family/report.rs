//! The table of a family of sizes, and accuracy against size.

use super::super::seed_count;
use super::run::{Family, Member};
use super::{COST, RATE, SIZES, Way};
use crate::report::{AxisScale, Figure, Point, Series, Table};
use crate::statistics::{Mean, PairedDifference};

fn members(runs: &[Family], size: usize) -> Vec<&Member> {
    runs.iter()
        .filter_map(|run| run.members.get(size))
        .collect()
}

fn accuracies(runs: &[Family], size: usize) -> Vec<f64> {
    let of = |member: &&Member| 100.0 * member.test_accuracy;
    members(runs, size).iter().map(of).collect()
}

/// Mean accuracy over all sizes, run by run.
fn means(runs: &[Family]) -> Vec<f64> {
    let of = |run: &Family| {
        let all: Vec<f64> = run
            .members
            .iter()
            .map(|m| 100.0 * m.test_accuracy)
            .collect();
        Mean::of(&all).value
    };
    runs.iter().map(of).collect()
}

pub(super) fn table(ways: &[(Way, Vec<Family>)]) -> Table {
    let seeds = ways.first().map_or(0, |(_, runs)| runs.len());
    let mut columns = vec!["way".to_owned()];
    columns.extend(SIZES.map(|width| format!("{width}-{width}")));
    columns.extend(
        [
            "mean over sizes",
            "less from scratch's",
            "cost, epochs at full width",
        ]
        .map(str::to_owned),
    );
    let apart = ways
        .first()
        .map(|(_, runs)| means(runs))
        .unwrap_or_default();
    let rows = ways.iter().enumerate().map(|(index, (way, runs))| {
        let mut row = vec![way.label().to_owned()];
        let sizes = 0..SIZES.len();
        row.extend(sizes.map(|size| Mean::of(&accuracies(runs, size)).text_with_error(2)));
        row.push(Mean::of(&means(runs)).text_with_error(2));
        row.push(match index {
            0 => String::new(),
            _ => PairedDifference::new(&means(runs), &apart).text(2),
        });
        let costs: Vec<f64> = runs.iter().map(|run| run.cost).collect();
        row.push(format!("{:.1}", Mean::of(&costs).value));
        row
    });
    let losses = ways.iter().map(|(way, runs)| {
        let sizes = (0..SIZES.len()).map(|size| {
            let losses: Vec<f64> = members(runs, size).iter().map(|m| m.test_loss).collect();
            Mean::of(&losses).text_with_error(4)
        });
        format!("{}: {}", way.label(), sizes.collect::<Vec<_>>().join(", "))
    });
    let losses = losses.collect::<Vec<_>>().join("; ");
    let spread = if seeds > 1 {
        ", mean ± standard error"
    } else {
        ""
    };
    Table {
        name: "family".into(),
        title: format!(
            "optdigits, MLP 64-h-h-10: test accuracy % at four sizes for one cost (official split, 10 % \
             of the training set held, {}{spread})",
            seed_count(seeds)
        ),
        columns,
        rows: rows.collect(),
        notes: vec![
            format!(
                "All rows cost the same altogether: {COST} epochs at full width, growing counted, \
                 every size with as many epochs. From scratch the rate is constant for 60 % of them, \
                 then half a cosine to 0. In one run through all sizes the run itself trains for half \
                 of them at the constant rate, and a copy decays in the other half, which is what is \
                 judged. AdamW, batches of 128, rate {RATE} for all, which `methods-rates` chose for \
                 training from scratch and for new neurons alike. Growing adds random new neurons \
                 with zero fan-out; pruning keeps the neurons of largest L1 norm, the same share of \
                 each layer."
            ),
            format!("Test loss: {losses}."),
        ],
    }
}

pub(super) fn figure(ways: &[(Way, Vec<Family>)]) -> Figure {
    let seeds = ways.first().map_or(0, |(_, runs)| runs.len());
    let series = ways.iter().map(|(way, runs)| {
        let points = (0..SIZES.len()).map(|size| {
            let found = Mean::of(&accuracies(runs, size));
            let parameters: Vec<f64> = members(runs, size)
                .iter()
                .map(|m| m.parameters as f64)
                .collect();
            Point {
                x: Mean::of(&parameters).value,
                y: found.value,
                deviation: found.error().unwrap_or(0.0),
            }
        });
        Series {
            label: way.label().into(),
            points: points.collect(),
            joined: true,
        }
    });
    Figure {
        name: "family".into(),
        title: format!(
            "optdigits, MLP: all sizes for one cost ({})",
            seed_count(seeds)
        ),
        x_label: "parameters".into(),
        y_label: match seeds {
            0 | 1 => "test accuracy, %".into(),
            _ => "test accuracy, % (mean ± standard error)".into(),
        },
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Linear,
        series: series.collect(),
        diagonal: false,
    }
}
