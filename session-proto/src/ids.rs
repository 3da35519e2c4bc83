//! Names of things. Each is a newtype, so that a lease is never taken for a revision.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A group's name for life: across versions, reboots and hosts. 128 random bits, written as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupId(pub u128);

/// Text that is not an id of the expected form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a group id (32 hexadecimal digits)")]
pub struct BadGroupId(String);

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group:{:08x}", (self.0 >> 96) as u32)
    }
}

impl FromStr for GroupId {
    type Err = BadGroupId;
    fn from_str(s: &str) -> Result<Self, BadGroupId> {
        let canonical = s.len() == 32 && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let bad = || BadGroupId(s.chars().take(64).collect());
        if !canonical {
            return Err(bad());
        }
        u128::from_str_radix(s, 16).map(GroupId).map_err(|_| bad())
    }
}

impl TryFrom<String> for GroupId {
    type Error = BadGroupId;
    fn try_from(s: String) -> Result<Self, BadGroupId> {
        s.parse()
    }
}

impl From<GroupId> for String {
    fn from(id: GroupId) -> String {
        id.to_string()
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}:{}", stringify!($name).to_lowercase(), self.0)
            }
        }
    };
}

number! {
    /// The app's own mutation counter for a group: grows with every change the user would miss. 0 = as first opened.
    Revision
}
number! {
    /// The store's number of a durable snapshot of a group; the first is 1. Grows across hosts.
    Generation
}
number! {
    /// One request and its answers: session incarnation in the upper 32 bits, a counter in the lower. 0 = unsolicited.
    OpId
}
number! {
    /// One copy of a group inside an instance (leased, trial or retired). Unique within a session incarnation.
    CopyId
}
number! {
    /// One running process of an application, as the session counts them. Unique within a session incarnation.
    InstanceId
}
number! {
    /// One attempt to move one group; random, so that both hosts can name it for ever.
    TxId
}

impl OpId {
    /// What an app uses for messages that answer no request.
    pub const UNSOLICITED: OpId = OpId(0);
}

/// Fencing number of a group's holder: the epoch (raised by each change of host) in the upper 32 bits, a counter
/// (raised by each new holder on one host) in the lower. Durable before it is handed out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lease(pub u64);

impl Lease {
    /// The first lease of a group that comes into being on this host.
    pub const FIRST: Lease = Lease(1 << 32 | 1);

    /// The number of times the group has changed hosts, plus one.
    pub fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The lease of the next holder on the same host.
    #[must_use]
    pub fn next_holder(self) -> Lease {
        Lease(self.0 + 1)
    }

    /// The lease with which the next host starts: no holder of the former epoch outranks it.
    #[must_use]
    pub fn next_host(self) -> Lease {
        Lease((u64::from(self.epoch()) + 1) << 32)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lease:{}.{}", self.epoch(), self.0 as u32)
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch(), self.0 as u32)
    }
}

/// The code an instance runs: what the user calls the version, and the identity of the file on disk.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Build {
    /// Version text for people, "1.0". May be empty when nothing tells it.
    pub version: String,
    /// Identity of the executable: the GNU build-id where there is one, else BLAKE3 of the file. Lower-case hex.
    pub id: String,
}

/// Why a save or restore happens: GTK's words plus ours.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Nothing to restore: a new window.
    Pristine,
    /// Started by the user.
    Launch,
    /// After a crash, from the last stored generation.
    Recover,
    /// After a logout or reboot.
    Restore,
    /// A sleeping group is touched; for a save: it is being put to sleep.
    Wake,
    /// To another instance on this host, usually a newer version.
    Migrate,
    /// Back to the former version.
    Rollback,
    /// To or from another host.
    Move,
}

impl Reason {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Pristine => "pristine",
            Reason::Launch => "launch",
            Reason::Recover => "recover",
            Reason::Restore => "restore",
            Reason::Wake => "wake",
            Reason::Migrate => "migrate",
            Reason::Rollback => "rollback",
            Reason::Move => "move",
        }
    }

    /// The reason for a word from the wire.
    pub fn parse(word: &str) -> Option<Reason> {
        use Reason::*;
        [
            Pristine, Launch, Recover, Restore, Wake, Migrate, Rollback, Move,
        ]
        .into_iter()
        .find(|r| r.as_str() == word)
    }
}

/// How an app lets go of a copy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LetGo {
    /// Drop the copy; the process ends when it was its last.
    Quit,
    /// Retire the copy: unmapped, inert, no lease, kept for undo.
    Stay,
}

impl LetGo {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            LetGo::Quit => "quit",
            LetGo::Stay => "stay",
        }
    }
}

/// How well an app takes part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Our library or our D-Bus interface.
    Native,
    /// GNOME save/restore, xdg-session-management.
    Standard,
    /// An external helper speaks for it.
    Adapter,
    /// Closed politely, started again with its documents.
    Relaunch,
    /// Memory only: never updated, never moved.
    Freeze,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_ids_have_exactly_one_spelling() {
        let id = GroupId(0xdead_beef);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in [
            "",
            "dead",
            "+000000000000000000000000000beef",
            "0000000000000000000000000000BEEF",
        ] {
            assert!(bad.parse::<GroupId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_new_host_outranks_every_holder_of_the_former_one() {
        let busy = Lease(Lease::FIRST.0 + 1_000_000);
        assert!(busy.next_host() > busy.next_holder());
        assert_eq!(busy.next_host().epoch(), 2);
    }

    #[test]
    fn reasons_round_trip() {
        for word in [
            "pristine", "launch", "recover", "restore", "wake", "migrate", "rollback", "move",
        ] {
            assert_eq!(Reason::parse(word).map(Reason::as_str), Some(word));
        }
        assert_eq!(Reason::parse("sleep"), None);
    }
}
