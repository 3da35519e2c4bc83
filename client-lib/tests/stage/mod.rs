//! A private bus, the session's side of the protocol played by the test, and a small app.

#![allow(dead_code, missing_docs)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use overwinter::{AppInfo, Arrival, Document, Group, Rest, Session, State};
use overwinter_proto::bus::{CLIENT_INTERFACE, CLIENT_PATH, SESSION_NAME, SESSION_PATH};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::AsFd;
use zbus::blocking::Connection;
use zbus::message::Header;
use zbus::zvariant;

/// Longest that anything in these tests may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A dbus-daemon of our own.
pub struct PrivateBus {
    daemon: Child,
    _folder: tempfile::TempDir,
    pub address: String,
}

impl PrivateBus {
    pub fn start() -> PrivateBus {
        let folder = tempfile::tempdir().expect("a folder for the socket");
        let address = format!("--address=unix:path={}/bus", folder.path().display());
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address", &address])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon is installed");
        let mut address = String::new();
        let stdout = daemon.stdout.take().expect("stdout is piped");
        BufReader::new(stdout)
            .read_line(&mut address)
            .expect("dbus-daemon prints its address");
        PrivateBus {
            daemon,
            _folder: folder,
            address: address.trim().to_owned(),
        }
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// What the app said.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    Register {
        from: String,
        held: Vec<(String, u64, u64)>,
    },
    OpenGroup(String),
    Saved {
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
        title: String,
        digest: Vec<u8>,
        state: Vec<u8>,
        sealed: bool,
        along: Along,
    },
    PutBlob {
        lease: u64,
        hash: Vec<u8>,
    },
    GetBlob {
        copy: u64,
        hash: Vec<u8>,
    },
    Restored {
        op: u64,
        copy: u64,
        revision: u64,
        digest: Vec<u8>,
        loss: Vec<(String, String)>,
    },
    Released {
        op: u64,
        lease: u64,
        revision: u64,
    },
    Changed {
        op: u64,
        lease: u64,
        revision: u64,
    },
    Failed {
        op: u64,
        why: String,
    },
    Closed {
        group: String,
        lease: u64,
    },
    Names {
        op: u64,
        held: bool,
    },
    ExtendDeadline {
        op: u64,
    },
}

/// What came with a state.
#[derive(Debug, Clone, PartialEq)]
pub struct Along {
    pub blobs: Vec<(Vec<u8>, u64)>,
    pub secrets: Vec<u8>,
    pub travelling: Vec<u8>,
}

/// The blobs that the session has, by hash. A test may take some away.
pub type Shelf = Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>;

/// What the session answers when it does not do something.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.overwinter.Error")]
pub enum Refused {
    #[zbus(error)]
    ZBus(zbus::Error),
    MissingBlob(String),
    BadPayload(String),
    Busy(String),
}

type Wire = (Vec<u8>, Vec<zvariant::OwnedFd>);

struct BlobsObject {
    said: Sender<Said>,
    shelf: Shelf,
    /// How many calls are answered by Busy first.
    busy: Arc<Mutex<u32>>,
    let_go: LetGo,
}

/// A blob that no kept state names, though its bytes can still be found.
pub type LetGo = Arc<Mutex<Option<Vec<u8>>>>;

impl BlobsObject {
    fn is_busy(&self) -> Result<(), Refused> {
        let mut busy = self.busy.lock().unwrap();
        if *busy > 0 {
            *busy -= 1;
            return Err(Refused::Busy("ask again".to_owned()));
        }
        Ok(())
    }
}

#[zbus::interface(name = "org.overwinter.Blobs1")]
impl BlobsObject {
    fn put_blob(
        &self,
        _group: String,
        lease: u64,
        hash: Vec<u8>,
        len: u64,
        file: zvariant::OwnedFd,
    ) -> Result<(), Refused> {
        self.is_busy()?;
        let (bytes, sealed) = payload((Vec::new(), vec![file]));
        if !sealed || bytes.len() as u64 != len || *blake3::hash(&bytes).as_bytes() != hash[..] {
            return Err(Refused::BadPayload("not the blob".to_owned()));
        }
        self.shelf.lock().unwrap().insert(hash.clone(), bytes);
        self.let_go.lock().unwrap().take_if(|gone| *gone == hash);
        let _ = self.said.send(Said::PutBlob { lease, hash });
        Ok(())
    }

    fn get_blob(
        &self,
        _group: String,
        copy: u64,
        hash: Vec<u8>,
    ) -> Result<zvariant::OwnedFd, Refused> {
        self.is_busy()?;
        let found = self.shelf.lock().unwrap().get(&hash).cloned();
        let _ = self.said.send(Said::GetBlob { copy, hash });
        let bytes = found.ok_or_else(|| Refused::MissingBlob("no such blob here".to_owned()))?;
        Ok(memfd(&bytes).into())
    }
}

