//! Figures as PNG and SVG.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Once;

use burgeon_experiments::report::{AxisScale, Figure};
use plotters::coord::Shift;
use plotters::coord::combinators::BindKeyPoints;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use png::{BitDepth, ColorType, Encoder, EncodingError};

use crate::error::{XtaskError, figure as figure_error, io};

const SIZE: (u32, u32) = (900, 600);
const FONT: &str = "DejaVu Sans";
const COLOURS: [RGBColor; 10] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(255, 127, 14),
    RGBColor(90, 90, 90),
    RGBColor(23, 190, 207),
    RGBColor(140, 86, 75),
    RGBColor(188, 189, 34),
    RGBColor(227, 119, 194),
];

/// Draws `figure` to `folder/NAME.png` and `folder/NAME.svg`. It is drawn in memory: the drawing
/// library does not tell when a file cannot be written.
pub fn draw(folder: &Path, figure: &Figure) -> Result<(), XtaskError> {
    register_fonts();
    let path = folder.join(format!("{}.png", figure.name));
    let (width, height) = SIZE;
    let mut pixels = vec![0; (width * height * 3) as usize];
    let area = BitMapBackend::with_buffer(&mut pixels, SIZE).into_drawing_area();
    draw_on(area, figure).map_err(figure_error(&path))?;
    let bytes = png(&pixels).map_err(|error| figure_error(&path)(error.to_string()))?;
    fs::write(&path, bytes).map_err(io(&path))?;
    let path = folder.join(format!("{}.svg", figure.name));
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
    draw_on(area, figure).map_err(figure_error(&path))?;
    fs::write(&path, text).map_err(io(&path))
}

/// `pixels` `[height, width, 3]` as a PNG file.
fn png(pixels: &[u8]) -> Result<Vec<u8>, EncodingError> {
    let (width, height) = SIZE;
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// The font travels with the program, so that figures are the same everywhere.
fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It fails only for bytes that are no font.
        let _ = register_font(FONT, FontStyle::Normal, dejavu::sans::regular());
    });
}

fn draw_on<B: DrawingBackend>(area: DrawingArea<B, Shift>, figure: &Figure) -> Result<(), String> {
    let values = |axis: fn(&Figure) -> Vec<f64>| axis(figure);
    let x = range(&values(x_values), figure.x_scale)?;
    let y = range(&values(y_values), figure.y_scale)?;
    let (x_marks, y_marks) = (marks(&x), marks(&y));
    let x_log = x.clone().log_scale().with_key_points(x_marks);
    let y_log = y.clone().log_scale().with_key_points(y_marks);
    match (figure.x_scale, figure.y_scale) {
        (AxisScale::Linear, AxisScale::Linear) => chart(&area, figure, x, y),
        (AxisScale::Linear, AxisScale::Log) => chart(&area, figure, x, y_log),
        (AxisScale::Log, AxisScale::Linear) => chart(&area, figure, x_log, y),
        (AxisScale::Log, AxisScale::Log) => chart(&area, figure, x_log, y_log),
    }
}

/// Where a logarithmic axis has its labels: as many round numbers as stay apart.
fn marks(range: &Range<f64>) -> Vec<f64> {
    const MOST: usize = 8;
    let round = |digits: &[u8]| -> Vec<f64> {
        let decades = range.start.log10().floor() as i32..=range.end.log10().ceil() as i32;
        let numbers = decades.flat_map(|decade| {
            let number = move |digit: &u8| f64::from(*digit) * 10_f64.powi(decade);
            digits.iter().map(number).collect::<Vec<_>>()
        });
        numbers.filter(|number| range.contains(number)).collect()
    };
    let choices = [&[1, 2, 3, 4, 5, 6, 7, 8, 9][..], &[1, 2, 5], &[1, 3]];
    let mut fitting = choices.into_iter().map(round);
    fitting
        .find(|marks| marks.len() <= MOST)
        .unwrap_or_else(|| round(&[1]))
}

fn x_values(figure: &Figure) -> Vec<f64> {
    figure
        .series
        .iter()
        .flat_map(|s| &s.points)
        .map(|p| p.x)
        .collect()
}

fn y_values(figure: &Figure) -> Vec<f64> {
    let points = figure.series.iter().flat_map(|s| &s.points);
    points
        .flat_map(|p| [p.y - p.deviation, p.y + p.deviation])
        .collect()
}

/// The values' range with a margin; on a logarithmic axis of positive values only.
fn range(values: &[f64], scale: AxisScale) -> Result<Range<f64>, String> {
    let usable = |v: &&f64| v.is_finite() && (scale == AxisScale::Linear || **v > 0.0);
    let least = values.iter().filter(usable).copied().reduce(f64::min);
    let most = values.iter().filter(usable).copied().reduce(f64::max);
    let (Some(least), Some(most)) = (least, most) else {
        return Err("no point can be drawn".into());
    };
    Ok(match scale {
        AxisScale::Log => least / 1.2..most * 1.2,
        AxisScale::Linear => {
            let margin = 0.05 * (most - least).max(1e-9 * most.abs()).max(1e-12);
            least - margin..most + margin
        }
    })
}

