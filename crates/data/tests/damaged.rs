//! Files that were damaged end in a message, or in what they still hold: never in a panic, and
//! never in more memory than they have bytes for.
//!
//! `PROPTEST_CASES=1000000 cargo test --release --test damaged` looks for longer.

use std::fs;
use std::io::Write;
use std::path::Path;

use burgeon_data::cifar::{self, Layout};
use burgeon_data::own::{Missing, ReadOptions, Records, read};
use burgeon_data::{DataError, idx};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use image::{ColorType, ImageFormat};
use proptest::prelude::*;
use proptest::sample::Index;
use rawzip::{CompressionMethod, ZipArchiveWriter};

/// One change of a file.
#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    /// A large or a negative number, in either order of bytes.
    Number(Index, u32),
    Cut(Index),
    Delete(Index, usize),
    Insert(Index, Vec<u8>),
    Repeat(Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    let numbers = prop_oneof![
        Just(u32::MAX),
        Just(0),
        Just(1 << 31),
        Just(0xffff),
        any::<u32>()
    ];
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), numbers).prop_map(|(at, number)| Damage::Number(at, number)),
        at().prop_map(Damage::Cut),
        (at(), 1..16_usize).prop_map(|(at, count)| Damage::Delete(at, count)),
        (at(), prop::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), 1..64_usize).prop_map(|(at, count)| Damage::Repeat(at, count)),
    ]
}

fn damaged(bytes: &[u8], all: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for one in all {
        let place = |at: &Index| at.index(bytes.len().max(1)).min(bytes.len());
        match one {
            Damage::Set(at, byte) => {
                let at = place(at);
                bytes.splice(at..(at + 1).min(bytes.len()), [*byte]);
            }
            Damage::Number(at, number) => {
                let at = place(at);
                let number = match at % 2 {
                    0 => number.to_be_bytes(),
                    _ => number.to_le_bytes(),
                };
                bytes.splice(at..(at + 4).min(bytes.len()), number);
            }
            Damage::Cut(at) => bytes.truncate(place(at)),
            Damage::Delete(at, count) => {
                let at = place(at);
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Damage::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied());
            }
            Damage::Repeat(at, count) => {
                let at = place(at);
                let part = bytes[at..(at + count).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

fn is_told<T>(result: Result<T, DataError>) {
    if let Err(error) = result {
        let text = error.to_string();
        assert!(text.len() > 10 && !text.contains('\u{0}'), "{text:?}");
        assert_eq!(text.lines().count(), 1, "{text:?}");
    }
}

/// Reads a file as a person's own, and looks at all that was found.
fn reads(path: &Path) {
    for missing in [Missing::Refuse, Missing::DropRow] {
        let options = ReadOptions {
            missing,
            ..ReadOptions::default()
        };
        let found = read(path, &options);
        if let Ok(found) = &found {
            match found {
                Records::Table(table) => {
                    assert!(
                        table
                            .columns
                            .iter()
                            .all(|column| column.cells.len() == table.rows())
                    );
                }
                Records::Images(images) => {
                    let size: usize = images.shape.iter().product();
                    assert_eq!(images.pixels.len() % size.max(1), 0);
                }
            }
        }
        is_told(found);
    }
}

fn with_file(name: &str, bytes: &[u8], check: impl Fn(&Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("writable");
    check(&path);
}

fn csv() -> Vec<u8> {
    let mut text = "height,\"colour, of skin\",kind\n".to_owned();
    for row in 0..12 {
        text += &format!("{}.5,\"r\"\"e,d\",{}\n", row, ["apple", "pear"][row % 2]);
    }
    text.into_bytes()
}

fn array(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn archive() -> Vec<u8> {
    let floats: Vec<u8> = (0..12).flat_map(|v| (v as f32).to_le_bytes()).collect();
    let labels: Vec<u8> = (0..4_i64).flat_map(i64::to_le_bytes).collect();
    let arrays = [
        ("x", array("<f4", "(4, 3)", &floats)),
        ("y", array("<i8", "(4,)", &labels)),
    ];
    let mut bytes = Vec::new();
    let mut archive = ZipArchiveWriter::new(&mut bytes);
    for (name, content) in arrays {
        let name = format!("{name}.npy");
        let builder = archive.new_file(&name);
        let builder = builder.compression_method(CompressionMethod::DEFLATE);
        let (mut entry, config) = builder.start().expect("a member");
        let encoder = DeflateEncoder::new(&mut entry, Compression::default());
        let mut writer = config.wrap(encoder);
        writer.write_all(&content).expect("written");
        let (encoder, descriptor) = writer.finish().expect("whole");
        encoder.finish().expect("whole");
        entry.finish(descriptor).expect("whole");
    }
    archive.finish().expect("closed");
    bytes
}

fn idx_file(magic: u32, sizes: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_be_bytes().to_vec();
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(body);
    bytes
}

fn picture(format: ImageFormat) -> Vec<u8> {
    let pixels: Vec<u8> = (0..6 * 5 * 3).map(|i| (i * 7) as u8).collect();
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::write_buffer_with_format(&mut bytes, &pixels, 6, 5, ColorType::Rgb8, format)
        .expect("written");
    bytes.into_inner()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn csv_files(all in prop::collection::vec(damage(), 1..6)) {
        with_file("data.csv", &damaged(&csv(), &all), reads);
    }

    #[test]
    fn gzip_files(all in prop::collection::vec(damage(), 1..4)) {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(&csv()).expect("written");
        let packed = packed.finish().expect("whole");
        with_file("data.csv.gz", &damaged(&packed, &all), reads);
    }

    #[test]
    fn archives(all in prop::collection::vec(damage(), 1..6)) {
        with_file("data.npz", &damaged(&archive(), &all), reads);
    }

    #[test]
    fn images_with_labels(all in prop::collection::vec(damage(), 1..4), more in prop::collection::vec(damage(), 0..3)) {
        let images = idx_file(0x803, &[2, 1, 3], &[0, 51, 255, 255, 0, 102]);
        let labels = idx_file(0x801, &[2], &[3, 9]);
        let (images, labels) = (damaged(&images, &all), damaged(&labels, &more));
        is_told(idx::parse("set", &images, &labels));
        with_file("t10k-images-idx3-ubyte", &images, |path| {
            fs::write(path.with_file_name("t10k-labels-idx1-ubyte"), &labels).expect("writable");
            reads(path);
        });
    }

    #[test]
    fn pictures(all in prop::collection::vec(damage(), 1..5), format in 0..3_usize) {
        let (format, ending) = [
            (ImageFormat::Png, "png"),
            (ImageFormat::Jpeg, "jpg"),
            (ImageFormat::Bmp, "bmp"),
        ][format];
        let folder = tempfile::tempdir().expect("a folder");
        let class = folder.path().join("class");
        fs::create_dir(&class).expect("writable");
        let bytes = damaged(&picture(format), &all);
        fs::write(class.join(format!("a.{ending}")), bytes).expect("writable");
        fs::write(class.join(format!("b.{ending}")), picture(format)).expect("writable");
        reads(folder.path());
    }

    #[test]
    fn cifar_files(all in prop::collection::vec(damage(), 1..4)) {
        let file: Vec<u8> = (0..2 * 3073).map(|i| (i % 10) as u8).collect();
        for layout in [Layout::Cifar10, Layout::Cifar100] {
            is_told(cifar::parse("set", &[damaged(&file, &all)], layout));
        }
    }
}
