//! How far something long has come: a bar on a terminal, nothing elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// What takes less than this needs no bar.
const SOON: Duration = Duration::from_secs(1);
/// Between two looks of the bar.
const REDRAW: Duration = Duration::from_millis(100);
/// Characters between its ends.
const WIDTH: usize = 30;

/// A line on standard error that goes when it is dropped.
pub struct Bar {
    what: &'static str,
    terminal: bool,
    begun: Instant,
    drawn: Option<Instant>,
}

impl Bar {
    /// A bar for this, which is drawn only when it takes a while.
    pub fn new(what: &'static str) -> Bar {
        Bar {
            what,
            terminal: std::io::stderr().is_terminal(),
            begun: Instant::now(),
            drawn: None,
        }
    }

    /// It has come this far.
    pub fn show(&mut self, done: u64, total: u64) {
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW);
        if self.terminal && due && self.begun.elapsed() >= SOON {
            self.drawn = Some(Instant::now());
            let mut screen = std::io::stderr().lock();
            // A terminal that went away is no reason to stop.
            let _ = write!(screen, "\r\x1b[K{}", line(self.what, done, total));
            let _ = screen.flush();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn line(what: &str, done: u64, total: u64) -> String {
    let part = done.min(total) as f64 / total.max(1) as f64;
    let full = (part * WIDTH as f64) as usize;
    let (full, empty) = ("#".repeat(full), ".".repeat(WIDTH - full));
    format!("{what} [{full}{empty}] {:3.0} %", (part * 100.0).floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_and_never_passes_its_end() {
        assert!(line("x", 0, 10).starts_with("x [...") && line("x", 0, 10).ends_with("  0 %"));
        assert!(line("x", 5, 10).contains(&format!("[{}.", "#".repeat(WIDTH / 2))));
        assert!(line("x", 10, 10).ends_with("#] 100 %"));
        assert_eq!(line("x", 11, 10), line("x", 10, 10));
        assert!(line("x", 0, 0).ends_with("  0 %"));
    }
}
