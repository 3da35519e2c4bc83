//! The user's configuration: taken at the start and whenever it is saved; with a mistake in it the last good one counts.

mod common;

use std::path::{Path, PathBuf};

use common::{Client, Fixture, Key, Window, open};
use overwinter_compositor::Options;
use overwinter_config::{Action, Colour, Share, Side};
use smithay::backend::input::KeyState;

/// evdev's codes.
const Q: u32 = 16;
const Y: u32 = 21;
const X: u32 = 45;
const ALT: u32 = 56;
const TAB: u32 = 15;
const SUPER: u32 = 125;

struct Desk {
    fixture: Fixture,
    client: Client,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Desk {
    /// A session whose configuration says this; none: there is no file.
    fn new(text: Option<&str>) -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config/overwinter/desktop.toml");
        if let Some(text) = text {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, text).unwrap();
        }
        let mut fixture = Fixture::new();
        fixture.server.load_config(&Options {
            config: Some(file.clone()),
            ..Options::default()
        });
        let client = fixture.client();
        Desk {
            fixture,
            client,
            file,
            _dir: dir,
        }
    }

    /// Saves it as editors do: another file in the place of the old one.
    fn save(&self, text: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }

    /// Until the gap between tiles is this.
    fn wait_for_gap(&mut self, gap: i32) {
        self.fixture.wait(&mut self.client, "the new gap", |_, s| {
            s.config.layout.gap == gap
        });
    }

    fn wait_for_mistake(&mut self, says: &str) {
        self.fixture.wait(&mut self.client, "the mistake", |_, s| {
            s.config_file
                .wrong()
                .is_some_and(|wrong| wrong.contains(says))
        });
    }

    /// A key of a real keyboard.
    fn key(&mut self, code: u32, down: bool) {
        let keymap = self.fixture.server.input.seat_keymap.clone();
        let state = if down {
            KeyState::Pressed
        } else {
            KeyState::Released
        };
        self.fixture
            .server
            .key(&keymap, (code + 8).into(), state, 0);
    }

    fn chord(&mut self, codes: &[u32]) {
        for code in codes {
            self.key(*code, true);
        }
        for code in codes.iter().rev() {
            self.key(*code, false);
        }
        self.fixture.turn();
        self.fixture.roundtrip(&mut self.client);
    }

    fn open(&mut self) -> Window {
        open(&mut self.fixture, &mut self.client, 300, 200, 0x20_20_20)
    }
}

#[test]
fn what_is_shipped_counts_where_the_file_says_nothing() {
    let desk = Desk::new(Some("[layout]\ngap = 3\n"));
    let config = &desk.fixture.server.config;
    assert_eq!(config.layout.gap, 3);
    let Colour { red, green, blue } = config.appearance.background;
    assert_eq!((red, green, blue), (0x16, 0x19, 0x22));
    assert!(
        config
            .keys
            .values()
            .any(|action| *action == Action::NextWindow)
    );
}

#[test]
fn a_file_that_is_saved_counts_at_once_and_a_wrong_one_does_not() {
    let mut desk = Desk::new(None);
    assert_eq!(desk.fixture.server.config.layout.gap, 8);
    desk.save("[layout]\ngap = 20\n");
    desk.wait_for_gap(20);
    desk.save("[layout]\ngap = 21\n[keyboard]\nlayuot = \"de\"\n");
    desk.wait_for_mistake("desktop.toml:4:1: unknown key `layuot`: did you mean `layout`?");
    assert_eq!(desk.fixture.server.config.layout.gap, 20);
    let mut grim = desk.fixture.client();
    assert_eq!(desk.fixture.screenshot(&mut grim).at(14, 14), 0x7a2530);
    // In place, as other editors do.
    std::fs::write(&desk.file, "[layout]\ngap = 22\n").unwrap();
    desk.wait_for_gap(22);
    assert_eq!(desk.fixture.server.config_file.wrong(), None);
    assert_ne!(desk.fixture.screenshot(&mut grim).at(14, 14), 0x7a2530);
    std::fs::remove_file(&desk.file).unwrap();
    desk.wait_for_gap(8);
}

