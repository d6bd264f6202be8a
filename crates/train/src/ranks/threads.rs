//! The threads of shards.

use std::sync::{Arc, Mutex, PoisonError};

use burgeon_nn::NnError;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// A pool for each shard that a rank has, kept from batch to batch. Shards wait for each other, so
/// that no two can be on one thread; the operations of each run on its own pool, without a word to
/// other threads where that has one, which is cheaper than the work of a small shard.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShardThreads {
    pools: Arc<Mutex<Vec<ThreadPool>>>,
}

impl ShardThreads {
    /// Runs `work` of each number below `shards`, on as many pools at once.
    ///
    /// # Errors
    /// [`NnError::Ranks`] if the system has no more threads.
    pub fn run<R: Send>(
        &self,
        shards: usize,
        work: &(impl Fn(usize) -> R + Sync),
    ) -> Result<Vec<R>, NnError> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        // As many of them run at a time as there are threads, or all with several threads each.
        let threads = (rayon::current_num_threads() / shards.max(1)).max(1);
        let fits = |pool: &ThreadPool| pool.current_num_threads() == threads;
        if !pools.iter().all(fits) {
            pools.clear();
        }
        while pools.len() < shards {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.map_err(|problem| {
                NnError::Ranks(format!(
                    "{shards} shards on this rank need a thread each: {problem}"
                ))
            })?;
            pools.push(pool);
        }
        let mut found: Vec<Option<R>> = (0..shards).map(|_| None).collect();
        start(&pools, 0, &mut found, work);
        Ok(found.into_iter().flatten().collect())
    }
}

/// Runs the work of all places from number `first` on, and waits for it.
fn start<R: Send>(
    pools: &[ThreadPool],
    first: usize,
    found: &mut [Option<R>],
    work: &(impl Fn(usize) -> R + Sync),
) {
    let (Some((pool, pools)), Some((place, rest))) = (pools.split_first(), found.split_first_mut())
    else {
        return;
    };
    pool.in_place_scope(|scope| {
        scope.spawn(move |_| *place = Some(work(first)));
        start(pools, first + 1, rest, work);
    });
}
