//! A document's file, told so that another host understands it: [`DocUri`].
//!
//! A path alone means nothing elsewhere: there the same path may hold another file, an older one, or something that must not
//! be touched. So a reference says what the file *holds*, and what it held before.
//!
//! 1. On the host that made it a reference is the path that the user opened.
//! 2. On another host it leads only under approved roots: no symlinks, no dotfiles, nothing outside. Everything else leads to
//!    `~/Overwinter/HOST/`.
//! 3. What is found there is told apart by content, never by date: the same, an ancestor (an older state of the very
//!    same document: it may be replaced, its old content kept), or unknown (it stays, and the document goes [`beside`] it).
//!
//! A reference that came from elsewhere is untrusted: it can name any path, and is held to these rules. So a host does not take
//! anybody's word for having made one: it signs the path with a key that it tells nobody.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::{Rest, State, host};

/// Earlier contents that a reference remembers; the oldest are forgotten first.
pub const MOST_ANCESTORS: usize = 64;

/// The folder in the user's home for what has no other place: one folder in it per host that things came from.
pub const ELSEWHERE: &str = "Overwinter";

/// BLAKE3 of a file's content.
pub type ContentHash = [u8; 32];

/// A reference to a document's file that means the same on every host.
///
/// ```
/// use overwinter::{DocUri, Located, Places};
///
/// # let home = tempfile::tempdir()?;
/// # let path = home.path().join("notes.md");
/// std::fs::write(&path, "one")?;
/// let places = Places::new(home.path());
/// let mut file = DocUri::of(&path, &places)?;
/// assert_eq!(file.locate(&places)?, Located::Same(path.clone()));
///
/// // The app saves: what the file held before becomes its ancestor.
/// std::fs::write(&path, "two")?;
/// file.saved(blake3::hash(b"two").into());
/// assert_eq!(file.ancestors().len(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(State, Debug, Clone, PartialEq)]
pub struct DocUri {
    /// Relative to the user's home if it is under it, else absolute.
    path: String,
    /// The path, signed by the host it was made on, which gives nothing away; none where the host has no key of its own.
    host: Option<[u8; 16]>,
    /// What people call that host.
    host_name: String,
    /// What the file held when the app read or wrote it last; none if it was not written yet.
    content: Option<ContentHash>,
    /// What it held before, newest first.
    ancestors: Vec<ContentHash>,
    rest: Rest,
}

/// What a reference leads to on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// The file, as the document knows it.
    Same(PathBuf),
    /// The file in an earlier state of this document: it may be replaced when its old content is kept.
    Ancestor(PathBuf),
    /// A file that this document never was: it stays, and the document goes [`beside`] it.
    Unknown(PathBuf),
    /// Nothing is there; this is where the document may be written.
    Missing(PathBuf),
}

impl Located {
    /// The path, whatever is there.
    pub fn path(&self) -> &Path {
        match self {
            Located::Same(path)
            | Located::Ancestor(path)
            | Located::Unknown(path)
            | Located::Missing(path) => path,
        }
    }
}

/// Where documents from other hosts may lead on this one.
#[derive(Debug, Clone)]
pub struct Places {
    home: PathBuf,
    roots: Vec<PathBuf>,
    /// What this host signs with.
    key: Option<host::Key>,
}

impl Places {
    /// The home folder `home`, and no root but its folder for what came from elsewhere.
    pub fn new(home: impl Into<PathBuf>) -> Places {
        Places {
            home: home.into(),
            roots: Vec::new(),
            key: host::key(),
        }
    }

    /// The user's home with the usual folders (Documents, Pictures, …) as roots, as `user-dirs.dirs` names them.
    ///
    /// # Errors
    /// When nobody says where home is.
    pub fn of_user() -> io::Result<Places> {
        let home = std::env::home_dir()
            .filter(|home| home.is_absolute())
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::NotFound,
                    "HOME does not say where the user's files are",
                )
            })?;
        let config =
            std::env::var_os("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
        let text = fs::read_to_string(config.join("user-dirs.dirs")).unwrap_or_default();
        let mut places = Places::new(&home);
        places.roots = user_folders(&home, &text);
        Ok(places)
    }

    /// With another approved root, an absolute path.
    #[must_use]
    pub fn with_root(mut self, root: impl Into<PathBuf>) -> Places {
        self.roots.push(root.into());
        self
    }
}

