//! Apps: they hold copies, edit, save, and do what they are asked, in their mood.

use std::collections::BTreeMap;

use overwinter_session::event::FromApp;
use overwinter_session::ids::*;
use overwinter_session::{Event, ToApp};

use super::{APP, Item, Lane, World};

/// A document: the edits that made it, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Content(pub Vec<u64>);

impl Content {
    /// Whether everything of the other is in this one.
    pub fn contains(&self, other: &Content) -> bool {
        self.0.len() >= other.0.len() && self.0[..other.0.len()] == other.0[..]
    }

    pub fn sum(&self) -> u64 {
        self.0
            .iter()
            .fold(17, |sum, edit| sum.wrapping_mul(31).wrapping_add(*edit))
    }

    pub fn digest(&self) -> Digest {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&self.sum().to_be_bytes());
        digest
    }
}

/// How an app behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mood {
    Honest,
    /// Answers nothing.
    Silent,
    /// Says that it cannot.
    Refusing,
    /// Says everything twice.
    Stuttering,
    /// Changes each document between save and release.
    Restless,
    /// Restores something else than it was given, and does not say so.
    Forgetful,
    /// Restores less than it was given, and says so.
    Lossy,
    /// Ends when it is asked to restore.
    Fragile,
    /// Ends when it is asked to save.
    Fainting,
    /// Ends when it is asked to let go.
    Startled,
}

#[derive(Clone, Debug)]
pub struct App {
    pub build: Build,
    pub mood: Mood,
    pub copies: BTreeMap<CopyId, Copy>,
    pub has_names: bool,
}

/// One copy of a group in an app.
#[derive(Clone, Debug)]
pub struct Copy {
    pub group: GroupId,
    pub lease: Option<Lease>,
    pub retired: bool,
    pub content: Content,
    pub stored: Option<Revision>,
}

impl Copy {
    pub fn revision(&self) -> Revision {
        Revision(self.content.0.len() as u64)
    }
}

impl App {
    pub fn held(&mut self, group: GroupId) -> Option<&mut Copy> {
        self.copies
            .values_mut()
            .find(|c| c.group == group && c.lease.is_some())
    }
}

impl World {
    // ── a user at an app ─────────────────────────────────────────────────────────────────────────────────────────────

    /// The user starts the app from a terminal.
    pub fn launch_by_hand(&mut self, host: usize) -> InstanceId {
        let build = self.hosts[host].on_disk.clone();
        self.spawn(host, build)
    }

    fn spawn(&mut self, host: usize, build: Build) -> InstanceId {
        let instance = InstanceId(self.fresh());
        let app = App {
            build,
            mood: self.hosts[host].mood,
            copies: BTreeMap::new(),
            has_names: true,
        };
        self.hosts[host].apps.insert(instance, app);
        self.push(Lane::FromApp(host, instance), Item::Register);
        instance
    }

    /// A new document.
    pub fn open(&mut self, host: usize, instance: InstanceId) -> GroupId {
        let group = GroupId(u128::from(self.fresh()) << 96);
        let copy = CopyId(self.fresh());
        let title = format!("document {}", group.0 >> 96);
        let says = FromApp::OpenGroup { group, copy, title };
        let allowed = {
            let session = self.hosts[host].session.as_ref();
            session.is_some_and(|s| s.may(instance, &says).is_ok())
        };
        if !allowed {
            return group;
        }
        if let Some(app) = self.hosts[host].apps.get_mut(&instance) {
            let new = Copy {
                group,
                lease: Some(Lease::FIRST),
                retired: false,
                content: Content::default(),
                stored: None,
            };
            app.copies.insert(copy, new);
            let message = says;
            self.tell(host, Event::App { instance, message });
        }
        group
    }

    pub fn holder(&self, host: usize, group: GroupId) -> Option<InstanceId> {
        self.hosts[host]
            .apps
            .iter()
            .find(|(_, app)| {
                app.copies
                    .values()
                    .any(|c| c.group == group && c.lease.is_some())
            })
            .map(|(id, _)| *id)
    }

    /// The user types.
    pub fn edit(&mut self, host: usize, group: GroupId) {
        let edit = self.fresh();
        let holder = self.holder(host, group);
        if let Some(instance) = holder
            && let Some(copy) = self.hosts[host]
                .apps
                .get_mut(&instance)
                .and_then(|a| a.held(group))
        {
            copy.content.0.push(edit);
        }
    }

    /// The app saves as it goes.
    pub fn autosave(&mut self, host: usize, group: GroupId) {
        if let Some(instance) = self.holder(host, group) {
            self.save(host, instance, group, OpId::UNSOLICITED);
        }
    }

