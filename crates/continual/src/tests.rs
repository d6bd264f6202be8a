//! A column within its network: what it reads, what grows, and how old neurons are ranked.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::growable::evaluate;
use burgeon_nn::{CrossEntropy, Growable, Samples, trace};
use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::architecture::{Architecture, LayerKind};
use crate::column::Column;
use crate::error::ContinualError;
use crate::given::Given;
use crate::mask::Mask;
use crate::network::ColumnNetwork;
use crate::reuse::Reuse;

const CONVOLUTION: LayerKind = LayerKind::Convolution { kernel: 3, pool: 2 };

fn architectures() -> [Architecture; 3] {
    [
        vec![LayerKind::Dense; 2],
        vec![CONVOLUTION; 2],
        vec![CONVOLUTION, LayerKind::Dense],
    ]
    .map(|layers| Architecture::new([2, 8, 8], layers).expect("fits"))
}

fn samples() -> Result<Samples<Tensor<4>>, ContinualError> {
    let device = FLEX.device();
    // Not of the device's generator, which trainings in other tests seed and draw from meanwhile.
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let pixels: Vec<f32> = (0..12 * 2 * 64).map(|_| rng.random()).collect();
    let images = Tensor::from_data(TensorData::new(pixels, [12, 2, 8, 8]), &device);
    let labels: Vec<usize> = (0..12).map(|row| row % 3).collect();
    Ok(Samples::classification(images, &labels, 3, &device)?)
}

/// Two old columns, the second of which reads the first.
fn network(architecture: &Architecture) -> ColumnNetwork {
    let device = FLEX.device();
    let mut network = ColumnNetwork::new(architecture.clone());
    let first = Column::new(architecture, &[3, 2], &[0, 0], 3, 1, &device);
    network.freeze(&first, Mask::none(2), 1);
    let mask = Mask::all(&network.widths(), 2);
    let second = Column::new(architecture, &[2, 3], &[3, 2], 3, 2, &device);
    network.freeze(&second, mask, 1);
    network
}

fn reused(mask: &Mask) -> Vec<usize> {
    mask.layers().iter().map(Vec::len).collect()
}

/// A third column that reads all old neurons, and what it reads.
fn third(architecture: &Architecture) -> Result<(Column, Samples<Given>), ContinualError> {
    let network = network(architecture);
    let mask = Mask::all(&network.widths(), 2);
    let given = network.given_samples(&samples()?, &mask, 5)?;
    let device = FLEX.device().autodiff();
    Ok((
        Column::new(architecture, &[2, 2], &reused(&mask), 3, 3, &device),
        given,
    ))
}

#[test]
fn only_own_neurons_grow() -> Result<(), ContinualError> {
    for architecture in architectures() {
        let (column, given) = third(&architecture)?;
        let trace = trace(&column, &given)?;
        let widths: Vec<usize> = trace
            .graph()
            .widths()
            .into_iter()
            .map(|(_, width)| width)
            .collect();
        assert_eq!(widths, [2, 2], "{}", trace.graph());
        let fan_in = 2 * architecture.taps(0) + 1;
        let second = (2 + 5) * architecture.taps(1) + 1;
        let dims: Vec<usize> = trace.graph().growable().map(|site| site.dim()).collect();
        assert_eq!(dims, [fan_in, second]);
    }
    Ok(())
}

#[test]
fn a_column_without_some_reused_neurons_answers_as_if_they_were_0() -> Result<(), ContinualError> {
    for architecture in architectures() {
        let (column, given) = third(&architecture)?;
        let kept = [vec![0, 3, 4], vec![1, 2]];
        let inputs = given.inputs();
        let zeroed = |layer: usize| {
            let answers = inputs.reused(layer)?.clone();
            let parts = (0..answers.dims()[1]).map(|channel| {
                let own = answers.clone().narrow(1, channel, 1);
                if kept[layer].contains(&channel) {
                    own
                } else {
                    own.zeros_like()
                }
            });
            Some(Tensor::cat(parts.collect(), 1))
        };
        let zeroed = Given::new(inputs.images().clone(), vec![zeroed(0), zeroed(1)]);
        let expected = column.frozen().predict(zeroed);
        let smaller = column.keeping(&architecture, &kept);
        let found = smaller.frozen().predict(inputs.keeping(&kept));
        let apart = (expected - found)
            .abs()
            .max()
            .into_data()
            .iter::<f64>()
            .sum::<f64>();
        assert!(apart < 1e-5, "{apart}");
    }
    Ok(())
}

