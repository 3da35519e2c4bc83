//! Blobs and secrets in a whole session, by an app that speaks D-Bus itself: asleep, awake again, moved to another host; and what
//! the session says to an app that does it wrong.

use anyhow::{Context, Result, ensure};
use overwinter_tests::host::Hosts;
use overwinter_tests::session::{Session, Wish};
use overwinter_tests::test_app::puppet::{Held, Order, Puppet, released, restored, saved_with};
use overwinter_tests::test_app::stage::{Stage, has_three_parts};
use overwinter_tests::test_app::words::{Beside, Do, Payload};

const STATE: &[u8] = b"the state, which refers to a picture";
const PASSWORD: &[u8] = b"correct horse battery staple";
const KEY: &[u8] = b"a key that goes along with a move";

/// Bytes that do not pack.
fn picture(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&[seed])
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

fn unasked(held: &Held) -> Order {
    Order {
        op: 0,
        group: held.group.clone(),
        lease: held.lease,
        revision: 0,
    }
}

fn with(blob: &(Vec<u8>, u64)) -> Beside {
    Beside {
        blobs: vec![blob.clone()],
        secrets: PASSWORD.to_vec(),
        travelling: KEY.to_vec(),
    }
}

/// Hands over the state with its parts, lets go, and ends.
fn fall_asleep(puppet: &mut Puppet, revision: u64, beside: Beside) -> Result<()> {
    let order = puppet.asked_to_save()?;
    puppet.tell_well(&saved_with(&order, revision, STATE, beside))?;
    let order = puppet.asked_to_release()?;
    puppet.tell_well(&released(&order))?;
    puppet.end(&Do::End)
}

#[test]
fn blobs_and_secrets_sleep_and_wake() -> Result<()> {
    let stage = Stage::new()?;
    let (mut puppet, held) = stage.open("an album")?;
    let content = picture(1, 3_000_000);
    let blob = puppet.put_blob(&held, &content)?;
    puppet.tell_well(&saved_with(&unasked(&held), 1, STATE, with(&blob)))?;
    puppet.stored(1)?;
    ensure!(puppet.get_blob(&held.group, held.copy, &blob.0)? == content);

    let hibernate = stage.begin(&["hibernate", &held.group])?;
    fall_asleep(&mut puppet, 1, with(&blob))?;
    let said = hibernate.end()?;
    ensure!(said.code == 0, "{said:?}");
    stage.group_is(&held.group, "asleep")?;

    let (_wake, mut puppet) = stage.touch(&held.group)?;
    let wish = puppet.asked_to_restore()?;
    ensure!(wish.state == STATE);
    ensure!(wish.secrets == PASSWORD && wish.travelling == KEY);
    ensure!(
        puppet.get_blob(&wish.group, wish.copy, &blob.0)? == content,
        "a trial may read it"
    );
    puppet.tell_well(&restored(&wish, &wish.state))?;
    let held = puppet.adopted()?;
    stage.group_is(&held.group, "live")?;
    ensure!(puppet.get_blob(&held.group, held.copy, &blob.0)? == content);
    let secret = String::from_utf8_lossy(PASSWORD).into_owned();
    ensure!(
        !stage.session.logs().contains(&secret),
        "a log shows the secret"
    );
    stage.goes_on()
}

