//! What must hold in the world, seen from outside: no group is lost, none runs twice, every operation ends.

use std::collections::BTreeMap;

use overwinter_session::ids::*;
use overwinter_session::{Event, Session};

use super::app::{Content, Mood};
use super::disk::Disk;
use super::{World, config};

/// Whether a host in this state may run a group.
fn may_run(state: &str) -> bool {
    !matches!(state, "released" | "in-transit" | "parked")
}

impl World {
    /// After every step: at most one host may run a group. A host that is down may do what its journals say.
    pub fn check_always(&self) {
        let mut runners: BTreeMap<GroupId, Vec<usize>> = BTreeMap::new();
        for (index, host) in self.hosts.iter().enumerate() {
            let Some(session) = &host.session else {
                continue;
            };
            for group in session.view().groups {
                if may_run(group.state) {
                    runners.entry(group.group).or_default().push(index);
                }
            }
        }
        if let Some((group, hosts)) = runners.iter().find(|(_, hosts)| hosts.len() > 1) {
            self.fail(&format!("{group:?} may run on hosts {hosts:?}"));
        }
    }

    /// An app lets go of a copy: what it contains is durable on that host.
    pub fn check_let_go(&self, host: usize, group: GroupId, content: &Content) {
        if !self.hosts[host].disk.holds(group, content) {
            self.fail(&format!("{group:?} was let go of before it was durable"));
        }
    }

    /// A copy becomes the holder: its lease is durable, and no other copy under that lease or a later one exists.
    pub fn check_adopted(
        &self,
        host: usize,
        group: GroupId,
        lease: Lease,
        content: Option<Content>,
    ) {
        if self.hosts[host].session.is_none() || content.is_none() {
            return;
        }
        use overwinter_session::proto::JournalRecord::Lease as Record;
        let durable = self.hosts[host]
            .disk
            .groups
            .get(&group)
            .is_some_and(|shelf| shelf.journal.contains(&Record(lease)));
        if !durable {
            self.fail(&format!(
                "{lease:?} of {group:?} was handed out before it was durable"
            ));
        }
        let under_it = self
            .hosts
            .iter()
            .flat_map(|h| h.apps.values())
            .flat_map(|a| a.copies.values())
            .filter(|c| c.group == group && c.lease.is_some_and(|l| l >= lease))
            .count();
        if under_it > 1 {
            self.fail(&format!("{group:?} has two holders under {lease:?}"));
        }
    }

    /// Everything is mended, everything that waits comes to its end, the two hosts meet once more; then nothing is lost.
    pub fn heal_and_check(&mut self) {
        for host in 0..self.hosts.len() {
            let h = &mut self.hosts[host];
            h.disk.full = false;
            h.disk.mute = false;
            h.disk.stuck = false;
            h.mood = Mood::Honest;
            h.fences_answer = true;
            h.starts_fail = false;
            for app in h.apps.values_mut() {
                app.mood = Mood::Honest;
            }
            if h.session.is_none() {
                self.restart(host);
            }
        }
        self.run_out();
        // Hosts meet again, once each way: what was left undecided is decided.
        if self.hosts.len() > 1 {
            for (from, to) in [(0, 1), (1, 0)] {
                self.move_groups(from, to, vec![GroupId(1)]);
                self.run_out();
            }
        }
        self.check_ended();
        self.check_nothing_lost();
        self.check_screens();
        self.check_payloads();
    }

    fn check_ended(&self) {
        for (host, operation) in &self.asked {
            if !self.results.get(operation).is_some_and(|(ended, _)| *ended) {
                self.fail(&format!("{operation:?} of host {host} has not ended"));
            }
        }
        for (index, host) in self.hosts.iter().enumerate() {
            let Some(session) = &host.session else {
                continue;
            };
            let view = session.view();
            if !view.operations.is_empty() {
                self.fail(&format!(
                    "host {index} still waits for {:?}",
                    view.operations
                ));
            }
            let restless = |s: &str| !matches!(s, "live" | "asleep" | "released" | "quarantined");
            if let Some(group) = view.groups.iter().find(|g| restless(g.state)) {
                self.fail(&format!(
                    "host {index}: {:?} is still {}",
                    group.group, group.state
                ));
            }
        }
    }

    /// Each group of which an app was told that something is stored is on exactly one host, with that or newer.
    fn check_nothing_lost(&self) {
        for (group, content) in &self.acknowledged {
            if self.ended.contains(group) {
                continue;
            }
            let runners: Vec<usize> = (0..self.hosts.len())
                .filter(|host| self.runs_here(*host, *group))
                .collect();
            if runners.len() != 1 {
                self.fail(&format!("{group:?} is on hosts {runners:?}"));
            }
            let disk: &Disk = &self.hosts[runners[0]].disk;
            if !self.damaged.contains(group) && !disk.holds(*group, content) {
                self.fail(&format!("{group:?} has lost what was stored of it"));
            }
        }
    }

    fn runs_here(&self, host: usize, group: GroupId) -> bool {
        let view = self.hosts[host].session.as_ref().map(Session::view);
        let groups = view.map(|v| v.groups).unwrap_or_default();
        groups.iter().any(|g| g.group == group && may_run(g.state))
    }

    /// A ghost stands for what sleeps, and for nothing else.
    fn check_screens(&self) {
        for (index, host) in self.hosts.iter().enumerate() {
            let Some(session) = &host.session else {
                continue;
            };
            let groups = session.view().groups;
            for group in &groups {
                let ghost = host.screen.ghosts.contains(&group.group);
                let wanted = matches!(group.state, "asleep" | "quarantined");
                if ghost != wanted && group.state != "released" {
                    let (id, state) = (group.group, group.state);
                    self.fail(&format!("host {index}: {id:?} is {state}; ghost: {ghost}"));
                }
            }
            let known = |g: &GroupId| groups.iter().any(|v| v.group == *g);
            if let Some(astray) = host.screen.ghosts.iter().find(|g| !known(g)) {
                self.fail(&format!("host {index}: a ghost of {astray:?} is left"));
            }
        }
    }

    /// No payload stays in the shell's table when nothing is under way.
    fn check_payloads(&self) {
        for (index, host) in self.hosts.iter().enumerate() {
            if !host.payloads.is_empty() {
                let left = host.payloads.keys();
                self.fail(&format!("host {index}: payloads are left: {left:?}"));
            }
        }
    }

    /// A session that starts from this host's journals alone agrees with what it does.
    pub fn journals_agree(&self, host: usize, group: GroupId) -> bool {
        let histories = self.hosts[host].disk.histories();
        let config = config(host, 999);
        let (session, _) = Session::recover(config, self.now, histories, Vec::new());
        let there = session
            .view()
            .groups
            .iter()
            .any(|g| g.group == group && may_run(g.state));
        there == self.runs_here(host, group)
    }

    pub fn state(&self, host: usize, group: GroupId) -> &'static str {
        let view = self.hosts[host].session.as_ref().map(Session::view);
        let groups = view.map(|v| v.groups).unwrap_or_default();
        groups
            .iter()
            .find(|g| g.group == group)
            .map_or("none", |g| g.state)
    }

    pub fn touch(&mut self, host: usize, group: GroupId) {
        self.tell(host, Event::GhostTouched { group });
    }
}
