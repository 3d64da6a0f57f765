"""What long work has done so far, in a folder: after kill -9 the same work goes on from there, and ends the same.

Work is known by its name and a digest of all that decides it. What came of it lies in one file, in the folder of the
work around it; what it has done until then lies in a folder of its own beside that file, which goes when it has ended.
Nothing is kept outside :func:`keeping`. How much work is worth a file grows with the time that the job has taken, so
that a short job loses little, and a long one does not write for ever: see :class:`Pace`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from foretide.data.files import file_name, storing, write_text, write_whole
from foretide.data.pieces import pieces, rows_of

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Array, Json

T = TypeVar("T")
ABOUT, ENDING = "about.json", ".safetensors"
LEAST = 0.05
"""Seconds of work below which a file is never worth while."""
SHARE = 0.02
"""Of the time that the job has taken: so much work may be lost."""
ENOUGH = 0.5
"""Seconds of work that are always worth a file, as many small pieces may make up a large one."""
EVERY = 30.0
"""Most seconds between two files of work that comes bit by bit, unless they take long to write."""
COST = 25.0
"""Work goes on for so many times what a file takes to write, so that keeping it stays cheap."""
LARGEST = 2**30
"""Bytes of one file, at most: larger results are made again."""


class Kept(NamedTuple):
    """What is kept of a piece of work.

    Attributes
    ----------
    arrays : mapping
        Name -> array.
    facts : dict
        What JSON holds.
    """

    arrays: Mapping[str, Array]
    facts: Json


@dataclass(eq=False)
class Pace:
    """How much work is worth a file.

    Attributes
    ----------
    began : float
        When the job began, in seconds of ``time.time()``: other processes work for it too.
    cost : float
        Seconds that the last file took to write.
    """

    began: float = field(default_factory=time.time)
    cost: float = 0.0

    @property
    def whole(self) -> float:
        """Seconds of work whose result is worth a file."""
        return max(LEAST, min(ENOUGH, max(self._share, COST * self.cost)))

    @property
    def part(self) -> float:
        """Seconds from one file of work that comes bit by bit to the next, what it takes to write left out."""
        return max(LEAST, min(EVERY, self._share))

    @property
    def _share(self) -> float:
        return SHARE * (time.time() - self.began)


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
            As of :func:`write`.
        """
        began = time.perf_counter()
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
def keeping(folder: Path, about: Mapping[str, object]) -> Iterator[None]:
    """Keep what is done inside in a folder, and take up what lies there if it is of the same kind.

    Parameters
    ----------
    folder : Path
        Its own; what lies there is removed where it says something else about itself.
    about : mapping
        What all of the work depends on, such as versions; as JSON.

    Returns
    -------
    context manager
    """
    told, path = json.dumps(dict(about), sort_keys=True, default=str), folder / ABOUT
    with storing(folder, "Nothing was changed.", deed="keep what is done so far in"):
        if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != told:
            forget(folder)
            write_text(path, told)
    with at(Place(folder)):
        yield


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
        due = now - self._began >= pace.whole if ended else now - self._last >= max(pace.part, COST * self._cost)
        if due:
            self.place.write(self.path, make())
            self._last = time.perf_counter()
            self._cost = self._last - now


# ---------------------------------------------------------------- files
def write(path: Path, kept: Kept) -> bool:
    """Write a file that appears whole or not at all; return whether it was small enough to be kept.

    Parameters
    ----------
    path : Path
    kept : Kept

    Returns
    -------
    bool
    """
    from safetensors.numpy import save

    if sum(array.nbytes for array in kept.arrays.values()) > LARGEST:
        return False
    # safetensors writes the buffer of an array as it lies in memory, so each must be contiguous.
    arrays = {name: np.array(array, order="C") for name, array in kept.arrays.items()}
    facts = json.dumps(kept.facts)
    content = save(arrays, {"facts": facts, "sum": digest(facts, arrays)})
    write_whole(path, lambda part: part.write_bytes(content))
    return True


def read(path: Path) -> Kept | None:
    """Return what :func:`write` wrote; None where there is nothing, or something else.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Kept or None
    """
    if not path.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        if about.get("sum") != digest(about["facts"], arrays):
            return None
        facts: Json = json.loads(about["facts"])
    except (SafetensorError, OSError, KeyError, ValueError):
        return None
    return Kept(arrays, facts)


def _warn_again(told: Sequence[Sequence[str]]) -> None:
    """Warn of what was warned of when the work was done."""
    for kind, message in told:
        module, _, name = kind.partition(":")
        category = getattr(importlib.import_module(module), name, UserWarning)
        warnings.warn(message, category, stacklevel=4)


# ---------------------------------------------------------------- what decides
def digest(*parts: object) -> str:
    """Return 16 digits that differ for different values.

    Parameters
    ----------
    *parts : object
        Arrays, mappings of names to arrays, or what shows all of itself in its ``repr``.

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.data.checkpoints import digest
    >>> digest(1, "a") == digest(1, "a"), digest(1, "a") == digest("1", "a")
    (True, False)
    """
    told = hashlib.sha256()
    for part in parts:
        named = {"": part} if isinstance(part, np.ndarray) else part
        if isinstance(named, Mapping) and named and all(isinstance(value, np.ndarray) for value in named.values()):
            for key in sorted(named):
                told.update(f"{key} {named[key].dtype} {named[key].shape}".encode())
                told.update(np.ascontiguousarray(named[key]).tobytes())
        else:
            told.update(repr(part).encode("utf-8", "surrogatepass"))
        told.update(b"\0")
    return told.hexdigest()[:16]


def leaves(value: object) -> Iterator[object]:
    """Yield what a value is made of, as :func:`digest` takes it: that of data classes, mappings and sequences.

    Parameters
    ----------
    value : object

    Yields
    ------
    object

    Examples
    --------
    >>> from foretide.data.checkpoints import leaves
    >>> list(leaves([{"a": 1}, (2, "b")]))
    [('list', 2), ('dict', 2), 'a', 1, (2, 'b')]
    """
    if is_dataclass(value) and not isinstance(value, type):
        inside: list[object] = [getattr(value, one.name) for one in fields(value)]
    elif isinstance(value, Mapping):
        inside = [one for pair in value.items() for one in pair]
    elif isinstance(value, np.ndarray) and value.dtype == object:
        inside = [value.shape, value.ravel().tolist()]
    elif isinstance(value, (list, tuple)) and not all(isinstance(one, (str, int, float, type(None))) for one in value):
        inside = list(value)
    else:
        yield value
        return
    yield type(value).__qualname__, len(inside)
    for one in inside:
        yield from leaves(one)


def digest_of_panel(panel: Panel) -> str:
    """Return a digest of all that a forecaster can see of a panel: values, times, names, roles.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    str
    """
    told = hashlib.sha256()
    names = (panel.ids, panel.targets, panel.past, panel.future, panel.static.names, panel.categories, panel.indicators)
    told.update(repr((panel.grid, *names, panel.first.tolist())).encode())
    told.update(np.ascontiguousarray(panel.static.values).tobytes())
    for piece in pieces(panel.length, panel.values.itemsize * panel.values.shape[1]):
        told.update(np.ascontiguousarray(rows_of(panel, piece.start, piece.stop)).data)
    return told.hexdigest()
