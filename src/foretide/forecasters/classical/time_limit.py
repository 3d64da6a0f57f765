"""An end to what takes too long."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class OutOfTime(BaseException):
    """Not an Exception, so that a library's own ``except Exception`` cannot swallow it."""


def can_interrupt() -> bool:
    """Whether the platform and the thread allow it to interrupt what takes too long."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


@contextmanager
def limit(seconds: float | None) -> Iterator[None]:
    """Interrupt the body after some seconds, where the platform and the thread allow it."""
    if seconds is None or not can_interrupt():
        yield
        return

    def stop(*_: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    # Fires again every 50 ms: a bare `except:` in the body may swallow the first.
    pending = signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)
    began = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if pending[0]:
            signal.setitimer(signal.ITIMER_REAL, max(pending[0] - (time.monotonic() - began), 1e-3), pending[1])
