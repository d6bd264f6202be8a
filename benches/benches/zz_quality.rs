use burgeon_backend_flex::Flex;
use burgeon_benches::nets::{ConvNet, Mlp};
use burgeon_benches::{digit_images, digits};
use burgeon_core::criterion::{Criterion as _, RandomSplit, SteepestDescent};
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
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn train<M: Growable>(model: &M, samples: &Samples<M::Input>, epochs: usize) -> M {
    let selector = Fraction::new(0.3).expect("in range");
    let config = GrowerConfig::new(SteepestDescent, selector)
        .with_trigger(Trigger::Every { epochs: epochs })
        .with_learning_rate(LearningRate::Constant(1e-3))
        .with_max_growths(0)
        .with_max_epochs(epochs);
    let task = Task {
        objective: Box::new(CrossEntropy),
        train: samples.clone(),
        held: samples.sample(1, 0),
    };
    let mut grower =
        Grower::new(config, Flex, task, model.clone(), AdamConfig::new().init()).unwrap();
    grower.run().unwrap();
    grower.model().clone()
}
fn decrease<M: Growable>(
    model: &M,
    (samples, test): (&Samples<M::Input>, &Samples<M::Input>),
    cap: usize,
    seed: u64,
    rows: Option<usize>,
    its: usize,
    method: Method,
    random: bool,
) -> (f64, f64, usize) {
    let solver = SpectrumSolver::default()
        .with_tolerance(1e-2)
        .with_max_iterations(its)
        .with_method(method);
    let mut spectrum = SpectrumConfig::default().with_solver(solver);
    if let Some(r) = rows {
        spectrum = spectrum.with_rows(r);
    }
    let sub = samples.sample(cap, seed);
    let found = capture_spectra(model, &CrossEntropy, &sub, 256, &spectrum, &Flex).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let candidates = if random {
        RandomSplit.candidates(&found, &Flex, &mut rng)
    } else {
        SteepestDescent.candidates(&found, &Flex, &mut rng)
    }
    .unwrap();
    let budget = Budget {
        neurons: found.neurons(),
        room: None,
    };
    let chosen = Fraction::new(0.3)
        .unwrap()
        .select(candidates, budget)
        .unwrap();
    let plan = Plan::new("s2d", chosen);
    let grid = [1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125];
    let s = line_search(model, &plan, &grid, &CrossEntropy, samples, 256).unwrap();
    let t = line_search(model, &plan, &[s.best.unwrap().0], &CrossEntropy, test, 256).unwrap();
    (
        s.baseline - s.best.unwrap().1,
        t.baseline - t.best.unwrap().1,
        found
            .sites
            .iter()
            .map(|s| s.spectra.as_ref().unwrap().iterations)
            .max()
            .unwrap(),
    )
}
fn net<M: Growable + Sync>(
    name: &str,
    make: impl Fn() -> M,
    all: &Samples<M::Input>,
    epochs: &[usize],
) {
    let n = 1437;
    for &e in epochs {
        let mut lines: Vec<(String, Vec<(f64, f64, usize)>)> = vec![];
        for seed in 0..6u64 {
            let (samples, test) = all.split_off(360.0 / 1797.0, seed).unwrap();
            let sets = (&samples, &test);
            Flex.device().seed(seed);
            let model = train(&make(), &samples, e);
            let exact = decrease(&model, sets, n, 0, None, 300, Method::Dense, false);
            let mut add =
                |name: String, v: (f64, f64, usize)| match lines.iter_mut().find(|l| l.0 == name) {
                    Some(l) => l.1.push(v),
                    None => lines.push((name, vec![v])),
                };
            add("exact".into(), exact);
            add(
                "random".into(),
                decrease(&model, sets, 64, seed, None, 300, Method::Auto, true),
            );
            for (cap, rows) in [
                (n, n * 64),
                (n, 8192),
                (n, 2048),
                (n, 1024),
                (n, 512),
                (n, 256),
                (n, 128),
                (512, 512),
            ] {
                for tol in [4] {
                    add(
                        format!("cap {cap} rows {rows} K {tol}"),
                        decrease(
                            &model,
                            sets,
                            cap,
                            seed,
                            Some(rows),
                            tol,
                            Method::Krylov,
                            false,
                        ),
                    );
                }
            }
        }
        for (l, v) in lines {
            let m = |f: &dyn Fn(&(f64, f64, usize)) -> f64| {
                v.iter().map(f).sum::<f64>() / v.len() as f64
            };
            println!(
                "{name} e{e} {l}: train {:.4} test {:.4} its {:.1}",
                m(&|v| v.0),
                m(&|v| v.1),
                m(&|v| v.2 as f64)
            );
        }
    }
}
fn main() {
    let plain = Flex.device();
    let device = plain.clone().autodiff();
    let rows = digits(1797, &plain).unwrap();
    for neurons in [16, 128] {
        net(
            &format!("MLP {neurons}"),
            || Mlp::new([64, neurons], &device).unwrap(),
            &rows,
            &[1, 10, 40],
        );
    }
    let images = digit_images(1797, &plain).unwrap();
    net(
        "conv 1-32-16",
        || ConvNet::two([1, 32, 16], &device).unwrap(),
        &images,
        &[3, 12, 40],
    );
}
