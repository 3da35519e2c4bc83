//! A disk in memory that can fail at any operation and lose power at any moment.
//!
//! Every file and folder has two states: what programs see, and what a power cut would leave. `sync` copies the first to the
//! second, for a file its content, for a folder its names. A file whose sync failed once is like Linux leaves it: its
//! dirty pages are forgotten, later syncs succeed and make nothing durable.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use overwinter_store::{
    Limits, OpenReport, Options, Result, Store, Unlock,
    index::MemIndex,
    vfs::{Entry, Vfs, VfsFile},
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Node {
    File(usize),
    Dir(usize),
}

#[derive(Clone, Default)]
struct File {
    durable: Vec<u8>,
    current: Vec<u8>,
    /// A sync failed: the kernel believes that all is written.
    broken: bool,
    /// When it was written to last.
    written: u64,
}

#[derive(Clone, Default)]
struct Dir {
    durable: BTreeMap<String, Node>,
    current: BTreeMap<String, Node>,
}

/// What happens at one operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The power goes: this operation and all later ones fail; a write may have arrived in part.
    PowerCut,
    /// This one operation fails; a write arrives in part.
    Once(io::ErrorKind),
    /// From here on the disk takes no more bytes, until room is made with [`FaultFs::heal`].
    Full,
}

/// What a power cut leaves of that which was not synced.
#[derive(Clone, Copy, Debug)]
pub enum Unsynced {
    Lost,
    Kept,
    /// Each name and each file on its own: old, new, or torn.
    Mixed(u64),
}

struct Disk {
    files: Vec<File>,
    dirs: Vec<Dir>,
    ops: u64,
    log: Vec<String>,
    /// At which operation what happens.
    faults: Vec<(u64, Fault)>,
    dead: bool,
    full: bool,
    locks: BTreeSet<PathBuf>,
    space: u64,
    random: Random,
    /// Syncs of paths that contain this succeed and do nothing.
    lie: Option<&'static str>,
    /// Reads of paths that contain this fail.
    refused: Option<&'static str>,
    clock: u64,
}

#[derive(Clone)]
pub struct FaultFs(Arc<Mutex<Disk>>);

pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        // xorshift64*, Vigna 2014
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| (self.next() >> 56) as u8).collect()
    }
}

