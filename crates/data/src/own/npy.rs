//! The NPY format (NumPy Enhancement Proposal 1): a line that describes an array, then its numbers.
//!
//! The description is a Python dictionary of three fixed keys; the libraries that read it bring a
//! parser generator along, whose features have all of Burn built anew.

/// Numbers of any type as `f64`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f64>,
    /// Whether they were bytes, as images are kept.
    pub is_bytes: bool,
}

impl Array {
    /// The array in the bytes of a file.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let cut = || "the file is cut".to_owned();
        let rest = bytes
            .strip_prefix(b"\x93NUMPY")
            .ok_or("it is no NumPy array")?;
        let (size, rest) = match rest {
            [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
            [2 | 3, _, a, b, c, d, rest @ ..] => {
                let size = u32::from_le_bytes([*a, *b, *c, *d]);
                (usize::try_from(size).map_err(|_| cut())?, rest)
            }
            _ => return Err("it is of a version of the format that is not known".into()),
        };
        let (header, data) = rest.split_at_checked(size).ok_or_else(cut)?;
        let header = std::str::from_utf8(header).map_err(|_| "its description is no text")?;
        let kind = text(header, "descr")
            .ok_or("a structured array, or one without a type: plain numbers are needed")?;
        let shape = shape(header).ok_or("its shape cannot be read")?;
        if after(header, "fortran_order").is_some_and(|v| v.starts_with("True")) && shape.len() > 1
        {
            return Err("it is stored column by column: save np.ascontiguousarray of it".into());
        }
        let values = numbers(kind, data)?;
        if values.is_empty() {
            return Err("it is empty".into());
        }
        let count = shape.iter().try_fold(1_usize, |a, b| a.checked_mul(*b));
        if count != Some(values.len()) {
            return Err(format!(
                "{} numbers for the shape {shape:?}: the file is cut",
                values.len()
            ));
        }
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(Self {
                shape,
                values,
                is_bytes: kind == "|u1",
            }),
            false => Err("it holds NaN or an infinity: clean it first".into()),
        }
    }
}

/// What follows `'key':`.
fn after<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(&format!("'{key}':"))?;
    Some(rest.trim_start())
}

/// The text in quotes that follows `'key':`.
fn text<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let rest = after(header, key)?.strip_prefix('\'')?;
    Some(rest.split_once('\'')?.0)
}

fn shape(header: &str) -> Option<Vec<usize>> {
    let rest = after(header, "shape")?.strip_prefix('(')?;
    let (sizes, _) = rest.split_once(')')?;
    let sizes = sizes
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty());
    sizes.map(|size| size.parse().ok()).collect()
}

fn numbers(kind: &str, data: &[u8]) -> Result<Vec<f64>, String> {
    fn all<const N: usize>(
        data: &[u8],
        number: impl Fn([u8; N]) -> f64,
    ) -> Result<Vec<f64>, String> {
        let (numbers, rest) = data.as_chunks::<N>();
        match rest.is_empty() {
            true => Ok(numbers.iter().map(|bytes| number(*bytes)).collect()),
            false => Err("the file is cut".into()),
        }
    }
    match kind {
        "<f4" => all(data, |b| f64::from(f32::from_le_bytes(b))),
        "<f8" => all(data, f64::from_le_bytes),
        "|i1" => all(data, |b| f64::from(i8::from_le_bytes(b))),
        "<i2" => all(data, |b| f64::from(i16::from_le_bytes(b))),
        "<i4" => all(data, |b| f64::from(i32::from_le_bytes(b))),
        "<i8" => all(data, |b| i64::from_le_bytes(b) as f64),
        "|u1" => all(data, |b| f64::from(u8::from_le_bytes(b))),
        "<u2" => all(data, |b| f64::from(u16::from_le_bytes(b))),
        "<u4" => all(data, |b| f64::from(u32::from_le_bytes(b))),
        "<u8" => all(data, |b| u64::from_le_bytes(b) as f64),
        _ => Err(format!(
            "its type is {kind}: little-endian numbers are needed (np.float32, np.int64 and so on)"
        )),
    }
}
