//! Pieces of state: trees of values that a program builds and reads.

use std::ffi::c_char;
use std::ptr;

use overwinter::{Map, Value};

use crate::error::guarded;
use crate::raw;

/// A piece of state: null, yes or no, a number, text, bytes, a list, or a map with text keys.
#[repr(transparent)]
pub struct OwValue(pub(crate) Value);

/// What sort of thing an `OwValue` is.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwKind {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool,
    /// A whole number.
    Int,
    /// A floating-point number.
    Float,
    /// UTF-8 text.
    Text,
    /// Raw bytes.
    Bytes,
    /// Values in order.
    List,
    /// Named values.
    Map,
}

/// A part of a value, for as long as the whole lives and is not changed.
pub(crate) fn borrow(value: &Value) -> *const OwValue {
    // The same thing under another name: `OwValue` is transparent.
    ptr::from_ref(value).cast()
}

pub(crate) fn give(value: Value) -> *mut OwValue {
    raw::give(OwValue(value))
}

/// Nothing.
#[unsafe(no_mangle)]
pub extern "C" fn ow_null() -> *mut OwValue {
    give(Value::Null)
}

/// Yes or no.
#[unsafe(no_mangle)]
pub extern "C" fn ow_bool(value: bool) -> *mut OwValue {
    give(Value::Bool(value))
}

/// A whole number.
#[unsafe(no_mangle)]
pub extern "C" fn ow_int(value: i64) -> *mut OwValue {
    give(Value::from(value))
}

/// A whole number that may be above the largest `int64_t`.
#[unsafe(no_mangle)]
pub extern "C" fn ow_uint(value: u64) -> *mut OwValue {
    give(Value::from(value))
}

/// A floating-point number.
#[unsafe(no_mangle)]
pub extern "C" fn ow_float(value: f64) -> *mut OwValue {
    give(Value::Float(value))
}

/// Text. Null when it is not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_text(text: *const c_char) -> *mut OwValue {
    guarded(ptr::null_mut(), || {
        Ok(give(Value::Text(unsafe { raw::text(text) }?)))
    })
}

/// Text of `len` bytes, which may hold zero bytes. Null when it is not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_text_of(text: *const c_char, len: usize) -> *mut OwValue {
    guarded(ptr::null_mut(), || {
        let bytes = unsafe { raw::bytes(text.cast(), len) }?;
        let text = std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8")?;
        Ok(give(Value::Text(text.to_owned())))
    })
}

/// A copy of `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_bytes(bytes: *const u8, len: usize) -> *mut OwValue {
    guarded(ptr::null_mut(), || {
        Ok(give(Value::Bytes(
            unsafe { raw::bytes(bytes, len) }?.to_vec(),
        )))
    })
}

/// A list without items.
#[unsafe(no_mangle)]
pub extern "C" fn ow_list() -> *mut OwValue {
    give(Value::List(Vec::new()))
}

/// A map without entries.
#[unsafe(no_mangle)]
pub extern "C" fn ow_map() -> *mut OwValue {
    give(Value::Map(Map::new()))
}

/// A value from JSON text. JSON has no bytes and no numbers that are not finite; state is kept as CBOR, see `ow_encode`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_from_json(json: *const c_char) -> *mut OwValue {
    guarded(ptr::null_mut(), || {
        let json = unsafe { raw::text(json) }?;
        serde_json::from_str(&json)
            .map(give)
            .map_err(|e| format!("the JSON is not understood: {e}"))
    })
}

/// A value as JSON text; bytes become lists of numbers, and numbers that are not finite become null. The caller's, for
/// `ow_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_to_json(value: *const OwValue) -> *mut c_char {
    guarded(ptr::null_mut(), || {
        let value = unsafe { raw::at(value, "value") }?;
        raw::give_text(&serde_json::to_string(&value.0).map_err(|e| e.to_string())?)
    })
}

/// Appends `item`, which is taken. A list cannot be put into itself: that fails, and takes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_list_add(list: *mut OwValue, item: *mut OwValue) -> bool {
    guarded(false, || {
        is_another(list, item)?;
        let item = unsafe { raw::take(item, "item") }?;
        match &mut unsafe { raw::at_mut(list, "list") }?.0 {
            Value::List(items) => items.push(item.0),
            _ => return Err("the value is not a list".to_owned()),
        }
        Ok(true)
    })
}

/// Sets the entry `name` to `value`, which is taken; what stood there is freed. A map cannot be put into itself: that fails, and
/// takes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_map_set(
    map: *mut OwValue,
    name: *const c_char,
    value: *mut OwValue,
) -> bool {
    guarded(false, || {
        is_another(map, value)?;
        let value = unsafe { raw::take(value, "value") }?;
        let name = unsafe { raw::text(name) }?;
        match &mut unsafe { raw::at_mut(map, "map") }?.0 {
            Value::Map(map) => map.insert(name, value.0),
            _ => return Err("the value is not a map".to_owned()),
        };
        Ok(true)
    })
}

fn is_another(whole: *const OwValue, part: *const OwValue) -> Result<(), String> {
    match whole == part && !part.is_null() {
        true => Err("a value cannot be put into itself".to_owned()),
        false => Ok(()),
    }
}

/// What sort of thing a value is; `OW_KIND_NULL` for a null pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_kind(value: *const OwValue) -> OwKind {
    match unsafe { value.as_ref() }.map(|value| &value.0) {
        None | Some(Value::Null) => OwKind::Null,
        Some(Value::Bool(_)) => OwKind::Bool,
        Some(Value::Int(_)) => OwKind::Int,
        Some(Value::Float(_)) => OwKind::Float,
        Some(Value::Text(_)) => OwKind::Text,
        Some(Value::Bytes(_)) => OwKind::Bytes,
        Some(Value::List(_)) => OwKind::List,
        Some(Value::Map(_)) => OwKind::Map,
    }
}

