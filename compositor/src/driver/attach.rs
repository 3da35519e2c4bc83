//! The beginning: everything the heart acts through is opened, and what a former session left is taken up.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use overwinter_bus::Bus;
use overwinter_keyring::{Asked, Opened, Passphrase, Service};
use overwinter_proto::{GroupId, JournalRecord};
use overwinter_session::ids::Instant;
use overwinter_session::{Config, Session, View};
use overwinter_store::Limits;
use overwinter_watch::{Change, Keeper, Places, Watcher};

use super::Driver;
use crate::effects::Incoming;
use crate::effects::blobs::Blobs;
use crate::effects::choices::Choices;
use crate::effects::identity::Identity;
use crate::effects::instances::Processes;
use crate::effects::keys::{Kept, Keys, Task};
use crate::effects::launch::Launcher;
use crate::effects::notices::Notices;
use crate::effects::operations::Operations;
use crate::effects::payloads::Payloads;
use crate::effects::register::{Programs, Told};
use crate::effects::shell::Pictured;
use crate::effects::space::Taken;
use crate::effects::store::{self, Fault, Job};
use crate::options::Options;
use crate::protocols::xdg_session_management::KeptSessions;
use crate::state::Overwinter;

/// Where things are kept and found.
struct Folders {
    state: PathBuf,
    store: PathBuf,
    launcher: PathBuf,
}

impl Folders {
    fn new(options: &Options) -> Result<Folders> {
        let var = |name: &str| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        let state = overwinter_store::state_folder().context(
            "neither XDG_STATE_HOME nor HOME is set: there is nowhere to keep the session's state",
        )?;
        let launcher = options
            .launcher
            .clone()
            .or_else(|| Some(var("XDG_RUNTIME_DIR")?.join("overwinter-launcher")))
            .context("XDG_RUNTIME_DIR is not set: name the launcher's socket with --launcher")?;
        let store = options.store.clone();
        let store = store.unwrap_or_else(|| overwinter_store::store_in(&state));
        Ok(Folders {
            state,
            store,
            launcher,
        })
    }
}

/// Attaches the heart to a compositor that listens already. Parts that are missing are told in the log; without a store, a
/// bus or a host key there is no heart, and the compositor is a plain one.
///
/// # Errors
/// What is missing, what that means, and what to do.
pub fn attach(state: &mut Overwinter, options: &Options) -> Result<()> {
    let folders = Folders::new(options)?;
    let identity = Identity::open(&folders.state.join("identity"))?;
    let opened = overwinter_keyring::open(&folders.store, how_to_open(options)?)?;
    let Opened {
        mut store,
        report,
        tried,
        ..
    } = opened;
    for (kind, why) in tried {
        tracing::info!("the store was not opened by the {kind}: {why}");
    }
    let kept = Kept::of(&mut store).context("the store cannot be read")?;
    let keys = Keys::new(&folders.store, kept);
    let mut notices = Notices::default();
    let (histories, unreadable) =
        store::histories(&mut store).context("the store cannot be read")?;
    let told = |group: GroupId| unreadable.iter().any(|aside| aside.group == group);
    for (group, error) in report.damaged.iter().filter(|(g, _)| !told(*g)) {
        notices.add(Some(*group), error.to_string());
    }
    for aside in &unreadable {
        notices.add(Some(aside.group), aside.why.clone());
    }
    let anything_closed = histories.iter().any(|h| {
        h.entries
            .last()
            .is_some_and(|e| e.record == JournalRecord::Closed)
    });
    let mut blobs = Blobs::default();
    for history in &histories {
        let stored = store.blobs(history.group).unwrap_or_default();
        blobs.stored(history.group, stored);
    }
    let host = host_name();
    let incarnation = incarnation();
    let (choices, readable) = Choices::open(folders.state.join("choices.json"));
    if let Err(why) = readable {
        notices.add(None, why);
    }
    let (kept, readable) = KeptSessions::open(folders.state.join("windows.json"));
    if let Err(why) = readable {
        notices.add(None, why);
    }
    state.xdg_sessions.kept = kept;
    let mut config = Config::new(incarnation, identity.public(), host.clone());
    config.choices = choices.all().clone();
    let now = Instant(u64::try_from(state.now().as_millis()).unwrap_or(0));
    let (mut session, effects) = Session::recover(config, now, histories, Vec::new());
    session.set_aside(unreadable);

    let sender = channel(state)?;
    let answer = sender.clone();
    let (jobs, worker) = store::start(store, Fault::from_env(), move |a| {
        drop(answer.send(Incoming::Store(a)))
    })
    .context("the store worker cannot be started")?;
    let places = Places::from_env();
    let apps = overwinter_watch::scan(&places);
    let keeper = Keeper::new(folders.state.join("builds"));
    let programs = Arc::new(Programs::new(apps.clone(), keeper.clone()));
    let (tell, known) = (sender.clone(), programs.clone());
    let watcher = Watcher::start(places, move |change| {
        if let Change::Apps(apps) = &change {
            known.installed(apps.clone());
        }
        drop(tell.send(Incoming::Watch(change)))
    })
    .inspect_err(|e| tracing::warn!("{e}"))
    .ok();
    let mut launcher = Launcher::new(folders.launcher);
    if let Err(e) = launcher.connect(&state.handle) {
        tracing::warn!("{e}");
    }
    // Last: from here on apps call, and what they say waits in the channel.
    let told = sender.clone();
    let bus = Bus::start(None, move |event| {
        drop(told.send(Incoming::Bus(Told::about(event, &programs))))
    })?;
    let mut driver = Driver {
        session,
        inbox: VecDeque::new(),
        sender,
        bus: Some(bus),
        jobs,
        launcher,
        processes: Processes::default(),
        payloads: Payloads::default(),
        blobs,
        pictured: Pictured::new(),
        operations: Operations::default(),
        errands: 0,
        notices,
        keys,
        taken: Taken::default(),
        peers: BTreeMap::new(),
        apps,
        builds: BTreeMap::new(),
        keeper,
        choices,
        identity,
        incarnation,
        host,
        quitting: None,
        last_copy: 0,
        last_peer: 0,
        _watcher: watcher,
        worker,
        timer: None,
        seen: View::default(),
    };
    driver.carry_out(state, effects);
    let new = report.created;
    driver.key_task(None, Task::Tend { new });
    driver.job(Job::Measure);
    if anything_closed {
        driver.tidy_up();
    }
    driver.settle(state);
    state.driver = Some(driver);
    Ok(())
}

