//! Searches: both levels, pruning, memory, interruption, fronts, rewards.

use burgeon_coexplore::nasbench201::{CellSpace, Device, JointTable};
use burgeon_coexplore::{
    CoexploreError, Controller, ControllerConfig, Evolution, Front, FrontPoint, Judge, Measured,
    Policy, Problem, RandomPolicy, Reward, RewardState, Search, SearchConfig,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Counts what is judged.
struct Counting<'a> {
    table: &'a JointTable,
    judged: Vec<Vec<usize>>,
}

impl Judge for Counting<'_> {
    fn accuracy(&mut self, architecture: &[usize]) -> Result<f64, CoexploreError> {
        self.judged.push(architecture.to_vec());
        let mut table = self.table;
        table.accuracy(architecture)
    }
}

fn config(fast_steps: usize) -> Result<SearchConfig, CoexploreError> {
    SearchConfig::new(Reward::co_exploration(0.5)?, 60, 300)?.with_fast_level(fast_steps, 0.7)
}

fn run<P: Policy>(
    search: &mut Search<P>,
    space: &CellSpace,
    table: &JointTable,
    steps: usize,
) -> Result<(), CoexploreError> {
    let mut table = table;
    for _ in 0..steps {
        if search.step(space, &mut table)?.is_none() {
            break;
        }
    }
    Ok(())
}

/// A search that is written down and read again goes on as if nothing had been.
fn resumes<P>(policy: P, fast_steps: usize) -> Result<(), CoexploreError>
where
    P: Policy + Clone + PartialEq + Serialize + DeserializeOwned,
{
    let table = JointTable::embedded()?;
    let space = CellSpace::new(Device::Fpga, 4.0)?;
    let mut whole = Search::new(policy.clone(), config(fast_steps)?, 9);
    run(&mut whole, &space, &table, usize::MAX)?;
    let mut part = Search::new(policy, config(fast_steps)?, 9);
    for _ in 0..5 {
        run(&mut part, &space, &table, 17)?;
        let text = serde_json::to_string(&part).expect("is written");
        part = serde_json::from_str(&text).expect("is read");
    }
    run(&mut part, &space, &table, usize::MAX)?;
    assert_eq!(part, whole);
    Ok(())
}

#[test]
fn interrupted_searches_go_on_bit_for_bit() -> Result<(), CoexploreError> {
    let space = CellSpace::new(Device::Fpga, 4.0)?;
    let settings = ControllerConfig {
        hidden: 6,
        ..ControllerConfig::default()
    };
    resumes(Controller::new(&space, settings, 4)?, 5)?;
    resumes(Controller::new(&space, settings, 4)?, 0)?;
    resumes(RandomPolicy::new(&space), 0)?;
    resumes(Evolution::new(&space, 20, 5)?, 0)
}

#[test]
fn nothing_is_judged_twice_or_against_the_specification() -> Result<(), CoexploreError> {
    let table = JointTable::embedded()?;
    let space = CellSpace::new(Device::Fpga, 3.0)?;
    let mut judge = Counting {
        table: &table,
        judged: Vec::new(),
    };
    let evolution = Evolution::new(&space, 20, 5)?;
    let mut search = Search::new(evolution.clone(), config(0)?, 1);
    while search.step(&space, &mut judge)?.is_some() {}
    assert_eq!((search.trained(), judge.judged.len()), (60, 60));
    for architecture in &judge.judged {
        assert!(space.measure(architecture)?.is_feasible());
    }
    judge.judged.sort();
    judge.judged.dedup();
    assert_eq!(judge.judged.len(), 60);
    let pruned = search
        .children()
        .iter()
        .filter(|child| child.accuracy.is_none());
    assert!(pruned.clone().count() > 0);
    assert!(pruned.into_iter().all(|child| child.reward == -1.0));
    let logged = search
        .children()
        .iter()
        .filter(|child| child.judged)
        .count();
    assert_eq!(logged, 60);

    let mut open = Search::new(evolution, config(0)?.without_pruning(), 1);
    while open.step(&space, &mut &table)?.is_some() {}
    let children = open.children();
    assert!(children.iter().all(|child| child.accuracy.is_some()));
    let infeasible = children
        .iter()
        .filter(|child| !child.measured.is_feasible());
    assert!(infeasible.clone().count() > 0);
    assert!(infeasible.into_iter().all(|child| child.reward == -1.0));
    Ok(())
}

/// The best of the log are those that the search names.
#[test]
fn the_kept_children_are_the_best_of_the_log() -> Result<(), CoexploreError> {
    let table = JointTable::embedded()?;
    let space = CellSpace::new(Device::Fpga, 4.0)?;
    let mut search = Search::new(RandomPolicy::new(&space), config(0)?, 3);
    assert!(search.most_accurate().is_none());
    run(&mut search, &space, &table, usize::MAX)?;
    let feasible = || {
        search
            .children()
            .iter()
            .filter(|child| child.measured.is_feasible())
    };
    let accuracies = feasible().filter_map(|child| child.accuracy);
    let best = search.most_accurate().expect("some");
    assert_eq!(best.accuracy, Some(accuracies.fold(0.0, f64::max)));
    let shares = feasible().filter_map(|child| child.measured.mean_utilisation());
    let most = search.most_efficient().expect("some");
    assert_eq!(
        most.measured.mean_utilisation(),
        Some(shares.fold(0.0, f64::max))
    );
    for point in search.front().points() {
        let child = &search.children()[point.child];
        assert_eq!(
            (child.accuracy, child.measured.time),
            (Some(point.value), point.cost)
        );
    }
    Ok(())
}

