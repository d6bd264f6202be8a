//! What criteria of first order ask a landscape whose slopes are given, and what they make of them.

use std::sync::{Arc, Mutex};

use burgeon_core::capture::Norms;
use burgeon_core::criterion::{Candidate, Context, Criterion, Firefly, Refinement};
use burgeon_core::growth::{Growth, NewLayer, NewNeuron, Order, Side};
use burgeon_core::{
    BlockWeights, Capture, CoreError, GradientRequest, GradientSamples, GrowthGradient, Landscape,
    LineSearch, Needs, Place, Plan, PlanGradient, Site,
};

type Slope = dyn Fn(&Growth, &GradientRequest) -> GrowthGradient;

/// Sites and places without a network: slopes are what `slope` says.
pub struct Slopes {
    pub sites: Vec<Site>,
    places: Vec<Place>,
    slope: Box<Slope>,
    asked: Mutex<Vec<(Plan, GradientRequest)>>,
}

pub fn site(name: &str) -> Site {
    Site {
        name: name.into(),
        neurons: 2,
        dim: 4,
        fan_out: 5,
        is_normalised: false,
        added_costs: [1, 2, 3],
        norms: Some(Norms {
            fan_in: 2.0,
            fan_out: 3.0,
        }),
        moments: None,
        curvature: None,
        spectra: None,
    }
}

fn place() -> Place {
    let weights = |count, deviation| BlockWeights { count, deviation };
    Place {
        stack: "body".into(),
        after: Some(1),
        opening: vec![weights(16, 0.25), weights(0, 9.0), weights(9, 2.0)],
        closing: vec![weights(4, 0.5), weights(25, 0.4)],
        price: 7,
    }
}

impl Slopes {
    pub fn new(
        sites: Vec<Site>,
        places: Vec<Place>,
        slope: impl Fn(&Growth, &GradientRequest) -> GrowthGradient + 'static,
    ) -> Self {
        Self {
            sites,
            places,
            slope: Box::new(slope),
            asked: Mutex::default(),
        }
    }

    pub fn candidates(&self, criterion: &dyn Criterion) -> Vec<Candidate> {
        let found = criterion.candidates(self, &mut Context::seeded(3));
        found.unwrap_or_else(|error| panic!("{}: {error}", criterion.name()))
    }

    /// Plans and requests in their order.
    pub fn asked(&self) -> Vec<(Plan, GradientRequest)> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

impl Landscape for Slopes {
    fn sites(&self) -> &[Site] {
        &self.sites
    }

    fn places(&self) -> &[Place] {
        &self.places
    }

    fn capture(&self, _needs: Needs) -> Result<Arc<Capture>, CoreError> {
        Ok(Arc::new(Capture {
            sites: self.sites.clone(),
            samples: 1,
            loss: 0.0,
            bytes: 0,
        }))
    }

    fn losses(&self, _plan: &Plan, _steps: &[f64]) -> Result<LineSearch, CoreError> {
        Err(CoreError::NoNetwork)
    }

    fn gradient(&self, plan: &Plan, at: &GradientRequest) -> Result<PlanGradient, CoreError> {
        let asked = (plan.clone(), *at);
        self.asked.lock().expect("no panic").push(asked);
        let growths = plan.growths().map(|growth| (self.slope)(growth, at));
        Ok(PlanGradient {
            loss: 0.0,
            growths: growths.collect(),
        })
    }

    fn minibatches(&self) -> usize {
        3
    }
}

pub fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

pub fn near(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() < 1e-9,
        "{found} instead of {expected}"
    );
}

/// Slopes against a growth's own weights, times `by`: every step along them lowers the loss.
pub fn downhill(by: f64) -> impl Fn(&Growth, &GradientRequest) -> GrowthGradient {
    let less = move |values: &[f64]| -> Vec<f64> { values.iter().map(|v| -by * v).collect() };
    move |growth, _| match growth {
        Growth::Split(split) => GrowthGradient {
            fan_in: split
                .offspring
                .iter()
                .map(|copy| less(&copy.offset))
                .collect(),
            fan_out: Vec::new(),
        },
        Growth::NewNeuron(new) => GrowthGradient {
            fan_in: vec![less(&new.fan_in)],
            fan_out: less(&new.fan_out),
        },
        Growth::NewLayer(new) => GrowthGradient {
            fan_in: vec![less(&new.opening)],
            fan_out: less(&new.closing),
        },
        other => panic!("{other}"),
    }
}

