//! xdg-session-management: clients that come back have their windows where they stood. What is kept, for whom and how long is
//! [`kept`]'s; this is the wire, and what ties it to windows.
//!
//! A window's place is noted whenever it changes, from when it has one until it is gone, and written a moment later by the
//! store worker. A session that another client asks for by its id is that client's from then on; the former one is told so, and what it
//! still says about it has no effect.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use calloop::timer::{TimeoutAction, Timer};
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel::XdgToplevel;
use wayland_server::backend::ClientId;
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource, WEnum,
};

use crate::client;
use crate::effects;
use crate::effects::store::Job;
use crate::shell::{Item, WindowId};
use crate::state::Overwinter;

pub mod kept;

pub use kept::KeptSessions;
use kept::{Opened, Reason};

#[allow(missing_docs, clippy::all, unused)]
mod generated {
    use smithay::reexports::wayland_protocols::xdg::shell::server::*;
    use wayland_server;
    use wayland_server::protocol::*;

    pub mod __interfaces {
        use smithay::reexports::wayland_protocols::xdg::shell::server::__interfaces::*;
        use wayland_server::protocol::__interfaces::*;
        wayland_scanner::generate_interfaces!("protocols/xdg-session-management-v1.xml");
    }
    use self::__interfaces::*;
    wayland_scanner::generate_server_code!("protocols/xdg-session-management-v1.xml");
}

use generated::xdg_session_manager_v1::{self, XdgSessionManagerV1};
use generated::xdg_session_v1::{self, Error, XdgSessionV1};
use generated::xdg_toplevel_session_v1::{self, XdgToplevelSessionV1};

/// A window that is dragged is written once, not at each step.
const SOON: Duration = Duration::from_secs(1);

/// Sessions that clients have, and what is kept of all.
#[derive(Debug)]
pub struct XdgSessions {
    /// Of all clients there were.
    pub kept: KeptSessions,
    /// In use now, by id.
    live: BTreeMap<String, Live>,
    write_due: bool,
}

/// A session that a client has.
#[derive(Debug)]
struct Live {
    resource: XdgSessionV1,
    reason: Reason,
    windows: BTreeMap<String, Tracked>,
}

/// A window whose place is kept.
#[derive(Debug)]
struct Tracked {
    window: WindowId,
    toplevel: XdgToplevel,
    resource: XdgToplevelSessionV1,
    /// It is restored, and its client does not know yet.
    untold: bool,
}

/// The id of a session, with its object and those of its windows.
#[derive(Debug, Clone)]
pub struct SessionId(String);

impl XdgSessions {
    /// Announces the manager.
    pub fn new(display: &DisplayHandle) -> XdgSessions {
        display.create_global::<Overwinter, XdgSessionManagerV1, ()>(1, ());
        XdgSessions {
            kept: KeptSessions::default(),
            live: BTreeMap::new(),
            write_due: false,
        }
    }

    /// The session, while this object is what stands for it.
    fn of(&mut self, session: &XdgSessionV1) -> Option<(String, &mut Live)> {
        let id = session.data::<SessionId>()?.0.clone();
        let live = self.live.get_mut(&id).filter(|l| l.resource == *session)?;
        Some((id, live))
    }

    fn tracked(&self) -> impl Iterator<Item = (&String, &String, &Tracked)> {
        self.live.iter().flat_map(|(id, live)| {
            let windows = live.windows.iter();
            windows.map(move |(name, tracked)| (id, name, tracked))
        })
    }

    fn is_added(&self, toplevel: &XdgToplevel) -> bool {
        self.tracked().any(|(_, _, t)| t.toplevel == *toplevel)
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| d.as_secs())
}

impl Overwinter {
    /// Notes where tracked windows stand.
    pub fn note_window_places(&mut self) {
        let sessions = &self.xdg_sessions;
        let place = |t: &Tracked| {
            let name = Item::Window(t.window).name();
            self.shell.desktop().place_of(name)
        };
        let found = sessions.tracked();
        let found = found.filter_map(|(id, name, t)| Some((id.clone(), name.clone(), place(t)?)));
        let now: Vec<_> = found.collect();
        let mut news = false;
        for (id, name, place) in now {
            news |= self.xdg_sessions.kept.note(&id, &name, place);
        }
        if news {
            self.keep_sessions_soon();
        }
    }

    fn keep_sessions_soon(&mut self) {
        if self.xdg_sessions.write_due || self.driver.is_none() {
            return;
        }
        let timer = Timer::from_duration(SOON);
        let timer = self.handle.insert_source(timer, |_, (), state| {
            state.keep_sessions();
            TimeoutAction::Drop
        });
        match timer {
            Ok(_) => self.xdg_sessions.write_due = true,
            Err(error) => tracing::error!(%error, "where windows stand is written at the end only"),
        }
    }