    fn save(&mut self, host: usize, instance: InstanceId, group: GroupId, op: OpId) {
        let Some(copy) = self.hosts[host]
            .apps
            .get_mut(&instance)
            .and_then(|a| a.held(group))
        else {
            return;
        };
        let revision = copy.revision();
        let clean = copy.stored == Some(revision);
        let says = FromApp::Saved {
            op,
            group,
            lease: copy.lease.unwrap_or_default(),
            revision,
            title: format!("document {}", group.0 >> 96),
            digest: copy.content.digest(),
            payload: None,
        };
        let content = (!clean).then(|| copy.content.clone());
        self.app_says(host, instance, says, content);
    }

    /// The user closes the document.
    pub fn close(&mut self, host: usize, group: GroupId) {
        let Some(instance) = self.holder(host, group) else {
            return;
        };
        let Some(app) = self.hosts[host].apps.get_mut(&instance) else {
            return;
        };
        let lease = app.held(group).and_then(|c| c.lease).unwrap_or_default();
        self.app_says(host, instance, FromApp::Closed { group, lease }, None);
    }

    // ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────

    pub fn launch(&mut self, host: usize, launch: LaunchId, build: Option<String>) {
        let h = &self.hosts[host];
        let found = match &build {
            Some(id) => h.kept.get(id).cloned(),
            None => Some(h.on_disk.clone()),
        };
        match found.filter(|_| !h.starts_fail) {
            Some(build) => {
                let instance = self.spawn(host, build);
                self.tell(host, Event::Started { launch, instance });
            }
            None => {
                let why = "there is no such program.".to_owned();
                self.tell(host, Event::StartFailed { launch, why });
            }
        }
    }

    pub fn kill(&mut self, host: usize, instance: InstanceId) {
        if self.hosts[host].apps.remove(&instance).is_some() {
            self.lanes.remove(&Lane::ToApp(host, instance));
            self.push(Lane::FromApp(host, instance), Item::Gone(instance));
        }
    }

    pub fn register(&mut self, host: usize, instance: InstanceId) {
        let Some(app) = self.hosts[host].apps.get(&instance) else {
            return;
        };
        let build = app.build.clone();
        let held = app
            .copies
            .values()
            .filter_map(|c| Some((c.group, c.lease?, c.revision())))
            .collect();
        let app = APP.to_owned();
        self.tell(
            host,
            Event::Registered {
                instance,
                app,
                build,
                held,
            },
        );
        self.keep_what_is_agreed(host, instance);
    }

    /// After the session was started anew: copies without lease are dropped, the others are claimed.
    pub fn app_comes_back(
        &mut self,
        host: usize,
        instance: InstanceId,
    ) -> Option<Vec<(GroupId, Lease, Revision)>> {
        let app = self.hosts[host].apps.get_mut(&instance)?;
        app.copies.retain(|_, copy| copy.lease.is_some());
        let copies = app.copies.values();
        Some(
            copies
                .filter_map(|c| Some((c.group, c.lease?, c.revision())))
                .collect(),
        )
    }

    /// What the session does not agree with is dropped (an app would ask its user first).
    pub fn keep_what_is_agreed(&mut self, host: usize, instance: InstanceId) {
        let h = &mut self.hosts[host];
        let Some(session) = &h.session else {
            return;
        };
        let kept = session.kept(instance);
        if let Some(app) = h.apps.get_mut(&instance) {
            app.copies
                .retain(|_, c| c.lease.is_none() || kept.contains(&c.group));
        }
    }

