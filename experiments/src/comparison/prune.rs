//! Pruning any network to a budget: the filters of least L1 norm (arXiv 1608.08710), or the
//! channels of least BatchNorm scale (network slimming, arXiv 1708.06519).

use std::collections::HashMap;

use burgeon_graph::{Graph, Site};
use burgeon_nn::surgery::keep_channels;
use burgeon_nn::{AnyInput, AnyModel, AnyOutput, Growable, NnError, Stacks};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};

use super::recipe::Ranking;
use crate::error::ExperimentError;

/// The last part of a BatchNorm scale's path.
const SCALE: &str = "gamma";

/// `model` with the L1 norm of its BatchNorm scales times `sparsity` in the loss; without a penalty
/// if that is 0.
pub(super) fn sparse(model: AnyModel, sparsity: f64) -> Result<AnyModel, NnError> {
    let model = match model.downcast::<Sparse>() {
        Ok(sparse) => sparse.model,
        Err(model) => model,
    };
    match sparsity == 0.0 {
        true => Ok(model),
        false => AnyModel::new(Sparse { model, sparsity }),
    }
}

/// The largest part of `wide` by `ranking` that is `within` the budget.
///
/// # Errors
/// [`ExperimentError::Settings`] if one channel a layer is not.
pub(super) fn pruned(
    wide: &AnyModel,
    graph: &Graph,
    ranking: Ranking,
    within: impl Fn(&AnyModel) -> Result<bool, ExperimentError>,
) -> Result<AnyModel, ExperimentError> {
    let scored = scores(wide, graph, ranking)?;
    let choices = shrinking(&scored, ranking);
    let model =
        |choice: usize| Ok::<_, ExperimentError>(keep_channels(wide, graph, &choices[choice])?.0);
    // Choices shrink, so that the first one within is found by halving.
    let (mut from, mut to) = (0, choices.len());
    while from < to {
        let middle = from + (to - from) / 2;
        match within(&model(middle)?)? {
            true => to = middle,
            false => from = middle + 1,
        }
    }
    if from == choices.len() {
        return Err(ExperimentError::Settings(
            "one channel a layer takes more than the budget: give a larger one".into(),
        ));
    }
    model(from)
}

/// A site's name and its channels' scores.
type Scores = (String, Vec<f64>);

fn scores(
    wide: &AnyModel,
    graph: &Graph,
    ranking: Ranking,
) -> Result<Vec<Scores>, ExperimentError> {
    let mut weights = Weights::default();
    wide.valid().visit(&mut weights);
    let score = |site: &Site| {
        let group = site.group();
        // Numbers of a parameter for one channel, over all places of the axis that it has.
        let norm = |parameter: usize, axis: usize, channel: usize| -> f64 {
            let parameter = &graph.parameters()[parameter];
            let Some((shape, values)) = weights.0.get(&parameter.id) else {
                return 0.0;
            };
            let inner: usize = shape[axis + 1..].iter().product();
            let places = parameter.axes[axis].places(group, channel);
            let at = |(index, value): (usize, &f32)| {
                let own = places.contains(&(index / inner % shape[axis]));
                if own { f64::from(value.abs()) } else { 0.0 }
            };
            values.iter().enumerate().map(at).sum()
        };
        let scales = || {
            let all = graph.parameters().iter().enumerate();
            let own = all.filter(|(_, parameter)| {
                let is_scale = parameter.path.rsplit('.').next() == Some(SCALE);
                is_scale && parameter.axes[0].groups().contains(&group)
            });
            own.map(|(index, _)| index).collect::<Vec<_>>()
        };
        let of: Vec<f64> = match ranking {
            Ranking::FilterNorm => {
                let parts = |channel| {
                    let parts = site.fan_in().iter();
                    parts
                        .map(|part| norm(part.parameter, part.axis, channel))
                        .sum()
                };
                (0..site.width()).map(parts).collect()
            }
            Ranking::NormScale => {
                let scales = scales();
                if scales.is_empty() {
                    return Err(ExperimentError::Settings(format!(
                        "`{}` has no BatchNorm, so its channels cannot be ranked by scales",
                        site.name()
                    )));
                }
                let mean = |channel| {
                    let sum: f64 = scales.iter().map(|scale| norm(*scale, 0, channel)).sum();
                    sum / scales.len() as f64
                };
                (0..site.width()).map(mean).collect()
            }
        };
        Ok((site.name().to_owned(), of))
    };
    graph.growable().map(score).collect()
}

/// Ever smaller choices of channels, from all of them to one a layer.
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

/// All weights by their ids, each with its shape.
#[derive(Default)]
struct Weights(HashMap<ParamId, (Vec<usize>, Vec<f32>)>);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data();
        let shape = data.shape().to_vec();
        self.0.insert(param.id, (shape, data.iter().collect()));
    }
}

/// The sum of the magnitudes of all BatchNorm scales.
#[derive(Default)]
struct ScaleNorm {
    path: Vec<String>,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for ScaleNorm {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D == 1 && self.path.last().is_some_and(|name| name == SCALE) {
            let own = param.val().abs().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + own,
                None => own,
            });
        }
    }
}

/// A network whose BatchNorm scales are pulled towards 0 while it trains.
#[derive(Debug, Clone)]
struct Sparse {
    model: AnyModel,
    sparsity: f64,
}

impl Sparse {
    fn with(&self, model: AnyModel) -> Self {
        Self { model, ..*self }
    }
}

