//! Choices by masks: kinks of any height, smooth joints, and refusals.

use super::{Traced, against_closed_form, close, noise, numbers, step, surrogate};
use burn::tensor::DType;
use burn::tensor::Tensor;
use burn::tensor::activation as act;

type Case = (&'static str, fn(Tensor<1>) -> Tensor<1>);

fn points() -> Vec<f64> {
    noise(40, 6).iter().map(|u| 3.0 * u).collect()
}

#[test]
fn hand_made_relus_have_the_curvature_of_relu() {
    let x = points();
    let table: [Case; 7] = [
        ("mask_fill", |x| {
            x.clone().mask_fill(x.lower_equal_elem(0.0), 0.0)
        }),
        ("mask_where", |x| {
            x.zeros_like().mask_where(x.clone().greater_elem(0.0), x)
        }),
        ("negated", |x| {
            x.clone().mask_fill(x.greater_elem(0.0).bool_not(), 0.0)
        }),
        ("max_pair", |x| x.clone().max_pair(x.zeros_like())),
        ("min_pair", |x| -(-x.clone()).min_pair(x.zeros_like())),
        ("of a computed value", |x| {
            let z = x.clone() * 2.0 - x;
            z.clone().mask_fill(z.lower_elem(0.0), 0.0)
        }),
        ("by a later value", |x| {
            let z = x.clone() * 2.0 - x.clone();
            x.mask_fill(z.lower_elem(0.0), 0.0)
        }),
    ];
    for (name, function) in table {
        against_closed_form(name, function, &x, step, surrogate);
    }
}

#[test]
fn kinks_of_other_heights() {
    let x = points();
    let (alpha, gamma) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);
    against_closed_form(
        "selu",
        act::selu,
        &x,
        |x| {
            if x > 0.0 {
                gamma
            } else {
                gamma * alpha * x.exp()
            }
        },
        |x| {
            let smooth = if x > 0.0 {
                0.0
            } else {
                gamma * alpha * x.exp()
            };
            smooth + gamma * (1.0 - alpha) * surrogate(x)
        },
    );
    against_closed_form(
        "elu of 0.5",
        |x| act::elu(x, 0.5),
        &x,
        |x| if x > 0.0 { 1.0 } else { 0.5 * x.exp() },
        |x| (if x > 0.0 { 0.0 } else { 0.5 * x.exp() }) + 0.5 * surrogate(x),
    );
    let shrunk = |x: f64| step(x.abs() - 0.5);
    let kinks = |x: f64| surrogate(x.abs() - 0.5) * x.signum();
    against_closed_form(
        "soft_shrink",
        |x| act::soft_shrink(x, 0.5),
        &x,
        shrunk,
        kinks,
    );
    against_closed_form("shrink", |x| act::shrink(x, 0.5, 0.5), &x, shrunk, kinks);
    against_closed_form(
        "threshold",
        |x| act::threshold(x, 0.5, 0.5),
        &x,
        |x| step(x - 0.5),
        |x| surrogate(x - 0.5),
    );
    against_closed_form(
        "thresholded_relu",
        |x| act::thresholded_relu(x, 0.0),
        &x,
        step,
        surrogate,
    );
    // where the mask jumps is found by Newton's method: at x = ln 2
    let root = 2.0_f64.ln();
    against_closed_form(
        "by exp",
        |x| {
            let e = x.clone().exp();
            (x - std::f64::consts::LN_2).mask_fill(e.lower_elem(2.0), 0.0)
        },
        &[0.2, 0.6, 0.9, 1.4],
        |x| step(x - root),
        |x| surrogate(x.exp() - 2.0) * x.exp() * x.exp() / 2.0,
    );
}

#[test]
fn a_choice_between_two_moving_values() {
    let traced = Traced::new(4, |x| {
        let (a, b) = (x.clone().slice_dim(0, 0..2), x.slice_dim(0, 2..4));
        a.max_pair(b)
    });
    let jet = traced.jet(
        &[0.3, -1.0, 0.1, 0.5],
        traced.vector(&[1.0, 2.0, 0.5, -1.0]),
        traced.vector(&[0.1, 0.2, 0.3, 0.4]),
        true,
    );
    let second = numbers(&jet.unwrap().second.unwrap());
    let wanted = [0.1 + surrogate(0.2) * 0.25, 0.4 + surrogate(-1.5) * 9.0];
    close("max_pair", "second", &second, &wanted, 1e-12);
}

