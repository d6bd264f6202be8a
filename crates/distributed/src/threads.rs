//! A world of threads.

use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use burgeon_core::World;
use burgeon_core::world::WorldError;

/// Runs `work` on so many ranks, each a thread of its own, and gives what each found. Once one of
/// them has ended, with an error too, those who wait for it get [`WorldError::Lost`].
///
/// Ranks share what threads share, such as the random generator of a Burn device.
///
/// ```
/// use burgeon_core::Team;
/// use burgeon_core::world::WorldError;
/// use burgeon_distributed::threads;
///
/// // Ten pieces, numbered, whose sum is the same on one rank and on three.
/// let work = |world| -> Result<Vec<f64>, WorldError> {
///     let team = Team::new(world)?;
///     let mut sum = team.sum(10);
///     team.own(10).for_each(|piece| sum.push(vec![piece as f64]));
///     sum.finish()
/// };
/// for ranks in [1, 3] {
///     for found in threads::run(ranks, work) {
///         assert_eq!(found, Ok(vec![45.0]));
///     }
/// }
/// ```
///
/// # Panics
/// With the panic of a rank.
pub fn run<R: Send>(ranks: usize, work: impl Fn(Arc<dyn World>) -> R + Sync) -> Vec<R> {
    let ranks = ranks.max(1);
    let hall = Arc::new(Hall {
        state: Mutex::new(State {
            given: vec![None; ranks],
            taken: vec![true; ranks],
            gone: None,
        }),
        changed: Condvar::new(),
    });
    let on_rank = |rank: usize| {
        let world = Thread {
            rank,
            hall: hall.clone(),
        };
        // Says that the rank is gone, after a panic too.
        let _leaving = Leaving(&hall, rank);
        work(Arc::new(world))
    };
    let on_rank = &on_rank;
    thread::scope(|scope| {
        let started: Vec<_> = (0..ranks)
            .map(|rank| scope.spawn(move || on_rank(rank)))
            .collect();
        let ended = started.into_iter().map(|started| started.join());
        ended
            .map(|found| found.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

/// Where ranks exchange messages.
#[derive(Debug)]
struct Hall {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// What each rank has for each, in the exchange that is under way.
    given: Vec<Option<Vec<Vec<u8>>>>,
    /// Which ranks have what they were given in the last one.
    taken: Vec<bool>,
    /// The first rank that has ended.
    gone: Option<usize>,
}

impl Hall {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `is_so`.
    ///
    /// # Errors
    /// [`WorldError::Lost`] if a rank has ended before.
    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        is_so: impl Fn(&State) -> bool,
    ) -> Result<MutexGuard<'a, State>, WorldError> {
        while !is_so(&state) {
            if let Some(rank) = state.gone {
                return Err(WorldError::Lost(format!("rank {rank} has ended")));
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        Ok(state)
    }
}

struct Leaving<'a>(&'a Hall, usize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.lock().gone.get_or_insert(self.1);
        self.0.changed.notify_all();
    }
}

/// A rank that is a thread.
#[derive(Debug)]
struct Thread {
    rank: usize,
    hall: Arc<Hall>,
}

impl World for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.hall.lock().given.len()
    }

    fn exchange(&self, parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, WorldError> {
        let hall = &self.hall;
        // All must have what the last exchange gave them.
        let mut state = hall.wait(hall.lock(), |state| state.given[self.rank].is_none())?;
        state.given[self.rank] = Some(parts);
        state.taken[self.rank] = false;
        hall.changed.notify_all();
        let mut state = hall.wait(state, |state| state.given.iter().all(Option::is_some))?;
        let rank = self.rank;
        let own = state.given.iter_mut().flatten();
        let own = own.map(|parts| parts.get_mut(rank).map(std::mem::take).unwrap_or_default());
        let own = own.collect();
        state.taken[rank] = true;
        if state.taken.iter().all(|taken| *taken) {
            state.given.iter_mut().for_each(|given| *given = None);
            hall.changed.notify_all();
        }
        Ok(own)
    }
}
