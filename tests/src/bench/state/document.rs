//! What is measured: a document of 1 MiB of text and 10,000 undo steps, as an editor would keep it, in its thirtieth
//! version and as the first version kept it.

use overwinter::{Rest, State};
use serde::{Deserialize, Serialize};

/// Length of the text, in bytes.
pub const TEXT: usize = 1 << 20;
/// Number of undo steps.
pub const STEPS: usize = 10_000;

/// One document in its thirtieth version, in the form that both we and the peers are given.
#[derive(Clone, Debug, PartialEq, State, Serialize, Deserialize)]
#[state(id = "org.overwinter.Bench/document", version = 30)]
#[state(lens(1 => 2, rename("file", "path")))]
#[state(lens(2 => 3, rename("content", "text")))]
#[state(lens(3 => 4, hoist("pos", "caret")))]
#[state(lens(4 => 5, add("wrap", true)))]
#[state(lens(5 => 6, add("zoom", 1)))]
#[state(lens(6 => 7, convert("zoom", int => float)))]
#[state(lens(7 => 8, rename("history", "undo")))]
#[state(lens(8 => 9, each("undo", rename("cut", "removed"))))]
#[state(lens(9 => 10, each("undo", rename("put", "inserted"))))]
#[state(lens(10 => 11, each("undo", add("group", 0))))]
#[state(lens(11 => 12, add("mark", null)))]
#[state(lens(12 => 13, wrap("mark")))]
#[state(lens(13 => 14, rename("mark", "marks")))]
#[state(lens(14 => 15, add("spell", true)))]
#[state(lens(15 => 16, rename("spell", "spelling")))]
#[state(lens(16 => 17, add("language", "en")))]
#[state(lens(17 => 18, map_enum("language", "en" => "English", "de" => "German")))]
#[state(lens(18 => 19, add("width", 80)))]
#[state(lens(19 => 20, convert("width", int => text)))]
#[state(lens(20 => 21, add("theme", "light")))]
#[state(lens(21 => 22, plunge("view", "width")))]
#[state(lens(22 => 23, plunge("view", "theme")))]
#[state(lens(23 => 24, within("view", rename("width", "columns"))))]
#[state(lens(24 => 25, add("beta", true)))]
#[state(lens(25 => 26, remove("beta", true)))]
#[state(lens(26 => 27, add("tabs", 4)))]
#[state(lens(27 => 28, rename("tabs", "tab_width")))]
#[state(lens(28 => 29, add("ruler", false)))]
#[state(lens(29 => 30, rename("ruler", "show_ruler"), add("dark", false)))]
pub struct Document {
    pub path: Option<String>,
    pub text: String,
    pub caret: u64,
    pub wrap: bool,
    pub zoom: f64,
    pub undo: Vec<Edit>,
    pub marks: Vec<String>,
    pub spelling: bool,
    pub language: String,
    pub view: View,
    pub tab_width: u32,
    pub show_ruler: bool,
    pub dark: bool,
    #[serde(skip)]
    pub rest: Rest,
}

/// One undo step: at `at` what was `removed` gave way to what was `inserted`.
#[derive(Clone, Debug, PartialEq, State, Serialize, Deserialize)]
pub struct Edit {
    pub at: u64,
    pub removed: String,
    pub inserted: String,
    pub caret: u64,
    pub group: u32,
    #[serde(skip)]
    pub rest: Rest,
}

/// How it is looked at.
#[derive(Clone, Debug, PartialEq, State, Serialize, Deserialize)]
pub struct View {
    pub columns: String,
    pub theme: String,
    #[serde(skip)]
    pub rest: Rest,
}

/// The same document as its first version kept it.
#[derive(Clone, Debug, State)]
#[state(id = "org.overwinter.Bench/document", version = 1)]
pub struct First {
    pub file: Option<String>,
    pub content: String,
    pub pos: Position,
    pub history: Vec<FirstEdit>,
    pub rest: Rest,
}

/// Where the caret was.
#[derive(Clone, Debug, State)]
pub struct Position {
    pub caret: u64,
    pub rest: Rest,
}

/// One undo step.
#[derive(Clone, Debug, State)]
pub struct FirstEdit {
    pub at: u64,
    pub cut: String,
    pub put: String,
    pub caret: u64,
    pub rest: Rest,
}

impl Document {
    /// The same document at every call.
    pub fn of(text: usize, steps: usize) -> Document {
        let mut dice = Dice(7);
        let undo = (0..steps)
            .map(|n| Edit {
                at: dice.below(text as u64),
                removed: words(&mut dice, 6),
                inserted: words(&mut dice, 12),
                caret: dice.below(text as u64),
                group: u32::try_from(n / 4).unwrap_or(0),
                rest: Rest::default(),
            })
            .collect();
        Document {
            path: Some("/home/ada/notes/winter.txt".to_owned()),
            text: words(&mut dice, text),
            caret: 123_456,
            wrap: true,
            zoom: 1.0,
            undo,
            marks: Vec::new(),
            spelling: true,
            language: "English".to_owned(),
            view: View {
                columns: "80".to_owned(),
                theme: "light".to_owned(),
                rest: Rest::default(),
            },
            tab_width: 4,
            show_ruler: false,
            dark: false,
            rest: Rest::default(),
        }
    }

    /// As the first version would have kept it.
    pub fn first(&self) -> First {
        let history = self.undo.iter().map(|edit| FirstEdit {
            at: edit.at,
            cut: edit.removed.clone(),
            put: edit.inserted.clone(),
            caret: edit.caret,
            rest: Rest::default(),
        });
        First {
            file: self.path.clone(),
            content: self.text.clone(),
            pos: Position {
                caret: self.caret,
                rest: Rest::default(),
            },
            history: history.collect(),
            rest: Rest::default(),
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

/// Letters of exactly this many bytes that hardly compress.
pub fn letters(len: usize) -> String {
    let mut dice = Dice(11);
    (0..len)
        .map(|_| char::from(b'0' + u8::try_from(dice.below(64)).unwrap_or(0)))
        .collect()
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
