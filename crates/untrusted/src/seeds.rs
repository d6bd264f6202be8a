//! The files that the corpora begin with and that only a program can write: made again where a
//! format or a run's identity changes, by
//! `cargo test --release --package burgeon-untrusted --lib -- --ignored`.

use std::fs;
use std::path::Path;

use burgeon_data::own::{ReadOptions, Records, read_csv};
use burgeon_nn::weights::save_weights;
use burgeon_predictor::{Export, FitData, FitSettings, Format, Predictor, Watch, fit};
use burgeon_train::observer::Journal;

use crate::runs::{fixed_net, grower};

/// `parts` as [`halves`](crate::files::halves) reads them.
fn joined(parts: [&[u8]; 2]) -> Vec<u8> {
    let length = u16::try_from(parts[0].len()).expect("short");
    [&length.to_le_bytes()[..], parts[0], parts[1]].concat()
}

fn keep(target: &str, bytes: &[u8]) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    fs::create_dir_all(corpus.join(target)).expect("a folder");
    fs::write(corpus.join(target).join("sound"), bytes).expect("writable");
}

#[test]
#[ignore = "it writes into the repository"]
fn sound_files_are_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let bytes = |name: &str| fs::read(path(name)).expect("written");

    let grower = grower().observe(Journal::new(path("journal.jsonl")));
    let mut grower = grower.checkpoint_at(path("run")).expect("new");
    // Stopped in the middle: what is read goes on.
    while grower.state().epoch < 3 {
        grower.advance().expect("runs");
    }
    drop(grower);
    keep(
        "checkpoint",
        &joined([&bytes("run"), &bytes("run.history")]),
    );
    let journal = bytes("journal.jsonl");
    keep("journal", &journal);
    let first: serde_json::Value =
        serde_json::from_slice(journal.split(|byte| *byte == b'\n').next().expect("a line"))
            .expect("a record");
    keep("plan", first["plan"].to_string().as_bytes());
    save_weights(&fixed_net(), &path("net")).expect("writable");
    keep("weights", &bytes("net"));

    let mut text = String::from("a,b,colour,larger\n");
    for row in 0..40 {
        let (a, b) = (row * 7 % 41, row * 11 % 43);
        let colour = ["red", "blue"][row % 3 % 2];
        text += &format!("{a},{b},{colour},{}\n", if a > b { "a" } else { "b" });
    }
    let table = read_csv("numbers", text.as_bytes(), &ReadOptions::default()).expect("sound");
    let records = Records::Table(table);
    let data = FitData {
        name: "numbers",
        records: &records,
        held: None,
        target: None,
        goal: None,
    };
    let settings = FitSettings {
        epochs: Some(2),
        growths: 0,
        layers: 1,
        budget: "60-params".parse().expect("a budget"),
        ..FitSettings::default()
    };
    fit(&data, &settings, &path("fit"), &Watch::default()).expect("trained");
    let rest = joined([
        &bytes("fit/weights.safetensors"),
        &bytes("fit/summary.json"),
    ]);
    keep("run_folder", &joined([&bytes("fit/predictor.json"), &rest]));
    let predictor = Predictor::load(&path("fit"), None).expect("a run");
    let out = path("exported.safetensors");
    let exported = predictor.export(Export::new(Format::Safetensors), &out);
    exported.expect("writable");
    keep("exported", &bytes("exported.safetensors"));
}
