//! What can be written after `overwinter`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::store;

/// A session in which nothing has to be closed: look at it, put groups to sleep, wake, update and move them.
///
/// A GROUP is an id as `status` shows it (the first digits are enough when they are unique) or a title.
///
/// Exit code: 0 it is done; 1 it failed or did not end in time for at least one group, each of which is named; 2 wrong usage or
/// no session to ask, and nothing was changed. `doctor` also ends with 1 when something is damaged.
#[derive(Parser, Debug)]
#[command(name = "overwinter", version, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Give up waiting after this many seconds (of the store: in which no progress was told); the operation itself goes on, but
    /// for a move, which then ends [default: 60, for a move 600]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub timeout: Option<u32>,

    /// Do not wait for the end of the operation (not for a move: it lives no longer than this command)
    #[arg(long, global = true, overrides_with = "wait")]
    pub no_wait: bool,

    /// Wait for the end of the operation (the default)
    #[arg(long, global = true, overrides_with = "no_wait")]
    pub wait: bool,
}

impl Args {
    /// What clap cannot see by itself.
    pub fn contradiction(&self) -> Option<&'static str> {
        match self.command {
            Command::Move(_) | Command::Receive if self.no_wait => Some(
                "a move lives no longer than this command, so --no-wait cannot be had with it. Nothing was moved. Run it again \
                 without; the shell can put it into the background.",
            ),
            Command::Doctor(_) | Command::Store(_) if self.no_wait => Some(
                "what is asked of the store is its answer, so --no-wait cannot be had with it. Nothing was changed. Run it again \
                 without; the shell can put it into the background.",
            ),
            _ => None,
        }
    }

    /// How long to wait for the end of an operation.
    pub fn patience(&self) -> Duration {
        let default = match self.command {
            Command::Move(_) | Command::Receive => 600,
            _ => 60,
        };
        Duration::from_secs(self.timeout.map_or(default, u64::from))
    }
}

/// One command.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Show every group: where it is, which version runs it
    Status {
        /// As JSON, for programs (docs/status.md)
        #[arg(long)]
        json: bool,
    },
    /// Put groups to sleep: saved on disk, a picture in their place, no memory used
    Hibernate(Choice),
    /// Wake sleeping groups
    Wake(Choice),
    /// Bring running apps to the code that is on disk, window after window
    Update {
        /// App id, as its .desktop file is called; without one every app that runs old code
        app: Option<String>,
        /// Back to the version that ran before, with everything typed since
        #[arg(long)]
        undo: bool,
    },
    /// Hand groups (without a GROUP: all of them) to another host
    Move(Wish),
    /// Take what another host hands over; started there by `overwinter move`, through ssh
    Receive,
    /// Write a picture of the whole screen as PNG
    Screenshot {
        /// Where to
        file: PathBuf,
    },
    /// Start an app
    Launch {
        /// App id, as its .desktop file is called
        app: String,
        /// Files or URIs to open
        files: Vec<String>,
    },
    /// Put sleeping groups into the trash, for seven days
    Forget {
        /// Which
        #[arg(required = true, value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Ask the desktop about its windows and have it do what its keys do, for scripts (docs/msg.md)
    Msg(Msg),
    /// Look into a saved state
    #[command(subcommand)]
    State(StateCommand),
    /// Say whether the store is whole: every byte of it is read and verified. Needs no session
    Doctor(store::Doctor),
    /// Look into the store, tidy it, protect it, take something out. Needs no session
    Store(store::Store),
    /// End the session; everything is put to sleep before. If something cannot be, it is named and the session goes on
    Quit {
        /// End it all the same: what cannot be put to sleep within 12 s keeps what was stored last
        #[arg(long)]
        force: bool,
    },
}

/// What is asked, and of which desktop.
#[derive(clap::Args, Debug)]
pub struct Msg {
    /// What
    #[command(subcommand)]
    pub request: MsgRequest,
    /// The answer as it comes, a line of JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// The desktop's socket [default: of the one that this runs in]
    #[arg(long, global = true, value_name = "FILE")]
    pub socket: Option<PathBuf>,
}

/// What can be asked.
#[derive(Subcommand, Debug)]
pub enum MsgRequest {
    /// Which desktop this is
    Version,
    /// All windows, and the ghosts of those that sleep
    Windows,
    /// All workspaces
    Workspaces,
    /// All outputs
    Outputs,
    /// The window that has the focus
    Focused,
    /// Do what a key can do: `close`, `maximise`, `run foot`, `show-workspace mail`; [keys] of the configuration has them all
    Action {
        /// Its name
        name: String,
        /// What it needs to know
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Read the configuration again, and say what is wrong in it
    Reload,
    /// Tell what happens, a line for each event, until interrupted
    Subscribe,
}

/// What can be done with a saved state. No session is asked.
#[derive(Subcommand, Debug)]
pub enum StateCommand {
    /// Print it in CBOR diagnostic notation: what it is, the steps between its versions, its content, and what a newer
    /// version left in it
    Show {
        /// The state; `-`: standard input
        file: PathBuf,
        /// Cut nothing short
        #[arg(long)]
        full: bool,
    },
}

/// Some groups or all.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
pub struct Choice {
    /// Which
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Every group that can
    #[arg(long)]
    pub all: bool,
}

/// Where groups are to go, and by which way.
#[derive(clap::Args, Debug)]
pub struct Wish {
    /// Which; without one all of them
    #[arg(value_name = "GROUP", conflicts_with = "all")]
    pub groups: Vec<String>,
    /// Every group, as without a GROUP
    #[arg(long)]
    pub all: bool,
    /// The other host, as ssh knows it
    #[arg(long, value_name = "HOST")]
    pub to: String,
    /// Remote shell to use instead of `ssh`, with its options
    #[arg(long, value_name = "COMMAND", default_value = "ssh")]
    pub rsh: String,
    /// The `overwinter` program on the other host
    #[arg(long, value_name = "PROGRAM", default_value = "overwinter")]
    pub remote_program: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn sleeping_needs_a_name_or_all() {
        assert!(Args::try_parse_from(["overwinter", "hibernate"]).is_err());
        assert!(Args::try_parse_from(["overwinter", "hibernate", "ab", "--all"]).is_err());
        assert!(Args::try_parse_from(["overwinter", "hibernate", "--all"]).is_ok());
        assert!(Args::try_parse_from(["overwinter", "hibernate", "ab", "cd", "--wait"]).is_ok());
    }

    #[test]
    fn a_move_is_of_some_or_of_all() {
        let parse = |args: &[&str]| {
            Args::try_parse_from([&["overwinter", "move", "--to", "b"], args].concat())
        };
        assert!(parse(&["--all"]).is_ok());
        assert!(parse(&["ab", "cd"]).is_ok());
        assert!(parse(&["ab", "--all"]).is_err());
    }

    #[test]
    fn a_move_is_given_more_time() {
        let args = Args::try_parse_from(["overwinter", "move", "--to", "b"]).unwrap();
        assert_eq!(args.patience().as_secs(), 600);
        let args = Args::try_parse_from(["overwinter", "quit", "--timeout", "5"]).unwrap();
        assert_eq!(args.patience().as_secs(), 5);
    }
}
