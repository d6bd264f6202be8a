//! Where the shards of a batch meet while they pass through a network.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use burgeon_core::Team;
use burgeon_nn::NnError;
use burgeon_nn::error::quietly;
use burgeon_ops::PartSums;

/// Why shards wait in vain.
const UNEQUAL: &str = "the shards of a batch do not pass the same batch normalisations: a forward \
                       pass that depends on its samples cannot be shared";

/// The shards of a batch that one rank has, each on a thread of its own. As many of them run at a
/// time as the rank has threads; who waits for a sum lets the next one run.
#[derive(Debug)]
pub(super) struct Meeting {
    team: Team,
    /// Pieces of the batch, on all ranks.
    pieces: usize,
    state: Mutex<State>,
    /// Of each shard: its turn has come.
    turns: Vec<Condvar>,
}

#[derive(Debug)]
struct State {
    /// Threads that may run beside those that do.
    free: usize,
    /// Shards that could run, in the order of their turns.
    ready: VecDeque<usize>,
    /// Whose turn has come.
    called: Vec<bool>,
    /// What each shard has given to the sum that is under way.
    given: Vec<Option<Vec<f64>>>,
    last: Vec<f64>,
    ended: usize,
    /// Why there will be no more sums.
    failed: Option<String>,
}

impl State {
    /// No more sums: who waits for one is told.
    fn fail(&mut self, problem: String) {
        self.failed.get_or_insert(problem);
        for (shard, given) in self.given.iter_mut().enumerate() {
            if given.take().is_some() {
                self.ready.push_back(shard);
            }
        }
    }
}

impl Meeting {
    /// Of so many shards of a batch of `pieces`, on as many `threads`.
    pub fn new(team: Team, pieces: usize, shards: usize, threads: usize) -> Self {
        Self {
            team,
            pieces,
            state: Mutex::new(State {
                free: threads.max(1),
                ready: VecDeque::with_capacity(shards),
                called: vec![false; shards],
                given: vec![None; shards],
                last: Vec::new(),
                ended: 0,
                failed: None,
            }),
            turns: (0..shards).map(|_| Condvar::new()).collect(),
        }
    }

    /// Runs the work of shard number `shard` when its turn comes. What fails ends the others too.
    pub fn run<R>(
        &self,
        shard: usize,
        work: impl FnOnce() -> Result<R, NnError>,
    ) -> Result<R, NnError> {
        let mut state = self.lock();
        state.ready.push_back(shard);
        drop(self.turn(state, shard));
        let found = quietly(work);
        let found = found.unwrap_or_else(|said| {
            Err(NnError::Ranks(format!(
                "the pass of a shard failed: {said}"
            )))
        });
        let mut state = self.lock();
        state.free += 1;
        state.ended += 1;
        match &found {
            Err(problem) => state.fail(problem.to_string()),
            Ok(_) if state.given.iter().any(Option::is_some) => state.fail(UNEQUAL.to_owned()),
            Ok(_) => {}
        }
        self.call(&mut state);
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

    /// Calls as many of those that could run as there are threads free.
    fn call(&self, state: &mut State) {
        while state.free > 0 {
            let Some(next) = state.ready.pop_front() else {
                return;
            };
            state.free -= 1;
            state.called[next] = true;
            self.turns[next].notify_one();
        }
    }

    /// Lets others run until it is this shard's turn.
    fn turn<'a>(&'a self, mut state: MutexGuard<'a, State>, shard: usize) -> MutexGuard<'a, State> {
        self.call(&mut state);
        while !state.called[shard] {
            let waited = self.turns[shard].wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.called[shard] = false;
        state
    }

    /// The sum of what all shards of all ranks give, `values` for shard number `shard` of this one.
    fn sum(&self, shard: usize, values: Vec<f64>) -> Result<Vec<f64>, String> {
        let mut state = self.lock();
        state.free += 1;
        state.given[shard] = Some(values);
        if state.failed.is_some() || state.ended > 0 {
            state.fail(UNEQUAL.to_owned());
        } else if state.given.iter().all(Option::is_some) {
            let mut sum = self.team.sum(self.pieces);
            let given = state.given.iter_mut().filter_map(Option::take);
            given.for_each(|values| sum.push(values));
            // All others wait.
            match sum.finish() {
                Ok(found) => state.last = found,
                Err(problem) => {
                    state.failed.get_or_insert_with(|| problem.to_string());
                }
            }
            state.ready = (0..state.given.len()).collect();
        }
        let state = self.turn(state, shard);
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
