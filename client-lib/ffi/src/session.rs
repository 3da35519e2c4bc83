//! An application's life in a session.

use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_void};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;
use std::rc::Rc;

use overwinter::session::Builder;
use overwinter::{AppInfo, Arrival, Group, Map, RawDocument, Reason, Record, Session, Standing};

use crate::error::{self, guarded};
use crate::form::{Kind, OwForm};
use crate::raw;
use crate::state::loss_list;
use crate::value::{OwValue, borrow};

/// The connection to the session.
pub struct OwSession(pub(crate) Session);

/// One copy of a group: one document with its windows.
pub struct OwGroup {
    pub(crate) group: Group,
    title: Rc<RefCell<String>>,
}

/// One document of the program, as the library calls it: always on the thread that dispatches.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OwDocument {
    /// The program's own, handed to every call.
    pub data: *mut c_void,
    /// Its state now, a map of its form's fields; taken. Null, after `ow_fail`, when it cannot be said. Must be cheap. Also
    /// called on a trial copy right after it was built, to compare it with what it was built from.
    pub capture: Option<unsafe extern "C" fn(data: *mut c_void) -> *mut OwValue>,
    /// This trial or retired copy is the document from now on: effects on files and network are allowed.
    pub adopt: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// Another copy takes over: hide the windows, become inert, stay in memory. `adopt` or `discard` follows.
    pub retire: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// Destroy the windows. Nothing is asked, nothing is written.
    pub discard: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// A new session does not know this group: it goes on as a plain window. May be null.
    pub disowned: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// Nothing is called any more: free `data`. May be null.
    pub free: Option<unsafe extern "C" fn(data: *mut c_void)>,
}

/// What a program says of itself.
#[repr(C)]
pub struct OwApp {
    /// As the .desktop file is called: `org.example.Notes`.
    pub id: *const c_char,
    /// For people.
    pub version: *const c_char,
    /// The kinds of document that it can restore.
    pub forms: *const *const OwForm,
    /// How many kinds there are.
    pub form_count: usize,
    /// The program's own, handed to the calls below.
    pub data: *mut c_void,
    /// Builds an inert trial copy from a saved state, says its title (`ow_group_set_title`), and fills in `document`. `form` is
    /// the place in `forms`. `group` is borrowed (`ow_group_ref` keeps it), as are `state` (a map of the fields of the form) and
    /// `loss` (as of `ow_restore`). `reason` is one of "wake", "migrate", "rollback", "recover", "restore", "move", "pristine".
    /// `false`, after `ow_fail`, when it cannot be done; `document` is not looked at then.
    pub restore: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            form: usize,
            group: *mut OwGroup,
            state: *const OwValue,
            loss: *const OwValue,
            reason: *const c_char,
            document: *mut OwDocument,
        ) -> bool,
    >,
    /// The last copy has been let go of: end the process. May be null.
    pub quit: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// Give up (`false`) or take back (`true`) the well-known bus names of the program's own connection. May be null.
    pub names: Option<unsafe extern "C" fn(data: *mut c_void, hold: bool) -> bool>,
    /// Another bus than `DBUS_SESSION_BUS_ADDRESS` names. May be null.
    pub bus: *const c_char,
}

/// Where a copy stands.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwStanding {
    /// There is no session, or it does not know this group: a plain window.
    Alone,
    /// It is the group: it saves.
    Live,
    /// Restored and inert, until it is adopted.
    Trial,
    /// Its successor was adopted: inert, kept for undo.
    Retired,
    /// Closed, released or discarded.
    Gone,
}

/// Registers with the session, waiting for it at most one second. Without a session the program stands alone and joins as
/// soon as one appears. Null only when `app` is not complete.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_session_connect(app: *const OwApp) -> *mut OwSession {
    guarded(ptr::null_mut(), || {
        let builder = unsafe { builder(app) }?;
        Ok(raw::give(OwSession(builder.connect())))
    })
}

