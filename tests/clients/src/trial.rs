//! One program's trial: a session of its own, hands, eyes and a panel, and what has been seen of the program so far.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use overwinter_tests::input::Hands;
use overwinter_tests::screen::{self, Picture, Rect};
use overwinter_tests::session::{Session, Wish};
use overwinter_tests::wait;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::panel::{Panel, WindowId};

/// How long a big program may take to show itself: a debug build of the compositor, two cores, everything drawn by the CPU.
const START: Duration = Duration::from_secs(90);

/// Fewer changed pixels than this are no window.
const FEW: u64 = 400;

/// What is asked of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Its process has connected and gone on.
    Started,
    /// It is listed with a title or app id, and its pixels are on the screen.
    Shown,
    /// Keys reached it and had the effect they are to have.
    Typed,
    /// The same of the pointer.
    Clicked,
    /// A picture of it was taken.
    Photographed,
    /// Asked politely, it ended by itself.
    Closed,
}

impl Step {
    /// All, in the order of the table.
    pub const ALL: [Step; 6] = [
        Step::Started,
        Step::Shown,
        Step::Typed,
        Step::Clicked,
        Step::Photographed,
        Step::Closed,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Step::Started => "started",
            Step::Shown => "shown",
            Step::Typed => "typed",
            Step::Clicked => "clicked",
            Step::Photographed => "photographed",
            Step::Closed => "closed",
        }
    }
}

/// A window of the program under trial.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its name in the panel.
    pub id: WindowId,
    /// What of the screen it takes, shadows included.
    pub rect: Rect,
}

/// The trial of one program.
pub struct Trial {
    /// The session it runs in.
    pub session: Session,
    /// Pointer and keyboard.
    pub hands: Hands,
    /// The list of windows.
    pub panel: Panel,
    name: String,
    empty: Picture,
    child: Option<Child>,
    held: BTreeMap<Step, String>,
    pictures: PathBuf,
    compositor: u32,
    // Dropped last: everything lies in it.
    _folder: tempfile::TempDir,
}

impl Trial {
    /// A session with nothing in it. Pictures go to `pictures`.
    ///
    /// # Errors
    /// When the session does not come up.
    pub fn new(name: &str, pictures: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ow-").tempdir()?;
        let session = Session::start(Wish {
            keeps: false,
            ..Wish::headless(folder.path().join("s"))
        })?;
        let compositor = session.compositor_pid().context("no compositor")?;
        let hands = Hands::new(&session)?;
        let panel = Panel::new(&session)?;
        let empty = screen::grab(&session)?;
        Ok(Trial {
            session,
            hands,
            panel,
            name: name.to_owned(),
            empty,
            child: None,
            held: BTreeMap::new(),
            pictures: pictures.to_path_buf(),
            compositor,
            _folder: folder,
        })
    }

    /// What has held so far, with what was seen.
    pub fn held(&self) -> &BTreeMap<Step, String> {
        &self.held
    }

    /// Writes down that a step held.
    pub fn saw(&mut self, step: Step, what: impl Into<String>) {
        self.held.insert(step, what.into());
    }

    /// The user's home.
    pub fn home(&self) -> PathBuf {
        self.session.home()
    }

