"""Look on while something trains, from outside: every epoch's row goes to whoever watches.

A model's ``fit`` takes no callback, and whoever searches for settings must see its validation error all the same. The
watchers are bound to the context (:mod:`contextvars`), so threads do not see each other's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

EpochWatcher = Callable[[dict[str, Any]], None]
_WATCHERS: ContextVar[tuple[EpochWatcher, ...]] = ContextVar("epoch_watchers", default=())


@contextlib.contextmanager
def watching(callback: EpochWatcher) -> Iterator[None]:
    """Call ``callback`` with the row of every epoch that is trained inside.

    Parameters
    ----------
    callback : callable
        Gets ``{"epoch", "train_loss", "val_loss", "seconds"}``; epoch 0 is the state before the first step. It may
        raise to stop the training.
    """
    token = _WATCHERS.set((*_WATCHERS.get(), callback))
    try:
        yield
    finally:
        _WATCHERS.reset(token)


def show_watchers(row: dict[str, Any]) -> None:
    """Hand an epoch's row, a copy for each, to those who watch."""
    for callback in _WATCHERS.get():
        callback(dict(row))
