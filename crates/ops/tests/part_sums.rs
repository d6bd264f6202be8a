//! Batch normalisation of a batch that passes in two parts, against the batch as a whole.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use burgeon_ops::{PartSums, batch_norm_train, in_parts};
use burn::tensor::{DType, Device, Tensor, TensorData};

/// Two parts that wait for each other.
#[derive(Debug)]
struct Pair {
    given: Mutex<[Vec<f64>; 2]>,
    barrier: Barrier,
}

/// One of them.
#[derive(Debug)]
struct Part(usize, Arc<Pair>);

impl PartSums for Part {
    fn sum(&self, values: Vec<f64>) -> Result<Vec<f64>, String> {
        let Part(number, pair) = self;
        pair.given.lock().expect("no panic")[*number] = values;
        pair.barrier.wait();
        let given = pair.given.lock().expect("no panic").clone();
        // Nobody gives again before both have read.
        pair.barrier.wait();
        let pairs = given[0].iter().zip(&given[1]);
        Ok(pairs.map(|(first, second)| first + second).collect())
    }
}

fn maps<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values: Vec<f64> = (0..count)
        .map(|place| 0.7 + (place as f64 * 12.9898).sin() * (1.0 + place as f64 / count as f64))
        .collect();
    Tensor::from_data(
        TensorData::new(values, shape),
        (&Device::flex(), DType::F64),
    )
}

/// Output, mean, variance, the gradients of maps, γ and β of the loss `Σ tanh(y) y` of `maps`.
fn passed<const D: usize>(maps: Tensor<D>) -> [Vec<f64>; 6] {
    let channels = maps.dims()[1];
    let leaf = Tensor::from_inner(maps).require_grad();
    let parameter = |value: f64| {
        let values = (0..channels).map(|channel| value + channel as f64 / 4.0);
        let data = TensorData::new(values.collect(), [channels]);
        let plain = Tensor::<1>::from_data(data, (&Device::flex(), DType::F64));
        Tensor::from_inner(plain).require_grad()
    };
    let [gamma, beta] = [0.5, -0.3].map(parameter);
    let found = batch_norm_train(leaf.clone(), gamma.clone(), beta.clone(), 1e-5);
    let loss = (found.output.clone().tanh() * found.output.clone()).sum();
    let gradients = loss.backward();
    [
        found.output.inner().into_data().iter().collect(),
        found.mean.into_data().iter().collect(),
        found.variance.into_data().iter().collect(),
        leaf.grad(&gradients)
            .expect("asked for")
            .into_data()
            .iter()
            .collect(),
        gamma
            .grad(&gradients)
            .expect("asked for")
            .into_data()
            .iter()
            .collect(),
        beta.grad(&gradients)
            .expect("asked for")
            .into_data()
            .iter()
            .collect(),
    ]
}

fn parts_are_the_whole<const D: usize>(shape: [usize; D], first: usize) {
    let maps = maps(shape);
    let whole = passed(maps.clone());
    let pair = Arc::new(Pair {
        given: Mutex::new([Vec::new(), Vec::new()]),
        barrier: Barrier::new(2),
    });
    let ranges = [0..first, first..shape[0]];
    let found = thread::scope(|scope| {
        let (maps, pair) = (&maps, &pair);
        let started = [0, 1].map(|number| {
            let rows = ranges[number].clone();
            scope.spawn(move || {
                let own = maps.clone().narrow(0, rows.start, rows.len());
                in_parts(Arc::new(Part(number, pair.clone())), || passed(own))
            })
        });
        started.map(|started| started.join().expect("no panic"))
    });
    let near = |found: &[f64], whole: &[f64], what: &str| {
        assert_eq!(found.len(), whole.len(), "{what}");
        for (found, whole) in found.iter().zip(whole) {
            assert!(
                (found - whole).abs() < 1e-9 * whole.abs().max(1.0),
                "{what}: {found} {whole}"
            );
        }
    };
    let [one, two] = &found;
    for (index, what) in ["output", "mean", "variance", "maps", "γ", "β"]
        .iter()
        .enumerate()
    {
        match index {
            0 | 3 => near(
                &[&one[index][..], &two[index]].concat(),
                &whole[index],
                what,
            ),
            1 | 2 => {
                near(&one[index], &whole[index], what);
                assert_eq!(one[index], two[index], "{what}");
            }
            _ => {
                let sum = one[index]
                    .iter()
                    .zip(&two[index])
                    .map(|(one, two)| one + two);
                near(&sum.collect::<Vec<_>>(), &whole[index], what);
            }
        }
    }
}

#[test]
fn two_parts_have_the_statistics_and_gradients_of_the_whole() {
    parts_are_the_whole([7, 3, 4, 5], 3);
    parts_are_the_whole([6, 2, 9], 5);
    // Single numbers, which Burn's own normalises where there are no parts.
    parts_are_the_whole([9, 4], 1);
}
