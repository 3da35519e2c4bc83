//! `org.overwinter.Store1`: how the store is looked after beside a running session.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use zbus::{
    Connection, interface, message::Header, object_server::SignalEmitter,
    zvariant::OwnedFd as WireFd,
};

use crate::{BusEvent, Refusal, Reply, StoreCall, payload, server::Shared, session::group_id};

pub(crate) struct StoreObject {
    pub shared: Arc<Shared>,
}

impl StoreObject {
    async fn ask<T>(
        &self,
        connection: &Connection,
        header: &Header<'_>,
        request: impl FnOnce(Reply<T>) -> StoreCall,
    ) -> Result<T, Refusal> {
        self.shared.may_control(connection, header).await?;
        let (reply, answer) = Reply::new();
        (self.shared.events)(BusEvent::Store(request(reply)));
        answer.wait().await
    }

    async fn ask_export(
        &self,
        connection: &Connection,
        header: &Header<'_>,
        group: &str,
        file: WireFd,
        last_good: bool,
    ) -> Result<u64, Refusal> {
        let group = group_id(group)?;
        let file = OwnedFd::from(file);
        let request = |reply| StoreCall::Export {
            group,
            last_good,
            file,
            reply,
        };
        self.ask(connection, header, request).await
    }
}

#[interface(name = "org.overwinter.Store1", spawn = false)]
impl StoreObject {
    #[zbus(out_args("operation"))]
    async fn usage(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<u64, Refusal> {
        self.ask(connection, &header, |reply| StoreCall::Usage { reply })
            .await
    }

    #[zbus(out_args("operation"))]
    async fn collect(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        now: bool,
    ) -> Result<u64, Refusal> {
        let request = |reply| StoreCall::Collect { now, reply };
        self.ask(connection, &header, request).await
    }

    #[zbus(out_args("operation"))]
    async fn examine(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        repair: bool,
    ) -> Result<u64, Refusal> {
        let request = |reply| StoreCall::Examine { repair, reply };
        self.ask(connection, &header, request).await
    }

    #[zbus(out_args("operation"))]
    async fn export(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        group: String,
        file: WireFd,
    ) -> Result<u64, Refusal> {
        self.ask_export(connection, &header, &group, file, false)
            .await
    }

    #[zbus(out_args("operation"))]
    async fn export_last_good(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        group: String,
        file: WireFd,
    ) -> Result<u64, Refusal> {
        self.ask_export(connection, &header, &group, file, true)
            .await
    }

    #[zbus(out_args("operation"))]
    async fn import(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        file: WireFd,
    ) -> Result<u64, Refusal> {
        let file = OwnedFd::from(file);
        self.ask(connection, &header, |reply| StoreCall::Import {
            file,
            reply,
        })
        .await
    }

    #[zbus(out_args("operation"))]
    async fn keys(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<u64, Refusal> {
        self.ask(connection, &header, |reply| StoreCall::Keys { reply })
            .await
    }

    #[zbus(out_args("operation"))]
    async fn add_key(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        kind: String,
        secret: WireFd,
    ) -> Result<u64, Refusal> {
        let secret = payload::take_word(secret.as_fd())?;
        let request = |reply| StoreCall::AddKey {
            kind,
            secret,
            reply,
        };
        self.ask(connection, &header, request).await
    }

    #[zbus(out_args("operation"))]
    async fn remove_key(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        kind: String,
    ) -> Result<u64, Refusal> {
        let request = |reply| StoreCall::RemoveKey { kind, reply };
        self.ask(connection, &header, request).await
    }

    #[zbus(out_args("operation"))]
    async fn rotate_key(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        secret: WireFd,
    ) -> Result<u64, Refusal> {
        let secret = payload::take_word(secret.as_fd())?;
        let request = |reply| StoreCall::RotateKey { secret, reply };
        self.ask(connection, &header, request).await
    }

    #[zbus(signal)]
    pub(crate) async fn progress(
        emitter: &SignalEmitter<'_>,
        operation: u64,
        done: u64,
        total: u64,
    ) -> zbus::Result<()>;
}
