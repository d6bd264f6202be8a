//! What a growth gains when spectra rest on a part of the rows or on few products: the loss
//! that the best step of a line search takes away, on the training set and on digits that were
//! held out, and the second-order decrease `-Σ vᵀ S v` of the chosen directions `v` on all rows,
//! both as means over networks. A table, no timings.

use burgeon_backend_flex::FLEX;
use burgeon_benches::nets::{ConvNet, Mlp};
use burgeon_benches::{digit_images, digits};
use burgeon_core::criterion::{RandomSplit, SteepestDescent};
use burgeon_core::eigen::{Method, SpectrumSolver};
use burgeon_core::select::Fraction;
use burgeon_core::{Growth, Plan, SplitBackend};
use burgeon_nn::capture::capture;
use burgeon_nn::growable::parameter_count;
use burgeon_nn::search::line_search;
use burgeon_nn::{CrossEntropy, Growable, Samples, SpectrumConfig, trace};
use burgeon_train::{GrowthConfig, GrowthStep, Subject, Task, TrainConfig, Trainer};
use burn::optim::AdamConfig;
use burn::tensor::DType;
use nalgebra::DMatrix;

/// All digits for training, and those of them that are held out.
const DIGITS: usize = 1797;
const HELD: f64 = 360.0 / DIGITS as f64;

/// Networks of each kind, from other weights and on other parts of the digits.
const SEEDS: u64 = 24;

/// The steps of the line search.
const GRID: [f64; 6] = [1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125];

/// How a plan is found.
enum Way {
    /// Dense spectra of all rows.
    Exact,
    /// Random directions of random neurons.
    Random,
    /// So many products of about so many rows, or of all.
    Part {
        rows: Option<usize>,
        products: usize,
    },
}

type AnyError = Box<dyn std::error::Error>;

fn trained<M: Growable>(
    model: &M,
    samples: &Samples<M::Input>,
    epochs: usize,
) -> Result<M, AnyError> {
    let task = Task::new(CrossEntropy, samples.clone(), samples.sample(1, 0));
    let trainer = Trainer::new(TrainConfig::default())?;
    let optimizer = AdamConfig::new().init();
    let fitted = trainer.fit(model.clone(), optimizer, &task, epochs, &mut |_| {})?;
    Ok(fitted.ok_or("interrupted")?.model)
}

/// `-Σ vᵀ S v` of the unit directions of `plan`, with the splitting matrices of all rows.
fn second_order<M: Growable>(
    model: &M,
    plan: &Plan,
    samples: &Samples<M::Input>,
) -> Result<f64, AnyError> {
    let all = capture(model, &CrossEntropy, samples, 512, Some(&FLEX))?;
    let mut sum = 0.0;
    for site in &all.sites {
        let curvature = site.curvature.as_ref().ok_or("not captured")?;
        let mut directions = DMatrix::zeros(site.dim, site.neurons);
        for growth in plan.growths().filter(|g| g.site() == site.name) {
            let Growth::Split(split) = growth else {
                continue;
            };
            let mut direction = directions.column_mut(split.neuron);
            direction.copy_from_slice(&split.offspring[0].offset);
            direction.normalize_mut();
        }
        let products = curvature.apply(&FLEX, &directions, DType::F32)?;
        sum -= directions.dot(&products);
    }
    Ok(sum)
}

/// The decrease of the loss on the training samples and on those held out, and that of second
/// order.
fn decreases<M: Growable>(
    model: &M,
    [train, held]: [&Samples<M::Input>; 2],
    way: &Way,
    seed: u64,
) -> Result<[f64; 3], AnyError> {
    let solver = match way {
        Way::Part { products, .. } => SpectrumSolver::default()
            .with_method(Method::Krylov)
            .with_tolerance(1e-2)
            .with_max_iterations(*products),
        _ => SpectrumSolver::default().with_method(Method::Dense),
    };
    let mut spectrum = SpectrumConfig::default().with_solver(solver);
    if let Way::Part {
        rows: Some(rows), ..
    } = way
    {
        spectrum = spectrum.with_rows(*rows);
    }
    let growth = GrowthConfig {
        spectrum,
        ..GrowthConfig::default()
    };
    let fraction = Fraction::new(0.3)?;
    let step = match way {
        Way::Random => GrowthStep::new(RandomSplit, fraction),
        _ => GrowthStep::new(SteepestDescent, fraction),
    };
    let step = step.with_config(growth).with_seed(seed);
    let subject = Subject {
        model,
        trace: trace(model, train)?.into(),
        objective: &CrossEntropy,
        train,
        held: train,
        batch_size: 512,
        backend: &FLEX,
    };
    let landscape = step.landscape(&subject, train);
    let plan = step.propose(&landscape, 1, parameter_count(model))?;
    let search = line_search(model, &plan, &GRID, &CrossEntropy, train, 256)?;
    let (epsilon, loss) = search.best().ok_or("no step has a finite loss")?;
    let after = line_search(model, &plan, &[epsilon], &CrossEntropy, held, 256)?;
    let (_, held_loss) = after.best().ok_or("no step has a finite loss")?;
    let second_order = second_order(model, &plan, train)?;
    Ok([
        search.baseline - loss,
        after.baseline - held_loss,
        second_order,
    ])
}

