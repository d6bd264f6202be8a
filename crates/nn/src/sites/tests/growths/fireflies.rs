//! Firefly's candidates on ordinary models: what they promise, what they leave behind.

use burgeon_core::capture::{Capture, Norms, Site as CoreSite};
use burgeon_core::criterion::{Context, Criterion, Firefly, Refinement};
use burgeon_core::{
    Candidate, CoreError, GradientRequest, Landscape, LineSearch, Needs, PlanGradient,
};

use super::*;
use crate::capture::sites;
use crate::gradient::GradientSum;

/// A trial as criteria see it, with neurons that count as long as 1.
struct TrialLandscape<'a> {
    trial: &'a Trial,
    sites: Vec<CoreSite>,
}

impl<'a> TrialLandscape<'a> {
    fn new(trial: &'a Trial) -> Self {
        let mut sites = sites(trial.graph());
        for site in &mut sites {
            let (fan_in, fan_out) = (1.0, 1.0);
            site.norms = Some(Norms { fan_in, fan_out });
        }
        Self { trial, sites }
    }
}

impl Landscape for TrialLandscape<'_> {
    fn sites(&self) -> &[CoreSite] {
        &self.sites
    }

    fn capture(&self, _needs: Needs) -> Result<Arc<Capture>, CoreError> {
        Ok(Arc::new(Capture {
            sites: self.sites.clone(),
            samples: BATCH,
            loss: 0.0,
            bytes: 0,
        }))
    }

    fn losses(&self, _plan: &Plan, _steps: &[f64]) -> Result<LineSearch, CoreError> {
        unreachable!("no criterion searches a step")
    }

    fn gradient(&self, plan: &Plan, at: &GradientRequest) -> Result<PlanGradient, CoreError> {
        let study = &self.trial.study;
        let sum = GradientSum::new(&study.network, plan);
        let mut sum = sum.unwrap_or_else(|error| panic!("{}: {error}: {plan}", study.name));
        let added = sum.add(at, &study.inputs, BATCH, &|output| Ok(study.loss(output)));
        added.unwrap_or_else(|error| panic!("{}: {error}: {plan}", study.name));
        Ok(sum.into_gradient(plan).expect("finite"))
    }
}

/// The places of `values` in their order.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    for (rank, index) in order.into_iter().enumerate() {
        ranks[index] = rank as f64;
    }
    ranks
}

/// Spearman's correlation, of values without ties.
fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let pairs = ranks(a).into_iter().zip(ranks(b));
    let squares: f64 = pairs.map(|(a, b)| (a - b).powi(2)).sum();
    1.0 - 6.0 * squares / (n * (n * n - 1.0))
}

/// Candidates are ranked as the loss tells when each is alone, within a bound so small that they do
/// not meet; those that are chosen start where the network is, and those that are not leave nothing
/// behind.
pub(super) fn fireflies_are_ranked_and_leave_no_trace(trial: &Trial) {
    let landscape = TrialLandscape::new(trial);
    let refinement = Refinement::PAPER.with_steps(3);
    let firefly = Firefly::new()
        .with_refinement(refinement)
        .with_new_neurons(3)
        .and_then(|firefly| firefly.with_bound(1e-4))
        .expect("in range");
    let bits = |model: &AnyModel| {
        let trace = trial.study.network.trace.clone();
        bits_of(&Network::of(trace, model).expect("one type"))
    };
    let before = bits(&trial.study.model);
    let asked = || firefly.candidates(&landscape, &mut Context::seeded(11));
    let candidates = asked().expect("it is a landscape");
    assert_eq!(before, bits(&trial.study.model), "{}", trial.study.name);
    assert_eq!(
        before,
        bits_of(&trial.study.network),
        "{}",
        trial.study.name
    );
    assert_eq!(
        candidates,
        asked().expect("as before"),
        "{}",
        trial.study.name
    );
    let alone = |candidate: &Candidate| Plan::new("firefly", vec![candidate.clone()]);
    let own = trial.study.loss_of(value(TensorData::new(
        trial.before.clone(),
        [trial.before.len()],
    )));
    let ranked = |candidates: &[&Candidate]| {
        let promised: Vec<f64> = candidates.iter().map(|c| c.score).collect();
        let measured = candidates.iter().map(|candidate| {
            let loss = trial.study.loss_of(trial.replayed(&alone(candidate), 1.0));
            own - loss
        });
        rank_correlation(&promised, &measured.collect::<Vec<f64>>())
    };
    assert!(!candidates.is_empty(), "{}", trial.study.name);
    let all: Vec<&Candidate> = candidates.iter().collect();
    let correlation = ranked(&all);
    println!("{}: {correlation:.3} of {}", trial.study.name, all.len());
    assert!(correlation > 0.95 || all.len() < 4, "{}", trial.study.name);
    // The better half is chosen.
    let mut chosen = candidates;
    chosen.sort_by(|a, b| b.score.total_cmp(&a.score));
    chosen.truncate(chosen.len() / 2 + 1);
    let mut split = HashSet::new();
    chosen.retain(|candidate| match &candidate.growth {
        Growth::Split(own) => split.insert((own.site.clone(), own.neuron)),
        _ => true,
    });
    let plan = Plan::new("firefly", chosen);
    let still = trial.both(&plan, 0.0);
    trial.is_close("at 0", &plan, &still, &trial.before, 1e-12);
    trial.both(&plan, 1.0);
    assert_eq!(
        before,
        bits(&trial.study.model),
        "{}: {plan}",
        trial.study.name
    );
}

fn bits_of(network: &Network) -> HashMap<ParamId, Vec<f64>> {
    let all = network.parameters.iter();
    all.map(|(id, value)| (*id, numbers(value.clone())))
        .collect()
}
