//! wlr-output-management: what wlr-randr and kanshi ask and set. A headless output takes any size and turn, one in a window has
//! the window's; both take any scale and place. What cannot be done fails, and then nothing is changed.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use smithay::utils::{Physical, Size};
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
use wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource, WEnum,
};

use crate::client::is_privileged;
use crate::outputs::{Change, Head, HeadId};
use crate::state::Overwinter;

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
    heads: BTreeMap<HeadId, Told>,
}

/// What a manager was told of an output.
#[derive(Debug)]
struct Told {
    head: ZwlrOutputHeadV1,
    mode: ZwlrOutputModeV1,
    size: Size<i32, Physical>,
}

/// What a client wants of an output.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    change: Change,
    /// Something that cannot be done here, in words.
    impossible: Option<&'static str>,
}

/// A wish in the making, and whose it is.
pub type Wishing = (HeadId, Arc<Mutex<Wish>>);

/// A configuration in the making.
#[derive(Debug)]
pub struct Configuration {
    serial: u32,
    state: Mutex<Making>,
}

#[derive(Debug, Default)]
struct Making {
    used: bool,
    wishes: BTreeMap<HeadId, Arc<Mutex<Wish>>>,
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
    /// Outputs came, went or look different now.
    pub fn tell_output_managers(&mut self) {
        let next = self.output_management.serial.checked_add(1);
        self.output_management.serial = next.unwrap_or(NonZeroU32::MIN);
        let mut watchers = std::mem::take(&mut self.output_management.watchers);
        for watcher in &mut watchers {
            self.tell_watcher(watcher);
        }
        self.output_management.watchers = watchers;
    }

    /// Everything that a manager does not know yet.
    fn tell_watcher(&self, watcher: &mut Watcher) {
        watcher.heads.retain(|id, told| {
            let there = self.outputs.get(*id).is_some();
            if !there {
                told.mode.finished();
                told.head.finished();
            }
            there
        });
        for head in self.outputs.plugged() {
            match watcher.heads.get_mut(&head.id) {
                Some(told) => self.tell_changed_output(told, head),
                None => {
                    if let Some(told) = self.introduce_output(&watcher.manager, head) {
                        watcher.heads.insert(head.id, told);
                    }
                }
            }
        }
        watcher.manager.done(self.output_management.serial.get());
    }

    fn tell_changed_output(&self, told: &mut Told, head: &Head) {
        if told.size != head.pixels()
            && let Some(mode) = self.new_mode(&told.head, head)
        {
            let old = std::mem::replace(&mut told.mode, mode);
            told.size = head.pixels();
            tell_state(told, head);
            old.finished();
        } else {
            tell_state(told, head);
        }
    }

    /// Tells a mode that is the output's present one.
    fn new_mode(&self, told: &ZwlrOutputHeadV1, head: &Head) -> Option<ZwlrOutputModeV1> {
        let client = told.client()?;
        let mode = client
            .create_resource::<ZwlrOutputModeV1, (), Overwinter>(&self.display, told.version(), ())
            .ok()?;
        told.mode(&mode);
        let current = head.output.current_mode()?;
        mode.size(current.size.w, current.size.h);
        mode.refresh(current.refresh);
        mode.preferred();
        Some(mode)
    }

    fn introduce_output(&self, manager: &ZwlrOutputManagerV1, head: &Head) -> Option<Told> {
        let client = manager.client()?;
        let resource = client
            .create_resource::<ZwlrOutputHeadV1, HeadId, Overwinter>(
                &self.display,
                manager.version(),
                head.id,
            )
            .ok()?;
        manager.head(&resource);
        resource.name(head.name());
        resource.description(head.output.description());
        let physical = head.output.physical_properties();
        resource.physical_size(physical.size.w, physical.size.h);
        if resource.version() >= 2 {
            resource.make(physical.make);
            resource.model(physical.model);
        }
        if resource.version() >= 4 {
            resource.adaptive_sync(AdaptiveSyncState::Disabled);
        }
        let mode = self.new_mode(&resource, head)?;
        let told = Told {
            head: resource,
            mode,
            size: head.pixels(),
        };
        tell_state(&told, head);
        Some(told)
    }

