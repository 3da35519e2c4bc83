//! A session in which the test app is installed, seen as its user sees it: through `overwinter`, grim and `/proc`.

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;

use super::puppet::{Held, Puppet};
use super::words::Do;
use super::{APP, PROGRAM, SOCKET};
use crate::install;
use crate::place::programs;
use crate::screen;
use crate::session::{Said, Session, Wish};
use crate::wait;

/// The session. Dropped last of a test's things.
#[derive(Debug)]
pub struct Stage {
    /// The session itself.
    pub session: Session,
    compositor: u32,
    callers: UnixListener,
    _base: Option<tempfile::TempDir>,
}

impl Stage {
    /// Starts a session with version 1.0 of the test app.
    ///
    /// # Errors
    /// See [`Session::start`].
    pub fn new() -> Result<Stage> {
        Stage::prepared(|_| Ok(()))
    }

    /// As [`Stage::new`], with something done between the folders and the compositor.
    ///
    /// # Errors
    /// See [`Session::start`].
    pub fn prepared(prepare: impl FnOnce(&Session) -> Result<()>) -> Result<Stage> {
        let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
        let session = Session::prepare(Wish::headless(base.path().join("s")))?;
        prepare(&session)?;
        let mut stage = Stage::of(session)?;
        stage._base = Some(base);
        Ok(stage)
    }

    /// In a session that was prepared, and where it is (on another host, too).
    ///
    /// # Errors
    /// See [`Session::start`].
    pub fn of(mut session: Session) -> Result<Stage> {
        let program = programs().join(PROGRAM);
        install::app(&session, APP, "Test App", "1.0", &program, PROGRAM, "")?;
        let socket = session.place().path(&session.runtime().join(SOCKET));
        let callers = UnixListener::bind(socket)?;
        session.restart(std::collections::BTreeMap::new())?;
        let compositor = session.compositor_pid().context("no compositor")?;
        Ok(Stage {
            session,
            compositor,
            callers,
            _base: None,
        })
    }

    /// Ends the session as a power cut would.
    ///
    /// # Errors
    /// When something of it will not die.
    pub fn crash(&mut self) -> Result<()> {
        self.session.crash()
    }

