use std::fs::File;
use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use rawzip::{CompressionMethod, ZipArchiveWriter};

use super::*;

fn csv(text: impl AsRef<[u8]>) -> Result<Table, String> {
    read_csv("data.csv", text.as_ref(), &ReadOptions::default()).map_err(|error| error.to_string())
}

fn refused(text: impl AsRef<[u8]>, part: &str) {
    let error = csv(text).expect_err(part);
    assert!(error.contains(part), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn columns_are_numbers_or_categories() {
    for delimiter in [",", ";", "\t", "|"] {
        let text = "a,färbe,y\n1,rot,0.5\n-2e3,\"b,l\",1\n".replace(',', delimiter);
        let table = csv(text).expect("two rows");
        assert_eq!(table.rows(), 2);
        assert_eq!(table.columns[0].cells, Cells::Numbers(vec![1.0, -2000.0]));
        assert_eq!(table.columns[1].name, "färbe");
        let quoted = format!("b{delimiter}l");
        assert_eq!(
            table.columns[1].cells,
            Cells::Texts(vec!["rot".into(), quoted])
        );
    }
    let options = ReadOptions {
        categories: vec!["a".into()],
        ..ReadOptions::default()
    };
    let table = read_csv("x", b"\xef\xbb\xbfa,y\n1,2\n", &options).expect("one row");
    assert_eq!(table.columns[0].cells, Cells::Texts(vec!["1".into()]));
    let options = ReadOptions {
        no_header: true,
        ..ReadOptions::default()
    };
    let table = read_csv("x", b"1,2\n3,4\n", &options).expect("two rows");
    assert_eq!(table.columns[1].name, "column 2");
    assert_eq!(table.rows(), 2);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    refused("", "the file is empty");
    refused("\n \n", "the file is empty");
    refused("a,b\n", "no row with values");
    refused("a b\n1 2\n", "only one column");
    // Found by `tests/damaged.rs`: bytes of a file went to the terminal as they are.
    refused(
        "a,b\n".to_owned() + &"1,2\n".repeat(12) + "\0\x1b[31m,6\n",
        "`\\u{0}\\u{1b}[31m` is no number",
    );
    refused("a,a\n1,2\n", "two columns are called `a`");
    refused("a,,b\n1,2,3\n", "column 2 has no name");
    refused("1,2\n3,4\n", "--no-header");
    refused(
        "a,b\n1,2\n3\n",
        "line 3: 1 cells where the first line has 2",
    );
    refused("a,b\n1,2\n3,4,5\n", "line 3: 3 cells");
    refused("a,b\n1,2\n,4\n", "line 3, column `a`: the value is missing");
    refused(
        "a,b\n1,2\nNaN,4\n",
        "line 3, column `a`: the value is missing",
    );
    refused(
        "a,b\n1,2\n1e999,4\n",
        "line 3, column `a`: `1e999` is not a finite",
    );
    refused(
        "a,b\n1,2\n2,2\n3,2\n4,2\nfive,2\n",
        "line 6, column `a`: `five` is no number",
    );
    refused(b"a,b\n1,2\n\xff,3\n", "line 3 is not UTF-8");
    let long = format!("a,b\n1,2\n2,2\n3,2\n4,2\n5,2\n{},2\n", "x".repeat(100_000));
    refused(&long, "line 7, column `a`: `xxx");
    assert!(csv(&long).expect_err("long").len() < 400);
    let options = ReadOptions {
        categories: vec!["c".into()],
        ..ReadOptions::default()
    };
    let error = read_csv("data.csv", b"a,b\n1,2\n", &options).expect_err("no c");
    assert!(
        error
            .to_string()
            .contains("no column `c`: the columns are a, b")
    );
}

#[test]
fn rows_with_missing_values_are_left_out_if_that_is_said() {
    let options = ReadOptions {
        missing: Missing::DropRow,
        ..ReadOptions::default()
    };
    let table = read_csv("x", b"a,b\n1,2\n?,3\n4,\n5,6\n", &options).expect("two rows are whole");
    assert_eq!(table.columns[0].cells, Cells::Numbers(vec![1.0, 5.0]));
}

fn image(path: &Path, width: u32, colour: Option<[u8; 3]>) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
    match colour {
        None => image::GrayImage::from_pixel(width, 2, image::Luma([51]))
            .save(path)
            .expect("written"),
        Some(colour) => image::RgbImage::from_pixel(width, 2, image::Rgb(colour))
            .save(path)
            .expect("written"),
    }
}

fn at(path: &Path) -> Result<Records, String> {
    read(path, &ReadOptions::default()).map_err(|error| error.to_string())
}

#[test]
fn folders_are_classes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    assert!(at(path).expect_err("empty").contains("no image"));
    image(&path.join("cat/1.png"), 3, None);
    image(&path.join("ant/1.png"), 3, None);
    let Ok(Records::Images(images)) = at(path) else {
        panic!("two images");
    };
    assert_eq!((images.shape, images.len()), ([1, 2, 3], 2));
    assert_eq!(images.labels, ["ant", "cat"]);
    assert!(images.pixels.iter().all(|pixel| (pixel - 0.2).abs() < 1e-6));
    image(&path.join("cat/2.png"), 3, Some([255, 0, 51]));
    let Ok(Records::Images(images)) = at(path) else {
        panic!("three images");
    };
    assert_eq!(images.shape, [3, 2, 3]);
    assert_eq!(images.pixels[2 * 18..2 * 18 + 6], [1.0; 6]);
    assert_eq!(images.pixels[2 * 18 + 6..2 * 18 + 12], [0.0; 6]);
    image(&path.join("dog/1.png"), 5, None);
    assert!(at(path).expect_err("sizes differ").contains("--size"));
    let options = ReadOptions {
        size: Some([4, 4]),
        ..ReadOptions::default()
    };
    let Ok(Records::Images(images)) = read(path, &options) else {
        panic!("four images");
    };
    assert_eq!((images.shape, images.len()), ([3, 4, 4], 4));
    std::fs::write(path.join("dog/2.png"), "no image").expect("written");
    assert!(at(path).expect_err("text").contains("dog/2.png"));
}

