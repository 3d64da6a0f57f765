"""Sums of paths over steps and over series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import pandas as pd

from foretide.data.windows import places
from foretide.errors import ConfigError, nearest
from foretide.forecasters.levels import bounds_of, interval_columns, interval_levels, quantile_column, quantile_levels
from foretide.forecasters.naming import check_columns
from foretide.forecasters.paths.source import check_draws, paths_of

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.forecast import Forecast
    from foretide.typing import Floats, Ints, Reals

Steps: TypeAlias = "int | Sequence[int] | Literal['each'] | None"
By: TypeAlias = "str | Mapping[str, str] | None"
ALL, EACH = "all", "each"


def totals(
    forecast: Forecast, steps: Steps, by: By, levels: float | Iterable[float], quantiles: float | Iterable[float],
    n: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Return sums with their intervals; see :meth:`foretide.Forecast.total`."""
    check_draws(n, seed)
    panel, leads = forecast.panel, _leads(steps, forecast.h)
    kept, asked = interval_levels(levels), quantile_levels(quantiles)
    wanted = tuple(sorted({*(bound for level in kept for bound in bounds_of(level)), *asked}))
    names, group = _groups(panel, by)
    cutoffs = forecast.cutoff_steps
    # One sum for each group and cutoff, in the order in which they first come.
    key = group[forecast.windows.entity] + len(names) * (cutoffs - cutoffs.min(initial=0))[:, None]  # [N, D]
    distinct, first, cell = np.unique(key.ravel(), return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    cell = place[cell].reshape(key.shape)
    means = np.zeros((len(distinct), len(leads)))
    np.add.at(means, cell, np.moveaxis(_added(forecast.mean, leads, steps, 1), 1, -1))
    found = _quantiles(forecast, cell, len(distinct), leads, steps, wanted, n, seed)
    about = distinct[order]
    label = np.array(names, dtype=object)[about % len(names)]
    cutoff = about // len(names) + cutoffs.min(initial=0)
    check_columns((panel.names.id, panel.names.time), ("cutoff", forecast.model))
    columns: dict[str, object] = {
        panel.names.id: np.repeat(label, len(leads)),
        panel.names.time: panel.grid.output_times((cutoff[:, None] + leads).ravel()),
        "cutoff": panel.grid.output_times(np.repeat(cutoff, len(leads))),
        forecast.model: means.ravel(),
    }
    for level in kept:
        for name, bound in zip(interval_columns(forecast.model, level), bounds_of(level), strict=True):
            columns[name] = found[..., wanted.index(bound)].ravel()
    for q in asked:
        columns[quantile_column(forecast.model, q)] = found[..., wanted.index(q)].ravel()
    return pd.DataFrame(columns)


def _quantiles(
    forecast: Forecast, cell: Ints, size: int, leads: Ints, steps: Steps, wanted: tuple[float, ...], n: int, seed: int
) -> Floats:
    """Return quantiles ``[S, L, Q]`` of the sums; those that only one series adds to are not kept as paths."""
    found = np.full((size, len(leads), len(wanted)), np.nan)
    alone = np.bincount(cell.ravel(), minlength=size) == 1
    shared = np.cumsum(~alone) - 1
    sums = np.zeros((int((~alone).sum()), len(leads), int(n)))
    for at, paths in paths_of(forecast, n, seed):
        added = _added(paths, leads, steps, 2).transpose(0, 3, 2, 1)  # [W, D, L, n]
        own = cell[at]
        single = alone[own]
        found[own[single]] = quantiles_of(added[single], wanted)
        np.add.at(sums, shared[own[~single]], added[~single])
    found[~alone] = quantiles_of(sums, wanted)
    return found


def quantiles_of(values: Floats, levels: Sequence[float]) -> Floats:
    """Return quantiles ``[..., Q]`` of equally likely values ``[..., n]``, whole where these are.

    Parameters
    ----------
    values : float array
    levels : sequence of float
        As fractions.

    Returns
    -------
    float array
        NaN where a value is.

    Examples
    --------
    >>> import numpy as np
    >>> quantiles_of(np.array([0.0, 1.0, 1.0, 4.0]), (0.5, 0.9)).tolist()
    [1.0, 4.0]
    """
    if not len(levels) or not values.size:
        return np.full((*values.shape[:-1], len(levels)), np.nan)
    known = np.asarray(np.isfinite(values).all(axis=-1))
    filled = np.where(known[..., None], values, 0.0)
    method: Literal["inverted_cdf", "linear"] = "inverted_cdf" if (filled == np.rint(filled)).all() else "linear"
    found = np.moveaxis(np.quantile(filled, levels, axis=-1, method=method), 0, -1)
    return np.where(known[..., None], found, np.nan)


def _added(values: Reals, leads: Ints, steps: Steps, axis: int) -> Floats:
    """Add up the first steps along an axis, or take each by itself."""
    if isinstance(steps, str):
        return np.asarray(values, dtype=np.float64)
    return np.take(np.cumsum(values, axis=axis, dtype=np.float64), leads - 1, axis=axis)


def _leads(steps: Steps, h: int) -> Ints:
    """Return how many steps are added up, ``[L]``; or each step's number."""
    if steps is None:
        return np.array([h])
    if isinstance(steps, str):
        if steps != EACH:
            raise ConfigError(f"steps is how many are added up, or 'each'; got {steps!r}. Type: total('each')")
        return np.arange(1, h + 1)
    found = np.atleast_1d(np.asarray(steps))
    if found.ndim != 1 or found.dtype.kind not in "iu" or not len(found) or found.min() < 1 or found.max() > h:
        raise ConfigError(f"Sums are over 1 to {h} steps, the horizon; got {steps!r}. Type: total({h})")
    return found.astype(np.int64)


def _groups(panel: Panel, by: By) -> tuple[list[str], Ints]:
    """Return the names of the sums, and the number of each series', ``[entities, D]``."""
    shape = (panel.n_entities, panel.n_targets)
    series = np.array(panel.series, dtype=object).reshape(shape)
    if by is None:
        return [str(name) for name in series.ravel()], np.arange(series.size).reshape(shape)
    if isinstance(by, Mapping):
        label = np.array([[_label(panel, by, i, name) for name in row] for i, row in enumerate(series)], dtype=object)
    elif by in panel.static.names:
        column = panel.static.names.index(by)
        values, texts = panel.static.values[:, column], panel.static.categories.get(by)
        shown = [_shown(value, texts) for value in values]
        label = np.repeat(np.array(shown, dtype=object)[:, None], panel.n_targets, axis=1)
    elif by == ALL:
        return [ALL], np.zeros(shape, dtype=np.int64)
    else:
        raise ConfigError(
            f"by is 'all', a static column or a mapping from series to groups; got {by!r}. "
            f"{nearest(by, (ALL, *panel.static.names))}"
        )
    names = list(dict.fromkeys(label.ravel().tolist()))
    return names, places(label.ravel().tolist(), names).reshape(shape)


def _label(panel: Panel, by: Mapping[str, str], entity: int, series: str) -> str:
    for name in (series, panel.ids[entity]):
        if name in by:
            return str(by[name])
    raise ConfigError(f"by names no group of the series {series!r}. Give one for each: {{{series!r}: 'group', ...}}")


def _shown(value: float, texts: Sequence[str] | None) -> str:
    if np.isnan(value):
        return "unknown"
    return f"{value:g}" if texts is None else str(texts[int(value)])
