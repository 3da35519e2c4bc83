//! What the user wants by a key or a script, of those who start programs and put groups to sleep: begun at once, and what comes
//! of it is told as everything else is.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use overwinter_proto::GroupId;
use overwinter_session::Event;

use super::Incoming;
use crate::driver::Driver;
use crate::state::Overwinter;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Put this group to sleep.
    Hibernate(GroupId),
    /// Start a program.
    Run {
        /// Its name and arguments.
        command: Vec<String>,
        /// The user asked for it just now: it may have the focus.
        user: bool,
    },
    /// End the session, with everything saved.
    Quit,
}

impl Overwinter {
    /// Has the heart, and what it acts through, do it.
    ///
    /// # Errors
    /// In a plain session.
    pub fn wish(&mut self, wish: Wish) -> Result<(), String> {
        let driver = self.driver.as_mut().ok_or(
            "this is a plain session, without launcher and store: nothing is started in it, nothing sleeps",
        )?;
        driver.inbox.push_back(Incoming::Wish(wish));
        Ok(())
    }

    /// Starts what the configuration starts with the session. Not again when it is read again.
    pub fn autostart(&mut self) {
        for program in self.config.autostart.clone() {
            let name = program.run.first().map_or("", String::as_str);
            if program.if_installed && !is_installed(name) {
                tracing::info!("{name} is not installed, so it is not started with the session");
                continue;
            }
            let command = program.run;
            let user = false;
            if let Err(why) = self.wish(Wish::Run { command, user }) {
                return tracing::info!("nothing is started with the session: {why}");
            }
        }
    }
}

impl Driver {
    pub(crate) fn hear_wish(&mut self, state: &mut Overwinter, wish: Wish) {
        match wish {
            Wish::Hibernate(group) => {
                let operation = self.operations.begin();
                let groups = vec![group];
                self.tell_heart(state, Event::Hibernate { operation, groups });
            }
            Wish::Run { command, user } => self.run_program(state, command, user),
            Wish::Quit => self.quit_by_key(state),
        }
    }
}

/// Whether the launcher would find this program.
fn is_installed(program: &str) -> bool {
    let runs = |file: &Path| {
        let found = std::fs::metadata(file);
        found.is_ok_and(|f| f.is_file() && f.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return runs(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| runs(&folder.join(program)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_installed_when_it_can_be_run() {
        assert!(is_installed("sh") && is_installed("/bin/sh"));
        assert!(!is_installed("/etc/passwd") && !is_installed("/bin"));
        assert!(!is_installed("no-such-program") && !is_installed(""));
    }
}
