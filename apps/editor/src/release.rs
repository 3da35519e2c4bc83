//! What tells the releases apart on the screen.

/// A release of the editor.
#[derive(Debug)]
pub struct Release {
    /// "1.0"; shown in the status bar and told to the session.
    pub version: &'static str,
    /// Whether text can be zoomed and wrapped: new in 2.0.
    pub zoom_and_wrap: bool,
}

/// The first release.
pub static RELEASE_1: Release = Release {
    version: "1.0",
    zoom_and_wrap: false,
};

/// The second release: text can be zoomed and wrapped.
pub static RELEASE_2: Release = Release {
    version: "2.0",
    zoom_and_wrap: true,
};

impl Release {
    /// What `--version` prints and the About window shows.
    pub fn name(&self) -> String {
        format!("Overwinter Editor {}", self.version)
    }
}
