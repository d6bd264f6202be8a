//! Fisher information and consolidation against plain numbers.

use burgeon_backend_flex::FLEX;
use burgeon_continual::baseline::{
    Consolidation, Elastic, HeadsCrossEntropy, Sequential, fisher_diagonal,
};
use burgeon_continual::{ContinualError, Training, learn_sequence};
use burgeon_core::SplitBackend;
use burgeon_nn::{Growable, Objective, Samples};
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Tensor, TensorData};

use crate::common::{dense, tasks};

/// Logits that are linear in two numbers.
#[derive(Module, Debug)]
struct Softmax {
    output: Linear,
}

impl Growable for Softmax {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.output.forward(input)
    }
}

fn softmax(weight: [f32; 6], bias: [f32; 3]) -> Softmax {
    let device = FLEX.device().autodiff();
    Softmax {
        output: Linear {
            weight: Param::from_data(TensorData::new(weight.to_vec(), [2, 3]), &device),
            bias: Some(Param::from_data(
                TensorData::new(bias.to_vec(), [3]),
                &device,
            )),
        },
    }
}

fn numbers(tensor: &Tensor<1>) -> Vec<f64> {
    tensor.clone().into_data().iter::<f64>().collect()
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
    }
}

/// The Fisher information of a softmax over linear logits is `E p_k (1 − p_k) x_i²`.
#[test]
fn fisher_information_is_that_of_plain_numbers() -> Result<(), ContinualError> {
    let (weight, bias) = ([0.3, -0.5, 0.8, 1.0, 0.2, -0.7], [0.1, 0.0, -0.2]);
    let rows = [[1.0, 2.0], [-0.5, 0.25], [0.0, 1.5]];
    let mut expected_weight = [0.0; 6];
    let mut expected_bias = [0.0; 3];
    for x in rows {
        let logit = |k: usize| {
            (0..2)
                .map(|i| f64::from(weight[3 * i + k]) * x[i])
                .sum::<f64>()
                + f64::from(bias[k])
        };
        let exponentials: Vec<f64> = (0..3).map(|k| logit(k).exp()).collect();
        let sum: f64 = exponentials.iter().sum();
        for (k, exponential) in exponentials.iter().enumerate() {
            let variance = exponential / sum * (1.0 - exponential / sum);
            expected_bias[k] += variance / 3.0;
            for i in 0..2 {
                expected_weight[3 * i + k] += variance * x[i] * x[i] / 3.0;
            }
        }
    }
    let model = softmax(weight, bias);
    let inputs: Vec<f32> = rows.iter().flatten().map(|value| *value as f32).collect();
    let inputs = Tensor::<2>::from_data(TensorData::new(inputs, [3, 2]), &FLEX.device());
    let found = fisher_diagonal(&model, |model| model, &inputs)?;
    assert_eq!(found.len(), 2);
    close(&numbers(&found[0]), &expected_weight);
    close(&numbers(&found[1]), &expected_bias);
    Ok(())
}

/// Two quadratic terms are one around their weighted mean, but for what does not depend on θ.
#[test]
fn tasks_are_joined_as_their_sum() -> Result<(), ContinualError> {
    let device = FLEX.device();
    let fisher = |values: [f32; 9]| {
        let part = |values: &[f32]| {
            Tensor::<1>::from_data(TensorData::new(values.to_vec(), [values.len()]), &device)
        };
        vec![part(&values[..6]), part(&values[6..])]
    };
    let one = softmax([0.3, -0.5, 0.8, 1.0, 0.2, -0.7], [0.1, 0.0, -0.2]);
    let two = softmax([0.1, 0.5, 0.4, 1.2, 0.0, 0.7], [0.3, 0.2, -0.4]);
    let (f1, f2) = (
        [1.0, 2.0, 0.0, 4.0, 0.5, 1.5, 3.0, 0.0, 1.0],
        [2.0, 0.0, 0.0, 1.0, 5.0, 2.5, 1.0, 2.0, 0.0],
    );
    let first = Consolidation::new(&one, fisher(f1))?;
    let second = Consolidation::new(&two, fisher(f2))?;
    let joined = Consolidation::new(&one, fisher(f1))?.with(&two, fisher(f2))?;
    let at = |known: &Consolidation, model: &Softmax| -> f64 {
        known
            .distance(model)
            .expect("parameters")
            .into_data()
            .iter::<f64>()
            .sum()
    };
    // (1)(0.2)² + … by hand for the first number alone: F (θ − θ*)² = 1 · 0.04.
    assert!((at(&first, &one)).abs() < 1e-6);
    let (a, b) = (
        softmax([0.0; 6], [0.0; 3]),
        softmax([1.0, -1.0, 2.0, 0.5, 0.25, 1.5], [1.0, 2.0, 3.0]),
    );
    let apart = |model: &Softmax| at(&first, model) + at(&second, model);
    let difference = apart(&a) - apart(&b);
    assert!((at(&joined, &a) - at(&joined, &b) - difference).abs() < 1e-4 * difference.abs());
    let by_hand: f64 = f1
        .iter()
        .zip([0.3, -0.5, 0.8, 1.0, 0.2, -0.7, 0.1, 0.0, -0.2])
        .map(|(f, t)| f64::from(*f) * t * t)
        .sum();
    assert!((at(&first, &a) - by_hand).abs() < 1e-6);
    assert!(Consolidation::new(&one, fisher(f1)[..1].to_vec()).is_err());
    Ok(())
}

#[test]
fn consolidation_holds_what_was_learned() -> Result<(), ContinualError> {
    let tasks = tasks(3, 80)?;
    let forgotten = |elastic: Option<f64>| -> Result<f64, ContinualError> {
        let training = Training {
            batch_size: 32,
            ..Training::new(10, 0.01)?
        };
        let mut learner = Sequential::new(dense(), &[10, 10], training, &FLEX.device())?;
        if let Some(strength) = elastic {
            learner = learner.with_elastic(Elastic {
                strength,
                samples: 60,
            })?;
        }
        let matrix = learn_sequence(&mut learner, &tasks, &mut |_, _| {})?;
        Ok(matrix.forgetting().unwrap_or(f64::NAN))
    };
    let (tuned, held) = (forgotten(None)?, forgotten(Some(1000.0))?);
    assert!(tuned > 0.02 && held < 0.5 * tuned, "{tuned} {held}");
    Ok(())
}

/// Other heads do not count: the loss is that of the sample's own head.
#[test]
fn the_loss_of_heads_is_that_of_the_samples_own_head() -> Result<(), ContinualError> {
    let device = FLEX.device();
    let logits = [[0.2, 1.0, 9.0, -3.0, 0.5], [4.0, -2.0, 0.1, 0.7, 0.3]];
    let values: Vec<f32> = logits.iter().flatten().map(|value| *value as f32).collect();
    let output = Tensor::<2>::from_data(TensorData::new(values, [2, 5]), &device);
    let samples = Samples::classification(output.clone(), &[1, 3], 5, &device)?;
    let objective = HeadsCrossEntropy::new(vec![2, 3]);
    objective.check(5, samples.targets())?;
    assert!(objective.check(4, samples.targets()).is_err());
    let loss: f64 = objective
        .loss(output, samples.targets())
        .into_data()
        .iter::<f64>()
        .sum();
    let of = |own: &[f64], label: usize| own.iter().map(|z| z.exp()).sum::<f64>().ln() - own[label];
    let expected = 0.5 * (of(&logits[0][..2], 1) + of(&logits[1][2..], 1));
    assert!((loss - expected).abs() < 1e-6, "{loss} for {expected}");
    Ok(())
}
