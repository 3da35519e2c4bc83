//! A GtkWindow as a window of a group.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gdk4_wayland::prelude::*;
use gtk4::glib;
use gtk4::prelude::*;

use super::protocol::overwinter_window_v1::OverwinterWindowV1;
use super::wayland::link;
use crate::session::{Group, Live, LiveState, Turn};

/// A GtkWindow that is tied to a group. Clones are the same tie; dropping it does not untie.
#[derive(Clone)]
pub struct Window(Rc<Tie>);

struct Tie {
    window: glib::WeakRef<gtk4::Window>,
    group: Group,
    name: String,
    bound: RefCell<Option<OverwinterWindowV1>>,
    /// GTK gives a window that was hidden a new surface when it is shown again.
    surface_gone: Cell<bool>,
}

/// Ties `window` to `group` under the app's own `name` for it ("main", "inspector"). To be called before the window is
/// presented: a surface is bound before its first picture.
pub fn bind(window: &impl IsA<gtk4::Window>, group: &Group, name: &str) -> Window {
    let window: &gtk4::Window = window.as_ref();
    let tie = Rc::new(Tie {
        window: window.downgrade(),
        group: group.clone(),
        name: name.to_owned(),
        bound: RefCell::default(),
        surface_gone: Cell::new(false),
    });
    let on_realize = tie.clone();
    window.connect_realize(move |_| on_realize.bind());
    let on_unmap = tie.clone();
    window.connect_unmap(move |_| on_unmap.surface_gone.set(true));
    // By now the new surface is there, and its first picture is not: that waits for the compositor's configure.
    let on_map = tie.clone();
    window.connect_map(move |_| {
        if on_map.surface_gone.replace(false) {
            on_map.bind();
        }
    });
    let on_unrealize = tie.clone();
    window.connect_unrealize(move |_| on_unrealize.unbind());
    if window.is_realized() {
        tie.bind();
    }
    Window(tie)
}

/// Shows `window` as the one window of `live`: tied to its group, hidden while another copy is the document, destroyed when it is
/// discarded; and the document is closed when the user closes the window. Fill the window first.
///
/// ```no_run
/// use gtk4::prelude::*;
/// use overwinter::{Live, Rest, State};
///
/// #[derive(State, Clone, Default)]
/// #[state(id = "org.example.Notes/document", version = 1)]
/// struct Note { text: String, rest: Rest }
///
/// fn show(app: &gtk4::Application, note: &Live<Note>) {
///     let text = gtk4::TextView::new();
///     text.buffer().set_text(&note.get().text);
///     let changed = note.clone();
///     text.buffer().connect_changed(move |_| changed.changed());
///     let buffer = text.buffer();
///     note.on_capture(move |note| {
///         note.text = buffer.text(&buffer.start_iter(), &buffer.end_iter(), true).into();
///     });
///     let window = gtk4::ApplicationWindow::builder().application(app).child(&text).build();
///     overwinter::gtk::show(&window, note);
/// }
/// ```
pub fn show<T: LiveState>(window: &impl IsA<gtk4::Window>, live: &Live<T>) -> Window {
    let window: &gtk4::Window = window.as_ref();
    let tie = bind(window, live.group(), "main");
    let (shown, own) = (window.downgrade(), tie.clone());
    live.on_turn(move |turn| {
        let Some(window) = shown.upgrade() else {
            return;
        };
        match turn {
            // A trial is shown already, as the compositor keeps it from view; one that was retired has to be shown again.
            Turn::Adopted => {
                window.set_visible(true);
                own.ready();
            }
            Turn::Retired => window.set_visible(false),
            Turn::Discarded => window.destroy(),
            Turn::Disowned => {}
        }
    });
    let closed = live.clone();
    window.connect_close_request(move |_| {
        closed.close();
        glib::Propagation::Proceed
    });
    window.present();
    tie.ready();
    tie
}

impl Window {
    /// The window shows its real content from its next picture on, which replaces the ghost in that very frame.
    ///
    /// May be called before the window is mapped. What is set later (a scroll position that needs a layout) is not
    /// waited for: call this once it is set.
    pub fn ready(&self) {
        let Some(window) = self.0.window.upgrade() else {
            return;
        };
        if window.is_mapped() {
            self.0.ready_with_next_frame(&window);
            return;
        }
        let tie = self.0.clone();
        let handler = Rc::new(RefCell::new(None));
        let own = handler.clone();
        *handler.borrow_mut() = Some(window.connect_map(move |window| {
            if let Some(handler) = own.take() {
                window.disconnect(handler);
                tie.ready_with_next_frame(window);
            }
        }));
    }

    /// Whether the window was given to the compositor as one of the group's.
    pub fn is_bound(&self) -> bool {
        self.0.bound.borrow().is_some()
    }
}

impl Tie {
    fn bind(&self) {
        self.unbind();
        let Some(window) = self.window.upgrade() else {
            return;
        };
        let Some(link) = link(&WidgetExt::display(&window)) else {
            return;
        };
        let Some(surface) = self.surface() else {
            return;
        };
        let Some(cookie) = self.group.cookie() else {
            return;
        };
        let bound = link.get_window(&surface, cookie, self.name.clone());
        *self.bound.borrow_mut() = bound;
    }

    /// Goes out with GTK's next flush, behind the end of the surface itself: a window that is about to vanish must not be an
    /// ordinary one for a moment.
    fn unbind(&self) {
        if let Some(bound) = self.bound.take() {
            bound.destroy();
        }
    }

    /// `ready` belongs to the next commit, and the next commit must have the new picture: so it is sent in the layout phase
    /// of a frame, on the same connection and just before GTK commits.
    fn ready_with_next_frame(self: &Rc<Self>, window: &gtk4::Window) {
        let Some(clock) = window.frame_clock() else {
            return;
        };
        let tie = self.clone();
        let handler = Rc::new(RefCell::new(None));
        let own = handler.clone();
        *handler.borrow_mut() = Some(clock.connect_layout(move |clock| {
            if let Some(handler) = own.take() {
                clock.disconnect(handler);
                if let Some(bound) = &*tie.bound.borrow() {
                    bound.ready();
                }
                tie.commit_after(clock);
            }
        }));
        window.queue_draw();
        clock.request_phase(gtk4::gdk::FrameClockPhase::LAYOUT);
    }

    /// Commits the surface once more when the frame is painted: GTK commits nothing for a frame that looks like the one before,
    /// and then that picture is the content that `ready` speaks of.
    fn commit_after(self: &Rc<Self>, clock: &gtk4::gdk::FrameClock) {
        let tie = self.clone();
        let handler = Rc::new(RefCell::new(None));
        let own = handler.clone();
        *handler.borrow_mut() = Some(clock.connect_after_paint(move |clock| {
            if let Some(handler) = own.take() {
                clock.disconnect(handler);
                if let Some(surface) = tie.surface() {
                    surface.commit();
                }
            }
        }));
    }

    /// The window's surface, while it has one.
    fn surface(&self) -> Option<wayland_client::protocol::wl_surface::WlSurface> {
        let surface = self.window.upgrade()?.surface()?;
        surface
            .downcast::<gdk4_wayland::WaylandSurface>()
            .ok()?
            .wl_surface()
    }
}
