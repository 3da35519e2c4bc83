//! Register: which app a process is, what code it runs, and what it holds from a former session. Nobody is taken for an app
//! because it says so.

use overwinter_bus::{BusEvent, Caller, Refusal, Registered, Reply};
use overwinter_proto::{Build, GroupId, InstanceId, Lease, Revision};
use overwinter_session::Event;
use overwinter_watch::Executable;

use super::instances::Process;
use crate::driver::Driver;
use crate::state::Overwinter;

/// A bus event with what the bus thread found out about the caller.
#[derive(Debug)]
pub struct Told {
    /// What happened.
    pub event: BusEvent,
    /// For `Register`: the code that the caller runs.
    pub code: Option<Result<Executable, String>>,
}

impl Told {
    /// Looks at the caller's code where that is needed. On the bus thread: it reads files.
    pub fn about(event: BusEvent) -> Told {
        let code = match &event {
            BusEvent::Register { caller, .. } => {
                let code = overwinter_watch::build_of_process(caller.process.pid);
                Some(code.map_err(|e| e.to_string()))
            }
            _ => None,
        };
        Told { event, code }
    }
}

/// What an app claims in Register.
pub(super) struct Claim {
    pub app: String,
    pub version: String,
    pub held: Vec<(GroupId, Lease, Revision)>,
}

impl Driver {
    /// Who this process is, by what the launcher or the kernel says of it.
    fn instance_of(
        &mut self,
        state: &Overwinter,
        caller: &Caller,
        claimed: &str,
        code: Option<&Executable>,
    ) -> Result<InstanceId, Refusal> {
        let mismatch = |is: &str| {
            Refusal::Denied(format!(
                "this process is {is}, not {claimed}; nothing was registered. The id is the name of the app's .desktop file"
            ))
        };
        if let Some(instance) = self.processes.of_process(caller.process) {
            let process = self.processes.get_mut(instance);
            let known = process.ok_or_else(|| Refusal::Failed("the process has ended".into()))?;
            if known.app != claimed {
                return Err(mismatch(&known.app.clone()));
            }
            known.caller = Some(caller.name.clone());
            return Ok(instance);
        }
        let code = code.ok_or_else(|| {
            Refusal::Denied(
                "the program of this process cannot be read; nothing was registered".into(),
            )
        })?;
        match self.app_of(code) {
            Some(app) if app == claimed => {}
            Some(app) => return Err(mismatch(&app)),
            None => {
                return Err(mismatch(
                    "of no installed app (no .desktop file with X-Overwinter-Tier=native runs its program)",
                ));
            }
        }
        Ok(self.processes.add(Process {
            process: caller.process,
            app: claimed.to_owned(),
            caller: Some(caller.name.clone()),
            build: None,
            launched: self.is_survivor(caller.process),
            since_ms: self.now(state).0,
        }))
    }

    fn app_of(&self, code: &Executable) -> Option<String> {
        use std::os::unix::fs::MetadataExt;
        let kept = self.keeper.kept(&code.build_id);
        let is_kept = kept.as_ref() == Some(&code.path);
        let runs = |app: &&overwinter_watch::App| {
            let Some(executable) = &app.executable else {
                return false;
            };
            let same_name = executable.file_name() == code.path.file_name();
            let same_file =
                std::fs::metadata(executable).is_ok_and(|m| (m.dev(), m.ino()) == code.file);
            same_file || *executable == code.path || (is_kept && same_name)
        };
        self.apps.values().find(runs).map(|app| app.id.clone())
    }

    pub(super) fn register(
        &mut self,
        state: &mut Overwinter,
        caller: Caller,
        claim: Claim,
        code: Option<Result<Executable, String>>,
        reply: Reply<Registered>,
    ) {
        let code = code.and_then(|c| c.inspect_err(|e| tracing::debug!("{e}")).ok());
        let instance = match self.instance_of(state, &caller, &claim.app, code.as_ref()) {
            Ok(instance) => instance,
            Err(refusal) => {
                tracing::warn!("Register of process {}: {refusal}", caller.process.pid);
                return reply.send(Err(refusal));
            }
        };
        let build = Build {
            version: claim.version,
            id: code.map(|c| c.build_id).unwrap_or_default(),
        };
        if let Some(process) = self.processes.get_mut(instance) {
            process.build = Some(build.clone());
        }
        self.keep_program(caller.process.pid, &build.id);
        let event = Event::Registered {
            instance,
            app: claim.app,
            build,
            held: claim.held,
        };
        let effects = self.session.step(self.now(state), event);
        reply.send(Ok(Registered {
            incarnation: u64::from(self.incarnation),
            reason: self.session.reason_for(instance),
            kept: self.session.kept(instance),
        }));
        // The bus holds back what these say to the app until it has its answer.
        self.carry_out(state, effects);
    }

    /// Copies the program beside, so that it can be started again after it was replaced.
    fn keep_program(&self, pid: u32, build: &str) {
        if build.is_empty() || self.keeper.kept(build).is_some() {
            return;
        }
        let (keeper, build) = (self.keeper.clone(), build.to_owned());
        let in_use = self
            .processes
            .iter()
            .filter_map(|(_, p)| Some(p.build.as_ref()?.id.clone()));
        let in_use = in_use
            .chain(self.builds.values().map(|b| b.id.clone()))
            .collect();
        let keep = move || match keeper.keep(pid, &build) {
            Ok(_) => keeper.prune(&in_use),
            Err(e) => tracing::warn!(
                "the program of process {pid} was not kept: {e}. Going back to it needs its package"
            ),
        };
        if let Err(e) = std::thread::Builder::new().name("keep".into()).spawn(keep) {
            tracing::warn!("the program of process {pid} was not kept: {e}");
        }
    }
}
