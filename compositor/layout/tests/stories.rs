//! What the layout does, told as stories.

use overwinter_layout::*;

/// A laptop's panel: 1280 by 800.
fn panel() -> Op {
    plug("eDP-1", "", Size::new(1280, 800), Scale::ONE)
}

/// A monitor on the desk: 2560 by 1440.
fn monitor(connector: &str) -> Op {
    plug(connector, "S123", Size::new(2560, 1440), Scale::ONE)
}

fn plug(connector: &str, serial: &str, pixels: Size, scale: Scale) -> Op {
    let identity = OutputIdentity {
        connector: connector.into(),
        make: "Maker".into(),
        model: if serial.is_empty() {
            "Panel"
        } else {
            "Monitor"
        }
        .into(),
        serial: serial.into(),
    };
    let mode = OutputMode {
        pixels,
        scale,
        position: None,
    };
    Op::Plug { identity, mode }
}

fn tiling() -> Desktop {
    Desktop::new(Options {
        gap: 10,
        tile: true,
        column: Share::HALF,
    })
}

fn with(mut desktop: Desktop, ops: impl IntoIterator<Item = Op>) -> Desktop {
    for op in ops {
        desktop
            .apply(op.clone())
            .unwrap_or_else(|e| panic!("{op:?}: {e}"));
        desktop
            .check()
            .unwrap_or_else(|e| panic!("after {op:?}: {e}"));
    }
    desktop
}

const A: WindowId = WindowId(1);
const B: WindowId = WindowId(2);
const C: WindowId = WindowId(3);

/// A window of 400 by 300 that the user opened.
fn open(id: WindowId) -> Op {
    Op::Open(
        id,
        Opening {
            size: Size::new(400, 300),
            focus: true,
            ..Opening::default()
        },
    )
}

fn dialog(id: WindowId, parent: WindowId) -> Op {
    let parent = Some(parent);
    Op::Open(
        id,
        Opening {
            parent,
            size: Size::new(200, 100),
            ..Opening::default()
        },
    )
}

fn focus(window: WindowId) -> Op {
    Op::Focus {
        window,
        raise: true,
    }
}

fn rect(desktop: &Desktop, id: WindowId) -> Rect {
    desktop.arrange().slot(id).unwrap().rect
}

fn visibility(desktop: &Desktop, id: WindowId) -> Visibility {
    desktop.arrange().slot(id).unwrap().visibility
}

#[test]
fn windows_stand_beside_each_other_as_long_as_there_is_room() {
    let desktop = with(Desktop::default(), [panel(), open(A), open(B), open(C)]);
    assert_eq!(rect(&desktop, A), Rect::new(440, 250, 400, 300));
    assert_eq!(rect(&desktop, B), Rect::new(40, 250, 400, 300));
    assert_eq!(rect(&desktop, C), Rect::new(840, 250, 400, 300));
    assert_eq!(desktop.arrange().stack, [A, B, C]);
    assert_eq!(desktop.recent(), [C, B, A]);
}

#[test]
fn tiles_are_columns_and_opening_one_resizes_nobody() {
    let desktop = with(tiling(), [panel(), open(A), open(B)]);
    assert_eq!(rect(&desktop, A), Rect::new(10, 10, 625, 780));
    assert_eq!(rect(&desktop, B), Rect::new(645, 10, 625, 780));
    // The third does not fit: the view moves on just so far that it is seen.
    let desktop = with(desktop, [open(C)]);
    assert_eq!(rect(&desktop, C), Rect::new(645, 10, 625, 780));
    assert_eq!(rect(&desktop, B), Rect::new(10, 10, 625, 780));
    assert_eq!(visibility(&desktop, A), Visibility::OutOfView);
    // Going back to the first, the view follows.
    let desktop = with(
        desktop,
        [
            Op::FocusSide(Direction::Left),
            Op::FocusSide(Direction::Left),
        ],
    );
    assert_eq!(desktop.focused(), Some(A));
    assert_eq!(rect(&desktop, A), Rect::new(10, 10, 625, 780));
}

#[test]
fn two_tiles_share_a_column() {
    let desktop = with(
        tiling(),
        [
            panel(),
            open(A),
            open(B),
            Op::Merge {
                window: B,
                right: false,
            },
        ],
    );
    assert_eq!(rect(&desktop, A), Rect::new(10, 10, 625, 385));
    assert_eq!(rect(&desktop, B), Rect::new(10, 405, 625, 385));
    let back = with(
        desktop,
        [Op::Merge {
            window: B,
            right: true,
        }],
    );
    assert_eq!(rect(&back, B), Rect::new(645, 10, 625, 780));
}

