//! The worker thread: everything that takes time, in one strict order.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use overwinter_proto::{Reason, Secrets};

use super::AppInfo;
use super::answers::{RestoredAnswer, Sent};
use super::blobs::GroupParts;
use super::bus::{Bus, CallError, Way};
use super::document::{Decoder, guarded};
use super::messages::{Incoming, Job, Opened, Outcome, Registered, SaveEnd, ToUi};
use super::payload;
use super::requests::Trial;
use super::wake::WakeHandle;
use crate::document::type_of;
use crate::parts::{self, Parts};

/// When the session refuses us, how long until we ask again, and how often.
const RETRY_AFTER: Duration = Duration::from_secs(2);
const RETRIES: u32 = 5;

/// The UI thread's handle.
pub(super) struct Worker {
    jobs: Sender<Job>,
}

impl Worker {
    /// Starts the thread. The second value tells how the first registration went: none when there is no session.
    pub fn start(
        info: AppInfo,
        address: Option<String>,
        decoders: Vec<Decoder>,
        to_ui: Sender<ToUi>,
        wake: WakeHandle,
    ) -> (Worker, Receiver<Option<Registered>>) {
        let (jobs, queue) = mpsc::channel();
        let (first, registered) = mpsc::channel();
        let own = jobs.clone();
        let run = move || {
            // Whatever ends this thread, the UI thread hears of it.
            let _last = WakeAtTheEnd(wake.clone());
            let bus = Bus::connect(address.as_deref(), own)
                .inspect_err(|e| {
                    tracing::info!("no session bus, so no sleep and no updates under way: {e}")
                })
                .ok();
            let mut thread = Thread {
                info,
                bus,
                decoders,
                to_ui,
                wake,
                timers: BTreeSet::new(),
                saved: HashMap::new(),
                restored: VecDeque::new(),
                parts: HashMap::new(),
                retries: RETRIES,
                retry_at: None,
            };
            thread.start(&first);
            thread.run(&queue);
        };
        if let Err(e) = std::thread::Builder::new()
            .name("overwinter".into())
            .spawn(run)
        {
            tracing::warn!("the system gives no thread, so no sleep and no updates: {e}");
        }
        (Worker { jobs }, registered)
    }

    /// Queues a job. Without a thread nothing happens, which is what standing alone means.
    pub fn send(&self, job: Job) {
        let _ = self.jobs.send(job);
    }

    /// Waits until everything queued is done, at most `at_most`.
    pub fn flush(&self, at_most: Duration) {
        let (done, wait) = mpsc::channel();
        if self.jobs.send(Job::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(at_most);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.flush(super::UI_WAIT);
        self.send(Job::Stop);
    }
}

/// Dropped after the thread's channels are, so that whoever is woken finds them closed.
struct WakeAtTheEnd(WakeHandle);

impl Drop for WakeAtTheEnd {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// What the thread owns.
pub(super) struct Thread {
    info: AppInfo,
    bus: Option<Bus>,
    decoders: Vec<Decoder>,
    to_ui: Sender<ToUi>,
    wake: WakeHandle,
    timers: BTreeSet<(Instant, u64)>,
    /// By the copy's key.
    pub(super) saved: HashMap<u64, Sent>,
    pub(super) restored: VecDeque<RestoredAnswer>,
    /// By group.
    pub(super) parts: HashMap<String, GroupParts>,
    retries: u32,
    retry_at: Option<Instant>,
}

impl Thread {
    pub(super) fn tell(&self, message: ToUi) {
        if self.to_ui.send(message).is_ok() {
            self.wake.wake();
        }
    }

    /// The way to the session, if there is a bus.
    pub(super) fn way(&self) -> Option<&Way> {
        self.bus.as_ref().map(Bus::way)
    }

    pub(super) fn call<B, R>(&self, method: &str, body: &B) -> Result<R, CallError>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
        R: for<'d> zbus::zvariant::DynamicDeserialize<'d>,
    {
        self.way().ok_or(CallError::NoSession)?.call(method, body)
    }

    /// A call whose failure only the log is interested in: the session has its own deadline for what it asked.
    pub(super) fn inform<B: serde::Serialize + zbus::zvariant::DynamicType>(
        &self,
        method: &str,
        body: &B,
    ) {
        match self.call::<B, ()>(method, body) {
            Ok(()) | Err(CallError::NoSession) => {}
            Err(CallError::Bus(e)) => tracing::warn!("{method} was not heard by the session: {e}"),
        }
    }

