//! Scripts: what they ask and tell the session, over its socket, as lines of JSON.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::{Client, Fixture, Window, open};
use overwinter_compositor::Options;
use overwinter_compositor::shell::Grant;
use overwinter_session::ShellEffect;
use overwinter_session::ids::{CopyId, GroupId};
use serde_json::{Value, json};

const GREY: u32 = 0x40_40_40;
const DEADLINE: Duration = Duration::from_secs(20);

struct Desk {
    fixture: Fixture,
    socket: PathBuf,
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("overwinter-test.sock");
        let mut fixture = Fixture::new();
        fixture.server.listen_for_scripts_at(&socket).unwrap();
        Desk {
            fixture,
            socket,
            dir,
        }
    }

    fn script(&self) -> Script {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_nonblocking(true).unwrap();
        Script {
            stream,
            heard: Vec::new(),
            over: false,
        }
    }

    /// The next message; none when the session hangs up instead.
    fn next(&mut self, script: &mut Script) -> Option<Value> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(message) = script.message() {
                return Some(message);
            }
            if script.over {
                return None;
            }
            assert!(Instant::now() < deadline, "the session never says anything");
            self.fixture.turn();
            script.read();
        }
    }

    fn ask(&mut self, script: &mut Script, line: &str) -> Value {
        script.write(format!("{line}\n").as_bytes());
        self.next(script).expect("an answer")
    }

    /// The next event of this name; others are passed over.
    fn event(&mut self, script: &mut Script, name: &str) -> Value {
        loop {
            let event = self.next(script).expect("an event");
            if event["event"] == name {
                return event;
            }
        }
    }
}

struct Script {
    stream: UnixStream,
    heard: Vec<u8>,
    over: bool,
}

impl Script {
    /// All of it, or the test has to turn the session meanwhile.
    fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn read(&mut self) {
        let mut part = [0; 1 << 16];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => return self.over = true,
                Ok(n) => self.heard.extend_from_slice(&part[..n]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.over = true,
            }
        }
    }

    fn message(&mut self) -> Option<Value> {
        let end = self.heard.iter().position(|b| *b == b'\n')?;
        let line: Vec<u8> = self.heard.drain(..=end).collect();
        Some(serde_json::from_slice(&line).expect("a line of JSON"))
    }
}

fn titled(desk: &mut Desk, client: &mut Client, title: &str) -> Window {
    let window = client.toplevel(&client.surface(), None);
    window.toplevel.set_title(title.into());
    window.toplevel.set_app_id("org.example.App".into());
    window.open(&mut desk.fixture, client, 300, 200, GREY);
    window
}

