//! Who has the store open and does what is asked: the session, or this program.

use std::fs::File;

use overwinter_store::SlotKind;
use serde::{Deserialize, Serialize};

use super::words::Words;
use crate::bus::Trouble;
use crate::status::Group;

/// Each long call draws a bar on a terminal. JSON is as docs/store.md says.
pub trait Keeper {
    /// Every group: its id and its title.
    fn groups(&mut self) -> Result<Vec<Group>, Trouble>;
    /// How much the store may take, in bytes; none: all the disk, or it is not known.
    fn quota(&mut self) -> Result<Option<u64>, Trouble>;
    /// What takes how much, JSON.
    fn usage(&mut self) -> Result<String, Trouble>;
    /// Drops what nobody needs; what was dropped, JSON.
    fn collect(&mut self, now: bool) -> Result<String, Trouble>;
    /// How the store is, JSON.
    fn examine(&mut self, repair: bool) -> Result<String, Trouble>;
    /// Writes a group to a file, which the caller syncs: its newest generation, or its newest whole one. Which
    /// generation that is.
    fn export(&mut self, group: &str, last_good: bool, to: &File) -> Result<u64, Trouble>;
    /// Takes a group in from a file.
    fn import(&mut self, from: File) -> Result<Imported, Trouble>;
    /// The slots of the master key.
    fn slots(&mut self) -> Result<Slots, Trouble>;
    /// Fills a slot; what there is to say.
    fn fill(&mut self, slot: SlotKind, words: &Words) -> Result<String, Trouble>;
    /// Empties a slot; what there is to say.
    fn empty(&mut self, slot: SlotKind) -> Result<String, Trouble>;
    /// A new master key; what there is to say.
    fn rotate(&mut self, words: &Words) -> Result<String, Trouble>;
}

/// What came in.
#[derive(Serialize)]
pub struct Imported {
    /// Its new id.
    pub group: String,
    /// Its title.
    pub title: String,
}

/// The ways to the master key that there are.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Slots {
    /// `passphrase`, `secret-service`, `key-file`.
    pub slots: Vec<String>,
    /// What there is to say about them; empty when nothing.
    pub warning: String,
}

impl Slots {
    /// Whether this one is filled.
    pub fn has(&self, slot: SlotKind) -> bool {
        self.slots.iter().any(|name| name == slot.name())
    }
}
