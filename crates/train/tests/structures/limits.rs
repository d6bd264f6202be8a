//! Limits of widths on models whose sites have several producers.

use burgeon_backend_flex::FLEX;
use burgeon_train::{Grower, WidthLimits};
use burn::tensor::DType;

use crate::run::{adam, committed, config, grower, student, task};
use crate::zoo::{ResNet20, SharedHead};

#[test]
fn a_site_is_left_out_by_any_layer_that_makes_it() {
    let limits = WidthLimits::default().without("right");
    let grower = grower(student::<SharedHead>(), config().with_widths(limits));
    assert!(grower.graph().widths().is_empty());
    let reason = grower.graph().site("left").expect_err("left out");
    assert!(
        reason.to_string().contains("the settings leave it out"),
        "{reason}"
    );
}

#[test]
fn widths_are_capped_and_stay_multiples() {
    let limits = WidthLimits::default()
        .capped("blocks.2.second.conv", 4)
        .without("blocks.0.first.conv")
        .multiples_of(2);
    let mut grower = grower(student::<ResNet20>(), config().with_widths(limits));
    grower.run().expect("runs");
    assert!(!committed(&grower).is_empty());
    let model = grower.model();
    assert!(model.stem.conv.weight.dims()[0] <= 4);
    assert_eq!(model.blocks[0].first.conv.weight.dims()[0], 3);
    for record in committed(&grower) {
        for ((name, before), (_, after)) in record.widths_before.iter().zip(&record.widths_after) {
            assert!(
                before == after || after.is_multiple_of(2),
                "{name}: {after}"
            );
        }
    }
}

#[test]
fn limits_that_cannot_be_are_refused() {
    let refused = |limits: WidthLimits| {
        let config = config().with_widths(limits);
        let task = task::<SharedHead>(DType::F32);
        let grower = Grower::new(config, FLEX, task, student::<SharedHead>(), adam());
        grower.expect_err("cannot be").to_string()
    };
    let said = refused(WidthLimits::default().multiples_of(0));
    assert!(said.contains("multiples of 0"), "{said}");
    let said = refused(WidthLimits::default().capped("middle", 3));
    assert!(
        said.contains("no site `middle` to limit; it has left"),
        "{said}"
    );
}
