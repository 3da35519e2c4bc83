//! What a window is made of and how it is laid out.

use gtk4::gio;
use gtk4::prelude::*;
use libadwaita as adw;
use sourceview5::prelude::*;

use crate::dialog;
use crate::document::Document;
use crate::release::Release;

/// The parts that are told something later.
pub struct Parts {
    pub title: adw::WindowTitle,
    pub toasts: adw::ToastOverlay,
    pub position: gtk4::Label,
    pub language: gtk4::Label,
    /// Shows the zoom and sets it back to normal; in the window from release 2.0 on.
    pub zoom: gtk4::Button,
    /// What the text is scrolled in.
    pub scrolled: gtk4::ScrolledWindow,
    content: gtk4::Box,
}

impl Parts {
    pub fn new(release: &Release, view: &sourceview5::View, search: &gtk4::SearchBar) -> Self {
        // Scroll bars that stay: people see where they are, and a window looks the same whether the pointer moves or not.
        let scrolled = gtk4::ScrolledWindow::builder()
            .vexpand(true)
            .hexpand(true)
            .overlay_scrolling(false)
            .child(view)
            .build();
        let parts = Self {
            title: adw::WindowTitle::new("", ""),
            toasts: adw::ToastOverlay::new(),
            position: gtk4::Label::builder()
                .css_classes(["numeric"])
                .width_chars(14)
                .xalign(1.0)
                .build(),
            language: gtk4::Label::new(None),
            zoom: gtk4::Button::builder()
                .label("100 %")
                .css_classes(["flat", "numeric"])
                .action_name("win.zoom-normal")
                .tooltip_text("Normal size (Ctrl+0)")
                .build(),
            scrolled,
            content: gtk4::Box::new(gtk4::Orientation::Vertical, 0),
        };
        parts.content.append(&parts.header(release));
        parts.content.append(search);
        parts.content.append(&parts.scrolled);
        parts
            .content
            .append(&gtk4::Separator::new(gtk4::Orientation::Horizontal));
        parts.content.append(&parts.status(release));
        parts.toasts.set_child(Some(&parts.content));
        parts
    }

    fn header(&self, release: &Release) -> adw::HeaderBar {
        let header = adw::HeaderBar::builder().title_widget(&self.title).build();
        let open = gtk4::Button::builder()
            .label("Open")
            .action_name("app.open")
            .tooltip_text("Open a file (Ctrl+O)");
        header.pack_start(&open.build());
        header.pack_start(&icon_button(
            "document-new-symbolic",
            "New window (Ctrl+N)",
            "app.new",
        ));
        header.pack_start(&icon_button(
            "edit-undo-symbolic",
            "Undo (Ctrl+Z)",
            "win.undo",
        ));
        header.pack_start(&icon_button(
            "edit-redo-symbolic",
            "Redo (Shift+Ctrl+Z)",
            "win.redo",
        ));
        let menu = gtk4::MenuButton::builder()
            .icon_name("open-menu-symbolic")
            .menu_model(&menu(release))
            .tooltip_text("Menu")
            .primary(true)
            .build();
        header.pack_end(&menu);
        header.pack_end(&icon_button(
            "edit-find-symbolic",
            "Find (Ctrl+F)",
            "win.find",
        ));
        header.pack_end(
            &gtk4::Button::builder()
                .label("Save")
                .action_name("win.save")
                .tooltip_text("Save (Ctrl+S)")
                .build(),
        );
        header
    }

    fn status(&self, release: &Release) -> gtk4::Box {
        let status = gtk4::Box::builder()
            .spacing(12)
            .margin_start(10)
            .margin_end(10)
            .build();
        status.set_height_request(34);
        let name = gtk4::Label::builder()
            .label(release.name())
            .css_classes(["dim-label", "caption"])
            .build();
        name.set_tooltip_text(Some("The release that this window runs"));
        status.append(&name);
        let filler = gtk4::Box::builder().hexpand(true).build();
        status.append(&filler);
        if release.zoom_and_wrap {
            let zoom = gtk4::Box::builder().valign(gtk4::Align::Center).build();
            zoom.append(&icon_button(
                "zoom-out-symbolic",
                "Smaller text (Ctrl+-)",
                "win.zoom-out",
            ));
            zoom.append(&self.zoom);
            zoom.append(&icon_button(
                "zoom-in-symbolic",
                "Larger text (Ctrl++)",
                "win.zoom-in",
            ));
            status.append(&zoom);
        }
        status.append(&self.language);
        status.append(&self.position);
        status
    }
}

fn icon_button(icon: &str, tip: &str, action: &str) -> gtk4::Button {
    let button = gtk4::Button::builder()
        .icon_name(icon)
        .tooltip_text(tip)
        .action_name(action)
        .css_classes(["flat"])
        .build();
    dialog::set_label(&button, tip);
    button
}

fn menu(release: &Release) -> gio::Menu {
    let menu = gio::Menu::new();
    let section = |items: &[(&str, &str)]| {
        let section = gio::Menu::new();
        for (label, action) in items {
            section.append(Some(label), Some(action));
        }
        menu.append_section(None, &section);
    };
    section(&[
        ("New Window", "app.new"),
        ("Open…", "app.open"),
        ("Save", "win.save"),
        ("Save As…", "win.save-as"),
    ]);
    section(&[
        ("Undo", "win.undo"),
        ("Redo", "win.redo"),
        ("Find…", "win.find"),
    ]);
    if release.zoom_and_wrap {
        section(&[("Wrap Long Lines", "win.wrap")]);
    }
    section(&[
        ("About Overwinter Editor", "win.about"),
        ("Close Window", "win.close"),
    ]);
    menu
}

/// The text view over `buffer`.
pub fn text_view(buffer: &sourceview5::Buffer, document: &Document) -> sourceview5::View {
    let view = sourceview5::View::builder()
        .buffer(buffer)
        .monospace(true)
        .show_line_numbers(true)
        .highlight_current_line(true)
        .auto_indent(true)
        .smart_backspace(true)
        .tab_width(4)
        .left_margin(8)
        .right_margin(8)
        .top_margin(4)
        .bottom_margin(4)
        .build();
    if uses_spaces(&document.base) {
        view.set_insert_spaces_instead_of_tabs(true);
    }
    dialog::set_label(&view, "Document");
    view
}

/// Whether the text's own indentation is made of spaces: told by its first indented line.
fn uses_spaces(text: &str) -> bool {
    text.lines().take(500).find_map(|line| {
        line.starts_with("  ")
            .then_some(true)
            .or(line.starts_with('\t').then_some(false))
    }) == Some(true)
}

/// The window around the parts, in the document's size.
pub fn window(
    app: &adw::Application,
    parts: &Parts,
    document: &Document,
) -> adw::ApplicationWindow {
    // Smaller ones cannot show the header bar, larger ones no display has; whatever a saved state says.
    let (width, height) = (
        document.width.clamp(360, 16_384),
        document.height.clamp(240, 16_384),
    );
    let window = adw::ApplicationWindow::builder()
        .application(app)
        .default_width(width)
        .default_height(height)
        .content(&parts.toasts)
        .build();
    if document.maximized {
        window.maximize();
    }
    window
}
