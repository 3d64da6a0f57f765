"""Files that a task writes for whoever asked: at once where the disk is the same, else they travel with its result."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from foretide.data.files import PART, storing, write_whole
from foretide.errors import StorageError


@dataclass(frozen=True)
class Parcel:
    """A file, or a folder of files, on its way.

    Attributes
    ----------
    path : str
        Where it belongs.
    files : dict
        Path in it -> content; of a single file the path is empty.
    """

    path: str
    files: dict[str, bytes]


_FILES: ContextVar[list[Parcel] | None] = ContextVar("files_on_their_way", default=None)


@contextmanager
def collected(*, far: bool) -> Iterator[list[Parcel]]:
    """Collect what tasks inside write by :func:`outbox`.

    Parameters
    ----------
    far : bool
        Whether they run on another machine than whoever asked; else they write where it belongs.

    Yields
    ------
    list of Parcel
    """
    files = list[Parcel]()
    token = _FILES.set(files if far else None)
    try:
        yield files
    finally:
        _FILES.reset(token)


def is_far() -> bool:
    """Whether this is a task on another machine, or in another container, than whoever asked.

    Returns
    -------
    bool
    """
    return _FILES.get() is not None


@contextmanager
def outbox(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give the place to write a file or folder to, which on another machine is one that is sent.

    Parameters
    ----------
    path : path
        Where it belongs.

    Yields
    ------
    Path

    Examples
    --------
    >>> from foretide.parallel.outbox import outbox
    >>> with outbox("models") as place:
    ...     str(place)
    'models'
    """
    files = _FILES.get()
    if files is None:
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="foretide-") as name:
        place = Path(name, Path(path).name)
        yield place
        inside = [place] if place.is_file() else sorted(one for one in place.rglob("*") if one.is_file())
        if inside:
            files.append(Parcel(str(path), {_inside(one, place): one.read_bytes() for one in inside}))


def _inside(file: Path, place: Path) -> str:
    return "" if file == place else file.relative_to(place).as_posix()


def deliver(parcels: Iterable[Parcel]) -> None:
    """Write what has come; it appears whole or not at all, and replaces only what it is a new version of.

    Parameters
    ----------
    parcels : iterable of Parcel

    Raises
    ------
    StorageError
        Where it cannot be written, or a folder holds other files too.
    """
    for parcel in parcels:
        target = Path(os.path.abspath(parcel.path))
        if set(parcel.files) == {""}:
            write_whole(target, partial(_write, content=parcel.files[""]))
            continue
        there = {_inside(one, target) for one in target.rglob("*") if not one.is_dir()} if target.is_dir() else set()
        if more := sorted(there - set(parcel.files)):
            raise StorageError(
                f"{target} holds {more[0]}, which would be lost. Nothing was changed; name another folder."
            )
        with storing(target, "Nothing was changed."):
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=PART, dir=target.parent))
            try:
                for name, content in parcel.files.items():
                    write_whole(fresh / "new" / name, partial(_write, content=content))
                if os.path.lexists(target):
                    target.rename(fresh / "old")
                (fresh / "new").rename(target)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)


def _write(part: Path, content: bytes) -> None:
    part.write_bytes(content)
