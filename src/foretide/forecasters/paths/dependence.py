"""How the errors of one forecast hang together: over its steps, and over the series of one cutoff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.windows import places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.forecasters.paths.errors import PastErrors
    from foretide.typing import Floats, Ints

FEW = 1.0
"""That errors are independent is believed as much as what so many independent windows say."""
LITTLE = 0.05
"""So much of one independent window says nothing."""
ROUGH = 50.0
"""That the correlation depends on the distance of two steps alone is believed as much as so many windows."""
SHARED = 10.0
"""That what series share lasts as long as the rest is believed as much as so many windows."""
SINGLE, FACTORS = 200, 8
"""Up to so many series have correlations of their own, held by so many factors; of more the mean one is taken."""
OVERLAP = 3.0
"""Overlapping windows of a series say at most so many times as much as those among them that do not overlap."""
LEAST = 0.01
"""No combination of steps has less of the variance."""
MOST_SHARED = 0.95
"""No series shares more of its variance."""


@dataclass(frozen=True, eq=False)
class Dependence:
    """Correlations of the normal scores behind every step of every series.

    A score is ``sum_k loading_k common_k + sqrt(1 - sum_k loading_k^2) own``; the common parts are one for all series
    of a cutoff. Of what is a series' own a part, its strength, is correlated over the steps, the rest is not: a count
    that is small is mostly chance anew each day, where a large one shows a level that stays.

    Attributes
    ----------
    ids : tuple of str
        Entities, ``N``.
    own, common : float arrays ``[H, H]``
        Correlations over the steps of what a series has for itself, and of what series share.
    loadings : float array ``[N + 1, D, K]``
        The last row for entities that were not known at fit.
    strength : float array ``[N + 1, D]``
        Between 0 and 1.
    windows : float
        How many independent windows, all series together, this is learned from.
    """

    axes: ClassVar[Mapping[str, str]] = {
        "ids": "N", "own": "H H", "common": "H H", "loadings": "N+1 D K", "strength": "N+1 D",
    }  # fmt: skip

    ids: tuple[str, ...]
    own: Floats
    common: Floats
    loadings: Floats
    strength: Floats
    windows: float = 0.0

    @classmethod
    def none(cls, ids: tuple[str, ...], h: int, d: int) -> Dependence:
        """Return that of independent steps and series."""
        return cls(ids, np.eye(h), np.eye(h), np.zeros((len(ids) + 1, d, 1)), np.ones((len(ids) + 1, d)))

    @classmethod
    def fit(cls, past: PastErrors, ids: tuple[str, ...]) -> Dependence:
        """Estimate it from past errors; drawn towards independence where they are few."""
        h, d = past.error.shape[1:]
        origins, at = np.unique(past.step, return_inverse=True)
        size = np.bincount(past.entity, (past.weight > 0).sum(axis=(1, 2)).astype(np.float64), len(ids))
        if size.sum() < LITTLE * h * d:
            return cls.none(ids, h, d)
        same, cross = _moments(past, at, len(origins))
        if not (np.diag(same[1]) > 0).any():
            return cls.none(ids, h, d)
        scale = _scale(past)
        times = len(np.unique(origins[:, None] + np.arange(1, h + 1)))
        series = d * size.sum() ** 2 / np.maximum((size**2).sum(), 1e-300)
        # ---- over steps, first without regard to what series share
        together = _solved(*same, scale)
        shared = _shared(cross, scale)
        moments = times / _persistence(together, times / h)
        common = _solved(*cross, scale) / max(shared, 1e-9)
        seen = min(moments, times / _persistence(common, times / h))
        shared *= seen / (seen + FEW)
        windows = times / h * series / (1 + (series - 1) * shared**2)
        total = _drawn(_smooth(together, same[1], windows), np.eye(h), windows / (windows + FEW))
        if series <= 1 or len(ids) * d == 1:
            return cls(ids, total, total, np.zeros((len(ids) + 1, d, 1)), np.ones((len(ids) + 1, d)), windows)
        # ---- what series share, and what is left
        loadings = _loadings(past, at, len(ids), scale, shared, moments)
        part = float(np.square(loadings[:-1]).sum(axis=-1).mean())
        if not shared:
            common = total
        else:
            share = times / h / (times / h + SHARED) * shared**2 / (shared**2 + 1 / (series**2 * times / h))
            common = _drawn(_smooth(common, cross[1], times / h), total, share)
        own = _drawn((total - part * common) / (1 - part), total, 1.0)
        looks = min(OVERLAP * times / h, len(origins))
        own, strength = _strengths(past, len(ids), scale, total, own, np.square(loadings).sum(axis=-1), looks)
        return cls(ids, own, common, loadings, strength, windows)

    def scores(
        self, names: Sequence[str], shared: Sequence[np.random.Generator], own: Sequence[np.random.Generator], n: int
    ) -> Floats:
        """Draw scores ``[W, H, D, n]`` for named entities, each with generators of the shared parts and of its own."""
        rows = places(names, self.ids)  # -1, the last row, where a name is not known
        loadings, strength = self.loadings[rows], np.sqrt(self.strength[rows])[..., None, None]
        h, (d, k) = len(self.own), self.loadings.shape[1:]
        roots = np.linalg.cholesky(self.own), np.linalg.cholesky(self.common)
        rest = np.sqrt(1 - np.square(loadings).sum(axis=-1))
        out = np.empty((len(names), h, d, n))
        drawn: dict[int, Floats] = {}
        for w, (mine, ours) in enumerate(zip(own, shared, strict=True)):
            alone = roots[0] @ mine.standard_normal((d, h, n))
            if (strength[w] < 1).any():
                alone = strength[w] * alone + np.sqrt(1 - strength[w] ** 2) * mine.standard_normal((d, h, n))
            out[w] = np.swapaxes(alone, 0, 1) * rest[w][:, None]
            if np.any(loadings[w]):
                if id(ours) not in drawn:
                    drawn[id(ours)] = np.swapaxes(roots[1] @ ours.standard_normal((k, h, n)), 0, 1)
                out[w] += loadings[w] @ drawn[id(ours)]
        return out


# -------------------------------------------------------------------- moments
def _moments(past: PastErrors, at: Ints, origins: int) -> tuple[tuple[Floats, Floats, Floats], ...]:
    """Return products of errors and coefficients ``[H, H]``: within series, and between those of one origin."""
    h = past.error.shape[1]
    same, cross = [], []
    for values in (past.error, past.first, past.second):
        flat = np.swapaxes(values, 1, 2).reshape(-1, h)
        total = np.zeros((origins, h))
        np.add.at(total, at, values.sum(axis=2))
        same.append(flat.T @ flat)
        cross.append(total.T @ total - same[-1])
    return (same[0], same[1], same[2]), (cross[0], cross[1], cross[2])


def _scale(past: PastErrors) -> Floats:
    """Return by how much errors vary more than they should, ``[H]``; 1 where nothing is known."""
    expected = past.variance.sum(axis=(0, 2))
    found = np.square(past.error).sum(axis=(0, 2))
    return np.where((expected > 0) & (found > 0), found / np.where(expected > 0, expected, 1.0), 1.0)


def _root(product: Floats, first: Floats, second: Floats) -> Floats:
    """Solve ``first c + second c^2 = product`` for ``c`` near ``product / first``; 0 where nothing is known."""
    known = first > 1e-12
    first = np.where(known, first, 1.0)
    inside = np.maximum(first**2 + 4 * second * product, 0.0)
    return np.where(known, np.clip(2 * product / (first + np.sqrt(inside)), -1, 1), 0.0)


def _solved(product: Floats, first: Floats, second: Floats, scale: Floats) -> Floats:
    """Return the correlations ``[H, H]`` that explain products of errors."""
    return _root(product / np.sqrt(scale[:, None] * scale), first, second)


def _shared(cross: tuple[Floats, Floats, Floats], scale: Floats) -> float:
    """Return the mean correlation between two series at one step, at least 0."""
    product, first, second = (np.diag(one) for one in cross)
    found = _root(*(np.asarray(one.sum()) for one in (product / scale, first, second)))
    return float(np.clip(found, 0.0, MOST_SHARED))


# -------------------------------------------------------------------- correlations
def _smooth(raw: Floats, weight: Floats, windows: float) -> Floats:
    """Draw correlations ``[H, H]`` towards their means over pairs of steps that are as far apart."""
    h = len(raw)
    lag = np.abs(np.arange(h)[:, None] - np.arange(h))
    weight = np.maximum(weight, 0.0)
    total = np.bincount(lag.ravel(), weight.ravel(), h)
    mean = np.bincount(lag.ravel(), (weight * raw).ravel(), h) / np.where(total > 0, total, 1.0)
    return _drawn(raw, mean[lag], windows / (windows + ROUGH))


def _drawn(found: Floats, usual: Floats, share: float) -> Floats:
    """Return a correlation matrix between two matrices, ``share`` of the way from the usual one."""
    return _correlation(share * found + (1 - share) * usual)


def _persistence(found: Floats, windows: float) -> float:
    """Return how many neighbouring steps say the same; what few windows may show by chance does not count."""
    found = np.clip(found, -1, 1) * (np.abs(found) > 1 / np.sqrt(windows))
    np.fill_diagonal(found, 1.0)
    return float(np.square(found).sum()) / len(found)


def _correlation(matrix: Floats) -> Floats:
    """Return the correlation matrix next to a symmetric one."""
    made = (matrix + matrix.T) / 2
    np.fill_diagonal(made, 1.0)
    values, vectors = np.linalg.eigh(made)
    made = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    size = np.sqrt(np.diag(made))
    return np.asarray(made / (size[:, None] * size))


def _strengths(
    past: PastErrors, n: int, scale: Floats, total: Floats, own: Floats, shared: Floats, looks: float
) -> tuple[Floats, Floats]:
    """Return the correlations of the strongest series, and how much of them each has, ``[n + 1, D]``.

    How strong a series is beside the mean one (correlations ``total``) is found from its own errors, and drawn towards
    the mean one by how unsure that is.
    """
    h, d = past.error.shape[1:]
    apart = total - np.eye(h)
    sums = np.zeros((4, n, d))
    for k, (values, matrix) in enumerate((
        (past.error / np.sqrt(scale)[:, None], apart), (past.first, apart * apart), (past.second, apart**3),
    )):  # fmt: skip
        products = np.einsum("whd,hg,wgd->wd", values, matrix, values, optimize=True)
        np.add.at(sums[k], past.entity, products)
    np.add.at(sums[3], past.entity, (past.weight > 0).any(axis=1).astype(np.float64))
    product, first, second, count = sums
    signal, spread = np.zeros((n, d)), np.zeros((n, d))
    np.add.at(signal, past.entity, np.square(past.first).sum(axis=1))
    np.add.at(spread, past.entity, past.variance.sum(axis=1))
    expected = np.where(first + second > 1e-12, first + second, np.inf)
    found = product / expected
    clear = np.where(spread > 0, signal / np.where(spread > 0, spread, 1.0), 0.0)
    seen = looks * count / max(float(count.max()), 1.0) * clear**2
    size = float(np.square(apart).sum())
    doubt = 2 * float(np.trace(apart @ total @ apart @ total)) / max(size, 1e-12) ** 2
    noise = np.where((seen > 0) & np.isfinite(expected), doubt / np.where(seen > 0, seen, 1.0), np.inf)
    weight = 1 / np.maximum(noise, 1e-12)
    gap = np.where(np.isfinite(noise), np.square(found - 1) - noise, 0.0)
    varied = max(float((weight * gap).sum() / max(weight.sum(), 1e-12)), 0.0)
    found = 1 + varied / (varied + noise) * (found - 1)
    found = np.concatenate([found, found.mean(axis=0, keepdims=True)])
    found = np.maximum((found - shared) / (1 - shared), 0.0)
    most = (1 - LEAST) / max(1 - float(np.linalg.eigvalsh(own)[0]), LEAST)
    most = float(np.clip(found.max(), 1e-6, max(most, 1.0)))
    return np.eye(h) + most * (own - np.eye(h)), np.minimum(found / most, 1.0)


def _loadings(past: PastErrors, at: Ints, n: int, scale: Floats, shared: float, moments: float) -> Floats:
    """Return loadings ``[n + 1, D, K]`` on what series share."""
    d = past.error.shape[2]
    if n * d > SINGLE:
        return np.full((n + 1, d, 1), np.sqrt(shared))
    origins = int(at.max()) + 1
    product, first, second = (
        _between(values / (np.sqrt(scale)[:, None] if k == 0 else 1.0), past.entity, at, origins, n)
        for k, values in enumerate((past.error, past.first, past.second))
    )
    found = _root(product, first, second)
    pairs = _between((past.weight > 0).astype(np.float64), past.entity, at, origins, n)
    noise = _between(past.variance, past.entity, at, origins, n) / np.maximum(first, 1e-12) ** 2
    # Neighbouring windows hold the same steps: so few of the pairs say something new.
    noise = np.where((first > 1e-12) & (pairs > 0), noise * pairs / moments, np.inf)
    apart = ~np.eye(n * d, dtype=bool) & np.isfinite(noise)
    gap = np.square(found - shared)[apart] - noise[apart]
    weight = 1 / noise[apart]
    spread = max(float((gap * weight).sum() / weight.sum()), 0.0) if apart.any() else 0.0
    share = np.where(apart, spread / (spread + np.where(apart, noise, 1.0)), 0.0)
    made = _factors(share * found + (1 - share) * shared).reshape(n, d, -1)
    return np.concatenate([made, made.mean(axis=0, keepdims=True)])


def _between(values: Floats, entity: Ints, at: Ints, origins: int, n: int) -> Floats:
    """Return products between all series, ``[n D, n D]``, of what happened at one step of one origin."""
    h, d = values.shape[1:]
    table = np.zeros((origins, h, n, d))
    table[at, :, entity] = values
    flat = table.reshape(origins * h, n * d)
    return flat.T @ flat


def _factors(wanted: Floats) -> Floats:
    """Return loadings ``[S, K]`` whose products are about the correlations off the diagonal (principal factors)."""
    off = wanted - np.diag(np.diag(wanted))
    inside = np.abs(off).max(axis=1)
    loadings = np.zeros((len(off), 1))
    for _ in range(10):
        values, vectors = np.linalg.eigh(off + np.diag(inside))
        top = slice(max(0, len(off) - FACTORS), None)
        loadings = vectors[:, top] * np.sqrt(np.maximum(values[top], 0.0))
        inside = np.minimum(np.square(loadings).sum(axis=1), MOST_SHARED)
    loadings = loadings[:, np.square(loadings).sum(axis=0) > 1e-6 * len(off)]
    loadings = loadings if loadings.shape[1] else np.zeros((len(off), 1))
    size = np.square(loadings).sum(axis=1)
    return np.asarray(loadings * np.sqrt(np.minimum(1.0, MOST_SHARED / np.maximum(size, 1e-300)))[:, None])