fn chart<B, X, Y>(area: &DrawingArea<B, Shift>, figure: &Figure, x: X, y: Y) -> Result<(), String>
where
    B: DrawingBackend,
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let corner = emptiest_corner(figure);
    area.fill(&WHITE).map_err(|e| failed(&e))?;
    let mut chart = ChartBuilder::on(area)
        .caption(&figure.title, (FONT, 17))
        .margin(14)
        .x_label_area_size(46)
        .y_label_area_size(74)
        .build_cartesian_2d(x, y)
        .map_err(|e| failed(&e))?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 225, 225))
        .x_desc(&figure.x_label)
        .y_desc(&figure.y_label)
        .axis_desc_style((FONT, 15))
        .label_style((FONT, 13))
        .x_label_formatter(&label)
        .y_label_formatter(&label)
        .draw()
        .map_err(|e| failed(&e))?;
    if figure.diagonal {
        let (from, to) = (chart.x_range(), chart.y_range());
        let ends = [from.start.max(to.start), from.end.min(to.end)];
        let line = LineSeries::new(ends.map(|v| (v, v)), BLACK.mix(0.5));
        let drawn = chart.draw_series(line).map_err(|e| failed(&e))?;
        drawn
            .label("y = x")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK.mix(0.5)));
    }
    for (series, colour) in figure.series.iter().zip(COLOURS.iter().cycle()) {
        let at = series.points.iter().map(|p| (p.x, p.y));
        if series.joined {
            chart
                .draw_series(LineSeries::new(at.clone(), colour.stroke_width(2)))
                .map_err(|e| failed(&e))?;
        }
        let bars = series.points.iter().filter(|p| p.deviation > 0.0).map(|p| {
            let ends = [(p.x, p.y - p.deviation), (p.x, p.y + p.deviation)];
            PathElement::new(ends, colour.stroke_width(1))
        });
        chart.draw_series(bars).map_err(|e| failed(&e))?;
        let dots = at.map(|point| Circle::new(point, 3, colour.filled()));
        chart
            .draw_series(dots)
            .map_err(|e| failed(&e))?
            .label(&series.label)
            .legend(|(x, y)| Circle::new((x + 9, y), 4, colour.filled()));
    }
    chart
        .configure_series_labels()
        .label_font((FONT, 14))
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .position(corner)
        .draw()
        .map_err(|e| failed(&e))?;
    area.present().map_err(|e| failed(&e))
}

/// Plain numbers where they are short, powers of ten elsewhere.
fn label(value: &f64) -> String {
    let size = value.abs();
    if *value == 0.0 || (1e-3..1e6).contains(&size) {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.0e}")
    }
}

/// The corner of the chart with the fewest points, for the legend.
fn emptiest_corner(figure: &Figure) -> SeriesLabelPosition {
    let place = |values: &[f64], scale: AxisScale, value: f64| {
        let along = |v: f64| if scale == AxisScale::Log { v.ln() } else { v };
        let ends = range(values, scale).unwrap_or(0.0..1.0);
        (along(value) - along(ends.start)) / (along(ends.end) - along(ends.start))
    };
    let (xs, ys) = (x_values(figure), y_values(figure));
    let points: Vec<(f64, f64)> = figure
        .series
        .iter()
        .flat_map(|series| &series.points)
        .map(|p| {
            (
                place(&xs, figure.x_scale, p.x),
                place(&ys, figure.y_scale, p.y),
            )
        })
        .collect();
    // The legend covers about half of the width and a third of the height.
    let within = |right: bool, upper: bool| {
        let inside = |&&(x, y): &&(f64, f64)| {
            (if right { x > 0.5 } else { x < 0.5 }) && (if upper { y > 0.65 } else { y < 0.35 })
        };
        points.iter().filter(inside).count()
    };
    [
        (within(true, true), SeriesLabelPosition::UpperRight),
        (within(true, false), SeriesLabelPosition::LowerRight),
        (within(false, true), SeriesLabelPosition::UpperLeft),
        (within(false, false), SeriesLabelPosition::LowerLeft),
    ]
    .into_iter()
    .min_by_key(|(count, _)| *count)
    .map_or(SeriesLabelPosition::UpperRight, |(_, corner)| corner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithmic_axes_have_a_few_round_marks() {
        assert_eq!(
            marks(&(3e4..1.5e5)),
            [3e4, 4e4, 5e4, 6e4, 7e4, 8e4, 9e4, 1e5]
        );
        assert_eq!(marks(&(9.5e2..7.2e3)), [1e3, 2e3, 3e3, 4e3, 5e3, 6e3, 7e3]);
        assert_eq!(marks(&(9.5e2..2.5e4)), [1e3, 2e3, 5e3, 1e4, 2e4]);
        assert_eq!(marks(&(1.0..2e6)).len(), 7);
    }
}
