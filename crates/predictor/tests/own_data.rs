//! Fits on real digits and on small synthetic tables, and what is refused.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use burgeon::data::own::{LabelledImages, ReadOptions, Records, read_csv};
use burgeon::data::{Images, optdigits};
use burgeon_predictor::{
    Fit, FitData, FitSettings, Goal, Prediction, Predictor, PredictorError, Score, SizeBudget,
    Summary, Watch, fit,
};

fn table(text: &str) -> Records {
    let table = read_csv("table", text.as_bytes(), &ReadOptions::default());
    Records::Table(table.expect("a table"))
}

fn data(records: &Records) -> FitData<'_> {
    FitData {
        name: "a test",
        records,
        held: None,
        target: None,
        goal: None,
    }
}

fn done(data: &FitData<'_>, settings: &FitSettings, out: &Path) -> Summary {
    match fit(data, settings, out, &Watch::default()) {
        Ok(Fit::Done(summary)) => *summary,
        other => panic!("{other:?}"),
    }
}

fn refused(records: &Records, settings: &FitSettings, part: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("run");
    let error = fit(&data(records), settings, &out, &Watch::default()).expect_err(part);
    assert!(error.to_string().contains(part), "{error}");
    assert!(!out.join("predictor.json").exists(), "{part}");
}

/// Digits as a person would have them: a column for each pixel, and the digit.
fn digits(images: &Images, rows: usize) -> Records {
    let mut text = String::new();
    for pixel in 0..64 {
        let _ = write!(text, "p{pixel},");
    }
    text += "digit\n";
    for (pixels, label) in images.pixels.chunks(64).zip(&images.labels).take(rows) {
        for pixel in pixels {
            let _ = write!(text, "{pixel},");
        }
        let _ = writeln!(text, "{label}");
    }
    table(&text)
}