fn still() -> Firefly {
    let few = Firefly::new().with_new_neurons(3).expect("some");
    few.with_refinement(Refinement::PAPER.with_steps(0))
}

fn offsets(growth: &Growth) -> [&[f64]; 2] {
    match growth {
        Growth::Split(split) => match &split.offspring[..] {
            [one, other] => [&one.offset, &other.offset],
            copies => panic!("{} copies", copies.len()),
        },
        other => panic!("{other}"),
    }
}

pub fn neuron(growth: &Growth) -> &NewNeuron {
    match growth {
        Growth::NewNeuron(new) => new,
        other => panic!("{other}"),
    }
}

fn layer(growth: &Growth) -> &NewLayer {
    match growth {
        Growth::NewLayer(new) => new,
        other => panic!("{other}"),
    }
}

#[test]
fn fireflies_are_drawn_as_long_as_what_is_there() {
    for (bound, start) in [(1.0, 0.1), (0.05, 0.05)] {
        let slopes = Slopes::new(vec![site("a")], vec![place()], downhill(1.0));
        let way = still().with_bound(bound).expect("above 0");
        assert_eq!(slopes.candidates(&way).len(), 2 + 3 + 1);
        let (plan, at) = &slopes.asked()[0];
        assert_eq!(*at, GradientRequest::default());
        let growths: Vec<&Growth> = plan.growths().collect();
        for split in &growths[..2] {
            let [one, other] = offsets(split);
            near(norm(one), start * 2.0);
            assert!(one.iter().zip(other).all(|(a, b)| *a == -b));
        }
        for (number, new) in growths[2..5].iter().enumerate() {
            let new = neuron(new);
            near(norm(&new.fan_in), 2.0);
            near(norm(&new.fan_out), start * 3.0);
            assert_eq!((new.fan_in.len(), new.fan_out.len()), (4, 5));
            assert_eq!((new.like, new.scaled), (Some(number % 2), Side::FanOut));
        }
        let layer = layer(growths[5]);
        assert_eq!((layer.opening.len(), layer.closing.len()), (25, 29));
        near(norm(&layer.opening[..16]), 1.0);
        near(norm(&layer.opening[16..]), 6.0);
        near(norm(&layer.closing[..4]), start * 1.0);
        near(norm(&layer.closing[4..]), start * 2.0);
    }
}

#[test]
fn a_new_layer_starts_down_the_gradient() {
    let slope = |growth: &Growth, _: &GradientRequest| {
        let mut found = GrowthGradient::zeros(growth, 4, 5);
        if growth.site() == "body" {
            let count = found.fan_out.len();
            found.fan_out = (0..count).map(|place| place as f64 - 3.0).collect();
        }
        found
    };
    let other = Place {
        stack: "tail".into(),
        ..place()
    };
    let slopes = Slopes::new(vec![site("a")], vec![place(), other], slope);
    let way = Firefly::new_layers().with_refinement(Refinement::PAPER.with_steps(0));
    let found = slopes.candidates(&way);
    let asked = slopes.asked();
    let layers = |plan: &Plan| -> Vec<NewLayer> {
        plan.growths().map(|growth| layer(growth).clone()).collect()
    };
    let (before, after) = (layers(&asked[0].0), layers(&asked[1].0));
    let length = norm(&before[0].closing);
    near(length, 0.1 * 5.0_f64.sqrt());
    let steepest: Vec<f64> = (0..29).map(|place| place as f64 - 3.0).collect();
    for (found, slope) in after[0].closing.iter().zip(&steepest) {
        near(*found, -length * slope / norm(&steepest));
    }
    assert_eq!(after[0].opening, before[0].opening);
    // Where there is no slope it stays as it was drawn, and promises nothing.
    assert_eq!(after[1], before[1]);
    let [only] = &found[..] else {
        panic!("{found:?}")
    };
    near(only.score, length * norm(&steepest));
    assert_eq!(only.gain.map(|gain| gain.order), Some(Order::First));
    assert_eq!(only.price, 7);
}

