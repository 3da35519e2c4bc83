"""An application's life in a session."""

from __future__ import annotations

import enum
import itertools
from ctypes import byref, c_void_p
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional

from . import _value
from ._form import Form, Loss, losses
from ._library import (
    AppStruct,
    Capture,
    DocumentStruct,
    Error,
    Names,
    Restore,
    Turn,
    error,
    lib,
    own,
    taken_text,
    text,
)


class Standing(enum.Enum):
    """Where a copy stands."""

    ALONE = 0
    """There is no session, or it does not know this group: a plain window."""
    LIVE = 1
    """It is the group: it saves."""
    TRIAL = 2
    """Restored and inert, until it is adopted."""
    RETIRED = 3
    """Its successor was adopted: inert, kept for undo."""
    GONE = 4
    """Closed, released or discarded."""


class Document:
    """One document with its windows. All methods are called on the thread that dispatches."""

    def capture(self) -> Mapping[str, object]:
        """Its state now, a dict of its form's fields. Must be cheap. Also called on a trial copy right after it was built. What it raises
        is told to the session in its words; the document stays as it is and is asked again after its next change."""
        raise NotImplementedError

    def adopt(self) -> None:
        """This trial or retired copy is the document from now on: effects on files and network are allowed."""

    def retire(self) -> None:
        """Another copy takes over: hide the windows, become inert, stay in memory. `adopt` or `discard` follows."""

    def discard(self) -> None:
        """Destroy the windows. Nothing is asked, nothing is written."""

    def disowned(self) -> None:
        """A new session does not know this group: it goes on as a plain window."""


class Group:
    """One copy of a group: one document with its windows."""

    def __init__(self, pointer: int) -> None:
        self._pointer = pointer
        own(self, pointer, lib.ow_group_unref)

    def set_title(self, title: str) -> None:
        """The document is called so from now on."""
        if not lib.ow_group_set_title(self._pointer, text(title)):
            raise error()

    def changed(self) -> None:
        """Something changed that the user would miss: it is saved within a second. Cheap enough for every keystroke."""
        lib.ow_group_changed(self._pointer)

    def close(self) -> None:
        """The user closed the document and wants it closed; its windows are the program's to take down."""
        lib.ow_group_close(self._pointer)

    @property
    def is_stored(self) -> bool:
        """Whether the newest change survives a power cut."""
        return bool(lib.ow_group_is_stored(self._pointer))

    @property
    def standing(self) -> Standing:
        """Where this copy stands."""
        return Standing(lib.ow_group_standing(self._pointer))

    @property
    def id(self) -> Optional[str]:
        """The group's id for life; none while it stands alone."""
        return taken_text(lib.ow_group_id(self._pointer))

    def cookie(self) -> Optional[str]:
        """A single-use word that ties one more window to this group, for toolkits without an integration."""
        return taken_text(lib.ow_group_cookie(self._pointer))


@dataclass(frozen=True)
class Arrival:
    """A document's state as it arrives."""

    state: Dict[str, Any]
    """Its fields. Those that stay on their host are missing when it comes from another one."""
    loss: List[Loss]
    """What could not be carried to this version or host."""
    reason: str
    """Why: "wake", "migrate", "rollback", "recover", "restore", "move", "pristine"."""


RestoreFunction = Callable[[Group, Arrival], Document]


