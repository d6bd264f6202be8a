//! Zip archives, which `.npz` files and Python's wheels are.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive};

/// The files of an archive whose full names are `wanted`, unpacked and checked.
///
/// # Errors
/// What is damaged.
pub(crate) fn members(
    bytes: &[u8],
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Vec<u8>>, String> {
    read(bytes, wanted).map_err(|error| error.to_string())
}

fn read(
    bytes: &[u8],
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Vec<u8>>, rawzip::Error> {
    let archive = ZipArchive::from_slice(bytes)?;
    let mut members = BTreeMap::new();
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry()? {
        let name = entry.file_path().try_normalize()?.as_ref().to_owned();
        if !wanted(&name) {
            continue;
        }
        let (method, found) = (
            entry.compression_method(),
            archive.get_entry(entry.wayfinder())?,
        );
        let mut plain = Vec::new();
        if method == CompressionMethod::DEFLATE {
            let inner = DeflateDecoder::new(found.data());
            found.verifying_reader(inner).read_to_end(&mut plain)?;
        } else {
            found
                .verifying_reader(found.data())
                .read_to_end(&mut plain)?;
        }
        members.insert(name, plain);
    }
    Ok(members)
}
