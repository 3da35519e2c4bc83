//! Records every frame that the compositor shows, as a screen recorder would: wlr-screencopy, one capture for each damage.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use wayland_client::protocol::{
    wl_buffer, wl_callback, wl_output, wl_registry, wl_shm, wl_shm_pool,
};
use wayland_client::{Connection, Dispatch, EventQueue, QueueHandle, WEnum, delegate_noop};
use wayland_protocols_wlr::screencopy::v1::client::{
    zwlr_screencopy_frame_v1::{self, Flags, ZwlrScreencopyFrameV1},
    zwlr_screencopy_manager_v1::ZwlrScreencopyManagerV1,
};

use crate::screen::Picture;
use crate::session::Session;

/// One frame.
#[derive(Debug)]
pub struct Frame {
    /// When it was received here.
    pub at: Instant,
    /// What it showed.
    pub picture: Picture,
}

/// A running recording.
pub struct Recorder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<Frame>>>,
}

/// More are a runaway animation, and would fill the memory.
const MOST_FRAMES: usize = 600;

impl Recorder {
    /// Starts; when it returns, the first frame (how things look now) has been taken.
    ///
    /// # Errors
    /// When the compositor cannot be reached or gives no pictures.
    pub fn start(session: &Session) -> Result<Self> {
        let socket = session.wayland_socket();
        let stream = UnixStream::connect(&socket)
            .with_context(|| format!("connecting to {}", socket.display()))?;
        let connection = Connection::from_socket(stream)?;
        let mut queue = connection.new_event_queue();
        connection.display().get_registry(&queue.handle(), ());
        let mut camera = Camera::default();
        connection.display().sync(&queue.handle(), ());
        let deadline = Instant::now() + Duration::from_secs(10);
        while !camera.synced {
            if !turn(&mut queue, &mut camera, deadline)? {
                bail!("the compositor does not answer");
            }
        }
        let mut frames = Vec::new();
        camera.ask(&queue.handle(), false)?;
        while frames.is_empty() {
            if !turn(&mut queue, &mut camera, deadline)? {
                bail!("the compositor gives no picture");
            }
            frames.extend(camera.taken()?);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            camera.ask(&queue.handle(), true)?;
            while !told.load(Ordering::Relaxed) && frames.len() < MOST_FRAMES {
                turn(
                    &mut queue,
                    &mut camera,
                    Instant::now() + Duration::from_millis(20),
                )?;
                if let Some(frame) = camera.taken()? {
                    frames.push(frame);
                    camera.ask(&queue.handle(), true)?;
                }
            }
            Ok(frames)
        });
        Ok(Recorder { stop, thread })
    }

    /// Ends it and gives every frame, the first being how things looked at the start.
    ///
    /// # Errors
    /// When recording failed on the way.
    pub fn stop(self) -> Result<Vec<Frame>> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(frames) => frames,
            Err(_) => bail!("the recorder panicked"),
        }
    }
}

#[derive(Default)]
struct Camera {
    manager: Option<ZwlrScreencopyManagerV1>,
    output: Option<wl_output::WlOutput>,
    shm: Option<wl_shm::WlShm>,
    synced: bool,
    frame: Option<ZwlrScreencopyFrameV1>,
    waits_for_damage: bool,
    buffer: Option<Buffer>,
    flipped: bool,
    ready: Option<Instant>,
    failed: bool,
}

struct Buffer {
    file: std::os::fd::OwnedFd,
    object: wl_buffer::WlBuffer,
    format: wl_shm::Format,
    width: u32,
    height: u32,
    stride: u32,
}

impl Camera {
    /// Asks for the next frame: at once, or when something has changed.
    fn ask(&mut self, queue: &QueueHandle<Self>, on_damage: bool) -> Result<()> {
        self.ready = None;
        self.failed = false;
        self.waits_for_damage = on_damage;
        let (Some(manager), Some(output)) = (&self.manager, &self.output) else {
            bail!("this compositor gives no pictures");
        };
        self.frame = Some(manager.capture_output(0, output, queue, ()));
        Ok(())
    }

    /// The frame that has come, if one has.
    fn taken(&mut self) -> Result<Option<Frame>> {
        if self.failed {
            bail!("the compositor could not take a picture");
        }
        let Some(at) = self.ready.take() else {
            return Ok(None);
        };
        let buffer = self.buffer.as_ref().context("no buffer")?;
        let mut bytes = vec![0; (buffer.stride * buffer.height) as usize];
        let read = rustix::io::pread(&buffer.file, &mut bytes[..], 0)?;
        if read != bytes.len() {
            bail!("a short picture");
        }
        if let Some(frame) = self.frame.take() {
            frame.destroy();
        }
        let order = match buffer.format {
            wl_shm::Format::Xbgr8888 | wl_shm::Format::Abgr8888 => [0, 1, 2],
            _ => [2, 1, 0],
        };
        let rows: Vec<&[u8]> = bytes.chunks_exact(buffer.stride as usize).collect();
        let picture = Picture::from_rows(
            buffer.width,
            buffer.height,
            |y| {
                let y = y as usize;
                rows[if self.flipped { rows.len() - 1 - y } else { y }]
            },
            order,
        );
        Ok(Some(Frame { at, picture }))
    }

