//! Who is tried, and how each is used.

pub mod apps;
mod pieces;
mod terminals;
mod toolkits;
mod weston;
mod x11;

use anyhow::Result;

use crate::trial::{Step, Trial};

/// One program.
pub struct Client {
    /// How it is called.
    pub name: &'static str,
    /// Its Debian package.
    pub package: &'static str,
    /// Steps that make no sense with it.
    pub without: &'static [Step],
    /// What is worth knowing, for the table.
    pub note: &'static str,
    /// Its package is one that plain `scripts/setup` installs.
    pub basic: bool,
    /// Uses it, and says which steps held.
    pub run: fn(&mut Trial) -> Result<()>,
}

impl Client {
    /// One of which every step is asked and that `scripts/setup --clients` installs.
    const fn new(
        name: &'static str,
        package: &'static str,
        run: fn(&mut Trial) -> Result<()>,
    ) -> Self {
        Client {
            name,
            package,
            without: &[],
            note: "",
            basic: false,
            run,
        }
    }

    /// Leaves steps out.
    const fn without(self, without: &'static [Step]) -> Self {
        Client { without, ..self }
    }

    /// Says something about it in the table.
    const fn note(self, note: &'static str) -> Self {
        Client { note, ..self }
    }

    /// Its package is always there.
    const fn basic(self) -> Self {
        Client {
            basic: true,
            ..self
        }
    }
}

/// Everybody, in the order of the table.
pub fn all() -> Vec<Client> {
    [
        terminals::CLIENTS,
        weston::CLIENTS,
        toolkits::CLIENTS,
        apps::CLIENTS,
        x11::CLIENTS,
        pieces::CLIENTS,
    ]
    .into_iter()
    .flatten()
    .map(|client| Client { ..*client })
    .collect()
}
