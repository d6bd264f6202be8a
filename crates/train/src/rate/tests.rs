//! Rates at their milestones.

use super::*;

fn rate_at(schedule: &RateSchedule, progress: RunProgress) -> f64 {
    schedule.rate(&progress, &PlateauState::default())
}

/// `epoch` epochs into a run without growths.
fn epoch(epoch: usize) -> RunProgress {
    RunProgress {
        epoch,
        phase_epoch: epoch,
        ..RunProgress::default()
    }
}

/// `phase_epoch` epochs after the second growth of a run, which came after 30 epochs.
fn grown(phase_epoch: usize) -> RunProgress {
    RunProgress {
        epoch: 30 + phase_epoch,
        growths: 2,
        phase_epoch,
        spent: 0.5,
    }
}

fn spent(spent: f64) -> RunProgress {
    RunProgress {
        spent,
        ..RunProgress::default()
    }
}

fn constant(rate: f64) -> RateSchedule {
    RateSchedule::constant(rate).expect("a rate")
}

fn close(found: f64, expected: f64) {
    let error = (found - expected).abs();
    assert!(error <= 1e-15, "{found} is not {expected}");
}

fn refused(result: Result<RateSchedule, NnError>, expected: &str) {
    let error = result.expect_err("out of range");
    let said = error.to_string();
    assert!(matches!(error, NnError::Settings(_)), "{said}");
    assert!(said.contains(expected), "`{said}` is not `{expected}`");
}

#[test]
fn a_constant_rate_stays() {
    for progress in [epoch(0), epoch(99), grown(0), spent(1.0)] {
        assert_eq!(rate_at(&constant(0.02), progress), 0.02);
    }
}

#[test]
fn steps_come_at_their_milestones() {
    let decay = Decay::Step {
        milestones: vec![2.0, 5.0],
        factor: 0.5,
    };
    let phase = constant(0.8).with_decay(Span::Phase, decay.clone());
    let phase = phase.expect("in order");
    let rates: Vec<f64> = (0..7).map(|k| rate_at(&phase, epoch(k))).collect();
    assert_eq!(rates, [0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2]);
    let rates: Vec<f64> = (0..7).map(|k| rate_at(&phase, grown(k))).collect();
    assert_eq!(rates, [0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2]);
    let epochs = constant(0.8).with_decay(Span::Epochs, decay);
    assert_eq!(rate_at(&epochs.expect("in order"), grown(0)), 0.2);
    let run = Decay::Step {
        milestones: vec![0.5, 1.0],
        factor: 0.1,
    };
    let run = constant(1.0).with_decay(Span::Run, run).expect("in order");
    assert_eq!(rate_at(&run, spent(0.4999)), 1.0);
    assert_eq!(rate_at(&run, spent(0.5)), 0.1);
    close(rate_at(&run, spent(1.0)), 0.01);
}

#[test]
fn a_cosine_falls_from_its_first_rate_to_its_last() {
    let decay = Decay::Cosine {
        from: 0.0,
        to: 6.0,
        last: 0.2,
    };
    let schedule = constant(1.0).with_decay(Span::Phase, decay);
    let schedule = schedule.expect("in order");
    // cos(π k/6) = 1, √3/2, 1/2, 0, −1/2, −√3/2, −1
    let half = 3.0_f64.sqrt() / 2.0;
    let cosines = [1.0, half, 0.5, 0.0, -0.5, -half, -1.0, -1.0];
    for (k, cosine) in cosines.into_iter().enumerate() {
        close(rate_at(&schedule, epoch(k)), 0.6 + 0.4 * cosine);
        close(rate_at(&schedule, grown(k)), 0.6 + 0.4 * cosine);
    }
}

#[test]
fn one_schedule_over_the_run_does_not_heed_growths() {
    let schedule = RateSchedule::stable_then_decay(0.02).expect("a rate");
    for (share, expected) in [
        (0.0, 0.02),
        (0.6, 0.02),
        (0.7, 0.01 + 0.01 * 0.5_f64.sqrt()),
        (0.8, 0.01),
        (0.9, 0.01 - 0.01 * 0.5_f64.sqrt()),
        (1.0, 0.0),
        (1.5, 0.0),
    ] {
        close(rate_at(&schedule, spent(share)), expected);
        let late = RunProgress {
            spent: share,
            ..grown(0)
        };
        close(rate_at(&schedule, late), expected);
    }
}

#[test]
fn a_warm_up_rises_in_a_line_and_comes_once() {
    let schedule = constant(1.0).with_warm_up(4).expect("epochs");
    let rates: Vec<f64> = (0..6).map(|k| rate_at(&schedule, epoch(k))).collect();
    assert_eq!(rates, [0.2, 0.4, 0.6, 0.8, 1.0, 1.0]);
    assert_eq!(rate_at(&schedule, grown(0)), 1.0);
}

#[test]
fn a_growth_warms_the_rate_anew() {
    let warmer = constant(0.1).with_rewarm(1.5, 2).expect("in range");
    assert_eq!(rate_at(&warmer, epoch(0)), 0.1);
    let rates: Vec<f64> = (0..4).map(|k| rate_at(&warmer, grown(k))).collect();
    assert_eq!(rates, [0.1 * 1.5, 0.1 * 1.25, 0.1, 0.1]);
    let gentler = constant(1.0).with_rewarm(0.25, 3).expect("in range");
    let rates: Vec<f64> = (0..4).map(|k| rate_at(&gentler, grown(k))).collect();
    assert_eq!(rates, [0.25, 0.5, 0.75, 1.0]);
}

const PLATEAU: Plateau = Plateau {
    patience: 2,
    min_decrease: 0.1,
    factor: 0.5,
    minimum: 0.15,
};

