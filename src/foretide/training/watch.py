"""Look on while something trains, from outside: every epoch's row goes to whoever watches.

A model's ``fit`` takes no callback, and whoever searches for settings must see its validation error all the same. The
watchers are bound to the context (:mod:`contextvars`), so threads do not see each other's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TypedDict


class Epoch(TypedDict):
    """What happened in an epoch; number 0 is the state before the first step.

    ``val_loss`` is NaN without validation windows, ``train_loss`` in epoch 0; ``seconds`` count from the start.
    """

    epoch: int
    train_loss: float
    val_loss: float
    seconds: float


EpochCallback = Callable[[Epoch], None]
_WATCHERS: ContextVar[tuple[EpochCallback, ...]] = ContextVar("epoch_watchers", default=())


@contextlib.contextmanager
def watching(callback: EpochCallback) -> Iterator[None]:
    """Call ``callback`` with the row of every epoch that is trained inside.

    Parameters
    ----------
    callback : callable
        Gets an :class:`Epoch`. It may raise to stop the training.
    """
    token = _WATCHERS.set((*_WATCHERS.get(), callback))
    try:
        yield
    finally:
        _WATCHERS.reset(token)


@contextlib.contextmanager
def nobody_watching() -> Iterator[None]:
    """Keep a training inside another one, with epochs of its own, from those who watch the other."""
    token = _WATCHERS.set(())
    try:
        yield
    finally:
        _WATCHERS.reset(token)


def show_watchers(row: Epoch) -> None:
    """Hand an epoch's row, a copy for each, to those who watch."""
    for callback in _WATCHERS.get():
        callback(row.copy())