    /// The compositor has said what it will draw: give it a place to.
    fn offered(
        &mut self,
        queue: &QueueHandle<Self>,
        offer: (wl_shm::Format, u32, u32, u32),
    ) -> Result<()> {
        let (format, width, height, stride) = offer;
        let fits = self
            .buffer
            .as_ref()
            .is_some_and(|b| (b.format, b.width, b.height, b.stride) == offer);
        if !fits {
            let length = u64::from(stride) * u64::from(height);
            let file = memfd_create("recorder", MemfdFlags::CLOEXEC)?;
            ftruncate(&file, length)?;
            let shm = self.shm.as_ref().context("no wl_shm")?;
            let pool = shm.create_pool(file.as_fd(), i32::try_from(length)?, queue, ());
            let size = (
                i32::try_from(width)?,
                i32::try_from(height)?,
                i32::try_from(stride)?,
            );
            let object = pool.create_buffer(0, size.0, size.1, size.2, format, queue, ());
            self.buffer = Some(Buffer {
                file,
                object,
                format,
                width,
                height,
                stride,
            });
        }
        if let (Some(frame), Some(buffer)) = (&self.frame, &self.buffer) {
            if self.waits_for_damage {
                frame.copy_with_damage(&buffer.object);
            } else {
                frame.copy(&buffer.object);
            }
        }
        Ok(())
    }
}

/// Handles what comes until `until`; false when nothing did.
fn turn(queue: &mut EventQueue<Camera>, camera: &mut Camera, until: Instant) -> Result<bool> {
    if queue.dispatch_pending(camera)? > 0 {
        return Ok(true);
    }
    queue.flush()?;
    let Some(guard) = queue.prepare_read() else {
        return Ok(true);
    };
    let timeout = Timespec::try_from(until.saturating_duration_since(Instant::now()))?;
    let mut fds = [PollFd::from_borrowed_fd(
        guard.connection_fd(),
        PollFlags::IN,
    )];
    if poll(&mut fds, Some(&timeout))? == 0 {
        return Ok(false);
    }
    guard.read()?;
    queue.dispatch_pending(camera)?;
    Ok(true)
}

impl Dispatch<wl_registry::WlRegistry, ()> for Camera {
    fn event(
        camera: &mut Self,
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
                camera.manager = Some(registry.bind(name, version.min(2), queue, ()));
            }
            "wl_shm" => camera.shm = Some(registry.bind(name, 1, queue, ())),
            "wl_output" if camera.output.is_none() => {
                camera.output = Some(registry.bind(name, 1, queue, ()));
            }
            _ => {}
        }
    }
}

impl Dispatch<wl_callback::WlCallback, ()> for Camera {
    fn event(
        camera: &mut Self,
        _: &wl_callback::WlCallback,
        _: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        camera.synced = true;
    }
}

impl Dispatch<ZwlrScreencopyFrameV1, ()> for Camera {
    fn event(
        camera: &mut Self,
        _: &ZwlrScreencopyFrameV1,
        event: zwlr_screencopy_frame_v1::Event,
        (): &(),
        _: &Connection,
        queue: &QueueHandle<Self>,
    ) {
        use zwlr_screencopy_frame_v1::Event;
        match event {
            Event::Buffer {
                format: WEnum::Value(format),
                width,
                height,
                stride,
            } => {
                let offered = camera.offered(queue, (format, width, height, stride));
                camera.failed |= offered.is_err();
            }
            Event::Flags {
                flags: WEnum::Value(flags),
            } => camera.flipped = flags.contains(Flags::YInvert),
            Event::Ready { .. } => camera.ready = Some(Instant::now()),
            Event::Failed => camera.failed = true,
            _ => {}
        }
    }
}

delegate_noop!(Camera: ignore wl_shm::WlShm);
delegate_noop!(Camera: ignore wl_output::WlOutput);
delegate_noop!(Camera: ignore wl_shm_pool::WlShmPool);
delegate_noop!(Camera: ignore wl_buffer::WlBuffer);
delegate_noop!(Camera: ignore ZwlrScreencopyManagerV1);
