//! The files of data sets, and the hashes of what they hold.

/// A file of a data set, as it lies in the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataFile {
    /// Its name.
    pub name: &'static str,
    /// SHA-256 of the unpacked official file.
    pub sha256: &'static str,
}

const fn file(name: &'static str, sha256: &'static str) -> DataFile {
    DataFile { name, sha256 }
}

pub(crate) const MNIST: [DataFile; 4] = [
    file(
        "train-images-idx3-ubyte",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    file(
        "train-labels-idx1-ubyte",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    file(
        "t10k-images-idx3-ubyte",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    file(
        "t10k-labels-idx1-ubyte",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
];

pub(crate) const FASHION_MNIST: [DataFile; 4] = [
    file(
        "train-images-idx3-ubyte",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    file(
        "train-labels-idx1-ubyte",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    file(
        "t10k-images-idx3-ubyte",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    file(
        "t10k-labels-idx1-ubyte",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
];

pub(crate) const CIFAR_10: [DataFile; 6] = [
    file(
        "data_batch_1.bin",
        "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    ),
    file(
        "data_batch_2.bin",
        "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    ),
    file(
        "data_batch_3.bin",
        "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    ),
    file(
        "data_batch_4.bin",
        "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    ),
    file(
        "data_batch_5.bin",
        "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    ),
    file(
        "test_batch.bin",
        "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    ),
];

pub(crate) const LETTER: [DataFile; 1] = [file(
    "letter.dat",
    "8ff8ec650859678e78cf6c4c4cf5063a5fdf39b5b938bc0c1406116d1e23f4fa",
)];

pub(crate) const PENBASED: [DataFile; 1] = [file(
    "penbased.dat",
    "89641315452220aac9bcdc5a99476323fdb6fcb69ac45973fa6cc3e13e4ab663",
)];

pub(crate) const SATIMAGE: [DataFile; 2] = [
    file(
        "sat.trn.txt",
        "e896dc88a960fa2404160fc4c3cb3dc53fcf4afd80ba920bf2d261bd42d12613",
    ),
    file(
        "sat.tst.txt",
        "4b9167b8a92baafafed7c8809aef86d0683a5e685c19d98d119fa6974f0f2479",
    ),
];

pub(crate) const SEGMENT: [DataFile; 1] = [file(
    "segment.dat",
    "dad9654e008437e80abecea27d6293d79a20e1fdbbb7cc30c7dc370e9dbb6034",
)];

pub(crate) const SPAMBASE: [DataFile; 1] = [file(
    "spambase.dat",
    "4000f307ace66d6e24ab4a017cd5617887ef81a243155a677eafcc1c759d2f32",
)];

pub(crate) const PHONEME: [DataFile; 1] = [file(
    "phoneme.dat",
    "c0eebb5b33f68008d6030ed36148b79d3d370f060902fa0f23b9d801e213be58",
)];

pub(crate) const SPOKEN_DIGITS: [DataFile; 1] = [file(
    "digits.npz",
    "27a701a4462e2b0b19bfed87d51a937b24f9f1413c8cdcdb99160e23d26349fa",
)];
