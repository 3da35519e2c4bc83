//! What is asked, and the answer.

use overwinter_config::Action;
use serde_json::{Map, Value, json};

use crate::state::Overwinter;

/// Of what is spoken here.
pub(super) const VERSION: u64 = 1;

/// Everything that can be asked.
const KNOWN: &str = "version, windows, workspaces, outputs, focused, action, reload, subscribe";

/// Answers a line, whatever stands in it.
pub(super) fn answer(state: &mut Overwinter, connection: u64, line: &[u8]) -> Value {
    let read = read(line);
    let id = read.as_ref().ok().and_then(|request| request.id.clone());
    let done = read.and_then(|request| carry_out(state, connection, &request));
    match done {
        Ok((name, content)) => {
            let mut reply = Map::from_iter([("version".to_owned(), json!(VERSION))]);
            reply.extend(id.map(|id| ("id".to_owned(), id)));
            reply.insert("reply".into(), json!(name));
            reply.extend(content);
            Value::Object(reply)
        }
        Err(why) => refusal(id, &why),
    }
}

/// Nothing was done, and why.
pub(super) fn refusal(id: Option<Value>, why: &str) -> Value {
    let mut reply = Map::from_iter([("version".to_owned(), json!(VERSION))]);
    reply.extend(id.map(|id| ("id".to_owned(), id)));
    reply.insert("error".into(), json!(why));
    Value::Object(reply)
}

/// A line that is a request, as far as can be seen without doing it.
struct Request {
    id: Option<Value>,
    request: String,
    name: Option<String>,
    arguments: Vec<String>,
}

fn read(line: &[u8]) -> Result<Request, String> {
    let value: Value =
        serde_json::from_slice(line).map_err(|e| format!("not a line of JSON: {e}"))?;
    let Value::Object(mut object) = value else {
        return Err(r#"not an object: write {"version":1,"request":"windows"}"#.into());
    };
    match object.remove("version") {
        None => {}
        Some(version) if version.as_u64() == Some(VERSION) => {}
        Some(other) => {
            return Err(format!(
                "version {other} is not spoken here; version {VERSION} is"
            ));
        }
    }
    let id = object.remove("id");
    if id
        .as_ref()
        .is_some_and(|id| id.is_object() || id.is_array())
    {
        return Err("`id` is to be a number or text".into());
    }
    let request = match object.remove("request") {
        Some(Value::String(request)) => request,
        Some(other) => {
            return Err(format!(
                "`request` is to be text, not {other}. Known: {KNOWN}"
            ));
        }
        None => return Err(format!("there is no `request`. Known: {KNOWN}")),
    };
    let mut name = None;
    let mut arguments = Vec::new();
    if request == "action" {
        match object.remove("name") {
            Some(Value::String(text)) => name = Some(text),
            _ => {
                return Err(
                    r#"write "name": "close", an action as [keys] of the configuration names it"#
                        .into(),
                );
            }
        }
        match object.remove("arguments") {
            None => {}
            Some(list) => {
                arguments = serde_json::from_value(list).map_err(|_| {
                    r#"`arguments` is to be a list of text: ["foot", "-e"]"#.to_owned()
                })?;
            }
        }
    }
    match object.keys().next() {
        Some(unknown) => Err(format!(
            "unknown key `{unknown}` in a request for `{request}`"
        )),
        None => Ok(Request {
            id,
            request,
            name,
            arguments,
        }),
    }
}

/// The reply's name and what is in it.
type Done = (&'static str, Map<String, Value>);

fn carry_out(state: &mut Overwinter, connection: u64, request: &Request) -> Result<Done, String> {
    let with = |name, value: Value| Ok((name, Map::from_iter([(str::to_owned(name), value)])));
    match request.request.as_str() {
        "version" => {
            let program = json!(env!("CARGO_PKG_VERSION"));
            let content = Map::from_iter([
                ("overwinter".to_owned(), program),
                ("wayland-display".to_owned(), json!(state.socket)),
            ]);
            Ok(("version", content))
        }
        "windows" => with("windows", json!(state.windows_for_scripts())),
        "workspaces" => with("workspaces", json!(state.workspaces_for_scripts())),
        "outputs" => with("outputs", json!(state.outputs_for_scripts())),
        "focused" => {
            let windows = state.windows_for_scripts();
            with("focused", json!(windows.into_iter().find(|w| w.focused)))
        }
        "action" => {
            let name = request.name.as_deref().unwrap_or_default();
            let action = Action::from_words(name, &request.arguments)?;
            state.act(&action)?;
            with("action", json!(name))
        }
        "reload" => {
            state.reload_config()?;
            Ok(("reload", Map::new()))
        }
        "subscribe" => {
            state.subscribe_script(connection);
            Ok(("subscribe", Map::new()))
        }
        other => Err(format!("unknown request `{other}`. Known: {KNOWN}")),
    }
}
