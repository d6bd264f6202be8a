//! Tables of the study.

use std::collections::BTreeMap;

use super::super::super::seed_count;
use super::run::{Measured, described};
use super::{FIRST_RATE_SEED, RATES, WAYS};
use crate::report::Table;
use crate::statistics::{Mean, PairedDifference};

fn values(runs: &[Measured], of: impl Fn(&Measured) -> f64) -> Vec<f64> {
    runs.iter().map(of).collect()
}

fn accuracies(runs: &[Measured]) -> Vec<f64> {
    values(runs, |run| 100.0 * run.test_accuracy)
}

/// Each of the widths that runs ended at, with how many there were of it, the most frequent first.
fn widths(runs: &[Measured]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for run in runs {
        let widths: Vec<String> = run.widths.iter().map(usize::to_string).collect();
        *counts.entry(widths.join("-")).or_default() += 1;
    }
    let mut found: Vec<(String, usize)> = counts.into_iter().collect();
    found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let of_all = found.len() > 1;
    let text = found.into_iter().map(|(widths, count)| match of_all {
        true => format!("{widths} ({count})"),
        false => widths,
    });
    text.collect::<Vec<_>>().join(", ")
}

/// The runs of each of [`WAYS`], by seed.
pub(super) fn compared(ways: &[Vec<Measured>], epochs: usize) -> Table {
    let seeds = ways.first().map_or(0, Vec::len);
    let rows = WAYS
        .iter()
        .zip(ways)
        .enumerate()
        .map(|(index, (way, runs))| {
            let mean = |of: fn(&Measured) -> f64| Mean::of(&values(runs, of));
            let above = match ways.first().filter(|_| index > 0) {
                Some(first) => PairedDifference::new(&accuracies(runs), &accuracies(first)).text(2),
                None => String::new(),
            };
            vec![
                way.label.to_owned(),
                way.rate.to_string(),
                widths(runs),
                Mean::of(&accuracies(runs)).text_with_error(2),
                mean(|run| run.test_loss).text_with_error(4),
                above,
                format!("{:.0}", mean(|run| run.cycles).value),
                format!("{:.1}", mean(|run| 100.0 * run.utilisation).value),
                format!("{:.0}", mean(|run| run.macs as f64).value),
                format!("{:.0}", mean(|run| run.parameters as f64).value),
                format!("{:.1}", mean(|run| run.cost).value),
                format!(
                    "{:.1}",
                    mean(|run| 100.0 * run.growing_cost / run.cost).value
                ),
            ]
        });
    let columns = [
        "way",
        "rate",
        "widths",
        "test accuracy %",
        "test loss",
        "accuracy less the first row's",
        "cycles",
        "multipliers used %",
        "forward MACs",
        "parameters",
        "training cost, epochs at uniform width",
        "of it growing %",
    ];
    let pairs = [(2, 3), (2, 4), (1, 0)];
    let mut notes: Vec<String> = pairs
        .into_iter()
        .filter_map(|(a, b)| difference(ways, a, b))
        .collect();
    let refused = WAYS.iter().zip(ways).filter_map(|(way, runs)| {
        let refused = runs.iter().filter(|run| run.refused > 0).count();
        (refused > 0).then(|| format!("{} {refused} of {}", way.label, runs.len()))
    });
    let refused: Vec<String> = refused.collect();
    if !refused.is_empty() {
        notes.push(format!(
            "Runs in which a growth was refused: {}.",
            refused.join(", ")
        ));
    }
    notes.push(described());
    notes.push(format!(
        "Every run ends with the epoch whose end is nearest to the cost of {epochs} epochs at uniform \
         width: three forward passes for each sample trained on, and all that growing takes; the \
         search for widths that the second row starts from is not counted. AdamW, batches of 128, one \
         schedule over the whole cost (constant until 60 %, then half a cosine to 0). How \
         rates compare, on held samples of other seeds, is what `tile-filling-rates` shows. \
         Cycles are a model's."
    ));
    Table {
        name: "tile-filling".into(),
        title: format!(
            "optdigits, three 3×3 convolutions on an engine of 8×8 tiles, at equal training cost \
             (official split, 10 % of the training set held, {}{})",
            seed_count(seeds),
            spread(seeds),
        ),
        columns: columns.map(str::to_owned).into(),
        rows: rows.collect(),
        notes,
    }
}

fn spread(seeds: usize) -> &'static str {
    match seeds > 1 {
        true => ", mean ± standard error",
        false => "",
    }
}

/// How far one way is above another on the same seeds.
fn difference(ways: &[Vec<Measured>], a: usize, b: usize) -> Option<String> {
    let (first, second) = (ways.get(a)?, ways.get(b)?);
    let accuracy = PairedDifference::new(&accuracies(first), &accuracies(second));
    let losses = |runs: &[Measured]| values(runs, |run| run.test_loss);
    let loss = PairedDifference::new(&losses(first), &losses(second));
    let noise = match accuracy.is_within_noise()? {
        true => ", within noise",
        false => "",
    };
    Some(format!(
        "{} less {}, same seeds: {} points of test accuracy{noise}; test loss {}, lower in {} of {}.",
        WAYS[a].label,
        WAYS[b].label,
        accuracy.text(2),
        loss.text(4),
        loss.lower,
        loss.count
    ))
}

/// The runs of each of [`WAYS`] at each of [`RATES`].
pub(super) fn rates(ways: &[Vec<Vec<Measured>>]) -> Table {
    let seeds = ways.first().and_then(|way| way.first()).map_or(0, Vec::len);
    let mut others = Vec::new();
    let mut rows = Vec::new();
    for (way, by_rate) in WAYS.iter().zip(ways) {
        let losses: Vec<Mean> = by_rate
            .iter()
            .map(|runs| Mean::of(&values(runs, |run| run.held_loss)))
            .collect();
        let best = RATES
            .iter()
            .zip(&losses)
            .min_by(|a, b| a.1.value.total_cmp(&b.1.value))
            .map_or(f64::NAN, |(rate, _)| *rate);
        if best != way.rate {
            others.push(format!("{} ({} instead of {best})", way.label, way.rate));
        }
        let mut cells = vec![way.label.to_owned()];
        cells.extend(losses.iter().map(|loss| loss.text_with_error(4)));
        cells.push(best.to_string());
        rows.push(cells);
    }
    let mut columns = vec!["way".to_owned()];
    columns.extend(RATES.map(|rate| format!("rate {rate}")));
    columns.push("best".into());
    let mut notes = vec![
        "Loss on the held samples at the end of training; the best rate is that of the least mean \
         loss."
            .to_owned(),
    ];
    if !others.is_empty() {
        notes.push(format!(
            "The table of the study uses other rates than these for: {}.",
            others.join(", ")
        ));
    }
    Table {
        name: "tile-filling-rates".into(),
        title: format!(
            "Tile filling: held loss at three learning rates ({} from {FIRST_RATE_SEED} on{})",
            seed_count(seeds),
            spread(seeds),
        ),
        columns,
        rows,
        notes,
    }
}
