//! A picture of a desktop in use: six programs, a bar and a background. Two of the programs sleep; what is seen of them are
//! their ghosts.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use overwinter_tests::input::Hands;
use overwinter_tests::install;
use overwinter_tests::notes::ask;
use overwinter_tests::place::programs;
use overwinter_tests::screen::{self, Picture};
use overwinter_tests::session::{Session, Wish};
use overwinter_tests::story::{calm, still};
use overwinter_tests::wait;

use crate::panel::Panel;
use crate::roster::apps::{LETTER, OFFICE};

/// Pixels.
const SIZE: (u32, u32) = (1920, 1200);

/// How long a big program may take to show itself.
const START: Duration = Duration::from_secs(90);

/// Id of the example in Python.
const NOTES: &str = "org.example.PyNotes";

/// Puts the desktop together and takes its picture.
///
/// # Errors
/// Which part of it did not come, or did not fall asleep.
pub fn picture(file: &Path) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("ow-").tempdir()?;
    let library = folder.path().join("usr");
    let mut wish = Wish::headless(folder.path().join("s"));
    wish.env = python(&library).into_iter().collect();
    install_library(&library)?;
    let mut session = Session::prepare(wish.clone())?;
    install::editor(&session, 1)?;
    notes(&session)?;
    session.restart(wish.env)?;
    let mut desktop = Desktop::new(session)?;
    desktop.furnish()?;
    desktop.open_sleepers()?;
    desktop.open_others()?;
    desktop.put_to_sleep()?;
    let picture = calm(&desktop.session)?;
    picture.save(file)
}

/// What a program in Python needs in its environment.
fn python(library: &Path) -> Vec<(String, String)> {
    let package = root().join("client-lib/python");
    vec![
        (
            "LD_LIBRARY_PATH".into(),
            library.join("lib").display().to_string(),
        ),
        ("PYTHONPATH".into(), package.display().to_string()),
        ("PYTHONDONTWRITEBYTECODE".into(), "1".into()),
    ]
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Installs the library for other languages, as its user would.
fn install_library(prefix: &Path) -> Result<()> {
    let output = std::process::Command::new(root().join("scripts/install-c"))
        .arg(prefix)
        .arg(programs().join("liboverwinter_c.so"))
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "scripts/install-c: {said}");
    Ok(())
}

/// Installs the example in Python.
fn notes(session: &Session) -> Result<()> {
    let program = root().join("client-lib/python/examples/notes.py");
    install::app(session, NOTES, "Notes", "2.0", &program, "notes", "")
}

struct Desktop {
    session: Session,
    hands: Hands,
    panel: Panel,
    /// How many windows there are.
    windows: usize,
}

impl Desktop {
    fn new(session: Session) -> Result<Self> {
        let output = session.run("wlr-randr", &[])?;
        let output = String::from_utf8_lossy(&output).into_owned();
        let name = output.split_whitespace().next().context("no output")?;
        let mode = format!("{}x{}", SIZE.0, SIZE.1);
        session.run("wlr-randr", &["--output", name, "--custom-mode", &mode])?;
        let mut hands = Hands::new(&session)?;
        hands.set_extent(SIZE.0, SIZE.1);
        let panel = Panel::new(&session)?;
        Ok(Desktop {
            session,
            hands,
            panel,
            windows: 0,
        })
    }

