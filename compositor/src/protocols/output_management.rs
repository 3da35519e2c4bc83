//! wlr-output-management: what wlr-randr and kanshi ask and set. There is one output, at (0, 0). A headless one takes any size, one
//! in a window has the window's; both take any scale. What cannot be done fails, and then nothing is changed.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use smithay::output::{Mode, Scale};
use smithay::utils::Transform;
use smithay::wayland::compositor::{SurfaceData, send_surface_state};
use smithay::wayland::fractional_scale::with_fractional_scale;
use wayland_protocols_wlr::output_management::v1::server::zwlr_output_configuration_head_v1::{
    self, ZwlrOutputConfigurationHeadV1,
};
use wayland_protocols_wlr::output_management::v1::server::zwlr_output_configuration_v1::{
    self, ZwlrOutputConfigurationV1,
};
use wayland_protocols_wlr::output_management::v1::server::zwlr_output_head_v1::{
    AdaptiveSyncState, ZwlrOutputHeadV1,
};
use wayland_protocols_wlr::output_management::v1::server::zwlr_output_manager_v1::{
    self, ZwlrOutputManagerV1,
};
use wayland_protocols_wlr::output_management::v1::server::zwlr_output_mode_v1::ZwlrOutputModeV1;
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_surface::WlSurface;
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource, WEnum,
};

use crate::client::is_privileged;
use crate::state::Overwinter;

/// Sides of an output in pixels: what `--size` takes, and what can be drawn.
const SIDES: std::ops::RangeInclusive<i32> = 64..=16384;
/// Scales at which something can still be read or seen.
const SCALES: std::ops::RangeInclusive<f64> = 0.25..=8.0;

/// Who looks after outputs.
#[derive(Debug)]
pub struct OutputManagement {
    watchers: Vec<Watcher>,
    /// Of the newest state that was told. Never 0: to wlr-randr that means that nothing was told yet.
    serial: NonZeroU32,
}

/// A manager with what it was told.
#[derive(Debug)]
struct Watcher {
    manager: ZwlrOutputManagerV1,
    head: ZwlrOutputHeadV1,
    mode: ZwlrOutputModeV1,
}

/// What a client wants of the output.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    size: Option<(i32, i32)>,
    scale: Option<f64>,
    /// Something that cannot be done here, in words.
    impossible: Option<&'static str>,
}

/// A configuration in the making.
#[derive(Debug)]
pub struct Configuration {
    serial: u32,
    state: Mutex<Making>,
}

#[derive(Debug, Default)]
struct Making {
    used: bool,
    wish: Option<Arc<Mutex<Wish>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OutputManagement {
    /// Announces the manager.
    pub fn new(display: &DisplayHandle) -> OutputManagement {
        display.create_global::<Overwinter, ZwlrOutputManagerV1, ()>(4, ());
        OutputManagement {
            watchers: Vec::new(),
            serial: NonZeroU32::MIN,
        }
    }
}

impl Overwinter {
    /// The output has another size or scale now.
    pub fn tell_output_managers(&mut self) {
        let next = self.output_management.serial.checked_add(1);
        self.output_management.serial = next.unwrap_or(NonZeroU32::MIN);
        let mut watchers = std::mem::take(&mut self.output_management.watchers);
        watchers.retain_mut(|watcher| {
            let Some(mode) = self.new_mode(&watcher.head) else {
                return false;
            };
            let old = std::mem::replace(&mut watcher.mode, mode);
            self.tell_state(watcher);
            old.finished();
            watcher.manager.done(self.output_management.serial.get());
            true
        });
        self.output_management.watchers = watchers;
    }

    /// Tells a mode that is the output's present one.
    fn new_mode(&self, head: &ZwlrOutputHeadV1) -> Option<ZwlrOutputModeV1> {
        let client = head.client()?;
        let mode = client
            .create_resource::<ZwlrOutputModeV1, (), Overwinter>(&self.display, head.version(), ())
            .ok()?;
        head.mode(&mode);
        let current = self.output.current_mode()?;
        mode.size(current.size.w, current.size.h);
        mode.refresh(current.refresh);
        mode.preferred();
        Some(mode)
    }

    fn tell_state(&self, watcher: &Watcher) {
        let head = &watcher.head;
        head.enabled(1);
        head.current_mode(&watcher.mode);
        head.position(0, 0);
        head.transform(wayland_server::protocol::wl_output::Transform::Normal);
        head.scale(self.output.current_scale().fractional_scale());
    }

