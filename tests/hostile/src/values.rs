//! Values that are worth trying, and descriptors of every kind.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};

use crate::rng::Rng;

/// Whole numbers at which something changes.
pub const EDGES: [i32; 20] = [
    0,
    1,
    -1,
    2,
    -2,
    3,
    7,
    255,
    256,
    4096,
    32767,
    32768,
    65535,
    65536,
    1 << 24,
    1 << 30,
    i32::MAX - 1,
    i32::MAX,
    i32::MIN,
    i32::MIN + 1,
];

/// A number at an edge, or any at all.
pub fn wild_int(rng: &mut Rng) -> i32 {
    if rng.chance(800) {
        rng.pick(&EDGES).copied().unwrap_or(0)
    } else {
        rng.word().cast_signed()
    }
}

/// A number as a sane client would send it for an argument of this name.
pub fn sane_int(rng: &mut Rng, name: &str) -> i32 {
    match name {
        "width" | "height" => rng.between(1, 400),
        "max_width" | "max_height" | "min_width" | "min_height" => rng.between(0, 400),
        "scale" => rng.between(1, 3),
        "stride" => rng.between(1, 400) * 4,
        "size" => 400 * 400 * 4,
        "offset" | "hotspot_x" | "hotspot_y" => 0,
        "rate" => 25,
        "delay" => 600,
        "index" | "cursor" | "anchor" | "begin" | "end" => rng.between(0, 8),
        _ => rng.between(-50, 700),
    }
}

/// Text: empty, short, odd, long. Requests are no longer than 4096 bytes.
pub fn text(rng: &mut Rng, wild: bool) -> Vec<u8> {
    const SANE: [&str; 8] = [
        "",
        "text/plain",
        "text/plain;charset=utf-8",
        "org.example.app",
        "Überwintern ❄",
        "default",
        "left_ptr",
        "HEADLESS-1",
    ];
    if !wild {
        return rng.pick(&SANE).copied().unwrap_or("").into();
    }
    let length = [0, 1, 3, 60, 1000, 3900]
        .get(rng.below(6))
        .copied()
        .unwrap_or(0);
    match rng.below(5) {
        0 => vec![b'A'; length],
        // Not UTF-8, with escapes and line ends.
        1 => (0..length).map(|_| (rng.word() as u8).max(1)).collect(),
        2 => "\u{202e}\u{0300}\u{1f9ca}\r\n\u{1b}[31m"
            .repeat(length / 16)
            .into(),
        3 => "../".repeat(length / 3).into(),
        _ => "%s%n<b>&\"'".repeat(length / 10).into(),
    }
}

/// Bytes for an array.
pub fn array(rng: &mut Rng) -> Vec<u8> {
    let length = [0, 1, 3, 4, 8, 64, 1001, 3900]
        .get(rng.below(8))
        .copied()
        .unwrap_or(0);
    (0..length).map(|_| rng.word() as u8).collect()
}

/// A keymap that compiles wherever xkb's data is.
pub const KEYMAP: &str = "xkb_keymap { xkb_keycodes { include \"evdev+aliases(qwerty)\" }; \
    xkb_types { include \"complete\" }; xkb_compat { include \"complete\" }; \
    xkb_symbols { include \"pc+us+inet(evdev)\" }; };";

/// Memory of this size, with nothing in it.
pub fn memory(size: u64) -> std::io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create("hostile", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    rustix::fs::ftruncate(&fd, size)?;
    Ok(fd)
}

/// Memory with these bytes in it.
pub fn memory_with(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let fd = memory(bytes.len() as u64)?;
    rustix::io::pwrite(&fd, bytes, 0)?;
    Ok(fd)
}

/// A descriptor of some kind.
pub fn descriptor(rng: &mut Rng) -> std::io::Result<OwnedFd> {
    Ok(match rng.below(12) {
        0 => rustix::pipe::pipe()?.0,
        1 => rustix::pipe::pipe()?.1,
        // Both ends live on in nobody's hands but the server's.
        2 => UnixStream::pair()?.0.into(),
        3 => memory(0)?,
        4 => memory(4096)?,
        5 => memory(1 << 40)?,
        6 => {
            let fd = memory(4096)?;
            rustix::fs::fcntl_add_seals(
                &fd,
                SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW,
            )?;
            fd
        }
        7 => memory_with(KEYMAP.as_bytes())?,
        8 => rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty())?,
        9 => rustix::fs::open("/", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?,
        10 => rustix::fs::open("/dev/zero", OFlags::RDONLY, Mode::empty())?,
        _ => memory(400 * 400 * 4)?,
    })
}
