//! Keys that keep an order: a key stays with its owner when others come and go, so that those who leave and return one by
//! one, in any order, find their order again.

/// Room between two neighbours at first: some thirty insertions at one spot before all are numbered anew.
const STEP: u64 = 1 << 32;

/// No key is outside of this, also none from elsewhere: so each can be kept and comes back as it was.
const RANGE: std::ops::RangeInclusive<u64> = 1..=(1 << 62);

/// A key between the two; `None` when there is no room.
pub(crate) fn between(low: Option<u64>, high: Option<u64>) -> Option<u64> {
    let key = match (low, high) {
        (None, None) => anew(0),
        (Some(low), None) => low.saturating_add(STEP),
        (None, Some(high)) => high.saturating_sub(STEP).max(high / 2),
        (Some(low), Some(high)) => low + high.saturating_sub(low) / 2,
    };
    let above = low.is_none_or(|low| key > low);
    let below = high.is_none_or(|high| key < high);
    (above && below && RANGE.contains(&key)).then_some(key)
}

/// The `n`th of keys that are numbered anew.
pub(crate) fn anew(n: usize) -> u64 {
    (1 << 48) + STEP * n as u64
}

/// A key from elsewhere.
pub(crate) fn sane(key: u64) -> u64 {
    key.clamp(*RANGE.start(), *RANGE.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_at_both_ends_and_for_a_while_between() {
        let mut low = between(None, None).unwrap();
        let high = between(Some(low), None).unwrap();
        for _ in 0..30 {
            low = between(Some(low), Some(high)).unwrap();
        }
        assert_eq!(between(Some(7), Some(8)), None);
        assert!(between(None, Some(anew(0))).unwrap() < anew(0));
        assert_eq!(
            between(Some(sane(u64::MAX)), None),
            None,
            "all are numbered anew"
        );
        assert_eq!(between(None, Some(sane(0))), None);
    }
}
