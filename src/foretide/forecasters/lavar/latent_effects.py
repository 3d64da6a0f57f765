"""What the latent state multiplies each series by, estimated together with the level it moves around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from foretide.data.panel import Panel
from foretide.data.windows import Windows, evenly, first_rows, truth_of
from foretide.forecasters.lavar.drivers import Drivers
from foretide.forecasters.lavar.seasonal_base import SeasonalBase
from foretide.forecasters.lavar.sums import discounted
from foretide.forecasters.simple.history import by_entity
from foretide.training.saved import arrays_of, prefixed, restored, under
from foretide.typing import Array, Floats, Ints, Json

ROUNDS = 3
MAX_LOG = 1.5
"""The latent state multiplies a forecast by at most ``exp(1.5)``."""
MAX_LEADS = 5
"""Neighbouring steps of a window say nearly the same: so many, evenly spread, are looked at."""
MAX_WINDOWS = 400
"""Per entity, evenly spread."""
PERSISTENCE = 3.0
"""So many neighbouring days say as much as one independent day."""
EM_STEPS = 30
FIRST_VARIANCE = 0.01


@dataclass(frozen=True, eq=False)
class LatentEffects:
    """Log-linear effects: a row is multiplied by ``exp(weights z)``.

    Attributes
    ----------
    weights : ``[N, D, K]``
    shared : ``[D, K]``
        What a new entity begins with: the effects of all entities together.
    drivers : Drivers or None
        What z is made of; None: latent states as they are.
    doubt : ``[h, K, K]``
        Covariance of the states around those expected so many steps ahead; of no steps: none is made of it.
    """

    weights: Floats
    shared: Floats
    drivers: Drivers | None = None
    doubt: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def past(self, panel: Panel, z: Floats) -> Floats:
        """Multipliers of a panel's rows, ``[R, D]``, for latent states ``[R, K]``; entities as fitted."""
        out = np.empty((len(z), self.weights.shape[1]))
        start = 0
        for i in range(panel.n_entities):
            stop = start + int(panel.length[i])
            out[start:stop] = self._multiplier(z[start:stop], i)
            start = stop
        return out

    def ahead(self, entity: Ints, z_ahead: Floats) -> Floats:
        """Multipliers of steps ahead, ``[W, h, D]``, for latent states ``[W, h, K]``.

        What is expected of the exponential of a state in doubt is more than that of the state expected: by the
        exponential of half the variance, as of any normal number. Without that, forecasts were too low.
        """
        log = np.einsum("whk,wdk->whd", z_ahead, self.weights[entity], optimize=True)
        if len(self.doubt):
            half = np.einsum("ndk,hkl,ndl->nhd", self.weights, 0.5 * self.doubt, self.weights, optimize=True)
            log += half[entity]
        return np.asarray(np.exp(np.clip(log, -MAX_LOG, MAX_LOG)))

    def made_of(self) -> dict[str, str]:
        """What is among the effects, for the table of choices."""
        columns, states = ((), 1) if self.drivers is None else (self.drivers.columns, self.drivers.states)
        known = {"known numbers": ", ".join(columns)} if columns else {}
        return {"latent effects": "yes" if states else "no", **known}

    def arrays(self) -> dict[str, Array]:
        """Everything that is an array."""
        drivers = {} if self.drivers is None else arrays_of(self.drivers)
        return {**arrays_of(self), **prefixed("drivers.", drivers)}

    @classmethod
    def restore(cls, arrays: Mapping[str, Array], drivers: Json | None) -> LatentEffects:
        """Rebuild from :meth:`arrays` and the facts of its drivers."""
        own = None if drivers is None else Drivers.restore(under("drivers.", arrays), drivers)
        return restored(cls, arrays, {"drivers": own})

    def _multiplier(self, z: Floats, entity: int) -> Floats:
        return np.asarray(np.exp(np.clip(z @ self.weights[entity].T, -MAX_LOG, MAX_LOG)))

    def for_new(self, panel: Panel) -> LatentEffects:
        """Effects of entities that were not there at fit: those of all entities together."""
        weights = np.repeat(self.shared[None], panel.n_entities, axis=0)
        return replace(self, weights=weights, drivers=None if self.drivers is None else self.drivers.for_new(panel))

    def take(self, entities: Ints) -> LatentEffects:
        """Effects of some entities."""
        return replace(self, weights=self.weights[entities])


