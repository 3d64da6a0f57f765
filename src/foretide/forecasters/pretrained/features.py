"""What the network sees: how each filter did in the past, what it forecasts, and what the window is like."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from foretide.forecasters.pretrained.bank import LOGS, filtered

if TYPE_CHECKING:
    from foretide.forecasters.pretrained.bank import Filtered
    from foretide.typing import Bools, Floats, Ints

PROBES = (1, 2, 4, 8, 16, 32, 64)
"""Past errors are taken at these steps ahead, and in between by the logarithm of the step."""
HALVES = (6.0, 40.0)
"""Rows after which a past error counts half."""
RECENT = (12, 48, 512)
"""Newest values whose own quantiles the network can fall back on."""
FEWEST = 3
"""Rows of a window at least."""
LEVELS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
MEMBER, WINDOW = 8, 41
"""Features of a filter, and of a window."""


@dataclass(frozen=True)
class Seen:
    """One step ahead of each of some windows, ``[B, S]``.

    Attributes
    ----------
    members : float array ``[B, S, K, MEMBER]``
    window : float array ``[B, S, WINDOW]``
    forecasts : float array ``[B, S, K]``
        Of each filter, in the unit of the window.
    size : float array ``[B, S, K]``
        Past errors of each filter at the step, in the same unit.
    recent : float array ``[B, len(RECENT), len(LEVELS)]``
        Quantiles of the newest values.
    usable : bool array ``[B, K]``
        False for filters of logarithms where a value is not positive.
    unit, scale : float array ``[B]``
        Mean size of the values; mean error of the seasonal naive in that unit.
    nonnegative : bool array ``[B]``
        Whether no value is below zero.
    """

    members: Floats
    window: Floats
    forecasts: Floats
    size: Floats
    recent: Floats
    usable: Bools
    unit: Floats
    scale: Floats
    nonnegative: Bools

    def take(self, some: slice) -> Seen:
        """Return the same of some of the windows."""
        return Seen(**{field.name: getattr(self, field.name)[some] for field in fields(self)})


def seen(values: Floats, season: int, steps: Ints) -> Seen:
    """Describe windows and the forecasts from their end.

    Parameters
    ----------
    values : float array ``[T, B]``
        Right aligned; NaN where nothing is known, at least one value known in each.
    season : int
    steps : int array ``[S]``
        Steps ahead, from 1.

    Returns
    -------
    Seen
    """
    known = ~np.isnan(values)
    unit = np.abs(np.where(known, values, 0.0)).sum(axis=0) / known.sum(axis=0)
    unit = np.where(unit > 0, unit, 1.0)
    y = values / unit
    bank = filtered(y, season)
    usable = (np.where(known, values, 1.0).min(axis=0) > 0)[:, None] | ~LOGS
    scale = _scale(y, season)
    mae, bias = _past(bank, int(steps.max()), usable)
    place = np.interp(np.log(steps), np.log(PROBES[: len(mae)]), np.arange(len(mae)))
    low = np.minimum(place.astype(int), max(len(mae) - 2, 0))
    high, share = np.minimum(low + 1, len(mae) - 1), (place - low)[:, None, None, None]
    mae, bias = (np.moveaxis(x[low] * (1 - share) + x[high] * share, 2, 0) for x in (mae, bias))  # [B, S, 2, K]
    last = slice(len(y) - 1, len(y))
    forecasts = np.stack([bank.ahead(int(k), last)[0] for k in steps], axis=1)
    forecasts = np.where(usable[:, None, :], forecasts, forecasts[:, :, :1])
    middle = np.median(forecasts, axis=2, keepdims=True)
    s = scale[:, None, None]
    size = np.sqrt(mae[:, :, 0] * mae[:, :, 1])
    parts = [
        *(np.log(mae[:, :, i] / s + 1e-3) for i in (0, 1)),
        *(np.arcsinh(bias[:, :, i] / s) for i in (0, 1)),
        *(bias[:, :, i] / (mae[:, :, i] + 1e-3 * s) for i in (0, 1)),
        np.arcsinh((forecasts - middle) / s),
        np.log((mae[:, :, 1] + 1e-3 * s) / (mae[:, :, 1].min(axis=2, keepdims=True) + 1e-3 * s)),
    ]
    members = np.clip(np.stack(parts, axis=-1), -12, 12)
    whole = _of_window(y, values, season, scale, bank.line[-1, :, 0])
    apart = _of_step(y, season, steps, scale, forecasts, mae[:, :, 1])
    window = np.concatenate([np.broadcast_to(whole[:, None], (*apart.shape[:2], whole.shape[1])), apart], axis=2)
    window = np.clip(window, -15, 15)
    return Seen(
        members, window, forecasts, size, _recent(y), usable, unit, scale, np.asarray(~(values < 0).any(axis=0))
    )


def _scale(y: Floats, season: int) -> Floats:
    """Mean distance of values one season apart, of neighbours where none are; never zero."""
    found = np.zeros(y.shape[1])
    for lag in (1, season):
        if lag < len(y):
            gap = np.abs(y[lag:] - y[:-lag])
            count = (~np.isnan(gap)).sum(axis=0)
            mean = np.nansum(gap, axis=0) / np.maximum(count, 1)
            found = np.where(count > 0, mean, found)
    spread = _mean(np.abs(y - _mean(y)))
    return 0.8 * found + 0.2 * spread + 1e-5


def _past(bank: Filtered, farthest: int, usable: Bools) -> tuple[Floats, Floats]:
    """Mean size and mean of past errors, newer ones more, ``[P, 2, B, K]`` for the probed steps ahead."""
    sizes: list[Floats] = []
    means: list[Floats] = []
    begun = np.logical_or.accumulate(~np.isnan(bank.values), axis=0)
    for k in PROBES:
        if k > 1 and (k > farthest * 1.5 or len(bank.values) <= k):
            break
        if len(bank.values) == 1:
            shape = (2, *usable.shape)
            return np.full((1, *shape), 0.1), np.zeros((1, *shape))
        error = bank.errors(k)
        known = ~np.isnan(error[:, :, 0]) & begun[: len(error)]
        error = np.where(known[:, :, None], error, 0.0)
        age = np.arange(len(error))[::-1]
        weight = np.stack([0.5 ** (age / half) for half in HALVES])[:, :, None] * known
        total = weight.sum(axis=1)[:, :, None]
        sums = [np.einsum("htb,tbk->hbk", weight, x) for x in (np.abs(error), error)]
        before = (sizes[-1], means[-1]) if sizes else (np.full(sums[0].shape, 0.1), np.zeros_like(sums[0]))
        few = total < 0.5
        got = [np.where(few, b, x / np.maximum(total, 0.5)) for b, x in zip(before, sums, strict=True)]
        sizes.append(np.minimum(np.where(usable, got[0], got[0][..., :1]), 1e4))
        means.append(np.clip(np.where(usable, got[1], got[1][..., :1]), -1e4, 1e4))
    return np.stack(sizes), np.stack(means)


def _recent(y: Floats) -> Floats:
    """Quantiles of the newest known values ``[B, R, Q]``."""
    known = ~np.isnan(y)
    rank = known[::-1].cumsum(axis=0)[::-1]
    found = []
    for n in RECENT:
        inside = np.sort(np.where(known & (rank <= n), y, np.inf), axis=0)
        count = np.isfinite(inside).sum(axis=0)
        place = np.clip(np.array(LEVELS)[:, None] * count - 0.5, 0, np.maximum(count - 1, 0))
        low = place.astype(int)
        high = np.minimum(low + 1, np.maximum(count - 1, 0))
        a, b = (np.take_along_axis(inside, x, axis=0) for x in (low, high))
        found.append((a + (place - low) * (b - a)).T)
    return np.stack(found, axis=1)


def _of_window(y: Floats, raw: Floats, season: int, scale: Floats, line: Floats) -> Floats:
    """What the window is like, whatever the step ``[B, F]``."""
    known = ~np.isnan(y)
    n = known.sum(axis=0).astype(np.float64)
    mean, last = _mean(y), _last(y)
    z = np.where(known, y - mean, 0.0)
    sd = np.sqrt((z * z).sum(axis=0) / n) + 1e-6
    z = z / sd
    pairs = known[1:] & known[:-1]
    moves = np.where(pairs, np.diff(z, axis=0), 0.0)
    values = np.where(known, raw, 0.0)
    whole = (values == np.round(values)).all(axis=0)
    low, high = np.where(known, y, np.inf).min(axis=0), np.where(known, y, -np.inf).max(axis=0)
    return np.stack([
        np.log(n), np.full(len(n), np.log(season)), np.full(len(n), float(season == 1)), np.log(n / season),
        np.log(scale), np.log(sd / scale), low >= 0, low > 0, (known & (y == 0)).sum(axis=0) / n,
        whole, whole * np.log1p(np.abs(values).sum(axis=0) / n),
        np.arcsinh((z**3).sum(axis=0) / n), np.log((z**4).sum(axis=0) / n + 0.1),
        _lagged(z, known, 1), _lagged(z, known, season), _lagged(z, known, 2 * season), _lagged(moves, pairs, 1),
        np.arcsinh((last - mean) / scale), 1 - n / (len(y) - known.argmax(axis=0)),
        np.arcsinh(line * n / scale), np.log((high - low) / scale + 0.1),
        np.log(np.abs(moves).sum(axis=0) / n * sd / scale + 1e-2),
    ], axis=1)  # fmt: skip


def _of_step(y: Floats, season: int, steps: Ints, scale: Floats, forecasts: Floats, mae: Floats) -> Floats:
    """How far the step is, and how far the filters lie apart there ``[B, S, F]``."""
    k, s = np.broadcast_to(steps.astype(np.float64), mae.shape[:2]), scale[:, None]
    middle, n = np.median(forecasts, axis=2), (~np.isnan(y)).sum(axis=0)[:, None]
    return np.stack([
        np.log(k), np.arcsinh(k / season), np.log(k / n),
        np.arcsinh((middle - _last(y)[:, None]) / s), np.arcsinh((middle - _mean(y)[:, None]) / s),
        np.log(np.abs(forecasts - middle[:, :, None]).mean(axis=2) / s + 1e-2),
        np.log(mae.min(axis=2) / s + 1e-2), np.log(np.median(mae, axis=2) / s + 1e-2),
        *_aligned(y, season, steps, s, middle),
    ], axis=2)  # fmt: skip


def _aligned(y: Floats, season: int, steps: Ints, scale: Floats, middle: Floats) -> list[Floats]:
    """Values one, two and three seasons before the step, and what changed from season to season, each ``[B, S]``.

    From the median of the filters, in units of the scale; 0 where nothing is known.
    """
    padded = np.concatenate([np.full((3 * season + 3, y.shape[1]), np.nan), y])
    newest = len(padded) - 1
    first = newest + steps - season * -(-steps // season)
    past = [padded[first - j * season].T for j in range(3)]
    means = [_known_mean(padded[newest + 1 - (j + 1) * season : newest + 1 - j * season]) for j in range(3)]
    moved = [padded[newest - j] - padded[newest - j - season] for j in range(3)]
    apart = [np.broadcast_to(x[:, None], middle.shape) for x in (means[0] - means[1], means[1] - means[2], *moved)]
    found = [np.arcsinh(np.nan_to_num((x - middle) / scale)) for x in past]
    found += [np.arcsinh(np.nan_to_num(x / scale)) for x in apart]
    told = [np.isnan(x).astype(np.float64) for x in (past[0], past[1], past[2])]
    return found + told


def _known_mean(values: Floats) -> Floats:
    """Mean of the known values of each column, NaN where there are none."""
    count = (~np.isnan(values)).sum(axis=0)
    return np.asarray(np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan))


def _mean(y: Floats) -> Floats:
    known = ~np.isnan(y)
    return np.asarray(np.where(known, y, 0.0).sum(axis=0) / known.sum(axis=0))


def _last(y: Floats) -> Floats:
    """Return the newest known value ``[B]``."""
    place = len(y) - 1 - (~np.isnan(y))[::-1].argmax(axis=0)
    return np.asarray(np.take_along_axis(y, place[None], axis=0)[0])


def _lagged(z: Floats, known: Bools, lag: int) -> Floats:
    """Correlation with the value some rows before, 0 where there is none."""
    if lag >= len(z):
        return np.zeros(z.shape[1])
    both = known[lag:] & known[:-lag]
    z = np.where(known, z, 0.0)
    size = (z * z).sum(axis=0) / np.maximum(known.sum(axis=0), 1) + 1e-9
    return np.asarray((np.where(both, z[lag:] * z[:-lag], 0.0).sum(axis=0) / np.maximum(both.sum(axis=0), 1)) / size)
