//! Where a passphrase comes from.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
    termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr},
};
use zeroize::Zeroizing;

/// A word.
pub type Word = Zeroizing<String>;

/// Longer is not a word that somebody types.
const LONGEST: usize = 4096;
/// Whoever gives a descriptor has the word at hand.
const WITHIN: Duration = Duration::from_secs(30);

/// Where the passphrase is, if one is needed. It is fetched when it is needed and not before.
#[derive(Debug)]
pub enum Passphrase {
    /// Up to the end of the descriptor, or its first line.
    Fd(OwnedFd),
    /// The first line of a file.
    File(PathBuf),
    /// The user, at the terminal, asked with these words.
    Terminal(String),
}

impl Passphrase {
    /// Fetches it.
    ///
    /// # Errors
    /// What is wrong, for people: it cannot be read, is empty, is no text, or did not come in time.
    pub fn fetch(self) -> Result<Word, String> {
        match self {
            Passphrase::Fd(fd) => {
                read(&mut File::from(fd), Some(Instant::now() + WITHIN)).and_then(word)
            }
            // A pipe that nobody writes to does not open otherwise.
            Passphrase::File(path) => File::options()
                .read(true)
                .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
                .open(&path)
                .and_then(|mut file| read(&mut file, Some(Instant::now() + WITHIN)))
                .and_then(word)
                .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
            Passphrase::Terminal(question) => ask(&question).and_then(word),
        }
        .map_err(|e| e.to_string())
    }
}

/// A word that somebody handed over; none: an empty one.
///
/// # Errors
/// What is wrong with it, for people.
pub fn of_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Option<Word>, String> {
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.len() > LONGEST {
        return Err(format!("the passphrase is longer than {LONGEST} bytes"));
    }
    word(bytes)
        .map(Some)
        .map_err(|e| format!("the passphrase: {e}"))
}

/// The first line, or all of it.
fn read(from: &mut (impl Read + AsFd), until: Option<Instant>) -> io::Result<Zeroizing<Vec<u8>>> {
    // Never moved to a larger place: what is given back would keep the word.
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0; 1]);
    loop {
        if let Some(until) = until {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).map_err(io::Error::other)?;
            if poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&left))? == 0 {
                let late = format!("it did not come within {} s", WITHIN.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, late));
            }
        }
        match from.read(byte.as_mut_slice()) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
            Ok(0) => return Ok(line),
            Ok(_) if byte[0] == b'\n' => return Ok(line),
            Ok(_) if line.len() == LONGEST => {
                return Err(io::Error::other(format!(
                    "it is longer than {LONGEST} bytes"
                )));
            }
            Ok(_) => line.push(byte[0]),
        }
    }
}

fn word(line: Zeroizing<Vec<u8>>) -> io::Result<Word> {
    let text = std::str::from_utf8(&line).map_err(|_| io::Error::other("it is not text"))?;
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(io::Error::other("it is empty"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// Asks at the terminal; what is typed is not shown.
fn ask(question: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    // Before the question: what is typed at once is neither shown nor lost.
    tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
    // The user takes the time it takes.
    let line = terminal
        .write_all(question.as_bytes())
        .and_then(|()| read(&mut terminal, None));
    tcsetattr(&terminal, OptionalActions::Now, &before)?;
    terminal.write_all(b"\n")?;
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Result<Word, String> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        (&ours).write_all(bytes).unwrap();
        drop(ours);
        Passphrase::Fd(theirs.into()).fetch()
    }

    #[test]
    fn a_word_is_the_first_line_and_nothing_else() {
        assert_eq!(of(b"a word \nmore").unwrap().as_str(), "a word ");
        assert_eq!(of("größer\r\n".as_bytes()).unwrap().as_str(), "größer");
        assert_eq!(of(b"no end").unwrap().as_str(), "no end");
        for (bytes, why) in [
            (b"".as_slice(), "empty"),
            (b"\nword", "empty"),
            (b"\xff\xfe", "not text"),
            (&[b'a'; 5000], "longer"),
        ] {
            assert!(of(bytes).unwrap_err().contains(why), "{why}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let why = Passphrase::File("/nowhere/word".into())
            .fetch()
            .unwrap_err();
        assert!(why.contains("/nowhere/word"), "{why}");
    }
}
