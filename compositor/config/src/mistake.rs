//! What is wrong in a configuration, where, and what to do about it.

use std::fmt;

/// Something that the reader does not accept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// Character within the line, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub cure: String,
}

/// Everything that is wrong in a file, in the order in which it stands there. Never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistakes {
    /// The file, as the caller named it.
    pub file: String,
    /// What is wrong.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for Mistakes {
    /// One line each, as compilers write them: editors jump there.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (n, m) in self.mistakes.iter().enumerate() {
            let newline = if n > 0 { "\n" } else { "" };
            let (line, column) = (m.line, m.column);
            write!(
                f,
                "{newline}{}:{line}:{column}: {}: {}",
                self.file, m.what, m.cure
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Line and column of a byte.
pub(crate) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = (0..=byte.min(text.len())).rev().find_map(|b| text.get(..b));
    let before = before.unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    (line, before[start..].chars().count() + 1)
}

/// The known word that was probably meant.
pub(crate) fn meant<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // A word as long as a page is no slip of the finger, and comparing it would take long.
    if word.chars().count() > 64 {
        return None;
    }
    let tolerated = (word.chars().count() / 3).clamp(1, 3);
    let near = known.iter().map(|k| (distance(word, k), *k));
    near.filter(|(d, _)| *d <= tolerated).min().map(|(_, k)| k)
}

/// How many letters have to be added, taken away, changed or swapped with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (
        a.to_lowercase().chars().collect(),
        b.to_lowercase().chars().collect(),
    );
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised_and_other_words_are_not() {
        assert_eq!(meant("gpa", &["tile", "gap"]), Some("gap"));
        assert_eq!(
            meant("natural_scroll", &["natural-scroll"]),
            Some("natural-scroll")
        );
        assert_eq!(meant("wallpaper", &["tile", "gap"]), None);
    }

    #[test]
    fn positions_count_characters() {
        assert_eq!(position("a\nübel = 1", 2), (2, 1));
        assert_eq!(position("a\nübel = 1", 4), (2, 2));
        assert_eq!(position("a", 99), (1, 2));
    }
}