#[test]
fn a_monitor_that_returns_finds_everything_as_it_was() {
    let desktop = with(
        Desktop::default(),
        [
            panel(),
            monitor("DP-1"),
            open(A),
            Op::FocusOutput(OutputId(1)),
            open(B),
            Op::Put(B, Rect::new(1800, 900, 700, 500)),
            open(C),
            Op::SetMaximised(C, true),
        ],
    );
    let before = desktop.arrange();
    assert_eq!(rect(&desktop, B), Rect::new(1280 + 1800, 900, 700, 500));
    // Undocked: the monitor's workspace is a guest of the panel, which goes on showing its own.
    let away = with(desktop, [Op::Unplug(OutputId(1))]);
    assert_eq!(visibility(&away, A), Visibility::Shown);
    assert_eq!(visibility(&away, B), Visibility::OtherWorkspace);
    // Looked at there, its windows are fitted in, and still wish to be where they were.
    let looked = with(away.clone(), [Op::ShowWorkspace("2".into())]);
    assert_eq!(rect(&looked, C), Rect::new(0, 0, 1280, 800));
    assert_eq!(rect(&looked, B), Rect::new(1280 - 64, 800 - 32, 700, 500));
    // Docked again, at another socket: all is back, the focus too.
    let back = with(away, [monitor("DP-7")]);
    assert_eq!(back.arrange(), before);
    let back = with(looked, [monitor("DP-7")]);
    assert_eq!(rect(&back, B), Rect::new(1280 + 1800, 900, 700, 500));
}

#[test]
fn what_a_window_draws_on_a_smaller_output_is_not_what_it_wishes() {
    let large = Rect::new(100, 50, 2000, 1300);
    let desktop = with(
        Desktop::default(),
        [
            panel(),
            monitor("DP-1"),
            Op::FocusOutput(OutputId(1)),
            open(A),
            Op::Put(A, large),
        ],
    );
    let away = with(
        desktop,
        [
            Op::Unplug(OutputId(1)),
            Op::ShowWorkspace("2".into()),
            Op::Drew(A, Size::new(1280, 790)),
        ],
    );
    assert_eq!(rect(&away, A), Rect::new(100, 50, 1280, 800));
    let back = with(away, [monitor("DP-1")]);
    assert_eq!(rect(&back, A), large.moved(Point::new(1280, 0)));
}

#[test]
fn an_inherited_focus_is_not_a_chosen_one() {
    let desktop = with(Desktop::default(), [panel(), open(A), open(B)]);
    assert!(desktop.focus_is_chosen());
    let desktop = with(desktop, [Op::Close(B)]);
    assert_eq!(
        (desktop.focused(), desktop.focus_is_chosen()),
        (Some(A), false)
    );
    let desktop = with(desktop, [focus(A)]);
    assert!(desktop.focus_is_chosen());
}

#[test]
fn monitors_without_serial_number_are_told_apart_by_their_sockets() {
    let twin = |connector| plug(connector, "", Size::new(800, 600), Scale::ONE);
    let desktop = with(Desktop::default(), [twin("DP-1"), twin("DP-2"), open(A)]);
    let desktop = with(desktop, [Op::Unplug(OutputId(0)), Op::Unplug(OutputId(1))]);
    assert_eq!(visibility(&desktop, A), Visibility::NoOutput);
    let desktop = with(desktop, [twin("DP-2"), twin("DP-1")]);
    assert_eq!(desktop.output_at("DP-1"), Some(OutputId(0)));
    assert_eq!(desktop.arrange().slot(A).unwrap().output, Some(OutputId(0)));
    assert_eq!(
        desktop.focused(),
        Some(A),
        "nobody took it while there was no output"
    );
}

#[test]
fn panels_leave_what_they_leave_and_take_no_wish_away() {
    let desktop = with(tiling(), [panel(), open(A), Op::SetMaximised(A, true)]);
    let bar = Margins {
        top: 30,
        ..Margins::default()
    };
    let barred = with(desktop.clone(), [Op::Reserve(OutputId(0), bar)]);
    assert_eq!(rect(&barred, A), Rect::new(0, 30, 1280, 770));
    let full = Op::SetFullscreen {
        window: A,
        on: true,
        output: None,
    };
    let full = with(barred.clone(), [full]);
    assert_eq!(rect(&full, A), Rect::new(0, 0, 1280, 800));
    assert_eq!(
        full.arrange().stands[0].covered_by,
        Some(A),
        "the panel goes behind it"
    );
    let gone = with(barred, [Op::Reserve(OutputId(0), Margins::default())]);
    assert_eq!(gone.arrange(), desktop.arrange());
}

