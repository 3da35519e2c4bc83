//! The list of windows for panels and switchers: ext-foreign-toplevel-list (to look) and wlr-foreign-toplevel-management (to act).
//! Ghosts are in it; activating one wakes it, as a click does. There is nothing to close in a ghost, and it cannot be resized
//! before it is awake: such wishes are not granted. It can be put away.

use std::collections::BTreeMap;

use overwinter_layout::Op;
use smithay::output::Output;
use smithay::wayland::foreign_toplevel_list::{
    ForeignToplevelHandle, ForeignToplevelListGlobalData, ForeignToplevelListHandler,
    ForeignToplevelListState,
};
use wayland_protocols::ext::foreign_toplevel_list::v1::server::ext_foreign_toplevel_handle_v1::ExtForeignToplevelHandleV1;
use wayland_protocols::ext::foreign_toplevel_list::v1::server::ext_foreign_toplevel_list_v1::ExtForeignToplevelListV1;
use wayland_protocols_wlr::foreign_toplevel::v1::server::zwlr_foreign_toplevel_handle_v1::{
    self, State, ZwlrForeignToplevelHandleV1,
};
use wayland_protocols_wlr::foreign_toplevel::v1::server::zwlr_foreign_toplevel_manager_v1::{
    self, ZwlrForeignToplevelManagerV1,
};
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_output::WlOutput;
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource, delegate_dispatch,
};

use crate::client::is_privileged;
use crate::outputs::HeadId;
use crate::shell::{Entry, Item, ModeWish, Toplevel, WindowMode};
use crate::state::Overwinter;

/// Who is told of windows, and what they were told.
#[derive(Debug)]
pub struct ForeignToplevels {
    list: ForeignToplevelListState,
    managers: Vec<ZwlrForeignToplevelManagerV1>,
    told: BTreeMap<Entry, Told>,
    /// Somebody has asked for a list. Until then none is kept: most sessions of one app never need it.
    wanted: bool,
}

#[derive(Debug)]
struct Told {
    what: Toplevel,
    /// Outputs that it was told to be on.
    on: Vec<HeadId>,
    ext: ForeignToplevelHandle,
    wlr: Vec<ZwlrForeignToplevelHandleV1>,
}

impl ForeignToplevels {
    /// Announces both.
    pub fn new(display: &DisplayHandle) -> ForeignToplevels {
        display.create_global::<Overwinter, ZwlrForeignToplevelManagerV1, ()>(3, ());
        ForeignToplevels {
            list: ForeignToplevelListState::new_with_filter::<Overwinter>(display, is_privileged),
            managers: Vec::new(),
            told: BTreeMap::new(),
            wanted: false,
        }
    }

    fn handles_of(&self, entry: &Entry) -> &[ZwlrForeignToplevelHandleV1] {
        self.told.get(entry).map_or(&[], |t| &t.wlr)
    }
}

impl ForeignToplevelListHandler for Overwinter {
    fn foreign_toplevel_list_state(&mut self) -> &mut ForeignToplevelListState {
        &mut self.foreign_toplevels.list
    }
}

// What `delegate_foreign_toplevel_list!` does, with the list brought up to date first.
delegate_dispatch!(Overwinter: [ExtForeignToplevelListV1: ()] => ForeignToplevelListState);
delegate_dispatch!(Overwinter: [ExtForeignToplevelHandleV1: ForeignToplevelHandle] => ForeignToplevelListState);

type ListData = ForeignToplevelListGlobalData;

impl GlobalDispatch<ExtForeignToplevelListV1, ListData> for Overwinter {
    fn bind(
        this: &mut Self,
        display: &DisplayHandle,
        client: &Client,
        resource: New<ExtForeignToplevelListV1>,
        data: &ListData,
        data_init: &mut DataInit<'_, Self>,
    ) {
        this.want_toplevels();
        <ForeignToplevelListState as GlobalDispatch<_, _, Self>>::bind(
            this, display, client, resource, data, data_init,
        );
    }

    fn can_view(client: Client, _: &ListData) -> bool {
        is_privileged(&client)
    }
}

impl Overwinter {
    /// Tells those who list windows what is new. Called after each round of the event loop: windows change for many reasons.
    pub fn tell_toplevels(&mut self) {
        if !self.foreign_toplevels.wanted {
            return;
        }
        let now = self.toplevels();
        let gone = |entry: &Entry| !now.contains_key(entry);
        let told = &self.foreign_toplevels.told;
        let ended: Vec<Entry> = told.keys().filter(|e| gone(e)).cloned().collect();
        for entry in ended {
            if let Some(told) = self.foreign_toplevels.told.remove(&entry) {
                self.foreign_toplevels.list.remove_toplevel(&told.ext);
                for handle in told.wlr {
                    handle.closed();
                }
            }
        }
        for (entry, what) in now {
            match self.foreign_toplevels.told.get_mut(&entry) {
                Some(told) if told.what == what => {}
                Some(told) => {
                    let before = std::mem::replace(&mut told.what, what);
                    self.tell_change(&entry, &before);
                }
                None => self.tell_new(entry, what),
            }
        }
        self.tell_outputs();
    }

