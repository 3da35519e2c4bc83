//! Wayland as bytes, for clients that no library would let be written.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::session::Session;
use crate::wait;

/// A request as it is on the wire.
pub fn request(object: u32, opcode: u32, words: &[u32]) -> Vec<u8> {
    let size = 8 + 4 * u32::try_from(words.len()).unwrap_or(0);
    let head = [object, size << 16 | opcode];
    head.iter()
        .chain(words)
        .flat_map(|w| w.to_le_bytes())
        .collect()
}

/// A string argument: its length with the zero, then bytes up to a whole word.
pub fn string(text: &str) -> Vec<u32> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    let length = u32::try_from(bytes.len()).unwrap_or(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let words = bytes
        .chunks_exact(4)
        .map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
    std::iter::once(length).chain(words).collect()
}

/// wl_display.get_registry(2), wl_display.sync(3).
pub fn hello() -> Vec<u8> {
    [request(1, 1, &[2]), request(1, 0, &[3])].concat()
}

/// A connection on which nothing was said yet.
///
/// # Errors
/// When nobody listens.
pub fn connect(session: &Session) -> Result<UnixStream> {
    let stream = UnixStream::connect(session.wayland_socket())?;
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    stream.set_read_timeout(Some(wait::PATIENCE))?;
    Ok(stream)
}

/// What the compositor announces: name, interface, version.
///
/// # Errors
/// When it announces nothing that can be read.
pub fn globals(session: &Session) -> Result<Vec<(u32, String, u32)>> {
    let mut stream = connect(session)?;
    stream.write_all(&hello())?;
    let mut found = Vec::new();
    loop {
        let mut head = [0; 8];
        stream.read_exact(&mut head)?;
        let (object, rest) = head.split_at(4);
        let object = u32::from_le_bytes(object.try_into()?);
        let rest = u32::from_le_bytes(rest.try_into()?);
        let mut body = vec![0; (rest as usize >> 16).saturating_sub(8)];
        stream.read_exact(&mut body)?;
        match object {
            2 => {
                let word = |at: usize| -> Result<u32> {
                    let bytes = body.get(at..at + 4).context("a short event")?;
                    Ok(u32::from_le_bytes(bytes.try_into()?))
                };
                let length = word(4)? as usize;
                let name = body.get(8..8 + length - 1).context("a short name")?;
                let version = word(8 + length.next_multiple_of(4))?;
                let name = String::from_utf8(name.to_vec())?;
                found.push((word(0)?, name, version));
            }
            3 => return Ok(found),
            other => bail!("an event of object {other}"),
        }
    }
}
