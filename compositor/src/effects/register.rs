//! Register: which app a process is, what code it runs, and what it holds from a former session. Nobody is taken for an app
//! because it says so.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use overwinter_bus::{BusEvent, Caller, Refusal, Registered, Reply};
use overwinter_proto::{Build, GroupId, InstanceId, Lease, Revision};
use overwinter_session::Event;
use overwinter_watch::{App, Executable, Keeper};

use super::instances::Process;
use crate::driver::Driver;
use crate::state::Overwinter;

/// What the bus thread needs in order to tell which app a program belongs to. The watcher keeps it up to date; the main thread
/// never waits for it, as it has its own list.
#[derive(Debug)]
pub struct Programs {
    apps: Mutex<BTreeMap<String, App>>,
    keeper: Keeper,
}

impl Programs {
    /// The programs of these apps, and the kept ones.
    pub fn new(apps: BTreeMap<String, App>, keeper: Keeper) -> Programs {
        let apps = Mutex::new(apps);
        Programs { apps, keeper }
    }

    /// The installed apps are these now.
    pub fn installed(&self, apps: BTreeMap<String, App>) {
        *self.apps.lock().unwrap_or_else(PoisonError::into_inner) = apps;
    }

    /// Whose program this is. Looks at files: not for the main thread.
    fn app_of(&self, code: &Executable) -> Option<String> {
        let kept = self.keeper.kept(&code.build_id);
        let is_kept = kept.as_ref() == Some(&code.path);
        let runs = |app: &&App| {
            let Some(executable) = &app.executable else {
                return false;
            };
            let same_name = executable.file_name() == code.path.file_name();
            let same_file =
                std::fs::metadata(executable).is_ok_and(|m| (m.dev(), m.ino()) == code.file);
            same_file || *executable == code.path || (is_kept && same_name)
        };
        let apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        apps.values().find(runs).map(|app| app.id.clone())
    }
}

/// A bus event with what the bus thread found out about the caller.
#[derive(Debug)]
pub struct Told {
    /// What happened.
    pub event: BusEvent,
    /// For `Register`: the code that the caller runs.
    pub code: Option<Result<Code, String>>,
}

/// What a process runs.
#[derive(Debug)]
pub struct Code {
    /// Its identity.
    build_id: String,
    /// The installed app that it belongs to.
    app: Option<String>,
}

impl Told {
    /// Looks at the caller's code where that is needed. On the bus thread: it reads files.
    pub fn about(event: BusEvent, programs: &Programs) -> Told {
        let code = match &event {
            BusEvent::Register { caller, .. } => {
                let code = overwinter_watch::build_of_process(caller.process.pid);
                let known = code.map(|code| Code {
                    app: programs.app_of(&code),
                    build_id: code.build_id,
                });
                Some(known.map_err(|e| e.to_string()))
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
        code: Option<&Code>,
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
        match &code.app {
            Some(app) if app == claimed => {}
            Some(app) => return Err(mismatch(app)),
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

    pub(super) fn register(
        &mut self,
        state: &mut Overwinter,
        caller: Caller,
        claim: Claim,
        code: Option<Result<Code, String>>,
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
        if build.is_empty() {
            return;
        }
        let (keeper, build) = (self.keeper.clone(), build.to_owned());
        let in_use = self
            .processes
            .iter()
            .filter_map(|(_, p)| Some(p.build.as_ref()?.id.clone()));
        let in_use = in_use
            .chain(self.builds.values().map(|b| b.id.clone()))
            .chain(self.choices.builds())
            .collect();
        let keep = move || match keeper.keep(pid, &build) {
            // It was there already, or is now.
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

#[cfg(test)]
mod tests {
    use overwinter_watch::Places;

    use super::*;

    /// Whose program this process is found to be.
    fn found(programs: &Programs, pid: u32) -> Option<String> {
        let code = overwinter_watch::build_of_process(pid).unwrap();
        programs.app_of(&code)
    }

    #[test]
    fn a_program_is_known_by_its_file_whatever_it_is_called() {
        let root = tempfile::tempdir().unwrap();
        let (applications, bin) = (root.path().join("applications"), root.path().join("bin"));
        std::fs::create_dir_all(&applications).unwrap();
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::copy("/bin/sleep", bin.join("nap")).unwrap();
        let entry = "[Desktop Entry]\nName=Nap\nExec=nap\nX-Overwinter-Tier=native\n";
        std::fs::write(applications.join("org.test.Nap.desktop"), entry).unwrap();
        let places = Places {
            applications: vec![applications],
            path: vec![bin.clone()],
            packages: None,
        };
        let keeper = Keeper::new(root.path().join("builds"));
        let programs = Programs::new(BTreeMap::new(), keeper.clone());
        let nap = |at: &std::path::Path| {
            let mut command = std::process::Command::new(at);
            command.arg("1000").spawn().unwrap()
        };
        let mut child = nap(&bin.join("nap"));
        assert_eq!(found(&programs, child.id()), None, "nothing is installed");
        programs.installed(overwinter_watch::scan(&places));
        let app = Some("org.test.Nap".to_owned());
        assert_eq!(found(&programs, child.id()), app);
        // By another name it is the same file.
        std::fs::hard_link(bin.join("nap"), bin.join("doze")).unwrap();
        let mut by_link = nap(&bin.join("doze"));
        assert_eq!(found(&programs, by_link.id()), app);
        // Replaced, it runs on from its kept copy.
        let build = overwinter_watch::build_of_process(child.id()).unwrap();
        let kept = keeper.keep(child.id(), &build.build_id).unwrap();
        std::fs::remove_file(bin.join("nap")).unwrap();
        std::fs::copy("/bin/true", bin.join("nap")).unwrap();
        let mut former = nap(&kept);
        assert_eq!(found(&programs, former.id()), app);
        // A copy of it elsewhere is nobody's.
        std::fs::copy("/bin/sleep", root.path().join("nap")).unwrap();
        let mut stranger = nap(&root.path().join("nap"));
        assert_eq!(found(&programs, stranger.id()), None);
        for child in [&mut child, &mut by_link, &mut former, &mut stranger] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