#[test]
fn a_wrong_file_at_the_start_leaves_what_is_shipped_until_it_is_cured() {
    let mut desk = Desk::new(Some("[layout\ngap = 1\n"));
    let server = &desk.fixture.server;
    assert!(server.config_file.wrong().unwrap().contains(":1:"));
    assert_eq!(server.config.layout.gap, 8);
    desk.save("[layout]\ngap = 1\n");
    desk.wait_for_gap(1);
}

#[test]
fn a_file_behind_a_link_is_seen_when_it_is_saved_there_and_when_the_link_changes() {
    let mut desk = Desk::new(None);
    let dotfiles = tempfile::tempdir().unwrap();
    let write = |name: &str, gap: i32| {
        let file = dotfiles.path().join(name);
        std::fs::write(&file, format!("[layout]\ngap = {gap}\n")).unwrap();
        file
    };
    let link = |to: &Path, at: &Path| {
        let new = at.with_extension("link");
        std::os::unix::fs::symlink(to, &new).unwrap();
        std::fs::rename(&new, at).unwrap();
    };
    link(&write("one", 31), &desk.file);
    desk.wait_for_gap(31);
    write("one", 32);
    desk.wait_for_gap(32);
    link(&write("two", 33), &desk.file);
    desk.wait_for_gap(33);
}

#[test]
fn keys_do_what_the_configuration_says() {
    let mut desk = Desk::new(None);
    let (first, second) = (desk.open(), desk.open());
    desk.chord(&[ALT, TAB]);
    desk.chord(&[SUPER, Q]);
    assert!(desk.client.heard(&first).closed && !desk.client.heard(&second).closed);
    desk.chord(&[ALT, TAB]);
    desk.save("[layout]\ngap = 5\n[keys]\n\"Super+q\" = \"none\"\n\"Super+x\" = \"close\"\n");
    desk.wait_for_gap(5);
    desk.client.data.keys.clear();
    desk.chord(&[SUPER, Q]);
    assert!(!desk.client.heard(&second).closed);
    assert!(desk.client.data.keys.contains(&Key::Press(Q)));
    desk.chord(&[SUPER, X]);
    assert!(desk.client.heard(&second).closed);
    assert!(!desk.client.data.keys.contains(&Key::Press(X)));
}

#[test]
fn a_window_fills_the_screen_and_goes_back_by_its_keys() {
    let mut desk = Desk::new(Some(
        "[keys]\n\"Super+x\" = \"maximise\"\n\"Super+y\" = \"fullscreen\"\n",
    ));
    let window = desk.open();
    desk.chord(&[SUPER, X]);
    assert_eq!(desk.client.heard(&window).size, (1280, 800));
    let maximized = desk.client.heard(&window).states;
    desk.chord(&[SUPER, Y]);
    assert_ne!(desk.client.heard(&window).states, maximized);
    desk.chord(&[SUPER, Y]);
    assert_eq!(desk.client.heard(&window).states, maximized);
    desk.chord(&[SUPER, X]);
    assert_eq!(desk.client.heard(&window).size, (300, 200));
}

#[test]
fn the_keyboard_follows_and_a_layout_that_does_not_exist_leaves_it() {
    let mut desk = Desk::new(Some("[keyboard]\nlayout = \"us,de\"\n"));
    desk.open();
    desk.key(Y, true);
    desk.key(Y, false);
    desk.fixture
        .server
        .act(&Action::NextKeyboardLayout)
        .unwrap();
    desk.key(Y, true);
    desk.key(Y, false);
    desk.fixture.roundtrip(&mut desk.client);
    assert_eq!(desk.client.data.text, "yz");
    desk.save("[layout]\ngap = 6\n[keyboard]\nlayout = \"no-such\"\n");
    desk.wait_for_gap(6);
    assert_eq!(desk.fixture.server.config.keyboard.layout, "us,de");
    desk.save("[layout]\ngap = 7\n[keyboard]\nlayout = \"de\"\nrepeat-rate = 11\n");
    desk.wait_for_gap(7);
    desk.client.data.text.clear();
    desk.key(Y, true);
    desk.key(Y, false);
    desk.fixture.roundtrip(&mut desk.client);
    assert_eq!(desk.client.data.text, "z");
    let alone = desk.fixture.server.act(&Action::NextKeyboardLayout);
    assert!(alone.unwrap_err().contains("only one layout"));
}

