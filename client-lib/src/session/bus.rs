//! The one place that knows D-Bus: `org.overwinter.Client1` as we serve it and calls of `org.overwinter.Session1`.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use futures_lite::StreamExt;
use overwinter_proto::Reason;
use overwinter_proto::bus::{
    BLOBS_INTERFACE, CLIENT_PATH, SESSION_INTERFACE, SESSION_NAME, SESSION_PATH,
};
use serde::Serialize;
use zbus::blocking::connection::Builder;
use zbus::fdo::DBusProxy;
use zbus::message::Header;
use zbus::zvariant::{self, DynamicType};

use super::messages::{Incoming, Job};
use super::payload::Payload;
use super::requests::Request;

/// Longest wait for an answer on the bus, which is what libdbus waits. The session answers within 2 s, and within 20 s where
/// a blob is read or written.
const CALL_WAIT: Duration = Duration::from_secs(25);

/// A payload as D-Bus carries it: `(ayah)`.
pub(super) type Wire = (Vec<u8>, Vec<zvariant::OwnedFd>);

/// Unique name of the session's connection, while there is one.
type Owner = Arc<Mutex<Option<String>>>;

/// Our connection to the bus.
pub(super) struct Bus {
    way: Way,
    /// Watches who owns the session's name; ends with this.
    _watch: zbus::Task<()>,
}

/// The way to the session, for any thread.
#[derive(Clone)]
pub(super) struct Way {
    connection: zbus::blocking::Connection,
    owner: Owner,
}

/// What a call came to when it did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("there is no session")]
    NoSession,
    #[error("{0}")]
    Bus(#[from] zbus::Error),
}

impl Bus {
    /// Connects, serves `Client1`, and watches for the session; changes of its owner arrive as jobs.
    pub fn connect(address: Option<&str>, jobs: mpsc::Sender<Job>) -> zbus::Result<Bus> {
        let owner = Owner::default();
        let builder = match address {
            Some(address) => Builder::address(address)?,
            None => Builder::session()?,
        };
        let object = ClientObject {
            jobs: jobs.clone(),
            owner: owner.clone(),
        };
        let connection = builder
            .method_timeout(CALL_WAIT)
            .serve_at(CLIENT_PATH, object)?
            .build()?;
        let inner = connection.inner().clone();
        let mut changes = zbus::block_on(async {
            let bus = DBusProxy::new(&inner).await?;
            bus.receive_name_owner_changed_with_args(&[(0, SESSION_NAME)])
                .await
        })?;
        let watch = async move {
            while let Some(change) = changes.next().await {
                let owner = change
                    .args()
                    .ok()
                    .and_then(|args| args.new_owner().as_ref().map(ToString::to_string));
                let _ = jobs.send(Job::OwnerChanged(owner));
            }
            let _ = jobs.send(Job::OwnerChanged(None));
        };
        let watch = inner.executor().spawn(watch, "session owner");
        Ok(Bus {
            way: Way { connection, owner },
            _watch: watch,
        })
    }

    /// Who owns the session's name right now.
    pub fn find_owner(&self) -> Option<String> {
        zbus::block_on(async {
            let bus = DBusProxy::new(self.way.connection.inner()).await.ok()?;
            let name = SESSION_NAME.try_into().ok()?;
            bus.get_name_owner(name)
                .await
                .ok()
                .map(|owner| owner.to_string())
        })
    }

    /// Whom to listen to and to call from now on. Set before the first call, as its answer may be overtaken by requests.
    pub fn set_owner(&self, owner: Option<String>) {
        *lock(&self.way.owner) = owner;
    }

    pub fn owner(&self) -> Option<String> {
        lock(&self.way.owner).clone()
    }

    /// The way to the session.
    pub fn way(&self) -> &Way {
        &self.way
    }
}

impl CallError {
    /// Whether the session answered with this error.
    pub fn is(&self, name: &str) -> bool {
        matches!(self, CallError::Bus(zbus::Error::MethodError(error, ..)) if error.as_str() == name)
    }
}

impl Way {
    /// Calls a method of `Session1` and waits for its answer, at most [`CALL_WAIT`].
    pub fn call<B, R>(&self, method: &str, body: &B) -> Result<R, CallError>
    where
        B: Serialize + DynamicType,
        R: for<'d> zvariant::DynamicDeserialize<'d>,
    {
        self.call_on(SESSION_INTERFACE, method, body)
    }

    /// As [`call`](Self::call), of `Blobs1`.
    pub fn call_about_blobs<B, R>(&self, method: &str, body: &B) -> Result<R, CallError>
    where
        B: Serialize + DynamicType,
        R: for<'d> zvariant::DynamicDeserialize<'d>,
    {
        self.call_on(BLOBS_INTERFACE, method, body)
    }

