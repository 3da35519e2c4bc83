//! A main-loop source made of two closures.
//!
//! glib-rs has no safe way to write one, hence the few lines of `unsafe` here; nothing else needs any.

use std::os::fd::RawFd;
use std::ptr;

use ::glib::translate::{ToGlibPtr, from_glib};
use ::glib::{MainContext, SourceId, ffi};

/// The GSource itself, with what it needs. GLib allocates it and knows only its first field.
#[repr(C)]
struct Source {
    parent: ffi::GSource,
    tag: ffi::gpointer,
    hooks: *mut Hooks,
}

struct Hooks {
    prepare: Box<dyn FnMut() -> bool>,
    dispatch: Box<dyn FnMut()>,
}

static FUNCS: ffi::GSourceFuncs = ffi::GSourceFuncs {
    prepare: Some(prepare),
    check: Some(check),
    dispatch: Some(dispatch),
    finalize: Some(finalize),
    closure_callback: None,
    closure_marshal: None,
};

/// Attaches a source to the calling thread's default main context, until it is removed.
///
/// `prepare` runs in every turn of the loop before it sleeps; `dispatch` runs when `prepare` said so or `fd` is readable. The
/// caller keeps `fd` open.
pub(crate) fn attach(
    fd: Option<RawFd>,
    prepare: impl FnMut() -> bool + 'static,
    dispatch: impl FnMut() + 'static,
) -> SourceId {
    let context = MainContext::ref_thread_default();
    let hooks = Box::new(Hooks {
        prepare: Box::new(prepare),
        dispatch: Box::new(dispatch),
    });
    // SAFETY: g_source_new returns zeroed memory of the size asked for, large enough for `Source`, whose first field is the
    // GSource. The hooks are freed in `finalize` and used on this thread alone, as a context is iterated by one thread at a time
    // and this one owns GTK. FUNCS is never written to; the signature is not const for historic reasons.
    unsafe {
        let source = ffi::g_source_new((&raw const FUNCS).cast_mut(), size_of::<Source>() as u32);
        let own = source.cast::<Source>();
        (*own).hooks = Box::into_raw(hooks);
        (*own).tag = match fd {
            Some(fd) => ffi::g_source_add_unix_fd(source, fd, ffi::G_IO_IN),
            None => ptr::null_mut(),
        };
        let id = ffi::g_source_attach(source, context.to_glib_none().0);
        ffi::g_source_unref(source);
        from_glib(id)
    }
}

unsafe extern "C" fn prepare(source: *mut ffi::GSource, timeout: *mut i32) -> ffi::gboolean {
    // SAFETY: GLib calls this with a source made in `attach` and a valid timeout pointer.
    unsafe {
        if !timeout.is_null() {
            *timeout = -1;
        }
        ((*(*source.cast::<Source>()).hooks).prepare)().into()
    }
}

unsafe extern "C" fn check(source: *mut ffi::GSource) -> ffi::gboolean {
    // SAFETY: as above; a tag that is not null came from g_source_add_unix_fd on this very source.
    unsafe {
        let tag = (*source.cast::<Source>()).tag;
        (!tag.is_null() && ffi::g_source_query_unix_fd(source, tag) != 0).into()
    }
}

unsafe extern "C" fn dispatch(
    source: *mut ffi::GSource,
    _: ffi::GSourceFunc,
    _: ffi::gpointer,
) -> ffi::gboolean {
    // SAFETY: as above. A source is not dispatched again while it is being dispatched, so the hook is not entered twice.
    unsafe { ((*(*source.cast::<Source>()).hooks).dispatch)() };
    ffi::G_SOURCE_CONTINUE
}

unsafe extern "C" fn finalize(source: *mut ffi::GSource) {
    // SAFETY: called once, when the last reference is gone; the hooks came from Box::into_raw.
    unsafe { drop(Box::from_raw((*source.cast::<Source>()).hooks)) };
}