    fn start(&mut self, first: &Sender<Option<Registered>>) {
        let owner = self.bus.as_ref().and_then(Bus::find_owner);
        let registered = owner.and_then(|owner| {
            if let Some(bus) = &self.bus {
                bus.set_owner(Some(owner));
            }
            self.register(&[])
        });
        // A UI thread that has not waited so long hears of it like of a session that appears later.
        if let Err(mpsc::SendError(Some(registered))) = first.send(registered) {
            self.tell(ToUi::Registered(registered));
        }
    }

    fn register(&mut self, held: &[(String, u64, u64)]) -> Option<Registered> {
        let body = (self.info.id.as_str(), self.info.version.as_str(), held);
        match self.call::<_, (u64, String, Vec<String>)>("Register", &body) {
            Ok((incarnation, reason, kept)) => {
                tracing::debug!("registered with session {incarnation}");
                self.retries = RETRIES;
                let reason = Reason::parse(&reason).unwrap_or(Reason::Launch);
                Some(Registered { reason, kept })
            }
            Err(e) => {
                tracing::warn!("the session does not take this app: {e}; it goes on alone");
                if self.retries > 0 {
                    self.retries -= 1;
                    self.retry_at = Some(Instant::now() + RETRY_AFTER);
                }
                None
            }
        }
    }

    fn run(&mut self, queue: &Receiver<Job>) {
        loop {
            let next = self
                .timers
                .first()
                .map(|(at, _)| *at)
                .into_iter()
                .chain(self.retry_at)
                .min();
            let job = match next {
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => queue.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match job {
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(job) => self.work_or_tell(job),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.ring_timers();
        }
    }

    fn ring_timers(&mut self) {
        let now = Instant::now();
        while let Some((at, key)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, key));
            self.tell(ToUi::Timer { key });
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.tell(ToUi::Appeared);
        }
    }

    /// What the author's own code does in here is guarded where it is called. Anything else that panics is a bug of ours, and no
    /// reason to leave the app without the rest: the job is lost, the next ones are not.
    fn work_or_tell(&mut self, job: Job) {
        let work = || {
            self.work(job);
            Ok(())
        };
        if let Err(why) = guarded("talking to the session", work) {
            tracing::error!("{why}; what was asked last was not done");
        }
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::OwnerChanged(owner) => self.owner_changed(owner),
            Job::Register { held } => {
                if let Some(registered) = self.register(&held) {
                    self.tell(ToUi::Registered(registered));
                }
            }
            Job::Incoming(Incoming::Request(request)) => {
                self.note_stored(&request);
                self.tell(ToUi::Request(request));
            }
            Job::Incoming(restore @ Incoming::Restore { .. }) => self.restore(restore),
            Job::Open { key, title, reply } => self.open(key, &title, reply),
            Job::NewCookie { group, copy, reply } => {
                let cookie = self.call("NewCookie", &(group, copy));
                let cookie =
                    cookie.inspect_err(|e| tracing::warn!("no cookie for another window: {e}"));
                let _ = reply.send(cookie.ok());
            }
            Job::Save(save) => self.save(save),
            Job::SaveAgain {
                key,
                op,
                group,
                lease,
                revision,
                title,
            } => {
                if !self.save_again(key, op, group, lease, revision, title) {
                    let end = SaveEnd::NotTaken;
                    self.tell(ToUi::SaveFinished { key, revision, end });
                }
            }
            Job::CheckTrial(check) => self.check_trial(check),
            Job::Say {
                op,
                outcome,
                then_quit,
            } => {
                self.say(op, &outcome);
                if then_quit {
                    self.tell(ToUi::Quit);
                }
            }
            Job::SayAgain { op } => self.say_again(op),
            Job::Closed { group, lease } => {
                self.inform("Closed", &(group.as_str(), lease));
            }
            Job::Forget { key, copy } => self.forget(key, copy),
            Job::Timer { key, at } => {
                self.timers.insert((at, key));
            }
            Job::Quit => self.tell(ToUi::Quit),
            Job::Flush(done) => {
                let _ = done.send(());
            }
            Job::Stop => {}
        }
    }