#[test]
fn a_slope_that_is_not_the_masks_own() {
    // x · u where x > 0: the kink's height is u
    let traced = Traced::new(2, |p| {
        let (x, u) = (p.clone().slice_dim(0, 0..1), p.slice_dim(0, 1..2));
        (x.clone() * u).mask_fill(x.lower_equal_elem(0.0), 0.0)
    });
    let second = |x: f64| {
        let jet = traced.jet(
            &[x, 0.7],
            traced.vector(&[2.0, 3.0]),
            traced.vector(&[0.0; 2]),
            true,
        );
        numbers(&jet.unwrap().second.unwrap())[0]
    };
    close(
        "gate",
        "above",
        &[second(0.4)],
        &[2.0 * 2.0 * 3.0 + 0.7 * surrogate(0.4) * 4.0],
        1e-12,
    );
    close(
        "gate",
        "below",
        &[second(-0.4)],
        &[0.7 * surrogate(-0.4) * 4.0],
        1e-12,
    );
}

#[test]
fn jumps_are_refused() {
    let refused = |name: &str, function: fn(Tensor<1>) -> Tensor<1>, why: &str| {
        let traced = Traced::new(4, function);
        let part = traced.vector(&[1.0, 0.5, -0.5, 2.0]);
        let jet = traced.jet(&[0.5, -0.5, 1.0, -2.0], part.clone(), part, true);
        match jet {
            Ok(_) => panic!("{name} was not refused"),
            Err(error) => assert!(error.operation.contains(why), "{name}: {}", error.operation),
        }
    };
    refused(
        "thresholded_relu",
        |x| act::thresholded_relu(x, 1.0),
        "jumps there",
    );
    refused("hard_shrink", |x| act::hard_shrink(x, 0.5), "jumps there");
    refused("threshold", |x| act::threshold(x, 1.0, 0.0), "jumps there");
    refused("shrink", |x| act::shrink(x, 0.5, 0.1), "jumps there");
    refused(
        "a step",
        |x| {
            x.zeros_like()
                .mask_where(x.clone().greater_elem(0.0), x.ones_like())
        },
        "jumps there",
    );
    refused(
        "a number",
        |x| x.clone().greater_elem(0.0).float() * x,
        "a number made of a mask",
    );
    refused(
        "two comparisons",
        |x| {
            let inside = x
                .clone()
                .greater_elem(0.0)
                .bool_and(x.clone().lower_elem(6.0));
            x.zeros_like().mask_where(inside, x)
        },
        "other than one comparison",
    );
    refused(
        "equality",
        |x| x.clone().mask_fill(x.equal_elem(0.5), 1.0),
        "other than one comparison",
    );
    refused(
        "a mask of something else",
        |x| {
            let z = x.clone().sum().expand([4]);
            x.mask_fill(z.lower_elem(0.0), 0.0)
        },
        "jumps there",
    );
    refused(
        "nowhere",
        |x| {
            x.clone()
                .mask_fill((x.clone() * x + 1.0).lower_elem(0.0), 0.0)
        },
        "was not found",
    );
    refused("floor", |x| x.floor(), "Floor");
}

#[test]
fn single_precision_finds_the_same_joints() {
    let table: [Case; 6] = [
        ("elu", |x| act::elu(x, 1.0)),
        ("celu", |x| act::celu(x, 0.7)),
        ("selu", act::selu),
        ("soft_shrink", |x| act::soft_shrink(x, 0.3)),
        ("softplus", |x| act::softplus(x * 6.0, 1.5)),
        ("mish", |x| act::mish(x * 6.0)),
    ];
    let x = points();
    let second = |traced: &Traced| {
        let jet = traced.jet(&x, traced.vector(&noise(x.len(), 11)), None, true);
        let jet = jet.unwrap_or_else(|e| panic!("{}", e.operation));
        numbers(&jet.second.unwrap())
    };
    for (name, function) in table {
        let mut traced = Traced::new(x.len(), function);
        let wanted = second(&traced);
        traced.float = DType::F32;
        close(name, "second", &second(&traced), &wanted, 2e-5);
    }
}
