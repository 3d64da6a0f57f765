"""What a person asks of ``fit`` and ``predict``: answers to the names of other libraries, and to other horizons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from foretide.errors import FOREIGN, ConfigError, nearest
from foretide.forecasters.options import check_foreign

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Frame

FIT = ("panel", "until", "train_until", "warm_start", "intervals", "checkpoint")
PREDICT = ("panel", "cutoffs", "levels", "h", "quantiles")


def table_of(
    deed: str, table: Panel | Frame | None, others: Mapping[str, object], known: Iterable[str]
) -> Panel | Frame:
    """Return the table of a call; refuse one without, or with arguments that ``fit`` or ``predict`` does not have.

    Parameters
    ----------
    deed : {"fit", "predict"}
    table : Panel, data frame or None
    others : mapping
        Arguments that are not known.
    known : iterable of str
        The names of those that are.

    Returns
    -------
    Panel or data frame

    Raises
    ------
    ConfigError
        With what to type.
    """
    for name in others:
        if FOREIGN.get(name) == "future":
            raise ConfigError(
                f"{deed} has no argument {name!r}: what is known ahead stands in the table itself, in rows after the "
                f"last observed one, their targets empty. Type: model.{deed}(frame)"
            )
    check_foreign(f"model.{deed}", others, known)
    for name in others:
        raise ConfigError(f"{deed} has no argument {name!r}. {nearest(name, known)}")
    if table is None:
        what = "learn from" if deed == "fit" else "forecast from, up to its last observed row"
        raise ConfigError(f"{deed} needs the table to {what}. Type: model.{deed}(frame)")
    return table


def steps_asked(name: str, fitted: int, h: int | None) -> int:
    """Return how many steps to return.

    Parameters
    ----------
    name : str
        Of the model.
    fitted : int
        Steps that it forecasts.
    h : int, optional
        Steps that were asked for; all by default.

    Returns
    -------
    int

    Raises
    ------
    ConfigError
        For more than were fitted, with what to type.

    Examples
    --------
    >>> steps_asked("Drift", 14, None), steps_asked("Drift", 14, 7)
    (14, 7)
    """
    if h is None:
        return fitted
    if isinstance(h, bool) or not isinstance(h, (int, np.integer)) or h < 1:
        raise ConfigError(f"h is the number of steps to return, a whole number from 1 to {fitted}; got {h!r}.")
    if h > fitted:
        raise ConfigError(
            f"{name} was fitted to forecast h={fitted} steps, fewer than h={h}. Make it with more and fit it again: "
            f"model.fresh(h={h}).fit(panel)"
        )
    return int(h)
