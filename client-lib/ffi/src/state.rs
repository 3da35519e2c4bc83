//! Saved states as bytes, without a session.

use std::ptr;

use overwinter::{LossReason, LossReport, Map, Origin, Value, cbor};

use crate::error::guarded;
use crate::form::OwForm;
use crate::raw;
use crate::value::{OwValue, give};

/// Bytes that the library made; freed by `ow_saved_free`.
#[repr(C)]
pub struct OwSaved {
    /// Where they are.
    pub bytes: *mut u8,
    /// How many they are.
    pub len: usize,
}

/// What a restored state brought along that this version has no place for: it is saved along, so that the version that wrote it
/// gets it back. Within a session the library does this by itself.
pub struct OwKept {
    origin: Option<Origin>,
    rest: Map,
}

/// Frees what was kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_kept_free(kept: *mut OwKept) {
    unsafe { raw::free(kept) };
}

/// Saves `record`, a map of the form's fields, and writes the bytes to `out`. `kept` is what `ow_restore` gave, or null for a state
/// that is new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_save(
    form: *const OwForm,
    record: *const OwValue,
    kept: *const OwKept,
    out: *mut OwSaved,
) -> bool {
    guarded(false, || {
        let kind = &unsafe { raw::at(form, "form") }?.0;
        let out = unsafe { raw::at_mut(out, "place for the bytes") }?;
        let record = unsafe { raw::at(record, "record") }?.0.clone();
        let kept = unsafe { kept.as_ref() };
        let none = Map::new();
        let record = kind.record(record, kept.map_or(&none, |kept| &kept.rest))?;
        let origin = kept.and_then(|kept| kept.origin.as_ref());
        let saved =
            overwinter::save_record(&kind.form, record, origin).map_err(|e| e.to_string())?;
        *out = give_bytes(saved.bytes);
        Ok(true)
    })
}

/// Restores what this or any other version saved: a map of the form's fields, the caller's. `loss`, unless null, is set to a
/// list of what could not be carried, the caller's too: maps with `path`, `reason` and `kept` (whether it rides along). `kept`,
/// unless null, is set to what is to be saved along, the caller's, for `ow_kept_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_restore(
    form: *const OwForm,
    bytes: *const u8,
    len: usize,
    loss: *mut *mut OwValue,
    kept: *mut *mut OwKept,
) -> *mut OwValue {
    guarded(ptr::null_mut(), || {
        let kind = &unsafe { raw::at(form, "form") }?.0;
        let bytes = unsafe { raw::bytes(bytes, len) }?;
        let restored = overwinter::restore_record(&kind.form, bytes).map_err(|e| e.to_string())?;
        let (value, mut rest) = kind.value(restored.value)?;
        let homeless = kind.homeless(&mut rest);
        if !loss.is_null() {
            unsafe { raw::put(loss, give(loss_list(&restored.loss, &homeless))) };
        }
        if !kept.is_null() {
            let origin = restored.origin;
            unsafe { raw::put(kept, raw::give(OwKept { origin, rest })) };
        }
        Ok(give(value))
    })
}

/// A value as deterministic CBOR (RFC 8949 §4.2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_encode(value: *const OwValue, out: *mut OwSaved) -> bool {
    guarded(false, || {
        let value = unsafe { raw::at(value, "value") }?;
        let out = unsafe { raw::at_mut(out, "place for the bytes") }?;
        *out = give_bytes(cbor::encode(&value.0).map_err(|e| e.to_string())?);
        Ok(true)
    })
}

/// A value from deterministic CBOR; other encodings of the same value are refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_decode(bytes: *const u8, len: usize) -> *mut OwValue {
    guarded(ptr::null_mut(), || {
        let bytes = unsafe { raw::bytes(bytes, len) }?;
        cbor::decode(bytes).map(give).map_err(|e| e.to_string())
    })
}

/// Frees saved bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ow_saved_free(saved: OwSaved) {
    if !saved.bytes.is_null() {
        // SAFETY: made by `give_bytes`, of which the length is the capacity.
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(saved.bytes, saved.len)) });
    }
}

fn give_bytes(bytes: Vec<u8>) -> OwSaved {
    let len = bytes.len();
    let bytes = Box::into_raw(bytes.into_boxed_slice());
    OwSaved {
        bytes: bytes.cast(),
        len,
    }
}

/// What was lost on the way, and the fields of the root that a sealed form has no place for.
pub(crate) fn loss_list(loss: &LossReport, homeless: &Map) -> Value {
    let one = |path: &str, reason: LossReason, kept: bool| {
        let mut entry = Map::new();
        entry.insert("path", path);
        entry.insert("reason", reason.to_string());
        entry.insert("kept", kept);
        Value::Map(entry)
    };
    let on_the_way = loss
        .iter()
        .map(|loss| one(&loss.path, loss.reason, loss.kept));
    let homeless = homeless
        .iter()
        .map(|(name, _)| one(name, LossReason::UnknownField, false));
    Value::List(on_the_way.chain(homeless).collect())
}
