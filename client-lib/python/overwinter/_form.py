"""Kinds of document, and saved states without a session."""

from __future__ import annotations

import ctypes
import json
from ctypes import byref, c_void_p
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence

from . import _value
from ._library import Saved, error, lib, own, text
from .lens import Lens


@dataclass(frozen=True)
class Step:
    """What changed from version `before` to the next one."""

    before: int
    """The older version."""
    schema: str
    """The schema of the older version."""
    lenses: Sequence[Lens]
    """The changes, in order; see `overwinter.lens`."""


@dataclass(frozen=True)
class Loss:
    """One thing that could not be carried from one version or host to another."""

    path: str
    """Where it was, in the names of the version that had it."""
    reason: str
    """Why it could not come along, for people."""
    kept: bool
    """Whether it rides along, so that the version that wrote it gets it back."""


def losses(of: List[Dict[str, Any]]) -> List[Loss]:
    return [Loss(path=loss["path"], reason=loss["reason"], kept=loss["kept"]) for loss in of]


class Kept:
    """What a restored state brought along that this version has no place for; to be saved along."""

    def __init__(self, pointer: int) -> None:
        self._pointer = pointer
        own(self, pointer, lib.ow_kept_free)


@dataclass(frozen=True)
class Restored:
    """A state brought back."""

    state: Dict[str, Any]
    loss: List[Loss]
    kept: Kept


class Form:
    """A kind of document: its name for ever, its version, what is kept of it, and how it got its present shape.

    `schema` is in the notation of `state.lock`: `"{ caret: i64, lines: [text], mode: enum { Plain, Code: { language: text, .. }, .. }, .. }"`,
    where `..` is a place for what only other versions know. Fields named in `local` stay on their host; they are not in the schema.
    """

    def __init__(
        self,
        type: str,
        version: int,
        schema: str,
        steps: Sequence[Step] = (),
        local: Sequence[str] = (),
    ) -> None:
        self.type = type
        self.version = version
        form = {
            "type": type,
            "version": version,
            "schema": schema,
            "local": list(local),
            "steps": [
                {"from": step.before, "schema": step.schema, "lenses": list(step.lenses)}
                for step in steps
            ],
        }
        self._own(json.dumps(form))

    @classmethod
    def parse(cls, form: str) -> "Form":
        """A kind of document from the JSON that `ow_form_parse` takes."""
        self = cls.__new__(cls)
        self._own(form)
        said = json.loads(form)
        self.type, self.version = said["type"], said["version"]
        return self

    def _own(self, form: str) -> None:
        pointer = lib.ow_form_parse(text(form))
        if not pointer:
            raise error()
        self._pointer: int = pointer
        own(self, pointer, lib.ow_form_free)

    def save(self, state: Mapping[str, object], kept: Optional[Kept] = None) -> bytes:
        """The bytes to keep. `kept` is what `restore` gave, for a state that came from there."""
        record = _value.give(state)
        try:
            saved = Saved()
            along = kept._pointer if kept is not None else None
            if not lib.ow_save(self._pointer, record, along, byref(saved)):
                raise error()
        finally:
            lib.ow_free(record)
        return _taken(saved)

    def restore(self, saved: bytes) -> Restored:
        """What this or any other version of the program saved."""
        loss, kept = c_void_p(), c_void_p()
        value = lib.ow_restore(self._pointer, saved, len(saved), byref(loss), byref(kept))
        if not value:
            raise error()
        assert kept.value is not None
        rides_along = Kept(kept.value)
        try:
            state = _value.look(value)
        finally:
            lib.ow_free(value)
            lost = _value.take(loss.value)
        return Restored(state, losses(lost), rides_along)


def encode(value: object) -> bytes:
    """A value as deterministic CBOR (RFC 8949 §4.2)."""
    given = _value.give(value)
    try:
        saved = Saved()
        if not lib.ow_encode(given, byref(saved)):
            raise error()
    finally:
        lib.ow_free(given)
    return _taken(saved)


def decode(encoded: bytes) -> Any:
    """A value from deterministic CBOR; other encodings of the same value are refused."""
    return _value.take(lib.ow_decode(encoded, len(encoded)))


def _taken(saved: Saved) -> bytes:
    try:
        return ctypes.string_at(saved.bytes, saved.len)
    finally:
        lib.ow_saved_free(saved)
