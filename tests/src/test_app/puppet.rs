//! One running process of the test app, as the test that leads it sees it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::APP;
use super::words::{Answer, Asked, Beside, Do, FromApp, Payload};
use crate::wait;

/// A process that does what it is told. It ends when this is dropped.
#[derive(Debug)]
pub struct Puppet {
    /// Its process.
    pub pid: u32,
    /// Its unique name on the bus.
    pub name: String,
    way: UnixStream,
    heard: Receiver<FromApp>,
    waiting: VecDeque<Asked>,
}

/// A copy of a group in a puppet.
#[derive(Clone, PartialEq, Debug)]
pub struct Held {
    /// Which.
    pub group: String,
    /// Under which lease.
    pub lease: u64,
    /// Which copy.
    pub copy: u64,
}

/// A save or release that was asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    /// To be given back in the answer.
    pub op: u64,
    /// Of which group.
    pub group: String,
    /// Under which lease.
    pub lease: u64,
    /// For a release: which revision.
    pub revision: u64,
}

/// A restore that was asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Wish {
    /// To be given back in the answer.
    pub op: u64,
    /// Of which group.
    pub group: String,
    /// Into which copy.
    pub copy: u64,
    /// Why.
    pub reason: String,
    /// What it contains.
    pub revision: u64,
    /// What the session hands over.
    pub state: Vec<u8>,
    /// Secrets that stayed on this host.
    pub secrets: Vec<u8>,
    /// Secrets that go along with a move.
    pub travelling: Vec<u8>,
}

impl Puppet {
    /// Takes the lead of a process that has connected.
    ///
    /// # Errors
    /// When it does not say hello.
    pub fn lead(way: UnixStream) -> Result<Puppet> {
        let lines = BufReader::new(way.try_clone()?);
        let (sender, heard) = channel();
        std::thread::spawn(move || {
            for line in lines.lines() {
                let Some(said) = line.ok().and_then(|l| serde_json::from_str(&l).ok()) else {
                    return;
                };
                if sender.send(said).is_err() {
                    return;
                }
            }
        });
        match heard.recv_timeout(wait::PATIENCE)? {
            FromApp::Hello { pid, name } => Ok(Puppet {
                pid,
                name,
                way,
                heard,
                waiting: VecDeque::new(),
            }),
            other => bail!("instead of hello the test app says {other:?}"),
        }
    }

    /// Tells it to do something and gives what the session answered.
    ///
    /// # Errors
    /// When the app has ended or the session does not answer.
    pub fn tell(&mut self, what: &Do) -> Result<Answer> {
        self.say(what)?;
        let start = Instant::now();
        loop {
            let left = wait::PATIENCE.saturating_sub(start.elapsed());
            match self.heard.recv_timeout(left) {
                Ok(FromApp::Answer(answer)) => return Ok(answer),
                Ok(FromApp::Asked(asked)) => self.waiting.push_back(asked),
                Ok(other) => bail!("the test app says {other:?}"),
                Err(e) => bail!("no answer to {what:?}: {e}"),
            }
        }
    }

    /// As [`Puppet::tell`], for what must be taken.
    ///
    /// # Errors
    /// When it is refused, too.
    pub fn tell_well(&mut self, what: &Do) -> Result<()> {
        match self.tell(what)? {
            Answer::Refused { name, text } => bail!("{what:?} was refused: {name}: {text}"),
            _ => Ok(()),
        }
    }

    /// As [`Puppet::tell`], for what must be refused by this `org.overwinter.Error`; gives the text.
    ///
    /// # Errors
    /// When it is taken, or refused by another error.
    pub fn is_refused(&mut self, what: &Do, error: &str) -> Result<String> {
        match self.tell(what)? {
            Answer::Refused { name, text } => {
                ensure!(
                    name == format!("org.overwinter.Error.{error}"),
                    "{what:?} is refused by {name}: {text}"
                );
                Ok(text)
            }
            other => bail!("{what:?} is answered by {other:?}"),
        }
    }

    /// Calls Register; gives the session's reason.
    ///
    /// # Errors
    /// When it is refused.
    pub fn register(&mut self, version: &str) -> Result<String> {
        let (app, version) = (APP.to_owned(), version.to_owned());
        match self.tell(&Do::Register { app, version })? {
            Answer::Registered { reason, .. } => Ok(reason),
            other => bail!("Register is answered by {other:?}"),
        }
    }

    /// Calls OpenGroup.
    ///
    /// # Errors
    /// When it is refused.
    pub fn open(&mut self, title: &str) -> Result<Held> {
        let title = title.to_owned();
        match self.tell(&Do::OpenGroup { title })? {
            Answer::Opened { group, lease, copy } => Ok(Held { group, lease, copy }),
            other => bail!("OpenGroup is answered by {other:?}"),
        }
    }

