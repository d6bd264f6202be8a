//! The other direction: a narrower network of some of the channels.

use std::collections::HashSet;

use burn::module::Module;

use super::{ChannelMap, ParamEdits, apply_edits, widen};
use crate::error::NnError;
use crate::topology::Topology;

/// Keeps only the named channels of each site in `kept`, in that order, with everything that
/// shares them and the consumers' columns; sites that are not named stay as they are. The
/// baseline of growing: prune from a wide network.
///
/// Returns the narrower model and the edits for [`carry_optimizer`](super::carry_optimizer).
///
/// # Errors
/// [`NnError::Plan`] for a site that does not exist, none or twice the same channel, a channel
/// out of range, or two sites on the same channels.
pub fn keep_channels<M: Module>(
    model: &M,
    topology: &Topology,
    kept: &[(String, Vec<usize>)],
) -> Result<(M, ParamEdits), NnError> {
    let mut edits = ParamEdits::default();
    let mut narrowed = HashSet::new();
    for (site, channels) in kept {
        let problem = |problem: String| NnError::Plan(format!("site `{site}`: {problem}"));
        let found = topology.groups.iter().position(|group| {
            let named = |&node: &usize| topology.nodes[node].name == *site;
            !group.consumers.is_empty() && group.members.iter().any(named)
        });
        let index = found.ok_or_else(|| problem("the model has none of that name".into()))?;
        let group = &topology.groups[index];
        let width = topology.nodes[group.members[0]].spec.outputs;
        let distinct: HashSet<&usize> = channels.iter().collect();
        if channels.is_empty() || distinct.len() < channels.len() {
            return Err(problem("keep at least one channel, and each once".into()));
        }
        if let Some(channel) = channels.iter().find(|channel| **channel >= width) {
            return Err(problem(format!("there is no channel {channel} of {width}")));
        }
        if !narrowed.insert(index) {
            return Err(problem(
                "its channels are named already by another site".into(),
            ));
        }
        let map = ChannelMap {
            source: channels.clone(),
            weight: vec![1.0; channels.len()],
        };
        widen(&mut edits, topology, group, &map);
    }
    Ok((apply_edits(model, &edits)?, edits))
}