/// Mean and standard error of the mean.
fn mean(values: impl Iterator<Item = f64> + Clone) -> [f64; 2] {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    [mean, (squares / (count - 1.0) / count).sqrt()]
}

fn net<M: Growable>(
    name: &str,
    make: impl Fn() -> Result<M, AnyError>,
    all: &Samples<M::Input>,
    epochs: &[usize],
    parts: &[(Option<usize>, &[usize])],
) -> Result<(), AnyError> {
    let mut ways = vec![
        ("all rows, dense".to_owned(), Way::Exact),
        ("random directions".to_owned(), Way::Random),
    ];
    for &(rows, products) in parts {
        let of = rows.map_or("all".to_owned(), |rows| rows.to_string());
        for &products in products {
            let what = format!("{of} rows, {products} products");
            ways.push((what, Way::Part { rows, products }));
        }
    }
    for &epochs in epochs {
        let mut found = vec![Vec::new(); ways.len()];
        for seed in 0..SEEDS {
            let (train, held) = all.split_off(HELD, seed)?;
            FLEX.device().seed(seed);
            let model = trained(&make()?, &train, epochs)?;
            for (found, (_, way)) in found.iter_mut().zip(&ways) {
                found.push(decreases(&model, [&train, &held], way, seed)?);
            }
        }
        let exact = found[0].clone();
        for ((way, _), found) in ways.iter().zip(&found) {
            // Beside the mean, the standard error of its distance to the exact way's.
            let [train, held] = [0, 1].map(|i| {
                let [mean_of_all, _] = mean(found.iter().map(|decreases| decreases[i]));
                let distances = found.iter().zip(&exact).map(|(a, b)| a[i] - b[i]);
                format!("{mean_of_all:.4} ± {:.4}", mean(distances)[1])
            });
            let shares = found.iter().zip(&exact).map(|(a, b)| a[2] / b[2]);
            let [share, error] = mean(shares);
            println!("| {name} | {epochs} | {way} | {train} | {held} | {share:.3} ± {error:.3} |");
        }
    }
    Ok(())
}

fn main() -> Result<(), AnyError> {
    let plain = FLEX.device();
    let device = plain.clone().autodiff();
    println!(
        "| network | epochs before | spectra from | decrease, training | decrease, held out | second order, of the exact way's |"
    );
    println!("|---|---|---|---|---|---|");
    let rows = digits(DIGITS, &plain)?;
    for neurons in [16, 128] {
        let make = || Ok(Mlp::new([64, neurons], &device));
        let name = format!("MLP 64-{neurons}-10");
        let parts: [(_, &[_]); 5] = [
            (None, &[3, 4, 5]),
            (Some(1024), &[4]),
            (Some(768), &[4]),
            (Some(512), &[4, 6]),
            (Some(256), &[4]),
        ];
        net(&name, make, &rows, &[1, 10, 40], &parts)?;
    }
    let images = digit_images(DIGITS, &plain)?;
    let make = || Ok(ConvNet::two([1, 32, 16], &device));
    let parts: [(_, &[_]); 5] = [
        (None, &[4]),
        (Some(8192), &[3, 4, 5]),
        (Some(6144), &[4]),
        (Some(4096), &[4, 6]),
        (Some(2048), &[4]),
    ];
    let name = "convolutions 1-32-16";
    net(name, make, &images, &[3, 10, 40], &parts)
}
