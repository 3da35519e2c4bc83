//! A window with fifty subsurfaces, all of which change with every frame; the same client for everybody.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use overwinter_hostile::host::Host;
use overwinter_hostile::spec::Spec;
use overwinter_hostile::values;
use overwinter_hostile::wire::{Arg, Conn, Gone, Sent};

const CHILDREN: i32 = 50;
const SIDE: i32 = 48;
const WIDTH: i32 = 640;
const HEIGHT: i32 = 400;
const WARM_UP: u32 = 20;
const FRAMES: u32 = 120;
const PATIENCE: Duration = Duration::from_secs(10);

/// Processor time of the compositor for one such frame, in µs.
pub fn frame(host: &Host, spec: &Arc<Spec>) -> Result<f64> {
    let mut conn = Conn::open(&host.socket, spec)?;
    let failed = |gone: Gone| anyhow!("the animated window: {gone:?}");
    let mut stage = Animated::open(&mut conn).map_err(failed)?;
    for _ in 0..WARM_UP {
        stage.next(&mut conn).map_err(failed)?;
    }
    let before = spent(host.pid())?;
    for _ in 0..FRAMES {
        stage.next(&mut conn).map_err(failed)?;
    }
    let time = spent(host.pid())? - before;
    if let Some(blame) = &conn.blame {
        return Err(anyhow!("the animated window: {blame}"));
    }
    Ok(time.as_secs_f64() * 1e6 / f64::from(FRAMES))
}

/// Processor time of all threads, to the nanosecond.
fn spent(pid: u32) -> Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let number: Option<u64> = text.split_whitespace().next().and_then(|n| n.parse().ok());
        nanos += number.context("schedstat says nothing")?;
    }
    ensure!(nanos > 0, "it has used no processor time at all");
    Ok(Duration::from_nanos(nanos))
}

struct Animated {
    root: u32,
    /// Each with two buffers of different colours.
    children: Vec<(u32, [u32; 2])>,
    turn: usize,
}

impl Animated {
    fn open(conn: &mut Conn) -> Sent<Animated> {
        let (registry, globals) = conn.globals()?;
        let mut bound = |wanted: &str| {
            let found = globals.iter().find(|(_, name, _)| name == wanted);
            let (name, interface, version) = found.ok_or(Gone::Absent)?;
            conn.bind(registry, *name, interface, *version)
        };
        let compositor = bound("wl_compositor")?;
        let (shell, shm, maker) = (
            bound("xdg_wm_base")?,
            bound("wl_shm")?,
            bound("wl_subcompositor")?,
        );
        let root = conn.call(compositor, "create_surface", vec![])?;
        let xdg = conn.call(shell, "get_xdg_surface", vec![Arg::Object(root)])?;
        conn.call(xdg, "get_toplevel", vec![])?;
        conn.call(root, "commit", vec![])?;
        let start = Instant::now();
        while !conn.events.iter().any(|e| e.object == xdg) {
            conn.round_trip()?;
            if start.elapsed() > PATIENCE {
                return Err(Gone::Stuck);
            }
        }
        let serial = conn
            .events
            .iter()
            .rev()
            .find(|e| e.object == xdg)
            .map_or(0, |e| e.word(0));
        conn.call(xdg, "ack_configure", vec![Arg::Uint(serial)])?;
        let ground = buffer(conn, shm, WIDTH, HEIGHT, 0x40)?;
        let mut children = Vec::new();
        for n in 0..CHILDREN {
            let surface = conn.call(compositor, "create_surface", vec![])?;
            let sub = conn.call(
                maker,
                "get_subsurface",
                vec![Arg::Object(surface), Arg::Object(root)],
            )?;
            let place = [n % 10 * 60 + 10, n / 10 * 75 + 10].map(Arg::Int);
            conn.call(sub, "set_position", Vec::from(place))?;
            let buffers = [
                buffer(conn, shm, SIDE, SIDE, 0x80)?,
                buffer(conn, shm, SIDE, SIDE, 0xf0)?,
            ];
            children.push((surface, buffers));
        }
        show(conn, root, ground, WIDTH, HEIGHT)?;
        Ok(Animated {
            root,
            children,
            turn: 0,
        })
    }

    /// Changes everything and waits until it is drawn.
    fn next(&mut self, conn: &mut Conn) -> Sent<()> {
        self.turn += 1;
        for (surface, buffers) in &self.children {
            let buffer = buffers.get(self.turn % 2).copied().unwrap_or(0);
            show(conn, *surface, buffer, SIDE, SIDE)?;
        }
        let callback = conn.call(self.root, "frame", vec![])?;
        conn.call(self.root, "commit", vec![])?;
        conn.flush()?;
        conn.await_done(callback, Instant::now(), PATIENCE)
            .map(|_| ())
    }
}

fn buffer(conn: &mut Conn, shm: u32, width: i32, height: i32, shade: u8) -> Sent<u32> {
    let size = width * height * 4;
    let bytes = vec![shade; usize::try_from(size).unwrap_or(0)];
    let fd = values::memory_with(&bytes).map_err(|_| Gone::Absent)?;
    let pool = conn.call(shm, "create_pool", vec![Arg::Fd(fd), Arg::Int(size)])?;
    let shape = [0, width, height, width * 4, 1].map(Arg::Int);
    let buffer = conn.call(pool, "create_buffer", Vec::from(shape))?;
    conn.call(pool, "destroy", vec![])?;
    Ok(buffer)
}

fn show(conn: &mut Conn, surface: u32, buffer: u32, width: i32, height: i32) -> Sent<()> {
    let args = vec![Arg::Object(buffer), Arg::Int(0), Arg::Int(0)];
    conn.call(surface, "attach", args)?;
    let damage = [0, 0, width, height].map(Arg::Int);
    conn.call(surface, "damage", Vec::from(damage))?;
    conn.call(surface, "commit", vec![]).map(|_| ())
}
