//! A graph as text, layer by layer.

use std::fmt;

use crate::graph::Graph;

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let widths: Vec<usize> = (0..5)
            .map(|column| {
                let cells = rows.iter().map(|row| row[column].chars().count());
                cells.max().unwrap_or(0)
            })
            .collect();
        for row in rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let pad = widths.get(column).copied().unwrap_or(0);
                match column {
                    3 | 4 => line += &format!("{cell:>pad$}  "),
                    _ => line += &format!("{cell:<pad$}  "),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        let now = |_| None;
        let total = self.parameter_count(&now);
        let macs: u64 = (0..self.nodes.len()).map(|node| self.macs(node)).sum();
        write!(f, "{total} trained parameters, {macs} MACs a sample")?;
        f.write_str(&self.depth_lines())
    }
}

impl Graph {
    /// A row for each operation with parameters: layer, operation, output, parameters, MACs,
    /// what becomes of its channels.
    fn rows(&self) -> Vec<[String; 6]> {
        let head = [
            "layer",
            "operation",
            "output",
            "parameters",
            "MACs",
            "grows",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        let mut counted = std::collections::HashSet::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let own = node.inputs.iter();
            let own: Vec<_> = own.filter_map(|input| self.parameter_of(*input)).collect();
            if own.is_empty() || self.is_of_parameters(node) {
                continue;
            }
            let fresh = own.iter().filter(|p| counted.insert(p.value));
            let trained: u64 = fresh
                .filter(|p| p.trained)
                .map(|p| p.size_with(&|_| None))
                .sum();
            let shape: Vec<String> = self.values[node.output.0]
                .shape
                .iter()
                .map(|size| match (size.per_sample, size.fixed) {
                    (0, fixed) => fixed.to_string(),
                    (1, 0) => "b".into(),
                    (slope, 0) => format!("{slope}b"),
                    (slope, fixed) => format!("{slope}b{fixed:+}"),
                })
                .collect();
            rows.push([
                own[0].layer().to_owned(),
                node.name.clone(),
                format!("[{}]", shape.join(", ")),
                trained.to_string(),
                self.macs(index).to_string(),
                self.fate(index),
            ]);
        }
        rows
    }

    /// What becomes of the channels that a node gives.
    fn fate(&self, index: usize) -> String {
        let output = self.nodes[index].output;
        let groups = self.values[output.0].axes.iter().flat_map(|a| a.groups());
        let told = groups.map(|group| {
            let site = &self.sites[group.0];
            match &site.frozen {
                None => format!("grows as `{}`", site.name),
                Some(reason) => format!("`{}` is frozen: {reason}", site.name),
            }
        });
        let told: Vec<String> = told.collect();
        told.join("; ")
    }

    /// Multiply-accumulates of a node for one sample; 0 for what is not a product with a
    /// parameter.
    pub(crate) fn macs(&self, index: usize) -> u64 {
        use crate::operation::Operation;
        let node = &self.nodes[index];
        let at = |value: crate::value::ValueId| self.shape(value, 1, &|_| None);
        let numbers = |shape: &[usize]| shape.iter().map(|&n| n as u64).product::<u64>();
        let output = at(node.output);
        match (&node.operation, node.inputs.get(1)) {
            (Operation::Linear | Operation::MatMul, Some(_)) => {
                let read = at(node.inputs[0]);
                numbers(&output) * read.last().map_or(0, |&n| n as u64)
            }
            (Operation::Convolution { transposed, .. }, Some(&weight)) => {
                let weight = at(weight);
                let each = numbers(&weight[1.min(weight.len())..]);
                match transposed {
                    false => numbers(&output) * each,
                    true => numbers(&at(node.inputs[0])) * each,
                }
            }
            _ => 0,
        }
    }
}
