//! A world to try the heart in: hosts with disks that keep only what was synced, apps with moods, a screen, streams that
//! break. Everything that would be concurrent is a lane: first in, first out within it, any order between lanes. Nothing
//! happens but by a step of one lane or of the clock, so a run is replayed by its seed.

#![allow(dead_code, reason = "each test file uses its own part of the world")]

pub mod app;
pub mod check;
pub mod disk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use overwinter_session::event::{FromApp, Present};
use overwinter_session::ids::*;
use overwinter_session::proto::transfer::Message;
use overwinter_session::{
    Choice, Config, Effect, Event, GroupResult, Outcome, Session, ShellEffect, StoreReply,
    StoreRequest, ToApp,
};

use app::{App, Content, Mood};
use disk::Disk;

pub const APP: &str = "org.overwinter.Editor";

/// Small, good, and the same everywhere (SplitMix64, public domain algorithm by S. Vigna).
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % sides.max(1) as u64) as usize
    }
}

/// Things that wait their turn in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lane {
    Store(usize, GroupId),
    StoreReply(usize, GroupId),
    ToApp(usize, InstanceId),
    FromApp(usize, InstanceId),
    Launcher(usize),
    Shell(usize),
    /// Bytes on their way to a host on a stream.
    Stream(usize, PeerId),
}

#[derive(Clone, Debug)]
pub enum Item {
    Store(StoreId, StoreRequest, Option<Content>),
    Tell(Event),
    ToApp(ToApp, Option<Content>),
    Register,
    Says(FromApp, Option<Content>),
    Gone(InstanceId),
    Start {
        launch: LaunchId,
        build: Option<String>,
    },
    End(InstanceId),
    Message(Message, Option<Content>),
    Close,
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Host {
    pub session: Option<Session>,
    pub incarnation: u32,
    pub disk: Disk,
    pub apps: BTreeMap<InstanceId, App>,
    pub on_disk: Build,
    pub kept: BTreeMap<String, Build>,
    pub choices: BTreeMap<String, Choice>,
    pub payloads: BTreeMap<PayloadId, Content>,
    pub screen: Screen,
    /// Mood of apps that start from now on.
    pub mood: Mood,
    pub fences_answer: bool,
    pub starts_fail: bool,
}

/// What stands on a screen.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    pub ghosts: BTreeSet<GroupId>,
    pub shown: BTreeMap<GroupId, CopyId>,
}

/// Two ends of one stream: (host, its name for it).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Link {
    pub a: (usize, PeerId),
    pub b: (usize, PeerId),
}

#[derive(Clone, Debug)]
pub struct World {
    pub now: Instant,
    pub hosts: Vec<Host>,
    pub lanes: BTreeMap<Lane, VecDeque<Item>>,
    pub links: Vec<Link>,
    /// Ends that were closed from their own side: what still arrives there is read by nobody.
    pub closed: BTreeSet<(usize, PeerId)>,
    pub dice: Dice,
    pub next: u64,
    /// Steps of lanes so far.
    pub steps: u64,
    /// What the app of a group was told is stored: the newest such content.
    pub acknowledged: BTreeMap<GroupId, Content>,
    /// Groups that the user ended, or that ended with nothing stored.
    pub ended: BTreeSet<GroupId>,
    /// Groups of which a stored generation was destroyed on purpose.
    pub damaged: BTreeSet<GroupId>,
    pub results: BTreeMap<OperationId, (bool, Vec<GroupResult>)>,
    pub asked: BTreeSet<(usize, OperationId)>,
    pub notices: Vec<String>,
    /// The last things that happened, for a failing run's reader.
    pub log: VecDeque<String>,
}

pub fn build(version: &str) -> Build {
    Build {
        version: version.to_owned(),
        id: format!("b{version}"),
    }
}

