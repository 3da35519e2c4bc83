//! `doctor` and `store …`: looking after the store (docs/store.md), through the session that has it, or in its folder where none runs.

mod args;
mod draft;
mod folder;
mod keeper;
mod progress;
mod report;
mod session;
mod words;

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use overwinter_store::{SlotKind, state_folder, store_in};
use serde::Serialize;

use args::{Command, KeyCommand, Place, Slot};
pub use args::{Doctor, Store};
use draft::Draft;
use folder::Folder;
use keeper::Keeper;
use session::Asked;
use words::Words;

use crate::bus::{Session, Trouble};
use crate::status;

/// What an exported group begins with, in every form.
const EXPORTED: &[u8] = b"overwinter-group ";

/// `overwinter doctor`; false when something is damaged and was not repaired.
pub fn examine(wish: &Doctor, patience: Duration) -> Result<bool, Trouble> {
    let words = Words::new(wish.place.passphrase_file.as_deref(), None)?;
    let json = open(&wish.place, patience, &words)?.examine(wish.repair)?;
    let (text, damaged) = report::health(&json, wish.repair)?;
    say(&if wish.json { json + "\n" } else { text })?;
    Ok(!damaged)
}

/// `overwinter store …`; false when something is damaged.
pub fn look_after(wish: &Store, patience: Duration) -> Result<bool, Trouble> {
    let Store {
        command,
        json,
        place,
    } = wish;
    let words = words_for(command, place)?;
    let open = || open(place, patience, &words);
    match command {
        Command::Du => {
            let mut keeper = open()?;
            let answer = keeper.usage()?;
            let text = report::usage(&answer, keeper.quota()?)?;
            say(&if *json { answer + "\n" } else { text })?;
            Ok(true)
        }
        Command::Gc { now } => {
            let answer = open()?.collect(*now)?;
            let (text, well) = report::collected(&answer, *now)?;
            say(&if *json { answer + "\n" } else { text })?;
            Ok(well)
        }
        Command::Export {
            group,
            file,
            force,
            last_good,
        } => {
            let target = Target::new(file, *force, *json)?;
            export(&mut *open()?, group, *last_good, target, *json)
        }
        Command::Import { file } => {
            let from = source(file)?;
            let imported = open()?.import(from)?;
            if *json {
                return say_json(&imported);
            }
            let (id, title) = (&imported.group, crate::report::plain(&imported.title));
            say(&format!(
                "{}  {title}: imported as a new, sleeping group, {id}\n",
                status::short(id)
            ))?;
            Ok(true)
        }
        Command::Key { command } => {
            let mut keeper = open()?;
            let said = match command {
                Some(command) => change_keys(&mut *keeper, command, &words)? + "\n",
                None => String::new(),
            };
            let slots = keeper.slots()?;
            if *json {
                return say_json(&slots);
            }
            say(&(said + &report::slots(&slots)))?;
            Ok(true)
        }
    }
}

/// Where each word comes from.
fn words_for(command: &Command, place: &Place) -> Result<Words, Trouble> {
    let given = place.passphrase_file.as_deref();
    match command {
        Command::Key {
            command:
                Some(KeyCommand::Add {
                    slot: Slot::Passphrase,
                    old_passphrase_file,
                }),
        } => Words::new(old_passphrase_file.as_deref(), given),
        _ => Words::new(given, None),
    }
}

/// Whoever has the store open: the session on this bus, or this program when none has it.
fn open(place: &Place, patience: Duration, words: &Words) -> Result<Box<dyn Keeper>, Trouble> {
    // Without a bus, or a session on it, there is nobody to ask; who else has the store holds its lock.
    if let Ok(session) = Session::connect() {
        let its_own = place.store.as_ref().is_none_or(|dir| {
            session
                .pid()
                .is_some_and(|pid| folder::is_held_by(dir, pid))
        });
        if its_own {
            return Ok(Box::new(Asked { session, patience }));
        }
    }
    let dir = match &place.store {
        Some(dir) => dir.clone(),
        None => store_in(&state_folder().ok_or_else(|| {
            Trouble::usage(
                "neither XDG_STATE_HOME nor HOME is set, so there is no telling where the store is. Nothing was changed. Name \
                 it with --store DIR.",
            )
        })?),
    };
    Ok(Box::new(Folder::open(&dir, words)?))
}

/// Where an export goes.
enum Target<'a> {
    Out,
    File(&'a Path, bool),
}

impl Target<'_> {
    fn new(file: &Path, force: bool, json: bool) -> Result<Target<'_>, Trouble> {
        if file == Path::new("-") {
            return match (io::stdout().is_terminal(), json) {
                (true, _) => Err(Trouble::usage(
                    "the file would go to the terminal, which cannot show it. Nothing was written. Name a file, or lead standard output \
                     into one.",
                )),
                (_, true) => Err(Trouble::usage(
                    "standard output cannot take both the file and --json. Nothing was written. Name a file.",
                )),
                _ => Ok(Target::Out),
            };
        }
        let name = file.display();
        match std::fs::symlink_metadata(file) {
            Ok(there) if !there.is_file() => Err(Trouble::usage(format!(
                "{name} is there and is not a file. Nothing was written. Name another one; `-` is standard output."
            ))),
            Ok(_) if !force => Err(Trouble::usage(format!(
                "{name} is there already. Nothing was written, and it stays as it is. Name another file, or add --force to replace it."
            ))),
            _ => Ok(Target::File(file, force)),
        }
    }
}