#[test]
fn at_a_fractional_scale_tiles_still_meet_the_edges() {
    for scale in 120..=360 {
        let fractional = plug(
            "eDP-1",
            "",
            Size::new(1920, 1080),
            Scale::from_120ths(scale),
        );
        let desktop = with(tiling(), [fractional, open(A), open(B)]);
        let stand = desktop.arrange().stands[0];
        let pixels = f64::from(stand.rect.w) * f64::from(scale) / 120.0;
        assert!(
            (pixels - 1920.0).abs() <= f64::from(scale) / 240.0,
            "{scale}: {pixels}"
        );
        let (a, b) = (rect(&desktop, A), rect(&desktop, B));
        assert_eq!(b.x - a.right(), 10);
        assert!(
            (9..=11).contains(&(stand.rect.right() - b.right())),
            "{scale}: {b:?}"
        );
    }
}

#[test]
fn no_window_takes_the_focus() {
    let uninvited = Opening {
        size: Size::new(400, 300),
        ..Opening::default()
    };
    let desktop = with(
        Desktop::default(),
        [panel(), open(A), Op::Open(B, uninvited)],
    );
    assert_eq!(desktop.focused(), Some(A));
    assert_eq!(
        desktop.arrange().stack,
        [B, A],
        "nor does it cover what has the focus"
    );
    let desktop = with(desktop, [Op::Demand(B)]);
    assert_eq!(desktop.focused(), Some(A));
    assert!(desktop.window(B).unwrap().urgent);
    let desktop = with(desktop, [focus(B)]);
    assert_eq!(desktop.focused(), Some(B));
    assert!(!desktop.window(B).unwrap().urgent);
}

#[test]
fn a_dialog_stands_over_its_parent_and_gives_the_focus_back() {
    let desktop = with(
        Desktop::default(),
        [panel(), open(A), open(B), focus(A), dialog(C, A)],
    );
    assert_eq!(rect(&desktop, C), Rect::new(540, 350, 200, 100));
    assert_eq!(
        desktop.focused(),
        Some(C),
        "its parent had the focus: nothing is stolen"
    );
    let desktop = with(desktop, [focus(B), focus(A), Op::SetModal(C, true)]);
    assert_eq!(desktop.arrange().stack, [B, A, C]);
    assert_eq!(
        desktop.focused(),
        Some(C),
        "modal: it takes the focus instead of its parent"
    );
    let desktop = with(
        desktop,
        [Op::Send {
            window: C,
            workspace: "mail".into(),
            follow: true,
        }],
    );
    assert_eq!(
        visibility(&desktop, A),
        Visibility::Shown,
        "the family goes together"
    );
    assert_eq!(visibility(&desktop, B), Visibility::OtherWorkspace);
    let desktop = with(desktop, [Op::Close(C)]);
    assert_eq!(desktop.focused(), Some(A));
}

#[test]
fn a_group_sleeps_and_keeps_its_place() {
    let desktop = with(tiling(), [panel(), open(A), open(B), open(C), focus(B)]);
    let before = desktop.arrange();
    // The ghost is another object of the shell's: it takes the window's name over, then the window's place is asleep.
    let ghost = WindowId(100);
    let asleep = with(
        desktop,
        [
            Op::Replace { old: B, new: ghost },
            Op::Sleep {
                window: ghost,
                keep_focus: false,
            },
        ],
    );
    assert_eq!(rect(&asleep, ghost), before.slot(B).unwrap().rect);
    assert_eq!(
        asleep.focused(),
        Some(C),
        "whoever had it before; never another ghost"
    );
    // Its neighbours come and go as with any other window.
    let touched = with(asleep, [focus(ghost)]);
    assert_eq!(
        touched.focused(),
        Some(ghost),
        "the user may choose it: that is what wakes it"
    );
    let awake = with(
        touched,
        [Op::Wake(ghost), Op::Replace { old: ghost, new: B }],
    );
    let now = awake.arrange();
    assert_eq!((now.slots, now.focus), (before.slots, before.focus));
}

