//! The closed sets against what problems really lead to.

use burgeon_npi::calls::CallSet;
use burgeon_npi::controller::Controller;
use burgeon_npi::interpreter::run;
use burgeon_npi::oracle::{Oracle, OraclePosition};
use burgeon_npi::program::{Call, Decision, Observation};
use burgeon_npi::tasks::{self, Recursion, Task};
use burgeon_npi::verification::{reached, verify};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn task(name: &str) -> &'static dyn Task {
    tasks::named(name).expect("there")
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn closed(name: &str) -> CallSet {
    task(name).closed_set(1).expect("closed")
}

fn exhaustive(name: &str, sizes: std::ops::RangeInclusive<usize>) -> CallSet {
    let problems = sizes.flat_map(|size| task(name).exhaustive(size));
    reached(task(name), Recursion::Full, problems).expect("runs")
}

fn one(name: &str, text: &str) -> CallSet {
    let problem = task(name).parse(&words(text)).expect("a problem");
    reached(task(name), Recursion::Full, [problem]).expect("runs")
}

fn counts(calls: &CallSet) -> Vec<usize> {
    calls.by_program().into_values().collect()
}

/// What is not in the closed set would break a proof.
fn assert_inside(found: &CallSet, closed: &CallSet) {
    let outside: Vec<_> = found.difference(closed).take(3).collect();
    assert!(outside.is_empty(), "{outside:?}");
}

/// The size, the count of each program, of prefixes, and the longest.
fn size(calls: &CallSet) -> (usize, Vec<usize>, usize, usize) {
    (
        calls.len(),
        counts(calls),
        calls.prefixes(),
        calls.longest(),
    )
}

#[test]
fn quicksort_has_32_calls() {
    let closed = closed("quicksort");
    assert_eq!(size(&closed), (32, vec![5, 2, 10, 3, 12], 116, 12));
    assert!(exhaustive("quicksort", 1..=4).len() < 32);
    let five = exhaustive("quicksort", 1..=5);
    assert_inside(&five, &closed);
    assert_eq!(five.len(), 32);
    assert_eq!(one("quicksort", "8 2 1 2 0 8 5 8 3 7").len(), 32);
    assert_eq!(one("quicksort", "1 2 1 0 2 1 1").len(), 32);
}

#[test]
fn bubble_sort_has_31_calls_and_29_from_two_elements_on() {
    let closed = closed("bubble");
    assert_eq!(size(&closed), (31, vec![3, 3, 2, 7, 2, 3, 11], 76, 4));
    let four = exhaustive("bubble", 1..=4);
    assert_inside(&four, &closed);
    assert_eq!(four.len(), 31);
    let from_two = task("bubble").closed_set(2).expect("closed");
    assert_eq!((from_two.len(), from_two.prefixes()), (29, 71));
    let from_two = exhaustive("bubble", 2..=5);
    assert_eq!((from_two.len(), from_two.prefixes()), (29, 71));
    assert_eq!(one("bubble", "3 4 1 9 2 5 4 1 2 2").len(), 29);
}

#[test]
fn topological_sort_has_59_calls() {
    let closed = closed("topological");
    assert_eq!(size(&closed), (59, vec![12, 4, 12, 17, 8, 6], 167, 8));
    assert!(exhaustive("topological", 1..=4).len() < 59);
    let five = exhaustive("topological", 1..=5);
    assert_inside(&five, &closed);
    assert_eq!(five.len(), 59);
}

