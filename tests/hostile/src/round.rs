//! One round: what is thrown, and what the compositor is held to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::attacks::{self, Arena};
use crate::host::{Host, Places, Which, pause};
use crate::spec::Spec;
use crate::wild;
use crate::wire::Gone;
use crate::witness::{DEADLINE, Witness, sees_a_frame};

/// Most memory that a compositor may take at any time, in MiB.
pub const PEAK: u64 = 1024;

/// Most memory that it may still have more than at its start once its guests have gone, in MiB.
pub const LEFT: u64 = 192;

/// Descriptors that it may still have more than at its start.
const DESCRIPTORS: usize = 24;

/// Rounds that are thrown at the same process, which also shows what they leave behind.
const ROUNDS_EACH: usize = 25;

/// What is thrown.
#[derive(Debug, Clone, Copy)]
pub enum Round {
    /// A wild client.
    Seed(u64),
    /// One of [`attacks::ALL`].
    Attack(usize),
}

/// How a round ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// The witness's worst round trip, in milliseconds.
    pub worst_ms: u64,
    /// Memory at its peak and after the end, in MiB.
    pub peak_mib: u64,
    /// After the end, in MiB.
    pub left_mib: u64,
    /// What it took, in seconds.
    pub seconds: f64,
    /// The server does not speak what this is about.
    pub absent: bool,
    /// Why it failed; empty when it passed.
    pub why: Vec<String>,
    /// The end of the log, when it failed.
    #[serde(skip)]
    pub log: String,
    /// What was thrown, in words.
    pub note: String,
}

impl Outcome {
    /// Whether it passed.
    pub fn passed(&self) -> bool {
        self.why.is_empty()
    }

    /// For people.
    pub fn line(&self) -> String {
        let verdict = match (self.passed(), self.absent) {
            (true, true) => "absent",
            (true, false) => "ok",
            (false, _) => "FAILED",
        };
        let mut line = format!(
            "{verdict:<7} {:<22} {:>6.1} s, others waited {:>5} ms at most, {:>4} MiB at most, {:>4} MiB after{}",
            self.name, self.seconds, self.worst_ms, self.peak_mib, self.left_mib, self.note
        );
        for why in &self.why {
            line += &format!("\n        {why}");
        }
        if !self.passed() && !self.log.is_empty() {
            line += &format!("\n── the end of its log\n{}\n──", self.log);
        }
        line
    }
}

/// Where rounds are played: one compositor after the other.
pub struct Stage {
    which: Which,
    places: Places,
    spec: Arc<Spec>,
    tells: bool,
    host: Option<Standing>,
    started: usize,
}

/// A compositor, and how it was when it was new.
struct Standing {
    host: Host,
    rounds: usize,
    memory: u64,
    descriptors: usize,
}

impl Stage {
    /// Nothing is started yet.
    pub fn new(which: Which, places: Places, spec: Arc<Spec>, tells: bool) -> Stage {
        Stage {
            which,
            places,
            spec,
            tells,
            host: None,
            started: 0,
        }
    }

    /// Plays a round.
    ///
    /// # Errors
    /// When no compositor can be started.
    pub fn play(&mut self, round: &Round) -> Result<Outcome> {
        let mut standing = match self.host.take() {
            Some(standing) => standing,
            None => self.fresh()?,
        };
        let start = Instant::now();
        let mut outcome = Outcome::default();
        let taken = self.throw(round, &standing, &mut outcome);
        outcome.seconds = start.elapsed().as_secs_f64();
        judge(&mut standing, &mut outcome);
        standing.rounds += 1;
        // A screen that was taken stays taken; whoever failed is no fair ground for the next.
        if outcome.passed() && !taken && standing.rounds < ROUNDS_EACH {
            self.host = Some(standing);
        }
        Ok(outcome)
    }

    fn fresh(&mut self) -> Result<Standing> {
        self.started += 1;
        let host = Host::start(self.which, &self.places, &self.started.to_string())?;
        // What is made for the first window is no leak.
        sees_a_frame(&host.socket, &self.spec)?;
        let (memory, descriptors) = (host.memory().0, host.descriptors());
        Ok(Standing {
            host,
            rounds: 0,
            memory,
            descriptors,
        })
    }

    /// Plays it with a witness beside. True: others have lost the screen by right.
    fn throw(&self, round: &Round, standing: &Standing, outcome: &mut Outcome) -> bool {
        let socket = &standing.host.socket;
        let witness = match Witness::start(socket, &self.spec) {
            Ok(witness) => witness,
            Err(error) => {
                outcome.why.push(format!("{error:#}"));
                return false;
            }
        };
        let taken = match round {
            Round::Seed(seed) => {
                outcome.name = format!("seed {seed}");
                let played = wild::play(socket, &self.spec, *seed, self.tells);
                outcome.note = format!(
                    " ({} requests, {} connections, {} thrown out)",
                    played.requests, played.connections, played.thrown_out
                );
                if played.stuck {
                    outcome.why.push("the wild client was not answered".into());
                }
                played.screen_taken
            }
            Round::Attack(n) => {
                let Some(attack) = attacks::ALL.get(*n) else {
                    return false;
                };
                outcome.name = attack.name.into();
                let arena = Arena {
                    socket: socket.clone(),
                    spec: self.spec.clone(),
                    tells: self.tells,
                };
                outcome.absent = attack.run(&arena) == Err(Gone::Absent);
                attack.takes_the_screen
            }
        };
        match witness.finish() {
            Ok(worst) => outcome.worst_ms = u64::try_from(worst.as_millis()).unwrap_or(u64::MAX),
            Err(error) => outcome.why.push(format!("{error:#}")),
        }
        if outcome.why.is_empty()
            && !taken
            && let Err(error) = sees_a_frame(socket, &self.spec)
        {
            outcome.why.push(format!("{error:#}"));
        }
        taken
    }
}

/// Holds the compositor to what it has to be after a round.
fn judge(standing: &mut Standing, outcome: &mut Outcome) {
    let host = &mut standing.host;
    if let Some(end) = host.ended() {
        outcome
            .why
            .insert(0, format!("the compositor is gone: {end}"));
    } else {
        if let Some(why) = settles(host, standing.memory, standing.descriptors) {
            outcome.why.push(why);
        }
        let (now, peak) = host.memory();
        outcome.peak_mib = peak / 1024;
        outcome.left_mib = now / 1024;
        if outcome.peak_mib > PEAK {
            let bound = format!(
                "{} MiB of memory at the peak; {PEAK} are allowed",
                outcome.peak_mib
            );
            outcome.why.push(bound);
        }
    }
    let confessions = host.confessions();
    outcome.why.extend(confessions);
    if !outcome.passed() {
        outcome.log = host.log_tail();
    }
}

/// Waits until memory, descriptors and processor time are what they were; what is not.
fn settles(host: &Host, memory: u64, descriptors: usize) -> Option<String> {
    let until = Instant::now() + DEADLINE;
    loop {
        let ticks = host.ticks();
        pause(Duration::from_millis(100));
        let busy = host.ticks() - ticks;
        let more = host.memory().0.saturating_sub(memory) / 1024;
        let open = host.descriptors().saturating_sub(descriptors);
        if busy <= 5 && more <= LEFT && open <= DESCRIPTORS {
            return None;
        }
        if Instant::now() > until {
            return Some(format!(
                "afterwards it does not come to rest: {more} MiB more memory ({LEFT} are allowed), {open} more descriptors \
                 ({DESCRIPTORS}), {busy} hundredths of a second of processor time in the last tenth"
            ));
        }
    }
}