#[test]
fn a_place_outlives_the_window_and_the_session() {
    let desktop = with(
        tiling(),
        [
            panel(),
            monitor("DP-1"),
            Op::FocusOutput(OutputId(1)),
            Op::ShowWorkspace("mail".into()),
            open(A),
            open(B),
            open(C),
            Op::Merge {
                window: C,
                right: false,
            },
            Op::SetWidth(A, Share::of(2, 3)),
            Op::SetMinimised(A, true),
        ],
    );
    let kept = [C, A, B].map(|w| (w, desktop.place_of(w).unwrap()));
    // Another day, the monitor is not there yet, and they return in another order.
    let mut next = with(tiling(), [panel()]);
    for (window, place) in kept {
        let opening = Opening {
            place: Some(place),
            ..Opening::default()
        };
        next = with(next, [Op::Open(window, opening)]);
    }
    assert_eq!(visibility(&next, B), Visibility::OtherWorkspace);
    let next = with(next, [monitor("DP-1"), Op::ShowWorkspace("mail".into())]);
    for window in [A, B, C] {
        assert_eq!(rect(&next, window), rect(&desktop, window), "{window:?}");
        assert_eq!(next.place_of(window), desktop.place_of(window));
    }
    let desktop = with(desktop, [focus(A)]);
    let next = with(next, [focus(A)]);
    assert_eq!(
        rect(&next, A),
        rect(&desktop, A),
        "put away it kept its tile"
    );
}