/// A sealed memfd.
pub fn memfd(bytes: &[u8]) -> OwnedFd {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = memfd_create("stage", flags).expect("the system gives memory");
    let mut file = std::fs::File::from(fd);
    std::io::Write::write_all(&mut file, bytes).expect("it is new");
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&file, seals).expect("it may be sealed");
    file.into()
}

pub const GROUP: &str = "00000000000000000000000000000001";
pub const LEASE: u64 = 1 << 32 | 1;
pub const COPY: u64 = 7;

struct SessionObject {
    said: Sender<Said>,
    shelf: Shelf,
    let_go: LetGo,
    reason: &'static str,
    keep: bool,
}

impl SessionObject {
    fn note(&self, said: Said) {
        let _ = self.said.send(said);
    }
}

fn payload(wire: (Vec<u8>, Vec<zvariant::OwnedFd>)) -> (Vec<u8>, bool) {
    let (inline, mut files) = wire;
    match files.pop() {
        None => (inline, false),
        Some(fd) => {
            let fd = OwnedFd::from(fd);
            let seals = rustix::fs::fcntl_get_seals(&fd).expect("a memfd");
            use rustix::fs::SealFlags;
            let all = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
            let size = rustix::fs::fstat(&fd).expect("a memfd").st_size as usize;
            let mut bytes = vec![0; size];
            std::os::unix::fs::FileExt::read_exact_at(&std::fs::File::from(fd), &mut bytes, 0)
                .expect("readable");
            (bytes, seals == all)
        }
    }
}

#[zbus::interface(name = "org.overwinter.Session1", spawn = false)]
impl SessionObject {
    fn register(
        &self,
        #[zbus(header)] header: Header<'_>,
        app: String,
        _version: String,
        held: Vec<(String, u64, u64)>,
    ) -> (u64, String, Vec<String>) {
        assert_eq!(app, "org.example.Notes");
        let kept = held
            .iter()
            .filter(|_| self.keep)
            .map(|(group, ..)| group.clone())
            .collect();
        let from = header.sender().expect("a sender").to_string();
        self.note(Said::Register { from, held });
        (1, self.reason.to_owned(), kept)
    }
    fn open_group(&self, title: String) -> (String, u64, u64, String) {
        self.note(Said::OpenGroup(title));
        (GROUP.to_owned(), LEASE, COPY, "cookie".to_owned())
    }
    fn new_cookie(&self, _group: String, _copy: u64) -> String {
        "another".to_owned()
    }
    #[allow(clippy::too_many_arguments)]
    fn saved(
        &self,
        op: u64,
        group: String,
        lease: u64,
        revision: u64,
        title: String,
        digest: Vec<u8>,
        state: Wire,
        blobs: Vec<(Vec<u8>, u64)>,
        secrets: Wire,
        travelling: Wire,
    ) -> Result<(), Refused> {
        let (state, sealed) = payload(state);
        let shelf = self.shelf.lock().unwrap();
        let let_go = self.let_go.lock().unwrap();
        let lacks = |hash| !shelf.contains_key(hash) || let_go.as_ref() == Some(hash);
        if blobs.iter().any(|(hash, _)| lacks(hash)) {
            return Err(Refused::MissingBlob("a blob is missing".to_owned()));
        }
        drop((shelf, let_go));
        // Secrets are in no message.
        assert!(secrets.0.is_empty() && travelling.0.is_empty());
        let along = Along {
            blobs,
            secrets: payload(secrets).0,
            travelling: payload(travelling).0,
        };
        self.note(Said::Saved {
            op,
            group,
            lease,
            revision,
            title,
            digest,
            state,
            sealed,
            along,
        });
        Ok(())
    }
    fn restored(
        &self,
        op: u64,
        _group: String,
        copy: u64,
        revision: u64,
        digest: Vec<u8>,
        loss: Vec<(String, String)>,
    ) {
        self.note(Said::Restored {
            op,
            copy,
            revision,
            digest,
            loss,
        });
    }
    fn released(&self, op: u64, _group: String, lease: u64, revision: u64) {
        self.note(Said::Released {
            op,
            lease,
            revision,
        });
    }
    fn changed(&self, op: u64, _group: String, lease: u64, revision: u64) {
        self.note(Said::Changed {
            op,
            lease,
            revision,
        });
    }
    fn failed(&self, op: u64, _group: String, why: String) {
        self.note(Said::Failed { op, why });
    }
    fn closed(&self, group: String, lease: u64) {
        self.note(Said::Closed { group, lease });
    }
    fn extend_deadline(&self, op: u64, _group: String, _ms: u32) {
        self.note(Said::ExtendDeadline { op });
    }
    fn names(&self, op: u64, held: bool) {
        self.note(Said::Names { op, held });
    }
}

