//! The errors that callers get.

use zbus::{Message, message::Header, names::ErrorName};

/// Why a call is refused: `org.overwinter.Error.*`, with text that says what happened, what was kept and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// A payload that is unsealed, too large, or not what it says.
    #[error("{0}")]
    BadPayload(String),
    /// A blob that the session does not have.
    #[error("{0}")]
    MissingBlob(String),
    /// The caller does not hold the group's current lease.
    #[error("{0}")]
    NotHolder(String),
    /// There is no such group, for this caller.
    #[error("{0}")]
    UnknownGroup(String),
    /// The process has not called Register.
    #[error("{0}")]
    NotRegistered(String),
    /// The caller may not ask this.
    #[error("{0}")]
    Denied(String),
    /// The session has not answered in time.
    #[error("{0}")]
    Busy(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl Refusal {
    fn word(&self) -> &'static str {
        match self {
            Refusal::BadPayload(_) => "org.overwinter.Error.BadPayload",
            Refusal::MissingBlob(_) => overwinter_proto::bus::MISSING_BLOB,
            Refusal::NotHolder(_) => "org.overwinter.Error.NotHolder",
            Refusal::UnknownGroup(_) => "org.overwinter.Error.UnknownGroup",
            Refusal::NotRegistered(_) => "org.overwinter.Error.NotRegistered",
            Refusal::Denied(_) => "org.overwinter.Error.Denied",
            Refusal::Busy(_) => overwinter_proto::bus::BUSY,
            Refusal::Failed(_) => "org.overwinter.Error.Failed",
        }
    }

    fn text(&self) -> &str {
        match self {
            Refusal::BadPayload(t)
            | Refusal::MissingBlob(t)
            | Refusal::NotHolder(t)
            | Refusal::UnknownGroup(t)
            | Refusal::NotRegistered(t)
            | Refusal::Denied(t)
            | Refusal::Busy(t)
            | Refusal::Failed(t) => t,
        }
    }
}

impl zbus::DBusError for Refusal {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name())?.build(&(self.text(),))
    }

    fn name(&self) -> ErrorName<'_> {
        ErrorName::from_static_str_unchecked(self.word())
    }

    fn description(&self) -> Option<&str> {
        Some(self.text())
    }
}

impl From<zbus::Error> for Refusal {
    fn from(e: zbus::Error) -> Refusal {
        Refusal::Failed(e.to_string())
    }
}
