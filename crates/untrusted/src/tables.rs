//! Data, exported networks and results: what is read without Burn.

use burgeon_data::cifar::Layout;
use burgeon_data::own::{
    Cells, Column, LabelledImages, Missing, ReadOptions, Records, Table, read, read_csv,
};
use burgeon_run::{ColumnEncoding, InputSchema, Runner, Schema, rows};

use crate::files::{halves, told, with_files};

/// An IDX file of images and one of labels, in two parts.
pub fn idx(bytes: &[u8]) {
    let (images, labels) = halves(bytes);
    told(burgeon_data::idx::parse("a set", images, labels));
    let files = [("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)];
    with_files(&files, |folder| {
        used(told(read(
            &folder.join(files[0].0),
            &ReadOptions::default(),
        )));
    });
}

/// A binary file of CIFAR-10 and of CIFAR-100.
pub fn cifar(bytes: &[u8]) {
    let files = [bytes.to_vec()];
    for layout in [Layout::Cifar10, Layout::Cifar100] {
        told(burgeon_data::cifar::parse("a set", &files, layout));
    }
}

/// A CSV file; the first byte says how it is read.
pub fn csv(bytes: &[u8]) {
    let Some((&told_how, text)) = bytes.split_first() else {
        return;
    };
    let is_set = |bit: u8| told_how >> bit & 1 == 1;
    let options = ReadOptions {
        no_header: is_set(0),
        missing: match is_set(1) {
            true => Missing::DropRow,
            false => Missing::Refuse,
        },
        categories: is_set(2).then(|| "kind".to_owned()).into_iter().collect(),
        delimiter: [None, Some(b','), Some(b';'), Some(b'\t')][usize::from(told_how >> 6)],
        size: None,
    };
    used(told(read_csv("a file", text, &options)).map(Records::Table));
}

/// A NumPy archive, or whatever file by its first bytes: gzip is undone.
pub fn archive(bytes: &[u8]) {
    with_files(&[("data.npz", bytes)], |folder| {
        used(told(read(
            &folder.join("data.npz"),
            &ReadOptions::default(),
        )));
    });
}

/// An image in a folder of classes; the first byte says its kind, and whether it is scaled.
pub fn picture(bytes: &[u8]) {
    let Some((&told_how, image)) = bytes.split_first() else {
        return;
    };
    let ending = ["png", "jpg", "bmp"][usize::from(told_how % 3)];
    let options = ReadOptions {
        size: (told_how >= 128).then_some([4, 5]),
        ..ReadOptions::default()
    };
    let name = format!("class/a.{ending}");
    with_files(&[(&name, image)], |folder| {
        used(told(read(folder, &options)));
    });
}

/// What a fit does first with records: it finds out what they are, and encodes them.
fn used(records: Option<Records>) {
    let Some(records) = records else { return };
    let all: Vec<usize> = (0..rows(&records)).collect();
    let Some(schema) = told(Schema::of(&records, None, None, &all)) else {
        return;
    };
    assert_eq!(schema.check(), Ok(()));
    let inputs = told(schema.inputs.encode(&records)).unwrap_or_default();
    let size: usize = schema.inputs.shape().iter().product();
    assert_eq!(inputs.len(), size * all.len());
    told(schema.target.encode(&records));
}

/// The most numbers of an input that a prediction is asked for.
pub(crate) const MOST_INPUTS: usize = 1 << 14;

/// A file of `burgeon export --format safetensors`, and a prediction by it.
pub fn exported(bytes: &[u8]) {
    with_files(&[("net.safetensors", bytes)], |folder| {
        let Some(runner) = told(Runner::open(&folder.join("net.safetensors"))) else {
            return;
        };
        let inputs = &runner.schema().inputs;
        let size = inputs.shape().iter().product::<usize>();
        if size <= MOST_INPUTS {
            told(runner.predict(&two_rows(inputs)));
        }
    });
}

/// Two rows that fit `inputs`.
pub(crate) fn two_rows(inputs: &InputSchema) -> Records {
    match inputs {
        InputSchema::Images { shape, .. } => Records::Images(LabelledImages {
            shape: *shape,
            pixels: vec![0.5; 2 * shape.iter().product::<usize>()],
            labels: Vec::new(),
        }),
        InputSchema::Columns(columns) => {
            let column = |encoding: &ColumnEncoding| match encoding {
                ColumnEncoding::Number { column, .. } => Column {
                    name: column.clone(),
                    cells: Cells::Numbers(vec![0.5, -1e300]),
                },
                ColumnEncoding::Categories { column, categories } => Column {
                    name: column.clone(),
                    cells: Cells::Texts(vec![categories.first().cloned().unwrap_or_default(); 2]),
                },
            };
            Records::Table(Table {
                columns: columns.iter().map(column).collect(),
            })
        }
    }
}

/// A study's report and a journal of growth in a folder of results, in two parts.
pub fn results(bytes: &[u8]) {
    let (report, journal) = halves(bytes);
    let files: [(&str, &[u8]); 3] = [
        ("manifest.json", br#"{"studies": ["digits"]}"#),
        ("digits/report.json", report),
        ("digits/units/grown-0.journal.jsonl", journal),
    ];
    with_files(&files, |folder| {
        if let Some(page) = told(burgeon_report::read(folder)) {
            page.to_html();
        }
    });
}
