//! What the user can ask of a window: saving, searching, zooming.

use std::path::Path;
use std::rc::Rc;

use gtk4::prelude::*;
use gtk4::{gio, glib};
use libadwaita as adw;
use libadwaita::prelude::*;

use super::{DocWindow, Role};
use crate::dialog;
use crate::files::{self, Expected, NotSaved};
use crate::history;

/// How an attempt to save ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Saving {
    /// The text is in its file.
    Done,
    /// The user thought better of it.
    Cancelled,
    /// It could not be written; the user was told and the text is still here.
    Failed,
}

/// How much larger or smaller one step of the zoom is.
const ZOOM_STEP: f64 = 0.1;

impl DocWindow {
    pub(super) fn add_actions(self: &Rc<Self>) {
        self.add_action("save", |this| this.spawn(Self::save));
        self.add_action("save-as", |this| this.spawn(Self::save_as));
        self.add_action("close", |this| this.window.close());
        self.add_action("find", |this| this.search.open());
        self.add_action("find-next", |this| this.find(true));
        self.add_action("find-previous", |this| this.find(false));
        self.add_action("about", |this| this.about());
        let undo = self.add_action("undo", |this| this.buffer.undo());
        let redo = self.add_action("redo", |this| this.buffer.redo());
        self.buffer
            .bind_property("can-undo", &undo, "enabled")
            .sync_create()
            .build();
        self.buffer
            .bind_property("can-redo", &redo, "enabled")
            .sync_create()
            .build();
        if self.release.zoom_and_wrap {
            self.add_action("zoom-in", |this| this.zoom_by(ZOOM_STEP));
            self.add_action("zoom-out", |this| this.zoom_by(-ZOOM_STEP));
            self.add_action("zoom-normal", |this| this.set_zoom(1.0));
            self.add_wrap_action();
        }
    }

    fn add_action(self: &Rc<Self>, name: &str, act: fn(&Rc<Self>)) -> gio::SimpleAction {
        let action = gio::SimpleAction::new(name, None);
        let weak = Rc::downgrade(self);
        action.connect_activate(move |_, _| {
            if let Some(this) = weak.upgrade() {
                act(&this);
            }
        });
        self.window.add_action(&action);
        action
    }

    fn add_wrap_action(self: &Rc<Self>) {
        let wrapped = self.view.wrap_mode() != gtk4::WrapMode::None;
        let action = gio::SimpleAction::new_stateful("wrap", None, &wrapped.to_variant());
        let weak = Rc::downgrade(self);
        action.connect_activate(move |_, _| {
            if let Some(this) = weak.upgrade() {
                this.set_wrap(this.view.wrap_mode() == gtk4::WrapMode::None);
            }
        });
        self.window.add_action(&action);
    }

