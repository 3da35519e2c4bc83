//! What started apps find in their environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// What this session adds.
#[derive(Clone, Debug, Default)]
pub struct Additions {
    /// Name of the Wayland socket.
    pub wayland_display: String,
    /// Name of the X11 display, where there is one.
    pub x11_display: Option<String>,
    /// For xdg-activation; fresh for each start.
    pub activation_token: Option<String>,
    /// There is no GPU: GTK is told to draw without one unless it was told something already.
    pub without_gpu: bool,
}

/// Variables that describe this process alone: handed on they would mislead.
const OWN: [&str; 12] = [
    "WAYLAND_DISPLAY",
    "WAYLAND_SOCKET",
    "DISPLAY",
    "XAUTHORITY",
    "NOTIFY_SOCKET",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "DESKTOP_STARTUP_ID",
    "XDG_ACTIVATION_TOKEN",
    "RUST_LOG",
    "RUST_BACKTRACE",
];

/// The whole environment of an app: the session's own without its internals, and the additions.
pub fn compose(
    session: impl IntoIterator<Item = (OsString, OsString)>,
    additions: &Additions,
) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = session
        .into_iter()
        // The launcher's protocol carries text; a variable that is none is not worth a failed start.
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .filter(|(k, _)| !k.starts_with("OVERWINTER_") && !OWN.contains(&k.as_str()))
        .collect();
    let mut set = |key: &str, value: &str| drop(env.insert(key.into(), value.into()));
    set("WAYLAND_DISPLAY", &additions.wayland_display);
    if let Some(display) = &additions.x11_display {
        set("DISPLAY", display);
    }
    set("XDG_SESSION_TYPE", "wayland");
    set("XDG_CURRENT_DESKTOP", "Overwinter");
    if let Some(token) = &additions.activation_token {
        set("XDG_ACTIVATION_TOKEN", token);
        set("DESKTOP_STARTUP_ID", token);
    }
    if additions.without_gpu {
        env.entry("GSK_RENDERER".into())
            .or_insert_with(|| "cairo".into());
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_sees_the_session_and_none_of_its_internals() {
        let session = [
            ("PATH", "/bin"),
            ("XDG_RUNTIME_DIR", "/run/u"),
            ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/x"),
            ("OVERWINTER_FAULT", "after-record:staged"),
            ("WAYLAND_DISPLAY", "outer"),
            ("DISPLAY", ":0"),
        ]
        .map(|(k, v)| (OsString::from(k), OsString::from(v)));
        let additions = Additions {
            wayland_display: "inner".into(),
            x11_display: None,
            activation_token: Some("t".into()),
            without_gpu: true,
        };
        let env = compose(session.clone(), &additions);
        let get = |key: &str| env.get(key).map(String::as_str);
        assert_eq!(get("WAYLAND_DISPLAY"), Some("inner"));
        assert_eq!(get("DBUS_SESSION_BUS_ADDRESS"), Some("unix:path=/x"));
        assert_eq!(get("XDG_ACTIVATION_TOKEN"), Some("t"));
        assert_eq!(get("GSK_RENDERER"), Some("cairo"));
        assert_eq!((get("OVERWINTER_FAULT"), get("DISPLAY")), (None, None));

        let x11 = Additions {
            x11_display: Some(":7".into()),
            ..additions.clone()
        };
        assert_eq!(compose(session.clone(), &x11)["DISPLAY"], ":7");

        let told = [(OsString::from("GSK_RENDERER"), OsString::from("gl"))];
        let env = compose(session.into_iter().chain(told), &additions);
        assert_eq!(env["GSK_RENDERER"], "gl");
    }
}
