//! zwlr_screencopy_v1: screenshots into shared memory. A copy is taken of a composited frame, right after it was composited;
//! without the pointer in it, a headless one is the very image that was composited.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use smithay::backend::allocator::Fourcc;
use smithay::reexports::wayland_protocols_wlr::screencopy::v1::server::zwlr_screencopy_frame_v1::{
    self, Flags, ZwlrScreencopyFrameV1,
};
use smithay::reexports::wayland_protocols_wlr::screencopy::v1::server::zwlr_screencopy_manager_v1::{
    self, ZwlrScreencopyManagerV1,
};
use smithay::utils::{Logical, Physical, Rectangle};
use smithay::wayland::shm::{shm_format_to_fourcc, with_buffer_contents, with_buffer_contents_mut};
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_buffer::WlBuffer;
use wayland_server::protocol::wl_shm;
use wayland_server::{Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource};

use crate::backend::Backend;
use crate::client::is_privileged;
use crate::outputs::{Head, HeadId};
use crate::render::{Cursor, Painter, Scene};
use crate::state::Overwinter;

const BYTES_PER_PIXEL: i32 = 4;

/// Screenshots that wait for a frame.
#[derive(Debug, Default)]
pub struct Screencopy {
    waiting: Vec<Waiting>,
    /// The newest frame that each client has got: one that records misses no change that falls between two of its requests.
    seen: HashMap<ClientId, BTreeMap<HeadId, u64>>,
}

#[derive(Debug)]
struct Waiting {
    frame: ZwlrScreencopyFrameV1,
    buffer: WlBuffer,
    /// Frames composited before this one do not count (`copy_with_damage`).
    after: Option<u64>,
}

impl Waiting {
    fn is_of(&self, head: HeadId) -> bool {
        let data = self.frame.data::<FrameData>();
        data.is_some_and(|data| data.head == Some(head))
    }
}

/// A screenshot that a client asks for.
#[derive(Debug)]
pub struct FrameData {
    /// Of this output; none when it went before the client knew.
    head: Option<HeadId>,
    /// As it lies in the output's memory.
    region: Rectangle<i32, Physical>,
    cursor: bool,
    used: AtomicBool,
    /// A copy on damage waits for a frame after this one.
    after: u64,
}

impl Screencopy {
    /// Announces the manager.
    pub fn new(display: &DisplayHandle) -> Screencopy {
        display.create_global::<Overwinter, ZwlrScreencopyManagerV1, ()>(3, ());
        Screencopy::default()
    }
}

impl GlobalDispatch<ZwlrScreencopyManagerV1, ()> for Overwinter {
    fn bind(
        _: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        resource: New<ZwlrScreencopyManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, Self>,
    ) {
        data_init.init(resource, ());
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_privileged(&client)
    }
}

impl Dispatch<ZwlrScreencopyManagerV1, ()> for Overwinter {
    fn request(
        this: &mut Self,
        client: &Client,
        _: &ZwlrScreencopyManagerV1,
        request: zwlr_screencopy_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        use zwlr_screencopy_manager_v1::Request;
        let (frame, cursor, output, wanted) = match request {
            Request::CaptureOutput {
                frame,
                overlay_cursor,
                output,
            } => (frame, overlay_cursor, output, None),
            Request::CaptureOutputRegion {
                frame,
                overlay_cursor,
                output,
                x,
                y,
                width,
                height,
            } => {
                let wanted = region(x, y, width, height);
                (frame, overlay_cursor, output, Some(wanted))
            }
            _ => return,
        };
        let head = this.outputs.meant(&output);
        let part = |head: &Head| {
            let whole = Rectangle::from_size(head.area().size);
            match wanted {
                Some(wanted) => wanted.intersection(whole).map(|r| head.in_memory(r)),
                None => Some(Rectangle::from_size(head.pixels())),
            }
        };
        let region = head.and_then(part).unwrap_or_default();
        let seen = |head: &Head| {
            let seen = this.screencopy.seen.get(&client.id());
            let seen = seen.and_then(|seen| seen.get(&head.id));
            seen.copied().unwrap_or(head.frames.count)
        };
        let data = FrameData {
            head: head.map(|h| h.id),
            region,
            cursor: cursor != 0,
            used: AtomicBool::new(false),
            after: head.map_or(0, seen),
        };
        let frame = data_init.init(frame, data);
        if region.is_empty() {
            frame.failed();
            return;
        }
        let (width, height) = (region.size.w.unsigned_abs(), region.size.h.unsigned_abs());
        frame.buffer(wl_shm::Format::Xrgb8888, width, height, width * 4);
        if frame.version() >= 3 {
            frame.buffer_done();
        }
    }
}