    /// Runs one of the async actions for its effect.
    fn spawn<F: Future<Output = Saving> + 'static>(self: &Rc<Self>, act: fn(Rc<Self>) -> F) {
        glib::spawn_future_local({
            let doing = act(self.clone());
            async move {
                doing.await;
            }
        });
    }

    /// Zooms to the next multiple of the step.
    fn zoom_by(&self, step: f64) {
        let steps = (self.zoom.get() / ZOOM_STEP).round();
        self.set_zoom((steps + step.signum()) * ZOOM_STEP);
    }

    fn find(&self, forward: bool) {
        if self.search.is_open() {
            self.search.go(forward);
        } else {
            self.search.open();
        }
    }

    /// Writes the text to its file; asks for one if it has none.
    pub async fn save(self: Rc<Self>) -> Saving {
        match self.path() {
            Some(path) => self.write(path, false).await,
            None => self.save_as().await,
        }
    }

    /// Asks for a file and writes the text to it.
    pub async fn save_as(self: Rc<Self>) -> Saving {
        let dialog = gtk4::FileChooserNative::builder()
            .title("Save As")
            .transient_for(&self.window)
            .modal(true)
            .action(gtk4::FileChooserAction::Save)
            .accept_label("Save")
            .build();
        dialog.set_current_name(&self.title());
        if let Some(file) = self.path().map(gio::File::for_path) {
            // A folder that has gone leaves the dialog at its usual place.
            let _ = dialog.set_file(&file);
        }
        if dialog.run_future().await != gtk4::ResponseType::Accept {
            return Saving::Cancelled;
        }
        let path = dialog
            .file()
            .and_then(|file| file.path())
            .and_then(|path| path.to_str().map(str::to_owned));
        match path {
            // The dialog has asked about overwriting already.
            Some(path) => self.write(path, true).await,
            None => {
                self.toast("Not saved: that is not a file of this computer.");
                Saving::Failed
            }
        }
    }

    /// Writes the text to `path`. `anything`: the user has said already that what is there may be replaced.
    async fn write(self: Rc<Self>, path: String, anything: bool) -> Saving {
        // One after the other: a second save must know the file as the first has left it.
        let turn = self.saving.take().await;
        let mut expected = if anything {
            Expected::Anything
        } else {
            match self.etag.borrow().clone() {
                Some(etag) => Expected::File(etag),
                None => Expected::Nothing,
            }
        };
        loop {
            // It may have come to live elsewhere while a question stood.
            if self.role() != Role::Live {
                return Saving::Cancelled;
            }
            let text = history::whole_text(self.buffer.upcast_ref());
            let written = self.recorder.log().len();
            let refused = match files::save(Path::new(&path), text, &expected).await {
                Ok(etag) => {
                    self.saved(path, etag, written);
                    return Saving::Done;
                }
                Err(refused) => refused,
            };
            let question = match refused {
                NotSaved::ChangedOnDisk => (
                    "The file has changed",
                    "was written by somebody else since it was opened here",
                ),
                NotSaved::Exists => (
                    "The file exists already",
                    "was made by somebody else since this document got its name",
                ),
                NotSaved::Failed(why) => {
                    self.toast(&format!("Not saved: {why} The text is still here."));
                    return Saving::Failed;
                }
            };
            match self.somebody_elses(&path, question).await.as_str() {
                "overwrite" => expected = Expected::Anything,
                "save-as" => {
                    drop(turn);
                    return Box::pin(self.save_as()).await;
                }
                _ => return Saving::Cancelled,
            }
        }
    }

    /// The text as it was when the log had `written` entries is in the file now.
    fn saved(&self, path: String, etag: Option<String>, written: usize) {
        let renamed = self.path().as_deref() != Some(path.as_str());
        self.path.replace(Some(path));
        self.etag.replace(etag);
        if self.recorder.log().len() == written {
            self.recorder.mark_saved(self.buffer.upcast_ref());
        }
        if renamed {
            self.guess_language();
        }
        self.tell_title();
        self.tell_position();
        self.edited();
    }

    /// Asks what is to become of a file that is not what was expected.
    async fn somebody_elses(&self, path: &str, (title, what): (&str, &str)) -> glib::GString {
        let body = format!("“{path}” {what}. Save under another name to keep both.");
        let dialog = adw::MessageDialog::new(Some(&self.window), Some(title), Some(&body));
        dialog.add_responses(&[
            ("cancel", "Cancel"),
            ("overwrite", "Overwrite"),
            ("save-as", "Save As…"),
        ]);
        dialog.set_response_appearance("overwrite", adw::ResponseAppearance::Destructive);
        dialog.set_response_appearance("save-as", adw::ResponseAppearance::Suggested);
        dialog.set_default_response(Some("save-as"));
        dialog.set_close_response("cancel");
        dialog::choose(&dialog).await
    }

    fn about(&self) {
        adw::AboutWindow::builder()
            .transient_for(&self.window)
            .modal(true)
            .application_name("Overwinter Editor")
            .application_icon(crate::app::ID)
            .version(self.release.version)
            .comments("A text editor in which nothing has to be closed.")
            .license_type(gtk4::License::MitX11)
            .build()
            .present();
    }
}
