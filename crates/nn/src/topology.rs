//! Who consumes whose channels.

use std::collections::HashSet;

use burgeon_core::Plan;
use burn::module::ParamId;

use crate::error::NnError;
use crate::layers::{Layer, LayerSpec, SiteSpec};

/// A layer with its name.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub name: String,
    pub spec: LayerSpec,
}

/// A layer that reads a group's channels and mixes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Consumer {
    pub node: usize,
    /// Columns that one channel becomes (h·w after flattening).
    pub spread: usize,
}

/// Channels that are widened together: those of one producer, or of several
/// whose outputs are added (a residual sum), with all channel-wise layers on
/// the way to the consumers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    pub members: Vec<usize>,
    pub consumers: Vec<Consumer>,
}

/// The flow of channels through a model.
///
/// Built by [`Topology::chain`] for layers in a row, or by
/// [`Topology::builder`] for branches and residual sums.
#[derive(Debug, Clone)]
pub struct Topology {
    pub(crate) nodes: Vec<Node>,
    pub(crate) groups: Vec<Group>,
}

/// A handle on the channels that a layer produces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels(usize);

/// Builds a [`Topology`] layer by layer; errors are reported by
/// [`build`](Self::build).
#[derive(Debug, Default)]
pub struct TopologyBuilder {
    nodes: Vec<Node>,
    groups: Vec<Group>,
    error: Option<NnError>,
}

/// Builds a [`Topology`] of layers in a row.
#[derive(Debug, Default)]
pub struct Chain {
    builder: TopologyBuilder,
    current: Option<Channels>,
    spread: usize,
}

impl Topology {
    /// Starts a chain: each layer reads what the layer before it produces.
    pub fn chain() -> Chain {
        Chain {
            spread: 1,
            ..Chain::default()
        }
    }

    /// Starts a topology with branches.
    pub fn builder() -> TopologyBuilder {
        TopologyBuilder::default()
    }

    /// Sites that may be grown: named layers with an activation of which
    /// somebody consumes the channels.
    pub fn sites(&self) -> impl Iterator<Item = (&str, &SiteSpec)> {
        self.groups
            .iter()
            .filter(|group| !group.consumers.is_empty())
            .flat_map(|group| &group.members)
            .filter_map(|&node| {
                let node = &self.nodes[node];
                node.spec
                    .site
                    .as_ref()
                    .map(|site| (node.name.as_str(), site))
            })
    }

    /// Number of output channels of each site, in the order of [`sites`](Self::sites).
    pub fn widths(&self) -> Vec<(String, usize)> {
        self.sites()
            .map(|(name, _)| {
                (
                    name.to_owned(),
                    self.node(name).map_or(0, |n| n.spec.outputs),
                )
            })
            .collect()
    }

    /// Trained parameters that one more channel at `site` adds: its own slices,
    /// those of all layers that share its channels, and the consumers' columns.
    pub fn cost_per_neuron(&self, site: &str) -> Option<u64> {
        let (group, _) = self.group_of(site)?;
        let own = group.members.iter().flat_map(|&node| {
            let params = &self.nodes[node].spec.channel_params;
            params.iter().filter(|param| param.trained).map(|p| p.size)
        });
        let columns = group.consumers.iter().filter_map(|consumer| {
            let mixing = self.nodes[consumer.node].spec.mixing?;
            Some(mixing.size * consumer.spread)
        });
        Some(own.chain(columns).map(|size| size as u64).sum())
    }

    /// Trained parameters that `plan` adds, exactly: layers that widen on both
    /// sides are counted with their new corner.
    pub fn parameters_added(&self, plan: &Plan) -> u64 {
        let added = self.added_channels(plan);
        let mut total = 0;
        for (index, node) in self.nodes.iter().enumerate() {
            let mut outputs = node.spec.outputs;
            let mut columns = 0;
            for (group, added) in self.groups.iter().zip(&added) {
                if group.members.contains(&index) {
                    outputs += added;
                }
                let consumers = group.consumers.iter().filter(|c| c.node == index);
                columns += consumers.map(|c| c.spread * added).sum::<usize>();
            }
            for param in node.spec.channel_params.iter().filter(|p| p.trained) {
                let size = match node.spec.mixing {
                    Some(mixing) if mixing.weight == param.id => {
                        param.size / mixing.inputs * (mixing.inputs + columns)
                    }
                    _ => param.size,
                };
                total += outputs * size - node.spec.outputs * param.size;
            }
        }
        total as u64
    }

