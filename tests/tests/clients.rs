//! Programs of other people in our compositor: what they draw is on the screen, what is typed reaches them, what they copy
//! can be pasted.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use overwinter_tests::input::{Hands, key, modifier};
use overwinter_tests::screen::{self, Picture};
use overwinter_tests::session::{Session, Wish};
use overwinter_tests::story::still;
use overwinter_tests::wait;

fn session() -> Result<(tempfile::TempDir, Session)> {
    let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
    let session = Session::start(Wish {
        keeps: false,
        ..Wish::headless(base.path().join("s"))
    })?;
    Ok((base, session))
}

/// Waits until what a shell in a terminal was told to write is in a file.
fn file_says(file: &Path, text: &str) -> Result<()> {
    wait::until(&format!("{} says {text:?}", file.display()), || {
        let now = fs::read_to_string(file).unwrap_or_default();
        ensure!(now == text, "it says {now:?}");
        Ok(Some(()))
    })
}

fn appears(session: &Session, before: &Picture) -> Result<Picture> {
    wait::until("a window is on the screen", || {
        let now = still(session)?;
        let (count, _) = before.difference(&now, before.whole());
        Ok((count > 20_000).then_some(now))
    })
}

#[test]
fn foot_shows_itself_and_takes_keys_from_wtype_and_from_us() -> Result<()> {
    let (_base, session) = session()?;
    let empty = still(&session)?;
    let (by_wtype, by_hand) = (
        session.home().join("wtype.txt"),
        session.home().join("hand.txt"),
    );
    let mut foot = session.spawn(
        "foot",
        &[
            "--config=/dev/null",
            "sh",
            "-c",
            "read a; echo \"$a\" >$HOME/wtype.txt; read b; echo \"$b\" >$HOME/hand.txt; read c",
        ],
    )?;
    let shown = appears(&session, &empty)?;
    ensure!(shown.colours(shown.whole()) > 2, "nothing is drawn");

    session.run("wtype", &["Wörter, typed by wtype"])?;
    session.run("wtype", &["-k", "Return"])?;
    file_says(&by_wtype, "Wörter, typed by wtype\n")?;

    let mut hands = Hands::new(&session)?;
    hands.type_text("Hands: 1 + 1 = 2!\n")?;
    file_says(&by_hand, "Hands: 1 + 1 = 2!\n")?;

    // Its end takes the window away: the desktop is as before.
    hands.type_text("\n")?;
    wait::for_end(foot.id(), wait::PATIENCE)?;
    foot.wait()?;
    wait::until("the desktop is empty again", || {
        let now = screen::grab(&session)?;
        empty.same(&now, empty.whole())?;
        Ok(Some(()))
    })
}

#[test]
fn weston_terminal_runs_and_grim_sees_it() -> Result<()> {
    let (_base, session) = session()?;
    let empty = still(&session)?;
    let proof = session.home().join("ran");
    let mut terminal = session.spawn("weston-terminal", &["--shell=/bin/sh"])?;
    let shown = appears(&session, &empty)?;
    ensure!(shown.colours(shown.whole()) > 2, "nothing is drawn");
    let mut hands = Hands::new(&session)?;
    hands.type_text("echo yes >$HOME/ran\n")?;
    file_says(&proof, "yes\n")?;
    hands.type_text("exit\n")?;
    wait::for_end(terminal.id(), wait::PATIENCE)?;
    terminal.wait()?;
    Ok(())
}

#[test]
fn a_window_is_dragged_by_super_and_the_mouse() -> Result<()> {
    let (_base, session) = session()?;
    let empty = still(&session)?;
    let mut foot = session.spawn(
        "foot",
        &[
            "--config=/dev/null",
            "--window-size-pixels=400x300",
            "sh",
            "-c",
            "read a",
        ],
    )?;
    let shown = appears(&session, &empty)?;
    let (_, rect) = empty.difference(&shown, empty.whole());
    let rect = rect.context("no window")?;
    let mut hands = Hands::new(&session)?;
    let (x, y) = rect.middle();
    hands.hold(key::LEFT_META, true)?;
    hands.set_modifiers(modifier::SUPER)?;
    hands.drag((x, y), (x - 100, y + 60))?;
    hands.hold(key::LEFT_META, false)?;
    hands.set_modifiers(0)?;
    let moved = still(&session)?;
    let (_, now) = empty.difference(&moved, empty.whole());
    let now = now.context("no window")?;
    assert_eq!(
        (now.x, now.y),
        (rect.x - 100, rect.y + 60),
        "{rect:?} {now:?}"
    );
    assert_eq!((now.width, now.height), (rect.width, rect.height));
    foot.kill()?;
    foot.wait()?;
    Ok(())
}

#[test]
fn the_clipboard_goes_from_program_to_program() -> Result<()> {
    let (_base, session) = session()?;
    let text = "copied: ä, \u{1f332}";
    // wl-copy stays as the owner until something else is copied; it forks by itself.
    session.run("wl-copy", &[text])?;
    let pasted = session.run("wl-paste", &["--no-newline"])?;
    assert_eq!(String::from_utf8_lossy(&pasted), text);
    session.run("wl-copy", &["--primary", "selected"])?;
    let pasted = session.run("wl-paste", &["--primary", "--no-newline"])?;
    assert_eq!(String::from_utf8_lossy(&pasted), "selected");
    Ok(())
}

#[test]
fn garbage_on_the_wayland_socket_ends_that_client_alone() -> Result<()> {
    let (_base, session) = session()?;
    let empty = still(&session)?;
    let answer = session.home().join("alive.txt");
    let mut foot = session.spawn(
        "foot",
        &[
            "--config=/dev/null",
            "sh",
            "-c",
            "read a; echo $a >$HOME/alive.txt",
        ],
    )?;
    appears(&session, &empty)?;
    let pid = session.compositor_pid().context("no compositor")?;

    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = |length: usize| -> Vec<u8> {
        (0..length)
            .map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                seed.to_le_bytes()[3]
            })
            .collect()
    };
    // wl_display.get_registry(2): good, then cut off or followed by nonsense.
    let registry: Vec<u8> = [1_u32, 12 << 16 | 1, 2]
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    let mut attacks: Vec<Vec<u8>> = vec![
        vec![0],
        registry[..7].to_vec(),
        // A message that says it is shorter than its own head; one for an object that is not; one of an unknown request.
        [1_u32, 4 << 16 | 1]
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect(),
        [77_u32, 8 << 16]
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect(),
        [1_u32, 8 << 16 | 99]
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect(),
        // wl_registry.bind of a name that nobody announced, with a string that runs past the end.
        [
            registry.clone(),
            [2_u32, 24 << 16, 9999, 4_000_000_000, 1, 1]
                .iter()
                .flat_map(|w| w.to_le_bytes())
                .collect(),
        ]
        .concat(),
    ];
    attacks.extend((1..=24).map(|n| noise(n * 173)));
    attacks.extend((1..=8).map(|n| [registry.clone(), noise(n * 64)].concat()));
    for attack in &attacks {
        let mut stream = UnixStream::connect(session.wayland_socket())?;
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        // The compositor may hang up while it is being written to.
        let _ = stream.write_all(attack);
        drop(stream);
    }
    assert_eq!(
        session.compositor_pid(),
        Some(pid),
        "the compositor has ended"
    );
    Hands::new(&session)?.type_text("still here\n")?;
    file_says(&answer, "still here\n")?;
    foot.wait()?;
    Ok(())
}
