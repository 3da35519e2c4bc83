"""State between Python and the library."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_bool, c_double, c_int64, c_size_t, c_uint64, c_void_p
from typing import Any, Dict, List, Mapping, Sequence, Union

from ._library import error, lib, text

# What state is made of. Recursive types are beyond what Python 3.9 can say.
Value = Union[None, bool, int, float, str, bytes, List[Any], Dict[str, Any]]

_NULL, _BOOL, _INT, _FLOAT, _TEXT, _BYTES, _LIST, _MAP = range(8)


def give(value: object) -> int:
    """A value of the library's, to be freed by `lib.ow_free` or taken by the library."""
    if value is None:
        return _made(lib.ow_null())
    if isinstance(value, bool):
        return _made(lib.ow_bool(value))
    if isinstance(value, int):
        return _give_int(value)
    if isinstance(value, float):
        return _made(lib.ow_float(value))
    if isinstance(value, str):
        encoded = value.encode()
        return _made(lib.ow_text_of(encoded, len(encoded)))
    if isinstance(value, (bytes, bytearray, memoryview)):
        raw = bytes(value)
        return _made(lib.ow_bytes(raw, len(raw)))
    if isinstance(value, Mapping):
        return _give_map(value)
    if isinstance(value, Sequence):
        return _give_list(value)
    raise TypeError(f"state is not made of {type(value).__name__}")


def _made(pointer: Any) -> int:
    if not pointer:
        raise error()
    return int(pointer)


def _give_int(value: int) -> int:
    if -(2**63) <= value < 2**63:
        return _made(lib.ow_int(value))
    if 0 <= value < 2**64:
        return _made(lib.ow_uint(value))
    raise OverflowError(f"{value} does not fit into 64 bits")


def _give_list(items: "Sequence[object]") -> int:
    whole = _made(lib.ow_list())
    try:
        for item in items:
            if not lib.ow_list_add(whole, give(item)):
                raise error()
    except BaseException:
        lib.ow_free(whole)
        raise
    return whole


def _give_map(entries: "Mapping[Any, object]") -> int:
    whole = _made(lib.ow_map())
    try:
        for name, value in entries.items():
            if not isinstance(name, str):
                raise TypeError(f"the names of a map are text, not {type(name).__name__}")
            encoded = text(name)
            if not lib.ow_map_set(whole, encoded, give(value)):
                raise error()
    except BaseException:
        lib.ow_free(whole)
        raise
    return whole


def look(pointer: int) -> Any:
    """What a value of the library's is; it stays the library's."""
    kind = lib.ow_kind(pointer)
    if kind == _NULL:
        return None
    if kind == _BOOL:
        return _read(lib.ow_as_bool, pointer, c_bool())
    if kind == _INT:
        return _look_int(pointer)
    if kind == _FLOAT:
        return _read(lib.ow_as_float, pointer, c_double())
    if kind == _TEXT:
        return _bytes(lib.ow_as_text, pointer).decode()
    if kind == _BYTES:
        return _bytes(lib.ow_as_bytes, pointer)
    if kind == _LIST:
        return [look(lib.ow_at(pointer, index)) for index in range(lib.ow_len(pointer))]
    return dict(_entry(pointer, index) for index in range(lib.ow_len(pointer)))


def take(pointer: Any) -> Any:
    """As `look`, for a value that is ours and is freed."""
    if not pointer:
        raise error()
    try:
        return look(pointer)
    finally:
        lib.ow_free(pointer)


def _read(read: Any, pointer: int, out: Any) -> Any:
    if not read(pointer, byref(out)):
        raise error()
    return out.value


def _look_int(pointer: int) -> int:
    signed, unsigned = c_int64(), c_uint64()
    if lib.ow_as_int(pointer, byref(signed)):
        return signed.value
    if lib.ow_as_uint(pointer, byref(unsigned)):
        return unsigned.value
    raise OverflowError("the state holds a number below the least of 64 bits")


def _bytes(read: Any, pointer: int) -> bytes:
    length = c_size_t()
    start = read(pointer, byref(length))
    if not start:
        raise error()
    return ctypes.string_at(start, length.value)


def _entry(pointer: int, index: int) -> "tuple[str, Any]":
    name, length = c_void_p(), c_size_t()
    value = lib.ow_entry(pointer, index, byref(name), byref(length))
    if not value or not name.value:
        raise error()
    return ctypes.string_at(name.value, length.value).decode(), look(value)