def fit_effects(
    base: SeasonalBase, train: Panel, windows: Windows, h: int, z: Floats, z_ahead: Floats, prior: Floats | None = None,
    *, plain: Floats | None = None, begun: LatentEffects | None = None, rounds: int = ROUNDS,
) -> tuple[SeasonalBase, LatentEffects]:  # fmt: skip
    """Alternate between levels that know the effects and effects around these levels.

    A moving level absorbs what the latent state did lately, so the forecast depends on the weights through
    ``z_ahead - mean of z over the level's memory``. That difference is the regressor of a weighted least squares step
    (Gauss–Newton on the quasi-Poisson likelihood); weights are drawn to those of all entities, and these to zero, with
    variances per latent found by expectation–maximisation over all targets.

    Parameters
    ----------
    base : SeasonalBase
        Fitted on ``train``.
    train : Panel
    windows : Windows
        Training windows.
    z : ``[R, K]``
        Latent states of the training rows.
    z_ahead : ``[W, h, K]``
        States expected ahead of each window.
    prior : ``[D, K]``, optional
        Shared weights found on other entities.
    plain : ``[W, h, D]``, optional
        What the base forecasts from all windows without effects, where that is known already.
    begun : LatentEffects, optional
        Effects of the same states to go on from, after fewer rounds or on fewer rows; recipes are then chosen anew in
        every round.
    rounds : int
        How often levels and effects are found in turn.

    Returns
    -------
    The base with recipes chosen anew, and the effects.
    """
    n, d, k = train.n_entities, train.n_targets, z.shape[1]
    stride = _stride(windows)
    windows, z_ahead = windows[::stride], z_ahead[::stride]
    start = np.zeros((d, k)) if prior is None else prior
    doubt = _doubt(train, windows, z, z_ahead)
    effects = LatentEffects(np.repeat(start[None], n, axis=0), start) if begun is None else begun
    effects = replace(effects, doubt=doubt)
    for turn in range(rounds):
        past = effects.past(train, z)
        if begun is not None or turn:
            base = base.chosen(train, h, past=past)
        if turn == 0 and begun is None and prior is None and plain is not None:
            mu = plain[::stride]
        else:
            mu = base.at(train, windows, h, past, effects.ahead(windows.entity, z_ahead), learning=True)
        gram, slope = _of_all(base, train, windows, (z, z_ahead), past, mu)
        gram, slope = stride * gram, stride * slope
        slope += np.einsum("ndkl,ndl->ndk", gram, effects.weights)
        effects = replace(_solve(gram, slope, prior), doubt=doubt)
    return base, effects


def _doubt(train: Panel, windows: Windows, z: Floats, z_ahead: Floats) -> Floats:
    """Mean square of what the states ``[R, K]`` were beside those expected ahead of each window, ``[h, K, K]``."""
    h = z_ahead.shape[1]
    rows = first_rows(train.length)[windows.entity] + windows.cutoff
    error = z[rows[:, None] + np.arange(1, h + 1)] - z_ahead
    return np.asarray(np.einsum("whk,whl->hkl", error, error, optimize=True) / max(1, len(rows)))


def _of_all(
    base: SeasonalBase, train: Panel, windows: Windows, states: tuple[Floats, Floats], past: Floats, mu: Floats
) -> tuple[Floats, Floats]:
    """Gram matrices ``[N, D, K, K]`` and slopes ``[N, D, K]`` around forecasts ``mu`` ``[W, h, D]`` of all windows."""
    z, z_ahead = states
    (_, h, d), k = mu.shape, z.shape[1]
    shift = base.shift[windows.entity][:, None, :]
    y, mu = truth_of(train, windows, h) + shift, np.maximum(mu + shift, 0.0)
    gram, slope, leads = np.zeros((train.n_entities, d, k, k)), np.zeros((train.n_entities, d, k)), evenly(h, MAX_LEADS)
    for i, chosen in by_entity(windows):
        memory = _memory(base, train, i, z, past)[windows.cutoff[chosen]]
        part = np.ix_(chosen, leads)
        gram[i], slope[i] = _normal_equations(z_ahead[part], memory, mu[part], y[part])
    return gram, slope


