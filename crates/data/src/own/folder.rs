//! A folder of images for each class.

use std::fs;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{ColorType, DynamicImage, ImageDecoder, ImageReader};

use super::table::LabelledImages;
use crate::error::DataError;

/// What an image file's name ends with.
const ENDINGS: [&str; 4] = ["png", "jpg", "jpeg", "bmp"];

/// The images of `path`'s subfolders, whose names are the classes, in order of their names; of
/// images that lie in `path` itself the labels are left empty. Grey if all of them are.
///
/// # Errors
/// [`DataError::Format`] where there is no image, one cannot be read, or sizes differ and no
/// `size` is given.
pub(super) fn read_folder(
    path: &Path,
    size: Option<[u32; 2]>,
) -> Result<LabelledImages, DataError> {
    let (folders, own) = entries(path)?;
    let mut files: Vec<(PathBuf, Option<String>)> = Vec::new();
    for folder in folders {
        let class = folder.file_name().map(|name| name.to_string_lossy());
        let class = class.unwrap_or_default().into_owned();
        let (_, images) = entries(&folder)?;
        files.extend(images.into_iter().map(|file| (file, Some(class.clone()))));
    }
    if files.is_empty() {
        files = own.into_iter().map(|file| (file, None)).collect();
    }
    if files.is_empty() {
        let problem = format!(
            "there is no image: a folder for each class with files that end in {} is needed",
            ENDINGS.join(", ")
        );
        return Err(DataError::format(path.display(), problem));
    }
    let mut images = Vec::new();
    for (file, _) in &files {
        let image = image(file)?;
        images.push(match size {
            Some([height, width]) => image.resize_exact(width, height, FilterType::Triangle),
            None => image,
        });
    }
    let (width, height) = (images[0].width(), images[0].height());
    for (image, (file, _)) in images.iter().zip(&files) {
        if (image.width(), image.height()) != (width, height) {
            let problem = format!(
                "it is {} × {} pixels, others are {width} × {height}: scale all to one size \
                 (--size {width}x{height})",
                image.width(),
                image.height()
            );
            return Err(DataError::format(file.display(), problem));
        }
    }
    let is_grey = images.iter().all(is_grey);
    let channels = if is_grey { 1 } else { 3 };
    let mut pixels = Vec::new();
    for image in images {
        match is_grey {
            true => pixels.extend(scaled(&image.into_luma8())),
            false => {
                let image = image.into_rgb8();
                for channel in 0..3 {
                    pixels.extend(scaled(&image).skip(channel).step_by(3));
                }
            }
        }
    }
    Ok(LabelledImages {
        shape: [channels, height as usize, width as usize],
        pixels,
        labels: files.into_iter().filter_map(|(_, class)| class).collect(),
    })
}

/// Bytes of pixels for each byte of a file, at most: PNG has no stronger compression.
const MOST_PIXELS: u64 = 1100;

/// Bytes of pixels of one image, at most.
const MOST_BYTES: u64 = 512 << 20;

/// The image in `file`. What a header says is not believed beyond what the file can hold.
fn image(file: &Path) -> Result<DynamicImage, DataError> {
    let refused = |error: &dyn std::fmt::Display| {
        DataError::format(
            file.display(),
            format!("no image that can be read: {error}"),
        )
    };
    let length = fs::metadata(file).map_err(DataError::io(file))?.len();
    let reader = ImageReader::open(file).map_err(DataError::io(file))?;
    let decoder = reader.into_decoder().map_err(|error| refused(&error))?;
    let most = length.saturating_mul(MOST_PIXELS).saturating_add(1 << 20);
    let most = most.min(MOST_BYTES);
    if decoder.total_bytes() > most {
        let (width, height) = decoder.dimensions();
        return Err(refused(&format!(
            "it says to be of {width} × {height} pixels: too many for a file of {length} bytes"
        )));
    }
    DynamicImage::from_decoder(decoder).map_err(|error| refused(&error))
}

fn scaled(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.iter().map(|byte| f32::from(*byte) / 255.0)
}

fn is_grey(image: &DynamicImage) -> bool {
    matches!(
        image.color(),
        ColorType::L8 | ColorType::La8 | ColorType::L16 | ColorType::La16
    )
}

/// Folders and image files in `path`, in order of their names.
fn entries(path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DataError> {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(path).map_err(DataError::io(path))? {
        let path = entry.map_err(DataError::io(path))?.path();
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        if path.is_dir() {
            folders.push(path);
        } else if ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) {
            files.push(path);
        }
    }
    folders.sort();
    files.sort();
    Ok((folders, files))
}