/// 100 sums of digits, 81 leading columns with a carry into them, and every pair of neighbouring
/// columns with and without one.
#[test]
fn addition_has_40666_calls_and_the_papers_20181_sums_lead_to_all() {
    let closed = closed("addition");
    let expected = (40_666, vec![20_183, 201, 100, 20_182], 104_598, 5);
    assert_eq!(size(&closed), expected);
    let mut sums = Vec::new();
    for a in 0..100 {
        sums.push(format!("{} {}", a / 10, a % 10));
        if a / 10 > 0 && a % 10 > 0 {
            sums.push(format!("{}5 {}5", a / 10, a % 10));
        }
    }
    for columns in 0..10_000 {
        let [a, b, c, d] = [1000, 100, 10, 1].map(|place| columns / place % 10);
        // A carry into the lower of the two columns, or the lower one rightmost.
        sums.push(format!("1{a}{b}5 1{c}{d}5"));
        sums.push(format!("1{a}{b} 1{c}{d}"));
    }
    assert_eq!(sums.len(), 20_181);
    let problems = sums
        .iter()
        .map(|sum| task("addition").parse(&words(sum)).expect("a sum"));
    let found = reached(task("addition"), Recursion::Full, problems).expect("runs");
    assert_inside(&found, &closed);
    assert_eq!(found.len(), closed.len());
}

#[test]
fn large_random_problems_add_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for name in ["quicksort", "bubble", "topological", "addition"] {
        let closed = closed(name);
        let problems = (0..150).map(|_| {
            let size = rng.random_range(1..=70);
            task(name).random(size, &mut rng)
        });
        let problems: Vec<_> = problems.collect();
        let found = reached(task(name), Recursion::Full, problems).expect("runs");
        assert_inside(&found, &closed);
    }
}

#[test]
fn without_recursion_the_set_grows_without_end() {
    let mut last = 0;
    for size in 2..=6 {
        let problems = task("bubble")
            .exhaustive(size.min(5))
            .chain(std::iter::once(
                task("bubble")
                    .parse(&vec!["1".into(); size])
                    .expect("a list"),
            ));
        let found = reached(task("bubble"), Recursion::None, problems).expect("runs");
        assert!(found.longest() > last);
        last = found.longest();
    }
    let error = task("bubble-raw")
        .closed_set(1)
        .expect_err("unbounded")
        .to_string();
    assert!(error.contains("prove `bubble`"), "{error}");
}

/// Right but for one decision of one program.
struct Flawed {
    oracle: Oracle,
    flaw: fn(Call, Observation, Decision) -> Decision,
}

impl Controller for Flawed {
    type Position = (Call, OraclePosition);

    fn enter(&mut self, call: Call) -> Self::Position {
        (call, self.oracle.enter(call))
    }

    fn step(&mut self, at: &mut Self::Position, observation: Observation) -> Decision {
        let right = self.oracle.step(&mut at.1, observation);
        (self.flaw)(at.0, observation, right)
    }
}

#[test]
fn a_flaw_that_random_tests_may_miss_is_found() {
    let task = task("topological");
    let closed = task.closed_set(1).expect("closed");
    let mut oracle = task.oracle(Recursion::Full).expect("there");
    let mut same = oracle;
    assert!(verify(&closed, &mut oracle, &mut same).is_proved());
    let instructions = task.instructions();
    let mut flawed = Flawed {
        oracle,
        flaw: |call, observation, right| match (call.program.0, observation) {
            // NEXT_START at the end of the graph.
            (5, [3, 3, 1, 0]) => Decision::Call(Call::plain(call.program)),
            _ => right,
        },
    };
    let verdict = verify(&closed, &mut oracle, &mut flawed);
    assert_eq!((verdict.sequences, verdict.prefixes), (59, 167));
    assert_eq!(verdict.wrong.len(), 3, "{:?}", verdict.wrong);
    let text = verdict.wrong[0].text(instructions);
    let said = [
        "NEXT_START()",
        "does NEXT_START(), and should return",
        "start=none",
    ];
    assert!(said.iter().all(|part| text.contains(part)), "{text}");
    // And it never ends, which the bound tells.
    let mut problem = task.parse(&words("3 1-2")).expect("a graph");
    let error = run(instructions, &mut flawed, problem.as_mut(), 5000, &mut ());
    let error = error.expect_err("no end").to_string();
    assert!(
        error.contains("5000 steps") && error.contains("calls open"),
        "{error}"
    );
}
