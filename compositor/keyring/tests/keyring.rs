//! Stores and a real keyring: what opens them, whatever the keyring is up to.

mod common;

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use common::{Bench, again, on_a_bus, role};
use overwinter_keyring::{
    Asked, Closed, Opened, Owner, Passphrase, Refused, Service, Slots, Tended, Trouble, add, open,
    remove, rotate, tend,
};
use overwinter_store::{Limits, SlotKind, Store, Unlock};
use zeroize::Zeroizing;

/// A real keyring answers in some hundredths of a second, here beside a compiler.
fn patient() -> Service {
    Service::silent(Duration::from_secs(20))
}

/// For those who never answer.
fn brief() -> Service {
    Service::silent(Duration::from_millis(300))
}

fn word() -> Zeroizing<String> {
    Zeroizing::new("a word".to_owned())
}

fn asked(bench: &Bench, service: Service, with_word: bool) -> Asked {
    let file = bench.base.join("word");
    fs::write(&file, "a word\n").unwrap();
    Asked {
        service,
        passphrase: with_word.then_some(Passphrase::File(file)),
        limits: Limits::default(),
    }
}

fn opened(bench: &Bench, dir: &Path) -> Opened {
    open(dir, asked(bench, patient(), false)).unwrap()
}

/// A store with the keyring's slot, and the key file's.
fn made(bench: &Bench, name: &str) -> (Store, PathBuf, Owner) {
    let dir = bench.base.join(name);
    let Opened { mut store, by, .. } = opened(bench, &dir);
    assert_eq!(by, None);
    let owner = Owner::of(&dir);
    let tended = tend(&mut store, patient(), &owner, true);
    assert_eq!(tended.unwrap(), Tended::Added);
    let two = [SlotKind::KeyFile, SlotKind::SecretService];
    assert_eq!(store.slots().unwrap(), two);
    (store, dir, owner)
}

/// Opens by the keyring or not at all.
fn by_keyring(bench: &Bench, dir: &Path) -> Store {
    let master = dir.join("master");
    if master.exists() {
        fs::remove_file(master).unwrap();
    }
    let opened = opened(bench, dir);
    assert_eq!(opened.by, Some(SlotKind::SecretService));
    opened.store
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    all
}

#[test]
fn a_store_is_opened_by_what_the_keyring_has_for_it_and_no_other() {
    on_a_bus(
        "a_store_is_opened_by_what_the_keyring_has_for_it_and_no_other",
        |bench| {
            let keyring = bench.keyring();
            let (one, first, owner) = made(&bench, "one");
            let (two, second, other) = made(&bench, "two");
            assert_eq!(patient().keys(&owner).unwrap().len(), 1);
            assert_ne!(
                patient().keys(&owner).unwrap(),
                patient().keys(&other).unwrap()
            );
            drop((one, two));
            // It is on the keyring's disk, not only in its memory.
            keyring.end();
            let _keyring = bench.keyring();
            let mut store = by_keyring(&bench, &first);
            let tended = tend(&mut store, patient(), &owner, false);
            assert_eq!(tended.unwrap(), Tended::Well);
            let two = [SlotKind::KeyFile, SlotKind::SecretService];
            assert_eq!(store.slots().unwrap(), two, "one alone is easily lost");
            // One store's slot goes; the other's stays.
            remove(&mut store, patient(), &owner, SlotKind::SecretService).unwrap();
            assert_eq!(patient().keys(&owner), Err(Trouble::NoKey));
            drop(store);
            drop(by_keyring(&bench, &second));
            // A copy of a store is another one.
            let copy = bench.base.join("copy");
            let copied = std::process::Command::new("cp")
                .arg("-r")
                .args([&second, &copy])
                .status();
            assert!(copied.unwrap().success());
            let closed = open(&copy, asked(&bench, patient(), false)).unwrap_err();
            assert!(
                closed.to_string().contains("no key for this store"),
                "{closed}"
            );
        },
    );
}

