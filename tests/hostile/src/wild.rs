//! Clients that say whatever the XML allows, at random: the same for the same seed as long as the server answers the same.
//!
//! A client that only errs is thrown out at its first word. So each seed has a temper: how often an argument is what a sane
//! client would send; between random requests whole idioms are played (a window, a popup, a grab), and a request that the client
//! was thrown out for is sent less often afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::idioms;
use crate::rng::Rng;
use crate::spec::{Argument, Kind, Spec};
use crate::values;
use crate::wire::{Arg, Conn, Global, Gone, Sent};

/// Requests after which other clients are not drawn any more, by right.
const TAKES_THE_SCREEN: [&str; 6] = [
    "ext_session_lock_manager_v1.lock",
    "zwlr_output_power_v1.set_mode",
    "zwlr_output_configuration_v1.apply",
    "zwlr_output_configuration_head_v1.set_mode",
    "ext_workspace_handle_v1.remove",
    "ext_workspace_group_handle_v1.create_workspace",
];

/// A connection has no more living objects than this.
const MOST_OBJECTS: usize = 3000;

/// What a seed came to.
#[derive(Debug, Default, Clone, Copy)]
pub struct Played {
    /// Requests sent.
    pub requests: usize,
    /// Connections used.
    pub connections: usize,
    /// Connections that the server ended.
    pub thrown_out: usize,
    /// Whether somebody may have taken the screen from everybody.
    pub screen_taken: bool,
    /// Whether the server stopped reading or answering.
    pub stuck: bool,
}

/// A client.
pub struct Wild {
    /// Its connection.
    pub conn: Conn,
    /// Its whims.
    pub rng: Rng,
    /// How many arguments in a thousand are sane.
    pub sane: u32,
    spec: Arc<Spec>,
    registry: u32,
    globals: Vec<Global>,
    /// How seldom a request is sent: one in so many times.
    grudges: BTreeMap<(String, String), u32>,
    /// What was sent since the last answer.
    batch: BTreeSet<(String, String)>,
    played: Played,
}

/// Plays a seed to its end.
pub fn play(socket: &Path, spec: &Arc<Spec>, seed: u64, tells: bool) -> Played {
    let mut rng = Rng::new(seed);
    let sane = [0, 500, 900, 970, 990, 1000]
        .get(rng.below(6))
        .copied()
        .unwrap_or(0);
    let mut left = [60, 300, 1500].get(rng.below(3)).copied().unwrap_or(60);
    let mut grudges = BTreeMap::new();
    let mut total = Played::default();
    while left > 0 && total.connections < 40 {
        let Ok(mut conn) = Conn::open(socket, spec) else {
            break;
        };
        conn.tells = tells;
        conn.pongs = rng.chance(800);
        total.connections += 1;
        let mut wild = Wild {
            conn,
            rng: Rng::new(rng.draw()),
            sane,
            spec: spec.clone(),
            registry: 0,
            globals: Vec::new(),
            grudges: std::mem::take(&mut grudges),
            batch: BTreeSet::new(),
            played: Played::default(),
        };
        let end = wild.live(left);
        wild.bear_a_grudge(tells);
        total.requests += wild.played.requests;
        total.screen_taken |= wild.played.screen_taken;
        left = left.saturating_sub(wild.played.requests.max(10));
        match end {
            Ok(()) => wild.leave(),
            Err(Gone::Closed | Gone::Absent) => total.thrown_out += 1,
            Err(Gone::Stuck) => {
                total.stuck = true;
                break;
            }
        }
        grudges = wild.grudges;
    }
    total
}

