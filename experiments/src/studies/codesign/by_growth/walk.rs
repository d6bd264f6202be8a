//! Growth that walks the front: after each phase a copy of the network is trained to its end on
//! the best hardware for it, and the network goes on growing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::TileFilling;
use burgeon_hardware::BestDesignCycles;
use burgeon_nn::SpectrumConfig;
use burgeon_nn::surgery::{CopiedMoments, OptimizerRules};
use burgeon_train::{
    Advance, Grower, GrowerConfig, Outcome, RateSchedule, SearchSamples, Trigger, WidthLimits,
};

use super::super::super::images::{optimizer, task};
use super::bench::{BATCH, Bench, Point, RATE};
use super::space::{CYCLES, WIDEST, WidthSpace};
use crate::error::ExperimentError;
use crate::kept::{read_state, write_state};

/// Widths from which it walks.
const START: [usize; 3] = [4; 3];

/// Epochs at a constant rate between growths.
const PHASE: usize = 4;

/// Epochs in which the copy's rate falls to 0.
const BRANCH: usize = 3;

/// One step may add this share of the cycles.
const STEP_SHARE: f64 = 0.4;

/// Rows on which each site's spectra rest.
const ROWS: usize = 8192;

/// Samples that a growth step looks at.
const CAPTURED: usize = 1024;

/// A walk ends with its growths, not with its epochs.
const MOST_EPOCHS: usize = 10_000;

/// What results depend on, by name.
pub(super) fn constants() -> serde_json::Value {
    serde_json::json!({
        "start": START,
        "epochs between growths": PHASE,
        "epochs of a copy": BRANCH,
        "step share": STEP_SHARE,
        "rows of spectra": ROWS,
        "captured": CAPTURED,
    })
}

/// What a reader must know of them.
pub(super) fn described() -> String {
    format!(
        "Growth starts from {}-{}-{} and trains {PHASE} epochs; then a copy trains {BRANCH} more, \
         while its rate falls, which is a point of the front, and the network grows, by at most \
         {:.0} % of its cycles: the set of S2D's splits with the most predicted decrease \
         under the price of the best design for the widths that come of it. A walk that can grow no \
         more is followed by another from other weights, until the cost is spent.",
        START[0],
        START[1],
        START[2],
        100.0 * STEP_SHARE
    )
}

/// Walks until the budget is spent.
pub(super) fn walks(bench: &Bench<'_>) -> Result<Vec<Point>, ExperimentError> {
    let path = &bench.context.checkpoint;
    let (mut points, mut spent, mut number) =
        read_state(path, &bench.recipe)?.unwrap_or((Vec::new(), 0, 0));
    while spent < bench.budget {
        // The first walk has the unit's own seed.
        let seed = bench.seed + 1000 * number;
        number += 1;
        spent = walk(bench, seed, spent, &mut points)?;
        write_state(path, &bench.recipe, &(&points, spent, number))?;
    }
    Ok(points)
}

fn config(bench: &Bench<'_>, seed: u64) -> Result<GrowerConfig, ExperimentError> {
    let [_, side, _] = bench.set.train.shape;
    let price = BestDesignCycles::new(bench.space.accelerators())?;
    let filling = TileFilling::new(Arc::new(WidthSpace::new(side, bench.set.classes)?));
    let widths = ["first.conv", "second.conv", "third.conv"];
    let widths = widths.iter().fold(WidthLimits::default(), |limits, layer| {
        limits.capped(*layer, WIDEST)
    });
    let rules = OptimizerRules::default().with_copied_moments(CopiedMoments::ZeroForCopies);
    Ok(GrowerConfig::new(SteepestDescent, filling)
        .with_batch_size(BATCH)
        // Units run side by side, and the networks draw nothing.
        .with_device_seeding(false)
        .with_seed(seed)
        .with_learning_rate(RateSchedule::constant(RATE)?)
        .with_optimizer_rules(rules)
        .with_cost_budget(price, CYCLES as u64)
        .with_step_share(STEP_SHARE)
        .with_widths(widths)
        .with_capture_samples(CAPTURED)
        .with_search_samples(SearchSamples::Captured)
        .with_spectrum(SpectrumConfig::default().with_rows(ROWS))
        .with_trigger(Trigger::Every { epochs: PHASE })
        .with_end_of_growth(true)
        .with_max_epochs(MOST_EPOCHS))
}

/// One walk, and what is spent after it.
fn walk(
    bench: &Bench<'_>,
    seed: u64,
    before: u64,
    points: &mut Vec<Point>,
) -> Result<u64, ExperimentError> {
    let mut grower = Grower::shared(
        config(bench, seed)?,
        bench.context.backend.clone(),
        task(&bench.sets),
        bench.initial(START, seed)?,
        optimizer(),
    )?
    .interrupt_by(bench.context.interrupt.clone());
    let mut copies = 0;
    loop {
        match grower.advance()? {
            Advance::Epoch if grower.state().phase_epoch == PHASE => {
                let spent = before + grower.state().training_macs + copies;
                let falling = RateSchedule::cosine_of_phase(RATE, 0.0, BRANCH)?;
                let copy = grower.model().clone();
                let point = bench.point(copy, (BRANCH, falling), seed, spent)?;
                copies += point.spent - spent;
                points.push(point);
            }
            Advance::Ended(Outcome::Interrupted) => return Err(ExperimentError::Interrupted),
            Advance::Ended(Outcome::Stopped(_)) => break,
            Advance::Epoch | Advance::GrowthStep => {}
        }
        if bench.context.interrupt.load(Ordering::Relaxed) {
            return Err(ExperimentError::Interrupted);
        }
        if before + grower.state().training_macs + copies >= bench.budget {
            break;
        }
    }
    Ok(before + grower.state().training_macs + copies)
}
