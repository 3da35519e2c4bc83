//! Between serde types and [`Value`](crate::Value): fields of a state are plain serde types.
//!
//! Representation: `None` and `()` are null; structs and maps are maps with text keys (whole-number keys are
//! written in decimal); a unit variant is its name, any other variant a map with that one name; `char` is
//! text. `Some(None)` cannot be told from `None`.

mod de;
mod ser;
#[cfg(test)]
mod tests;

use std::fmt;

pub use de::from_value;
pub use ser::to_value;

/// Why a Rust value and a [`Value`](crate::Value) do not fit, and in which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeError {
    /// Path from the outermost value to the offending one, outermost last while the error travels up.
    path: Vec<String>,
    message: String,
}

impl BridgeError {
    /// Where the offending value is, for example `folds[3].start`; empty for the outermost value.
    pub fn path(&self) -> String {
        let mut text = String::new();
        for part in self.path.iter().rev() {
            if !part.starts_with('[') && !text.is_empty() {
                text.push('.');
            }
            text.push_str(part);
        }
        text
    }

    /// What is wrong with it.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn new(message: impl Into<String>) -> Self {
        BridgeError {
            path: Vec::new(),
            message: message.into(),
        }
    }

    pub(crate) fn inside(mut self, part: impl Into<String>) -> Self {
        self.path.push(part.into());
        self
    }
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path(), self.message)
        }
    }
}

impl std::error::Error for BridgeError {}

impl serde::ser::Error for BridgeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        BridgeError::new(message.to_string())
    }
}

impl serde::de::Error for BridgeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        BridgeError::new(message.to_string())
    }
}
