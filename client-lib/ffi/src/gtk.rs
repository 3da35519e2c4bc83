//! GTK 4 (4.8 or newer): the session served by GLib's main context, windows tied to groups.

use std::ffi::{c_char, c_void};
use std::ptr;

use gtk4::glib::object::{Cast, ObjectExt};
use gtk4::glib::translate::from_glib_none;
use gtk4::{ffi, gio, glib};
use overwinter::gtk;

use crate::error::guarded;
use crate::raw;
use crate::session::{OwApp, OwGroup, OwSession, builder};

/// A GtkWindow that is tied to a group.
pub struct OwWindow(gtk::Window);

/// As `ow_session_connect`, served by GLib's default main context: nothing needs to be dispatched. To be called in the
/// `startup` handler of `application` (a `GApplication *`), whose bus name is given up and taken back as the session asks (unless
/// the app has `names`), and which quits after its last copy (unless the app has `quit`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_gtk_connect(
    app: *const OwApp,
    application: *mut c_void,
) -> *mut OwSession {
    guarded(ptr::null_mut(), || {
        let builder = unsafe { builder(app) }?;
        let application: gio::Application = unsafe { object(application, "application") }?;
        Ok(raw::give(OwSession(gtk::connect(builder, &application))))
    })
}

/// Ties `window` (a `GtkWindow *`) to `group` under the program's own `name` for it ("main", "inspector"), before the window
/// is presented. The caller's, for `ow_window_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_gtk_bind(
    window: *mut c_void,
    group: *const OwGroup,
    name: *const c_char,
) -> *mut OwWindow {
    guarded(ptr::null_mut(), || {
        let group = unsafe { raw::at(group, "group") }?;
        let name = unsafe { raw::text(name) }?;
        let window: gtk4::Window = unsafe { object(window, "window") }?;
        Ok(raw::give(OwWindow(gtk::bind(&window, &group.group, &name))))
    })
}

/// The window shows its real content from its next picture on, which replaces the ghost in that very frame.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_window_ready(window: *const OwWindow) {
    guarded((), || {
        unsafe { raw::at(window, "window") }?.0.ready();
        Ok(())
    });
}

/// Lets go of the handle; the window stays tied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_window_free(window: *mut OwWindow) {
    unsafe { raw::free(window) };
}

/// A GObject from C, checked.
///
/// # Safety
/// The pointer is null or a GObject, on the thread that runs GTK.
unsafe fn object<T: glib::object::IsA<glib::Object>>(
    pointer: *mut c_void,
    what: &str,
) -> Result<T, String> {
    if pointer.is_null() {
        return Err(format!("the {what} is null"));
    }
    if !gtk4::is_initialized() {
        if unsafe { ffi::gtk_is_initialized() } == 0 {
            return Err("GTK is not initialized yet: call this in or after `startup`".to_owned());
        }
        // SAFETY: GTK is, by C; whoever calls is on its thread.
        unsafe { gtk4::set_initialized() };
    }
    let object: glib::Object =
        unsafe { from_glib_none(pointer.cast::<glib::gobject_ffi::GObject>()) };
    object
        .downcast::<T>()
        .map_err(|other| format!("the {what} is a {}", other.type_()))
}
