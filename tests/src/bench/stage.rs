//! The session that is measured: headless, the editor's first release, a document of 1 MiB.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::event::{Timespec, poll};

use crate::atspi::{Content, Reader};
use crate::input::Hands;
use crate::proc::Process;
use crate::screen::{self, Rect};
use crate::session::{Session, Wish};
use crate::{install, story, wait};

/// The document that is measured with.
pub const LONG: &str = "long.txt";

/// A second, small one.
pub const SHORT: &str = "short.txt";

const MIB: usize = 1 << 20;

/// Session, hands and eyes.
pub struct Stage {
    pub eyes: Reader,
    pub hands: Hands,
    pub session: Session,
    base: tempfile::TempDir,
}

impl Stage {
    /// Starts the session, installs the editor, opens nothing yet.
    pub fn new() -> Result<Self> {
        let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
        let mut session = Session::prepare(Wish::headless(base.path().join("a")))?;
        // A bar that fades away after each key keeps the UI thread drawing for a second, which is no part of what is measured.
        let settings = session.base().join("config/glib-2.0/settings/keyfile");
        let known = fs::read_to_string(&settings)?;
        let known = known
            .replace("overlay-scrolling=true", "overlay-scrolling=false")
            .replace("enable-animations=true", "enable-animations=false");
        fs::write(&settings, known)?;
        install::editor(&session, 1)?;
        session.restart(BTreeMap::new())?;
        Ok(Stage {
            eyes: Reader::new(&session)?,
            hands: Hands::new(&session)?,
            session,
            base,
        })
    }

    /// Opens a document of about this many bytes and waits until it is shown.
    pub fn open(&mut self, name: &str, bytes: usize) -> Result<Content> {
        let text = prose(bytes);
        let file = self.file(name)?;
        fs::write(&file, &text)?;
        let path = file.display().to_string();
        let said = self
            .session
            .overwinter(&["launch", install::EDITOR, &path])?;
        ensure!(said.code == 0, "overwinter launch: {}", said.err);
        let (_, content) = story::expect(&self.eyes, name, "the file's text", |c| c.text == text)?;
        self.rest()?;
        Ok(content)
    }

    /// [`Stage::open`] with the long one.
    pub fn open_long(&mut self) -> Result<Content> {
        self.open(LONG, MIB)
    }

    fn file(&self, name: &str) -> Result<PathBuf> {
        let folder = self.base.path().join("a/home/Documents");
        fs::create_dir_all(&folder)?;
        Ok(folder.join(name))
    }

    /// The one editor that runs.
    pub fn editor(&self) -> Result<Process> {
        let mut editors = self.session.running(install::EDITOR_PROGRAM)?;
        ensure!(editors.len() == 1, "{} editors run", editors.len());
        Ok(editors.remove(0))
    }

    /// Waits until the editor has nothing left to do: it has used no processor time for a second.
    pub fn rest(&self) -> Result<()> {
        let pid = self.editor()?.pid;
        let (mut last, mut since) = (main_thread(pid)?, Instant::now());
        wait::until("the editor is at rest", || {
            let now = main_thread(pid)?;
            if now > last + Duration::from_millis(1) {
                (last, since) = (now, Instant::now());
            }
            Ok((since.elapsed() > Duration::from_secs(1)).then_some(()))
        })
    }

    /// Where on the output the text of the only window is: an inner part of it, told from the ground by its pixels.
    pub fn text(&self) -> Result<Rect> {
        let picture = screen::grab(&self.session)?;
        let ground = picture.at(0, picture.height - 1);
        let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
        for y in 0..picture.height {
            for x in 0..picture.width {
                if picture
                    .at(x, y)
                    .iter()
                    .zip(ground)
                    .any(|(a, b)| a.abs_diff(b) > 64)
                {
                    (left, top) = (left.min(x), top.min(y));
                    (right, bottom) = (right.max(x), bottom.max(y));
                }
            }
        }
        ensure!(left < right && top < bottom, "no window is seen");
        let (width, height) = (right - left, bottom - top);
        Ok(Rect {
            x: left + width / 8,
            y: top + height / 8,
            width: width * 3 / 4,
            height: height * 3 / 4,
        })
    }
}

/// Processor time that a process's main thread has used, to the nanosecond. The kernel's scheduler accounts for it.
pub fn main_thread(pid: u32) -> Result<Duration> {
    let file = format!("/proc/{pid}/task/{pid}/schedstat");
    let text = fs::read_to_string(&file).with_context(|| format!("reading {file}"))?;
    let nanos = text.split_whitespace().next().and_then(|n| n.parse().ok());
    Ok(Duration::from_nanos(
        nanos.with_context(|| format!("{file} says {text:?}"))?,
    ))
}

/// Lets time pass: what is measured happens meanwhile.
pub fn pass(time: Duration) -> Result<()> {
    poll(&mut [], Some(&Timespec::try_from(time)?))?;
    Ok(())
}

/// Text of this many bytes at least, in lines of different length, the same each time.
fn prose(bytes: usize) -> String {
    const WORDS: [&str; 12] = [
        "winter", "is", "a", "season", "that", "some", "sleep", "through", "and", "others", "walk",
        "from",
    ];
    let mut text = String::with_capacity(bytes + 128);
    let mut seed = 7_u32;
    while text.len() < bytes {
        let words = 4 + seed % 11;
        for _ in 0..words {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push_str(WORDS[(seed >> 16) as usize % WORDS.len()]);
            text.push(' ');
        }
        text.push('\n');
    }
    text
}
