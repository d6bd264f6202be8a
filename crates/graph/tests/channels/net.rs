//! Graphs that are built operation by operation, and what is found in them as text.

use burgeon_graph::{Graph, GraphBuilder, Operation, Role, Site, Size, Smoothness, ValueId};
use burn::module::ParamId;

/// The batch that graphs are looked at for.
pub const BATCH: usize = 2;

/// The axis of samples.
pub const ROWS: Size = Size {
    per_sample: 1,
    fixed: 0,
};

fn fixed(lengths: &[usize]) -> Vec<Size> {
    lengths.iter().map(|&length| Size::fixed(length)).collect()
}

fn rows(lengths: &[usize]) -> Vec<Size> {
    [vec![ROWS], fixed(lengths)].concat()
}

/// A graph in the making.
pub struct Net(pub GraphBuilder);

impl Net {
    pub fn new() -> Self {
        Self(GraphBuilder::new(BATCH))
    }

    pub fn parameter(&mut self, path: &str, shape: &[usize]) -> ValueId {
        self.0.parameter(ParamId::new(), path, "Kind", shape, true)
    }

    /// A parameter that is not trained.
    pub fn still(&mut self, path: &str, shape: &[usize]) -> ValueId {
        self.0.parameter(ParamId::new(), path, "Kind", shape, false)
    }

    /// An input of samples.
    pub fn input(&mut self, lengths: &[usize]) -> ValueId {
        self.0.input(rows(lengths))
    }

    /// An operation on samples.
    pub fn node(
        &mut self,
        name: &str,
        operation: Operation,
        inputs: &[ValueId],
        lengths: &[usize],
    ) -> ValueId {
        let shape = rows(lengths);
        let exact = Smoothness::Exact;
        self.0.node(name, operation, exact, inputs.to_vec(), shape)
    }

    /// An operation on parameters.
    pub fn of_parameters(
        &mut self,
        name: &str,
        operation: Operation,
        inputs: &[ValueId],
        lengths: &[usize],
    ) -> ValueId {
        let shape = fixed(lengths);
        let exact = Smoothness::Exact;
        self.0.node(name, operation, exact, inputs.to_vec(), shape)
    }

    /// A linear layer without bias of rows `[b, inputs]`.
    pub fn linear(&mut self, path: &str, x: ValueId, inputs: usize, outputs: usize) -> ValueId {
        let weight = self.parameter(&format!("{path}.weight"), &[inputs, outputs]);
        self.node(path, Operation::Linear, &[x, weight], &[outputs])
    }

    /// A convolution with a 1×1 kernel and without bias, of maps `[b, inputs, 3, 3]`.
    pub fn pointwise(&mut self, path: &str, x: ValueId, inputs: usize, outputs: usize) -> ValueId {
        let weight = self.parameter(&format!("{path}.weight"), &[outputs, inputs, 1, 1]);
        self.convolution(path, x, weight, 1, outputs)
    }

    /// A convolution of maps that are 3×3 before and behind it.
    pub fn convolution(
        &mut self,
        name: &str,
        x: ValueId,
        weight: ValueId,
        groups: usize,
        outputs: usize,
    ) -> ValueId {
        self.node(
            name,
            convolution(groups, false),
            &[x, weight],
            &[outputs, 3, 3],
        )
    }

    pub fn sum(&mut self, one: ValueId, other: ValueId, lengths: &[usize]) -> ValueId {
        let adds = Operation::Elementwise { adds: true };
        self.node("add", adds, &[one, other], lengths)
    }

    /// A linear layer of 2 outputs, which are the model's.
    pub fn read(mut self, x: ValueId, inputs: usize) -> Graph {
        let output = self.linear("head", x, inputs, 2);
        self.0.build(&[output])
    }
}

pub fn convolution(groups: usize, transposed: bool) -> Operation {
    Operation::Convolution {
        groups,
        stride: vec![1, 1],
        transposed,
    }
}

/// A site in one line: its width, its parts of θ as `path axis×size`, where it is read, and why it
/// cannot grow.
pub fn told(graph: &Graph, name: &str) -> String {
    let site = named(graph, name);
    let parts = site.fan_in().iter().map(|part| {
        let path = &graph.parameters()[part.parameter].path;
        format!("{path} {}×{}", part.axis, part.size)
    });
    let parts: Vec<String> = parts.collect();
    let readers = site
        .edges()
        .iter()
        .map(|edge| &*graph.nodes()[edge.node].name);
    let readers: Vec<&str> = readers.collect();
    let frozen = site.frozen().map(|reason| format!("; {reason}"));
    format!(
        "{} of {}, by {}{}",
        site.width(),
        parts.join(" + "),
        readers.join(" + "),
        frozen.unwrap_or_default()
    )
}

pub fn named<'a>(graph: &'a Graph, name: &str) -> &'a Site {
    let found = graph.sites().iter().find(|site| site.name() == name);
    found.unwrap_or_else(|| panic!("no site `{name}` in {graph}"))
}

/// Why the site cannot grow.
pub fn frozen<'a>(graph: &'a Graph, name: &str) -> &'a str {
    named(graph, name).frozen().unwrap_or("it can grow")
}

/// What the axes of a parameter are, as a letter for each, `-` where no channel lies.
pub fn roles(graph: &Graph, path: &str) -> String {
    let parameter = graph.parameters().iter().find(|p| p.path == path);
    let roles = &parameter.expect("a parameter").roles;
    let letters = roles.iter().map(|role| match role {
        None => '-',
        Some(Role::Producer) => 'P',
        Some(Role::Bias) => 'B',
        Some(Role::Kernel) => 'K',
        Some(Role::Member) => 'M',
        Some(Role::Reader) => 'R',
    });
    letters.collect()
}

/// The shape of a parameter once the site has another width.
pub fn grown(graph: &Graph, path: &str, site: &str, width: usize) -> Vec<usize> {
    let group = named(graph, site).group();
    let wider = |found| (found == group).then_some(width);
    let parameter = graph.parameters().iter().find(|p| p.path == path);
    let axes = parameter.expect("a parameter").axes.iter();
    axes.map(|axis| axis.length_with(&wider)).collect()
}

/// What reads a site, as `path axis×size`.
pub fn readers(graph: &Graph, site: &str) -> Vec<String> {
    let parts = graph.fan_out(named(graph, site)).into_iter();
    let told = parts.map(|part| {
        let path = &graph.parameters()[part.parameter].path;
        format!("{path} {}×{}", part.axis, part.size)
    });
    told.collect()
}
