//! What a growth gains when spectra rest on a part of the rows or on few products: the loss
//! that the best step of a line search takes away, on the training set and on digits that were
//! held out. A table, no timings.

use burgeon_backend_flex::Flex;
use burgeon_benches::nets::{ConvNet, Mlp};
use burgeon_benches::{digit_images, digits};
use burgeon_core::criterion::{Criterion, RandomSplit, SteepestDescent};
use burgeon_core::eigen::{Method, SpectrumSolver};
use burgeon_core::select::{Fraction, Selector};
use burgeon_core::{Budget, Plan, SplitBackend};
use burgeon_nn::grower::line_search;
use burgeon_nn::{
    CrossEntropy, Growable, Grower, GrowerConfig, LearningRate, Samples, SpectrumConfig, Task,
    Trigger, capture_spectra,
};
use burn::optim::AdamConfig;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// All digits for training, and those of them that are held out.
const DIGITS: usize = 1797;
const HELD: f64 = 360.0 / DIGITS as f64;

/// Networks of each kind, from other weights and on other parts of the digits.
const SEEDS: u64 = 6;

/// The steps of the line search.
const GRID: [f64; 6] = [1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125];

/// Products by which the ends of the spectra are found.
const PRODUCTS: usize = 4;

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
    let config = GrowerConfig::new(SteepestDescent, Fraction::new(0.3)?)
        .with_trigger(Trigger::Every { epochs })
        .with_learning_rate(LearningRate::Constant(1e-3))
        .with_max_growths(0)
        .with_max_epochs(epochs);
    let task = Task {
        objective: Box::new(CrossEntropy),
        train: samples.clone(),
        held: samples.sample(1, 0),
    };
    let optimizer = AdamConfig::new().init();
    let mut grower = Grower::new(config, Flex, task, model.clone(), optimizer)?;
    grower.run()?;
    Ok(grower.model().clone())
}

/// The decrease of the loss on the training samples and on those held out.
fn decreases<M: Growable>(
    model: &M,
    [train, held]: [&Samples<M::Input>; 2],
    way: &Way,
    seed: u64,
) -> Result<[f64; 2], AnyError> {
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
    let found = capture_spectra(model, &CrossEntropy, train, 512, &spectrum, &Flex)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let candidates = match way {
        Way::Random => RandomSplit.candidates(&found, &Flex, &mut rng)?,
        _ => SteepestDescent.candidates(&found, &Flex, &mut rng)?,
    };
    let budget = Budget {
        neurons: found.neurons(),
        room: None,
    };
    let chosen = Fraction::new(0.3)?.select(candidates, budget)?;
    let plan = Plan::new("s2d", chosen);
    let search = line_search(model, &plan, &GRID, &CrossEntropy, train, 256)?;
    let (epsilon, loss) = search.best.ok_or("no step has a finite loss")?;
    let after = line_search(model, &plan, &[epsilon], &CrossEntropy, held, 256)?;
    let (_, held_loss) = after.best.ok_or("no step has a finite loss")?;
    Ok([search.baseline - loss, after.baseline - held_loss])
}

fn net<M: Growable>(
    name: &str,
    make: impl Fn() -> Result<M, AnyError>,
    all: &Samples<M::Input>,
    epochs: &[usize],
    rows: &[usize],
) -> Result<(), AnyError> {
    let part = |rows, products| Way::Part { rows, products };
    let mut ways = vec![
        ("all rows, dense".to_owned(), Way::Exact),
        ("random directions".to_owned(), Way::Random),
    ];
    for products in [2, 3, PRODUCTS] {
        ways.push((
            format!("all rows, {products} products"),
            part(None, products),
        ));
    }
    for &rows in rows {
        ways.push((
            format!("{rows} rows, {PRODUCTS} products"),
            part(Some(rows), PRODUCTS),
        ));
    }
    for &epochs in epochs {
        let mut sums = vec![[0.0; 2]; ways.len()];
        for seed in 0..SEEDS {
            let (train, held) = all.split_off(HELD, seed)?;
            Flex.device().seed(seed);
            let model = trained(&make()?, &train, epochs)?;
            for (sum, (_, way)) in sums.iter_mut().zip(&ways) {
                let found = decreases(&model, [&train, &held], way, seed)?;
                for (sum, decrease) in sum.iter_mut().zip(found) {
                    *sum += decrease / SEEDS as f64;
                }
            }
        }
        for ((way, _), [train, held]) in ways.iter().zip(&sums) {
            println!("| {name} | {epochs} | {way} | {train:.4} | {held:.4} |");
        }
    }
    Ok(())
}

fn main() -> Result<(), AnyError> {
    let plain = Flex.device();
    let device = plain.clone().autodiff();
    println!(
        "| network | epochs before | spectra from | decrease, training | decrease, held out |"
    );
    println!("|---|---|---|---|---|");
    let rows = digits(DIGITS, &plain)?;
    for neurons in [16, 128] {
        let make = || Ok(Mlp::new([64, neurons], &device)?);
        let name = format!("MLP 64-{neurons}-10");
        net(&name, make, &rows, &[1, 10, 40], &[1024, 512, 256])?;
    }
    let images = digit_images(DIGITS, &plain)?;
    let make = || Ok(ConvNet::two([1, 32, 16], &device)?);
    let name = "convolutions 1-32-16";
    net(name, make, &images, &[3, 40], &[8192, 2048, 512])
}
