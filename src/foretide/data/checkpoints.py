"""What long work has done so far, in a folder: after kill -9 the same work goes on from there, and ends the same.

Work is known by its name and a digest of all that decides it. What came of it lies in one file, in the folder of the
work around it; what it has done until then lies in a folder of its own beside that file, which goes when it has ended.
Nothing is kept outside :func:`keeping`. How much work is worth a file grows with the time that the job has taken, so
that a short job loses little, and a long one does not write for ever: see :mod:`foretide.data.pace`.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from foretide.data.digests import digest
from foretide.data.files import file_name, storing, write_text
from foretide.data.kept import ENDING, Kept, read, write
from foretide.data.pace import Pace
from foretide.errors import StorageError

T = TypeVar("T")
ABOUT = "about.json"


@dataclass(eq=False)
class Place:
    """Where the work at hand keeps what it has done.

    Attributes
    ----------
    folder : Path
        Made with its first file.
    within : tuple of str
        Names of the work at hand and of what is around it, the outermost first.
    pace : Pace
        Of the job.
    counts : Counter
        How often a name was asked for.
    """

    folder: Path
    within: tuple[str, ...] = ()
    pace: Pace = field(default_factory=Pace)
    counts: Counter[str] = field(default_factory=Counter)

    def inner(self, folder: Path, name: str) -> Place:
        """Return the place of work inside that at hand.

        Parameters
        ----------
        folder : Path
        name : str

        Returns
        -------
        Place
        """
        return Place(folder, (*self.within, name), self.pace)

    def number(self, name: str) -> int:
        """Return how many pieces of work of this name came before, and count one more.

        Parameters
        ----------
        name : str

        Returns
        -------
        int
        """
        self.counts[name] += 1
        return self.counts[name] - 1

    def write(self, path: Path, kept: Kept) -> bool:
        """Write a file, and note how long that takes.

        Parameters
        ----------
        path : Path
        kept : Kept

        Returns
        -------
        bool
            As of :func:`write`; False where the system refuses, see :func:`spared`.
        """
        began, written = time.perf_counter(), False
        with spared(self):
            written = write(path, kept)
        self.pace.cost = time.perf_counter() - began
        return written


_PLACE: ContextVar[Place | None] = ContextVar("checkpoint_place", default=None)


def here() -> Place | None:
    """Return where the work at hand keeps what it has done; None where nothing is kept.

    Returns
    -------
    Place or None

    Examples
    --------
    >>> from foretide.data.checkpoints import here
    >>> here() is None
    True
    """
    return _PLACE.get()


@contextmanager
def at(place: Place | None) -> Iterator[None]:
    """Keep what is done inside at a place; None: keep nothing.

    Parameters
    ----------
    place : Place or None

    Returns
    -------
    context manager
    """
    token = _PLACE.set(place)
    try:
        yield
    finally:
        _PLACE.reset(token)


@contextmanager
def spared(place: Place | None) -> Iterator[None]:
    """Go on with the work where the system refuses a file of what is kept: a disk that is full, a read-only folder.

    Parameters
    ----------
    place : Place or None
        Of the work, which warns of it at its end. None: nothing is kept, and the error is one.

    Returns
    -------
    context manager
    """
    try:
        yield
    except StorageError as error:
        if place is None:
            raise
        place.pace.trouble = place.pace.trouble or str(error)


@contextmanager
def keeping(folder: Path, about: Mapping[str, object]) -> Iterator[None]:
    """Keep what is done inside in a folder, and take up what lies there if it is of the same kind.

    A folder that cannot be written at the beginning is an error. Where that happens later, the work goes on, and a
    warning says in the end what was not kept.

    Parameters
    ----------
    folder : Path
        Its own; what lies there is removed where it says something else about itself.
    about : mapping
        What all of the work depends on, such as versions; as JSON.

    Returns
    -------
    context manager

    Raises
    ------
    StorageError
        Where nothing can be written there; nothing was done then.
    """
    told, path = json.dumps(dict(about), sort_keys=True, default=str), folder / ABOUT
    with storing(folder, "Nothing was changed.", deed="keep what is done so far in"):
        if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != told:
            forget(folder)
            write_text(path, told)
    place = Place(folder)
    try:
        with at(place):
            yield
    finally:
        if place.pace.trouble:
            warnings.warn(
                f"Not all that was done could be kept on the way. {place.pace.trouble} After an interruption it would "
                "have been done again.", stacklevel=3,
            )  # fmt: skip


@contextmanager
def kept_until_done(folder: str | os.PathLike[str] | None, name: str, decided_by: Sequence[object]) -> Iterator[None]:
    """Keep what is done inside in a user's folder while it is not done; None: as it was kept before.

    Parameters
    ----------
    folder : path or None
        Whatever else lies there is left alone.
    name : str
        Of the kind of work.
    decided_by : sequence of object
        All that decides what comes of it, versions too: see :func:`foretide.data.digests.digest`.

    Returns
    -------
    context manager

    Raises
    ------
    StorageError
        Where nothing can be written there; nothing was done then.
    """
    if folder is None:
        yield
        return
    own = Path(folder) / f"{file_name(name)}-{digest(*decided_by)}"
    with keeping(own, {"work": name}):
        yield
    with spared(Place(own)):
        forget(own)
    with suppress(OSError):  # it holds something else
        own.parent.rmdir()


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Keep what is done inside in a folder of its own, which stays until :func:`forget_inside`.

    Parameters
    ----------
    name : str
        Of a file.

    Returns
    -------
    context manager
    """
    place = here()
    with at(None if place is None else place.inner(place.folder / name, name)):
        yield


