//! The controller's gradients against the expected reward itself, which a small space allows to
//! write down.

use burgeon_coexplore::{CoexploreError, Controller, ControllerConfig, Measured, Policy, Problem};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Two stages, of two and of one decisions: twelve children.
#[derive(Debug)]
struct Small;

impl Problem for Small {
    fn stages(&self) -> Vec<Vec<usize>> {
        vec![vec![2, 3], vec![2]]
    }

    fn measure(&self, _child: &[usize]) -> Result<Measured, CoexploreError> {
        Ok(Measured::new(&[0.5, 0.5], 1.0))
    }

    fn architecture(&self, child: &[usize]) -> Result<Vec<usize>, CoexploreError> {
        Ok(child.to_vec())
    }
}

fn children() -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    for a in 0..2 {
        for b in 0..3 {
            all.extend((0..2).map(|c| vec![a, b, c]));
        }
    }
    all
}

/// Rewards without any order in them.
fn reward(child: &[usize]) -> f64 {
    [
        0.3, -1.0, 0.8, 0.1, 0.5, 0.9, -0.2, 0.4, 1.0, -0.6, 0.7, 0.2,
    ][6 * child[0] + 2 * child[1] + child[2]]
}

/// A controller that prefers some children.
fn controller(learning_rate: f64) -> Result<Controller, CoexploreError> {
    let config = ControllerConfig {
        hidden: 3,
        learning_rate,
        ..ControllerConfig::default()
    };
    let mut controller = Controller::new(&Small, config, 11)?;
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for step in 0..40 {
        let child = controller.propose(&mut rng);
        controller.learn(&child, f64::from(step % 7) - reward(&child));
    }
    Ok(controller)
}

fn expected_reward(controller: &Controller) -> Result<f64, CoexploreError> {
    children()
        .iter()
        .map(|child| Ok(controller.probability(child)? * reward(child)))
        .sum()
}

/// The exact policy gradient, `Σ π(child) (R − b) ∇ log π(child)`.
fn policy_gradient(controller: &Controller, baseline: f64) -> Result<Vec<f64>, CoexploreError> {
    let mut sum = vec![0.0; controller.parameters().len()];
    for child in children() {
        let weight = controller.probability(&child)? * (reward(&child) - baseline);
        for (sum, part) in sum
            .iter_mut()
            .zip(controller.gradient(&child, weight, 0.0)?)
        {
            *sum += part;
        }
    }
    Ok(sum)
}

fn differences(
    controller: &Controller,
    of: &dyn Fn(&Controller) -> Result<f64, CoexploreError>,
) -> Result<Vec<f64>, CoexploreError> {
    const STEP: f64 = 1e-5;
    let parameters = controller.parameters();
    (0..parameters.len())
        .map(|at| {
            let moved = |by: f64| {
                let mut moved = parameters.clone();
                moved[at] += by;
                of(&controller.clone().with_parameters(&moved)?)
            };
            Ok((moved(STEP)? - moved(-STEP)?) / (2.0 * STEP))
        })
        .collect()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    let largest = expected.iter().map(|x| x.abs()).fold(0.0, f64::max);
    assert!(largest > 1e-3, "nothing to compare with");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() < 1e-8,
            "{at}: {found} and {expected}"
        );
    }
}

#[test]
fn probabilities_sum_to_one() -> Result<(), CoexploreError> {
    let controller = controller(0.05)?;
    let probabilities = children()
        .into_iter()
        .map(|child| controller.probability(&child));
    let sum: f64 = probabilities.collect::<Result<Vec<f64>, _>>()?.iter().sum();
    assert!((sum - 1.0).abs() < 1e-12);
    let fresh = Controller::new(&Small, ControllerConfig::default(), 0)?;
    assert!((fresh.probability(&[1, 2, 0])? - 1.0 / 12.0).abs() < 1e-12);
    assert!(fresh.probability(&[2, 0, 0]).is_err() && fresh.probability(&[0, 0]).is_err());
    Ok(())
}

#[test]
fn reinforce_follows_the_expected_reward() -> Result<(), CoexploreError> {
    let controller = controller(0.05)?;
    let expected = differences(&controller, &expected_reward)?;
    assert_near(&policy_gradient(&controller, 0.0)?, &expected);
    // A baseline changes nothing in the mean.
    assert_near(&policy_gradient(&controller, 0.37)?, &expected);
    Ok(())
}

