//! A picture of the whole output, taken as any Wayland client may: by wlr-screencopy.

use std::fs::File;
use std::io::BufWriter;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use wayland_client::protocol::{wl_buffer, wl_output, wl_registry, wl_shm, wl_shm_pool};
use wayland_client::{Connection, Dispatch, EventQueue, QueueHandle, WEnum, delegate_noop};
use wayland_protocols_wlr::screencopy::v1::client::{
    zwlr_screencopy_frame_v1::{self, Flags, ZwlrScreencopyFrameV1},
    zwlr_screencopy_manager_v1::ZwlrScreencopyManagerV1,
};

use crate::bus::Trouble;

/// Longest wait for the compositor, from connecting to the last pixel.
const DEADLINE: Duration = Duration::from_secs(10);

/// Most that is believed about a screen: 16384 x 16384 pixels.
const LARGEST: u32 = 16384;

/// Writes a picture of the first output to `file`, as PNG.
///
/// # Errors
/// No compositor, one that cannot be asked for pictures, or a file that cannot be written (none is left half-written).
pub fn take(file: &Path) -> Result<(), Trouble> {
    let connection = Connection::connect_to_env().map_err(|e| {
        Trouble::usage(format!("no Wayland compositor can be reached ({e}). Nothing was written. Run this again inside a session, or with WAYLAND_DISPLAY set."))
    })?;
    let mut queue = connection.new_event_queue();
    let mut grab = Grab::default();
    connection.display().get_registry(&queue.handle(), ());
    let deadline = Instant::now() + DEADLINE;

    connection.display().sync(&queue.handle(), Sync);
    until(&mut queue, &mut grab, deadline, |g| g.synced)?;
    let (Some(manager), Some(output), Some(shm)) = (&grab.manager, &grab.output, &grab.shm) else {
        return Err(Trouble::usage(
            "this compositor does not let its clients take pictures (zwlr_screencopy_manager_v1 or an output is missing).",
        ));
    };
    let shm = shm.clone();
    manager.capture_output(1, output, &queue.handle(), ());
    until(&mut queue, &mut grab, deadline, |g| {
        g.offered.is_some() || g.failed
    })?;
    let Some(offer) = grab.offered.filter(|_| !grab.failed) else {
        return Err(Trouble::failed(
            "the compositor refused to take a picture. Nothing was written.",
        ));
    };
    let memory = Memory::new(offer)?;
    let pool = shm.create_pool(memory.fd.as_fd(), memory.length as i32, &queue.handle(), ());
    let buffer = pool.create_buffer(
        0,
        offer.width as i32,
        offer.height as i32,
        offer.stride as i32,
        offer.format,
        &queue.handle(),
        (),
    );
    if let Some(frame) = &grab.frame {
        frame.copy(&buffer);
    }
    until(&mut queue, &mut grab, deadline, |g| g.ready || g.failed)?;
    if grab.failed {
        return Err(Trouble::failed(
            "the compositor could not take the picture. Nothing was written.",
        ));
    }
    write(file, offer, memory.bytes(), grab.flipped)
}

#[derive(Default)]
struct Grab {
    manager: Option<ZwlrScreencopyManagerV1>,
    output: Option<wl_output::WlOutput>,
    shm: Option<wl_shm::WlShm>,
    frame: Option<ZwlrScreencopyFrameV1>,
    offered: Option<Offer>,
    synced: bool,
    flipped: bool,
    ready: bool,
    failed: bool,
}

#[derive(Clone, Copy)]
struct Offer {
    format: wl_shm::Format,
    width: u32,
    height: u32,
    stride: u32,
}

struct Sync;

