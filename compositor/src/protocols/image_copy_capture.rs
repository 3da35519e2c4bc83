//! ext-image-copy-capture of outputs: screenshots and recordings into shared memory, as wlr-screencopy's successor has them. Windows
//! alone cannot be captured yet, and the pointer's image has no session of its own (it can be painted in).

use std::sync::{Mutex, PoisonError};

use smithay::utils::{Physical, Rectangle};
use wayland_protocols::ext::image_capture_source::v1::server::ext_image_capture_source_v1::ExtImageCaptureSourceV1;
use wayland_protocols::ext::image_capture_source::v1::server::ext_output_image_capture_source_manager_v1::{
    self, ExtOutputImageCaptureSourceManagerV1,
};
use wayland_protocols::ext::image_copy_capture::v1::server::ext_image_copy_capture_cursor_session_v1::{
    self, ExtImageCopyCaptureCursorSessionV1,
};
use wayland_protocols::ext::image_copy_capture::v1::server::ext_image_copy_capture_frame_v1::{
    self, ExtImageCopyCaptureFrameV1, FailureReason,
};
use wayland_protocols::ext::image_copy_capture::v1::server::ext_image_copy_capture_manager_v1::{
    self, ExtImageCopyCaptureManagerV1, Options,
};
use wayland_protocols::ext::image_copy_capture::v1::server::ext_image_copy_capture_session_v1::{
    self, ExtImageCopyCaptureSessionV1,
};
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_buffer::WlBuffer;
use wayland_server::protocol::wl_shm;
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource, WEnum,
};

use super::screencopy::{fits, write};
use crate::client::is_privileged;
use crate::outputs::{Head, HeadId};
use crate::state::Overwinter;

/// Who captures, and what waits for a frame.
#[derive(Debug, Default)]
pub struct ImageCopyCapture {
    sessions: Vec<ExtImageCopyCaptureSessionV1>,
    waiting: Vec<ExtImageCopyCaptureFrameV1>,
}

/// What is captured: an output, as long as it is there.
#[derive(Debug)]
pub struct Source(Option<HeadId>);

/// A session of captures.
#[derive(Debug, Default)]
pub struct Session {
    /// None: there is nothing to capture.
    head: Option<HeadId>,
    cursor: bool,
    state: Mutex<SessionState>,
}

#[derive(Debug, Default)]
struct SessionState {
    /// The newest frame that it got.
    seen: Option<u64>,
    has_frame: bool,
}

/// One capture.
#[derive(Debug)]
pub struct Capture {
    session: ExtImageCopyCaptureSessionV1,
    state: Mutex<CaptureState>,
}

#[derive(Debug, Default)]
struct CaptureState {
    buffer: Option<WlBuffer>,
    captured: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ImageCopyCapture {
    /// Announces both managers.
    pub fn new(display: &DisplayHandle) -> ImageCopyCapture {
        display.create_global::<Overwinter, ExtOutputImageCaptureSourceManagerV1, ()>(1, ());
        display.create_global::<Overwinter, ExtImageCopyCaptureManagerV1, ()>(1, ());
        ImageCopyCapture::default()
    }
}

impl Overwinter {
    fn captured_head(&self, session: &ExtImageCopyCaptureSessionV1) -> Option<&Head> {
        let head = session.data::<Session>()?.head?;
        self.outputs.get(head).filter(|h| h.enabled())
    }

    fn tell_capture_size(&self, session: &ExtImageCopyCaptureSessionV1) {
        let Some(head) = self.captured_head(session) else {
            return;
        };
        let size = head.pixels();
        session.buffer_size(size.w.unsigned_abs(), size.h.unsigned_abs());
        session.shm_format(wl_shm::Format::Xrgb8888);
        session.shm_format(wl_shm::Format::Argb8888);
        session.done();
    }

    /// The output is gone, or not in use any more: so are the sessions that capture it.
    pub fn end_capture_sessions_of(&mut self, head: HeadId) {
        let of = |session: &ExtImageCopyCaptureSessionV1| {
            let data = session.data::<Session>();
            data.is_some_and(|data| data.head == Some(head))
        };
        let captures = &mut self.image_copy_capture;
        captures.waiting.retain(|frame| {
            let capture = frame.data::<Capture>();
            let stops = capture.is_some_and(|c| of(&c.session));
            if stops {
                frame.failed(FailureReason::Stopped);
            }
            !stops
        });
        captures.sessions.retain(|session| {
            if of(session) {
                session.stopped();
            }
            !of(session)
        });
    }

