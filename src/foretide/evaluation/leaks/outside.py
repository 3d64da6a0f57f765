"""What a model keeps outside itself, as far as it can be seen: files, attributes of classes, globals of modules."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

OWN = "foretide"
SHOWN = 3
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


@dataclass
class Watched:
    """What was seen while a model was asked.

    Attributes
    ----------
    written : set of str
        Files that were opened for writing.
    changed : list of str
        Attributes of classes and globals of modules that are not what they were.
    """

    written: set[str] = field(default_factory=set)
    changed: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """Say what was seen, and what it means.

        Returns
        -------
        list of str
        """
        said = []
        for what, names in (("files were written", sorted(self.written)), ("names changed", self.changed)):
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                said.append(
                    f"Outside the model, {what} while it was asked: {', '.join(names[:SHOWN])}{more}. What an earlier "
                    "session left there is not checked."
                )
        return said


_open: list[Watched] = []
_hooked: list[bool] = []


@contextmanager
def watched(model: object) -> Iterator[Watched]:
    """See what a model, and code it calls in this process, keeps outside it.

    Parameters
    ----------
    model : object

    Yields
    ------
    Watched
        Complete at the end of the block.
    """
    if not _hooked:
        sys.addaudithook(_hear)  # for good: an audit hook cannot be taken away, but it only listens inside a block
        _hooked.append(True)
    seen, places = Watched(), _places(model)
    before = {name: _digest(value) for name, value in _values(places)}
    _open.append(seen)
    try:
        yield seen
    finally:
        _open.remove(seen)
        after = {name: _digest(value) for name, value in _values(places)}
        seen.changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def _hear(event: str, details: tuple[object, ...]) -> None:
    if not _open or event != "open" or len(details) < 3:
        return
    path, mode, flags = details[:3]
    writing = any(sign in mode for sign in "wax+") if isinstance(mode, str) else bool(int(flags or 0) & _WRITING)  # type: ignore[call-overload]
    if writing and isinstance(path, str | bytes) and not _is_cache(os.fsdecode(path)):
        for seen in _open:
            seen.written.add(os.fsdecode(path))


def _is_cache(path: str) -> bool:
    """Whether a file is what Python keeps of modules, or no file at all."""
    return "__pycache__" in path or path.startswith(("/dev/", "/proc/"))


def _places(model: object) -> list[tuple[str, object]]:
    """Return the classes of a model that are not foretide's own, and their modules, each with its name."""
    kinds = [kind for kind in type(model).__mro__ if kind is not object and kind.__module__.partition(".")[0] != OWN]
    modules = {kind.__module__: sys.modules.get(kind.__module__) for kind in kinds}
    return [
        *((kind.__qualname__, kind) for kind in kinds),
        *((name, module) for name, module in modules.items() if module),
    ]


def _values(places: list[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    for place, owner in places:
        for name, value in list(vars(owner).items()):
            if not name.startswith("__") and not callable(value) and not isinstance(value, ModuleType | property):
                yield f"{place}.{name}", value


def _digest(value: object) -> str:
    """Return what tells a value from another one: its words, or the bytes of an array."""
    try:
        written = value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode("utf-8", "replace")
    except Exception:  # what has no words is told apart as one object or another
        return str(id(value))
    return hashlib.sha256(written).hexdigest()