fn export(
    keeper: &mut dyn Keeper,
    word: &str,
    last_good: bool,
    target: Target,
    json: bool,
) -> Result<bool, Trouble> {
    #[derive(Serialize)]
    struct Answer<'a> {
        group: &'a str,
        generation: u64,
        file: &'a Path,
        bytes: u64,
    }

    let groups = keeper.groups()?;
    let id = status::find(&groups, word, "overwinter store du")?;
    let title = groups
        .iter()
        .find(|g| g.id == id)
        .map(|g| crate::report::plain(&g.title))
        .unwrap_or_default();
    let Target::File(file, force) = target else {
        let unwritable = |e: io::Error| {
            Trouble::failed(format!(
                "standard output cannot be written: {e}. The store is as it was. Try again."
            ))
        };
        let whole = Draft::nameless().map_err(unwritable)?;
        keeper.export(&id, last_good, &whole)?;
        draft::pour_out(whole).map_err(unwritable)?;
        return Ok(true);
    };
    let unwritable = |e: io::Error| {
        Trouble::failed(format!(
            "{} cannot be written: {e}. Nothing was left there, and the store is as it was. Try again with a file that can be.",
            file.display()
        ))
    };
    let draft = Draft::beside(file).map_err(unwritable)?;
    let generation = keeper.export(&id, last_good, &draft.file)?;
    let bytes = draft.file.metadata().map_err(unwritable)?.len();
    draft.publish(file, force).map_err(unwritable)?;
    if json {
        return say_json(&Answer {
            group: &id,
            generation,
            file,
            bytes,
        });
    }
    say(&format!(
        "{}  {title}: generation {generation} is in {} ({}). Whoever has that file can read the group.\n",
        status::short(&id),
        file.display(),
        crate::report::size(bytes)
    ))?;
    Ok(true)
}

/// What is to be imported, as a file from its beginning.
fn source(file: &Path) -> Result<File, Trouble> {
    let input = file == Path::new("-");
    let name = if input {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    };
    let unreadable = |e: io::Error| {
        Trouble::usage(format!(
            "{name} cannot be read: {e}. Nothing was imported. Name what `overwinter store export` wrote."
        ))
    };
    if input && io::stdin().is_terminal() {
        return Err(Trouble::usage(
            "`-` is standard input, which is the terminal. Nothing was imported. Lead a file into it, or name one.",
        ));
    }
    let mut from: Box<dyn Read> = if input {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(file).map_err(unreadable)?)
    };
    let mut front = Vec::new();
    (&mut from)
        .take(EXPORTED.len() as u64)
        .read_to_end(&mut front)
        .map_err(unreadable)?;
    if front != EXPORTED {
        return Err(Trouble::usage(format!(
            "{name} is not an exported group. Nothing was imported. Name what `overwinter store export` wrote."
        )));
    }
    let regular = !input && std::fs::metadata(file).is_ok_and(|m| m.is_file());
    if regular {
        let mut whole = File::open(file).map_err(unreadable)?;
        whole.rewind().map_err(unreadable)?;
        return Ok(whole);
    }
    draft::spool(&mut front.as_slice().chain(from)).map_err(unreadable)
}

/// What there is to say about it.
fn change_keys(
    keeper: &mut dyn Keeper,
    command: &KeyCommand,
    words: &Words,
) -> Result<String, Trouble> {
    match command {
        KeyCommand::Add { slot, .. } => keeper.fill((*slot).into(), words),
        KeyCommand::Rotate => keeper.rotate(words),
        KeyCommand::Remove { slot, force } => {
            let slot = SlotKind::from(*slot);
            let mut slots = keeper.slots()?;
            if !slots.has(slot) {
                return Err(Trouble::usage(format!(
                    "the slot {} is empty. Nothing was changed. `overwinter store key` lists those that are filled.",
                    slot.name()
                )));
            }
            slots.slots.retain(|name| name != slot.name());
            if slots.slots.len() < 2 && !force {
                return Err(Trouble::usage(format!(
                    "only {} would be left, and with it everything would be lost. Nothing was changed. Fill another slot first \
                     (`overwinter store key add`), or add --force.",
                    slots.slots.first().map_or("nothing", String::as_str)
                )));
            }
            keeper.empty(slot)
        }
    }
}

fn say_json(answer: &impl Serialize) -> Result<bool, Trouble> {
    let text = serde_json::to_string_pretty(answer)
        .map_err(|e| Trouble::failed(format!("the answer cannot be written as JSON: {e}")))?;
    say(&(text + "\n"))?;
    Ok(true)
}

/// To standard output; whoever reads no further has seen enough.
fn say(text: &str) -> Result<(), Trouble> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Trouble::failed(format!(
            "standard output cannot be written: {e}"
        ))),
        _ => Ok(()),
    }
}
