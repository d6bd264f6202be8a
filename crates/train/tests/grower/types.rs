//! Models, samples and backends of different devices and types.

use burgeon_backend_flex::FLEX;
use burgeon_backend_ndarray::NDARRAY;
use burgeon_core::SplitBackend;
use burgeon_core::criterion::RandomSplit;
use burgeon_core::select::Fraction;
use burgeon_nn::growable::cast;
use burgeon_nn::{Growable, MeanSquaredError, NnError, Samples, SpectrumConfig, capture_spectra};
use burgeon_train::{Accept, Grower, GrowerConfig, RateSchedule, StepSize, Task, Trigger};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::SgdConfig;
use burn::tensor::activation::tanh;
use burn::tensor::{DType, Distribution, Tensor};

use crate::network::{Mlp, adam, config, refused, task};

/// A recurrence by hand: a layer that reads what it answered to the step before.
#[derive(Module, Debug)]
struct Recurrent {
    cell: Linear,
    back: Linear,
    output: Linear,
    /// Whether the first state is of the input's type, not of the device's.
    #[module(skip)]
    typed: bool,
}

const STEPS: usize = 3;
const FEATURES: usize = 4;
const FED_BACK: usize = 2;

impl Recurrent {
    fn new(typed: bool) -> Self {
        let device = FLEX.device().autodiff();
        let model = Self {
            cell: LinearConfig::new(FEATURES + FED_BACK, 3).init(&device),
            back: LinearConfig::new(3, FED_BACK).init(&device),
            output: LinearConfig::new(3, 2).init(&device),
            typed,
        };
        cast(&model, DType::F64)
    }
}

impl Growable for Recurrent {
    type Input = Tensor<3>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<3>) -> Tensor<2> {
        let [samples, steps, features] = input.dims();
        let device = input.device();
        let mut state = match self.typed {
            true => Tensor::<2>::zeros([samples, FED_BACK], (&device, input.dtype())),
            false => Tensor::<2>::zeros([samples, FED_BACK], &device),
        };
        let mut answer = None;
        for step in 0..steps {
            let now = input
                .clone()
                .narrow(1, step, 1)
                .reshape([samples, features]);
            let hidden = tanh(self.cell.forward(Tensor::cat(vec![now, state], 1)));
            state = self.back.forward(hidden.clone());
            answer = Some(self.output.forward(hidden));
        }
        answer.expect("there are steps")
    }
}

fn recurrent_task(inputs: DType, values: DType) -> Task<Tensor<3>> {
    let device = FLEX.device();
    let normal = Distribution::Normal(0.0, 1.0);
    let samples = || {
        let inputs = Tensor::random([30, STEPS, FEATURES], normal, (&device, inputs));
        let values = Tensor::random([30, 2], normal, (&device, values));
        Samples::regression(inputs, values).expect("sound")
    };
    Task::new(MeanSquaredError, samples(), samples())
}

fn short() -> GrowerConfig {
    GrowerConfig::new(RandomSplit, Fraction::new(0.5).expect("in range"))
        .with_trigger(Trigger::Every { epochs: 1 })
        .with_max_epochs(3)
        .with_learning_rate(RateSchedule::constant(0.02).expect("a rate"))
        .with_batch_size(7)
        .with_step_size(StepSize::Fixed {
            epsilon: 0.1,
            accept: Accept::Always,
        })
}

#[test]
fn a_recurrence_by_hand_grows_in_f64() {
    let task = recurrent_task(DType::F64, DType::F64);
    let model = Recurrent::new(true);
    let spectra = SpectrumConfig::default();
    capture_spectra(&model, &MeanSquaredError, &task.held, 7, &spectra, &FLEX).expect("captured");
    let stateless = SgdConfig::new().init();
    let grower = Grower::new(short(), FLEX, task, model, stateless);
    let mut grower = grower.expect("sound");
    grower.run().expect("runs");
    assert!(
        grower.model().cell.weight.dims()[1] > 3,
        "nothing has grown"
    );
}

#[test]
fn types_that_do_not_go_together_are_refused() {
    let make = |model, task| Grower::new(short(), FLEX, task, model, adam());
    refused(
        make(
            Recurrent::new(false),
            recurrent_task(DType::F64, DType::F64),
        ),
        "F64",
    );
    refused(
        make(Recurrent::new(true), recurrent_task(DType::F32, DType::F64)),
        "F64",
    );
    refused(
        make(Recurrent::new(true), recurrent_task(DType::F64, DType::F32)),
        "the target values are in F32, the model answers in F64",
    );
    refused(
        make(Recurrent::new(true), recurrent_task(DType::F64, DType::F64)),
        "Burn would bring back this optimizer's state in F32",
    );
    let single = Mlp::fixed(2);
    let mixed = Mlp {
        output: cast(&single.output, DType::F64),
        ..single
    };
    refused(
        Grower::new(config(), FLEX, task(100), mixed, adam()),
        "`output.weight` is in F64, but `hidden1.linear.weight` is in F32",
    );
}

#[test]
fn devices_that_differ_are_refused() {
    let message = |result: Result<Grower<Mlp>, NnError>| result.expect_err("refused").to_string();
    let all_on_flex = Grower::new(config(), NDARRAY, task(100), Mlp::fixed(2), adam());
    let said = message(all_on_flex);
    assert!(
        said.contains("the model and the backend ndarray")
            && said.contains("Flex")
            && said.contains("NdArray"),
        "{said}"
    );
    let other = Task {
        held: Samples::classification(
            Tensor::<2>::zeros([10, 64], &NDARRAY.device()),
            &[1; 10],
            10,
            &FLEX.device(),
        )
        .expect("sound in itself"),
        ..task(100)
    };
    let said = message(Grower::new(config(), FLEX, other, Mlp::fixed(2), adam()));
    assert!(
        said.contains("the held samples and the backend flex"),
        "{said}"
    );
}