fn error(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

impl Disk {
    /// Counts an operation that changes something, and says how it goes.
    fn step(&mut self, what: &str, path: &Path) -> io::Result<()> {
        if self.dead {
            return Err(io::Error::other("the power is gone"));
        }
        let now = self.ops;
        self.ops += 1;
        self.log.push(format!("{now} {what} {}", path.display()));
        match self.faults.iter().find(|(at, _)| *at == now) {
            Some((_, Fault::PowerCut)) => {
                self.dead = true;
                Err(io::Error::other("the power is gone"))
            }
            Some((_, Fault::Once(kind))) => Err(error(*kind)),
            Some((_, Fault::Full)) => {
                self.full = true;
                self.takes_more(what)
            }
            None => self.takes_more(what),
        }
    }

    fn lies_about(&self, path: &Path) -> bool {
        self.lie
            .is_some_and(|part| path.to_string_lossy().contains(part))
    }

    fn takes_more(&self, what: &str) -> io::Result<()> {
        let takes_room = matches!(what, "create" | "write" | "mkdir");
        if self.full && takes_room {
            Err(error(io::ErrorKind::StorageFull))
        } else {
            Ok(())
        }
    }

    fn dir(&self, path: &Path) -> io::Result<usize> {
        let mut at = 0;
        for part in path.components() {
            let Component::Normal(name) = part else {
                continue;
            };
            match self.dirs[at]
                .current
                .get(&name.to_string_lossy().into_owned())
            {
                Some(Node::Dir(d)) => at = *d,
                _ => return Err(error(io::ErrorKind::NotFound)),
            }
        }
        Ok(at)
    }

    fn place(&self, path: &Path) -> io::Result<(usize, String)> {
        let name = path
            .file_name()
            .ok_or_else(|| error(io::ErrorKind::InvalidInput))?;
        let above = path.parent().unwrap_or(Path::new("/"));
        Ok((self.dir(above)?, name.to_string_lossy().into_owned()))
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        let (dir, name) = self.place(path)?;
        self.dirs[dir]
            .current
            .get(&name)
            .copied()
            .ok_or_else(|| error(io::ErrorKind::NotFound))
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.node(path)? {
            Node::File(f) => Ok(f),
            Node::Dir(_) => Err(error(io::ErrorKind::IsADirectory)),
        }
    }
}

impl Default for FaultFs {
    fn default() -> FaultFs {
        FaultFs(Arc::new(Mutex::new(Disk {
            files: Vec::new(),
            dirs: vec![Dir::default()],
            ops: 0,
            log: Vec::new(),
            faults: Vec::new(),
            dead: false,
            full: false,
            locks: BTreeSet::new(),
            space: 1 << 40,
            random: Random(0x5EED),
            lie: None,
            refused: None,
            clock: 1_000,
        })))
    }
}

impl FaultFs {
    /// A disk of another machine: other random numbers.
    pub fn seeded(seed: u64) -> FaultFs {
        let fs = FaultFs::default();
        fs.disk().random = Random(seed | 1 << 32);
        fs
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    /// Operations so far.
    pub fn ops(&self) -> u64 {
        self.disk().ops
    }

    /// The last operations, for the message of a failed test: 12, or `OVERWINTER_TEST_TAIL`.
    pub fn tail(&self) -> String {
        let disk = self.disk();
        let lines = std::env::var("OVERWINTER_TEST_TAIL").ok();
        let lines = lines.and_then(|n| n.parse().ok()).unwrap_or(12);
        disk.log[disk.log.len().saturating_sub(lines)..].join("\n")
    }

    pub fn fail_at(&self, op: u64, fault: Fault) {
        self.fail_with(vec![(op, fault)]);
    }

    /// At which operation what happens, instead of what was to happen.
    pub fn fail_with(&self, faults: Vec<(u64, Fault)>) {
        self.disk().faults = faults;
    }

    /// Room again, no more faults; only the power may still go.
    pub fn heal(&self) {
        let mut disk = self.disk();
        disk.full = false;
        disk.faults.retain(|(_, fault)| *fault == Fault::PowerCut);
        disk.refused = None;
    }

    /// Nothing more happens while this is done; what was to happen afterwards still does.
    pub fn hold<T>(&self, run: impl FnOnce() -> T) -> T {
        let faults = std::mem::take(&mut self.disk().faults);
        let (before, done) = (self.ops(), run());
        let passed = self.ops() - before;
        let later = |(at, fault): (u64, Fault)| (at + passed, fault);
        self.disk().faults = faults.into_iter().map(later).collect();
        done
    }

    pub fn is_full(&self) -> bool {
        self.disk().full
    }

    pub fn set_space(&self, bytes: u64) {
        self.disk().space = bytes;
    }

    /// Time passes.
    pub fn pass(&self, seconds: u64) {
        self.disk().clock += seconds;
    }

    /// A disk with a bad spot: files whose path contains this cannot be read, until it is healed.
    pub fn refuse(&self, part: &'static str) {
        self.disk().refused = Some(part);
    }

    /// A disk that says “synced” of these paths and does nothing: the tests must notice it.
    pub fn lie_about(&self, part: &'static str) {
        self.disk().lie = Some(part);
    }

    pub fn is_dead(&self) -> bool {
        self.disk().dead
    }

    /// The disk as it is found after the power came back.
    pub fn after_power_cut(&self, unsynced: Unsynced) -> FaultFs {
        let disk = self.disk();
        let mut random = Random(match unsynced {
            Unsynced::Mixed(seed) => seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            _ => 1,
        });
        let files = disk.files.iter().map(|f| {
            let left = match unsynced {
                Unsynced::Lost => f.durable.clone(),
                Unsynced::Kept if f.broken => f.durable.clone(),
                Unsynced::Kept => f.current.clone(),
                Unsynced::Mixed(_) => torn(f, &mut random),
            };
            File {
                durable: left.clone(),
                current: left,
                broken: false,
                written: f.written,
            }
        });
        let files = files.collect();
        let dirs = disk.dirs.iter().map(|d| {
            let names: BTreeSet<&String> = d.durable.keys().chain(d.current.keys()).collect();
            let mut left = BTreeMap::new();
            for name in names {
                let new = match unsynced {
                    Unsynced::Lost => false,
                    Unsynced::Kept => true,
                    Unsynced::Mixed(_) => random.below(2) == 0,
                };
                if let Some(node) = if new {
                    d.current.get(name)
                } else {
                    d.durable.get(name)
                } {
                    left.insert(name.clone(), *node);
                }
            }
            Dir {
                durable: left.clone(),
                current: left,
            }
        });
        let fresh = FaultFs::default();
        let dirs = dirs.collect();
        {
            let mut d = fresh.disk();
            (d.files, d.dirs) = (files, dirs);
            d.clock = disk.clock;
            // Another life draws other numbers, but the same ones when it is replayed.
            d.random = Random(disk.ops | 1 << 40);
        }
        fresh
    }

    /// Every file with its content.
    pub fn all_files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let disk = self.disk();
        let mut all = BTreeMap::new();
        let mut open = vec![(PathBuf::from("/"), 0)];
        while let Some((path, dir)) = open.pop() {
            for (name, node) in &disk.dirs[dir].current {
                match node {
                    Node::Dir(d) => open.push((path.join(name), *d)),
                    Node::File(f) => {
                        all.insert(path.join(name), disk.files[*f].current.clone());
                    }
                }
            }
        }
        all
    }

    /// Makes a file behind the store's back, in a folder that is there.
    pub fn make(&self, path: &Path, bytes: &[u8]) {
        let mut disk = self.disk();
        let (dir, name) = disk.place(path).unwrap();
        let node = Node::File(disk.files.len());
        disk.files.push(File {
            durable: bytes.to_vec(),
            current: bytes.to_vec(),
            broken: false,
            ..File::default()
        });
        disk.dirs[dir].current.insert(name.clone(), node);
        disk.dirs[dir].durable.insert(name, node);
    }

    /// Changes a file behind the store's back.
    pub fn overwrite(&self, path: &Path, bytes: &[u8]) {
        let mut disk = self.disk();
        let file = disk.file(path).unwrap();
        disk.files[file] = File {
            durable: bytes.to_vec(),
            current: bytes.to_vec(),
            broken: false,
            ..File::default()
        };
    }

    /// Removes a file behind the store's back.
    pub fn delete(&self, path: &Path) {
        let mut disk = self.disk();
        let (dir, name) = disk.place(path).unwrap();
        disk.dirs[dir].current.remove(&name).unwrap();
        disk.dirs[dir].durable.remove(&name);
    }

    /// A store on this disk, with an index in memory; its journals are compacted often.
    pub fn store(&self) -> Result<(Store, OpenReport)> {
        self.store_within(Limits {
            journal: 3_000,
            grace: Duration::from_secs(60),
            ..Limits::default()
        })
    }

    /// A store whose master key is opened by these.
    pub fn store_unlocked(&self, unlock: &[Unlock]) -> Result<(Store, OpenReport)> {
        let options = Options {
            vfs: Arc::new(self.clone()),
            index: Some(Box::new(MemIndex::default())),
            unlock: unlock.to_vec(),
            ..Options::default()
        };
        Store::open_with(Path::new("/home/store"), options)
    }

    pub fn store_within(&self, limits: Limits) -> Result<(Store, OpenReport)> {
        let options = Options {
            limits,
            vfs: Arc::new(self.clone()),
            index: Some(Box::new(MemIndex::default())),
            ..Options::default()
        };
        Store::open_with(Path::new("/home/store"), options)
    }
}

/// What a disk writes whole or not at all.
const BLOCK: usize = 512;

fn torn(file: &File, random: &mut Random) -> Vec<u8> {
    if file.durable == file.current {
        return file.durable.clone();
    }
    match random.below(5) {
        0 => file.durable.clone(),
        1 if !file.broken => file.current.clone(),
        4 => {
            // Each block on its own, in no order: old (zeros where there was nothing), or new.
            let mut left = file.current.clone();
            for (n, block) in left.chunks_mut(BLOCK).enumerate() {
                if random.below(2) == 0 {
                    let old = file.durable.get(n * BLOCK..).unwrap_or_default();
                    let old = old.iter().chain(std::iter::repeat(&0));
                    block.iter_mut().zip(old).for_each(|(b, old)| *b = *old);
                }
            }
            left
        }
        2 => {
            // The new length, and zeros where the block never came.
            let keep = random.below(file.current.len() + 1);
            let mut left = file.current.clone();
            let old = file.durable.len();
            for (at, byte) in left.iter_mut().enumerate().skip(keep) {
                *byte = if at < old { file.durable[at] } else { 0 };
            }
            left
        }
        _ => {
            let keep = random.below(file.current.len() + 1);
            let mut left = file.current[..keep].to_vec();
            left.extend(file.durable.get(keep..).unwrap_or_default());
            left
        }
    }
}

struct OpenFile {
    fs: FaultFs,
    file: usize,
    path: PathBuf,
}

impl VfsFile for OpenFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.fs.disk();
        if disk.dead {
            return Err(io::Error::other("the power is gone"));
        }
        let outcome = disk.step("write", &self.path);
        // A failed write leaves some of its bytes: none, all, or any part.
        let arrived = if outcome.is_ok() {
            bytes.len()
        } else {
            bytes.len() * (disk.ops as usize % 9) / 8
        };
        let end = offset as usize + arrived;
        disk.files[self.file].written = disk.clock;
        let content = &mut disk.files[self.file].current;
        if content.len() < end {
            content.resize(end, 0);
        }
        content[offset as usize..end].copy_from_slice(&bytes[..arrived]);
        outcome
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        let mut disk = self.fs.disk();
        disk.step("set_len", &self.path)?;
        disk.files[self.file].current.resize(len as usize, 0);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.fs.disk();
        let outcome = disk.step("sync", &self.path);
        if disk.lies_about(&self.path) {
            return outcome;
        }
        let file = &mut disk.files[self.file];
        if outcome.is_err() {
            file.broken = true;
        } else if !file.broken {
            file.durable = file.current.clone();
        }
        outcome
    }
}

