//! What is accepted, what is said about the rest, and that nothing panics.

use overwinter_config::*;
use proptest::prelude::*;

/// Stands for xkbcommon: names of a few keys, and letters and digits by themselves.
fn keysym(name: &str) -> Option<u32> {
    let named = [
        "Return",
        "Tab",
        "Left",
        "Right",
        "Up",
        "Down",
        "comma",
        "period",
        "space",
        "minus",
        "equal",
        "Page_Up",
        "Page_Down",
        "Escape",
        "Delete",
    ];
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if letter.is_ascii_alphanumeric() => Some(u32::from(letter)),
        _ => Some(0xff00 + named.iter().position(|n| *n == name)? as u32),
    }
}

fn parse(text: &str) -> Result<Config, Mistakes> {
    Config::parse("desktop.toml", text, &Config::default(), &keysym)
}

fn said(text: &str) -> String {
    parse(text)
        .map(|c| panic!("accepted: {c:?}"))
        .unwrap_or_else(|m| m.to_string())
}

fn chord(letter: char) -> Chord {
    Chord {
        logo: true,
        ctrl: false,
        alt: false,
        shift: false,
        keysym: u32::from(letter),
    }
}

#[test]
fn what_is_shipped_is_the_default_with_keys_and_programs() {
    let mut shipped = Config::shipped(&keysym).unwrap();
    assert_eq!(shipped.keys[&chord('q')], Action::Close);
    assert_eq!(shipped.autostart[0].run, ["waybar"]);
    shipped.keys.clear();
    shipped.autostart.clear();
    assert_eq!(shipped, Config::default());
}

#[test]
fn every_key_is_explained_in_what_is_shipped() {
    let sections = [
        "keyboard",
        "touchpad",
        "mouse",
        "layout",
        "appearance",
        "[output]",
        "[autostart]",
    ];
    for section in sections {
        // The list of those known comes with the mistake.
        let mistakes = said(&format!("[{section}]\nzzzzzz = 1"));
        let (_, known) = mistakes.split_once("known here: ").unwrap();
        let known = known.lines().next().unwrap();
        let header = format!("[{section}]");
        let lines: Vec<&str> = SHIPPED
            .lines()
            .map(|l| l.trim_start_matches("# "))
            .collect();
        let start = lines.iter().position(|l| *l == header).unwrap();
        for key in known.split(", ") {
            let line = lines[start..]
                .iter()
                .position(|l| l.starts_with(&format!("{key} = ")));
            let line = start + line.unwrap_or_else(|| panic!("{section}: {key} is not shown"));
            let before = SHIPPED.lines().nth(line - 1).unwrap();
            assert!(
                before.starts_with("# "),
                "{section}: {key} is not explained"
            );
        }
    }
    let mistakes = said("[keys]\n\"Super+a\" = \"zzzzzz\"");
    let (_, actions) = mistakes.split_once("known here: ").unwrap();
    for action in actions.split(", ") {
        let word = action.trim_start_matches("{ ").split(" =").next().unwrap();
        let shown =
            SHIPPED.contains(&format!("\"{word}\"")) || SHIPPED.contains(&format!("{word} = "));
        assert!(shown, "{word} is not shown");
    }
}

#[test]
fn the_sample_of_an_output_means_something() {
    let start = SHIPPED.find("# [[output]]").unwrap();
    let sample = SHIPPED[start..].split("\n\n").next().unwrap();
    let code = |l: &&str| l.starts_with('[') || l.contains(" = ");
    let lines = sample.lines().map(|l| l.trim_start_matches("# "));
    let lines: Vec<&str> = lines.filter(code).collect();
    let outputs = parse(&lines.join("\n")).unwrap().outputs;
    let mode = Mode {
        width: 3840,
        height: 2160,
        refresh_mhz: Some(60_000),
    };
    assert_eq!((outputs[0].mode, outputs[0].scale), (Some(mode), Some(1.5)));
    assert!(
        outputs[0]
            .matches
            .means("DP-1", "Dell Inc.", "DELL U2723QE", "ABC123")
    );
    assert!(
        !outputs[0]
            .matches
            .means("DP-2", "Dell Inc.", "DELL U2723QE", "ABC123")
    );
}

