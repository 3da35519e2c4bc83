//! The bus thread: one connection, its objects, and the commands of the session.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use async_channel::{Receiver, Sender};
use futures_lite::{StreamExt, future};
use overwinter_proto::bus::{ROOT_PATH, SESSION_NAME, SESSION_PATH, STORE_PATH};
use zbus::{
    Connection, MessageStream,
    connection::Builder,
    fdo::{ObjectManager, RequestNameFlags, RequestNameReply},
    object_server::SignalEmitter,
};

use crate::{
    ACKNOWLEDGE_WITHIN, BusCommand, BusEvent, ClientCall,
    blobs::{BlobsObject, Calls},
    caller::Known,
    control::ControlObject,
    group::Groups,
    outgoing,
    session::SessionObject,
    store::StoreObject,
};

/// How long connecting to the bus may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Why there is no bus.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot be reached.
    #[error(
        "the D-Bus session bus cannot be reached: {0}. Is DBUS_SESSION_BUS_ADDRESS set? Apps run, but cannot sleep or move"
    )]
    NoBus(String),
    /// Another session has the name.
    #[error(
        "another session owns {SESSION_NAME} on this bus. Give this one a bus of its own (dbus-run-session)"
    )]
    Taken,
}

/// The running bus thread. Dropping it closes the connection and ends the thread.
#[derive(Debug)]
pub struct Bus {
    commands: Option<Sender<BusCommand>>,
    thread: Option<JoinHandle<()>>,
}

/// What the objects and tasks of the bus thread share. The locks are held for a map access, never across an await.
pub(crate) struct Shared {
    pub events: Box<dyn Fn(BusEvent) + Send + Sync>,
    callers: Mutex<HashMap<String, Known>>,
    /// Calls held back until the app has the answer to its Register.
    gates: Mutex<HashMap<String, Vec<ClientCall>>>,
    /// Calls about blobs that wait for the disk.
    pub blob_calls: Calls,
}

impl Bus {
    /// Connects to the session bus (or to `address`), takes the name and serves. Returns when apps can call. `events` is called
    /// on the bus thread and must not block.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(
        address: Option<&str>,
        events: impl Fn(BusEvent) + Send + Sync + 'static,
    ) -> Result<Bus, StartError> {
        let shared = Arc::new(Shared {
            events: Box::new(events),
            callers: Mutex::default(),
            gates: Mutex::default(),
            blob_calls: Calls::default(),
        });
        let (commands, incoming) = async_channel::unbounded();
        let (ready, started) = mpsc::channel();
        let address = address.map(str::to_owned);
        let thread = std::thread::Builder::new()
            .name("bus".into())
            .spawn(move || run(address.as_deref(), &shared, &incoming, &ready))
            .map_err(|e| StartError::NoBus(e.to_string()))?;
        let outcome = started
            .recv_timeout(CONNECT_WITHIN)
            .unwrap_or_else(|_| Err(StartError::NoBus("it does not answer".into())));
        outcome.map(|()| Bus {
            commands: Some(commands),
            thread: Some(thread),
        })
    }

    /// Has something done; see [`BusCommand`]. Never blocks. After [`BusEvent::Lost`] nothing happens.
    pub fn command(&self, command: BusCommand) {
        if let Some(commands) = &self.commands {
            let _ = commands.try_send(command);
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    address: Option<&str>,
    shared: &Arc<Shared>,
    commands: &Receiver<BusCommand>,
    ready: &mpsc::Sender<Result<(), StartError>>,
) {
    let connection = match async_io::block_on(connect(address, shared)) {
        Ok(connection) => connection,
        Err(e) => return drop(ready.send(Err(StartError::NoBus(e.to_string())))),
    };
    let work = serve(&connection, shared, commands, ready);
    let tick = async {
        loop {
            connection.executor().tick().await;
        }
    };
    async_io::block_on(future::or(work, tick));
    let _ = async_io::block_on(connection.close());
}

async fn connect(address: Option<&str>, shared: &Arc<Shared>) -> zbus::Result<Connection> {
    let builder = match address {
        Some(address) => Builder::address(address)?,
        None => Builder::session()?,
    };
    builder
        .internal_executor(false)
        .method_timeout(ACKNOWLEDGE_WITHIN)
        .serve_at(ROOT_PATH, ObjectManager)?
        .serve_at(
            SESSION_PATH,
            SessionObject {
                shared: shared.clone(),
            },
        )?
        .serve_at(
            SESSION_PATH,
            BlobsObject {
                shared: shared.clone(),
            },
        )?
        .serve_at(
            SESSION_PATH,
            ControlObject {
                shared: shared.clone(),
            },
        )?
        .serve_at(
            STORE_PATH,
            StoreObject {
                shared: shared.clone(),
            },
        )?
        .build()
        .await
}

async fn serve(
    connection: &Connection,
    shared: &Arc<Shared>,
    commands: &Receiver<BusCommand>,
    ready: &mpsc::Sender<Result<(), StartError>>,
) {
    // Everything that reaches us passes here, calls included; it ends when the connection does.
    let watch = MessageStream::from(connection);
    let owned = connection
        .request_name_with_flags(SESSION_NAME, RequestNameFlags::DoNotQueue.into())
        .await;
    let outcome = match owned {
        Ok(RequestNameReply::PrimaryOwner | RequestNameReply::AlreadyOwner) => Ok(()),
        Ok(_) | Err(zbus::Error::NameTaken) => Err(StartError::Taken),
        Err(e) => Err(StartError::NoBus(e.to_string())),
    };
    let failed = outcome.is_err();
    if ready.send(outcome).is_err() || failed {
        return;
    }
    let lost = async {
        let why = until_lost(watch).await;
        (shared.events)(BusEvent::Lost { why });
    };
    future::or(obey(connection, shared, commands), lost).await;
}

/// Waits for the end of the connection and says why it ended.
async fn until_lost(mut stream: MessageStream) -> String {
    loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(e)) => return format!("the session bus is gone: {e}"),
            None => return "the session bus is gone".into(),
        }
    }
}