    /// From now on the list is kept.
    fn want_toplevels(&mut self) {
        self.foreign_toplevels.wanted = true;
        self.tell_toplevels();
    }

    fn tell_new(&mut self, entry: Entry, what: Toplevel) {
        let on = self.heads_of(what.item);
        let toplevels = &mut self.foreign_toplevels;
        let ext = toplevels
            .list
            .new_toplevel::<Overwinter>(what.title.clone(), what.app_id.clone());
        let told = Told {
            on,
            what,
            ext,
            wlr: Vec::new(),
        };
        toplevels.told.insert(entry.clone(), told);
        for manager in toplevels.managers.clone() {
            self.introduce(&manager, &entry);
        }
    }

    /// Makes an entry known to one manager.
    fn introduce(&mut self, manager: &ZwlrForeignToplevelManagerV1, entry: &Entry) {
        let Some(client) = manager.client() else {
            return;
        };
        let made = client.create_resource::<ZwlrForeignToplevelHandleV1, Entry, Overwinter>(
            &self.display,
            manager.version(),
            entry.clone(),
        );
        let Ok(handle) = made else { return };
        manager.toplevel(&handle);
        if let Some(told) = self.foreign_toplevels.told.get(entry) {
            for head in self.heads_of(told.what.item) {
                self.tell_output(&handle, head, true);
            }
        }
        if let Some(told) = self.foreign_toplevels.told.get_mut(entry) {
            handle.title(told.what.title.clone());
            handle.app_id(told.what.app_id.clone());
            handle.state(states(&told.what));
            told.wlr.push(handle.clone());
        }
        self.tell_parent(&handle, entry);
        handle.done();
    }

    /// The entry is on this output now, or no longer.
    fn tell_output(&self, handle: &ZwlrForeignToplevelHandleV1, head: HeadId, on: bool) {
        let (Some(head), Some(client)) = (self.outputs.get(head), handle.client()) else {
            return;
        };
        for output in head.output.client_outputs(&client) {
            if on {
                handle.output_enter(&output);
            } else {
                handle.output_leave(&output);
            }
        }
    }

    /// A panel got hold of an output: it hears which windows are on it.
    pub fn tell_toplevels_on(&self, output: &Output, bound: &WlOutput) {
        let head = self.outputs.used().find(|h| h.output == *output);
        let Some(head) = head.map(|h| h.id) else {
            return;
        };
        let told = self.foreign_toplevels.told.values();
        for handle in told.filter(|t| t.on.contains(&head)).flat_map(|t| &t.wlr) {
            if handle.id().same_client_as(&bound.id()) {
                handle.output_enter(bound);
                handle.done();
            }
        }
    }

    /// Windows that are on other outputs than they were.
    fn tell_outputs(&mut self) {
        let entries = self.foreign_toplevels.told.iter();
        let found = entries.map(|(entry, told)| (entry.clone(), self.heads_of(told.what.item)));
        let now: Vec<_> = found.collect();
        for (entry, on) in now {
            let Some(told) = self.foreign_toplevels.told.get_mut(&entry) else {
                continue;
            };
            if told.on == on {
                continue;
            }
            let before = std::mem::replace(&mut told.on, on.clone());
            let handles = told.wlr.clone();
            for handle in handles {
                for head in before.iter().filter(|h| !on.contains(h)) {
                    self.tell_output(&handle, *head, false);
                }
                for head in on.iter().filter(|h| !before.contains(h)) {
                    self.tell_output(&handle, *head, true);
                }
                handle.done();
            }
        }
    }

    fn tell_change(&self, entry: &Entry, before: &Toplevel) {
        let Some(Told { what, ext, wlr, .. }) = self.foreign_toplevels.told.get(entry) else {
            return;
        };
        if (&what.title, &what.app_id) != (&before.title, &before.app_id) {
            ext.send_title(&what.title);
            ext.send_app_id(&what.app_id);
            ext.send_done();
        }
        let (old, new) = (states(before), states(what));
        let same_words = what.title == before.title && what.app_id == before.app_id;
        if same_words && old == new && what.parent == before.parent {
            return;
        }
        for handle in wlr {
            if what.title != before.title {
                handle.title(what.title.clone());
            }
            if what.app_id != before.app_id {
                handle.app_id(what.app_id.clone());
            }
            if old != new {
                handle.state(new.clone());
            }
            if what.parent != before.parent {
                self.tell_parent(handle, entry);
            }
            handle.done();
        }
    }

