//! The command `burgeon`, and real digits for it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use burgeon::data::optdigits;

fn run(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_burgeon"));
    let output = command.current_dir(folder).args(arguments).output();
    let output = output.expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

pub fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    run(folder, arguments).unwrap_or_else(|said| panic!("{arguments:?} says: {said}"))
}

pub fn fails(folder: &Path, arguments: &[&str], part: &str) {
    let said = run(folder, arguments).expect_err(part);
    assert!(said.contains(part) && !said.contains("panicked"), "{said}");
}

/// Real digits as a table: `rows` of them behind the first `skip`.
pub fn table(path: &Path, skip: usize, rows: usize) {
    let digits = optdigits::load().expect("embedded").train;
    let mut text: String = (0..64).map(|pixel| format!("p{pixel},")).collect();
    text += "digit\n";
    let images = digits.pixels.chunks(64).zip(&digits.labels);
    for (pixels, label) in images.skip(skip).take(rows) {
        pixels
            .iter()
            .for_each(|pixel| write!(text, "{pixel},").expect("text"));
        writeln!(text, "{label}").expect("text");
    }
    std::fs::write(path, text).expect("written");
}

/// Real digits as IDX files of images and labels, and the name of the first.
pub fn images(folder: &Path, name: &str, rows: usize) -> String {
    let digits = optdigits::load().expect("embedded").train;
    let header = |kind: u32, sizes: &[usize]| {
        let sizes = sizes.iter().map(|size| *size as u32);
        let words = std::iter::once(kind).chain(sizes);
        words.flat_map(u32::to_be_bytes).collect::<Vec<u8>>()
    };
    let mut pixels = header(0x0803, &[rows, 8, 8]);
    pixels.extend(
        digits.pixels[..64 * rows]
            .iter()
            .map(|pixel| (pixel * 255.0) as u8),
    );
    let mut labels = header(0x0801, &[rows]);
    labels.extend(digits.labels[..rows].iter().map(|label| *label as u8));
    let file = format!("{name}-images-idx3-ubyte");
    std::fs::write(folder.join(&file), pixels).expect("written");
    let beside = format!("{name}-labels-idx1-ubyte");
    std::fs::write(folder.join(beside), labels).expect("written");
    file
}
