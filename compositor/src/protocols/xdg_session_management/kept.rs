//! What is kept of the windows of clients that ask for it: pure, but for reading and writing its file.
//!
//! What holds at any time:
//!
//! 1. A session is found by its id from within its own room only: what one sandbox left is to any other, and to whoever lives
//!    in none, as if it had never been. A name that a client gives itself opens nothing.
//! 2. No app keeps more than [`MOST_OF_APP`] sessions and all together no more than [`MOST`]; the longest unused goes first,
//!    never one that is in use. A session keeps [`MOST_WINDOWS`] windows at most.
//! 3. Nothing that is read is believed: bounds hold for it, too, and the layout cuts places to what makes sense.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use overwinter_layout::Place;
use serde::{Deserialize, Serialize};

/// Sessions of one app.
pub const MOST_OF_APP: usize = 64;
/// Sessions of all apps.
pub const MOST: usize = 512;
/// Windows of one session.
pub const MOST_WINDOWS: usize = 64;
/// Of a window that is to be kept, in bytes.
pub const LONGEST_NAME: usize = 255;
/// A file larger than this is none of ours.
const MOST_BYTES: u64 = 32 << 20;

/// Whose a session is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Owner {
    /// Engine and app id of the sandbox, as the engine vouched for them; none: it lives in none.
    pub sandbox: Option<(String, String)>,
    /// What counts against one app's share: the program that runs, or the sandbox's app id.
    pub app: String,
}

/// Why a client comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The user started it.
    Launch,
    /// It, or the compositor, crashed.
    Recover,
    /// It was ended for a while, or its session was.
    SessionRestore,
}

/// What became of asking for a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    /// It is there.
    Restored,
    /// It is new.
    Created,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Session {
    owner: Owner,
    /// Seconds since 1970: when somebody asked for it last.
    used: u64,
    windows: BTreeMap<String, Place>,
}

/// As it is in the file.
#[derive(Default, Serialize, Deserialize)]
struct Written {
    #[serde(default)]
    sessions: BTreeMap<String, Session>,
}

/// All sessions, and where they are kept.
#[derive(Clone, Debug, Default)]
pub struct KeptSessions {
    /// None: they end with the compositor.
    file: Option<PathBuf>,
    sessions: BTreeMap<String, Session>,
}

impl KeptSessions {
    /// Reads what a former compositor kept.
    ///
    /// # Errors
    /// When the file cannot be read; what is then to be told. It is as if nothing had been kept, and the file is set aside.
    pub fn open(file: PathBuf) -> (KeptSessions, Result<(), String>) {
        let (sessions, outcome) = match read(&file) {
            Ok(sessions) => (sessions, Ok(())),
            Err(e) => (BTreeMap::new(), Err(set_aside(&file, &e))),
        };
        let mut kept = KeptSessions {
            file: Some(file),
            sessions,
        };
        kept.cut_to_bounds();
        (kept, outcome)
    }

    /// A client asks for the session of this id, or for a new one, which gets `fresh`. `in_use`: ids that must stay.
    pub fn get(
        &mut self,
        id: Option<&str>,
        fresh: &str,
        owner: &Owner,
        now: u64,
        in_use: &dyn Fn(&str) -> bool,
    ) -> Opened {
        if let Some(session) = id.and_then(|id| self.sessions.get_mut(id))
            && session.owner.sandbox == owner.sandbox
        {
            session.used = now;
            session.owner = owner.clone();
            return Opened::Restored;
        }
        let of_app = |s: &Session| s.owner.app == owner.app && s.owner.sandbox == owner.sandbox;
        self.make_room(MOST_OF_APP, &of_app, in_use);
        self.make_room(MOST, &|_| true, in_use);
        let counts = self.sessions.values().filter(|s| of_app(s)).count();
        // Where there is no room, because all are in use, it lives for now and is not kept.
        if counts < MOST_OF_APP && self.sessions.len() < MOST {
            let session = Session {
                owner: owner.clone(),
                used: now,
                windows: BTreeMap::new(),
            };
            self.sessions.insert(fresh.to_owned(), session);
        }
        Opened::Created
    }

    /// Forgets the longest unused of those that count until there is room for one more.
    fn make_room(
        &mut self,
        most: usize,
        counts: &dyn Fn(&Session) -> bool,
        in_use: &dyn Fn(&str) -> bool,
    ) {
        while self.sessions.values().filter(|s| counts(s)).count() >= most {
            let idle = self.sessions.iter();
            let idle = idle.filter(|(id, s)| counts(s) && !in_use(id));
            let oldest = idle.min_by_key(|(_, s)| s.used).map(|(id, _)| id.clone());
            match oldest {
                Some(id) => self.sessions.remove(&id),
                None => return,
            };
        }
    }

