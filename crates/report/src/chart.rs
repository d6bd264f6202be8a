//! Figures as SVG.

use maud::{Markup, PreEscaped, html};

use crate::axis::{Axis, number};
use crate::data::{Figure, Point, Series};
use crate::style::STYLE;

const WIDTH: f64 = 640.0;
const NARROW: f64 = 440.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 56.0;
/// Colours that are told apart by colour-blind readers too (Okabe and Ito); further series repeat
/// them, dashed.
const COLOURS: usize = 7;

/// Width of a letter of a series' name.
const LETTER: f64 = 7.9;
/// Letters of a name that are shown at the end of its line.
const LETTERS: usize = 26;

/// `figure` as a drawing, twice: with the series' names at the ends of their lines, and narrower,
/// without, for narrow screens. Nothing where no point can be drawn.
pub(crate) fn chart(figure: &Figure) -> Option<Markup> {
    let [wide, narrow] = [true, false].map(|is_wide| drawing(figure, is_wide));
    let (wide, narrow) = (wide?, narrow?);
    Some(html! { (wide) (narrow) })
}

fn drawing(figure: &Figure, is_wide: bool) -> Option<Markup> {
    let drawn: Vec<&Series> = figure
        .series
        .iter()
        .filter(|series| !series.points.is_empty())
        .collect();
    // Room for the longest name at the right end of its line.
    let longest = drawn.iter().map(|series| series.label.chars().count());
    let longest = longest.max().unwrap_or(0).min(LETTERS) as f64;
    let (width, right) = match is_wide {
        true => (WIDTH, WIDTH - (12.0 + LETTER * longest)),
        false => (NARROW, NARROW - 16.0),
    };
    let points = || drawn.iter().flat_map(|series| &series.points);
    let x = Axis::of(points().map(|p| p.x), figure.x_scale, [LEFT, right])?;
    let ys = points().flat_map(|p| [p.y, p.y - p.deviation, p.y + p.deviation]);
    let y = Axis::of(ys, figure.y_scale, [HEIGHT - BOTTOM, TOP])?;
    let labels = label_places(&drawn, &x, &y);
    let bottom = HEIGHT - BOTTOM;
    Some(html! {
        svg class=(if is_wide { "wide" } else { "narrow" })
            viewBox=(format!("0 0 {width} {HEIGHT}")) role="img" aria-label=(figure.title) {
            g.grid {
                @for mark in y.marks() {
                    @if let Some(at) = y.place(mark) {
                        line x1=(LEFT) x2=(right) y1=(short(at)) y2=(short(at)) {}
                        text x=(LEFT - 8.0) y=(short(at + 4.0)) text-anchor="end" { (number(mark)) }
                    }
                }
                @for mark in x.marks() {
                    @if let Some(at) = x.place(mark) {
                        line x1=(short(at)) x2=(short(at)) y1=(bottom) y2=(bottom + 5.0) {}
                        text x=(short(at)) y=(bottom + 20.0) text-anchor="middle" { (number(mark)) }
                    }
                }
                line.axis x1=(LEFT) x2=(right) y1=(bottom) y2=(bottom) {}
                text.name x=(0.5 * (LEFT + right)) y=(HEIGHT - 10.0) text-anchor="middle" {
                    (figure.x_label)
                }
                text.name x="4" y="16" { (figure.y_label) }
            }
            @if figure.diagonal { (diagonal(&x, &y)) }
            @for (index, series) in drawn.iter().enumerate() {
                (series_of(series, index, &x, &y))
            }
            @for (index, series) in drawn.iter().enumerate().filter(|_| is_wide) {
                text class=(format!("direct c{}", index % COLOURS))
                    x=(right + 6.0) y=(short(labels[index] + 4.0)) { (clipped(&series.label)) }
            }
        }
    })
}

impl Figure {
    /// The figure as an SVG file that needs nothing else; `None` where no point can be drawn.
    pub fn to_svg(&self) -> Option<String> {
        let drawing = chart(self)?;
        let page = html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) {
                style { (PreEscaped(STYLE)) }
                rect width=(WIDTH) height=(HEIGHT) style="fill: var(--paper)" {}
                (drawing)
            }
        };
        Some(page.into_string())
    }
}

/// The names of the series with their colours.
pub(crate) fn legend(figure: &Figure) -> Markup {
    let drawn = figure
        .series
        .iter()
        .filter(|series| !series.points.is_empty());
    html! {
        ul.legend {
            @for (index, series) in drawn.enumerate() {
                li { span class=(format!("swatch c{}", index % COLOURS)) {} (series.label) }
            }
        }
    }
}

