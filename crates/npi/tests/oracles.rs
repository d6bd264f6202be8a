//! Oracles against plain sorting, integer addition and a topological check.

use burgeon_npi::NpiError;
use burgeon_npi::interpreter::{Step, run};
use burgeon_npi::program::Decision;
use burgeon_npi::tasks::{self, Graph, Recursion, Task};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const FORMS: [Recursion; 3] = [Recursion::None, Recursion::Partial, Recursion::Full];

fn solve(task: &dyn Task, form: Recursion, words: &[String]) -> String {
    let mut problem = task.parse(words).expect("a problem");
    let mut oracle = task.oracle(form).expect("there");
    run(
        task.instructions(),
        &mut oracle,
        problem.as_mut(),
        1_000_000,
        &mut (),
    )
    .expect("runs");
    assert!(problem.is_solved(), "{}", problem.text());
    problem.text()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// What is right is computed here by other means than in the crate.
#[test]
fn every_form_solves_a_hundred_thousand_random_problems() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut solved = 0;
    for _ in 0..8_400 {
        let size = rng.random_range(1..=12);
        let list: Vec<u8> = (0..size).map(|_| rng.random_range(0..=9)).collect();
        let given: Vec<String> = list.iter().map(u8::to_string).collect();
        let mut sorted = given.clone();
        sorted.sort();
        let [a, b] = [0, 1].map(|_| {
            let low = 10_u64.pow(size - 1);
            rng.random_range(if size == 1 { 0 } else { low }..low * 10)
        });
        for form in FORMS {
            for name in ["bubble", "bubble-raw", "quicksort"] {
                let task = tasks::named(name).expect("there");
                if task.bodies(form).is_some() {
                    let text = solve(task, form, &given);
                    assert_eq!(text, format!("{} -> {}", given.join(" "), sorted.join(" ")));
                    solved += 1;
                }
            }
            let task = tasks::named("addition").expect("there");
            if task.bodies(form).is_some() {
                let text = solve(task, form, &words(&format!("{a} {b}")));
                assert_eq!(text, format!("{a} + {b} = {}", a + b));
                solved += 1;
            }
        }
        for form in [Recursion::None, Recursion::Full] {
            check_order(&mut rng, form);
            solved += 1;
        }
    }
    assert!(solved >= 100_000, "{solved}");
}

fn check_order(rng: &mut ChaCha8Rng, form: Recursion) {
    let size = rng.random_range(1..=9);
    let density = rng.random_range(0.0..1.0);
    let mut edges = Vec::new();
    // Vertex numbers are no order: 1, 3, 5 … before 2, 4, 6 …
    let rank = |v: usize| (v.is_multiple_of(2), v);
    for from in 1..=size {
        for to in 1..=size {
            if rank(from) < rank(to) && rng.random_bool(density) {
                edges.push((from, to));
            }
        }
    }
    let given: Vec<String> = edges.iter().map(|(a, b)| format!("{a}-{b}")).collect();
    let task = tasks::named("topological").expect("there");
    let text = solve(task, form, &words(&format!("{size} {}", given.join(" "))));
    let (_, order) = text.split_once(" -> ").expect("an order");
    let order: Vec<usize> = words(order)
        .iter()
        .map(|v| v.parse().expect("a vertex"))
        .collect();
    let place = |vertex: usize| {
        order
            .iter()
            .position(|v| *v == vertex)
            .expect("in the order")
    };
    assert_eq!(order.len(), size);
    assert!(
        edges.iter().all(|(from, to)| place(*from) < place(*to)),
        "{text}"
    );
}

#[test]
fn random_problems_of_the_tasks_are_solved_at_any_size() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for task in tasks::all() {
        for size in [1, 2, 3, 10, 70, 120] {
            for form in FORMS {
                let Ok(mut oracle) = task.oracle(form) else {
                    continue;
                };
                let mut problem = task.random(size, &mut rng);
                run(
                    task.instructions(),
                    &mut oracle,
                    problem.as_mut(),
                    u64::MAX,
                    &mut (),
                )
                .expect("runs");
                assert!(problem.is_solved(), "{}", problem.text());
            }
        }
    }
}

