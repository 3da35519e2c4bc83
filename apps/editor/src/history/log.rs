//! The log itself: written, read back and replayed onto plain text. No GTK.

use std::fmt::Write as _;
use std::sync::Arc;

use super::Text;

/// A piece is sealed (and shared by every later copy of the log) once it has grown to this many bytes: large enough that
/// few pieces exist, small enough that copying the open one at each save costs nothing.
const PIECE: usize = 64 * 1024;

/// One thing that happened to a buffer. Positions and lengths are in characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// A user action begins.
    Begin,
    /// A user action ends.
    End,
    /// Text was put in.
    Insert {
        /// Where.
        at: u32,
        /// What.
        text: String,
    },
    /// Text was taken out.
    Delete {
        /// Where.
        at: u32,
        /// How much.
        len: u32,
        /// Where the caret stood just before: GTK tells a backspace from a forward delete by it.
        caret: u32,
        /// The other end of the selection; the caret itself when nothing was selected.
        anchor: u32,
    },
    /// One step was undone.
    Undo {
        /// How many insertions and deletions of this log the step was made of.
        ops: u32,
    },
    /// The step undone last was done again.
    Redo,
    /// The text was declared changed or, after saving to its file, unchanged.
    Modified(bool),
}

/// A log that cannot be what this editor wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// Line of the written log, counted from 1; 0 when a log does not fit its base text.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "undo history, line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for Broken {}

/// Kind and size of an edit: enough to know which edits an undo took back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Edit {
    inserted: bool,
    chars: u32,
}

/// An operation log: see the module.
#[derive(Clone, Debug, Default)]
pub struct Log {
    sealed: Vec<Arc<str>>,
    open: String,
    entries: usize,
    /// Edits that are in the text, oldest first.
    done: Vec<Edit>,
    /// Edits that were undone and can be done again, next one last.
    undone: Vec<Edit>,
    /// How many of `undone` belong to each step, next one last.
    steps: Vec<u32>,
}

impl Log {
    /// How many entries were written.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// How many steps are undone just now, so that a redo would bring them back.
    pub fn undone(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// Adds an entry. An [`Entry::Undo`] that takes back more than there is, or a redo of nothing, is refused.
    pub fn push(&mut self, entry: &Entry) -> Result<(), &'static str> {
        match *entry {
            Entry::Insert { ref text, .. } => {
                let chars =
                    u32::try_from(text.chars().count()).map_err(|_| "insertion is too long")?;
                self.edit(Edit {
                    inserted: true,
                    chars,
                });
            }
            Entry::Delete { len, .. } => self.edit(Edit {
                inserted: false,
                chars: len,
            }),
            Entry::Undo { ops } => {
                let keep = self
                    .done
                    .len()
                    .checked_sub(ops as usize)
                    .ok_or("undo of more than was done")?;
                self.undone.extend(self.done.drain(keep..).rev());
                self.steps.push(ops);
            }
            Entry::Redo => {
                let ops = self.steps.pop().ok_or("redo of nothing")?;
                let keep = self.undone.len().saturating_sub(ops as usize);
                self.done.extend(self.undone.drain(keep..).rev());
            }
            Entry::Begin | Entry::End | Entry::Modified(_) => {}
        }
        write_entry(&mut self.open, entry);
        self.entries += 1;
        if self.open.len() >= PIECE {
            self.sealed.push(std::mem::take(&mut self.open).into());
        }
        Ok(())
    }

    fn edit(&mut self, edit: Edit) {
        self.undone.clear();
        self.steps.clear();
        self.done.push(edit);
    }

    /// How many edits at the end of the log an undo took back, told by what it did to the text: (characters were put in,
    /// how many), in order. `None` when the log does not fit.
    ///
    /// GTK joins neighbouring edits of a kind into one and never splits one, so what it did covers whole edits of the log.
    pub fn undone_by(&self, effects: &[(bool, u32)]) -> Option<u32> {
        let mut rest = self.done.as_slice();
        for &(inserted, chars) in effects {
            let mut left = chars;
            while left > 0 {
                let (last, before) = rest.split_last()?;
                if last.inserted == inserted {
                    return None;
                }
                left = left.checked_sub(last.chars)?;
                rest = before;
            }
        }
        u32::try_from(self.done.len() - rest.len()).ok()
    }

    /// The written form in pieces; all but the last are shared, not copied.
    pub fn pieces(&self) -> Vec<Arc<str>> {
        let mut pieces = self.sealed.clone();
        if !self.open.is_empty() {
            pieces.push(self.open.as_str().into());
        }
        pieces
    }

    /// The written form in one string.
    pub fn written(&self) -> String {
        let mut all = String::with_capacity(
            self.sealed.iter().map(|p| p.len()).sum::<usize>() + self.open.len(),
        );
        self.sealed.iter().for_each(|piece| all.push_str(piece));
        all.push_str(&self.open);
        all
    }

