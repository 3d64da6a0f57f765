"""Which series of a panel stand for the others: found by name, or the most typical first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.windows import evenly
from foretide.errors import DataError, nearest

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Ints


def typical_order(panel: Panel) -> Ints:
    """Return the positions of all series, the most typical first.

    A series is typical when it is near the middle of all in four things: its level, its spread relative to that, its
    share of zeros, and how many values it has. Series without a value are last.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    int array ``[N * D]``
        Positions in ``panel.series``: entities outer, targets inner.

    Examples
    --------
    >>> import foretide as ft
    >>> from foretide.data.typical import typical_order
    >>> panel = ft.synthetic.supplies(T=60, n_sites=3, n_targets=2).panel
    >>> sorted(typical_order(panel).tolist())
    [0, 1, 2, 3, 4, 5]
    """
    from scipy.stats import rankdata  # half a second, and not needed by every command

    features = np.full((len(panel.series), 4), np.nan)
    for i in range(panel.n_entities):
        for d, y in enumerate(panel.rows(i)[:, : panel.n_targets].T):
            known = y[np.isfinite(y)].astype(np.float64)
            if len(known):
                level = float(np.abs(known).mean())
                spread = float(known.std()) / (level or 1.0)
                features[i * panel.n_targets + d] = level, spread, float((known == 0).mean()), len(known)
    empty = np.isnan(features[:, 0])
    distance = np.full(len(features), np.inf)
    n = int((~empty).sum())
    distance[~empty] = np.abs(rankdata(features[~empty], axis=0) - (n + 1) / 2).sum(axis=1)
    return np.argsort(distance, kind="stable").astype(np.int64)


def chosen_series(panel: Panel, series: object = None, most: int = 6) -> list[tuple[int, int]]:
    """Return some series by their names; without any, all, or as many as asked from the most typical to the least.

    Parameters
    ----------
    panel : Panel
    series : str, or iterable of str, optional
        Names as in ``panel.series``; that of an entity stands for all its targets. Numbers are read as text.
    most : int
        Series that are chosen without a name.

    Returns
    -------
    list of (int, int)
        Entity and target.

    Raises
    ------
    DataError
        For a series that is not there, with the nearest name.

    Examples
    --------
    >>> import foretide as ft
    >>> from foretide.data.typical import chosen_series
    >>> panel = ft.synthetic.supplies(T=60, n_sites=3, n_targets=2).panel
    >>> chosen_series(panel, "site2")
    [(1, 0), (1, 1)]
    """
    if series is None:
        n = len(panel.series)
        order = np.arange(n) if n <= most else typical_order(panel)[evenly(n, most)]
        return [divmod(int(k), panel.n_targets) for k in order]
    wanted = list(series) if isinstance(series, Iterable) and not isinstance(series, str) else [series]
    known = {name: [divmod(k, panel.n_targets)] for k, name in enumerate(panel.series)}
    for i, name in enumerate(panel.ids):
        known.setdefault(name, [(i, d) for d in range(panel.n_targets)])
    for name in map(str, wanted):
        if name not in known:
            raise DataError(f"The panel has no series {name!r}. {nearest(name, known)}")
    return list(dict.fromkeys(place for name in map(str, wanted) for place in known[name]))
