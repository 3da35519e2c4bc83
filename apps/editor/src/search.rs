//! The search bar: finds as one types, counts, goes to the next and the previous one.

use std::cell::RefCell;
use std::rc::Rc;

use gtk4::glib;
use gtk4::prelude::*;
use sourceview5::prelude::*;

use crate::dialog;

/// A search bar over one text view.
pub struct Search {
    /// The bar, to be placed above the text.
    pub bar: gtk4::SearchBar,
    entry: gtk4::SearchEntry,
    count: gtk4::Label,
    view: sourceview5::View,
    settings: sourceview5::SearchSettings,
    /// Made at the first search: an idle one still scans every change of the text.
    context: RefCell<Option<sourceview5::SearchContext>>,
}

impl Search {
    /// A closed search bar that looks for `text` once it is opened.
    pub fn new(view: &sourceview5::View, text: &str) -> Rc<Self> {
        let entry = gtk4::SearchEntry::builder()
            .hexpand(true)
            .text(text)
            .placeholder_text("Find in text")
            .build();
        let count = gtk4::Label::builder()
            .css_classes(["dim-label", "numeric"])
            .build();
        let settings = sourceview5::SearchSettings::builder()
            .wrap_around(true)
            .build();
        let bar = gtk4::SearchBar::builder().show_close_button(true).build();
        bar.connect_entry(&entry);
        let search = Rc::new(Self {
            bar,
            entry,
            count,
            view: view.clone(),
            settings,
            context: RefCell::default(),
        });
        search.lay_out();
        search.connect();
        search
    }

    /// What is searched for.
    pub fn text(&self) -> String {
        self.entry.text().into()
    }

    /// Whether the bar is open.
    pub fn is_open(&self) -> bool {
        self.bar.is_search_mode()
    }

    /// Opens the bar; a selection within one line is what to look for.
    pub fn open(&self) {
        let buffer = self.view.buffer();
        if let Some((start, end)) = buffer.selection_bounds()
            && start.line() == end.line()
        {
            self.entry.set_text(&buffer.text(&start, &end, false));
        }
        self.bar.set_search_mode(true);
        self.entry.grab_focus();
        self.entry.select_region(0, -1);
        self.apply();
        self.tell();
    }

    /// Whether keys go to the bar.
    pub fn has_focus(&self) -> bool {
        let focus = self.bar.root().and_then(|root| root.focus());
        focus.is_some_and(|focus| focus.is_ancestor(&self.entry))
    }

    /// Opens the bar as it was in a saved document: nothing is selected and the caret stays.
    pub fn reopen(&self) {
        self.bar.set_search_mode(true);
        self.apply();
    }

    /// Lets keys go to the bar, behind what is written there.
    pub fn focus(&self) {
        self.entry.grab_focus();
        self.entry.set_position(-1);
    }

    /// Goes to the next match after the selection, or the previous one before it, round the end of the text.
    pub fn go(&self, forward: bool) {
        if self.entry.text().is_empty() {
            return;
        }
        self.apply();
        let context = self.context();
        let buffer = self.view.buffer();
        let (start, end) = buffer.selection_bounds().unwrap_or_else(|| {
            let caret = buffer.iter_at_mark(&buffer.get_insert());
            (caret, caret)
        });
        let found = if forward {
            context.forward(&end)
        } else {
            context.backward(&start)
        };
        if let Some((start, end, _)) = found {
            buffer.select_range(&start, &end);
            self.view
                .scroll_to_mark(&buffer.get_insert(), 0.2, false, 0.0, 0.0);
        }
        self.tell();
    }

    /// Calls back when what is searched for, or whether, has changed.
    pub fn connect_changed(&self, changed: impl Fn() + Clone + 'static) {
        let opened = changed.clone();
        self.bar
            .connect_search_mode_enabled_notify(move |_| opened());
        self.entry.connect_changed(move |_| changed());
    }

