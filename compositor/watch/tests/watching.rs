//! The watcher on real folders: what an installation does to them, it must tell.

use std::{
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use overwinter_watch::{Change, Places, Watcher, build_id_of_file};

const PATIENCE: Duration = Duration::from_secs(20);

struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    fn new() -> Machine {
        let root = tempfile::tempdir().unwrap();
        for folder in ["bin", "dpkg", "share"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        Machine { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn places(&self) -> Places {
        Places {
            applications: vec![self.path("share/applications")],
            path: vec![self.path("bin")],
            packages: Some(self.path("dpkg")),
        }
    }

    /// As dpkg does: beside, then renamed over.
    fn install_program(&self, from: &str, name: &str) {
        let beside = self.path(&format!("bin/{name}.dpkg-new"));
        std::fs::copy(from, &beside).unwrap();
        std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(beside, self.path(&format!("bin/{name}"))).unwrap();
    }

    fn install_desktop(&self, id: &str, program: &str, version: &str) {
        std::fs::create_dir_all(self.path("share/applications")).unwrap();
        let text = format!(
            "[Desktop Entry]\nType=Application\nName={id}\nExec={program} %F\nX-Overwinter-Tier=native\nX-Overwinter-Version={version}\n"
        );
        std::fs::write(self.path(&format!("share/applications/{id}.desktop")), text).unwrap();
    }

    fn watch(&self) -> (Watcher, Receiver<Change>) {
        let (tell, told) = channel();
        let watcher = Watcher::start(self.places(), move |c| tell.send(c).unwrap()).unwrap();
        (watcher, told)
    }
}

fn next_build(told: &Receiver<Change>) -> (String, String, String) {
    loop {
        match told.recv_timeout(PATIENCE).expect("a change is told") {
            Change::Build { app, build } => return (app, build.version, build.id),
            Change::Apps(_) => {}
        }
    }
}

fn id_of(program: &str) -> String {
    build_id_of_file(Path::new(program)).unwrap()
}

#[test]
fn a_replaced_program_is_told_once_with_its_new_version() {
    let machine = Machine::new();
    machine.install_program("/bin/cat", "tool");
    machine.install_desktop("a", "tool", "1.0");
    let (watcher, told) = machine.watch();
    assert_eq!(
        next_build(&told),
        ("a".into(), "1.0".into(), id_of("/bin/cat"))
    );

    // The .desktop file first, the program a moment later: one update, told once.
    machine.install_desktop("a", "tool", "2.0");
    std::fs::write(machine.path("dpkg/status"), "half").unwrap();
    machine.install_program("/bin/ls", "tool");
    assert_eq!(
        next_build(&told),
        ("a".into(), "2.0".into(), id_of("/bin/ls"))
    );

    // Dropping the watcher ends its thread, and with it the channel: nothing more was said of "a".
    drop(watcher);
    let rest: Vec<Change> = told
        .iter()
        .filter(|c| matches!(c, Change::Build { .. }))
        .collect();
    assert_eq!(rest, []);
}

#[test]
fn an_app_installed_later_into_folders_that_did_not_exist_is_found() {
    let machine = Machine::new();
    let (_watcher, told) = machine.watch();
    // Neither the applications folder nor the program's folder is there yet.
    let program = machine.path("opt/thing/bin/thing");
    machine.install_desktop("late", program.to_str().unwrap(), "1");
    match told.recv_timeout(PATIENCE).unwrap() {
        Change::Apps(apps) => assert_eq!(apps["late"].executable, None),
        other => panic!("{other:?}"),
    }
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::fs::copy("/bin/cat", &program).unwrap();
    assert_eq!(
        next_build(&told),
        ("late".into(), "1".into(), id_of("/bin/cat"))
    );
}

#[test]
fn a_program_behind_a_link_is_watched_where_it_lies() {
    let machine = Machine::new();
    std::fs::create_dir(machine.path("real")).unwrap();
    std::fs::copy("/bin/cat", machine.path("real/tool")).unwrap();
    symlink(machine.path("real/tool"), machine.path("bin/tool")).unwrap();
    machine.install_desktop("a", "tool", "1");
    let (_watcher, told) = machine.watch();
    assert_eq!(next_build(&told).2, id_of("/bin/cat"));
    std::fs::copy("/bin/ls", machine.path("real/new")).unwrap();
    std::fs::rename(machine.path("real/new"), machine.path("real/tool")).unwrap();
    assert_eq!(next_build(&told).2, id_of("/bin/ls"));
}

#[test]
fn a_removed_app_is_gone_and_touching_files_is_no_update() {
    let machine = Machine::new();
    machine.install_program("/bin/cat", "tool");
    machine.install_desktop("a", "tool", "1");
    machine.install_program("/bin/ls", "other");
    machine.install_desktop("b", "other", "1");
    let (_watcher, told) = machine.watch();
    let mut first = [next_build(&told).0, next_build(&told).0];
    first.sort();
    assert_eq!(first, ["a", "b"]);
    // Same content again, as a reinstallation does.
    machine.install_program("/bin/cat", "tool");
    std::fs::remove_file(machine.path("share/applications/b.desktop")).unwrap();
    match told.recv_timeout(PATIENCE).unwrap() {
        Change::Apps(apps) => assert_eq!(apps.keys().collect::<Vec<_>>(), ["a"]),
        other => panic!("{other:?}"),
    }
    machine.install_program("/bin/true", "tool");
    assert_eq!(
        next_build(&told),
        ("a".into(), "1".into(), id_of("/bin/true"))
    );
}
