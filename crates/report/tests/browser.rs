//! The page in a browser: nothing runs off a screen, wide or narrow, and everything is reached by keys.
//! Without a Chromium (`BURGEON_CHROMIUM`, or else `chromium`) it is skipped, with a word.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burgeon_report::{AxisScale, Figure, Page, Point, Report, Series, Table};
use serde_json::Value;

/// What the page says of itself once it is laid out, as the document's title.
const MEASURE: &str = r#"<script>
const problems = [];
addEventListener("error", event => problems.push(event.message));
addEventListener("load", () => {
  const root = document.documentElement;
  const visible = element => element.getClientRects().length > 0;
  const scrolls = element => {
    for (let own = element; own; own = own.parentElement) {
      if (["auto", "scroll"].includes(getComputedStyle(own).overflowX)) return true;
    }
    return false;
  };
  for (const element of document.body.querySelectorAll("*")) {
    const box = element.getBoundingClientRect();
    if (visible(element) && box.right > innerWidth + 1 && !scrolls(element)) {
      problems.push(`${element.tagName} ends at ${box.right} of ${innerWidth}`);
    }
  }
  const drawings = [...document.querySelectorAll("svg")].filter(visible);
  document.title = JSON.stringify({
    width: innerWidth,
    scrolled: root.scrollWidth,
    problems,
    drawings: drawings.length,
    labels: drawings.map(own => [...own.querySelectorAll(".name")].map(label => label.textContent)),
    keys: [...document.querySelectorAll("a[href], button, summary, [tabindex]")].filter(visible).length,
    text: getComputedStyle(document.body).color,
    ground: getComputedStyle(document.body).backgroundColor,
  });
});
</script>"#;

/// The browser, if there is one.
fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("BURGEON_CHROMIUM").map(PathBuf::from);
    let browser = named.unwrap_or_else(|| "chromium".into());
    let works = Command::new(&browser).arg("--version").output();
    if works.is_ok_and(|output| output.status.success()) {
        return Some(browser);
    }
    eprintln!(
        "SKIPPED: {} is no browser that starts; set BURGEON_CHROMIUM to one",
        browser.display()
    );
    None
}

/// What the page at `path` says of itself in a window of this width.
fn measured(browser: &Path, path: &Path, width: usize, dark: bool) -> Value {
    let profile = tempfile::tempdir().expect("writable");
    let mut command = Command::new(browser);
    command
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--dump-dom",
        ])
        .arg(format!("--window-size={width},900"))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--virtual-time-budget=5000");
    if dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    let output = command.arg(format!("file://{}", path.display())).output();
    let output = output.expect("it was started before");
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    let title = page
        .split("<title>")
        .nth(1)
        .and_then(|rest| rest.split("</title>").next());
    let title = title
        .unwrap_or_default()
        .replace("&gt;", ">")
        .replace("&lt;", "<");
    let title = title.replace("&amp;", "&");
    serde_json::from_str(&title).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("{error}: the title is `{title}`; the browser said {said}")
    })
}

/// A page with a wide table, long words and a figure of many series.
fn page() -> String {
    let series = (0..7).map(|index| Series {
        label: format!("a way of growing with a long name, number {index}"),
        points: (1..20)
            .map(|x| Point {
                x: f64::from(x),
                y: 90.0 + f64::from(x * index % 7),
                deviation: 0.5,
            })
            .collect(),
        joined: true,
    });
    let columns: Vec<String> = (0..12)
        .map(|column| format!("column number {column}"))
        .collect();
    let row: Vec<String> = columns.iter().map(|_| "12345.67 ± 0.01".into()).collect();
    let report = Report {
        tables: vec![Table {
            name: "wide".into(),
            title: "A table of twelve columns".into(),
            rows: vec![row.clone(), row],
            columns,
            notes: vec!["A_word_that_is_longer_than_a_telephone_is_wide_".repeat(4)],
        }],
        figures: vec![Figure {
            name: "curves".into(),
            title: "Accuracy against training cost".into(),
            x_label: "share of the training cost spent, %".into(),
            y_label: "accuracy on held samples, %".into(),
            x_scale: AxisScale::Linear,
            y_scale: AxisScale::Linear,
            series: series.collect(),
            diagonal: false,
        }],
    };
    let html = Page::new("Results")
        .with_section("digits", "digits", report)
        .to_html();
    html.replace("</body>", &format!("{MEASURE}</body>"))
}

#[test]
fn nothing_runs_off_a_screen_and_every_axis_has_its_name() {
    let Some(browser) = chromium() else { return };
    let folder = tempfile::tempdir().expect("writable");
    let path = folder.path().join("index.html");
    fs::write(&path, page()).expect("writable");
    // Chromium's window is 500 wide at least.
    for width in [1280, 768, 500] {
        let said = measured(&browser, &path, width, false);
        assert_eq!(
            said["problems"],
            Value::Array(Vec::new()),
            "{width}: {said}"
        );
        assert!(
            said["scrolled"].as_f64() <= said["width"].as_f64(),
            "{width}: it scrolls sideways: {said}"
        );
        assert_eq!(said["drawings"], 1, "{width}: {said}");
        let labels = said["labels"][0].to_string();
        for name in [
            "share of the training cost spent, %",
            "accuracy on held samples, %",
        ] {
            assert!(labels.contains(name), "{width}: {said}");
        }
        assert!(said["keys"].as_u64() >= Some(2), "{width}: {said}");
    }
}

#[test]
fn a_dark_screen_has_a_dark_page() {
    let Some(browser) = chromium() else { return };
    let folder = tempfile::tempdir().expect("writable");
    let path = folder.path().join("index.html");
    fs::write(&path, page()).expect("writable");
    let [light, dark] = [false, true].map(|dark| measured(&browser, &path, 1280, dark));
    assert_ne!(light["ground"], dark["ground"], "{light} {dark}");
    assert_ne!(light["text"], dark["text"], "{light} {dark}");
}
