//! What is measured: a document of 1 MiB of text and 10,000 undo steps, as an editor would keep it, and the same type as
//! its first version had it.

use overwinter::State;
use serde::{Deserialize, Serialize};

/// Length of the text, in bytes.
pub const TEXT: usize = 1 << 20;
/// Number of undo steps.
pub const STEPS: usize = 10_000;

/// One document, in the form that both we and the peers are given.
#[derive(Clone, Debug, PartialEq, State, Serialize, Deserialize)]
#[state(id = "org.overwinter.Bench/document", version = 1, sealed)]
pub struct Document {
    pub path: Option<String>,
    pub text: String,
    pub caret: u64,
    pub wrap: bool,
    pub zoom: f64,
    #[state(opaque)]
    pub undo: Vec<Edit>,
}

/// One undo step: at `at` what was `removed` gave way to what was `inserted`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    pub at: u64,
    pub removed: String,
    pub inserted: String,
    pub caret: u64,
    pub group: u32,
}

impl Document {
    /// The same document at every call.
    pub fn big() -> Document {
        let mut dice = Dice(7);
        let undo = (0..STEPS)
            .map(|n| Edit {
                at: dice.below(TEXT as u64),
                removed: words(&mut dice, 6),
                inserted: words(&mut dice, 12),
                caret: dice.below(TEXT as u64),
                group: u32::try_from(n / 4).unwrap_or(0),
            })
            .collect();
        Document {
            path: Some("/home/ada/notes/winter.txt".to_owned()),
            text: words(&mut dice, TEXT),
            caret: 123_456,
            wrap: true,
            zoom: 1.25,
            undo,
        }
    }
}

/// Words and line ends of exactly this many bytes.
fn words(dice: &mut Dice, len: usize) -> String {
    const WORDS: [&str; 8] = [
        "snow ",
        "and ",
        "a ",
        "quiet ",
        "\"house\" ",
        "by ",
        "the ",
        "lake\n",
    ];
    let mut text = String::with_capacity(len + 8);
    while text.len() < len {
        let word = usize::try_from(dice.below(WORDS.len() as u64)).unwrap_or(0);
        text.push_str(WORDS[word]);
    }
    text.truncate(len);
    text
}

/// Numbers that look random and are the same at every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
