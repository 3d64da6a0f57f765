"""An end to what takes too long, by seconds of computing: other work on the machine changes no forecast."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PATIENCE = 4.0
"""Seconds that may pass for each one of computing."""
AGAIN = 0.05
"""Seconds after which a body that goes on is interrupted once more."""
_IMPORT = "<frozen importlib"


class OutOfTime(BaseException):
    """Not an Exception, so that a library's own ``except Exception`` cannot swallow it."""


class Watch:
    """Counts the seconds that this thread computes from now on; those that pass by, waiting included, as a quarter.

    Parameters
    ----------
    wall : bool
        Whether it is the clock on the wall that counts.
    """

    def __init__(self, *, wall: bool = False) -> None:
        self.wall, self._began, self._busy = wall, time.perf_counter(), time.thread_time()

    def seconds(self) -> float:
        """Return how many they are so far."""
        passed = time.perf_counter() - self._began
        return passed if self.wall else max(time.thread_time() - self._busy, passed / PATIENCE)


def can_interrupt() -> bool:
    """Whether the platform and the thread allow it to interrupt what takes too long."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


@contextmanager
def limit(seconds: float | None, *, wall: bool = False) -> Iterator[None]:
    """Interrupt the body after some seconds, where the platform and the thread allow it.

    A module that is being imported is imported to its end: one that is there by half fails whoever needs it next.

    Parameters
    ----------
    seconds : float or None
        As a :class:`Watch` counts them.
    wall : bool

    Raises
    ------
    OutOfTime
    """
    if seconds is None or not can_interrupt():
        yield
        return
    watch = Watch(wall=wall)

    def stop(_: int, frame: FrameType | None) -> None:
        left = seconds - watch.seconds()
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, max(left, AGAIN), AGAIN)
        elif not _imports(frame):
            raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    # Fires again and again: a bare `except:` in the body may swallow the first.
    pending = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    began = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if pending[0]:
            signal.setitimer(signal.ITIMER_REAL, max(pending[0] - (time.monotonic() - began), 1e-3), pending[1])


def _imports(frame: FrameType | None) -> bool:
    """Whether a module is being imported in a frame, or in one that called it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORT):
            return True
        frame = frame.f_back
    return False