/// With one neuron reused, the integral of the slope is the difference of the losses.
#[test]
fn the_decrease_of_a_reused_neuron_is_the_difference_of_losses() -> Result<(), ContinualError> {
    // Some neurons answer 0 to all samples.
    let mut largest = 0.0_f64;
    for architecture in architectures() {
        let (column, given) = third(&architecture)?;
        for (layer, kept) in [[vec![4], vec![]], [vec![], vec![0]]]
            .into_iter()
            .enumerate()
        {
            let one = column.clone().keeping(&architecture, &kept);
            let with = given.with_inputs(given.inputs().keeping(&kept), |values| values)?;
            let reuse = Reuse {
                points: 50,
                ..Reuse::default()
            };
            let found = reuse.decreases(&one, &CrossEntropy, &with, 5)?;
            let none = [vec![], vec![]];
            let without = given.with_inputs(given.inputs().keeping(&none), |values| values)?;
            let bare = column.clone().keeping(&architecture, &none);
            let loss = |column: &Column, samples| evaluate(column, &CrossEntropy, samples, 5);
            let expected = loss(&bare, &without)?.loss - loss(&one, &with)?.loss;
            assert!(
                (found[layer][0] - expected).abs() < 1e-5,
                "{found:?} for {expected}"
            );
            largest = largest.max(expected.abs());
        }
    }
    assert!(largest > 1e-3, "{largest}");
    Ok(())
}

#[test]
fn old_neurons_answer_the_same_in_a_batch_of_any_size() -> Result<(), ContinualError> {
    let [dense, ..] = architectures();
    let network = network(&dense);
    let samples = samples()?;
    let mask = Mask::all(&network.widths(), 2);
    let whole = network.given(samples.inputs(), &mask);
    let parts = network.given_samples(&samples, &mask, 5)?;
    for layer in 0..2 {
        let (a, b) = (whole.reused(layer), parts.inputs().reused(layer));
        let (a, b) = (a.expect("reused").clone(), b.expect("reused").clone());
        assert!((a - b).abs().max().into_data().iter::<f64>().sum::<f64>() < 1e-6);
    }
    Ok(())
}

/// A copy whose inputs are all reused answers as the old neuron does.
#[test]
fn a_copy_has_the_weights_of_the_old_neuron() -> Result<(), ContinualError> {
    for architecture in architectures() {
        let network = network(&architecture);
        let mask = Mask::all(&network.widths(), 2);
        let first = network
            .copied_fan_in(0, (1, 1), &mask, 0)
            .expect("reads images");
        let old = network.column(1)?.layers()[0].fan_in(1);
        assert_eq!(first, [&old.0[..], &[old.1]].concat());
        // Neuron 2 of layer 1 of task 1 reads neurons 0 and 1 of its own column, then those of task
        // 0; a new column with 2 own neurons reads task 0 first, then task 1.
        let (weights, bias) = network.column(1)?.layers()[1].fan_in(2);
        let taps = architecture.taps(1);
        let second = network
            .copied_fan_in(1, (1, 2), &mask, 2)
            .expect("readable");
        let zeros = vec![0.0; 2 * taps];
        let expected = [
            &zeros[..],
            &weights[2 * taps..],
            &weights[..2 * taps],
            &[bias],
        ]
        .concat();
        assert_eq!(second, expected);
        assert!(
            network
                .copied_fan_in(1, (1, 2), &Mask::none(2), 2)
                .is_none()
        );
    }
    Ok(())
}

#[test]
fn masks_of_other_networks_are_told() {
    let [dense, ..] = architectures();
    let network = network(&dense);
    assert!(Mask::all(&network.widths(), 2).fits(&network.widths()));
    assert!(!Mask::all(&[vec![4, 2]], 2).fits(&network.widths()));
    assert!(!Mask::all(&[vec![1, 1], vec![1, 1], vec![1, 1]], 2).fits(&network.widths()));
}
