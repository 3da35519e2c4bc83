//! What Wayland's XML files say can be said: every interface with its requests, events and enumerations.
//!
//! Nothing is written down twice: the files are those that the compositor's own dependencies are generated from, found by asking
//! cargo where they are, and our own `overwinter-v1.xml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Kind of an argument, as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Signed 32 bits.
    Int,
    /// Unsigned 32 bits.
    Uint,
    /// Signed 24.8.
    Fixed,
    /// Text that ends with a zero; true: may be absent.
    Text(bool),
    /// An object of this interface, or of any; true: may be absent.
    Object(Option<String>, bool),
    /// A fresh id for an object of this interface. None: the message names interface and version itself.
    NewId(Option<String>),
    /// Bytes.
    Array,
    /// A descriptor, beside the stream.
    Fd,
}

/// One argument.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Its name, which says a lot about what is sensible.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// `interface.enum` whose values it takes.
    pub values: Option<String>,
}

/// A request or an event.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its name.
    pub name: String,
    /// First version of the interface that has it.
    pub since: u32,
    /// Whether the object is gone afterwards.
    pub destroys: bool,
    /// What it carries.
    pub arguments: Vec<Argument>,
}

/// An interface.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Latest version that the file knows.
    pub version: u32,
    /// By opcode.
    pub requests: Vec<Message>,
    /// By opcode.
    pub events: Vec<Message>,
}

/// Values of an enumeration.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// Whether values may be put together.
    pub bits: bool,
    /// Those that have a name.
    pub known: Vec<u32>,
}

/// All interfaces.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    interfaces: BTreeMap<String, Arc<Interface>>,
    enumerations: BTreeMap<String, Values>,
}

