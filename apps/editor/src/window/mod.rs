//! A document on the screen.
//!
//! What holds:
//! 1. [`DocWindow::capture`] of a window made by [`DocWindow::new`] from a document gives that document back, at any time:
//!    until the text is laid out again the place that was asked for stands for the place that is seen.
//! 2. A window that is not [`Role::Live`] has no effect outside itself: it writes no file and ends no group.
//! 3. Text that is in no file goes away only after the user was asked.

mod actions;
mod closing;
mod layout;
mod place;
mod turn;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gtk4::prelude::*;
use gtk4::{gio, glib};
use libadwaita as adw;
use sourceview5::prelude::*;

pub use actions::Saving;

use crate::document::{Document, ZOOM};
use crate::history::{self, Recorder};
use crate::release::Release;
use crate::search::Search;

/// What a copy of a document may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It is the document.
    Live,
    /// Restored, not yet the document: looks right, does nothing.
    Trial,
    /// Was the document until a successor took over; hidden and kept.
    Retired,
}

/// A window and the document in it.
pub struct DocWindow {
    /// The GTK window.
    pub window: adw::ApplicationWindow,
    release: &'static Release,
    view: sourceview5::View,
    buffer: sourceview5::Buffer,
    recorder: Rc<Recorder>,
    search: Rc<Search>,
    parts: layout::Parts,
    path: RefCell<Option<String>>,
    etag: RefCell<Option<String>>,
    /// Whose turn it is to write the file.
    saving: turn::Turns,
    /// Id of the language; kept even where no such language is installed.
    language: RefCell<Option<String>>,
    zoom: Cell<f64>,
    zoom_css: gtk4::CssProvider,
    role: Cell<Role>,
    /// Not ours; handed on as it came.
    rest: overwinter::Rest,
    /// The place that was asked for, until it is reached.
    pending: RefCell<Option<place::Pending>>,
    hooks: Hooks,
    /// At the style manager, which outlives the window.
    style_handler: RefCell<Option<glib::SignalHandlerId>>,
}

type Hook = RefCell<Option<Rc<dyn Fn()>>>;

/// Who wants to know what happens to the window.
#[derive(Default)]
struct Hooks {
    /// Something changed that a restored copy should show.
    changed: Hook,
    /// The user closed the document and wants it closed.
    closed: Hook,
    /// The text is laid out and scrolled as asked: the next frame is worth showing.
    settled: Hook,
}

fn call(hook: &Hook) {
    // Taken out first: a hook may set another one.
    let hook = hook.borrow().clone();
    if let Some(hook) = hook {
        hook();
    }
}

impl DocWindow {
    /// Builds the window of `document`; it is not shown yet. The second value tells what could not be brought back.
    pub fn new(
        app: &adw::Application,
        release: &'static Release,
        document: &Document,
        role: Role,
    ) -> (Rc<Self>, Option<String>) {
        let buffer = sourceview5::Buffer::builder()
            .implicit_trailing_newline(false)
            .highlight_matching_brackets(false)
            .build();
        let (recorder, loss) = history::rebuild(
            buffer.upcast_ref(),
            &document.base,
            &document.history.concat(),
        );
        let view = layout::text_view(&buffer, document);
        let search = Search::new(&view, &document.search);
        let parts = layout::Parts::new(release, &view, &search.bar);
        let window = layout::window(app, &parts, document);
        let this = Rc::new(Self {
            window,
            release,
            view,
            buffer,
            recorder,
            search,
            parts,
            path: RefCell::new(document.path.clone()),
            etag: RefCell::new(document.etag.clone()),
            saving: turn::Turns::default(),
            language: RefCell::new(document.language.clone()),
            zoom: Cell::new(1.0),
            zoom_css: gtk4::CssProvider::new(),
            role: Cell::new(role),
            rest: document.rest.clone(),
            pending: RefCell::new(Some(place::Pending::of(document))),
            hooks: Hooks::default(),
            style_handler: RefCell::default(),
        });
        this.dress(document);
        this.add_actions();
        this.connect();
        this.tell_title();
        this.tell_position();
        this.settle();
        (this, loss)
    }

    /// The document as it is now, with the place of its window. Cheap: large texts are shared, not copied.
    pub fn capture(&self) -> Document {
        let (caret, anchor) = history::selection(self.buffer.upcast_ref());
        let place = self.place();
        let log = self.recorder.log();
        Document {
            path: self.path.borrow().clone(),
            etag: self.etag.borrow().clone(),
            base: self.recorder.base(),
            history: log.pieces(),
            undone: log.undone(),
            caret,
            anchor,
            scroll: place.scroll,
            language: self.language.borrow().clone(),
            search: self.search.text(),
            searching: self.search.is_open(),
            search_focused: self.search.is_open() && self.search.has_focus(),
            zoom: self.zoom.get(),
            wrap: self.view.wrap_mode() != gtk4::WrapMode::None,
            width: place.width,
            height: place.height,
            maximized: place.maximized,
            rest: self.rest.clone(),
        }
    }

