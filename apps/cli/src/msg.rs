//! `overwinter msg`: what scripts ask the desktop, over its own socket (docs/msg.md). No D-Bus is involved.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::args::{Msg, MsgRequest};
use crate::bus::Trouble;
use crate::report::{columns, plain};

/// Asks, and prints the answer.
pub fn ask(msg: &Msg, patience: Duration) -> Result<(), Trouble> {
    let mut desk = Desk::connect(msg.socket.as_deref(), patience)?;
    let (name, request) = match &msg.request {
        MsgRequest::Version => ("version", json!({})),
        MsgRequest::Windows => ("windows", json!({})),
        MsgRequest::Workspaces => ("workspaces", json!({})),
        MsgRequest::Outputs => ("outputs", json!({})),
        MsgRequest::Focused => ("focused", json!({})),
        MsgRequest::Reload => ("reload", json!({})),
        MsgRequest::Subscribe => ("subscribe", json!({})),
        MsgRequest::Action { name, arguments } => {
            ("action", json!({"name": name, "arguments": arguments}))
        }
    };
    let answer = desk.request(name, request)?;
    if let MsgRequest::Subscribe = msg.request {
        return desk.follow(msg.json);
    }
    if msg.json {
        say(&format!("{answer}\n"));
        return Ok(());
    }
    let text = match &msg.request {
        MsgRequest::Version => format!(
            "Overwinter {} on {}, which speaks version {}\n",
            word(&answer["overwinter"]),
            word(&answer["wayland-display"]),
            answer["version"]
        ),
        MsgRequest::Windows => windows(list(&answer["windows"])),
        MsgRequest::Focused => match &answer["focused"] {
            Value::Null => "no window has the focus\n".into(),
            window => windows(std::slice::from_ref(window)),
        },
        MsgRequest::Workspaces => workspaces(list(&answer["workspaces"])),
        MsgRequest::Outputs => outputs(list(&answer["outputs"])),
        MsgRequest::Reload => "the configuration was read; it counts from now on\n".into(),
        MsgRequest::Action { .. } | MsgRequest::Subscribe => String::new(),
    };
    say(&text);
    Ok(())
}

/// A reader that has gone (`| head`) is no trouble.
fn say(text: &str) {
    if std::io::stdout().write_all(text.as_bytes()).is_err() {
        std::process::exit(0);
    }
}

struct Desk {
    reader: BufReader<UnixStream>,
}

impl Desk {
    fn connect(socket: Option<&Path>, patience: Duration) -> Result<Desk, Trouble> {
        let path = match socket {
            Some(path) => path.to_owned(),
            None => find()?,
        };
        let stream = UnixStream::connect(&path).map_err(|e| {
            Trouble::usage(format!(
                "no Overwinter desktop can be reached at {}: {e}. Nothing was changed. Run this inside the session, or name its \
                 socket with --socket.",
                path.display()
            ))
        })?;
        let timeout = Some(patience.max(Duration::from_millis(1)));
        let set = stream.set_read_timeout(timeout);
        let set = set.and_then(|()| stream.set_write_timeout(timeout));
        set.map_err(|e| Trouble::failed(format!("the socket cannot be used: {e}")))?;
        Ok(Desk {
            reader: BufReader::new(stream),
        })
    }

    fn request(&mut self, name: &str, mut request: Value) -> Result<Value, Trouble> {
        request["version"] = json!(1);
        request["request"] = json!(name);
        let line = format!("{request}\n");
        let sent = self.reader.get_mut().write_all(line.as_bytes());
        sent.map_err(|e| Trouble::failed(format!("the desktop cannot be asked: {e}")))?;
        let answer = self.next()?.ok_or_else(|| {
            Trouble::failed(
                "the desktop hung up without an answer. It may have ended; run this again.",
            )
        })?;
        match answer["error"].as_str() {
            Some(why) => Err(Trouble::failed(lines(why))),
            None => Ok(answer),
        }
    }

