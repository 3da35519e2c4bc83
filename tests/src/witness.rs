//! A real client that bears witness: what is typed into it can be read in a file.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::input::Hands;
use crate::session::Session;
use crate::story::still;
use crate::wait;

/// A terminal that writes down what is typed into it.
pub struct Witness {
    hands: Hands,
    lines: u32,
}

impl Witness {
    /// Opens its window and gives it the focus.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn new(session: &Session) -> Result<Witness> {
        let empty = still(session)?;
        let script = "while read line; do echo $line >>$HOME/witness.txt; done";
        session.spawn("foot", &["--config=/dev/null", "sh", "-c", script])?;
        wait::until("the witness is on the screen", || {
            let (count, _) = empty.difference(&still(session)?, empty.whole());
            Ok((count > 20_000).then_some(()))
        })?;
        let hands = Hands::new(session)?;
        Ok(Witness { hands, lines: 0 })
    }

    /// It still takes keys.
    ///
    /// # Errors
    /// When they do not arrive, with the logs.
    pub fn goes_on(&mut self, session: &Session, after: &str) -> Result<()> {
        self.lines += 1;
        let line = format!("line {}", self.lines);
        self.hands
            .type_text(&format!("{line}\n"))
            .with_context(|| format!("after {after}\n{}", session.logs()))?;
        wait::until(&format!("the witness goes on after {after}"), || {
            let all = fs::read_to_string(session.home().join("witness.txt")).unwrap_or_default();
            ensure!(all.lines().last() == Some(&line), "it wrote {all:?}");
            Ok(Some(()))
        })
    }
}