/// The session's side.
pub struct Peer {
    pub connection: Connection,
    said: Receiver<Said>,
    pub shelf: Shelf,
    pub busy: Arc<Mutex<u32>>,
    pub let_go: LetGo,
    pub app: RefCell<String>,
}

impl Peer {
    pub fn start(bus: &PrivateBus, reason: &'static str) -> Peer {
        Peer::start_that(bus, reason, true)
    }

    pub fn start_that(bus: &PrivateBus, reason: &'static str, keep: bool) -> Peer {
        let (said, heard) = mpsc::channel();
        let (shelf, busy, let_go) = (Shelf::default(), Arc::default(), LetGo::default());
        let blobs = BlobsObject {
            said: said.clone(),
            shelf: shelf.clone(),
            busy: Arc::clone(&busy),
            let_go: let_go.clone(),
        };
        let object = SessionObject {
            said,
            shelf: shelf.clone(),
            let_go: let_go.clone(),
            reason,
            keep,
        };
        let connection = zbus::blocking::connection::Builder::address(bus.address.as_str())
            .and_then(|builder| builder.serve_at(SESSION_PATH, object))
            .and_then(|builder| builder.serve_at(SESSION_PATH, blobs))
            .and_then(|builder| builder.name(SESSION_NAME))
            .and_then(|builder| builder.build())
            .expect("the private bus takes a session");
        Peer {
            connection,
            said: heard,
            shelf,
            busy,
            let_go,
            app: RefCell::default(),
        }
    }

    /// Calls the app; the error is the app's refusal.
    pub fn ask<B: serde::Serialize + zvariant::DynamicType>(
        &self,
        method: &str,
        body: &B,
    ) -> zbus::Result<()> {
        let app = self.app.borrow().clone();
        self.connection
            .call_method(
                Some(app.as_str()),
                CLIENT_PATH,
                Some(CLIENT_INTERFACE),
                method,
                body,
            )
            .map(drop)
    }

    /// The next thing the app says, while `session` runs.
    pub fn hear(&self, session: &Session) -> Said {
        let mut heard = None;
        pump(session, || {
            heard = self.said.try_recv().ok();
            heard.is_some()
        });
        let heard = heard.expect("pump returned");
        if let Said::Register { from, .. } = &heard {
            *self.app.borrow_mut() = from.clone();
        }
        heard
    }

    /// The next thing an app in another process says.
    pub fn hear_from_afar(&self) -> Said {
        let heard = self.said.recv_timeout(PATIENCE);
        let heard = heard.expect("the app says something");
        if let Said::Register { from, .. } = &heard {
            *self.app.borrow_mut() = from.clone();
        }
        heard
    }

    /// What the app has said already.
    pub fn try_hear(&self) -> Option<Said> {
        self.said.try_recv().ok()
    }

    /// Whether the app has said nothing more once everything queued is delivered.
    pub fn hears_nothing_more(&self, session: &Session) -> bool {
        session.dispatch();
        session.flush();
        self.said.try_recv().is_err()
    }

    pub fn restore(&self, op: u64, copy: u64, reason: &str, revision: u64, state: &[u8]) {
        let along = Along {
            blobs: Vec::new(),
            secrets: Vec::new(),
            travelling: Vec::new(),
        };
        self.restore_with(op, copy, reason, revision, state, &along);
    }

    pub fn restore_with(
        &self,
        op: u64,
        copy: u64,
        reason: &str,
        revision: u64,
        state: &[u8],
        along: &Along,
    ) {
        let wire = |bytes: &[u8]| -> (Vec<u8>, Vec<zvariant::Fd>) { (bytes.to_vec(), Vec::new()) };
        self.ask(
            "Restore",
            &(
                op,
                GROUP,
                copy,
                reason,
                revision,
                "trial-cookie",
                wire(state),
                wire(&along.secrets),
                wire(&along.travelling),
                5000_u32,
            ),
        )
        .expect("the app listens");
    }

    pub fn begin_save(&self, op: u64, lease: u64) {
        self.ask("BeginSave", &(op, GROUP, lease, "wake", 5000_u32))
            .expect("the app listens");
    }

    pub fn release(&self, op: u64, lease: u64, revision: u64, how: &str) {
        self.ask("Release", &(op, GROUP, lease, revision, how))
            .expect("the app listens");
    }
}

