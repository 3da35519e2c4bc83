//! Either release takes up what the other has left.

use overwinter::{restore, save, save_with_origin};
use overwinter_editor::document::{Document, Scroll};
use overwinter_editor::state::{release_1, release_2};

fn document() -> Document {
    Document {
        path: Some("/home/ada/notes.md".into()),
        etag: Some("1:2".into()),
        base: "one\ntwo\n".into(),
        history: vec!["{\ni 0 x\n}\nu 1\n".into()],
        undone: 1,
        caret: 3,
        anchor: 1,
        scroll: Scroll {
            top: 4,
            above: 2,
            left: 0,
        },
        language: Some("markdown".into()),
        search: "tw".into(),
        searching: true,
        search_focused: true,
        width: 700,
        height: 500,
        ..Document::default()
    }
}

#[test]
fn release_2_takes_up_what_release_1_has_left() {
    let bytes = save(&release_1::Document::from(document())).unwrap();
    let up = restore::<release_2::Document>(&bytes).unwrap();
    assert!(up.loss.is_empty(), "{:?}", up.loss);
    assert_eq!(Document::from(up.value), document());
}

#[test]
fn release_1_takes_up_what_release_2_has_left_and_gives_all_of_it_back() {
    let zoomed = Document {
        zoom: 1.5,
        wrap: true,
        ..document()
    };
    let bytes = save(&release_2::Document::from(zoomed.clone())).unwrap();
    let down = restore::<release_1::Document>(&bytes).unwrap();
    let mut older = Document::from(down.value);
    assert_eq!(
        Document {
            zoom: 1.0,
            wrap: false,
            ..zoomed.clone()
        },
        older,
        "1.0 knows no zoom"
    );

    // 1.0 goes on with it, saves, and 2.0 takes it up again: the edits of both are there.
    older.caret = 5;
    older.anchor = 5;
    older.path = Some("/home/ada/renamed.md".into());
    let bytes = save_with_origin(&release_1::Document::from(older), down.origin.as_ref())
        .unwrap()
        .bytes;
    let up = restore::<release_2::Document>(&bytes).unwrap();
    let expected = Document {
        caret: 5,
        anchor: 5,
        path: Some("/home/ada/renamed.md".into()),
        ..zoomed
    };
    assert_eq!(Document::from(up.value), expected);
}