/// What `ow_session_connect` starts from.
///
/// # Safety
/// As `ow_session_connect`.
pub(crate) unsafe fn builder(app: *const OwApp) -> Result<Builder, String> {
    let app = unsafe { raw::at(app, "app") }?;
    let info = AppInfo::new(unsafe { raw::text(app.id) }?, unsafe {
        raw::text(app.version)
    }?);
    let restore = app.restore.ok_or("the app has no `restore`")?;
    let data = app.data;
    let mut builder = Session::builder(info);
    for index in 0..app.form_count {
        let form = unsafe { raw::at(app.forms, "list of forms") }.map(ptr::from_ref)?;
        let kind = unsafe { raw::at(*form.add(index), "form") }?.0.clone();
        let of = kind.clone();
        builder = builder.raw_documents(kind.form, move |group, arrival: Arrival<Record>| {
            let (state, mut rest) = of.value(arrival.state)?;
            let loss = loss_list(&arrival.loss, &of.homeless(&mut rest));
            let mut handle = OwGroup::new(group.clone());
            let title = handle.title.clone();
            let mut document = OwDocument::EMPTY;
            error::clear();
            // SAFETY: the caller promised that `restore` may be called so, on this thread.
            let built = unsafe {
                restore(
                    data,
                    index,
                    &mut handle,
                    borrow(&state),
                    borrow(&loss),
                    reason_text(arrival.reason).as_ptr(),
                    &mut document,
                )
            };
            if !built {
                return Err(error::take());
            }
            // From here on the document is the library's, which frees it whatever happens.
            let foreign = Foreign::new(document, of.clone(), rest, title);
            foreign.is_complete()?;
            Ok(Rc::new(foreign) as Rc<dyn RawDocument>)
        });
    }
    if let Some(quit) = app.quit {
        // SAFETY: as for `restore`.
        builder = builder.on_quit(move || unsafe { quit(data) });
    }
    if let Some(names) = app.names {
        builder = builder.names(move |hold| {
            error::clear();
            // SAFETY: as for `restore`.
            match unsafe { names(data, hold) } {
                true => Ok(()),
                false => Err(error::take()),
            }
        });
    }
    if !app.bus.is_null() {
        builder = builder.bus(unsafe { raw::text(app.bus) }?);
    }
    Ok(builder)
}

/// Has what was said last delivered, waiting at most a second, and lets go of the connection. Null is accepted; a callback may do
/// this too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_session_free(session: *mut OwSession) {
    if session.is_null() {
        return;
    }
    guarded((), || {
        let session = unsafe { raw::take(session, "session") }?;
        session.0.flush();
        Ok(())
    });
}

/// Why this process runs: "launch" (open what the user asked for), or something else: documents are about to be restored,
/// open nothing of your own accord. Borrowed, for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_session_reason(session: *const OwSession) -> *const c_char {
    guarded(c"launch".as_ptr(), || {
        let session = unsafe { raw::at(session, "session") }?;
        Ok(reason_text(session.0.reason()).as_ptr())
    })
}

fn reason_text(reason: Reason) -> &'static std::ffi::CStr {
    match reason {
        Reason::Launch => c"launch",
        Reason::Recover => c"recover",
        Reason::Restore => c"restore",
        Reason::Wake => c"wake",
        Reason::Migrate => c"migrate",
        Reason::Rollback => c"rollback",
        Reason::Move => c"move",
        Reason::Pristine => c"pristine",
    }
}

/// Whether there is a session right now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_session_is_connected(session: *const OwSession) -> bool {
    guarded(false, || {
        Ok(unsafe { raw::at(session, "session") }?.0.is_connected())
    })
}

/// A descriptor for the program's main loop: when it is readable, call `ow_session_dispatch`. It stays the library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_session_fd(session: *const OwSession) -> c_int {
    guarded(-1, || {
        Ok(unsafe { raw::at(session, "session") }?
            .0
            .as_fd()
            .as_raw_fd())
    })
}

/// Carries out what has arrived; calls the documents. Never waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_session_dispatch(session: *const OwSession) {
    guarded((), || {
        // A call may free the session.
        let session = unsafe { raw::at(session, "session") }?.0.clone();
        session.dispatch();
        Ok(())
    });
}

/// Has everything said so far delivered, waiting at most a second.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_session_flush(session: *const OwSession) {
    guarded((), || {
        let session = unsafe { raw::at(session, "session") }?.0.clone();
        session.flush();
        Ok(())
    });
}

/// A document that the user opens or creates comes into being as a group: the caller's, for `ow_group_unref`. `document` is
/// copied. On success its `data` is kept until its `free` is called; on failure nothing of it is called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_session_open(
    session: *const OwSession,
    form: *const OwForm,
    title: *const c_char,
    document: *const OwDocument,
) -> *mut OwGroup {
    guarded(ptr::null_mut(), || {
        let document = *unsafe { raw::at(document, "document") }?;
        let kind: &Kind = &unsafe { raw::at(form, "form") }?.0;
        let text = unsafe { raw::text(title) }?;
        let session = unsafe { raw::at(session, "session") }?.0.clone();
        document.is_complete()?;
        let title = Rc::new(RefCell::new(text.clone()));
        let foreign = Foreign::new(document, kind.clone(), Map::new(), title.clone());
        let group = session.open_raw(&kind.form, &text, |_| Rc::new(foreign));
        Ok(raw::give(OwGroup { group, title }))
    })
}

impl OwGroup {
    fn new(group: Group) -> OwGroup {
        OwGroup {
            group,
            title: Rc::default(),
        }
    }
}