/// A `.npy` file of version 1.
fn npy(kind: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(header.len()).expect("short").to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    file
}

/// An archive whose members are compressed, as `np.savez_compressed` writes it.
fn npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut file = File::create(path).expect("a file");
    let mut archive = ZipArchiveWriter::new(&mut file);
    for (name, bytes) in arrays {
        let name = format!("{name}.npy");
        let builder = archive.new_file(&name);
        let builder = builder.compression_method(CompressionMethod::DEFLATE);
        let (mut entry, config) = builder.start().expect("a member");
        let encoder = DeflateEncoder::new(&mut entry, Compression::default());
        let mut writer = config.wrap(encoder);
        writer.write_all(bytes).expect("written");
        let (encoder, descriptor) = writer.finish().expect("whole");
        encoder.finish().expect("whole");
        entry.finish(descriptor).expect("whole");
    }
    archive.finish().expect("closed");
}

#[test]
fn archives_hold_tables_or_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.npz");
    let floats: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let labels: Vec<u8> = [7_i64, 9].iter().flat_map(|v| v.to_le_bytes()).collect();
    let y = || ("y", npy("<i8", "(2,)", &labels));
    npz(&path, &[("x", npy("<f4", "(2, 2)", &floats)), y()]);
    let Ok(Records::Table(table)) = at(&path) else {
        panic!("a table");
    };
    assert_eq!(table.columns[1].cells, Cells::Numbers(vec![2.0, 4.0]));
    assert_eq!(
        table.column("y").expect("targets").cells,
        Cells::Numbers(vec![7.0, 9.0])
    );
    npz(
        &path,
        &[("images", npy("|u1", "(2, 1, 2)", &[0, 255, 51, 0])), y()],
    );
    let Ok(Records::Images(images)) = at(&path) else {
        panic!("images");
    };
    assert_eq!(
        (images.shape, images.labels),
        ([1, 1, 2], vec!["7".to_owned(), "9".to_owned()])
    );
    assert_eq!(images.pixels, [0.0, 1.0, 0.2, 0.0]);
    npz(&path, &[("x", npy("<f4", "(4, 1)", &floats)), y()]);
    assert!(
        at(&path)
            .expect_err("4 and 2")
            .contains("one target for each")
    );
    npz(&path, &[("z", npy("<f4", "(4, 1)", &floats))]);
    assert!(at(&path).expect_err("no x").contains("there are z"));
    npz(&path, &[("x", npy("<U1", "(4,)", &floats))]);
    assert!(at(&path).expect_err("texts").contains("numbers are needed"));
    npz(&path, &[("x", npy("<f4", "()", &floats[..4]))]);
    assert!(at(&path).expect_err("a scalar").contains("shape []"));
}

#[test]
fn compression_is_undone_and_labels_lie_beside() {
    let folder = tempfile::tempdir().expect("a folder");
    let packed = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        let file = File::create(&path).expect("a file");
        let mut encoder = GzEncoder::new(file, Compression::fast());
        encoder.write_all(bytes).expect("written");
        encoder.finish().expect("closed");
        path
    };
    let table = packed("data.csv.gz", b"a,b\n1,2\n");
    assert!(matches!(at(&table), Ok(Records::Table(table)) if table.rows() == 1));
    let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 255, 0];
    let path = packed("my-images-idx3-ubyte.gz", &images);
    assert!(
        at(&path)
            .expect_err("no labels")
            .contains("labels beside it")
    );
    packed("my-labels-idx1-ubyte.gz", &[0, 0, 8, 1, 0, 0, 0, 2, 4, 5]);
    let Ok(Records::Images(images)) = at(&path) else {
        panic!("two images");
    };
    assert_eq!(images.labels, ["4", "5"]);
    std::fs::write(folder.path().join("cut.csv.gz"), [0x1f, 0x8b, 8, 0]).expect("written");
    assert!(
        at(&folder.path().join("cut.csv.gz"))
            .expect_err("cut")
            .contains("damaged gzip")
    );
}
