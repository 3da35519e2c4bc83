//! Step 6: the whole session walks to host B.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::{Story, calm, expect};
use crate::atspi::Reader;
use crate::install;
use crate::report::Seen;
use crate::session::{Session, Wish};
use crate::wait;

impl Story {
    pub(super) fn travel(&mut self) -> Result<()> {
        self.report
            .step("6-move   the whole session walks to host B through overwinter receive");
        let wish = Wish {
            place: self.hosts.b.clone(),
            home: Some(self.a.home()),
            ..Wish::headless(self.base.path().join("b"))
        };
        let mut b = Session::prepare(wish)?;
        install::editor(&b, 2)?;
        b.restart(std::collections::BTreeMap::new())?;
        let rsh = self.hosts.start_sshd(&b)?;
        let compositor = self.a.compositor_pid().unwrap_or(0);
        self.check(
            "host B cannot read A's home and cannot see A's processes or network",
            |this| {
                this.hosts
                    .prove_apart(&this.documents[0].file, compositor)?;
                Ok("mount, pid and network namespaces are its own")
            },
        );
        let eyes_b = Reader::new(&b)?;
        let before = self.calm()?;
        let (program, host) = (self.hosts.program_on_b(), self.hosts.name_of_b());
        let moved = self
            .report
            .check("overwinter move hands every group to B", || {
                let start = Instant::now();
                let said = self.a.overwinter(&[
                    "move",
                    "--to",
                    host,
                    "--rsh",
                    &rsh,
                    "--remote-program",
                    &program,
                ])?;
                ensure!(said.code == 0, "overwinter move: {} {}", said.out, said.err);
                Ok(Seen {
                    words: said.out.lines().collect::<Vec<_>>().join("; "),
                    ms: Some(start.elapsed().as_secs_f64() * 1000.0),
                    bytes: None,
                })
            });
        if !moved {
            eprintln!("{}\n{}", self.a.logs(), b.logs());
        }
        for document in self.documents.clone() {
            self.check(
                &format!(
                    "{}: its window is on B, with the same text, caret and selection",
                    document.name
                ),
                |_| {
                    expect(&eyes_b, &document.name, "what it had on A", |c| {
                        *c == document.content
                    })?;
                    Ok("equal")
                },
            );
        }
        self.check(
            "B's screen is A's from before (whole screen compared)",
            |_| {
                let there = calm(&b)?;
                before.same(&there, there.whole())?;
                Ok("every pixel is equal")
            },
        );
        self.report.picture("09-on-b", &calm(&b)?)?;
        self.gone_on_a()?;
        self.keep_picture("10-gone-on-a")?;
        self.check("A refuses to wake them", |this| {
            let said = this.a.overwinter(&["wake", "--all"])?;
            let by_name = this.a.overwinter(&["wake", &this.documents[0].name])?;
            ensure!(by_name.code != 0, "overwinter wake: {}", by_name.out);
            let editors = this.awake_editors()?;
            ensure!(
                editors.is_empty(),
                "after `wake --all` ({}) editors run: {editors:?}",
                said.out
            );
            Ok(format!("{}{}", by_name.out.trim(), by_name.err.trim()))
        });
        Ok(())
    }

    fn gone_on_a(&mut self) -> Result<()> {
        self.check(
            "nothing of them is left on A: no window, no running editor, an empty desktop",
            |this| {
                wait::until("no editor runs on A", || {
                    Ok(this.awake_editors()?.is_empty().then_some(()))
                })?;
                let views = this.eyes.views()?;
                ensure!(views.is_empty(), "{views:?}");
                let desktop = this.still()?;
                this.empty.same(&desktop, desktop.whole())?;
                Ok("the desktop is as at the start")
            },
        );
        Ok(())
    }
}
