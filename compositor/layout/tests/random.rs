//! Anything, in any order: random operations with every invariant checked after each, and what holds between two moments.
//!
//! `OVERWINTER_LAYOUT_CASES=100000 cargo nextest run -p overwinter-layout` runs longer.

use std::collections::BTreeMap;

use overwinter_layout::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};

fn cases() -> Config {
    let cases = std::env::var("OVERWINTER_LAYOUT_CASES").ok();
    Config {
        cases: cases.and_then(|n| n.parse().ok()).unwrap_or(400),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 20_000,
        ..Config::default()
    }
}

fn window() -> impl Strategy<Value = WindowId> {
    (0..6_u64).prop_map(WindowId)
}

fn output() -> impl Strategy<Value = OutputId> {
    (0..3_u32).prop_map(OutputId)
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["1", "2", "3", "mail", ""]).prop_map(str::to_owned)
}

/// Mostly something that happens, now and then something absurd.
fn number() -> impl Strategy<Value = i32> {
    prop_oneof![8 => -100..3000_i32, 1 => any::<i32>(), 1 => Just(0)]
}

fn point() -> impl Strategy<Value = Point> {
    (number(), number()).prop_map(|(x, y)| Point::new(x, y))
}

fn size() -> impl Strategy<Value = Size> {
    (number(), number()).prop_map(|(w, h)| Size::new(w, h))
}

fn rect() -> impl Strategy<Value = Rect> {
    (number(), number(), number(), number()).prop_map(|(x, y, w, h)| Rect::new(x, y, w, h))
}

fn limits() -> impl Strategy<Value = Limits> {
    let some = (size(), size()).prop_map(|(min, max)| Limits { min, max });
    prop_oneof![3 => Just(Limits::default()), 1 => some]
}

fn margins() -> impl Strategy<Value = Margins> {
    let some = (number(), number(), number(), number());
    prop_oneof![
        Just(Margins::default()),
        some.prop_map(|(top, right, bottom, left)| Margins {
            top,
            right,
            bottom,
            left
        }),
    ]
}

fn identity() -> impl Strategy<Value = OutputIdentity> {
    let connector = prop::sample::select(vec!["DP-1", "DP-2", "eDP-1", ""]);
    let serial = prop::sample::select(vec!["", "A", "B"]);
    (connector, serial).prop_map(|(connector, serial)| OutputIdentity {
        connector: connector.into(),
        make: "Maker".into(),
        model: "Model".into(),
        serial: serial.into(),
    })
}

fn mode() -> impl Strategy<Value = OutputMode> {
    let scale = prop_oneof![3 => 120..300_u32, 1 => any::<u32>()].prop_map(Scale::from_120ths);
    (size(), scale, prop::option::of(point())).prop_map(|(pixels, scale, position)| OutputMode {
        pixels,
        scale,
        position,
    })
}

fn share() -> impl Strategy<Value = Share> {
    (any::<i32>(), any::<i32>()).prop_map(|(part, whole)| Share::of(part.into(), whole.into()))
}

fn key() -> impl Strategy<Value = u64> {
    prop_oneof![(1..5_u64).prop_map(|k| k << 40), any::<u64>(), Just(0)]
}

prop_compose! {
    fn tile_place()(column in key(), row in key(), width in share(), height in share()) -> TilePlace {
        TilePlace { column, row, width, height }
    }
}

prop_compose! {
    fn place()(
        output in prop::option::of(identity()),
        workspace in prop::option::of(name()),
        floats in any::<Option<bool>>(),
        floating in prop::option::of(rect()),
        tiled in prop::option::of(tile_place()),
        (maximised, fullscreen, minimised) in any::<(bool, bool, bool)>(),
        above in prop_oneof![0..20_u32, any::<u32>()],
    ) -> Place {
        Place { output, workspace, floats, floating, tiled, maximised, fullscreen, minimised, above }
    }
}

prop_compose! {
    fn opening()(
        parent in prop::option::weighted(0.3, window()),
        size in size(),
        limits in limits(),
        place in prop::option::weighted(0.2, place()),
        floats in any::<Option<bool>>(),
        (modal, focus, asleep) in any::<(bool, bool, bool)>(),
    ) -> Opening {
        Opening { parent, modal, size, limits, place, floats, focus, asleep }
    }
}

fn direction() -> impl Strategy<Value = Direction> {
    use Direction::{Down, Left, Right, Up};
    prop::sample::select(vec![Left, Right, Up, Down])
}

