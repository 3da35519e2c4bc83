//! One document written and read by us and by three formats that serde programs use, in turns.

use std::hint::black_box;

use anyhow::{Result, ensure};

use super::document::{Document, STEPS, TEXT};
use super::turns::{fastest, used};
use crate::bench::{Findings, Row};

const TURNS: usize = 25;

pub fn take(findings: &mut Findings) -> Result<()> {
    let document = Document::of(TEXT, STEPS);
    let ours = overwinter::save(&document)?;
    let json = serde_json::to_vec(&document)?;
    let mut cbor = Vec::new();
    ciborium::into_writer(&document, &mut cbor)?;
    let postcard = postcard::to_allocvec(&document)?;

    let [o, c, j, p] = fastest(
        TURNS,
        [
            &mut || used(overwinter::save(black_box(&document))),
            &mut || {
                let mut out = Vec::new();
                ciborium::into_writer(black_box(&document), &mut out)?;
                used(anyhow::Ok(out))
            },
            &mut || used(serde_json::to_vec(black_box(&document))),
            &mut || used(postcard::to_allocvec(black_box(&document))),
        ],
    )?;
    findings.row(Row::beside(
        "1 MiB and 10,000 undo steps, encode; peer: ciborium, ms",
        o,
        c,
        1.5,
    ));
    findings.row(Row::beside("the same; peer: serde_json, ms", o, j, None));
    findings.row(Row::beside("the same; peer: postcard, ms", o, p, None));

    // Each is asked to give back the very document, and does.
    ensure!(overwinter::restore::<Document>(&ours)?.value == document);
    ensure!(ciborium::from_reader::<Document, _>(cbor.as_slice())? == document);
    let [o, c, j, p] = fastest(
        TURNS,
        [
            &mut || used(overwinter::restore::<Document>(black_box(&ours))),
            &mut || {
                used(ciborium::from_reader::<Document, _>(black_box(
                    cbor.as_slice(),
                )))
            },
            &mut || used(serde_json::from_slice::<Document>(black_box(&json))),
            &mut || used(postcard::from_bytes::<Document>(black_box(&postcard))),
        ],
    )?;
    findings.row(Row::beside(
        "the same, decode; peer: ciborium, ms",
        o,
        c,
        1.5,
    ));
    findings.row(Row::beside(
        "the same, decode; peer: serde_json, ms",
        o,
        j,
        None,
    ));
    findings.row(Row::beside(
        "the same, decode; peer: postcard, ms",
        o,
        p,
        None,
    ));

    findings.row(size(
        "the same, size; peer: serde_json, KiB",
        &ours,
        &json,
        1.0,
    ));
    findings.row(size(
        "the same, size; peer: ciborium, KiB",
        &ours,
        &cbor,
        None,
    ));
    findings.row(size(
        "the same, size; peer: postcard, KiB",
        &ours,
        &postcard,
        None,
    ));
    Ok(())
}

fn size(name: &str, ours: &[u8], peer: &[u8], goal: impl Into<Option<f64>>) -> Row {
    Row::beside(name, kib(ours.len()), kib(peer.len()), goal)
}

#[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
pub fn kib(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}
