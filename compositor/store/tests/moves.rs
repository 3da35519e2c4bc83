//! A group moves from one store to another: whole, verified, with its own keys; and a power cut of the destination at any
//! operation leaves it either not staged or staged whole.

mod common;

use common::{Fault, FaultFs, G1, G2, Random, Unsynced, fates, numbers, snapshot};
use overwinter_proto::{
    Generation, GroupId, JournalRecord, Lease, Revision, Snapshot, TxId,
    journal::Closure,
    transfer::{ChunkId, Manifest},
};
use overwinter_store::{Result, Store, StoreError, closure};

const TX: TxId = TxId(0xfeed);
const SOURCE: [u8; 32] = [3; 32];

fn source() -> (FaultFs, Vec<Snapshot>) {
    let fs = FaultFs::default();
    let (mut store, _) = fs.store().unwrap();
    let mut document = Random(5).bytes(400_000);
    let first = snapshot("book", 1, document.clone());
    document[200_000..200_050].fill(0);
    let second = snapshot("book", 2, document);
    store.put(G1, Lease::FIRST, Revision(1), &first).unwrap();
    store.put(G1, Lease::FIRST, Revision(2), &second).unwrap();
    drop(store);
    (fs, vec![first, second])
}

/// What a courier does, without the stream between.
fn carry(
    from: &mut Store,
    to: &mut Store,
    generation: Generation,
    tx: TxId,
    epoch: u32,
) -> Result<(Manifest, Closure)> {
    let manifest = from.manifest(G1, generation).unwrap();
    to.import_keys(G1, &from.wrap_keys_for_move(G1).unwrap())?;
    for id in to.missing(&manifest)? {
        to.put_chunk(G1, id, &from.chunk(G1, id).unwrap())?;
    }
    let staged = to.stage(tx, &manifest, epoch, SOURCE)?;
    Ok((manifest, staged))
}

#[test]
fn a_group_comes_whole_and_lives_on_with_the_same_keys() {
    let (a, snapshots) = source();
    let b = FaultFs::seeded(1);
    let (mut from, _) = a.store().unwrap();
    let (mut to, _) = b.store().unwrap();
    let (manifest, staged) = carry(&mut from, &mut to, Generation(2), TX, 2).unwrap();
    assert_eq!(closure(&manifest), staged);
    assert_eq!(
        from.manifest(G1, Generation(2)).unwrap(),
        manifest,
        "asked twice, the same"
    );
    assert_eq!(
        to.stage(TX, &manifest, 2, SOURCE).unwrap(),
        staged,
        "told twice, the same"
    );
    assert_eq!(to.journal(G1).unwrap().len(), 1);
    assert_eq!(to.missing(&manifest).unwrap(), []);
    drop(to);
    let (mut to, report) = b.after_power_cut(Unsynced::Lost).store().unwrap();
    assert!(report.damaged.is_empty());
    assert!(to.get(G1, Generation(2)).unwrap() == snapshots[1]);
    let record = JournalRecord::Staged {
        tx: TX,
        generation: Generation(2),
        epoch: 2,
        closure: staged,
        source: SOURCE,
    };
    assert_eq!(to.journal(G1).unwrap()[0].record, record);
    to.record(G1, &JournalRecord::Owned { tx: TX, epoch: 2 })
        .unwrap();
    assert!(matches!(
        to.put(G1, Lease::FIRST, Revision(3), &snapshots[0]),
        Err(StoreError::StaleLease { .. })
    ));
    let lease = Lease::FIRST.next_host().next_holder();
    assert_eq!(
        to.put(
            G1,
            lease,
            Revision(3),
            &snapshot("book", 3, b"new".to_vec())
        )
        .unwrap(),
        Generation(3)
    );

    // And back again, though the source kept its old generations.
    let released = JournalRecord::Released {
        tx: TX,
        destination: [4; 32],
        destination_name: "b".to_owned(),
        epoch: 2,
        closure: staged,
    };
    let preparing = JournalRecord::Preparing {
        tx: TX,
        generation: Generation(2),
        epoch: 1,
        closure: staged,
    };
    from.record(G1, &preparing).unwrap();
    from.record(G1, &released).unwrap();
    let again = TxId(0xbeef);
    assert!(
        matches!(
            carry(&mut to, &mut from, Generation(3), again, 2),
            Err(StoreError::Refused { .. })
        ),
        "an epoch is used once"
    );
    carry(&mut to, &mut from, Generation(3), again, 3).unwrap();
    from.record(
        G1,
        &JournalRecord::Owned {
            tx: again,
            epoch: 3,
        },
    )
    .unwrap();
    assert_eq!(numbers(&mut from, G1), [1, 2, 3].map(Generation));
    assert!(from.get(G1, Generation(3)).unwrap() == snapshot("book", 3, b"new".to_vec()));
}

#[test]
fn an_aborted_move_leaves_the_destination_as_it_was() {
    let (a, _) = source();
    let b = FaultFs::seeded(1);
    let (mut from, _) = a.store().unwrap();
    let (mut to, _) = b.store().unwrap();
    carry(&mut from, &mut to, Generation(1), TX, 2).unwrap();
    to.record(G1, &JournalRecord::Aborted { tx: TX }).unwrap();
    assert_eq!(numbers(&mut to, G1), []);
    // The source saved in the meantime and tries again.
    carry(&mut from, &mut to, Generation(2), TxId(2), 2).unwrap();
    assert_eq!(numbers(&mut to, G1), [Generation(2)]);
    assert_eq!(
        to.retain(G1, &[]).unwrap().generations,
        0,
        "an undecided generation is not dropped"
    );
    to.get(G1, Generation(2)).unwrap();
}

