//! The GTK 4 integration (GTK 4.8 or newer): the session is served by GLib's main context, windows are tied to groups on GTK's
//! own Wayland connection, and a GApplication's bus name is given up and taken back.
//!
//! Outside a Wayland session of ours everything here is a no-op.

mod protocol;
mod wayland;
mod window;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use gtk4::gio::prelude::*;
use gtk4::{gio, glib};
use overwinter_proto::Reason;

use crate::loops::glib::attach_and;
use crate::session::{Builder, Session};

pub use window::{Window, bind, show};

/// How long a process that was started to restore something lives without a window. The session gives a start that leads to
/// nothing up before that.
const RESTORE_WAIT: Duration = Duration::from_secs(30);

/// Longest wait for the bus daemon when a name is given up or taken back, in milliseconds. It answers at once.
const NAME_WAIT_MS: i32 = 1000;

/// Connects and serves the session on the default main context.
///
/// To be called in the application's `startup`, so that only the primary instance registers. On top of
/// [`Builder::connect`]:
///
/// * the application's id as a bus name is given up and taken back as the session asks, unless the builder
///   has [`names`](Builder::names);
/// * the application quits once its last copy has been let go of, unless the builder has
///   [`on_quit`](Builder::on_quit);
/// * a process that was started to restore something is held until it has a window (at most 30 s);
/// * what was said last is delivered before the application ends.
///
/// ```no_run
/// use gtk4::prelude::*;
/// use overwinter::{AppInfo, Reason, Session};
///
/// let app = gtk4::Application::builder().application_id("org.example.Notes").build();
/// app.connect_startup(|app| {
///     let builder = Session::builder(AppInfo::new("org.example.Notes", "1.0")); // and its documents
///     let session = overwinter::gtk::connect(builder, app);
///     if session.reason() == Reason::Launch {
///         // open what the user asked for
///     }
/// });
/// app.connect_activate(|_| {}); // only for what the user asks of it later
/// app.run();
/// ```
pub fn connect(builder: Builder, app: &impl IsA<gio::Application>) -> Session {
    let app: &gio::Application = app.as_ref();
    let (own_quit, own_names) = (builder.has_quit(), builder.has_names());
    let quit = app.downgrade();
    let builder = if own_quit {
        builder
    } else {
        builder.on_quit(move || {
            if let Some(app) = quit.upgrade() {
                app.quit();
            }
        })
    };
    let session = builder.connect();
    if !own_names {
        let app = app.downgrade();
        session.set_names(move |hold| match app.upgrade() {
            Some(app) => hold_name(&app, hold),
            None => Ok(()),
        });
    }

    let held = Rc::new(RefCell::new(
        (session.reason() != Reason::Launch).then(|| app.hold()),
    ));
    if held.borrow().is_some() {
        let held = held.clone();
        glib::timeout_add_local_once(RESTORE_WAIT, move || drop(held.take()));
    }
    let serving = session.clone();
    attach_and(&session, move || {
        if !serving.groups().is_empty() {
            drop(held.take());
        }
    });
    let last = session.clone();
    app.connect_shutdown(move |_| last.flush());
    session
}

/// Gives up or takes back the application's name on the application's own connection.
fn hold_name(app: &gio::Application, hold: bool) -> Result<(), String> {
    let (Some(connection), Some(id)) = (app.dbus_connection(), app.application_id()) else {
        return Ok(());
    };
    // 4 is DBUS_NAME_FLAG_DO_NOT_QUEUE: whoever owns the name meanwhile keeps it.
    let (method, arguments) = match hold {
        true => ("RequestName", (id.as_str(), 4_u32).to_variant()),
        false => ("ReleaseName", (id.as_str(),).to_variant()),
    };
    let bus = "org.freedesktop.DBus";
    let reply = connection
        .call_sync(
            Some(bus),
            "/org/freedesktop/DBus",
            bus,
            method,
            Some(&arguments),
            None,
            gio::DBusCallFlags::NONE,
            NAME_WAIT_MS,
            gio::Cancellable::NONE,
        )
        .map_err(|e| e.message().to_owned())?;
    match (hold, reply.get::<(u32,)>()) {
        // 1 and 4: owner from now on, owner already.
        (true, Some((1 | 4,))) => Ok(()),
        (true, _) => Err(format!("another process owns {id}")),
        // Released, owned by nobody, owned by somebody else: in each case it is not ours any more.
        (false, _) => Ok(()),
    }
}
