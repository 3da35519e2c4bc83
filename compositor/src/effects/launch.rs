//! Processes: started by the launcher, ended, stopped, and their ends.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use calloop::generic::Generic;
use calloop::{Interest, LoopHandle, Mode, PostAction, RegistrationToken};
use overwinter_launcher::{Client, ClientError, start_time};
use overwinter_proto::launch::{FromLauncher, ProcessId, ToLauncher};
use overwinter_proto::{InstanceId, Reason};
use overwinter_session::Event;
use overwinter_session::ids::{LaunchId, OperationId};

use super::Incoming;
use super::environment::{self, Additions};
use super::instances::Process;
use crate::driver::Driver;
use crate::state::Overwinter;

/// How long an app that is asked to end may take before it is killed. It has let go of everything by then.
const GRACE_MS: u32 = 5_000;

/// Who wants a process started.
#[derive(Clone, PartialEq, Debug)]
enum Wanted {
    Heart {
        launch: LaunchId,
        app: String,
    },
    User {
        operation: OperationId,
        app: String,
        last: bool,
    },
    /// Whatever the configuration says: no app of ours as far as anybody knows.
    Program {
        name: String,
    },
}

/// The way to the launcher; it may be away for a while.
#[derive(Debug)]
pub struct Launcher {
    path: PathBuf,
    client: Option<(Client, RegistrationToken)>,
    wanted: BTreeMap<u64, Wanted>,
    last_request: u64,
    /// Processes that the launcher has from before this session.
    survivors: BTreeSet<ProcessId>,
}

impl Launcher {
    /// A launcher to be found at `path`.
    pub fn new(path: PathBuf) -> Launcher {
        Launcher {
            path,
            client: None,
            wanted: BTreeMap::new(),
            last_request: 0,
            survivors: BTreeSet::new(),
        }
    }

    /// Connects unless it is connected.
    ///
    /// # Errors
    /// When no launcher listens there.
    pub fn connect(&mut self, handle: &LoopHandle<'static, Overwinter>) -> Result<(), ClientError> {
        if self.client.is_some() {
            return Ok(());
        }
        let client = Client::connect(&self.path)?;
        // Before it is watched: a socket that nobody reads any more would be readable for ever.
        client.send(&ToLauncher::Census)?;
        let watched = client
            .as_fd()
            .try_clone_to_owned()
            .map_err(ClientError::Io)?;
        let source = Generic::new(watched, Interest::READ, Mode::Level);
        let token = handle
            .insert_source(source, |_, _, state: &mut Overwinter| {
                if let Some(driver) = &mut state.driver {
                    driver.inbox.push_back(Incoming::Launcher);
                }
                Ok(PostAction::Continue)
            })
            .map_err(|e| ClientError::Io(std::io::Error::other(e.error.to_string())))?;
        self.client = Some((client, token));
        Ok(())
    }

    /// Whether apps can be started.
    pub fn is_connected(&self) -> bool {
        self.client.is_some()
    }

    fn send(&self, message: &ToLauncher) -> Result<(), ClientError> {
        match &self.client {
            Some((client, _)) => client.send(message),
            None => Err(ClientError::Closed),
        }
    }

    fn receive(&mut self) -> Result<Option<FromLauncher>, ClientError> {
        match &mut self.client {
            Some((client, _)) => client.receive(),
            None => Ok(None),
        }
    }
}

impl Driver {
    /// `Effect::Start`.
    pub(crate) fn start(
        &mut self,
        state: &mut Overwinter,
        launch: LaunchId,
        app: &str,
        build: Option<&str>,
        reason: Reason,
    ) {
        let outcome = self.command_line(app, build).and_then(|argv| {
            let app = app.to_owned();
            // An update takes no focus; a wake was asked for by a touch.
            let focus = matches!(reason, Reason::Wake | Reason::Launch);
            self.ask_launcher(state, argv, focus, Wanted::Heart { launch, app })
        });
        if let Err(why) = outcome {
            state.emit(Event::StartFailed { launch, why });
        }
    }

    fn command_line(&self, app: &str, build: Option<&str>) -> Result<Vec<String>, String> {
        let found = self.apps.get(app).ok_or_else(|| {
            format!("{app} is not installed here; its groups are kept. Install it to open them")
        })?;
        let on_disk = self.builds.get(app).map(|b| b.id.as_str());
        let instead = match build {
            Some(build) if on_disk != Some(build) => {
                let kept = self.keeper.kept(build);
                Some(kept.ok_or_else(|| {
                    format!("the former program of {app} was not kept; the group is kept and opens with the one that is installed")
                })?)
            }
            _ => None,
        };
        if instead.is_none() && found.executable.is_none() {
            return Err(format!(
                "the program of {app} ({}) is not there; its groups are kept. Install it again to open them",
                found.exec.program()
            ));
        }
        let lines = found.command_lines(&[], instead.as_deref());
        lines
            .into_iter()
            .next()
            .ok_or_else(|| format!("{app} has no command line"))
    }

