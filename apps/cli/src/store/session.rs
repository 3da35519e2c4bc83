//! The store of a session that runs: it is asked through `org.overwinter.Store1`.

use std::fs::File;
use std::time::Duration;

use overwinter_keyring::passphrase::Word;
use overwinter_store::SlotKind;
use serde::Serialize;
use zbus::zvariant::{DynamicType, Fd};

use super::keeper::{Imported, Keeper, Slots};
use super::progress::Bar;
use super::words::{Words, as_file};
use crate::bus::{Session, Trouble};
use crate::status::{Group, Status};

/// A session, and how long it may tell nothing.
pub struct Asked {
    pub session: Session,
    pub patience: Duration,
}

impl Asked {
    /// Group and text of an operation's one result.
    fn ask<B>(
        &self,
        what: &'static str,
        method: &'static str,
        body: &B,
    ) -> Result<(String, String), Trouble>
    where
        B: Serialize + DynamicType,
    {
        let mut bar = Bar::new(what);
        let mut ends = self.session.ends()?;
        let operation = self.session.start_on_store(method, body)?;
        let end = ends.follow(operation, self.patience, &mut |done, total| {
            bar.show(done, total)
        })?;
        drop(bar);
        let Some(end) = end else {
            return Err(Trouble::failed(format!(
                "the session told nothing of operation {operation} for {} s. It goes on there, and everything stored is kept. \
                 --timeout waits longer; `overwinter status` tells how the session is.",
                self.patience.as_secs()
            )));
        };
        let well = end.all_well();
        match end.results.into_iter().next() {
            Some((group, _, text)) if well => Ok((group, text)),
            Some((_, _, text)) => Err(Trouble::failed(text)),
            None => Err(Trouble::failed(format!(
                "operation {operation} ended as `{}` and without a result. Everything stored is kept; run this again.",
                end.state
            ))),
        }
    }
}

impl Keeper for Asked {
    fn quota(&mut self) -> Result<Option<u64>, Trouble> {
        let status = Status::parse(&self.session.status()?)?;
        Ok(status.store.and_then(|store| store.quota))
    }

    fn groups(&mut self) -> Result<Vec<Group>, Trouble> {
        Ok(Status::parse(&self.session.status()?)?.groups)
    }

    fn usage(&mut self) -> Result<String, Trouble> {
        Ok(self.ask("measuring", "Usage", &())?.1)
    }

    fn collect(&mut self, now: bool) -> Result<String, Trouble> {
        Ok(self.ask("collecting", "Collect", &(now,))?.1)
    }

    fn examine(&mut self, repair: bool) -> Result<String, Trouble> {
        Ok(self.ask("examining", "Examine", &(repair,))?.1)
    }

    fn export(&mut self, group: &str, last_good: bool, to: &File) -> Result<u64, Trouble> {
        let (_, text) = self.ask(
            "exporting",
            if last_good {
                "ExportLastGood"
            } else {
                "Export"
            },
            &(group, Fd::from(to)),
        )?;
        text.parse().map_err(|_| {
            Trouble::failed(format!(
                "the session's answer to Export is not the number of a generation: {text}"
            ))
        })
    }

    fn import(&mut self, from: File) -> Result<Imported, Trouble> {
        let (group, title) = self.ask("importing", "Import", &(Fd::from(&from),))?;
        Ok(Imported { group, title })
    }

    fn slots(&mut self) -> Result<Slots, Trouble> {
        let (_, text) = self.ask("asking", "Keys", &())?;
        serde_json::from_str(&text).map_err(|e| {
            Trouble::failed(format!(
                "the session's answer to Keys is not what docs/store.md says: {e}"
            ))
        })
    }

    fn fill(&mut self, slot: SlotKind, words: &Words) -> Result<String, Trouble> {
        let word = match slot {
            SlotKind::Passphrase => words.new_one()?,
            _ => Word::default(),
        };
        let secret = as_file(&word)?;
        Ok(self
            .ask("adding", "AddKey", &(slot.name(), Fd::from(&secret)))?
            .1)
    }

    fn empty(&mut self, slot: SlotKind) -> Result<String, Trouble> {
        Ok(self.ask("removing", "RemoveKey", &(slot.name(),))?.1)
    }

    fn rotate(&mut self, words: &Words) -> Result<String, Trouble> {
        let passphrase = self.slots()?.has(SlotKind::Passphrase);
        let word = match passphrase {
            true => words.current()?,
            false => Word::default(),
        };
        let secret = as_file(&word)?;
        Ok(self.ask("rotating", "RotateKey", &(Fd::from(&secret),))?.1)
    }
}
