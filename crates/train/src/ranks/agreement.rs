//! What ranks agree on: the first one decides, and weights are compared.

use burgeon_core::{CoreError, Team};
use burgeon_nn::NnError;
use burgeon_nn::hash::of_data;
use burgeon_nn::stored::collect;
use burn::module::Module;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What the deciding rank has; `value` itself where there is no team.
///
/// # Errors
/// [`NnError::Core`] if a rank is gone, [`NnError::Ranks`] if what was decided cannot be read.
pub(crate) fn agreed<T: Serialize + DeserializeOwned>(
    team: Option<&Team>,
    value: T,
) -> Result<T, NnError> {
    let Some(team) = team.filter(|team| team.ranks() > 1) else {
        return Ok(value);
    };
    let unreadable = |problem: &dyn std::fmt::Display| {
        NnError::Ranks(format!(
            "what the first one decided cannot be read: {problem}"
        ))
    };
    let mut bytes = Vec::new();
    if team.decides() {
        ciborium::into_writer(&value, &mut bytes).map_err(|problem| unreadable(&problem))?;
    }
    let bytes = decided(team, bytes)?;
    ciborium::from_reader(&bytes[..]).map_err(|problem| unreadable(&problem))
}

/// The deciding rank's bytes.
///
/// # Errors
/// [`NnError::Core`] if a rank is gone.
pub(crate) fn decided(team: &Team, own: Vec<u8>) -> Result<Vec<u8>, NnError> {
    Ok(team.decided(own).map_err(CoreError::from)?)
}

/// Checks that all floats of `model` are the same bits on all ranks.
///
/// # Errors
/// [`NnError::Ranks`] on every rank, which names the first that is not, and where.
pub(crate) fn check_same<M: Module>(team: &Team, model: &M) -> Result<(), NnError> {
    if team.ranks() == 1 {
        return Ok(());
    }
    let weights = collect(model);
    let hashes: Vec<u8> = weights
        .values()
        .flat_map(|weight| of_data(&weight.data))
        .collect();
    let found = team.all(hashes).map_err(CoreError::from)?;
    let Some((first, others)) = found.split_first() else {
        return Ok(());
    };
    for (rank, other) in (1..).zip(others) {
        let hashes = first.as_chunks::<32>().0.iter();
        let mut pairs = hashes.zip(other.as_chunks::<32>().0);
        let differs = pairs.position(|(first, other)| first != other);
        let place = match differs {
            Some(place) => weights.keys().nth(place).cloned(),
            None if first.len() == other.len() => continue,
            None => None,
        };
        let place = place.map_or("their number".to_owned(), |path| format!("`{path}`"));
        return Err(NnError::Ranks(format!(
            "the weights of rank {rank} are not those of rank 0: the first that differs is \
             {place}. All ranks need one program, one set of samples and machines of one kind"
        )));
    }
    Ok(())
}