#[test]
fn a_file_says_only_what_is_different() {
    let base = Config::shipped(&keysym).unwrap();
    let text = "[layout]\ntile = true\n[keys]\n\"Super+q\" = \"none\"\n\"Super+Z\" = { run = [\"a\", \"b\"] }";
    let config = Config::parse("desktop.toml", text, &base, &keysym).unwrap();
    assert!(config.layout.tile);
    assert_eq!(config.layout.gap, base.layout.gap);
    assert!(!config.keys.contains_key(&chord('q')));
    assert_eq!(
        config.keys[&chord('z')],
        Action::Run(vec!["a".into(), "b".into()])
    );
    assert_eq!(config.keys[&chord('d')], base.keys[&chord('d')]);
    assert_eq!(config.autostart, base.autostart);
}

#[test]
fn mistakes_say_where_what_and_how() {
    for (text, expected) in [
        (
            "[layuot]\n",
            "1:2: unknown key `layuot`: did you mean `layout`? Known here: keyboard, touchpad, mouse, layout, appearance, output, autostart, keys",
        ),
        (
            "[layout]\n  gap = 300\n",
            "2:9: 300 does not fit here: write a whole number from 0 to 256",
        ),
        (
            "[layout]\ngap = \"wide\"\n",
            "2:7: `wide` does not fit here: write a whole number from 0 to 256",
        ),
        (
            "[touchpad]\nscroll = \"edges\"",
            "2:10: unknown word `edges`: did you mean `edge`? Known here: two-fingers, edge, none",
        ),
        (
            "[touchpad]\nspeed = nan",
            "2:9: nan does not fit here: write a number from -1 to 1",
        ),
        (
            "[touchpad]\ntap = 1",
            "2:7: 1 does not fit here: write `true` or `false`",
        ),
        (
            "[appearance]\nbackground = \"#+2+3+4\"",
            "2:14: `#+2+3+4` does not fit here: write a colour: \"#20242c\"",
        ),
        (
            "[[output]]\nscale = 2",
            "1:1: this output is none: say which one: connector = \"DP-1\", or make, model and serial",
        ),
        (
            "[output]\nconnector = \"DP-1\"",
            "1:1: a value of type table does not fit here: write `[[output]]`, with two brackets: there may be several",
        ),
        (
            "[keys]\n\"Suepr+a\" = \"close\"",
            "2:1: unknown modifier `Suepr`: did you mean `Super`? Known here: Super, Ctrl, Alt, Shift",
        ),
        (
            "[keys]\n\"Super+Enter\" = \"close\"",
            "2:1: unknown key `Enter`: write its XKB name (`Return`, `Left`, `F5`, `plus`, `XF86AudioMute`); `wev` shows them",
        ),
        (
            "[keys]\n\"Super+a\" = \"close\"\n\"Super+A\" = \"float\"",
            "3:1: `Super+A` is bound twice, here and as `Super+a`: remove one of the two",
        ),
        (
            "[keys]\n\"Super+a\" = { run = [] }",
            "2:21: there is nothing in it: write the program's name first",
        ),
        (
            "[keys]\n\"Super+a\" = {}",
            "2:13: a key does one thing, this one 0: write one action in the braces",
        ),
        (
            "[keyboard]\nlayout = \"de\"\nlayout = \"us\"",
            "3:1: duplicate key: see toml.io for how it is written",
        ),
    ] {
        assert_eq!(said(text), format!("desktop.toml:{expected}"), "{text}");
    }
}

#[test]
fn all_mistakes_are_told_in_their_order() {
    let told = said("[mouse]\nspeed = 2\nfast = true\n[keyboard]\nrepeat-rate = -1\n");
    let lines: Vec<&str> = told
        .lines()
        .map(|l| l.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        lines,
        ["desktop.toml:2:9", "desktop.toml:3:1", "desktop.toml:5:15"]
    );
}