    fn tell_parent(&self, handle: &ZwlrForeignToplevelHandleV1, entry: &Entry) {
        if handle.version() < 3 {
            return;
        }
        let told = self.foreign_toplevels.told.get(entry);
        let parent = told.and_then(|t| t.what.parent.as_ref());
        let parents = parent.map_or(&[][..], |p| self.foreign_toplevels.handles_of(p));
        let same = parents.iter().find(|p| p.id().same_client_as(&handle.id()));
        handle.parent(same);
    }

    fn wish_for(&mut self, entry: &Entry, request: &zwlr_foreign_toplevel_handle_v1::Request) {
        use zwlr_foreign_toplevel_handle_v1::Request;
        let Some(item) = self.foreign_toplevels.told.get(entry).map(|t| t.what.item) else {
            return;
        };
        let wish = match (request, item) {
            (Request::Activate { .. }, _) => return self.raise_and_focus(item),
            (Request::Close, Item::Window(id)) => {
                if let Some(window) = self.shell.window(id) {
                    window.close();
                }
                return;
            }
            // A panel brings back what the user clicked: to work in it.
            (Request::UnsetMinimized, _) if self.shell.is_minimised(item) => {
                return self.raise_and_focus(item);
            }
            (Request::SetMinimized, _) => {
                return self.layout_all([Op::SetMinimised(item.name(), true)]);
            }
            (Request::SetMaximized, _) => ModeWish::Maximized(true),
            (Request::UnsetMaximized, _) => ModeWish::Maximized(false),
            (Request::SetFullscreen { output }, _) => {
                let output = output.as_ref().and_then(|o| self.layout_output(o));
                ModeWish::Fullscreen(true, output)
            }
            (Request::UnsetFullscreen, _) => ModeWish::Fullscreen(false, None),
            _ => return,
        };
        if let Item::Window(id) = item {
            self.wish_mode(id, wish);
            if let Some(window) = self.shell.window(id) {
                window.send_pending();
            }
        }
    }
}

/// The array of states that a client is told.
fn states(what: &Toplevel) -> Vec<u8> {
    let states = [
        (what.mode == WindowMode::Maximized, State::Maximized),
        (what.minimized, State::Minimized),
        (what.activated, State::Activated),
        (what.mode == WindowMode::Fullscreen, State::Fullscreen),
    ];
    let set = states.into_iter().filter(|(set, _)| *set);
    set.flat_map(|(_, state)| (state as u32).to_ne_bytes())
        .collect()
}

impl GlobalDispatch<ZwlrForeignToplevelManagerV1, ()> for Overwinter {
    fn bind(
        this: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        resource: New<ZwlrForeignToplevelManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, Self>,
    ) {
        this.want_toplevels();
        let manager = data_init.init(resource, ());
        let entries: Vec<Entry> = this.foreign_toplevels.told.keys().cloned().collect();
        for entry in entries {
            this.introduce(&manager, &entry);
        }
        this.foreign_toplevels.managers.push(manager);
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_privileged(&client)
    }
}

impl Dispatch<ZwlrForeignToplevelManagerV1, ()> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        manager: &ZwlrForeignToplevelManagerV1,
        request: zwlr_foreign_toplevel_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        if let zwlr_foreign_toplevel_manager_v1::Request::Stop = request {
            this.foreign_toplevels.managers.retain(|m| m != manager);
            manager.finished();
        }
    }

    fn destroyed(this: &mut Self, _: ClientId, manager: &ZwlrForeignToplevelManagerV1, (): &()) {
        this.foreign_toplevels.managers.retain(|m| m != manager);
    }
}

impl Dispatch<ZwlrForeignToplevelHandleV1, Entry> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        handle: &ZwlrForeignToplevelHandleV1,
        request: zwlr_foreign_toplevel_handle_v1::Request,
        entry: &Entry,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        use zwlr_foreign_toplevel_handle_v1::{Error, Request};
        if let Request::SetRectangle { width, height, .. } = request
            && (width < 0 || height < 0)
        {
            handle.post_error(Error::InvalidRectangle, "a rectangle of negative size");
            return;
        }
        this.wish_for(entry, &request);
    }

    fn destroyed(
        this: &mut Self,
        _: ClientId,
        handle: &ZwlrForeignToplevelHandleV1,
        entry: &Entry,
    ) {
        if let Some(told) = this.foreign_toplevels.told.get_mut(entry) {
            told.wlr.retain(|h| h != handle);
        }
    }
}
