//! A document of the story: its file, where its window stands, what it must hold.

use std::path::PathBuf;

use crate::atspi::Content;
use crate::screen::{Picture, Rect};

/// One of the two documents.
#[derive(Clone, Debug)]
pub struct Document {
    /// File name; part of the window's title.
    pub name: String,
    /// The file on host A.
    pub file: PathBuf,
    /// What is in the file.
    pub original: String,
    /// Its window on screen, shadow included.
    pub rect: Rect,
    /// What the view must hold now.
    pub content: Content,
    /// The text with all edits, the undone one too: what Redo must bring back.
    pub redone: String,
}

impl Document {
    /// A place within the text that the other window does not cover.
    pub fn spot(&self, others: &[Rect]) -> (u32, u32) {
        let r = self.rect;
        // Far enough inside to be beyond shadow and line numbers, and off the middle.
        let candidates = [
            (r.x + r.width / 2, r.y + r.height / 2),
            (r.x + r.width / 6, r.y + r.height / 2),
            (r.x + r.width * 5 / 6, r.y + r.height / 2),
            (r.x + r.width / 6, r.y + r.height / 4),
            (r.x + r.width * 5 / 6, r.y + r.height * 3 / 4),
        ];
        let free = |(x, y): (u32, u32)| {
            !others
                .iter()
                .any(|o| (o.x..o.x + o.width).contains(&x) && (o.y..o.y + o.height).contains(&y))
        };
        candidates
            .into_iter()
            .find(|spot| free(*spot))
            .unwrap_or((r.x + r.width / 2, r.y + r.height / 2))
    }
}

/// Finds the window that has come up between two pictures. `before` shows other windows, whose title bars may have changed
/// when they lost the focus: what lies within them is not looked at, and the size is taken from a sister window.
pub fn window_between(before: &Picture, after: &Picture, sister: Option<Rect>) -> Option<Rect> {
    let Some(sister) = sister else {
        return before.difference(after, before.whole()).1;
    };
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for y in 0..before.height {
        for x in 0..before.width {
            let within = (sister.x..sister.x + sister.width).contains(&x)
                && (sister.y..sister.y + sister.height).contains(&y);
            if !within && before.at(x, y) != after.at(x, y) {
                (left, top) = (left.min(x), top.min(y));
                (right, bottom) = (right.max(x), bottom.max(y));
            }
        }
    }
    if left > right {
        return None;
    }
    // Whichever edge lies outside the sister is the window's own; the opposite one is a window's size away.
    let x = if right >= sister.x + sister.width {
        (right + 1).saturating_sub(sister.width)
    } else {
        left
    };
    let y = if bottom >= sister.y + sister.height {
        (bottom + 1).saturating_sub(sister.height)
    } else {
        top
    };
    Some(Rect {
        x,
        y,
        width: sister.width,
        height: sister.height,
    })
}
