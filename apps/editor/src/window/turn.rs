//! One after the other: what may be under way once only waits for its turn.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Poll, Waker};

/// Turns of one thread's futures.
#[derive(Default)]
pub(super) struct Turns {
    taken: Cell<bool>,
    waiting: RefCell<VecDeque<Waker>>,
}

/// Somebody's turn; it is over when this is dropped.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits until nobody else has the turn.
    pub(super) async fn take(&self) -> Turn<'_> {
        std::future::poll_fn(|context| {
            if self.taken.replace(true) {
                self.waiting.borrow_mut().push_back(context.waker().clone());
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.taken.set(false);
        // All of them: one that is not waited for any more would keep the turn from the others.
        for waker in self.0.waiting.take() {
            waker.wake();
        }
    }
}