#[test]
fn a_slot_that_the_user_took_away_does_not_come_back() {
    on_a_bus(
        "a_slot_that_the_user_took_away_does_not_come_back",
        |bench| {
            let _keyring = bench.keyring();
            let (mut store, _, owner) = made(&bench, "store");
            let last = remove(&mut store, patient(), &owner, SlotKind::KeyFile);
            assert!(matches!(last, Err(Refused::Store(_))), "{last:?}");
            let none = add(&mut store, patient(), &owner, SlotKind::Passphrase, None);
            assert!(matches!(none, Err(Refused::Word(_))), "{none:?}");
            let said = add(
                &mut store,
                patient(),
                &owner,
                SlotKind::Passphrase,
                Some(word()),
            );
            assert!(said.unwrap().contains("remove key-file"));
            remove(&mut store, patient(), &owner, SlotKind::SecretService).unwrap();
            let tended = tend(&mut store, patient(), &owner, false);
            assert_eq!(tended.unwrap(), Tended::Well);
            let two = [SlotKind::KeyFile, SlotKind::Passphrase];
            assert_eq!(store.slots().unwrap(), two);
            // With the key file alone it does: there are always two.
            remove(&mut store, patient(), &owner, SlotKind::Passphrase).unwrap();
            let tended = tend(&mut store, patient(), &owner, false);
            assert_eq!(tended.unwrap(), Tended::Added);
        },
    );
}