impl World {
    pub fn new(hosts: usize, seed: u64) -> World {
        let mut world = World {
            now: Instant(1_000),
            hosts: Vec::new(),
            lanes: BTreeMap::new(),
            links: Vec::new(),
            closed: BTreeSet::new(),
            dice: Dice(seed),
            next: 0,
            steps: 0,
            acknowledged: BTreeMap::new(),
            ended: BTreeSet::new(),
            damaged: BTreeSet::new(),
            results: BTreeMap::new(),
            asked: BTreeSet::new(),
            notices: Vec::new(),
            log: VecDeque::new(),
        };
        for index in 0..hosts {
            let kept = [build("1.0"), build("2.0")].map(|b| (b.id.clone(), b));
            world.hosts.push(Host {
                session: Some(Session::new(config(index, 1))),
                incarnation: 1,
                disk: Disk::default(),
                apps: BTreeMap::new(),
                on_disk: build("1.0"),
                kept: kept.into(),
                choices: BTreeMap::new(),
                payloads: BTreeMap::new(),
                screen: Screen::default(),
                mood: Mood::Honest,
                fences_answer: true,
                starts_fail: false,
            });
            let build = build("1.0");
            let app = APP.to_owned();
            world.tell(index, Event::BuildOnDisk { app, build });
        }
        world
    }

    pub fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn say(&mut self, line: String) {
        if self.log.len() > 400 {
            self.log.pop_front();
        }
        self.log.push_back(line);
    }

    pub fn push(&mut self, lane: Lane, item: Item) {
        self.lanes.entry(lane).or_default().push_back(item);
    }

    /// One event into one session, checked, and what it wants carried on.
    pub fn tell(&mut self, host: usize, event: Event) {
        let line = format!("{} {host} ← {event:?}", self.now.0);
        self.say(line);
        let now = self.now;
        let Some(session) = self.hosts[host].session.as_mut() else {
            return;
        };
        let effects = session.step(now, event);
        let checked = session.verify_invariants();
        if let Err(violation) = checked {
            self.fail(&violation.to_string());
        }
        self.route(host, effects);
        self.check_always();
    }

    pub fn route(&mut self, host: usize, effects: Vec<Effect>) {
        for effect in effects {
            let line = format!("{} {host} → {effect:?}", self.now.0);
            self.say(line);
            self.route_one(host, effect);
        }
    }

    fn route_one(&mut self, host: usize, effect: Effect) {
        match effect {
            Effect::Send { instance, message } => {
                let content = match &message {
                    ToApp::Restore { state, .. } => Some(self.use_payload(host, *state)),
                    _ => None,
                };
                if self.hosts[host].apps.contains_key(&instance) {
                    self.push(Lane::ToApp(host, instance), Item::ToApp(message, content));
                }
            }
            Effect::Store { id, request } => {
                let group = disk::group_of(&request);
                let content = match &request {
                    StoreRequest::Write { payload, .. } => Some(self.use_payload(host, *payload)),
                    _ => None,
                };
                self.push(Lane::Store(host, group), Item::Store(id, request, content));
            }
            Effect::Start { launch, build, .. } => {
                self.push(Lane::Launcher(host), Item::Start { launch, build });
            }
            Effect::End { instance } => self.push(Lane::Launcher(host), Item::End(instance)),
            Effect::Freeze { .. } => {}
            Effect::Shell(effect) => self.shell(host, effect),
            Effect::Peer { peer, message } => {
                self.check_said(host, &message);
                self.send_to_peer(host, peer, message, None);
            }
            Effect::ClosePeer { peer } => self.hang_up(host, peer),
            Effect::Progress {
                operation,
                ended,
                results,
            } => {
                if self
                    .results
                    .get(&operation)
                    .is_some_and(|(ended, _)| *ended)
                {
                    self.fail(&format!("{operation:?} has ended twice"));
                }
                self.results.insert(operation, (ended, results));
            }
            Effect::DropPayload(payload) => {
                self.use_payload(host, payload);
            }
            Effect::Remember { app, choice } => {
                self.hosts[host].choices.insert(app, choice);
            }
            Effect::Notice { text, .. } => self.notices.push(text),
        }
    }

    fn use_payload(&mut self, host: usize, payload: PayloadId) -> Content {
        match self.hosts[host].payloads.remove(&payload) {
            Some(content) => content,
            None => self.fail(&format!("{payload:?} was used up before")),
        }
    }

