//! The walking session, from start to end, with every check held.

use std::path::Path;

use overwinter_tests::story;

#[test]
fn open_sleep_wake_update_undo_move() {
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("story");
    let report = story::play(Some(pictures), "headless", true).unwrap();
    println!("{}", report.table());
    assert!(report.all_held(), "{}", report.failures());
}