/// Reads yes or no into `out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_as_bool(value: *const OwValue, out: *mut bool) -> bool {
    read(value, out, "yes or no", |value| match value {
        Value::Bool(value) => Some(*value),
        _ => None,
    })
}

/// Reads a whole number into `out`; fails when it does not fit into 64 bits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_as_int(value: *const OwValue, out: *mut i64) -> bool {
    read(
        value,
        out,
        "a whole number of 64 bits",
        |value| match value {
            Value::Int(value) => i64::try_from(*value).ok(),
            _ => None,
        },
    )
}

/// Reads a whole number that is not negative into `out`; fails when it does not fit into 64 bits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_as_uint(value: *const OwValue, out: *mut u64) -> bool {
    read(
        value,
        out,
        "a whole number of 64 bits that is not negative",
        |value| match value {
            Value::Int(value) => u64::try_from(*value).ok(),
            _ => None,
        },
    )
}

/// Reads a floating-point number into `out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_as_float(value: *const OwValue, out: *mut f64) -> bool {
    read(value, out, "a floating-point number", |value| match value {
        Value::Float(value) => Some(*value),
        _ => None,
    })
}

fn read<T>(
    value: *const OwValue,
    out: *mut T,
    wanted: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> bool {
    guarded(false, || {
        let value = unsafe { raw::at(value, "value") }?;
        let found = read(&value.0).ok_or_else(|| format!("the value is not {wanted}"))?;
        unsafe { raw::put(out, found) };
        Ok(true)
    })
}

/// The text of a value with its length in bytes: borrowed, and *not* ended by a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_as_text(value: *const OwValue, len: *mut usize) -> *const c_char {
    guarded(ptr::null(), || {
        let value = unsafe { raw::at(value, "value") }?;
        let text = value.0.as_text().ok_or("the value is not text")?;
        unsafe { raw::put(len, text.len()) };
        Ok(text.as_ptr().cast())
    })
}

/// A copy of a value's text, ended by a zero byte; the caller's, for `ow_string_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_text_copy(value: *const OwValue) -> *mut c_char {
    guarded(ptr::null_mut(), || {
        let value = unsafe { raw::at(value, "value") }?;
        raw::give_text(value.0.as_text().ok_or("the value is not text")?)
    })
}

/// The bytes of a value: borrowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_as_bytes(value: *const OwValue, len: *mut usize) -> *const u8 {
    guarded(ptr::null(), || {
        match &unsafe { raw::at(value, "value") }?.0 {
            Value::Bytes(bytes) => {
                unsafe { raw::put(len, bytes.len()) };
                Ok(bytes.as_ptr())
            }
            _ => Err("the value is not bytes".to_owned()),
        }
    })
}

/// How many items a list or entries a map has; 0 for anything else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_len(value: *const OwValue) -> usize {
    match unsafe { value.as_ref() }.map(|value| &value.0) {
        Some(Value::List(items)) => items.len(),
        Some(Value::Map(map)) => map.len(),
        _ => 0,
    }
}

/// An item of a list: borrowed; null beyond its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_at(list: *const OwValue, index: usize) -> *const OwValue {
    guarded(ptr::null(), || match &unsafe { raw::at(list, "list") }?.0 {
        Value::List(items) => {
            let item = items
                .get(index)
                .ok_or_else(|| format!("the list has no item {index}"))?;
            Ok(borrow(item))
        }
        _ => Err("the value is not a list".to_owned()),
    })
}

/// An entry of a map: borrowed; null when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_get(map: *const OwValue, name: *const c_char) -> *const OwValue {
    guarded(ptr::null(), || {
        let name = unsafe { raw::text(name) }?;
        let map = unsafe { raw::at(map, "map") }?
            .0
            .as_map()
            .ok_or("the value is not a map")?;
        let value = map
            .get(&name)
            .ok_or_else(|| format!("the map has no `{name}`"))?;
        Ok(borrow(value))
    })
}

/// The entry of a map at `index`, in the map's order: borrowed, as is its name, which has `name_len` bytes and is *not* ended
/// by a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_entry(
    map: *const OwValue,
    index: usize,
    name: *mut *const c_char,
    name_len: *mut usize,
) -> *const OwValue {
    guarded(ptr::null(), || {
        let map = unsafe { raw::at(map, "map") }?
            .0
            .as_map()
            .ok_or("the value is not a map")?;
        let entry = map
            .iter()
            .nth(index)
            .ok_or_else(|| format!("the map has no entry {index}"))?;
        unsafe { raw::put(name, entry.0.as_ptr().cast()) };
        unsafe { raw::put(name_len, entry.0.len()) };
        Ok(borrow(entry.1))
    })
}

/// A copy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_copy(value: *const OwValue) -> *mut OwValue {
    guarded(ptr::null_mut(), || {
        Ok(give(unsafe { raw::at(value, "value") }?.0.clone()))
    })
}

/// Whether two values are equal, which is to say: whether they are encoded alike.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_equal(a: *const OwValue, b: *const OwValue) -> bool {
    match (unsafe { a.as_ref() }, unsafe { b.as_ref() }) {
        (Some(a), Some(b)) => a.0 == b.0,
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Frees a value. Not for borrowed ones.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_free(value: *mut OwValue) {
    unsafe { raw::free(value) };
}
