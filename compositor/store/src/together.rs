//! Independent pieces of work on several threads at a time: sealing takes a core each, syncing waits for the disk.

use std::num::NonZero;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many cores there are to compute on. Asked once: the answer comes out of several files of the cgroup, and every save
/// would read them.
pub(crate) fn cores() -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));
    *CORES
}

/// What `work` makes of each item, in their order; on at most `threads` threads, this one among them. Where no more can be
/// started, fewer do it.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let some = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else {
                return done;
            };
            done.push((at, work(item)));
        }
    };
    let mut all = thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads.min(items.len()))
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, some).ok())
            .collect();
        let mut all = some();
        for helper in helpers {
            match helper.join() {
                Ok(more) => all.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_done_once_and_order_is_kept() {
        for threads in [0, 1, 2, 7, 100] {
            for many in [0_usize, 1, 2, 50] {
                let items: Vec<usize> = (0..many).collect();
                let doubled: Vec<usize> = items.iter().map(|n| n * 2).collect();
                assert_eq!(map(&items, threads, |n| n * 2), doubled);
            }
        }
    }
}
