//! Text with cheap edits near each other: a gap buffer that counts in characters.

/// Text that is edited by character positions.
///
/// Moving the gap costs as much as it travels, so replaying what a person typed costs little more than the typing.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// UTF-8 before the gap.
    before: Vec<u8>,
    /// UTF-8 after the gap, last byte first.
    after: Vec<u8>,
    /// Characters in `before`.
    before_chars: usize,
    /// Characters in all.
    chars: usize,
}

/// Whether a byte is the first of a character.
fn starts_char(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

impl Text {
    /// The given text, gap at its end.
    pub fn new(text: &str) -> Self {
        let chars = text.chars().count();
        Self {
            before: text.as_bytes().to_vec(),
            after: Vec::new(),
            before_chars: chars,
            chars,
        }
    }

    /// Length in characters.
    pub fn len(&self) -> usize {
        self.chars
    }

    /// Whether there is no character.
    pub fn is_empty(&self) -> bool {
        self.chars == 0
    }

    /// Inserts before the character at `at`; false, and nothing done, when `at` lies beyond the end.
    pub fn insert(&mut self, at: usize, text: &str) -> bool {
        if at > self.chars {
            return false;
        }
        self.move_gap(at);
        self.before.extend_from_slice(text.as_bytes());
        let chars = text.chars().count();
        self.before_chars += chars;
        self.chars += chars;
        true
    }

    /// Takes `len` characters out from `at` on and returns them; `None`, and nothing done, when they are not there.
    pub fn delete(&mut self, at: usize, len: usize) -> Option<String> {
        if at.checked_add(len)? > self.chars {
            return None;
        }
        self.move_gap(at);
        let mut taken = Vec::with_capacity(len);
        let mut left = len;
        while let Some(&byte) = self.after.last() {
            if starts_char(byte) {
                if left == 0 {
                    break;
                }
                left -= 1;
            }
            taken.push(byte);
            self.after.pop();
        }
        self.chars -= len;
        String::from_utf8(taken).ok()
    }

    fn move_gap(&mut self, at: usize) {
        while self.before_chars > at {
            let Some(byte) = self.before.pop() else {
                return;
            };
            self.after.push(byte);
            if starts_char(byte) {
                self.before_chars -= 1;
            }
        }
        while self.before_chars < at {
            let Some(byte) = self.after.pop() else { return };
            self.before.push(byte);
            // The character is across once its last byte is: the next one starts a new character, or there is none.
            if self.after.last().is_none_or(|&next| starts_char(next)) {
                self.before_chars += 1;
            }
        }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        let Text {
            mut before, after, ..
        } = text;
        before.extend(after.iter().rev());
        // Only whole characters ever enter or leave, so this never replaces anything.
        String::from_utf8(before)
            .unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Edit {
        Insert(usize, String),
        Delete(usize, usize),
    }

    fn edit() -> impl Strategy<Value = Edit> {
        prop_oneof![
            (0..40usize, "[a-c é€😀\n]{0,6}").prop_map(|(at, text)| Edit::Insert(at, text)),
            (0..40usize, 0..12usize).prop_map(|(at, len)| Edit::Delete(at, len)),
        ]
    }

    proptest! {
        #[test]
        fn edits_as_a_plain_vector_of_characters_does(start in "[a-z é😀]{0,20}", edits in prop::collection::vec(edit(), 0..60)) {
            let mut plain: Vec<char> = start.chars().collect();
            let mut text = Text::new(&start);
            for edit in edits {
                match edit {
                    Edit::Insert(at, new) => {
                        let fits = at <= plain.len();
                        prop_assert_eq!(text.insert(at, &new), fits);
                        if fits {
                            plain.splice(at..at, new.chars());
                        }
                    }
                    Edit::Delete(at, len) => {
                        let expected = (at + len <= plain.len()).then(|| plain.drain(at..at + len).collect::<String>());
                        prop_assert_eq!(text.delete(at, len), expected);
                    }
                }
                prop_assert_eq!(text.len(), plain.len());
            }
            prop_assert_eq!(String::from(text), plain.into_iter().collect::<String>());
        }
    }
}