impl Wild {
    fn live(&mut self, steps: usize) -> Sent<()> {
        (self.registry, self.globals) = self.conn.globals()?;
        for (name, interface, version) in self.globals.clone() {
            if self.rng.chance(950) && self.dares("bind", &interface) {
                self.conn.bind(self.registry, name, &interface, version)?;
            }
        }
        self.conn.round_trip()?;
        while self.played.requests < steps {
            self.batch.clear();
            for _ in 0..=self.rng.below(30) {
                if self.rng.chance(self.sane / 3) {
                    idioms::play_one(self)?;
                    self.played.requests += 1;
                } else {
                    self.any_request()?;
                }
            }
            if self.rng.chance(800) {
                self.conn.round_trip()?;
                self.played.screen_taken |= self.heard_of_lock();
                if self.rng.chance(self.sane.max(300)) {
                    idioms::acknowledge(self)?;
                }
            } else {
                self.conn.flush()?;
            }
        }
        self.conn.round_trip().map(|_| ())
    }

    fn heard_of_lock(&self) -> bool {
        self.conn
            .events
            .iter()
            .any(|e| e.interface == "ext_session_lock_v1")
    }

    /// Goes as clients go: in the middle of a word, or in order.
    fn leave(&mut self) {
        if self.rng.chance(300) {
            let half = [1u32, 0x0010_0001].map(u32::to_ne_bytes).concat();
            let keep = self.rng.below(8);
            self.conn
                .put_raw(half.get(..keep).unwrap_or_default(), vec![]);
            let _ = self.conn.flush();
        }
    }

    fn bear_a_grudge(&mut self, tells: bool) {
        let Some(blame) = &self.conn.blame else {
            return;
        };
        if tells {
            eprintln!("  thrown out: {blame}");
        }
        let interface = self
            .conn
            .object(blame.object)
            .map(|k| k.interface.name.clone());
        for what in &self.batch {
            let guilty = interface.as_ref().is_none_or(|i| match what.0.as_str() {
                "idiom" => true,
                "bind" => *i == what.1,
                other => *i == other,
            });
            if guilty && self.grudges.len() < 1000 {
                let grudge = self.grudges.entry(what.clone()).or_insert(1);
                *grudge = (*grudge * 3).min(1000);
            }
        }
    }

    /// Whether something is to be sent this time, which it is seldom after it has ended connections. It is remembered.
    pub fn dares(&mut self, interface: &str, request: &str) -> bool {
        let key = (interface.to_owned(), request.to_owned());
        let grudge = self.grudges.get(&key).copied().unwrap_or(1);
        let dares = self.rng.below(grudge as usize) == 0;
        if dares {
            self.batch.insert(key);
        }
        dares
    }

    /// Sends a request of an object, both drawn by lot; sometimes none.
    fn any_request(&mut self) -> Sent<()> {
        // Each kind of object has the same chance, however many there are of it.
        let kinds: BTreeSet<String> = self
            .conn
            .living()
            .filter(|(_, known)| !known.interface.requests.is_empty())
            .map(|(_, known)| known.interface.name.clone())
            .collect();
        let kinds: Vec<String> = kinds.into_iter().collect();
        let Some(kind) = self.rng.pick(&kinds).cloned() else {
            return Ok(());
        };
        let all = self.conn.all(&kind);
        let Some(&object) = self.rng.pick(&all) else {
            return Ok(());
        };
        let Some(known) = self.conn.object(object).cloned() else {
            return Ok(());
        };
        let Some(message) = self.rng.pick(&known.interface.requests).cloned() else {
            return Ok(());
        };
        self.played.requests += 1;
        let creates = message
            .arguments
            .iter()
            .any(|a| matches!(a.kind, Kind::NewId(_)));
        let wilful = self.rng.chance(1000 - self.sane);
        if (message.since > known.version && !wilful)
            || (message.destroys && !self.rng.chance(150))
            || (creates && self.conn.living().count() > MOST_OBJECTS)
            || !self.dares(&kind, &message.name)
        {
            return Ok(());
        }
        let full = format!("{kind}.{}", message.name);
        if TAKES_THE_SCREEN.contains(&full.as_str()) {
            if !self.rng.chance(100) {
                return Ok(());
            }
            self.played.screen_taken = true;
        }
        let mut args = Vec::new();
        for argument in &message.arguments {
            match self.argument(&kind, argument) {
                Some(Some(arg)) => args.push(arg),
                Some(None) => {}
                None => return Ok(()),
            }
        }
        self.conn.call(object, &message.name, args).map(|_| ())
    }

