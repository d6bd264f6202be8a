//! Where the shards of a batch meet while they pass through a network.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use burgeon_core::Team;
use burgeon_nn::NnError;
use burgeon_nn::error::quietly;
use burgeon_ops::PartSums;

/// Why shards wait in vain.
const UNEQUAL: &str = "the shards of a batch do not pass the same batch normalisations: a forward \
                       pass that depends on its samples cannot be shared";

/// The shards of a batch that one rank has, each on a thread of its own. As many of them run at a
/// time as the rank has threads; who waits for a sum lets another run.
#[derive(Debug)]
pub(super) struct Meeting {
    team: Team,
    /// Pieces of the batch, on all ranks.
    pieces: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Threads that may run beside those that do.
    free: usize,
    /// What each shard has given to the sum that is under way.
    given: Vec<Option<Vec<f64>>>,
    /// Sums made.
    sums: usize,
    last: Vec<f64>,
    ended: usize,
    /// Why there will be no more sums.
    failed: Option<String>,
}

impl Meeting {
    /// Of so many shards of a batch of `pieces`, on as many `threads`.
    pub fn new(team: Team, pieces: usize, shards: usize, threads: usize) -> Self {
        Self {
            team,
            pieces,
            state: Mutex::new(State {
                free: threads.max(1),
                given: vec![None; shards],
                sums: 0,
                last: Vec::new(),
                ended: 0,
                failed: None,
            }),
            changed: Condvar::new(),
        }
    }

    /// Runs the work of one shard when its turn comes. What fails ends the others too.
    pub fn run<R>(&self, work: impl FnOnce() -> Result<R, NnError>) -> Result<R, NnError> {
        drop(self.admitted(self.lock()));
        let found = quietly(work);
        let found = found.unwrap_or_else(|said| {
            Err(NnError::Ranks(format!(
                "the pass of a shard failed: {said}"
            )))
        });
        let mut state = self.lock();
        state.free += 1;
        state.ended += 1;
        let waits = state.given.iter().any(Option::is_some);
        if let Err(problem) = &found {
            state.failed.get_or_insert_with(|| problem.to_string());
        } else if waits {
            state.failed.get_or_insert_with(|| UNEQUAL.to_owned());
        }
        self.changed.notify_all();
        found
    }

    /// Whether the shards failed before `problem`, which is then no more than what they were told.
    pub fn told(&self, problem: &str) -> bool {
        let state = self.lock();
        let failed = state.failed.as_deref();
        failed.is_some_and(|failed| failed != problem && problem.contains(failed))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let state = self.changed.wait(state);
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn admitted<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while state.free == 0 {
            state = self.wait(state);
        }
        state.free -= 1;
        state
    }

    /// The sum of what all shards of all ranks give, `values` for shard number `shard` of this one.
    fn sum(&self, shard: usize, values: Vec<f64>) -> Result<Vec<f64>, String> {
        let mut state = self.lock();
        state.given[shard] = Some(values);
        state.free += 1;
        if state.ended > 0 {
            state.failed.get_or_insert_with(|| UNEQUAL.to_owned());
        }
        self.changed.notify_all();
        if state.failed.is_none() && state.given.iter().all(Option::is_some) {
            let mut sum = self.team.sum(self.pieces);
            let given = state.given.iter_mut().filter_map(Option::take);
            given.for_each(|values| sum.push(values));
            // All others wait here or at the ends of their passes.
            match sum.finish() {
                Ok(found) => state.last = found,
                Err(problem) => state.failed = Some(problem.to_string()),
            }
            state.sums += 1;
            self.changed.notify_all();
        } else {
            let before = state.sums;
            while state.sums == before && state.failed.is_none() {
                state = self.wait(state);
            }
        }
        state = self.admitted(state);
        match &state.failed {
            None => Ok(state.last.clone()),
            Some(problem) => Err(problem.clone()),
        }
    }
}

/// One shard's place at a meeting.
#[derive(Debug)]
pub(super) struct Seat {
    pub meeting: Arc<Meeting>,
    pub shard: usize,
}

impl PartSums for Seat {
    fn sum(&self, values: Vec<f64>) -> Result<Vec<f64>, String> {
        self.meeting.sum(self.shard, values)
    }
}
