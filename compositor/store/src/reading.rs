//! Reading all of a generation, blobs included, a few megabytes at a time, to see that it is there and what it should be.

use std::collections::{HashSet, VecDeque};

use overwinter_proto::{BlobHash, Snapshot, transfer::ChunkId};

use crate::{
    errand::STEP,
    group::{Info, Part},
    parts::{Line, Pictured},
    store::MAX_SNAPSHOT,
};

/// A chunk counts for this much at least: each is a file to be opened.
const LEAST: usize = 16 << 10;

/// What is wrong with it, for people.
type Result<T> = std::result::Result<T, String>;

/// What a part is.
#[derive(Clone, Copy)]
enum What {
    Snapshot,
    Pictures,
    Blobs,
    Secrets,
    Blob(BlobHash),
}

/// A part that is being read.
struct Now {
    what: What,
    part: Part,
    chunks: VecDeque<(ChunkId, u32)>,
    /// Not those of a blob, which are only hashed.
    bytes: Vec<u8>,
    hasher: blake3::Hasher,
}

/// A generation that is being read.
pub(crate) struct Reading {
    left: VecDeque<(What, Part)>,
    now: Option<Now>,
    /// Parts that were found whole.
    sound: HashSet<Part>,
    read: u64,
    total: u64,
}

impl Reading {
    /// Of this generation. `sound`: parts that were found whole before, which are not read again.
    pub(crate) fn new(info: &Info, sound: HashSet<Part>) -> Reading {
        let [pictures, blobs, staying, travelling] = info.beside();
        let beside = [
            (What::Pictures, pictures),
            (What::Secrets, staying),
            (What::Secrets, travelling),
            // Its list says what else there is.
            (What::Blobs, blobs),
        ];
        let beside = beside
            .into_iter()
            .filter_map(|(what, part)| Some((what, part?.clone())));
        let mut reading = Reading {
            left: VecDeque::new(),
            now: None,
            sound,
            read: 0,
            total: 0,
        };
        reading.add(std::iter::once((What::Snapshot, info.body())).chain(beside));
        reading
    }

    fn add(&mut self, parts: impl Iterator<Item = (What, Part)>) {
        for (what, part) in parts {
            self.total = self.total.saturating_add(part.len);
            self.left.push_back((what, part));
        }
    }

    /// Bytes that were read, and bytes that there are, as far as is known.
    pub(crate) fn far(&self) -> (u64, u64) {
        (self.read, self.total)
    }

    /// The parts that were found whole.
    pub(crate) fn into_sound(self) -> HashSet<Part> {
        self.sound
    }

    /// Reads on. `read` gives the content of a chunk, verified. True: that was all, and it is whole.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn step(
        &mut self,
        read: &mut dyn FnMut(ChunkId) -> Result<Vec<u8>>,
    ) -> Result<bool> {
        let mut spent = 0;
        while spent < STEP {
            let Some(now) = &mut self.now else {
                let Some((what, part)) = self.left.pop_front() else {
                    return Ok(true);
                };
                // The list of blobs is read each time: it names what else is to be looked at.
                if self.sound.contains(&part) && !matches!(what, What::Blobs) {
                    self.read = self.read.saturating_add(part.len);
                    continue;
                }
                let now = Now::begin(what, part, read).map_err(|e| what.words(e))?;
                spent += LEAST * usize::from(now.part.listed);
                self.now = Some(now);
                continue;
            };
            if let Some((id, len)) = now.chunks.pop_front() {
                let plain = now.take(id, len, read).map_err(|e| now.what.words(e))?;
                self.read = self.read.saturating_add(plain as u64);
                spent += plain.max(LEAST);
            } else if let Some(now) = self.now.take() {
                let part = now.part.clone();
                let blobs = now.end()?;
                self.sound.insert(part);
                let blob = |line: Line| (What::Blob(line.hash), line.part);
                self.add(blobs.into_iter().map(blob));
            }
        }
        Ok(false)
    }

    /// All of it.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn finish(mut self, read: &mut dyn FnMut(ChunkId) -> Result<Vec<u8>>) -> Result<()> {
        while !self.step(read)? {}
        Ok(())
    }
}

impl What {
    fn words(self, what: String) -> String {
        match self {
            What::Blob(hash) => format!("blob {hash} is damaged: {what}"),
            _ => what,
        }
    }
}

impl Now {
    fn begin(
        what: What,
        part: Part,
        read: &mut dyn FnMut(ChunkId) -> Result<Vec<u8>>,
    ) -> Result<Now> {
        let mut now = Now {
            what,
            chunks: part.chunks.iter().copied().collect(),
            part,
            bytes: Vec::new(),
            hasher: blake3::Hasher::new(),
        };
        if now.part.listed {
            now.check_size()?;
            let mut list = Vec::new();
            for (id, len) in std::mem::take(&mut now.chunks) {
                list.extend(chunk(id, len, read)?);
            }
            now.chunks = overwinter_proto::decode(&list)
                .map_err(|e| format!("its list of chunks is {e}"))?;
        }
        if !matches!(what, What::Blob(_)) {
            now.check_size()?;
        }
        Ok(now)
    }

    /// What is put together in memory has a bound.
    fn check_size(&self) -> Result<()> {
        let total: u64 = self.chunks.iter().map(|(_, len)| u64::from(*len)).sum();
        if total > MAX_SNAPSHOT {
            return Err("its chunks add up to more than a snapshot may have".to_owned());
        }
        Ok(())
    }

    fn take(
        &mut self,
        id: ChunkId,
        len: u32,
        read: &mut dyn FnMut(ChunkId) -> Result<Vec<u8>>,
    ) -> Result<usize> {
        let plain = chunk(id, len, read)?;
        if matches!(self.what, What::Blob(_)) {
            self.hasher.update(&plain);
        } else {
            self.bytes.extend_from_slice(&plain);
        }
        Ok(plain.len())
    }

    /// All its chunks were read. Returns what else is to be read.
    fn end(self) -> Result<Vec<Line>> {
        let len = match self.what {
            What::Blob(hash) => {
                if self.hasher.count() != self.part.len || self.hasher.finalize() != hash.0 {
                    return Err(format!("blob {hash} is not what its name says"));
                }
                self.part.len
            }
            _ => self.bytes.len() as u64,
        };
        if len != self.part.len {
            return Err("its chunks do not add up".to_owned());
        }
        match self.what {
            What::Snapshot => {
                overwinter_proto::decode::<Snapshot>(&self.bytes)
                    .map_err(|e| format!("the snapshot is {e}"))?;
            }
            What::Pictures => {
                overwinter_proto::decode::<Vec<Pictured>>(&self.bytes)
                    .map_err(|e| format!("its list of pictures is {e}"))?;
            }
            What::Blobs => {
                return overwinter_proto::decode(&self.bytes)
                    .map_err(|e| format!("its list of blobs is {e}"));
            }
            What::Secrets | What::Blob(_) => {}
        }
        Ok(Vec::new())
    }
}

fn chunk(
    id: ChunkId,
    len: u32,
    read: &mut dyn FnMut(ChunkId) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let plain = read(id)?;
    if plain.len() != len as usize {
        return Err(format!(
            "chunk {} is not as long as it was",
            hex::encode(id.0)
        ));
    }
    Ok(plain)
}
