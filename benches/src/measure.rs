//! Criterion benchmarks whose medians can be held against each other within one run.

use std::time::{Duration, Instant};

use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;

/// The median time of one benchmark, or nothing if it was filtered out.
pub type Median = Option<Duration>;

/// Runs `work` as the benchmark `name` of `group`.
pub fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, work: impl FnMut()) -> Median {
    bench_part(group, name, 1, work)
}

/// As [`bench()`], for a `work` that is too long to be repeated in full: it does one of `parts`
/// equal parts, and the time is counted as often. The name should say so.
pub fn bench_part(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    parts: u32,
    mut work: impl FnMut(),
) -> Median {
    let mut times = Vec::new();
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut total = Duration::ZERO;
            for _ in 0..iterations {
                let start = Instant::now();
                work();
                let time = start.elapsed() * parts;
                times.push(time);
                total += time;
            }
            total
        });
    });
    times.sort();
    times.get(times.len() / 2).copied()
}

/// How many times longer `slow` takes than `fast`.
pub fn ratio(slow: Median, fast: Median) -> Option<f64> {
    Some(slow?.as_secs_f64() / fast?.as_secs_f64())
}

/// Prints whether `found` is at least `goal`.
pub fn at_least(what: &str, goal: f64, found: Option<f64>) {
    if let Some(found) = found {
        print(what, &format!("at least {goal}"), found, found >= goal);
    }
}

/// Prints whether `found` is at most `goal`.
pub fn at_most(what: &str, goal: f64, found: Option<f64>) {
    if let Some(found) = found {
        print(what, &format!("at most {goal}"), found, found <= goal);
    }
}

fn print(what: &str, goal: &str, found: f64, holds: bool) {
    let verdict = if holds { "holds" } else { "DOES NOT HOLD" };
    println!("ratio: {what}: {found:.2} (goal {goal}): {verdict}");
}