    fn shell(&mut self, host: usize, effect: ShellEffect) {
        let fences = self.hosts[host].fences_answer;
        let screen = &mut self.hosts[host].screen;
        match effect {
            ShellEffect::Fence { group, op, .. } if fences => {
                self.push(
                    Lane::Shell(host),
                    Item::Tell(Event::FenceDone { group, op }),
                );
            }
            ShellEffect::Fence { .. } => {}
            ShellEffect::ShowGhost { group } | ShellEffect::PlaceGhost { group, .. } => {
                screen.ghosts.insert(group);
                screen.shown.remove(&group);
            }
            ShellEffect::DropGhost { group } => {
                screen.ghosts.remove(&group);
            }
            ShellEffect::Swap { group, copy } => {
                screen.ghosts.remove(&group);
                screen.shown.insert(group, copy);
                self.push(Lane::Shell(host), Item::Tell(Event::Shown { group }));
            }
            ShellEffect::Waking { .. } | ShellEffect::WakeFailed { .. } => {}
            ShellEffect::Forget { group } => {
                screen.ghosts.remove(&group);
                screen.shown.remove(&group);
            }
        }
    }

    // ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────────

    pub fn other_end(&self, host: usize, peer: PeerId) -> Option<(usize, PeerId)> {
        self.links.iter().find_map(|link| match *link {
            Link { a, b } if a == (host, peer) => Some(b),
            Link { a, b } if b == (host, peer) => Some(a),
            _ => None,
        })
    }

    pub fn send_to_peer(
        &mut self,
        host: usize,
        peer: PeerId,
        message: Message,
        content: Option<Content>,
    ) {
        if let Some((to, there)) = self.other_end(host, peer) {
            self.push(Lane::Stream(to, there), Item::Message(message, content));
        }
    }

    fn hang_up(&mut self, host: usize, peer: PeerId) {
        if let Some((to, there)) = self.other_end(host, peer) {
            self.push(Lane::Stream(to, there), Item::Close);
            self.lanes.remove(&Lane::Stream(host, peer));
            self.closed.insert((host, peer));
        }
    }

    /// A cable is pulled: what is under way is lost from some point on.
    pub fn break_stream(&mut self, link: Link) {
        self.links.retain(|l| *l != link);
        for (host, peer) in [link.a, link.b] {
            if let Some(lane) = self.lanes.get_mut(&Lane::Stream(host, peer)) {
                let keep = self.dice.roll(lane.len() + 1);
                lane.truncate(keep);
                lane.push_back(Item::Close);
            } else {
                self.push(Lane::Stream(host, peer), Item::Close);
            }
        }
    }

    /// `move --to` from one host to another. Empty: all.
    pub fn move_groups(&mut self, from: usize, to: usize, groups: Vec<GroupId>) -> OperationId {
        let (a, b) = (PeerId(self.fresh()), PeerId(self.fresh()));
        self.links.push(Link {
            a: (from, a),
            b: (to, b),
        });
        let receive = self.operation(to);
        let operation = self.operation(from);
        let txs = (0..64).map(|_| TxId(self.fresh())).collect();
        let peer = b;
        let event = Event::Receive {
            operation: receive,
            peer,
        };
        self.tell(to, event);
        let event = Event::Move {
            operation,
            groups,
            peer: a,
            txs,
        };
        self.tell(from, event);
        operation
    }

    pub fn operation(&mut self, host: usize) -> OperationId {
        let operation = OperationId(self.fresh());
        self.asked.insert((host, operation));
        operation
    }

    // ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    /// One step of one lane.
    pub fn advance(&mut self, lane: Lane) {
        let Some(items) = self.lanes.get_mut(&lane) else {
            return;
        };
        let item = items.pop_front();
        if items.is_empty() {
            self.lanes.remove(&lane);
        }
        let Some(item) = item else {
            return;
        };
        self.steps += 1;
        self.carry_out(lane, item);
    }