    /// A background and a bar.
    fn furnish(&self) -> Result<()> {
        let home = self.session.home();
        let config = home.join("waybar.json");
        fs::write(
            &config,
            r#"{"layer":"top","position":"top","height":32,"modules-left":["custom/name"],"modules-center":["wlr/taskbar"],
                "modules-right":["custom/season"],"wlr/taskbar":{"format":"{title:.24}"},
                "custom/name":{"format":"Overwinter"},"custom/season":{"format":"winter"}}"#,
        )?;
        let style = home.join("waybar.css");
        fs::write(
            &style,
            "* { font-family: Cantarell; font-size: 15px; border: none; border-radius: 0; } \
             window { background: #17202b; color: #dfe7ef; } \
             #custom-name, #custom-season { padding: 0 14px; } #taskbar button { color: #dfe7ef; padding: 0 10px; } \
             #taskbar button.active { background: #2d4258; }",
        )?;
        self.session.spawn("swaybg", &["--color", "#2b3d50"])?;
        let bar: Vec<String> = [config, style]
            .iter()
            .map(|p| p.display().to_string())
            .collect();
        self.session
            .spawn("waybar", &["-c", &bar[0], "-s", &bar[1]])?;
        wait::until("the bar is there", || {
            let picture = screen::grab(&self.session)?;
            let drawn = picture.at(4, 4) == [0x17, 0x20, 0x2b];
            let behind = picture.at(4, SIZE.1 - 4) == [0x2b, 0x3d, 0x50];
            Ok((drawn && behind).then_some(()))
        })
    }

    /// The two that will sleep.
    fn open_sleepers(&mut self) -> Result<()> {
        let document = self.session.home().join("architecture.md");
        fs::copy(root().join("docs/architecture.md"), &document)?;
        let before = self.look()?;
        ask(
            &self.session,
            &["launch", install::EDITOR, &document.display().to_string()],
        )?;
        self.opened(&before)?;
        let before = self.look()?;
        ask(&self.session, &["launch", NOTES])?;
        self.opened(&before)?;
        self.hands.type_text(
            "Shopping, before the snow\n\n- tea\n- candles\n- a book that is long enough\n",
        )?;
        Ok(())
    }

    /// The four that nobody wrote for Overwinter.
    fn open_others(&mut self) -> Result<()> {
        let home = self.session.home();
        let page = home.join("page.html");
        fs::write(&page, PAGE)?;
        let profile = format!("--user-data-dir={}", home.join("chromium").display());
        let flags = [
            "--ozone-platform=wayland",
            "--no-sandbox",
            // Says nothing about that in its window.
            "--test-type",
            "--no-first-run",
            "--no-default-browser-check",
            "--password-store=basic",
            "--disable-gpu",
            "--window-size=620,480",
            &profile,
            &format!("file://{}", page.display()),
        ];
        self.open("chromium", &flags, &[])?;

        let profile = home.join("office");
        fs::create_dir_all(profile.join("user"))?;
        fs::write(
            profile.join("user/registrymodifications.xcu"),
            OFFICE.replace("</oor:items>", &format!("{WRITER_SIZE}</oor:items>")),
        )?;
        let letter = home.join("letter.fodt");
        let text = "Dear neighbour, the snow came early this year. Nothing had to be closed for it. Yours, H.";
        fs::write(&letter, LETTER.replace("middle", text))?;
        let writer = [
            "--writer",
            "--norestore",
            "--nologo",
            &format!("-env:UserInstallation=file://{}", profile.display()),
            &letter.display().to_string(),
        ];
        let gtk = [("SAL_USE_VCLPLUGIN", "gtk3")];
        self.open("soffice", &writer, &gtk)?;

        let film = [
            "--no-config",
            "--vo=wlshm",
            "--ao=null",
            "--osc=no",
            "--pause",
            "--title=Film",
            "av://lavfi:gradients=size=480x300:c0=0x0b1d33:c1=0x4f7ca8:c2=0xdfe9f3:nb_colors=3:seed=7",
        ];
        self.open("mpv", &film, &[])?;

        let shell = "printf '$ '; read -r line; $line; printf '$ '; exec sleep infinity";
        let terminal = [
            "--config=/dev/null",
            "--window-size-pixels=600x250",
            "--title=Terminal",
            "sh",
            "-c",
            shell,
        ];
        self.open("foot", &terminal, &[])?;
        Ok(())
    }

    /// Starts a program and waits for its window. Where it stands is the shell's choice.
    fn open(&mut self, program: &str, arguments: &[&str], env: &[(&str, &str)]) -> Result<()> {
        let before = self.look()?;
        // `env` becomes the program.
        let env: Vec<String> = env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut words: Vec<&str> = env.iter().map(String::as_str).collect();
        words.push(program);
        words.extend(arguments);
        self.session.spawn("env", &words)?;
        self.opened(&before).with_context(|| program.to_owned())
    }

    /// Waits for a new window that has the keyboard, and until it is drawn.
    fn opened(&mut self, before: &Picture) -> Result<()> {
        self.windows += 1;
        let wanted = self.windows;
        self.panel.wait(START, "another window", |all| {
            let open: Vec<_> = all.iter().filter(|t| !t.closed && t.is_named()).collect();
            let newest_is_active = open.last().is_some_and(|t| t.active);
            (open.len() >= wanted && newest_is_active).then_some(())
        })?;
        wait::until("it is drawn", || {
            let (count, _) = before.difference(&self.look()?, before.whole());
            Ok((count > 10_000).then_some(()))
        })
    }

    /// The desktop once it stands still.
    fn look(&self) -> Result<Picture> {
        still(&self.session)
    }

    /// Hibernates the two of ours and waits for the end of their processes.
    fn put_to_sleep(&mut self) -> Result<()> {
        for title in ["architecture.md", "A note"] {
            ask(&self.session, &["hibernate", title])?;
        }
        wait::until("two groups sleep and the editor has ended", || {
            let status = self.session.overwinter(&["status"])?;
            let asleep = status.out.matches(" asleep ").count();
            ensure!(asleep == 2, "{asleep} groups sleep: {}", status.out);
            let editors = self.session.running(install::EDITOR_PROGRAM)?;
            Ok(editors.is_empty().then_some(()))
        })?;
        // The terminal was opened last and has the keyboard.
        let before = self.look()?;
        self.hands.type_text("overwinter status\n")?;
        wait::until("the terminal lists the groups", || {
            let (count, _) = before.difference(&self.look()?, before.whole());
            Ok((count > 1_500).then_some(()))
        })?;
        // The pointer goes where it points at nothing.
        self.hands.point((SIZE.0 - 2, SIZE.1 - 2))
    }
}

/// How big Writer's window is.
const WRITER_SIZE: &str = "<item oor:path=\"/org.openoffice.Setup/Office/Factories/\
    org.openoffice.Setup:Factory['com.sun.star.text.TextDocument']\"><prop oor:name=\"ooSetupFactoryWindowAttributes\" \
    oor:op=\"fuse\"><value>0,0,560,620;1;0,0,0,0;</value></prop></item>";

/// Something to read.
const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Dormice</title>
<style>body{font:17px/1.5 Cantarell,sans-serif;margin:2em;color:#234;background:linear-gradient(#e8f0f7,#fff)}h1{margin:0}</style>
<h1>Dormice</h1><p>Edible dormice sleep for seven months of the year, sometimes eleven. They wake where they fell asleep,
and go on with what they were doing.</p><p>Before they sleep they double their weight.</p>"#;