fn edges() -> impl Strategy<Value = Edges> {
    any::<(bool, bool, bool, bool)>().prop_map(|(left, right, top, bottom)| Edges {
        left: left && !right,
        right,
        top: top && !bottom,
        bottom,
    })
}

/// What the machine does.
fn hardware() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (identity(), mode()).prop_map(|(identity, mode)| Op::Plug { identity, mode }),
        2 => output().prop_map(Op::Unplug),
        1 => (output(), mode()).prop_map(|(o, m)| Op::SetMode(o, m)),
        1 => (output(), margins()).prop_map(|(o, m)| Op::Reserve(o, m)),
    ]
}

/// What clients do.
fn client() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (window(), opening()).prop_map(|(w, o)| Op::Open(w, o)),
        1 => window().prop_map(Op::Close),
        1 => (window(), window()).prop_map(|(old, new)| Op::Replace { old, new }),
        1 => (window(), prop::option::of(window())).prop_map(|(w, p)| Op::SetParent(w, p)),
        1 => (window(), any::<bool>()).prop_map(|(w, on)| Op::SetModal(w, on)),
        1 => (window(), limits()).prop_map(|(w, l)| Op::SetLimits(w, l)),
        2 => (window(), size()).prop_map(|(w, s)| Op::Drew(w, s)),
        1 => window().prop_map(Op::Demand),
        1 => (window(), any::<bool>()).prop_map(|(w, on)| Op::Conceal(w, on)),
        1 => (window(), any::<bool>())
            .prop_map(|(window, keep_focus)| Op::Sleep { window, keep_focus }),
        1 => window().prop_map(Op::Wake),
    ]
}

/// What the user does.
fn user() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => output().prop_map(Op::FocusOutput),
        2 => name().prop_map(Op::ShowWorkspace),
        1 => any::<bool>().prop_map(|back| Op::StepWorkspace { back }),
        1 => (name(), name()).prop_map(|(name, to)| Op::RenameWorkspace { name, to }),
        1 => (name(), output()).prop_map(|(name, to)| Op::MoveWorkspace { name, to }),
        3 => (window(), any::<bool>()).prop_map(|(window, raise)| Op::Focus { window, raise }),
        1 => Just(Op::Unfocus),
        1 => Just(Op::Inherit),
        1 => direction().prop_map(Op::FocusSide),
        1 => window().prop_map(Op::Raise),
        1 => window().prop_map(Op::Lower),
        1 => (window(), any::<bool>()).prop_map(|(w, on)| Op::SetFloating(w, on)),
        1 => (window(), any::<bool>()).prop_map(|(w, on)| Op::SetMaximised(w, on)),
        1 => (window(), any::<bool>(), prop::option::of(output()))
            .prop_map(|(window, on, output)| Op::SetFullscreen { window, on, output }),
        1 => (window(), any::<bool>()).prop_map(|(w, on)| Op::SetMinimised(w, on)),
        1 => (window(), name(), any::<bool>())
            .prop_map(|(window, workspace, follow)| Op::Send { window, workspace, follow }),
        1 => (window(), rect()).prop_map(|(w, r)| Op::Put(w, r)),
        1 => (window(), direction()).prop_map(|(w, d)| Op::Shift(w, d)),
        2 => (window(), any::<bool>()).prop_map(|(window, right)| Op::Merge { window, right }),
        1 => (window(), share()).prop_map(|(w, s)| Op::SetWidth(w, s)),
        1 => (window(), share()).prop_map(|(w, s)| Op::SetHeight(w, s)),
        2 => (window(), point()).prop_map(|(w, p)| Op::BeginMove(w, p)),
        2 => (window(), edges(), point()).prop_map(|(w, e, p)| Op::BeginResize(w, e, p)),
        4 => point().prop_map(Op::Drag),
        2 => Just(Op::Drop),
        1 => Just(Op::CancelDrag),
    ]
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![1 => hardware(), 4 => client(), 4 => user()]
}

fn options() -> impl Strategy<Value = Options> {
    (number(), any::<bool>(), share()).prop_map(|(gap, tile, column)| Options { gap, tile, column })
}

fn places(desktop: &Desktop) -> BTreeMap<WindowId, Option<Place>> {
    desktop
        .windows()
        .map(|(id, _)| (id, desktop.place_of(id)))
        .collect()
}