/// Carries out commands until the session hangs up.
async fn obey(connection: &Connection, shared: &Arc<Shared>, commands: &Receiver<BusCommand>) {
    let mut groups = Groups::default();
    while let Ok(command) = commands.recv().await {
        let outcome = match command {
            BusCommand::Call { to, call } => {
                if let Some(call) = shared.hold_back(&to, call) {
                    outgoing::send(shared, connection, to, call).await;
                }
                Ok(())
            }
            BusCommand::Groups(views) => groups.show(connection, views).await,
            BusCommand::OperationEnded { operation, state } => {
                match SignalEmitter::new(connection, SESSION_PATH) {
                    Ok(emitter) => {
                        ControlObject::operation_ended(
                            &emitter,
                            operation,
                            state.state,
                            state.results,
                        )
                        .await
                    }
                    Err(e) => Err(e),
                }
            }
            BusCommand::Progress {
                operation,
                done,
                total,
            } => match SignalEmitter::new(connection, STORE_PATH) {
                Ok(emitter) => StoreObject::progress(&emitter, operation, done, total).await,
                Err(e) => Err(e),
            },
            BusCommand::Changed => match SignalEmitter::new(connection, SESSION_PATH) {
                Ok(emitter) => ControlObject::changed(&emitter).await,
                Err(e) => Err(e),
            },
            BusCommand::ExpectGone { name } => {
                let (shared, conn) = (shared.clone(), connection.clone());
                let gone = async move { shared.caller_gone(&conn, &name).await };
                connection.executor().spawn(gone, "caller's end").detach();
                Ok(())
            }
        };
        if let Err(e) = outcome {
            tracing::warn!("the bus did not take what the session said: {e}");
        }
    }
}

impl Shared {
    pub(crate) fn callers(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gates(&self) -> MutexGuard<'_, HashMap<String, Vec<ClientCall>>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on calls to `name` are held back.
    pub(crate) fn close_gate(&self, name: &str) {
        self.gates().entry(name.to_owned()).or_default();
    }

    pub(crate) fn forget_gate(&self, name: &str) {
        self.gates().remove(name);
    }

    /// The call, unless it has to wait.
    fn hold_back(&self, name: &str, call: ClientCall) -> Option<ClientCall> {
        match self.gates().get_mut(name) {
            Some(held) => {
                held.push(call);
                None
            }
            None => Some(call),
        }
    }

    /// Sends what was held back, then lets calls pass.
    pub(crate) async fn open_gate(self: &Arc<Shared>, connection: &Connection, name: &str) {
        loop {
            // The gate goes only when nothing waits behind it: what comes meanwhile queues up.
            let held = {
                let mut gates = self.gates();
                match gates.get_mut(name) {
                    Some(held) if !held.is_empty() => std::mem::take(held),
                    _ => {
                        gates.remove(name);
                        return;
                    }
                }
            };
            for call in held {
                outgoing::send(self, connection, name.to_owned(), call).await;
            }
        }
    }
}
