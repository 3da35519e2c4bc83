//! The stack: what stands above what.
//!
//! Each item has a height that grows with every raise and stays with it otherwise, also when others go. So a group that
//! leaves and one that follows it a moment later find their order again, here or on another host.

use std::collections::BTreeMap;

use super::Item;

/// Heights from elsewhere are cut here, so that there is always room above.
const HIGHEST_FROM_ELSEWHERE: u32 = 1 << 30;

/// What stands above what. Heights never fall from one item to the next above.
#[derive(Debug, Default)]
pub struct Stack {
    items: Vec<Item>,
    heights: BTreeMap<Item, u32>,
    highest: u32,
}

impl Stack {
    /// Lowest first.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Whether it stands there.
    pub fn contains(&self, item: Item) -> bool {
        self.heights.contains_key(&item)
    }

    /// How high it stands; 0 when it does not.
    pub fn height(&self, item: Item) -> u32 {
        self.heights.get(&item).copied().unwrap_or(0)
    }

    /// Puts these on top, in this order.
    pub fn raise(&mut self, items: &[Item]) {
        self.items.retain(|i| !items.contains(i));
        if self.highest > u32::MAX - 1024 {
            self.number_anew();
        }
        for item in items {
            self.highest += 1;
            self.heights.insert(*item, self.highest);
            self.items.push(*item);
        }
    }

    /// Puts these at the bottom, in this order.
    pub fn lower(&mut self, items: &[Item]) {
        self.items.retain(|i| !items.contains(i));
        self.items.splice(0..0, items.iter().copied());
        self.number_anew();
    }

    /// Puts a new item at a height that it had elsewhere: above all that are not higher.
    pub fn put(&mut self, item: Item, height: u32) {
        self.remove(item);
        let height = height.min(HIGHEST_FROM_ELSEWHERE);
        self.highest = self.highest.max(height);
        let above = self.items.iter().position(|i| self.height(*i) > height);
        self.items.insert(above.unwrap_or(self.items.len()), item);
        self.heights.insert(item, height);
    }

    /// One takes another's place; false when that stands nowhere.
    pub fn replace(&mut self, old: Item, new: Item) -> bool {
        let Some(height) = self.heights.remove(&old) else {
            return false;
        };
        self.items.retain(|i| *i != new);
        self.heights.insert(new, height);
        for item in &mut self.items {
            if *item == old {
                *item = new;
            }
        }
        true
    }

    /// Takes it away.
    pub fn remove(&mut self, item: Item) {
        if self.heights.remove(&item).is_some() {
            self.items.retain(|i| *i != item);
        }
    }

    fn number_anew(&mut self) {
        self.highest = 0;
        for item in &self.items {
            self.highest += 1;
            self.heights.insert(*item, self.highest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{GhostId, WindowId};

    fn window(n: u64) -> Item {
        Item::Window(WindowId(n))
    }

    fn ghost(n: u64) -> Item {
        Item::Ghost(GhostId(n))
    }

    #[test]
    fn those_that_leave_one_after_the_other_find_their_order_again() {
        let mut here = Stack::default();
        here.raise(&[window(1), window(2), window(3)]);
        here.raise(&[window(1)]);
        let order = [window(2), window(3), window(1)];
        assert_eq!(here.items(), order);
        // Whichever leaves first, and in whatever order they arrive.
        for leave in [[1, 2, 3], [3, 1, 2], [2, 3, 1], [3, 2, 1]] {
            let mut here = Stack::default();
            here.raise(&[window(1), window(2), window(3)]);
            here.raise(&[window(1)]);
            let mut there = Stack::default();
            for n in leave {
                there.put(window(n), here.height(window(n)));
                here.remove(window(n));
            }
            assert_eq!(there.items(), order, "{leave:?}");
        }
    }

    #[test]
    fn a_ghost_takes_the_place_of_its_window() {
        let mut stack = Stack::default();
        stack.raise(&[window(1), window(2), window(3)]);
        assert!(stack.replace(window(2), ghost(9)));
        assert!(!stack.replace(window(2), ghost(8)));
        assert_eq!(stack.items(), [window(1), ghost(9), window(3)]);
        stack.lower(&[window(3)]);
        assert_eq!(stack.items(), [window(3), window(1), ghost(9)]);
    }

    #[test]
    fn no_height_from_elsewhere_leaves_no_room() {
        let mut stack = Stack::default();
        stack.put(ghost(1), u32::MAX);
        stack.raise(&[window(1)]);
        assert_eq!(stack.items(), [ghost(1), window(1)]);
        stack.put(ghost(2), 0);
        assert_eq!(stack.items(), [ghost(2), ghost(1), window(1)]);
    }
}