#[test]
fn digits_are_learned_and_a_stopped_fit_goes_on_to_the_same_network() {
    let set = optdigits::load().expect("embedded");
    let train = digits(&set.train, 1500);
    let settings = FitSettings {
        budget: SizeBudget::Parameters(3000),
        epochs: Some(15),
        ..FitSettings::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    let summary = done(&data(&train), &settings, &whole);
    assert_eq!((summary.train_rows, summary.held_rows), (1200, 300));
    let parameters: Vec<u64> = summary.sizes.iter().map(|size| size.parameters).collect();
    assert!(
        parameters.is_sorted() && parameters.len() == 3,
        "{parameters:?}"
    );
    assert!((2000..=3000).contains(&parameters[2]), "{parameters:?}");

    let watch = Watch {
        time: Some(Duration::ZERO),
        ..Watch::default()
    };
    for _ in 0..2 {
        let stopped = fit(&data(&train), &settings, &parts, &watch).expect("it starts");
        assert!(matches!(stopped, Fit::Done(summary) if summary.ended == "the time is over"));
    }
    assert_eq!(done(&data(&train), &settings, &parts), summary);
    let weights = |run: &Path| std::fs::read(run.join("weights.safetensors")).expect("weights");
    assert!(weights(&whole) == weights(&parts));

    let test = digits(&set.test, 500);
    let accuracy = |size: Option<u64>| {
        let predictor = Predictor::load(&whole, size).expect("a run");
        let Score::Classes {
            accuracy, classes, ..
        } = predictor.evaluate(&test).expect("digits")
        else {
            panic!("classes");
        };
        assert_eq!(classes.iter().map(|(_, rows, _)| rows).sum::<usize>(), 500);
        accuracy
    };
    assert!(accuracy(None) > 0.93, "{}", accuracy(None));
    for size in &summary.sizes {
        assert!(accuracy(Some(size.parameters)) > 0.3);
    }
    let card = std::fs::read_to_string(whole.join("MODEL_CARD.md")).expect("a card");
    assert!(
        card.contains("`digit`, one of 10 classes") && card.contains("chosen"),
        "{card}"
    );

    let other = FitSettings {
        seed: 1,
        ..settings
    };
    let error = fit(&data(&train), &other, &parts, &Watch::default()).expect_err("another seed");
    assert!(error.to_string().contains("seed"), "{error}");
    let error = Predictor::load(&whole, Some(7)).expect_err("no such size");
    assert!(
        error.to_string().contains(&parameters[0].to_string()),
        "{error}"
    );
    let error = Predictor::load(folder.path(), None).expect_err("no run");
    assert!(error.to_string().contains("predictor.json"), "{error}");
}

#[test]
fn images_are_learned_by_convolutions() {
    let set = optdigits::load().expect("embedded");
    let images = |images: &Images, rows: usize| {
        Records::Images(LabelledImages {
            shape: [1, 8, 8],
            pixels: images.pixels[..64 * rows].to_vec(),
            labels: images.labels[..rows]
                .iter()
                .map(|label| format!("digit {label}"))
                .collect(),
        })
    };
    let settings = FitSettings {
        budget: SizeBudget::Macs(100_000),
        epochs: Some(12),
        ..FitSettings::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let train = images(&set.train, 800);
    let summary = done(&data(&train), &settings, folder.path());
    assert_eq!(summary.sizes.len(), 3);
    let predictor = Predictor::load(folder.path(), None).expect("a run");
    let test = images(&set.test, 300);
    let Ok(Score::Classes { accuracy, .. }) = predictor.evaluate(&test) else {
        panic!("classes");
    };
    assert!(accuracy > 0.8, "{accuracy}");
    let wide = Records::Images(LabelledImages {
        shape: [1, 4, 16],
        pixels: vec![0.0; 64],
        labels: Vec::new(),
    });
    let error = predictor
        .predict(&wide)
        .expect_err("another size")
        .to_string();
    assert!(error.contains("[1, 4, 16]"), "{error}");
    let error = predictor
        .predict(&table("a,b\n1,2\n"))
        .expect_err("a table")
        .to_string();
    assert!(error.contains("made for images"), "{error}");
}

/// A synthetic table: `y = 3a − 2`, twice as much where `kind` is `double`.
fn lines(rows: usize) -> String {
    let mut text = String::from("a,kind,y\n");
    for row in 0..rows {
        let a = (row * 37 % 101) as f64 / 10.0;
        let (kind, factor) = [("single", 1.0), ("double", 2.0)][row % 2];
        let _ = writeln!(text, "{a},{kind},{}", factor * (3.0 * a - 2.0));
    }
    text
}

#[test]
fn numbers_are_predicted_in_their_own_units() {
    let records = table(&lines(200));
    let settings = FitSettings {
        epochs: Some(150),
        ..FitSettings::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let summary = done(&data(&records), &settings, folder.path());
    assert!(
        summary
            .sizes
            .iter()
            .all(|size| size.held_accuracy.is_none())
    );
    let predictor = Predictor::load(folder.path(), None).expect("a run");
    let Ok(Score::Numbers {
        explained,
        root_mean_squared_error,
    }) = predictor.evaluate(&records)
    else {
        panic!("numbers");
    };
    assert!(
        explained > 0.99 && root_mean_squared_error < 2.0,
        "{explained}"
    );
    // Columns may come in another order, and the target may be missing.
    let new = predictor
        .predict(&table("kind,a\ndouble,5\n"))
        .expect("both columns");
    let Prediction::Number { value } = new[0] else {
        panic!("a number");
    };
    assert!((value - 26.0).abs() < 4.0, "{value}");
    let wrong = |text: &str, part: &str| {
        let error = predictor.predict(&table(text)).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    };
    wrong("kind,b\ndouble,5\n", "the column `a` is missing");
    wrong(
        "kind,a\ntriple,5\n",
        "row 1, column `kind`: `triple` is none of the categories",
    );
    wrong(
        "kind,a\ndouble,x\n",
        "row 1, column `a`: `x` where the network was made for numbers",
    );
}

#[test]
fn files_that_were_changed_are_told() {
    let records = table(&lines(40));
    let settings = FitSettings {
        epochs: Some(2),
        ..FitSettings::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    done(&data(&records), &settings, folder.path());
    let path = folder.path().join("predictor.json");
    let text = std::fs::read_to_string(&path).expect("a description");
    for (from, to, part) in [
        ("\"version\": 1", "\"version\": 9", "version 9"),
        ("\"start_width\": ", "\"start_width\": 0", ""),
        ("\"deviation\": ", "\"deviation\": -", "above 0"),
        ("\"double\",", "\"zebra\",", "in order"),
        ("\"kind\": \"mlp\"", "\"kind\": \"tree\"", "damaged"),
        ("{", "", "damaged"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        std::fs::write(&path, changed).expect("writable");
        let error = Predictor::load(folder.path(), None)
            .expect_err(from)
            .to_string();
        assert!(
            error.contains("predictor.json") && error.contains(part),
            "{error}"
        );
    }
}

#[test]
fn what_cannot_be_learned_is_refused_before_anything_is_written() {
    let settings = FitSettings::default();
    refused(&table("a,y\n1,2\n"), &settings, "1 rows are too few");
    let one_class = "a,y\n".to_owned() + &"1,b\n".repeat(20);
    refused(&table(&one_class), &settings, "with one class");
    let mut names = String::from("a,y\n");
    (0..20).for_each(|row| writeln!(names, "{row},name {row}").expect("text"));
    refused(&table(&names), &settings, "20 classes in 20 rows");
    let constant = "a,y\n".to_owned() + &"1,2.5\n".repeat(20);
    refused(&table(&constant), &settings, "nothing to learn");
    let small = FitSettings {
        budget: SizeBudget::Parameters(3),
        ..settings.clone()
    };
    refused(&table(&lines(20)), &small, "raise it");
    let goal = FitSettings {
        target_accuracy: Some(0.9),
        ..settings.clone()
    };
    refused(&table(&lines(40)), &goal, "a number has no accuracy");
    let layers = FitSettings {
        layers: 0,
        ..settings.clone()
    };
    refused(&table(&lines(20)), &layers, "0 hidden layers");
    let unlabelled = Records::Images(LabelledImages {
        shape: [1, 1, 1],
        pixels: vec![0.5; 20],
        labels: Vec::new(),
    });
    refused(&unlabelled, &settings, "the images have no classes");
    let records = table(&lines(20));
    let folder = tempfile::tempdir().expect("a folder");
    let by = |change: &dyn Fn(&mut FitData<'_>)| -> String {
        let mut data = data(&records);
        change(&mut data);
        let result: Result<Fit, PredictorError> =
            fit(&data, &settings, folder.path(), &Watch::default());
        result.expect_err("refused").to_string()
    };
    assert!(by(&|data| data.target = Some("z")).contains("no column `z`: the columns are a, kind"));
    let texts = by(&|data| (data.target, data.goal) = (Some("kind"), Some(Goal::Regression)));
    assert!(texts.contains("holds texts"), "{texts}");
}

#[test]
fn budgets_are_read_as_people_write_them() {
    let read = |text: &str| text.parse::<SizeBudget>();
    assert_eq!(read("50k-params"), Ok(SizeBudget::Parameters(50_000)));
    assert_eq!(read("1.5M-macs"), Ok(SizeBudget::Macs(1_500_000)));
    assert_eq!(read("900-parameters"), Ok(SizeBudget::Parameters(900)));
    for wrong in [
        "",
        "5",
        "5M",
        "k-params",
        "-1-params",
        "NaN-params",
        "5M-apples",
        "0-macs",
    ] {
        assert!(
            read(wrong).is_err_and(|said| said.contains("50k-params")),
            "{wrong}"
        );
    }
}
