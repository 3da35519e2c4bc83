//! An application that does what a test tells it; see `overwinter_tests::test_app`.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use overwinter_proto::bus::{
    BLOBS_INTERFACE, CLIENT_PATH, INLINE_MAX, SESSION_INTERFACE, SESSION_NAME, SESSION_PATH,
};
use overwinter_tests::test_app::SOCKET;
use overwinter_tests::test_app::words::{Answer, Asked, Beside, Do, FromApp, Payload};
use overwinter_tests::wait;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use zbus::blocking::{Connection, connection};
use zbus::zvariant::{self, DynamicType};

/// A payload as D-Bus carries it.
type Wire = (Vec<u8>, Vec<zvariant::OwnedFd>);

/// The way to the test, used by the main thread and by the bus's.
#[derive(Clone)]
struct Test(Arc<Mutex<UnixStream>>);

impl Test {
    /// Without a test there is nobody to act for.
    fn tell(&self, what: &FromApp) {
        let mut line = serde_json::to_vec(what).unwrap_or_default();
        line.push(b'\n');
        let written = self.0.lock().map(|mut stream| stream.write_all(&line));
        if !matches!(written, Ok(Ok(()))) {
            std::process::exit(3);
        }
    }
}

fn main() -> Result<()> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").context("no XDG_RUNTIME_DIR")?;
    let stream = UnixStream::connect(PathBuf::from(runtime).join(SOCKET))
        .context("no test listens; this program is of no other use")?;
    let commands = BufReader::new(stream.try_clone()?);
    let test = Test(Arc::new(Mutex::new(stream)));
    let bus = connection::Builder::session()?
        .serve_at(CLIENT_PATH, Client { test: test.clone() })?
        .method_timeout(wait::PATIENCE)
        .build()?;
    test.tell(&FromApp::Hello {
        pid: std::process::id(),
        name: bus
            .unique_name()
            .map(ToString::to_string)
            .unwrap_or_default(),
    });
    for line in commands.lines() {
        let answer = obey(&bus, serde_json::from_str(&line?)?)?;
        test.tell(&FromApp::Answer(answer));
    }
    Ok(())
}

fn obey(bus: &Connection, what: Do) -> Result<Answer> {
    let reply = match what {
        Do::End => std::process::exit(0),
        Do::Abort => std::process::abort(),
        Do::Register { app, version } => {
            let held: Vec<(String, u64, u64)> = Vec::new();
            let reply = call(bus, "Register", &(app, version, held));
            return answer(reply, |m| {
                let (_, reason, kept): (u64, String, Vec<String>) = m.body().deserialize()?;
                Ok(Answer::Registered { reason, kept })
            });
        }
        Do::OpenGroup { title } => {
            return answer(call(bus, "OpenGroup", &(title,)), |m| {
                let (group, lease, copy, _): (String, u64, u64, String) = m.body().deserialize()?;
                Ok(Answer::Opened { group, lease, copy })
            });
        }
        Do::Saved {
            op,
            group,
            lease,
            revision,
            digest,
            payload,
        } => {
            let beside = Beside::default();
            save(bus, (op, &group, lease, revision), digest, payload, beside)?
        }
        Do::SavedWith {
            op,
            group,
            lease,
            revision,
            digest,
            payload,
            beside,
        } => save(bus, (op, &group, lease, revision), digest, payload, beside)?,
        Do::PutBlob {
            group,
            lease,
            hash,
            len,
            payload,
        } => {
            let file = match payload {
                Payload::Honest(bytes) => zvariant::OwnedFd::from(memfd(&bytes, ALL)?),
                other => make(other)?.1.pop().context("it has no file")?,
            };
            call_about_blobs(bus, "PutBlob", &(group, lease, hash, len, file))
        }
        Do::GetBlob { group, copy, hash } => {
            return answer(
                call_about_blobs(bus, "GetBlob", &(group, copy, hash)),
                |m| {
                    let file: zvariant::OwnedFd = m.body().deserialize()?;
                    Ok(Answer::Blob(read((Vec::new(), vec![file]))))
                },
            );
        }
        Do::Restored {
            op,
            group,
            copy,
            revision,
            digest,
        } => {
            let loss: Vec<(String, String)> = Vec::new();
            call(bus, "Restored", &(op, group, copy, revision, digest, loss))
        }
        Do::Released {
            op,
            group,
            lease,
            revision,
        } => call(bus, "Released", &(op, group, lease, revision)),
        Do::Changed {
            op,
            group,
            lease,
            revision,
        } => call(bus, "Changed", &(op, group, lease, revision)),
        Do::Failed { op, group, why } => call(bus, "Failed", &(op, group, why)),
        Do::Closed { group, lease } => call(bus, "Closed", &(group, lease)),
        Do::Names { op, held } => call(bus, "Names", &(op, held)),
    };
    answer(reply, |_| Ok(Answer::Taken))
}

/// Group, lease and revision after the operation that it answers.
type What<'a> = (u64, &'a str, u64, u64);

fn save(
    bus: &Connection,
    (op, group, lease, revision): What<'_>,
    digest: Vec<u8>,
    payload: Payload,
    beside: Beside,
) -> Result<zbus::Result<zbus::Message>> {
    let title = "what the test app holds";
    let body = (
        op,
        group,
        lease,
        revision,
        title,
        digest,
        make(payload)?,
        beside.blobs,
        section(&beside.secrets)?,
        section(&beside.travelling)?,
    );
    Ok(call(bus, "Saved", &body))
}

