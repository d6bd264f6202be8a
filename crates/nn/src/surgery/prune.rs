//! The other direction: a narrower network of some of the channels.

use std::collections::{HashMap, HashSet};

use burgeon_graph::{ChannelMap, Graph, Source};

use super::ParamEdits;
use crate::edits::{apply, select_channels};
use crate::error::NnError;
use crate::growable::Growable;

/// Keeps only the named channels of each site in `kept`, in that order, with everything that
/// shares them and what reads them; sites that are not named stay as they are. The
/// baseline of growing: prune from a wide network.
///
/// Returns the narrower model and the edits for [`carry_optimizer`](super::carry_optimizer).
///
/// # Errors
/// [`NnError::Graph`] for a site that does not exist or is frozen, [`NnError::Plan`] for none or
/// twice the same channel, a channel out of range, or a site named twice.
pub fn keep_channels<M: Growable>(
    model: &M,
    graph: &Graph,
    kept: &[(String, Vec<usize>)],
) -> Result<(M, ParamEdits), NnError> {
    let mut maps = HashMap::new();
    for (name, channels) in kept {
        let problem = |problem: String| NnError::Plan(format!("site `{name}`: {problem}"));
        let site = graph.site(name)?;
        let width = site.width();
        let distinct: HashSet<&usize> = channels.iter().collect();
        if channels.is_empty() || distinct.len() < channels.len() {
            return Err(problem("keep at least one channel, and each once".into()));
        }
        if let Some(channel) = channels.iter().find(|channel| **channel >= width) {
            return Err(problem(format!("there is no channel {channel} of {width}")));
        }
        let map = ChannelMap {
            sources: channels
                .iter()
                .map(|channel| Source::kept(*channel))
                .collect(),
        };
        if maps.insert(site.group(), map).is_some() {
            return Err(problem("its channels are named twice".into()));
        }
    }
    let edits = select_channels(graph, &maps);
    Ok((apply(model, &edits)?.rebuilt(), edits))
}
