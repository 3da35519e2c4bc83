//! Key bindings: `"Super+Shift+Left" = "move-left"`, `"Super+Return" = { run = ["foot"] }`.

use std::collections::BTreeMap;

use crate::Share;
use crate::mistake::meant;
use crate::read::{Key, Reader, Value, section};
use crate::sections::{parse_share, share};

/// Keys held at once. Letters are those of the key, whatever Shift makes of them: `Super+q` and `Super+Q` are the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Chord {
    /// The key with the window's or penguin's sign.
    pub logo: bool,
    /// Ctrl.
    pub ctrl: bool,
    /// Alt.
    pub alt: bool,
    /// Shift.
    pub shift: bool,
    /// XKB keysym, without Shift.
    pub keysym: u32,
}

/// What a key does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Asks the window to close.
    Close,
    /// Puts its group to sleep.
    Hibernate,
    /// The window used before this one (held: the ones before that).
    NextWindow,
    /// The other way round.
    PreviousWindow,
    /// The focus to the neighbour.
    Focus(Side),
    /// The tile to the neighbour's place.
    Move(Side),
    /// Into the column at the left, or out of its own.
    MergeLeft,
    /// Into the column at the right, or out of its own.
    MergeRight,
    /// Fills the usable area, or back.
    Maximise,
    /// Fills the output, or back.
    Fullscreen,
    /// Put away.
    Minimise,
    /// A tile floats; a floating window becomes a tile.
    Float,
    /// The next workspace of this output.
    NextWorkspace,
    /// The one before.
    PreviousWorkspace,
    /// The workspace of this name; made if there is none.
    ShowWorkspace(String),
    /// The window to the workspace of this name.
    SendToWorkspace(String),
    /// Width of the window's column.
    ColumnWidth(Share),
    /// Starts a program: its name and arguments, without a shell.
    Run(Vec<String>),
    /// The next keyboard layout.
    NextKeyboardLayout,
    /// Takes our keys back from a window that wanted them for itself, or gives them again.
    ToggleShortcuts,
    /// Reads the configuration again.
    Reload,
    /// Ends the session, with everything saved.
    Quit,
}

/// A side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "left is left")]
pub enum Side {
    Left,
    Right,
    Up,
    Down,
}

/// Actions that need nothing more. `none` is in the list for the reader: it takes a binding away.
const PLAIN: &[(&str, Option<Action>)] = &[
    ("none", None),
    ("close", Some(Action::Close)),
    ("hibernate", Some(Action::Hibernate)),
    ("next-window", Some(Action::NextWindow)),
    ("previous-window", Some(Action::PreviousWindow)),
    ("focus-left", Some(Action::Focus(Side::Left))),
    ("focus-right", Some(Action::Focus(Side::Right))),
    ("focus-up", Some(Action::Focus(Side::Up))),
    ("focus-down", Some(Action::Focus(Side::Down))),
    ("move-left", Some(Action::Move(Side::Left))),
    ("move-right", Some(Action::Move(Side::Right))),
    ("move-up", Some(Action::Move(Side::Up))),
    ("move-down", Some(Action::Move(Side::Down))),
    ("merge-left", Some(Action::MergeLeft)),
    ("merge-right", Some(Action::MergeRight)),
    ("maximise", Some(Action::Maximise)),
    ("fullscreen", Some(Action::Fullscreen)),
    ("minimise", Some(Action::Minimise)),
    ("float", Some(Action::Float)),
    ("next-workspace", Some(Action::NextWorkspace)),
    ("previous-workspace", Some(Action::PreviousWorkspace)),
    ("next-keyboard-layout", Some(Action::NextKeyboardLayout)),
    ("toggle-shortcuts", Some(Action::ToggleShortcuts)),
    ("reload", Some(Action::Reload)),
    ("quit", Some(Action::Quit)),
];

/// Actions that need to be told more, and the word for what.
const WITH_MORE: &[(&str, &str)] = &[
    ("run", "PROGRAM ARGUMENT..."),
    ("show-workspace", "NAME"),
    ("send-to-workspace", "NAME"),
    ("column-width", "1/2"),
];

impl Action {
    /// The action of this name, as scripts write it: `from_words("run", &["foot"])`, `from_words("close", &[])`. The names are
    /// those of `[keys]`.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn from_words(name: &str, more: &[String]) -> Result<Action, String> {
        let plain = PLAIN.iter().find(|(word, _)| *word == name);
        if let Some(action) = plain.and_then(|(_, action)| action.clone()) {
            return match more {
                [] => Ok(action),
                _ => Err(format!("`{name}` stands alone: write nothing after it")),
            };
        }
        let wanted = WITH_MORE.iter().find(|(word, _)| *word == name);
        let Some((_, wanted)) = wanted else {
            let all = PLAIN.iter().filter(|(_, action)| action.is_some());
            let mut known: Vec<&str> = all.map(|(word, _)| *word).collect();
            known.extend(WITH_MORE.iter().map(|(word, _)| *word));
            let meant = match meant(name, &known) {
                Some(meant) => format!("did you mean `{meant}`? "),
                None => String::new(),
            };
            let known = known.join(", ");
            return Err(format!(
                "unknown action `{name}`: {meant}Known here: {known}"
            ));
        };
        let wrong = || format!("write `{name} {wanted}`");
        match (name, more) {
            ("run", [program, ..]) if !program.is_empty() => Ok(Action::Run(more.to_vec())),
            ("show-workspace", [to]) if !to.is_empty() => Ok(Action::ShowWorkspace(to.clone())),
            ("send-to-workspace", [to]) if !to.is_empty() => {
                Ok(Action::SendToWorkspace(to.clone()))
            }
            ("column-width", [part]) => {
                let share = parse_share(part).ok_or_else(wrong)?;
                Ok(Action::ColumnWidth(share))
            }
            _ => Err(wrong()),
        }
    }
}

