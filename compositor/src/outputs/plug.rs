//! Outputs come, go and change.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use calloop::timer::{TimeoutAction, Timer};
use smithay::output::{Mode, Output, PhysicalProperties, Subpixel};
use smithay::utils::{Logical, Physical, Point, Size, Transform};
use wayland_server::backend::GlobalId;

use super::{Head, HeadId, SCALES, SIDES, Setup, scale_of, side_by_side};
use crate::backend::REFRESH_MHZ;
use crate::render::Frames;
use crate::state::Overwinter;

/// Names in wl_output are no longer than this.
const LONGEST_NAME: usize = 64;
/// More outputs than this are a mistake.
const MOST: usize = 16;
/// More than this are not remembered when they go.
const MOST_ABSENT: usize = 32;
/// So long a client may take to hear that an output has gone before binding it is its mistake.
const GRACE: Duration = Duration::from_secs(10);

/// An output that is to be plugged in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plug {
    /// `HEADLESS-2`; the first that is free if there is none.
    pub name: Option<String>,
    /// Pixels; 1280x800 if there are none.
    pub size: Option<(i32, i32)>,
    /// Device pixels per logical one; as it had when it was here last, else 1.
    pub scale: Option<f64>,
}

/// How an output is to be; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// It is used.
    pub enabled: Option<bool>,
    /// Pixels.
    pub size: Option<(i32, i32)>,
    /// Device pixels per logical one.
    pub scale: Option<f64>,
    /// Of its top left corner; `Some(None)`: to the right of the others.
    pub position: Option<Option<(i32, i32)>>,
    /// How it is turned.
    pub transform: Option<Transform>,
}

/// What becomes of an output by a change.
#[derive(Debug, Clone, Copy)]
struct Target {
    id: HeadId,
    enabled: bool,
    mode: Mode,
    scale: f64,
    position: Option<Point<i32, Logical>>,
    transform: Transform,
}

fn check_size(size: (i32, i32)) -> Result<Size<i32, Physical>> {
    ensure!(
        SIDES.contains(&size.0) && SIDES.contains(&size.1),
        "no output has {}x{} pixels: each side has to be {} to {}",
        size.0,
        size.1,
        SIDES.start(),
        SIDES.end(),
    );
    Ok(size.into())
}

fn check_scale(scale: f64) -> Result<f64> {
    ensure!(
        SCALES.contains(&scale),
        "nothing could be read at scale {scale}: it has to be {} to {}",
        SCALES.start(),
        SCALES.end(),
    );
    // Clients are told it in 120ths.
    Ok((scale * 120.0).round() / 120.0)
}

