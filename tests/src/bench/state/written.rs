//! What the smallest edits cost on disk: bytes that a real store takes up more after the next generation. Its index is left out:
//! it can be thrown away and is rebuilt.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use overwinter::Value;
use overwinter_proto::{BlobHash, BlobRef, Build, GroupId, Lease, Revision, Snapshot};
use overwinter_store::{Parts, Store};

use super::codec::kib;
use super::document::{Document, TEXT, letters};
use crate::bench::{Findings, Row};

/// As large as a picture that somebody pasted.
const BLOB: usize = 8 << 20;

pub fn take(findings: &mut Findings) -> Result<()> {
    let above = crate::place::programs().join("../bench");
    fs::create_dir_all(&above)?;
    let dir = tempfile::Builder::new()
        .prefix("state-")
        .tempdir_in(&above)?;
    let folder = dir.path().join("store");
    let (mut store, _) = Store::open(&folder)?;

    let blob = letters(BLOB).into_bytes();
    let file = dir.path().join("blob");
    File::create(&file)?.write_all(&blob)?;
    let name = BlobRef {
        hash: BlobHash::of(&blob),
        len: blob.len() as u64,
    };
    let mut document = Document::of(2 << 10, 20);
    let mut picture = overwinter::Map::new();
    picture.insert("$blob", Value::Bytes(name.hash.0.to_vec()));
    picture.insert("len", Value::Int(name.len.into()));
    document.rest.0.insert("picture", picture);
    let group = GroupId(1);
    store.put_blob(group, name, &File::open(&file)?)?;
    let blobs = Parts {
        blobs: vec![name],
        ..Parts::default()
    };
    let more = edit(
        &mut store,
        &folder,
        group,
        &blobs,
        &mut document,
        |document| {
            document.caret += 1;
        },
    )?;
    findings.row(Row::alone(
        "one field edited in a document with 8 MiB of blobs, written, KiB",
        kib(more),
        8.0,
    ));

    // Letters that hardly compress: words would make it look better than it is.
    let mut document = Document::of(2 << 10, 20);
    document.text = letters(TEXT);
    let more = edit(
        &mut store,
        &folder,
        GroupId(2),
        &Parts::default(),
        &mut document,
        |document| document.text.insert(400_000, 'x'),
    )?;
    findings.row(Row::alone(
        "one character typed into 1 MiB of text, written, KiB",
        kib(more),
        64.0,
    ));
    Ok(())
}

/// How much larger the store is after the edit was saved, in bytes.
fn edit(
    store: &mut Store,
    folder: &Path,
    group: GroupId,
    parts: &Parts,
    document: &mut Document,
    change: impl FnOnce(&mut Document),
) -> Result<usize> {
    store.put_with(
        group,
        Lease::FIRST,
        Revision(1),
        &snapshot(document)?,
        parts,
    )?;
    let before = size(folder)?;
    change(document);
    store.put_with(
        group,
        Lease::FIRST,
        Revision(2),
        &snapshot(document)?,
        parts,
    )?;
    usize::try_from(size(folder)? - before).context("the store has become smaller")
}

fn snapshot(document: &Document) -> Result<Snapshot> {
    Ok(Snapshot {
        app: "org.overwinter.Bench".to_owned(),
        build: Build::default(),
        revision: Revision(0),
        title: "bench".to_owned(),
        state: overwinter::save_with_parts(document, None, &Default::default())?
            .0
            .bytes,
        windows: Vec::new(),
    })
}

fn size(folder: &Path) -> Result<i64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_dir() && entry.file_name() != "index" {
            bytes += size(&entry.path())?;
        } else if meta.is_file() {
            bytes += i64::try_from(meta.len())?;
        }
    }
    Ok(bytes)
}