/// Secrets, as a memfd.
fn section(bytes: &[u8]) -> Result<Wire> {
    if bytes.is_empty() {
        return Ok(Wire::default());
    }
    Ok((Vec::new(), vec![memfd(bytes, ALL)?.into()]))
}

fn call<B>(bus: &Connection, method: &str, body: &B) -> zbus::Result<zbus::Message>
where
    B: serde::Serialize + DynamicType,
{
    let (to, at) = (Some(SESSION_NAME), SESSION_PATH);
    bus.call_method(to, at, Some(SESSION_INTERFACE), method, body)
}

fn call_about_blobs<B>(bus: &Connection, method: &str, body: &B) -> zbus::Result<zbus::Message>
where
    B: serde::Serialize + DynamicType,
{
    let (to, at) = (Some(SESSION_NAME), SESSION_PATH);
    bus.call_method(to, at, Some(BLOBS_INTERFACE), method, body)
}

fn answer(
    reply: zbus::Result<zbus::Message>,
    read: impl FnOnce(zbus::Message) -> Result<Answer>,
) -> Result<Answer> {
    match reply {
        Ok(message) => read(message),
        Err(zbus::Error::MethodError(name, text, _)) => Ok(Answer::Refused {
            name: name.to_string(),
            text: text.unwrap_or_default(),
        }),
        Err(other) => Ok(Answer::Refused {
            name: String::new(),
            text: other.to_string(),
        }),
    }
}

/// What makes a memfd one that nobody can change any more.
const ALL: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE);

fn make(payload: Payload) -> Result<Wire> {
    let all = ALL;
    let files = |files: Vec<OwnedFd>| files.into_iter().map(Into::into).collect();
    Ok(match payload {
        Payload::Honest(bytes) if bytes.len() <= INLINE_MAX => (bytes, Vec::new()),
        Payload::Honest(bytes) => (Vec::new(), files(vec![memfd(&bytes, all)?])),
        Payload::Inline(bytes) => (bytes, Vec::new()),
        Payload::Unsealed(bytes) => (Vec::new(), files(vec![memfd(&bytes, SealFlags::empty())?])),
        Payload::Writable(bytes) => {
            let seals = SealFlags::SHRINK | SealFlags::GROW;
            (Vec::new(), files(vec![memfd(&bytes, seals)?]))
        }
        Payload::Sparse(size) => {
            let file = File::from(memfd(&[], SealFlags::empty())?);
            file.set_len(size)?;
            fcntl_add_seals(&file, all)?;
            (Vec::new(), files(vec![file.into()]))
        }
        Payload::Both(bytes) => {
            let file = memfd(&bytes, all)?;
            (bytes, files(vec![file]))
        }
        Payload::Two(bytes) => {
            let two = vec![memfd(&bytes, all)?, memfd(&bytes, all)?];
            (Vec::new(), files(two))
        }
        Payload::Pipe => (Vec::new(), files(vec![rustix::pipe::pipe()?.0])),
    })
}

fn memfd(bytes: &[u8], seals: SealFlags) -> Result<OwnedFd> {
    let fd = memfd_create("test-app", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(fd);
    file.write_all(bytes)?;
    fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}

fn read((inline, fds): Wire) -> Vec<u8> {
    let Some(fd) = fds.into_iter().next() else {
        return inline;
    };
    let file = File::from(OwnedFd::from(fd));
    let size = file.metadata().map(|m| m.len()).unwrap_or(0);
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}

struct Client {
    test: Test,
}

impl Client {
    fn pass_on(&self, asked: Asked) {
        self.test.tell(&FromApp::Asked(asked));
    }
}

/// Calls are passed on in the order in which they come.
#[zbus::interface(name = "org.overwinter.Client1", spawn = false)]
impl Client {
    fn begin_save(&self, op: u64, group: String, lease: u64, reason: String, _deadline_ms: u32) {
        self.pass_on(Asked::BeginSave {
            op,
            group,
            lease,
            reason,
        });
    }

    fn stored(&self, group: String, lease: u64, revision: u64, generation: u64) {
        self.pass_on(Asked::Stored {
            group,
            lease,
            revision,
            generation,
        });
    }

    #[allow(clippy::too_many_arguments, reason = "the contract has as many")]
    fn restore(
        &self,
        op: u64,
        group: String,
        copy: u64,
        reason: String,
        revision: u64,
        _cookie: String,
        state: Wire,
        secrets: Wire,
        travelling: Wire,
        _deadline_ms: u32,
    ) {
        self.pass_on(Asked::Restore {
            op,
            group,
            copy,
            reason,
            revision,
            state: read(state),
            secrets: read(secrets),
            travelling: read(travelling),
        });
    }

    fn adopt(&self, op: u64, group: String, copy: u64, lease: u64) {
        self.pass_on(Asked::Adopt {
            op,
            group,
            copy,
            lease,
        });
    }

    fn discard(&self, op: u64, group: String, copy: u64) {
        self.pass_on(Asked::Discard { op, group, copy });
    }

    fn release(&self, op: u64, group: String, lease: u64, revision: u64, how: String) {
        self.pass_on(Asked::Release {
            op,
            group,
            lease,
            revision,
            how,
        });
    }

    fn yield_names(&self, op: u64) {
        self.pass_on(Asked::YieldNames { op });
    }

    fn take_names(&self, op: u64) {
        self.pass_on(Asked::TakeNames { op });
    }
}