impl Overwinter {
    /// Plugs an output in; answers with its name. One of that name that was here before is set up as it was.
    ///
    /// # Errors
    /// The name is taken or none, there are too many, size or scale make no sense, or the backend has the outputs it has.
    pub fn plug_output(&mut self, plug: &Plug) -> Result<String> {
        ensure!(
            self.backend.takes_plugs() || self.outputs.heads.is_empty(),
            "the {} backend has the one output that it has",
            self.backend.name()
        );
        ensure!(
            self.outputs.heads.len() < MOST,
            "there are {MOST} outputs already; unplug one first"
        );
        let name = match &plug.name {
            Some(name) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                ensure!(
                    !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(plain),
                    "an output's name is made of up to {LONGEST_NAME} letters, digits and -_."
                );
                ensure!(
                    self.outputs.named(name).is_none(),
                    "`{name}` is plugged in already; unplug it first, or change it"
                );
                name.clone()
            }
            None => self.free_name(),
        };
        let size = match plug.size {
            Some(size) => check_size(size)?,
            None => (1280, 800).into(),
        };
        let known = self.outputs.absent.iter().position(|s| s.name == name);
        let mut setup = match known {
            Some(at) => self.outputs.absent[at].clone(),
            None => Setup {
                name: name.clone(),
                enabled: true,
                scale: 1.0,
                transform: Transform::Normal,
                position: None,
            },
        };
        if let Some(scale) = plug.scale {
            setup.scale = check_scale(scale)?;
        }
        // Who plugs in the only output wants to see something.
        setup.enabled |= self.outputs.first().is_none();
        self.outputs.ids += 1;
        let id = HeadId(self.outputs.ids);
        self.backend.add(id, size)?;
        let head = self.new_head(id, &setup, size)?;
        if let Some(at) = known {
            self.outputs.absent.remove(at);
        }
        self.outputs.heads.push(head);
        // `HEADLESS-2` comes before `HEADLESS-10`.
        let rank = |h: &Head| (h.name().len(), h.name());
        self.outputs.heads.sort_by_key(rank);
        tracing::info!(name, ?size, scale = setup.scale, "an output was plugged in");
        self.outputs_changed();
        // One that is back is as it was when it went.
        if known.is_none() {
            self.configure_outputs(std::slice::from_ref(&name));
        }
        Ok(name)
    }

    fn new_head(&self, id: HeadId, setup: &Setup, size: Size<i32, Physical>) -> Result<Head> {
        let physical = PhysicalProperties {
            size: (0, 0).into(),
            subpixel: Subpixel::Unknown,
            make: "Overwinter".into(),
            model: self.backend.name().into(),
        };
        let output = Output::new(setup.name.clone(), physical);
        let mode = Mode {
            size,
            refresh: REFRESH_MHZ,
        };
        output.set_preferred(mode);
        output.change_current_state(
            Some(mode),
            Some(setup.transform),
            Some(scale_of(setup.scale)),
            setup.position,
        );
        let frames = Frames::new(&output, self.backend.transform())?;
        // Nobody hears of it before it has found its place in this same turn.
        let announce = || output.create_global::<Overwinter>(&self.display);
        Ok(Head {
            id,
            frames,
            // Who plugs it in wants to see something, whatever it was told when it went.
            off: false,
            global: setup.enabled.then(announce),
            position: setup.position,
            output,
        })
    }

    fn free_name(&self) -> String {
        let kind = self.backend.name().to_uppercase();
        let names = (1..=MOST + 1).map(|n| format!("{kind}-{n}"));
        let mut free = names.filter(|n| self.outputs.named(n).is_none());
        free.next().unwrap_or_else(|| format!("{kind}-0"))
    }

    /// Unplugs an output. Nothing on the desktop moves for it; what stood on it alone is seen again when it is back, or when it
    /// is moved. Panels on it are told to go.
    ///
    /// # Errors
    /// There is none of that name, or the backend cannot be without it.
    pub fn unplug_output(&mut self, name: &str) -> Result<()> {
        ensure!(
            self.backend.takes_plugs(),
            "the {} backend has the one output that it has",
            self.backend.name()
        );
        let heads = &self.outputs.heads;
        let Some(at) = heads.iter().position(|h| h.output.name() == name) else {
            bail!("no output called `{name}` is plugged in");
        };
        let mut head = self.outputs.heads.remove(at);
        let setup = head.setup();
        self.outputs.absent.retain(|s| s.name != setup.name);
        self.outputs.absent.push(setup);
        if self.outputs.absent.len() > MOST_ABSENT {
            self.outputs.absent.remove(0);
        }
        if head.enabled() && self.outputs.first().is_none() {
            self.outputs.last = head.area();
        }
        if let Some(global) = head.global.take() {
            self.withdraw(head.id, &head.output, global);
        }
        self.backend.remove(head.id);
        self.outputs.last_output = Some(head.output);
        tracing::info!(name, "an output was unplugged");
        self.outputs_changed();
        Ok(())
    }

    /// Clients hear that the output is gone, and whatever was about it ends.
    fn withdraw(&mut self, id: HeadId, output: &Output, global: GlobalId) {
        self.leave_output(output);
        self.display.disable_global::<Overwinter>(global.clone());
        // Clients that have not heard of it yet may still bind it.
        let removal = Timer::from_duration(GRACE);
        let removal = self.handle.insert_source(removal, move |_, (), state| {
            state.display.remove_global::<Overwinter>(global.clone());
            TimeoutAction::Drop
        });
        if let Err(error) = removal {
            tracing::error!(%error, "a withdrawn output stays bindable");
        }
        self.end_captures_of(id);
        self.output_power_gone(id);
        self.layers_of_output_gone(id);
    }

    /// Changes outputs, all or none; `test`: only says whether it could be done.
    ///
    /// # Errors
    /// What cannot be done, in words; then nothing is changed.
    pub fn change_outputs(&mut self, changes: &[(String, Change)], test: bool) -> Result<()> {
        let mut targets = Vec::new();
        for head in self.outputs.plugged() {
            let named = changes.iter().find(|(name, _)| *name == head.name());
            let change = named.map(|(_, change)| change.clone()).unwrap_or_default();
            targets.push(self.target(head, &change)?);
        }
        let known = |name: &String| self.outputs.named(name).is_some();
        if let Some((name, _)) = changes.iter().find(|(name, _)| !known(name)) {
            bail!("no output called `{name}` is plugged in");
        }
        ensure!(
            targets.is_empty() || targets.iter().any(|t| t.enabled),
            "an output that is the only one stays in use"
        );
        if test {
            return Ok(());
        }
        self.resize_images(&targets)?;
        for target in targets {
            self.set_up(target);
        }
        self.outputs_changed();
        Ok(())
    }

    fn target(&self, head: &Head, change: &Change) -> Result<Target> {
        let name = head.name();
        let mut mode = head.output.current_mode().context("it has no mode")?;
        if let Some(size) = change.size.filter(|s| *s != (mode.size.w, mode.size.h)) {
            ensure!(
                self.backend.takes_any_size(),
                "{name} has the size of its window"
            );
            mode.size = check_size(size)?;
        }
        let transform = head.output.current_transform();
        let transform = change.transform.unwrap_or(transform);
        ensure!(
            transform == Transform::Normal || self.backend.turns(),
            "{name} cannot be turned: it is a window"
        );
        let wanted = |p: (i32, i32)| Point::from(p);
        Ok(Target {
            id: head.id,
            enabled: change.enabled.unwrap_or(head.enabled()),
            mode,
            scale: check_scale(change.scale.unwrap_or(head.scale()))?,
            position: change
                .position
                .map_or(head.position, |position| position.map(wanted)),
            transform,
        })
    }

    /// Memory first: when there is not enough of it all outputs stay as they are.
    fn resize_images(&mut self, targets: &[Target]) -> Result<()> {
        let mut done: Vec<(HeadId, Size<i32, Physical>)> = Vec::new();
        for target in targets {
            let Some(before) = self.outputs.get(target.id).map(Head::pixels) else {
                continue;
            };
            if before == target.mode.size {
                continue;
            }
            if let Err(error) = self.backend.resize(target.id, target.mode.size) {
                for (id, size) in done {
                    self.backend.resize(id, size)?;
                }
                return Err(error);
            }
            done.push((target.id, before));
        }
        Ok(())
    }

    fn set_up(&mut self, target: Target) {
        let display = self.display.clone();
        let Some(head) = self.outputs.get_mut(target.id) else {
            return;
        };
        let old = head.output.current_mode();
        head.position = target.position;
        let differs = old != Some(target.mode)
            || head.scale() != target.scale
            || head.output.current_transform() != target.transform;
        if differs {
            head.output.change_current_state(
                Some(target.mode),
                Some(target.transform),
                Some(scale_of(target.scale)),
                None,
            );
            head.output.set_preferred(target.mode);
            if let Some(old) = old.filter(|old| *old != target.mode) {
                head.output.delete_mode(old);
            }
        }
        match (target.enabled, head.global.take()) {
            (true, None) => head.global = Some(head.output.create_global::<Overwinter>(&display)),
            (false, Some(global)) => {
                let output = head.output.clone();
                self.withdraw(target.id, &output, global);
            }
            (_, global) => head.global = global,
        }
    }

    /// Outputs came, went or look different: everything finds its place and is drawn anew.
    pub fn outputs_changed(&mut self) {
        let used = self.outputs.used();
        let wishes: Vec<_> = used.map(|h| (h.extent(), h.position)).collect();
        let places = side_by_side(&wishes);
        let transform = self.backend.transform();
        let used = self.outputs.heads.iter_mut().filter(|h| h.enabled());
        for (head, at) in used.zip(places) {
            if head.output.current_location() != at {
                head.output.change_current_state(None, None, None, Some(at));
            }
            if let Err(error) = head.frames.restart(&head.output, transform) {
                tracing::error!(%error, "a changed output cannot be drawn");
            }
        }
        if let Some(first) = self.outputs.first().map(Head::area) {
            self.outputs.last = first;
        }
        self.arrange_layers(None);
        self.refit_windows();
        self.refit_lock();
        self.tell_output_managers();
        self.tell_capture_sizes();
        self.tell_surfaces_of_outputs();
        self.pointer_stays_on_outputs();
        self.schedule_frame();
    }

    /// The window that the session is nested in has another size.
    pub fn nested_resized(&mut self, size: Size<i32, Physical>) {
        let mode = Mode {
            size,
            refresh: REFRESH_MHZ,
        };
        for head in &self.outputs.heads {
            let old = head.output.current_mode();
            head.output
                .change_current_state(Some(mode), None, None, None);
            head.output.set_preferred(mode);
            if let Some(old) = old.filter(|old| *old != mode) {
                head.output.delete_mode(old);
            }
        }
        self.outputs_changed();
    }
}
