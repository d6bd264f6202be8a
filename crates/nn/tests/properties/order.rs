//! The predicted decrease is exact to third order.

use burgeon_backend_flex::FLEX;
use burgeon_core::{Method, Scheme, SpectrumSolver};
use burgeon_nn::cost::predicts_exactly;
use burgeon_nn::growable::evaluate;
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{MeanSquaredError, SpectrumConfig, capture_spectra};
use proptest::prelude::*;

use crate::draw::smooth_descriptions;
use crate::plans::{bound, first_split, graph, plan};

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Property 3: the remainder of the predicted change is O(ε³), at every site of a smooth
    /// network; so the measured change over the predicted one goes to 1.
    #[test]
    fn remainder_is_of_third_order(description in smooth_descriptions()) {
        let net = description.net(&FLEX);
        let data = description.samples(&FLEX);
        let objective = MeanSquaredError;
        let graph = graph(&net, &data);
        let solver = SpectrumSolver::default().with_method(Method::Dense);
        let config = SpectrumConfig::default().with_solver(solver);
        let captured = capture_spectra(&net, &objective, &data, 64, &config, &FLEX);
        let captured = captured.expect("captured");
        let weight = bound(1.0 + (description.seed % 90) as f64 / 10.0);
        for site in &captured.sites {
            prop_assert!(predicts_exactly(&graph, &site.name), "{}", site.name);
            let neuron = (description.seed % site.neurons as u64) as usize;
            let ends = &site.spectra.as_ref().expect("asked for").spectra[neuron];
            let [min, max] = [&ends.min, &ends.max];
            for scheme in Scheme::DIRECTED {
                let ends = [&min.vector[..], &max.vector[..]];
                let mut plan = plan(&site.name, neuron, scheme, ends, weight);
                // δ is a combination of eigenvectors, of a single one in one dimension.
                let along = |delta: &[f64], end: &[f64]| {
                    delta.iter().zip(end).map(|(d, v)| d * v).sum::<f64>()
                };
                let second: f64 = first_split(&mut plan)
                    .offspring
                    .iter()
                    .map(|copy| {
                        let of_min = along(&copy.offset, &min.vector).powi(2) * min.value;
                        let of_max = along(&copy.offset, &max.vector).powi(2) * max.value;
                        let quadratic = if site.dim == 1 { of_min } else { of_min + of_max };
                        0.5 * copy.weight * quadratic
                    })
                    .sum();
                let remainder = |epsilon: f64| {
                    let (grown, _) = apply_plan(&net, &graph, &plan, epsilon).expect("works");
                    let loss = evaluate(&grown, &objective, &data, 64).expect("works").loss;
                    loss - captured.loss - epsilon * epsilon * second
                };
                // Remainders under halved steps, as long as they are far above rounding.
                let floor = 3e-14 * captured.loss.abs().max(1.0);
                let usable: Vec<f64> = (0..14)
                    .map(|halvings| remainder(0.08 * 0.5_f64.powi(halvings)))
                    .take_while(|remainder| remainder.abs() > floor)
                    .collect();
                let steepest = usable
                    .windows(2)
                    .rev()
                    .take(2)
                    .map(|pair| (pair[0] / pair[1]).abs().log2())
                    .reduce(f64::max);
                // Where terms of third and fourth order nearly cancel at every usable step
                // there is no slope; the term of second order is then extrapolated from
                // r/ε² = a + bε + cε² at three steps, and must vanish.
                let [h0, h1, h2] = [0.04, 0.02, 0.01].map(|h: f64| remainder(h) / (h * h));
                let of_second_order = h0 / 3.0 - 2.0 * h1 + 8.0 / 3.0 * h2;
                let size = weight.value() * min.value.abs().max(max.value.abs());
                prop_assert!(
                    steepest.is_some_and(|slope| slope >= 2.8)
                        || of_second_order.abs() <= 1e-3 * size + floor / 1e-4,
                    "{} by {scheme}: {usable:?}, second order {of_second_order:e} of {size:e}",
                    site.name
                );
            }
        }
    }
}
