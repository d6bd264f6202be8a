//! What training and growing take, in multiply-accumulates.

use burgeon_core::CostModel;
use burgeon_core::cost::Macs;
use burgeon_graph::Graph;
use burgeon_nn::cost::graph_layers;
use burgeon_nn::{Growable, ModelLandscape};

use crate::settings::GrowthConfig;

/// A forward and a backward pass, in forward passes.
pub(crate) const TRAINING_PASS: u64 = 3;

/// What a growth step takes: the capture (a forward and a backward pass), the products that find
/// spectra, the passes of over-grown networks that criteria asked for, a forward pass for each
/// step tried and for each check.
pub(crate) fn step_macs<M: Growable>(
    landscape: &ModelLandscape<'_, M>,
    captured: usize,
    searched: usize,
    steps: usize,
    config: &GrowthConfig,
) -> u64 {
    let graph = landscape.graph();
    let layers = graph_layers(graph);
    let forward = Macs.cost(&layers);
    // Positions of a sample at which the neurons of a site answer.
    let positions = |site: &str| {
        let producers = graph.site(site).map_or(&[][..], |site| site.producers());
        let made = layers.iter().find(|layer| producers.contains(&layer.name));
        made.map_or(1, |layer| layer.output_positions)
    };
    let mut macs = forward.saturating_mul((searched as u64).saturating_mul(1 + steps as u64));
    // The check of the growth that is made.
    macs = macs.saturating_add(forward.saturating_mul(captured as u64));
    macs = macs.saturating_add(landscape.gradient_macs());
    let Some(capture) = landscape.captured() else {
        return macs;
    };
    let mut spectra = 0_u64;
    let mut passed = false;
    for site in &capture.sites {
        let Some(found) = &site.spectra else { continue };
        passed = true;
        // A product goes once forward and once backward through the site's layer: twice its
        // multiply-accumulates on each row.
        let rows = config.spectrum.rows().unwrap_or(usize::MAX);
        let rows = rows.min(captured.saturating_mul(positions(&site.name)));
        let product = 2 * (site.neurons as u64) * (site.dim as u64);
        let of_site = product.saturating_mul(rows as u64);
        spectra = spectra.saturating_add(of_site.saturating_mul(found.iterations.max(1) as u64));
    }
    if passed {
        let pass = forward.saturating_mul(TRAINING_PASS);
        macs = macs.saturating_add(pass.saturating_mul(captured as u64));
    }
    macs.saturating_add(spectra)
}

/// Multiply-accumulates of the network of `graph` for one sample.
pub(crate) fn forward_macs(graph: &Graph) -> u64 {
    Macs.cost(&graph_layers(graph))
}
