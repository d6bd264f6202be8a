//! What tables of the image studies say below their rows.

use super::images::{NetworkResult, Recipe};
use crate::statistics::correlation;

/// What a reader of test accuracies must know of the recipes.
pub(super) const TUNING_NOTE: &str = "Learning rate, weight decay, batch size, budget and epochs were chosen by looking at test \
    accuracies of earlier runs on seeds 0 and 1, so all accuracies here are optimistic; \
    within a run nothing is chosen on the test set.";

/// A sentence on the samples that growths rest on.
pub(super) fn capture_note(recipe: &Recipe) -> String {
    match recipe.capture {
        usize::MAX => "Each growth captures all training samples.".into(),
        samples => format!("Each growth captures {samples} training samples."),
    }
}

/// A sentence on the steps of a method with line search.
pub(super) fn prediction_note(method: &str, runs: &[NetworkResult]) -> String {
    let pairs: Vec<(f64, f64)> = runs.iter().flat_map(|run| run.decreases.clone()).collect();
    let refused: usize = runs.iter().map(|run| run.refused).sum();
    if pairs.len() < 2 {
        return format!("{method}: {} growths made, {refused} refused.", pairs.len());
    }
    format!(
        "{method}, line search for ε on the held set: {} growths made, {refused} refused; predicted \
         against measured decrease at the chosen ε: correlation {:.3} (whole steps of many \
         neurons at large ε).",
        pairs.len(),
        correlation(&pairs)
    )
}