/// A desktop with an output and a few windows, on which all this has happened.
fn lived(options: Options, ops: Vec<Op>) -> Desktop {
    let mut desktop = Desktop::new(options);
    let identity = OutputIdentity {
        connector: "LVDS-1".into(),
        ..OutputIdentity::default()
    };
    let mode = OutputMode {
        pixels: Size::new(1920, 1080),
        scale: Scale::ONE,
        position: None,
    };
    desktop.apply(Op::Plug { identity, mode }).unwrap();
    for n in 0..5 {
        let size = Size::new(400, 300);
        let opening = Opening {
            size,
            focus: true,
            ..Opening::default()
        };
        desktop.apply(Op::Open(WindowId(n), opening)).unwrap();
    }
    for op in ops {
        let _ = desktop.apply(op);
    }
    desktop
}

/// May change who has the focus.
fn moves_focus(op: &Op, desktop: &Desktop) -> bool {
    match op {
        Op::Open(_, opening) => {
            opening.focus || (opening.parent.is_some() && opening.parent == desktop.focused())
        }
        Op::Demand(_)
        | Op::Raise(_)
        | Op::Lower(_)
        | Op::SetLimits(..)
        | Op::Drew(..)
        | Op::Wake(_)
        | Op::Put(..)
        | Op::Shift(..)
        | Op::Merge { .. }
        | Op::SetWidth(..)
        | Op::SetHeight(..)
        | Op::BeginMove(..)
        | Op::BeginResize(..)
        | Op::RenameWorkspace { .. }
        | Op::Reserve(..)
        | Op::SetMode(..)
        | Op::SetFloating(..)
        | Op::SetMaximised(..)
        | Op::Drag(_)
        | Op::CancelDrag => false,
        Op::Inherit => desktop.focused().is_none(),
        Op::Close(w) | Op::Sleep { window: w, .. } => desktop
            .focused()
            .is_some_and(|f| family(desktop, f) == family(desktop, *w)),
        _ => true,
    }
}

