//! What an application really shows, as a screen reader gets it: the texts on the accessibility bus.

use std::time::Duration;

use anyhow::{Context, Result};
use zbus::blocking::{Connection, connection::Builder};
use zbus::zvariant::{DynamicType, OwnedObjectPath, OwnedValue, Type};

use crate::session::Session;

/// Longest wait for one answer of an application.
const ANSWER: Duration = Duration::from_secs(5);

/// Roles as AT-SPI numbers them (atspi-constants.h).
mod role {
    pub const FRAME: u32 = 23;
    pub const TEXT: u32 = 61;
    pub const WINDOW: u32 = 69;
}

/// The accessibility bus of a session.
pub struct Reader {
    bus: Connection,
}

/// A text view somewhere in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextView {
    /// Unique name of the application on the accessibility bus.
    pub owner: String,
    /// Object.
    pub path: OwnedObjectPath,
    /// Process that shows it.
    pub pid: u32,
    /// Title of the window it is in.
    pub window: String,
}

/// What a text view holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The whole text.
    pub text: String,
    /// Caret, in characters from the start.
    pub caret: i32,
    /// Start and end of the selection, in characters; `None` when nothing is selected.
    pub selection: Option<(i32, i32)>,
}

impl Reader {
    /// Finds the accessibility bus (started by asking for it) and connects.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(session: &Session) -> Result<Self> {
        let bus = Builder::address(session.bus_address().as_str())?
            .method_timeout(Duration::from_secs(20))
            .build()
            .context("connecting to the session bus")?;
        let address: String = bus
            .call_method(
                Some("org.a11y.Bus"),
                "/org/a11y/bus",
                Some("org.a11y.Bus"),
                "GetAddress",
                &(),
            )
            .context("asking for the accessibility bus")?
            .body()
            .deserialize()?;
        let address = reachable(session, &address);
        let bus = Builder::address(address.as_str())?
            .method_timeout(ANSWER)
            .build()
            .with_context(|| format!("connecting to the accessibility bus at {address}"))?;
        Ok(Reader { bus })
    }

    /// Every text view of more than one line that is shown by any application.
    ///
    /// # Errors
    /// When the registry does not answer; an application that does not is passed over.
    pub fn views(&self) -> Result<Vec<TextView>> {
        let root = OwnedObjectPath::try_from("/org/a11y/atspi/accessible/root")?;
        let mut views = Vec::new();
        for (owner, path) in self.children("org.a11y.atspi.Registry", &root)? {
            let Ok(pid) = self.pid(&owner) else { continue };
            for (window_owner, window) in self.children(&owner, &path).unwrap_or_default() {
                let title = self.name(&window_owner, &window).unwrap_or_default();
                let mut found = Vec::new();
                self.collect(&window_owner, &window, 0, &mut found);
                views.extend(found.into_iter().map(|path| TextView {
                    owner: window_owner.clone(),
                    path,
                    pid,
                    window: title.clone(),
                }));
            }
        }
        Ok(views)
    }

    /// What a view holds now.
    ///
    /// # Errors
    /// When the application does not answer or the view is gone.
    pub fn content(&self, view: &TextView) -> Result<Content> {
        let interface = "org.a11y.atspi.Text";
        let text: String = self.ask(
            &view.owner,
            &view.path,
            interface,
            "GetText",
            &(0_i32, -1_i32),
        )?;
        let caret =
            i32::try_from(self.property(&view.owner, &view.path, interface, "CaretOffset")?)?;
        let count: i32 = self.ask(&view.owner, &view.path, interface, "GetNSelections", &())?;
        let selection = if count > 0 {
            let (start, end): (i32, i32) = self.ask(
                &view.owner,
                &view.path,
                interface,
                "GetSelection",
                &(0_i32,),
            )?;
            (start != end).then_some((start, end))
        } else {
            None
        };
        Ok(Content {
            text,
            caret,
            selection,
        })
    }

    /// Number of windows that applications say they show.
    ///
    /// # Errors
    /// When the registry does not answer.
    pub fn windows(&self) -> Result<Vec<(u32, String)>> {
        let root = OwnedObjectPath::try_from("/org/a11y/atspi/accessible/root")?;
        let mut windows = Vec::new();
        for (owner, path) in self.children("org.a11y.atspi.Registry", &root)? {
            let Ok(pid) = self.pid(&owner) else { continue };
            for (owner, window) in self.children(&owner, &path).unwrap_or_default() {
                let role: u32 = self
                    .ask(&owner, &window, "org.a11y.atspi.Accessible", "GetRole", &())
                    .unwrap_or(0);
                if role == role::FRAME || role == role::WINDOW {
                    windows.push((pid, self.name(&owner, &window).unwrap_or_default()));
                }
            }
        }
        Ok(windows)
    }

    /// Goes down the tree; deeper than any real window is a loop.
    fn collect(
        &self,
        owner: &str,
        path: &OwnedObjectPath,
        depth: u32,
        found: &mut Vec<OwnedObjectPath>,
    ) {
        const DEEPEST: u32 = 40;
        let role: u32 = self
            .ask(owner, path, "org.a11y.atspi.Accessible", "GetRole", &())
            .unwrap_or(0);
        if role == role::TEXT && self.is_multi_line(owner, path) {
            found.push(path.clone());
            return;
        }
        if depth < DEEPEST {
            for (_, child) in self.children(owner, path).unwrap_or_default() {
                self.collect(owner, &child, depth + 1, found);
            }
        }
    }

    fn is_multi_line(&self, owner: &str, path: &OwnedObjectPath) -> bool {
        /// ATSPI_STATE_MULTI_LINE.
        const MULTI_LINE: usize = 17;
        let states: Vec<u32> = self
            .ask(owner, path, "org.a11y.atspi.Accessible", "GetState", &())
            .unwrap_or_default();
        states
            .first()
            .is_some_and(|low| low & (1 << MULTI_LINE) != 0)
    }

    fn children(
        &self,
        owner: &str,
        path: &OwnedObjectPath,
    ) -> Result<Vec<(String, OwnedObjectPath)>> {
        self.ask(owner, path, "org.a11y.atspi.Accessible", "GetChildren", &())
    }

    fn name(&self, owner: &str, path: &OwnedObjectPath) -> Result<String> {
        let value = self.get(owner, path, "org.a11y.atspi.Accessible", "Name")?;
        Ok(String::try_from(value)?)
    }

    fn pid(&self, owner: &str) -> Result<u32> {
        let path = OwnedObjectPath::try_from("/org/freedesktop/DBus")?;
        self.ask(
            "org.freedesktop.DBus",
            &path,
            "org.freedesktop.DBus",
            "GetConnectionUnixProcessID",
            &owner,
        )
    }

    fn property(
        &self,
        owner: &str,
        path: &OwnedObjectPath,
        interface: &str,
        name: &str,
    ) -> Result<i64> {
        let value = self.get(owner, path, interface, name)?;
        Ok(i64::from(i32::try_from(value)?))
    }

    fn get(
        &self,
        owner: &str,
        path: &OwnedObjectPath,
        interface: &str,
        name: &str,
    ) -> Result<OwnedValue> {
        self.ask(
            owner,
            path,
            "org.freedesktop.DBus.Properties",
            "Get",
            &(interface, name),
        )
    }

    fn ask<B, T>(
        &self,
        owner: &str,
        path: &OwnedObjectPath,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<T>
    where
        B: serde::Serialize + DynamicType,
        T: serde::de::DeserializeOwned + Type,
    {
        let message = self
            .bus
            .call_method(Some(owner), path, Some(interface), method, body)
            .with_context(|| format!("{method} of {path}"))?;
        let body = message.body();
        Ok(body.deserialize::<T>()?)
    }
}

/// The same address as seen from this process, which may be in another mount namespace.
fn reachable(session: &Session, address: &str) -> String {
    let Some(rest) = address.strip_prefix("unix:path=") else {
        return address.to_owned();
    };
    let path = rest.split(',').next().unwrap_or(rest);
    let here = session.place().path(std::path::Path::new(path));
    format!("unix:path={}", here.display())
}
