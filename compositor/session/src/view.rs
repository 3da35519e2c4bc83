//! What the session looks like from outside: plain values for status and the group objects. Nothing here decides anything.

use crate::group::{Group, Home, OtherKind};
use crate::ids::*;
use crate::instance::{Instance, Stage};
use crate::session::Session;

/// Everything there is to see.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct View {
    /// Every group known here, the ones that arrive from or went to another host included.
    pub groups: Vec<GroupView>,
    /// Every process that takes part.
    pub instances: Vec<InstanceView>,
    /// Operations that have not ended.
    pub operations: Vec<OperationId>,
}

/// One group.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupView {
    /// Which.
    pub group: GroupId,
    /// App id.
    pub app: String,
    /// Title of the document.
    pub title: String,
    /// One of the words of `org.overwinter.Group1.State`.
    pub state: &'static str,
    /// The instance that holds the lease.
    pub holder: Option<InstanceId>,
    /// Version text of the code that holds it or, asleep, that saved it. Empty when unknown.
    pub version: String,
    /// Newest durable generation; 0 when there is none.
    pub generation: Generation,
    /// Newest lease.
    pub lease: Lease,
    /// Instances that keep a retired copy for undo.
    pub retired: Vec<InstanceId>,
    /// Name of the host it was released to.
    pub lives_on: Option<String>,
    /// The last thing that went wrong with it, in full sentences.
    pub error: Option<String>,
}

/// One process.
#[derive(Clone, PartialEq, Debug)]
pub struct InstanceView {
    /// Which.
    pub instance: InstanceId,
    /// App id.
    pub app: String,
    /// The code it runs; unknown until it has registered.
    pub build: Option<Build>,
    /// It has said Register.
    pub registered: bool,
    /// It was asked to end and has not yet.
    pub ending: bool,
    /// It holds nothing but retired copies.
    pub retired: bool,
    /// The code on disk is another than the code it runs.
    pub stale: bool,
    /// For how many milliseconds it has run stale code.
    pub stale_ms: u64,
    /// Groups whose lease it holds.
    pub groups: Vec<GroupId>,
}

impl Session {
    /// The session as it is now.
    pub fn view(&self) -> View {
        let mut groups: Vec<GroupView> = self.groups.values().map(|g| self.view_group(g)).collect();
        groups.extend(self.aside.values().map(Session::view_aside));
        for (id, arrival) in &self.arrivals {
            // One that comes back: what it was here before is history.
            groups.retain(|g| g.group != *id);
            groups.push(GroupView {
                group: *id,
                app: arrival.app.clone(),
                title: arrival.title.clone(),
                state: "in-transit",
                holder: None,
                version: String::new(),
                generation: arrival.generation,
                lease: arrival.lease,
                retired: Vec::new(),
                lives_on: None,
                error: None,
            });
        }
        let instances = self
            .instances
            .iter()
            .map(|(id, i)| self.view_instance(*id, i));
        View {
            groups,
            instances: instances.collect(),
            operations: self.operations.keys().copied().collect(),
        }
    }

    fn view_group(&self, g: &Group) -> GroupView {
        let holder = g.holder().map(|h| h.instance);
        let of_holder = holder
            .and_then(|i| self.instances.get(&i))
            .map(|i| &i.build);
        let newest = g.newest();
        let of_snapshot = newest
            .and_then(|n| g.snapshots.get(&n))
            .and_then(|s| s.build.as_ref());
        let build = of_holder.or(of_snapshot);
        let retired = |o: &&crate::group::OtherCopy| matches!(o.kind, OtherKind::Retired { .. });
        GroupView {
            group: g.id,
            app: g.app.clone(),
            title: g.title.clone(),
            state: g.state_word(),
            holder,
            version: build.map(|b| b.version.clone()).unwrap_or_default(),
            generation: newest.unwrap_or_default(),
            lease: g.lease,
            retired: g
                .others
                .values()
                .filter(retired)
                .map(|o| o.instance)
                .collect(),
            lives_on: match &g.home {
                Home::Released(departed) => Some(departed.destination_name.clone()),
                _ => None,
            },
            error: g.error.clone(),
        }
    }

    fn view_instance(&self, id: InstanceId, i: &Instance) -> InstanceView {
        let registered = !matches!(i.stage, Stage::Starting);
        let on_disk = self.apps.get(&i.app).and_then(|a| a.on_disk.as_ref());
        let stale_since = on_disk
            .filter(|(build, _)| registered && build.id != i.build.id)
            .map(|(_, since)| (*since).max(i.registered_at));
        InstanceView {
            instance: id,
            app: i.app.clone(),
            build: registered.then(|| i.build.clone()),
            registered,
            ending: matches!(i.stage, Stage::Ending { .. }),
            retired: self.is_retired(id),
            stale: stale_since.is_some(),
            stale_ms: stale_since.map_or(0, |since| self.now.0.saturating_sub(since.0)),
            groups: self.kept(id),
        }
    }
}