    fn introduce_output(&self, manager: &ZwlrOutputManagerV1) -> Option<Watcher> {
        let client = manager.client()?;
        let head = client
            .create_resource::<ZwlrOutputHeadV1, (), Overwinter>(
                &self.display,
                manager.version(),
                (),
            )
            .ok()?;
        manager.head(&head);
        head.name(self.output.name());
        head.description(self.output.description());
        let physical = self.output.physical_properties();
        head.physical_size(physical.size.w, physical.size.h);
        if head.version() >= 2 {
            head.make(physical.make);
            head.model(physical.model);
        }
        if head.version() >= 4 {
            head.adaptive_sync(AdaptiveSyncState::Disabled);
        }
        let mode = self.new_mode(&head)?;
        let watcher = Watcher {
            manager: manager.clone(),
            head,
            mode,
        };
        self.tell_state(&watcher);
        manager.done(self.output_management.serial.get());
        Some(watcher)
    }

    /// What would come of it: size in pixels and scale, or why it cannot be.
    fn weigh(&self, wish: &Wish) -> Result<(Mode, f64), &'static str> {
        if let Some(why) = wish.impossible {
            return Err(why);
        }
        let mut mode = self.output.current_mode().ok_or("the output has no mode")?;
        let size = wish.size.unwrap_or(mode.size.into());
        if size != (mode.size.w, mode.size.h) {
            if !self.backend.takes_any_size() {
                return Err("the output has the size of its window");
            }
            if !SIDES.contains(&size.0) || !SIDES.contains(&size.1) {
                return Err("no output is that small or large");
            }
        }
        mode.size = size.into();
        let scale = self.output.current_scale().fractional_scale();
        let scale = wish.scale.unwrap_or(scale);
        if !SCALES.contains(&scale) {
            return Err("nothing could be read at that scale");
        }
        Ok((mode, scale))
    }

    fn set_output(&mut self, mode: Mode, scale: f64) -> anyhow::Result<()> {
        let old = self.output.current_mode();
        if old.is_none_or(|old| old.size != mode.size) {
            self.backend.resize(mode.size)?;
        }
        let scale = if scale.fract() == 0.0 {
            Scale::Integer(scale as i32)
        } else {
            Scale::Fractional(scale)
        };
        self.output
            .change_current_state(Some(mode), None, Some(scale), None);
        self.output.set_preferred(mode);
        if let Some(old) = old.filter(|old| *old != mode) {
            self.output.delete_mode(old);
        }
        self.output_resized();
        self.tell_scale();
        Ok(())
    }

    /// Every surface hears what scale it is best drawn at.
    fn tell_scale(&self) {
        let scale = self.output.current_scale();
        let tell = |surface: &WlSurface, states: &SurfaceData| {
            send_surface_state(surface, states, scale.integer_scale(), Transform::Normal);
            with_fractional_scale(states, |f| f.set_preferred_scale(scale.fractional_scale()));
        };
        for window in self.shell.windows() {
            window.window.with_surfaces(tell);
        }
        for layer in self.shell.layers.all() {
            layer.surface.with_surfaces(tell);
        }
    }

    fn carry_out(&mut self, configuration: &ZwlrOutputConfigurationV1, wish: &Wish, apply: bool) {
        let done = self.weigh(wish).and_then(|(mode, scale)| {
            if apply {
                self.set_output(mode, scale).map_err(|error| {
                    tracing::warn!("{error:#}");
                    "the output could not be set up so"
                })
            } else {
                Ok(())
            }
        });
        match done {
            Ok(()) => configuration.succeeded(),
            Err(why) => {
                tracing::info!(why, "an output configuration is refused");
                configuration.failed();
            }
        }
    }
}

impl GlobalDispatch<ZwlrOutputManagerV1, ()> for Overwinter {
    fn bind(
        this: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        resource: New<ZwlrOutputManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, Self>,
    ) {
        let manager = data_init.init(resource, ());
        if let Some(watcher) = this.introduce_output(&manager) {
            this.output_management.watchers.push(watcher);
        }
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_privileged(&client)
    }
}

