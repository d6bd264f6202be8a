//! Checkpoints: all of a run, so that it goes on as if it had never stopped.
//!
//! `NAME` holds weights, optimizer and state, `NAME.history` what only grows over the run
//! (each save appends to it), and `NAME.lock` keeps other runs away.

mod file;
mod history;
mod identity;
mod lock;
mod optimizer;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::module::ParamId;
use burn::optim::ModuleOptimizer;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use burgeon_nn::stored::{Weights, collect, restore, write_atomically};
use burgeon_nn::{Architecture, Growable, NnError};
use history::{Extent, History};
use lock::Lock;

pub use identity::{Difference, Identity};
pub use optimizer::optimizer_fingerprint;

/// What stands before the paths of the best model's weights.
const BEST: &str = "best:";

/// A run's checkpoint. No other run can have it meanwhile.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    path: PathBuf,
    identity: Identity,
    history: History,
    _lock: Lock,
}

/// What a checkpoint gives back: a small state, and epochs and growth steps.
pub(crate) struct Restored<M, S, E, G> {
    pub model: M,
    /// The best model so far, if it was saved.
    pub best: Option<M>,
    pub optimizer: ModuleOptimizer,
    pub state: S,
    pub epochs: Vec<E>,
    pub growths: Vec<G>,
}

/// All but floats and history.
#[derive(Serialize, Deserialize)]
struct Contents<I, S> {
    identity: I,
    history: Extent,
    /// The ids of weights by path, as the optimizer knows them.
    ids: BTreeMap<String, u64>,
    /// The blocks of the model's stacks, by which it is shaped before weights are read.
    #[serde(default)]
    architecture: Architecture,
    /// Those of the best model, which may have fewer.
    #[serde(default)]
    best_architecture: Architecture,
    state: S,
}

