"""GTK 4 (4.8 or newer) with PyGObject: the session served by GLib's main context, windows tied to groups."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char_p, c_void_p, py_object
from typing import Any, Callable, Mapping, Optional

from ._form import Form
from ._library import error, lib, own, text
from ._session import Group, RestoreFunction, Session, _App

_capsule = ctypes.pythonapi.PyCapsule_GetPointer
_capsule.restype = c_void_p
_capsule.argtypes = [py_object, c_char_p]


def _pointer(of: Any) -> int:
    """The GObject of a PyGObject."""
    pointer = _capsule(of.__gpointer__, None)
    assert pointer is not None
    return int(pointer)


def connect(
    application: Any,
    version: str,
    kinds: Mapping[Form, RestoreFunction],
    quit: Optional[Callable[[], None]] = None,
    names: Optional[Callable[[bool], None]] = None,
) -> Session:
    """As `overwinter.Session`, served by GLib's default main context. To be called in the `startup` of `application` (a
    `Gio.Application`), whose bus name is given up and taken back as the session asks (unless there is `names`), and which quits after its
    last copy (unless there is `quit`)."""
    app = _App(application.get_application_id(), version, kinds, quit, names, None)
    session = Session.__new__(Session)
    session._own(app, lib.ow_gtk_connect(byref(app.struct), _pointer(application)))
    return session


class Window:
    """A window that is tied to a group."""

    def __init__(self, pointer: int) -> None:
        self._pointer = pointer
        own(self, pointer, lib.ow_window_free)

    def ready(self) -> None:
        """The window shows its real content from its next picture on, which replaces the ghost in that very frame."""
        lib.ow_window_ready(self._pointer)


def bind(window: Any, group: Group, name: str = "main") -> Window:
    """Ties `window` (a `Gtk.Window`) to `group` under the program's own name for it, before the window is presented."""
    tied = lib.ow_gtk_bind(_pointer(window), group._pointer, text(name))
    if not tied:
        raise error()
    return Window(tied)