/// How long the keyring has when nothing else may open the store: the login waits for it.
const KEYRING_WITHIN: Duration = Duration::from_secs(5);

/// What the store may be opened with, and may take. There is no screen to ask anybody on yet.
fn how_to_open(options: &Options) -> Result<Asked> {
    let from_fd = options.passphrase_fd.map(passphrase_fd).transpose()?;
    let file = options.passphrase_file.clone();
    let limits = Limits {
        quota: options.store_quota.map(|quota| quota.0),
        ..Limits::default()
    };
    Ok(Asked {
        service: Service::silent(KEYRING_WITHIN),
        passphrase: from_fd.or(file.map(Passphrase::File)),
        limits,
    })
}

fn passphrase_fd(fd: i32) -> Result<Passphrase> {
    anyhow::ensure!(
        fd > 2,
        "--passphrase-fd {fd}: it has to be a descriptor of its own, above 2"
    );
    // SAFETY: asked before it is taken; no descriptor of this number is owned by anybody here.
    rustix::io::fcntl_getfd(unsafe { rustix::fd::BorrowedFd::borrow_raw(fd) })
        .with_context(|| format!("--passphrase-fd {fd} is not open"))?;
    // SAFETY: it is open, and whoever started us gave it to us for this.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // Nobody who is started from here gets the word.
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    Ok(Passphrase::Fd(fd))
}

/// The one channel by which other threads reach the main one.
fn channel(state: &Overwinter) -> Result<calloop::channel::Sender<Incoming>> {
    let (sender, source) = calloop::channel::channel();
    state
        .handle
        .insert_source(source, |event, (), state: &mut Overwinter| {
            if let (calloop::channel::Event::Msg(incoming), Some(driver)) =
                (event, &mut state.driver)
            {
                driver.inbox.push_back(incoming);
            }
        })
        .map_err(|e| e.error)?;
    Ok(sender)
}

/// This host's name for people.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "this host".to_owned(),
        name => name.to_owned(),
    }
}

/// Larger than any before on this host as long as its clock is not set back by more than the time between two starts; the
/// worst that a repeated number does is that a late answer of a former session looks like one of this.
fn incarnation() -> u32 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

/// Attaches the heart, or says why there is none and goes on without.
pub fn attach_or_warn(state: &mut Overwinter, options: &Options) {
    if options.no_session {
        return;
    }
    if let Err(e) = attach(state, options) {
        tracing::warn!(
            "{e:#}. This is a plain Wayland session: nothing in it can sleep, update or move"
        );
    }
}
