//! Which versions the user wants, kept over the session's end in `choices.json` beside the store: an update that was undone is
//! not done again by itself. Small, read once, written as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use overwinter_proto::Build;
use overwinter_session::Choice;
use serde::{Deserialize, Serialize};

/// All choices, by app, and where they are kept.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    file: PathBuf,
    all: BTreeMap<String, Choice>,
}

/// As it is in the file.
#[derive(Serialize, Deserialize)]
struct Written {
    declined: BTreeSet<String>,
    instead: Option<Build>,
}

impl Choices {
    /// Reads what a former session kept.
    ///
    /// # Errors
    /// When the file cannot be read; what is then to be told. It is as if nothing had been chosen.
    pub fn open(file: PathBuf) -> (Choices, Result<(), String>) {
        let (all, outcome) = match read(&file) {
            Ok(all) => (all, Ok(())),
            Err(e) => (BTreeMap::new(), Err(unreadable(&file, &e))),
        };
        (Choices { file, all }, outcome)
    }

    /// For the heart.
    pub fn all(&self) -> &BTreeMap<String, Choice> {
        &self.all
    }

    /// Another choice; to be written with [`write`](Self::write).
    pub fn set(&mut self, app: String, choice: Choice) {
        if choice == Choice::default() {
            self.all.remove(&app);
        } else {
            self.all.insert(app, choice);
        }
    }

    /// Builds that are to be kept for these choices.
    pub fn builds(&self) -> impl Iterator<Item = String> {
        let instead = self.all.values().filter_map(|c| c.instead.as_ref());
        instead.map(|build| build.id.clone())
    }

    /// Writes all of them: the file is the old one or the new one, whole. Not for the main thread.
    ///
    /// # Errors
    /// What was not kept, and what that means.
    pub fn write(&self) -> Result<(), String> {
        self.try_write().map_err(|e| {
            format!(
                "Which versions you chose could not be kept ({}: {e}). They hold until this session ends; after that an update that \
                 was undone may come again. Make room there, then choose once more.",
                self.file.display()
            )
        })
    }

    fn try_write(&self) -> io::Result<()> {
        let written = |(app, choice): (&String, &Choice)| {
            let Choice { declined, instead } = choice.clone();
            (app.clone(), Written { declined, instead })
        };
        let all: BTreeMap<String, Written> = self.all.iter().map(written).collect();
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let unfinished = self.file.with_extension("json.new");
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(&all)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.file)?;
        File::open(folder)?.sync_all()
    }
}

fn read(file: &Path) -> io::Result<BTreeMap<String, Choice>> {
    let bytes = match fs::read(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        bytes => bytes?,
    };
    let all: BTreeMap<String, Written> = serde_json::from_slice(&bytes)?;
    let choice = |w: Written| Choice {
        declined: w.declined,
        instead: w.instead,
    };
    Ok(all.into_iter().map(|(app, w)| (app, choice(w))).collect())
}

fn unreadable(file: &Path, error: &io::Error) -> String {
    format!(
        "Which versions you chose cannot be read ({}: {error}). No group is touched by that; an update that was undone may come again. \
         `overwinter update --undo` goes back once more.",
        file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/choices.json");
        let (mut choices, outcome) = Choices::open(file.clone());
        assert_eq!(outcome, Ok(()));
        let build = |id: &str| Build {
            version: "1.0".into(),
            id: id.into(),
        };
        let choice = Choice {
            declined: ["b2".to_owned()].into(),
            instead: Some(build("b1")),
        };
        choices.set("editor".into(), choice.clone());
        choices.set("browser".into(), Choice::default());
        choices.write().unwrap();
        let (mut again, outcome) = Choices::open(file.clone());
        assert_eq!(outcome, Ok(()));
        assert_eq!(
            again.all(),
            &BTreeMap::from([("editor".to_owned(), choice)])
        );
        assert!(again.builds().eq(["b1".to_owned()]));
        again.set("editor".into(), Choice::default());
        again.write().unwrap();
        assert!(Choices::open(file).0.all().is_empty());
    }

    #[test]
    fn what_cannot_be_read_or_written_is_told_and_nothing_is_chosen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("choices.json");
        fs::write(&file, "{\"editor\": 7").unwrap();
        let (choices, outcome) = Choices::open(file.clone());
        assert!(choices.all().is_empty());
        assert!(outcome.unwrap_err().contains("choices.json"));
        // A folder cannot be replaced by a file.
        fs::remove_file(&file).unwrap();
        fs::create_dir_all(file.join("in the way")).unwrap();
        assert!(choices.write().unwrap_err().contains("choices.json"));
    }
}
