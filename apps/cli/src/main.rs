//! `overwinter`: the session from the command line.
//!
//! Exit codes: 0 it is done; 1 it failed or did not end in time, for at least one group (each is named); 2 wrong usage, or
//! no session to ask: nothing was changed. `overwinter --help` says the same.

mod args;
mod bus;
mod carry;
mod msg;
mod report;
mod screenshot;
mod state;
mod status;
mod store;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::args::{Args, Command, StateCommand};
use crate::bus::{Session, Trouble};
use crate::status::Status;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("OVERWINTER_LOG")
                .unwrap_or_else(|_| "warn".into()),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    let args = Args::parse();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(trouble) => {
            eprintln!("{}: {trouble}", speaker(&args.command));
            ExitCode::from(trouble.exit_code())
        }
    }
}

/// Who complains. What `receive` says is read on the other host, which must not take it for its own.
fn speaker(command: &Command) -> String {
    if !matches!(command, Command::Receive) {
        return "overwinter".into();
    }
    let here = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("overwinter receive, on {}", here.trim())
}

/// Carries out the command; false when it failed for at least one group.
fn run(args: &Args) -> Result<bool, Trouble> {
    if let Some(why) = args.contradiction() {
        return Err(Trouble::usage(why));
    }
    if let Command::Screenshot { file } = &args.command {
        screenshot::take(file)?;
        return Ok(true);
    }
    if let Command::State(StateCommand::Show { file, full }) = &args.command {
        state::show(file, *full)?;
        return Ok(true);
    }
    let patience = args.patience();
    match &args.command {
        Command::Doctor(wish) => return store::examine(wish, patience),
        Command::Store(wish) => return store::look_after(wish, patience),
        Command::Msg(msg) => return msg::ask(msg, patience).map(|()| true),
        Command::Receive => return carry::receive(&Session::connect()?, patience),
        _ => {}
    }
    let session = Session::connect()?;
    match &args.command {
        Command::Status { json: true } => {
            println!("{}", session.status()?);
            Ok(true)
        }
        Command::Status { json: false } => {
            print!("{}", report::session(&Status::parse(&session.status()?)?));
            Ok(true)
        }
        Command::Hibernate(choice) => {
            let groups = choose(&session, &choice.groups)?;
            finish(&session, "Hibernate", &(groups,), args, patience)
        }
        Command::Wake(choice) => {
            let groups = choose(&session, &choice.groups)?;
            finish(&session, "Wake", &(groups,), args, patience)
        }
        Command::Update { app, undo: false } => {
            let app = app.clone().unwrap_or_default();
            finish(&session, "Update", &(app,), args, patience)
        }
        Command::Update { app, undo: true } => {
            let app = app_to_undo(&session, app.as_deref())?;
            finish(&session, "UndoUpdate", &(app,), args, patience)
        }
        Command::Move(wish) => {
            let groups = choose(&session, &wish.groups)?;
            carry::send(&session, &groups, wish, patience)
        }
        Command::Launch { app, files } => {
            let files: Vec<String> = files.iter().map(|f| absolute(f)).collect();
            finish(&session, "Launch", &(app, files), args, patience)
        }
        Command::Forget { groups } => {
            let groups = choose(&session, groups)?;
            finish(&session, "Forget", &(groups,), args, patience)
        }
        Command::Quit { force } => {
            let method = if *force { "QuitUnsaved" } else { "Quit" };
            finish(&session, method, &(), args, patience)
        }
        Command::Receive
        | Command::Screenshot { .. }
        | Command::State(_)
        | Command::Msg(_)
        | Command::Doctor(_)
        | Command::Store(_) => Ok(true),
    }
}

/// Full ids for what the user wrote. Nothing written stays nothing: the session takes that as all.
fn choose(session: &Session, wanted: &[String]) -> Result<Vec<String>, Trouble> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let status = Status::parse(&session.status()?)?;
    wanted.iter().map(|word| status.find(word)).collect()
}

/// Undoing needs one app; without a name it is the only one that there is.
fn app_to_undo(session: &Session, app: Option<&str>) -> Result<String, Trouble> {
    if let Some(app) = app {
        return Ok(app.into());
    }
    let status = Status::parse(&session.status()?)?;
    let mut apps: Vec<&str> = status.groups.iter().map(|g| g.app.as_str()).collect();
    apps.sort_unstable();
    apps.dedup();
    match apps[..] {
        [app] => Ok(app.into()),
        [] => Err(Trouble::usage(
            "no app has a group in this session: there is nothing to undo. Nothing was changed. `overwinter status` lists groups.",
        )),
        _ => Err(Trouble::usage(format!(
            "which app's update? Nothing was changed. Name one of: {}",
            apps.join(", ")
        ))),
    }
}

/// Starts an operation and, unless told otherwise, waits for its end and reports it.
fn finish<B>(
    session: &Session,
    method: &'static str,
    body: &B,
    args: &Args,
    patience: Duration,
) -> Result<bool, Trouble>
where
    B: serde::Serialize + zbus::zvariant::DynamicType,
{
    let mut ends = session.ends()?;
    let operation = session.start(method, body)?;
    if args.no_wait {
        println!("operation {operation} has begun");
        return Ok(true);
    }
    let Some(end) = ends.wait(operation, patience)? else {
        return Err(Trouble::failed(format!(
            "operation {operation} has not ended within {} s. It goes on, and nothing is lost by waiting; `overwinter status` \
             tells how it stands, --timeout gives it more time.",
            patience.as_secs()
        )));
    };
    print!("{}", report::results(&end));
    Ok(end.all_well())
}

/// The session runs in another folder than the user.
fn absolute(file: &str) -> String {
    if file.contains("://") {
        return file.into();
    }
    std::path::absolute(file)
        .map_or_else(|_| file.into(), |path| path.to_string_lossy().into_owned())
}