    /// What hangs on a group goes with the last copy of it, unless another has been restored meanwhile.
    fn forget(&mut self, key: u64, copy: Option<(String, u64)>) {
        let sent = self.saved.remove(&key).map(|sent| sent.group);
        let (group, copy) = copy.unzip();
        let Some(group) = group.or(sent) else { return };
        let Some(parts) = self.parts.get_mut(&group) else {
            return;
        };
        if let Some(copy) = copy {
            parts.no_trial(copy);
        }
        if !parts.has_trial() && self.saved.values().all(|other| other.group != group) {
            self.parts.remove(&group);
        }
    }

    fn owner_changed(&mut self, owner: Option<String>) {
        let Some(bus) = &self.bus else { return };
        let before = bus.owner();
        if before == owner {
            return;
        }
        bus.set_owner(owner.clone());
        self.parts.values_mut().for_each(GroupParts::forget_given);
        if before.is_some() {
            self.tell(ToUi::Lost);
        }
        if owner.is_some() {
            self.retries = RETRIES;
            self.retry_at = None;
            self.tell(ToUi::Appeared);
        }
    }

    fn open(&self, key: u64, title: &str, reply: Option<Sender<Result<Opened, String>>>) {
        let opened = match self.call("OpenGroup", &title) {
            Ok((group, lease, copy, cookie)) => Ok(Opened {
                group,
                lease,
                copy,
                cookie,
            }),
            Err(e) => {
                tracing::warn!(
                    "the session does not take a new group: {e}; the document stands alone"
                );
                Err(e.to_string())
            }
        };
        // The UI thread may have stopped waiting; what was opened must not be forgotten.
        let unheard = match reply {
            Some(reply) => reply.send(opened).err().map(|unsent| unsent.0),
            None => Some(opened),
        };
        if let Some(Ok(opened)) = unheard {
            self.tell(ToUi::Opened { key, opened });
        }
    }

    fn restore(&mut self, restore: Incoming) {
        let Incoming::Restore {
            op,
            group,
            copy,
            reason,
            revision,
            cookie,
            state,
            secrets,
            travelling,
        } = restore
        else {
            return;
        };
        let mut parts = Parts::default();
        parts.take_secrets(&Secrets {
            staying: taken_secrets(secrets),
            travelling: taken_secrets(travelling),
        });
        let source = self.source(&group, copy);
        let (read, handed_out) = parts::find(parts.clone(), source.clone(), || {
            payload::take(state)
                .map_err(|e| format!("the state cannot be taken: {e}"))
                .and_then(|bytes| Ok((self.decode(&bytes)?, *blake3::hash(&bytes).as_bytes())))
        });
        match read {
            Ok(((kind, decoded), whole)) => {
                let known = self.parts.entry(group.clone()).or_default();
                known.restored(copy, parts, source, &handed_out);
                let trial = Trial {
                    op,
                    group,
                    copy,
                    reason,
                    revision,
                    cookie,
                    kind,
                    decoded,
                    whole,
                };
                self.tell(ToUi::Trial(Box::new(trial)));
            }
            Err(why) => self.say(op, &Outcome::Failed { group, why }),
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<(usize, super::document::Decoded), String> {
        let kind = match self.decoders.as_slice() {
            // The only one says itself when it is another type's state.
            [_] => 0,
            several => {
                let id = type_of(bytes).map_err(|e| e.to_string())?;
                let found = several.iter().position(|decoder| *decoder.type_id == *id);
                found.ok_or_else(|| format!("this program keeps no `{id}`"))?
            }
        };
        let decoder = self
            .decoders
            .get(kind)
            .ok_or("this program keeps no state")?;
        let decoded = guarded("reading a state", || {
            (decoder.decode)(bytes).map_err(|e| e.to_string())
        });
        decoded.map(|decoded| (kind, decoded))
    }
}

/// A section of secrets. One that cannot be taken is no reason to lose the rest.
fn taken_secrets(payload: payload::Payload) -> Vec<u8> {
    payload::take_secrets(payload).unwrap_or_else(|e| {
        tracing::warn!("the document's secrets cannot be taken: {e}; it comes without them");
        Vec::new()
    })
}