    fn next(&mut self) -> Result<Option<Value>, Trouble> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line);
        let read = read.map_err(|e| {
            Trouble::failed(format!(
                "the desktop does not answer: {e}. What was asked may still happen; --timeout gives it more time."
            ))
        })?;
        if read == 0 {
            return Ok(None);
        }
        let answer = serde_json::from_str(&line);
        answer.map(Some).map_err(|e| {
            Trouble::failed(format!(
                "the desktop says what is no JSON ({e}): {}",
                plain(&line)
            ))
        })
    }

    /// Prints events until the desktop ends.
    fn follow(&mut self, as_json: bool) -> Result<(), Trouble> {
        let forever = self.reader.get_ref().set_read_timeout(None);
        forever.map_err(|e| Trouble::failed(format!("the socket cannot be used: {e}")))?;
        while let Some(event) = self.next()? {
            match as_json {
                true => say(&format!("{event}\n")),
                false => say(&told(&event)),
            }
        }
        Ok(())
    }
}

/// The socket of the desktop that this runs in; of the only one if it runs in none.
fn find() -> Result<PathBuf, Trouble> {
    let nowhere = || {
        Trouble::usage(
            "no Overwinter desktop is to be found: XDG_RUNTIME_DIR is not set. Nothing was changed. Run this inside the session, \
             or name its socket with --socket.",
        )
    };
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = PathBuf::from(set("XDG_RUNTIME_DIR").ok_or_else(nowhere)?);
    let own = set("WAYLAND_DISPLAY").map(PathBuf::from);
    if let Some(display) = own.as_deref().and_then(Path::file_name) {
        let mine = folder.join(format!("overwinter-{}.sock", display.to_string_lossy()));
        if mine.exists() {
            return Ok(mine);
        }
    }
    let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let all: Vec<PathBuf> = files
        .map(|file| file.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("overwinter-wayland") && name.ends_with(".sock")
        })
        .collect();
    match &all[..] {
        [one] => Ok(one.clone()),
        [] => Err(Trouble::usage(format!(
            "no Overwinter desktop can be reached: there is no socket of one in {}. Nothing was changed. Run this inside the session.",
            folder.display()
        ))),
        many => Err(Trouble::usage(format!(
            "which desktop? Nothing was changed. Set WAYLAND_DISPLAY, or name one with --socket: {}",
            many.iter()
                .map(|p| p.display().to_string())
                .collect::<Vec<_>>()
                .join(", ")
        ))),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => plain(text),
        other => plain(&other.to_string()),
    }
}

/// Several lines, none of which moves the cursor about.
fn lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn rect(value: &Value) -> String {
    let part = |name: &str| value[name].as_i64();
    match (part("width"), part("height"), part("x"), part("y")) {
        (Some(w), Some(h), Some(x), Some(y)) => format!("{w}x{h} at {x},{y}"),
        _ => "-".into(),
    }
}

