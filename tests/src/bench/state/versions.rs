//! What the first version wrote, read by the thirtieth, beside what the thirtieth wrote itself.

use std::hint::black_box;

use anyhow::{Result, ensure};

use super::document::{Document, STEPS, TEXT};
use super::turns::{fastest, used};
use crate::bench::{Findings, Row};

const TURNS: usize = 25;

pub fn take(findings: &mut Findings) -> Result<()> {
    // One of which the text is most, and one of which the steps between the versions are.
    for (name, text, steps, turns) in [
        ("1 MiB and 10,000 undo steps", TEXT, STEPS, TURNS),
        ("2 KiB and 20 undo steps", 2 << 10, 20, TURNS * 40),
    ] {
        let document = Document::of(text, steps);
        let (oldest, newest) = (
            overwinter::save(&document.first())?,
            overwinter::save(&document)?,
        );
        let up = overwinter::restore::<Document>(&oldest)?;
        ensure!(up.loss.is_empty(), "something was lost: {:?}", up.loss);
        let mut same = document.clone();
        // The first version knew no groups.
        same.undo.iter_mut().for_each(|edit| edit.group = 0);
        ensure!(up.value == same, "thirty lenses did not lead to the same");
        let [through, plain] = fastest(
            turns,
            [
                &mut || used(overwinter::restore::<Document>(black_box(&oldest))),
                &mut || used(overwinter::restore::<Document>(black_box(&newest))),
            ],
        )?;
        findings.row(Row::beside(
            &format!("{name}, version 1 to 30 by thirty lenses; peer: 30 to 30, ms"),
            through,
            plain,
            2.0,
        ));
    }
    Ok(())
}