proptest! {
    #![proptest_config(cases())]

    /// Invariants 1 to 7, 8 for each operation of the hardware, 10 and 11.
    #[test]
    fn every_invariant_holds_after_every_step(options in options(), ops in prop::collection::vec(any_op(), 1..60)) {
        let mut desktop = lived(options, Vec::new());
        for op in ops {
            let before = desktop.clone();
            let done = desktop.apply(op.clone());
            let found = desktop.check();
            prop_assert!(found.is_ok(), "{} after {op:?} on {before:#?}", found.unwrap_err());
            if done.is_err() {
                prop_assert_eq!(&desktop, &before, "refused, and yet something changed");
            }
            let hardware = matches!(op, Op::Plug { .. } | Op::Unplug(_) | Op::SetMode(..) | Op::Reserve(..));
            if hardware {
                prop_assert!(desktop.windows().eq(before.windows()), "{op:?} changed a wish");
            }
            if !moves_focus(&op, &before) {
                // A modal dialog that opens, or falls asleep, counts as its parent.
                let root = |d: &Desktop| d.focused().map(|f| family(d, f));
                prop_assert_eq!(root(&desktop), root(&before), "{:?} moved the focus", op);
            }
        }
    }

    /// 8: outputs go and come back in another order, and nothing has happened.
    #[test]
    fn outputs_that_return_bring_everything_back(
        options in options(),
        ops in prop::collection::vec(any_op(), 1..60),
        back in any::<prop::sample::Index>(),
    ) {
        let mut desktop = lived(options, ops);
        let before = desktop.arrange();
        let mut gone: Vec<(OutputIdentity, OutputMode)> = Vec::new();
        let connected: Vec<OutputId> = before.stands.iter().map(|s| s.output).collect();
        for output in connected {
            let known = desktop.outputs().find(|(id, _)| *id == output).unwrap().1.clone();
            gone.push((known.identity, known.mode));
            prop_assert_eq!(desktop.apply(Op::Unplug(output)), Ok(()));
            let found = desktop.check();
            prop_assert!(found.is_ok(), "{found:?}");
        }
        let first = back.index(gone.len().max(1));
        let turns = first.min(gone.len());
        gone.rotate_left(turns);
        for (identity, mode) in gone {
            prop_assert_eq!(desktop.apply(Op::Plug { identity, mode }), Ok(()));
        }
        let after = desktop.arrange();
        prop_assert_eq!(after.since(&before), vec![]);
    }

    /// 9: all fall asleep and wake, and stand where they stood.
    #[test]
    fn sleeping_and_waking_move_nothing(options in options(), ops in prop::collection::vec(any_op(), 1..60)) {
        let mut desktop = lived(options, ops);
        let focus = desktop.focused();
        let windows: Vec<WindowId> = desktop.windows().filter(|(_, w)| !w.asleep).map(|(id, _)| id).collect();
        let _ = desktop.apply(Op::CancelDrag);
        let before = (places(&desktop), desktop.arrange());
        for window in &windows {
            let keep_focus = focus == Some(*window);
            prop_assert_eq!(desktop.apply(Op::Sleep { window: *window, keep_focus }), Ok(()));
            let found = desktop.check();
            prop_assert!(found.is_ok(), "{found:?}");
            prop_assert_eq!(&places(&desktop), &before.0);
            let now = desktop.arrange();
            prop_assert_eq!(&now.stack, &before.1.stack);
            for (id, slot) in &before.1.slots {
                prop_assert_eq!(now.slot(*id).unwrap().rect, slot.rect);
            }
        }
        for window in windows {
            prop_assert_eq!(desktop.apply(Op::Wake(window)), Ok(()));
        }
        prop_assert_eq!(desktop.arrange(), before.1);
    }

    /// 12: all windows are closed and return, in any order.
    #[test]
    fn windows_that_return_stand_where_they_stood(
        options in options(),
        ops in prop::collection::vec(any_op(), 1..60),
        order in prop::collection::vec(any::<u32>(), 9),
    ) {
        let mut desktop = lived(options, ops);
        let _ = desktop.apply(Op::CancelDrag);
        let before = desktop.clone();
        let mut windows: Vec<(WindowId, Window)> = before.windows().map(|(id, w)| (id, w.clone())).collect();
        windows.sort_by_key(|(id, _)| order[id.0 as usize]);
        for (window, _) in &windows {
            prop_assert_eq!(desktop.apply(Op::Close(*window)), Ok(()));
        }
        for (window, was) in &windows {
            let place = before.place_of(*window).map(through_json);
            let opening = Opening { place, limits: was.limits, asleep: was.asleep, ..Opening::default() };
            prop_assert_eq!(desktop.apply(Op::Open(*window, opening)), Ok(()));
            let found = desktop.check();
            prop_assert!(found.is_ok(), "{:?}", found);
        }
        // A dialog's parent is not part of its place, a workspace's name is.
        for (window, was) in &windows {
            let (then, now) = (before.place_of(*window).unwrap(), desktop.place_of(*window).unwrap());
            let height = |p: &Place| p.above.min(1 << 30);
            prop_assert_eq!(height(&now), height(&then));
            prop_assert_eq!(
                (&now.workspace, now.floats, now.floating, now.maximised, now.fullscreen, now.minimised),
                (&then.workspace, then.floats, then.floating, then.maximised, then.fullscreen, then.minimised)
            );
            if was.tiled {
                prop_assert_eq!(now.tiled, then.tiled);
            }
        }
    }

    /// What has changed since, told one by one, is everything that has changed.
    #[test]
    fn changes_lead_from_one_arrangement_to_the_next(
        options in options(),
        ops in prop::collection::vec(any_op(), 1..40),
        more in prop::collection::vec(any_op(), 1..5),
    ) {
        let mut desktop = lived(options, ops);
        let before = desktop.arrange();
        for op in more {
            let _ = desktop.apply(op);
        }
        let now = desktop.arrange();
        let mut slots: BTreeMap<WindowId, Slot> = before.slots.iter().copied().collect();
        let (mut stack, mut focus, mut stands) = (false, before.focus, false);
        for change in now.since(&before) {
            match change {
                Change::Came(w, slot) => prop_assert_eq!(slots.insert(w, slot), None),
                Change::Changed { window, from, to } => prop_assert_eq!(slots.insert(window, to), Some(from)),
                Change::Went(w) => prop_assert!(slots.remove(&w).is_some()),
                Change::Focus { from, to } => {
                    prop_assert_eq!(from, focus);
                    focus = to;
                }
                Change::Stack => stack = true,
                Change::Stands => stands = true,
            }
        }
        prop_assert!(slots.into_iter().eq(now.slots.iter().copied()));
        prop_assert_eq!((stack, stands, focus), (now.stack != before.stack, now.stands != before.stands, now.focus));
    }
}

fn family(desktop: &Desktop, window: WindowId) -> WindowId {
    let parent = desktop.window(window).and_then(|w| w.parent);
    parent.map_or(window, |p| family(desktop, p))
}

fn through_json(place: Place) -> Place {
    serde_json::from_str(&serde_json::to_string(&place).unwrap()).unwrap()
}
