//! A type as an app would have it, in each of its versions.

use overwinter::{Rest, State};

/// The third version.
#[derive(Debug, Clone, State)]
#[state(id = "org.overwinter.Fuzz/note", version = 3)]
#[state(lens(1 => 2, rename("file", "path"), hoist("pos", "caret"), add("wrap", true)))]
#[state(lens(2 => 3, convert("zoom", int => float), wrap("mark"), map_enum("mode", "text" => "plain", else_down = "text")))]
pub struct Note {
    pub path: Option<String>,
    #[state(default)]
    pub text: String,
    #[state(default)]
    pub caret: u64,
    #[state(default = true)]
    pub wrap: bool,
    #[state(default = 1.0)]
    pub zoom: f64,
    #[state(default)]
    pub mark: Vec<String>,
    #[state(default = "plain".to_owned())]
    pub mode: String,
    #[state(local)]
    pub scroll_px: f64,
    pub rest: Rest,
}

impl Note {
    /// Equal in what travels; NaN equals NaN.
    pub fn same_as(&self, other: &Note) -> bool {
        match (self.to_record(), other.to_record()) {
            (Ok(ours), Ok(theirs)) => ours.body == theirs.body,
            _ => false,
        }
    }
}

/// The second version.
#[derive(Debug, Clone, State)]
#[state(id = "org.overwinter.Fuzz/note", version = 2)]
#[state(lens(1 => 2, rename("file", "path"), hoist("pos", "caret"), add("wrap", true)))]
pub struct Second {
    pub path: Option<String>,
    #[state(default)]
    pub caret: u64,
    #[state(default = true)]
    pub wrap: bool,
    #[state(default = 1)]
    pub zoom: i64,
    pub rest: Rest,
}

/// The first version.
#[derive(Debug, Clone, State)]
#[state(id = "org.overwinter.Fuzz/note", version = 1)]
pub struct First {
    pub file: Option<String>,
    #[state(default)]
    pub text: String,
    pub rest: Rest,
}
