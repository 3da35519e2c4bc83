//! Two workers on two real stores, with a real socket between them: what a move asks of them, in order and out of it.

use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use overwinter_proto::Lease;
use overwinter_proto::journal::Closure;
use overwinter_proto::snapshot::{Picture, Placement};
use overwinter_proto::transfer::Message;
use overwinter_session::ids::PayloadId;
use overwinter_store::Which;

use super::*;
use crate::effects::peer::{self, Heard, What};

const PATIENCE: Duration = Duration::from_secs(20);
const PEER: PeerId = PeerId(1);
const TX: TxId = TxId(77);
const GROUP: GroupId = GroupId(5);

struct Host {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
    heard: Receiver<Heard>,
    outbox: Option<Outbox>,
    last: u64,
    /// What the next states refer to.
    blobs: Arc<BTreeSet<BlobRef>>,
    /// How its window looks in the next saves.
    picture: Option<Picture>,
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path()).unwrap();
        let (tell, answers) = channel();
        let (jobs, _) = start(store, Fault::default(), move |a| drop(tell.send(a))).unwrap();
        let (_, heard) = channel();
        Host {
            jobs,
            answers,
            heard,
            outbox: None,
            last: 0,
            blobs: Arc::default(),
            picture: None,
            folder,
        }
    }

    fn connect(&mut self, stream: UnixStream) {
        let (tell, heard) = channel();
        let hear = move |h| drop(tell.send(h));
        let outbox = peer::open(PEER, stream.into(), self.jobs.clone(), hear).unwrap();
        self.heard = heard;
        self.outbox = Some(outbox.clone());
        self.jobs.send(Job::Peer { peer: PEER, outbox }).unwrap();
    }

    fn outbox(&self) -> &Outbox {
        self.outbox.as_ref().unwrap()
    }

    fn begin(&mut self, request: StoreRequest, state: Option<Vec<u8>>) -> StoreId {
        self.last += 1;
        let id = StoreId(self.last);
        let windows = vec![WindowSnapshot {
            name: "main".into(),
            title: "t".into(),
            place: Placement::default(),
            picture: self.picture.clone(),
        }];
        let payload = state.map(|state| Payload {
            group: GROUP,
            state: Arc::new(state),
            blobs: self.blobs.clone(),
            secrets: Arc::default(),
        });
        let with = With {
            payload,
            windows,
            ..With::default()
        };
        let job = Job::Request {
            id,
            request,
            with: with.into(),
        };
        self.jobs.send(job).unwrap();
        id
    }

    fn reply(&mut self) -> StoreReply {
        match self.answers.recv_timeout(PATIENCE).expect("an answer") {
            Answer::Reply { id, reply } if id.0 == self.last => reply,
            other => panic!("{other:?}"),
        }
    }

    fn ask(&mut self, request: StoreRequest) -> StoreReply {
        self.begin(request, None);
        self.reply()
    }

    fn record(&mut self, record: JournalRecord) -> StoreReply {
        let group = GROUP;
        self.ask(StoreRequest::Record { group, record })
    }

    fn write(&mut self, state: Vec<u8>) -> StoreReply {
        let request = StoreRequest::Write {
            group: GROUP,
            app: "org.example.App".into(),
            build: Build::default(),
            lease: Lease::FIRST,
            revision: Revision(3),
            title: "title".into(),
            payload: PayloadId(1),
            asked: true,
        };
        self.begin(request, Some(state));
        self.reply()
    }

    fn read(&mut self, generation: Generation) -> Vec<u8> {
        let group = GROUP;
        self.begin(StoreRequest::Read { group, generation }, None);
        match self.answers.recv_timeout(PATIENCE).expect("an answer") {
            Answer::Read { payload, .. } => payload.state.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    fn hear(&self) -> Message {
        match self.heard.recv_timeout(PATIENCE).expect("a message").what {
            What::Message(message, _) => message,
            other => panic!("{other:?}"),
        }
    }
}

/// Bytes that do not compress, so that there are many chunks.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new()
        .update(b"noise")
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

fn is_refused(reply: StoreReply, word: &str) {
    match reply {
        StoreReply::Failed {
            why,
            damaged: false,
        } => assert!(why.contains(word), "{why}"),
        other => panic!("{word}: {other:?}"),
    }
}

/// A source with the group, packed and offered, and a destination that has the offer.
fn offered(state: Vec<u8>) -> (Host, Host, Closure, Manifest, Vec<u8>) {
    let (a, b) = UnixStream::pair().unwrap();
    let (mut source, mut destination) = (Host::new(), Host::new());
    assert_eq!(
        source.record(JournalRecord::Opened {
            app: "org.example.App".into()
        }),
        StoreReply::Recorded
    );
    assert_eq!(source.write(state), StoreReply::Written(Generation(1)));
    source.connect(a);
    destination.connect(b);
    let request = StoreRequest::Pack {
        group: GROUP,
        tx: TX,
        peer: PEER,
    };
    let StoreReply::Packed {
        closure,
        generation,
    } = source.ask(request)
    else {
        panic!("not packed");
    };
    assert_eq!(generation, Generation(1));
    let Message::Offer {
        tx: TX,
        manifest,
        keys,
    } = destination.hear()
    else {
        panic!("no offer");
    };
    (source, destination, closure, manifest, keys)
}

fn unpack(manifest: Manifest, keys: Vec<u8>) -> StoreRequest {
    StoreRequest::Unpack {
        tx: TX,
        peer: PEER,
        manifest,
        keys,
    }
}

fn send_what_is_needed(source: &mut Host) {
    let Message::Need { tx: TX, chunks } = source.hear() else {
        panic!("nothing needed");
    };
    let request = StoreRequest::SendChunks {
        group: GROUP,
        tx: TX,
        peer: PEER,
        chunks,
    };
    assert_eq!(source.ask(request), StoreReply::Sent);
}

#[test]
fn a_group_goes_over_and_reads_back_the_same() {
    let state = noise(9 << 20);
    let (mut source, mut destination, closure, manifest, keys) = offered(state.clone());
    assert!(manifest.chunks.len() > IN_FLIGHT);
    destination.begin(unpack(manifest, keys), None);
    send_what_is_needed(&mut source);
    let StoreReply::Arrived {
        closure: arrived,
        generation,
        app,
        ..
    } = destination.reply()
    else {
        panic!("not arrived");
    };
    assert_eq!(
        (arrived, generation, app.as_str()),
        (closure, Generation(1), "org.example.App")
    );
    let staged = |closure| JournalRecord::Staged {
        tx: TX,
        generation,
        epoch: 2,
        closure,
        source: [1; 32],
    };
    is_refused(
        destination.record(staged(Closure([9; 32]))),
        "not what the other host announced",
    );
    assert_eq!(destination.record(staged(closure)), StoreReply::Recorded);
    let admit = StoreRequest::Admit {
        group: GROUP,
        tx: TX,
    };
    assert_eq!(destination.ask(admit), StoreReply::Written(Generation(1)));
    assert_eq!(
        destination.record(JournalRecord::Owned { tx: TX, epoch: 2 }),
        StoreReply::Recorded
    );
    assert_eq!(destination.read(Generation(1)), state);

    // And the source lets go: twice is as good as once.
    for _ in 0..2 {
        assert_eq!(
            source.ask(StoreRequest::Bury { group: GROUP }),
            StoreReply::Recorded
        );
    }
    is_refused(source.write(vec![1]), "forgotten");
}

#[test]
fn a_stream_that_ends_fails_what_was_under_way_and_leaves_nothing_staged() {
    let (source, mut destination, closure, manifest, keys) = offered(noise(3 << 20));
    destination.begin(unpack(manifest, keys), None);
    source.outbox().close();
    is_refused(destination.reply(), "hung up");
    let drop_staged = StoreRequest::DropStaged {
        group: GROUP,
        tx: TX,
    };
    assert_eq!(destination.ask(drop_staged), StoreReply::Recorded);
    let staged = JournalRecord::Staged {
        tx: TX,
        generation: Generation(1),
        epoch: 2,
        closure,
        source: [1; 32],
    };
    is_refused(destination.record(staged), "not here any more");
}

#[test]
fn a_damaged_chunk_ends_the_move_and_unasked_ones_do_nothing() {
    let (source, mut destination, _, manifest, keys) = offered(noise(1 << 20));
    destination.begin(unpack(manifest, keys), None);
    let Message::Need { chunks, .. } = source.hear() else {
        panic!("nothing needed");
    };
    let say = |tx, id, bytes: &[u8]| {
        let bytes = bytes.to_vec();
        source.outbox().say(&Message::Chunk { tx, id, bytes });
    };
    say(TxId(1), chunks[0], b"of no move");
    say(TX, ChunkId([7; 32]), b"not asked for");
    say(TX, chunks[0], b"not what its name says");
    is_refused(destination.reply(), "refused");
}

#[test]
fn what_cannot_be_done_says_why() {
    let mut host = Host::new();
    is_refused(
        host.ask(StoreRequest::Pack {
            group: GROUP,
            tx: TX,
            peer: PEER,
        }),
        "no group",
    );
    is_refused(
        host.ask(StoreRequest::Read {
            group: GROUP,
            generation: Generation(1),
        }),
        "no group",
    );
    is_refused(host.record(JournalRecord::Done { tx: TX }), "no group");
    let request = StoreRequest::Write {
        group: GROUP,
        app: String::new(),
        build: Build::default(),
        lease: Lease::FIRST,
        revision: Revision(1),
        title: String::new(),
        payload: PayloadId(1),
        asked: true,
    };
    is_refused(host.ask(request), "not there any more");
    host.jobs
        .send(Job::Windows {
            group: GROUP,
            generation: Generation(1),
        })
        .unwrap();
    match host.answers.recv_timeout(PATIENCE).unwrap() {
        Answer::Windows { windows, .. } => assert_eq!(windows, []),
        other => panic!("{other:?}"),
    }
}

/// The files of all chunks.
fn chunks(host: &Host) -> BTreeSet<std::path::PathBuf> {
    let objects = host.folder.path().join("objects").join(GROUP.to_string());
    let shelves = std::fs::read_dir(objects).unwrap();
    let files = |shelf: std::fs::DirEntry| std::fs::read_dir(shelf.path()).unwrap();
    let all = shelves.flat_map(|shelf| files(shelf.unwrap()));
    all.map(|file| file.unwrap().path()).collect()
}

/// Damages every chunk that came since.
fn damage_since(host: &Host, before: &BTreeSet<std::path::PathBuf>) {
    let now = chunks(host);
    let new: Vec<_> = now.difference(before).collect();
    assert!(!new.is_empty());
    for file in new {
        std::fs::write(file, b"noise").unwrap();
    }
}

fn windows(host: &Host, generation: Generation) -> Vec<WindowSnapshot> {
    let group = GROUP;
    host.jobs.send(Job::Windows { group, generation }).unwrap();
    match host.answers.recv_timeout(PATIENCE).unwrap() {
        Answer::Windows { windows, .. } => windows,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ghost_whose_picture_or_snapshot_is_damaged_still_has_its_place() {
    let mut host = Host::new();
    let app = "org.example.App".into();
    assert_eq!(
        host.record(JournalRecord::Opened { app }),
        StoreReply::Recorded
    );
    assert_eq!(host.write(vec![1]), StoreReply::Written(Generation(1)));
    let before = chunks(&host);
    host.picture = Some(Picture {
        width: 1,
        height: 1,
        scale_120: 120,
        geometry_x: 0,
        geometry_y: 0,
        argb: vec![7; 4],
    });
    assert_eq!(host.write(vec![1]), StoreReply::Written(Generation(2)));
    assert!(windows(&host, Generation(2))[0].picture.is_some());
    damage_since(&host, &before);
    let bare = windows(&host, Generation(2));
    assert_eq!((bare.len(), bare[0].name.as_str()), (1, "main"));
    assert_eq!(bare[0].picture, None);

    let before = chunks(&host);
    assert_eq!(host.write(vec![2]), StoreReply::Written(Generation(3)));
    damage_since(&host, &before);
    assert_eq!(windows(&host, Generation(3)), bare, "of the last good one");
}

#[test]
fn histories_tell_what_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    assert_eq!(histories(&mut store).unwrap().0, []);
    store
        .record(GROUP, &JournalRecord::Opened { app: "a".into() })
        .unwrap();
    let snapshot = Snapshot {
        app: "a".into(),
        build: Build {
            version: "1".into(),
            id: "ab".into(),
        },
        revision: Revision(1),
        title: "t".into(),
        state: vec![1],
        windows: Vec::new(),
    };
    store
        .put(GROUP, Lease::FIRST, Revision(1), &snapshot)
        .unwrap();
    let all = histories(&mut store).unwrap().0;
    let [history] = all.as_slice() else { panic!() };
    assert_eq!((history.app.as_str(), history.title.as_str()), ("a", "t"));
    assert_eq!(history.build.as_ref(), Some(&snapshot.build));
    assert_eq!(history.entries.len(), 2);
}

/// The worker waits until the gate is dropped: what is sent meanwhile is all there at once.
fn gate(host: &Host) -> Sender<()> {
    let (gate, closed) = channel::<()>();
    let wait = WithStore::new(move |_| {
        let _ = closed.recv_timeout(PATIENCE);
    });
    host.jobs.send(Job::With(wait)).unwrap();
    gate
}

fn errand(host: &Host, operation: u64, errand: Errand) {
    let operation = OperationId(operation);
    host.jobs.send(Job::Errand { operation, errand }).unwrap();
}

/// The end of an errand, and how often its progress was told before.
fn ended(host: &Host, wanted: u64) -> (Ended, usize) {
    let mut told = 0;
    loop {
        match host.answers.recv_timeout(PATIENCE).expect("an answer") {
            Answer::Errand { operation, ended } => {
                assert_eq!(operation, OperationId(wanted));
                return (ended, told);
            }
            Answer::Progress { operation, far } => {
                assert_eq!(operation, OperationId(wanted));
                assert!(far.done <= far.total, "{far:?}");
                told += 1;
            }
            Answer::Space(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn with_group(state: Vec<u8>) -> Host {
    let mut host = Host::new();
    let app = "org.example.App".into();
    assert_eq!(
        host.record(JournalRecord::Opened { app }),
        StoreReply::Recorded
    );
    assert_eq!(host.write(state), StoreReply::Written(Generation(1)));
    host
}

#[test]
fn jobs_come_before_the_next_step_of_an_errand_and_errands_one_after_another() {
    let mut host = with_group(noise(1 << 20));
    let gate = gate(&host);
    errand(&host, 7, Errand::Examine { repair: false });
    errand(&host, 8, Errand::Collect { now: true });
    errand(&host, 9, Errand::Usage);
    let request = StoreRequest::Record {
        group: GROUP,
        record: JournalRecord::Lease(Lease(9)),
    };
    host.begin(request, None);
    drop(gate);
    // Asked last, and done before the first step of what was asked before.
    assert_eq!(host.reply(), StoreReply::Recorded);
    for (operation, key) in [(7, "findings"), (8, "freed")] {
        let (ended, told) = ended(&host, operation);
        assert!(told > 0, "its beginning is told");
        let text = ended.outcome.unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(json.get(key).is_some(), "{text}");
    }
    let text = ended(&host, 9).0.outcome.unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json[0]["group"], GROUP.to_string(), "{text}");
}

#[test]
fn a_group_goes_into_a_file_and_comes_out_of_it_as_one_that_sleeps() {
    let state = noise(6 << 20);
    let mut host = with_group(state.clone());
    let path = host.folder.path().join("exported");
    let export = |group| Errand::Export {
        group,
        which: Which::Newest,
        file: std::fs::File::create(&path).unwrap().into(),
    };
    errand(&host, 1, export(GROUP));
    let (out, _) = ended(&host, 1);
    assert_eq!((out.group, out.outcome), (Some(GROUP), Ok("1".to_owned())));

    let new = GroupId(6);
    let import = || Errand::Import {
        group: new,
        file: std::fs::File::open(&path).unwrap().into(),
    };
    errand(&host, 2, import());
    let (came, _) = ended(&host, 2);
    assert_eq!(
        (came.group, came.outcome),
        (Some(new), Ok("title".to_owned()))
    );
    let history = came.imported.expect("it is told of").history;
    assert_eq!(
        (history.group, history.app.as_str()),
        (new, "org.example.App")
    );
    let (group, generation) = (new, Generation(1));
    host.begin(StoreRequest::Read { group, generation }, None);
    match host.answers.recv_timeout(PATIENCE).unwrap() {
        Answer::Read { payload, .. } => assert!(*payload.state == state),
        other => panic!("{other:?}"),
    }

    errand(&host, 3, export(GroupId(404)));
    let (none, _) = ended(&host, 3);
    assert_eq!(none.group, Some(GroupId(404)));
    assert!(none.outcome.is_err_and(|why| why.contains("no group")));
    errand(&host, 4, import());
    let (none, _) = ended(&host, 4);
    assert!(
        none.imported.is_none() && none.outcome.is_err(),
        "emptied by the export before"
    );
}

#[test]
fn what_could_keep_the_store_waiting_is_no_file_to_it() {
    let host = with_group(vec![1]);
    let (_reader, writer) = std::io::pipe().unwrap();
    let group = GroupId(6);
    let (reader, _writer) = std::io::pipe().unwrap();
    let which = Which::Newest;
    let file = writer.into();
    errand(
        &host,
        1,
        Errand::Export {
            group: GROUP,
            which,
            file,
        },
    );
    let file = reader.into();
    errand(&host, 2, Errand::Import { group, file });
    for operation in [1, 2] {
        let why = ended(&host, operation).0.outcome.unwrap_err();
        assert!(why.contains("no regular file"), "{why}");
    }
}

#[test]
fn the_sessions_end_drops_what_is_not_done() {
    let host = with_group(vec![1]);
    let gate = gate(&host);
    errand(&host, 1, Errand::Usage);
    host.jobs.send(Job::End).unwrap();
    drop(gate);
    loop {
        match host.answers.recv_timeout(PATIENCE) {
            Ok(Answer::Space(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(e) => break assert_eq!(e, std::sync::mpsc::RecvTimeoutError::Disconnected),
        }
    }
    // The store is nobody's now, and whole.
    let (mut store, _) = Store::open(host.folder.path()).unwrap();
    assert_eq!(store.get(GROUP, Generation(1)).unwrap().state, [1]);
}
