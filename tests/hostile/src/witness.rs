//! A well-behaved client. While others rage it asks the server again and again to answer; afterwards it opens a window and waits
//! until that is drawn.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::host::pause;
use crate::spec::Spec;
use crate::values;
use crate::wire::{Arg, Conn, Gone};

/// How long an honest client may be kept waiting, by a debug build on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// Time from question to question.
const BEAT: Duration = Duration::from_millis(20);

/// One that asks.
pub struct Witness {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Duration, Gone>>,
}

impl Witness {
    /// Begins to ask.
    ///
    /// # Errors
    /// When it cannot connect.
    pub fn start(socket: &Path, spec: &Arc<Spec>) -> Result<Witness> {
        let mut conn = Conn::open(socket, spec).context("the witness cannot connect")?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut worst = Duration::ZERO;
            loop {
                worst = worst.max(conn.round_trip_within(DEADLINE)?);
                if stopped.load(Ordering::Relaxed) {
                    return Ok(worst);
                }
                pause(BEAT);
            }
        });
        Ok(Witness { stop, thread })
    }

    /// Asks a last time. The longest that an answer took.
    ///
    /// # Errors
    /// What became of it.
    pub fn finish(self) -> Result<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(Ok(worst)) => Ok(worst),
            Ok(Err(Gone::Closed | Gone::Absent)) => Err(anyhow!("the witness was thrown out")),
            Ok(Err(Gone::Stuck)) => Err(anyhow!("the witness had no answer for {DEADLINE:?}")),
            Err(_) => Err(anyhow!("the witness panicked")),
        }
    }
}

/// Opens a window on a fresh connection and waits until it is drawn. How long that took.
///
/// # Errors
/// What went wrong.
pub fn sees_a_frame(socket: &Path, spec: &Arc<Spec>) -> Result<Duration> {
    let until = Instant::now() + DEADLINE;
    loop {
        let mut conn = Conn::open(socket, spec).context("nobody can connect any more")?;
        let gone = match frame(&mut conn) {
            Ok(time) => return Ok(time),
            Err(gone) => gone,
        };
        let blame = conn.blame.as_ref().map(|b| format!(": {b}"));
        match gone {
            Gone::Stuck => bail!("a new window was not drawn within {DEADLINE:?}"),
            // Turned away without a word: what the flood left is still being cleared away.
            Gone::Closed if blame.is_none() && Instant::now() < until => pause(BEAT),
            Gone::Closed | Gone::Absent => {
                bail!(
                    "a window that behaved was thrown out{}",
                    blame.unwrap_or_default()
                )
            }
        }
    }
}

fn frame(conn: &mut Conn) -> Result<Duration, Gone> {
    const SIZE: i32 = 64;
    let start = Instant::now();
    let (registry, globals) = conn.globals()?;
    let mut bound = |wanted: &str| {
        let found = globals.iter().find(|(_, name, _)| name == wanted);
        found.map_or(Ok(0), |(name, interface, version)| {
            conn.bind(registry, *name, interface, *version)
        })
    };
    let (compositor, shell, shm) = (
        bound("wl_compositor")?,
        bound("xdg_wm_base")?,
        bound("wl_shm")?,
    );
    let surface = conn.call(compositor, "create_surface", vec![])?;
    let xdg = conn.call(shell, "get_xdg_surface", vec![Arg::Object(surface)])?;
    let toplevel = conn.call(xdg, "get_toplevel", vec![])?;
    conn.call(toplevel, "set_title", vec![Arg::text("witness")])?;
    conn.call(surface, "commit", vec![])?;
    conn.flush()?;
    let serial = loop {
        if let Some(event) = conn.events.iter().find(|e| e.object == xdg) {
            break event.word(0);
        }
        if start.elapsed() > DEADLINE {
            return Err(Gone::Stuck);
        }
        conn.wait(false, Duration::from_millis(100))?;
    };
    conn.call(xdg, "ack_configure", vec![Arg::Uint(serial)])?;
    let bytes = SIZE * SIZE * 4;
    let Ok(memory) = values::memory(bytes.unsigned_abs().into()) else {
        return Err(Gone::Closed);
    };
    let pool = conn.call(shm, "create_pool", vec![Arg::Fd(memory), Arg::Int(bytes)])?;
    let shape = [0, SIZE, SIZE, SIZE * 4, 1].map(Arg::Int);
    let buffer = conn.call(pool, "create_buffer", Vec::from(shape))?;
    conn.call(
        surface,
        "attach",
        vec![Arg::Object(buffer), Arg::Int(0), Arg::Int(0)],
    )?;
    let damage = [0, 0, SIZE, SIZE].map(Arg::Int);
    conn.call(surface, "damage", Vec::from(damage))?;
    let callback = conn.call(surface, "frame", vec![])?;
    conn.call(surface, "commit", vec![])?;
    conn.flush()?;
    conn.await_done(callback, start, DEADLINE)
}