class _Documents:
    """Documents by the number that C knows them by."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._documents: Dict[int, Document] = {}

    def add(self, document: Document) -> int:
        number = next(self._numbers)
        self._documents[number] = document
        return number

    def __getitem__(self, number: Optional[int]) -> Document:
        return self._documents[number or 0]

    def drop(self, number: Optional[int]) -> None:
        self._documents.pop(number or 0, None)


_documents = _Documents()


def _say(failure: BaseException) -> None:
    """An exception as the words of a failure."""
    words = str(failure)
    if not isinstance(failure, Error):
        words = f"{type(failure).__name__}: {words}" if words else type(failure).__name__
    lib.ow_fail(words.replace("\0", "").encode(errors="replace"))


def _capture(number: Optional[int]) -> Optional[int]:
    try:
        return _value.give(_documents[number].capture())
    except BaseException as failure:
        _say(failure)
        return None


# What these raise can be told to nobody: it goes where Python tells of such (`sys.unraisablehook`), and the program goes on.
def _adopt(number: Optional[int]) -> None:
    _documents[number].adopt()


def _retire(number: Optional[int]) -> None:
    _documents[number].retire()


def _discard(number: Optional[int]) -> None:
    _documents[number].discard()


def _disowned(number: Optional[int]) -> None:
    _documents[number].disowned()


def _free(number: Optional[int]) -> None:
    _documents.drop(number)


# What C holds on to must not go.
_CAPTURE, _FREE = Capture(_capture), Turn(_free)
_TURNS = Turn(_adopt), Turn(_retire), Turn(_discard), Turn(_disowned)


def _fill(struct: DocumentStruct, document: Document) -> None:
    struct.data = _documents.add(document)
    struct.capture, struct.free = _CAPTURE, _FREE
    struct.adopt, struct.retire, struct.discard, struct.disowned = _TURNS


class _App:
    """What a program says of itself, for as long as its session lives."""

    def __init__(
        self,
        id: str,
        version: str,
        kinds: Mapping[Form, RestoreFunction],
        quit: Optional[Callable[[], None]],
        names: Optional[Callable[[bool], None]],
        bus: Optional[str],
    ) -> None:
        forms = list(kinds)
        restores = [kinds[form] for form in forms]

        def restore(
            _data: Optional[int],
            form: int,
            group: int,
            state: int,
            loss: int,
            reason: bytes,
            document: Any,
        ) -> bool:
            try:
                arrival = Arrival(_value.look(state), losses(_value.look(loss)), reason.decode())
                built = restores[form](Group(lib.ow_group_ref(group)), arrival)
                _fill(document[0], built)
                return True
            except BaseException as failure:
                _say(failure)
                return False

        def hold_names(_data: Optional[int], hold: bool) -> bool:
            try:
                assert names is not None
                names(hold)
                return True
            except BaseException as failure:
                _say(failure)
                return False

        def end(_data: Optional[int]) -> None:
            assert quit is not None
            quit()

        self.struct = AppStruct(
            id=text(id),
            version=text(version),
            forms=(c_void_p * max(len(forms), 1))(*[form._pointer for form in forms]),
            form_count=len(forms),
            restore=Restore(restore),
        )
        if quit is not None:
            self.struct.quit = Turn(end)
        if names is not None:
            self.struct.names = Names(hold_names)
        if bus is not None:
            self.struct.bus = text(bus)
        self._forms = forms


# The library calls an app until the process ends.
_apps: List[_App] = []


class Session:
    """The connection to the session.

    `kinds` says for each form that the program can restore how: a function that builds an inert trial copy and gives its title
    (`Group.set_title`). `quit` ends the process after its last copy; `names` gives up or takes back the well-known bus names of the
    program's own connection. With GTK, use `overwinter.gtk.connect` instead.

    Registers with the session, waiting for it at most one second. Without a session the program stands alone and joins as
    soon as one appears. Serve it from any loop that watches a descriptor:

        loop.add_reader(session.fileno(), session.dispatch)                            # asyncio
        GLib.unix_fd_add_full(0, session.fileno(), GLib.IOCondition.IN, on_readable)   # GLib; on_readable returns True
    """

    def __init__(
        self,
        id: str,
        version: str,
        kinds: Mapping[Form, RestoreFunction],
        quit: Optional[Callable[[], None]] = None,
        names: Optional[Callable[[bool], None]] = None,
        bus: Optional[str] = None,
    ) -> None:
        app = _App(id, version, kinds, quit, names, bus)
        self._own(app, lib.ow_session_connect(byref(app.struct)))

    def _own(self, app: _App, pointer: Optional[int]) -> None:
        if not pointer:
            raise error()
        _apps.append(app)
        self._pointer: int = pointer
        self._finalizer = own(self, pointer, lib.ow_session_free)

    def open(self, form: Form, title: str, document: Document) -> Group:
        """A document that the user opens or creates comes into being as a group."""
        struct = DocumentStruct()
        _fill(struct, document)
        group = lib.ow_session_open(self._pointer, form._pointer, text(title), byref(struct))
        if not group:
            _documents.drop(struct.data)
            raise error()
        return Group(group)

    @property
    def reason(self) -> str:
        """Why this process runs: "launch" (open what the user asked for), or something else: documents are about to be restored,
        open nothing of your own accord."""
        reason: bytes = lib.ow_session_reason(self._pointer)
        return reason.decode()

    @property
    def is_connected(self) -> bool:
        """Whether there is a session right now."""
        return bool(lib.ow_session_is_connected(self._pointer))

    def fileno(self) -> int:
        """A descriptor for the main loop: when it is readable, call `dispatch`. It stays the session's."""
        return int(lib.ow_session_fd(self._pointer))

    def dispatch(self) -> None:
        """Carries out what has arrived; calls the documents. Never waits."""
        lib.ow_session_dispatch(self._pointer)

    def flush(self) -> None:
        """Has everything said so far delivered, waiting at most a second."""
        lib.ow_session_flush(self._pointer)