    fn lay_out(&self) {
        let button = |icon: &str, tip: &str, action: &str| {
            gtk4::Button::builder()
                .icon_name(icon)
                .tooltip_text(tip)
                .action_name(action)
                .css_classes(["flat"])
                .build()
        };
        self.count.set_width_chars(9);
        dialog::set_label(&self.entry, "Find in text");
        let row = gtk4::Box::new(gtk4::Orientation::Horizontal, 6);
        row.append(&self.entry);
        row.append(&self.count);
        row.append(&button(
            "go-up-symbolic",
            "Previous match (Shift+Ctrl+G)",
            "win.find-previous",
        ));
        row.append(&button(
            "go-down-symbolic",
            "Next match (Ctrl+G)",
            "win.find-next",
        ));
        let clamp = libadwaita::Clamp::builder()
            .maximum_size(560)
            .hexpand(true)
            .child(&row)
            .build();
        self.bar.set_child(Some(&clamp));
    }

    fn connect(self: &Rc<Self>) {
        let weak = Rc::downgrade(self);
        let with = move |act: fn(&Search)| {
            let weak = weak.clone();
            move || {
                if let Some(search) = weak.upgrade() {
                    act(&search);
                }
            }
        };
        let changed = with(|search| {
            search.apply();
            search.tell();
        });
        self.entry.connect_search_changed(move |_| changed());
        let (next, again, before, left) = (
            with(|s| s.go(true)),
            with(|s| s.go(true)),
            with(|s| s.go(false)),
            with(Search::left),
        );
        self.entry.connect_activate(move |_| next());
        self.entry.connect_next_match(move |_| again());
        self.entry.connect_previous_match(move |_| before());
        self.bar.connect_search_mode_enabled_notify(move |bar| {
            if !bar.is_search_mode() {
                left();
            }
        });
    }

    /// The bar was closed: no marks in the text, keys go to it again.
    fn left(&self) {
        if let Some(context) = &*self.context.borrow() {
            context.set_highlight(false);
        }
        self.view.grab_focus();
    }

    /// Looks for what the entry says.
    fn apply(&self) {
        if !self.is_open() {
            return;
        }
        let text = self.entry.text();
        self.settings
            .set_search_text((!text.is_empty()).then_some(text.as_str()));
        self.context().set_highlight(true);
    }

    fn context(&self) -> sourceview5::SearchContext {
        self.context
            .borrow_mut()
            .get_or_insert_with(|| self.new_context())
            .clone()
    }

    fn new_context(&self) -> sourceview5::SearchContext {
        // Built as properties, not with the constructor: that one wants the buffer's exact class.
        let context = glib::Object::builder::<sourceview5::SearchContext>()
            .property("buffer", self.view.buffer())
            .property("settings", &self.settings)
            .build();
        let count = self.count.downgrade();
        let view = self.view.downgrade();
        context.connect_occurrences_count_notify(move |context| {
            if let (Some(count), Some(view)) = (count.upgrade(), view.upgrade()) {
                count.set_text(&counted(context, &view.buffer()));
            }
        });
        context
    }

    fn tell(&self) {
        let text = match &*self.context.borrow() {
            Some(context) if !self.entry.text().is_empty() => counted(context, &self.view.buffer()),
            _ => String::new(),
        };
        self.count.set_text(&text);
    }
}

/// "3 of 12", "12 found", or nothing while the text is still being scanned.
fn counted(context: &sourceview5::SearchContext, buffer: &gtk4::TextBuffer) -> String {
    let all = context.occurrences_count();
    if all < 0 || context.settings().search_text().is_none() {
        return String::new();
    }
    let at = buffer
        .selection_bounds()
        .map_or(-1, |(start, end)| context.occurrence_position(&start, &end));
    match (all, at) {
        (0, _) => "none".into(),
        (all, at) if at > 0 => format!("{at} of {all}"),
        (all, _) => format!("{all} found"),
    }
}