    /// Whether something is kept under this name.
    pub fn knows(&self, id: &str, name: &str) -> bool {
        let session = self.sessions.get(id);
        session.is_some_and(|s| s.windows.contains_key(name))
    }

    /// Where the window is to stand again.
    pub fn place(&self, id: &str, name: &str, reason: Reason) -> Option<Place> {
        let place = self.sessions.get(id)?.windows.get(name)?.clone();
        Some(match reason {
            Reason::Recover | Reason::SessionRestore => place,
            // Where the user is now, not where they were then; and to be seen, not put away.
            Reason::Launch => Place {
                output: None,
                workspace: None,
                tiled: None,
                minimised: false,
                above: 0,
                ..place
            },
        })
    }

    /// A window stands there now. True when that is news.
    pub fn note(&mut self, id: &str, name: &str, place: Place) -> bool {
        let Some(session) = self.sessions.get_mut(id) else {
            return false;
        };
        let windows = &mut session.windows;
        if windows.get(name) == Some(&place) {
            return false;
        }
        let fits = windows.contains_key(name) || windows.len() < MOST_WINDOWS;
        if !fits || name.len() > LONGEST_NAME {
            return false;
        }
        windows.insert(name.to_owned(), place);
        true
    }

    /// What was kept under one name is kept under another. True when that is news.
    pub fn rename(&mut self, id: &str, name: &str, to: &str) -> bool {
        let Some(session) = self.sessions.get_mut(id) else {
            return false;
        };
        let Some(place) = session.windows.remove(name) else {
            return false;
        };
        self.note(id, to, place);
        true
    }

    /// The window is not to be restored. True when that is news.
    pub fn forget_window(&mut self, id: &str, name: &str) -> bool {
        let session = self.sessions.get_mut(id);
        session.is_some_and(|s| s.windows.remove(name).is_some())
    }

    /// The session is not to be restored. True when that is news.
    pub fn forget(&mut self, id: &str) -> bool {
        self.sessions.remove(id).is_some()
    }

    fn cut_to_bounds(&mut self) {
        for session in self.sessions.values_mut() {
            let mut room = MOST_WINDOWS;
            session.windows.retain(|name, _| {
                let keep = room > 0 && name.len() <= LONGEST_NAME;
                room -= usize::from(keep);
                keep
            });
        }
        self.make_room(MOST + 1, &|_| true, &|_| false);
    }

    /// Writes all of them: the file is the old one or the new one, whole. Not for the main thread.
    ///
    /// # Errors
    /// What was not kept, and what that means.
    pub fn write(&self) -> Result<(), String> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        self.try_write(file).map_err(|e| {
            format!(
                "Where windows stood could not be kept ({}: {e}). Apps that ask for it find their windows' places as long as this \
                 session runs, and later those that were written last. Make room there.",
                file.display()
            )
        })
    }

    fn try_write(&self, file: &Path) -> io::Result<()> {
        let written = Written {
            sessions: self.sessions.clone(),
        };
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let unfinished = file.with_extension("json.new");
        let mut new = File::create(&unfinished)?;
        new.write_all(&serde_json::to_vec(&written)?)?;
        new.sync_all()?;
        fs::rename(&unfinished, file)?;
        File::open(folder)?.sync_all()
    }
}

fn read(file: &Path) -> io::Result<BTreeMap<String, Session>> {
    let opened = match File::open(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    opened.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other("it is far too large"));
    }
    let written: Written = serde_json::from_slice(&bytes)?;
    Ok(written.sessions)
}

