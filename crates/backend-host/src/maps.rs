//! `(W ∘ (X Vᵀ))ᵀ X` of maps: a convolution with the directions as its filters, whose answers are
//! weighted, and its weight gradient.

use std::borrow::Cow;
use std::ops::Range;

use burgeon_ops::Window;
use burgeon_ops::convolution::{AnswerChange, Channels, Geometry, Run, filter_gradient_of_answers};
use burgeon_ops::lanes::Lanes;
use burgeon_ops::real::Real;
use pulp::Arch;

use crate::site::Site;

/// A convolution with the directions as its filters, and its weight gradient.
pub(crate) fn products_of_maps<S: Real, T: Lanes>(
    site: &Site<'_, S>,
    values: &[S],
    [batch, inputs, height, width]: [usize; 4],
    window: Window,
    directions: &[T],
) -> Vec<f64> {
    let (dim, fan_in) = (site.dim, site.fan_in());
    let geometry = Geometry::new(window, batch, inputs, [height, width]);
    let channels = Channels {
        inputs,
        outputs: site.neurons,
        groups: if site.channel_wise { inputs } else { 1 },
    };
    let (filters, constants) = match site.bias {
        false => (Cow::Borrowed(directions), None),
        true => {
            let mut filters = Vec::with_capacity(site.neurons * fan_in);
            let mut constants = Vec::with_capacity(site.neurons);
            for direction in directions.chunks_exact(dim) {
                filters.extend_from_slice(&direction[..fan_in]);
                constants.push(direction[fan_in]);
            }
            (Cow::Owned(filters), Some(constants))
        }
    };
    let weighting = Weighting {
        weights: site.weights,
        neurons: site.neurons,
        positions: geometry.output_plane(),
        constants: constants.as_deref(),
    };
    let sums = filter_gradient_of_answers(&geometry, channels, values, &filters, &weighting);
    if !site.bias {
        return sums.filters;
    }
    let lines = sums.filters.chunks_exact(fan_in).zip(sums.bias);
    lines
        .flat_map(|(line, constant)| line.iter().copied().chain([constant]))
        .collect()
}

/// What answers are multiplied with.
struct Weighting<'a, S, T> {
    /// `[samples · positions, neurons]`.
    weights: &'a [S],
    neurons: usize,
    /// Of one sample.
    positions: usize,
    /// Added before, `[neurons]`.
    constants: Option<&'a [T]>,
}

impl<S, T> Weighting<'_, S, T> {
    /// The weights of the samples from `sample` on.
    fn weights_from(&self, sample: usize) -> &[S] {
        &self.weights[sample * self.positions * self.neurons..]
    }
}

impl<S: Real, T: Lanes> AnswerChange<T> for Weighting<'_, S, T> {
    fn by_channel(
        &self,
        sample: usize,
        channels: Range<usize>,
        width: usize,
        lines: &mut [T],
        totals: &mut [f64],
    ) {
        let mut sums = vec![T::ZERO; totals.len()];
        let mut shifts = vec![T::ZERO; totals.len()];
        if let Some(constants) = self.constants {
            shifts.copy_from_slice(&constants[channels.clone()]);
        }
        // Compiled for the widest vectors.
        Arch::new().dispatch(|| {
            let weights = self.weights_from(sample).chunks_exact(self.neurons);
            for (line, weights) in lines.chunks_exact_mut(width).zip(weights) {
                let weights = &weights[channels.clone()];
                let entries = line.iter_mut().zip(weights).zip(&shifts);
                for (((value, weight), shift), sum) in entries.zip(&mut sums) {
                    *value = (*value + *shift) * T::from_real(*weight);
                    *sum += *value;
                }
            }
        });
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total += sum.to_f64();
        }
    }

    fn by_position(&self, sample: usize, channel: usize, runs: &[Run], line: &mut [T]) -> f64 {
        let shift = self
            .constants
            .map_or(T::ZERO, |constants| constants[channel]);
        let weights = self.weights_from(sample);
        let mut total = T::ZERO;
        for run in runs {
            let weights = weights[run.index * self.neurons + channel..].iter();
            let values = &mut line[run.start..run.start + run.length];
            for (value, weight) in values.iter_mut().zip(weights.step_by(self.neurons)) {
                *value = (*value + shift) * T::from_real(*weight);
                total += *value;
            }
        }
        total.to_f64()
    }
}
