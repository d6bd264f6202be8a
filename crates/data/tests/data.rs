//! Readers, hashes and messages.

use burgeon_data::cifar::{self, Layout};
use burgeon_data::hash::{read_verified, sha256};
use burgeon_data::{DataError, DataSet, Status, idx, load, load_table, optdigits};

#[test]
fn embedded_digits_are_the_official_ones() {
    let set = optdigits::load().expect("embedded");
    assert_eq!((set.train.len(), set.test.len()), (3823, 1797));
    let counts = [376, 389, 380, 389, 387, 376, 377, 387, 380, 382];
    assert_eq!(set.train.histogram(10), counts);
    assert_eq!(set.train.shape, [1, 8, 8]);
    let pixels = &set.train.pixels;
    assert!(pixels.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    assert!(pixels.contains(&1.0));
}

fn idx_file(magic: u32, sizes: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_be_bytes().to_vec();
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(body);
    bytes
}

#[test]
fn idx_files_are_read_and_checked() {
    let images = idx_file(0x803, &[2, 1, 3], &[0, 51, 255, 255, 0, 102]);
    let labels = idx_file(0x801, &[2], &[3, 9]);
    let read = idx::parse("set", &images, &labels).expect("sound");
    assert_eq!(read.shape, [1, 1, 3]);
    assert_eq!(read.labels, [3, 9]);
    assert_eq!(read.pixels, [0.0, 0.2, 1.0, 1.0, 0.0, 0.4]);
    let says = |images: &[u8], labels: &[u8], expected: &str| {
        let error = idx::parse("set", images, labels)
            .expect_err("unsound")
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    says(&images[..images.len() - 1], &labels, "cut");
    says(&images[..7], &labels, "header");
    says(&labels, &images, "header");
    says(
        &idx_file(0x801, &[2, 1, 3], &[0; 6]),
        &labels,
        "magic number",
    );
    says(
        &images,
        &idx_file(0x801, &[1], &[3]),
        "2 images but 1 labels",
    );
    says(&idx_file(0x803, &[u32::MAX; 3], &[]), &labels, "cut");
}

#[test]
fn cifar_files_are_read_and_checked() {
    let record = |label: &[u8]| {
        let pixels = (0..3072).map(|i| if i < 1024 { 255 } else { 0 });
        label.iter().copied().chain(pixels).collect::<Vec<u8>>()
    };
    let ten = cifar::parse("ten", &[record(&[7])], Layout::Cifar10).expect("sound");
    assert_eq!((ten.labels[0], ten.shape), (7, [3, 32, 32]));
    assert_eq!((ten.pixels[1023], ten.pixels[1024]), (1.0, 0.0));
    let hundred = cifar::parse("hundred", &[record(&[7, 99])], Layout::Cifar100).expect("sound");
    assert_eq!(hundred.labels, [99]);
    let says = |file: Vec<u8>, layout, expected: &str| {
        let error = cifar::parse("set", &[file], layout)
            .expect_err("unsound")
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    says(record(&[10]), Layout::Cifar10, "label 10");
    says(record(&[0, 100]), Layout::Cifar100, "label 100");
    says(record(&[7]), Layout::Cifar100, "cut");
    says(Vec::new(), Layout::Cifar10, "cut");
}

#[test]
fn an_absent_set_says_how_to_get_it() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(DataSet::Mnist.status(folder.path()), Status::Absent);
    let error = load(DataSet::Mnist, folder.path())
        .expect_err("absent")
        .to_string();
    assert!(error.contains("cargo xtask data fetch mnist"), "{error}");
    assert!(error.contains("train-images-idx3-ubyte"), "{error}");
    let error = DataSet::named("imagenet").expect_err("unknown").to_string();
    assert!(error.contains("cifar-10"), "{error}");
}

#[test]
fn tables_and_images_are_read_each_in_its_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = load(DataSet::Letter, folder.path()).expect_err("a table");
    assert!(error.to_string().contains("load_table"), "{error}");
    let error = load_table(DataSet::Mnist, folder.path()).expect_err("images");
    assert!(error.to_string().contains("read it by `load`"), "{error}");
    let error = load_table(DataSet::Satimage, folder.path()).expect_err("absent");
    assert!(
        error.to_string().contains("sat.trn.txt, sat.tst.txt"),
        "{error}"
    );
    let tables = DataSet::ALL.into_iter().filter(|set| set.is_table());
    for set in tables {
        assert_eq!(DataSet::named(set.name()).expect("known"), set);
        assert!(!set.files().is_empty() && set.status(folder.path()) == Status::Absent);
    }
}

#[test]
fn a_wrong_hash_names_both() {
    let folder = tempfile::tempdir().expect("a folder");
    let mnist = folder.path().join("mnist");
    std::fs::create_dir(&mnist).expect("writable");
    for file in DataSet::Mnist.files() {
        std::fs::write(mnist.join(file.name), b"something else").expect("writable");
    }
    let error = DataSet::Mnist.verify(folder.path()).expect_err("wrong");
    let found = sha256(b"something else");
    assert!(
        matches!(&error, DataError::Hash { found: f, .. } if *f == found),
        "{error}"
    );
    assert!(error.to_string().contains(&found));
    assert!(error.to_string().contains(DataSet::Mnist.files()[0].sha256));
    let path = mnist.join(DataSet::Mnist.files()[0].name);
    assert!(read_verified(&path, &found).is_ok());
    // The published hash of the empty string.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(sha256(b""), empty);
}
