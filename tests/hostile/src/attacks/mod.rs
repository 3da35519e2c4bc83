//! Attacks that have a name: each one thing that a server could take badly, done on purpose and a lot.
//!
//! An attack succeeds when it has been carried out, or when the server would not have it: what is judged is how everybody else
//! fares. So the end of an attacker's connection is never an error.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::spec::Spec;
use crate::values;
use crate::wire::{Arg, Conn, Global, Gone, Sent};

mod bytes;
mod memory;
mod objects;
mod roles;

/// Where an attack takes place.
pub struct Arena {
    /// The server.
    pub socket: PathBuf,
    /// What can be said.
    pub spec: Arc<Spec>,
    /// Requests are told on standard error.
    pub tells: bool,
}

/// An attack.
pub struct Attack {
    /// What it is called.
    pub name: &'static str,
    /// What is done.
    pub about: &'static str,
    /// Whether others lose the screen by right (a lock).
    pub takes_the_screen: bool,
    run: fn(&Arena) -> Sent<()>,
}

impl Attack {
    /// Carries it out. [`Gone::Absent`]: the server does not speak what this is about.
    ///
    /// # Errors
    /// How the last connection ended.
    pub fn run(&self, arena: &Arena) -> Sent<()> {
        (self.run)(arena)
    }
}

const fn attack(name: &'static str, about: &'static str, run: fn(&Arena) -> Sent<()>) -> Attack {
    Attack {
        name,
        about,
        takes_the_screen: false,
        run,
    }
}

/// All of them.
pub const ALL: [Attack; 36] = [
    attack(
        "half-message",
        "stops in the middle of a message, three hundred times",
        bytes::half_messages,
    ),
    attack(
        "lying-length",
        "messages that claim to be shorter or longer than they are",
        bytes::lying_lengths,
    ),
    attack("size-zero", "messages of size 0 to 7", bytes::size_zero),
    attack(
        "lying-string",
        "strings and arrays that claim up to 4 GiB",
        bytes::lying_strings,
    ),
    attack(
        "wrong-objects",
        "every request sent to every kind of wrong object id",
        bytes::wrong_objects,
    ),
    attack(
        "id-reuse",
        "new ids that are taken, far ahead, or the server's own",
        bytes::reused_ids,
    ),
    attack(
        "fd-flood",
        "forty thousand descriptors beside few bytes",
        bytes::fd_flood,
    ),
    attack(
        "fd-missing",
        "requests whose descriptor does not come",
        bytes::missing_fds,
    ),
    attack("noise", "random bytes", bytes::noise),
    attack(
        "thousand-connections",
        "1000 connections at once, each with a registry",
        bytes::thousand_connections,
    ),
    attack(
        "connect-and-go",
        "5000 connections that end at once",
        bytes::connect_and_go,
    ),
    attack(
        "never-reads",
        "fifty clients that ask and ask and never read",
        bytes::never_reads,
    ),
    attack(
        "never-pongs",
        "windows that never answer a ping or a configure",
        roles::never_pongs,
    ),
    attack(
        "giant-pools",
        "pools and buffers of INT_MAX, strides that overflow",
        memory::giant_buffers,
    ),
    attack(
        "truncated-pool",
        "memory cut short after it was attached",
        memory::truncated_pools,
    ),
    attack(
        "pool-resizes",
        "a pool that is resized ten thousand times",
        memory::pool_resizes,
    ),
    attack(
        "many-buffers",
        "a hundred thousand buffers in one pool",
        memory::many_buffers,
    ),
    attack(
        "dead-memory",
        "pools of pipes, sockets, folders and sealed memory",
        memory::dead_memory,
    ),
    attack(
        "huge-windows",
        "windows of 32,000 by 32,000 pixels and scales of millions",
        memory::huge_windows,
    ),
    attack(
        "ten-thousand-surfaces",
        "10,000 surfaces, each with a commit",
        objects::many_surfaces,
    ),
    attack(
        "thousand-windows",
        "1000 windows, mapped",
        objects::many_windows,
    ),
    attack(
        "deep-subsurfaces",
        "a tree of subsurfaces 8000 deep, mapped and torn down",
        objects::deep_subsurfaces,
    ),
    attack(
        "subsurface-cycles",
        "surfaces that are their own grandchildren",
        objects::subsurface_cycles,
    ),
    attack(
        "wide-subsurfaces",
        "5000 subsurfaces of one window, restacked",
        objects::wide_subsurfaces,
    ),
    attack(
        "popup-tower",
        "popups on popups, 2000 high, torn down from below",
        objects::popup_tower,
    ),
    attack(
        "callback-storm",
        "two hundred thousand frame callbacks",
        objects::callback_storm,
    ),
    attack(
        "commit-storm",
        "a hundred thousand commits",
        objects::commit_storm,
    ),
    attack(
        "region-storm",
        "regions of a hundred thousand rectangles",
        objects::region_storm,
    ),
    attack(
        "resize-storm",
        "a window that changes size with each of 2000 commits",
        roles::resize_storm,
    ),
    attack(
        "state-storm",
        "maximise, fullscreen, minimise, move, resize, titles, twenty thousand times",
        roles::state_storm,
    ),
    attack(
        "huge-strings",
        "titles, app ids, mime types and tokens of four thousand bytes",
        roles::huge_strings,
    ),
    attack(
        "drag-nonsense",
        "drags without pointers, sources used twice, offers read into closed pipes",
        roles::drags,
    ),
    attack(
        "input-method",
        "grabs of everything that can be grabbed",
        roles::input_methods,
    ),
    attack(
        "layers",
        "layer surfaces of absurd sizes, margins and zones, a thousand",
        roles::layers,
    ),
    attack(
        "wrong-captures",
        "screenshots into buffers that do not fit, and abandoned ones",
        roles::captures,
    ),
    Attack {
        name: "session-lock",
        about: "locks over locks, lock surfaces without buffers, unlocks of what is not locked",
        takes_the_screen: true,
        run: roles::locks,
    },
];

