//! Pruning a wide network to a budget: the filters of least L1 norm (arXiv 1608.08710), or the
//! channels of least BatchNorm scale (network slimming, arXiv 1708.06519).

use burgeon_nn::surgery::keep_channels;
use burgeon_nn::{Samples, trace};
use burn::tensor::Tensor;

use super::net::{SmallMobileNet, macs};
use crate::error::ExperimentError;

/// How the filters that stay are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ranking {
    /// Those of largest L1 norm, the same share of each layer.
    FilterNorm,
    /// Those of largest BatchNorm scale among all layers' together, one in each at least.
    NormScale,
}

/// A site's name and its filters' scores.
type Scores = (String, Vec<f64>);

/// The largest part of `wide` by `ranking` that `budget` MACs allow.
pub(super) fn pruned(
    wide: &SmallMobileNet,
    ranking: Ranking,
    samples: &Samples<Tensor<4>>,
    budget: u64,
) -> Result<SmallMobileNet, ExperimentError> {
    let trace = trace(wide, samples)?;
    let scored = scores(wide, ranking);
    for kept in shrinking(&scored, ranking) {
        let (model, _) = keep_channels(wide, trace.graph(), &kept)?;
        if macs(&model, samples)? <= budget {
            return Ok(model);
        }
    }
    Err(ExperimentError::Settings(format!(
        "one filter a layer takes more than {budget} MACs"
    )))
}

fn scores(wide: &SmallMobileNet, ranking: Ranking) -> Vec<Scores> {
    let layers = wide.mixing().map(|(name, layer)| {
        let scores: Tensor<1> = match ranking {
            Ranking::NormScale => layer.norm.gamma.val().inner().abs(),
            Ranking::FilterNorm => {
                let norms: Tensor<2> = layer.conv.weight.val().inner().abs().flatten(1, 3);
                norms.sum_dim(1).squeeze_dim(1)
            }
        };
        (name, scores.into_data().iter().collect())
    });
    layers.collect()
}

/// Ever smaller choices of filters, from all of them to one a layer.
fn shrinking(scored: &[Scores], ranking: Ranking) -> Vec<Vec<(String, Vec<usize>)>> {
    let orders: Vec<Vec<usize>> = scored
        .iter()
        .map(|(_, scores)| descending(scores))
        .collect();
    let counts: Vec<Vec<usize>> = match ranking {
        Ranking::FilterNorm => {
            let share = |percent: usize| {
                let of = |order: &Vec<usize>| (order.len() * percent).div_ceil(100);
                orders.iter().map(of).collect()
            };
            (1..=100).rev().map(share).collect()
        }
        Ranking::NormScale => {
            let mut left: Vec<usize> = orders.iter().map(Vec::len).collect();
            let mut all = vec![left.clone()];
            let weakest = |left: &[usize]| {
                let last = |layer: &usize| scored[*layer].1[orders[*layer][left[*layer] - 1]];
                let able = (0..left.len()).filter(|layer| left[*layer] > 1);
                able.min_by(|a, b| last(a).total_cmp(&last(b)))
            };
            while let Some(layer) = weakest(&left) {
                left[layer] -= 1;
                all.push(left.clone());
            }
            all
        }
    };
    let choice = |counts: Vec<usize>| {
        let layers = scored.iter().zip(&orders).zip(counts);
        let kept = layers.map(|(((name, _), order), count)| {
            let mut kept = order[..count].to_vec();
            kept.sort_unstable();
            (name.clone(), kept)
        });
        kept.collect()
    };
    counts.into_iter().map(choice).collect()
}

/// Indices by score, the largest first.
fn descending(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order
}

#[cfg(test)]
mod tests {
    use burgeon_data::optdigits;
    use burgeon_nn::Growable;
    use burn::tensor::{Device, TensorData};

    use super::super::WIDTHS;
    use super::super::net::{widest, widths};
    use super::*;

    fn scored(scores: [&[f64]; 2]) -> Vec<Scores> {
        let named = ["a", "b"].into_iter().zip(scores);
        named
            .map(|(name, scores)| (name.to_owned(), scores.to_vec()))
            .collect()
    }

    fn counts(choices: &[Vec<(String, Vec<usize>)>]) -> Vec<[usize; 2]> {
        let of = |choice: &Vec<(String, Vec<usize>)>| [choice[0].1.len(), choice[1].1.len()];
        choices.iter().map(of).collect()
    }