/// The folders that `user-dirs.dirs` names; the usual ones where it names none. Home itself is no root: it is where a user
/// who has switched a folder off is said to keep it.
fn user_folders(home: &Path, text: &str) -> Vec<PathBuf> {
    let value = |line: &str| {
        let (name, value) = line.trim().split_once('=')?;
        let value = value.trim_matches('"');
        let named = name.starts_with("XDG_") && name.ends_with("_DIR");
        let path = match value.strip_prefix("$HOME/") {
            Some(below) => home.join(below),
            None => PathBuf::from(value),
        };
        (named && path.is_absolute() && path != home).then_some(path)
    };
    let named: Vec<_> = text.lines().filter_map(value).collect();
    if !named.is_empty() {
        return named;
    }
    let usual = [
        "Desktop",
        "Documents",
        "Downloads",
        "Music",
        "Pictures",
        "Public",
        "Templates",
        "Videos",
    ];
    usual.iter().map(|name| home.join(name)).collect()
}

impl DocUri {
    /// A reference to the file at `path`, which is read to know its content. A file that is not there yet has none.
    ///
    /// # Errors
    /// When `path` is not absolute or not UTF-8, or what is there cannot be read or is no regular file.
    pub fn of(path: &Path, here: &Places) -> io::Result<DocUri> {
        if !path.is_absolute() {
            return Err(invalid("a document's path is absolute"));
        }
        let content = match File::open(path) {
            Ok(file) => {
                Some(hash_of(file)?.ok_or_else(|| invalid("a document is a regular file"))?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let told = path.strip_prefix(&here.home).unwrap_or(path);
        let told = told
            .to_str()
            .ok_or_else(|| invalid("the path is not UTF-8"))?;
        Ok(DocUri {
            path: told.to_owned(),
            host: here.key.as_ref().map(|key| key.sign(told)),
            host_name: host_name(),
            content,
            ancestors: Vec::new(),
            rest: Rest::default(),
        })
    }

    /// The app has written the file: it holds this now, and what it held before is its newest ancestor.
    pub fn saved(&mut self, content: ContentHash) {
        match self.content.replace(content) {
            Some(before) if before != content => {
                self.ancestors.insert(0, before);
                self.ancestors.truncate(MOST_ANCESTORS);
            }
            _ => {}
        }
    }

    /// What the file held when the app read or wrote it last.
    pub fn content(&self) -> Option<ContentHash> {
        self.content
    }

    /// What it held before, newest first.
    pub fn ancestors(&self) -> &[ContentHash] {
        &self.ancestors
    }

    /// What people call the host it was made on. From elsewhere, so not to be trusted.
    pub fn host_name(&self) -> &str {
        &self.host_name
    }

    /// Whether it was made on this host.
    pub fn is_from(&self, here: &Places) -> bool {
        let signed = here.key.as_ref().map(|key| key.sign(&self.path));
        signed.is_some() && self.host == signed
    }

    /// The file's name, to be shown.
    pub fn name(&self) -> &str {
        self.path
            .rsplit('/')
            .find(|part| !part.is_empty())
            .unwrap_or(&self.path)
    }

    /// What the reference leads to on this host. Nothing is written.
    ///
    /// # Errors
    /// When what is there cannot be read, or even the folder for what came from elsewhere leads through a symlink.
    pub fn locate(&self, here: &Places) -> io::Result<Located> {
        if self.is_from(here) {
            return self.locate_as_opened(here.home.join(&self.path));
        }
        if let Some((root, below)) = self.approved(here) {
            match probe(root, &below)? {
                Probe::Content(found) => return Ok(self.compare(root.join(below), found)),
                Probe::Missing => return Ok(Located::Missing(root.join(below))),
                Probe::NotToBeTouched => {}
            }
        }
        let below = self.elsewhere();
        match probe(&here.home, &below)? {
            Probe::Content(found) => Ok(self.compare(here.home.join(below), found)),
            Probe::Missing => Ok(Located::Missing(here.home.join(below))),
            Probe::NotToBeTouched => Err(io::Error::other(format!(
                "{} is or leads through a symlink, or is no regular file: nothing from another host is written there",
                here.home.join(below).display()
            ))),
        }
    }

    /// On its own host the path is the user's: it may lead through symlinks and to dotfiles.
    fn locate_as_opened(&self, path: PathBuf) -> io::Result<Located> {
        match File::open(&path) {
            Ok(file) => match hash_of(file)? {
                Some(found) => Ok(self.compare(path, found)),
                None => Ok(Located::Unknown(path)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Located::Missing(path)),
            Err(error) => Err(error),
        }
    }

    fn compare(&self, path: PathBuf, found: ContentHash) -> Located {
        if self.content == Some(found) {
            Located::Same(path)
        } else if self.ancestors.contains(&found) {
            Located::Ancestor(path)
        } else {
            Located::Unknown(path)
        }
    }

    /// The approved root that the path is under, and the path below it.
    fn approved<'a>(&self, here: &'a Places) -> Option<(&'a Path, PathBuf)> {
        let path = here.home.join(&self.path);
        let plain = Path::new(&self.path).components().all(|part| match part {
            Component::Normal(name) => !hidden(name),
            Component::RootDir => true,
            Component::Prefix(_) | Component::CurDir | Component::ParentDir => false,
        });
        let roots = here.roots.iter().filter(|_| plain);
        let mut below = roots
            .filter_map(|root| Some((root.as_path(), path.strip_prefix(root).ok()?.to_owned())));
        below.find(|(_, below)| below.file_name().is_some())
    }

    /// Where it goes without an approved root, below home.
    fn elsewhere(&self) -> PathBuf {
        let mut path = PathBuf::from(ELSEWHERE);
        path.push(harmless(&self.host_name));
        for part in Path::new(&self.path).components() {
            if let Component::Normal(name) = part {
                path.push(harmless(&name.to_string_lossy()));
            }
        }
        path
    }
}

/// A free name beside `path` for a document that came from `host`: `notes (box).md`, `notes (box 2).md`.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("notes.md");
/// assert_eq!(overwinter::uri::beside(&path, "box"), folder.path().join("notes (box).md"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn beside(path: &Path, host: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path
        .extension()
        .map(|extension| format!(".{}", extension.to_string_lossy()));
    let extension = extension.unwrap_or_default();
    let host = harmless(host);
    let first = path.with_file_name(format!("{stem} ({host}){extension}"));
    let more = (2..).map(|n: u64| path.with_file_name(format!("{stem} ({host} {n}){extension}")));
    // A name that is taken by anything, a dangling symlink too, is not free.
    let mut names = std::iter::once(first.clone()).chain(more);
    names
        .find(|name| fs::symlink_metadata(name).is_err())
        .unwrap_or(first)
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// A name from elsewhere as the name of a file here: no separators, no control characters, not hidden, not too long.
fn harmless(name: &str) -> String {
    const LONGEST: usize = 100;
    let plain = |c: char| if c.is_control() || c == '/' { '_' } else { c };
    let name: String = name.chars().map(plain).take(LONGEST).collect();
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None if name.is_empty() => "_".to_owned(),
        None => name,
    }
}

/// What people call this host.
fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

enum Probe {
    Content(ContentHash),
    Missing,
    NotToBeTouched,
}

/// What is at `below` under `root`, without following a symlink anywhere on the way or leaving `root`.
fn probe(root: &Path, below: &Path) -> io::Result<Probe> {
    let folder = match File::open(root) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Probe::Missing),
        Err(error) => return Err(error),
    };
    // Not blocking: what is there may be a pipe.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::BENEATH;
    match openat2(&folder, below, flags, Mode::empty(), resolve) {
        Ok(file) => Ok(hash_of(File::from(file))?.map_or(Probe::NotToBeTouched, Probe::Content)),
        Err(Errno::NOENT) => Ok(Probe::Missing),
        // A symlink; a way out; a file where a folder should be; a socket or device that cannot be opened.
        Err(Errno::LOOP | Errno::XDEV | Errno::NOTDIR | Errno::NXIO) => Ok(Probe::NotToBeTouched),
        Err(error) => Err(error.into()),
    }
}

/// BLAKE3 of a file's content; none if it is no regular file.
fn hash_of(file: File) -> io::Result<Option<ContentHash>> {
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    Ok(Some(hasher.finalize().into()))
}

#[cfg(test)]
#[path = "uri_tests.rs"]
mod tests;
