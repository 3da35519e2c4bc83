//! Files as the store writes them, by docs/store-format.md alone: so that what lies behind a seal is fuzzed, too.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use overwinter_proto::{Generation, GroupId, Lease, Revision, transfer::ChunkId};
use serde::Serialize;

/// Nonces need not be secret, nor new: nobody attacks a fuzzer.
const NONCE: [u8; 24] = [9; 24];

/// nonce ‖ seal(key, nonce, aad, m)
pub fn sealed(key: &[u8; 32], aad: &[u8], msg: &[u8]) -> Vec<u8> {
    let cipher = XChaCha20Poly1305::new(key.into());
    let sealed = cipher.encrypt(XNonce::from_slice(&NONCE), Payload { msg, aad });
    [&NONCE, sealed.expect("short").as_slice()].concat()
}

fn opened(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Vec<u8> {
    let (nonce, msg) = sealed.split_at(NONCE.len());
    let cipher = XChaCha20Poly1305::new(key.into());
    let opened = cipher.decrypt(XNonce::from_slice(nonce), Payload { msg, aad });
    opened.expect("a seal of the store's own")
}

/// A master key.
pub struct Master(pub [u8; 32]);

impl Master {
    pub fn from_file(file: &[u8]) -> Master {
        let digits = file.split(|b| *b == b'\n').nth(1).expect("a line");
        let mut key = [0; 32];
        hex::decode_to_slice(digits, &mut key).expect("a key");
        Master(key)
    }

    pub fn to_file(&self) -> Vec<u8> {
        let check = blake3::derive_key("overwinter store 1 master check", &self.0);
        let (key, check) = (hex::encode(self.0), hex::encode(&check[..8]));
        format!("overwinter-master 1\n{key}\n{check}\n").into_bytes()
    }

    fn file(&self, kind: &str, magic: &[u8], group: GroupId, plain: &[u8]) -> Vec<u8> {
        let key = blake3::derive_key(&format!("overwinter store 1 {kind}"), &self.0);
        let aad = [magic, &group.0.to_be_bytes()].concat();
        [magic, &sealed(&key, &aad, plain)].concat()
    }

    pub fn key_file(&self, group: GroupId, secret: &[u8]) -> Vec<u8> {
        self.file("key wrap", b"OWKEY 1\n", group, secret)
    }

    pub fn tombstone(&self, group: GroupId, plain: &[u8]) -> Vec<u8> {
        self.file("tombstone", b"OWTOMB1\n", group, plain)
    }

    /// One half of a rotation; `what` is a key where all is well.
    pub fn way(&self, which: &[u8], what: &[u8]) -> Vec<u8> {
        let key = blake3::derive_key("overwinter store 1 rotation", &self.0);
        sealed(&key, which, what)
    }
}

/// A group's secret, and what is made of it.
pub struct Group {
    pub id: GroupId,
    pub secret: Vec<u8>,
}

impl Group {
    fn key(&self, what: &str) -> [u8; 32] {
        blake3::derive_key(&format!("overwinter store 1 {what}"), &self.secret)
    }

    pub fn chunk_id(&self, plain: &[u8]) -> ChunkId {
        ChunkId(*blake3::keyed_hash(&self.key("chunk id"), plain).as_bytes())
    }

    /// A chunk's file.
    pub fn chunk(&self, id: ChunkId, codec: u8, len: u32, body: &[u8]) -> Vec<u8> {
        let mut head = b"OWC1".to_vec();
        head.push(codec);
        head.extend(len.to_le_bytes());
        let aad = [b"overwinter chunk".as_slice(), &id.0, &head].concat();
        [head, sealed(&self.key("chunk cipher"), &aad, body)].concat()
    }

    /// The head of a move.
    pub fn head(&self, plain: &[u8]) -> Vec<u8> {
        let aad = [
            b"overwinter head of move".as_slice(),
            &self.id.0.to_be_bytes(),
        ]
        .concat();
        sealed(&self.key("chunk cipher"), &aad, plain)
    }

    /// What lies in the head of a move.
    pub fn open_head(&self, head: &[u8]) -> Vec<u8> {
        let aad = [
            b"overwinter head of move".as_slice(),
            &self.id.0.to_be_bytes(),
        ]
        .concat();
        opened(&self.key("chunk cipher"), &aad, head)
    }

    /// The body of a record, from its sequence to its seal.
    pub fn record(&self, record: &[u8]) -> Vec<u8> {
        let (sequence, sealed) = record.split_at(8);
        let group = self.id.0.to_be_bytes();
        let aad = [b"overwinter record".as_slice(), &group, sequence].concat();
        opened(&self.key("journal cipher"), &aad, sealed)
    }

    /// A journal of these bodies, of which so many were acknowledged.
    pub fn journal(&self, bodies: &[&[u8]], acknowledged: usize) -> Vec<u8> {
        let chain = self.key("journal chain");
        let group = self.id.0.to_be_bytes();
        let mut file = [b"OWJRNL1\n".as_slice(), &group].concat();
        let mut tip = *blake3::keyed_hash(&chain, &file).as_bytes();
        file.resize(3 * 512, 0);
        for (n, body) in bodies.iter().enumerate() {
            if n == acknowledged {
                self.witness(&mut file, n as u64, tip);
            }
            let sequence = (n as u64).to_le_bytes();
            let aad = [b"overwinter record".as_slice(), &group, &sequence].concat();
            let sealed = sealed(&self.key("journal cipher"), &aad, body);
            let length = (sealed.len() - NONCE.len()) as u32;
            let record = [length.to_le_bytes().as_slice(), &sequence, &sealed].concat();
            let mut hasher = blake3::Hasher::new_keyed(&chain);
            tip = *hasher.update(&tip).update(&record).finalize().as_bytes();
            file.extend(record);
            file.extend(tip);
        }
        if acknowledged >= bodies.len() {
            self.witness(&mut file, bodies.len() as u64, tip);
        }
        file
    }

    fn witness(&self, file: &mut [u8], sequence: u64, tip: [u8; 32]) {
        let mut slot = b"OWSEEN1\n".to_vec();
        slot.extend(sequence.to_le_bytes());
        slot.extend((file.len() as u64).to_le_bytes());
        slot.extend(tip);
        let mut hasher = blake3::Hasher::new_keyed(&self.key("journal chain"));
        hasher
            .update(b"overwinter witness")
            .update(&self.id.0.to_be_bytes())
            .update(&slot);
        slot.extend(hasher.finalize().as_bytes());
        let at = 512 * (1 + sequence as usize % 2);
        file[at..at + slot.len()].copy_from_slice(&slot);
    }
}

/// Where some bytes are.
#[derive(Clone, Serialize)]
pub struct Part {
    pub len: u64,
    pub listed: bool,
    pub chunks: Vec<(ChunkId, u32)>,
}

/// Where a generation's bytes are.
#[derive(Serialize)]
pub struct Info {
    pub generation: Generation,
    pub revision: Revision,
    pub lease: Lease,
    pub app: String,
    pub build: overwinter_proto::Build,
    pub title: String,
    #[serde(flatten)]
    pub body: Part,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pictures: Option<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blobs: Option<Part>,
}
