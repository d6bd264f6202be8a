//! What neurons read, a block of rows at a time.

use std::ops::Range;

use burgeon_core::Window;
use burgeon_ops::real::Real;

/// Numbers that one block of fan-in rows may hold: it is to stay in the cache.
const BLOCK: usize = 1 << 18;

/// Rows of fan-in `dim` that one block may hold.
pub(crate) fn most_rows(dim: usize) -> usize {
    (BLOCK / dim.max(1)).clamp(64, 512)
}

/// The input of a site, in slices.
#[derive(Clone, Copy)]
pub(crate) enum FanIn<'a, S> {
    /// `[n, columns]`.
    Rows { values: &'a [S], columns: usize },
    /// `[b, c, h, w]`.
    Maps {
        values: &'a [S],
        shape: [usize; 4],
        window: Window,
    },
}

/// A range of output positions in one line of one map.
struct Segment {
    sample: usize,
    y: usize,
    x: Range<usize>,
}

impl<'a, S: Real> FanIn<'a, S> {
    /// Rows n.
    pub fn rows(&self) -> usize {
        match self {
            Self::Rows { values, columns } => values.len() / (*columns).max(1),
            Self::Maps { shape, window, .. } => {
                let [oh, ow] = window.output_size([shape[2], shape[3]]);
                shape[0] * oh * ow
            }
        }
    }

    /// Channels, or columns of rows.
    pub fn channels(&self) -> usize {
        match self {
            Self::Rows { columns, .. } => *columns,
            Self::Maps { shape, .. } => shape[1],
        }
    }

    /// Blocks of rows, at least eight where there are rows enough, cut without regard to
    /// the number of threads.
    pub fn blocks(rows: usize, dim: usize) -> Vec<Range<usize>> {
        let size = rows.div_ceil(8).next_multiple_of(8);
        let size = size.clamp(8, most_rows(dim));
        (0..rows)
            .step_by(size)
            .map(|start| start..(start + size).min(rows))
            .collect()
    }

    /// Writes `rows` of the entries that belong to `channels` (columns, for rows) to `out`, one
    /// line `[rows]` for each entry.
    pub fn taps<T: Real>(&self, rows: Range<usize>, channels: Range<usize>, out: &mut [T]) {
        let count = rows.len();
        match self {
            Self::Rows { values, columns } => {
                for (line, column) in out.chunks_exact_mut(count).zip(channels) {
                    for (to, row) in line.iter_mut().zip(rows.clone()) {
                        *to = T::from_real(values[row * columns + column]);
                    }
                }
            }
            Self::Maps {
                values,
                shape: [_, c, h, w],
                window,
            } => {
                let segments = segments(rows, window.output_size([*h, *w]));
                let mut lines = out.chunks_exact_mut(count);
                for channel in channels {
                    for ky in 0..window.kernel[0] {
                        for kx in 0..window.kernel[1] {
                            let Some(line) = lines.next() else { return };
                            let mut at = 0;
                            for segment in &segments {
                                let to = &mut line[at..at + segment.x.len()];
                                at += segment.x.len();
                                let y = segment.y * window.stride[0] + ky * window.dilation[0];
                                let y = y.checked_sub(window.padding[0][0]).filter(|y| y < h);
                                let Some(y) = y else {
                                    to.fill(T::ZERO);
                                    continue;
                                };
                                let start = ((segment.sample * c + channel) * h + y) * w;
                                let from = &values[start..start + w];
                                read_line(from, to, segment.x.start, kx, window);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Reads one tap at the output positions `first..` of a line of a map.
fn read_line<S: Real, T: Real>(
    from: &[S],
    to: &mut [T],
    first: usize,
    tap: usize,
    window: &Window,
) {
    let (stride, before) = (window.stride[1], window.padding[1][0]);
    let shift = tap * window.dilation[1];
    // Position p reads p·stride + shift − before, where that is within the line.
    let low = before.saturating_sub(shift).div_ceil(stride);
    let high = (from.len() + before).saturating_sub(shift).div_ceil(stride);
    let low = low.clamp(first, first + to.len()) - first;
    let high = high.clamp(first + low, first + to.len()) - first;
    to[..low].fill(T::ZERO);
    to[high..].fill(T::ZERO);
    if low == high {
        return;
    }
    let start = (first + low) * stride + shift - before;
    let inner = &mut to[low..high];
    if stride == 1 {
        for (to, from) in inner.iter_mut().zip(&from[start..]) {
            *to = T::from_real(*from);
        }
    } else {
        for (to, from) in inner.iter_mut().zip(from[start..].iter().step_by(stride)) {
            *to = T::from_real(*from);
        }
    }
}

fn segments(rows: Range<usize>, [height, width]: [usize; 2]) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut row = rows.start;
    while row < rows.end {
        let (line, x) = (row / width, row % width);
        let length = (width - x).min(rows.end - row);
        segments.push(Segment {
            sample: line / height,
            y: line % height,
            x: x..x + length,
        });
        row += length;
    }
    segments
}
