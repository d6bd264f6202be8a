//! Gradients in the weights of growths.

use burgeon_core::growth::{Growth, Removal, Side};
use burgeon_core::{
    BlockWeights, Candidate, GradientRequest, GradientSamples, GrowthGradient, Offspring, Place,
    Scheme, SlopeAtZero,
};

use crate::candidates::site;

fn split() -> Growth {
    let copy = |weight: f64, offset: [f64; 2]| Offspring {
        weight,
        offset: offset.to_vec(),
    };
    let copies = vec![copy(0.5, [1.0, 2.0]), copy(0.5, [-3.0, 5.0])];
    Candidate::split(&site("a", 4), 1, Scheme::Positive2, copies).growth
}

fn new_neuron(scaled: Side) -> Growth {
    let (fan_in, fan_out) = (vec![2.0, 3.0], vec![5.0, 7.0, 11.0]);
    Candidate::new_neuron(&site("a", 4), fan_in, fan_out, scaled).growth
}

fn new_layer() -> Growth {
    let weights = |count| BlockWeights {
        count,
        deviation: 1.0,
    };
    let place = Place {
        stack: "body".into(),
        after: None,
        opening: vec![weights(4)],
        closing: vec![weights(2)],
        price: 1,
    };
    Candidate::new_layer(&place, vec![1.0; 4], vec![2.0, 4.0]).growth
}

fn removal() -> Growth {
    Growth::Removal(Removal {
        site: "a".into(),
        neuron: 0,
    })
}

#[test]
fn gradients_have_the_shape_of_what_is_added() {
    let shape = |growth: &Growth| {
        let zeros = GrowthGradient::zeros(growth, 2, 3);
        let all = zeros.fan_in.iter().flatten().chain(&zeros.fan_out);
        assert!(all.into_iter().all(|value| *value == 0.0));
        let fan_in: Vec<usize> = zeros.fan_in.iter().map(Vec::len).collect();
        (fan_in, zeros.fan_out.len())
    };
    assert_eq!(shape(&split()), (vec![2, 2], 0));
    assert_eq!(shape(&new_neuron(Side::FanIn)), (vec![2], 3));
    assert_eq!(shape(&new_layer()), (vec![4], 2));
    assert_eq!(shape(&removal()), (vec![], 0));
}

#[test]
fn the_slope_of_a_step_is_that_of_what_the_step_multiplies() {
    let two = GrowthGradient {
        fan_in: vec![vec![10.0, 100.0], vec![1000.0, 1.0]],
        fan_out: Vec::new(),
    };
    // Each copy's offset by its own gradient.
    assert_eq!(two.along(&split()), 10.0 + 200.0 - 3000.0 + 5.0);
    let one = GrowthGradient {
        fan_in: vec![vec![10.0, 100.0]],
        fan_out: vec![1.0, 2.0, 3.0],
    };
    assert_eq!(one.along(&new_neuron(Side::FanIn)), 20.0 + 300.0);
    assert_eq!(one.along(&new_neuron(Side::FanOut)), 5.0 + 14.0 + 33.0);
    assert_eq!(one.along(&new_layer()), 2.0 + 8.0);
    assert_eq!(one.along(&removal()), 0.0);
    let none = GrowthGradient::default();
    assert_eq!(none.along(&new_neuron(Side::FanIn)), 0.0);
}

#[test]
fn requests_are_built_up() {
    let plain = GradientRequest::default();
    assert_eq!((plain.epsilon, plain.samples), (0.0, GradientSamples::All));
    assert_eq!(plain.slope_at_zero, SlopeAtZero::Trained);
    let at = GradientRequest::at(0.25)
        .over(GradientSamples::Minibatch(3))
        .with_slope_at_zero(SlopeAtZero::One);
    let expected = GradientRequest {
        epsilon: 0.25,
        samples: GradientSamples::Minibatch(3),
        slope_at_zero: SlopeAtZero::One,
    };
    assert_eq!(at, expected);
}
