use burgeon_backend_flex::Flex;
use burgeon_benches::nets::{ConvNet, Mlp};
use burgeon_benches::{digit_images, digits, noise};
use burgeon_core::criterion::{Criterion as _, SteepestDescent};
use burgeon_core::eigen::SpectrumSolver;
use burgeon_core::select::{Fraction, Selector};
use burgeon_core::{Budget, Plan, SplitBackend};
use burgeon_nn::grower::line_search;
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{
    CrossEntropy, Growable, Grower, GrowerConfig, LearningRate, Samples, SpectrumConfig, Task,
    Trigger, capture::capture, capture_spectra,
};
use burn::optim::AdamConfig;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::time::Instant;
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn time<T>(reps: usize, mut f: impl FnMut() -> T) -> (f64, T) {
    let mut out = f();
    let mut all = vec![];
    for _ in 0..reps {
        let t = Instant::now();
        out = f();
        all.push(t.elapsed().as_secs_f64() * 1e3);
    }
    all.sort_by(f64::total_cmp);
    (all[all.len() / 2], out)
}
fn epoch<M: Growable>(model: &M, samples: &Samples<M::Input>) {
    let selector = Fraction::new(0.3).expect("in range");
    let config = GrowerConfig::new(SteepestDescent, selector)
        .with_trigger(Trigger::Every { epochs: 1 })
        .with_learning_rate(LearningRate::Constant(1e-3))
        .with_max_growths(0)
        .with_max_epochs(1);
    let task = Task {
        objective: Box::new(CrossEntropy),
        train: samples.clone(),
        held: samples.sample(1, 0),
    };
    let optimizer = AdamConfig::new().init();
    let grower = Grower::new(config, Flex, task, model.clone(), optimizer);
    grower.expect("sound").run().expect("runs");
}
fn net<M: Growable + Sync>(name: &str, model: &M, samples: &Samples<M::Input>) {
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let bs: usize = std::env::var("BS").map_or(512, |v| v.parse().unwrap());
            let reps: usize = std::env::var("REPS").map_or(15, |v| v.parse().unwrap());
            if std::env::var("ONLY").is_ok_and(|o| !format!("{name} t{threads}").contains(&o)) { return; }
            let (ep, _) = time(reps, || epoch(model, samples));
            let (cap_full, _) = time(reps, || capture(model, &CrossEntropy, samples, bs, Some(&Flex)).unwrap());
            let sub = samples.sample(std::env::var("CAP").map_or(256, |v| v.parse().unwrap()), 0);
            let (cap_sub, mut c) = time(reps, || capture(model, &CrossEntropy, &sub, bs, Some(&Flex)).unwrap());
            let _ = &mut c;
            let solver = SpectrumSolver::default().with_method(burgeon_core::eigen::Method::Krylov).with_tolerance(1e-2).with_max_iterations(std::env::var("K").map_or(4, |v| v.parse().unwrap()));
            let spectrum = SpectrumConfig::default().with_solver(solver).with_rows(std::env::var("ROWS").map_or(if name.contains("MLP") { 1024 } else { 8192 }, |v| v.parse().unwrap()));
            let (cs, found) = time(reps, || capture_spectra(model, &CrossEntropy, samples, bs, &spectrum, &Flex).unwrap());
            let (cs_sub, found_sub) = time(reps, || capture_spectra(model, &CrossEntropy, &sub, bs, &spectrum, &Flex).unwrap());
            if let Ok(n) = std::env::var("SP") { for _ in 0..n.parse::<usize>().unwrap() { capture_spectra(model, &CrossEntropy, &sub, bs, &spectrum, &Flex).unwrap(); } }
            let it: Vec<_> = found.sites.iter().map(|s| s.spectra.as_ref().map(|s| (format!("{:?}", s.method), s.iterations))).collect();
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            let (cand, candidates) = time(reps, || SteepestDescent.candidates(&found, &Flex, &mut rng).unwrap());
            let budget = Budget { neurons: found.neurons(), room: None };
            let chosen = Fraction::new(0.3).unwrap().select(candidates, budget).unwrap();
            let plan = Plan::new("s2d", chosen);
            let grid = [1.0, 0.5, 0.25, 0.125];
            let (ls, s) = time(reps, || line_search(model, &plan, &grid, &CrossEntropy, samples, bs).unwrap());
            let topology = model.topology().unwrap();
            if std::env::var("LS").is_ok() { for _ in 0..std::env::var("LS").unwrap().parse::<usize>().unwrap() { line_search(model, &plan, &grid, &CrossEntropy, samples, bs).unwrap(); } }
            let (ap, _) = time(reps, || apply_plan(model, &topology, &plan, 0.5).unwrap());
            let (ev, _) = time(reps, || burgeon_nn::growable::evaluate(model, &CrossEntropy, samples, bs).unwrap());
            println!("{name} t{threads}: epoch {ep:.2} capture {cap_full:.2} cap256 {cap_sub:.2} cap+spec {cs:.2} ({it:?}) sub {cs_sub:.2} cand {cand:.2} linesearch {ls:.2} apply {ap:.2} eval {ev:.2} sum/epoch {:.2}", (cs_sub+cand+ls+ap)/ep);
            let _ = (s, found_sub);
        });
    }
}
fn main() {
    let plain = Flex.device();
    plain.seed(1);
    let device = plain.clone().autodiff();
    let rows = digits(1437, &plain).unwrap();
    for neurons in [16, 128] {
        let model = Mlp::new([64, neurons], &device).unwrap();
        net(&format!("MLP {neurons}"), &model, &rows);
    }
    let images = digit_images(1437, &plain).unwrap();
    net(
        "conv 1-32-16",
        &ConvNet::two([1, 32, 16], &device).unwrap(),
        &images,
    );
    let n = noise([1437, 64, 8], &plain).unwrap();
    net(
        "conv 64-64-16",
        &ConvNet::two([64, 64, 16], &device).unwrap(),
        &n,
    );
}
