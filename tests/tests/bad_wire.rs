//! What bad input gets, V: conversations on the Wayland socket that are right but for one thing. See `bad_input.rs` for what
//! is held each time, and for bytes without any sense.
//!
//! Each seed gives its own clients; a failure names the seed, and `OVERWINTER_TEST_SEED=N` runs that one alone.
//! `OVERWINTER_TEST_LONG=1` takes many more.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IoSlice, Read};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, ensure};
use overwinter_tests::test_app::stage::Stage;
use overwinter_tests::wire::{connect, globals, hello, request, string};
use overwinter_tests::witness::Witness;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// Clients of one seed.
const CLIENTS: u32 = 40;

/// Numbers at which arithmetic breaks.
const EDGES: [u32; 10] = [
    0,
    1,
    u32::MAX,
    0x7fff_ffff,
    0x8000_0000,
    0x7fff_ff00,
    0xff00_0000,
    0xff00_0001,
    0x0001_0000,
    4097,
];

/// splitmix64: good with any seed, zero too.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides.max(1) as u64).unwrap_or(0)
    }

    fn word(&mut self) -> u32 {
        match self.roll(3) {
            0 => u32::try_from(self.roll(1 << 32)).unwrap_or(0),
            1 => u32::try_from(self.roll(64)).unwrap_or(0),
            _ => EDGES[self.roll(EDGES.len())],
        }
    }
}

/// One message as it goes out.
#[derive(Clone)]
struct Message {
    bytes: Vec<u8>,
    /// How many descriptors go with it.
    fds: usize,
}

/// A client that does everything right, message by message.
struct Script {
    messages: Vec<Message>,
    next: u32,
}

impl Script {
    fn say(&mut self, object: u32, opcode: u32, words: &[u32]) {
        self.say_with(object, opcode, words, 0);
    }

    fn say_with(&mut self, object: u32, opcode: u32, words: &[u32], fds: usize) {
        let bytes = request(object, opcode, words);
        self.messages.push(Message { bytes, fds });
    }