    /// Saves by itself and waits until that is durable; gives the generation.
    ///
    /// # Errors
    /// When it is refused or never stored.
    pub fn autosave(&mut self, held: &Held, revision: u64, state: &[u8]) -> Result<u64> {
        let order = Order {
            op: 0,
            group: held.group.clone(),
            lease: held.lease,
            revision: 0,
        };
        self.tell_well(&saved(&order, revision, Payload::Honest(state.to_vec())))?;
        self.stored(revision)
    }

    /// Gives the session a blob, as it should be.
    ///
    /// # Errors
    /// When it is refused.
    pub fn put_blob(&mut self, held: &Held, content: &[u8]) -> Result<(Vec<u8>, u64)> {
        let (hash, len) = (
            blake3::hash(content).as_bytes().to_vec(),
            content.len() as u64,
        );
        self.tell_well(&Do::PutBlob {
            group: held.group.clone(),
            lease: held.lease,
            hash: hash.clone(),
            len,
            payload: Payload::Honest(content.to_vec()),
        })?;
        Ok((hash, len))
    }

    /// Reads a blob by means of a copy.
    ///
    /// # Errors
    /// When it is refused.
    pub fn get_blob(&mut self, group: &str, copy: u64, hash: &[u8]) -> Result<Vec<u8>> {
        let (group, hash) = (group.to_owned(), hash.to_vec());
        match self.tell(&Do::GetBlob { group, copy, hash })? {
            Answer::Blob(content) => Ok(content),
            other => bail!("GetBlob is answered by {other:?}"),
        }
    }

    /// Waits for the next call that `pick` takes; what came before stays for later.
    ///
    /// # Errors
    /// When it does not come, or the app ends.
    pub fn asked<T>(&mut self, what: &str, pick: impl Fn(&Asked) -> Option<T>) -> Result<T> {
        if let Some(at) = self.waiting.iter().position(|a| pick(a).is_some()) {
            let asked = self.waiting.remove(at);
            return asked.as_ref().and_then(pick).context("it was there");
        }
        let start = Instant::now();
        loop {
            let left = wait::PATIENCE.saturating_sub(start.elapsed());
            match self.heard.recv_timeout(left) {
                Ok(FromApp::Asked(asked)) => match pick(&asked) {
                    Some(found) => return Ok(found),
                    None => self.waiting.push_back(asked),
                },
                Ok(other) => bail!("waiting for {what}, the test app says {other:?}"),
                Err(e) => bail!(
                    "waited in vain for {what}: {e}; before it came {:?}",
                    self.waiting
                ),
            }
        }
    }

    /// Waits for BeginSave.
    ///
    /// # Errors
    /// See [`Puppet::asked`].
    pub fn asked_to_save(&mut self) -> Result<Order> {
        self.asked("BeginSave", |asked| match asked {
            Asked::BeginSave {
                op, group, lease, ..
            } => Some(Order {
                op: *op,
                group: group.clone(),
                lease: *lease,
                revision: 0,
            }),
            _ => None,
        })
    }

    /// Waits for Release.
    ///
    /// # Errors
    /// See [`Puppet::asked`].
    pub fn asked_to_release(&mut self) -> Result<Order> {
        self.asked("Release", |asked| match asked {
            Asked::Release {
                op,
                group,
                lease,
                revision,
                ..
            } => Some(Order {
                op: *op,
                group: group.clone(),
                lease: *lease,
                revision: *revision,
            }),
            _ => None,
        })
    }

    /// Waits for Restore.
    ///
    /// # Errors
    /// See [`Puppet::asked`].
    pub fn asked_to_restore(&mut self) -> Result<Wish> {
        self.asked("Restore", |asked| match asked.clone() {
            Asked::Restore {
                op,
                group,
                copy,
                reason,
                revision,
                state,
                secrets,
                travelling,
            } => Some(Wish {
                op,
                group,
                copy,
                reason,
                revision,
                state,
                secrets,
                travelling,
            }),
            _ => None,
        })
    }

    /// Waits for Adopt; gives what it holds now.
    ///
    /// # Errors
    /// See [`Puppet::asked`].
    pub fn adopted(&mut self) -> Result<Held> {
        self.asked("Adopt", |asked| match asked {
            Asked::Adopt {
                group, copy, lease, ..
            } => Some(Held {
                group: group.clone(),
                lease: *lease,
                copy: *copy,
            }),
            _ => None,
        })
    }

