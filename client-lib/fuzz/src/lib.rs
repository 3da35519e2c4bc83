//! What is tried on each target. A panic is a finding; so is memory or time beyond the fuzzer's limits.

mod chains;
pub mod note;

use arbitrary::Unstructured;
use overwinter::cbor;
use overwinter::{
    Chain, Form, Record, restore, restore_record, save_record, save_with_origin, type_of,
};

use note::Note;

/// Bytes are read or refused, and what is read is written as the very same bytes.
pub fn decode(data: &[u8]) {
    let Ok(value) = cbor::decode(data) else {
        return;
    };
    let again = cbor::encode(&value).expect("what was read can be written");
    assert_eq!(again, data, "{value:?}");
}

/// A chain and states from a stranger: down by steps that travel, up by steps of the program's own, with and without an
/// origin. The laws of lenses hold for chains that fit their schemas, which these seldom do; `lens/tests.rs` holds them to it.
pub fn lenses(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok((steps, body, edited)) = chains::steps_and_bodies(&mut data) else {
        return;
    };
    let version = 1 + steps.len() as u32;
    let form = |version, steps| {
        let chain = Chain::new(version, steps).expect("the steps follow on each other");
        Form::new("org.overwinter.Fuzz/any", [0; 32], chain)
    };
    let (old, new) = (form(1, Vec::new()), form(version, steps));
    let record = |body| Record {
        body,
        ..Record::default()
    };

    // Up, without anything newer to merge into; and what came of it is read by its own version as it was written.
    if let Ok(saved) = save_record(&old, record(edited.clone()), None)
        && let Ok(up) = restore_record(&new, &saved.bytes)
        && let Ok(saved) = save_record(&new, up.value.clone(), None)
    {
        let same = restore_record(&new, &saved.bytes).expect("its own state");
        assert_eq!(same.value.body, up.value.body);
    }

    // Down by the steps that travel, and up again over the origin, untouched and edited.
    let Ok(saved) = save_record(&new, record(body), None) else {
        return;
    };
    let Ok(down) = restore_record(&old, &saved.bytes) else {
        return;
    };
    let origin = down.origin;
    for body in [down.value.body, edited] {
        if let Ok(saved) = save_record(&old, record(body), origin.as_ref()) {
            let _ = restore_record(&new, &saved.bytes);
        }
    }
}

/// A state from a stranger, restored as a real type; what was restored can be saved and is the same then.
pub fn restore_any(data: &[u8]) {
    let _ = type_of(data);
    let Ok(restored) = restore::<Note>(data) else {
        return;
    };
    let _ = restored.provenance.digest_after(&restored.value);
    // Too deep by its origin, for example: told, not lost.
    let Ok(saved) = save_with_origin(&restored.value, restored.origin.as_ref()) else {
        return;
    };
    let again = restore::<Note>(&saved.bytes).expect("its own state");
    assert!(again.value.same_as(&restored.value), "saved and restored");
}
