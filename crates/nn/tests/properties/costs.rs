//! What growths cost, and pruning, over the same random networks.

use burgeon_backend_flex::FLEX;
use burgeon_core::cost::{
    ActivationMemory, BytesMoved, CostModel, Energy, Macs, Parameters, Precision,
};
use burgeon_core::{Scheme, WeightBound};
use burgeon_nn::Growable;
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::{parameter_count, predict};
use burgeon_nn::surgery::{apply_plan, keep_channels};
use proptest::prelude::*;

use crate::common::{Net, plan, samples};
use crate::{SITES, plans, shapes, unit_vector};

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Pruning the copies of a split at ε = 0 but the first, whose outgoing weights are then
    /// those of the parent again, gives the parent's network back.
    #[test]
    fn pruning_undoes_a_copy(shape in shapes()) {
        let net = Net::new(&shape, &FLEX).expect("the network fits");
        let data = samples(&shape, &FLEX);
        let topology = net.topology().expect("the topology fits");
        for site in SITES {
            let width = topology.widths().into_iter().find(|(name, _)| name == site);
            let width = width.expect("a site").1;
            let dim = topology.sites().find(|(name, _)| *name == site).expect("a site").1.dim;
            let direction = unit_vector(dim, shape.seed);
            let bound = WeightBound::new(3.0).expect("in range");
            let mut split = plan(site, 0, Scheme::Positive2, [&direction, &direction], bound);
            for (copy, weight) in split.growths[0].offspring.iter_mut().zip([1.0, 0.0]) {
                copy.weight = weight;
            }
            let (wider, _) = apply_plan(&net, &topology, &split, 0.0).expect("surgery works");
            let wide = wider.topology().expect("fits");
            let kept = [(site.to_owned(), (0..width).collect())];
            let (back, _) = keep_channels(&wider, &wide, &kept).expect("surgery works");
            prop_assert_eq!(parameter_count(&back), parameter_count(&net));
            let [before, after] = [&net, &back].map(|net| predict(net, &data, 3));
            prop_assert!((before - after).abs().max().into_scalar::<f64>() <= 1e-12);
            for wrong in [vec![], vec![0, 0], vec![width + 1]] {
                prop_assert!(keep_channels(&wider, &wide, &[(site.to_owned(), wrong)]).is_err());
            }
        }
    }

    /// What a growth adds by every cost model is what recounting the grown network shows.
    #[test]
    fn added_costs_are_those_of_recounting(shape in shapes()) {
        let net = Net::new(&shape, &FLEX).expect("the network fits");
        let data = samples(&shape, &FLEX);
        let topology = net.topology().expect("the topology fits");
        let layers = layer_shapes(&net, &data).expect("runs");
        prop_assert_eq!(Parameters.cost(&layers), parameter_count(&net));
        let models: [&dyn CostModel; 5] = [
            &Parameters,
            &Macs,
            &ActivationMemory::default(),
            &BytesMoved::default(),
            &Energy::new(Precision::Int8),
        ];
        for plan in plans(&net, shape.seed) {
            let (grown, _) = apply_plan(&net, &topology, &plan, 0.1).expect("surgery works");
            let recounted = layer_shapes(&grown, &data).expect("runs");
            prop_assert_eq!(&topology.grown_shapes(&layers, &plan), &recounted);
            let [growth] = plan.growths.as_slice() else { continue };
            for model in models {
                let added = topology.added_costs(&layers, model, &growth.site);
                let added = match growth.offspring.len() {
                    1 => 0,
                    copies => added[copies - 2],
                };
                prop_assert_eq!(added, model.cost(&recounted) - model.cost(&layers));
            }
        }
    }
}