/// A region whose numbers come from a client: never negative, never past the end of i32.
fn region(x: i32, y: i32, width: i32, height: i32) -> Rectangle<i32, Logical> {
    let clamp = |v: i32| v.clamp(-32768, 32767);
    Rectangle::new(
        (clamp(x), clamp(y)).into(),
        (clamp(width).max(0), clamp(height).max(0)).into(),
    )
}

impl Dispatch<ZwlrScreencopyFrameV1, FrameData> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        frame: &ZwlrScreencopyFrameV1,
        request: zwlr_screencopy_frame_v1::Request,
        data: &FrameData,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        use zwlr_screencopy_frame_v1::{Error, Request};
        let (buffer, with_damage) = match request {
            Request::Copy { buffer } => (buffer, false),
            Request::CopyWithDamage { buffer } => (buffer, true),
            _ => return,
        };
        if data.used.swap(true, Ordering::Relaxed) {
            frame.post_error(Error::AlreadyUsed, "the frame was copied before");
            return;
        }
        if data.region.is_empty() {
            return;
        }
        let Some(count) = data.head.and_then(|id| this.frames_of(id)) else {
            return frame.failed();
        };
        if !fits(&buffer, data.region) {
            frame.post_error(Error::InvalidBuffer, "the buffer is not as `buffer` said");
            return;
        }
        this.screencopy.waiting.push(Waiting {
            frame: frame.clone(),
            buffer,
            after: with_damage.then_some(data.after),
        });
        if let Some(head) = data.head
            && (!with_damage || count > data.after)
        {
            this.schedule_frame_of(head);
        }
    }

    fn destroyed(this: &mut Self, _: ClientId, frame: &ZwlrScreencopyFrameV1, _: &FrameData) {
        this.screencopy.waiting.retain(|w| w.frame != *frame);
    }
}

/// Whether the buffer is one that the region's pixels can be copied into.
pub(super) fn fits(buffer: &WlBuffer, region: Rectangle<i32, Physical>) -> bool {
    with_buffer_contents(buffer, |_, len, shm| {
        let xrgb = matches!(
            shm_format_to_fourcc(shm.format),
            Some(Fourcc::Xrgb8888 | Fourcc::Argb8888)
        );
        let end = i64::from(shm.offset) + i64::from(shm.stride) * i64::from(shm.height);
        xrgb && shm.width == region.size.w
            && shm.height == region.size.h
            && shm.offset >= 0
            && shm.stride >= region.size.w * BYTES_PER_PIXEL
            && end <= len as i64
    })
    .unwrap_or(false)
}

impl Screencopy {
    /// A connection has ended.
    pub fn forget(&mut self, client: &ClientId) {
        self.seen.remove(client);
    }
}

impl Overwinter {
    /// Hands the frame that was just composited to whoever waits for it.
    pub fn serve_screencopy(&mut self, head: HeadId, damage: &[Rectangle<i32, Physical>]) {
        let Some(count) = self.frames_of(head) else {
            return;
        };
        let (ready, waiting) = std::mem::take(&mut self.screencopy.waiting)
            .into_iter()
            .partition(|w| w.is_of(head) && w.after.is_none_or(|after| count > after));
        self.screencopy.waiting = waiting;
        let ready: Vec<Waiting> = ready;
        for waiting in ready {
            let Some(data) = waiting.frame.data::<FrameData>() else {
                continue;
            };
            match self.pixels(head, data.region, data.cursor) {
                Ok(pixels) => {
                    // Who missed frames is told that all of it changed.
                    let whole = [data.region];
                    let missed = waiting.after.is_some_and(|after| count > after + 1);
                    let damage = if missed { &whole[..] } else { damage };
                    self.finish(&waiting, data.region, &pixels, damage);
                    if let Some(client) = waiting.frame.client() {
                        let seen = self.screencopy.seen.entry(client.id()).or_default();
                        seen.insert(head, count);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "a screenshot could not be taken");
                    waiting.frame.failed();
                }
            }
        }
    }