    fn carry_out(&mut self, lane: Lane, item: Item) {
        match (lane, item) {
            (Lane::Store(host, group), Item::Store(id, request, content)) => {
                if let Some(reply) = self.store(host, id, request, content) {
                    let event = Event::Store { id, reply };
                    self.push(Lane::StoreReply(host, group), Item::Tell(event));
                }
            }
            (Lane::StoreReply(host, _), Item::Tell(event)) => {
                self.note_read(host, &event);
                self.tell(host, event);
            }
            (Lane::Shell(host), Item::Tell(event)) => self.tell(host, event),
            (Lane::ToApp(host, instance), Item::ToApp(message, content)) => {
                self.app_hears(host, instance, message, content);
            }
            (Lane::FromApp(host, instance), Item::Register) => self.register(host, instance),
            (Lane::FromApp(host, instance), Item::Says(message, content)) => {
                self.app_is_heard(host, instance, message, content);
            }
            (Lane::FromApp(host, _), Item::Gone(instance)) => {
                self.tell(host, Event::InstanceGone { instance });
            }
            (Lane::Launcher(host), Item::Start { launch, build }) => {
                self.launch(host, launch, build);
            }
            (Lane::Launcher(host), Item::End(instance)) => self.kill(host, instance),
            (Lane::Stream(host, peer), Item::Message(message, content)) => {
                self.message_arrives(host, peer, message, content);
            }
            (Lane::Stream(host, peer), Item::Close) => {
                self.links
                    .retain(|l| l.a != (host, peer) && l.b != (host, peer));
                self.tell(host, Event::PeerGone { peer });
            }
            (lane, item) => panic!("{item:?} in {lane:?}"),
        }
    }

    /// The shell keeps what was read under the name that the reply brings.
    fn note_read(&mut self, _host: usize, event: &Event) {
        if let Event::Store {
            reply: StoreReply::Read { state, .. },
            ..
        } = event
        {
            assert!(state.0 > 0);
        }
    }

    fn message_arrives(
        &mut self,
        host: usize,
        peer: PeerId,
        message: Message,
        content: Option<Content>,
    ) {
        if self.closed.contains(&(host, peer)) {
            return;
        }
        if let Message::Chunk { tx, .. } = message {
            let came = content.and_then(|content| self.chunk_came(host, tx, content));
            if let Some((id, reply)) = came {
                let group = self.hosts[host].disk.staged[&tx].group;
                let event = Event::Store { id, reply };
                self.push(Lane::StoreReply(host, group), Item::Tell(event));
            }
            return;
        }
        // The driver needs to know what a signature is about, else it closes the stream.
        let terms = |tx: &TxId| self.hosts[host].session.as_ref().and_then(|s| s.terms(*tx));
        let understood = match &message {
            Message::Released { tx, .. } => terms(tx).is_some_and(|t| t.release.is_some()),
            Message::Aborted { tx, .. } => terms(tx).is_some(),
            _ => true,
        };
        if self.hosts[host].session.is_some() && !understood {
            self.fail(&format!(
                "host {host} does not know what {message:?} is about"
            ));
        }
        self.tell(host, Event::Peer { peer, message });
    }

    /// Some lane goes one step; which, the dice say. False if nothing moves.
    pub fn stir(&mut self) -> bool {
        let lanes: Vec<Lane> = self.lanes.keys().copied().collect();
        if lanes.is_empty() {
            return false;
        }
        let lane = lanes[self.dice.roll(lanes.len())];
        self.advance(lane);
        true
    }

    /// Everything that is under way happens; the clock stands still.
    pub fn run(&mut self) {
        for _ in 0..100_000 {
            if !self.stir() {
                return;
            }
        }
        self.fail("the world does not come to rest");
    }

    /// The clock goes on to the next deadline of any session. False if there is none.
    pub fn tick(&mut self) -> bool {
        let deadlines = self
            .hosts
            .iter()
            .filter_map(|h| h.session.as_ref()?.next_deadline());
        let Some(next) = deadlines.min() else {
            return false;
        };
        self.now = self.now.max(next);
        for host in 0..self.hosts.len() {
            self.tell(host, Event::Tick);
        }
        true
    }