    /// `Control1.Launch`.
    pub(crate) fn launch_for_user(
        &mut self,
        state: &mut Overwinter,
        operation: OperationId,
        app: &str,
        files: &[String],
    ) {
        let lines = match self.apps.get(app) {
            Some(found) if found.executable.is_some() => found.command_lines(files, None),
            Some(_) => return self.end_operation(operation, Err(format!("The program of {app} is not there. Nothing was started; install it again."))),
            None => return self.end_operation(operation, Err(format!("There is no app {app} with X-Overwinter-Tier=native. Nothing was started; install it."))),
        };
        let count = lines.len();
        for (n, argv) in lines.into_iter().enumerate() {
            let wanted = Wanted::User {
                operation,
                app: app.to_owned(),
                last: n + 1 == count,
            };
            if let Err(why) = self.ask_launcher(state, argv, true, wanted) {
                return self.end_operation(operation, Err(why));
            }
        }
    }

    /// Starts a program of the configuration. If that fails the user is told.
    pub(super) fn run_program(
        &mut self,
        state: &mut Overwinter,
        command: Vec<String>,
        focus: bool,
    ) {
        let name = command.first().cloned().unwrap_or_default();
        let wanted = Wanted::Program { name: name.clone() };
        if let Err(why) = self.ask_launcher(state, command, focus, wanted.clone()) {
            self.not_started(state, wanted, why);
        }
    }

    fn ask_launcher(
        &mut self,
        state: &mut Overwinter,
        argv: Vec<String>,
        focus: bool,
        wanted: Wanted,
    ) -> Result<(), String> {
        self.launcher
            .connect(&state.handle)
            .map_err(|e| e.to_string())?;
        let token = focus.then(|| {
            let (token, _) = state.protocols.activation.create_external_token(None);
            token.as_str().to_owned()
        });
        let additions = Additions {
            wayland_display: state.socket.clone(),
            x11_display: state.x11.display_name(),
            activation_token: token,
            without_gpu: state.backend.name() == "headless",
        };
        let env = environment::compose(std::env::vars_os(), &additions);
        let home = env.get("HOME").filter(|h| Path::new(h).is_dir());
        let folder = home.cloned().unwrap_or_else(|| "/".into());
        self.launcher.last_request += 1;
        let request = self.launcher.last_request;
        let start = ToLauncher::Start {
            request,
            argv,
            env,
            folder,
        };
        self.launcher.send(&start).map_err(|e| e.to_string())?;
        self.launcher.wanted.insert(request, wanted);
        Ok(())
    }

    /// `Effect::End`.
    pub(crate) fn end(&mut self, instance: InstanceId) {
        self.signal(instance, rustix::process::Signal::TERM, |process| {
            ToLauncher::End {
                process,
                grace_ms: GRACE_MS,
            }
        });
    }

    /// `Effect::Freeze`.
    pub(crate) fn freeze(&mut self, instance: InstanceId, frozen: bool) {
        let signal = if frozen {
            rustix::process::Signal::STOP
        } else {
            rustix::process::Signal::CONT
        };
        self.signal(instance, signal, |process| ToLauncher::Freeze {
            process,
            frozen,
        });
    }

    fn signal(
        &mut self,
        instance: InstanceId,
        signal: rustix::process::Signal,
        message: impl FnOnce(ProcessId) -> ToLauncher,
    ) {
        let Some(process) = self.processes.get(instance) else {
            return;
        };
        let (id, launched) = (process.process, process.launched);
        if launched {
            if let Err(e) = self.launcher.send(&message(id)) {
                tracing::warn!("process {}: {e}", id.pid);
            }
        } else if let Err(e) = signal_process(id, signal) {
            tracing::debug!("process {}: {e}", id.pid);
        }
    }

    /// The launcher's socket can be read.
    pub(crate) fn hear_launcher(&mut self, state: &mut Overwinter) {
        loop {
            match self.launcher.receive() {
                Ok(Some(message)) => self.launcher_says(state, message),
                Ok(None) => return,
                Err(ClientError::Unreadable(e)) => tracing::error!("the launcher: {e}"),
                Err(e) => return self.launcher_lost(state, &e),
            }
        }
    }

    fn launcher_lost(&mut self, state: &mut Overwinter, error: &ClientError) {
        tracing::warn!("{error}");
        if let Some((_, token)) = self.launcher.client.take() {
            state.handle.remove(token);
        }
        // Whether these were started will never be told; if they register, they are welcome.
        for (_, wanted) in std::mem::take(&mut self.launcher.wanted) {
            self.not_started(state, wanted, error.to_string());
        }
    }