    /// Has the sessions written if there is anything new. The session's end does so, too.
    pub fn keep_sessions(&mut self) {
        let due = std::mem::take(&mut self.xdg_sessions.write_due);
        if let Some(driver) = self.driver.as_ref().filter(|_| due) {
            driver.job(Job::WindowSessions(self.xdg_sessions.kept.clone()));
        }
    }

    /// The window is about to be told its first size: one that is restored hears that first.
    pub fn tell_toplevel_restored(&mut self, window: WindowId) {
        for live in self.xdg_sessions.live.values_mut() {
            for tracked in live.windows.values_mut() {
                if tracked.window == window && std::mem::take(&mut tracked.untold) {
                    tracked.resource.restored();
                }
            }
        }
    }

    fn get_session(
        &mut self,
        client: &Client,
        manager: &XdgSessionManagerV1,
        (resource, init): (New<XdgSessionV1>, &mut DataInit<'_, Self>),
        reason: WEnum<xdg_session_manager_v1::Reason>,
        wanted: Option<String>,
    ) {
        let reason = match reason {
            WEnum::Value(xdg_session_manager_v1::Reason::Launch) => Reason::Launch,
            WEnum::Value(xdg_session_manager_v1::Reason::Recover) => Reason::Recover,
            WEnum::Value(xdg_session_manager_v1::Reason::SessionRestore) => Reason::SessionRestore,
            _ => {
                init.init(resource, SessionId(String::new()));
                let code = xdg_session_manager_v1::Error::InvalidReason;
                return manager.post_error(code, "no such reason");
            }
        };
        let fresh = match effects::random::<16>() {
            Ok(bytes) => bytes.iter().map(|b| format!("{b:02x}")).collect::<String>(),
            Err(error) => {
                tracing::error!(%error, "a session has no id and is not kept");
                init.init(resource, SessionId(String::new()));
                return;
            }
        };
        let Some(owner) = client::owner(client) else {
            // Nobody vouches for who it is. It has a session for now, and it is found by nobody.
            let session = init.init(resource, SessionId(fresh.clone()));
            return session.created(fresh);
        };
        let sessions = &mut self.xdg_sessions;
        let live = &sessions.live;
        let in_use = |id: &str| live.contains_key(id);
        let wanted = wanted.as_deref();
        let opened = sessions.kept.get(wanted, &fresh, &owner, now(), &in_use);
        let (Opened::Restored, Some(id)) = (opened, wanted) else {
            let session = init.init(resource, SessionId(fresh.clone()));
            session.created(fresh.clone());
            sessions.begin(fresh, session, reason);
            return;
        };
        let session = init.init(resource, SessionId(id.to_owned()));
        if let Some(former) = sessions.live.get(id) {
            let holder = former.resource.client();
            if holder.is_some_and(|c| c.id() == client.id()) {
                let code = xdg_session_manager_v1::Error::InUse;
                return manager.post_error(code, "this client has that session already");
            }
            former.resource.replaced();
        }
        session.restored();
        sessions.begin(id.to_owned(), session, reason);
    }

    /// A window is to be kept in the session, and to be where it was if `restore`.
    fn track(
        &mut self,
        session: &XdgSessionV1,
        (resource, init): (New<XdgToplevelSessionV1>, &mut DataInit<'_, Self>),
        toplevel: XdgToplevel,
        name: String,
        restore: bool,
    ) {
        // One that was replaced, or never counted, has an id for nobody.
        let id = session.data::<SessionId>().cloned();
        let resource = init.init(resource, id.unwrap_or(SessionId(String::new())));
        if self.xdg_sessions.is_added(&toplevel) {
            return session.post_error(Error::AlreadyAdded, "it was added before");
        }
        let surface = self.protocols.xdg_shell.get_toplevel(&toplevel);
        let window = surface.and_then(|t| self.shell.window_of(t.wl_surface()));
        let configured = window.and_then(|id| self.shell.window(id));
        let configured = configured.is_some_and(|w| w.is_configured());
        let sessions = &mut self.xdg_sessions;
        let Some((id, live)) = sessions.of(session) else {
            return;
        };
        let reason = live.reason;
        let taken = live.windows.contains_key(&name);
        let known = sessions.kept.knows(&id, &name);
        if taken || (known && !restore) {
            return session.post_error(Error::NameInUse, format!("`{name}` is a window already"));
        }
        if restore && configured {
            return session.post_error(Error::AlreadyMapped, "it was committed before");
        }
        let Some(window) = window else {
            return;
        };
        let place = sessions.kept.place(&id, &name, reason);
        let untold = place.is_some();
        if let Some(live) = sessions.live.get_mut(&id) {
            let tracked = Tracked {
                window,
                toplevel,
                resource,
                untold,
            };
            live.windows.insert(name, tracked);
        }
        if let (Some(place), Some(window)) = (place, self.shell.window_mut(window)) {
            window.set_place(place, reason != Reason::Launch);
        }
    }

    fn rename(&mut self, resource: &XdgToplevelSessionV1, to: String) {
        let sessions = &mut self.xdg_sessions;
        let Some(SessionId(id)) = resource.data::<SessionId>() else {
            return;
        };
        let Some(live) = sessions.live.get_mut(id) else {
            return;
        };
        let named = live.windows.iter().find(|(_, t)| t.resource == *resource);
        let Some(name) = named.map(|(name, _)| name.clone()) else {
            return;
        };
        if name == to {
            return;
        }
        if live.windows.contains_key(&to) || sessions.kept.knows(id, &to) {
            let why = format!("`{to}` is a window already");
            return live.resource.post_error(Error::NameInUse, why);
        }
        if let Some(tracked) = live.windows.remove(&name) {
            live.windows.insert(to.clone(), tracked);
        }
        if sessions.kept.rename(id, &name, &to) {
            self.keep_sessions_soon();
        }
    }
}

impl XdgSessions {
    /// The session is this object's from now on.
    fn begin(&mut self, id: String, resource: XdgSessionV1, reason: Reason) {
        let live = Live {
            resource,
            reason,
            windows: BTreeMap::new(),
        };
        self.live.insert(id, live);
    }

    /// The object is gone, or to be without effect. Its id, if it had one.
    fn end(&mut self, session: &XdgSessionV1) -> Option<String> {
        let (id, _) = self.of(session)?;
        self.live.remove(&id);
        Some(id)
    }
}

impl GlobalDispatch<XdgSessionManagerV1, ()> for Overwinter {
    fn bind(
        _: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        resource: New<XdgSessionManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, Self>,
    ) {
        data_init.init(resource, ());
    }
}

impl Dispatch<XdgSessionManagerV1, ()> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        manager: &XdgSessionManagerV1,
        request: xdg_session_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        if let xdg_session_manager_v1::Request::GetSession {
            id,
            reason,
            session_id,
        } = request
        {
            this.get_session(client, manager, (id, data_init), reason, session_id);
        }
    }
}