    /// Reads the written form.
    pub fn read(written: &str) -> Result<(Log, Vec<Entry>), Broken> {
        let mut log = Log::default();
        let mut entries = Vec::new();
        for (number, line) in written.lines().enumerate() {
            let broken = |why| Broken {
                line: number + 1,
                why,
            };
            let entry = read_entry(line).ok_or(broken("not an entry"))?;
            log.push(&entry).map_err(broken)?;
            entries.push(entry);
        }
        Ok((log, entries))
    }

    /// The text that `entries` make of `base`.
    pub fn text(base: &str, entries: &[Entry]) -> Result<String, Broken> {
        let mut text = Text::new(base);
        let mut done: Vec<Change> = Vec::new();
        let mut undone: Vec<Change> = Vec::new();
        let mut steps: Vec<usize> = Vec::new();
        let misfit = |why| Broken { line: 0, why };
        for entry in entries {
            match *entry {
                Entry::Insert { at, text: ref new } => {
                    let change = Change {
                        inserted: true,
                        at: at as usize,
                        text: new.clone(),
                    };
                    change
                        .apply(&mut text)
                        .ok_or(misfit("insertion beyond the end"))?;
                    undone.clear();
                    steps.clear();
                    done.push(change);
                }
                Entry::Delete { at, len, .. } => {
                    let taken = text
                        .delete(at as usize, len as usize)
                        .ok_or(misfit("deletion beyond the end"))?;
                    undone.clear();
                    steps.clear();
                    done.push(Change {
                        inserted: false,
                        at: at as usize,
                        text: taken,
                    });
                }
                Entry::Undo { ops } => {
                    for _ in 0..ops {
                        let change = done.pop().ok_or(misfit("undo of more than was done"))?;
                        change
                            .revert(&mut text)
                            .ok_or(misfit("undo does not fit"))?;
                        undone.push(change);
                    }
                    steps.push(ops as usize);
                }
                Entry::Redo => {
                    for _ in 0..steps.pop().ok_or(misfit("redo of nothing"))? {
                        let change = undone.pop().ok_or(misfit("redo of nothing"))?;
                        change.apply(&mut text).ok_or(misfit("redo does not fit"))?;
                        done.push(change);
                    }
                }
                Entry::Begin | Entry::End | Entry::Modified(_) => {}
            }
        }
        Ok(text.into())
    }
}

struct Change {
    inserted: bool,
    at: usize,
    text: String,
}

impl Change {
    fn put(&self, text: &mut Text) -> Option<()> {
        text.insert(self.at, &self.text).then_some(())
    }

    fn take(&self, text: &mut Text) -> Option<()> {
        text.delete(self.at, self.text.chars().count()).map(drop)
    }

    fn apply(&self, text: &mut Text) -> Option<()> {
        if self.inserted {
            self.put(text)
        } else {
            self.take(text)
        }
    }

    fn revert(&self, text: &mut Text) -> Option<()> {
        if self.inserted {
            self.take(text)
        } else {
            self.put(text)
        }
    }
}

fn write_entry(out: &mut String, entry: &Entry) {
    // Writing into a String cannot fail.
    let _ = match entry {
        Entry::Begin => writeln!(out, "{{"),
        Entry::End => writeln!(out, "}}"),
        Entry::Insert { at, text } => {
            let _ = write!(out, "i {at} ");
            for c in text.chars() {
                match c {
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\\' => out.push_str("\\\\"),
                    c => out.push(c),
                }
            }
            out.push('\n');
            Ok(())
        }
        Entry::Delete {
            at,
            len,
            caret,
            anchor,
        } => writeln!(out, "d {at} {len} {caret} {anchor}"),
        Entry::Undo { ops } => writeln!(out, "u {ops}"),
        Entry::Redo => writeln!(out, "r"),
        Entry::Modified(modified) => writeln!(out, "m {}", u8::from(*modified)),
    };
}

fn read_entry(line: &str) -> Option<Entry> {
    match line {
        "{" => return Some(Entry::Begin),
        "}" => return Some(Entry::End),
        "r" => return Some(Entry::Redo),
        "m 0" => return Some(Entry::Modified(false)),
        "m 1" => return Some(Entry::Modified(true)),
        _ => {}
    }
    let (kind, rest) = line.split_once(' ')?;
    match kind {
        "i" => {
            let (at, text) = rest.split_once(' ')?;
            Some(Entry::Insert {
                at: at.parse().ok()?,
                text: unescape(text)?,
            })
        }
        "d" => {
            let mut numbers = rest.split(' ').map(str::parse);
            let mut next = || numbers.next()?.ok();
            let entry = Entry::Delete {
                at: next()?,
                len: next()?,
                caret: next()?,
                anchor: next()?,
            };
            numbers.next().is_none().then_some(entry)
        }
        "u" => Some(Entry::Undo {
            ops: rest.parse().ok()?,
        }),
        _ => None,
    }
}

