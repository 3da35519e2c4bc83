//! Beside programs that people know: zstd and openssl for what is large, restic and borg for a small snapshot.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use overwinter_proto::{BlobHash, BlobRef, GroupId, Lease, Revision};
use overwinter_store::Store;

use super::super::{Findings, Row, median, millis};
use super::{noise, snapshot, timed};

const BLOB: usize = 256 << 20;

/// Bytes that compress about as a document with pictures does: words, and between them what does not compress.
fn document(len: usize, seed: u64) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "winter ",
        "the ",
        "of ",
        "snow",
        "sleeping ",
        "a ",
        "window ",
        "and ",
        "it ",
        "was ",
        "light",
        "\n",
        "under ",
        "in ",
        ", ",
        "morning ",
    ];
    let mut text = Vec::with_capacity(len + 4096);
    let mut draws = noise(1 << 20, seed).into_iter().cycle();
    let mut turn: u64 = 0;
    while text.len() < len {
        for byte in draws.by_ref().take(1000) {
            let word = (u64::from(byte) + turn) % 16;
            text.extend(WORDS[word as usize].bytes());
        }
        turn += 7;
        text.extend(noise(2_000, seed ^ (turn << 20) | 1));
    }
    text.truncate(len);
    text
}

/// A large blob beside `zstd -3 | openssl enc -chacha20` into a file, synced: the same work, less the names and the cuts.
pub fn throughput(store: &mut Store, dir: &Path, findings: &mut Findings) -> Result<()> {
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    let (input, output) = (dir.join("blob"), dir.join("piped"));
    for n in 0..5 {
        let content = document(BLOB, n + 1);
        fs::write(&input, &content)?;
        let blob = BlobRef {
            hash: BlobHash(*blake3::hash(&content).as_bytes()),
            len: content.len() as u64,
        };
        rustix::fs::sync();
        peer.push(millis(timed(|| {
            let pipe = "zstd -3 -q -c \"$1\" | openssl enc -chacha20 -K \"$3\" -iv \"$4\" > \"$2\" && sync \"$2\"";
            run(Command::new("bash")
                .args(["-o", "pipefail", "-c", pipe, "pipe"])
                .args([&input, &output])
                .args(["17".repeat(32), "42".repeat(16)]))
        })?));
        fs::remove_file(&output)?;
        rustix::fs::sync();
        let file = File::open(&input)?;
        let group = GroupId(1_000 + u128::from(n));
        ours.push(millis(timed(|| Ok(store.put_blob(group, blob, &file)?))?));
    }
    findings.row(Row::beside(
        "256 MiB blob; peer: zstd -3 | openssl enc -chacha20, ms",
        median(ours),
        median(peer),
        1.0 / 0.6,
    ));
    Ok(())
}

/// A 64 KiB snapshot, stored, beside restic and borg that back up the folder in which it lies as a file.
pub fn backups(store: &mut Store, dir: &Path, findings: &mut Findings) -> Result<()> {
    let folder = dir.join("snapshots");
    fs::create_dir_all(&folder)?;
    let program = |name: &str| {
        let mut command = Command::new(name);
        command
            .env("HOME", dir)
            .env("XDG_CACHE_HOME", dir.join("cache"))
            .env("RESTIC_PASSWORD", "winter")
            .env("RESTIC_REPOSITORY", dir.join("restic"))
            .env("BORG_BASE_DIR", dir.join("borg-base"))
            .env("BORG_PASSPHRASE", "winter")
            .env("BORG_REPO", dir.join("borg"));
        command
    };
    run(program("restic").args(["init", "-q"])).context("restic (scripts/setup --bench)")?;
    run(program("borg").args(["init", "-e", "repokey-blake2"]))
        .context("borg (scripts/setup --bench)")?;
    let group = GroupId(500);
    let (mut ours, mut restic, mut borg) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..7 {
        let s = snapshot(noise(64 << 10, 900 + n));
        fs::write(folder.join("document"), &s.state)?;
        rustix::fs::sync();
        ours.push(millis(timed(|| {
            Ok(store.put(group, Lease::FIRST, Revision(n), &s)?)
        })?));
        restic.push(millis(timed(|| {
            run(program("restic").args(["backup", "-q"]).arg(&folder))
        })?));
        borg.push(millis(timed(|| {
            let archive = format!("::{n}");
            let args = ["create", "-C", "zstd,3", &archive];
            run(program("borg").args(args).arg(&folder))
        })?));
    }
    for (name, peer) in [("restic", restic), ("borg", borg)] {
        findings.row(Row::beside(
            &format!("64 KiB snapshot, stored; peer: {name}, ms"),
            median(ours.clone()),
            median(peer),
            0.1,
        ));
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let ended = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .with_context(|| format!("{name} cannot be started"))?;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "{name}: {said}");
    Ok(())
}
