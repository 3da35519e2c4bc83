//! Fair timing: every candidate takes its turn in every round, and the fastest round of each counts. What disturbs one
//! disturbs the others, and the fastest is the least disturbed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bench::millis;

/// What a candidate gives back: nothing but that it went well.
pub type Task = Result<()>;

/// Has the compiler believe that what came out is needed, and drops it: that is part of the time.
pub fn used<T, E: Into<anyhow::Error>>(outcome: Result<T, E>) -> Task {
    black_box(outcome.map_err(Into::into)?);
    Ok(())
}

/// The fastest of `rounds` runs of each candidate, in milliseconds.
pub fn fastest<const N: usize>(
    rounds: usize,
    mut candidates: [&mut dyn FnMut() -> Task; N],
) -> Result<[f64; N]> {
    let mut best = [Duration::MAX; N];
    for _ in 0..rounds {
        for (candidate, best) in candidates.iter_mut().zip(&mut best) {
            let start = Instant::now();
            candidate()?;
            *best = (*best).min(start.elapsed());
        }
    }
    Ok(best.map(millis))
}