#[test]
fn what_is_no_honest_blob_is_refused_and_the_app_goes_on() -> Result<()> {
    let stage = Stage::new()?;
    let (mut puppet, held) = stage.open("an album")?;
    let content = picture(2, 100_000);
    let hash = blake3::hash(&content).as_bytes().to_vec();
    let put = |lease, hash: &[u8], len, payload| Do::PutBlob {
        group: held.group.clone(),
        lease,
        hash: hash.to_vec(),
        len,
        payload,
    };
    let honest = || Payload::Honest(content.clone());
    for (what, error, happened) in [
        (
            put(held.lease, &[7; 32], 100_000, honest()),
            "BadPayload",
            "another BLAKE3",
        ),
        (
            put(held.lease, &hash, 99_999, honest()),
            "BadPayload",
            "100000 bytes where 99999",
        ),
        (
            put(held.lease, &hash[..31], 100_000, honest()),
            "BadPayload",
            "31 bytes",
        ),
        (
            put(
                held.lease,
                &hash,
                100_000,
                Payload::Unsealed(content.clone()),
            ),
            "BadPayload",
            "seals",
        ),
        (
            put(
                held.lease,
                &hash,
                100_000,
                Payload::Writable(content.clone()),
            ),
            "BadPayload",
            "seals",
        ),
        (
            put(held.lease, &hash, 100_000, Payload::Pipe),
            "BadPayload",
            "memfd",
        ),
        (
            put(held.lease, &hash, 2 << 30, Payload::Sparse(2 << 30)),
            "BadPayload",
            "the most",
        ),
        (
            put(held.lease + 1, &hash, 100_000, honest()),
            "NotHolder",
            "lease",
        ),
    ] {
        let text = puppet.is_refused(&what, error)?;
        ensure!(text.contains(happened), "{text}");
    }
    let named = (hash.clone(), 100_000);
    let text = puppet.is_refused(
        &saved_with(&unasked(&held), 1, STATE, with(&named)),
        "MissingBlob",
    )?;
    has_three_parts(&text, "has no blob")?;
    let get = |held: &Held| Do::GetBlob {
        group: held.group.clone(),
        copy: held.copy,
        hash: hash.clone(),
    };
    puppet.is_refused(&get(&held), "MissingBlob")?;

    // None of this is in the way of doing it right; another app sees nothing of it.
    let blob = puppet.put_blob(&held, &content)?;
    puppet.tell_well(&saved_with(&unasked(&held), 1, STATE, with(&blob)))?;
    puppet.stored(1)?;
    let (mut other, _) = stage.open("a stranger's")?;
    other.is_refused(&get(&held), "UnknownGroup")?;
    other.is_refused(&put(held.lease, &hash, 100_000, honest()), "NotHolder")?;
    ensure!(puppet.get_blob(&held.group, held.copy, &blob.0)? == content);

    // Once no generation has it, it has to be given again.
    for revision in 2..6 {
        let none = Beside::default();
        puppet.tell_well(&saved_with(&unasked(&held), revision, STATE, none))?;
        puppet.stored(revision)?;
    }
    puppet.is_refused(
        &saved_with(&unasked(&held), 6, STATE, with(&blob)),
        "MissingBlob",
    )?;
    puppet.put_blob(&held, &content)?;
    puppet.tell_well(&saved_with(&unasked(&held), 6, STATE, with(&blob)))?;
    puppet.stored(6)?;
    stage.goes_on()
}

#[test]
fn a_move_takes_the_blobs_and_leaves_the_secrets_that_stay() -> Result<()> {
    let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
    let mut hosts = Hosts::new(base.path())?;
    let session = |place: &overwinter_tests::place::Place, name: &str| {
        Session::prepare(Wish {
            place: place.clone(),
            ..Wish::headless(base.path().join(name))
        })
    };
    let a = Stage::of(session(&hosts.a, "a")?)?;
    let b = Stage::of(session(&hosts.b, "b")?)?;
    let rsh = hosts.start_sshd(&b.session)?;

    let (mut puppet, held) = a.open("an album")?;
    let content = picture(3, 2_000_000);
    let blob = puppet.put_blob(&held, &content)?;
    puppet.tell_well(&saved_with(&unasked(&held), 1, STATE, with(&blob)))?;
    puppet.stored(1)?;
    let (to, program) = (hosts.name_of_b(), hosts.program_on_b());
    let moving = a.begin(&[
        "move",
        "--to",
        to,
        "--rsh",
        &rsh,
        "--remote-program",
        &program,
    ])?;
    fall_asleep(&mut puppet, 1, with(&blob))?;

    let mut there = b.next_puppet().context("nothing was started on B")?;
    there.register("1.0")?;
    let wish = there.asked_to_restore()?;
    ensure!(wish.group == held.group && wish.state == STATE);
    ensure!(wish.travelling == KEY, "what travels is there");
    ensure!(wish.secrets.is_empty(), "what stays is not");
    ensure!(there.get_blob(&wish.group, wish.copy, &blob.0)? == content);
    there.tell_well(&restored(&wish, &wish.state))?;
    let held = there.adopted()?;
    let said = moving.end()?;
    ensure!(said.code == 0, "{said:?}");
    ensure!(there.get_blob(&held.group, held.copy, &blob.0)? == content);
    Ok(())
}