    /// Frames of an output in use composited so far.
    pub(super) fn frames_of(&self, head: HeadId) -> Option<u64> {
        let head = self.outputs.get(head).filter(|h| h.enabled());
        head.map(|h| h.frames.count)
    }

    /// The output is gone, or not in use any more: whoever waits for a frame of it waits no longer.
    pub fn end_captures_of(&mut self, head: HeadId) {
        self.screencopy.waiting.retain(|waiting| {
            if waiting.is_of(head) {
                waiting.frame.failed();
            }
            !waiting.is_of(head)
        });
        for seen in self.screencopy.seen.values_mut() {
            seen.remove(&head);
        }
        self.end_capture_sessions_of(head);
    }

    /// What the frame that was just composited shows there, with the pointer or without.
    pub(super) fn pixels(
        &mut self,
        head: HeadId,
        region: Rectangle<i32, Physical>,
        with_cursor: bool,
    ) -> anyhow::Result<Vec<u8>> {
        if let (Backend::Headless(headless), false) = (&mut self.backend, with_cursor) {
            return headless.pixels(head, region);
        }
        let head = self.outputs.get(head);
        let head = head.ok_or_else(|| anyhow::anyhow!("the output is gone"))?;
        let location = self
            .seat
            .get_pointer()
            .map(|p| p.current_location())
            .unwrap_or_default();
        if with_cursor {
            self.decor
                .prepare_cursor(&self.input.cursor, &self.appearance, head.scale());
        }
        let scene = Scene {
            shell: &self.shell,
            decor: &self.decor,
            drag_icon: self.input.drag_icon.as_ref().map(|icon| (icon, location)),
            cursor: with_cursor.then_some(Cursor {
                location,
                image: &self.input.cursor,
                draw_named: true,
            }),
            scale: head.scale(),
            origin: head.area().loc,
            transform: head.output.current_transform(),
            blank: head.off,
        };
        let size = head.pixels();
        if self.painter.is_none() {
            self.painter = Some(Painter::new()?);
        }
        let painter = self
            .painter
            .as_mut()
            .ok_or_else(|| anyhow::anyhow!("no painter"))?;
        let whole = painter.scene(&scene, size)?;
        Ok(crop(&whole, size.w, region))
    }

    fn finish(
        &self,
        waiting: &Waiting,
        region: Rectangle<i32, Physical>,
        pixels: &[u8],
        damage: &[Rectangle<i32, Physical>],
    ) {
        if !fits(&waiting.buffer, region) || !write(&waiting.buffer, region, pixels) {
            waiting.frame.failed();
            return;
        }
        waiting.frame.flags(Flags::empty());
        if waiting.after.is_some() {
            for rect in damage.iter().filter_map(|d| d.intersection(region)) {
                let at = rect.loc - region.loc;
                waiting.frame.damage(
                    at.x.unsigned_abs(),
                    at.y.unsigned_abs(),
                    rect.size.w.unsigned_abs(),
                    rect.size.h.unsigned_abs(),
                );
            }
        }
        let now = self.now();
        let seconds = now.as_secs();
        waiting
            .frame
            .ready((seconds >> 32) as u32, seconds as u32, now.subsec_nanos());
    }
}

fn crop(whole: &[u8], width: i32, region: Rectangle<i32, Physical>) -> Vec<u8> {
    let row = |y: i32| {
        let start = ((y * width + region.loc.x) * BYTES_PER_PIXEL) as usize;
        whole
            .get(start..start + (region.size.w * BYTES_PER_PIXEL) as usize)
            .unwrap_or_default()
    };
    (region.loc.y..region.loc.y + region.size.h)
        .flat_map(row)
        .copied()
        .collect()
}

/// Copies rows into a buffer that [`fits`] has checked.
pub(super) fn write(buffer: &WlBuffer, region: Rectangle<i32, Physical>, pixels: &[u8]) -> bool {
    let row = (region.size.w * BYTES_PER_PIXEL) as usize;
    with_buffer_contents_mut(buffer, |target, len, shm| {
        for (y, source) in pixels
            .chunks_exact(row)
            .enumerate()
            .take(region.size.h as usize)
        {
            let start = shm.offset as usize + y * shm.stride as usize;
            if start + row > len {
                return false;
            }
            // SAFETY: within the pool, as just checked; smithay turns a pool that shrinks meanwhile into an error.
            unsafe { std::ptr::copy_nonoverlapping(source.as_ptr(), target.add(start), row) };
        }
        true
    })
    .unwrap_or(false)
}
