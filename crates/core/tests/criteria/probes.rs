//! New neurons by probes of a landscape whose slopes are given.

use std::sync::Arc;

use burgeon_core::criterion::{Candidate, Context, Criterion, GradMax, RandomNeuron, Tiny};
use burgeon_core::growth::{Growth, Order, Side};
use burgeon_core::{
    CoreError, GradientRequest, GrowthGradient, Landscape, Moments, Needs, Plan, Site, SiteMoments,
    SlopeAtZero,
};
use nalgebra::DMatrix;

use crate::slopes::{Slopes, downhill, near, neuron, norm, site};

/// `E[g xᵀ]` of a site of many outputs.
fn wide() -> DMatrix<f64> {
    DMatrix::from_fn(130, 3, |row, column| {
        ((row * 7 + column * 3) % 11) as f64 - 5.0 + if row == 129 { 40.0 } else { 0.0 }
    })
}

/// A site that is read by 130 numbers, with a slope of 0 at 0 or not.
fn probed(is_dead: bool) -> Slopes {
    let wide_site = Site {
        fan_out: 130,
        dim: 3,
        ..site("wide")
    };
    let narrow = Site {
        fan_out: 1,
        dim: 3,
        neurons: 9,
        ..site("narrow")
    };
    let normalised = Site {
        name: "normalised".into(),
        is_normalised: true,
        ..wide_site.clone()
    };
    let slope = move |growth: &Growth, at: &GradientRequest| {
        let new = neuron(growth);
        assert!(new.fan_in.is_empty() && new.scaled == Side::FanIn);
        let by = DMatrix::from_row_slice(1, new.fan_out.len(), &new.fan_out);
        let gradient = match new.fan_out.len() {
            130 => by * wide(),
            _ => by * DMatrix::from_row_slice(1, 3, &[3.0, 0.0, 4.0]),
        };
        let slope = f64::from(u8::from(!is_dead || at.slope_at_zero == SlopeAtZero::One));
        GrowthGradient {
            fan_in: vec![gradient.iter().map(|value| slope * value).collect()],
            fan_out: vec![0.0; new.fan_out.len()],
        }
    };
    Slopes::new(vec![wide_site, normalised, narrow], Vec::new(), slope)
}

#[test]
fn gradmax_probes_all_outputs_in_parts() {
    let slopes = probed(false);
    let way = GradMax::new().with_scale(2.0).expect("above 0");
    let found = slopes.candidates(&way);
    let asked = slopes.asked();
    let sizes: Vec<usize> = asked.iter().map(|(plan, _)| plan.growths.len()).collect();
    // 64 of each wide site and the one of the narrow; the rest; then one of each that is grown.
    assert_eq!(sizes, [64 + 64 + 1, 128, 4, 2]);
    let slopes_asked: Vec<SlopeAtZero> = asked.iter().map(|(_, at)| at.slope_at_zero).collect();
    assert_eq!(slopes_asked[..3], [SlopeAtZero::One; 3]);
    assert_eq!(slopes_asked[3], SlopeAtZero::Trained);
    // Two neurons at most, and one singular value of the narrow site.
    let values = {
        let mut values: Vec<f64> = wide().singular_values().iter().copied().collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values
    };
    assert_eq!(found.len(), 3);
    for (candidate, value) in found.iter().zip([values[0], values[1], 5.0]) {
        near(candidate.score / (2.0 * 3.0), value);
        near(norm(&neuron(&candidate.growth).fan_out), 6.0);
        assert!(candidate.gain.is_none() && candidate.growth.is_neutral());
        // It is a left vector: its gradient is as long as it says.
        let (plan, at) = (
            Plan::new("test", vec![candidate.clone()]),
            GradientRequest::default(),
        );
        let gradient = slopes.gradient(&plan, &at).expect("given");
        assert!((norm(&gradient.growths[0].fan_in[0]) - candidate.score).abs() < 1e-8);
    }
    assert_eq!(found[2].growth.site(), "narrow");
    assert_eq!((way.name(), way.needs()), ("gradmax", Needs::NORMS));
}

#[test]
fn a_dead_start_gets_the_direction_of_descent() {
    let slopes = probed(true);
    let found = slopes.candidates(&GradMax::new());
    assert_eq!(found.len(), 3);
    for candidate in &found {
        let new = neuron(&candidate.growth);
        near(norm(&new.fan_in), 1.0);
        let gain = candidate.gain.expect("a step is searched for");
        assert_eq!(
            (gain.order, gain.value),
            (Order::First, 0.5 * candidate.score)
        );
        // Along minus the gradient.
        let still = Candidate::new_neuron(
            &slopes.sites[0],
            Vec::new(),
            new.fan_out.clone(),
            Side::FanIn,
        );
        let at = GradientRequest::default().with_slope_at_zero(SlopeAtZero::One);
        let gradient = slopes
            .gradient(&Plan::new("test", vec![still]), &at)
            .expect("given");
        let along: f64 = gradient.growths[0].fan_in[0]
            .iter()
            .zip(&new.fan_in)
            .map(|(slope, value)| slope * value)
            .sum();
        assert!((along + candidate.score).abs() < 1e-8, "{along}");
    }
}