#[test]
fn a_script_sees_the_windows_and_acts_on_them() {
    let mut desk = Desk::new();
    let mode = std::fs::metadata(&desk.socket)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut app = desk.fixture.client();
    let first = titled(&mut desk, &mut app, "First");
    let second = titled(&mut desk, &mut app, "Second");
    let mut script = desk.script();
    let told = desk.ask(&mut script, r#"{"version":1,"id":7,"request":"windows"}"#);
    assert_eq!(
        (&told["version"], &told["id"], &told["reply"]),
        (&json!(1), &json!(7), &json!("windows"))
    );
    let windows = told["windows"].as_array().unwrap();
    let titles: Vec<&Value> = windows.iter().map(|w| &w["title"]).collect();
    assert_eq!(titles, ["First", "Second"]);
    let of_second = &windows[1];
    assert_eq!(of_second["app-id"], "org.example.App");
    assert_eq!(of_second["rect"]["width"], 300);
    assert_eq!(
        (&of_second["focused"], &windows[0]["focused"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (&of_second["asleep"], &of_second["group"]),
        (&json!(false), &Value::Null)
    );
    let focused = desk.ask(&mut script, r#"{"request":"focused"}"#);
    assert_eq!(focused["focused"], *of_second);
    let told = desk.ask(&mut script, r#"{"request":"action","name":"close"}"#);
    assert_eq!(
        told,
        json!({"version": 1, "reply": "action", "action": "close"})
    );
    desk.fixture.roundtrip(&mut app);
    assert!(app.heard(&second).closed && !app.heard(&first).closed);
    desk.ask(&mut script, r#"{"request":"action","name":"maximise"}"#);
    desk.fixture.roundtrip(&mut app);
    assert_eq!(app.heard(&second).size, (1280, 800));
    let outputs = desk.ask(&mut script, r#"{"request":"outputs"}"#);
    let output = &outputs["outputs"][0];
    assert_eq!(
        (&output["name"], &output["mode"]["width"]),
        (&json!("HEADLESS-1"), &json!(1280))
    );
    let workspaces = desk.ask(&mut script, r#"{"request":"workspaces"}"#);
    assert_eq!(workspaces["workspaces"][0]["output"], "HEADLESS-1");
    assert_eq!(
        desk.ask(&mut script, r#"{"request":"version"}"#)["version"],
        1
    );
}

#[test]
fn a_subscriber_is_told_what_happens_and_others_are_not() {
    let mut desk = Desk::new();
    let mut app = desk.fixture.client();
    let (mut script, mut other) = (desk.script(), desk.script());
    assert_eq!(
        desk.ask(&mut script, r#"{"request":"subscribe"}"#)["reply"],
        "subscribe"
    );
    let window = titled(&mut desk, &mut app, "Letter");
    let opened = desk.event(&mut script, "window-opened");
    assert_eq!(opened["window"]["title"], "Letter");
    let id = opened["window"]["id"].clone();
    assert_eq!(desk.event(&mut script, "focused")["window"], id);
    window.toplevel.set_title("Long letter".into());
    desk.fixture.roundtrip(&mut app);
    let changed = desk.event(&mut script, "window-changed");
    assert_eq!(
        (&changed["window"]["id"], &changed["window"]["title"]),
        (&id, &json!("Long letter"))
    );
    window.close();
    desk.fixture.roundtrip(&mut app);
    assert_eq!(desk.event(&mut script, "window-closed")["window"]["id"], id);
    assert_eq!(desk.event(&mut script, "focused")["window"], Value::Null);
    assert_eq!(
        desk.ask(&mut other, r#"{"request":"windows"}"#)["windows"],
        json!([])
    );
    assert!(other.heard.is_empty());
}

#[test]
fn a_window_keeps_its_id_while_its_group_sleeps() {
    let mut desk = Desk::new();
    let mut app = desk.fixture.client();
    let group = GroupId(7 << 96);
    let grant = Grant {
        group,
        copy: CopyId(1),
        pid: std::process::id() as i32,
        trial: false,
    };
    desk.fixture.server.shell.grant("cookie".into(), grant);
    let surface = app.surface();
    app.overwinter
        .get_window(&surface, "cookie".into(), "main".into(), &app.qh(), ());
    let window = app.toplevel(&surface, None);
    window.open(&mut desk.fixture, &mut app, 300, 200, GREY);
    let mut script = desk.script();
    desk.ask(&mut script, r#"{"request":"subscribe"}"#);
    desk.fixture.server.apply(ShellEffect::ShowGhost { group });
    let asleep = desk.event(&mut script, "group-asleep");
    assert_eq!(asleep["group"], group.to_string());
    // Not by the one that is told of events.
    let mut other = desk.script();
    let told = desk.ask(&mut other, r#"{"request":"windows"}"#);
    let ghost = &told["windows"][0];
    assert_eq!(
        (&ghost["asleep"], &ghost["id"]),
        (&json!(true), &json!(format!("{group}/main")))
    );
    desk.fixture.server.apply(ShellEffect::DropGhost { group });
    assert_eq!(
        desk.event(&mut script, "group-awake")["group"],
        group.to_string()
    );
}

#[test]
fn the_configuration_is_read_again_and_its_mistakes_are_told() {
    let mut desk = Desk::new();
    let file = desk.dir.path().join("desktop.toml");
    desk.fixture.server.load_config(&Options {
        config: Some(file.clone()),
        ..Options::default()
    });
    let mut script = desk.script();
    desk.ask(&mut script, r#"{"request":"subscribe"}"#);
    std::fs::write(&file, "[layout]\ngap = -1\n").unwrap();
    let mistaken = desk.event(&mut script, "config-mistaken");
    let line = mistaken["mistakes"][0].as_str().unwrap();
    assert!(line.contains("desktop.toml:2:7:"), "{line}");
    let told = desk.ask(&mut script, r#"{"request":"reload"}"#);
    assert_eq!(told["error"], mistaken["mistakes"][0]);
    std::fs::write(&file, "[layout]\ngap = 1\n").unwrap();
    desk.event(&mut script, "config-reloaded");
    assert_eq!(
        desk.ask(&mut script, r#"{"request":"reload"}"#)["reply"],
        "reload"
    );
}

#[test]
fn what_makes_no_sense_is_answered_with_what_is_wrong_about_it() {
    let mut desk = Desk::new();
    let mut script = desk.script();
    for (line, says) in [
        ("", "not a line of JSON"),
        ("windows", "not a line of JSON"),
        ("[1]", "not an object"),
        ("{}", "there is no `request`"),
        (r#"{"request":3}"#, "`request` is to be text, not 3"),
        (r#"{"request":"widnows"}"#, "unknown request `widnows`"),
        (
            r#"{"version":2,"request":"windows"}"#,
            "version 2 is not spoken here",
        ),
        (r#"{"request":"windows","all":true}"#, "unknown key `all`"),
        (r#"{"id":{},"request":"windows"}"#, "`id` is to be"),
        (r#"{"request":"action"}"#, "write \"name\""),
        (
            r#"{"request":"action","name":"clsoe"}"#,
            "did you mean `close`?",
        ),
        (
            r#"{"request":"action","name":"close"}"#,
            "no window has the focus",
        ),
        (
            r#"{"request":"action","name":"run","arguments":"foot"}"#,
            "a list of text",
        ),
        (
            r#"{"request":"action","name":"run","arguments":["foot"]}"#,
            "plain session",
        ),
        (
            r#"{"request":"action","name":"close","arguments":["x"]}"#,
            "stands alone",
        ),
    ] {
        let told = desk.ask(&mut script, line);
        let error = told["error"].as_str().unwrap_or_default();
        assert!(error.contains(says), "{line}: {told}");
    }
    let told = desk.ask(&mut script, r#"{"id":"a","request":"nothing"}"#);
    assert_eq!(told["id"], "a");
    // The last line needs no end when the script says that it was the last.
    script.write(br#"{"request":"version"}"#);
    script.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(desk.next(&mut script).unwrap()["reply"], "version");
    assert_eq!(desk.next(&mut script), None);
}

/// A little generator (xorshift): the same bytes in every run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn garbage_is_answered_line_by_line_and_harms_nobody() {
    let mut desk = Desk::new();
    let mut app = desk.fixture.client();
    let _window = open(&mut desk.fixture, &mut app, 300, 200, GREY);
    let (mut script, mut other) = (desk.script(), desk.script());
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let sensible = br#"{"version":1,"id":1,"request":"action","name":"run","arguments":["a"]}"#;
    for _ in 0..2000 {
        let mut line = sensible.to_vec();
        match random(&mut seed) % 3 {
            0 => {
                line = (0..random(&mut seed) % 200)
                    .map(|_| random(&mut seed) as u8)
                    .collect()
            }
            1 => line.truncate(random(&mut seed) as usize % line.len()),
            _ => {
                for _ in 0..1 + random(&mut seed) % 4 {
                    let at = random(&mut seed) as usize % line.len();
                    line[at] = random(&mut seed) as u8;
                }
            }
        }
        line.retain(|b| *b != b'\n');
        line.push(b'\n');
        script.write(&line);
        let told = desk.next(&mut script).expect("an answer");
        assert!(told["error"].is_string(), "{told}");
    }
    assert_eq!(
        desk.ask(&mut script, r#"{"request":"version"}"#)["reply"],
        "version"
    );
    let windows = desk.ask(&mut other, r#"{"request":"windows"}"#);
    assert_eq!(windows["windows"].as_array().unwrap().len(), 1);
    desk.fixture.roundtrip(&mut app);
}

#[test]
fn a_line_without_end_ends_the_connection_and_no_other() {
    let mut desk = Desk::new();
    let (mut script, mut other) = (desk.script(), desk.script());
    let endless = vec![b'{'; 32 << 10];
    let deadline = Instant::now() + DEADLINE;
    // It hangs up when it has had enough.
    while script
        .stream
        .write(&endless)
        .map_or_else(|e| e.kind() == ErrorKind::WouldBlock, |_| true)
    {
        assert!(Instant::now() < deadline, "it takes a line without end");
        desk.fixture.turn();
    }
    assert_eq!(
        desk.ask(&mut other, r#"{"request":"version"}"#)["reply"],
        "version"
    );
}

#[test]
fn who_asks_and_does_not_read_is_asked_no_more_until_it_does() {
    let mut desk = Desk::new();
    let (mut script, mut other) = (desk.script(), desk.script());
    let mut asked = 0;
    let mut quiet = 0;
    // Requests of one size, so that a partial write never splits one that is counted.
    while quiet < 20 && asked < 100_000 {
        let line = format!("{{\"id\":{asked:09},\"request\":\"nothing\"}}\n");
        let line = line.replace("\"id\":", "\"id\":1");
        match script.stream.write(line.as_bytes()) {
            Ok(n) => {
                assert_eq!(n, line.len());
                asked += 1;
                quiet = 0;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                desk.fixture.turn();
                quiet += 1;
            }
            Err(e) => panic!("the session hung up: {e}"),
        }
    }
    assert!(asked < 100_000, "it takes whatever comes");
    assert_eq!(
        desk.ask(&mut other, r#"{"request":"version"}"#)["reply"],
        "version"
    );
    for n in 0..asked {
        let told = desk.next(&mut script).expect("an answer");
        assert_eq!(told["id"], json!(1_000_000_000 + n));
    }
}

#[test]
fn a_subscriber_that_does_not_read_is_dropped() {
    let mut desk = Desk::new();
    let mut app = desk.fixture.client();
    let (mut script, mut other) = (desk.script(), desk.script());
    desk.ask(&mut script, r#"{"request":"subscribe"}"#);
    let window = titled(&mut desk, &mut app, "0");
    for n in 0..600 {
        window
            .toplevel
            .set_title(format!("{n}{}", "x".repeat(3000)));
        desk.fixture.roundtrip(&mut app);
    }
    let deadline = Instant::now() + DEADLINE;
    while !script.over {
        assert!(Instant::now() < deadline, "it is still connected");
        script.read();
        desk.fixture.turn();
    }
    assert_eq!(
        desk.ask(&mut other, r#"{"request":"version"}"#)["reply"],
        "version"
    );
}

#[test]
fn so_many_scripts_and_no_more() {
    let mut desk = Desk::new();
    let mut scripts: Vec<Script> = (0..32).map(|_| desk.script()).collect();
    for script in &mut scripts {
        assert_eq!(
            desk.ask(script, r#"{"request":"version"}"#)["reply"],
            "version"
        );
    }
    let mut late = desk.script();
    let told = desk.next(&mut late).expect("a word");
    assert!(
        told["error"]
            .as_str()
            .unwrap()
            .contains("32 scripts are connected")
    );
    assert_eq!(desk.next(&mut late), None);
    scripts.pop();
    let deadline = Instant::now() + DEADLINE;
    loop {
        // That one has gone is noticed when the session next looks.
        desk.fixture.turn();
        let mut next = desk.script();
        if desk.ask(&mut next, r#"{"request":"version"}"#)["reply"] == "version" {
            break;
        }
        assert!(Instant::now() < deadline, "its place is never free");
    }
}
