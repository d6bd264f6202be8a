//! A world of MPI.

use std::fmt::{self, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use burgeon_core::World;
use burgeon_core::world::WorldError;
use ferrompi::{Communicator, Mpi, ThreadLevel};

/// Runs `work` on this process's rank of the world in which `mpiexec` has started it, alone where
/// none has. It is to be called once in a process, from its main thread.
///
/// An error of any rank, or a panic, ends the processes of all ranks by `MPI_Abort`, after the rank
/// has said why on its standard error: others wait for it, and would do so for ever.
///
/// ```no_run
/// use burgeon_core::Team;
/// use burgeon_core::world::WorldError;
/// use burgeon_distributed::mpi;
///
/// # fn main() -> Result<(), WorldError> {
/// // The sum of ten pieces, on as many processes as `mpiexec` has started.
/// let sum = mpi::run(|world| -> Result<Vec<f64>, WorldError> {
///     let team = Team::new(world)?;
///     let mut sum = team.sum(10);
///     team.own(10).for_each(|piece| sum.push(vec![piece as f64]));
///     sum.finish()
/// })?;
/// assert_eq!(sum, [45.0]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`WorldError::Lost`] if MPI cannot be started.
pub fn run<R, E: Display>(
    work: impl FnOnce(Arc<dyn World>) -> Result<R, E>,
) -> Result<R, WorldError> {
    let lost = |problem: &dyn Display| WorldError::Lost(problem.to_string());
    // The last shard of a batch that arrives calls MPI for all, on its own thread.
    let mpi = Mpi::init_thread(ThreadLevel::Serialized).map_err(|problem| lost(&problem))?;
    if mpi.thread_level() < ThreadLevel::Serialized {
        let level = mpi.thread_level();
        return Err(lost(&format!(
            "this MPI lets one thread call it ({level:?}), and all of them must be able to, one at a \
             time: build or load it with support for threads"
        )));
    }
    let world = Process {
        communicator: mpi.world(),
    };
    let rank = world.rank();
    // What `work` holds is not used again if it fails.
    let found = catch_unwind(AssertUnwindSafe(|| work(Arc::new(world))));
    match found {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(problem)) => {
            eprintln!("rank {rank}: {problem}");
            mpi.world().abort(1)
        }
        // The panic has been printed.
        Err(_) => {
            eprintln!("rank {rank}: panicked");
            mpi.world().abort(1)
        }
    }
}

/// A rank that is a process.
struct Process {
    communicator: Communicator,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("rank", &self.rank())
            .field("size", &self.size())
            .finish()
    }
}

impl Process {
    fn counts(&self, own: &[i32]) -> Result<Vec<i32>, WorldError> {
        let mut counts = vec![0; own.len()];
        let found = self.communicator.alltoall(own, &mut counts);
        found.map_err(|problem| WorldError::Lost(problem.to_string()))?;
        Ok(counts)
    }
}

impl World for Process {
    fn rank(&self) -> usize {
        usize::try_from(self.communicator.rank()).unwrap_or(0)
    }

    fn size(&self) -> usize {
        usize::try_from(self.communicator.size()).unwrap_or(1)
    }

    fn exchange(&self, parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, WorldError> {
        let sizes: Vec<i32> = parts
            .iter()
            .map(|part| size(part))
            .collect::<Result<_, _>>()?;
        let sent = starts(&sizes)?;
        let counts = self.counts(&sizes)?;
        let places = starts(&counts)?;
        let mut received = vec![0_u8; counts.iter().map(|count| *count as usize).sum()];
        let parts = parts.concat();
        let communicator = &self.communicator;
        communicator
            .alltoallv(&parts, &sizes, &sent, &mut received, &counts, &places)
            .map_err(|problem| WorldError::Lost(problem.to_string()))?;
        Ok(cut(&received, &counts))
    }

    fn all_gather(&self, own: Vec<u8>) -> Result<Vec<Vec<u8>>, WorldError> {
        let lost = |problem: ferrompi::Error| WorldError::Lost(problem.to_string());
        let mut counts = vec![0; self.size()];
        let count = size(&own)?;
        self.communicator
            .allgather(&[count], &mut counts)
            .map_err(lost)?;
        let places = starts(&counts)?;
        let mut received = vec![0_u8; counts.iter().map(|count| *count as usize).sum()];
        self.communicator
            .allgatherv(&own, &mut received, &counts, &places)
            .map_err(lost)?;
        Ok(cut(&received, &counts))
    }
}

/// The size of a message as MPI counts.
fn size(message: &[u8]) -> Result<i32, WorldError> {
    i32::try_from(message.len()).map_err(|_| too_long(message.len()))
}

fn too_long(bytes: usize) -> WorldError {
    WorldError::Lost(format!(
        "{bytes} bytes at once are more than MPI's calls count"
    ))
}

/// Where parts of these sizes start.
fn starts(counts: &[i32]) -> Result<Vec<i32>, WorldError> {
    let mut starts = Vec::with_capacity(counts.len());
    let mut at = 0_i32;
    for count in counts {
        starts.push(at);
        let next = at.checked_add(*count);
        at = next.ok_or_else(|| too_long(i32::MAX as usize))?;
    }
    Ok(starts)
}

fn cut(received: &[u8], counts: &[i32]) -> Vec<Vec<u8>> {
    let mut rest = received;
    let part = |count: &i32| {
        let (part, behind) = rest.split_at((*count as usize).min(rest.len()));
        rest = behind;
        part.to_vec()
    };
    counts.iter().map(part).collect()
}