    /// The clock goes on by this much, with all that happens on the way.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.after(ms);
        self.run();
        loop {
            let deadlines = self
                .hosts
                .iter()
                .filter_map(|h| h.session.as_ref()?.next_deadline());
            match deadlines.min().filter(|d| *d <= end) {
                Some(_) => {
                    self.tick();
                    self.run();
                }
                None => break,
            }
        }
        self.now = end;
    }

    /// Until nothing is under way and nothing waits for the clock.
    pub fn run_out(&mut self) {
        for _ in 0..10_000 {
            self.run();
            if !self.tick() {
                return;
            }
        }
        self.fail("deadlines never end");
    }

    // ── power ────────────────────────────────────────────────────────────────────────────────────────────────────────

    /// The session (or, with `power`, the whole host) stops dead: of what the store was asked an unknown part has
    /// happened, in order for each group, and nobody was told.
    pub fn crash(&mut self, host: usize, power: bool) {
        self.say(format!("{} {host} crashes (power: {power})", self.now.0));
        self.hosts[host].session = None;
        let lanes: Vec<Lane> = self.lanes.keys().copied().collect();
        for lane in lanes {
            match lane {
                Lane::Store(h, _) if h == host => {
                    let items = self.lanes.remove(&lane).unwrap_or_default();
                    let done = self.dice.roll(items.len() + 1);
                    for item in items.into_iter().take(done) {
                        if let Item::Store(id, request, content) = item {
                            self.store(host, id, request, content);
                        }
                    }
                }
                Lane::StoreReply(h, _) | Lane::Launcher(h) | Lane::Shell(h) if h == host => {
                    self.lanes.remove(&lane);
                }
                Lane::FromApp(h, _) if h == host => {
                    self.lanes.remove(&lane);
                }
                Lane::ToApp(h, _) if h == host && power => {
                    self.lanes.remove(&lane);
                }
                _ => {}
            }
        }
        let links = self.links.clone();
        for link in links.into_iter().filter(|l| l.a.0 == host || l.b.0 == host) {
            self.break_stream(link);
            for end in [link.a, link.b] {
                if end.0 == host {
                    self.lanes.remove(&Lane::Stream(end.0, end.1));
                }
            }
        }
        let h = &mut self.hosts[host];
        h.payloads.clear();
        h.screen = Screen::default();
        h.disk.forget_memory();
        if power {
            h.apps.clear();
        }
        // Its operations died with it.
        self.asked.retain(|(h, _)| *h != host);
    }

    /// The session starts anew from its journals; apps that are alive register again, some in time for the census.
    pub fn restart(&mut self, host: usize) {
        let h = &mut self.hosts[host];
        h.incarnation += 1;
        let mut config = config(host, h.incarnation);
        config.choices = h.choices.clone();
        let histories = h.disk.histories();
        let app = APP.to_owned();
        let mut census = Vec::new();
        let mut later = Vec::new();
        let ids: Vec<InstanceId> = h.apps.keys().copied().collect();
        for instance in ids {
            if let Some(held) = self.app_comes_back(host, instance) {
                if self.dice.roll(2) == 0 {
                    let build = self.hosts[host].apps[&instance].build.clone();
                    let app = app.clone();
                    census.push(Present {
                        instance,
                        app,
                        build,
                        held,
                    });
                } else {
                    later.push(instance);
                }
            }
        }
        let present: Vec<InstanceId> = census.iter().map(|p| p.instance).collect();
        let (session, effects) = Session::recover(config, self.now, histories, census);
        if let Err(violation) = session.verify_invariants() {
            self.fail(&violation.to_string());
        }
        self.hosts[host].session = Some(session);
        self.route(host, effects);
        for instance in present {
            self.keep_what_is_agreed(host, instance);
        }
        for instance in later {
            self.push(Lane::FromApp(host, instance), Item::Register);
        }
        let build = self.hosts[host].on_disk.clone();
        self.tell(host, Event::BuildOnDisk { app, build });
    }

    /// Ends the run with everything that led to it.
    pub fn fail(&self, what: &str) -> ! {
        for line in &self.log {
            eprintln!("{line}");
        }
        panic!("{what}");
    }

    pub fn outcome(&self, operation: OperationId, group: GroupId) -> Option<Outcome> {
        let (_, results) = self.results.get(&operation)?;
        results.iter().find(|r| r.group == group).map(|r| r.outcome)
    }
}

pub fn key(host: usize) -> [u8; 32] {
    [host as u8 + 1; 32]
}

fn config(host: usize, incarnation: u32) -> Config {
    Config::new(incarnation, key(host), format!("host{host}"))
}
