//! The D-Bus contract: names, paths, and the XML that other languages implement.

/// Well-known name of the session manager on the session bus.
pub const SESSION_NAME: &str = "org.overwinter.Session";
/// Object on which apps talk to the session.
pub const SESSION_PATH: &str = "/org/overwinter/Session";
/// Interface for apps at [`SESSION_PATH`].
pub const SESSION_INTERFACE: &str = "org.overwinter.Session1";
/// Interface at [`SESSION_PATH`] by which apps give and take blobs.
pub const BLOBS_INTERFACE: &str = "org.overwinter.Blobs1";
/// Interface for the command line, overview and adapters at [`SESSION_PATH`]; refused to sandboxed callers.
pub const CONTROL_INTERFACE: &str = "org.overwinter.Control1";
/// Interface of each group's object, `/org/overwinter/groups/<group id>`, listed by ObjectManager at `/org/overwinter`.
pub const GROUP_INTERFACE: &str = "org.overwinter.Group1";
/// Interface at [`STORE_PATH`] by which the store is looked after; refused to whom [`CONTROL_INTERFACE`] is.
pub const STORE_INTERFACE: &str = "org.overwinter.Store1";
/// Object of the store.
pub const STORE_PATH: &str = "/org/overwinter/Store";
/// Where ObjectManager lives.
pub const ROOT_PATH: &str = "/org/overwinter";
/// Folder of group objects.
pub const GROUPS_PATH: &str = "/org/overwinter/groups";
/// Interface that an app exports at [`CLIENT_PATH`].
pub const CLIENT_INTERFACE: &str = "org.overwinter.Client1";
/// Object that an app exports.
pub const CLIENT_PATH: &str = "/org/overwinter/Client";

/// The error that answers a `Saved` which names a blob that the session does not have (any more).
pub const MISSING_BLOB: &str = "org.overwinter.Error.MissingBlob";
/// The error that says "not now, ask again".
pub const BUSY: &str = "org.overwinter.Error.Busy";

/// Payloads above this many bytes travel as one sealed memfd.
pub const INLINE_MAX: usize = 64 << 10;

/// `dbus/org.overwinter.Session1.xml`.
pub const SESSION_XML: &str = include_str!("../dbus/org.overwinter.Session1.xml");
/// `dbus/org.overwinter.Blobs1.xml`.
pub const BLOBS_XML: &str = include_str!("../dbus/org.overwinter.Blobs1.xml");
/// `dbus/org.overwinter.Client1.xml`.
pub const CLIENT_XML: &str = include_str!("../dbus/org.overwinter.Client1.xml");
/// `dbus/org.overwinter.Control1.xml`.
pub const CONTROL_XML: &str = include_str!("../dbus/org.overwinter.Control1.xml");
/// `dbus/org.overwinter.Store1.xml`.
pub const STORE_XML: &str = include_str!("../dbus/org.overwinter.Store1.xml");
/// `dbus/org.overwinter.Group1.xml`.
pub const GROUP_XML: &str = include_str!("../dbus/org.overwinter.Group1.xml");