#[test]
fn decreases_are_integrals_over_the_step() {
    // Slopes that grow as ε² do.
    let slope =
        |growth: &Growth, at: &GradientRequest| downhill(at.epsilon * at.epsilon)(growth, at);
    let slopes = Slopes::new(vec![site("a")], Vec::new(), slope);
    let way = still().with_points(4).expect("some");
    let found = slopes.candidates(&way);
    let steps: Vec<f64> = slopes.asked().iter().map(|(_, at)| at.epsilon).collect();
    // There is no layer to turn.
    assert_eq!(steps, [0.125, 0.375, 0.625, 0.875]);
    let mean = (1.0 + 9.0 + 25.0 + 49.0) / 64.0 / 4.0;
    assert_eq!(found.len(), 5);
    for candidate in &found[..2] {
        // Both copies move: 2 |δ|².
        near(candidate.score, mean * 2.0 * 0.04);
        assert_eq!(candidate.gain.map(|gain| gain.order), Some(Order::Second));
    }
    for candidate in &found[2..] {
        near(candidate.score, mean * 0.09);
        assert_eq!(candidate.gain.map(|gain| gain.value), Some(candidate.score));
    }
    let thirds = slopes.candidates(&still());
    assert_eq!(thirds.len(), 5);
    assert_eq!(slopes.asked().len(), 3, "three points unless told");
}

#[test]
fn what_lowers_nothing_is_left_out() {
    for by in [0.0, -1.0] {
        let slopes = Slopes::new(vec![site("a")], vec![place()], downhill(by));
        let found = slopes.candidates(&still());
        assert!(found.is_empty(), "{by}: {found:?}");
    }
    let mut bare = site("a");
    bare.norms = None;
    let slopes = Slopes::new(vec![bare], Vec::new(), downhill(1.0));
    assert!(slopes.candidates(&still()).is_empty());
    assert!(slopes.asked().is_empty());
}

/// Constant slopes, of either sign.
fn constant(growth: &Growth, _: &GradientRequest) -> GrowthGradient {
    let mut found = GrowthGradient::zeros(growth, 4, 5);
    for (copy, values) in found.fan_in.iter_mut().enumerate() {
        for (place, value) in values.iter_mut().enumerate() {
            *value = (place as f64 - 1.5) * (1.0 + copy as f64);
        }
    }
    for (place, value) in found.fan_out.iter_mut().enumerate() {
        *value = 0.5 - place as f64;
    }
    found
}

#[test]
fn numbers_move_by_their_averaged_slopes() {
    let slopes = Slopes::new(vec![site("a")], vec![place()], constant);
    let rate = 0.01;
    let refined = Refinement::PAPER.with_learning_rate(rate).expect("above 0");
    let way = Firefly::new().with_new_neurons(1).expect("some");
    let way = way
        .with_bound(100.0)
        .expect("above 0")
        .with_refinement(refined);
    slopes.candidates(&way);
    let asked = slopes.asked();
    // The layer's slope, a step for each of three minibatches, and three points.
    assert_eq!(asked.len(), 1 + 3 + 3);
    for (step, (_, at)) in asked[1..4].iter().enumerate() {
        let samples = GradientSamples::Minibatch(step);
        assert_eq!(*at, GradientRequest::at(1.0).over(samples));
    }
    let numbers = |plan: &Plan| -> Vec<f64> {
        let mut all = Vec::new();
        for growth in plan.growths() {
            match growth {
                Growth::Split(_) => all.extend_from_slice(offsets(growth)[0]),
                Growth::NewNeuron(new) => all.extend(new.fan_in.iter().chain(&new.fan_out)),
                Growth::NewLayer(new) => all.extend(new.opening.iter().chain(&new.closing)),
                other => panic!("{other}"),
            }
        }
        all
    };
    let mut slope = Vec::new();
    for growth in asked[0].0.growths() {
        let found = constant(growth, &GradientRequest::default());
        match growth {
            // The other copy mirrors the first.
            Growth::Split(_) => {
                let both = found.fan_in[0].iter().zip(&found.fan_in[1]);
                slope.extend(both.map(|(one, other)| one - other));
            }
            _ => slope.extend(found.fan_in.iter().flatten().chain(&found.fan_out)),
        }
    }
    let moved: Vec<Vec<f64>> = asked[1..5].iter().map(|(plan, _)| numbers(plan)).collect();
    assert_eq!(moved[0].len(), slope.len());
    for (place, slope) in slope.iter().enumerate() {
        // Squares averaged with decay 0.9, a momentum of 0.1.
        let along = |share: f64| slope / ((share * slope * slope).sqrt() + 1e-8);
        let first = along(0.1);
        let second = 0.1 * first + along(0.9 * 0.1 + 0.1);
        let third = 0.1 * second + along(0.9 * 0.19 + 0.1);
        for (step, by) in [first, second, third].into_iter().enumerate() {
            near(moved[step + 1][place], moved[step][place] - rate * by);
        }
    }
    // Copies stay mirrored.
    for (plan, _) in &asked {
        for growth in plan.growths().take(2) {
            let [one, other] = offsets(growth);
            assert!(one.iter().zip(other).all(|(a, b)| *a == -b));
        }
    }
}