    /// An argument. `Some(None)`: the connection finds a new id itself. `None`: there is nothing that would do.
    fn argument(&mut self, interface: &str, argument: &Argument) -> Option<Option<Arg>> {
        let wild = !self.rng.chance(self.sane);
        Some(Some(match &argument.kind {
            Kind::NewId(Some(_)) => {
                if wild && self.rng.chance(100) {
                    Arg::Id(self.any_id())
                } else {
                    return Some(None);
                }
            }
            Kind::NewId(None) => return self.a_global().map(Some),
            Kind::Object(target, nullable) => {
                Arg::Object(self.object_for(target.as_deref(), *nullable, wild)?)
            }
            Kind::Fd => Arg::Fd(values::descriptor(&mut self.rng).ok()?),
            Kind::Array => Arg::Array(values::array(&mut self.rng)),
            Kind::Text(nullable) => {
                if self
                    .rng
                    .chance(if *nullable { 200 } else { u32::from(wild) * 50 })
                {
                    Arg::NoText
                } else {
                    Arg::Text(values::text(&mut self.rng, wild))
                }
            }
            Kind::Fixed => {
                let whole = if wild {
                    values::wild_int(&mut self.rng)
                } else {
                    self.rng.between(-10, 900)
                };
                Arg::Int(if wild { whole } else { whole * 256 })
            }
            Kind::Int | Kind::Uint => Arg::Int(self.number(interface, argument, wild)),
        }))
    }

    fn number(&mut self, interface: &str, argument: &Argument, wild: bool) -> i32 {
        if wild {
            return values::wild_int(&mut self.rng);
        }
        if argument.name == "serial"
            && let Some(serial) = self.rng.pick(&self.conn.serials)
        {
            return serial.cast_signed();
        }
        if interface == "wl_registry" && argument.name == "name" {
            return self
                .rng
                .pick(&self.globals)
                .map_or(0, |g| g.0.cast_signed());
        }
        if let Some(values) = argument.values.as_ref().and_then(|v| self.spec.values(v)) {
            let mut one = || self.rng.pick(&values.known).copied().unwrap_or(0);
            let picked = if values.bits { one() | one() } else { one() };
            return picked.cast_signed();
        }
        values::sane_int(&mut self.rng, &argument.name)
    }

    fn a_global(&mut self) -> Option<Arg> {
        let (_, interface, version) = self.rng.pick(&self.globals)?.clone();
        let known = self.spec.interface(&interface).map_or(1, |i| i.version);
        Some(Arg::Bind(interface.into_bytes(), version.min(known), 0))
    }

    fn object_for(&mut self, interface: Option<&str>, nullable: bool, wild: bool) -> Option<u32> {
        if nullable && self.rng.chance(150) {
            return Some(0);
        }
        if wild && self.rng.chance(200) {
            return Some(self.any_id());
        }
        let right = match interface {
            Some(interface) => self.conn.all(interface),
            None => self.conn.living().map(|(id, _)| id).collect(),
        };
        let picked = self.rng.pick(&right).copied();
        picked
            .or(nullable.then_some(0))
            .or_else(|| wild.then(|| self.any_id()))
    }

    fn any_id(&mut self) -> u32 {
        const ODD: [u32; 7] = [0, 1, 2, 0xfeff_ffff, 0xff00_0000, 0xff00_0001, u32::MAX];
        match self.rng.below(4) {
            0 => self.rng.pick(&ODD).copied().unwrap_or(0),
            1 => self.rng.word(),
            _ => {
                let living: Vec<u32> = self.conn.living().map(|(id, _)| id).collect();
                self.rng.pick(&living).copied().unwrap_or(0)
            }
        }
    }

    /// The first global object of an interface, if it was bound.
    pub fn global(&self, interface: &str) -> Option<u32> {
        self.conn.all(interface).first().copied()
    }

    /// Any object of an interface.
    pub fn some(&mut self, interface: &str) -> Option<u32> {
        let all = self.conn.all(interface);
        self.rng.pick(&all).copied()
    }
}