fn windows(windows: &[Value]) -> String {
    if windows.is_empty() {
        return "no window is open\n".into();
    }
    let head = ["ID", "APP", "STATE", "PLACE", "WORKSPACE", "TITLE"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for window in windows {
        let mut state = word(&window["mode"]);
        for (flag, name) in [
            ("asleep", "asleep"),
            ("focused", "focused"),
            ("minimised", "minimised"),
        ] {
            if window[flag] == true {
                let _ = write!(state, ", {name}");
            }
        }
        let id = word(&window["id"]);
        // A group's id is long; its first digits are what `status` shows.
        let id = match id.split_once('/') {
            Some((group, name)) => format!("{}/{name}", crate::status::short(group)),
            None => id,
        };
        let (app, title) = (word(&window["app-id"]), word(&window["title"]));
        rows.push(vec![
            id,
            app,
            state,
            rect(&window["rect"]),
            word(&window["workspace"]),
            title,
        ]);
    }
    columns(&rows)
}

fn workspaces(all: &[Value]) -> String {
    let mut rows = vec![["NAME", "OUTPUT", "STATE"].map(String::from).to_vec()];
    for workspace in all {
        let state = match (workspace["shown"] == true, workspace["focused"] == true) {
            (_, true) => "focused",
            (true, false) => "shown",
            (false, false) => "-",
        };
        rows.push(vec![
            word(&workspace["name"]),
            word(&workspace["output"]),
            state.into(),
        ]);
    }
    columns(&rows)
}

fn outputs(all: &[Value]) -> String {
    let head = ["NAME", "MODE", "SCALE", "PLACE", "TURNED", "MAKE AND MODEL"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for output in all {
        let mode = &output["mode"];
        let hertz = mode["refresh"].as_f64().unwrap_or_default() / 1000.0;
        let mode = format!("{}x{}@{hertz}", word(&mode["width"]), word(&mode["height"]));
        let made = format!("{} {}", word(&output["make"]), word(&output["model"]));
        let place = match output["enabled"] == false {
            true => "not in use".into(),
            false => rect(&output["rect"]),
        };
        let (scale, turned) = (word(&output["scale"]), word(&output["transform"]));
        rows.push(vec![
            word(&output["name"]),
            mode,
            scale,
            place,
            turned,
            made,
        ]);
    }
    columns(&rows)
}

/// An event as a line for people.
fn told(event: &Value) -> String {
    let window = &event["window"];
    let about = match event["event"].as_str().unwrap_or_default() {
        "focused" => word(window),
        "window-closed" => word(&window["id"]),
        "window-opened" | "window-changed" => {
            format!("{}  {}", word(&window["id"]), word(&window["title"]))
        }
        "group-asleep" | "group-awake" => word(&event["group"]),
        "workspaces" => {
            let shown = list(&event["workspaces"])
                .iter()
                .filter(|w| w["shown"] == true);
            shown
                .map(|w| word(&w["name"]))
                .collect::<Vec<_>>()
                .join(" ")
        }
        "outputs" => {
            let all = list(&event["outputs"]).iter();
            all.map(|o| word(&o["name"])).collect::<Vec<_>>().join(" ")
        }
        "config-mistaken" => {
            let all = list(&event["mistakes"]).iter();
            all.map(word).collect::<Vec<_>>().join("; ")
        }
        _ => String::new(),
    };
    let text = format!("{:<15}  {about}", word(&event["event"]));
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_a_table_without_control_characters() {
        let all = [
            json!({"id": "3", "title": "a\u{1b}[31m", "app-id": "x", "group": null, "asleep": false, "focused": true,
                   "mode": "floating", "rect": {"x": 1, "y": -2, "width": 30, "height": 40}, "parent": null}),
            json!({"id": "aabbccdd00000000000000000000000a/main", "title": "b", "app-id": "org.x", "asleep": true,
                   "mode": "maximised", "rect": null, "workspace": "mail"}),
        ];
        assert_eq!(
            windows(&all),
            "ID             APP    STATE              PLACE          WORKSPACE  TITLE\n\
             3              x      floating, focused  30x40 at 1,-2  -          a [31m\n\
             aabbccdd/main  org.x  maximised, asleep  -              mail       b\n"
        );
        assert_eq!(windows(&[]), "no window is open\n");
    }

    #[test]
    fn outputs_and_workspaces_are_tables_whatever_is_left_out() {
        let output = json!({"name": "DP-1", "make": "M", "model": "O", "scale": 1.5, "transform": "90", "enabled": true,
                            "rect": {"x": 0, "y": 0, "width": 400, "height": 300},
                            "mode": {"width": 600, "height": 450, "refresh": 60000}});
        assert_eq!(
            outputs(&[output, json!({})]),
            "NAME  MODE        SCALE  PLACE           TURNED  MAKE AND MODEL\n\
             DP-1  600x450@60  1.5    400x300 at 0,0  90      M O\n\
             -     -x-@0       -      -               -       - -\n"
        );
        let workspace = json!({"name": "1", "output": "DP-1", "shown": true, "focused": false});
        assert_eq!(
            workspaces(&[workspace]),
            "NAME  OUTPUT  STATE\n1     DP-1    shown\n"
        );
    }

    #[test]
    fn an_event_is_a_line() {
        let opened = json!({"event": "window-opened", "window": {"id": "7", "title": "a\nb"}});
        assert_eq!(told(&opened), "window-opened    7  a b\n");
        assert_eq!(
            told(&json!({"event": "focused", "window": null})),
            "focused          -\n"
        );
        assert_eq!(
            told(&json!({"event": "config-reloaded", "count": 2})),
            "config-reloaded\n"
        );
    }
}