#[test]
fn what_becomes_too_long_is_cut() {
    let slopes = Slopes::new(vec![site("a")], vec![place()], constant);
    let far = Refinement::PAPER.with_steps(1).with_learning_rate(50.0);
    let way = Firefly::new().with_new_neurons(1).expect("some");
    let way = way.with_bound(0.5).expect("above 0");
    slopes.candidates(&way.with_refinement(far.expect("above 0")));
    let (plan, _) = &slopes.asked()[2];
    let growths: Vec<&Growth> = plan.growths().collect();
    let [one, other] = offsets(growths[0]);
    near(norm(one), 0.5 * 2.0);
    assert!(one.iter().zip(other).all(|(a, b)| *a == -b));
    near(norm(&neuron(growths[2]).fan_out), 0.5 * 3.0);
    assert!(
        norm(&neuron(growths[2]).fan_in) > 50.0,
        "that of a fan-in is free"
    );
    near(norm(&layer(growths[3]).closing), 0.5 * 5.0_f64.sqrt());
    assert!(norm(&layer(growths[3]).opening) > 50.0);
}

#[test]
fn fireflies_say_what_they_are() {
    let ways = [
        (Firefly::new(), "firefly", Needs::NORMS),
        (Firefly::default(), "firefly", Needs::NORMS),
        (Firefly::splits(), "firefly-splits", Needs::NORMS),
        (Firefly::new_neurons(), "firefly-new-neurons", Needs::NORMS),
        (Firefly::new_layers(), "firefly-new-layers", Needs::PLACES),
    ];
    for (way, name, needs) in ways {
        assert_eq!((way.name(), way.needs()), (name, needs));
        let drawn = Slopes::new(vec![site("a")], vec![place()], downhill(1.0));
        let still = way.with_refinement(Refinement::PAPER.with_steps(0));
        let count = drawn.candidates(&still).len();
        let expected = match name {
            "firefly" => 2 + 70 + 1,
            "firefly-splits" => 2,
            "firefly-new-neurons" => 70,
            _ => 1,
        };
        assert_eq!(count, expected, "{name}");
    }
    let flat = Slopes::new(vec![site("a")], Vec::new(), downhill(1.0));
    let none = Firefly::new_layers().candidates(&flat, &mut Context::seeded(0));
    assert_eq!(none.err(), Some(CoreError::NoStack));
    assert!(Firefly::new_layers().with_new_layers(false).is_err());
    assert!(Firefly::splits().with_new_layers(false).is_ok());
    assert!(Firefly::splits().with_new_neurons(0).is_ok());
    assert!(Firefly::new_layers().with_new_neurons(0).is_ok());
    assert!(Firefly::new_neurons().with_new_layers(false).is_ok());
    for bound in [-1.0, f64::INFINITY] {
        assert!(Firefly::new().with_bound(bound).is_err());
    }
    for rate in [0.0, f64::INFINITY, f64::NAN] {
        assert!(Refinement::PAPER.with_learning_rate(rate).is_err());
    }
    assert_eq!(Refinement::default(), Refinement::PAPER);
}