#[test]
fn a_stalled_loss_reduces_the_rate_to_its_minimum() {
    let schedule = constant(0.8).with_plateau(PLATEAU).expect("in range");
    let mut state = PlateauState::default();
    let losses = [
        (2.0, 0.8),
        // Less, but not by a tenth.
        (1.9, 0.8),
        (1.7, 0.8),
        (1.6, 0.8),
        (1.6, 0.4),
        (1.6, 0.4),
        (f64::NAN, 0.2),
        (1.5, 0.2),
        (1.5, 0.2),
        (1.5, 0.15),
        (1.5, 0.15),
    ];
    for (index, (loss, expected)) in losses.into_iter().enumerate() {
        schedule.observe(loss, &mut state);
        let rate = schedule.rate(&epoch(index + 1), &state);
        assert_eq!(rate, expected, "after epoch {}", index + 1);
    }
    assert_eq!(state.best, Some(1.5));
    let mut state = PlateauState::default();
    schedule.observe(f64::NAN, &mut state);
    assert_eq!((state.best, state.stalled), (None, 1));
}

#[test]
fn the_minimum_is_of_reductions_alone() {
    let schedule = RateSchedule::stable_then_decay(0.8).expect("a rate");
    let schedule = schedule.with_plateau(PLATEAU).expect("in range");
    let state = PlateauState {
        reductions: 9,
        ..PlateauState::default()
    };
    assert_eq!(schedule.rate(&spent(0.0), &state), 0.15);
    close(schedule.rate(&spent(1.0), &state), 0.0);
}

#[test]
fn a_growth_forgets_the_loss_and_a_phase_its_reductions() {
    let seen = PlateauState {
        best: Some(0.5),
        stalled: 1,
        reductions: 3,
    };
    for (span, reductions) in [(Span::Run, 3), (Span::Epochs, 3), (Span::Phase, 0)] {
        let schedule = constant(0.8).with_decay(span, Decay::Constant);
        let schedule = schedule.and_then(|s| s.with_plateau(PLATEAU));
        let mut state = seen;
        schedule.expect("in range").grew(&mut state);
        let expected = PlateauState {
            reductions,
            ..PlateauState::default()
        };
        assert_eq!(state, expected, "{span:?}");
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    for rate in [-0.1, f64::NAN, f64::INFINITY] {
        refused(RateSchedule::constant(rate), "must be a number");
    }
    let step = |milestones: &[f64], factor| Decay::Step {
        milestones: milestones.to_vec(),
        factor,
    };
    let cosine = |from, to, last| Decay::Cosine { from, to, last };
    for (span, decay) in [
        (Span::Run, step(&[0.5, 1.1], 0.1)),
        (Span::Phase, step(&[5.0, 2.0], 0.1)),
        (Span::Phase, step(&[2.0, 2.0], 0.1)),
        (Span::Epochs, step(&[2.0], -0.1)),
        (Span::Epochs, step(&[f64::NAN], 0.1)),
        (Span::Run, cosine(0.0, 30.0, 0.0)),
        (Span::Run, cosine(-0.1, 1.0, 0.0)),
        (Span::Phase, cosine(4.0, 4.0, 0.0)),
        (Span::Phase, cosine(4.0, f64::INFINITY, 0.0)),
        (Span::Epochs, cosine(0.0, 4.0, -1.0)),
    ] {
        let said = format!("{decay:?} over {span:?}");
        refused(constant(0.1).with_decay(span, decay), &said);
    }
    refused(constant(0.1).with_warm_up(0), "a warm-up over 0 epochs");
    for (factor, epochs) in [(0.0, 2), (-1.0, 2), (f64::NAN, 2), (1.3, 0)] {
        refused(constant(0.1).with_rewarm(factor, epochs), "re-warming by");
    }
    for plateau in [
        Plateau {
            patience: 0,
            ..PLATEAU
        },
        Plateau {
            factor: 1.0,
            ..PLATEAU
        },
        Plateau {
            factor: 0.0,
            ..PLATEAU
        },
        Plateau {
            min_decrease: -0.1,
            ..PLATEAU
        },
        Plateau {
            min_decrease: 1.0,
            ..PLATEAU
        },
        Plateau {
            minimum: f64::NAN,
            ..PLATEAU
        },
    ] {
        refused(constant(0.1).with_plateau(plateau), "the patience must be");
    }
}

#[test]
fn a_schedule_is_written_and_read_and_checked_when_read() {
    let schedule = RateSchedule::stable_then_decay(0.02)
        .and_then(|s| s.with_warm_up(3))
        .and_then(|s| s.with_rewarm(1.3, 2))
        .and_then(|s| s.with_plateau(PLATEAU))
        .expect("in range");
    for schedule in [constant(0.1), schedule] {
        let written = serde_json::to_string(&schedule).expect("written");
        let read: RateSchedule = serde_json::from_str(&written).expect("read");
        assert_eq!(read, schedule);
    }
    let read = |text: &str| serde_json::from_str::<RateSchedule>(text).map_err(|e| e.to_string());
    let wrong = r#"{"rate": -1.0, "span": "run", "decay": "constant"}"#;
    assert!(read(wrong).expect_err("wrong").contains("learning rate -1"));
    let wrong = r#"{"rate": 1.0, "span": "run", "decay": "constant", "warmup": 3}"#;
    assert!(read(wrong).expect_err("wrong").contains("warmup"));
    let state = PlateauState {
        best: Some(0.25),
        stalled: 1,
        reductions: 2,
    };
    let written = serde_json::to_string(&state).expect("written");
    assert_eq!(
        serde_json::from_str::<PlateauState>(&written).expect("read"),
        state
    );
}