/// Another handle to the same group, for `ow_group_unref`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_group_ref(group: *const OwGroup) -> *mut OwGroup {
    guarded(ptr::null_mut(), || {
        let group = unsafe { raw::at(group, "group") }?;
        Ok(raw::give(OwGroup {
            group: group.group.clone(),
            title: group.title.clone(),
        }))
    })
}

/// Lets go of a handle. The group itself goes on; see `ow_group_close`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_group_unref(group: *mut OwGroup) {
    unsafe { raw::free(group) };
}

/// The document is called otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_group_set_title(group: *const OwGroup, title: *const c_char) -> bool {
    guarded(false, || {
        let group = unsafe { raw::at(group, "group") }?;
        group.title.replace(unsafe { raw::text(title) }?);
        Ok(true)
    })
}

/// Something changed that the user would miss: it is saved within a second. Cheap enough for every keystroke.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_group_changed(group: *const OwGroup) {
    guarded((), || {
        unsafe { raw::at(group, "group") }?.group.changed();
        Ok(())
    });
}

/// Whether the newest change survives a power cut.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_group_is_stored(group: *const OwGroup) -> bool {
    guarded(false, || {
        Ok(unsafe { raw::at(group, "group") }?.group.is_stored())
    })
}

/// Where this copy stands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_group_standing(group: *const OwGroup) -> OwStanding {
    guarded(OwStanding::Gone, || {
        Ok(match unsafe { raw::at(group, "group") }?.group.standing() {
            Standing::Alone => OwStanding::Alone,
            Standing::Live => OwStanding::Live,
            Standing::Trial => OwStanding::Trial,
            Standing::Retired => OwStanding::Retired,
            Standing::Gone => OwStanding::Gone,
        })
    })
}

/// The group's id for life, 32 hexadecimal digits; null while it stands alone. The caller's, for `ow_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_group_id(group: *const OwGroup) -> *mut c_char {
    guarded(ptr::null_mut(), || {
        let id = unsafe { raw::at(group, "group") }?.group.id();
        raw::give_text(&id.ok_or("the group stands alone")?)
    })
}

/// A single-use word that ties one more window to this group by `overwinter_manager_v1.get_window`, for toolkits without an
/// integration. Null without a session. The caller's, for `ow_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_group_cookie(group: *const OwGroup) -> *mut c_char {
    guarded(ptr::null_mut(), || {
        let cookie = unsafe { raw::at(group, "group") }?.group.cookie();
        raw::give_text(&cookie.ok_or("there is no session")?)
    })
}

/// The user closed the document and wants it closed; its windows are the program's to take down.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_group_close(group: *const OwGroup) {
    guarded((), || {
        // A call may let go of the handle.
        let group = unsafe { raw::at(group, "group") }?.group.clone();
        group.close();
        Ok(())
    });
}

/// A document of the program.
struct Foreign {
    document: OwDocument,
    kind: Kind,
    /// What another version knew and this one does not, at the root.
    rest: Map,
    title: Rc<RefCell<String>>,
}

impl OwDocument {
    const EMPTY: OwDocument = OwDocument {
        data: ptr::null_mut(),
        capture: None,
        adopt: None,
        retire: None,
        discard: None,
        disowned: None,
        free: None,
    };

    fn is_complete(&self) -> Result<(), String> {
        match self.capture {
            Some(_) => Ok(()),
            None => Err("the document has no `capture`".to_owned()),
        }
    }
}

impl Foreign {
    fn new(document: OwDocument, kind: Kind, rest: Map, title: Rc<RefCell<String>>) -> Foreign {
        Foreign {
            document,
            kind,
            rest,
            title,
        }
    }

    fn is_complete(&self) -> Result<(), String> {
        self.document.is_complete()
    }

    fn call(&self, what: Option<unsafe extern "C" fn(*mut c_void)>) {
        if let Some(what) = what {
            // SAFETY: whoever gave the document promised that it may be called so, on this thread, until `free`.
            unsafe { what(self.document.data) };
        }
    }
}

impl RawDocument for Foreign {
    fn title(&self) -> String {
        self.title.borrow().clone()
    }

    fn capture(&self) -> Result<Record, String> {
        let capture = self
            .document
            .capture
            .ok_or("the document has no `capture`")?;
        error::clear();
        // SAFETY: as for `call`.
        let captured = unsafe { capture(self.document.data) };
        let value = unsafe { raw::take(captured, "state") }.map_err(|_| error::take())?;
        self.kind.record(value.0, &self.rest)
    }

    fn adopt(&self) {
        self.call(self.document.adopt);
    }

    fn retire(&self) {
        self.call(self.document.retire);
    }

    fn discard(&self) {
        self.call(self.document.discard);
    }

    fn disowned(&self) {
        self.call(self.document.disowned);
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.call(self.document.free);
    }
}