#[test]
fn a_trace_reads_as_in_the_paper() {
    let task = tasks::named("addition").expect("there");
    let mut problem = task.parse(&words("7 5")).expect("a problem");
    let mut trace: Vec<Step> = Vec::new();
    let mut oracle = task.oracle(Recursion::Full).expect("there");
    let steps = run(
        task.instructions(),
        &mut oracle,
        problem.as_mut(),
        1000,
        &mut trace,
    );
    assert_eq!(steps.expect("runs") as usize, trace.len());
    let lines: Vec<String> = trace
        .iter()
        .filter(|step| step.decision != Decision::Return)
        .map(|step| task.instructions().decision_text(step.decision))
        .collect();
    let shift = [
        "PTR(INP1, LEFT)",
        "PTR(INP2, LEFT)",
        "PTR(CARRY, LEFT)",
        "PTR(OUT, LEFT)",
    ];
    let mut expected = vec!["ADD1()", "WRITE(OUT, 2)", "CARRY()", "PTR(CARRY, LEFT)"];
    expected.extend(["WRITE(CARRY, 1)", "PTR(CARRY, RIGHT)", "LSHIFT()"]);
    expected.extend(shift);
    expected.extend(["ADD()", "ADD1()", "WRITE(OUT, 1)", "LSHIFT()"]);
    expected.extend(shift);
    expected.push("ADD()");
    assert_eq!(lines, expected);
}

#[test]
fn bad_input_is_refused_by_name() {
    let refused = |task: &str, text: &str| {
        let task = tasks::named(task).expect("there");
        task.parse(&words(text)).expect_err(text)
    };
    for task in ["quicksort", "bubble", "bubble-raw"] {
        let error = refused(task, "1 12 3");
        assert_eq!(error, NpiError::ValueOutOfRange { value: "12".into() });
        for wrong in ["-1", "x", "1.5", "256"] {
            assert!(matches!(
                refused(task, wrong),
                NpiError::ValueOutOfRange { .. }
            ));
        }
        assert!(refused(task, "").to_string().contains("empty list"));
    }
    let error = refused("addition", "12 345");
    assert_eq!(
        error,
        NpiError::UnequalLengths {
            first: 2,
            second: 3
        }
    );
    assert!(
        refused("addition", "012 345")
            .to_string()
            .contains("leading zeros")
    );
    assert!(
        refused("addition", "12")
            .to_string()
            .contains("two numbers")
    );
    assert!(matches!(
        refused("addition", "1x 22"),
        NpiError::ValueOutOfRange { .. }
    ));
    let error = refused("topological", "4 1-2 2-3 3-2");
    let cycle = "2 -> 3 -> 2".into();
    assert_eq!(error, NpiError::CyclicGraph { cycle });
    let error = refused("topological", "1 1-1").to_string();
    assert!(error.contains("1 -> 1"), "{error}");
    assert!(
        refused("topological", "3 1-4")
            .to_string()
            .contains("leaves the graph")
    );
    assert!(
        refused("topological", "3 0-1")
            .to_string()
            .contains("leaves the graph")
    );
    assert!(
        refused("topological", "3 1-2 1-2")
            .to_string()
            .contains("twice")
    );
    assert!(
        refused("topological", "3 1:2")
            .to_string()
            .contains("not readable")
    );
    assert!(
        refused("topological", "0")
            .to_string()
            .contains("0 vertices")
    );
    assert!(
        refused("topological", "18446744073709551615")
            .to_string()
            .contains("vertices")
    );
    assert!(Graph::new(3, &[(1, 2), (2, 3)]).is_ok());
    let error = tasks::named("heapsort").expect_err("unknown").to_string();
    assert!(
        error.contains("quicksort") && error.contains("heapsort"),
        "{error}"
    );
}
