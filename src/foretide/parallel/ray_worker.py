"""What runs in a worker of Ray, on this machine or on another one."""

from __future__ import annotations

import functools
import os
import platform
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any, cast

from foretide.data.checkpoints import Place
from foretide.errors import ConfigError, StorageError
from foretide.parallel.executor import Outcome
from foretide.parallel.outbox import Parcel, collected
from foretide.parallel.sharing import unpacked
from foretide.parallel.threads import limited
from foretide.parallel.worker import run_chunk, set_job

if TYPE_CHECKING:
    from collections.abc import Callable

DECIDE = ("foretide", "numpy", "scipy", "torch", "pandas", "lightgbm", "statsforecast")
"""Packages whose versions decide the bits of a result."""


@dataclass(frozen=True)
class Sent:
    """What a worker must know beside what all tasks share.

    Attributes
    ----------
    key : str
        Of what is shared, and how many threads there are: a worker reads it once.
    threads : int or None
    place : Place or None
        Where what is done so far is kept, on the machine that asked.
    machine : str
        The one that asked.
    versions : dict
        Of the packages there.
    path : tuple of str
        Where modules are found there.
    folder : str
        Its working directory, where names of files begin.
    """

    key: str
    threads: int | None
    place: Place | None
    machine: str
    versions: dict[str, str]
    path: tuple[str, ...]
    folder: str


@dataclass(frozen=True)
class Back:
    """What comes back from a worker.

    Attributes
    ----------
    outcomes : sequence of Outcome
    files : sequence of Parcel
        What tasks on another machine have written for whoever asked.
    unreadable : BaseException or None
        Why no task can run there.
    error : BaseException or None
        Why what came of the tasks cannot be sent.
    traceback : str
    sees_no_table : bool
        Whether a table was sent as the name of a file that this machine does not see.
    """

    outcomes: Sequence[Outcome[object]] = ()
    files: Sequence[Parcel] = ()
    unreadable: BaseException | None = None
    error: BaseException | None = None
    traceback: str = ""
    sees_no_table: bool = False


@dataclass
class _Worker:
    """What this process has read."""

    key: str = ""
    threads: int | None = None
    held: ExitStack = field(default_factory=ExitStack)


_WORKER = _Worker()


def here() -> str:
    """Return what tells this machine, or container, from others.

    Returns
    -------
    str
    """
    return f"{socket.gethostname()} {os.stat('/').st_dev}"


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that decide the bits of a result, as far as they are installed.

    Returns
    -------
    dict
    """
    found = {"python": platform.python_version()}
    for name in DECIDE:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def run_there(sent: Sent, shared: Sequence[Any], chunk: bytes) -> bytes:
    """Run some items, and return a :class:`Back` as bytes: so nothing in it is read-only.

    Parameters
    ----------
    sent : Sent
    shared : sequence
        References of what is shared: with tables by the names of their files, and maybe with the tables themselves.
    chunk : bytes
        Indices and items.

    Returns
    -------
    bytes
    """
    from loky.backend.reduction import dumps

    try:
        return bytes(dumps(_run(sent, shared, chunk)))
    except Exception as error:  # whatever a result does when it is written
        return bytes(dumps(_portable(Back(error=error, traceback=traceback.format_exc()))))


def _run(sent: Sent, shared: Sequence[Any], chunk: bytes) -> Back:
    from loky.backend.reduction import loads

    far = sent.machine != here()
    try:
        _agree(sent.versions)
        if not far:
            os.chdir(sent.folder)  # a cluster was started elsewhere
        _read(sent, shared[-1] if far else shared[0])
    except StorageError as error:
        alone = far and len(shared) == 1
        return Back(sees_no_table=True) if alone else _portable(Back(unreadable=error))
    except Exception as error:  # whatever what is shared does when it is read
        return _portable(Back(unreadable=error))
    try:
        indices, items = loads(chunk)
    except Exception as error:
        return _portable(Back(error=error, traceback=traceback.format_exc()))
    with collected(far=far) as files:
        found = run_chunk(indices, items, None if far else sent.place)
    return Back(found, tuple(files))


def _read(sent: Sent, shared: Any) -> None:
    """Read what all tasks share, unless this process has; hold its threads."""
    import ray

    if _WORKER.key == sent.key:
        return
    _WORKER.key = ""
    _WORKER.held.close()
    _WORKER.held.enter_context(limited(sent.threads))
    sys.path.extend(folder for folder in sent.path if folder not in sys.path)
    content, arrays = ray.get(shared)
    set_job(cast("tuple[Callable[[object, object], object], object]", unpacked(content, arrays.__getitem__)))
    _WORKER.key = sent.key


def _agree(wanted: dict[str, str]) -> None:
    """Refuse a machine with other versions: it would compute something else."""
    found = versions()
    differs = [name for name in sorted({*wanted, *found}) if wanted.get(name) != found.get(name)]
    if differs:
        told = ", ".join(f"{name} {found.get(name, 'missing')} (not {wanted.get(name, 'there')})" for name in differs)
        raise ConfigError(
            f"The machine {socket.gethostname()} of the cluster has {told}: its results would differ. Install the same "
            "versions on all machines."
        )


def _portable(back: Back) -> Back:
    """Return what came back with errors that can be read elsewhere."""
    from foretide.parallel.worker import portable

    safe = portable(Outcome(0, error=back.unreadable or back.error)).error
    return replace(back, unreadable=safe) if back.unreadable is not None else replace(back, error=safe)
