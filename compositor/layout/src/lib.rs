//! Where windows stand: outputs, workspaces, tiles, floating windows, stacking, focus.
//!
//! A [`Desktop`] keeps *wishes*: this window floats there, that one is the second tile of that column, this workspace belongs
//! to that monitor. [`Desktop::apply`] takes one [`Op`] and changes wishes, or refuses and changes nothing.
//! [`Desktop::arrange`] computes an [`Arrangement`] from the wishes and from the outputs that are plugged in, and from nothing else.
//! So a monitor that is unplugged takes nothing away: the wishes stay, and with the monitor the old arrangement
//! is back. Nothing has to be remembered for that, and nothing can be forgotten.
//!
//! Pure: no clock, no thread, no socket, no protocol. Names are the caller's; every operation is legal in every state;
//! numbers from outside are cut to what makes sense. A ghost is a window like any other, with nobody to answer.
//!
//! ```
//! use overwinter_layout::*;
//!
//! let mut desktop = Desktop::default();
//! let mode = OutputMode { pixels: Size::new(1920, 1200), scale: Scale::from_120ths(180), position: None };
//! desktop.apply(Op::Plug { identity: OutputIdentity::default(), mode })?;
//! let editor = WindowId(1);
//! let opening = Opening { size: Size::new(640, 480), focus: true, ..Opening::default() };
//! desktop.apply(Op::Open(editor, opening))?;
//!
//! let before = desktop.arrange();
//! assert_eq!(before.slot(editor).unwrap().rect, Rect::new(320, 160, 640, 480));
//! desktop.apply(Op::SetMaximised(editor, true))?;
//! let changes = desktop.arrange().since(&before);
//! assert!(matches!(changes[..], [Change::Changed { to: Slot { fill: Fill::Maximised, .. }, .. }]));
//! # Ok::<(), Refused>(())
//! ```
//!
//! # What always holds
//!
//! [`Desktop::check`] verifies 1 to 7 after every step of the property tests; the tests themselves verify the others, which are about
//! two moments.
//!
//! 1. Every window is on one workspace, and is there either one tile or none. Keys of columns and rows are in order.
//! 2. Every output that is plugged in shows one workspace, and no two show the same. Outputs do not overlap.
//! 3. A fullscreen window has exactly its output, a maximised one exactly the usable area; others have a size that their
//!    client accepts, as far as there is room for it.
//! 4. Tiles do not overlap and do not reach above or below the usable area; the active one is in view. The title bar of a floating
//!    window can be reached.
//! 5. A dialog is on its parent's workspace and above it. What is shown is in the stack once, and nothing else is.
//! 6. Who has the focus is seen, and is not behind its own modal dialog. A ghost has it only by somebody's choice.
//! 7. Alt-tab's order holds every window once and begins with the one that has the focus.
//! 8. Outputs that come, go, or change, and panels, change no wish. The same outputs give the same arrangement, in whatever
//!    order they came.
//! 9. Sleeping and waking move nothing and restack nothing.
//! 10. No window takes the focus: it changes hands only by [`Op::Focus`] and its like, or when its holder goes.
//! 11. What is refused changes nothing.
//! 12. A window that is closed and opened again with its [`Place`] is where it was, also when several return in another order.

mod arrange;
mod arrangement;
mod desktop;
mod drag;
mod focus;
mod geometry;
mod invariants;
mod op;
mod order;
mod output;
mod outputs;
mod place;
mod placement;
mod strip;
mod tiling;
mod window;
mod windows;
mod workspace;

pub use arrangement::{Arrangement, Change, Fill, Slot, Stand, Visibility};
pub use desktop::{Desktop, Options};
pub use geometry::{Edges, Limits, Margins, Point, Rect, Scale, Size};
pub use invariants::Violation;
pub use op::{Direction, Op, Refused};
pub use output::{Output, OutputId, OutputIdentity, OutputMode};
pub use place::{Place, Share, TilePlace};
pub use window::{Opening, Window, WindowId};
pub use workspace::{Workspace, WorkspaceId};