#[test]
fn a_place_is_read_whatever_version_wrote_it() {
    let sparse: Place =
        serde_json::from_str(r#"{"floating":{"x":5,"y":6,"w":70,"h":80}}"#).unwrap();
    let newer = r#"{"floating":{"x":5,"y":6,"w":70,"h":80},"floats":true,"tint":"blue"}"#;
    let newer: Place = serde_json::from_str(newer).unwrap();
    for place in [sparse, newer] {
        let mut cbor = Vec::new();
        ciborium::into_writer(&place, &mut cbor).unwrap();
        assert_eq!(ciborium::from_reader::<Place, _>(&cbor[..]).unwrap(), place);
        let opening = Opening {
            place: Some(place),
            ..Opening::default()
        };
        let desktop = with(Desktop::default(), [panel(), Op::Open(A, opening)]);
        assert_eq!(rect(&desktop, A), Rect::new(5, 6, 70, 80));
    }
}

#[test]
fn a_floating_window_is_dragged_to_another_output() {
    let desktop = with(Desktop::default(), [panel(), monitor("DP-1"), open(A)]);
    let start = Point::new(500, 260);
    let dragging = with(
        desktop.clone(),
        [Op::BeginMove(A, start), Op::Drag(Point::new(2500, 360))],
    );
    assert_eq!(rect(&dragging, A), Rect::new(2440, 350, 400, 300));
    let cancelled = with(dragging.clone(), [Op::CancelDrag]);
    assert_eq!(cancelled.arrange(), desktop.arrange());
    let dropped = with(dragging, [Op::Drop]);
    let slot = *dropped.arrange().slot(A).unwrap();
    assert_eq!(
        (slot.output, slot.rect),
        (Some(OutputId(1)), Rect::new(2440, 350, 400, 300))
    );
    assert_eq!(dropped.seat(), OutputId(1), "the user is there now");
}

#[test]
fn a_maximised_window_is_pulled_off_by_its_title_bar() {
    let desktop = with(
        Desktop::default(),
        [panel(), open(A), Op::SetMaximised(A, true)],
    );
    let held = with(
        desktop,
        [
            Op::BeginMove(A, Point::new(640, 10)),
            Op::Drag(Point::new(642, 12)),
        ],
    );
    assert_eq!(
        held.arrange().slot(A).unwrap().fill,
        Fill::Maximised,
        "a click is no drag"
    );
    let pulled = with(held, [Op::Drag(Point::new(640, 60))]);
    assert_eq!(
        rect(&pulled, A),
        Rect::new(440, 50, 400, 300),
        "the pointer is halfway along still"
    );
    let dropped = with(pulled, [Op::Drop]);
    assert_eq!(rect(&dropped, A), Rect::new(440, 50, 400, 300));
}

#[test]
fn a_tile_is_dragged_into_another_column() {
    let desktop = with(tiling(), [panel(), open(A), open(B)]);
    let lift = [
        Op::BeginMove(A, Point::new(20, 20)),
        Op::Drag(Point::new(950, 700)),
    ];
    let dropped = with(desktop.clone(), lift.into_iter().chain([Op::Drop]));
    assert_eq!(rect(&dropped, B), Rect::new(10, 10, 625, 385));
    assert_eq!(
        rect(&dropped, A),
        Rect::new(10, 405, 625, 385),
        "over the lower half: below"
    );
    let lift = [
        Op::BeginMove(A, Point::new(20, 20)),
        Op::Drag(Point::new(1260, 400)),
        Op::Drop,
    ];
    let dropped = with(desktop, lift);
    assert_eq!(
        rect(&dropped, A),
        Rect::new(645, 10, 625, 780),
        "at its right edge: a column"
    );
}

#[test]
fn resizing_heeds_the_client_and_the_opposite_edge() {
    let desktop = with(Desktop::default(), [panel(), open(A)]);
    let limits = Limits {
        min: Size::new(300, 200),
        max: Size::default(),
    };
    let left = Edges {
        left: true,
        ..Edges::default()
    };
    let resize = [
        Op::SetLimits(A, limits),
        Op::BeginResize(A, left, Point::new(440, 300)),
        Op::Drag(Point::new(640, 300)),
    ];
    let desktop = with(desktop, resize);
    assert_eq!(rect(&desktop, A), Rect::new(540, 250, 300, 300));
    assert!(desktop.arrange().slot(A).unwrap().resizing);
    // The client draws whole character cells: its right edge stays.
    let desktop = with(desktop, [Op::Drop, Op::Drew(A, Size::new(305, 290))]);
    assert_eq!(rect(&desktop, A), Rect::new(535, 250, 305, 290));
}

#[test]
fn the_edge_between_two_rows_is_dragged() {
    let desktop = with(
        tiling(),
        [
            panel(),
            open(A),
            open(B),
            Op::Merge {
                window: B,
                right: false,
            },
        ],
    );
    let bottom = Edges {
        bottom: true,
        right: true,
        ..Edges::default()
    };
    let begin = Op::BeginResize(A, bottom, Point::new(600, 395));
    let resized = with(desktop.clone(), [begin, Op::Drag(Point::new(500, 495))]);
    assert_eq!(rect(&resized, A), Rect::new(10, 10, 525, 485));
    assert_eq!(rect(&resized, B), Rect::new(10, 505, 525, 285));
    let cancelled = with(resized, [Op::CancelDrag]);
    assert_eq!(rect(&cancelled, A), rect(&desktop, A));
}

#[test]
fn a_window_behind_a_fullscreen_one_is_seen_when_it_is_chosen() {
    let full = Op::SetFullscreen {
        window: A,
        on: true,
        output: None,
    };
    let desktop = with(tiling(), [panel(), open(B), open(A), full]);
    assert_eq!(desktop.arrange().at(Point::new(20, 20)), Some(A));
    let desktop = with(desktop, [focus(B)]);
    assert_eq!(desktop.arrange().at(Point::new(20, 20)), Some(B));
    assert_eq!(
        desktop.arrange().stands[0].covered_by,
        None,
        "panels are back"
    );
    assert_eq!(
        rect(&desktop, A),
        Rect::new(0, 0, 1280, 800),
        "its client is not bothered"
    );
}

#[test]
fn workspaces_come_when_they_are_named_and_go_when_they_are_empty() {
    let desktop = with(
        Desktop::default(),
        [panel(), open(A), Op::ShowWorkspace("mail".into())],
    );
    let names = |d: &Desktop| -> Vec<String> {
        let listed = d.workspaces_on(OutputId(0));
        listed
            .iter()
            .map(|w| d.workspace(*w).unwrap().name.clone())
            .collect()
    };
    assert_eq!(names(&desktop), ["1", "mail"]);
    assert_eq!(
        (desktop.focused(), visibility(&desktop, A)),
        (None, Visibility::OtherWorkspace)
    );
    let desktop = with(desktop, [Op::StepWorkspace { back: true }]);
    assert_eq!(names(&desktop), ["1"]);
    assert_eq!(desktop.focused(), Some(A));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut desktop = with(Desktop::default(), [panel(), open(A), dialog(B, A)]);
    let before = desktop.clone();
    for (op, why) in [
        (Op::Close(C), Refused::NoSuchWindow),
        (open(A), Refused::WindowExists),
        (Op::SetParent(A, Some(B)), Refused::Lineage),
        (Op::Unplug(OutputId(9)), Refused::NoSuchOutput),
        (panel(), Refused::ConnectorTaken),
        (Op::SetWidth(A, Share::HALF), Refused::NotATile),
        (Op::Drag(Point::default()), Refused::NoDrag),
        (Op::FocusSide(Direction::Up), Refused::NothingThere),
    ] {
        assert_eq!(desktop.apply(op), Err(why));
        assert_eq!(desktop, before);
    }
}

#[test]
fn a_first_configure_can_be_told_before_the_window_is_there() {
    let desktop = with(tiling(), [panel()]);
    let opening = Opening::default();
    assert_eq!(
        desktop.propose(&opening),
        (Some(Size::new(625, 780)), Size::new(1280, 800))
    );
    let floats = Opening {
        floats: Some(true),
        ..opening
    };
    assert_eq!(desktop.propose(&floats), (None, Size::new(1280, 800)));
}
