//! Installs an application into a session's private prefix, as a package manager would: the program first, by an atomic
//! rename, then its .desktop file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::place::programs;
use crate::session::Session;

/// Id of the editor.
pub const EDITOR: &str = "org.overwinter.Editor";

/// File name that the editor is installed under, whatever its version.
pub const EDITOR_PROGRAM: &str = "overwinter-editor";

/// Installs `overwinter-editor-VERSION` (1 or 2) over whatever is there.
///
/// # Errors
/// When the program has not been built or the prefix cannot be written.
pub fn editor(session: &Session, major: u32) -> Result<()> {
    let program = programs().join(format!("overwinter-editor-{major}"));
    app(
        session,
        EDITOR,
        "Overwinter Editor",
        &format!("{major}.0"),
        &program,
        EDITOR_PROGRAM,
        "%U",
    )
}

/// Installs a program as an app with this id.
///
/// # Errors
/// See [`editor`].
pub fn app(
    session: &Session,
    id: &str,
    name: &str,
    version: &str,
    program: &Path,
    installed_as: &str,
    arguments: &str,
) -> Result<()> {
    let prefix = session.prefix();
    let target = prefix.join("bin").join(installed_as);
    let bytes = fs::read(program)
        .with_context(|| format!("reading {} (has it been built?)", program.display()))?;
    replace(&session.place().path(&target), &bytes, 0o755)?;
    let desktop = format!(
        "[Desktop Entry]\nType=Application\nName={name}\nExec={} {arguments}\nIcon={id}\nTerminal=false\n\
         MimeType=text/plain;\nX-Overwinter-Version={version}\nX-Overwinter-Tier=native\n",
        target.display()
    );
    let file = prefix
        .join("share/applications")
        .join(format!("{id}.desktop"));
    replace(&session.place().path(&file), desktop.as_bytes(), 0o644)
}

fn replace(file: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = file.with_file_name(name);
    fs::write(&new, bytes).with_context(|| format!("writing {}", new.display()))?;
    fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, file).with_context(|| format!("renaming to {}", file.display()))
}
