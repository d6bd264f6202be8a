//! New layers as candidates.

use rand_chacha::ChaCha8Rng;

use super::moving::Moving;
use super::{Candidate, unit_vector};
use crate::error::CoreError;
use crate::gradient::GradientRequest;
use crate::growth::Growth;
use crate::landscape::Landscape;
use crate::place::{BlockWeights, Place};

/// One new layer at each of `places`: opening weights as long as usual, closing ones `start` times
/// as long, in a random direction; these may become `bound` times as long as usual.
pub(super) fn drawn(places: &[Place], start: f64, bound: f64, rng: &mut ChaCha8Rng) -> Vec<Moving> {
    let mut draw = |parameters: &[BlockWeights], by: f64| {
        let mut numbers = Vec::new();
        for parameter in parameters {
            if parameter.count == 0 {
                continue;
            }
            let unit = unit_vector(parameter.count, rng);
            let length = by * parameter.length();
            numbers.extend(unit.into_iter().map(|value| length * value));
        }
        numbers
    };
    let candidate = |place: &Place| {
        let opening = draw(&place.opening, 1.0);
        let closing = draw(&place.closing, start.min(bound));
        let lengths = place.closing.iter().map(BlockWeights::length);
        let usual = lengths.map(|length| length * length).sum::<f64>().sqrt();
        Moving {
            candidate: Candidate::new_layer(place, opening, closing),
            longest: bound * usual,
        }
    };
    places.iter().map(candidate).collect()
}

/// Turns the closing weights of all new layers down the gradient of the loss at ε = 0, where it
/// does not depend on them: no direction of that length lowers the loss faster. Layers without
/// a gradient stay as they were drawn.
pub(super) fn descend(
    landscape: &dyn Landscape,
    candidates: &mut [Moving],
) -> Result<(), CoreError> {
    let is_layer = |moving: &Moving| matches!(moving.candidate.growth, Growth::NewLayer(_));
    if !candidates.iter().any(is_layer) {
        return Ok(());
    }
    let found = landscape.gradient(&Moving::plan(candidates), &GradientRequest::default())?;
    for (moving, gradient) in candidates.iter_mut().zip(&found.growths) {
        let Growth::NewLayer(layer) = &mut moving.candidate.growth else {
            continue;
        };
        let steepest = length(&gradient.fan_out);
        if steepest > 0.0 {
            let by = length(&layer.closing) / steepest;
            layer.closing = gradient.fan_out.iter().map(|slope| -by * slope).collect();
        }
    }
    Ok(())
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}
