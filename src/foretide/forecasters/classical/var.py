"""Vector autoregression over all channels of an entity."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.errors import ConfigError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.choices import of_each
from foretide.forecasters.gaussian import LARGEST, naive_distribution, normal_quantiles, runs_away, say_replaced
from foretide.forecasters.replaced import Replaced
from foretide.forecasters.simple.baselines import check_count
from foretide.forecasters.simple.history import SLEEP, by_entity, last_seen, wakes
from foretide.forecasters.sizes import Sizes, SpaceEntry, near
from foretide.training.saved import arrays_of, restored

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Floats, Ints, Json


GROWTH = 2.0
"""A deviation may at most double over the horizon."""
TRUSTED = 2.0
"""Errors on rows that were left out may have at most so many times the variance of the residuals."""
NO_MODEL = "no model could be estimated for them at fit (too short, constant, or too large to compute with)"
AWAY = "its own forecast lay more than 100 times the range of the history beyond it"


@dataclass(frozen=True, eq=False)
class _Fit:
    """One entity's model, in units of its own training part.

    ``weights`` ``[1 + p * C, C]`` holds the constant, then lag 1, lag 2 ...; ``sigma`` ``[C, C]`` the residuals'
    covariance; ``location``, ``scale`` ``[C]``. A channel with scale 0 is constant in training and left out.
    ``radius`` is the largest root before any damping.
    """

    weights: Floats
    sigma: Floats
    location: Floats
    scale: Floats
    radius: Floats

    @property
    def order(self) -> int:
        return (len(self.weights) - 1) // int(self.weights.shape[1])


class VAR(Forecaster):
    """VAR(p) with a constant over the targets and past columns of each entity, by least squares.

    One model per entity; its order is given or chosen by Akaike's criterion on the training part. All cutoffs
    are forecast together. Known-future columns are not used. A missing value is replaced by the last one
    observed, before the first by the training mean; training rows with a missing value in their lags are left
    out. A model whose largest root would let a deviation more than double over the horizon is damped until it just
    doubles (lag ``j`` times ``c^j``): least squares on a series that takes off gives roots that explode.
    Intervals come from the forecast-error covariance (Gaussian, coefficients taken as known).

    A model must forecast rows that it did not learn from: where leave-one-out errors have more than twice the variance
    of the residuals, the order is halved, down to one lag, whose covariance is then that of these errors. Equal values
    at the beginning of a target, ten or more, are taken for sleep: the model learns from the first
    awake row on, and a target that wakes later than others gets a model of its own lags.

    A target that is constant in training, and an entity that is too short or unknown at fit, get the random walk
    with its intervals instead; so does a forecast more than 100 ranges of the history beyond it. Warnings say how
    many were damped or replaced, notes say which.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    order : int, optional
        Lags; by default chosen from 1 to ``max_order``.
    max_order : int
        Most lags tried; fewer where the training part is short (a third of its rows per equation).
    alias : str, optional
        Name in frames and tables.

    References
    ----------
    Luetkepohl, *New Introduction to Multiple Time Series Analysis*, sections 2.2, 3.2 and 4.3.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.VAR(h=24, order=2).fit(panel).predict(panel)
    Forecast(VAR: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    quick: ClassVar[Mapping[str, object]] = {"max_order": 3}
    has_distribution = True
    knows_ids = True
    accepts_new_ids = False
    baseline = True

    def __init__(self, h: int, order: int | None = None, max_order: int = 24, *, alias: str | None = None) -> None:
        super().__init__(h, alias=alias)
        self.order = check_count("order", order)
        if check_count("max_order", max_order) is None:
            raise ConfigError("max_order is a whole number of lags of at least 1, got None.")
        self.max_order = int(max_order)
        self._fits: dict[str, _Fit] = {}

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Most lags tried."""
        return {"max_order": near((4, 8, 12, 24, 48), 1, max(4, at.rows // 10))}

    def _fit(self, part: FitPart) -> None:
        train, self._fits = part.train, {}
        replaced: dict[str, list[str]] = {}
        width = train.n_targets + len(train.past)
        for entity, name in enumerate(train.ids):
            rows = np.array(train.rows(entity)[:, :width], dtype=np.float64)
            awake = np.array([wakes(series) for series in rows[:, : train.n_targets].T])
            late = np.flatnonzero(awake >= awake.min() + SLEEP)
            joint = rows[awake.min() :].copy()
            joint[:, late] = 0.0  # constant, and so left out
            models = {name: self._estimate(joint)}
            models |= {_key(name, train.targets[d]): self._estimate(rows[awake[d] :, [d]]) for d in late}
            self._fits |= {key: fit for key, fit in models.items() if fit is not None}
            if all(fit is None for fit in models.values()):
                replaced.setdefault("its training part is too short or constant", []).append(name)
        say_replaced(self.name, replaced, "the random walk")
        damped = [name for name, fit in self._fits.items() if fit.radius > self._limit]
        explosive = f"the largest root exceeded {self._limit:.4g} ({GROWTH:g} times in {self.h} steps)"
        say_replaced(self.name, {explosive: damped} if damped else {}, "a damped model")

    @property
    def _limit(self) -> float:
        return float(GROWTH ** (1 / self.h))

    def _estimate(self, rows: Floats) -> _Fit | None:
        seen = ~np.isnan(rows)
        if np.abs(rows[seen]).max(initial=0.0) > LARGEST:
            return None
        count = np.maximum(seen.sum(axis=0), 1)
        location = np.where(seen, rows, 0.0).sum(axis=0) / count
        scale = np.sqrt((np.where(seen, rows - location, 0.0) ** 2).sum(axis=0) / count)
        scale[scale <= 1e-12 * np.abs(location)] = 0.0
        active = scale > 0
        if not active.any():
            return None
        values = (rows[:, active] - location[active]) / scale[active]
        n = int((~np.isnan(values)).all(axis=1).sum())
        most = min(self.order or self.max_order, int((n / 3 - 1) / active.sum()), n // 3)
        if most < (self.order or 1):
            return None
        solved = _solved(values, self.order or _by_aic(values, most))
        if solved is None:
            return None
        weights, sigma = solved
        radius = _radius(weights)
        if radius > self._limit:
            width = weights.shape[1]
            lag = np.repeat(np.arange(1, (len(weights) - 1) // width + 1), width)
            weights[1:] *= ((self._limit / radius) ** lag)[:, None]
        return _Fit(weights, sigma, location, scale, np.array(radius))

    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        n, width = panel.n_targets, panel.n_targets + len(panel.past)
        mean = np.full((len(windows), self.h, n), np.nan)
        sd = np.full_like(mean, np.nan)
        replaced = Replaced(self.name, "the random walk")
        for entity, chosen in by_entity(windows):
            cutoffs, name = windows.cutoff[chosen], panel.ids[entity]
            rows = np.array(panel.rows(entity)[: cutoffs.max() + 1, :width], dtype=np.float64)
            own = {_key(name, target): (np.array([d]), rows[:, [d]]) for d, target in enumerate(panel.targets)}
            for key, (targets, read) in {name: (np.arange(n), rows), **own}.items():
                if (fit := self._fits.get(key)) is not None:
                    active = fit.scale[: len(targets)] > 0
                    found = _roll(fit, read, cutoffs, self.h, len(targets))
                    for table, part in zip((mean, sd), found, strict=True):
                        table[np.ix_(chosen, np.arange(self.h), targets[active])] = part[..., active]
            for d in range(n):
                missing = np.isnan(mean[chosen, 0, d])
                away = runs_away(mean[chosen, :, d], rows[:, d], cutoffs)
                for bad, reason in ((missing, NO_MODEL), (away, AWAY)):
                    if bad.any():
                        distribution, where = naive_distribution(rows[:, [d]], cutoffs[bad], self.h, 1), chosen[bad]
                        mean[where, :, d], sd[where, :, d] = distribution[0][..., 0], distribution[1][..., 0]
                        replaced.add(reason, panel.series_name(entity, d), where)
        return Prediction(mean, normal_quantiles(mean, sd, quantiles) if quantiles else None, notes=replaced.notes())

    def orders(self) -> dict[str, int]:
        """Number of lags in use, by entity, or ``entity, target`` of a target that woke later than the others.

        Returns
        -------
        dict
            Name -> number of lags.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> ft.VAR(h=24, order=2).fit(panel).orders()
        {'': 2}
        """
        return {name.replace("\n", ", "): fit.order for name, fit in self._fits.items()}

    def _choices(self, layout: Panel) -> pd.DataFrame:
        """The order of each entity's model, for all its series; of one that is alone, its own."""
        if self.order is not None:
            return super()._choices(layout)
        orders = [
            next((self._fits[key].order for key in (_key(name, target), name) if key in self._fits), None)
            for name in layout.ids for target in layout.targets
        ]  # fmt: skip
        return of_each(layout.series, "order", orders)

    def state(self) -> dict[str, Array]:
        """Weights, covariance, location and scale of every entity."""
        fits = enumerate(self._fits.values())
        return {f"{name}.{i}": array for i, fit in fits for name, array in arrays_of(fit).items()}

    def facts(self) -> dict[str, object]:
        """Names of the entities in the order of the state."""
        return {"entities": list(self._fits)}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take the models back."""
        self._fits = {
            name: restored(_Fit, {part.name: state[f"{part.name}.{i}"] for part in fields(_Fit)})
            for i, name in enumerate(facts["entities"])
        }


def _key(entity: str, target: str) -> str:
    return f"{entity}\n{target}"


def _solved(values: Floats, order: int) -> tuple[Floats, Floats] | None:
    """Return weights and residual covariance of the highest order, halved from ``order`` on, that can be trusted."""
    while True:
        design, answer = _regression(values, order)
        if len(design) > design.shape[1]:
            weights: Floats = np.asarray(np.linalg.lstsq(design, answer, rcond=None)[0], dtype=np.float64)
            residual = answer - design @ weights
            sigma = residual.T @ residual / (len(design) - design.shape[1])
            # What a row is missed by where it is left out: its residual over one minus its leverage.
            leverage = np.square(np.linalg.qr(design)[0]).sum(axis=1)
            alone = residual / np.maximum(1.0 - leverage, 1e-6)[:, None]
            ratio = float((np.square(alone).mean(axis=0) / np.maximum(np.diag(sigma), 1e-12)).max())
            if ratio <= TRUSTED:
                return weights, sigma
            if order == 1:
                return weights, alone.T @ alone / len(alone)
        elif order == 1:
            return None
        order //= 2


def _regression(values: Floats, order: int, skip: int | None = None) -> tuple[Floats, Floats]:
    """Return the design ``[n, 1 + order * C]`` and the answers ``[n, C]``, complete rows only.

    ``skip`` rows at the start serve as lags only (``order`` by default).
    """
    skip = order if skip is None else skip
    lags = [values[skip - j : len(values) - j] for j in range(1, order + 1)]
    design = np.concatenate([np.ones((len(values) - skip, 1)), *lags], axis=1)
    answer = values[skip:]
    complete = ~(np.isnan(design).any(axis=1) | np.isnan(answer).any(axis=1))
    return design[complete], answer[complete]


def _radius(weights: Floats) -> float:
    """Largest absolute root of the companion matrix."""
    width = weights.shape[1]
    size = len(weights) - 1
    companion = np.zeros((size, size))
    companion[:width] = weights[1:].T
    companion[width:, :-width] = np.eye(size - width)
    return float(np.abs(np.linalg.eigvals(companion)).max())


def _by_aic(values: Floats, most: int) -> int:
    """Return the order with the least Akaike criterion; all orders are judged on the same rows."""
    design, answer = _regression(values, most)
    width, rows = values.shape[1], max(len(design), 1)
    gram, cross = design.T @ design, design.T @ answer
    scores = []
    for order in range(1, most + 1):
        size = 1 + order * width
        weights = np.linalg.lstsq(gram[:size, :size], cross[:size], rcond=None)[0]
        residual = answer - design[:, :size] @ weights
        sigma = residual.T @ residual / rows + 1e-12 * np.eye(width)
        scores.append(np.linalg.slogdet(sigma)[1] + 2.0 * size * width / rows)
    return int(np.argmin(scores)) + 1


def _roll(fit: _Fit, rows: Floats, cutoffs: Ints, h: int, n_targets: int) -> tuple[Floats, Floats]:
    """Forecast from every cutoff: mean and standard deviation, each ``[n, H, D]`` (0 for inactive targets)."""
    active = np.flatnonzero(fit.scale > 0)
    location, scale = fit.location[active], fit.scale[active]
    width, order = len(active), fit.order
    known = (last_seen(rows)[:, active] - location) / scale
    known = np.where(np.isnan(known), 0.0, known)
    at = cutoffs[:, None] - np.arange(order)
    lags = np.where((at >= 0)[..., None], known[at.clip(0)], 0.0).reshape(len(cutoffs), order * width)
    mean = np.zeros((len(cutoffs), h, n_targets))
    sd = np.zeros_like(mean)
    targets = active[active < n_targets]
    t = len(targets)
    # `ripple` holds the responses to one residual, newest first, in the layout of `lags`.
    ripple = np.zeros((width, order * width))
    response, variance = np.eye(width), np.zeros(width)
    for k in range(h):
        ahead = fit.weights[0] + lags @ fit.weights[1:]
        variance = variance + np.einsum("ij,ik,kj->j", response, fit.sigma, response)
        mean[:, k, targets] = location[:t] + scale[:t] * ahead[:, :t]
        sd[:, k, targets] = scale[:t] * np.sqrt(variance[:t])
        lags = np.concatenate([ahead, lags[:, : (order - 1) * width]], axis=1)
        ripple = np.concatenate([response, ripple[:, : (order - 1) * width]], axis=1)
        response = ripple @ fit.weights[1:]
    return mean, sd