    /// What lists call the document.
    pub fn title(&self) -> String {
        Document::title_of(self.path.borrow().as_deref())
    }

    /// The file it belongs to.
    pub fn path(&self) -> Option<String> {
        self.path.borrow().clone()
    }

    /// What this copy may do now.
    pub fn role(&self) -> Role {
        self.role.get()
    }

    /// A trial or retired copy becomes the document and is shown.
    pub fn adopt(&self) {
        self.role.set(Role::Live);
        self.window.set_visible(true);
    }

    /// The document lives elsewhere from now on; this copy is hidden and does nothing until it is adopted again.
    pub fn retire(&self) {
        self.role.set(Role::Retired);
        self.window.set_visible(false);
    }

    /// Drops the copy: the window goes without a question. Its document is kept elsewhere.
    pub fn drop_copy(&self) {
        self.role.set(Role::Retired);
        self.window.destroy();
        self.forget_hooks();
    }

    /// Whoever listened may own this window: nobody is told anything from now on.
    fn forget_hooks(&self) {
        for hook in [&self.hooks.changed, &self.hooks.closed, &self.hooks.settled] {
            hook.replace(None);
        }
    }

    /// Nothing is in it and no file belongs to it: a file that is opened may take its place.
    pub fn is_unused(&self) -> bool {
        self.role.get() == Role::Live
            && self.path.borrow().is_none()
            && self.recorder.log().is_empty()
            && self.recorder.base().is_empty()
    }

    /// The text view, which assistive technology reads and keys go to.
    pub fn view(&self) -> &sourceview5::View {
        &self.view
    }

    /// Tells a plain sentence at the lower edge of the window for a few seconds.
    pub fn toast(&self, text: &str) {
        self.parts
            .toasts
            .add_toast(adw::Toast::new(&glib::markup_escape_text(text)));
    }

    /// Calls back whenever something has changed that a restored copy should show.
    pub fn on_changed(&self, hook: impl Fn() + 'static) {
        self.hooks.changed.replace(Some(Rc::new(hook)));
    }

    /// Calls back once, when the user has closed the document.
    pub fn on_closed(&self, hook: impl Fn() + 'static) {
        self.hooks.closed.replace(Some(Rc::new(hook)));
    }

    /// Calls back when the text is laid out and scrolled as the document says; at once if it is already.
    pub fn on_settled(&self, hook: impl Fn() + 'static) {
        self.hooks.settled.replace(Some(Rc::new(hook)));
        if self.pending.borrow().is_none() {
            call(&self.hooks.settled);
        }
    }

    /// What the document says of language, selection, zoom, wrap and search.
    fn dress(&self, document: &Document) {
        let known = document
            .language
            .as_deref()
            .and_then(|id| sourceview5::LanguageManager::default().language(id));
        if known.is_some() {
            self.buffer.set_language(known.as_ref());
        } else if document.language.is_none() {
            self.guess_language();
        }
        self.follow_style();
        let at = |position| history::iter_at(self.buffer.upcast_ref(), position);
        self.buffer
            .select_range(&at(document.caret), &at(document.anchor));
        self.buffer.set_highlight_matching_brackets(true);
        if self.release.zoom_and_wrap {
            self.set_zoom(document.zoom);
            self.set_wrap(document.wrap);
        }
        if document.searching {
            self.search.reopen();
        }
        if document.searching && document.search_focused {
            self.search.focus();
        } else {
            self.view.grab_focus();
        }
    }

    fn guess_language(&self) {
        let Some(path) = self.path.borrow().clone() else {
            return;
        };
        let language = sourceview5::LanguageManager::default().guess_language(Some(path), None);
        self.buffer.set_language(language.as_ref());
        self.language
            .replace(language.map(|language| language.id().into()));
    }

    /// Syntax colours for the desktop's light or dark style.
    fn follow_style(&self) {
        let dark = adw::StyleManager::default().is_dark();
        let name = if dark { "Adwaita-dark" } else { "Adwaita" };
        self.buffer.set_style_scheme(
            sourceview5::StyleSchemeManager::default()
                .scheme(name)
                .as_ref(),
        );
    }