def forget_inside(name: str) -> None:
    """Remove what was kept :func:`inside`.

    Parameters
    ----------
    name : str
    """
    if (place := here()) is not None:
        forget(place.folder / name)


def forget(folder: Path) -> None:
    """Remove a folder of kept work; nothing where there is none.

    Parameters
    ----------
    folder : Path
    """
    if folder.is_dir():
        with storing(folder, deed="remove"):
            shutil.rmtree(folder)


def remembered(
    name: str, decided_by: Sequence[object], work: Callable[[], T], *, pack: Callable[[T], Kept | None],
    unpack: Callable[[Kept], T],
) -> T:  # fmt: skip
    """Do some work, or take what came of it when it was done before.

    Parameters
    ----------
    name : str
        Of the kind of work.
    decided_by : sequence of object
        All that decides what comes of it besides the work around it: see :func:`digest`.
    work : callable
        Its warnings are kept too.
    pack : callable
        Of what came of it: how it is kept; None where it cannot be. What it has done inside then stays.
    unpack : callable
        The reverse.

    Returns
    -------
    object
        As ``work`` returns it.
    """
    place = here()
    if place is None:
        return work()
    own = place.folder / f"{file_name(name)}-{digest(*decided_by)}"
    path = own.with_name(own.name + ENDING)
    if (found := read(path)) is not None:
        _warn_again(found.facts.pop("warnings", []))
        return unpack(found)
    began = time.perf_counter()
    with at(place.inner(own, name)), warnings.catch_warnings(record=True) as said:
        value = work()
    told = [[f"{one.category.__module__}:{one.category.__qualname__}", str(one.message)] for one in said]
    _warn_again(told)
    small = time.perf_counter() - began < place.pace.whole
    packed = None if small else pack(value)
    if small or (packed is not None and place.write(path, Kept(packed.arrays, {**packed.facts, "warnings": told}))):
        with spared(place):
            forget(own)
    return value


class Gradual:
    """How far work that comes bit by bit has come: all of it in one file, which each later one replaces.

    Parameters
    ----------
    name : str
        Other than that of any other in the work at hand.
    """

    def __init__(self, name: str) -> None:
        self.place = place = here()
        self.path = None if place is None else place.folder / f"{name}{ENDING}"
        self._began = self._last = time.perf_counter()
        self._cost = 0.0

    def found(self) -> Kept | None:
        """Return what was kept last; None where there is nothing.

        Returns
        -------
        Kept or None
        """
        return None if self.path is None else read(self.path)

    def keep(self, make: Callable[[], Kept], *, ended: bool = False) -> None:
        """Write how far it is, where it is time to.

        Parameters
        ----------
        make : callable
            Returns all that there is.
        ended : bool
            Whether nothing more will come.
        """
        if self.place is None or self.path is None:
            return
        now, pace = time.perf_counter(), self.place.pace
        due = now - self._began >= pace.whole if ended else now - self._last >= pace.part(self._cost)
        if due:
            self.place.write(self.path, make())
            self._last = time.perf_counter()
            self._cost = self._last - now


def _warn_again(told: Sequence[Sequence[str]]) -> None:
    """Warn of what was warned of when the work was done."""
    for kind, message in told:
        module, _, name = kind.partition(":")
        category = getattr(importlib.import_module(module), name, UserWarning)
        warnings.warn(message, category, stacklevel=4)
