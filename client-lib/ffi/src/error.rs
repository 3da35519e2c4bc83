//! What went wrong, in words.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use crate::raw;

thread_local! {
    static LAST: RefCell<Option<CString>> = const { RefCell::new(None) };
}

/// What the last function that failed on this thread has to say. Borrowed until the next call on this thread; null if none
/// has failed yet.
#[unsafe(no_mangle)]
pub extern "C" fn ow_error() -> *const c_char {
    LAST.with_borrow(|last| last.as_ref().map_or(ptr::null(), |text| text.as_ptr()))
}

/// Says why a callback fails, right before it returns null or `false`. In words for the user. Without it the last error of
/// the library within that callback is taken for the reason.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_fail(why: *const c_char) {
    let why =
        unsafe { raw::text(why) }.unwrap_or_else(|_| "the application did not say why".to_owned());
    set(why);
}

/// Frees a string that was returned as the caller's own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_string_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: strings are only ever given away by `raw::give_text`.
        drop(unsafe { CString::from_raw(text) });
    }
}

pub(crate) fn set(why: impl Display) {
    let why: Vec<u8> = why
        .to_string()
        .into_bytes()
        .into_iter()
        .filter(|b| *b != 0)
        .collect();
    LAST.set(CString::new(why).ok());
}

/// Forgets what was said, before a callback that may say why it fails.
pub(crate) fn clear() {
    LAST.take();
}

/// What a failing callback said by `ow_fail`, or what failed last in it; taken, so that it is not said twice.
pub(crate) fn take() -> String {
    LAST.take()
        .and_then(|text| text.into_string().ok())
        .unwrap_or_else(|| "the application did not say why".to_owned())
}

/// Runs what a function does; an error or a panic is remembered and becomes `failed`.
pub(crate) fn guarded<R>(failed: R, work: impl FnOnce() -> Result<R, String>) -> R {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => done,
        Ok(Err(why)) => {
            set(why);
            failed
        }
        Err(panic) => {
            set(format!(
                "a fault of the overwinter library: {}",
                words(&*panic)
            ));
            failed
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let words = panic.downcast_ref::<&str>().copied();
    words
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it panicked without a word")
}
