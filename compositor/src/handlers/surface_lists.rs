//! Smithay 0.7.0 keeps every surface in a list that it only ever searches, from its start, for each that goes. A client with ten
//! thousand surfaces, when it goes, would keep all others waiting for seconds. So there are many lists, and each surface knows
//! its own.

use smithay::wayland::compositor::{CompositorState, with_states};
use wayland_server::DisplayHandle;
use wayland_server::protocol::wl_surface::WlSurface;

use crate::state::Overwinter;

/// How many there are. Of ten thousand surfaces each holds eighty.
const LISTS: usize = 128;

/// Smithay's state of wl_compositor, many times; one global is announced.
#[derive(Debug)]
pub struct SurfaceLists {
    lists: Vec<CompositorState>,
    next: usize,
    current: usize,
}

/// Which list a surface is in.
struct List(usize);

impl SurfaceLists {
    /// Announces wl_compositor and wl_subcompositor.
    pub fn new(display: &DisplayHandle) -> SurfaceLists {
        let announced = CompositorState::new_v6::<Overwinter>(display);
        let mut lists = vec![announced];
        for _ in 1..LISTS {
            let list = CompositorState::new_v6::<Overwinter>(display);
            // No client is there yet to have seen it.
            display.remove_global::<Overwinter>(list.compositor_global());
            display.remove_global::<Overwinter>(list.subcompositor_global());
            lists.push(list);
        }
        SurfaceLists {
            lists,
            next: 0,
            current: 0,
        }
    }

    /// The list that smithay is to use now.
    pub fn current(&mut self) -> &mut CompositorState {
        // Always within: it is only ever set by the two below.
        &mut self.lists[self.current]
    }

    /// A surface is about to be made: the next list's turn.
    pub fn turn(&mut self) {
        self.next = (self.next + 1) % self.lists.len();
        self.current = self.next;
    }

    /// It was made.
    pub fn keep(&self, surface: &WlSurface) {
        with_states(surface, |states| {
            states
                .data_map
                .insert_if_missing_threadsafe(|| List(self.current));
        });
    }

    /// It goes: its list is the one to be searched.
    pub fn find(&mut self, surface: &WlSurface) {
        let list = with_states(surface, |states| {
            states.data_map.get::<List>().map(|list| list.0)
        });
        self.current = list.unwrap_or(0);
    }
}