    /// Channels that `plan` adds to each group.
    pub(crate) fn added_channels(&self, plan: &Plan) -> Vec<usize> {
        let mut added = vec![0; self.groups.len()];
        for growth in &plan.growths {
            let grows = |group: &Group| {
                let named = |&node: &usize| self.nodes[node].name == growth.site;
                group.members.iter().any(named)
            };
            if let Some(index) = self.groups.iter().position(grows) {
                added[index] += growth.offspring.len().saturating_sub(1);
            }
        }
        added
    }

    /// Whether the predicted gain of a split at `site` is exact to O(ε³): its `σ″`
    /// is, and the channel-wise layers between it and its consumers are linear.
    ///
    /// Behind a nonlinear channel-wise layer (a depthwise convolution with an
    /// activation) the copies differ through that layer too, a term which the
    /// papers' splitting matrix leaves out.
    pub fn predicts_exactly(&self, site: &str) -> bool {
        let Some((group, position)) = self.group_of(site) else {
            return false;
        };
        let exact = |node: &Node| node.spec.site.is_some_and(|site| site.exact_curvature);
        exact(&self.nodes[group.members[position]])
            && group.members[position + 1..]
                .iter()
                .all(|&node| self.nodes[node].spec.linear)
    }

    pub(crate) fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The group that holds the layer `name`, and its place there.
    pub(crate) fn group_of(&self, name: &str) -> Option<(&Group, usize)> {
        self.groups.iter().find_map(|group| {
            let position = |&node: &usize| self.nodes[node].name == name;
            Some((group, group.members.iter().position(position)?))
        })
    }

    /// The name of the channels that `site` forms: that of the first layer of its group.
    pub fn channels_of(&self, site: &str) -> Option<&str> {
        let (group, _) = self.group_of(site)?;
        let first = group.members.first()?;
        Some(&self.nodes[*first].name)
    }

    pub(crate) fn site_name(&self, weight: ParamId) -> Option<&str> {
        let found = self.sites().find(|(_, site)| site.weight == weight);
        found.map(|(name, _)| name)
    }
}

impl TopologyBuilder {
    /// Declares the channels that a mixing `layer` produces.
    pub fn open(&mut self, name: &str, layer: &impl Layer) -> Channels {
        let node = self.register(name, layer);
        self.groups.push(Group {
            members: vec![node],
            consumers: Vec::new(),
        });
        Channels(self.groups.len() - 1)
    }

    /// Declares that a second mixing `layer` produces the same channels: their
    /// outputs are added.
    pub fn tie(&mut self, channels: Channels, name: &str, layer: &impl Layer) {
        let node = self.register(name, layer);
        self.groups[channels.0].members.push(node);
    }

    /// Declares a channel-wise `layer` (normalisation, depthwise convolution) on
    /// the channels' way.
    pub fn join(&mut self, channels: Channels, name: &str, layer: &impl Layer) {
        self.tie(channels, name, layer);
        let node = &self.nodes[self.nodes.len() - 1];
        if node.spec.mixing.is_some() {
            let problem = format!(
                "`{}` mixes channels and cannot be joined to them",
                node.name
            );
            self.fail(problem);
        }
    }

    /// Declares that the mixing `layer` reads the channels.
    pub fn feed(&mut self, channels: Channels, name: &str, layer: &impl Layer) {
        self.feed_flattened(channels, 1, name, layer);
    }

    /// Declares that the mixing `layer` reads the channels after flattening, which
    /// turns each into `positions` columns side by side.
    pub fn feed_flattened(
        &mut self,
        channels: Channels,
        positions: usize,
        name: &str,
        layer: &impl Layer,
    ) {
        let node = self.register(name, layer);
        self.groups[channels.0].consumers.push(Consumer {
            node,
            spread: positions,
        });
    }

