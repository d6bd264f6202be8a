//! A results folder as a page, and folders that are none.

use std::fs;
use std::path::Path;

use burgeon_report::{
    AxisScale, Figure, Page, Point, REPORT, Report, ReportError, Series, Table, read,
};

fn point(x: f64, y: f64, deviation: f64) -> Point {
    Point { x, y, deviation }
}

fn figure(series: Vec<Series>, scale: AxisScale) -> Figure {
    Figure {
        name: "losses".into(),
        title: "Loss <by> size & seed".into(),
        x_label: "parameters".into(),
        y_label: "test loss".into(),
        x_scale: scale,
        y_scale: scale,
        series,
        diagonal: true,
    }
}

fn series(label: &str, points: Vec<Point>, joined: bool) -> Series {
    let label = label.into();
    Series {
        label,
        points,
        joined,
    }
}

fn report() -> Report {
    let grown = vec![point(10.0, 1.0, 0.2), point(100.0, 0.5, 0.1)];
    let scratch = vec![point(50.0, 0.7, 0.0), point(0.0, -1.0, 0.0)];
    Report {
        tables: vec![Table {
            name: "accuracies".into(),
            title: "Accuracies".into(),
            columns: vec!["network".into(), "accuracy %".into()],
            rows: vec![vec!["grown <1>".into(), "96.6 ± 0.1".into()]],
            notes: vec!["Five seeds.".into()],
        }],
        figures: vec![
            figure(
                vec![
                    series("grown", grown, true),
                    series("scratch", scratch, false),
                ],
                AxisScale::Log,
            ),
            figure(Vec::new(), AxisScale::Linear),
        ],
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("in a folder")).expect("writable");
    fs::write(path, text).expect("writable");
}

/// A folder as a run leaves it.
fn results(folder: &Path) {
    write(
        &folder.join("manifest.json"),
        r#"{ "finished": true, "studies": ["digits", "later"], "started": "2026-01-02T03:04:05Z",
             "settings": { "scale": "quick", "seeds": null, "device": "flex" }, "threads": 2 }"#,
    );
    let text = serde_json::to_string(&report()).expect("data");
    write(&folder.join("digits").join(REPORT), &text);
    let step = |verdict: &str, before: usize, after: usize| {
        format!(
            r#"{{"verdict":"{verdict}","predicted_decrease":0.5,"measured_decrease":0.25,
                "widths_before":[["hidden",{before}]],"widths_after":[["hidden",{after}]],
                "spectra":[{{"site":"hidden","smallest":[0.5,-0.{after}]}}],
                "parameters_after":{after}00,"macs":1000,"seconds":0.5,"plan":{{}}}}"#
        )
        .replace('\n', "")
    };
    for (seed, last) in [(0, 8), (1, 10)] {
        let lines = [
            step("committed", 2, 4),
            step("no_decrease", 4, 4),
            step("committed", 4, last),
        ];
        let path = folder.join(format!("digits/units/mlp.s2d-{seed}.journal.jsonl"));
        write(&path, &lines.join("\n"));
    }
}

#[test]
fn a_folder_becomes_one_page_that_needs_nothing_else() {
    let folder = tempfile::tempdir().expect("writable");
    results(folder.path());
    let html = read(folder.path()).expect("results").to_html();
    for text in [
        "Loss &lt;by&gt; size &amp; seed",
        "grown &lt;1&gt;",
        "96.6 ± 0.1",
        "Five seeds.",
        "2026-01-02T03:04:05Z",
        "Without results yet: later",
        // The growth: four steps made, two refused, in two runs.
        "<td data-label=\"growths made\" class=\"n\">4</td>",
        "<td data-label=\"refused\" class=\"n\">2</td>",
        "<td data-label=\"parameters at the end\" class=\"n\">900</td>",
        "Widths by growth, mlp.s2d, 2 runs",
        "hidden: 9 ± 1.414 at 2",
        // Before the second growth two steps looked: the later one counts.
        "hidden: -0.45 ± 0.495 at 1",
        "mlp.s2d: 0.25 at 0.5",
    ] {
        assert!(html.contains(text), "`{text}` is not in the page");
    }
    assert!(
        !html.contains("<by>") && !html.contains("grown <1>"),
        "not escaped"
    );
    for link in ["http://", "https://", "<link", "src=", "@import", "url("] {
        assert!(!html.contains(link), "the page needs `{link}`");
    }
    // Each figure is drawn wide and narrow, with both labels of both axes; none without a point.
    assert_eq!(html.matches("<svg").count(), 8);
    assert_eq!(html.matches("class=\"name\"").count(), 16);
    assert!(!html.contains("NaN") && !html.contains("inf"));
}

#[test]
fn points_off_a_logarithmic_axis_are_left_out_of_the_drawing_and_stand_in_the_values() {
    let html = Page::new("p").with_section("s", "s", report()).to_html();
    assert_eq!(html.matches("<circle").count(), 6);
    assert!(html.contains("<td>-1</td>"));
}

#[test]
fn many_series_keep_their_names_apart() {
    let many: Vec<Series> = (0..12)
        .map(|index| series(&format!("s{index}"), vec![point(0.0, 1.0, 0.0)], true))
        .collect();
    let report = Report {
        tables: Vec::new(),
        figures: vec![figure(many, AxisScale::Linear)],
    };
    let html = Page::new("p").with_section("s", "s", report).to_html();
    let places: Vec<f64> = html
        .split("class=\"direct")
        .skip(1)
        .map(|text| {
            let text = text.split("y=\"").nth(1).expect("placed");
            let end = text.find('"').expect("closed");
            text[..end].parse().expect("a number")
        })
        .collect();
    assert_eq!(places.len(), 12);
    let mut sorted = places.clone();
    sorted.sort_by(f64::total_cmp);
    assert!(
        sorted.windows(2).all(|pair| pair[1] - pair[0] >= 14.9),
        "{sorted:?}"
    );
    assert!(sorted[0] >= 0.0 && sorted[11] <= 320.0, "{sorted:?}");
}

#[test]
fn folders_without_results_are_said() {
    let folder = tempfile::tempdir().expect("writable");
    let nothing = read(folder.path());
    assert!(
        matches!(nothing, Err(ReportError::Nothing(_))),
        "{nothing:?}"
    );
    let manifest = folder.path().join("manifest.json");
    let said = |text: &str, expected: &str| {
        write(&manifest, text);
        let error = read(folder.path()).expect_err("bad").to_string();
        assert!(error.contains(expected), "{error}");
    };
    said("{", "manifest.json: no manifest");
    said(r#"{ "studies": ["../up"] }"#, "no name of a study");
    said(r#"{ "studies": [] }"#, "holds no results");
    results(folder.path());
    write(&folder.path().join("digits").join(REPORT), "[1]");
    let error = read(folder.path()).expect_err("bad").to_string();
    assert!(error.contains("no report"), "{error}");
    results(folder.path());
    write(
        &folder.path().join("digits/units/a-0.journal.jsonl"),
        "{}\n",
    );
    let error = read(folder.path()).expect_err("bad").to_string();
    assert!(error.contains("a-0.journal.jsonl: line 1"), "{error}");
}