/// Runs the app's main loop until `done`.
pub fn pump(session: &Session, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        session.dispatch();
        if done() {
            return;
        }
        assert!(Instant::now() < deadline, "the test waited in vain");
        // What is waited for may arrive at the peer instead, which has no descriptor: look again soon.
        let fd = session.as_fd();
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        let tick = Timespec {
            tv_sec: 0,
            tv_nsec: 5_000_000,
        };
        let _ = poll(&mut fds, Some(&tick));
    }
}

#[derive(Debug, Clone, PartialEq, State)]
#[state(id = "org.example.Notes/document", version = 1)]
pub struct Note {
    pub text: String,
    pub rest: Rest,
}

pub struct Page {
    pub group: Group,
    pub text: RefCell<String>,
    /// How often its state was taken.
    pub captured: Cell<u32>,
    /// What the library asked of it.
    pub asked: Rc<RefCell<Vec<&'static str>>>,
}

impl Page {
    /// The user types.
    pub fn write(&self, text: &str) {
        self.text.borrow_mut().push_str(text);
        self.group.changed();
    }
}

impl Document for Page {
    type State = Note;
    fn title(&self) -> String {
        "A note".to_owned()
    }
    fn capture(&self) -> Note {
        self.captured.set(self.captured.get() + 1);
        let text = self.text.borrow().clone();
        assert!(text != "panic in capture", "as the test wants it");
        Note {
            text,
            rest: Rest::default(),
        }
    }
    fn try_capture(&self) -> Result<Note, String> {
        match self.text.borrow().as_str() {
            "unsayable" => Err("there are no words for it".to_owned()),
            _ => Ok(self.capture()),
        }
    }
    fn adopt(&self) {
        self.asked.borrow_mut().push("adopt");
    }
    fn retire(&self) {
        self.asked.borrow_mut().push("retire");
    }
    fn discard(&self) {
        self.asked.borrow_mut().push("discard");
        // As a window does that reports its end whatever the cause.
        self.group.close();
    }
    fn disowned(&self) {
        self.asked.borrow_mut().push("disowned");
    }
}

/// The app: what it shows and what it was asked.
pub struct App {
    pub session: Session,
    pub pages: Rc<RefCell<Vec<Rc<Page>>>>,
    pub asked: Rc<RefCell<Vec<&'static str>>>,
    pub names: Rc<RefCell<Vec<bool>>>,
    pub quit: Rc<Cell<bool>>,
}

impl App {
    pub fn start(address: &str) -> App {
        let pages: Rc<RefCell<Vec<Rc<Page>>>> = Rc::default();
        let asked: Rc<RefCell<Vec<&'static str>>> = Rc::default();
        let names: Rc<RefCell<Vec<bool>>> = Rc::default();
        let quit = Rc::new(Cell::new(false));
        let (shown, told, hook, ended) =
            (pages.clone(), asked.clone(), names.clone(), quit.clone());
        let session = Session::builder(AppInfo::new("org.example.Notes", "1.0"))
            .bus(address)
            .documents(move |group: &Group, arrival: Arrival<Note>| {
                if arrival.state.text == "poison" {
                    return Err("this text cannot be shown".to_owned());
                }
                assert!(
                    arrival.state.text != "panic in restore",
                    "as the test wants it"
                );
                // A program that has lost something on the way to its widgets.
                let text = arrival.state.text.replace("shouted", "whispered");
                let page = Page {
                    group: group.clone(),
                    text: text.into(),
                    captured: Cell::default(),
                    asked: told.clone(),
                };
                let page = Rc::new(page);
                shown.borrow_mut().push(page.clone());
                Ok(page as Rc<dyn Document<State = Note>>)
            })
            .names(move |hold| {
                hook.borrow_mut().push(hold);
                Ok(())
            })
            .on_quit(move || ended.set(true))
            .connect();
        App {
            session,
            pages,
            asked,
            names,
            quit,
        }
    }

    pub fn open(&self, text: &str) -> Rc<Page> {
        let mut page = None;
        self.session.open("A note", |group: &Group| {
            let new = Rc::new(Page {
                group: group.clone(),
                text: RefCell::new(text.to_owned()),
                captured: Cell::default(),
                asked: self.asked.clone(),
            });
            page = Some(new.clone());
            new as Rc<dyn Document<State = Note>>
        });
        page.expect("open builds the document")
    }

    pub fn last_page(&self) -> Rc<Page> {
        self.pages
            .borrow()
            .last()
            .expect("a page was restored")
            .clone()
    }
}

pub fn note(text: &str) -> Vec<u8> {
    overwinter::save(&Note {
        text: text.to_owned(),
        rest: Rest::default(),
    })
    .expect("a note can be saved")
}
