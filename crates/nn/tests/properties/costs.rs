//! What growths cost, and pruning.

use burgeon_backend_flex::FLEX;
use burgeon_core::cost::{
    ActivationMemory, BytesMoved, CostModel, Energy, Macs, Parameters, Precision,
};
use burgeon_core::select::WidthPrice;
use burgeon_core::{Plan, Scheme};
use burgeon_nn::WidthCost;
use burgeon_nn::cost::{added_costs, grown_shapes, layer_shapes};
use burgeon_nn::growable::{parameter_count, predict};
use burgeon_nn::surgery::{apply_plan, keep_channels};
use proptest::prelude::*;

use crate::draw::descriptions;
use crate::plans::{
    bound, first_split, graph, neuron_plans, plan, plans, removal_plans, unit_vector,
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Pruning the copies of a split at ε = 0 but the first, whose outgoing weights are then
    /// those of the parent again, gives the parent's network back.
    #[test]
    fn pruning_undoes_a_copy(description in descriptions()) {
        let net = description.net(&FLEX);
        let data = description.samples(&FLEX);
        let before = graph(&net, &data);
        for site in before.growable() {
            let (name, width) = (site.name(), site.width());
            let direction = unit_vector(site.dim(), description.seed);
            let ends = [&direction[..]; 2];
            let mut split = plan(name, 0, Scheme::Positive2, ends, bound(3.0));
            for (copy, weight) in first_split(&mut split).offspring.iter_mut().zip([1.0, 0.0]) {
                copy.weight = weight;
            }
            let (wider, _) = apply_plan(&net, &before, &split, 0.0).expect("surgery works");
            let wide = graph(&wider, &data);
            prop_assert_eq!(wide.site(name).expect("still there").width(), width + 1);
            let kept = [(name.to_owned(), (0..width).collect())];
            let (back, _) = keep_channels(&wider, &wide, &kept).expect("surgery works");
            prop_assert_eq!(parameter_count(&back), parameter_count(&net));
            let [whole, again] = [&net, &back].map(|net| predict(net, &data, 3));
            prop_assert!((whole - again).abs().max().into_scalar::<f64>() <= 1e-12);
            for wrong in [vec![], vec![0, 0], vec![width + 1]] {
                prop_assert!(keep_channels(&wider, &wide, &[(name.to_owned(), wrong)]).is_err());
            }
        }
    }

    /// What a growth adds by every cost model is what recounting the grown network shows.
    #[test]
    fn added_costs_are_those_of_recounting(description in descriptions()) {
        let net = description.net(&FLEX);
        let data = description.samples(&FLEX);
        let graph = graph(&net, &data);
        let layers = layer_shapes(&net, &data).expect("runs");
        prop_assert_eq!(Parameters.cost(&layers), parameter_count(&net), "{:#?}\n{}", layers, graph);
        for layer in layers.iter().filter(|layer| layer.taps > 0) {
            let geometry = &layer.geometry;
            prop_assert_eq!(geometry.kernel[0] * geometry.kernel[1], layer.taps, "{:?}", layer);
            let positions = geometry.output[0] * geometry.output[1];
            prop_assert!(layer.output_positions.is_multiple_of(positions), "{:?}", layer);
            prop_assert!(!geometry.stride.contains(&0), "{:?}", layer);
        }
        let models: [&dyn CostModel; 5] = [
            &Parameters,
            &Macs,
            &ActivationMemory::default(),
            &BytesMoved::default(),
            &Energy::new(Precision::Int8),
        ];
        let all = plans(&graph, description.seed)
            .into_iter()
            .chain(neuron_plans(&graph, description.seed))
            .chain(removal_plans(&graph, description.seed));
        // A depthwise layer of one channel mixes it: what is left alone is recounted as that.
        let is_left_alone = |plan: &Plan| {
            let sites = graph.widths().into_iter();
            let mut pruned = sites.filter(|(site, _)| plan.channels_added(site) < 0);
            pruned.any(|(_, width)| width == 2)
        };
        for plan in all.filter(|plan| !is_left_alone(plan)) {
            let (grown, _) = apply_plan(&net, &graph, &plan, 0.1).expect("surgery works");
            let recounted = layer_shapes(&grown, &data).expect("runs");
            prop_assert_eq!(&grown_shapes(&graph, &plan), &recounted);
            let wider: Vec<(String, usize)> = graph
                .widths()
                .into_iter()
                .map(|(site, width)| {
                    let added = plan.channels_added(&site);
                    (site, width.saturating_add_signed(added))
                })
                .collect();
            let price = WidthCost::new(graph.clone(), Macs);
            prop_assert_eq!(price.cost(&wider), Some(Macs.cost(&recounted)));
            prop_assert_eq!(price.cost(&[("nowhere".into(), 1)]), None);
            let sites = plan.by_site();
            let Some((site, _)) = sites.first_key_value().filter(|_| sites.len() == 1) else {
                continue;
            };
            let Ok(more) = usize::try_from(plan.channels_added(site)) else { continue };
            for model in models {
                let added = added_costs(&graph, model, site);
                let added = match more {
                    0 => 0,
                    more => added[more - 1],
                };
                prop_assert_eq!(added, model.cost(&recounted) - model.cost(&layers));
            }
        }
    }
}