    /// Starts the session again after [`Stage::crash`].
    ///
    /// # Errors
    /// See [`Session::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.session.restart(std::collections::BTreeMap::new())?;
        self.compositor = self.session.compositor_pid().context("no compositor")?;
        Ok(())
    }

    /// What the user was told about a group.
    ///
    /// # Errors
    /// When the session does not answer.
    pub fn told(&self, group: &str) -> Result<Vec<String>> {
        let status = self.whole_status()?;
        let notices = status["notices"].as_array().context("no notices")?;
        let of_group = notices.iter().filter(|n| n["group"] == group);
        Ok(of_group.map(|n| n["text"].to_string()).collect())
    }

    fn whole_status(&self) -> Result<Value> {
        let said = self.session.overwinter(&["status", "--json"])?;
        ensure!(said.code == 0, "{said:?}");
        Ok(serde_json::from_str(&said.out)?)
    }

    /// The next process of the test app that starts.
    ///
    /// # Errors
    /// When none does.
    pub fn next_puppet(&self) -> Result<Puppet> {
        let patience = Timespec::try_from(wait::PATIENCE)?;
        let mut fds = [PollFd::new(&self.callers, PollFlags::IN)];
        ensure!(
            poll(&mut fds, Some(&patience))? > 0,
            "the test app was not started\n{}",
            self.session.logs()
        );
        Puppet::lead(self.callers.accept()?.0)
    }

    /// Starts the test app as its user would.
    ///
    /// # Errors
    /// When it does not start.
    pub fn launch(&self) -> Result<Puppet> {
        let said = self.session.overwinter(&["launch", APP])?;
        ensure!(said.code == 0, "{said:?}");
        self.next_puppet()
    }

    /// Starts the test app, which registers and opens one group.
    ///
    /// # Errors
    /// When it does not start.
    pub fn open(&self, title: &str) -> Result<(Puppet, Held)> {
        let mut puppet = self.launch()?;
        ensure!(puppet.register("1.0")? == "launch");
        let held = puppet.open(title)?;
        Ok((puppet, held))
    }

    /// Starts `overwinter ARGUMENTS` and lets it wait while the test goes on.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn begin(&self, arguments: &[&str]) -> Result<Running> {
        let mut command = self.session.command(programs().join("overwinter"));
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().context("starting overwinter")?;
        Ok(Running { child: Some(child) })
    }

    /// What the user is told about a group.
    ///
    /// # Errors
    /// When the session does not answer.
    pub fn status(&self, group: &str) -> Result<Option<Value>> {
        let status = self.whole_status()?;
        let groups = status["groups"].as_array().context("no groups")?;
        Ok(groups.iter().find(|g| g["id"] == group).cloned())
    }

    /// Waits until a group is where it should be, and gives what is told about it.
    ///
    /// # Errors
    /// When it does not get there.
    pub fn group_is(&self, group: &str, state: &str) -> Result<Value> {
        wait::until(&format!("the group is {state}"), || {
            let now = self.status(group)?.context("there is no such group")?;
            ensure!(now["state"] == state, "it is {now}");
            Ok(Some(now))
        })
    }

    /// Puts a group to sleep that has this state at this revision.
    ///
    /// # Errors
    /// When it does not fall asleep.
    pub fn put_to_sleep(
        &self,
        puppet: Puppet,
        held: &Held,
        revision: u64,
        state: &[u8],
    ) -> Result<()> {
        let hibernate = self.begin(&["hibernate", &held.group])?;
        puppet.fall_asleep(revision, state)?;
        let said = hibernate.end()?;
        ensure!(said.code == 0, "{said:?}");
        self.group_is(&held.group, "asleep")?;
        Ok(())
    }

    /// Begins to wake a group and gives the process that is started for it.
    ///
    /// # Errors
    /// When none is started.
    pub fn touch(&self, group: &str) -> Result<(Running, Puppet)> {
        let wake = self.begin(&["wake", group])?;
        let mut puppet = self.next_puppet()?;
        puppet.register("1.0")?;
        Ok((wake, puppet))
    }

    /// Wakes a group: it must have this state.
    ///
    /// # Errors
    /// When it does not wake, or with something else.
    pub fn wakes_with(&self, group: &str, state: &[u8]) -> Result<(Puppet, Held)> {
        let (_wake, mut puppet) = self.touch(group)?;
        let (wish, held) = puppet.wake_up()?;
        ensure!(
            wish.state == state,
            "it wakes with {:?}",
            String::from_utf8_lossy(&wish.state)
        );
        self.group_is(group, "live")?;
        Ok((puppet, held))
    }

    /// Everybody else goes on: the compositor is the one that was started, another program's screenshot works, and an app can
    /// be opened and saves what it has.
    ///
    /// # Errors
    /// What does not go on.
    pub fn goes_on(&self) -> Result<()> {
        let now = self.session.compositor_pid();
        ensure!(
            now == Some(self.compositor),
            "the compositor is {now:?}, it was {}\n{}",
            self.compositor,
            self.session.logs()
        );
        screen::grab(&self.session)?;
        let (mut other, held) = self.open("a bystander")?;
        ensure!(other.autosave(&held, 1, b"a bystander's work")? == 1);
        let (group, lease) = (held.group, held.lease);
        other.tell_well(&Do::Closed { group, lease })?;
        other.end(&Do::End)
    }
}

/// An `overwinter` that waits for the end of what it asked for.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
}

impl Running {
    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not come.
    pub fn end(mut self) -> Result<Said> {
        let mut child = self.child.take().context("it has ended")?;
        let ended = wait::for_end(child.id(), wait::PATIENCE * 2);
        if ended.is_err() {
            child.kill()?;
        }
        let status = child.wait()?;
        let (mut raw, mut err) = (Vec::new(), String::new());
        if let (Some(mut out), Some(mut complaint)) = (child.stdout.take(), child.stderr.take()) {
            out.read_to_end(&mut raw)?;
            complaint.read_to_string(&mut err)?;
        }
        ended.with_context(|| err.clone())?;
        Ok(Said {
            code: status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&raw).into_owned(),
            raw,
            err,
        })
    }

    /// Waits for its end, which must be a failure; gives what the user reads.
    ///
    /// # Errors
    /// When it ends well.
    pub fn fails(self) -> Result<String> {
        let said = self.end()?;
        ensure!(said.code == 1, "it should have failed: {said:?}");
        Ok(said.out + &said.err)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Says that a text tells what happened (in these words), what was kept, and what to do.
///
/// # Errors
/// Names the part that is missing.
pub fn has_three_parts(text: &str, happened: &str) -> Result<()> {
    const KEPT: [&str; 9] = [
        "kept",
        "keeps",
        "stays",
        "as before",
        "as it was",
        "othing was",
        "othing is",
        "goes on",
        "with all its work",
    ];
    const TO_DO: [&str; 10] = [
        "again",
        "click on",
        "Wake it",
        "ree space",
        "should ask",
        "Call it first",
        "Send it again",
        "Open it again",
        "`overwinter ",
        "is the name of",
    ];
    ensure!(
        text.contains(happened),
        "does not say what happened ({happened:?}): {text}"
    );
    ensure!(
        KEPT.iter().any(|k| text.contains(k)),
        "does not say what was kept: {text}"
    );
    ensure!(
        TO_DO.iter().any(|d| text.contains(d)),
        "does not say what to do: {text}"
    );
    Ok(())
}
