//! `org.overwinter.Control1`: what the command line, an overview or an adapter asks.

use std::{os::fd::OwnedFd, sync::Arc};

use overwinter_proto::GroupId;
use zbus::{
    Connection, interface, message::Header, object_server::SignalEmitter,
    zvariant::OwnedFd as WireFd,
};

use crate::{BusEvent, Control, Refusal, Reply, server::Shared, session::group_id};

pub(crate) struct ControlObject {
    pub shared: Arc<Shared>,
}

impl ControlObject {
    async fn ask<T>(
        &self,
        connection: &Connection,
        header: &Header<'_>,
        request: impl FnOnce(Reply<T>) -> Control,
    ) -> Result<T, Refusal> {
        self.shared.may_control(connection, header).await?;
        let (reply, answer) = Reply::new();
        (self.shared.events)(BusEvent::Control(request(reply)));
        answer.wait().await
    }
}

fn group_ids(groups: &[String]) -> Result<Vec<GroupId>, Refusal> {
    groups.iter().map(|g| group_id(g)).collect()
}

#[interface(name = "org.overwinter.Control1", spawn = false)]
impl ControlObject {
    #[zbus(out_args("json"))]
    async fn status(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Refusal> {
        self.ask(connection, &header, |reply| Control::Status { reply })
            .await
    }

    #[zbus(out_args("operation"))]
    async fn hibernate(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        groups: Vec<String>,
    ) -> Result<u64, Refusal> {
        let groups = group_ids(&groups)?;
        self.ask(connection, &header, |reply| Control::Hibernate {
            groups,
            reply,
        })
        .await
    }

    #[zbus(out_args("operation"))]
    async fn wake(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        groups: Vec<String>,
    ) -> Result<u64, Refusal> {
        let groups = group_ids(&groups)?;
        self.ask(connection, &header, |reply| Control::Wake { groups, reply })
            .await
    }

    #[zbus(out_args("operation"))]
    async fn update(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        app: String,
    ) -> Result<u64, Refusal> {
        self.ask(connection, &header, |reply| Control::Update { app, reply })
            .await
    }

    #[zbus(out_args("operation"))]
    async fn undo_update(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        app: String,
    ) -> Result<u64, Refusal> {
        self.ask(connection, &header, |reply| Control::UndoUpdate {
            app,
            reply,
        })
        .await
    }

    #[zbus(name = "Move", out_args("operation"))]
    async fn move_groups(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        groups: Vec<String>,
        stream: WireFd,
    ) -> Result<u64, Refusal> {
        let groups = group_ids(&groups)?;
        let stream = OwnedFd::from(stream);
        let request = |reply| Control::Move {
            groups,
            stream,
            reply,
        };
        self.ask(connection, &header, request).await
    }

    #[zbus(out_args("operation"))]
    async fn receive(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        stream: WireFd,
    ) -> Result<u64, Refusal> {
        let stream = OwnedFd::from(stream);
        self.ask(connection, &header, |reply| Control::Receive {
            stream,
            reply,
        })
        .await
    }

    #[zbus(out_args("operation"))]
    async fn launch(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        app: String,
        files: Vec<String>,
    ) -> Result<u64, Refusal> {
        self.ask(connection, &header, |reply| Control::Launch {
            app,
            files,
            reply,
        })
        .await
    }

    #[zbus(out_args("operation"))]
    async fn forget(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        groups: Vec<String>,
    ) -> Result<u64, Refusal> {
        let groups = group_ids(&groups)?;
        self.ask(connection, &header, |reply| Control::Forget {
            groups,
            reply,
        })
        .await
    }

    #[zbus(out_args("operation"))]
    async fn quit(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<u64, Refusal> {
        let anyway = false;
        self.ask(connection, &header, |reply| Control::Quit { anyway, reply })
            .await
    }

    #[zbus(out_args("operation"))]
    async fn quit_unsaved(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<u64, Refusal> {
        let anyway = true;
        self.ask(connection, &header, |reply| Control::Quit { anyway, reply })
            .await
    }

    #[zbus(out_args("state", "results"))]
    async fn operation(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        operation: u64,
    ) -> Result<(String, Vec<(String, String, String)>), Refusal> {
        let request = |reply| Control::Operation { operation, reply };
        let state = self.ask(connection, &header, request).await?;
        Ok((state.state.to_owned(), state.results))
    }

    #[zbus(signal)]
    pub(crate) async fn operation_ended(
        emitter: &SignalEmitter<'_>,
        operation: u64,
        state: &str,
        results: Vec<(String, String, String)>,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn changed(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}