    // ── talk ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    fn app_says(
        &mut self,
        host: usize,
        instance: InstanceId,
        says: FromApp,
        content: Option<Content>,
    ) {
        let twice = self.hosts[host]
            .apps
            .get(&instance)
            .is_some_and(|a| a.mood == Mood::Stuttering);
        let lane = Lane::FromApp(host, instance);
        if twice {
            self.push(lane, Item::Says(says.clone(), content.clone()));
        }
        self.push(lane, Item::Says(says, content));
    }

    /// What the driver does with an app's call: refuse it, or give its payload a name and pass it on.
    pub fn app_is_heard(
        &mut self,
        host: usize,
        instance: InstanceId,
        mut message: FromApp,
        content: Option<Content>,
    ) {
        let Some(session) = &self.hosts[host].session else {
            return;
        };
        if session.may(instance, &message).is_err() {
            return;
        }
        if let FromApp::Saved { payload, .. } = &mut message
            && let Some(content) = content
        {
            let name = PayloadId(self.fresh());
            self.hosts[host].payloads.insert(name, content);
            *payload = Some(name);
        }
        if let FromApp::Closed { group, .. } = &message {
            let group = *group;
            self.ended.insert(group);
            if let Some(app) = self.hosts[host].apps.get_mut(&instance) {
                app.copies.retain(|_, c| c.group != group);
            }
        }
        self.tell(host, Event::App { instance, message });
    }

    pub fn app_hears(
        &mut self,
        host: usize,
        instance: InstanceId,
        message: ToApp,
        content: Option<Content>,
    ) {
        let Some(app) = self.hosts[host].apps.get_mut(&instance) else {
            return;
        };
        let mood = app.mood;
        match message {
            ToApp::Stored {
                group, revision, ..
            } => {
                let Some(copy) = app.held(group) else {
                    return;
                };
                copy.stored = copy.stored.max(Some(revision));
                let mut content = copy.content.clone();
                content.0.truncate(revision.0 as usize);
                self.acknowledge(group, content);
            }
            ToApp::Discard { copy, .. } => {
                app.copies.remove(&copy);
                if app.copies.is_empty() {
                    self.kill(host, instance);
                }
            }
            ToApp::Adopt {
                group, copy, lease, ..
            } => {
                let mut content = None;
                app.copies.retain(|id, c| c.group != group || *id == copy);
                if let Some(copy) = app.copies.get_mut(&copy) {
                    copy.lease = Some(lease);
                    copy.retired = false;
                    content = Some(copy.content.clone());
                }
                self.check_adopted(host, group, lease, content);
            }
            _ if mood == Mood::Silent => {}
            ToApp::BeginSave { op, group, .. } => match mood {
                Mood::Refusing => self.cannot(host, instance, op, group),
                Mood::Fainting => self.kill(host, instance),
                _ => self.save(host, instance, group, op),
            },
            ToApp::Restore {
                op, group, copy, ..
            } => {
                self.restore(host, instance, op, group, copy, content.unwrap_or_default());
            }
            ToApp::Release {
                op,
                group,
                lease,
                revision,
                how,
            } => {
                self.release(host, instance, (op, group, lease), revision, how);
            }
            ToApp::YieldNames { op } => {
                app.has_names = false;
                self.app_says(host, instance, FromApp::Names { op, held: false }, None);
            }
            ToApp::TakeNames { op } => {
                app.has_names = true;
                self.app_says(host, instance, FromApp::Names { op, held: true }, None);
            }
        }
    }

    fn acknowledge(&mut self, group: GroupId, content: Content) {
        let known = self.acknowledged.entry(group).or_default();
        // After a fall back to an older generation the document has taken another way.
        if content.0.len() >= known.0.len() || !known.contains(&content) {
            *known = content;
        }
    }

    fn cannot(&mut self, host: usize, instance: InstanceId, op: OpId, group: GroupId) {
        let why = "I would rather not".to_owned();
        self.app_says(host, instance, FromApp::Failed { op, group, why }, None);
    }

    fn restore(
        &mut self,
        host: usize,
        instance: InstanceId,
        op: OpId,
        group: GroupId,
        copy: CopyId,
        content: Content,
    ) {
        let mood = self.hosts[host].apps[&instance].mood;
        let mut loss = Vec::new();
        let mut digest = content.digest();
        match mood {
            Mood::Refusing => return self.cannot(host, instance, op, group),
            Mood::Fragile => return self.kill(host, instance),
            // What it forgets lies outside of what the checks look at: they are about the session.
            Mood::Forgetful => digest[31] = 1,
            Mood::Lossy => {
                digest[31] = 1;
                loss.push(("/fold".to_owned(), "this version has none".to_owned()));
            }
            _ => {}
        }
        let new = Copy {
            group,
            lease: None,
            retired: false,
            content: content.clone(),
            stored: Some(Revision(content.0.len() as u64)),
        };
        let says = FromApp::Restored {
            op,
            group,
            copy,
            revision: new.revision(),
            digest,
            loss,
        };
        if let Some(app) = self.hosts[host].apps.get_mut(&instance) {
            app.copies.insert(copy, new);
        }
        self.app_says(host, instance, says, None);
    }

    fn release(
        &mut self,
        host: usize,
        instance: InstanceId,
        (op, group, lease): (OpId, GroupId, Lease),
        revision: Revision,
        how: LetGo,
    ) {
        let restless = self.fresh();
        let Some(app) = self.hosts[host].apps.get_mut(&instance) else {
            return;
        };
        let mood = app.mood;
        let held = app
            .copies
            .iter_mut()
            .find(|(_, c)| c.group == group && c.lease == Some(lease));
        let Some((id, copy)) = held else {
            return;
        };
        let id = *id;
        match mood {
            Mood::Refusing => return self.cannot(host, instance, op, group),
            Mood::Startled => return self.kill(host, instance),
            Mood::Restless => copy.content.0.push(restless),
            _ => {}
        }
        if copy.revision() != revision {
            let revision = copy.revision();
            let says = FromApp::Changed {
                op,
                group,
                lease,
                revision,
            };
            return self.app_says(host, instance, says, None);
        }
        let content = copy.content.clone();
        match how {
            LetGo::Stay => {
                copy.lease = None;
                copy.retired = true;
            }
            LetGo::Quit => {
                app.copies.remove(&id);
            }
        }
        let ends = how == LetGo::Quit && app.copies.is_empty();
        self.check_let_go(host, group, &content);
        let says = FromApp::Released {
            op,
            group,
            lease,
            revision,
        };
        self.app_says(host, instance, says, None);
        if ends {
            self.kill(host, instance);
        }
    }
}
