//! Which old neurons a task is to reuse.

use burgeon_core::CoreError;
use burgeon_nn::{Growable, Objective, Samples};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::column::Column;
use crate::error::ContinualError;
use crate::given::Given;

/// How the old neurons that a task reuses are chosen: its column reads all of them at first, and
/// after some epochs each is ranked by the decrease of the loss that its own answers bring, scaled
/// from 0 to 1 with those of all others: `−∫ ∂L/∂ε` (firefly's score, arXiv 2102.08574, for ε the
/// factors of the answers). The best are kept, the others are no longer read.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reuse {
    /// The share of old neurons that is kept at most, from 0 (nothing is reused) to 1.
    pub share: f64,
    /// Epochs before they are ranked.
    pub epochs: usize,
    /// Points of the integral (the middles of equal parts).
    pub points: usize,
    /// Training samples that the gradients are taken on, at most.
    pub samples: usize,
}

impl Default for Reuse {
    /// Half of them at most, after one epoch, by three points on 1,024 samples.
    fn default() -> Self {
        Self {
            share: 0.5,
            epochs: 1,
            points: 3,
            samples: 1024,
        }
    }
}

impl Reuse {
    /// Nothing is reused: each task has neurons of its own only.
    pub const NONE: Self = Self {
        share: 0.0,
        epochs: 0,
        points: 1,
        samples: 1,
    };

    /// # Errors
    /// [`ContinualError::Settings`] that says what is out of range.
    pub fn check(&self) -> Result<(), ContinualError> {
        if !(0.0..=1.0).contains(&self.share) {
            return Err(ContinualError::Settings(format!(
                "a share of {} of reused neurons: it must be between 0 and 1",
                self.share
            )));
        }
        if self.points == 0 || self.samples == 0 {
            return Err(ContinualError::Settings(
                "reused neurons are ranked by at least 1 point on at least 1 sample".into(),
            ));
        }
        Ok(())
    }

    /// The reused neurons of each hidden layer to keep, of those that `column` reads.
    pub(crate) fn chosen(&self, decreases: &[Vec<f64>]) -> Vec<Vec<usize>> {
        let total: usize = decreases.iter().map(Vec::len).sum();
        let most = (self.share * total as f64).round() as usize;
        let ranked = decreases.iter().enumerate().flat_map(|(layer, own)| {
            own.iter()
                .enumerate()
                .map(move |(index, decrease)| (*decrease, layer, index))
        });
        let mut ranked: Vec<_> = ranked.filter(|(decrease, ..)| *decrease > 0.0).collect();
        // Equal ones stay in the order of layers and neurons.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut kept = vec![Vec::new(); decreases.len()];
        for (_, layer, index) in ranked.into_iter().take(most) {
            kept[layer].push(index);
        }
        kept.iter_mut().for_each(|layer| layer.sort_unstable());
        kept
    }

    /// What the loss on `samples` loses while the answers of each reused neuron go from 0 to what
    /// they are, `[layer][neuron]`, and the multiply-accumulates of finding it for a column of so
    /// many.
    pub(crate) fn decreases(
        &self,
        column: &Column,
        objective: &dyn Objective,
        samples: &Samples<Given>,
        batch_size: usize,
    ) -> Result<Vec<Vec<f64>>, ContinualError> {
        let given = samples.inputs();
        let mut sums: Vec<Vec<f64>> = given
            .reused_widths()
            .into_iter()
            .map(|n| vec![0.0; n])
            .collect();
        let rows: Vec<usize> = (0..samples.len()).collect();
        for batch in rows.chunks(batch_size.max(1)) {
            let batch = samples.subset(batch)?;
            let weight = batch.len() as f64 / (samples.len() * self.points) as f64;
            for point in 0..self.points {
                let factor = (point as f64 + 0.5) / self.points as f64;
                let slopes = slopes(column, objective, &batch, factor)?;
                for (sum, slopes) in sums.iter_mut().zip(slopes) {
                    for (sum, slope) in sum.iter_mut().zip(slopes) {
                        *sum -= weight * slope;
                    }
                }
            }
        }
        Ok(sums)
    }
}

/// `∂L/∂ε` of the factor ε of each reused neuron's answers, all of them being `factor`.
fn slopes(
    column: &Column,
    objective: &dyn Objective,
    batch: &Samples<Given>,
    factor: f64,
) -> Result<Vec<Vec<f64>>, ContinualError> {
    let recorded = batch.to_autodiff();
    let given = recorded.inputs();
    let widths = given.reused_widths();
    let mut factors: Vec<Option<Tensor<4>>> = Vec::with_capacity(widths.len());
    let mut scaled = Vec::with_capacity(widths.len());
    for (layer, &width) in widths.iter().enumerate() {
        let Some(answers) = given.reused(layer) else {
            factors.push(None);
            scaled.push(None);
            continue;
        };
        let plain = answers.clone().inner().device();
        let own = Tensor::<4>::full([1, width, 1, 1], factor, &plain);
        let own = Tensor::from_inner(own).require_grad();
        scaled.push(Some(answers.clone() * own.clone()));
        factors.push(Some(own));
    }
    let output = column.predict(Given::new(given.images().clone(), scaled));
    let gradients = objective.loss(output, recorded.targets()).backward();
    let read = |(factors, width): (&Option<Tensor<4>>, &usize)| {
        let Some(found) = factors.as_ref().and_then(|own| own.grad(&gradients)) else {
            return Ok(vec![0.0; *width]);
        };
        let found: Vec<f64> = found.into_data().iter::<f64>().collect();
        match found.iter().all(|slope| slope.is_finite()) {
            true => Ok(found),
            false => Err(ContinualError::Core(CoreError::NonFinite {
                site: "reused neurons".into(),
                quantity: "the gradient in their factors",
            })),
        }
    };
    factors.iter().zip(&widths).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_kept_and_none_that_does_harm() {
        let reuse = Reuse::default();
        let decreases = [vec![0.1, -0.2, 0.4], vec![0.3], vec![]];
        // Two of four.
        assert_eq!(reuse.chosen(&decreases), [vec![2], vec![0], vec![]]);
        let all = Reuse {
            share: 1.0,
            ..reuse
        };
        assert_eq!(all.chosen(&decreases), [vec![0, 2], vec![0], vec![]]);
        assert_eq!(
            Reuse::NONE.chosen(&decreases),
            [vec![], vec![], Vec::<usize>::new()]
        );
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let wrong = [
            Reuse {
                share: 1.5,
                ..Reuse::default()
            },
            Reuse {
                share: f64::NAN,
                ..Reuse::default()
            },
            Reuse {
                points: 0,
                ..Reuse::default()
            },
            Reuse {
                samples: 0,
                ..Reuse::default()
            },
        ];
        assert!(wrong.iter().all(|reuse| reuse.check().is_err()));
        assert!(Reuse::default().check().is_ok() && Reuse::NONE.check().is_ok());
    }
}
