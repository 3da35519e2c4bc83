//! A display of the test's own: GTK needs one.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// An X server without a monitor, ended with the test.
pub struct Display {
    server: Child,
    /// Its frame buffer, as a file in X's own picture format.
    screen: tempfile::TempDir,
}

impl Display {
    /// Starts the server and makes GTK use it. First thing in a test program, before GTK is initialized.
    pub fn start() -> Self {
        let screen = tempfile::tempdir().expect("a folder for the screen");
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
            .arg("-fbdir")
            .arg(screen.path())
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
        Self { server, screen }
    }

    /// What the screen shows within `width` × `height` pixels from its upper left corner: red, green, blue.
    #[allow(dead_code)] // not every test looks at it
    pub fn picture(&self, width: usize, height: usize) -> Vec<[u8; 3]> {
        let file = std::fs::read(self.screen.path().join("Xvfb_screen0"))
            .expect("the frame buffer can be read");
        let header = |n: usize| {
            u32::from_be_bytes(file[4 * n..4 * n + 4].try_into().expect("four bytes")) as usize
        };
        // XWD: size of the header, bytes of a line, number of colours (12 bytes each).
        let (head, line, colours) = (header(0), header(12), header(19));
        let pixels = &file[head + 12 * colours..];
        (0..height)
            .flat_map(|y| {
                pixels[y * line..]
                    .chunks_exact(4)
                    .take(width)
                    .map(|bgrx| [bgrx[2], bgrx[1], bgrx[0]])
            })
            .collect()
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
