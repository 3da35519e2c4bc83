//! `overwinter doctor` and `overwinter store …` where no session runs: the real program on real folders.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use overwinter_proto::{Build, Generation, GroupId, Lease, Revision, Snapshot};
use overwinter_store::Store;
use serde_json::Value;

const LETTER: GroupId = GroupId(0x1111_0000_0000_0000_0000_0000_0000_0001);
const BOOK: GroupId = GroupId(0x2222_0000_0000_0000_0000_0000_0000_0002);

/// A folder with a store `letter.txt` (three generations) and `book.txt` (one), and room beside it.
struct Place {
    folder: tempfile::TempDir,
}

/// What a command said.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    /// It ended so, and said this.
    #[track_caller]
    fn is(self, code: i32, words: &[&str]) -> Said {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            let told = self.out.contains(word) || self.err.contains(word);
            assert!(told, "does not say {word:?}: {self:?}");
        }
        self
    }

    /// It was refused, and nothing is output.
    #[track_caller]
    fn refused(self, words: &[&str]) -> Said {
        assert!(self.out.is_empty(), "{self:?}");
        assert!(self.err.contains("othing was"), "{self:?}");
        self.is(2, words)
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

fn snapshot(title: &str, revision: u64, state: Vec<u8>) -> Snapshot {
    Snapshot {
        app: "org.example.Notes".to_owned(),
        build: Build {
            version: "1.0".to_owned(),
            id: "abcdef".to_owned(),
        },
        revision: Revision(revision),
        title: title.to_owned(),
        state,
        windows: Vec::new(),
    }
}

/// Bytes that no compression makes small.
fn noise(len: usize) -> Vec<u8> {
    let mut word = 0x2545_f491_4f6c_dd1d_u64;
    let step = |_| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word as u8
    };
    (0..len).map(step).collect()
}

impl Place {
    fn new() -> Place {
        let place = Place {
            folder: tempfile::Builder::new().prefix("ow-").tempdir().unwrap(),
        };
        let (mut store, _) = Store::open(&place.store()).unwrap();
        for n in 1..=3 {
            let letter = snapshot("letter.txt", n, format!("Dear {n}").into_bytes());
            store
                .put(LETTER, Lease::FIRST, Revision(n), &letter)
                .unwrap();
        }
        let book = snapshot("book.txt", 1, noise(300_000));
        store.put(BOOK, Lease::FIRST, Revision(1), &book).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where a session would have its store.
    fn store(&self) -> PathBuf {
        self.path("state/overwinter/store")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_overwinter"));
        let nowhere = format!("unix:path={}", self.path("no-bus").display());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("DBUS_SESSION_BUS_ADDRESS", nowhere)
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments).output().unwrap())
    }

    fn run_with_input(&self, arguments: &[&str], input: &Path) -> Said {
        let input = fs::File::open(input).unwrap();
        said(self.command(arguments).stdin(input).output().unwrap())
    }

    /// The chunks of the letter's third generation alone.
    fn newest_chunks(&self) -> Vec<PathBuf> {
        let (mut store, _) = Store::open(&self.store()).unwrap();
        let mut of = |n| store.manifest(LETTER, Generation(n)).unwrap().chunks;
        let (former, newest) = (of(2), of(3));
        let own = newest.iter().filter(|chunk| !former.contains(chunk));
        let objects = self.store().join("objects").join(LETTER.to_string());
        own.map(|(id, _)| {
            let name: String = id.0.iter().map(|byte| format!("{byte:02x}")).collect();
            objects.join(&name[..2]).join(name)
        })
        .collect()
    }

    /// Every file, with what is in it; but for the index, in which there is no truth.
    fn everything(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn walk(folder: &Path, all: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true if path.ends_with("store/index") => {}
                    true => walk(&path, all),
                    false => all.push((path.clone(), fs::read(&path).unwrap())),
                }
            }
        }
        let mut all = Vec::new();
        walk(self.folder.path(), &mut all);
        all.sort();
        all
    }
}

