"""The C library, with the types of its functions. `include/overwinter.h` says what they do."""

from __future__ import annotations

import ctypes
import threading
import weakref
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_bool,
    c_char_p,
    c_double,
    c_int,
    c_int64,
    c_size_t,
    c_uint64,
    c_void_p,
)
from typing import Any, Callable, Dict, List, Optional, Tuple


class Error(Exception):
    """What the library could not do, in its own words."""


class Saved(Structure):
    _fields_ = [("bytes", c_void_p), ("len", c_size_t)]


Capture = CFUNCTYPE(c_void_p, c_void_p)
Turn = CFUNCTYPE(None, c_void_p)
Names = CFUNCTYPE(c_bool, c_void_p, c_bool)


class DocumentStruct(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("capture", Capture),
        ("adopt", Turn),
        ("retire", Turn),
        ("discard", Turn),
        ("disowned", Turn),
        ("free", Turn),
    ]


Restore = CFUNCTYPE(
    c_bool, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_char_p, POINTER(DocumentStruct)
)


class AppStruct(Structure):
    _fields_ = [
        ("id", c_char_p),
        ("version", c_char_p),
        ("forms", POINTER(c_void_p)),
        ("form_count", c_size_t),
        ("data", c_void_p),
        ("restore", Restore),
        ("quit", Turn),
        ("names", Names),
        ("bus", c_char_p),
    ]


_Signature = Tuple[Any, List[Any]]

# What each function gives and takes. Strings that are the caller's to free come as `c_void_p`, so that they can be.
_FUNCTIONS: Dict[str, _Signature] = {
    "ow_error": (c_char_p, []),
    "ow_fail": (None, [c_char_p]),
    "ow_string_free": (None, [c_void_p]),
    "ow_null": (c_void_p, []),
    "ow_bool": (c_void_p, [c_bool]),
    "ow_int": (c_void_p, [c_int64]),
    "ow_uint": (c_void_p, [c_uint64]),
    "ow_float": (c_void_p, [c_double]),
    "ow_text_of": (c_void_p, [c_char_p, c_size_t]),
    "ow_bytes": (c_void_p, [c_char_p, c_size_t]),
    "ow_list": (c_void_p, []),
    "ow_map": (c_void_p, []),
    "ow_list_add": (c_bool, [c_void_p, c_void_p]),
    "ow_map_set": (c_bool, [c_void_p, c_char_p, c_void_p]),
    "ow_kind": (c_int, [c_void_p]),
    "ow_as_bool": (c_bool, [c_void_p, POINTER(c_bool)]),
    "ow_as_int": (c_bool, [c_void_p, POINTER(c_int64)]),
    "ow_as_uint": (c_bool, [c_void_p, POINTER(c_uint64)]),
    "ow_as_float": (c_bool, [c_void_p, POINTER(c_double)]),
    "ow_as_text": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "ow_as_bytes": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "ow_len": (c_size_t, [c_void_p]),
    "ow_at": (c_void_p, [c_void_p, c_size_t]),
    "ow_entry": (c_void_p, [c_void_p, c_size_t, POINTER(c_void_p), POINTER(c_size_t)]),
    "ow_free": (None, [c_void_p]),
    "ow_encode": (c_bool, [c_void_p, POINTER(Saved)]),
    "ow_decode": (c_void_p, [c_char_p, c_size_t]),
    "ow_saved_free": (None, [Saved]),
    "ow_form_parse": (c_void_p, [c_char_p]),
    "ow_form_free": (None, [c_void_p]),
    "ow_save": (c_bool, [c_void_p, c_void_p, c_void_p, POINTER(Saved)]),
    "ow_restore": (
        c_void_p,
        [c_void_p, c_char_p, c_size_t, POINTER(c_void_p), POINTER(c_void_p)],
    ),
    "ow_kept_free": (None, [c_void_p]),
    "ow_session_connect": (c_void_p, [POINTER(AppStruct)]),
    "ow_session_free": (None, [c_void_p]),
    "ow_session_reason": (c_char_p, [c_void_p]),
    "ow_session_is_connected": (c_bool, [c_void_p]),
    "ow_session_fd": (c_int, [c_void_p]),
    "ow_session_dispatch": (None, [c_void_p]),
    "ow_session_flush": (None, [c_void_p]),
    "ow_session_open": (c_void_p, [c_void_p, c_void_p, c_char_p, POINTER(DocumentStruct)]),
    "ow_group_ref": (c_void_p, [c_void_p]),
    "ow_group_unref": (None, [c_void_p]),
    "ow_group_set_title": (c_bool, [c_void_p, c_char_p]),
    "ow_group_changed": (None, [c_void_p]),
    "ow_group_is_stored": (c_bool, [c_void_p]),
    "ow_group_standing": (c_int, [c_void_p]),
    "ow_group_id": (c_void_p, [c_void_p]),
    "ow_group_cookie": (c_void_p, [c_void_p]),
    "ow_group_close": (None, [c_void_p]),
}

# Only where the library was built with GTK.
_GTK_FUNCTIONS: Dict[str, _Signature] = {
    "ow_gtk_connect": (c_void_p, [POINTER(AppStruct), c_void_p]),
    "ow_gtk_bind": (c_void_p, [c_void_p, c_void_p, c_char_p]),
    "ow_window_ready": (None, [c_void_p]),
    "ow_window_free": (None, [c_void_p]),
}


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("liboverwinter_c.so")
    except OSError as error:
        raise ImportError(
            f"the Overwinter library is not there ({error}); install it with scripts/install-c, "
            "where the linker looks or where LD_LIBRARY_PATH says"
        ) from error
    for functions, needed in ((_FUNCTIONS, True), (_GTK_FUNCTIONS, False)):
        for function, (result, arguments) in functions.items():
            if needed or hasattr(library, function):
                declared = getattr(library, function)
                declared.restype = result
                declared.argtypes = arguments
    return library


lib = _load()


def error() -> Error:
    """What the function that just failed has to say."""
    words = lib.ow_error()
    return Error(words.decode() if words else "it did not say why")


def text(string: str) -> bytes:
    """A string as C takes it."""
    encoded = string.encode()
    if b"\0" in encoded:
        raise ValueError("the text holds a zero byte")
    return encoded


def taken_text(pointer: Optional[int]) -> Optional[str]:
    """A string of the library's that is ours now."""
    if not pointer:
        return None
    try:
        return ctypes.string_at(pointer).decode()
    finally:
        lib.ow_string_free(pointer)


def own(owner: object, pointer: int, free: Callable[[int], None]) -> "weakref.finalize[..., object]":
    """Has `pointer` freed when `owner` goes. The collector runs on any thread, the library's objects belong to one: elsewhere they
    are left alone rather than freed."""
    thread = threading.get_ident()

    def let_go() -> None:
        if threading.get_ident() == thread:
            free(pointer)

    finalizer = weakref.finalize(owner, let_go)
    finalizer.atexit = False
    return finalizer
