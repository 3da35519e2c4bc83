"""Make an application overwinter: nothing its user has open is ever lost to an update, a crash, sleep or a reboot.

An author says what a document's state is (`Form`), how it is taken and given back (`Document`), and who the program is (`Session`,
or `overwinter.gtk.connect`). Everything else is done by the C library underneath, `liboverwinter_c.so`, which the linker has to find. Without a session manager the very same program is a plain application.

The guide is docs/guide-python.md.

Everything belongs to the thread that made it, the UI thread. State is made of `None`, `bool`, `int`, `float`, `str`, `bytes`, lists and
dicts with text keys.
"""

from . import lens
from ._form import Form, Kept, Loss, Restored, Step, decode, encode
from ._library import Error
from ._session import Arrival, Document, Group, Session, Standing
from ._value import Value

__all__ = [
    "Arrival",
    "Document",
    "Error",
    "Form",
    "Group",
    "Kept",
    "Loss",
    "Restored",
    "Session",
    "Standing",
    "Step",
    "Value",
    "decode",
    "encode",
    "lens",
]
