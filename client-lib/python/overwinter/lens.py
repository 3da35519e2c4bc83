"""What changed from one version to the next: each function makes one lens, as it travels (docs/protocol.md)."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

Lens = Dict[str, Dict[str, Any]]


def _kind(default: object) -> str:
    if isinstance(default, bool):
        return "bool"
    kinds = {int: "int", float: "float", str: "text", list: "list", dict: "map", type(None): "any"}
    try:
        return kinds[type(default)]
    except KeyError:
        raise TypeError(f"a lens holds no default of {type(default).__name__}") from None


def rename(before: str, after: str) -> Lens:
    """A field is called otherwise."""
    return {"rename": {"from": before, "to": after}}


def add(field: str, default: object, kind: Optional[str] = None) -> Lens:
    """A field comes into being, with this value in what older versions wrote. Going down it is dropped, and kept in the origin."""
    return {"add": {"field": field, "kind": kind or _kind(default), "default": default}}


def remove(field: str, default: object, kind: Optional[str] = None) -> Lens:
    """A field ceases to be. Going down it comes back with this value."""
    return {"remove": {"field": field, "kind": kind or _kind(default), "default": default}}


def hoist(host: str, field: str) -> Lens:
    """A field of a sub-record moves up beside it."""
    return {"hoist": {"host": host, "field": field}}


def plunge(host: str, field: str) -> Lens:
    """A field moves down into a sub-record."""
    return {"plunge": {"host": host, "field": field}}


def wrap(field: str) -> Lens:
    """One value becomes a list of at most one."""
    return {"wrap": {"field": field}}


def unwrap(field: str) -> Lens:
    """A list becomes its first item, or null."""
    return {"unwrap": {"field": field}}


def convert(field: str, before: str, after: str) -> Lens:
    """A scalar is of another kind: "bool", "int", "float" or "text"."""
    return {"convert": {"field": field, "from": before, "to": after}}


def map_enum(
    field: str,
    pairs: Sequence[Tuple[str, str]],
    other_up: Optional[str] = None,
    other_down: Optional[str] = None,
) -> Lens:
    """Variants are called otherwise, come or go: pairs of (before, after), and stand-ins for those that have no partner."""
    options: Dict[str, Any] = {"field": field, "pairs": [list(pair) for pair in pairs]}
    if other_up is not None:
        options["other_up"] = other_up
    if other_down is not None:
        options["other_down"] = other_down
    return {"map-enum": options}


def split(field: str, separator: str, into: Sequence[str]) -> Lens:
    """Text becomes several texts, cut at the first separators."""
    return {"split": {"field": field, "separator": separator, "into": list(into)}}


def join(fields: Sequence[str], separator: str, into: str) -> Lens:
    """Several texts become one."""
    return {"join": {"fields": list(fields), "separator": separator, "into": into}}


def within(field: str, *lenses: Lens) -> Lens:
    """Lenses within a sub-record."""
    return {"in": {"field": field, "lenses": list(lenses)}}


def each(field: str, *lenses: Lens) -> Lens:
    """Lenses within each element of a list or a map."""
    return {"each": {"field": field, "lenses": list(lenses)}}


def variant(field: str, name: str, *lenses: Lens) -> Lens:
    """Lenses within what one variant of an enum carries."""
    return {"variant": {"field": field, "variant": name, "lenses": list(lenses)}}
