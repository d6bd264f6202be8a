//! What is trained on what, and what the paper found.

use burgeon_npi::tasks::{Problem, Recursion, Task, named};
use burgeon_npi::training_sets::of_the_paper;

use crate::error::ExperimentError;

/// A task in one form with its training problems.
#[derive(Debug)]
pub(super) struct Setup {
    /// Its name among the units.
    pub method: &'static str,
    /// The task.
    pub task: &'static str,
    /// Loops or recursion.
    pub form: Recursion,
    /// Training problems: those of the paper's number and sizes that cover, or a single graph.
    pub single_graph: bool,
    /// Units of each LSTM layer.
    pub hidden: usize,
    /// Sizes of the problems it is tried on.
    pub sizes: &'static [usize],
    /// Percent solved in the paper, at each size; none where it says nothing.
    pub paper: &'static [Option<f64>],
    /// Seeds at quick scale.
    pub quick_seeds: usize,
}

const BUBBLE: &str = "bubble";
const QUICKSORT: &str = "quicksort";
const GRAPH: &str = "topological";
const RAW: &str = "bubble-raw";
const ADDITION: &str = "addition";

const NOTHING: &[Option<f64>] = &[None; 12];
const ALL: &[Option<f64>] = &[Some(100.0); 14];

const T1: &[usize] = &[2, 3, 4, 8, 20, 90];
const T2: &[usize] = &[5, 6, 7, 8, 70];
const T3: &[usize] = &[3, 5, 7, 11, 15, 20, 22, 25, 30, 70];
const T4: &[usize] = &[2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 70];
const SIZES: &[usize] = &[5, 7, 20, 70, 120];
const SUMS: &[usize] = &[1, 2, 3, 5, 10, 100, 1000, 5000];
/// Sums that a network without recursion is tried on: it fails far below.
const SHORT_SUMS: &[usize] = &[1, 2, 3, 5, 10, 100];

const fn some<const N: usize>(values: [f64; N]) -> [Option<f64>; N] {
    let mut all = [None; N];
    let mut index = 0;
    while index < N {
        all[index] = Some(values[index]);
        index += 1;
    }
    all
}

const T1_NONE: &[Option<f64>] = &some([100.0, 6.7, 10.0, 0.0, 0.0, 0.0]);
const T1_PARTIAL: &[Option<f64>] = &some([100.0, 23.0, 10.0, 0.0, 0.0, 0.0]);
const T2_NONE: &[Option<f64>] = &some([6.7, 6.7, 3.3, 0.0, 0.0]);
const T3_NONE: &[Option<f64>] =
    &some([100.0, 100.0, 100.0, 73.3, 60.0, 30.0, 20.0, 3.33, 3.33, 0.0]);
const T4_NONE: &[Option<f64>] = &some([
    100.0, 100.0, 100.0, 100.0, 90.0, 86.7, 6.7, 0.0, 0.0, 0.0, 0.0, 0.0,
]);

const fn setup(
    method: &'static str,
    task: &'static str,
    form: Recursion,
    hidden: usize,
    sizes: &'static [usize],
    paper: &'static [Option<f64>],
    quick_seeds: usize,
) -> Setup {
    Setup {
        method,
        task,
        form,
        single_graph: false,
        hidden,
        sizes,
        paper,
        quick_seeds,
    }
}

/// A setup that is trained on the paper's one graph.
const fn on_one_graph(setup: Setup) -> Setup {
    Setup {
        single_graph: true,
        ..setup
    }
}

use Recursion::{Full, None as Loops, Partial};

/// All setups, the quickest first.
pub(super) const SETUPS: &[Setup] = &[
    setup("bubble-full", BUBBLE, Full, 32, T4, ALL, 10),
    setup("quicksort-full", QUICKSORT, Full, 64, T3, ALL, 10),
    setup("topological-full", GRAPH, Full, 64, SIZES, NOTHING, 10),
    on_one_graph(setup("one-graph-full", GRAPH, Full, 64, T2, ALL, 10)),
    setup("bubble-none", BUBBLE, Loops, 64, T4, T4_NONE, 3),
    on_one_graph(setup("one-graph-none", GRAPH, Loops, 64, T2, T2_NONE, 3)),
    setup("quicksort-none", QUICKSORT, Loops, 64, T3, T3_NONE, 3),
    setup("topological-none", GRAPH, Loops, 64, SIZES, NOTHING, 3),
    setup("bubble-raw-none", RAW, Loops, 64, T1, T1_NONE, 3),
    setup("bubble-raw-partial", RAW, Partial, 64, T1, T1_PARTIAL, 3),
    setup("bubble-raw-full", RAW, Full, 96, T1, ALL, 3),
    setup("addition-none", ADDITION, Loops, 96, SHORT_SUMS, ALL, 1),
    setup("addition-full", ADDITION, Full, 96, SUMS, ALL, 3),
];

/// The setup of that name.
pub(super) fn setup_of(method: &str) -> Result<&'static Setup, ExperimentError> {
    let found = SETUPS.iter().find(|setup| setup.method == method);
    found.ok_or_else(|| ExperimentError::Settings(format!("`{method}` is no setup of this study")))
}

impl Setup {
    /// The task.
    pub fn task(&self) -> Result<&'static dyn Task, ExperimentError> {
        Ok(named(self.task)?)
    }

    /// The training problems.
    pub fn problems(&self, seed: u64) -> Result<Vec<Problem>, ExperimentError> {
        let task = self.task()?;
        if self.single_graph {
            let graph = ["5", "1-2", "1-5", "2-4", "2-5", "3-5"].map(String::from);
            return Ok(vec![task.parse(&graph)?]);
        }
        Ok(of_the_paper(task, seed)?)
    }

    /// The smallest problem of which a proof is asked: bubble sort is trained on longer lists, and
    /// its paper's set begins at two elements.
    pub fn least(&self) -> usize {
        if self.task == "bubble" { 2 } else { 1 }
    }

    /// Whether all that it can be asked is finite and known.
    pub fn has_proof(&self) -> bool {
        self.form == Full && self.task != "bubble-raw"
    }
}