/// All points as a table, for those who cannot hover.
pub(crate) fn values(figure: &Figure) -> Markup {
    html! {
        details {
            summary { "Values" }
            table.values {
                thead { tr {
                    th { "series" }
                    th { (figure.x_label) }
                    th { (figure.y_label) }
                    th { "± deviation" }
                } }
                tbody {
                    @for series in &figure.series {
                        @for point in &series.points {
                            tr {
                                td { (series.label) }
                                td { (number(point.x)) }
                                td { (number(point.y)) }
                                td { (number(point.deviation)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn series_of(series: &Series, index: usize, x: &Axis, y: &Axis) -> Markup {
    let places: Vec<(&Point, f64, f64)> = series
        .points
        .iter()
        .filter_map(|point| Some((point, x.place(point.x)?, y.place(point.y)?)))
        .collect();
    let dashed = if index >= COLOURS { " dashed" } else { "" };
    let many = if places.len() > 60 { " many" } else { "" };
    html! {
        g class=(format!("series c{}{dashed}{many}", index % COLOURS)) {
            @if series.joined {
                @if places.iter().any(|(point, ..)| point.deviation > 0.0) {
                    polygon.band points=(band(&places, y)) {}
                }
                polyline points=(joined(places.iter().map(|(_, x, y)| [*x, *y]))) {}
            } @else {
                @for (point, at, _) in places.iter().filter(|(point, ..)| point.deviation > 0.0) {
                    line.bar x1=(short(*at)) x2=(short(*at))
                        y1=(short(y.clamped(point.y - point.deviation)))
                        y2=(short(y.clamped(point.y + point.deviation))) {}
                }
            }
            @for (point, at, up) in &places {
                circle cx=(short(*at)) cy=(short(*up)) r="3.2" {
                    title { (told(series, point)) }
                }
            }
        }
    }
}

fn told(series: &Series, point: &Point) -> String {
    let deviation = match point.deviation > 0.0 {
        true => format!(" ± {}", number(point.deviation)),
        false => String::new(),
    };
    let (x, y) = (number(point.x), number(point.y));
    format!("{}: {y}{deviation} at {x}", series.label)
}

fn band(places: &[(&Point, f64, f64)], y: &Axis) -> String {
    let edge = |sign: f64| {
        places
            .iter()
            .map(move |(point, x, _)| [*x, y.clamped(point.y + sign * point.deviation)])
    };
    let back: Vec<[f64; 2]> = edge(-1.0).collect();
    joined(edge(1.0).chain(back.into_iter().rev()))
}

fn diagonal(x: &Axis, y: &Axis) -> Markup {
    let ([left, right], [low, high]) = (x.range(), y.range());
    let ends = [left.max(low), right.min(high)];
    let place = |value: f64| Some((x.place(value)?, y.place(value)?));
    let (Some(from), Some(to)) = (place(ends[0]), place(ends[1])) else {
        return html! {};
    };
    html! {
        @if ends[0] < ends[1] {
            line.diagonal x1=(short(from.0)) y1=(short(from.1)) x2=(short(to.0)) y2=(short(to.1)) {}
        }
    }
}

/// The heights of the series' names: at their last points, moved apart where they would meet.
fn label_places(drawn: &[&Series], x: &Axis, y: &Axis) -> Vec<f64> {
    const APART: f64 = 15.0;
    let last = |series: &Series| {
        let placed = series
            .points
            .iter()
            .filter_map(|point| Some((x.place(point.x)?, y.place(point.y)?)));
        let last = placed.max_by(|a, b| a.0.total_cmp(&b.0));
        last.map_or(TOP, |(_, up)| up)
    };
    let mut order: Vec<(usize, f64)> = drawn
        .iter()
        .map(|series| last(series))
        .enumerate()
        .collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let lowest = HEIGHT - BOTTOM;
    let mut places = vec![0.0; drawn.len()];
    let mut above = TOP - APART;
    for (index, wanted) in &order {
        above = wanted.max(above + APART);
        places[*index] = above;
    }
    // What was pushed out at the bottom goes up again.
    let mut below = lowest + APART;
    for (index, _) in order.iter().rev() {
        places[*index] = places[*index].min(below - APART);
        below = places[*index];
    }
    places
}

fn clipped(label: &str) -> String {
    match label.chars().count() > LETTERS {
        true => label.chars().take(LETTERS - 1).chain(['…']).collect(),
        false => label.to_owned(),
    }
}

fn joined(places: impl Iterator<Item = [f64; 2]>) -> String {
    let texts = places.map(|[x, y]| format!("{},{}", short(x), short(y)));
    texts.collect::<Vec<_>>().join(" ")
}

/// A place in a drawing, to a tenth.
fn short(place: f64) -> String {
    format!("{:.1}", place)
}
