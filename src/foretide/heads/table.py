"""Heads by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from foretide.errors import ConfigError, nearest
from foretide.heads.base import Head
from foretide.heads.point import PointHead, absolute, huber, squared

HEADS: dict[str, Callable[[int, int], Head]] = {
    "point": partial(PointHead, error=squared),
    "absolute": partial(PointHead, error=absolute),
    "huber": partial(PointHead, error=huber),
}
"""Heads by name: a callable of (features, targets)."""


def make_head(name: str, features: int, targets: int) -> Head:
    """Return a new head by name for ``features`` inputs and ``targets`` outputs.

    Raises
    ------
    ConfigError
        When no head has that name; the nearest one is suggested.
    """
    if name not in HEADS:
        raise ConfigError(f"There is no head {name!r}. {nearest(name, HEADS)}")
    return HEADS[name](features, targets)