impl Dispatch<ZwlrOutputManagerV1, ()> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        manager: &ZwlrOutputManagerV1,
        request: zwlr_output_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        use zwlr_output_manager_v1::Request;
        match request {
            Request::CreateConfiguration { id, serial } => {
                let state = Mutex::default();
                data_init.init(id, Configuration { serial, state });
            }
            Request::Stop => {
                let watchers = &mut this.output_management.watchers;
                watchers.retain(|w| w.manager != *manager);
                manager.finished();
            }
            _ => {}
        }
    }

    fn destroyed(this: &mut Self, _: ClientId, manager: &ZwlrOutputManagerV1, (): &()) {
        let watchers = &mut this.output_management.watchers;
        watchers.retain(|w| w.manager != *manager);
    }
}

impl Dispatch<ZwlrOutputHeadV1, ()> for Overwinter {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &ZwlrOutputHeadV1,
        _: <ZwlrOutputHeadV1 as Resource>::Request,
        (): &(),
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
    }
}

impl Dispatch<ZwlrOutputModeV1, ()> for Overwinter {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &ZwlrOutputModeV1,
        _: <ZwlrOutputModeV1 as Resource>::Request,
        (): &(),
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
    }
}

impl Dispatch<ZwlrOutputConfigurationV1, Configuration> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        configuration: &ZwlrOutputConfigurationV1,
        request: zwlr_output_configuration_v1::Request,
        data: &Configuration,
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, Self>,
    ) {
        use zwlr_output_configuration_v1::{Error, Request};
        let mut making = locked(&data.state);
        let wish = match &request {
            Request::EnableHead { .. } => Wish::default(),
            Request::DisableHead { .. } => Wish {
                impossible: Some("the only output cannot be switched off this way"),
                ..Wish::default()
            },
            Request::Apply | Request::Test => {
                if std::mem::replace(&mut making.used, true) {
                    configuration.post_error(Error::AlreadyUsed, "it was used before");
                    return;
                }
                let Some(wish) = making.wish.clone() else {
                    configuration.post_error(Error::UnconfiguredHead, "the output is not in it");
                    return;
                };
                if data.serial != this.output_management.serial.get() {
                    configuration.cancelled();
                    return;
                }
                let wish = locked(&wish).clone();
                let apply = matches!(request, Request::Apply);
                return this.carry_out(configuration, &wish, apply);
            }
            _ => return,
        };
        let wish = Arc::new(Mutex::new(wish));
        let again = making.wish.replace(wish.clone()).is_some();
        if let Request::EnableHead { id, .. } = request {
            data_init.init(id, wish);
        }
        if again {
            configuration.post_error(Error::AlreadyConfiguredHead, "the output is in it already");
        }
    }
}

impl Dispatch<ZwlrOutputConfigurationHeadV1, Arc<Mutex<Wish>>> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        head: &ZwlrOutputConfigurationHeadV1,
        request: zwlr_output_configuration_head_v1::Request,
        wish: &Arc<Mutex<Wish>>,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        use zwlr_output_configuration_head_v1::{Error, Request};
        let mut wish = locked(wish);
        match request {
            // The only mode there is.
            Request::SetMode { .. } => {
                wish.size = this.output.current_mode().map(|m| (m.size.w, m.size.h));
            }
            Request::SetCustomMode { width, height, .. } => {
                if width <= 0 || height <= 0 {
                    head.post_error(Error::InvalidCustomMode, "a mode without pixels");
                }
                wish.size = Some((width, height));
            }
            Request::SetScale { scale } => {
                if scale <= 0.0 {
                    head.post_error(Error::InvalidScale, "a scale that is not above 0");
                }
                wish.scale = Some(scale);
            }
            Request::SetTransform { transform } => match transform {
                WEnum::Value(wayland_server::protocol::wl_output::Transform::Normal) => {}
                WEnum::Value(_) => wish.impossible = Some("the output cannot be turned"),
                WEnum::Unknown(_) => {
                    head.post_error(Error::InvalidTransform, "no such transform");
                }
            },
            Request::SetPosition { x, y } if (x, y) != (0, 0) => {
                wish.impossible = Some("the only output stands at 0,0");
            }
            Request::SetAdaptiveSync { state } => match state {
                WEnum::Value(AdaptiveSyncState::Enabled) => {
                    wish.impossible = Some("the output has no adaptive sync");
                }
                WEnum::Value(_) => {}
                WEnum::Unknown(_) => {
                    head.post_error(Error::InvalidAdaptiveSyncState, "no such state");
                }
            },
            _ => {}
        }
    }
}
