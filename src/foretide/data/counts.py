"""Which targets are counts, how often they are above zero, and the buckets that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.pieces import pieces, rows_of
from foretide.data.time.seasons import telling
from foretide.errors import ConfigError
from foretide.typing import Bools, Floats, Reals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel

BUCKETS = ("dense", "sparse", "ultra")
MODERATE, SMALL = 30, 10
"""A median below the first makes a negative binomial differ from a normal distribution; below the second, much."""
ZEROS, LARGE = 0.01, 1000
"""Zeros of at least this share matter, where the other values have a median below the second figure."""
SHARE = 0.1
"""So many of the series are enough where they are small or have zeros; of moderate ones it takes half."""
FEW = 0.05
"""Where a smaller share of the values than this, the mean over series, is below :data:`SMALL`, a tenth of the series is
not enough: hundreds or thousands with a zero now and then are as good as continuous."""


def are_counts(panel: Panel) -> Bools:
    """Say of each target whether every value observed is a whole number of at least zero.

    Where it is, a count head or a negative binomial may be used. Whether that is worth it, so that it should be done
    by default, is what :func:`count_like` says. A target of which nothing is observed is no count: nothing is known
    about it.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    bool array ``[D]``

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.supplies(T=60, n_targets=4).panel
    >>> from foretide.data.counts import are_counts
    >>> are_counts(panel).tolist()
    [True, True, True, True]
    """
    counts = np.ones(panel.n_targets, dtype=bool)
    observed = np.zeros(panel.n_targets, dtype=bool)
    for piece in pieces(panel.length, 8 * panel.n_targets):
        y = rows_of(panel, piece.start, piece.stop, slice(panel.n_targets))
        known = ~np.isnan(y)
        counts &= (~known | ((y >= 0) & (y == np.floor(y)) & np.isfinite(y))).all(axis=0)
        observed |= known.any(axis=0)
    return counts & observed


def count_like(panel: Panel) -> Bools:
    """Say of each target whether it is to be treated as a count by default, ``[D]``.

    It must be one (:func:`are_counts`), and zeros or small numbers must make that worth it. Of all series of counts,
    either half have a median below 30, or 10 % are small: their median is below 10, or at least 1 % of their values are
    zero while the others have a median below 1000; and 5 % of the values in a series, on average, are below 10.
    Elsewhere, as for 35 pieces a day without a zero, for a revenue, or for thousands of guests with a zero in a bad
    month, a normal distribution does as well, and intermittent baselines have nothing to say.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    bool array ``[D]``

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.supplies(T=60, n_targets=4).panel
    >>> from foretide.data.counts import count_like
    >>> bool(count_like(panel).all())
    True
    """
    counts = are_counts(panel)
    middles, small, low = [], 0, 0.0
    for entity in telling(panel):
        for target in np.flatnonzero(counts):
            y = panel.rows(entity)[:, target]
            y = y[~np.isnan(y)]
            if y.size:
                middles.append(float(np.median(y)))
                small += middles[-1] < SMALL or _has_zeros(y)
                low += float((y < SMALL).mean())
    enough = small >= SHARE * len(middles) and low >= FEW * len(middles)
    if middles and (np.median(middles) < MODERATE or enough):
        return counts
    return np.zeros_like(counts)


def _has_zeros(y: Reals) -> bool:
    positive = y[y > 0]
    return bool(positive.size <= (1 - ZEROS) * y.size and np.median(positive) < LARGE)


def first_no_count(panel: Panel, targets: Bools) -> tuple[int, int, int] | None:
    """Return the place of the earliest value that is no count.

    Parameters
    ----------
    panel : Panel
    targets : bool array ``[D]``
        Which targets are looked at.

    Returns
    -------
    entity, target, row : int, or None
        None where all values are counts.
    """
    worst: tuple[int, int, int, int] | None = None
    for entity in range(panel.n_entities):
        y = panel.rows(entity)[:, : panel.n_targets]
        with np.errstate(invalid="ignore"):
            bad = ((y < 0) | (y != np.floor(y))) & ~np.isnan(y) & targets
        if bad.any():
            row, column = (int(k) for k in np.argwhere(bad)[0])
            step = int(panel.first[entity]) + row
            if worst is None or step < worst[0]:
                worst = (step, entity, column, row)
    return None if worst is None else worst[1:]


def density(panel: Panel) -> Floats:
    """Return the nonzero rate of each series, the share of its observed values above zero.

    A panel cut by ``until`` gives the rates of that part alone.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    float array ``[N, D]``
        Zero for a series of which nothing is observed.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.supplies(T=60, n_targets=4).panel
    >>> from foretide.data.counts import density
    >>> density(panel).shape
    (1, 4)
    """
    rates = np.zeros((panel.n_entities, panel.n_targets))
    for entity in range(panel.n_entities):
        y = panel.rows(entity)[:, : panel.n_targets]
        known = (~np.isnan(y)).sum(axis=0)
        rates[entity] = (y > 0).sum(axis=0) / np.maximum(known, 1)
    return rates


def buckets(rates: Floats | Sequence[float] | float, dense: float = 0.70, ultra: float = 0.005) -> NDArray[np.str_]:
    """Sort series by their nonzero rate.

    Parameters
    ----------
    rates : float array, any shape
        Nonzero rates, as :func:`density` gives them.
    dense : float
        Rates of at least this are ``"dense"``.
    ultra : float
        Other rates of at most this are ``"ultra"`` (ultra-sparse); what lies between is ``"sparse"``.

    Returns
    -------
    str array of the shape of ``rates``

    Raises
    ------
    ConfigError
        Unless ``0 <= ultra <= dense <= 1``.

    Examples
    --------
    >>> from foretide.data.counts import buckets
    >>> buckets([0.9, 0.2, 0.001]).tolist()
    ['dense', 'sparse', 'ultra']
    """
    check_thresholds(dense, ultra)
    rates = np.asarray(rates, dtype=np.float64)
    return np.where(rates >= dense, "dense", np.where(rates <= ultra, "ultra", "sparse"))


def check_thresholds(dense: float, ultra: float) -> None:
    """Refuse thresholds of nonzero rates that are none.

    Parameters
    ----------
    dense, ultra : float

    Raises
    ------
    ConfigError
        Unless ``0 <= ultra <= dense <= 1``.
    """
    if not 0 <= ultra <= dense <= 1:
        raise ConfigError(
            "The thresholds of nonzero rates are shares with 0 <= ultra <= dense <= 1; "
            f"got dense={dense!r} and ultra={ultra!r}. Try dense=0.7, ultra=0.005."
        )