    fn call_on<B, R>(&self, interface: &str, method: &str, body: &B) -> Result<R, CallError>
    where
        B: Serialize + DynamicType,
        R: for<'d> zvariant::DynamicDeserialize<'d>,
    {
        // By its unique name: a session that starts meanwhile must not hear what was meant for this one.
        let owner = lock(&self.owner).clone().ok_or(CallError::NoSession)?;
        let reply = self.connection.call_method(
            Some(owner.as_str()),
            SESSION_PATH,
            Some(interface),
            method,
            body,
        )?;
        Ok(reply.body().deserialize()?)
    }
}

fn lock(owner: &Owner) -> std::sync::MutexGuard<'_, Option<String>> {
    owner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `org.overwinter.Client1`. Only sorts out who may speak; everything else happens in order on the worker.
struct ClientObject {
    jobs: mpsc::Sender<Job>,
    owner: Owner,
}

impl ClientObject {
    fn pass(&self, header: &Header<'_>, incoming: Incoming) -> zbus::fdo::Result<()> {
        let sender = header.sender().map(|sender| sender.as_str());
        if sender.is_none() || sender != lock(&self.owner).as_deref() {
            tracing::warn!("a request from {sender:?}, which is not the session, was refused");
            return Err(zbus::fdo::Error::AccessDenied(
                "only the session may ask this; nothing was done".to_owned(),
            ));
        }
        self.jobs
            .send(Job::Incoming(incoming))
            .map_err(|_| zbus::fdo::Error::Failed("the application is about to end".to_owned()))
    }

    fn request(&self, header: &Header<'_>, request: Request) -> zbus::fdo::Result<()> {
        self.pass(header, Incoming::Request(request))
    }
}

/// One by one and in order (`spawn = false`): what is asked first is passed on first.
#[zbus::interface(name = "org.overwinter.Client1", spawn = false)]
impl ClientObject {
    fn begin_save(
        &self,
        #[zbus(header)] header: Header<'_>,
        op: u64,
        group: String,
        lease: u64,
        reason: String,
        deadline_ms: u32,
    ) -> zbus::fdo::Result<()> {
        tracing::debug!("asked to save {group} ({reason})");
        let deadline = Duration::from_millis(deadline_ms.into());
        self.request(
            &header,
            Request::BeginSave {
                op,
                group,
                lease,
                deadline,
            },
        )
    }

    fn stored(
        &self,
        #[zbus(header)] header: Header<'_>,
        group: String,
        lease: u64,
        revision: u64,
        generation: u64,
    ) -> zbus::fdo::Result<()> {
        tracing::debug!("{group} at revision {revision} is stored as generation {generation}");
        self.request(
            &header,
            Request::Stored {
                group,
                lease,
                revision,
            },
        )
    }

    #[allow(clippy::too_many_arguments, reason = "the contract has as many")]
    fn restore(
        &self,
        #[zbus(header)] header: Header<'_>,
        op: u64,
        group: String,
        copy: u64,
        reason: String,
        revision: u64,
        cookie: String,
        state: Wire,
        secrets: Wire,
        travelling: Wire,
        deadline_ms: u32,
    ) -> zbus::fdo::Result<()> {
        let _ = deadline_ms;
        let Some(reason) = Reason::parse(&reason) else {
            return Err(zbus::fdo::Error::InvalidArgs(format!(
                "`{reason}` is not a reason"
            )));
        };
        let apart = |(inline, files): Wire| Payload {
            inline,
            files: files.into_iter().map(OwnedFd::from).collect(),
        };
        self.pass(
            &header,
            Incoming::Restore {
                op,
                group,
                copy,
                reason,
                revision,
                cookie,
                state: apart(state),
                secrets: apart(secrets),
                travelling: apart(travelling),
            },
        )
    }

    fn adopt(
        &self,
        #[zbus(header)] header: Header<'_>,
        op: u64,
        group: String,
        copy: u64,
        lease: u64,
    ) -> zbus::fdo::Result<()> {
        self.request(
            &header,
            Request::Adopt {
                op,
                group,
                copy,
                lease,
            },
        )
    }

    fn discard(
        &self,
        #[zbus(header)] header: Header<'_>,
        op: u64,
        group: String,
        copy: u64,
    ) -> zbus::fdo::Result<()> {
        self.request(&header, Request::Discard { op, group, copy })
    }

    fn release(
        &self,
        #[zbus(header)] header: Header<'_>,
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
        how: String,
    ) -> zbus::fdo::Result<()> {
        let quit = match how.as_str() {
            "quit" => true,
            "stay" => false,
            _ => {
                return Err(zbus::fdo::Error::InvalidArgs(format!(
                    "`{how}` is neither quit nor stay"
                )));
            }
        };
        self.request(
            &header,
            Request::Release {
                op,
                group,
                lease,
                revision,
                quit,
            },
        )
    }

    fn yield_names(&self, #[zbus(header)] header: Header<'_>, op: u64) -> zbus::fdo::Result<()> {
        self.request(&header, Request::Names { op, hold: false })
    }

    fn take_names(&self, #[zbus(header)] header: Header<'_>, op: u64) -> zbus::fdo::Result<()> {
        self.request(&header, Request::Names { op, hold: true })
    }
}