    /// Outputs have another size.
    pub fn tell_capture_sizes(&self) {
        for session in &self.image_copy_capture.sessions {
            self.tell_capture_size(session);
        }
    }

    /// Hands the frame that was just composited to whoever waits for it.
    pub fn serve_captures(&mut self, head: HeadId, damage: &[Rectangle<i32, Physical>]) {
        let Some((count, whole)) = self.outputs.get(head).map(|head| {
            let whole = Rectangle::from_size(head.pixels());
            (head.frames.count, whole)
        }) else {
            return;
        };
        for frame in std::mem::take(&mut self.image_copy_capture.waiting) {
            let Some(capture) = frame.data::<Capture>() else {
                continue;
            };
            let Some(session) = capture.session.data::<Session>() else {
                frame.failed(FailureReason::Stopped);
                continue;
            };
            let seen = locked(&session.state).seen;
            if session.head != Some(head) || seen.is_some_and(|seen| seen >= count) {
                self.image_copy_capture.waiting.push(frame);
                continue;
            }
            let whole = [whole];
            let missed = seen.is_none_or(|seen| count > seen + 1);
            let damage = if missed { &whole[..] } else { damage };
            let buffer = locked(&capture.state).buffer.take();
            if self.capture_into(&frame, buffer, head, session.cursor, damage) {
                locked(&session.state).seen = Some(count);
            }
        }
    }

    fn capture_into(
        &mut self,
        frame: &ExtImageCopyCaptureFrameV1,
        buffer: Option<WlBuffer>,
        head: HeadId,
        cursor: bool,
        damage: &[Rectangle<i32, Physical>],
    ) -> bool {
        let Some(output) = self.outputs.get(head) else {
            frame.failed(FailureReason::Stopped);
            return false;
        };
        let region = Rectangle::from_size(output.pixels());
        let turned = output.output.current_transform();
        let Some(buffer) = buffer.filter(|b| b.is_alive() && fits(b, region)) else {
            frame.failed(FailureReason::BufferConstraints);
            return false;
        };
        let pixels = match self.pixels(head, region, cursor) {
            Ok(pixels) => pixels,
            Err(error) => {
                tracing::error!(%error, "a capture could not be taken");
                frame.failed(FailureReason::Unknown);
                return false;
            }
        };
        if !write(&buffer, region, &pixels) {
            frame.failed(FailureReason::BufferConstraints);
            return false;
        }
        frame.transform(turned.into());
        for rect in damage.iter().filter_map(|d| d.intersection(region)) {
            frame.damage(rect.loc.x, rect.loc.y, rect.size.w, rect.size.h);
        }
        let now = self.now();
        let seconds = now.as_secs();
        frame.presentation_time((seconds >> 32) as u32, seconds as u32, now.subsec_nanos());
        frame.ready();
        true
    }
}

impl GlobalDispatch<ExtOutputImageCaptureSourceManagerV1, ()> for Overwinter {
    fn bind(
        _: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        resource: New<ExtOutputImageCaptureSourceManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, Self>,
    ) {
        data_init.init(resource, ());
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_privileged(&client)
    }
}

impl Dispatch<ExtOutputImageCaptureSourceManagerV1, ()> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        _: &ExtOutputImageCaptureSourceManagerV1,
        request: ext_output_image_capture_source_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        if let ext_output_image_capture_source_manager_v1::Request::CreateSource {
            source,
            output,
        } = request
        {
            let head = this.outputs.meant(&output).map(|h| h.id);
            data_init.init(source, Source(head));
        }
    }
}

impl Dispatch<ExtImageCaptureSourceV1, Source> for Overwinter {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &ExtImageCaptureSourceV1,
        _: <ExtImageCaptureSourceV1 as Resource>::Request,
        _: &Source,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
    }
}

impl GlobalDispatch<ExtImageCopyCaptureManagerV1, ()> for Overwinter {
    fn bind(
        _: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        resource: New<ExtImageCopyCaptureManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, Self>,
    ) {
        data_init.init(resource, ());
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_privileged(&client)
    }
}