#[test]
fn a_move_given_up_before_staged_leaves_nothing() {
    let (a, _) = source();
    let b = FaultFs::seeded(1);
    let (mut from, _) = a.store().unwrap();
    let (mut to, _) = b.store().unwrap();
    let empty = b.all_files().len();
    let manifest = from.manifest(G1, Generation(2)).unwrap();
    to.import_keys(G1, &from.wrap_keys_for_move(G1).unwrap())
        .unwrap();
    let (id, _) = manifest.chunks[0];
    to.put_chunk(G1, id, &from.chunk(G1, id).unwrap()).unwrap();
    assert!(to.has_chunk(G1, id).unwrap());
    assert_eq!(
        to.groups().unwrap(),
        [],
        "nothing is a group before its first record"
    );
    to.unstage(G1).unwrap();
    assert_eq!(b.all_files().len(), empty);
    assert!(matches!(to.journal(G1), Err(StoreError::UnknownGroup(_))));
}

#[test]
fn what_does_not_fit_is_refused() {
    let (a, _) = source();
    let b = FaultFs::seeded(1);
    let (mut from, _) = a.store().unwrap();
    let (mut to, _) = b.store().unwrap();
    let manifest = from.manifest(G1, Generation(2)).unwrap();
    let keys = from.wrap_keys_for_move(G1).unwrap();
    let refused = |e: Result<()>| assert!(matches!(e, Err(StoreError::Refused { .. })), "{e:?}");
    refused(to.import_keys(G1, &keys[..keys.len() - 1]));
    to.import_keys(G1, &keys).unwrap();
    let (id, _) = manifest.chunks[0];
    let sealed = from.chunk(G1, id).unwrap();
    for at in [0, 4, 5, 9, 40, sealed.len() - 1] {
        let mut bad = sealed.clone();
        bad[at] ^= 1;
        refused(to.put_chunk(G1, id, &bad));
    }
    refused(to.put_chunk(G1, ChunkId([9; 32]), &sealed));
    refused(to.stage(TX, &manifest, 2, SOURCE).map(drop));
    for id in to.missing(&manifest).unwrap() {
        to.put_chunk(G1, id, &from.chunk(G1, id).unwrap()).unwrap();
    }
    let changed: [fn(&mut Manifest); 5] = [
        |m| m.generation = Generation(7),
        |m| m.head[30] ^= 1,
        |m| m.head.truncate(10),
        |m| m.chunks.clear(),
        |m| m.chunks.push((ChunkId([1; 32]), 5)),
    ];
    for change in changed {
        let mut other = manifest.clone();
        change(&mut other);
        refused(to.stage(TX, &other, 2, SOURCE).map(drop));
    }
    assert_eq!(to.groups().unwrap(), []);
    to.stage(TX, &manifest, 2, SOURCE).unwrap();
    // Another group's keys under the same id.
    to.put(G2, Lease::FIRST, Revision(1), &snapshot("x", 1, vec![]))
        .unwrap();
    let others = to.wrap_keys_for_move(G2).unwrap();
    refused(to.import_keys(G1, &others));
}

#[test]
fn a_forgotten_group_may_come_back_with_a_later_epoch_only() {
    let (a, snapshots) = source();
    let b = FaultFs::seeded(1);
    let (mut from, _) = a.store().unwrap();
    let (mut to, _) = b.store().unwrap();
    carry(&mut from, &mut to, Generation(1), TX, 2).unwrap();
    to.record(G1, &JournalRecord::Owned { tx: TX, epoch: 2 })
        .unwrap();
    to.forget(G1).unwrap();
    assert!(matches!(
        carry(&mut from, &mut to, Generation(2), TxId(2), 2),
        Err(StoreError::Refused { .. })
    ));
    carry(&mut from, &mut to, Generation(2), TxId(2), 3).unwrap();
    drop(to);
    let (mut to, report) = b.store().unwrap();
    assert!(
        report.forgotten.is_empty(),
        "the old tombstone does not end the group's second life"
    );
    assert_eq!(numbers(&mut to, G1), [Generation(2)]);
    assert!(to.get(G1, Generation(2)).unwrap() == snapshots[1]);
}

#[test]
fn a_power_cut_of_the_destination_leaves_it_staged_whole_or_not_at_all() {
    let (a, snapshots) = source();
    let (mut from, _) = a.store().unwrap();
    let mut at = 0;
    loop {
        let b = FaultFs::seeded(1);
        b.fail_at(at, Fault::PowerCut);
        let answered = b
            .store()
            .and_then(|(mut to, _)| carry(&mut from, &mut to, Generation(2), TX, 2))
            .is_ok();
        for unsynced in fates(at) {
            let context = format!(
                "power cut at {at}, unsynced {unsynced:?}, after\n{}",
                b.tail()
            );
            let (mut to, report) = b.after_power_cut(unsynced).store().unwrap();
            assert!(report.damaged.is_empty(), "{context}: {report:?}");
            let listed: Vec<GroupId> = to.groups().unwrap();
            assert!(!answered || listed == [G1], "{context}");
            if listed == [G1] {
                assert!(
                    to.get(G1, Generation(2)).unwrap() == snapshots[1],
                    "{context}"
                );
            }
            // The courier asks again.
            carry(&mut from, &mut to, Generation(2), TX, 2)
                .unwrap_or_else(|e| panic!("{context}: {e}"));
            assert!(
                to.get(G1, Generation(2)).unwrap() == snapshots[1],
                "{context}"
            );
            assert_eq!(to.journal(G1).unwrap().len(), 1, "{context}");
        }
        if answered && !b.is_dead() {
            break;
        }
        at += 1;
    }
    assert!(at > 30, "the move took {at} operations only");
}