    /// Waits for Discard of a copy.
    ///
    /// # Errors
    /// See [`Puppet::asked`].
    pub fn discarded(&mut self, copy: u64) -> Result<()> {
        self.asked("Discard", |asked| match asked {
            Asked::Discard { copy: c, .. } if *c == copy => Some(()),
            _ => None,
        })
    }

    /// Waits for Stored of a revision; gives the generation.
    ///
    /// # Errors
    /// See [`Puppet::asked`].
    pub fn stored(&mut self, revision: u64) -> Result<u64> {
        self.asked("Stored", |asked| match asked {
            Asked::Stored {
                revision: r,
                generation,
                ..
            } if *r == revision => Some(*generation),
            _ => None,
        })
    }

    /// Says Released as it was asked to.
    ///
    /// # Errors
    /// When it is refused.
    pub fn release(&mut self, order: &Order) -> Result<()> {
        self.tell_well(&released(order))
    }

    /// Falls asleep as a good app does, once it is asked to.
    ///
    /// # Errors
    /// When the session does not play its part.
    pub fn fall_asleep(mut self, revision: u64, state: &[u8]) -> Result<()> {
        let order = self.asked_to_save()?;
        let payload = Payload::Honest(state.to_vec());
        self.tell_well(&saved(&order, revision, payload))?;
        let order = self.asked_to_release()?;
        self.release(&order)?;
        self.end(&Do::End)
    }

    /// Restores as a good app does, once it is asked to; gives what it was given and what it holds now.
    ///
    /// # Errors
    /// When the session does not play its part.
    pub fn wake_up(&mut self) -> Result<(Wish, Held)> {
        let wish = self.asked_to_restore()?;
        self.tell_well(&restored(&wish, &wish.state))?;
        let held = self.adopted()?;
        Ok((wish, held))
    }

    /// Ends in one of two ways; returns when the process is no more.
    ///
    /// # Errors
    /// When it lives on.
    pub fn end(&mut self, how: &Do) -> Result<()> {
        self.say(how)?;
        self.is_gone()
    }

    /// Waits until the process is no more.
    ///
    /// # Errors
    /// When it lives on.
    pub fn is_gone(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            let left = wait::PATIENCE.saturating_sub(start.elapsed());
            match self.heard.recv_timeout(left) {
                Ok(FromApp::Asked(asked)) => self.waiting.push_back(asked),
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => bail!("process {} lives on", self.pid),
            }
        }
        wait::for_end(self.pid, Duration::from_secs(10))
    }

    /// Stops the process, as a debugger would, or lets it go on.
    ///
    /// # Errors
    /// When it is no more.
    pub fn stop(&self, stopped: bool) -> Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let signal = if stopped { Signal::STOP } else { Signal::CONT };
        Ok(kill_process(pid.context("no pid")?, signal)?)
    }

    /// As [`Puppet::tell`] without waiting for what the session answers: it may end the app for it.
    ///
    /// # Errors
    /// When the app has ended already.
    pub fn say(&mut self, what: &Do) -> Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.way
            .write_all(&line)
            .with_context(|| format!("the test app (process {}) has ended", self.pid))
    }
}

/// Saved, as an answer to an order.
pub fn saved(order: &Order, revision: u64, payload: Payload) -> Do {
    let digest = match &payload {
        Payload::Honest(bytes) => blake3::hash(bytes),
        _ => blake3::hash(b""),
    };
    Do::Saved {
        op: order.op,
        group: order.group.clone(),
        lease: order.lease,
        revision,
        digest: digest.as_bytes().to_vec(),
        payload,
    }
}

/// Saved with what hangs on the state, as an answer to an order.
pub fn saved_with(order: &Order, revision: u64, state: &[u8], beside: Beside) -> Do {
    Do::SavedWith {
        op: order.op,
        group: order.group.clone(),
        lease: order.lease,
        revision,
        digest: blake3::hash(state).as_bytes().to_vec(),
        payload: Payload::Honest(state.to_vec()),
        beside,
    }
}

/// Released, as an answer to an order.
pub fn released(order: &Order) -> Do {
    Do::Released {
        op: order.op,
        group: order.group.clone(),
        lease: order.lease,
        revision: order.revision,
    }
}

/// Restored, with the digest of what is said to have been restored.
pub fn restored(wish: &Wish, state: &[u8]) -> Do {
    Do::Restored {
        op: wish.op,
        group: wish.group.clone(),
        copy: wish.copy,
        revision: wish.revision,
        digest: blake3::hash(state).as_bytes().to_vec(),
    }
}

/// Failed, as an answer to a wish.
pub fn failed(wish: &Wish, why: &str) -> Do {
    Do::Failed {
        op: wish.op,
        group: wish.group.clone(),
        why: why.to_owned(),
    }
}
