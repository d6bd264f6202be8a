//! Spoken digits (the Free Spoken Digit Dataset) as mel-frequency cepstral coefficients.
//!
//! They are not Speech Commands: 3,000 recordings of six speakers, who are on both sides of any split,
//! since nothing says who speaks. Scores are high, and no measure of keyword spotting.

use crate::error::DataError;
use crate::images::Images;
use crate::own::numpy_arrays;

/// Coefficients of a frame.
const COEFFICIENTS: usize = 13;

/// The digits.
const CLASSES: usize = 10;

/// Frames of a recording: longer ones (one in a hundred) are cut, shorter ones followed by zeros.
const FRAMES: usize = 48;

/// Each recording whose number leaves this rest by five is a test sample.
const TEST: usize = 4;

/// Recordings `[1, 48, 13]` for training and test, each coefficient with mean 0 and deviation 1 over
/// the training frames.
///
/// # Errors
/// [`DataError::Format`] for an archive that is not the published one.
pub(crate) fn parse(what: &str, bytes: &[u8]) -> Result<[Images; 2], DataError> {
    let refuse = |problem: String| DataError::format(what, problem);
    let arrays = numpy_arrays(bytes, &["X", "y", "lengths"]).map_err(refuse)?;
    let [frames, labels, lengths] = &arrays[..] else {
        return Err(refuse("X, y and lengths are needed".into()));
    };
    let unfit = || refuse("its arrays do not fit each other".into());
    let mut recordings = Vec::new();
    let mut rest = &frames[..];
    for (length, label) in lengths.iter().zip(labels) {
        if *length < 1.0 || !(0.0..CLASSES as f64).contains(label) {
            return Err(unfit());
        }
        let numbers = (*length as usize).saturating_mul(COEFFICIENTS);
        let (own, after) = rest.split_at_checked(numbers).ok_or_else(unfit)?;
        recordings.push((own, *label as usize));
        rest = after;
    }
    if !rest.is_empty() || labels.len() != lengths.len() || recordings.len() < 5 {
        return Err(unfit());
    }
    let all = recordings.iter().enumerate();
    let (test, train): (Vec<_>, Vec<_>) = all.partition(|(index, _)| index % 5 == TEST);
    let moments: Vec<(f64, f64)> = (0..COEFFICIENTS)
        .map(|coefficient| {
            let own = train.iter().flat_map(|(_, (frames, _))| frames.iter());
            let values: Vec<f64> = own
                .skip(coefficient)
                .step_by(COEFFICIENTS)
                .copied()
                .collect();
            let count = values.len().max(1) as f64;
            let mean = values.iter().sum::<f64>() / count;
            let squares = values.iter().map(|value| (value - mean) * (value - mean));
            (
                mean,
                (squares.sum::<f64>() / count).sqrt().max(f64::MIN_POSITIVE),
            )
        })
        .collect();
    let images = |part: &[(usize, &(&[f64], usize))]| {
        let mut pixels = Vec::with_capacity(part.len() * FRAMES * COEFFICIENTS);
        for (_, (frames, _)) in part {
            let scaled = frames.iter().zip(moments.iter().cycle());
            let scaled =
                scaled.map(|(value, (mean, deviation))| ((value - mean) / deviation) as f32);
            let padded = scaled.chain(std::iter::repeat(0.0));
            pixels.extend(padded.take(FRAMES * COEFFICIENTS));
        }
        Images {
            shape: [1, FRAMES, COEFFICIENTS],
            pixels,
            labels: part.iter().map(|(_, (_, label))| *label).collect(),
        }
    };
    Ok([images(&train), images(&test)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of recordings of these lengths, as NumPy writes it.
    fn archive(lengths: &[i64], total: usize) -> Vec<u8> {
        let array = |kind: &str, shape: &str, numbers: Vec<u8>| {
            let text =
                format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}\n");
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend(u16::try_from(text.len()).expect("short").to_le_bytes());
            bytes.extend(text.as_bytes());
            bytes.extend(numbers);
            bytes
        };
        let frames = (0..total * COEFFICIENTS).flat_map(|value| (value as f32).to_le_bytes());
        let labels = (0..lengths.len()).flat_map(|index| (index as i64 % 10).to_le_bytes());
        let count = lengths.len();
        let members = [
            (
                "X.npy",
                array("<f4", &format!("{total}, {COEFFICIENTS}"), frames.collect()),
            ),
            (
                "y.npy",
                array("<i8", &format!("{count},"), labels.collect()),
            ),
            (
                "lengths.npy",
                array(
                    "<i8",
                    &format!("{count},"),
                    lengths.iter().flat_map(|l| l.to_le_bytes()).collect(),
                ),
            ),
        ];
        let mut bytes = Vec::new();
        let mut directory = Vec::new();
        for (name, content) in &members {
            let size = u32::try_from(content.len()).expect("small").to_le_bytes();
            let mut hash = flate2::Crc::new();
            hash.update(content);
            let offset = u32::try_from(bytes.len()).expect("small").to_le_bytes();
            let length = u16::try_from(name.len()).expect("short").to_le_bytes();
            let common = [
                &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
                &hash.sum().to_le_bytes(),
                &size,
                &size,
                &length,
                &[0, 0],
            ]
            .concat();
            bytes.extend([b"PK\x03\x04", &common[..], name.as_bytes(), content].concat());
            directory.extend(b"PK\x01\x02\x14\x00");
            directory.extend(&common);
            directory.extend([0; 10]);
            directory.extend([&offset[..], name.as_bytes()].concat());
        }
        let start = u32::try_from(bytes.len()).expect("small").to_le_bytes();
        let size = u32::try_from(directory.len()).expect("small").to_le_bytes();
        bytes.extend(directory);
        bytes.extend(b"PK\x05\x06\x00\x00\x00\x00\x03\x00\x03\x00");
        bytes.extend([&size[..], &start, &[0, 0]].concat());
        bytes
    }

    #[test]
    fn recordings_are_cut_padded_and_split() -> Result<(), DataError> {
        let lengths = [2, 60, 1, 3, 2, 1];
        let [train, test] = parse("test", &archive(&lengths, 69))?;
        assert_eq!(train.labels, [0, 1, 2, 3, 5]);
        assert_eq!(test.labels, [4]);
        let size = FRAMES * COEFFICIENTS;
        assert_eq!(train.pixels.len(), 5 * size);
        // Two frames, then zeros; the long one is full.
        let first = &train.pixels[..size];
        assert!(first[2 * COEFFICIENTS..].iter().all(|value| *value == 0.0));
        assert!(first[0] < first[COEFFICIENTS]);
        assert!(
            train.pixels[size..2 * size]
                .iter()
                .filter(|value| **value == 0.0)
                .count()
                < 20
        );
        Ok(())
    }

    #[test]
    fn arrays_that_do_not_fit_are_refused() {
        for (lengths, total) in [
            (&[2, 2, 2, 2, 2][..], 9),
            (&[2, 2, 2, 2, -1], 8),
            (&[1, 1], 2),
        ] {
            let error = parse("test", &archive(lengths, total)).err();
            let error = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("fit each other"), "{lengths:?}: `{error}`");
        }
        assert!(parse("test", b"PK").is_err());
    }
}
