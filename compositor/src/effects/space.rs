//! How much the store takes, and what the user is told when that becomes much.

use overwinter_store::{Space, Usage};

use crate::driver::Driver;

/// How many groups are named: the largest, which are what there is to decide about.
const NAMED: usize = 3;

/// What is known of it.
#[derive(Debug, Default)]
pub struct Taken {
    space: Option<Space>,
    /// It was said that little is left.
    little: bool,
}

impl Taken {
    /// As it was last told.
    pub fn space(&self) -> Option<Space> {
        self.space
    }

    /// Takes note of it. Returns what the user is to be told.
    fn note(&mut self, space: Space) -> Option<String> {
        self.space = Some(space);
        let quota = space.quota?;
        // A save that needs the trash's bytes gets them.
        let needed = space.used.saturating_sub(space.trash);
        if needed < quota / 100 * 85 {
            self.little = false;
        }
        if self.little || needed < quota / 10 * 9 {
            return None;
        }
        self.little = true;
        Some(format!(
            "The store takes {} of the {} that it may ({} of that are trash). All is kept and saves still work, but a save that does \
             not fit is refused. `overwinter store du` shows what takes how much, `overwinter store gc` drops what nobody needs; \
             forget what you do not need, or allow the store more (--store-quota).",
            bytes(space.used),
            bytes(quota),
            bytes(space.trash)
        ))
    }
}

/// What the user is told when a save was refused.
pub fn refused(space: Space, groups: &[Usage]) -> String {
    let named = groups.iter().take(NAMED).map(|group| {
        let name = group.title.as_ref().filter(|title| !title.is_empty());
        let name = name.map_or_else(|| group.group.clone(), |title| format!("“{title}”"));
        format!("{name} ({})", bytes(group.total()))
    });
    let named = named.collect::<Vec<_>>().join(", ");
    format!(
        "The store takes {} of the {} that it may, and a save that did not fit was refused. What was stored before is kept, and the app \
         lives on with its work. Most is taken by {named}. `overwinter store gc` drops what nobody needs, `overwinter store du` shows \
         everything; forget what you do not need, or allow the store more (--store-quota).",
        bytes(space.used),
        bytes(space.quota.unwrap_or_default()),
    )
}

/// For people: one figure behind the point, in units of 1024.
fn bytes(n: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64;
    let mut unit = "bytes";
    for next in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "bytes" {
        format!("{n} bytes")
    } else {
        format!("{value:.1} {unit}")
    }
}

impl Driver {
    /// The store worker says how much there is now.
    pub(crate) fn space_is(&mut self, space: Space) {
        if let Some(text) = self.taken.note(space) {
            self.notices.add(None, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(used: u64, trash: u64) -> Space {
        Space {
            used,
            trash,
            quota: Some(1000),
        }
    }

    #[test]
    fn the_last_tenth_is_told_once_until_less_is_used() {
        let mut taken = Taken::default();
        assert_eq!(taken.note(space(899, 0)), None);
        assert_eq!(taken.note(space(1000, 101)), None, "trash makes room");
        let told = taken.note(space(900, 0)).unwrap();
        assert!(told.contains("900 bytes of the 1000 bytes"), "{told}");
        for used in [950, 890, 900, 1000] {
            assert_eq!(taken.note(space(used, 0)), None);
        }
        assert_eq!(taken.note(space(849, 0)), None);
        assert!(taken.note(space(901, 0)).is_some());
        let quota = None;
        let more = Space {
            quota,
            ..space(u64::MAX, 0)
        };
        assert_eq!(taken.note(more), None);
        assert_eq!(taken.space(), Some(more));
    }

    #[test]
    fn sizes_are_for_people() {
        for (n, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (5 << 20, "5.0 MiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(bytes(n), text);
        }
    }
}
