//! `org.overwinter.Group1`: an object for each group, for whoever watches.

use std::collections::BTreeMap;

use overwinter_proto::{GroupId, bus::GROUPS_PATH};
use zbus::{Connection, interface, object_server::InterfaceRef};

/// A group as its object shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupView {
    /// Which.
    pub id: GroupId,
    /// App id.
    pub app: String,
    /// Of the document.
    pub title: String,
    /// A word of `Group1.State`.
    pub state: String,
    /// Of the code that holds or saved it.
    pub version: String,
    /// Newest durable one, 0 for none.
    pub generation: u64,
    /// Of the holder, 0 for none.
    pub pid: u32,
}

pub(crate) struct GroupObject(GroupView);

#[interface(name = "org.overwinter.Group1")]
impl GroupObject {
    #[zbus(property)]
    fn app(&self) -> String {
        self.0.app.clone()
    }
    #[zbus(property)]
    fn title(&self) -> String {
        self.0.title.clone()
    }
    #[zbus(property)]
    fn state(&self) -> String {
        self.0.state.clone()
    }
    #[zbus(property)]
    fn version(&self) -> String {
        self.0.version.clone()
    }
    #[zbus(property)]
    fn generation(&self) -> u64 {
        self.0.generation
    }
    #[zbus(property)]
    fn pid(&self) -> u32 {
        self.0.pid
    }
}

/// The objects that are on the bus now.
#[derive(Default)]
pub(crate) struct Groups {
    shown: BTreeMap<GroupId, InterfaceRef<GroupObject>>,
}

impl Groups {
    /// Makes the objects on the bus be exactly `views`.
    pub(crate) async fn show(
        &mut self,
        connection: &Connection,
        views: Vec<GroupView>,
    ) -> zbus::Result<()> {
        let views: BTreeMap<GroupId, GroupView> = views.into_iter().map(|v| (v.id, v)).collect();
        let gone: Vec<GroupId> = self
            .shown
            .keys()
            .filter(|g| !views.contains_key(g))
            .copied()
            .collect();
        for group in gone {
            self.shown.remove(&group);
            connection
                .object_server()
                .remove::<GroupObject, _>(path(group))
                .await?;
        }
        for (group, view) in views {
            match self.shown.get(&group) {
                Some(object) => update(object, view).await?,
                None => {
                    let server = connection.object_server();
                    server.at(path(group), GroupObject(view)).await?;
                    self.shown
                        .insert(group, server.interface(path(group)).await?);
                }
            }
        }
        Ok(())
    }
}

fn path(group: GroupId) -> String {
    format!("{GROUPS_PATH}/{group}")
}

async fn update(object: &InterfaceRef<GroupObject>, view: GroupView) -> zbus::Result<()> {
    let mut now = object.get_mut().await;
    if now.0 == view {
        return Ok(());
    }
    let before = std::mem::replace(&mut now.0, view);
    let emitter = object.signal_emitter();
    if before.app != now.0.app {
        now.app_changed(emitter).await?;
    }
    if before.title != now.0.title {
        now.title_changed(emitter).await?;
    }
    if before.state != now.0.state {
        now.state_changed(emitter).await?;
    }
    if before.version != now.0.version {
        now.version_changed(emitter).await?;
    }
    if before.generation != now.0.generation {
        now.generation_changed(emitter).await?;
    }
    if before.pid != now.0.pid {
        now.pid_changed(emitter).await?;
    }
    Ok(())
}