#[test]
fn gradmax_leaves_out_small_values_and_refuses_what_is_no_number() {
    let half = GradMax::new().with_threshold(0.5).expect("in range");
    let found = probed(false).candidates(&half);
    // The second value of the wide site is below half of the first.
    let sites: Vec<&str> = found
        .iter()
        .map(|candidate| candidate.growth.site())
        .collect();
    let values = wide().singular_values();
    let second = values
        .iter()
        .filter(|value| **value > 0.5 * values.max())
        .count();
    assert_eq!(sites.len(), second.min(2) + 1);
    let broken = Slopes::new(vec![site("a")], Vec::new(), |growth, _| GrowthGradient {
        fan_in: vec![vec![f64::NAN; 4]],
        ..GrowthGradient::zeros(growth, 4, 5)
    });
    let found = GradMax::new().candidates(&broken, &mut Context::seeded(0));
    assert!(
        matches!(found, Err(CoreError::NonFinite { .. })),
        "{found:?}"
    );
    let normalised = Site {
        is_normalised: true,
        ..site("a")
    };
    let all = Slopes::new(vec![normalised], Vec::new(), downhill(1.0));
    for criterion in [
        &GradMax::new() as &dyn Criterion,
        &RandomNeuron::zero_fan_in(),
    ] {
        let found = criterion.candidates(&all, &mut Context::seeded(0));
        let refused = CoreError::NormalisedStart { site: "a".into() };
        assert_eq!(found.err(), Some(refused));
    }
    assert_eq!(all.candidates(&RandomNeuron::zero_fan_out()).len(), 2);
    for scale in [0.0, -1.0, f64::INFINITY] {
        assert!(GradMax::new().with_scale(scale).is_err());
    }
    for threshold in [-0.1, 1.0, f64::NAN] {
        assert!(GradMax::new().with_threshold(threshold).is_err());
    }
    assert!(GradMax::default().with_threshold(0.0).is_ok());
}

#[test]
fn a_site_without_moments_beside_others_is_passed_over() {
    let undefined = Site {
        moments: Some(Moments::Undefined("it is a gate".into())),
        ..site("a")
    };
    let both = Slopes::new(
        vec![undefined.clone(), site("b")],
        Vec::new(),
        downhill(1.0),
    );
    assert!(both.candidates(&Tiny::new()).is_empty());
    assert!(both.asked().is_empty());
    let alone = Slopes::new(vec![undefined], Vec::new(), downhill(1.0));
    let found = Tiny::new().candidates(&alone, &mut Context::seeded(0));
    assert!(
        matches!(found, Err(CoreError::NoMoments { .. })),
        "{found:?}"
    );
}

#[test]
fn a_new_neuron_of_either_sign_must_lower_the_loss() {
    let moments = SiteMoments {
        inputs: DMatrix::identity(4, 4),
        cross: DMatrix::from_fn(4, 5, |row, column| (row + 2 * column) as f64),
        desired: 1.0,
        bottleneck: 1.0,
    };
    let own = Site {
        moments: Some(Moments::Known(Arc::new(moments))),
        ..site("a")
    };
    for (by, count) in [(0.0, 0), (-1.0, 0), (1.0, 2)] {
        let slopes = Slopes::new(vec![own.clone()], Vec::new(), downhill(by));
        assert_eq!(slopes.candidates(&Tiny::new()).len(), count, "{by}");
    }
}

#[test]
fn neurons_on_both_sides_are_read_at_a_step() {
    let slopes = Slopes::new(vec![site("a")], Vec::new(), downhill(1.0));
    let way = RandomNeuron::on_both_sides();
    let found = slopes.candidates(&way);
    assert_eq!(
        (found.len(), way.name()),
        (2, "random-neuron-on-both-sides")
    );
    for candidate in &found {
        let new = neuron(&candidate.growth);
        near(norm(&new.fan_in), 2.0);
        near(norm(&new.fan_out), 3.0);
        assert_eq!(new.scaled, Side::FanOut);
        assert!(!candidate.growth.is_neutral());
    }
    assert_eq!(RandomNeuron::zero_fan_out().name(), "random-neuron");
    assert_eq!(
        RandomNeuron::zero_fan_in().name(),
        "random-neuron-zero-fan-in"
    );
}