    fn carry_out(
        &mut self,
        configuration: &ZwlrOutputConfigurationV1,
        wishes: &[(String, Wish)],
        test: bool,
    ) {
        let impossible = wishes.iter().find_map(|(_, wish)| wish.impossible);
        let done = match impossible {
            Some(why) => Err(anyhow::anyhow!(why)),
            None => {
                let change = |(name, wish): &(String, Wish)| (name.clone(), wish.change.clone());
                let changes: Vec<_> = wishes.iter().map(change).collect();
                self.change_outputs(&changes, test)
            }
        };
        match done {
            Ok(()) => configuration.succeeded(),
            Err(why) => {
                tracing::info!("an output configuration is refused: {why:#}");
                configuration.failed();
            }
        }
    }
}

fn tell_state(told: &Told, head: &Head) {
    let resource = &told.head;
    resource.enabled(i32::from(head.enabled()));
    if !head.enabled() {
        return;
    }
    resource.current_mode(&told.mode);
    let at = head.area().loc;
    resource.position(at.x, at.y);
    resource.transform(head.output.current_transform().into());
    resource.scale(head.scale());
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
        let mut watcher = Watcher {
            manager: data_init.init(resource, ()),
            heads: BTreeMap::new(),
        };
        this.tell_watcher(&mut watcher);
        this.output_management.watchers.push(watcher);
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

impl Dispatch<ZwlrOutputHeadV1, HeadId> for Overwinter {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &ZwlrOutputHeadV1,
        _: <ZwlrOutputHeadV1 as Resource>::Request,
        _: &HeadId,
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
        let (head, on) = match &request {
            Request::EnableHead { head, .. } => (head, true),
            Request::DisableHead { head } => (head, false),
            Request::Apply | Request::Test => {
                if std::mem::replace(&mut making.used, true) {
                    configuration.post_error(Error::AlreadyUsed, "it was used before");
                    return;
                }
                if data.serial != this.output_management.serial.get() {
                    configuration.cancelled();
                    return;
                }
                let mut wishes = Vec::new();
                for head in this.outputs.plugged() {
                    let Some(wish) = making.wishes.get(&head.id) else {
                        let why = format!("{} is not in it", head.name());
                        configuration.post_error(Error::UnconfiguredHead, why);
                        return;
                    };
                    wishes.push((head.name(), locked(wish).clone()));
                }
                let test = matches!(request, Request::Test);
                return this.carry_out(configuration, &wishes, test);
            }
            _ => return,
        };
        // One of ours always has its name with it.
        let id = head.data::<HeadId>().copied();
        let wish = Wish {
            change: Change {
                enabled: Some(on),
                ..Change::default()
            },
            impossible: None,
        };
        let wish = Arc::new(Mutex::new(wish));
        let again = id.and_then(|id| making.wishes.insert(id, wish.clone()));
        if let (Request::EnableHead { id: made, .. }, Some(id)) = (request, id) {
            data_init.init(made, (id, wish));
        }
        if again.is_some() {
            configuration.post_error(Error::AlreadyConfiguredHead, "the output is in it already");
        }
    }
}

impl Dispatch<ZwlrOutputConfigurationHeadV1, Wishing> for Overwinter {
    fn request(
        this: &mut Self,
        _: &Client,
        head: &ZwlrOutputConfigurationHeadV1,
        request: zwlr_output_configuration_head_v1::Request,
        (of, wish): &Wishing,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        use zwlr_output_configuration_head_v1::{Error, Request};
        let mut wish = locked(wish);
        match request {
            // The only mode there is.
            Request::SetMode { .. } => {
                let pixels = this.outputs.get(*of).map(Head::pixels);
                wish.change.size = pixels.map(|size| (size.w, size.h));
            }
            Request::SetCustomMode { width, height, .. } => {
                if width <= 0 || height <= 0 {
                    head.post_error(Error::InvalidCustomMode, "a mode without pixels");
                }
                wish.change.size = Some((width, height));
            }
            Request::SetScale { scale } => {
                if scale <= 0.0 {
                    head.post_error(Error::InvalidScale, "a scale that is not above 0");
                }
                wish.change.scale = Some(scale);
            }
            Request::SetTransform { transform } => match transform {
                WEnum::Value(transform) => wish.change.transform = Some(transform.into()),
                WEnum::Unknown(_) => {
                    head.post_error(Error::InvalidTransform, "no such transform");
                }
            },
            Request::SetPosition { x, y } => wish.change.position = Some(Some((x, y))),
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
