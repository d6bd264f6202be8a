//! Frozen layers keep their weights and their width.

use burgeon_nn::growable::parameter_count;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::run::{committed, config, graph_of, grower, student};
use crate::zoo::{ResNet20, UNet};

/// All floats of a module, running statistics left out.
fn weights<M: Module>(module: &M) -> Vec<Vec<f32>> {
    struct Reader(Vec<Vec<f32>>, Vec<String>);
    impl ModuleVisitor for Reader {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.1.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.1.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self
                .1
                .last()
                .is_none_or(|name| !name.starts_with("running"))
            {
                let data = param.val().into_data();
                self.0.push(data.try_to_vec::<f32>().expect("f32"));
            }
        }
    }
    let mut reader = Reader(Vec::new(), Vec::new());
    module.visit(&mut reader);
    reader.0
}

#[test]
fn a_layer_without_gradients_stays() {
    let mut model = student::<UNet>();
    model.bottom = model.bottom.no_grad();
    let (before, trained) = (weights(&model.bottom), parameter_count(&model));
    let graph = graph_of(&model);
    let refused = graph.site("bottom.first.conv").expect_err("frozen");
    assert!(
        refused
            .to_string()
            .contains("its parameter `bottom.first.conv."),
        "{refused}"
    );
    // What it reads keeps its width as well.
    assert!(graph.site("down2.second.conv").is_err());
    let mut grower = grower(model, config());
    grower.run().expect("runs");
    let made = committed(&grower);
    assert!(!made.is_empty());
    assert_eq!(weights(&grower.model().bottom), before);
    let counted = parameter_count(grower.model());
    let added: u64 = made
        .iter()
        .map(|record| record.parameters_after - record.parameters_before)
        .sum();
    assert_eq!(counted, trained + added);
    assert!(added > 0);
}

#[test]
fn a_frozen_block_stays() {
    let mut model = student::<ResNet20>();
    let block = model.blocks.remove(4).freeze();
    model.blocks.insert(4, block);
    let before = weights(&model.blocks[4]);
    let mut grower = grower(model, config());
    let frozen = grower
        .graph()
        .site("blocks.3.second.conv")
        .expect_err("its sum is frozen");
    assert!(frozen.to_string().contains("frozen"), "{frozen}");
    grower.run().expect("runs");
    assert!(!committed(&grower).is_empty());
    let grown = grower.model();
    assert_eq!(weights(&grown.blocks[4]), before);
    assert_eq!(grown.blocks[5].second.conv.weight.dims()[0], 6);
}
