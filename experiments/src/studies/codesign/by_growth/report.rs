//! Table and figure of the study.

use burgeon_coexplore::{Front, FrontPoint};

use super::super::super::seed_count;
use super::space::{BOARD, CYCLES, WidthSpace};
use super::{Outcome, Point, WAYS, search, walk};
use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point as FigurePoint, Report, Series, Table};
use crate::statistics::{Mean, PairedDifference};

/// The accuracy above which hypervolumes are measured.
const FLOOR: f64 = 0.9;

/// Equal parts of the cost at whose ends the figure has points.
const PARTS: usize = 10;

/// The front of held accuracy of what was there when a share of the cost was spent.
fn front(outcome: &Outcome, share: f64) -> Front {
    let until = share * outcome.budget as f64;
    let mut front = Front::default();
    for (child, point) in outcome.points.iter().enumerate() {
        if point.spent as f64 <= until {
            front.add(FrontPoint {
                cost: point.cycles,
                value: point.held_accuracy,
                child,
            });
        }
    }
    front
}

/// In per cent of what perfect accuracy in no time would dominate.
fn volume(front: &Front) -> f64 {
    100.0 * front.hypervolume(CYCLES, FLOOR) / (CYCLES * (1.0 - FLOOR))
}

fn held_volume(outcome: &Outcome, share: f64) -> f64 {
    volume(&front(outcome, share))
}

/// The same of the test accuracies of the networks on the front of held accuracy.
fn test_volume(outcome: &Outcome) -> f64 {
    let mut tested = Front::default();
    for chosen in front(outcome, 1.0).points() {
        tested.add(FrontPoint {
            value: outcome.points[chosen.child].test_accuracy,
            ..*chosen
        });
    }
    volume(&tested)
}

/// Test accuracy of the network of most held accuracy, in per cent.
fn best_test(outcome: &Outcome) -> f64 {
    let best = |a: &&Point, b: &&Point| a.held_accuracy.total_cmp(&b.held_accuracy);
    let best = outcome.points.iter().max_by(best);
    best.map_or(f64::NAN, |point| 100.0 * point.test_accuracy)
}

/// The runs of each of [`WAYS`], by seed.
pub(super) fn report(ways: &[Vec<Outcome>], epochs: usize) -> Result<Report, ExperimentError> {
    Ok(Report {
        tables: vec![table(ways, epochs)?],
        figures: vec![figure(ways)],
    })
}

fn place(ways: &[Vec<Outcome>]) -> String {
    format!(
        "optdigits, three 3×3 convolutions on {BOARD} ({})",
        seed_count(ways.first().map_or(0, Vec::len))
    )
}

fn values(runs: &[Outcome], of: impl Fn(&Outcome) -> f64) -> Vec<f64> {
    runs.iter().map(of).collect()
}

fn table(ways: &[Vec<Outcome>], epochs: usize) -> Result<Table, ExperimentError> {
    let rows = WAYS.iter().zip(ways).map(|((_, label, _), runs)| {
        let mean = |of: &dyn Fn(&Outcome) -> f64| Mean::of(&values(runs, of));
        vec![
            (*label).to_owned(),
            mean(&|run| run.points.len() as f64).text_with_error(1),
            mean(&|run| held_volume(run, 0.25)).text_with_error(2),
            mean(&|run| held_volume(run, 0.5)).text_with_error(2),
            mean(&|run| held_volume(run, 1.0)).text_with_error(2),
            mean(&test_volume).text_with_error(2),
            mean(&best_test).text_with_error(2),
        ]
    });
    let columns = [
        "way",
        "networks trained to an end",
        "hypervolume %, ¼ of the cost",
        "½ of the cost",
        "all of it",
        "hypervolume of test accuracies %",
        "test % of the best in held accuracy",
    ];
    let growth = ways.first();
    let compared = WAYS.iter().zip(ways).skip(1).filter_map(|((_, label, _), runs)| {
        let own = growth?;
        let all = |share: f64| {
            let of = |runs: &[Outcome]| values(runs, |run| held_volume(run, share));
            PairedDifference::new(&of(own), &of(runs))
        };
        let (early, end) = (all(0.25), all(1.0));
        let test = PairedDifference::new(&values(own, test_volume), &values(runs, test_volume));
        end.error?;
        Some(format!(
            "Growth less {label}, same seeds, points of hypervolume: {} at a quarter of the cost, {} \
             at all of it; {} of test accuracies.",
            early.text(2),
            end.text(2),
            test.text(2)
        ))
    });
    let space = WidthSpace::new(8, 10)?;
    let notes = [
        format!(
            "Hypervolume: of accuracy above {:.0} % and period below {:.0} µs, of the front of all \
             networks trained to an end, as a share of the whole rectangle; each network counts with \
             the period of the best of all {} designs that fit, whoever proposed it. The front is \
             chosen by held accuracy; the column of test accuracies has the same networks.",
            100.0 * FLOOR,
            space.microseconds(CYCLES),
            space.accelerators().len(),
        ),
        format!(
            "Every run may cost as much as {epochs} epochs of the widest network (24-24-24): three \
             forward passes for each sample trained on, and all that growing takes. What is not done \
             when it is spent does not count. Asking the hardware model costs nothing. All ways have \
             the same rate, 0.02, AdamW and batches of 128; {:.0} % of the training set are held.",
            100.0 * super::bench::HELD
        ),
        walk::described(),
        search::described(),
        "Periods are a model's. We found nobody who published co-exploration by growth.".into(),
    ];
    Ok(Table {
        name: "co-exploration-growth".into(),
        title: format!(
            "Fronts of accuracy and throughput at equal training cost: {}",
            place(ways)
        ),
        columns: columns.map(str::to_owned).into(),
        rows: rows.collect(),
        notes: compared.chain(notes).collect(),
    })
}

fn figure(ways: &[Vec<Outcome>]) -> Figure {
    let series = WAYS.iter().zip(ways).map(|((_, label, _), runs)| {
        let points = (1..=PARTS).map(|part| {
            let share = part as f64 / PARTS as f64;
            let mean = Mean::of(&values(runs, |run| held_volume(run, share)));
            FigurePoint {
                x: 100.0 * share,
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
    let several = ways.first().is_some_and(|runs| runs.len() > 1);
    Figure {
        name: "co-exploration-growth".into(),
        title: place(ways),
        x_label: "share of the training cost spent, %".into(),
        y_label: format!(
            "hypervolume, %{}",
            if several {
                " (mean ± standard error)"
            } else {
                ""
            }
        ),
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Linear,
        series: series.collect(),
        diagonal: false,
    }
}
