//! Apps, over D-Bus: whether they may say what they say, what it means for the heart, and what the heart says to them. Who they
//! are is found out in [`super::register`].

use std::sync::Arc;

use overwinter_bus::{BusCommand, BusEvent, Caller, ClientCall, Opened, Refusal, Reply, Said};
use overwinter_proto::{CopyId, GroupId, InstanceId, Lease};
use overwinter_session::effect::ToApp;
use overwinter_session::{Event, FromApp, refusal};

use super::payloads::Payload;
use super::register::{Claim, Told};
use crate::driver::Driver;
use crate::shell::Grant;
use crate::state::Overwinter;

pub(super) fn no_random(e: getrandom::Error) -> Refusal {
    Refusal::Failed(format!(
        "the system gave no random numbers ({e}); nothing was done. Try again"
    ))
}

pub(super) fn refusal_of(refusal: refusal::Refusal) -> Refusal {
    let text = refusal.to_string();
    match refusal {
        refusal::Refusal::NotRegistered => Refusal::NotRegistered(text),
        refusal::Refusal::Ending => Refusal::Denied(text),
        refusal::Refusal::NotHolder(_) => Refusal::NotHolder(text),
        refusal::Refusal::NoSuchCopy(_) => Refusal::UnknownGroup(text),
    }
}

impl Driver {
    /// Something came from the bus.
    pub(crate) fn bus_says(&mut self, state: &mut Overwinter, told: Told) {
        match told.event {
            BusEvent::Register {
                caller,
                app,
                version,
                held,
                reply,
            } => {
                let claim = Claim { app, version, held };
                self.register(state, caller, claim, told.code, reply);
            }
            BusEvent::OpenGroup {
                caller,
                title,
                reply,
            } => self.open_group(state, &caller, title, reply),
            BusEvent::NewCookie {
                caller,
                group,
                copy,
                reply,
            } => reply.send(self.new_cookie(state, &caller, group, copy)),
            BusEvent::PutBlob {
                caller,
                group,
                lease,
                blob,
                file,
                reply,
            } => self.put_blob(&caller, (group, lease), blob, file, reply),
            BusEvent::GetBlob {
                caller,
                group,
                copy,
                hash,
                reply,
            } => self.get_blob(&caller, (group, copy), hash, reply),
            BusEvent::Said {
                caller,
                message,
                reply,
            } => self.said(state, &caller, message, reply),
            BusEvent::Control(control) => self.control(state, control),
            BusEvent::Store(call) => self.store_call(call),
            BusEvent::CallerGone { caller } => {
                if let Some(instance) = self.processes.of_caller(&caller.name) {
                    self.instance_gone(state, instance);
                }
            }
            BusEvent::NotDelivered { to, method, why } => {
                tracing::warn!("{method} did not reach {to}: {why}");
            }
            BusEvent::Lost { why } => {
                tracing::warn!(
                    "{why}. Windows stay; nothing can sleep, update or move until the session is started anew"
                );
                self.bus = None;
            }
        }
    }

    pub(super) fn registered(&self, caller: &Caller) -> Result<InstanceId, Refusal> {
        self.processes
            .of_caller(&caller.name)
            .ok_or_else(|| refusal_of(refusal::Refusal::NotRegistered))
    }

    fn open_group(
        &mut self,
        state: &mut Overwinter,
        caller: &Caller,
        title: String,
        reply: Reply<Opened>,
    ) {
        let drawn = self.registered(caller).and_then(|instance| {
            let group = GroupId(u128::from_be_bytes(super::random().map_err(no_random)?));
            self.last_copy += 1;
            let copy = CopyId(self.last_copy);
            let message = FromApp::OpenGroup { group, copy, title };
            self.session.may(instance, &message).map_err(refusal_of)?;
            let cookie = grant(state, caller, group, copy, false)?;
            let opened = Opened {
                group,
                lease: Lease::FIRST,
                copy,
                cookie,
            };
            Ok((instance, message, opened))
        });
        match drawn {
            Ok((instance, message, opened)) => {
                reply.send(Ok(opened));
                self.tell_heart(state, Event::App { instance, message });
            }
            Err(refusal) => reply.send(Err(refusal)),
        }
    }

    fn new_cookie(
        &mut self,
        state: &mut Overwinter,
        caller: &Caller,
        group: GroupId,
        copy: CopyId,
    ) -> Result<String, Refusal> {
        let instance = self.registered(caller)?;
        if !self.session.has_copy(instance, group, copy) {
            return Err(refusal_of(refusal::Refusal::NoSuchCopy(group)));
        }
        let holder = state.shell.group(group).and_then(|g| g.holder);
        grant(state, caller, group, copy, holder != Some(copy))
    }

    fn said(&mut self, state: &mut Overwinter, caller: &Caller, said: Said, reply: Reply<()>) {
        let instance = match self.registered(caller) {
            Ok(instance) => instance,
            Err(refusal) => return reply.send(Err(refusal)),
        };
        let (message, payload) = self.in_the_hearts_words(said);
        if let Err(refusal) = self.session.may(instance, &message) {
            if let Some(payload) = payload {
                self.payloads.take(payload);
            }
            return reply.send(Err(refusal_of(refusal)));
        }
        if let (FromApp::Saved { group, .. }, Some(id)) = (&message, payload)
            && let Err(refusal) = self.take_blobs(*group, id)
        {
            self.payloads.take(id);
            return reply.send(Err(refusal));
        }
        reply.send(Ok(()));
        self.tell_heart(state, Event::App { instance, message });
    }

