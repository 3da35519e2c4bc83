//! xdg-foreign v2 and v1: a window of one client as the parent of another's (a portal's dialog above the app that asked for it).
//! Both versions share one set of handles: GTK 3 and GTK before 4.10 know only v1, others only v2, and they talk to each other.

use std::collections::HashMap;

use smithay::wayland::compositor::with_states;
use smithay::wayland::shell::is_valid_parent;
use smithay::wayland::shell::xdg::XdgToplevelSurfaceData;
use wayland_protocols::xdg::foreign::zv1::server as v1;
use wayland_protocols::xdg::foreign::zv2::server as v2;
use wayland_server::backend::ClientId;
use wayland_server::protocol::wl_surface::WlSurface;
use wayland_server::{Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource};

use v1::zxdg_exported_v1::ZxdgExportedV1;
use v1::zxdg_exporter_v1::{self, ZxdgExporterV1};
use v1::zxdg_imported_v1::{self, ZxdgImportedV1};
use v1::zxdg_importer_v1::{self, ZxdgImporterV1};
use v2::zxdg_exported_v2::ZxdgExportedV2;
use v2::zxdg_exporter_v2::{self, ZxdgExporterV2};
use v2::zxdg_imported_v2::{self, ZxdgImportedV2};
use v2::zxdg_importer_v2::{self, ZxdgImporterV2};

use crate::state::Overwinter;

/// Names an export. Who knows it may put windows above the exported one, so it cannot be guessed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Handle(String);

/// Exported windows.
#[derive(Debug, Default)]
pub struct XdgForeign(HashMap<Handle, Exported>);

#[derive(Debug)]
struct Exported {
    surface: WlSurface,
    imports: Vec<Import>,
}

#[derive(Debug)]
struct Import {
    by: Importer,
    children: Vec<WlSurface>,
}

#[derive(Debug, Clone, PartialEq)]
enum Importer {
    V1(ZxdgImportedV1),
    V2(ZxdgImportedV2),
}

impl Importer {
    fn destroyed(&self) {
        match self {
            Importer::V1(imported) => imported.destroyed(),
            Importer::V2(imported) => imported.destroyed(),
        }
    }
}

impl XdgForeign {
    /// Announces exporters and importers.
    pub fn new(display: &DisplayHandle) -> XdgForeign {
        display.create_global::<Overwinter, ZxdgExporterV1, ()>(1, ());
        display.create_global::<Overwinter, ZxdgImporterV1, ()>(1, ());
        display.create_global::<Overwinter, ZxdgExporterV2, ()>(1, ());
        display.create_global::<Overwinter, ZxdgImporterV2, ()>(1, ());
        XdgForeign::default()
    }

    /// A fresh handle; none when the system has no randomness, and nothing is exported then.
    fn export(&mut self, surface: WlSurface) -> Option<Handle> {
        let mut bytes = [0_u8; 16];
        if let Err(error) = getrandom::fill(&mut bytes) {
            tracing::error!(%error, "no randomness: a window cannot be exported");
            return None;
        }
        let handle = Handle(hex::encode(bytes));
        let imports = Vec::new();
        self.0.insert(handle.clone(), Exported { surface, imports });
        Some(handle)
    }

    fn import(&mut self, handle: &Handle, by: Importer) {
        match self.0.get_mut(handle) {
            Some(exported) => exported.imports.push(Import {
                by,
                children: Vec::new(),
            }),
            None => by.destroyed(),
        }
    }
}

/// Sets the parent; false when that is no possible parent of it.
fn set_parent(child: &WlSurface, parent: Option<&WlSurface>) -> bool {
    if parent.is_some_and(|p| !is_valid_parent(child, p)) {
        return false;
    }
    with_states(child, |states| {
        let data = states.data_map.get::<XdgToplevelSurfaceData>();
        let Some(mut data) = data.and_then(|d| d.lock().ok()) else {
            return false;
        };
        data.parent = parent.cloned();
        true
    })
}

fn parent_of(child: &WlSurface) -> Option<WlSurface> {
    with_states(child, |states| {
        let data = states.data_map.get::<XdgToplevelSurfaceData>()?;
        data.lock().ok()?.parent.clone()
    })
}

impl Overwinter {
    /// False when `child` can have no such parent.
    fn foreign_parent(&mut self, handle: &Handle, by: &Importer, child: &WlSurface) -> bool {
        let Some(exported) = self.xdg_foreign.0.get_mut(handle) else {
            return true;
        };
        if !exported.surface.is_alive() {
            return true;
        }
        if !set_parent(child, Some(&exported.surface)) {
            return false;
        }
        if let Some(import) = exported.imports.iter_mut().find(|i| i.by == *by) {
            import.children.retain(|c| c.is_alive() && c != child);
            import.children.push(child.clone());
        }
        self.foreign_parent_changed(child);
        true
    }

    fn foreign_parent_changed(&mut self, child: &WlSurface) {
        if let Some(id) = self.shell.window_of(child) {
            self.parent_changed_of(id);
        }
    }

