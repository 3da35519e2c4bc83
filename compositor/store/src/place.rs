//! Where a user's store lies. The session and whoever looks after the store without one go by this.

use std::path::{Path, PathBuf};

/// Where a session keeps its state: `$XDG_STATE_HOME/overwinter`, else `$HOME/.local/state/overwinter`. None: neither is set.
pub fn state_folder() -> Option<PathBuf> {
    let var = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let base = var("XDG_STATE_HOME").or_else(|| Some(var("HOME")?.join(".local/state")))?;
    Some(base.join("overwinter"))
}

/// The store's folder beneath that, unless another one is named.
pub fn store_in(state: &Path) -> PathBuf {
    state.join("store")
}
