//! What the session looks like from outside: plain values for status and the group objects. Nothing here decides anything.

use crate::ids::*;

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
    /// For how many milliseconds it has run stale code while it held a group.
    pub stale_ms: u64,
    /// Groups whose lease it holds.
    pub groups: Vec<GroupId>,
}