fn unescape(written: &str) -> Option<String> {
    let mut text = String::with_capacity(written.len());
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            }),
            // Text views cannot hold it.
            '\0' => return None,
            c => text.push(c),
        }
    }
    Some(text)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a person does; turned into entries that fit the text.
    #[derive(Clone, Debug)]
    pub(in super::super) enum Does {
        Insert(prop::sample::Index, String),
        Delete(prop::sample::Index, prop::sample::Index),
        Undo(prop::sample::Index),
        Redo,
        Begin,
        End,
        Save,
    }

    pub(in super::super) fn does() -> impl Strategy<Value = Does> {
        use any as a;
        prop_oneof![
            4 => (a::<prop::sample::Index>(), "[ -~é😀\n\r\\\\\u{2028}]{1,8}").prop_map(|(at, text)| Does::Insert(at, text)),
            3 => (a::<prop::sample::Index>(), a::<prop::sample::Index>()).prop_map(|(at, len)| Does::Delete(at, len)),
            2 => a::<prop::sample::Index>().prop_map(Does::Undo),
            1 => Just(Does::Redo),
            1 => Just(Does::Begin),
            1 => Just(Does::End),
            1 => Just(Does::Save),
        ]
    }

    /// Plays `doing` on a plain list of texts, which is undo as everybody understands it, and writes the log beside.
    pub(in super::super) fn play(base: &str, doing: Vec<Does>) -> (Log, Vec<Entry>, String) {
        let mut log = Log::default();
        let mut entries = Vec::new();
        let mut texts: Vec<Vec<char>> = vec![base.chars().collect()];
        let mut now = 0;
        let mut steps: Vec<usize> = Vec::new();
        for does in doing {
            let mut text = texts[now].clone();
            let entry = match does {
                Does::Insert(at, new) => {
                    let at = at.index(text.len() + 1);
                    text.splice(at..at, new.chars());
                    Entry::Insert {
                        at: at as u32,
                        text: new,
                    }
                }
                Does::Delete(at, len) if !text.is_empty() => {
                    let at = at.index(text.len());
                    let len = 1 + len.index(text.len() - at);
                    text.drain(at..at + len);
                    Entry::Delete {
                        at: at as u32,
                        len: len as u32,
                        caret: at as u32,
                        anchor: (at + len) as u32,
                    }
                }
                Does::Undo(ops) if now > 0 => {
                    let ops = 1 + ops.index(now);
                    now -= ops;
                    steps.push(ops);
                    Entry::Undo { ops: ops as u32 }
                }
                Does::Redo if !steps.is_empty() => {
                    now += steps.pop().unwrap_or(0);
                    Entry::Redo
                }
                Does::Begin => Entry::Begin,
                Does::End => Entry::End,
                Does::Save => Entry::Modified(false),
                _ => continue,
            };
            if matches!(entry, Entry::Insert { .. } | Entry::Delete { .. }) {
                texts.truncate(now + 1);
                texts.push(text);
                now += 1;
                steps.clear();
            }
            log.push(&entry).expect("what was played fits");
            entries.push(entry);
        }
        let text = texts[now].iter().collect();
        (log, entries, text)
    }

    proptest! {
        #[test]
        fn base_and_log_give_the_text(base in "[a-z \né]{0,30}", doing in prop::collection::vec(does(), 0..80)) {
            let (_, entries, text) = play(&base, doing);
            prop_assert_eq!(Log::text(&base, &entries).unwrap(), text);
        }

        #[test]
        fn what_is_written_is_read_back(base in "[a-z]{0,9}", doing in prop::collection::vec(does(), 0..80)) {
            let (log, entries, _) = play(&base, doing);
            let (again, read) = Log::read(&log.written()).unwrap();
            prop_assert_eq!(&read, &entries);
            prop_assert_eq!(again.written(), log.written());
            prop_assert_eq!(again.undone(), log.undone());
            prop_assert_eq!((again.done, again.undone), (log.done, log.undone));
        }

        #[test]
        fn garbage_is_refused_not_believed(written in "([{}irdum] ?[0-9a-z\\\\ -]{0,12}\n){0,12}") {
            if let Ok((_, entries)) = Log::read(&written) {
                let _ = Log::text("some text", &entries);
            }
        }
    }

    #[test]
    fn an_undo_covers_the_edits_that_gtk_had_joined() {
        let mut log = Log::default();
        for (at, text) in [(0, "a"), (1, "b"), (2, "cd")] {
            log.push(&Entry::Insert {
                at,
                text: text.into(),
            })
            .unwrap();
        }
        assert_eq!(log.undone_by(&[(false, 4)]), Some(3));
        assert_eq!(log.undone_by(&[(false, 2)]), Some(1));
        assert_eq!(
            log.undone_by(&[(false, 1)]),
            None,
            "never half of an insertion"
        );
        assert_eq!(
            log.undone_by(&[(true, 2)]),
            None,
            "an insertion is undone by taking out"
        );
        assert_eq!(log.undone_by(&[(false, 5)]), None, "not more than was done");
    }

    #[test]
    fn sealed_pieces_are_shared_and_nothing_is_lost_between_them() {
        let mut log = Log::default();
        let line = "x".repeat(1000);
        for n in 0..200 {
            log.push(&Entry::Insert {
                at: n * 1000,
                text: line.clone(),
            })
            .unwrap();
        }
        let (one, two) = (log.pieces(), log.pieces());
        assert!(one.len() > 2);
        assert!(Arc::ptr_eq(&one[0], &two[0]));
        assert_eq!(one.concat(), log.written());
    }
}