#[test]
fn absurd_files_are_refused_quickly() {
    assert!(said(&"#".repeat(2 << 20)).contains("the file has 2097152 bytes"));
    assert!(parse(&format!("a = {}", "[".repeat(100_000))).is_err());
    assert!(parse(&"a.".repeat(50_000)).is_err());
    assert!(said(&format!("[layout]\n{} = 1", "g".repeat(500_000))).contains("unknown key"));
    let many: String = (0..10_000).map(|n| format!("[x{n}]\n")).collect();
    assert_eq!(said(&many).lines().count(), 50);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn nothing_that_looks_like_a_configuration_panics(
        parts in prop::collection::vec(prop::sample::select(vec![
            "[keys]\n", "[[output]]\n", "[layout]\n", "[touchpad]\n", "\"Super+a\"", "gap", "speed", "mode", "position", "run",
            " = ", "[", "]", "{", "}", ",", "\n", "\"", "'''", "1e999", "0x8", "-0", "inf", "1979-05-27", "true", "ü", "\0", ".", "#",
            "\"1x1@\"", "\"#é12345\"", "\"/\"", "column-width", "background", "\"+\"", "\"Super+\"", "keys",
        ]), 0..40),
    ) {
        check(&parts.concat())?;
    }

    /// What is shipped, with a few letters changed.
    #[test]
    fn no_slip_of_the_finger_panics(slips in prop::collection::vec((any::<prop::sample::Index>(), any::<char>(), any::<bool>()), 1..8)) {
        let mut text: Vec<char> = SHIPPED.chars().collect();
        for (at, letter, instead) in slips {
            let at = at.index(text.len());
            if instead { text[at] = letter } else { text.insert(at, letter) }
        }
        check(&text.into_iter().collect::<String>())?;
    }
}

/// It is read, or every mistake is somewhere in the text and says something.
fn check(text: &str) -> Result<(), TestCaseError> {
    if let Err(mistakes) = parse(text) {
        prop_assert!(!mistakes.mistakes.is_empty());
        for m in &mistakes.mistakes {
            let line = text.split('\n').nth(m.line - 1);
            prop_assert!(
                line.is_some_and(|l| m.column >= 1 && m.column <= l.chars().count() + 2),
                "{m:?}"
            );
            prop_assert!(!m.what.is_empty() && !m.cure.is_empty());
        }
    }
    Ok(())
}

#[test]
fn scripts_write_actions_by_the_names_that_keys_have() {
    let from = |name: &str, more: &[&str]| {
        let more: Vec<String> = more.iter().map(|s| s.to_string()).collect();
        Action::from_words(name, &more)
    };
    assert_eq!(from("focus-left", &[]), Ok(Action::Focus(Side::Left)));
    let run = Action::Run(vec!["foot".into(), "-e".into()]);
    assert_eq!(from("run", &["foot", "-e"]), Ok(run));
    let width = Share { part: 2, whole: 3 };
    assert_eq!(
        from("column-width", &["2/3"]),
        Ok(Action::ColumnWidth(width))
    );
    let name = "mail".to_owned();
    assert_eq!(
        from("show-workspace", &["mail"]),
        Ok(Action::ShowWorkspace(name))
    );
    for (name, more, says) in [
        ("focus-lfet", &[][..], "did you mean `focus-left`?"),
        ("none", &[], "unknown action"),
        ("close", &["now"], "stands alone"),
        ("run", &[], "write `run PROGRAM"),
        ("run", &[""], "write `run PROGRAM"),
        ("column-width", &["3/2"], "write `column-width 1/2`"),
        (
            "send-to-workspace",
            &["a", "b"],
            "write `send-to-workspace NAME`",
        ),
    ] {
        let told = from(name, more).unwrap_err();
        assert!(told.contains(says), "{name}: {told}");
    }
}
