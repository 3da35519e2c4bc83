//! Closing a window: text that is in no file goes only after the user was asked.

use std::rc::Rc;

use gtk4::glib;
use gtk4::prelude::*;
use libadwaita as adw;
use libadwaita::prelude::*;

use super::actions::Saving;
use super::{DocWindow, Role, call};
use crate::dialog;

impl DocWindow {
    pub(super) fn connect_closing(self: &Rc<Self>) {
        let weak = Rc::downgrade(self);
        self.window.connect_close_request(move |_| {
            let Some(this) = weak.upgrade() else {
                return glib::Propagation::Proceed;
            };
            match this.role() {
                // Nobody sees them, so nobody meant them.
                Role::Trial | Role::Retired => {}
                Role::Live if this.buffer.is_modified() => {
                    glib::spawn_future_local(async move {
                        this.ask_and_close().await;
                    });
                }
                Role::Live => this.close(),
            }
            glib::Propagation::Stop
        });
    }

    /// Closes the document after asking about unsaved text; false when the user wants to keep it open, or when it has come to
    /// live elsewhere while the question stood.
    pub async fn ask_and_close(self: Rc<Self>) -> bool {
        if self.buffer.is_modified() && !self.ask().await {
            return false;
        }
        if self.role() != Role::Live {
            return false;
        }
        self.close();
        true
    }

    async fn ask(self: &Rc<Self>) -> bool {
        let body = format!(
            "“{}” has changes that are in no file. They are lost if they are not saved.",
            self.title()
        );
        let dialog =
            adw::MessageDialog::new(Some(&self.window), Some("Save changes?"), Some(&body));
        dialog.add_responses(&[
            ("cancel", "Cancel"),
            ("discard", "Discard"),
            ("save", "Save"),
        ]);
        dialog.set_response_appearance("discard", adw::ResponseAppearance::Destructive);
        dialog.set_response_appearance("save", adw::ResponseAppearance::Suggested);
        dialog.set_default_response(Some("save"));
        dialog.set_close_response("cancel");
        match dialog::choose(&dialog).await.as_str() {
            "discard" => true,
            // What was typed while the file was written is not in it: then the window stays.
            "save" => self.clone().save().await == Saving::Done && !self.buffer.is_modified(),
            _ => false,
        }
    }

    fn close(&self) {
        call(&self.hooks.closed);
        self.role.set(Role::Retired);
        self.window.destroy();
        self.forget_hooks();
    }
}
