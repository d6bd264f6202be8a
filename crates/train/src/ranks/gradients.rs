//! The gradients of a batch, shard by shard on all ranks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use burgeon_core::world::ShardSum;
use burgeon_core::{CoreError, Team};
use burgeon_nn::growable::{copy, predict_batch};
use burgeon_nn::{Growable, NnError, Samples};
use burgeon_ops::in_parts;
use burn::optim::GradientsParams;
use burn::tensor::{Device, TensorData};

use super::meeting::{Meeting, Seat};
use super::numbers::{Floats, flattened, gathered, with_running};
use super::threads::ShardThreads;

/// A batch that all ranks have.
pub(crate) struct Shared<'a, M: Growable> {
    pub team: &'a Team,
    pub model: &'a M,
    /// On a plain device.
    pub batch: &'a Samples<M::Input>,
    /// The model's.
    pub device: &'a Device,
    pub threads: &'a ShardThreads,
    /// Whether this rank is to end.
    pub interrupted: bool,
}

/// What a batch brings.
pub(crate) struct Step {
    pub loss: f64,
    pub gradients: GradientsParams,
    /// Of the batch normalisations, by [`Floats::running`].
    running: Vec<TensorData>,
}

impl Step {
    /// `model` with the running statistics after the batch.
    pub fn apply<M: Growable>(&mut self, model: M) -> M {
        with_running(model, std::mem::take(&mut self.running))
    }
}

/// What shards bring, added up as soon as those before them have ended.
struct Gathering<'a> {
    sum: ShardSum<'a>,
    next: usize,
    /// Of shards that ended before those before them.
    early: BTreeMap<usize, Vec<f64>>,
    /// Of this rank's first shard: they are the same in all.
    running: Vec<TensorData>,
}

impl Gathering<'_> {
    fn add(&mut self, shard: usize, numbers: Vec<f64>) {
        self.early.insert(shard, numbers);
        while let Some(numbers) = self.early.remove(&self.next) {
            self.sum.push(numbers);
            self.next += 1;
        }
    }
}

impl<M: Growable> Shared<'_, M> {
    /// The mean loss of the batch and its gradients, penalty included, the same bits on any number
    /// of ranks; `None` if any rank is to end. `gradients` finds the loss of a shard and, of so many
    /// times that loss, the gradients by the parameters of a copy of the model.
    ///
    /// # Errors
    /// Those of `gradients`; [`NnError::Core`] if a rank is gone, [`NnError::Ranks`] if a shard
    /// panics.
    pub fn step<G>(&self, gradients: &G) -> Result<Option<Step>, NnError>
    where
        G: Fn(&M, &Samples<M::Input>, f64) -> Result<(f64, GradientsParams), NnError> + Sync,
    {
        let count = self.batch.len();
        let pieces = self.team.pieces(count, count);
        let own = self.team.own(pieces.len());
        let threads = rayon::current_num_threads();
        let meeting = Meeting::new(self.team.clone(), pieces.len(), own.len(), threads);
        let meeting = Arc::new(meeting);
        let gathering = Mutex::new(Gathering {
            sum: self.team.sum(pieces.len()),
            next: 0,
            early: BTreeMap::new(),
            running: Vec::new(),
        });
        let work = |shard: usize| {
            let rows = pieces[own.start + shard].clone();
            let share = rows.len() as f64 / count as f64;
            let seat = Seat {
                meeting: meeting.clone(),
                shard,
            };
            meeting.run(shard, || {
                self.shard(rows, share, seat, gradients, &gathering)
            })
        };
        let found = self.threads.run(own.len(), &work)?;
        // What failed first says more than that the others wait in vain.
        let told = |error: &NnError| meeting.told(&error.to_string());
        let mut problem = None;
        for error in found.into_iter().filter_map(Result::err) {
            if problem.is_none() || !told(&error) {
                problem = Some(error);
            }
        }
        if let Some(problem) = problem {
            return Err(problem);
        }
        let gathering = gathering.into_inner();
        let Gathering { sum, running, .. } = gathering.unwrap_or_else(PoisonError::into_inner);
        let sum = sum.finish().map_err(CoreError::from)?;
        let [interrupted, loss, ..] = sum[..] else {
            return Err(NnError::Ranks("a batch without a shard".into()));
        };
        if interrupted > 0.0 {
            return Ok(None);
        }
        let penalty = self.model.penalty();
        let penalty =
            penalty.map(|penalty| GradientsParams::from_grads(penalty.backward(), self.model));
        Ok(Some(Step {
            loss,
            gradients: gathered(&sum[2..], self.model, penalty),
            running,
        }))
    }

    fn shard<G>(
        &self,
        rows: Range<usize>,
        share: f64,
        seat: Seat,
        gradients: &G,
        gathering: &Mutex<Gathering<'_>>,
    ) -> Result<(), NnError>
    where
        G: Fn(&M, &Samples<M::Input>, f64) -> Result<(f64, GradientsParams), NnError>,
    {
        // A graph of its own: Burn locks a graph while it goes back through it.
        let model = copy(self.model);
        let samples = self.batch.piece(rows)?.to_autodiff_of(self.device);
        let shard = seat.shard;
        let found = in_parts(Arc::new(seat), || gradients(&model, &samples, share));
        let (loss, gradients) = found?;
        let pieces = self.team.pieces(self.batch.len(), self.batch.len()).len();
        // Where no rank hears of another's shards, none hears of its interrupt either.
        let hears = self.team.ranks() == 1 || self.team.shares(pieces);
        let interrupted = self.interrupted && hears && shard == 0;
        let mut numbers = vec![f64::from(u8::from(interrupted)), loss * share];
        numbers.extend(flattened(&gradients, &model)?);
        let mut gathering = gathering.lock().unwrap_or_else(PoisonError::into_inner);
        gathering.add(shard, numbers);
        if shard == 0 {
            // A copy has what the last pass left, the model itself what was there before.
            gathering.running = Floats::running(&copy(&model));
        }
        Ok(())
    }
}

/// Checks that the forward pass of `model` in training answers the same twice and leaves the model
/// as it is: each shard of a batch has one of its own.
///
/// # Errors
/// [`NnError::Settings`] that names what changes.
pub(crate) fn check_repeats<M: Growable>(
    model: &M,
    few: &Samples<M::Input>,
    device: &Device,
) -> Result<(), NnError> {
    let model = copy(model);
    let before = Floats::of(&model).others;
    let few = few.to_autodiff_of(device);
    let answer =
        || -> Result<TensorData, NnError> { Ok(predict_batch(&model, &few)?.inner().into_data()) };
    let same = answer()?.as_bytes() == answer()?.as_bytes();
    let after = Floats::of(&copy(&model)).others;
    let mut pairs = before.iter().zip(&after);
    let changed = pairs.find(|((_, before), (_, after))| before.as_bytes() != after.as_bytes());
    if let Some(((path, _), _)) = changed {
        return Err(NnError::Settings(format!(
            "`{path}` changes in the forward pass, and shards of a batch on several ranks would \
             each have their own: for a batch normalisation use `burgeon_ops::FastBatchNorm`, \
             whose statistics are those of all ranks"
        )));
    }
    match same {
        true => Ok(()),
        false => Err(NnError::Settings(
            "the model answers differently each time in training, as by dropout: the draws of \
             shards on several ranks would depend on their number; leave it out"
                .into(),
        )),
    }
}
