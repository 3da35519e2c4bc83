//! wl_surface and what belongs to it: smithay's, but for a few things.
//!
//! The end of a surface is heard of while its client can still be told what that means for it.
//!
//! A subsurface's place belongs to its parent's state: it is asked for ([`Place::asked`]), taken up by the parent's next commit
//! ([`Place::committed`]), and true when that commit is applied. Smithay 0.7.0 makes it part of the subsurface's own state, so
//! that it would move with a commit of its own, or of its grandparent.

use std::sync::{Mutex, PoisonError};

use smithay::utils::{Logical, Point};
use smithay::wayland::compositor::{
    CompositorState, RegionUserData, SubsurfaceCachedState, SubsurfaceUserData, SurfaceUserData,
    get_children, get_parent, with_states,
};
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_callback::WlCallback;
use wayland_server::protocol::wl_compositor::{self, WlCompositor};
use wayland_server::protocol::wl_region::WlRegion;
use wayland_server::protocol::wl_subcompositor::{self, WlSubcompositor};
use wayland_server::protocol::wl_subsurface::{self, WlSubsurface};
use wayland_server::protocol::wl_surface::{self, WlSurface};
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, Resource, delegate_dispatch,
    delegate_global_dispatch,
};

use crate::state::Overwinter;

// What `delegate_compositor!` does, with surfaces and subsurfaces looked at first.
delegate_global_dispatch!(Overwinter: [WlCompositor: ()] => CompositorState);
delegate_global_dispatch!(Overwinter: [WlSubcompositor: ()] => CompositorState);
delegate_dispatch!(Overwinter: [WlRegion: RegionUserData] => CompositorState);
delegate_dispatch!(Overwinter: [WlCallback: ()] => CompositorState);

/// How many subsurfaces may stand on one another. Trees are walked by functions that call themselves, and again for each surface
/// that is added: one of thousands would take the stack, and everybody's time before that.
const DEEPEST: usize = 128;

impl Dispatch<WlCompositor, ()> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        compositor: &WlCompositor,
        request: wl_compositor::Request,
        data: &(),
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if matches!(request, wl_compositor::Request::CreateSurface { .. }) {
            this.protocols.compositor.turn();
        }
        <CompositorState as Dispatch<WlCompositor, (), Self>>::request(
            this, client, compositor, request, data, display, init,
        );
    }
}

impl Dispatch<WlSubcompositor, ()> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        maker: &WlSubcompositor,
        request: wl_subcompositor::Request,
        data: &(),
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if let wl_subcompositor::Request::GetSubsurface {
            surface, parent, ..
        } = &request
            && depth(parent) + height(surface) > DEEPEST
        {
            let why = format!("no more than {DEEPEST} subsurfaces may stand on one another");
            maker.post_error(wl_subcompositor::Error::BadParent, why);
        }
        <CompositorState as Dispatch<WlSubcompositor, (), Self>>::request(
            this, client, maker, request, data, display, init,
        );
    }
}

/// How many surfaces are below this one.
fn depth(surface: &WlSurface) -> usize {
    let parents = std::iter::successors(get_parent(surface), get_parent);
    parents.take(DEEPEST + 1).count()
}

/// How many stand on it, at the highest place, itself counted.
fn height(surface: &WlSurface) -> usize {
    let mut level = vec![surface.clone()];
    let mut height = 0;
    while !level.is_empty() && height <= DEEPEST {
        height += 1;
        level = level.iter().flat_map(get_children).collect();
    }
    height
}

impl Dispatch<WlSurface, SurfaceUserData> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        surface: &WlSurface,
        request: wl_surface::Request,
        data: &SurfaceUserData,
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        match request {
            wl_surface::Request::Destroy => this.lift_fingers_from(surface),
            wl_surface::Request::Commit => commit_places(surface),
            _ => {}
        }
        <CompositorState as Dispatch<WlSurface, SurfaceUserData, Self>>::request(
            this, client, surface, request, data, display, init,
        );
    }

    fn destroyed(this: &mut Self, client: ClientId, surface: &WlSurface, data: &SurfaceUserData) {
        this.protocols.compositor.find(surface);
        <CompositorState as Dispatch<WlSurface, SurfaceUserData, Self>>::destroyed(
            this, client, surface, data,
        );
    }
}

impl Dispatch<WlSubsurface, SubsurfaceUserData> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        subsurface: &WlSubsurface,
        request: wl_subsurface::Request,
        data: &SubsurfaceUserData,
        display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        match &request {
            wl_subsurface::Request::SetPosition { x, y } => {
                with_place(data.surface(), |place| place.asked = Some((*x, *y).into()));
                return;
            }
            // Above or below itself: smithay would take it out of the list before it looks where it is.
            wl_subsurface::Request::PlaceAbove { sibling }
            | wl_subsurface::Request::PlaceBelow { sibling }
                if sibling == data.surface() =>
            {
                let code = wl_subsurface::Error::BadSurface;
                subsurface.post_error(code, "a subsurface is not its own sibling");
                return;
            }
            _ => {}
        }
        <CompositorState as Dispatch<WlSubsurface, SubsurfaceUserData, Self>>::request(
            this, client, subsurface, request, data, display, init,
        );
    }

    fn destroyed(
        this: &mut Self,
        client: ClientId,
        subsurface: &WlSubsurface,
        data: &SubsurfaceUserData,
    ) {
        // Should the surface become a subsurface again, it begins anew.
        with_place(data.surface(), |place| *place = Place::default());
        <CompositorState as Dispatch<WlSubsurface, SubsurfaceUserData, Self>>::destroyed(
            this, client, subsurface, data,
        );
    }
}

/// A subsurface's place on its parent, until it is true.
#[derive(Debug, Default)]
struct Place {
    asked: Option<Point<i32, Logical>>,
    committed: Option<Point<i32, Logical>>,
    applied: Option<Point<i32, Logical>>,
}

fn with_place<T>(subsurface: &WlSurface, with: impl FnOnce(&mut Place) -> T) -> T {
    with_states(subsurface, |states| {
        let place = states
            .data_map
            .get_or_insert_threadsafe(|| Mutex::new(Place::default()));
        with(&mut place.lock().unwrap_or_else(PoisonError::into_inner))
    })
}

/// A client commits the parent.
fn commit_places(parent: &WlSurface) {
    for child in get_children(parent) {
        with_place(&child, |place| {
            if let Some(asked) = place.asked.take() {
                place.committed = Some(asked);
            }
        });
    }
}

/// A commit of the surface is applied: its subsurfaces stand where it says, and it stays where its parent said.
pub(super) fn apply_places(surface: &WlSurface) {
    for child in get_children(surface) {
        let changed = with_place(&child, |place| {
            let committed = place.committed.take();
            place.applied = committed.or(place.applied);
            committed.is_some()
        });
        if changed {
            hold_place(&child);
        }
    }
    // Its own state came with whatever place smithay thought that it had when it was committed.
    if get_parent(surface).is_some() {
        hold_place(surface);
    }
}

fn hold_place(subsurface: &WlSurface) {
    let Some(location) = with_place(subsurface, |place| place.applied) else {
        return;
    };
    with_states(subsurface, |states| {
        let mut cached = states.cached_state.get::<SubsurfaceCachedState>();
        cached.pending().location = location;
        cached.current().location = location;
    });
}
