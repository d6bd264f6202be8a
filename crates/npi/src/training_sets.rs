//! Problems to train on, of the sizes and numbers that the paper names.
//!
//! What a network never met in training it can only guess. So the problems have to *cover*: their
//! traces must hold the call sequences there are, which for random problems is a matter of luck.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::calls::CallSet;
use crate::error::NpiError;
use crate::tasks::{Problem, Recursion, Task};
use crate::verification::add_reached;

/// Random problems of each size that the greedy choice is made among.
const CANDIDATES: usize = 400;

/// Problems of these sizes, in this order: of 400 random ones of each size the one that adds most
/// call sequences of the fully recursive oracle, so that few problems cover much.
///
/// # Errors
/// Those of [`add_reached`].
pub fn covering(task: &dyn Task, sizes: &[usize], seed: u64) -> Result<Vec<Problem>, NpiError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut covered = CallSet::default();
    let mut chosen = Vec::new();
    for &size in sizes {
        let mut best: Option<(CallSet, Problem)> = None;
        for _ in 0..CANDIDATES {
            let problem = task.random(size, &mut rng);
            let mut with = covered.clone();
            add_reached(&mut with, task, Recursion::Full, problem.clone_box())?;
            if best
                .as_ref()
                .is_none_or(|(calls, _)| with.len() > calls.len())
            {
                best = Some((with, problem));
            }
        }
        if let Some((calls, problem)) = best {
            covered = calls;
            chosen.push(problem);
        }
    }
    Ok(chosen)
}

/// Random problems of these sizes.
pub fn random(task: &dyn Task, sizes: &[usize], seed: u64) -> Vec<Problem> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    sizes
        .iter()
        .map(|&size| task.random(size, &mut rng))
        .collect()
}

/// 200 sums: all 100 of two digits, and for every pair of digits a and b the sum of 1a9 and 1b1, in
/// which a carry comes into each column. (The paper trains on 200 and names 109 + 101.)
///
/// # Errors
/// None for addition; [`NpiError::Problem`] where `task` reads no two numbers.
pub fn covering_sums(task: &dyn Task) -> Result<Vec<Problem>, NpiError> {
    let pairs = (0..10).flat_map(|a| (0..10).map(move |b| (a, b)));
    let sums = pairs.flat_map(|(a, b)| {
        [
            [a.to_string(), b.to_string()],
            [format!("1{a}9"), format!("1{b}1")],
        ]
    });
    sums.map(|sum| task.parse(&sum)).collect()
}

/// 100 lists of two digits: every ordered pair.
///
/// # Errors
/// None for the tasks that sort; [`NpiError::Problem`] where `task` reads no lists.
pub fn digit_pairs(task: &dyn Task) -> Result<Vec<Problem>, NpiError> {
    let pairs = (0..10).flat_map(|a| (0..10).map(move |b| [a, b]));
    pairs
        .map(|pair| task.parse(&pair.map(|digit: u8| digit.to_string())))
        .collect()
}

/// The training set of a task that covers, of the paper's sizes: four lists of 5 for quicksort, two
/// of 7 and one of 6 for bubble sort, one graph of 5 and five of 7 vertices, 200 sums, and all pairs
/// of digits for bubble sort that sees them.
///
/// # Errors
/// [`NpiError::UnknownTask`] for another task.
pub fn of_the_paper(task: &dyn Task, seed: u64) -> Result<Vec<Problem>, NpiError> {
    match task.name() {
        "addition" => covering_sums(task),
        "bubble-raw" => digit_pairs(task),
        "bubble" => covering(task, &[7, 7, 6], seed),
        "quicksort" => covering(task, &[5; 4], seed),
        "topological" => covering(task, &[5, 7, 7, 7, 7, 7], seed),
        other => Err(NpiError::UnknownTask {
            name: other.to_owned(),
            known: crate::tasks::all().map(|task| task.name()).join(", "),
        }),
    }
}
