//! What was checked, what it took, and whether it held: a table for people, JSON for programs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::screen::Picture;

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Which step of the story.
    pub step: String,
    /// What was expected.
    pub what: String,
    /// Whether it was so.
    pub held: bool,
    /// What was seen; for a check that did not hold, why.
    pub saw: String,
    /// Milliseconds it took, where that means something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<f64>,
    /// Bytes, where that means something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// A check that holds: what was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// In words.
    pub words: String,
    /// Instead of the time that the check took.
    pub ms: Option<f64>,
    /// Bytes, where that means something.
    pub bytes: Option<u64>,
}

impl From<String> for Seen {
    fn from(words: String) -> Self {
        Seen {
            words,
            ..Seen::default()
        }
    }
}

impl From<&str> for Seen {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

/// All checks so far, and where pictures go.
#[derive(Debug)]
pub struct Report {
    checks: Vec<Check>,
    step: String,
    folder: Option<PathBuf>,
    aloud: bool,
}

impl Report {
    /// An empty one. Pictures go to `folder`, if any; `aloud` prints each check as it is made.
    ///
    /// # Errors
    /// When the folder cannot be made empty.
    pub fn new(folder: Option<PathBuf>, aloud: bool) -> Result<Self> {
        if let Some(folder) = &folder {
            if folder.exists() {
                std::fs::remove_dir_all(folder)
                    .with_context(|| format!("emptying {}", folder.display()))?;
            }
            std::fs::create_dir_all(folder)?;
        }
        Ok(Report {
            checks: Vec::new(),
            step: String::new(),
            folder,
            aloud,
        })
    }

    /// A new step begins.
    pub fn step(&mut self, name: &str) {
        name.clone_into(&mut self.step);
        if self.aloud {
            println!("\n{name}");
        }
    }

    /// Makes a check. One that does not hold is written down, and the story goes on as far as it can.
    ///
    /// Gives whether it held.
    pub fn check<S: Into<Seen>>(&mut self, what: &str, look: impl FnOnce() -> Result<S>) -> bool {
        let start = Instant::now();
        let outcome = look().map(Into::into);
        let took = start.elapsed();
        self.note(what, outcome, took)
    }

    /// Writes down a check that was made elsewhere.
    pub fn note(&mut self, what: &str, outcome: Result<Seen>, took: Duration) -> bool {
        let held = outcome.is_ok();
        let seen = outcome.unwrap_or_else(|error| format!("{error:#}").into());
        let check = Check {
            step: self.step.clone(),
            what: what.to_owned(),
            held,
            saw: seen.words,
            ms: Some(seen.ms.unwrap_or(took.as_secs_f64() * 1000.0)),
            bytes: seen.bytes,
        };
        if self.aloud {
            println!("  {}", line(&check));
        }
        self.checks.push(check);
        held
    }

    /// Keeps a picture of how things look now, as NN-name.png.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn picture(&self, name: &str, picture: &Picture) -> Result<()> {
        match &self.folder {
            Some(folder) => picture.save(&folder.join(name).with_extension("png")),
            None => Ok(()),
        }
    }

    /// Whether every check held (and there was one).
    pub fn all_held(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|c| c.held)
    }

    /// Those that did not hold.
    pub fn failures(&self) -> String {
        let failed: Vec<String> = self.checks.iter().filter(|c| !c.held).map(line).collect();
        failed.join("\n")
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<9} {:<74} {:>9} {:>10}\n",
            "step", "what was checked", "ms", "bytes"
        );
        for check in &self.checks {
            let word = check.step.split(' ').next().unwrap_or_default();
            let ms = check.ms.map_or(String::new(), |ms| format!("{ms:.0}"));
            let bytes = check.bytes.map_or(String::new(), |b| b.to_string());
            let mark = if check.held { "" } else { "NOT HELD: " };
            text += &format!(
                "{word:<9} {:<74} {ms:>9} {bytes:>10}\n",
                format!("{mark}{}", check.what)
            );
        }
        let held = self.checks.iter().filter(|c| c.held).count();
        text + &format!("{held} of {} checks held\n", self.checks.len())
    }

    /// Writes result.json.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, file: &Path) -> Result<()> {
        #[derive(Serialize)]
        struct Whole<'a> {
            held: bool,
            checks: &'a [Check],
        }
        let whole = Whole {
            held: self.all_held(),
            checks: &self.checks,
        };
        std::fs::write(file, serde_json::to_vec_pretty(&whole)?)
            .with_context(|| format!("writing {}", file.display()))
    }
}

fn line(check: &Check) -> String {
    let mark = if check.held { "held" } else { "NOT HELD" };
    let ms = check
        .ms
        .map_or(String::new(), |ms| format!(" [{ms:.0} ms]"));
    let saw = if check.saw.is_empty() {
        String::new()
    } else {
        format!(": {}", check.saw)
    };
    format!("{mark}  {}{saw}{ms}", check.what)
}