struct Held(FaultFs, PathBuf);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.disk().locks.remove(&self.1);
    }
}

impl Vfs for FaultFs {
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send>>> {
        if self.len(path)?.is_none() {
            self.create(path)?;
        }
        if !self.disk().locks.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(Held(self.clone(), path.to_owned()))))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let mut disk = self.disk();
        disk.step("create", path)?;
        let (dir, name) = disk.place(path)?;
        if disk.dirs[dir].current.contains_key(&name) {
            return Err(error(io::ErrorKind::AlreadyExists));
        }
        disk.files.push(File::default());
        let file = disk.files.len() - 1;
        disk.dirs[dir].current.insert(name, Node::File(file));
        Ok(Box::new(OpenFile {
            fs: self.clone(),
            file,
            path: path.to_owned(),
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let disk = self.disk();
        if disk.dead {
            return Err(io::Error::other("the power is gone"));
        }
        let file = disk.file(path)?;
        Ok(Box::new(OpenFile {
            fs: self.clone(),
            file,
            path: path.to_owned(),
        }))
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let disk = self.disk();
        if disk.dead {
            return Err(io::Error::other("the power is gone"));
        }
        if disk
            .refused
            .is_some_and(|part| path.to_string_lossy().contains(part))
        {
            return Err(io::Error::other("a bad spot"));
        }
        let bytes = disk.files[disk.file(path)?].current.clone();
        if bytes.len() as u64 > limit {
            Err(error(io::ErrorKind::FileTooLarge))
        } else {
            Ok(bytes)
        }
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        let disk = self.disk();
        if disk.dead {
            return Err(io::Error::other("the power is gone"));
        }
        match disk.node(path) {
            Ok(Node::File(f)) => Ok(Some(disk.files[f].current.len() as u64)),
            Ok(Node::Dir(_)) => Ok(None),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn is_exposed(&self, _: &Path) -> io::Result<bool> {
        Ok(false)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let disk = self.disk();
        if disk.dead {
            return Err(io::Error::other("the power is gone"));
        }
        let dir = disk.dir(dir)?;
        let entry = |(name, node): (&String, &Node)| Entry {
            name: name.clone(),
            folder: matches!(node, Node::Dir(_)),
        };
        Ok(disk.dirs[dir].current.iter().map(entry).collect())
    }

    fn mkdir(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step("mkdir", path)?;
        let (dir, name) = disk.place(path)?;
        if disk.dirs[dir].current.contains_key(&name) {
            return Err(error(io::ErrorKind::AlreadyExists));
        }
        disk.dirs.push(Dir::default());
        let new = disk.dirs.len() - 1;
        disk.dirs[dir].current.insert(name, Node::Dir(new));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step("rename", to)?;
        let (source, old) = disk.place(from)?;
        let (target, new) = disk.place(to)?;
        let node = disk.dirs[source]
            .current
            .remove(&old)
            .ok_or_else(|| error(io::ErrorKind::NotFound))?;
        disk.dirs[target].current.insert(new, node);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step("remove", path)?;
        disk.file(path)?;
        let (dir, name) = disk.place(path)?;
        disk.dirs[dir].current.remove(&name);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step("rmdir", path)?;
        let which = disk.dir(path)?;
        if !disk.dirs[which].current.is_empty() {
            return Err(error(io::ErrorKind::DirectoryNotEmpty));
        }
        let (dir, name) = disk.place(path)?;
        disk.dirs[dir].current.remove(&name);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step("sync_dir", path)?;
        if disk.lies_about(path) {
            return Ok(());
        }
        let dir = disk.dir(path)?;
        disk.dirs[dir].durable = disk.dirs[dir].current.clone();
        Ok(())
    }

    fn written(&self, path: &Path) -> io::Result<u64> {
        let disk = self.disk();
        Ok(disk.files[disk.file(path)?].written)
    }

    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.copy_from_slice(&self.disk().random.bytes(bytes.len()));
        Ok(())
    }

    fn now(&self) -> u64 {
        self.disk().clock
    }

    fn space_left(&self, _: &Path) -> io::Result<u64> {
        let disk = self.disk();
        Ok(if disk.full { 0 } else { disk.space })
    }
}