    fn id(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// Asks an object for a new one, whose id comes first.
    fn make(&mut self, object: u32, opcode: u32, rest: &[u32]) -> u32 {
        let id = self.id();
        self.say(object, opcode, &[&[id], rest].concat());
        id
    }

    /// Binds whatever is announced, then uses what most clients use.
    fn whole(announced: &[(u32, String, u32)]) -> Result<Self> {
        let mut script = Script {
            messages: vec![Message {
                bytes: hello(),
                fds: 0,
            }],
            next: 3,
        };
        let mut bound = BTreeMap::new();
        for (name, interface, version) in announced {
            let id = script.id();
            let words = [vec![*name], string(interface), vec![*version, id]].concat();
            script.say(2, 0, &words);
            bound.insert(interface.as_str(), id);
        }
        let the = |name: &str| {
            bound
                .get(name)
                .copied()
                .with_context(|| format!("no {name}"))
        };
        let surface = script.make(the("wl_compositor")?, 0, &[]);
        script.draw(the("wl_compositor")?, the("wl_shm")?, surface);
        script.stand(the("xdg_wm_base")?, surface);

        let child = script.make(the("wl_compositor")?, 0, &[]);
        let below = script.make(the("wl_subcompositor")?, 1, &[child, surface]);
        script.say(below, 1, &[0, 0]);
        let viewport = script.make(the("wp_viewporter")?, 1, &[child]);
        script.say(viewport, 1, &[0, 0, 16 << 8, 16 << 8]);
        script.say(viewport, 2, &[32, 32]);

        let source = script.make(the("wl_data_device_manager")?, 0, &[]);
        script.say(source, 0, &string("text/plain"));
        let device = script.make(the("wl_data_device_manager")?, 1, &[the("wl_seat")?]);
        script.say(device, 1, &[source, 1]);
        script.make(
            the("zwlr_screencopy_manager_v1")?,
            0,
            &[0, the("wl_output")?],
        );
        let keyboard = script.id();
        script.say(
            the("zwp_virtual_keyboard_manager_v1")?,
            0,
            &[the("wl_seat")?, keyboard],
        );
        // No keys: those would be typed into the window of the witness.
        script.say_with(keyboard, 0, &[1, 4096], 1);
        Ok(script)
    }

    /// Memory, a buffer in it, and a picture that is not shown yet.
    fn draw(&mut self, compositor: u32, shm: u32, surface: u32) {
        let pool = self.id();
        self.say_with(shm, 0, &[pool, 4096], 1);
        let buffer = self.make(pool, 0, &[0, 16, 16, 64, 0]);
        self.say(pool, 2, &[8192]);
        self.say(pool, 1, &[]);
        let region = self.make(compositor, 1, &[]);
        self.say(region, 1, &[0, 0, 16, 16]);
        self.say(surface, 1, &[buffer, 0, 0]);
        self.say(surface, 2, &[0, 0, 16, 16]);
        self.say(surface, 5, &[region]);
        self.say(surface, 8, &[1]);
        self.make(surface, 3, &[]);
        // Without it: a role first.
        self.say(surface, 1, &[0, 0, 0]);
    }

    /// The way to a window; it would be shown after the compositor's answer, which nobody here reads.
    fn stand(&mut self, shell: u32, surface: u32) {
        let window = self.make(shell, 2, &[surface]);
        let toplevel = self.make(window, 1, &[]);
        self.say(toplevel, 2, &string("a title"));
        self.say(toplevel, 3, &string("org.example.Nobody"));
        self.say(toplevel, 7, &[400, 300]);
        self.say(toplevel, 8, &[40, 30]);
        self.say(window, 3, &[0, 0, 16, 16]);
        self.say(surface, 6, &[]);
    }

    /// Makes one thing wrong, and says what.
    fn spoil(&mut self, dice: &mut Dice) -> String {
        let at = 1 + dice.roll(self.messages.len() - 1);
        let other = 1 + dice.roll(self.messages.len() - 1);
        let word = dice.word();
        let message = &mut self.messages[at];
        let bytes = &mut message.bytes;
        let what = match dice.roll(10) {
            0 => {
                put(bytes, 0, word);
                format!("is for object {word}")
            }
            1 => {
                let opcode = word % 64;
                bytes[4..6].copy_from_slice(&u16::try_from(opcode).unwrap_or(0).to_le_bytes());
                format!("has the opcode {opcode}")
            }
            2 => {
                let size = [0, 4, 7, 9, 0xfffc, 0xffff][dice.roll(6)];
                bytes[6..8].copy_from_slice(&u16::to_le_bytes(size));
                format!("says that it is {size} bytes long")
            }
            3 | 4 if bytes.len() > 8 => {
                let which = 2 + dice.roll(bytes.len() / 4 - 2);
                put(bytes, which, word);
                format!("has {word} as its word {which}")
            }
            5 => {
                message.fds = 0;
                "comes without its descriptors".to_owned()
            }
            6 => {
                message.fds = 28;
                "comes with 28 descriptors".to_owned()
            }
            7 => {
                let again = message.clone();
                self.messages.insert(at, again);
                "comes twice".to_owned()
            }
            8 => {
                self.messages.remove(at);
                "is left out".to_owned()
            }
            _ => {
                self.messages.swap(at, other);
                format!("changes places with message {other}")
            }
        };
        format!("message {at} {what}")
    }
}

fn put(bytes: &mut [u8], at: usize, word: u32) {
    bytes[4 * at..4 * at + 4].copy_from_slice(&word.to_le_bytes());
}

/// What goes where memory is expected: memory of the right size, too little of it, or what is no memory at all.
fn descriptor(dice: &mut Dice) -> Result<OwnedFd> {
    Ok(match dice.roll(5) {
        0 => File::open("/")?.into(),
        1 => rustix::pipe::pipe()?.0,
        2 => memfd_create("empty", MemfdFlags::CLOEXEC)?,
        _ => {
            let memory = memfd_create("whole", MemfdFlags::CLOEXEC)?;
            ftruncate(&memory, 8192)?;
            memory
        }
    })
}

/// Plays it to the end, or until the compositor hangs up.
fn play(stream: &UnixStream, script: &Script, dice: &mut Dice) -> Result<()> {
    for message in &script.messages {
        let fds = (0..message.fds)
            .map(|_| descriptor(dice))
            .collect::<Result<Vec<_>>>()?;
        let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(28))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !borrowed.is_empty() {
            ensure!(ancillary.push(SendAncillaryMessage::ScmRights(&borrowed)));
        }
        let parts = [IoSlice::new(&message.bytes)];
        if sendmsg(stream, &parts, &mut ancillary, SendFlags::NOSIGNAL).is_err() {
            break;
        }
    }
    // Wait for its end: either the compositor hangs up, or it has handled everything and sees ours.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut stream = stream;
    let _ = stream.read_to_end(&mut Vec::new());
    Ok(())
}

fn seeds() -> Result<Range<u64>> {
    if let Ok(one) = std::env::var("OVERWINTER_TEST_SEED") {
        let one: u64 = one.parse().context("OVERWINTER_TEST_SEED is no number")?;
        return Ok(one..one + 1);
    }
    let long = std::env::var_os("OVERWINTER_TEST_LONG").is_some_and(|v| v == "1");
    Ok(0..if long { 500 } else { 25 })
}

#[test]
fn a_conversation_with_one_thing_wrong_ends_that_client_alone() -> Result<()> {
    let stage = Stage::new()?;
    let session = &stage.session;
    let (mut app, held) = stage.open("next door")?;
    let mut witness = Witness::new(session)?;
    let announced = globals(session)?;
    // What is spoiled below is right to begin with: the compositor answers to the last word and does not hang up before.
    let mut whole = Script::whole(&announced)?;
    whole.make(1, 0, &[]);
    play(&connect(session)?, &whole, &mut Dice(0))?;
    witness.goes_on(session, "a conversation that is right")?;

    for seed in seeds()? {
        let mut dice = Dice(seed);
        let mut wrongs = Vec::new();
        for _ in 0..CLIENTS {
            let mut script = Script::whole(&announced)?;
            for _ in 0..=dice.roll(3) {
                wrongs.push(script.spoil(&mut dice));
            }
            let stream = connect(session)
                .with_context(|| format!("seed {seed}: {wrongs:?}\n{}", session.logs()))?;
            play(&stream, &script, &mut dice)?;
        }
        witness.goes_on(session, &format!("seed {seed}: {wrongs:?}"))?;
    }
    ensure!(app.autosave(&held, 1, b"undisturbed")? == 1);
    stage.goes_on()
}