impl Module for Sparse {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.model.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        self.with(self.model.clone().fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.with(self.model.clone().to_device(device))
    }

    fn train(self) -> Self {
        self.with(self.model.clone().train())
    }

    fn valid(&self) -> Self {
        self.with(self.model.valid())
    }

    fn materialize(self) -> Self {
        self.with(self.model.clone().materialize())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.model.visit(visitor);
    }

    fn map<T: ModuleMapper>(self, mapper: &mut T) -> Self {
        let Self { model, sparsity } = self;
        Self {
            model: model.map(mapper),
            sparsity,
        }
    }
}

impl Growable for Sparse {
    type Input = AnyInput;
    type Output = AnyOutput;

    fn predict(&self, input: AnyInput) -> AnyOutput {
        self.model.predict(input)
    }

    fn rebuilt(self) -> Self {
        let Self { model, sparsity } = self;
        Self {
            model: model.rebuilt(),
            sparsity,
        }
    }

    fn stacks(&mut self) -> Stacks<'_> {
        self.model.stacks()
    }

    fn penalty(&self) -> Option<Tensor<1>> {
        let mut norm = ScaleNorm::default();
        self.model.visit(&mut norm);
        Some(norm.sum? * self.sparsity)
    }
}

#[cfg(test)]
mod tests {
    use burgeon_backend_flex::FLEX;
    use burgeon_core::CostModel;
    use burgeon_core::SplitBackend;
    use burgeon_core::cost::Macs;
    use burgeon_nn::cost::layer_shapes;
    use burgeon_nn::{Samples, trace};

    use super::super::net::{Net, NetKind, Shape};
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

    const WIDE: [usize; 4] = [6, 9, 12, 12];

    fn wide() -> Result<AnyModel, NnError> {
        let net = Net {
            kind: NetKind::SmallMobilenet,
            target: None,
            start: None,
            strides: vec![1, 2, 1, 2],
            activation: burgeon_zoo::Activation::Silu,
        };
        let shape = Shape {
            input: [1, 8, 8],
            classes: 10,
        };
        net.make(&WIDE, shape, &FLEX.device().autodiff())
    }

    fn samples() -> Result<Samples<AnyInput>, NnError> {
        let device = FLEX.device();
        let inputs = Tensor::<4>::ones([2, 1, 8, 8], &device);
        Ok(Samples::classification(inputs, &[0, 1], 10, &device)?.into_any())
    }

    fn macs(model: &AnyModel) -> Result<u64, ExperimentError> {
        Ok(Macs.cost(&layer_shapes(model, &samples()?)?))
    }

    #[test]
    fn pruned_networks_use_their_budget_and_stay_within() -> Result<(), ExperimentError> {
        let wide = sparse(wide()?, 1e-3)?;
        let trace = trace(&wide, &samples()?)?;
        let whole = macs(&wide)?;
        for ranking in [Ranking::FilterNorm, Ranking::NormScale] {
            for budget in [whole, whole / 2, whole / 5] {
                let model = pruned(&wide, trace.graph(), ranking, |model| {
                    Ok(macs(model)? <= budget)
                })?;
                let size = macs(&sparse(model, 0.0)?)?;
                assert!(
                    size <= budget && size * 2 > budget,
                    "{ranking:?}: {size} of {budget}"
                );
            }
            let none = pruned(&wide, trace.graph(), ranking, |_| Ok(false));
            let error = none.err().map(|error| error.to_string());
            assert!(error.is_some_and(|error| error.contains("one channel a layer")));
        }
        Ok(())
    }

    /// The channels that stay are those of the largest scales.
    #[test]
    fn channels_are_ranked_by_their_own_weights() -> Result<(), ExperimentError> {
        struct Rising;
        impl ModuleMapper for Rising {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                param.map(|tensor| {
                    let shape = tensor.shape();
                    let first = shape[0];
                    // Each channel's numbers are those of the one before and 1 more.
                    let rows = Tensor::<1>::from_floats(
                        &(1..=first).map(|row| row as f32).collect::<Vec<_>>()[..],
                        &tensor.device(),
                    );
                    let mut lengths = [1; D];
                    lengths[0] = first;
                    (tensor.zeros_like() + rows.reshape(lengths)).require_grad()
                })
            }
        }
        let model = wide()?.map(&mut Rising);
        let trace = trace(&model, &samples()?)?;
        for ranking in [Ranking::FilterNorm, Ranking::NormScale] {
            let scored = scores(&model, trace.graph(), ranking)?;
            assert_eq!(scored.len(), WIDE.len());
            for ((name, scores), width) in scored.iter().zip(WIDE) {
                assert_eq!(scores.len(), width, "{name}");
                assert!(scores.is_sorted() && scores[0] > 0.0, "{name}: {scores:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_penalty_pulls_scales_towards_nought_and_goes_with_the_wrapper() -> Result<(), NnError> {
        let model = wide()?;
        assert!(model.penalty().is_none());
        let model = sparse(model, 0.25)?;
        // All scales are 1 at first: those of each pointwise layer, and of the depthwise before it.
        let channels = (WIDE.iter().sum::<usize>() + WIDE[..3].iter().sum::<usize>()) as f64;
        let penalty = model
            .penalty()
            .ok_or_else(|| NnError::Settings("no penalty".into()))?;
        assert_eq!(penalty.into_scalar::<f64>(), 0.25 * channels);
        assert!(sparse(model, 0.0)?.penalty().is_none());
        Ok(())
    }
}
