//! How many different calls problems lead to, with and without recursion.

use burgeon_npi::calls::CallSet;
use burgeon_npi::tasks::{Recursion, named};
use burgeon_npi::verification::add_reached;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::error::ExperimentError;
use crate::report::{AxisScale, Figure, Point, Series};

/// Random problems of each size.
const PROBLEMS: usize = 300;
/// The largest problems.
const LARGEST: usize = 16;

/// Calls of one task in one form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Growth {
    task: String,
    recursive: bool,
    /// Different calls that random problems of sizes up to 1, 2, … led to.
    calls: Vec<usize>,
}

/// Of three tasks in both forms.
pub(super) fn growths() -> Result<Vec<Growth>, ExperimentError> {
    let mut growths = Vec::new();
    for name in ["quicksort", "topological", "bubble"] {
        for form in [Recursion::None, Recursion::Full] {
            let task = named(name)?;
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let mut met = CallSet::default();
            let mut calls = Vec::new();
            for size in 1..=LARGEST {
                for _ in 0..PROBLEMS {
                    add_reached(&mut met, task, form, task.random(size, &mut rng))?;
                }
                calls.push(met.len());
            }
            growths.push(Growth {
                task: name.into(),
                recursive: form == Recursion::Full,
                calls,
            });
        }
    }
    Ok(growths)
}

/// Calls against the size of the largest problem.
pub(super) fn figure(growths: &[Growth]) -> Figure {
    let series = growths.iter().map(|growth| {
        let form = if growth.recursive {
            "recursive"
        } else {
            "loops"
        };
        let points = growth.calls.iter().enumerate().map(|(index, calls)| Point {
            x: (index + 1) as f64,
            y: *calls as f64,
            deviation: 0.0,
        });
        Series {
            label: format!("{}, {form}", growth.task),
            points: points.collect(),
            joined: true,
        }
    });
    Figure {
        name: "calls".into(),
        title: format!("Different calls that {PROBLEMS} random problems of each size lead to"),
        x_label: "size of the largest problem".into(),
        y_label: "different calls".into(),
        x_scale: AxisScale::Linear,
        y_scale: AxisScale::Log,
        series: series.collect(),
        diagonal: false,
    }
}