/// Fast steps, which train nothing, come to children that meet a hard specification.
#[test]
fn the_fast_level_finds_what_meets_the_specification() -> Result<(), CoexploreError> {
    let table = JointTable::embedded()?;
    // 3 % of all cells are as fast as this.
    let space = CellSpace::new(Device::Fpga, 1.6)?;
    let settings = ControllerConfig::default();
    let feasible = |fast_steps: usize| {
        let controller = Controller::new(&space, settings, 2)?;
        let config = SearchConfig::new(Reward::co_exploration(0.5)?, 1000, 40)?
            .with_fast_level(fast_steps, 0.0)?;
        let mut search = Search::new(controller, config, 2);
        run(&mut search, &space, &table, usize::MAX)?;
        let children = search.children().iter();
        let fast: usize = children.clone().map(|child| child.fast_steps).sum();
        assert_eq!(search.measured(), 40 + fast);
        Ok::<_, CoexploreError>(
            children
                .filter(|child| child.measured.is_feasible())
                .count(),
        )
    };
    let (without, with) = (feasible(0)?, feasible(20)?);
    assert!(
        with > without + 10,
        "{with} of 40 with a fast level, {without} without"
    );
    Ok(())
}

#[test]
fn rewards_are_those_published() -> Result<(), CoexploreError> {
    let measured = Measured::new(&[2.0, 4.0], 5.0);
    let late = Measured::new(&[2.0, 6.0], 5.0);
    assert_eq!(measured.mean_utilisation(), Some(0.6000000000000001));
    assert_eq!((late.mean_utilisation(), late.is_feasible()), (None, false));
    let mut state = RewardState::default();
    let mut of = |name: &str, accuracy: f64, measured: &Measured| {
        Ok::<f64, CoexploreError>(Reward::named(name, 5.0)?.of(accuracy, measured, &mut state))
    };
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}");
    near(of("co-exploration", 0.8, &measured)?, 0.5 * 0.8 + 0.5 * 0.6);
    near(of("rl-interface", 0.8, &measured)?, 0.5 * 0.8 + 0.5 * 0.2);
    near(of("hot-nas", 0.8, &measured)?, 0.5 * 0.6 - 0.5 * 0.6);
    near(of("hot-nas", 0.8, &late)?, 0.5 * 0.6 - 0.5);
    // The first accuracy is the mean itself; then (0.9 − 0.82) + 0.08 is cut off.
    near(of("fnas", 0.8, &measured)?, 0.08);
    near(of("fnas", 0.9, &measured)?, 0.1);
    near(
        of("fnas", 0.8, &measured)?,
        0.8 - (0.8 * 0.82 + 0.2 * 0.8) + 0.08,
    );
    for name in ["co-exploration", "rl-interface", "hot-nas", "fnas"] {
        let reward = Reward::named(name, 5.0)?;
        assert_eq!(reward.name(), name);
        assert_eq!(
            reward.of_infeasible(),
            if name == "fnas" { -0.1 } else { -1.0 }
        );
    }
    let error = Reward::named("mnas", 5.0).expect_err("unknown").to_string();
    assert!(error.contains("hot-nas"), "{error}");
    assert!(Reward::co_exploration(1.5).is_err());
    Ok(())
}

#[test]
fn what_cannot_be_searched_is_refused() -> Result<(), CoexploreError> {
    let reward = Reward::co_exploration(0.5)?;
    assert!(SearchConfig::new(reward, 0, 1).is_err());
    assert!(
        SearchConfig::new(reward, 1, 1)?
            .with_fast_level(1, 1.5)
            .is_err()
    );
    assert!(CellSpace::new(Device::Fpga, 0.0).is_err());
    let space = CellSpace::new(Device::Eyeriss, 5.0)?;
    assert!(Evolution::new(&space, 5, 6).is_err());
    assert!(space.measure(&[0, 1]).is_err() && space.measure(&[5; 6]).is_err());
    Ok(())
}

proptest! {
    #[test]
    fn fronts_hold_what_nothing_dominates(
        points in prop::collection::vec((0_u32..12, 0_u32..12), 0..30),
    ) {
        let mut front = Front::default();
        for (child, (cost, value)) in points.iter().enumerate() {
            front.add(FrontPoint { cost: f64::from(*cost), value: f64::from(*value), child });
        }
        let dominated = |point: &(u32, u32)| points.iter().any(|other| {
            other.0 <= point.0 && other.1 >= point.1 && other != point
        });
        let mut expected: Vec<(u32, u32)> =
            points.iter().copied().filter(|point| !dominated(point)).collect();
        expected.sort_unstable();
        expected.dedup();
        let found: Vec<(u32, u32)> =
            front.points().iter().map(|p| (p.cost as u32, p.value as u32)).collect();
        prop_assert_eq!(found, expected);
        // Unit squares between the front and the reference (10, 2).
        let squares = (0..10)
            .flat_map(|cost| (2..12).map(move |value| (cost, value)))
            .filter(|(cost, value)| points.iter().any(|p| p.0 <= *cost && p.1 > *value));
        prop_assert_eq!(front.hypervolume(10.0, 2.0), squares.count() as f64);
    }
}
