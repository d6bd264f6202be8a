//! What may grow, and what is refused before anything is trained.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::{CrossEntropy, Growable, NnError, Samples, trace};
use burgeon_train::{
    Grower, GrowerConfig, GrowthEnd, Outcome, StopReason, Task, Verdict, WidthLimits,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Distribution, Tensor, TensorData};

use crate::network::{Mlp, adam, bits, committed, config, digits, graph, refused, task};

fn grower_of<M>(model: M, config: GrowerConfig) -> Result<Grower<M>, NnError>
where
    M: Growable<Input = Tensor<2>>,
{
    Grower::new(config, FLEX, task(600), model, adam())
}

/// Widths of the two hidden layers.
fn widths(model: &Mlp) -> [usize; 2] {
    [&model.hidden1, &model.hidden2].map(|hidden| hidden.linear.weight.dims()[1])
}

#[test]
fn a_frozen_layer_stays_as_it_is() {
    let mut model = Mlp::fixed(2);
    model.hidden1.linear = model.hidden1.linear.no_grad();
    let before = bits(&model.hidden1.linear);
    refused(
        graph(&model).site("hidden1.linear").map_err(NnError::from),
        "its parameter `hidden1.linear.",
    );
    let mut grower = grower_of(model, config()).expect("sound");
    grower.run().expect("runs");
    assert!(committed(&grower) >= 1);
    let [first, second] = widths(grower.model());
    assert!(first == 2 && second > 2, "{first} {second}");
    assert!(bits(&grower.model().hidden1.linear) == before);
}

#[test]
fn a_frozen_reader_holds_what_it_reads() {
    let mut model = Mlp::fixed(2);
    model.output = model.output.no_grad();
    let graph = graph(&model);
    assert_eq!(graph.widths(), [("hidden1.linear".to_owned(), 2)]);
    refused(
        graph.site("hidden2.linear").map_err(NnError::from),
        "its parameter `output.weight` is frozen",
    );
}

#[test]
fn widths_stay_within_their_limits() {
    let run = |limits: WidthLimits| {
        let mut grower = grower_of(Mlp::fixed(2), config().with_widths(limits)).expect("sound");
        grower.run().expect("runs");
        widths(grower.model())
    };
    let [first, second] = run(WidthLimits::default().without("hidden1.linear"));
    assert!(first == 2 && second > 2, "{first} {second}");
    let [first, second] = run(WidthLimits::default().capped("hidden1.linear", 3));
    assert!(first == 3 && second > 3, "{first} {second}");
    let found = run(WidthLimits::default().multiples_of(2));
    assert!(
        found.iter().all(|width| width.is_multiple_of(2)) && found != [2, 2],
        "{found:?}"
    );
    let unknown = config().with_widths(WidthLimits::default().without("hidden3"));
    refused(
        grower_of(Mlp::fixed(2), unknown),
        "no site `hidden3` to limit; it has hidden1.linear, hidden2.linear",
    );
}

/// What [`Odd`] does to the features of its first hidden layer.
#[derive(Debug, Clone, Copy)]
enum Oddity {
    GivesTwoAtOnce,
    Draws,
    ReadsAValue,
    MakesDataForEachBatch,
    DependsOnTheBatchSize,
}

/// A network whose forward pass cannot be run again, or cannot be traced.
#[derive(Module, Debug)]
struct Odd {
    net: Mlp,
    #[module(skip)]
    oddity: Oddity,
}

impl Growable for Odd {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let x = self.net.hidden1.forward(input);
        let [batch, features] = x.dims();
        let device = x.device();
        let x = match self.oddity {
            Oddity::GivesTwoAtOnce => {
                let (largest, _) = x.clone().max_dim_with_indices(1);
                x - largest
            }
            Oddity::Draws => {
                let uniform = Distribution::Uniform(0.0, 1.0);
                x + Tensor::random([batch, features], uniform, &device)
            }
            Oddity::ReadsAValue => {
                let largest = x.clone().max().into_scalar::<f64>();
                x.div_scalar(largest)
            }
            Oddity::MakesDataForEachBatch => {
                let rows: Vec<f32> = (0..batch).map(|row| row as f32).collect();
                x + Tensor::from_data(TensorData::new(rows, [batch, 1]), &device)
            }
            Oddity::DependsOnTheBatchSize => match batch % 2 {
                0 => x,
                _ => x.add_scalar(1.0),
            },
        };
        self.net.output.forward(self.net.hidden2.forward(x))
    }
}

#[test]
fn a_forward_pass_that_cannot_be_traced_is_refused_by_name() {
    for (oddity, expected) in [
        (
            Oddity::GivesTwoAtOnce,
            "`MaxDimWithIndices` at `net.hidden1.norm`: it gives several tensors at once",
        ),
        (Oddity::Draws, "`Random` at `net.hidden1"),
        (
            Oddity::ReadsAValue,
            "`predict` reads a value of a tensor (`into_scalar`, `into_data`)",
        ),
        (
            Oddity::MakesDataForEachBatch,
            "`Add` at `net.hidden1.norm`: it reads data of shape [2, 1] that `predict` makes",
        ),
        (
            Oddity::DependsOnTheBatchSize,
            "computes something else for another batch size (`Matmul` at `net.hidden2.linear` becomes",
        ),
    ] {
        let model = Odd {
            net: Mlp::fixed(2),
            oddity,
        };
        refused(trace(&model, &digits(4)), expected);
        refused(grower_of(model, config()), expected);
    }
}

/// Nothing but an output layer.
#[derive(Module, Debug)]
struct Logistic {
    output: Linear,
}

impl Growable for Logistic {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.output.forward(input)
    }
}

#[test]
fn a_model_without_a_hidden_layer_trains_and_has_nothing_to_grow() {
    let model = Logistic {
        output: LinearConfig::new(64, 10).init(&FLEX.device().autodiff()),
    };
    refused(
        graph(&model).site("output").map_err(NnError::from),
        "it is the model's output",
    );
    let mut grower = grower_of(model, config().with_max_refusals(1)).expect("sound");
    let outcome = grower.run().expect("runs");
    assert_eq!(outcome, Outcome::Stopped(StopReason::EpochLimit));
    let expected = GrowthEnd::Refused(Verdict::NoCandidate);
    assert_eq!(grower.state().growing_ended, Some(expected));
    assert_eq!(grower.model().output.weight.dims(), [64, 10]);
}

/// An image net whose width stands in a field of its own.
#[derive(Module, Debug)]
struct Counting {
    hidden: Linear,
    output: Linear,
    width: usize,
}

impl Growable for Counting {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let batch = input.dims()[0];
        let x = self.hidden.forward(input).reshape([batch, self.width]);
        self.output.forward(x.tanh())
    }
}

#[test]
fn a_width_in_a_field_holds_its_site() {
    let device = FLEX.device().autodiff();
    let model = Counting {
        hidden: LinearConfig::new(64, 3).init(&device),
        output: LinearConfig::new(3, 10).init(&device),
        width: 3,
    };
    refused(
        graph(&model).site("hidden").map_err(NnError::from),
        "a width stands in a field of its own",
    );
    let samples: Samples<Tensor<2>> = digits(50);
    let task = Task::new(CrossEntropy, samples.clone(), samples);
    let grower = Grower::new(config(), FLEX, task, model, adam());
    let mut grower = grower.expect("it trains all the same");
    grower.run().expect("runs");
    assert_eq!(grower.model().hidden.weight.dims(), [64, 3]);
}
