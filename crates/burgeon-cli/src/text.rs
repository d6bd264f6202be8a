//! Sizes and numbers as they are typed and printed.

use crate::architectures::ARCHITECTURES;
use crate::error::CliError;

/// Reads `CxHxW`.
pub fn input(text: &str) -> Result<[usize; 3], CliError> {
    let sizes: Option<Vec<usize>> = text.split('x').map(|size| size.parse().ok()).collect();
    sizes
        .and_then(|sizes| <[usize; 3]>::try_from(sizes).ok())
        .ok_or_else(|| {
            CliError::Settings(format!(
                "`{text}` is no input size: give CxHxW, as in 3x224x224 (networks: {})",
                ARCHITECTURES.join(", ")
            ))
        })
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
