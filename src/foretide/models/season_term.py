"""What is known ahead: seasonal waves and known-future columns, fitted in closed form on the training part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from foretide.models.series import Part, Series, stacked
from foretide.typing import Ints, Reals

MAX_RANKED_ROWS = 20_000
MAX_RANKED_ENTITIES = 64
ROTATED = 64
"""Of so many neighbouring steps, sines and cosines are computed once and turned."""
SHARED = 2048
"""Longest stretch of steps whose waves are kept for the next series."""
AT_ONCE = 8_192
"""Rows of the season term made at once; its basis is much wider than the data."""
CYCLES_NEEDED = 3
"""A period is a candidate only when the training part holds this many of its cycles."""


def basis(steps: Ints, frequencies: Reals) -> Reals:
    """Return sines and cosines ``[n, 2K]`` of ``frequencies`` (cycles per step) at grid steps ``[n]``."""
    n = len(steps)
    if n < 4 * ROTATED or (np.diff(steps) != 1).any():
        turned = _turns(steps, frequencies)
    else:  # steps without a hole: e(a + b) = e(a) e(b), ten times as quick as a sine and a cosine for each
        turned = _turns(steps[::ROTATED], frequencies)[:, None] * _turns(np.arange(ROTATED), frequencies)
        turned = turned.reshape(turned.shape[0] * ROTATED, len(frequencies))[:n]
    return np.concatenate([turned.imag, turned.real], axis=1)


def _shared_basis(steps: Ints, frequencies: Reals) -> Reals:
    """:func:`basis`, kept from one series to the next, for many series stand on the same short stretch of steps."""
    n = len(steps)
    if not 0 < n <= SHARED or steps[-1] - steps[0] != n - 1 or (np.diff(steps) != 1).any():
        return basis(steps, frequencies)
    return _of_stretch(int(steps[0]), n, np.asarray(frequencies, dtype=np.float64).tobytes())


@lru_cache(maxsize=4)
def _of_stretch(first: int, n: int, frequencies: bytes) -> Reals:
    return basis(np.arange(first, first + n), np.frombuffer(frequencies))


def _turns(steps: Ints, frequencies: Reals) -> NDArray[np.complex128]:
    """Return the points ``[n, K]`` of the unit circle at which waves stand at some steps."""
    phase = 2.0 * np.pi * np.mod(steps[:, None] * frequencies[None, :], 1.0)
    return np.asarray(np.cos(phase) + 1j * np.sin(phase))


def candidate_periods(seasons: Sequence[float], n_steps: int) -> tuple[float, ...]:
    """Return the seasons, and twice the longest, that the training part holds often enough to fit.

    Parameters
    ----------
    seasons : sequence of float
        In steps.
    n_steps : int
        Length of the training part.

    Returns
    -------
    tuple of float

    Examples
    --------
    >>> from foretide.models.season_term import candidate_periods
    >>> candidate_periods((7, 30), 100)
    (7, 30)
    """
    known = [s for s in seasons if s > 1]
    longer = [2 * max(known)] if known else []
    return tuple(p for p in [*known, *longer] if CYCLES_NEEDED * p <= n_steps)


def candidate_frequencies(periods: Sequence[float]) -> Reals:
    """Return all harmonics of ``periods`` up to half a cycle per step, each once, ``[n]``."""
    found = {round(j / p, 12) for p in periods for j in range(1, int(p // 2) + 1)}
    return np.array(sorted(found))


def trend(steps: Ints, longest: float) -> Reals:
    """Return a constant, a line and hinges every two longest periods, ``[n, 2 + knots]``.

    It keeps a drifting level out of the waves' coefficients and is not part of the term itself.
    """
    span = max(float(steps[-1] - steps[0]), 1.0)
    n_knots = int(min(20, span // max(2.0 * longest, 1.0)))
    position = (steps - steps[0]) / span
    knots = np.arange(1, n_knots + 1) / (n_knots + 1)
    hinges = np.clip(position[:, None] - knots[None, :], 0.0, None)
    return np.concatenate([np.ones((len(steps), 1)), position[:, None], hinges], axis=1)


def rank_frequencies(series: Sequence[tuple[Ints, Reals]], frequencies: Reals, longest: float) -> Reals:
    """Order candidate frequencies by their energy in the training part, largest first.

    Parameters
    ----------
    series : sequence of (steps ``[T_i]``, targets ``[T_i, D]``)
        A spread of at most :data:`MAX_RANKED_ENTITIES` of them is looked at, the newest rows of each.
    frequencies : ``[n]``
        Cycles per step.

    Notes
    -----
    Energy is the periodogram under a Hann taper after removing :func:`trend`, summed over series; the taper
    keeps a strong daily wave from leaking into its weak neighbours.
    """
    chosen = series[:: max(1, -(-len(series) // MAX_RANKED_ENTITIES))]
    energy = np.zeros(len(frequencies))
    for steps, values in chosen:
        steps, values = steps[-MAX_RANKED_ROWS:], values[-MAX_RANKED_ROWS:]
        if len(steps) < 4:
            continue
        drift = trend(steps, longest)
        left = values - drift @ np.linalg.lstsq(drift, values, rcond=None)[0]
        tapered = left * np.hanning(len(steps))[:, None]
        for start in range(0, len(frequencies), 64):
            part = frequencies[start : start + 64]
            waves = basis(steps, part)
            power = ((waves.T @ tapered) ** 2).sum(axis=1)
            energy[start : start + 64] += (power[: len(part)] + power[len(part) :]) / len(steps)
    return frequencies[np.argsort(-energy, kind="stable")]


@dataclass(frozen=True, eq=False)
class SeasonTerm:
    """A regression on waves and known-future columns, one set of coefficients per entity and channel.

    Attributes
    ----------
    frequencies : ``[K]``
        Cycles per step.
    waves : ``[N, 2K, C]``
        Coefficients of the sines, then of the cosines.
    known : ``[G, C]``
        Coefficients of the known-future columns, shared by all entities; no rows when they are not used.
    """

    frequencies: Reals
    waves: Reals
    known: Reals

    def at(self, entity: int | slice, steps: Ints, known: Reals | None = None) -> Reals:
        """Return the term at grid steps ``[n]`` (and known-future values ``[n, G]``), ``[n, C]``.

        Of several entities ``[N, n, C]``; known-future values may then be ``[N, n, G]``.
        """
        out = _shared_basis(steps, self.frequencies) @ self.waves[entity]
        if known is not None and len(self.known):
            out = out + known @ self.known
        return np.asarray(out)

    def taken_off(self, series: Series, low: int, high: int) -> Reals:
        """Rows ``low .. high - 1`` of a store less the term, ``[high - low, C]``."""
        left = series.values[low:high].astype(np.float64)
        place = 0
        for entities, first, stop in series.runs(low, high, AT_ONCE):
            for begin in range(first, stop, AT_ONCE):
                end, number = min(begin + AT_ONCE, stop), entities.stop - entities.start
                own = left[place : place + number * (end - begin)].reshape(number, end - begin, left.shape[1])
                steps = series.first[entities.start] + np.arange(begin, end)
                own -= self.at(entities, steps, series.known_of(entities, begin, end))
                place += number * (end - begin)
        return left


def fit_season_term(
    series: Sequence[Part],
    frequencies: Reals,
    longest: float,
    *,
    use_known: bool,
    beside: Reals | None = None,
    penalty: float = 1e-3,
    known_penalty: float | None = None,
) -> SeasonTerm:
    """Fit waves (per entity) and known-future columns (shared) by penalised least squares.

    Parameters
    ----------
    series : sequence of (steps ``[T_i]``, channels ``[T_i, C]``, known ``[T_i, G]`` or None)
        The training part, scaled, without missing values.
    beside : ``[J]``, optional
        Cycles per step of further waves that the known columns are told apart from, and that the term leaves out.
    penalty : float
        Ridge penalty per row on the waves and known columns; the trend is free.
    known_penalty : float, optional
        That of the known columns, where it is another one.

    Notes
    -----
    Known-future coefficients are fitted on what trend and waves leave of both sides
    (Frisch–Waugh–Lovell), pooled over entities.
    """
    n_waves, n_channels = 2 * len(frequencies), series[0][1].shape[1]
    n_known = series[0][2].shape[1] if use_known and series[0][2] is not None else 0
    gram, cross = np.zeros((n_known, n_known)), np.zeros((n_known, n_channels))
    projections: dict[tuple[int, int], tuple[Reals, Reals]] = {}
    rows_seen = 0
    apart = frequencies if beside is None else np.concatenate([frequencies, beside])
    for steps, values, known in _alike(series):
        rows_seen += len(values) * len(steps)
        if n_known and known is not None and len(steps):
            design, inverse = _projection(projections, steps, apart, longest, penalty)
            known = np.broadcast_to(known, (len(values), *known.shape[-2:]))
            both = np.concatenate([known, values], axis=2).astype(np.float64)
            both -= design @ (inverse @ (design.T @ both))
            left_x, left_y = both[:, :, :n_known], both[:, :, n_known:]
            for own_gram, own_cross in zip(left_x.swapaxes(1, 2) @ left_x, left_x.swapaxes(1, 2) @ left_y, strict=True):
                gram += own_gram
                cross += own_cross
    shrink = (penalty if known_penalty is None else known_penalty) * max(rows_seen, 1)
    gamma = np.linalg.solve(gram + shrink * np.eye(n_known), cross) if n_known else cross
    projections = projections if beside is None else {}
    waves = np.zeros((len(series), n_waves, n_channels))
    place = 0
    for steps, values, known in _alike(series) if n_waves else ():
        if len(steps) > 3:
            design, inverse = _projection(projections, steps, frequencies, longest, penalty)
            rest = values - known @ gamma if n_known and known is not None else values
            waves[place : place + len(values)] = (inverse @ (design.T @ rest))[:, -n_waves:]
        place += len(values)
    return SeasonTerm(np.asarray(frequencies, dtype=np.float64), waves, gamma)


def _alike(series: Iterable[Part]) -> Iterator[Part]:
    """Put neighbours that stand on the same steps together: values ``[N, n, C]``, known columns as :func:`stacked`."""
    run: list[Part] = []
    for part in series:
        steps = part[0]
        alike = run and len(steps) and len(run[0][0]) == len(steps) and run[0][0][0] == steps[0]
        if run and (not alike or (len(run) + 1) * len(steps) > AT_ONCE):
            yield _joined(run)
            run = []
        run.append(part)
    if run:
        yield _joined(run)


def _joined(run: Sequence[Part]) -> Part:
    return run[0][0], np.stack([values for _, values, _ in run]), stacked([known for *_, known in run])


def _projection(
    cache: dict[tuple[int, int], tuple[Reals, Reals]],
    steps: Ints,
    frequencies: Reals,
    longest: float,
    penalty: float,
) -> tuple[Reals, Reals]:
    """Design ``[T, P]`` and its penalised inverse Gram matrix ``[P, P]``; entities that share a span share both."""
    key = (int(steps[0]), len(steps))
    if key not in cache:
        drift = trend(steps, longest)
        design = np.concatenate([drift, basis(steps, frequencies)], axis=1)
        weight = np.full(design.shape[1], penalty * len(steps))
        weight[: drift.shape[1]] = 1e-9 * len(steps)
        if len(cache) >= 4:
            cache.clear()
        cache[key] = (design, np.linalg.inv(design.T @ design + np.diag(weight)))
    return cache[key]