    /// Writes a file into the home folder and gives its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn file(&self, name: &str, text: &str) -> Result<String> {
        let path = self.home().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path.display().to_string())
    }

    /// Starts the program.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn start(&mut self, program: &str, arguments: &[&str], env: &[(&str, &str)]) -> Result<()> {
        let log = self.session.base().join(format!("log/{}.log", self.name));
        let out = fs::File::create(&log)?;
        let child = self
            .session
            .command(program)
            .args(arguments)
            .envs(env.iter().copied())
            // For whoever looks into a failure: what the program and the compositor say to each other goes to its log.
            .envs(std::env::var("OVERWINTER_CLIENT_DEBUG").map(|value| ("WAYLAND_DEBUG", value)))
            .current_dir(self.home())
            .process_group(0)
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("starting {program}"))?;
        self.child = Some(child);
        Ok(())
    }

    /// What the program has written to its standard output and error.
    pub fn said(&self) -> String {
        let log = self.session.base().join(format!("log/{}.log", self.name));
        let bytes = fs::read(log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the program has written this.
    ///
    /// # Errors
    /// When it does not.
    pub fn says(&self, text: &str) -> Result<()> {
        wait::until(&format!("it says {text:?}"), || {
            Ok(self.said().contains(text).then_some(()))
        })
    }

    /// Waits for its window: in the list, and on the screen.
    ///
    /// # Errors
    /// When it does not come, with what the program said.
    pub fn shown(&mut self) -> Result<Window> {
        let found = self.panel.wait(START, "a window is listed", |windows| {
            let found = windows.iter().find(|t| !t.closed && t.is_named())?;
            Some((found.id(), found.title.clone(), found.app_id.clone()))
        });
        let (id, title, app_id) = found.with_context(|| self.last_words())?;
        self.saw(Step::Started, "a window is listed");
        let rect = self.appears(START)?;
        self.saw(Step::Shown, format!("{title:?} of {app_id:?}"));
        Ok(Window { id, rect })
    }

    /// Waits until something is drawn on the desktop and stays where it is; gives where.
    ///
    /// # Errors
    /// When nothing is.
    pub fn appears(&mut self, patience: Duration) -> Result<Rect> {
        let mut last = None;
        let found = wait::until_within(patience, "something is drawn", || {
            let now = screen::grab(&self.session)?;
            let (count, around) = self.empty.difference(&now, self.empty.whole());
            let stays = count > FEW && around == last && around.is_some();
            last = around;
            Ok(around.filter(|_| stays))
        });
        found.with_context(|| self.last_words())
    }

    /// A picture of the desktop as it is.
    ///
    /// # Errors
    /// When none can be taken.
    pub fn look(&self) -> Result<Picture> {
        screen::grab(&self.session)
    }

    /// Waits until the desktop differs from `before` by more than a cursor's worth of pixels.
    ///
    /// # Errors
    /// When it stays as it was.
    pub fn changes(&self, what: &str, before: &Picture) -> Result<()> {
        self.changes_by(FEW, what, before)
    }

    /// [`Trial::changes`] by more than so many pixels.
    ///
    /// # Errors
    /// When it does not.
    pub fn changes_by(&self, many: u64, what: &str, before: &Picture) -> Result<()> {
        wait::until(what, || {
            let (count, _) = before.difference(&self.look()?, before.whole());
            ensure!(count > many, "{count} pixels have changed");
            Ok(Some(()))
        })
    }

    /// Where something of this colour is drawn.
    ///
    /// # Errors
    /// When it is not.
    pub fn finds(&self, what: &str, colour: [u8; 3]) -> Result<Rect> {
        wait::until(what, || Ok(self.look()?.around(colour)))
    }

    /// Waits until the desktop is as it was before the program came.
    ///
    /// # Errors
    /// When something of it stays.
    pub fn empty_again(&self) -> Result<()> {
        wait::until("the desktop is empty again", || {
            self.empty.same(&self.look()?, self.empty.whole())?;
            Ok(Some(()))
        })
    }

    /// Waits until a window's title is as wanted.
    ///
    /// # Errors
    /// When it is not.
    pub fn title(&mut self, window: &Window, wanted: &str) -> Result<()> {
        let what = format!("its title has {wanted:?} in it");
        self.panel.wait(wait::PATIENCE, &what, |windows| {
            let this = windows.iter().find(|t| t.id() == window.id)?;
            this.title.contains(wanted).then_some(())
        })
    }

    /// Waits until a file in the home folder holds what is wanted.
    ///
    /// # Errors
    /// When it does not, with what it holds.
    pub fn file_has(&self, name: &str, wanted: &str) -> Result<()> {
        let path = self.home().join(name);
        wait::until(&format!("{name} holds {wanted:?}"), || {
            let now = fs::read_to_string(&path).unwrap_or_default();
            // Editors of rich text put marks around what was typed.
            let plain = without_tags(&now);
            let end: String = now
                .chars()
                .skip(now.chars().count().saturating_sub(200))
                .collect();
            ensure!(
                now.contains(wanted) || plain.contains(wanted),
                "it ends with {end:?}"
            );
            Ok(Some(()))
        })
    }

    /// What another program would paste, once there is something.
    ///
    /// # Errors
    /// When there is nothing.
    pub fn pasted(&self) -> Result<String> {
        wait::until("something can be pasted", || {
            let pasted = self.session.run("wl-paste", &["--no-newline"])?;
            Ok(Some(String::from_utf8_lossy(&pasted).into_owned()))
        })
    }

    /// Waits until what another program would paste is this.
    ///
    /// # Errors
    /// When it is not.
    pub fn clipboard_has(&self, wanted: &str) -> Result<()> {
        wait::until(&format!("{wanted:?} can be pasted"), || {
            let pasted = self.pasted()?;
            ensure!(pasted == wanted, "what can be pasted is {pasted:?}");
            Ok(Some(()))
        })
    }

    /// Takes a picture of the desktop for people to look at; something must be on it.
    ///
    /// # Errors
    /// When nothing is drawn, or the file cannot be written.
    pub fn photograph(&mut self) -> Result<()> {
        let picture = self.look()?;
        let (count, around) = self.empty.difference(&picture, self.empty.whole());
        ensure!(count > FEW, "the picture shows an empty desktop");
        let colours = around.map_or(0, |r| picture.colours(r));
        let file = format!("{}.png", self.name);
        picture.save(&self.pictures.join(&file))?;
        self.saw(Step::Photographed, format!("{file}, {colours} colours"));
        Ok(())
    }

    /// Asks the window to close, and waits until it has gone and the program has ended.
    ///
    /// # Errors
    /// When either does not happen.
    pub fn close(&mut self, window: &Window) -> Result<()> {
        self.panel.close(&window.id)?;
        self.gone(window)?;
        let status = self.ends()?;
        self.saw(Step::Closed, format!("{status}"));
        Ok(())
    }

    /// Waits until a window is listed no more.
    ///
    /// # Errors
    /// When it still is.
    pub fn gone(&mut self, window: &Window) -> Result<()> {
        self.panel
            .wait(wait::PATIENCE, "its window is gone", |windows| {
                windows
                    .iter()
                    .any(|t| t.id() == window.id && t.closed)
                    .then_some(())
            })
    }

    /// Sends the program a signal, as a session's end does, and waits until it has ended by itself.
    ///
    /// # Errors
    /// When it does not.
    pub fn stop(&mut self, signal: Signal) -> Result<()> {
        let child = self.child.as_ref().context("it was not started")?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no process")?, signal)?;
        let status = self.ends()?;
        self.saw(Step::Closed, format!("{status}"));
        Ok(())
    }

    /// Waits until the program has ended by itself.
    ///
    /// # Errors
    /// When it still runs.
    pub fn ends(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("it was not started")?;
        let ended = wait::for_end(child.id(), wait::PATIENCE);
        if ended.is_err() {
            let _ = child.kill();
        }
        let status = child.wait()?;
        ended.with_context(|| self.last_words())?;
        Ok(status)
    }

    /// Checks that the compositor is the one that was there at the start and complains about nothing that is its own fault.
    ///
    /// # Errors
    /// Names the first complaint.
    pub fn compositor_is_well(&self) -> Result<()> {
        let log = self.session.base().join("log/compositor.log");
        let text = fs::read_to_string(log).unwrap_or_default();
        let bad = |line: &&str| line.contains("ERROR") || line.contains("panicked at");
        if let Some(line) = text.lines().find(bad) {
            anyhow::bail!("the compositor complains: {line}");
        }
        ensure!(
            self.session.compositor_pid() == Some(self.compositor),
            "the compositor has ended"
        );
        Ok(())
    }

    fn last_words(&self) -> String {
        let said = self.said();
        let lines: Vec<&str> = said.lines().filter(|l| !l.trim().is_empty()).collect();
        let tail = lines
            .get(lines.len().saturating_sub(3)..)
            .unwrap_or_default();
        format!("{} said: {}", self.name, tail.join(" / "))
    }
}

/// XML without its tags.
fn without_tags(text: &str) -> String {
    let parts = text.split('<').map(|p| p.rsplit('>').next().unwrap_or(p));
    parts.collect()
}

impl Drop for Trial {
    fn drop(&mut self) {
        // Not ours to leave behind when a step failed; the session ends what it had started in turn.
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
