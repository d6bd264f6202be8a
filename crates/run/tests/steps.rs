//! Steps against slow and obvious versions of them.

use burgeon_run::{Function, Network, Step, Weights};
use proptest::prelude::*;

/// Numbers that follow from an index.
fn values(count: usize, phase: f32) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.7 + phase).sin()).collect()
}

fn answer(step: Step, shape: &[usize], weights: &Weights, input: &[f32]) -> Vec<f32> {
    let network = Network::new(vec![step], shape, weights).expect("sound");
    network.answers(input)
}

fn close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
}

proptest! {
    #[test]
    fn convolutions_are_sums_over_taps(
        groups in 1_usize..4, read in 1_usize..3, given in 1_usize..3,
        height in 1_usize..7, width in 1_usize..7, half in 0_usize..4, stride in 1_usize..4,
    ) {
        let (inputs, outputs, kernel) = (groups * read, groups * given, 2 * half + 1);
        let weight = values(outputs * read * kernel * kernel, 0.3);
        let bias = values(outputs, 2.0);
        let input = values(inputs * height * width, 1.0);
        let at = |channel: usize, row: isize, column: isize| {
            let inside = (0..height as isize).contains(&row) && (0..width as isize).contains(&column);
            match inside {
                true => input[(channel * height + row as usize) * width + column as usize],
                false => 0.0,
            }
        };
        let mut expected = Vec::new();
        for out in 0..outputs {
            for row in (0..height).step_by(stride) {
                for column in (0..width).step_by(stride) {
                    let mut sum = bias[out];
                    for channel in 0..read {
                        for tap in 0..kernel * kernel {
                            let down = (row + tap / kernel) as isize - half as isize;
                            let right = (column + tap % kernel) as isize - half as isize;
                            let weight = weight[(out * read + channel) * kernel * kernel + tap];
                            sum += weight * at(out / given * read + channel, down, right);
                        }
                    }
                    expected.push(sum);
                }
            }
        }
        let mut weights = Weights::default();
        weights.insert("c.weight", vec![outputs, read, kernel, kernel], weight.clone());
        weights.insert("c.bias", vec![outputs], bias.clone());
        let step = Step::Convolution {
            layer: "c".into(), inputs, outputs, kernel, stride, groups, bias: true,
        };
        close(&answer(step, &[inputs, height, width], &weights, &input), &expected);
    }
}

#[test]
fn windows_are_pooled_and_what_is_left_at_the_edges_is_not() {
    let none = Weights::default();
    let input: Vec<f32> = (0..2 * 3 * 5).map(|i| i as f32).collect();
    let most = answer(Step::MaxPool { size: 2 }, &[2, 3, 5], &none, &input);
    assert_eq!(most, [6.0, 8.0, 21.0, 23.0]);
    let mean = answer(Step::MeanPool { size: 2 }, &[2, 3, 5], &none, &input);
    assert_eq!(mean, [3.0, 5.0, 18.0, 20.0]);
    let all = answer(Step::GlobalMean, &[2, 3, 5], &none, &input);
    assert_eq!(all, [7.0, 22.0]);
}

#[test]
fn norms_use_running_statistics() {
    let mut weights = Weights::default();
    for (name, values) in [
        ("gamma", [2.0, 1.0]),
        ("beta", [0.5, 0.0]),
        ("running_mean", [1.0, -1.0]),
        ("running_var", [4.0, 0.25]),
    ] {
        weights.insert(&format!("n.{name}"), vec![2], values.to_vec());
    }
    let step = Step::Norm {
        layer: "n".into(),
        channels: 2,
        epsilon: 0.0,
    };
    let found = answer(step, &[2, 1, 2], &weights, &[1.0, 3.0, -1.0, 0.0]);
    close(&found, &[0.5, 2.5, 0.0, 2.0]);
}

#[test]
fn functions_are_those_of_their_names() {
    let none = Weights::default();
    let input = [-3.0, -0.5, 0.0, 1.0, 7.0];
    let of = |function| answer(Step::Activation { function }, &[5], &none, &input);
    close(&of(Function::Relu), &[0.0, 0.0, 0.0, 1.0, 7.0]);
    close(&of(Function::Relu6), &[0.0, 0.0, 0.0, 1.0, 6.0]);
    close(
        &of(Function::Silu),
        &[-0.142_278, -0.188_77, 0.0, 0.731_059, 6.993_62],
    );
    close(
        &of(Function::Gelu),
        &[-0.004_05, -0.154_269, 0.0, 0.841_345, 7.0],
    );
    close(
        &of(Function::Tanh),
        &[-0.995_055, -0.462_117, 0.0, 0.761_594, 0.999_998],
    );
}

#[test]
fn steps_that_do_not_fit_are_told() {
    let wrong = |steps: Vec<Step>, shape: &[usize], part: &str| {
        let error = Network::new(steps, shape, &Weights::default()).expect_err(part);
        assert!(error.to_string().contains(part), "{error}");
    };
    let conv = |kernel, stride, groups| Step::Convolution {
        layer: "c".into(),
        inputs: 2,
        outputs: 2,
        kernel,
        stride,
        groups,
        bias: false,
    };
    let linear = |inputs| Step::Linear {
        layer: "l".into(),
        inputs,
        outputs: 1,
    };
    wrong(vec![], &[2], "no steps");
    wrong(
        vec![linear(3)],
        &[2],
        "it reads 3 numbers, and 2 come before",
    );
    wrong(vec![linear(2)], &[2], "`l.weight` is missing");
    wrong(vec![linear(8)], &[2, 2, 2], "flatten them");
    wrong(vec![conv(3, 1, 1)], &[2], "it reads maps");
    wrong(vec![conv(2, 1, 1)], &[2, 2, 2], "odd");
    wrong(vec![conv(3, 0, 1)], &[2, 2, 2], "at least 1");
    wrong(vec![conv(3, 1, 3)], &[2, 2, 2], "divide");
    wrong(vec![conv(3, 1, 0)], &[2, 2, 2], "divide");
    wrong(vec![conv(3, 1, 1)], &[2, 0, 2], "empty");
    wrong(vec![Step::MaxPool { size: 0 }], &[1, 2, 2], "do not fit");
    wrong(vec![Step::MaxPool { size: 3 }], &[1, 2, 2], "do not fit");
    wrong(vec![Step::Add { step: 0 }], &[2], "does not come before");
    wrong(
        vec![Step::GlobalMean, Step::Add { step: 7 }],
        &[2, 1, 1],
        "step 1",
    );
    wrong(vec![Step::Flatten], &[usize::MAX, 2], "too many numbers");
}
