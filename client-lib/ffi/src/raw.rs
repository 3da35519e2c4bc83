//! Pointers from C, checked as far as they can be.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use crate::error::guarded;

/// What a pointer points to.
///
/// # Safety
/// The pointer is null or valid for as long as the reference is used.
pub(crate) unsafe fn at<'a, T>(pointer: *const T, what: &str) -> Result<&'a T, String> {
    unsafe { pointer.as_ref() }.ok_or_else(|| format!("the {what} is null"))
}

/// As [`at`], to be changed.
///
/// # Safety
/// As [`at`], and nobody else uses it meanwhile.
pub(crate) unsafe fn at_mut<'a, T>(pointer: *mut T, what: &str) -> Result<&'a mut T, String> {
    unsafe { pointer.as_mut() }.ok_or_else(|| format!("the {what} is null"))
}

/// Takes back what [`give`] gave.
///
/// # Safety
/// The pointer is null or came from [`give`] and is not used any more.
pub(crate) unsafe fn take<T>(pointer: *mut T, what: &str) -> Result<Box<T>, String> {
    if pointer.is_null() {
        return Err(format!("the {what} is null"));
    }
    Ok(unsafe { Box::from_raw(pointer) })
}

/// Frees what [`give`] gave, if anything.
///
/// # Safety
/// As [`take`].
pub(crate) unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        let value = unsafe { Box::from_raw(pointer) };
        guarded((), move || {
            drop(value);
            Ok(())
        });
    }
}

/// Gives a value to the caller.
pub(crate) fn give<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// A string from C.
///
/// # Safety
/// The pointer is null or points to bytes that end with a zero.
pub(crate) unsafe fn text(pointer: *const c_char) -> Result<String, String> {
    if pointer.is_null() {
        return Err("a text is null".to_owned());
    }
    let text = unsafe { CStr::from_ptr(pointer) };
    let text = text
        .to_str()
        .map_err(|_| "a text is not UTF-8".to_owned())?;
    Ok(text.to_owned())
}

/// Bytes from C.
///
/// # Safety
/// The pointer is null or points to `len` bytes.
pub(crate) unsafe fn bytes<'a>(pointer: *const u8, len: usize) -> Result<&'a [u8], String> {
    match (pointer.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err("the bytes are null".to_owned()),
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(pointer, len) }),
    }
}

/// Gives a string to the caller, to be freed by `ow_string_free`.
pub(crate) fn give_text(text: &str) -> Result<*mut c_char, String> {
    CString::new(text)
        .map(CString::into_raw)
        .map_err(|_| "the text holds a zero byte; ask for it with its length".to_owned())
}

/// Writes through a pointer that may be null.
///
/// # Safety
/// The pointer is null or valid for a write.
pub(crate) unsafe fn put<T>(pointer: *mut T, value: T) {
    if !pointer.is_null() {
        unsafe { ptr::write(pointer, value) };
    }
}
