//! A display of the test's own: GTK needs one.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// An X server without a screen, ended with the test.
pub struct Display(Child);

impl Display {
    /// Starts the server and makes GTK use it. First thing in a test program, before GTK is initialized.
    pub fn start() -> Self {
        let mut server = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1280x800x24",
                "-nolisten",
                "tcp",
                "-noreset",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts (Debian package xvfb; scripts/setup installs it)");
        let mut number = String::new();
        let output = server.stdout.take().expect("it was asked for");
        BufReader::new(output)
            .read_line(&mut number)
            .expect("Xvfb tells its display");
        assert!(
            !number.trim().is_empty(),
            "Xvfb ended before it had a display"
        );
        // SAFETY: the only test of its program, before GTK or anything else has started a thread that reads it.
        unsafe {
            std::env::set_var("DISPLAY", format!(":{}", number.trim()));
            std::env::set_var("GDK_BACKEND", "x11");
            std::env::set_var("GSK_RENDERER", "cairo");
            std::env::set_var("GSETTINGS_BACKEND", "memory");
            std::env::set_var("GTK_A11Y", "none");
            std::env::remove_var("WAYLAND_DISPLAY");
        }
        Self(server)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