    #[test]
    fn slimming_drops_the_least_scale_of_all_layers_and_leaves_one_in_each() {
        let scored = scored([&[0.5, 0.1, 0.3], &[0.05, 0.2]]);
        let choices = shrinking(&scored, Ranking::NormScale);
        assert_eq!(counts(&choices), [[3, 2], [3, 1], [2, 1], [1, 1]]);
        assert_eq!(choices[1][1].1, [1]);
        assert_eq!(choices[2][0].1, [0, 2]);
        assert_eq!(choices[3][0].1, [0]);
    }

    #[test]
    fn filter_norms_drop_the_same_share_of_each_layer() {
        let scored = scored([&[0.5, 0.1, 0.3, 0.2], &[9.0, 7.0, 8.0, 6.0]]);
        let choices = shrinking(&scored, Ranking::FilterNorm);
        let mut counts = counts(&choices);
        counts.dedup();
        assert_eq!(counts, [[4, 4], [3, 3], [2, 2], [1, 1]]);
        assert_eq!(choices[50][0].1, [0, 2]);
        assert_eq!(choices[50][1].1, [0, 2]);
    }

    fn digits(device: &Device) -> Result<Samples<Tensor<4>>, ExperimentError> {
        let images = optdigits::load()?.test;
        let [c, h, w] = images.shape;
        let pixels = images.pixels[..16 * c * h * w].to_vec();
        let inputs = Tensor::<4>::from_data(TensorData::new(pixels, [16, c, h, w]), device);
        Ok(Samples::classification(
            inputs,
            &images.labels[..16],
            10,
            device,
        )?)
    }

    fn make(widths: &[usize]) -> Result<SmallMobileNet, ExperimentError> {
        Ok(SmallMobileNet::new(
            widths,
            [1, 2, 1, 2],
            10,
            &Device::flex().autodiff(),
        )?)
    }

    #[test]
    fn uniform_and_pruned_networks_use_their_budget_and_stay_within() -> Result<(), ExperimentError>
    {
        let samples = digits(&Device::flex())?;
        let smallest = macs(&make(&WIDTHS)?, &samples)?;
        for factor in [2, 4] {
            let budget = factor * smallest;
            let uniform = widest(&make, &samples, budget)?;
            let uniform = macs(&uniform, &samples)?;
            assert!(
                uniform <= budget && uniform * 5 >= budget * 4,
                "{uniform} of {budget}"
            );
            let wide = widest(&make, &samples, budget * 5 / 2)?;
            for ranking in [Ranking::FilterNorm, Ranking::NormScale] {
                let model = pruned(&wide, ranking, &samples, budget)?;
                let size = macs(&model, &samples)?;
                assert!(
                    size <= budget && size * 2 >= budget,
                    "{ranking:?}: {size} of {budget}"
                );
                let (before, after) = (widths(&wide), widths(&model));
                assert!(
                    before
                        .iter()
                        .zip(&after)
                        .all(|(before, after)| after <= before)
                );
            }
        }
        Ok(())
    }

    #[test]
    fn a_budget_below_one_filter_a_layer_is_an_error() -> Result<(), ExperimentError> {
        let samples = digits(&Device::flex())?;
        let wide = make(&WIDTHS)?;
        let found = pruned(&wide, Ranking::NormScale, &samples, 1);
        let error = found.err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("more than 1 MACs")));
        Ok(())
    }

    #[test]
    fn the_penalty_pulls_scales_towards_nought_and_is_off_at_first() -> Result<(), ExperimentError>
    {
        let model = make(&WIDTHS)?;
        assert!(model.penalty().is_none());
        let model = model.with_sparsity(0.25);
        let Some(penalty) = model.penalty() else {
            return Err(ExperimentError::Settings("no penalty".into()));
        };
        // All scales are 1 at first.
        let channels = WIDTHS.iter().sum::<usize>() as f64;
        assert_eq!(penalty.clone().into_scalar::<f64>(), 0.25 * channels);
        let gradients = penalty.backward();
        for (name, layer) in model.mixing() {
            let gradient = layer.norm.gamma.val().grad(&gradients);
            let gradient: Vec<f64> = gradient
                .map(|gradient| gradient.into_data().iter().collect())
                .unwrap_or_default();
            assert!(
                !gradient.is_empty() && gradient.iter().all(|entry| *entry == 0.25),
                "{name}: {gradient:?}"
            );
        }
        Ok(())
    }
}
