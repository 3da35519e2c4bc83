use std::os::unix::fs::symlink;

use super::*;
use crate::part::{Part, Reader, to_value};

struct Hosts {
    _folder: tempfile::TempDir,
    there: Places,
    here: Places,
}

/// Two homes, each with `Documents` approved; the reference is made in the first.
fn hosts() -> Hosts {
    let folder = tempfile::tempdir().unwrap();
    let places = |name: &str, tag: u8| {
        let home = folder.path().join(name);
        fs::create_dir_all(home.join("Documents")).unwrap();
        let mut places = Places::new(&home).with_root(home.join("Documents"));
        places.key = Some(host::Key::of(&[tag]));
        places
    };
    let (there, here) = (places("there", 1), places("here", 2));
    Hosts {
        _folder: folder,
        there,
        here,
    }
}

impl Hosts {
    fn made(&self, path: &str, content: &str) -> DocUri {
        let path = self.there.home.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let mut uri = DocUri::of(&path, &self.there).unwrap();
        uri.host_name = "box".into();
        uri
    }

    fn here(&self, path: &str) -> PathBuf {
        self.here.home.join(path)
    }

    fn write_here(&self, path: &str, content: &str) {
        fs::create_dir_all(self.here(path).parent().unwrap()).unwrap();
        fs::write(self.here(path), content).unwrap();
    }
}

fn hash(content: &str) -> ContentHash {
    blake3::hash(content.as_bytes()).into()
}

#[test]
fn it_comes_back_from_the_state_as_it_was() {
    let mut uri = hosts().made("Documents/a.md", "one");
    uri.saved(hash("two"));
    let value = to_value(&uri).unwrap();
    let mut loss = crate::LossReport::default();
    assert_eq!(
        DocUri::read(value, &mut Reader::new(&mut loss)).unwrap(),
        uri
    );
    assert!(loss.is_empty());
    assert_eq!(uri.name(), "a.md");
}

#[test]
fn on_its_own_host_it_is_the_path_that_was_opened() {
    let hosts = hosts();
    let mut uri = hosts.made(".config/hidden", "one");
    let path = hosts.there.home.join(".config/hidden");
    assert_eq!(
        uri.locate(&hosts.there).unwrap(),
        Located::Same(path.clone())
    );
    uri.saved(hash("two"));
    assert_eq!(
        uri.locate(&hosts.there).unwrap(),
        Located::Ancestor(path.clone())
    );
    fs::write(&path, "by somebody else").unwrap();
    assert_eq!(
        uri.locate(&hosts.there).unwrap(),
        Located::Unknown(path.clone())
    );
    fs::remove_file(&path).unwrap();
    assert_eq!(
        uri.locate(&hosts.there).unwrap(),
        Located::Missing(path.clone())
    );
    // The user may keep it behind a symlink.
    fs::write(hosts.there.home.join("kept"), "two").unwrap();
    symlink("../kept", &path).unwrap();
    assert_eq!(uri.locate(&hosts.there).unwrap(), Located::Same(path));
}

#[test]
fn nobody_else_can_say_that_a_reference_was_made_here() {
    let hosts = hosts();
    // Whoever was given a reference of this host's knows how it marks them, and claims another path with it.
    let real = DocUri::of(&hosts.here("Documents/a.md"), &hosts.here).unwrap();
    assert!(real.is_from(&hosts.here));
    let forged = DocUri {
        path: ".config/autostart/a.desktop".into(),
        host_name: "box".into(),
        ..real
    };
    assert!(!forged.is_from(&hosts.here));
    let elsewhere = hosts.here("Overwinter/box/_config/autostart/a.desktop");
    assert_eq!(
        forged.locate(&hosts.here).unwrap(),
        Located::Missing(elsewhere)
    );
}

#[test]
fn on_another_host_what_is_there_is_told_by_its_content() {
    let hosts = hosts();
    let mut uri = hosts.made("Documents/deep/notes.md", "one");
    uri.saved(hash("two"));
    let path = hosts.here("Documents/deep/notes.md");
    assert_eq!(
        uri.locate(&hosts.here).unwrap(),
        Located::Missing(path.clone())
    );
    for (content, located) in [
        ("two", Located::Same(path.clone())),
        ("one", Located::Ancestor(path.clone())),
        ("three", Located::Unknown(path.clone())),
    ] {
        hosts.write_here("Documents/deep/notes.md", content);
        assert_eq!(uri.locate(&hosts.here).unwrap(), located);
    }
}