def _stride(windows: Windows) -> int:
    """Every how many windows one is looked at, for its neighbours too; never in step with a week."""
    entities = max(1, len(np.unique(windows.entity)))
    stride = max(1, -(-len(windows) // (MAX_WINDOWS * entities)))
    return stride + (stride % 7 == 0)


def _memory(base: SeasonalBase, train: Panel, entity: int, z: Floats, past: Floats) -> Floats:
    """Mean latent state over each series' level's memory, ``[T, D, K]``; NaN-free, zero where nothing is remembered."""
    row0, rows = int(first_rows(train.length)[entity]), int(train.length[entity])
    state = z[row0 : row0 + rows]
    seen = ~np.isnan(np.asarray(train.rows(entity)[:, : train.n_targets]))
    explained = np.where(seen, past[row0 : row0 + rows], 0.0)
    out = np.zeros((rows, train.n_targets, z.shape[1]))
    best = [base.recipes[int(p)] for p in base.picks[entity][:, 0]]
    per_step = {"profile": lambda r: r.alpha, "level": lambda r: r.alpha / r.season}
    alphas = np.array([per_step[r.kind](r) if r.kind in per_step else -1.0 for r in best])
    for alpha in np.unique(alphas[alphas >= 0]):
        columns = np.flatnonzero(alphas == alpha)
        weight = explained[:, columns]
        below = discounted(weight, float(alpha))
        above = discounted(weight[:, :, None] * state[:, None, :], float(alpha))
        out[:, columns] = above / np.maximum(below, 1e-12)[:, :, None]
    return out


def _normal_equations(z_ahead: Floats, memory: Floats, mu: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Gram matrices ``[D, K, K]`` and slopes ``[D, K]`` of the weighted least squares step."""
    leads, k = z_ahead.shape[1:]
    d = mu.shape[2]
    seen = ~np.isnan(y)
    error = np.where(seen, y - mu, 0.0)
    weight = np.where(seen, mu, 0.0)
    total = weight.sum(axis=(0, 1))
    noise = (error**2).sum(axis=(0, 1)) / np.maximum(total, 1e-12)
    usable = (total > 0) & (noise > 0)
    # Steps of one window share their noise with those of its neighbours: a day counts once, not once per lead, and
    # less than once, because what the level got wrong one day it gets wrong the next.
    share = np.where(usable, 1.0 / (np.where(usable, noise, 1.0) * leads * PERSISTENCE), 0.0)
    # With the regressors x = z - m, m the same for all leads: sums of w x x' = w z z' - (w z) m' - m (w z)' + w m m'.
    flat = z_ahead.reshape(-1, k)
    squares = (flat[:, :, None] * flat[:, None, :]).reshape(-1, k * k)
    m = memory.transpose(1, 2, 0)
    cross = m @ np.einsum("wld,wlk->dwk", weight, z_ahead, optimize=True)
    own = (m * weight.sum(axis=1).T[:, None, :]) @ m.transpose(0, 2, 1)
    gram = (weight.reshape(-1, d).T @ squares).reshape(d, k, k) - cross - cross.transpose(0, 2, 1) + own
    slope = error.reshape(-1, d).T @ flat - (m @ error.sum(axis=1).T[:, :, None])[..., 0]
    return gram * share[:, None, None], slope * share[:, None]


def _solve(gram: Floats, slope: Floats, prior: Floats | None) -> LatentEffects:
    """Two levels: weights of a target over all entities around zero (or a prior), weights of an entity around those."""
    centre = np.zeros(slope.shape[1:]) if prior is None else prior
    shared = centre if prior is not None else _empirical_bayes(gram.sum(axis=0), slope.sum(axis=0), centre)
    if len(gram) == 1 and prior is None:
        return LatentEffects(shared[None], shared)
    n, d, k = slope.shape
    wide = np.broadcast_to(shared, slope.shape).reshape(n * d, k)
    own = _empirical_bayes(gram.reshape(n * d, k, k), slope.reshape(n * d, k), wide)
    return LatentEffects(own.reshape(n, d, k), shared)


def _empirical_bayes(gram: Floats, slope: Floats, centre: Floats) -> Floats:
    """Posterior means ``[S, K]`` under normal priors around ``centre`` whose variance per latent is estimated."""
    k = slope.shape[1]
    variance = np.full(k, FIRST_VARIANCE)
    weights = centre
    for _ in range(EM_STEPS):
        spread = np.linalg.inv(gram + np.diag(1 / variance))
        weights = np.einsum("skl,sl->sk", spread, slope + centre / variance)
        variance = np.maximum(((weights - centre) ** 2 + np.einsum("skk->sk", spread)).mean(axis=0), 1e-8)
    return weights