    /// Sees that the group has every blob that this state names.
    fn take_blobs(
        &mut self,
        group: GroupId,
        id: overwinter_session::ids::PayloadId,
    ) -> Result<(), Refusal> {
        let names = self.payloads.blobs(id);
        let others = self.payloads.blobs_of(group, Some(id));
        match self.blobs.missing(group, &names, others) {
            None => {
                self.blobs.save_taken(group);
                Ok(())
            }
            Some(blob) => Err(Refusal::MissingBlob(format!(
                "the session has no blob {} of {} bytes for this group; nothing was taken and what was stored before is kept. \
                 Give it by PutBlob, then call Saved again",
                blob.hash, blob.len
            ))),
        }
    }

    /// The message in the heart's words; its payload is kept under the name that is returned.
    fn in_the_hearts_words(
        &mut self,
        said: Said,
    ) -> (FromApp, Option<overwinter_session::ids::PayloadId>) {
        let mut kept = None;
        let message = match said {
            Said::Saved {
                op,
                group,
                lease,
                revision,
                title,
                digest,
                state,
                blobs,
                secrets,
            } => {
                let payload = |state| Payload {
                    group,
                    state: Arc::new(state),
                    blobs: Arc::new(blobs.into_iter().collect()),
                    secrets: Arc::new(secrets),
                };
                kept = state.map(|state| self.payloads.keep(payload(state)));
                FromApp::Saved {
                    op,
                    group,
                    lease,
                    revision,
                    title,
                    digest,
                    payload: kept,
                }
            }
            Said::Restored {
                op,
                group,
                copy,
                revision,
                digest,
                loss,
            } => FromApp::Restored {
                op,
                group,
                copy,
                revision,
                digest,
                loss,
            },
            Said::Released {
                op,
                group,
                lease,
                revision,
            } => FromApp::Released {
                op,
                group,
                lease,
                revision,
            },
            Said::Changed {
                op,
                group,
                lease,
                revision,
            } => FromApp::Changed {
                op,
                group,
                lease,
                revision,
            },
            Said::Failed { op, group, why } => FromApp::Failed { op, group, why },
            Said::Closed { group, lease } => FromApp::Closed { group, lease },
            Said::ExtendDeadline { op, group, ms } => FromApp::ExtendDeadline { op, group, ms },
            Said::Names { op, held } => FromApp::Names { op, held },
        };
        (message, kept)
    }

    /// `Effect::Send`.
    pub(crate) fn send(&mut self, state: &mut Overwinter, instance: InstanceId, message: ToApp) {
        let process = self.processes.get(instance);
        let caller = process.and_then(|p| {
            Some(Caller {
                name: p.caller.clone()?,
                process: p.process,
            })
        });
        let Some(caller) = caller else {
            if let ToApp::Restore { state, .. } = &message {
                self.payloads.take(*state);
            }
            return tracing::debug!("{instance} has gone or has not called yet: {message:?}");
        };
        let Some(call) = self.call(state, &caller, message) else {
            return;
        };
        if let Some(bus) = &self.bus {
            bus.command(BusCommand::Call {
                to: caller.name,
                call,
            });
        }
    }

    fn call(
        &mut self,
        state: &mut Overwinter,
        caller: &Caller,
        message: ToApp,
    ) -> Option<ClientCall> {
        Some(match message {
            ToApp::BeginSave {
                op,
                group,
                lease,
                reason,
                deadline_ms,
            } => ClientCall::BeginSave {
                op,
                group,
                lease,
                reason,
                deadline_ms,
            },
            ToApp::Stored {
                group,
                lease,
                revision,
                generation,
            } => ClientCall::Stored {
                group,
                lease,
                revision,
                generation,
            },
            ToApp::Restore {
                op,
                group,
                copy,
                reason,
                revision,
                state: payload,
                deadline_ms,
            } => {
                let Some(payload) = self.payloads.take(payload) else {
                    tracing::error!("a state to be restored is not there");
                    return None;
                };
                let cookie = grant(state, caller, group, copy, true)
                    .inspect_err(|e| tracing::warn!("{e}"))
                    .ok()?;
                ClientCall::Restore {
                    op,
                    group,
                    copy,
                    reason,
                    revision,
                    cookie,
                    state: payload.state,
                    secrets: payload.secrets,
                    deadline_ms,
                }
            }
            ToApp::Adopt {
                op,
                group,
                copy,
                lease,
            } => ClientCall::Adopt {
                op,
                group,
                copy,
                lease,
            },
            ToApp::Discard { op, group, copy } => ClientCall::Discard { op, group, copy },
            ToApp::Release {
                op,
                group,
                lease,
                revision,
                how,
            } => ClientCall::Release {
                op,
                group,
                lease,
                revision,
                how,
            },
            ToApp::YieldNames { op } => ClientCall::YieldNames { op },
            ToApp::TakeNames { op } => ClientCall::TakeNames { op },
        })
    }
}

/// Draws a cookie and makes it known to the shell, for this process alone.
fn grant(
    state: &mut Overwinter,
    caller: &Caller,
    group: GroupId,
    copy: CopyId,
    trial: bool,
) -> Result<String, Refusal> {
    let cookie = hex::encode(super::random::<16>().map_err(no_random)?);
    let pid = i32::try_from(caller.process.pid)
        .map_err(|_| Refusal::Failed("no process has so large a number".into()))?;
    let grant = Grant {
        group,
        copy,
        pid,
        trial,
    };
    state.shell.grant(cookie.clone(), grant);
    Ok(cookie)
}
