//! Which process is which instance. Nobody is taken for an instance because it says so: a process counts by its number and
//! start time, as the launcher started it or as its executable shows.

use std::collections::BTreeMap;

use overwinter_proto::launch::ProcessId;
use overwinter_proto::{Build, InstanceId};

/// A process that takes part.
#[derive(Clone, PartialEq, Debug)]
pub struct Process {
    /// What the kernel calls it.
    pub process: ProcessId,
    /// App id.
    pub app: String,
    /// Its connection on the bus, once it has called.
    pub caller: Option<String>,
    /// The code it runs, once it has registered.
    pub build: Option<Build>,
    /// The launcher started it (and sees its end).
    pub launched: bool,
    /// Milliseconds on CLOCK_MONOTONIC when it became known here.
    pub since_ms: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Processes {
    all: BTreeMap<InstanceId, Process>,
    last: u64,
}

impl Processes {
    /// A new instance.
    pub fn add(&mut self, process: Process) -> InstanceId {
        self.last += 1;
        let id = InstanceId(self.last);
        self.all.insert(id, process);
        id
    }

    /// By number.
    pub fn get(&self, instance: InstanceId) -> Option<&Process> {
        self.all.get(&instance)
    }

    /// By number.
    pub fn get_mut(&mut self, instance: InstanceId) -> Option<&mut Process> {
        self.all.get_mut(&instance)
    }

    /// By process.
    pub fn of_process(&self, process: ProcessId) -> Option<InstanceId> {
        self.find(|p| p.process == process)
    }

    /// By its connection on the bus.
    pub fn of_caller(&self, name: &str) -> Option<InstanceId> {
        self.find(|p| p.caller.as_deref() == Some(name))
    }

    fn find(&self, matches: impl Fn(&Process) -> bool) -> Option<InstanceId> {
        self.all.iter().find(|(_, p)| matches(p)).map(|(id, _)| *id)
    }

    /// It has ended.
    pub fn remove(&mut self, instance: InstanceId) -> Option<Process> {
        self.all.remove(&instance)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (InstanceId, &Process)> {
        self.all.iter().map(|(id, p)| (*id, p))
    }
}
