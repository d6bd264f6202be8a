//! What each rank runs.

#[path = "../../tests/ranks/digits.rs"]
mod digits;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use burgeon_backend_flex::FLEX;
use burgeon_core::world::WorldError;
use burgeon_core::{CoreError, Team, World};
use burgeon_distributed::mpi;
use burgeon_nn::NnError;
use burgeon_train::observer::{Event, Observer};
use burgeon_train::{Advance, Grower};

/// What may be asked for.
struct Options {
    samples: usize,
    width: usize,
    /// Without any, one rank trains on whole batches, as a program without a world does.
    shards: usize,
    batch: usize,
    capture: usize,
    checkpoint: Option<PathBuf>,
    /// The rank that is to fail after its second epoch.
    fails: Option<usize>,
    /// The rank that is to be killed there.
    killed: Option<usize>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            samples: 400,
            width: 2,
            shards: Team::SHARDS,
            batch: 128,
            capture: 200,
            checkpoint: None,
            fails: None,
            killed: None,
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next();
            let value = value.ok_or_else(|| format!("`{name}` needs a value"))?;
            let number = || {
                let number = value.parse::<usize>();
                number.map_err(|_| format!("`{name} {value}`: a number is needed"))
            };
            match name.as_str() {
                "--samples" => options.samples = number()?,
                "--width" => options.width = number()?,
                "--shards" => options.shards = number()?,
                "--batch" => options.batch = number()?,
                "--capture" => options.capture = number()?,
                "--checkpoint" => options.checkpoint = Some(value.into()),
                "--fail" => options.fails = Some(number()?),
                "--kill" => options.killed = Some(number()?),
                _ => return Err(format!("`{name}` is no option")),
            }
        }
        Ok(options)
    }
}

/// Trains and grows on this process's rank.
pub fn run(arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(arguments)?;
    Ok(mpi::run(|world| on_rank(world, &options))?)
}

fn on_rank(world: Arc<dyn World>, options: &Options) -> Result<(), NnError> {
    let rank = world.rank();
    let world = Arc::new(Counted {
        world,
        bytes: AtomicU64::new(0),
        messages: AtomicU64::new(0),
        waited: AtomicU64::new(0),
    });
    let config = digits::config()?
        .with_batch_size(options.batch)
        .with_capture_samples(options.capture);
    let (task, net) = (
        digits::task(options.samples)?,
        digits::ConvNet::new(options.width),
    );
    let mut grower = Grower::new(config, FLEX, task, net, digits::adam())?;
    if options.shards > 0 {
        let team = Team::of(world.clone(), options.shards).map_err(CoreError::from)?;
        grower = grower.with_team(team)?;
    }
    if let Some(path) = &options.checkpoint {
        grower = grower.checkpoint_at(path)?;
    }
    let ends = [(options.fails, false), (options.killed, true)];
    for (_, kills) in ends.iter().filter(|(whose, _)| *whose == Some(rank)) {
        grower = grower.observe(Ending { kills: *kills });
    }
    loop {
        let (started, before, busy) = (Instant::now(), world.sent(), world.busy());
        let advance = grower.advance()?;
        let seconds = started.elapsed().as_secs_f64();
        let [bytes, messages] = world.sent();
        let (bytes, messages) = (bytes - before[0], messages - before[1]);
        let what = match advance {
            Advance::Ended(_) => break,
            Advance::Epoch => "epoch",
            Advance::GrowthStep => "growth",
        };
        if rank == 0 {
            let busy = world.busy().saturating_sub(busy) as f64 / 1e9;
            eprintln!(
                "{what} {seconds:.4} s, {busy:.4} s of processor time outside messages, {bytes} bytes \
                 in {messages} messages sent"
            );
        }
    }
    let own = digits::result(&grower)?;
    let all = world.all_gather(own.clone().into_bytes());
    let all = all.map_err(CoreError::from)?;
    if let Some(other) = all.iter().position(|other| other != own.as_bytes()) {
        let problem = format!("rank {other} came to something else than rank {rank}");
        return Err(NnError::Ranks(problem));
    }
    if rank == 0 {
        println!("{own}");
    }
    Ok(())
}

/// A world that counts what this rank sends to others.
#[derive(Debug)]
struct Counted {
    world: Arc<dyn World>,
    bytes: AtomicU64,
    messages: AtomicU64,
    /// Nanoseconds of processor time that threads took within messages.
    waited: AtomicU64,
}

impl Counted {
    fn sent(&self) -> [u64; 2] {
        [&self.bytes, &self.messages].map(|count| count.load(Ordering::Relaxed))
    }

    /// Nanoseconds of processor time that this rank took outside messages; 0 where the system does
    /// not tell.
    fn busy(&self) -> u64 {
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
        let threads = threads.filter_map(|thread| Some(taken(&thread.ok()?.path())));
        let all: u64 = threads.sum();
        all.saturating_sub(self.waited.load(Ordering::Relaxed))
    }

    /// What `message` gives, with the processor time that it takes.
    fn timed<R>(&self, message: impl FnOnce() -> R) -> R {
        let own = Path::new("/proc/thread-self");
        let before = taken(own);
        let found = message();
        let waited = taken(own).saturating_sub(before);
        self.waited.fetch_add(waited, Ordering::Relaxed);
        found
    }

    fn count(&self, parts: &[Vec<u8>]) {
        let others = parts.iter().enumerate();
        let others = others.filter(|(rank, part)| *rank != self.rank() && !part.is_empty());
        for (_, part) in others {
            self.bytes.fetch_add(part.len() as u64, Ordering::Relaxed);
            self.messages.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl World for Counted {
    fn rank(&self) -> usize {
        self.world.rank()
    }

    fn size(&self) -> usize {
        self.world.size()
    }

    fn exchange(&self, parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, WorldError> {
        self.count(&parts);
        self.timed(|| self.world.exchange(parts))
    }

    fn all_gather(&self, own: Vec<u8>) -> Result<Vec<Vec<u8>>, WorldError> {
        let parts = vec![own; self.size()];
        self.count(&parts);
        let own = parts.into_iter().next().unwrap_or_default();
        self.timed(|| self.world.all_gather(own))
    }
}

/// Nanoseconds of processor time of the thread at `path`, as Linux counts them.
fn taken(path: &Path) -> u64 {
    let told = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
    let first = told.split(' ').next();
    first.and_then(|taken| taken.parse().ok()).unwrap_or(0)
}

/// Ends a rank after its second epoch, as an error or a machine does.
struct Ending {
    kills: bool,
}

impl Observer for Ending {
    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        match event {
            Event::Epoch(record) if record.epoch == 2 => {
                if self.kills {
                    let process = std::process::id().to_string();
                    let killed = Command::new("kill").args(["-9", &process]).status();
                    killed.map_err(NnError::io("kill"))?;
                }
                Err(NnError::Data("this rank was told to fail".into()))
            }
            _ => Ok(()),
        }
    }
}
