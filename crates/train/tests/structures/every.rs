//! Every model of the zoo takes growth steps, and what is said of them is so.

use std::collections::BTreeMap;

use burgeon_graph::Graph;
use burgeon_nn::cost::parameters_added;
use burgeon_nn::growable::{is_finite, parameter_count, predict};
use burgeon_nn::weights::{load_weights, save_weights};
use burgeon_train::{GrowthRecord, Outcome, StopReason, Verdict};
use burn::tensor::DType;

use crate::run::{Grown, committed, config, graph_of, grower, samples, student};
use crate::zoo::{self, every_example};

/// The names and widths of frozen sites.
fn frozen(graph: &Graph) -> Vec<(String, usize)> {
    let sites = graph.sites().iter().filter(|site| site.frozen().is_some());
    sites
        .map(|site| (site.name().to_owned(), site.width()))
        .collect()
}

/// Checks that the widths after a growth are those before and what its plan adds.
fn widths_add_up(name: &str, record: &GrowthRecord) {
    let mut expected: BTreeMap<String, usize> = record.widths_before.iter().cloned().collect();
    if record.verdict == Verdict::Committed {
        assert!(!record.plan.is_empty(), "{name}: {record:#?}");
        for growth in record.plan.growths() {
            let width = expected.get_mut(growth.site()).expect("a site that grows");
            *width = width.saturating_add_signed(growth.channels_added());
        }
    }
    let found: BTreeMap<String, usize> = record.widths_after.iter().cloned().collect();
    assert_eq!(found, expected, "{name}");
}

fn takes_growth_steps<M: Grown>() {
    let name = M::NAME;
    let start = graph_of(&student::<M>());
    println!("{name}\n{start}");
    let mut grower = grower(student::<M>(), config());
    let outcome = grower.run().expect("runs");
    assert_eq!(outcome, Outcome::Stopped(StopReason::EpochLimit), "{name}");
    let state = grower.state();
    assert_eq!(state.journal.len(), 2, "{name}");
    for record in &state.journal {
        println!("{name}: {}, {:?}", record.verdict, record.widths_after);
        assert_ne!(record.verdict, Verdict::OutputChanged, "{name}");
        assert!(record.output_change_at_zero <= 1e-5, "{name}");
        widths_add_up(name, record);
    }
    let made = committed(&grower);
    assert!(!made.is_empty(), "{name}: {:#?}", state.journal);
    let first = &state.journal[0];
    if first.verdict == Verdict::Committed {
        let added = parameters_added(&start, &first.plan);
        let counted = first.parameters_after - first.parameters_before;
        assert_eq!(counted, added, "{name}");
    }
    let grown = grower.model();
    assert!(is_finite(grown), "{name}");
    let counted = parameter_count(grown);
    let last = state.epochs.last().expect("trained");
    assert_eq!(last.parameters, counted, "{name}");
    assert_eq!(grower.graph().parameter_count(&|_| None), counted, "{name}");
    assert!(counted > parameter_count(&student::<M>()), "{name}");
    assert_eq!(frozen(grower.graph()), frozen(&start), "{name}");
    // What was grown is a model like any other: its weights load into the start model.
    let few = samples::<M>(5, DType::F32, 4);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    save_weights(grown, &path).expect("writable");
    let loaded = load_weights(&student::<M>(), &path, few.inputs()).expect("its weights");
    let answers = [grown, &loaded].map(|model| predict(model, &few, 5).into_data());
    assert_eq!(answers[0], answers[1], "{name}");
}

macro_rules! tests {
    ($($function:ident: $model:ident,)+) => {$(
        #[test]
        fn $function() {
            takes_growth_steps::<zoo::$model>();
        }
    )+};
}
every_example!(tests);