fn set_aside(file: &Path, error: &io::Error) -> String {
    let aside = file.with_extension("json.unreadable");
    let kept = match fs::rename(file, &aside) {
        Ok(()) => format!("It is kept as {}", aside.display()),
        Err(_) => "It is replaced by what is kept from now on".to_owned(),
    };
    format!(
        "Where windows stood cannot be read ({}: {error}). {kept}. No group is touched by that; apps open their windows where \
         new windows open.",
        file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(app: &str) -> Owner {
        Owner {
            sandbox: None,
            app: app.into(),
        }
    }

    fn sandboxed(app: &str) -> Owner {
        Owner {
            sandbox: Some(("flatpak".into(), app.into())),
            app: app.into(),
        }
    }

    fn place(above: u32) -> Place {
        Place {
            workspace: Some("mail".into()),
            minimised: true,
            maximised: true,
            above,
            ..Place::default()
        }
    }

    fn idle(_: &str) -> bool {
        false
    }

    #[test]
    fn what_was_kept_is_there_again_in_its_own_room_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/windows.json");
        let (mut kept, outcome) = KeptSessions::open(file.clone());
        assert_eq!(outcome, Ok(()));
        let app = sandboxed("org.app");
        assert_eq!(kept.get(None, "a", &app, 1, &idle), Opened::Created);
        assert!(kept.note("a", "main", place(3)));
        assert!(!kept.note("a", "main", place(3)));
        kept.write().unwrap();
        let (mut again, outcome) = KeptSessions::open(file);
        assert_eq!(outcome, Ok(()));
        for stranger in [host("org.app"), sandboxed("org.other")] {
            let opened = again.get(Some("a"), "b", &stranger, 2, &idle);
            assert_eq!(opened, Opened::Created);
        }
        assert_eq!(again.get(Some("a"), "c", &app, 3, &idle), Opened::Restored);
        let found = again.place("a", "main", Reason::SessionRestore);
        assert_eq!(found, Some(place(3)));
    }

    #[test]
    fn who_is_launched_comes_to_where_the_user_is() {
        let mut kept = KeptSessions::default();
        kept.get(None, "a", &host("/usr/bin/app"), 1, &idle);
        kept.note("a", "main", place(3));
        let launched = kept.place("a", "main", Reason::Launch).unwrap();
        assert!(launched.workspace.is_none() && !launched.minimised && launched.maximised);
        assert_eq!(kept.place("a", "main", Reason::Recover), Some(place(3)));
        assert_eq!(kept.place("a", "other", Reason::Recover), None);
    }

    #[test]
    fn the_longest_unused_goes_when_an_app_has_too_many_but_none_in_use() {
        let mut kept = KeptSessions::default();
        let (app, other) = (host("/usr/bin/app"), host("/usr/bin/other"));
        kept.get(None, "other", &other, 0, &idle);
        for i in 0..MOST_OF_APP {
            kept.get(None, &format!("s{i:03}"), &app, i as u64 + 1, &idle);
        }
        let first = |id: &str| id == "s000";
        kept.get(None, "new", &app, 1000, &first);
        let there = |kept: &KeptSessions, id: &str| kept.sessions.contains_key(id);
        assert!(there(&kept, "s000") && !there(&kept, "s001"));
        assert!(there(&kept, "new") && there(&kept, "other"));
        // All are in use: one more is not kept.
        kept.get(None, "more", &app, 1001, &|_| true);
        assert!(!there(&kept, "more"));
        assert_eq!(kept.sessions.len(), MOST_OF_APP + 1);
    }

    #[test]
    fn all_together_are_bounded_and_so_is_what_is_read() {
        let mut kept = KeptSessions::default();
        for i in 0..MOST + 10 {
            let app = host(&format!("/usr/bin/app{i}"));
            kept.get(None, &format!("s{i}"), &app, i as u64, &idle);
        }
        assert_eq!(kept.sessions.len(), MOST);
        let id = format!("s{}", MOST + 9);
        for i in 0..MOST_WINDOWS + 10 {
            kept.note(&id, &format!("w{i}"), place(0));
        }
        kept.note(&id, &"n".repeat(LONGEST_NAME + 1), place(0));
        assert_eq!(kept.sessions[&id].windows.len(), MOST_WINDOWS);
        let session = kept.sessions[&id].clone();
        for i in 0..100 {
            kept.sessions.insert(format!("x{i}"), session.clone());
            let windows = &mut kept.sessions.get_mut(&id).unwrap().windows;
            windows.insert(format!("x{i}"), place(0));
        }
        kept.cut_to_bounds();
        assert_eq!(kept.sessions.len(), MOST);
        assert!(
            kept.sessions
                .values()
                .all(|s| s.windows.len() <= MOST_WINDOWS)
        );
    }

    #[test]
    fn names_can_change_and_be_forgotten() {
        let mut kept = KeptSessions::default();
        kept.get(None, "a", &host("app"), 1, &idle);
        kept.note("a", "old", place(1));
        assert!(kept.rename("a", "old", "new"));
        assert!(!kept.knows("a", "old") && kept.knows("a", "new"));
        assert!(kept.forget_window("a", "new") && !kept.knows("a", "new"));
        assert!(kept.forget("a"));
        assert_eq!(
            kept.get(Some("a"), "b", &host("app"), 2, &idle),
            Opened::Created
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("windows.json");
        fs::write(&file, "{\"sessions\": 7").unwrap();
        let (kept, outcome) = KeptSessions::open(file.clone());
        assert!(kept.sessions.is_empty());
        assert!(outcome.unwrap_err().contains("windows.json.unreadable"));
        kept.write().unwrap();
        assert!(folder.path().join("windows.json.unreadable").exists());
        assert_eq!(KeptSessions::open(file).1, Ok(()));
    }
}