/// Whatever is wrong with the keyring: the key file opens at once, the passphrase where there is none, and without both
/// nothing is touched and everything is said.
fn opens_without_the_keyring(bench: &Bench, dir: &Path, service: Service, trouble: &str) {
    let owner = Owner::of(dir);
    let Opened {
        mut store,
        by,
        tried,
        ..
    } = open(dir, asked(bench, service, true)).unwrap();
    assert_eq!((by, tried.len()), (Some(SlotKind::KeyFile), 0));
    match tend(&mut store, service, &owner, false).unwrap() {
        Tended::Left(why) => assert!(why.to_string().contains(trouble), "{why}"),
        other => panic!("{other:?}"),
    }
    let refused = rotate(&mut store, service, &owner, Some(word())).unwrap_err();
    assert!(refused.to_string().contains(trouble), "{refused}");
    add(
        &mut store,
        service,
        &owner,
        SlotKind::Passphrase,
        Some(word()),
    )
    .unwrap();
    remove(&mut store, service, &owner, SlotKind::KeyFile).unwrap();
    drop(store);
    let by_word = open(dir, asked(bench, service, true)).unwrap();
    assert_eq!(by_word.by, Some(SlotKind::Passphrase));
    assert_eq!(by_word.tried[0].0, SlotKind::SecretService);
    assert!(by_word.tried[0].1.contains(trouble), "{:?}", by_word.tried);
    drop(by_word);
    let before = files(dir);
    let closed = open(dir, asked(bench, service, false)).unwrap_err();
    assert!(matches!(closed, Closed::NoWay { .. }));
    let said = closed.to_string();
    for part in [
        trouble,
        "none was given",
        "Nothing in it was touched",
        "--passphrase-file",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(files(dir) == before, "something was touched");
}

#[test]
fn a_locked_keyring_holds_nothing_up() {
    on_a_bus("a_locked_keyring_holds_nothing_up", |bench| {
        let keyring = bench.keyring();
        let (store, dir, _) = made(&bench, "store");
        drop(store);
        keyring.lock();
        opens_without_the_keyring(&bench, &dir, patient(), "locked");
        // Nobody is there who could be asked: that is an answer too.
        let asking = Service::asking(Duration::from_secs(5));
        assert!(asking.keys(&Owner::of(&dir)).is_err());
    });
}

#[test]
fn a_keyring_that_is_not_there_holds_nothing_up() {
    on_a_bus("a_keyring_that_is_not_there_holds_nothing_up", |bench| {
        let keyring = bench.keyring();
        let (store, dir, _) = made(&bench, "store");
        drop(store);
        keyring.end();
        opens_without_the_keyring(&bench, &dir, patient(), "no Secret Service");
    });
}

#[test]
fn a_keyring_that_never_answers_holds_up_until_the_deadline() {
    on_a_bus(
        "a_keyring_that_never_answers_holds_up_until_the_deadline",
        |bench| {
            let keyring = bench.keyring();
            let (store, dir, _) = made(&bench, "store");
            drop(store);
            keyring.end();
            let _deaf = bench.deaf_service();
            opens_without_the_keyring(&bench, &dir, brief(), "not answered within");
            // None of the threads that waited is left. Those that end by themselves may take their time, but not for ever.
            let start = std::time::Instant::now();
            let left = || {
                let tasks = fs::read_dir("/proc/self/task").unwrap();
                let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm"));
                let names: Vec<String> = tasks.filter_map(|t| name(t.unwrap()).ok()).collect();
                names.iter().filter(|n| n.trim() == "keyring").count()
            };
            while left() > 0 {
                assert!(
                    start.elapsed() < Duration::from_secs(20),
                    "a thread is left"
                );
                std::thread::yield_now();
            }
        },
    );
}

#[test]
fn a_keyring_that_was_reset_gets_a_new_key() {
    on_a_bus("a_keyring_that_was_reset_gets_a_new_key", |bench| {
        let keyring = bench.keyring();
        let (store, dir, owner) = made(&bench, "store");
        drop(store);
        keyring.end();
        bench.reset_keyring();
        let _keyring = bench.keyring();
        let Opened { mut store, by, .. } = opened(&bench, &dir);
        assert_eq!(by, Some(SlotKind::KeyFile));
        let tended = tend(&mut store, patient(), &owner, false);
        assert_eq!(tended.unwrap(), Tended::Refilled);
        let tended = tend(&mut store, patient(), &owner, false);
        assert_eq!(tended.unwrap(), Tended::Well, "it is told once");
        drop(store);
        drop(by_keyring(&bench, &dir));
    });
}

#[test]
fn a_rotation_keeps_every_slot_and_the_word_is_checked_first() {
    on_a_bus(
        "a_rotation_keeps_every_slot_and_the_word_is_checked_first",
        |bench| {
            let _keyring = bench.keyring();
            let (mut store, dir, owner) = made(&bench, "store");
            let former = patient().keys(&owner).unwrap();
            let kind = SlotKind::Passphrase;
            add(&mut store, patient(), &owner, kind, Some(word())).unwrap();
            remove(&mut store, patient(), &owner, SlotKind::KeyFile).unwrap();
            let before = files(&dir);
            for wrong in [None, Some("another"), Some("")] {
                let wrong = wrong.map(|w| Zeroizing::new(w.to_owned()));
                let refused = rotate(&mut store, patient(), &owner, wrong);
                assert!(matches!(refused, Err(Refused::Word(_))), "{refused:?}");
            }
            assert!(files(&dir) == before);
            rotate(&mut store, patient(), &owner, Some(word())).unwrap();
            let keys = patient().keys(&owner).unwrap();
            assert_eq!(keys.len(), 1);
            assert_ne!(keys, former);
            let old = Unlock::SecretService(former[0].clone());
            assert!(!Store::opens(&store, &old).unwrap());
            drop(store);
            drop(by_keyring(&bench, &dir));
            let by_word = open(&dir, asked(&bench, brief(), true)).unwrap();
            assert!(by_word.by.is_some());
            assert!(by_word.store.opens(&Unlock::Passphrase(word())).unwrap());
        },
    );
}

/// A store whose owner dies at one of its calls: this many, then none is answered.
struct Dying(Store, usize);

impl Dying {
    fn lives(&mut self) -> Result<&mut Store, Refused> {
        self.1 = self.1.checked_sub(1).ok_or(Refused::Gone)?;
        Ok(&mut self.0)
    }
}

impl Slots for Dying {
    fn filled(&mut self) -> Result<Vec<SlotKind>, Refused> {
        self.lives()?.filled()
    }
    fn warning(&mut self) -> Result<String, Refused> {
        self.lives()?.warning()
    }
    fn opens(&mut self, with: Unlock) -> Result<bool, Refused> {
        Slots::opens(self.lives()?, with)
    }
    fn fill(&mut self, with: Unlock) -> Result<(), Refused> {
        self.lives()?.fill(with)
    }
    fn empty(&mut self, kind: SlotKind) -> Result<(), Refused> {
        self.lives()?.empty(kind)
    }
    fn rotate(&mut self, slots: Vec<Unlock>) -> Result<(), Refused> {
        Slots::rotate(self.lives()?, slots)
    }
}

#[test]
fn a_key_that_opens_nothing_is_dropped_the_next_time() {
    on_a_bus(
        "a_key_that_opens_nothing_is_dropped_the_next_time",
        |bench| {
            let _keyring = bench.keyring();
            let (store, dir, owner) = made(&bench, "store");
            // The keyring has the next key, the store has not heard of it.
            let mut dying = Dying(store, 1);
            let cut = rotate(&mut dying, patient(), &owner, None);
            assert!(matches!(cut, Err(Refused::Gone)), "{cut:?}");
            assert_eq!(patient().keys(&owner).unwrap().len(), 2);
            drop(dying);
            let mut store = by_keyring(&bench, &dir);
            let tended = tend(&mut store, patient(), &owner, false);
            assert_eq!(tended.unwrap(), Tended::Well);
            assert_eq!(patient().keys(&owner).unwrap().len(), 1);
            drop(store);
            drop(by_keyring(&bench, &dir));
        },
    );
}

#[test]
fn whatever_kills_a_rotation_the_keyring_opens_the_store() {
    const NAME: &str = "whatever_kills_a_rotation_the_keyring_opens_the_store";
    on_a_bus(NAME, |bench| {
        let dir = bench.base.join("store");
        if role() == "rotate" {
            let mut store = opened(&bench, &dir).store;
            let owner = Owner::of(&dir);
            loop {
                rotate(&mut store, patient(), &owner, None).unwrap();
                // Through a lock that a killed process does not leave behind.
                rustix::io::write(std::io::stdout(), b"!").unwrap();
            }
        }
        let _keyring = bench.keyring();
        let (store, _, owner) = made(&bench, "store");
        drop(store);
        let rounds = if std::env::var_os("OVERWINTER_TEST_LONG").is_some() {
            1000
        } else {
            15
        };
        for round in 0..rounds {
            let mut child = again(&bench, NAME, "rotate");
            let mut said = child.stdout.take().unwrap();
            // It dies where it happens to be after the first, the second, … rotation.
            let mut marks = round % 3;
            let mut byte = [0];
            while marks > 0 && said.read(&mut byte).unwrap() == 1 {
                marks -= u32::from(byte == *b"!");
            }
            spin(round);
            child.kill().unwrap();
            child.wait().unwrap();
            let mut store = by_keyring(&bench, &dir);
            tend(&mut store, patient(), &owner, false).unwrap();
            assert_eq!(patient().keys(&owner).unwrap().len(), 1, "round {round}");
            add(&mut store, patient(), &owner, SlotKind::KeyFile, None).unwrap();
        }
        std::io::stdout().flush().unwrap();
    });
}

/// Some work that takes another time each round, so that a kill falls elsewhere.
fn spin(round: u32) {
    let mut hash = blake3::hash(&round.to_le_bytes());
    for _ in 0..u32::from(hash.as_bytes()[0]) * 500 {
        hash = blake3::hash(hash.as_bytes());
    }
    assert_ne!(hash.as_bytes(), &[0; 32]);
}