/// The entropy's gradient, of decisions that a child passes.
#[test]
fn the_gradient_of_the_entropy_is_exact() -> Result<(), CoexploreError> {
    let controller = controller(0.05)?;
    let child = [1, 0, 1];
    let entropy = |controller: &Controller| {
        let probability = |child: &[usize]| controller.probability(child);
        let first: f64 = [0, 1]
            .map(|a| total(controller, &[a]))
            .iter()
            .map(plogp)
            .sum();
        let given = total(controller, &child[..1]);
        let second: f64 = [0, 1, 2]
            .map(|b| total(controller, &[1, b]) / given)
            .iter()
            .map(plogp)
            .sum();
        let given = total(controller, &child[..2]);
        let mut third = 0.0;
        for c in [0, 1] {
            third += plogp(&(probability(&[1, 0, c])? / given));
        }
        Ok(-(first + second + third))
    };
    let found = controller.gradient(&child, 0.0, 1.0)?;
    assert_near(&found, &differences(&controller, &entropy)?);
    Ok(())
}

fn plogp(p: &f64) -> f64 {
    p * p.ln()
}

/// The probability of all children that begin like this.
fn total(controller: &Controller, begin: &[usize]) -> f64 {
    let like = children()
        .into_iter()
        .filter(|child| child.starts_with(begin));
    like.map(|child| controller.probability(&child).unwrap_or(f64::NAN))
        .sum()
}

#[test]
fn a_baseline_lowers_the_variance() -> Result<(), CoexploreError> {
    let controller = controller(0.05)?;
    let mean = policy_gradient(&controller, 0.0)?;
    let mean: f64 = mean.iter().map(|part| part * part).sum();
    let variance = |baseline: f64| {
        let mut squares = 0.0;
        for child in children() {
            let gradient = controller.gradient(&child, reward(&child) + 2.0 - baseline, 0.0)?;
            let square: f64 = gradient.iter().map(|part| part * part).sum();
            squares += controller.probability(&child)? * square;
        }
        Ok::<f64, CoexploreError>(squares - mean)
    };
    // Rewards from 1 to 3.
    let (plain, with) = (
        variance(0.0)?,
        variance(expected_reward(&controller)? + 2.0)?,
    );
    assert!(
        with > 0.0 && with < 0.5 * plain,
        "{with} with a baseline, {plain} without"
    );
    Ok(())
}

#[test]
fn steps_along_the_exact_gradient_never_lower_the_expected_reward() -> Result<(), CoexploreError> {
    let mut controller = controller(0.05)?;
    let first = expected_reward(&controller)?;
    let mut last = first;
    for _ in 0..400 {
        let gradient = policy_gradient(&controller, 0.0)?;
        let parameters = controller.parameters().into_iter().zip(gradient);
        let moved: Vec<f64> = parameters
            .map(|(value, slope)| value + 0.05 * slope)
            .collect();
        controller = controller.with_parameters(&moved)?;
        let now = expected_reward(&controller)?;
        assert!(now >= last, "{now} after {last}");
        last = now;
    }
    assert!(last > first + 0.1);
    Ok(())
}

/// With rewards drawn, the policy comes to the best child.
#[test]
fn the_controller_finds_the_best_child() -> Result<(), CoexploreError> {
    let mut found = 0;
    for seed in 0..10 {
        let config = ControllerConfig {
            hidden: 8,
            learning_rate: 0.02,
            entropy: 0.05,
            ..ControllerConfig::default()
        };
        let mut controller = Controller::new(&Small, config, seed)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..1500 {
            let child = controller.propose(&mut rng);
            controller.learn(&child, reward(&child));
        }
        found += usize::from(controller.probability(&[1, 1, 0])? > 0.5);
    }
    assert!(found >= 8, "{found} of 10 seeds");
    Ok(())
}

#[test]
fn settings_are_checked() {
    let default = ControllerConfig::default();
    let wrong = [
        ControllerConfig {
            hidden: 0,
            ..default
        },
        ControllerConfig {
            learning_rate: f64::NAN,
            ..default
        },
        ControllerConfig {
            baseline: 1.0,
            ..default
        },
        ControllerConfig {
            entropy: -0.1,
            ..default
        },
    ];
    for config in wrong {
        assert!(Controller::new(&Small, config, 0).is_err(), "{config:?}");
    }
}
