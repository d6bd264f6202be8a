//! How a study goes, on the standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use burgeon_experiments::study::StudyObserver;
use burgeon_terminal::note;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal, a line at each tenth elsewhere.
pub struct Progress {
    name: String,
    bar: Option<ProgressBar>,
    printed: usize,
    spoken: Instant,
}

impl Progress {
    /// Of the study `name`.
    pub fn new(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{prefix:>8} [{elapsed_precise}] {bar:32} {pos}/{len} units  {msg}";
            let bar = ProgressBar::new(0).with_prefix(name.to_owned());
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Self {
            name: name.to_owned(),
            bar,
            printed: 0,
            spoken: Instant::now(),
        }
    }

    /// Says how long it took.
    pub fn finish(&self, elapsed: Duration) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = elapsed.as_secs_f64();
        note(format_args!("{}: finished in {seconds:.0} s", self.name));
    }
}

impl StudyObserver for Progress {
    fn unit_finished(&mut self, unit: &str, done: usize, total: usize) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                bar.set_message(unit.to_owned());
            }
            None => {
                let tenth = done * 10 / total.max(1);
                if tenth > self.printed || done == 0 {
                    note(format_args!("{}: {done} of {total} units", self.name));
                }
                self.printed = self.printed.max(tenth);
            }
        }
    }

    fn unit_progress(&mut self, line: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(line.to_owned()),
            None if self.spoken.elapsed() >= Duration::from_secs(30) => {
                self.spoken = Instant::now();
                note(line);
            }
            None => {}
        }
    }
}
