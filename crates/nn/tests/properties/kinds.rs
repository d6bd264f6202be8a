//! Every kind of block grows, in the sites that it should.

use burgeon_backend_flex::FLEX;
use burgeon_nn::search::output_change_at_zero;

use crate::draw::{Block, Description, KINDS, Kind};
use crate::net::{Function, Operation};
use crate::plans::{graph, plans};

/// A convolution of 3 channels, a block of `kind`, and the output layer.
fn description(kind: Kind) -> Description {
    let first = Block {
        kind: Kind::Plain,
        width: 3,
        function: Function::Tanh,
        bias: true,
        norm: false,
        fast: true,
        kernel: [3, 3],
        stride: [1, 1],
        dilation: [1, 1],
        padding: [1; 4],
        rows: Operation::FlattenLast,
    };
    let second = Block {
        kind,
        width: 4,
        ..first.clone()
    };
    Description {
        seed: 5,
        batch: 3,
        size: [4, 4],
        blocks: vec![first, second],
    }
}

#[test]
fn every_kind_of_block_has_its_sites() {
    for kind in KINDS {
        let (first, second) = (("layers.0.FastConv", 3), ("layers.1.FastConv", 4));
        let expected = match kind {
            // The block's last layer is added to the first convolution's channels.
            Kind::Plain | Kind::Residual | Kind::Dense => vec![first, second],
            // Both terms of a product are one site.
            Kind::Gate => vec![first, second],
            // A layer that reads what it makes.
            Kind::Twice => vec![first],
            // Two layers that one layer reads are one site; it is another.
            Kind::Branches => vec![first, second, ("layers.3.FastConv", 4)],
            Kind::Norm | Kind::Depthwise | Kind::MaxPool | Kind::MeanPool | Kind::Reshape => {
                vec![first]
            }
            // What is multiplied with the channels is theirs.
            Kind::Excite => vec![first, ("layers.1.Linear", 4)],
        };
        let description = description(kind);
        let net = description.net(&FLEX);
        let data = description.samples(&FLEX);
        let graph = graph(&net, &data);
        let found = graph.widths();
        let found: Vec<(&str, usize)> = found
            .iter()
            .map(|(name, width)| (name.as_str(), *width))
            .collect();
        assert_eq!(found, expected, "{kind:?}:\n{graph}");
        for plan in plans(&graph, 1) {
            assert!(!plan.is_empty());
            let change = output_change_at_zero(&net, &plan, &data, 2).expect("works");
            assert!(change <= 1e-12, "{kind:?}: {change:e}");
        }
    }
}
