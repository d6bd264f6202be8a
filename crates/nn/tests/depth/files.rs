//! Weight files of models with longer stacks.

use burgeon_nn::Architecture;
use burgeon_nn::stored::collect;
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::weights::{load_weights, save_weights};
use burn::tensor::DType;

use crate::models::{Drawn, Study, conv, mlp, plain, plan_of};

fn round_trip<M: Drawn>(study: &Study<M>, start: &M) {
    let mut growths = study.layers(3);
    growths.extend(study.wider(4));
    let plan = plan_of(growths);
    let (grown, _) =
        apply_plan(&study.model, study.trace.graph(), &plan, 0.5).expect("a plan that fits");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("grown.safetensors");
    save_weights(&grown, &path).expect("writable");
    let loaded = load_weights(start, &path, study.samples.inputs()).expect("its weights");
    assert_eq!(Architecture::of(&loaded), Architecture::of(&grown));
    let (own, found) = (collect(&grown), collect(&loaded));
    assert!(own.keys().eq(found.keys()));
    for (path, weight) in &own {
        assert!(found[path].data == weight.data, "{path} differs");
    }
    let answer = |model: &M| {
        burgeon_nn::growable::predict(model, &study.samples, 4)
            .into_data()
            .try_to_vec::<f32>()
            .expect("f32")
    };
    assert_eq!(answer(&grown), answer(&loaded));
}

#[test]
fn grown_weights_load_into_the_model_that_growth_began_with() {
    let dtype = DType::F32;
    round_trip(&Study::new(mlp(1, dtype), dtype), &mlp(1, dtype));
    round_trip(&Study::new(mlp(0, dtype), dtype), &mlp(0, dtype));
    round_trip(&Study::new(conv(dtype), dtype), &conv(dtype));
    round_trip(&Study::new(plain(dtype), dtype), &plain(dtype));
}

#[test]
fn a_model_of_other_blocks_is_told() {
    let study = Study::new(mlp(1, DType::F32), DType::F32);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("short.safetensors");
    save_weights(&study.model, &path).expect("writable");
    let error = load_weights(&mlp(3, DType::F32), &path, study.samples.inputs());
    let error = error.expect_err("it has too many blocks").to_string();
    assert!(error.contains("stack `body`"), "{error}");
    assert!(error.contains("as many blocks"), "{error}");
}