impl Dispatch<XdgSessionV1, SessionId> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        session: &XdgSessionV1,
        request: xdg_session_v1::Request,
        _: &SessionId,
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        use xdg_session_v1::Request;
        match request {
            Request::AddToplevel { id, toplevel, name } => {
                this.track(session, (id, data_init), toplevel, name, false);
            }
            Request::RestoreToplevel { id, toplevel, name } => {
                this.track(session, (id, data_init), toplevel, name, true);
            }
            Request::RemoveToplevel { name } => {
                let sessions = &mut this.xdg_sessions;
                let Some((id, live)) = sessions.of(session) else {
                    return;
                };
                live.windows.remove(&name);
                if sessions.kept.forget_window(&id, &name) {
                    this.keep_sessions_soon();
                }
            }
            Request::Remove => {
                if let Some(id) = this.xdg_sessions.end(session)
                    && this.xdg_sessions.kept.forget(&id)
                {
                    this.keep_sessions_soon();
                }
            }
            Request::Destroy => {
                // Until now it counts.
                this.note_window_places();
                this.xdg_sessions.end(session);
            }
        }
    }

    fn destroyed(this: &mut Self, _: ClientId, session: &XdgSessionV1, _: &SessionId) {
        this.xdg_sessions.end(session);
    }
}

impl Dispatch<XdgToplevelSessionV1, SessionId> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        resource: &XdgToplevelSessionV1,
        request: xdg_toplevel_session_v1::Request,
        _: &SessionId,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        if let xdg_toplevel_session_v1::Request::Rename { name } = request {
            this.rename(resource, name);
        }
    }
}

impl Overwinter {
    /// A toplevel is about to go: its name can be given to another, and what was kept under it stays.
    pub(crate) fn toplevel_session_ends(&mut self, toplevel: &XdgToplevel) {
        if !self.xdg_sessions.is_added(toplevel) {
            return;
        }
        self.note_window_places();
        for live in self.xdg_sessions.live.values_mut() {
            live.windows.retain(|_, t| t.toplevel != *toplevel);
        }
    }
}