    /// What this import had set up ends.
    fn end_import(&mut self, exported: &WlSurface, import: Import) {
        for child in import.children {
            if child.is_alive() && parent_of(&child).as_ref() == Some(exported) {
                set_parent(&child, None);
                self.foreign_parent_changed(&child);
            }
        }
    }

    fn export_ends(&mut self, handle: &Handle) {
        let Some(exported) = self.xdg_foreign.0.remove(handle) else {
            return;
        };
        for import in exported.imports {
            import.by.destroyed();
            self.end_import(&exported.surface, import);
        }
    }

    fn import_ends(&mut self, handle: &Handle, by: &Importer) {
        let Some(exported) = self.xdg_foreign.0.get_mut(handle) else {
            return;
        };
        let Some(at) = exported.imports.iter().position(|i| i.by == *by) else {
            return;
        };
        let import = exported.imports.swap_remove(at);
        let surface = exported.surface.clone();
        self.end_import(&surface, import);
    }
}

/// The same for both versions, which differ in names only.
macro_rules! version {
    (
        $exporter:ty => $export:path;
        $exported:ty;
        $importer:ty => $import:path;
        $imported:ty => $set_parent:path, $which:path;
        $invalid:expr
    ) => {
        impl GlobalDispatch<$exporter, ()> for Overwinter {
            fn bind(
                _: &mut Self,
                _: &DisplayHandle,
                _: &Client,
                resource: New<$exporter>,
                (): &(),
                data_init: &mut DataInit<'_, Self>,
            ) {
                data_init.init(resource, ());
            }
        }

        impl GlobalDispatch<$importer, ()> for Overwinter {
            fn bind(
                _: &mut Self,
                _: &DisplayHandle,
                _: &Client,
                resource: New<$importer>,
                (): &(),
                data_init: &mut DataInit<'_, Self>,
            ) {
                data_init.init(resource, ());
            }
        }

        impl Dispatch<$exporter, ()> for Overwinter {
            fn request(
                this: &mut Self,
                _: &Client,
                _: &$exporter,
                request: <$exporter as Resource>::Request,
                (): &(),
                _: &DisplayHandle,
                data_init: &mut DataInit<'_, Self>,
            ) {
                if let $export { id, surface } = request {
                    let handle = this.xdg_foreign.export(surface);
                    let text = handle.as_ref().map(|h| h.0.clone());
                    let exported = data_init.init(id, handle);
                    if let Some(text) = text {
                        exported.handle(text);
                    }
                }
            }
        }

        impl Dispatch<$exported, Option<Handle>> for Overwinter {
            fn request(
                _: &mut Self,
                _: &Client,
                _: &$exported,
                _: <$exported as Resource>::Request,
                _: &Option<Handle>,
                _: &DisplayHandle,
                _: &mut DataInit<'_, Self>,
            ) {
            }

            fn destroyed(this: &mut Self, _: ClientId, _: &$exported, handle: &Option<Handle>) {
                if let Some(handle) = handle {
                    this.export_ends(handle);
                }
            }
        }

        impl Dispatch<$importer, ()> for Overwinter {
            fn request(
                this: &mut Self,
                _: &Client,
                _: &$importer,
                request: <$importer as Resource>::Request,
                (): &(),
                _: &DisplayHandle,
                data_init: &mut DataInit<'_, Self>,
            ) {
                if let $import { id, handle } = request {
                    let handle = Handle(handle);
                    let imported = data_init.init(id, handle.clone());
                    this.xdg_foreign.import(&handle, $which(imported));
                }
            }
        }

        impl Dispatch<$imported, Handle> for Overwinter {
            fn request(
                this: &mut Self,
                _: &Client,
                imported: &$imported,
                request: <$imported as Resource>::Request,
                handle: &Handle,
                _: &DisplayHandle,
                _: &mut DataInit<'_, Self>,
            ) {
                if let $set_parent { surface } = request
                    && !this.foreign_parent(handle, &$which(imported.clone()), &surface)
                {
                    imported.post_error($invalid, "this surface can have no such parent");
                }
            }

            fn destroyed(this: &mut Self, _: ClientId, imported: &$imported, handle: &Handle) {
                this.import_ends(handle, &$which(imported.clone()));
            }
        }
    };
}

version! {
    ZxdgExporterV1 => zxdg_exporter_v1::Request::Export;
    ZxdgExportedV1;
    ZxdgImporterV1 => zxdg_importer_v1::Request::Import;
    ZxdgImportedV1 => zxdg_imported_v1::Request::SetParentOf, Importer::V1;
    // v1 names no error.
    0_u32
}

version! {
    ZxdgExporterV2 => zxdg_exporter_v2::Request::ExportToplevel;
    ZxdgExportedV2;
    ZxdgImporterV2 => zxdg_importer_v2::Request::ImportToplevel;
    ZxdgImportedV2 => zxdg_imported_v2::Request::SetParentOf, Importer::V2;
    zxdg_imported_v2::Error::InvalidSurface
}