    fn not_started(&mut self, state: &mut Overwinter, wanted: Wanted, why: String) {
        match wanted {
            Wanted::Heart { launch, .. } => state.emit(Event::StartFailed { launch, why }),
            Wanted::User { operation, .. } => self.end_operation(operation, Err(why)),
            Wanted::Program { name } => self.notices.add(
                None,
                format!("`{name}` was not started: {why}. Everything else goes on; see its line in the configuration."),
            ),
        }
    }

    fn launcher_says(&mut self, state: &mut Overwinter, message: FromLauncher) {
        match message {
            FromLauncher::Started { request, process } => {
                let Some(wanted) = self.launcher.wanted.remove(&request) else {
                    return;
                };
                let app = match &wanted {
                    Wanted::Heart { app, .. } | Wanted::User { app, .. } => app,
                    // If it turns out to be an app of ours, it registers by itself.
                    Wanted::Program { .. } => return,
                };
                let instance = self.processes.add(Process {
                    process,
                    app: app.clone(),
                    caller: None,
                    build: None,
                    launched: true,
                    since_ms: self.now(state).0,
                });
                match wanted {
                    Wanted::Heart { launch, .. } => state.emit(Event::Started { launch, instance }),
                    Wanted::User {
                        operation,
                        last,
                        app,
                    } if last => {
                        self.end_operation(operation, Ok(format!("{app} was started.")));
                    }
                    Wanted::User { .. } | Wanted::Program { .. } => {}
                }
            }
            FromLauncher::Failed { request, why } => {
                if let Some(wanted) = self.launcher.wanted.remove(&request) {
                    self.not_started(state, wanted, why);
                }
            }
            FromLauncher::Ended { process, status } => {
                tracing::debug!("process {} ended with {status}", process.pid);
                self.launcher.survivors.remove(&process);
                self.process_ended(state, process);
            }
            FromLauncher::Running { processes } => {
                let running: BTreeSet<ProcessId> = processes.into_iter().collect();
                let unlisted: Vec<InstanceId> = self
                    .processes
                    .iter()
                    .filter(|(_, p)| p.launched && !running.contains(&p.process))
                    .map(|(instance, _)| instance)
                    .collect();
                for instance in unlisted {
                    self.outlived_launcher(state, instance);
                }
                self.launcher.survivors = running;
            }
        }
    }

    /// A launcher that was started anew does not know the former one's children. Those that live go on, and their ends are
    /// seen here.
    fn outlived_launcher(&mut self, state: &mut Overwinter, instance: InstanceId) {
        let Some(known) = self.processes.get_mut(instance) else {
            return;
        };
        let process = known.process;
        known.launched = false;
        let Ok(fd) = pidfd_of(process) else {
            return self.process_ended(state, process);
        };
        let source = Generic::new(fd, Interest::READ, Mode::Level);
        let watched = state
            .handle
            .insert_source(source, move |_, _, state: &mut Overwinter| {
                if let Some(driver) = &mut state.driver {
                    driver.inbox.push_back(Incoming::Ended(process));
                }
                Ok(PostAction::Remove)
            });
        if let Err(e) = watched {
            tracing::error!(
                "the end of process {} will not be seen: {}",
                process.pid,
                e.error
            );
        }
    }

    /// A process has ended. What it said before may still be on its way over the bus, so a caller's end is told by the bus.
    pub(crate) fn process_ended(&mut self, state: &mut Overwinter, process: ProcessId) {
        let Some(instance) = self.processes.of_process(process) else {
            return;
        };
        let caller = self.processes.get(instance).and_then(|p| p.caller.clone());
        match (caller, &self.bus) {
            (Some(name), Some(bus)) => bus.command(overwinter_bus::BusCommand::ExpectGone { name }),
            _ => self.instance_gone(state, instance),
        }
    }

    /// Nothing more will come from it.
    pub(crate) fn instance_gone(&mut self, state: &mut Overwinter, instance: InstanceId) {
        let Some(process) = self.processes.remove(instance) else {
            return;
        };
        if let Ok(pid) = i32::try_from(process.process.pid) {
            state.shell.revoke(pid);
        }
        state.emit(Event::InstanceGone { instance });
    }

    /// Whether the launcher started this process before this session began.
    pub(crate) fn is_survivor(&self, process: ProcessId) -> bool {
        self.launcher.survivors.contains(&process)
    }
}

/// Signals a process that is not the launcher's, and surely no later one of the same number.
fn signal_process(id: ProcessId, signal: rustix::process::Signal) -> std::io::Result<()> {
    Ok(rustix::process::pidfd_send_signal(pidfd_of(id)?, signal)?)
}

/// This process, and surely no later one of the same number.
fn pidfd_of(id: ProcessId) -> std::io::Result<OwnedFd> {
    let gone = || std::io::Error::from(std::io::ErrorKind::NotFound);
    let pid = i32::try_from(id.pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .ok_or_else(gone)?;
    let fd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
    if start_time(id.pid) != Some(id.start) {
        return Err(gone());
    }
    Ok(fd)
}
