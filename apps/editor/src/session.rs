//! The tie to the session: each document's window is a group, saved as it is edited, restored, and let go of.
//!
//! Without a session everything here does nothing, and joins as soon as there is one.

use std::rc::Rc;

use gtk4::prelude::*;
use overwinter::session::{AppInfo, Arrival, Group, Session};
use overwinter::{Reason, gtk};

use crate::app::{App, ID};
use crate::document::Document;
use crate::state::Saved;
use crate::window::{DocWindow, Role};

/// A window as a document of the session, in the state's form of one release.
struct Tied<D> {
    window: Rc<DocWindow>,
    tie: gtk::Window,
    form: std::marker::PhantomData<fn() -> D>,
}

impl<D: Saved> overwinter::session::Document for Tied<D> {
    type State = D;

    fn title(&self) -> String {
        self.window.title()
    }

    fn capture(&self) -> D {
        self.window.capture().into()
    }

    fn adopt(&self) {
        let was = self.window.role();
        self.window.adopt();
        if was == Role::Retired {
            // It kept its text and its place; a trial says so itself once it has settled.
            self.tie.ready();
        }
    }

    fn retire(&self) {
        self.window.retire();
    }

    fn discard(&self) {
        self.window.drop_copy();
    }
}

/// Registers with the session and makes each window a group of it. To be called when the application starts up.
///
/// Gives why this process runs: [`Reason::Launch`] to open what the user asked for, anything else when restored windows
/// follow.
pub fn connect<D: Saved>(app: &Rc<App>) -> Reason {
    let weak = Rc::downgrade(app);
    let builder = Session::builder(AppInfo::new(ID, app.release.version)).documents(
        move |group: &Group, arrival: Arrival<D>| {
            let app = weak.upgrade().ok_or("the editor is ending")?;
            Ok(restore::<D>(&app, group, arrival))
        },
    );
    let session = gtk::connect(builder, &app.gtk);
    let reason = session.reason();
    app.on_opened(move |window| {
        session.open(&window.title(), |group| tie::<D>(window, group));
        window.window.present();
    });
    reason
}

/// Builds the trial copy of a document that arrives. It is shown at once, since GTK lays out only what is shown; the session
/// keeps it from view until it is adopted and ready.
fn restore<D: Saved>(
    app: &Rc<App>,
    group: &Group,
    arrival: Arrival<D>,
) -> Rc<dyn overwinter::session::Document<State = D>> {
    let document: Document = arrival.state.into();
    let (window, history_loss) = app.add_window(&document, Role::Trial);
    let (kept, lost): (Vec<_>, Vec<_>) = arrival.loss.iter().partition(|loss| loss.kept);
    for loss in kept {
        // Not worth a word to the user: it comes back with the release that knows it.
        tracing::info!(title = window.title(), %loss, "kept for the release that knows it");
    }
    for loss in lost
        .into_iter()
        .map(ToString::to_string)
        .chain(history_loss)
    {
        tracing::warn!(title = window.title(), loss, "restored, but not all of it");
        window.toast(&format!("Not all could be brought back: {loss}"));
    }
    let document = tie::<D>(&window, group);
    window.window.present();
    document
}

/// Ties a window, not shown yet, to its group.
fn tie<D: Saved>(
    window: &Rc<DocWindow>,
    group: &Group,
) -> Rc<dyn overwinter::session::Document<State = D>> {
    let tie = gtk::bind(&window.window, group, "main");
    let changed = group.clone();
    window.on_changed(move || changed.changed());
    let closed = group.clone();
    window.on_closed(move || closed.close());
    let ready = tie.clone();
    window.on_settled(move || ready.ready());
    Rc::new(Tied {
        window: window.clone(),
        tie,
        form: std::marker::PhantomData,
    })
}