fn said(output: Output) -> Said {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

#[test]
fn a_whole_store_is_called_whole() {
    let place = Place::new();
    let said = place.run(&["doctor"]).is(
        0,
        &[
            "2 groups, 4 generations",
            "all whole",
            "warning: the master key",
        ],
    );
    assert!(
        said.err.is_empty(),
        "no bar where there is no terminal: {said:?}"
    );
    let json = place.run(&["doctor", "--json"]).is(0, &[]).json();
    assert_eq!(
        (&json["groups"], &json["findings"]),
        (&2.into(), &Value::Array(Vec::new()))
    );
    // Another folder, named.
    let elsewhere = place.path("elsewhere");
    fs::rename(place.store(), &elsewhere).unwrap();
    place
        .run(&["doctor"])
        .refused(&["there is no store in", "--store DIR"]);
    place
        .run(&["doctor", "--store", "elsewhere"])
        .is(0, &["all whole"]);
    assert!(!place.store().exists(), "a doctor makes no store");
}

#[test]
fn damage_is_named_with_title_and_last_good_generation_and_ends_with_1() {
    let place = Place::new();
    for chunk in place.newest_chunks() {
        fs::write(chunk, "nothing of the kind").unwrap();
    }
    let told = [
        "11110000  letter.txt: damaged: generation 3",
        "last good generation is 2",
        "backup",
    ];
    place.run(&["doctor"]).is(1, &told);
    // What cannot be repaired is told again.
    place.run(&["doctor", "--repair"]).is(1, &told);
    let json = place.run(&["doctor", "--json"]).is(1, &[]).json();
    let finding = &json["findings"][0];
    assert_eq!(
        (
            &finding["title"],
            &finding["last_good"],
            &finding["repaired"]
        ),
        (&"letter.txt".into(), &2.into(), &false.into())
    );
    // The other group is none the worse, and of this one the last good generation can be taken out.
    place
        .run(&["store", "export", "book.txt", "book"])
        .is(0, &["generation 1"]);
    place
        .run(&["store", "export", "letter.txt", "letter"])
        .is(1, &["damaged"]);
    assert!(!place.path("letter").exists(), "half a file");
    place
        .run(&["store", "export", "letter.txt", "letter", "--last-good"])
        .is(0, &["generation 2"]);
}

#[test]
fn what_lies_in_the_trash_is_put_back_and_then_all_is_whole() {
    let place = Place::new();
    let chunks = place.newest_chunks();
    assert!(!chunks.is_empty());
    // Not so long ago that the next opening would look after it.
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    for chunk in &chunks {
        let name = chunk.file_name().unwrap().to_string_lossy().into_owned();
        fs::rename(
            chunk,
            place
                .store()
                .join(format!("trash/{now:016x}-{LETTER}-{name}")),
        )
        .unwrap();
    }
    place.run(&["doctor"]).is(
        1,
        &[
            "letter.txt: damaged: ",
            "it lies whole in the trash",
            "`overwinter doctor --repair`",
        ],
    );
    place
        .run(&["doctor", "--repair"])
        .is(0, &["letter.txt: repaired: ", "all whole now"]);
    place.run(&["doctor"]).is(0, &[": all whole"]);
    assert!(chunks.iter().all(|chunk| chunk.is_file()));
}

#[test]
fn what_takes_how_much_is_a_table_with_the_largest_first() {
    let place = Place::new();
    let said = place
        .run(&["store", "du"])
        .is(0, &["GROUP", "org.example.Notes", "KiB in all, 2 groups"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(
        lines[1].starts_with("22220000") && lines[1].ends_with("book.txt"),
        "{said:?}"
    );
    assert!(
        lines[2].starts_with("11110000") && lines[2].contains(" 3 "),
        "{said:?}"
    );
    let json = place.run(&["store", "du", "--json"]).is(0, &[]).json();
    assert_eq!(
        (&json[1]["title"], &json[1]["generations"]),
        (&"letter.txt".into(), &3.into())
    );
}

#[test]
fn what_nobody_needs_is_dropped() {
    let place = Place::new();
    place
        .run(&["store", "gc"])
        .is(0, &["there was nothing to drop"]);
    let shelf = place
        .store()
        .join("objects")
        .join(LETTER.to_string())
        .join("ab");
    fs::create_dir_all(&shelf).unwrap();
    let orphan = shelf.join("ab".repeat(32));
    fs::write(&orphan, noise(50_000)).unwrap();
    place
        .run(&["store", "gc"])
        .is(0, &["1 chunk that nobody needs", "trash"]);
    assert!(!orphan.exists());
    let json = place
        .run(&["store", "gc", "--now", "--json"])
        .is(0, &[])
        .json();
    assert!(json["freed"].as_u64().unwrap() >= 50_000, "{json}");
    place.run(&["doctor"]).is(0, &["all whole"]);
    // A group that cannot be read is left alone, and that is told.
    let journal = place
        .store()
        .join("groups")
        .join(LETTER.to_string())
        .join("journal");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[1600] ^= 1;
    fs::write(&journal, bytes).unwrap();
    place
        .run(&["store", "gc"])
        .is(1, &["left alone: ", &LETTER.to_string()]);
}

#[test]
fn a_group_goes_out_in_one_file_and_comes_into_another_store() {
    let place = Place::new();
    place.run(&["store", "export", "1111", "letter.ow"]).is(
        0,
        &[
            "letter.txt",
            "generation 3",
            "Whoever has that file can read the group",
        ],
    );
    let mode = fs::metadata(place.path("letter.ow"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = fs::read(place.path("letter.ow")).unwrap();
    place
        .run(&["store", "export", "book.txt", "letter.ow"])
        .refused(&["is there already", "--force"]);
    assert_eq!(fs::read(place.path("letter.ow")).unwrap(), before);

    let other = Place::new();
    let file = place.path("letter.ow").display().to_string();
    let said = other.run(&["store", "import", &file, "--json"]).is(0, &[]);
    let group: GroupId = said.json()["group"].as_str().unwrap().parse().unwrap();
    assert_eq!(said.json()["title"], "letter.txt");
    assert!(group != LETTER, "no group is in two places");
    let (mut store, _) = Store::open(&other.store()).unwrap();
    assert_eq!(store.get(group, Generation(1)).unwrap().state, b"Dear 3");
    drop(store);
    other
        .run(&["store", "import", &file])
        .is(0, &["letter.txt: imported as a new, sleeping group"]);
    other.run(&["doctor"]).is(0, &["4 groups", "all whole"]);

    // Through pipes; and over what was there, on demand.
    let said = place
        .command(&["store", "export", "book.txt", "-"])
        .output()
        .unwrap();
    assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
    fs::write(place.path("book.ow"), &said.stdout).unwrap();
    other
        .run_with_input(&["store", "import", "-"], &place.path("book.ow"))
        .is(0, &["book.txt"]);
    let said = place
        .run(&[
            "store",
            "export",
            "book.txt",
            "letter.ow",
            "--force",
            "--json",
        ])
        .is(0, &[]);
    let now = fs::read(place.path("letter.ow")).unwrap();
    assert!(now != before && said.json()["bytes"] == now.len());
    let names = fs::read_dir(place.folder.path()).unwrap().count();
    assert_eq!(names, 3, "state and two files; nothing is left over");
}

#[test]
fn keys_are_added_removed_and_changed() {
    let place = Place::new();
    let word = |name: &str, word: &str| fs::write(place.path(name), word).unwrap();
    word("word", "correct horse\n");
    word("wrong", "incorrect horse\n");
    let key = |arguments: &[&str]| place.run(&[&["store", "key"], arguments].concat());
    key(&[]).is(0, &["key-file\n", "warning: the master key"]);
    key(&["remove", "key-file", "--force"]).is(2, &["Keep the key file"]);
    key(&["remove", "passphrase"]).refused(&["the slot passphrase is empty"]);
    key(&["add", "passphrase"]).refused(&["no passphrase was given", "--passphrase-file"]);
    key(&["add", "passphrase", "--passphrase-file", "nowhere"]).refused(&["nowhere"]);
    let json = key(&["add", "passphrase", "--passphrase-file", "word", "--json"])
        .is(0, &[])
        .json();
    assert_eq!(json["slots"], serde_json::json!(["passphrase", "key-file"]));
    key(&["remove", "passphrase"]).refused(&["only key-file would be left", "--force"]);
    key(&["rotate", "--passphrase-file", "wrong"]).is(2, &["that is not the passphrase"]);
    key(&["rotate", "--passphrase-file", "word"]).is(0, &["a new master key"]);
    place
        .run_with_input(
            &["store", "key", "rotate", "--passphrase-file", "-"],
            &place.path("word"),
        )
        .is(0, &["a new master key"]);

    // Without the key file it takes the word.
    let file = place.store().join("master");
    fs::remove_file(&file).unwrap();
    let before = place.everything();
    place
        .run(&["doctor"])
        .is(1, &["cannot be opened", "passphrase", "--passphrase-file"]);
    place
        .run(&["doctor", "--passphrase-file", "wrong"])
        .is(1, &["the word does not open it"]);
    assert!(before == place.everything(), "something was touched");
    place
        .run(&["doctor", "--passphrase-file", "word"])
        .is(0, &["all whole"]);
    place
        .run_with_input(&["doctor", "--passphrase-file", "-"], &place.path("word"))
        .is(0, &["all whole"]);
    key(&["rotate", "--passphrase-file", "word"]).is(2, &["Keep the key file"]);
    word("next", "battery staple");
    let add = [
        "add",
        "passphrase",
        "--passphrase-file",
        "next",
        "--old-passphrase-file",
        "word",
    ];
    key(&add).is(0, &["the passphrase opens the store now"]);
    place
        .run(&["doctor", "--passphrase-file", "word"])
        .is(1, &["the word does not open it"]);
    place
        .run(&["doctor", "--passphrase-file", "next"])
        .is(0, &["all whole"]);
    key(&["add", "key-file", "--passphrase-file", "next"]).is(0, &["the key file opens the store"]);
    place.run(&["doctor"]).is(0, &["all whole"]);
}

#[test]
fn a_store_that_somebody_else_has_is_not_touched() {
    let place = Place::new();
    let (held, _) = Store::open(&place.store()).unwrap();
    let me = std::process::id().to_string();
    let before = place.everything();
    for arguments in [
        &["doctor", "--repair"][..],
        &["store", "du"],
        &["store", "gc", "--now"],
        &["store", "export", "book.txt", "x"],
        &["store", "key", "rotate"],
    ] {
        place.run(arguments).refused(&["is in use by process", &me]);
    }
    assert!(before == place.everything());
    drop(held);
    place.run(&["doctor"]).is(0, &["all whole"]);
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let place = Place::new();
    let path = |name: &str| place.path(name).display().to_string();
    fs::create_dir(path("empty")).unwrap();
    fs::create_dir(path("papers")).unwrap();
    fs::write(path("papers/tax.txt"), "1").unwrap();
    fs::create_dir(path("newer")).unwrap();
    fs::write(path("newer/format"), "overwinter-store 2\n").unwrap();
    fs::create_dir_all(path("beheaded/keys")).unwrap();
    fs::create_dir_all(path("beheaded/groups")).unwrap();
    fs::write(path("garbage"), noise(5000)).unwrap();
    fs::write(path("nothing"), "").unwrap();
    fs::write(path("front"), "overwinter-group 1\n").unwrap();
    fs::write(path("newer-file"), "overwinter-group 9\nwhatever").unwrap();
    fs::create_dir(path("folder")).unwrap();
    let before = place.everything();
    for (arguments, words) in [
        (
            &["doctor", "--store", "nowhere"][..],
            "there is no such folder",
        ),
        (&["doctor", "--store", "garbage"], "it is not a folder"),
        (
            &["doctor", "--repair", "--store", "empty"],
            "no file `format`",
        ),
        (&["store", "gc", "--store", "papers"], "no file `format`"),
        (&["doctor", "--store", "newer"], "format 2"),
        (&["doctor", "--no-wait"], "--no-wait"),
        (
            &["store", "export", "novel.txt", "x"],
            "no group is called `novel.txt`",
        ),
        (
            &["store", "export", ".txt", "x"],
            "may be any of 11110000 (letter.txt), 22220000 (book.txt)",
        ),
        (&["store", "export", "book.txt", "folder"], "is not a file"),
        (
            &["store", "export", "book.txt", "folder", "--force"],
            "is not a file",
        ),
        (&["store", "export", "book.txt", "-", "--json"], "--json"),
        (&["store", "import", "nowhere"], "cannot be read"),
        (&["store", "import", "folder"], "cannot be read"),
        (&["store", "import", "garbage"], "is not an exported group"),
        (&["store", "import", "nothing"], "is not an exported group"),
        (
            &["store", "import", "/dev/zero"],
            "is not an exported group",
        ),
        (&["store", "import", "-"], "is not an exported group"),
        (
            &[
                "store",
                "key",
                "add",
                "passphrase",
                "--passphrase-file",
                "nothing",
            ],
            "empty",
        ),
        (
            &[
                "store",
                "key",
                "add",
                "passphrase",
                "--passphrase-file",
                "-",
                "--old-passphrase-file",
                "-",
            ],
            "one passphrase, not two",
        ),
    ] {
        place.run(arguments).refused(&[words]);
    }
    place
        .run(&["doctor", "--store", "beheaded"])
        .is(1, &["lost its file `format`"]);
    for (arguments, words) in [
        (&["store", "import", "front"][..], "the file ends too early"),
        (
            &["store", "import", "newer-file"],
            "of a form that is known here",
        ),
        (
            &["store", "export", "book.txt", "no/such/folder/x"],
            "No such file",
        ),
    ] {
        place.run(arguments).is(1, &["othing was", words]);
    }
    assert!(before == place.everything(), "something was changed");
    for arguments in [
        &["store"][..],
        &["store", "key", "add"],
        &["store", "key", "add", "pin"],
        &["doctor", "now"],
    ] {
        assert_eq!(place.run(arguments).code, 2);
    }
    for arguments in [
        &["doctor", "--help"][..],
        &["store", "--help"],
        &["store", "export", "--help"],
        &["store", "key", "rotate", "--help"],
    ] {
        place.run(arguments).is(0, &["Exit code: 0"]);
    }
}

#[test]
fn an_export_that_was_cut_anywhere_is_refused_whole() {
    let place = Place::new();
    place
        .run(&["store", "export", "book.txt", "book"])
        .is(0, &[]);
    let whole = fs::read(place.path("book")).unwrap();
    for keep in [17, 20, 100, 5000, whole.len() / 2, whole.len() - 1] {
        fs::write(place.path("cut"), &whole[..keep]).unwrap();
        place
            .run(&["store", "import", "cut"])
            .is(1, &["othing was imported", "The store is as it was"]);
    }
    let mut bad = whole.clone();
    bad[whole.len() / 2] ^= 1;
    fs::write(place.path("cut"), bad).unwrap();
    place
        .run(&["store", "import", "cut"])
        .is(1, &["othing was imported"]);
    place.run(&["doctor"]).is(0, &["2 groups", "all whole"]);
}

/// As somebody who is not root: root may read everything.
fn as_nobody(arguments: &[&str]) -> Said {
    let program = env!("CARGO_BIN_EXE_overwinter");
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", program])
        .args(arguments)
        .env("HOME", "/nonexistent")
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .current_dir("/")
        .stdin(Stdio::null());
    said(command.output().unwrap())
}

#[test]
fn a_folder_that_may_not_be_read_is_said_to_be_so() {
    let place = Place::new();
    let store = place.store().display().to_string();
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(place.store(), fs::Permissions::from_mode(0o000)).unwrap();
        place
            .run(&["doctor"])
            .refused(&["you may not look into it"]);
        return fs::set_permissions(place.store(), fs::Permissions::from_mode(0o700)).unwrap();
    }
    as_nobody(&["doctor", "--store", &store]).refused(&["you may not look into it"]);
}

/// Runs `overwinter` where a folder is a disk of so many KiB, in a mount namespace that ends with it; `before` is a shell's line
/// that is done first.
fn on_small_disk(place: &Place, folder: &str, size: u32, before: &str, arguments: &str) -> Said {
    assert!(
        rustix::process::geteuid().is_root(),
        "a small disk needs root, for a mount of its own: run it by sudo"
    );
    let program = env!("CARGO_BIN_EXE_overwinter");
    let script = format!(
        "set -e; mount -t tmpfs -o size={size}k,mode=700 tmpfs {folder}; {before}; \
         {program} {arguments} && code=$? || code=$?; ls -A {folder}; exit $code"
    );
    let mut command = place.command(&[]);
    let environment: Vec<_> = command
        .get_envs()
        .map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned)))
        .collect();
    command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    command
        .current_dir(place.folder.path())
        .stdin(Stdio::null());
    for (name, value) in environment {
        command.env(name, value.unwrap_or_default());
    }
    said(command.output().unwrap())
}

#[test]
fn a_full_disk_leaves_no_half_of_anything() {
    let place = Place::new();
    fs::create_dir(place.path("small")).unwrap();
    let said = on_small_disk(
        &place,
        "small",
        100,
        ":",
        "store export book.txt small/book",
    );
    let said = said.is(1, &["No space left", "store is as it was"]);
    assert!(said.out.is_empty(), "something was left there: {said:?}");
    place
        .run(&["store", "export", "book.txt", "book"])
        .is(0, &[]);
    // A store that has no room for it: its disk's last MiB is not for that.
    drop(Store::open(&place.path("other")).unwrap());
    let import = "store import book --store small/s";
    let doctored = "cp -r other small/s";
    on_small_disk(&place, "small", 1400, doctored, import)
        .is(1, &["disk is full", "as it was before"]);
    let after = format!(
        "{doctored}; ! {} {import}",
        env!("CARGO_BIN_EXE_overwinter")
    );
    on_small_disk(&place, "small", 1400, &after, "doctor --store small/s")
        .is(0, &["0 groups", "all whole"]);
    on_small_disk(&place, "small", 4000, doctored, import).is(0, &["imported"]);
}