/// Reads and handles events until `done` says so.
fn until(
    queue: &mut EventQueue<Grab>,
    grab: &mut Grab,
    deadline: Instant,
    done: impl Fn(&Grab) -> bool,
) -> Result<(), Trouble> {
    let broken = |e: &dyn std::fmt::Display| {
        Trouble::failed(format!(
            "the compositor went away: {e}. Nothing was written."
        ))
    };
    loop {
        queue.dispatch_pending(grab).map_err(|e| broken(&e))?;
        if done(grab) {
            return Ok(());
        }
        queue.flush().map_err(|e| broken(&e))?;
        let Some(guard) = queue.prepare_read() else {
            continue;
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble::failed(format!(
                "the compositor gave no picture within {} s. Nothing was written.",
                DEADLINE.as_secs()
            )));
        }
        let fd = guard.connection_fd();
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        let timeout = Timespec::try_from(left).ok();
        if matches!(poll(&mut fds, timeout.as_ref()), Ok(n) if n > 0) {
            guard.read().map_err(|e| broken(&e))?;
        }
    }
}

/// Shared memory that the compositor draws into.
struct Memory {
    fd: std::os::fd::OwnedFd,
    at: *mut std::ffi::c_void,
    length: usize,
}

impl Memory {
    fn new(offer: Offer) -> Result<Self, Trouble> {
        let sane = offer.width > 0
            && offer.height > 0
            && offer.width <= LARGEST
            && offer.height <= LARGEST
            && offer.stride >= offer.width * 4
            && offer.stride <= LARGEST * 8;
        let length = offer.stride as usize * offer.height as usize;
        if !sane || i32::try_from(length).is_err() {
            return Err(Trouble::failed(
                "the compositor offers a picture of an impossible size. Nothing was written.",
            ));
        }
        let none = |e| {
            Trouble::failed(format!(
                "no memory for the picture: {e}. Nothing was written."
            ))
        };
        let fd = memfd_create("overwinter-screenshot", MemfdFlags::CLOEXEC).map_err(none)?;
        ftruncate(&fd, length as u64).map_err(none)?;
        // SAFETY: a fresh mapping of our own memfd, of its full length; nothing else knows the address.
        let at = unsafe {
            mmap(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ,
                MapFlags::SHARED,
                &fd,
                0,
            )
        }
        .map_err(none)?;
        Ok(Memory { fd, at, length })
    }

    fn bytes(&self) -> Vec<u8> {
        // SAFETY: the mapping lives as long as `self`; the compositor has said that it finished writing, and should it write
        // on, the copy differs in pixels only: every bit pattern is a valid u8.
        unsafe { std::slice::from_raw_parts(self.at.cast::<u8>(), self.length) }.to_vec()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: address and length are those of the mapping made in `new`.
        let _ = unsafe { munmap(self.at, self.length) };
    }
}

/// Writes beside the target and renames, so that a full disk leaves no half of a picture.
fn write(file: &Path, offer: Offer, bytes: Vec<u8>, flipped: bool) -> Result<(), Trouble> {
    let Some(rgb) = to_rgb(offer, &bytes, flipped) else {
        return Err(Trouble::failed(format!(
            "the compositor draws in a form that is not known here ({:?}). Nothing was written.",
            offer.format
        )));
    };
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = Path::new(&name);
    let written = File::create(part)
        .map_err(png::EncodingError::from)
        .and_then(|out| {
            let mut encoder = png::Encoder::new(BufWriter::new(out), offer.width, offer.height);
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_depth(png::BitDepth::Eight);
            let mut writer = encoder.write_header()?;
            writer.write_image_data(&rgb)?;
            writer.finish()
        });
    written
        .and_then(|()| std::fs::rename(part, file).map_err(Into::into))
        .map_err(|e| {
            let _ = std::fs::remove_file(part);
            Trouble::failed(format!(
                "{} cannot be written: {e}. Nothing was left there. Try again with a file that can be.",
                file.display()
            ))
        })
}