#[test]
fn what_has_no_approved_place_goes_to_a_folder_of_its_own() {
    let hosts = hosts();
    for (path, elsewhere) in [
        ("notes.md", "Overwinter/box/notes.md"),
        (
            ".ssh/authorized_keys",
            "Overwinter/box/_ssh/authorized_keys",
        ),
        ("Documents/.hidden/a", "Overwinter/box/Documents/_hidden/a"),
    ] {
        let uri = hosts.made(path, "one");
        assert_eq!(
            uri.locate(&hosts.here).unwrap(),
            Located::Missing(hosts.here(elsewhere)),
            "{path}"
        );
    }
    let mut uri = hosts.made("Documents/a", "one");
    for (path, elsewhere) in [
        ("Documents/../.bashrc", "Overwinter/box/Documents/_bashrc"),
        ("/etc/passwd", "Overwinter/box/etc/passwd"),
        ("Documents", "Overwinter/box/Documents"),
    ] {
        uri.path = path.into();
        assert_eq!(
            uri.locate(&hosts.here).unwrap(),
            Located::Missing(hosts.here(elsewhere)),
            "{path}"
        );
    }
    uri.path = "a".into();
    uri.host_name = "../..".into();
    assert_eq!(
        uri.locate(&hosts.here).unwrap(),
        Located::Missing(hosts.here("Overwinter/_._../a"))
    );
}

#[test]
fn no_symlink_is_followed_and_no_pipe_waited_for() {
    let hosts = hosts();
    let uri = hosts.made("Documents/sub/a", "one");
    let elsewhere = Located::Missing(hosts.here("Overwinter/box/Documents/sub/a"));

    // A folder on the way, the file itself, a dangling one.
    hosts.write_here("target/a", "one");
    symlink(hosts.here("target"), hosts.here("Documents/sub")).unwrap();
    assert_eq!(uri.locate(&hosts.here).unwrap(), elsewhere);
    fs::remove_file(hosts.here("Documents/sub")).unwrap();
    fs::create_dir(hosts.here("Documents/sub")).unwrap();
    symlink(hosts.here("target/a"), hosts.here("Documents/sub/a")).unwrap();
    assert_eq!(uri.locate(&hosts.here).unwrap(), elsewhere);
    fs::remove_file(hosts.here("Documents/sub/a")).unwrap();
    symlink("nowhere", hosts.here("Documents/sub/a")).unwrap();
    assert_eq!(uri.locate(&hosts.here).unwrap(), elsewhere);
    fs::remove_file(hosts.here("Documents/sub/a")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        hosts.here("Documents/sub/a"),
        rustix::fs::FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .unwrap();
    assert_eq!(uri.locate(&hosts.here).unwrap(), elsewhere);

    symlink(hosts.here("target"), hosts.here("Overwinter")).unwrap();
    let error = uri.locate(&hosts.here).unwrap_err().to_string();
    assert!(
        error.contains("nothing from another host is written there"),
        "{error}"
    );
}

#[test]
fn an_unknown_file_has_room_beside_it() {
    let hosts = hosts();
    hosts.write_here("Documents/notes.md", "x");
    let path = hosts.here("Documents/notes.md");
    assert_eq!(beside(&path, "box"), hosts.here("Documents/notes (box).md"));
    hosts.write_here("Documents/notes (box).md", "x");
    symlink("nowhere", hosts.here("Documents/notes (box 2).md")).unwrap();
    assert_eq!(
        beside(&path, "box"),
        hosts.here("Documents/notes (box 3).md")
    );
    assert_eq!(
        beside(&path, "../x"),
        hosts.here("Documents/notes (_._x).md")
    );
}

#[test]
fn ancestors_are_bounded_and_distinct() {
    let mut uri = hosts().made("Documents/a", "0");
    uri.saved(hash("0"));
    assert!(uri.ancestors().is_empty());
    for n in 1..=100 {
        uri.saved(hash(&n.to_string()));
    }
    assert_eq!(uri.content(), Some(hash("100")));
    assert_eq!(uri.ancestors().len(), MOST_ANCESTORS);
    assert_eq!(uri.ancestors()[0], hash("99"));
}

#[test]
fn the_users_folders_are_those_that_the_file_names() {
    let home = Path::new("/home/ada");
    let text = "# comment\nXDG_DOCUMENTS_DIR=\"$HOME/Dokumente\"\nXDG_MUSIC_DIR=\"/srv/music\"\nXDG_VIDEOS_DIR=\"$HOME/\"\nX=1\n";
    assert_eq!(
        user_folders(home, text),
        [home.join("Dokumente"), PathBuf::from("/srv/music")]
    );
    assert!(user_folders(home, "").contains(&home.join("Documents")));
}