/// What an attacker has bound.
pub struct Attacker {
    /// Its connection.
    pub conn: Conn,
    registry: u32,
    globals: Vec<Global>,
    bound: BTreeMap<String, u32>,
}

impl Arena {
    /// A connection on which nothing was said.
    pub fn connect(&self) -> Sent<Conn> {
        let mut conn = Conn::open(&self.socket, &self.spec).map_err(|_| Gone::Closed)?;
        conn.tells = self.tells;
        Ok(conn)
    }

    /// A connection that knows the globals.
    pub fn attacker(&self) -> Sent<Attacker> {
        let mut conn = self.connect()?;
        let (registry, globals) = conn.globals()?;
        Ok(Attacker {
            conn,
            registry,
            globals,
            bound: BTreeMap::new(),
        })
    }

    /// Does this on a connection of its own; that the server ends it is its good right.
    pub fn apart(&self, act: impl FnOnce(&mut Attacker) -> Sent<()>) -> Sent<()> {
        match self.attacker().and_then(|mut attacker| act(&mut attacker)) {
            Err(Gone::Closed) => Ok(()),
            other => other,
        }
    }
}

impl Attacker {
    /// Binds a global; [`Gone::Absent`] where there is none, which ends the attack.
    pub fn global(&mut self, wanted: &str) -> Sent<u32> {
        if let Some(known) = self.bound.get(wanted) {
            return Ok(*known);
        }
        let found = self
            .globals
            .iter()
            .find(|(_, interface, _)| interface == wanted);
        let (name, interface, version) = found.ok_or(Gone::Absent)?.clone();
        let object = self.conn.bind(self.registry, name, &interface, version)?;
        self.bound.insert(interface, object);
        Ok(object)
    }

    /// Another surface.
    pub fn surface(&mut self) -> Sent<u32> {
        let compositor = self.global("wl_compositor")?;
        self.conn.call(compositor, "create_surface", vec![])
    }

    /// A pool over memory of this size.
    pub fn pool(&mut self, size: i32) -> Sent<u32> {
        let shm = self.global("wl_shm")?;
        let fd = values::memory(size.unsigned_abs().into()).map_err(|_| Gone::Closed)?;
        self.conn
            .call(shm, "create_pool", vec![Arg::Fd(fd), Arg::Int(size)])
    }

    /// A buffer of a pool.
    pub fn buffer(&mut self, pool: u32, width: i32, height: i32) -> Sent<u32> {
        let stride = width.wrapping_mul(4);
        let shape = [0, width, height, stride, 0].map(Arg::Int);
        self.conn.call(pool, "create_buffer", Vec::from(shape))
    }

    /// Shows a buffer.
    pub fn show(&mut self, surface: u32, buffer: u32) -> Sent<()> {
        let args = vec![Arg::Object(buffer), Arg::Int(0), Arg::Int(0)];
        self.conn.call(surface, "attach", args)?;
        let damage = [0, 0, i32::MAX, i32::MAX].map(Arg::Int);
        self.conn.call(surface, "damage", Vec::from(damage))?;
        self.conn.call(surface, "commit", vec![]).map(|_| ())
    }

    /// A surface that is to become a window: surface, xdg_surface, xdg_toplevel.
    pub fn toplevel(&mut self) -> Sent<(u32, u32, u32)> {
        let shell = self.global("xdg_wm_base")?;
        let surface = self.surface()?;
        let xdg = self
            .conn
            .call(shell, "get_xdg_surface", vec![Arg::Object(surface)])?;
        let toplevel = self.conn.call(xdg, "get_toplevel", vec![])?;
        self.conn.call(surface, "commit", vec![])?;
        Ok((surface, xdg, toplevel))
    }

    /// Acknowledges every configure that was heard.
    pub fn acknowledge(&mut self) -> Sent<()> {
        self.conn.round_trip()?;
        for event in std::mem::take(&mut self.conn.events) {
            let alive = self.conn.object(event.object).is_some_and(|k| k.alive);
            let is_shell = [
                "xdg_surface",
                "zwlr_layer_surface_v1",
                "ext_session_lock_surface_v1",
            ];
            if event.name == "configure" && alive && is_shell.contains(&event.interface.as_str()) {
                let serial = Arg::Uint(event.word(0));
                self.conn
                    .call(event.object, "ack_configure", vec![serial])?;
            }
        }
        Ok(())
    }

    /// A window of this size, shown: surface, xdg_surface, xdg_toplevel.
    pub fn window(&mut self, width: i32, height: i32) -> Sent<(u32, u32, u32)> {
        let window = self.toplevel()?;
        self.acknowledge()?;
        let pool = self.pool(width * height * 4)?;
        let buffer = self.buffer(pool, width, height)?;
        self.show(window.0, buffer)?;
        self.conn.round_trip()?;
        Ok(window)
    }
}