impl Dispatch<ExtImageCopyCaptureManagerV1, ()> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        manager: &ExtImageCopyCaptureManagerV1,
        request: ext_image_copy_capture_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        use ext_image_copy_capture_manager_v1::{Error, Request};
        match request {
            Request::CreateSession {
                session,
                options,
                source,
            } => {
                let cursor = match options {
                    WEnum::Value(options) => options.contains(Options::PaintCursors),
                    WEnum::Unknown(_) => {
                        manager.post_error(Error::InvalidOption, "no such option");
                        false
                    }
                };
                let source = source.data::<Source>().and_then(|s| s.0);
                let data = Session {
                    head: source.filter(|id| this.frames_of(*id).is_some()),
                    cursor,
                    state: Mutex::default(),
                };
                let gone = data.head.is_none();
                let session = data_init.init(session, data);
                if gone {
                    return session.stopped();
                }
                this.tell_capture_size(&session);
                this.image_copy_capture.sessions.push(session);
            }
            Request::CreatePointerCursorSession { session, .. } => {
                data_init.init(session, ());
            }
            _ => {}
        }
    }
}

impl Dispatch<ExtImageCopyCaptureCursorSessionV1, ()> for Overwinter {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &ExtImageCopyCaptureCursorSessionV1,
        request: ext_image_copy_capture_cursor_session_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        if let ext_image_copy_capture_cursor_session_v1::Request::GetCaptureSession { session } =
            request
        {
            data_init.init(session, Session::default()).stopped();
        }
    }
}

impl Dispatch<ExtImageCopyCaptureSessionV1, Session> for Overwinter {
    fn request(
        _: &mut Self,
        _: &Client,
        session: &ExtImageCopyCaptureSessionV1,
        request: ext_image_copy_capture_session_v1::Request,
        data: &Session,
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        use ext_image_copy_capture_session_v1::{Error, Request};
        if let Request::CreateFrame { frame } = request {
            let capture = Capture {
                session: session.clone(),
                state: Mutex::default(),
            };
            data_init.init(frame, capture);
            if std::mem::replace(&mut locked(&data.state).has_frame, true) {
                session.post_error(Error::DuplicateFrame, "the former frame still exists");
            }
        }
    }

    fn destroyed(
        this: &mut Self,
        _: ClientId,
        session: &ExtImageCopyCaptureSessionV1,
        _: &Session,
    ) {
        this.image_copy_capture.sessions.retain(|s| s != session);
    }
}

impl Dispatch<ExtImageCopyCaptureFrameV1, Capture> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        frame: &ExtImageCopyCaptureFrameV1,
        request: ext_image_copy_capture_frame_v1::Request,
        data: &Capture,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        use ext_image_copy_capture_frame_v1::{Error, Request};
        let mut state = locked(&data.state);
        let touches = matches!(
            request,
            Request::AttachBuffer { .. } | Request::DamageBuffer { .. } | Request::Capture
        );
        if touches && state.captured {
            frame.post_error(Error::AlreadyCaptured, "it was captured before");
            return;
        }
        match request {
            Request::AttachBuffer { buffer } => state.buffer = Some(buffer),
            // The whole buffer is written each time.
            Request::DamageBuffer {
                x,
                y,
                width,
                height,
            } if x < 0 || y < 0 || width <= 0 || height <= 0 => {
                frame.post_error(Error::InvalidBufferDamage, "damage outside the buffer");
            }
            Request::Capture => {
                if state.buffer.is_none() {
                    frame.post_error(Error::NoBuffer, "there is no buffer to capture into");
                    return;
                }
                state.captured = true;
                let known = this.image_copy_capture.sessions.contains(&data.session);
                let Some(session) = data.session.data::<Session>().filter(|_| known) else {
                    frame.failed(FailureReason::Stopped);
                    return;
                };
                let seen = locked(&session.state).seen;
                this.image_copy_capture.waiting.push(frame.clone());
                if let Some(head) = session.head
                    && let Some(count) = this.frames_of(head)
                    && seen.is_none_or(|seen| count > seen)
                {
                    this.schedule_frame_of(head);
                }
            }
            _ => {}
        }
    }

    fn destroyed(this: &mut Self, _: ClientId, frame: &ExtImageCopyCaptureFrameV1, data: &Capture) {
        this.image_copy_capture.waiting.retain(|f| f != frame);
        if let Some(session) = data.session.data::<Session>() {
            locked(&session.state).has_frame = false;
        }
    }
}
