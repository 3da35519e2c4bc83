//! What the tests share.

#![allow(
    dead_code,
    unused_imports,
    missing_docs,
    reason = "shared between test binaries, each of which uses a part"
)]

mod faultfs;
mod redb_index;

pub use faultfs::{Fault, FaultFs, Random, Unsynced};
pub use redb_index::RedbIndex;

use overwinter_proto::{
    Build, Generation, GroupId, Revision, Snapshot,
    snapshot::{Picture, Placement, WindowSnapshot},
};
use overwinter_store::Store;

/// What may become of unsynced data: four ways in an ordinary run, more with `OVERWINTER_TEST_LONG=1`.
pub fn fates(at: u64) -> Vec<Unsynced> {
    if std::env::var_os("OVERWINTER_TEST_LONG").is_some() {
        let seeds = (0..20).map(|n| Unsynced::Mixed(at + n * 100_000));
        return [Unsynced::Lost, Unsynced::Kept]
            .into_iter()
            .chain(seeds)
            .collect();
    }
    vec![
        Unsynced::Lost,
        Unsynced::Kept,
        Unsynced::Mixed(at),
        Unsynced::Mixed(at + 100_000),
    ]
}

pub const G1: GroupId = GroupId(0x1111_0000_0000_0000_0000_0000_0000_0001);
pub const G2: GroupId = GroupId(0x2222_0000_0000_0000_0000_0000_0000_0002);

/// A snapshot with this state, and a window.
pub fn snapshot(title: &str, revision: u64, state: Vec<u8>) -> Snapshot {
    Snapshot {
        app: "org.overwinter.Editor".to_owned(),
        build: Build {
            version: "1.0".to_owned(),
            id: "abcdef".to_owned(),
        },
        revision: Revision(revision),
        title: title.to_owned(),
        state,
        windows: vec![WindowSnapshot {
            name: "main".to_owned(),
            title: title.to_owned(),
            place: Placement {
                x: 10,
                y: 20,
                width: 4,
                height: 2,
                ..Placement::default()
            },
            picture: Some(Picture {
                width: 4,
                height: 2,
                scale_120: 120,
                geometry_x: 0,
                geometry_y: 0,
                argb: vec![revision as u8; 32],
            }),
        }],
    }
}

/// The numbers of a group's generations.
pub fn numbers(store: &mut Store, group: GroupId) -> Vec<Generation> {
    store
        .generations(group)
        .unwrap()
        .into_iter()
        .map(|i| i.generation)
        .collect()
}
