//! A model of any type is the model in it.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::growable::{cast, parameter_count};
use burgeon_nn::{AnyInput, AnyModel, AnyOutput, Growable, NnError, Output};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{DType, Device, Int, Tensor};

#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    norm: BatchNorm,
    index: Param<Tensor<1, Int>>,
}

impl Net {
    fn new() -> Self {
        let device = FLEX.device();
        Self {
            hidden: LinearConfig::new(3, 2).init(&device),
            norm: BatchNormConfig::new(2).init(&device),
            index: Param::initialized(
                burn::module::ParamId::new(),
                Tensor::from_ints([1, 0], &device),
            ),
        }
    }
}

impl Growable for Net {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let rows = self.norm.forward(self.hidden.forward(input));
        rows.select(1, self.index.val())
    }
}

/// All that a visitor is told.
#[derive(Debug, Default, PartialEq)]
struct Told(Vec<String>);

impl ModuleVisitor for Told {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0
            .push(format!("{:?}: {:?}", param.id, param.val().into_data()));
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.0
            .push(format!("{:?}: {:?}", param.id, param.val().into_data()));
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.push(format!("in {name} {container}"));
    }

    fn exit_module(&mut self, name: &str, container: &str) {
        self.0.push(format!("out {name} {container}"));
    }
}

fn told(model: &impl Module) -> Told {
    let mut told = Told::default();
    model.visit(&mut told);
    told
}

#[test]
fn it_is_visited_mapped_and_asked_as_the_model_in_it() {
    let net = Net::new();
    let any = AnyModel::new(net.clone()).expect("few axes");
    assert!(told(&net).0.len() > 12);
    assert_eq!(told(&any), told(&net));
    assert_eq!(parameter_count(&any), parameter_count(&net));
    let (net, any) = (cast(&net, DType::F64), cast(&any, DType::F64));
    assert_eq!(told(&any), told(&net));
    let rows = Tensor::<2>::from_floats([[1.0, -2.0, 3.0], [0.5, 0.25, 4.0]], &FLEX.device());
    let rows = rows.cast(DType::F64);
    let own = net.predict(rows.clone()).into_data();
    let answer = any.predict(AnyInput::new(rows));
    assert_eq!(answer.len(), 2);
    assert_eq!(answer.into_rows().into_data(), own);
    // Wrapped again it is the same, and no other type is taken out of it.
    let again = AnyModel::new(any).expect("as before");
    let again = again.downcast::<Linearly>().expect_err("another type");
    assert_eq!(
        told(&again.downcast::<Net>().expect("its type")),
        told(&net)
    );
}

#[derive(Module, Debug)]
struct Linearly {
    weight: Param<Tensor<9>>,
}

impl Growable for Linearly {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        input * self.weight.val().reshape([1, 1])
    }
}

#[test]
fn more_axes_than_go_through_are_refused_by_name() {
    let weight = Tensor::ones([1; 9], &FLEX.device());
    let net = Linearly {
        weight: Param::from_tensor(weight),
    };
    let error = AnyModel::new(net).expect_err("nine axes");
    assert!(matches!(error, NnError::Model(_)), "{error}");
    assert!(error.to_string().contains("`weight` has 9 axes"), "{error}");
}

/// One that is handed on as it is comes back as it is: code for any model may call code for any model.
#[test]
fn it_is_its_own_type_too() {
    let any = AnyModel::new(Net::new()).expect("few axes");
    let again = AnyModel::new(any.clone()).expect("few axes");
    assert!(again.downcast_ref::<AnyModel>().is_some());
    let back: AnyModel = again.downcast().expect("its own type");
    assert_eq!(told(&back), told(&any));
    let other = back.downcast::<OneLayer>().expect_err("another type");
    assert!(other.downcast::<Net>().is_ok());
}

/// A model around one of any type, as one that adds a penalty to it is.
#[derive(Debug, Clone)]
struct Around(AnyModel);

impl Module for Around {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.0.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        Self(self.0.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        Self(self.0.to_device(device))
    }

    fn train(self) -> Self {
        Self(self.0.train())
    }

    fn valid(&self) -> Self {
        Self(self.0.valid())
    }

    fn materialize(self) -> Self {
        Self(self.0.materialize())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.0.visit(visitor);
    }

    fn map<T: ModuleMapper>(self, mapper: &mut T) -> Self {
        Self(self.0.map(mapper))
    }
}

impl Growable for Around {
    type Input = AnyInput;
    type Output = AnyOutput;

    fn predict(&self, input: AnyInput) -> AnyOutput {
        self.0.predict(input)
    }
}

#[test]
fn a_model_around_it_answers_as_it_does() {
    let net = Net::new();
    let rows = || Tensor::<2>::ones([5, 3], &FLEX.device());
    let any = AnyModel::new(net.clone()).expect("few axes");
    let around = AnyModel::new(Around(any)).expect("few axes");
    let answer = around.predict(AnyInput::new(rows())).into_rows();
    assert_eq!(answer.into_data(), net.predict(rows()).into_data());
    assert_eq!(told(&around), told(&net));
}

/// A model of another type.
#[derive(Module, Debug)]
struct OneLayer {
    only: Linear,
}

impl Growable for OneLayer {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.only.forward(input)
    }
}