const MODIFIERS: &[&str] = &["Super", "Ctrl", "Alt", "Shift"];

impl Reader<'_> {
    pub(crate) fn keys(
        &mut self,
        value: &Value,
        keysym: &dyn Fn(&str) -> Option<u32>,
        into: &mut BTreeMap<Chord, Action>,
    ) {
        let mut here = BTreeMap::new();
        let Some(table) = self.table(value) else {
            return;
        };
        let mut entries: Vec<(&Key, &Value)> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let chord = self.chord(key, keysym);
            let action = self.action(value);
            let Some(chord) = chord else { continue };
            if let Some(other) = here.insert(chord, key.get_ref().to_string()) {
                let what = format!("`{}` is bound twice, here and as `{other}`", key.get_ref());
                self.mistake(key.span(), what, "remove one of the two".into());
            }
            match action {
                Some(Some(action)) => _ = into.insert(chord, action),
                Some(None) => _ = into.remove(&chord),
                None => {}
            }
        }
    }

    fn chord(&mut self, key: &Key, keysym: &dyn Fn(&str) -> Option<u32>) -> Option<Chord> {
        let mut parts: Vec<&str> = key.get_ref().split('+').map(str::trim).collect();
        let name = parts.pop().unwrap_or_default();
        let mut chord = Chord {
            logo: false,
            ctrl: false,
            alt: false,
            shift: false,
            keysym: 0,
        };
        for part in parts {
            let flag = match part {
                "Super" => &mut chord.logo,
                "Ctrl" => &mut chord.ctrl,
                "Alt" => &mut chord.alt,
                "Shift" => &mut chord.shift,
                _ => {
                    self.unknown(
                        &toml::Spanned::new(key.span(), part.into()),
                        "modifier",
                        MODIFIERS,
                    );
                    return None;
                }
            };
            *flag = true;
        }
        let one_letter = name.len() == 1;
        let found = keysym(&if one_letter {
            name.to_ascii_lowercase()
        } else {
            name.to_owned()
        });
        if found.is_none() {
            let what = format!("unknown key `{name}`");
            let cure = "write its XKB name (`Return`, `Left`, `F5`, `plus`, `XF86AudioMute`); `wev` shows them";
            self.mistake(key.span(), what, cure.into());
        }
        chord.keysym = found?;
        Some(chord)
    }

    /// `Some(None)`: the binding is to be taken away. `None`: a mistake, noted.
    fn action(&mut self, value: &Value) -> Option<Option<Action>> {
        if let Some(said) = value.get_ref().as_str() {
            let plain = PLAIN.iter().find(|(word, _)| *word == said);
            if plain.is_none() {
                let mut known: Vec<&str> = PLAIN.iter().map(|(word, _)| *word).collect();
                known.extend([
                    "{ run = [...] }",
                    "{ show-workspace = \"...\" }",
                    "{ send-to-workspace = \"...\" }",
                    "{ column-width = \"1/2\" }",
                ]);
                let key = toml::Spanned::new(value.span(), said.into());
                self.unknown(&key, "action", &known);
            }
            return Some(plain?.1.clone());
        }
        let before = self.mistakes.len();
        let mut actions = Vec::new();
        section!(self, value, {
            "run" => |v| {
                let mut command = Vec::new();
                self.strings(v, &mut command);
                self.not_empty(v, command.first().is_none_or(String::is_empty), "write the program's name first");
                actions.push(Action::Run(command));
            },
            "show-workspace" => |v| actions.push(Action::ShowWorkspace(self.name(v))),
            "send-to-workspace" => |v| actions.push(Action::SendToWorkspace(self.name(v))),
            "column-width" => |v| {
                let mut width = Share { part: 1, whole: 2 };
                share(self, v, &mut width);
                actions.push(Action::ColumnWidth(width));
            },
        });
        if self.mistakes.len() > before {
            return None;
        }
        if actions.len() != 1 {
            let what = format!("a key does one thing, this one {}", actions.len());
            self.mistake(value.span(), what, "write one action in the braces".into());
        }
        Some(Some(actions.pop()?))
    }

    fn name(&mut self, value: &Value) -> String {
        let mut name = String::new();
        self.string(value, &mut name);
        self.not_empty(
            value,
            name.is_empty(),
            "write the workspace's name in quotes",
        );
        name
    }

    pub(crate) fn not_empty(&mut self, value: &Value, empty: bool, cure: &str) {
        if empty {
            self.mistake(value.span(), "there is nothing in it".into(), cure.into());
        }
    }
}
