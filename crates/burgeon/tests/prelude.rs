//! The prelude in one file with Burn's: a name that two of them have does not compile here.

use burgeon::prelude::*;
use burn::nn::*;
use burn::optim::*;
use burn::prelude::*;

/// Every type and trait of the prelude by its name, none of them ambiguous.
#[test]
fn no_name_is_burns_too() {
    fn is_criterion(_: &dyn Criterion) {}
    fn is_selector(_: &dyn Selector) {}
    fn is_cost_model(_: &dyn CostModel) {}
    fn is_backend<B: SplitBackend>(backend: &B) -> Device {
        backend.device()
    }
    fn is_objective(_: &dyn Objective) {}
    fn is_named<T>() -> &'static str {
        std::any::type_name::<T>()
    }

    is_criterion(&SteepestDescent);
    is_criterion(&RandomSplit);
    is_criterion(&Net2Net);
    let bound = WeightBound::new(3.0).expect("in range");
    is_criterion(&SignedSteepestDescent::new(bound));
    is_selector(&Fraction::new(0.5).expect("in range"));
    is_selector(&TopK::new(1).expect("in range"));
    is_selector(&LinearProgramme::default());
    is_cost_model(&Macs);
    is_cost_model(&Parameters);
    is_objective(&CrossEntropy);
    is_objective(&MeanSquaredError);
    let device = is_backend(&burgeon::backend::flex::FLEX);
    let inputs = Tensor::<2>::zeros([4, 3], &device);
    let samples: Samples<Tensor<2>> =
        Samples::classification(inputs, &[0, 1, 1, 0], 2, &device).expect("fits");
    let net = Net {
        hidden: LinearConfig::new(3, 2).init(&device),
    };
    assert_eq!(trace(&net, &samples).expect("traces").graph().widths(), []);
    let found: Evaluation = evaluate(&net, &CrossEntropy, &samples, 4).expect("finite");
    assert!((found.loss - 2.0_f64.ln()).abs() < 1.0);
    let folder = std::env::temp_dir().join(format!("burgeon-prelude-{}", std::process::id()));
    let file = folder.with_extension("safetensors");
    save_weights(&net, &file).expect("writable");
    let example = Tensor::<2>::zeros([1, 3], &device);
    assert!(load_weights(&net, &file, &example).is_ok());
    std::fs::remove_file(&file).expect("there");

    let rate: LearningRate = 0.1;
    let adam: AdamConfig = AdamConfig::new();
    let config: GrowerConfig = GrowerConfig::new(SteepestDescent, TopK::new(1).expect("in range"))
        .with_trigger(Trigger::Every { epochs: 1 })
        .with_step_size(StepSize::line_search())
        .with_spectrum(SpectrumConfig::default())
        .with_learning_rate(RateSchedule::constant(rate).expect("a rate"))
        .with_max_epochs(1);
    let task: Task<Tensor<2>> = Task::new(CrossEntropy, samples.clone(), samples);
    let flex = burgeon::backend::flex::FLEX;
    let net = net.train();
    let grower: Result<Grower<Net>, NnError> = Grower::new(config, flex, task, net, adam.init());
    assert!(grower.is_ok() || grower.is_err());
    for name in [
        is_named::<Plan>(),
        is_named::<Targets>(),
        is_named::<Threshold>(),
        is_named::<Progress>(),
        is_named::<WeightedCrossEntropy>(),
        is_named::<Stack<ResidualLinear>>(),
        is_named::<ResidualConv2d>(),
        is_named::<Stacks<'_>>(),
    ] {
        assert!(name.starts_with("burgeon_"), "{name}");
    }
}

#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
}

impl Growable for Net {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.hidden.forward(input)
    }
}
