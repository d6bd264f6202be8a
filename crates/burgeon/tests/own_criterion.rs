//! A criterion of one's own, by the public interface alone: new neurons where the splitting
//! matrices say that the existing ones are bent most.

use burgeon::core::criterion::{Candidate, Context, unit_vector};
use burgeon::core::growth::Side;
use burgeon::core::{CoreError, Landscape, Needs};
use burgeon::prelude::*;

mod common;

#[derive(Debug)]
struct WhereBent;

impl Criterion for WhereBent {
    fn name(&self) -> &str {
        "where-bent"
    }

    fn needs(&self) -> Needs {
        Needs::SPECTRA
    }

    fn candidates(
        &self,
        landscape: &dyn Landscape,
        context: &mut Context,
    ) -> Result<Vec<Candidate>, CoreError> {
        let capture = landscape.capture(self.needs())?;
        let mut candidates = Vec::new();
        for site in &capture.sites {
            for spectrum in site.spectra.iter().flat_map(|spectra| spectra.iter()) {
                let bend = spectrum.max.value.max(-spectrum.min.value);
                let fan_in = unit_vector(site.dim, &mut context.rng);
                let candidate = Candidate::new_neuron(site, fan_in, Vec::new(), Side::FanOut);
                candidates.push(candidate.with_score(bend));
            }
        }
        Ok(candidates)
    }
}

#[test]
fn a_criterion_of_ones_own_grows_a_network() {
    let config = GrowerConfig::new(WhereBent, TopK::new(3).expect("in range"));
    let mut grower = common::grower(config.with_max_epochs(10));
    grower.run().expect("runs");
    let width = grower.model().hidden.weight.dims()[1];
    assert_eq!(width, common::START + 6, "three neurons, twice");
}
