"""What runs in a worker process."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from foretide.data.checkpoints import Place, at
from foretide.parallel.calls import call
from foretide.parallel.executor import Outcome
from foretide.parallel.sharing import read_job

LOOK_EVERY = 0.5
"""Seconds between two looks whether the parent lives."""


@dataclass
class _Here:
    """What this process knows of itself as a worker."""

    is_worker: bool = False
    job: tuple[Callable[[object, object], object], object] | None = None


_HERE = _Here()


def in_worker() -> bool:
    """Whether this process is a worker of a map; inside, everything runs one after the other.

    Returns
    -------
    bool
    """
    return _HERE.is_worker


def begin(folder: str, parent: int) -> None:
    """Make this process a worker: Ctrl-C is the parent's affair, and so is its end.

    Parameters
    ----------
    folder : str
    parent : int
    """
    _HERE.is_worker = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # for what a task may start
    threading.Thread(target=_follow, args=(folder, parent), daemon=True).start()


def load(folder: str) -> int:
    """Read what all tasks share, and return the process id.

    Parameters
    ----------
    folder : str

    Returns
    -------
    int
    """
    set_job(read_job(Path(folder)))
    return os.getpid()


def set_job(job: tuple[Callable[[object, object], object], object]) -> None:
    """Make this process a worker that has read what all tasks share.

    Parameters
    ----------
    job : (callable, object)
    """
    _HERE.is_worker, _HERE.job = True, job


def run_chunk(indices: Sequence[int], items: Sequence[object], place: Place | None = None) -> list[Outcome[object]]:
    """Run the function on some items.

    Parameters
    ----------
    indices : sequence of int
    items : sequence of object
    place : Place or None
        Where what is done so far is kept.

    Returns
    -------
    list[Outcome[object]]
    """
    assert _HERE.job is not None
    with at(place):
        found = [portable(call(*_HERE.job, item, index)) for index, item in zip(indices, items, strict=True)]
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # workers are ended without ceremony
    return found


def _follow(folder: str, parent: int) -> None:
    """End this process, and remove what all share, when the parent is gone."""
    while os.name == "posix" and os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    if os.name == "posix":
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def portable(outcome: Outcome[object]) -> Outcome[object]:
    """Return an outcome whose error and warnings can be read elsewhere.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    Outcome
    """
    from loky.backend.reduction import dumps, loads

    if outcome.error is None and not outcome.warnings:
        return outcome
    try:
        loads(dumps((outcome.error, outcome.warnings)))
    except Exception:  # whatever its class does when it is read: the text is kept
        kind = type(outcome.error).__name__
        error = None if outcome.error is None else RuntimeError(f"{kind}: {outcome.error}")
        return replace(outcome, error=error, warnings=tuple((UserWarning, text) for _, text in outcome.warnings))
    return outcome