/// Rows from the top, red, green, blue; `None` for a pixel format that is not one of the four usual ones.
fn to_rgb(offer: Offer, bytes: &[u8], flipped: bool) -> Option<Vec<u8>> {
    let order = match offer.format {
        wl_shm::Format::Xrgb8888 | wl_shm::Format::Argb8888 => [2, 1, 0],
        wl_shm::Format::Xbgr8888 | wl_shm::Format::Abgr8888 => [0, 1, 2],
        _ => return None,
    };
    let rows: Vec<&[u8]> = bytes.chunks_exact(offer.stride as usize).collect();
    let mut rgb = Vec::with_capacity(offer.width as usize * offer.height as usize * 3);
    for number in 0..rows.len() {
        let row = rows[if flipped {
            rows.len() - 1 - number
        } else {
            number
        }];
        for pixel in row.chunks_exact(4).take(offer.width as usize) {
            rgb.extend(order.map(|channel: usize| pixel[channel]));
        }
    }
    Some(rgb)
}

impl Dispatch<wl_registry::WlRegistry, ()> for Grab {
    fn event(
        grab: &mut Self,
        registry: &wl_registry::WlRegistry,
        event: wl_registry::Event,
        (): &(),
        _: &Connection,
        queue: &QueueHandle<Self>,
    ) {
        let wl_registry::Event::Global {
            name,
            interface,
            version,
        } = event
        else {
            return;
        };
        match interface.as_str() {
            "zwlr_screencopy_manager_v1" => {
                grab.manager = Some(registry.bind(name, version.min(3), queue, ()));
            }
            "wl_shm" => grab.shm = Some(registry.bind(name, 1, queue, ())),
            "wl_output" if grab.output.is_none() => {
                grab.output = Some(registry.bind(name, 1, queue, ()))
            }
            _ => {}
        }
    }
}

impl Dispatch<wayland_client::protocol::wl_callback::WlCallback, Sync> for Grab {
    fn event(
        grab: &mut Self,
        _: &wayland_client::protocol::wl_callback::WlCallback,
        _: wayland_client::protocol::wl_callback::Event,
        _: &Sync,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        grab.synced = true;
    }
}

impl Dispatch<ZwlrScreencopyFrameV1, ()> for Grab {
    fn event(
        grab: &mut Self,
        frame: &ZwlrScreencopyFrameV1,
        event: zwlr_screencopy_frame_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use zwlr_screencopy_frame_v1::Event;
        grab.frame = Some(frame.clone());
        match event {
            Event::Buffer {
                format: WEnum::Value(format),
                width,
                height,
                stride,
            } => {
                grab.offered = Some(Offer {
                    format,
                    width,
                    height,
                    stride,
                });
            }
            Event::Flags {
                flags: WEnum::Value(flags),
            } => grab.flipped = flags.contains(Flags::YInvert),
            Event::Ready { .. } => grab.ready = true,
            Event::Failed => grab.failed = true,
            _ => {}
        }
    }
}

delegate_noop!(Grab: ignore wl_shm::WlShm);
delegate_noop!(Grab: ignore wl_output::WlOutput);
delegate_noop!(Grab: ignore wl_shm_pool::WlShmPool);
delegate_noop!(Grab: ignore wl_buffer::WlBuffer);
delegate_noop!(Grab: ignore ZwlrScreencopyManagerV1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_come_out_in_order_and_the_right_way_up() {
        let offer = Offer {
            format: wl_shm::Format::Xrgb8888,
            width: 1,
            height: 2,
            stride: 8,
        };
        let bytes = [3, 2, 1, 0, 9, 9, 9, 9, 6, 5, 4, 0, 9, 9, 9, 9];
        assert_eq!(to_rgb(offer, &bytes, false).unwrap(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(to_rgb(offer, &bytes, true).unwrap(), [4, 5, 6, 1, 2, 3]);
        let odd = Offer {
            format: wl_shm::Format::Rgb565,
            ..offer
        };
        assert_eq!(to_rgb(odd, &bytes, false), None);
    }
}