impl Spec {
    /// Reads everything that is found beside the workspace's dependencies.
    ///
    /// # Errors
    /// When cargo does not say where they are, or a file cannot be read.
    pub fn find() -> Result<Spec> {
        let mut files = Vec::new();
        for folder in folders()? {
            collect(&folder, &mut files)?;
        }
        files.sort();
        let mut spec = Spec::default();
        for file in &files {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("reading {}", file.display()))?;
            spec.add(&text)
                .with_context(|| format!("{} is not understood", file.display()))?;
        }
        for needed in ["wl_display", "xdg_wm_base", "overwinter_manager_v1"] {
            ensure!(
                spec.interface(needed).is_some(),
                "none of {} files describes {needed}",
                files.len()
            );
        }
        Ok(spec)
    }

    /// An interface by its name.
    pub fn interface(&self, name: &str) -> Option<&Arc<Interface>> {
        self.interfaces.get(name)
    }

    /// Values of `interface.enum`.
    pub fn values(&self, name: &str) -> Option<&Values> {
        self.enumerations.get(name)
    }

    /// Adds one file. Of an interface that is described twice the later version counts.
    fn add(&mut self, text: &str) -> Result<()> {
        let mut reader = Reader::from_str(text);
        let mut place = Place::default();
        loop {
            match reader.read_event()? {
                Event::Start(tag) => self.open(&tag, &mut place, false)?,
                Event::Empty(tag) => self.open(&tag, &mut place, true)?,
                Event::End(tag) => match tag.name().as_ref() {
                    b"interface" => self.finish(&mut place),
                    b"request" | b"event" => place.close_message(),
                    _ => {}
                },
                Event::Eof => return Ok(()),
                _ => {}
            }
        }
    }

    fn open(&mut self, tag: &BytesStart<'_>, place: &mut Place, empty: bool) -> Result<()> {
        match tag.name().as_ref() {
            b"interface" => {
                place.interface = Some(Interface {
                    name: need(tag, "name")?,
                    version: number(&need(tag, "version")?)?,
                    requests: Vec::new(),
                    events: Vec::new(),
                });
            }
            kind @ (b"request" | b"event") => {
                let since = get(tag, "since")?.map_or(Ok(1), |s| number(&s))?;
                place.is_request = kind == b"request";
                place.message = Some(Message {
                    name: need(tag, "name")?,
                    since,
                    destroys: get(tag, "type")?.as_deref() == Some("destructor"),
                    arguments: Vec::new(),
                });
                if empty {
                    place.close_message();
                }
            }
            b"arg" => {
                let argument = argument(tag, place.interface_name())?;
                if let Some(message) = &mut place.message {
                    message.arguments.push(argument);
                }
            }
            b"enum" => {
                let name = format!("{}.{}", place.interface_name(), need(tag, "name")?);
                let bits = get(tag, "bitfield")?.as_deref() == Some("true");
                self.enumerations.entry(name.clone()).or_default().bits = bits;
                place.enumeration = name;
            }
            b"entry" => {
                let value = number(&need(tag, "value")?)?;
                if let Some(values) = self.enumerations.get_mut(&place.enumeration) {
                    values.known.push(value);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, place: &mut Place) {
        let Some(interface) = place.interface.take() else {
            return;
        };
        let known = self.interfaces.get(&interface.name);
        if known.is_none_or(|k| k.version < interface.version) {
            self.interfaces
                .insert(interface.name.clone(), Arc::new(interface));
        }
    }
}

/// Where in a file the reader is.
#[derive(Default)]
struct Place {
    interface: Option<Interface>,
    message: Option<Message>,
    is_request: bool,
    enumeration: String,
}

impl Place {
    fn interface_name(&self) -> &str {
        self.interface.as_ref().map_or("", |i| &i.name)
    }

    fn close_message(&mut self) {
        if let (Some(message), Some(interface)) = (self.message.take(), &mut self.interface) {
            let list = if self.is_request {
                &mut interface.requests
            } else {
                &mut interface.events
            };
            list.push(message);
        }
    }
}

fn argument(tag: &BytesStart<'_>, interface: &str) -> Result<Argument> {
    let nullable = get(tag, "allow-null")?.as_deref() == Some("true");
    let target = get(tag, "interface")?;
    let kind = match need(tag, "type")?.as_str() {
        "int" => Kind::Int,
        "uint" => Kind::Uint,
        "fixed" => Kind::Fixed,
        "string" => Kind::Text(nullable),
        "object" => Kind::Object(target, nullable),
        "new_id" => Kind::NewId(target),
        "array" => Kind::Array,
        "fd" => Kind::Fd,
        other => bail!("an argument of type {other:?}"),
    };
    let values = get(tag, "enum")?.map(|name| {
        if name.contains('.') {
            name
        } else {
            format!("{interface}.{name}")
        }
    });
    Ok(Argument {
        name: need(tag, "name")?,
        kind,
        values,
    })
}

fn get(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>> {
    let found = tag.try_get_attribute(name)?;
    Ok(found.map(|a| String::from_utf8_lossy(&a.value).into_owned()))
}

fn need(tag: &BytesStart<'_>, name: &str) -> Result<String> {
    get(tag, name)?.with_context(|| {
        let tag = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
        format!("<{tag}> without {name}")
    })
}

fn number(text: &str) -> Result<u32> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.with_context(|| format!("{text:?} is no number"))
}

/// Folders of the packages that bring protocol files, and our own.
fn folders() -> Result<Vec<PathBuf>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let said = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(&own)
        .output()
        .context("cargo metadata")?;
    ensure!(
        said.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&said.stderr)
    );
    let all: serde_json::Value = serde_json::from_slice(&said.stdout)?;
    let packages = all["packages"].as_array().map(Vec::as_slice);
    let mut folders = vec![own.join("session-proto/protocols")];
    for package in packages.unwrap_or_default() {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = package["manifest_path"].as_str().map(Path::new);
        if (name.starts_with("wayland-protocols") || name == "wayland-client")
            && let Some(folder) = manifest.and_then(Path::parent)
        {
            folders.push(folder.to_owned());
        }
    }
    Ok(folders)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            // What a package tries its own code with is no protocol.
            if !path.ends_with("tests") {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|e| e == "xml") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_files_say() {
        let spec = Spec::find().unwrap();
        let surface = spec.interface("wl_surface").unwrap();
        assert_eq!(surface.requests[0].name, "destroy");
        assert!(surface.requests[0].destroys);
        let attach = &surface.requests[1];
        assert_eq!(attach.name, "attach");
        assert_eq!(
            attach.arguments[0].kind,
            Kind::Object(Some("wl_buffer".into()), true)
        );
        let transform = spec.values("wl_output.transform").unwrap();
        assert_eq!(transform.known, (0..8).collect::<Vec<_>>());
        let bind = &spec.interface("wl_registry").unwrap().requests[0];
        assert_eq!(bind.arguments[1].kind, Kind::NewId(None));
        let done = &spec.interface("wl_callback").unwrap().events[0];
        assert!(done.destroys);
        for name in ["zwlr_layer_shell_v1", "zwp_input_method_manager_v2"] {
            assert!(spec.interface(name).is_some(), "{name}");
        }
    }
}
