//! Clients that take back the memory which they gave the compositor to draw from: nobody else's frame suffers from it.

use std::fs;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, ensure};
use overwinter_tests::session::Session;
use overwinter_tests::story::still;
use overwinter_tests::test_app::stage::Stage;
use overwinter_tests::wait;
use overwinter_tests::wire::{connect, globals, hello, request, string};
use overwinter_tests::witness::Witness;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// Width and height of the windows.
const SIDE: u32 = 256;

/// Sends bytes with a descriptor.
fn send_with(stream: &UnixStream, bytes: &[u8], file: &fs::File) -> Result<()> {
    let fds = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ensure!(
        ancillary.push(SendAncillaryMessage::ScmRights(&fds)),
        "no room"
    );
    let text = [IoSlice::new(bytes)];
    let sent = sendmsg(stream, &text, &mut ancillary, SendFlags::empty())?;
    ensure!(sent == bytes.len(), "cut off");
    Ok(())
}

/// The next event: object, opcode, arguments.
fn event(stream: &mut UnixStream) -> Result<(u32, u32, Vec<u8>)> {
    let word = |bytes: &[u8]| -> Result<u32> { Ok(u32::from_le_bytes(bytes.try_into()?)) };
    let mut head = [0; 8];
    stream.read_exact(&mut head)?;
    let rest = word(head.get(4..).context("short")?)?;
    let mut body = vec![0; (rest as usize >> 16).saturating_sub(8)];
    stream.read_exact(&mut body)?;
    Ok((word(head.get(..4).context("short")?)?, rest & 0xffff, body))
}

/// A white window of a client that speaks for itself: wl_surface 7, xdg_surface 8, xdg_toplevel 9, wl_shm_pool 10,
/// wl_buffer 11.
struct Window {
    stream: UnixStream,
    memory: fs::File,
    serial: u32,
}

impl Window {
    /// Configured, with a buffer, and not shown yet.
    fn new(session: &Session, globals: &[(u32, String, u32)]) -> Result<Window> {
        let memory = fs::File::from(memfd_create("window", MemfdFlags::CLOEXEC)?);
        (&memory).write_all(&vec![0xff; (SIDE * SIDE * 4) as usize])?;
        let mut stream = connect(session)?;
        stream.write_all(&hello())?;
        for (id, interface) in [(4, "wl_compositor"), (5, "wl_shm"), (6, "xdg_wm_base")] {
            let global = globals.iter().find(|g| g.1 == interface);
            let mut words = vec![global.with_context(|| format!("no {interface}"))?.0];
            words.extend(string(interface));
            words.extend([1, id]);
            stream.write_all(&request(2, 0, &words))?;
        }
        // The first commit asks for a configure.
        let window = [
            request(4, 0, &[7]),
            request(6, 2, &[8, 7]),
            request(8, 1, &[9]),
            request(7, 6, &[]),
        ];
        stream.write_all(&window.concat())?;
        let serial = loop {
            let (object, _, body) = event(&mut stream)?;
            if object == 8 {
                let serial = body.get(..4).context("no serial")?;
                break u32::from_le_bytes(serial.try_into()?);
            }
        };
        // XRGB8888.
        send_with(&stream, &request(5, 0, &[10, SIDE * SIDE * 4]), &memory)?;
        stream.write_all(&request(10, 0, &[11, 0, SIDE, SIDE, SIDE * 4, 1]))?;
        Ok(Window {
            stream,
            memory,
            serial,
        })
    }

    /// Attaches the buffer, damages all of it, commits.
    fn show(&mut self) -> Result<()> {
        let shown = [
            request(8, 4, &[self.serial]),
            request(7, 1, &[11, 0, 0]),
            request(7, 2, &[0, 0, SIDE, SIDE]),
            request(7, 6, &[]),
        ];
        Ok(self.stream.write_all(&shown.concat())?)
    }

    /// From now on whoever reads the memory gets SIGBUS.
    fn take_memory_away(&self) -> Result<()> {
        Ok(self.memory.set_len(0)?)
    }

    /// Says nothing more, reads what it is told, and is hung up on.
    fn is_ended(&mut self) -> Result<()> {
        match self.stream.read_to_end(&mut Vec::new()) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => anyhow::bail!("it lives on"),
            // A reset is an end, too.
            _ => Ok(()),
        }
    }
}

/// What our own mistakes are logged as.
fn no_mistake_of_ours(session: &Session) -> Result<()> {
    let logs = session.logs();
    ensure!(!logs.contains("ERROR"), "{logs}");
    Ok(())
}

#[test]
fn windows_whose_memory_is_taken_away_end_their_clients_alone() -> Result<()> {
    let stage = Stage::new()?;
    let session = &stage.session;
    let mut witness = Witness::new(session)?;
    let globals = globals(session)?;
    let before = still(session)?;

    // Before the first frame of them; they are silent from then on.
    let mut windows = Vec::new();
    for _ in 0..3 {
        let mut window = Window::new(session, &globals)?;
        window.take_memory_away()?;
        window.show()?;
        windows.push(window);
    }
    for window in &mut windows {
        window.is_ended()?;
    }
    wait::until("the witness alone is on the screen", || {
        before.same(&still(session)?, before.whole())?;
        Ok(Some(()))
    })?;
    witness.goes_on(session, "windows that never had memory")?;

    // While it is on the screen and nothing of it changes: the next frame or screenshot that needs it finds out.
    let before = still(session)?;
    let mut window = Window::new(session, &globals)?;
    window.show()?;
    wait::until("the white window is on the screen", || {
        let now = still(session)?;
        let (count, _) = before.difference(&now, before.whole());
        Ok((count >= u64::from(SIDE * SIDE) / 2).then_some(()))
    })?;
    window.take_memory_away()?;
    // The same buffer once more.
    window.show()?;
    window.is_ended()?;
    wait::until("the witness alone is on the screen again", || {
        before.same(&still(session)?, before.whole())?;
        Ok(Some(()))
    })?;
    witness.goes_on(session, "a window that lost its memory")?;
    no_mistake_of_ours(session)?;
    stage.goes_on()
}

#[test]
fn pools_of_impossible_sizes_end_their_clients_alone() -> Result<()> {
    let stage = Stage::new()?;
    let session = &stage.session;
    let mut witness = Witness::new(session)?;
    let globals = globals(session)?;
    for size in [0, u32::MAX, 1 << 31, 1] {
        let mut window = Window::new(session, &globals)?;
        window.show()?;
        window.stream.write_all(&request(10, 2, &[size]))?;
        window.is_ended()?;
        witness.goes_on(session, "a pool that was resized")?;
    }
    no_mistake_of_ours(session)?;
    stage.goes_on()
}