#[test]
fn num_lock_is_as_it_is_wanted() {
    let mut desk = Desk::new(Some("[keyboard]\nnum-lock = true\n"));
    let keyboard = desk.fixture.server.seat.get_keyboard().unwrap();
    assert!(keyboard.modifier_state().num_lock);
    desk.save("[layout]\ngap = 6\n");
    desk.wait_for_gap(6);
    assert!(!keyboard.modifier_state().num_lock);
}

#[test]
fn a_plain_session_says_that_nothing_sleeps_or_starts_in_it() {
    let mut desk = Desk::new(None);
    let server = &mut desk.fixture.server;
    let run = Action::Run(vec!["true".into()]);
    assert!(server.act(&run).unwrap_err().contains("plain session"));
    assert!(
        server
            .act(&Action::Close)
            .unwrap_err()
            .contains("no window")
    );
    desk.open();
    let told = desk.fixture.server.act(&Action::Hibernate);
    assert!(told.unwrap_err().contains("belongs to no group"));
}

#[test]
fn outputs_are_set_up_as_they_are_wanted_also_one_that_comes_later() {
    let mut desk = Desk::new(Some(
        "[[output]]\nconnector = \"HEADLESS-1\"\nmode = \"800x600\"\nscale = 2\n\
         [[output]]\nmake = \"Overwinter\"\nposition = [1000, 50]\ntransform = \"90\"\n",
    ));
    let area = |desk: &Desk, name: &str| desk.fixture.server.outputs.named(name).unwrap().area();
    assert_eq!(area(&desk, "HEADLESS-1").size, (400, 300).into());
    let plug = overwinter_compositor::outputs::Plug::default();
    let second = desk.fixture.server.plug_output(&plug).unwrap();
    let place = area(&desk, &second);
    assert_eq!(
        (place.loc, place.size),
        ((1000, 50).into(), (800, 1280).into())
    );
    desk.save("[layout]\ngap = 1\n[[output]]\nconnector = \"HEADLESS-1\"\nmode = \"900x600\"\n");
    desk.wait_for_gap(1);
    assert_eq!(area(&desk, "HEADLESS-1").size, (450, 300).into());
    // None would be left.
    desk.save("[layout]\ngap = 2\n[[output]]\nmake = \"Overwinter\"\nenabled = false\n");
    desk.wait_for_gap(2);
    assert_eq!(area(&desk, "HEADLESS-1").size, (450, 300).into());
}

#[test]
fn tiles_and_workspaces_follow_the_configuration_and_its_actions() {
    let mut desk = Desk::new(Some(
        "[layout]\ntile = true\ngap = 10\ncolumn-width = \"1/4\"\n",
    ));
    let (first, second) = (desk.open(), desk.open());
    let width = |desk: &mut Desk, window: &Window| {
        desk.fixture.turn();
        desk.fixture.roundtrip(&mut desk.client);
        desk.client.heard(window).size.0
    };
    let act = |desk: &mut Desk, action: Action| desk.fixture.server.act(&action).unwrap();
    let quarter = width(&mut desk, &first);
    assert!((280..=320).contains(&quarter), "{quarter}");
    act(&mut desk, Action::ColumnWidth(Share { part: 1, whole: 1 }));
    assert_eq!(width(&mut desk, &second), 1260);
    assert_eq!(width(&mut desk, &first), quarter);
    let focus = desk.fixture.server.shell.focus();
    act(&mut desk, Action::Focus(Side::Left));
    assert_ne!(desk.fixture.server.shell.focus(), focus);
    let nothing = desk.fixture.server.act(&Action::Focus(Side::Left));
    assert!(nothing.unwrap_err().contains("nothing at that side"));
    act(&mut desk, Action::SendToWorkspace("mail".into()));
    assert_eq!(desk.fixture.server.shell.focus(), focus);
    act(&mut desk, Action::ShowWorkspace("mail".into()));
    assert_ne!(desk.fixture.server.shell.focus(), focus);
    act(&mut desk, Action::Minimise);
    assert_eq!(desk.fixture.server.shell.focus(), None);
    act(&mut desk, Action::PreviousWorkspace);
    assert_eq!(desk.fixture.server.shell.focus(), focus);
    act(&mut desk, Action::Float);
    assert_ne!(width(&mut desk, &second), 1260);
}
