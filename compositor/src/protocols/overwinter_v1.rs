//! overwinter_v1: which surface shows which group, when it is ready, and a barrier behind input.
//!
//! The protocol's text is the workspace's `session-proto/protocols/overwinter-v1.xml`.

use std::collections::HashMap;

use wayland_server::backend::{ClientId, ObjectId};
use wayland_server::protocol::wl_surface::WlSurface;
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource, Weak,
};

use crate::client;
use crate::shell::{Binding, WindowId};
use crate::state::Overwinter;

#[allow(missing_docs, clippy::all, unused)]
mod generated {
    use wayland_server;
    use wayland_server::protocol::*;

    pub mod __interfaces {
        use wayland_server::protocol::__interfaces::*;
        wayland_scanner::generate_interfaces!("../session-proto/protocols/overwinter-v1.xml");
    }
    use self::__interfaces::*;
    wayland_scanner::generate_server_code!("../session-proto/protocols/overwinter-v1.xml");
}

use generated::overwinter_manager_v1::{self, OverwinterManagerV1};
use generated::overwinter_window_v1::{self, OverwinterWindowV1};

/// The window object of a surface; none when its cookie was refused.
#[derive(Debug)]
pub struct WindowData(Option<Weak<WlSurface>>);

/// Clients that speak the protocol.
#[derive(Debug, Default)]
pub struct OverwinterV1 {
    managers: Vec<OverwinterManagerV1>,
    /// Bound surfaces; a surface may be bound before it has a role, and keep its binding from one toplevel to the next.
    bound: HashMap<ObjectId, Binding>,
}

impl OverwinterV1 {
    /// Announces the manager.
    pub fn new(display: &DisplayHandle) -> OverwinterV1 {
        display.create_global::<Overwinter, OverwinterManagerV1, ()>(1, ());
        OverwinterV1::default()
    }
}

impl GlobalDispatch<OverwinterManagerV1, ()> for Overwinter {
    fn bind(
        this: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        resource: New<OverwinterManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, Self>,
    ) {
        let manager = data_init.init(resource, ());
        this.overwinter_v1.managers.push(manager);
    }
}

impl Dispatch<OverwinterManagerV1, ()> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        manager: &OverwinterManagerV1,
        request: overwinter_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        use overwinter_manager_v1::Request;
        match request {
            Request::GetWindow {
                id,
                surface,
                cookie,
                name,
            } => {
                if this.overwinter_v1.bound.contains_key(&surface.id()) {
                    data_init.init(id, WindowData(None));
                    let code = overwinter_manager_v1::Error::AlreadyBound;
                    manager.post_error(code, "the surface has an overwinter_window_v1 already");
                    return;
                }
                let pid = client::identity(client).map(|i| i.pid);
                let redeemed = pid
                    .ok_or("the kernel did not say who the client is")
                    .and_then(|pid| this.shell.redeem(&cookie, name, pid));
                match redeemed {
                    Ok(binding) => {
                        let window = data_init.init(id, WindowData(Some(surface.downgrade())));
                        window.bound(binding.group.to_string());
                        this.bind_surface(&surface, binding);
                    }
                    Err(why) => {
                        tracing::warn!(why, ?pid, "a window was not bound");
                        data_init.init(id, WindowData(None)).refused(why.into());
                    }
                }
            }
            Request::FenceDone { serial } => {
                let client = client.id();
                this.fence_ends(|fence| fence.serial == serial && fence.client == client);
            }
            Request::Destroy => {}
        }
    }

    fn destroyed(this: &mut Self, _: ClientId, manager: &OverwinterManagerV1, (): &()) {
        this.overwinter_v1.managers.retain(|m| m != manager);
    }
}

impl Dispatch<OverwinterWindowV1, WindowData> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        _: &OverwinterWindowV1,
        request: overwinter_window_v1::Request,
        data: &WindowData,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        let Some(surface) = data.0.as_ref().and_then(|s| s.upgrade().ok()) else {
            return;
        };
        match request {
            overwinter_window_v1::Request::Ready => {
                if let Some(binding) = this.overwinter_v1.bound.get_mut(&surface.id()) {
                    binding.ready_pending = true;
                }
                if let Some(id) = this.shell.window_of(&surface)
                    && let Some(binding) =
                        this.shell.window_mut(id).and_then(|w| w.binding.as_mut())
                {
                    binding.ready_pending = true;
                }
            }
            overwinter_window_v1::Request::Destroy => {}
        }
    }

    fn destroyed(this: &mut Self, _: ClientId, _: &OverwinterWindowV1, data: &WindowData) {
        let Some(surface) = data.0.as_ref().and_then(|s| s.upgrade().ok()) else {
            return;
        };
        this.overwinter_v1.bound.remove(&surface.id());
        if let Some(id) = this.shell.window_of(&surface) {
            this.unbind_window(id);
        }
    }
}

impl Overwinter {
    fn bind_surface(&mut self, surface: &WlSurface, binding: Binding) {
        self.overwinter_v1
            .bound
            .insert(surface.id(), binding.clone());
        if let Some(id) = self.shell.window_of(surface) {
            self.bind_window(id, binding);
        }
    }

    /// A new toplevel may be of a surface that was bound before it had a role.
    pub fn bind_new_toplevel(&mut self, id: WindowId, surface: &WlSurface) {
        if let Some(binding) = self.overwinter_v1.bound.get(&surface.id()).cloned() {
            self.bind_window(id, binding);
        }
    }

    /// A surface is destroyed.
    pub fn overwinter_surface_gone(&mut self, surface: &ObjectId) {
        self.overwinter_v1.bound.remove(surface);
    }

    /// Sends a fence to every manager object of the client; false when it has none.
    pub fn send_fence(&self, client: &ClientId, serial: u32) -> bool {
        let mut sent = false;
        for manager in &self.overwinter_v1.managers {
            if manager.client().is_some_and(|c| c.id() == *client) {
                manager.fence(serial);
                sent = true;
            }
        }
        sent
    }

    /// A connection has ended: whoever waits for its answers waits no longer.
    pub fn overwinter_client_gone(&mut self, client: &ClientId) {
        self.fence_ends(|fence| fence.client == *client);
    }
}