    /// Checks that all widths fit.
    ///
    /// # Errors
    /// [`NnError::Topology`] naming the layers that do not fit,
    /// [`NnError::Layer`] for a layer that cannot be widened.
    pub fn build(mut self) -> Result<Topology, NnError> {
        self.check();
        if let Some(error) = self.error {
            return Err(error);
        }
        let topology = Topology {
            nodes: self.nodes,
            groups: self.groups,
        };
        if topology.sites().next().is_none() {
            return Err(NnError::Topology(
                "no layer can grow: add a growable layer that another layer reads".into(),
            ));
        }
        Ok(topology)
    }

    fn check(&mut self) {
        let mut names = HashSet::new();
        let mut problems = Vec::new();
        for node in &self.nodes {
            if !names.insert(&node.name) {
                problems.push(format!("two layers are called `{}`", node.name));
            }
        }
        let mut opened = HashSet::new();
        for group in &self.groups {
            let first = &self.nodes[group.members[0]];
            let width = first.spec.outputs;
            for &member in &group.members {
                let node = &self.nodes[member];
                if node.spec.outputs != width {
                    problems.push(format!(
                        "`{}` has {} channels, but `{}` on the same channels has {width}",
                        node.name, node.spec.outputs, first.name
                    ));
                }
                if !opened.insert(member) {
                    problems.push(format!("`{}` is on two sets of channels", node.name));
                }
            }
            for consumer in &group.consumers {
                let node = &self.nodes[consumer.node];
                match node.spec.mixing {
                    None => problems.push(format!(
                        "`{}` is channel-wise and consumes nothing: join it",
                        node.name
                    )),
                    Some(mixing) if mixing.inputs != width * consumer.spread => {
                        problems.push(format!(
                            "`{}` reads {} inputs, but `{}` gives {width} channels of {} columns",
                            node.name, mixing.inputs, first.name, consumer.spread
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        if let Some(problem) = problems.into_iter().next() {
            self.fail(problem);
        }
    }

    fn register(&mut self, name: &str, layer: &impl Layer) -> usize {
        let spec = match layer.spec() {
            Ok(spec) => spec,
            Err(error) => {
                self.error.get_or_insert(error);
                LayerSpec {
                    outputs: 0,
                    channel_params: Vec::new(),
                    mixing: None,
                    site: None,
                    linear: true,
                }
            }
        };
        let known = |node: &Node| node.name == name && node.spec == spec;
        if let Some(node) = self.nodes.iter().position(known) {
            return node;
        }
        self.nodes.push(Node {
            name: name.to_owned(),
            spec,
        });
        self.nodes.len() - 1
    }

    fn fail(&mut self, problem: String) {
        self.error.get_or_insert(NnError::Topology(problem));
    }
}

impl Chain {
    /// The next layer: a mixing one reads the channels so far and produces new
    /// ones, a channel-wise one joins them.
    pub fn layer(mut self, name: &str, layer: &impl Layer) -> Self {
        let mixes = layer.spec().is_ok_and(|spec| spec.mixing.is_some());
        match self.current {
            Some(channels) if !mixes => self.builder.join(channels, name, layer),
            Some(channels) => {
                let spread = std::mem::replace(&mut self.spread, 1);
                self.builder.feed_flattened(channels, spread, name, layer);
                self.current = Some(self.builder.open(name, layer));
            }
            None if !mixes => {
                let problem = format!("the chain starts with `{name}`, which mixes no channels");
                self.builder.register(name, layer);
                self.builder.fail(problem);
            }
            None => self.current = Some(self.builder.open(name, layer)),
        }
        self
    }

    /// Flattening: each channel becomes `positions` columns of the next layer.
    pub fn flatten(mut self, positions: usize) -> Self {
        self.spread *= positions;
        self
    }

    /// Checks that all widths fit.
    ///
    /// # Errors
    /// As [`TopologyBuilder::build`].
    pub fn build(self) -> Result<Topology, NnError> {
        self.builder.build()
    }
}
