//! Growth of the LSTM units of a programmer-interpreter: nothing changes at ε = 0, and what a split
//! gains is what the spectrum says.

use burgeon::backend::flex::FLEX;
use burgeon::prelude::*;
use burgeon_nn::growable::cast;
use burgeon_npi::network::{
    Codec, Core, CoreConfig, DecisionLoss, Settings, Traces, Training, samples,
};
use burgeon_npi::tasks::{Recursion, named};
use burgeon_npi::training_sets::of_the_paper;
use burgeon_npi::verification::reached;
use burgeon_train::{Accept, SearchSamples, Subject, Verdict};
use burn::tensor::{DType, Device};

#[test]
fn a_split_of_lstm_units_gains_what_is_predicted() {
    let task = named("bubble").expect("there");
    let codec = Codec::new(task.instructions());
    let device = Device::flex();
    let mut oracle = task.oracle(Recursion::Full).expect("there");
    let problems = of_the_paper(task, 1).expect("problems");
    let calls = reached(task, Recursion::Full, problems).expect("runs");
    let config = CoreConfig {
        hidden: 3,
        encoder: 8,
        embedding: 4,
        key: 4,
    };
    let core = Core::new(&codec, config, 1, &device.clone().autodiff());
    let traces = Traces::new(codec, &calls, &mut oracle, &device).expect("traces");
    let mut training = Training::new(core, Settings::default());
    for _ in 0..60 {
        training.step(&traces).expect("trains");
    }
    let core = cast(&training.core, DType::F64);
    let samples = samples(codec, &calls, &mut oracle, &device).expect("samples");
    let Targets::Values(values) = samples.targets() else {
        panic!("decisions are values");
    };
    let inputs = samples.inputs().clone().cast(DType::F64);
    let samples = Samples::regression(inputs, values.clone().cast(DType::F64)).expect("samples");
    let objective = DecisionLoss::new(codec);
    let epsilon = 1e-2;
    let growth = GrowthConfig {
        step_size: StepSize::Fixed {
            epsilon,
            accept: Accept::Always,
        },
        search_samples: SearchSamples::Captured,
        capture_samples: samples.len(),
        ..GrowthConfig::default()
    };
    for layer in ["lower", "upper"] {
        let mut trace = trace(&core, &samples).expect("traced");
        let sites: Vec<_> = trace
            .graph()
            .growable()
            .map(|site| (site.name().to_owned(), site.group(), site.width()))
            .collect();
        let found = sites.iter().filter(|(name, ..)| name.starts_with(layer));
        assert_eq!(
            found.map(|site| site.2).collect::<Vec<_>>(),
            [3],
            "{sites:?}"
        );
        for (name, group, _) in sites {
            if !name.starts_with(layer) {
                trace.freeze(group, "another layer's turn");
            }
        }
        let step = GrowthStep::new(SteepestDescent, TopK::new(1).expect("one"))
            .with_config(growth.clone());
        let subject = Subject {
            model: &core,
            trace: trace.into(),
            objective: &objective,
            train: &samples,
            held: &samples,
            batch_size: samples.len(),
            backend: &FLEX,
        };
        let made = step.run(&subject, 1).expect("grows");
        let record = made.record;
        assert_eq!(record.verdict, Verdict::Committed, "{layer}");
        assert!(record.output_change_at_zero < 1e-12, "{record:?}");
        let predicted = record.predicted_decrease.expect("predicted");
        let measured = record.measured_decrease.expect("measured");
        assert!(predicted > 0.0, "{layer}: {predicted}");
        let off = (measured / predicted - 1.0).abs();
        assert!(
            off < 0.05,
            "{layer}: {predicted} predicted, {measured} measured"
        );
        let (grown, _) = made.grown.expect("grown");
        let widths = if layer == "lower" { [4, 3] } else { [3, 4] };
        assert_eq!(grown.widths(), widths);
    }
}