impl Checkpoint {
    /// The checkpoint in the file `path`, whether it is there yet or not, of the run that
    /// `identity` describes.
    ///
    /// # Errors
    /// [`NnError::File`] if another run has it, [`NnError::Io`] if its folder cannot be written.
    pub fn open(path: impl Into<PathBuf>, identity: Identity) -> Result<Self, NnError> {
        let path = path.into();
        Ok(Self {
            _lock: Lock::take(&path)?,
            history: History::beside(&path),
            path,
            identity,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Saves a run. `epochs` and `growths` must begin with those that were saved or loaded last:
    /// only what is new is written. A run killed meanwhile leaves the checkpoint of before.
    ///
    /// # Errors
    /// [`NnError::Io`] if it cannot be written, [`NnError::File`] if the history was changed by
    /// others.
    pub fn save<M: Growable, S: Serialize, E: Serialize, G: Serialize>(
        &mut self,
        model: &M,
        best: Option<&M>,
        optimizer: &ModuleOptimizer,
        state: &S,
        epochs: &[E],
        growths: &[G],
    ) -> Result<(), NnError> {
        let failed = |error: &dyn std::fmt::Display| NnError::file(&self.path, error);
        let mut weights = collect(model);
        let ids = weights.iter();
        let contents = Contents {
            identity: &self.identity,
            history: self.history.append(epochs, growths)?,
            ids: ids.map(|(path, w)| (path.clone(), w.id.val())).collect(),
            architecture: Architecture::of(model),
            best_architecture: best.map(Architecture::of).unwrap_or_default(),
            state,
        };
        let of_best = best.map(collect).unwrap_or_default().into_iter();
        weights.extend(of_best.map(|(path, weight)| (format!("{BEST}{path}"), weight)));
        let mut bytes = Vec::new();
        ciborium::into_writer(&contents, &mut bytes).map_err(|error| failed(&error))?;
        let optimizer = optimizer
            .to_record()
            .into_bytes()
            .map_err(|error| failed(&error))?;
        let bytes = file::write(&weights, &optimizer, &bytes).map_err(|error| failed(&error))?;
        let extent = contents.history;
        write_atomically(&self.path, &bytes)?;
        self.history.commit(extent);
        Ok(())
    }

    /// The run as it was saved last, `None` if there is no such file, into a fresh model `start` and
    /// `optimizer` of the same kind as those that the run was begun with. Parameters keep the ids of
    /// `start`, so that the optimizer's groups still find them.
    ///
    /// # Errors
    /// [`NnError::Io`] if a file cannot be read, [`NnError::File`] if one is damaged, no
    /// checkpoint, of another version, or of a run with another identity, with what differs.
    pub fn load<M, S, E, G>(
        &mut self,
        start: &M,
        optimizer: &ModuleOptimizer,
    ) -> Result<Option<Restored<M, S, E, G>>, NnError>
    where
        M: Growable,
        S: DeserializeOwned,
        E: DeserializeOwned,
        G: DeserializeOwned,
    {
        let Some(bytes) = self.bytes()? else {
            return Ok(None);
        };
        let mut counts = Extent::default();
        let history = |extent| {
            counts = extent;
            self.history.read(extent)
        };
        let (path, identity) = (&self.path, &self.identity);
        let restored = restored(path, identity, &bytes, history, start, optimizer)?;
        self.history.commit(counts);
        Ok(Some(restored))
    }

    /// The file as it is; `None` if there is none.
    ///
    /// # Errors
    /// [`NnError::Io`] if it cannot be read.
    pub fn bytes(&self) -> Result<Option<Vec<u8>>, NnError> {
        match std::fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(NnError::io(&self.path)(error)),
        }
    }
}

/// The run of a checkpoint's `bytes`, which another rank has read at `path`, with its `history`.
///
/// # Errors
/// As [`Checkpoint::load`].
pub(crate) fn received<M, S, E, G>(
    path: &Path,
    identity: &Identity,
    bytes: &[u8],
    history: (Vec<E>, Vec<G>),
    start: &M,
    optimizer: &ModuleOptimizer,
) -> Result<Restored<M, S, E, G>, NnError>
where
    M: Growable,
    S: DeserializeOwned,
{
    restored(path, identity, bytes, |_| Ok(history), start, optimizer)
}

/// The run of a checkpoint's `bytes`, of which `history` knows what counts.
fn restored<M, S, E, G>(
    path: &Path,
    identity: &Identity,
    bytes: &[u8],
    history: impl FnOnce(Extent) -> Result<(Vec<E>, Vec<G>), NnError>,
    start: &M,
    optimizer: &ModuleOptimizer,
) -> Result<Restored<M, S, E, G>, NnError>
where
    M: Growable,
    S: DeserializeOwned,
{
    let failed = |problem: &dyn std::fmt::Display| NnError::file(path, problem);
    let parts = file::read(path, bytes)?;
    let contents: Contents<Identity, S> =
        ciborium::from_reader(&parts.contents[..]).map_err(|error| failed(&error))?;
    let differences = contents.identity.differences(identity);
    if !differences.is_empty() {
        let differences: Vec<String> = differences.iter().map(|d| d.to_string()).collect();
        return Err(failed(&format!(
            "it belongs to another run. What differs: {}. Go on with what it was begun with, \
                 or use another file",
            differences.join("; ")
        )));
    }
    for architecture in [&contents.architecture, &contents.best_architecture] {
        let checked = architecture.check(parts.weights.len());
        checked.map_err(|problem| failed(&problem))?;
    }
    let (epochs, growths) = history(contents.history)?;
    let (mut weights, mut of_best) = (Weights::new(), Weights::new());
    for (path, weight) in parts.weights {
        match path.strip_prefix(BEST) {
            Some(path) => of_best.insert(path.to_owned(), weight),
            None => weights.insert(path, weight),
        };
    }
    let shaped = contents.architecture.shape(start);
    let model = &shaped.map_err(|problem| failed(&problem))?;
    let own = collect(model);
    let ids = adopt(&mut weights, &own, &contents.ids).map_err(|e| failed(&e))?;
    adopt(&mut of_best, &own, &contents.ids).map_err(|e| failed(&e))?;
    let best = match of_best.is_empty() {
        true => None,
        false => {
            let shaped = contents.best_architecture.shape(start);
            let shaped = shaped.map_err(|problem| failed(&problem))?;
            Some(restore(&shaped, &of_best).map_err(|problem| failed(&problem))?)
        }
    };
    let model = restore(model, &weights).map_err(|problem| failed(&problem))?;
    let optimizer = optimizer::restored(optimizer, parts.optimizer, &ids, &model)
        .map_err(|problem| failed(&problem))?;
    Ok(Restored {
        model,
        best,
        optimizer,
        state: contents.state,
        epochs,
        growths,
    })
}

/// Removes a checkpoint with all that is kept beside it, where there is one.
///
/// # Errors
/// [`NnError::File`] if a run has it, [`NnError::Io`] if it cannot be removed.
pub fn remove_checkpoint(path: &Path) -> Result<(), NnError> {
    let _lock = Lock::take(path)?;
    let beside = ["history", "lock"].map(|extension| path.with_added_extension(extension));
    for file in std::iter::once(path).chain(beside.iter().map(PathBuf::as_path)) {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(NnError::io(file)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Gives `weights` the ids of the model, which are in `own`: for each id at the time of saving the
/// one of now.
///
/// # Errors
/// A sentence that names a weight of another type, or parameters that are shared otherwise.
fn adopt(
    weights: &mut Weights,
    own: &Weights,
    saved: &BTreeMap<String, u64>,
) -> Result<HashMap<u64, ParamId>, String> {
    let mut ids = HashMap::new();
    for (path, weight) in weights.iter_mut() {
        // A path that the model does not have is told when the model is restored.
        let (Some(own), Some(old)) = (own.get(path), saved.get(path)) else {
            continue;
        };
        let (expected, found) = (own.data.dtype(), weight.data.dtype());
        if found != expected {
            return Err(format!(
                "`{path}` is in {found:?}, the model's in {expected:?}"
            ));
        }
        weight.id = own.id;
        if ids.insert(*old, own.id).is_some_and(|id| id != own.id) {
            return Err(format!("`{path}` was the same parameter as another one"));
        }
    }
    Ok(ids)
}