    fn set_zoom(&self, zoom: f64) {
        let zoom = if zoom.is_finite() {
            zoom.clamp(*ZOOM.start(), *ZOOM.end())
        } else {
            1.0
        };
        let percent = (zoom * 100.0).round();
        self.zoom.set(zoom);
        self.zoom_css
            .load_from_data(&format!("textview {{ font-size: {percent}%; }}"));
        self.parts.zoom.set_label(&format!("{percent} %"));
        self.changed();
    }

    fn set_wrap(&self, wrap: bool) {
        self.view.set_wrap_mode(if wrap {
            gtk4::WrapMode::WordChar
        } else {
            gtk4::WrapMode::None
        });
        if let Some(action) = self
            .window
            .lookup_action("wrap")
            .and_downcast::<gio::SimpleAction>()
        {
            action.set_state(&wrap.to_variant());
        }
        self.changed();
    }

    fn connect(self: &Rc<Self>) {
        #[allow(deprecated)]
        // GTK's only way, in the version we build for, to style one widget alone
        self.view.style_context().add_provider(
            &self.zoom_css,
            gtk4::STYLE_PROVIDER_PRIORITY_APPLICATION + 1,
        );
        let weak = Rc::downgrade(self);
        let with = move |act: fn(&Self)| {
            let weak = weak.clone();
            move || {
                if let Some(this) = weak.upgrade() {
                    act(&this);
                }
            }
        };
        let edited = with(Self::edited);
        self.buffer.connect_changed(move |_| edited());
        let moved = with(|this| {
            this.tell_position();
            this.changed();
        });
        self.buffer.connect_mark_set(move |_, _, mark| {
            if mark
                .name()
                .is_some_and(|name| name == "insert" || name == "selection_bound")
            {
                moved();
            }
        });
        let position = with(Self::tell_position);
        self.buffer
            .connect_cursor_position_notify(move |_| position());
        let saved = with(Self::tell_title);
        self.buffer.connect_modified_changed(move |_| saved());
        self.search.connect_changed(with(Self::changed));
        for adjustment in [self.view.vadjustment(), self.view.hadjustment()]
            .into_iter()
            .flatten()
        {
            let scrolled = with(Self::changed);
            adjustment.connect_value_changed(move |_| scrolled());
        }
        for property in ["default-width", "default-height", "maximized"] {
            let resized = with(Self::changed);
            self.window
                .connect_notify_local(Some(property), move |_, _| resized());
        }
        // GtkSourceView marks the caret's line in the active window only, and forgets to draw when that changes.
        let activated = with(|this| this.view.queue_draw());
        self.window.connect_is_active_notify(move |_| activated());
        let style = with(Self::follow_style);
        let handler = adw::StyleManager::default().connect_dark_notify(move |_| style());
        self.style_handler.replace(Some(handler));
        self.connect_closing();
    }

    /// Something changed that a restored copy should show.
    fn changed(&self) {
        // While the place that was asked for is not reached yet, all movement is the way there.
        if self.pending.borrow().is_none() {
            self.edited();
        }
    }

    /// Text or file changed: that counts from the first keystroke on, wherever the window is on its way to.
    fn edited(&self) {
        // In a copy that is not the document as well: the session's library counts it once it is.
        call(&self.hooks.changed);
    }

    fn tell_title(&self) {
        let name = self.title();
        let shown = if self.buffer.is_modified() {
            format!("• {name}")
        } else {
            name
        };
        let folder = self
            .path
            .borrow()
            .as_deref()
            .and_then(folder_of)
            .unwrap_or_default();
        self.parts.title.set_title(&shown);
        self.parts.title.set_subtitle(&folder);
        self.window.set_title(Some(&shown));
    }

    fn tell_position(&self) {
        let caret = self.buffer.iter_at_mark(&self.buffer.get_insert());
        self.parts.position.set_label(&format!(
            "Ln {}, Col {}",
            caret.line() + 1,
            caret.line_offset() + 1
        ));
        let language = self
            .buffer
            .language()
            .map_or_else(|| "Plain text".into(), |l| l.name());
        self.parts.language.set_label(&language);
    }
}

impl Drop for DocWindow {
    fn drop(&mut self) {
        if let Some(handler) = self.style_handler.take() {
            adw::StyleManager::default().disconnect(handler);
        }
    }
}

/// The folder of a file as people write it: home is "~".
fn folder_of(path: &str) -> Option<String> {
    let folder = std::path::Path::new(path).parent()?;
    let home = glib::home_dir();
    Some(match folder.strip_prefix(&home) {
        Ok(rest) if rest.as_os_str().is_empty() => "~".into(),
        Ok(rest) => format!("~/{}", rest.display()),
        Err(_) => folder.display().to_string(),
    })
}
