"""Guardrails on forecasts: what cannot be is put right, and every time is counted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from foretide.data.panel import Panel
from foretide.data.windows import Windows
from foretide.forecasters.simple.history import by_entity, last_seen
from foretide.typing import Bools, Floats, Ints

KINDS = ("non_finite", "below_zero", "bounded", "gated", "rounded")


@dataclass(frozen=True, eq=False)
class Guard:
    """What forecasts are held to.

    Attributes
    ----------
    upper : ``[N, D]``
        Largest forecast of each series; infinite where there is no bound.
    nonnegative : bool ``[N, D]``
        Series that never were below zero.
    gate : int or None
        Steps of silence after which a series is forecast as zero.
    whole : bool
        Whether point forecasts are whole numbers.
    factor : float
        What the largest value of a series that was not there at fit is multiplied by for its bound; 0: no bound.
    """

    upper: Floats
    nonnegative: Bools
    gate: int | None = None
    whole: bool = False
    factor: float = 0.0

    @classmethod
    def fit(cls, train: Panel, quantile: float, factor: float, gate: int | None, whole: bool) -> Guard:
        """Learn bounds from a training part: a high quantile times a factor (0: no bound)."""
        upper = np.full((train.n_entities, train.n_targets), np.inf)
        nonnegative = np.ones(upper.shape, dtype=bool)
        for i in range(train.n_entities):
            y = np.asarray(train.rows(i)[: train.observed[i], : train.n_targets], dtype=np.float64)
            nonnegative[i] = ~(y < 0).any(axis=0)
            for d in range(train.n_targets):
                seen = y[~np.isnan(y[:, d]), d]
                # The bound of a mostly silent series is one of what it does when it is not silent.
                loud = seen[seen > 0]
                if factor and len(loud) and nonnegative[i, d]:
                    upper[i, d] = factor * np.quantile(loud, quantile)
        return cls(upper, nonnegative, gate, whole, factor)

    def for_new(self, panel: Panel) -> Guard:
        """Return the guard of entities that were not there at fit, from their own rows.

        One that has not been below zero may go there where most fitted entities have been.
        """
        own = Guard.fit(panel, 1.0, self.factor, self.gate, self.whole)
        usual = self.nonnegative.mean(axis=0) > 0.5
        return replace(own, nonnegative=own.nonnegative & usual)

    def apply(
        self, panel: Panel, windows: Windows, where: Ints, mean: Floats, quantiles: Floats | None
    ) -> tuple[Floats, Floats | None, dict[str, int]]:
        """Return forecasts ``[W, H, D]`` and quantiles put right, and how many points each kind of intervention took.

        Parameters
        ----------
        where : int ``[W]``
            Each window's entity among the fitted ones.
        """
        counts = dict.fromkeys(KINDS, 0)
        mean = np.array(mean, dtype=np.float64)
        last, silent = self._recent(panel, windows)
        broken = ~np.isfinite(mean)
        counts["non_finite"] = int(broken.sum())
        mean = np.where(broken, last[:, None, :], mean)
        below = self.nonnegative[where][:, None, :] & (mean < 0)
        counts["below_zero"] = int(below.sum())
        mean = np.where(below, 0.0, mean)
        upper = self.upper[where][:, None, :]
        above = mean > upper
        counts["bounded"] = int(above.sum())
        mean = np.where(above, upper, mean)
        if self.gate is not None:
            gated = np.broadcast_to((silent >= self.gate)[:, None, :], mean.shape)
            counts["gated"] = int((gated & (mean != 0)).sum())
            mean = np.where(gated, 0.0, mean)
            if quantiles is not None:
                quantiles = np.where(gated[..., None], 0.0, quantiles)
        if self.whole:
            counts["rounded"] = int((mean != np.round(mean)).sum())
            mean = np.round(mean)
        if quantiles is not None:
            quantiles = np.where(broken[..., None], mean[..., None], quantiles)
            low = np.where(self.nonnegative[where][:, None, :, None], 0.0, -np.inf)
            quantiles = np.maximum(quantiles, low)
        return mean, quantiles, counts

    def _recent(self, panel: Panel, windows: Windows) -> tuple[Floats, Floats]:
        """Last observed values and steps since the last value that was not zero, ``[W, D]`` each."""
        last = np.zeros((len(windows), panel.n_targets))
        silent = np.zeros_like(last)
        for entity, chosen in by_entity(windows):
            cutoff = windows.cutoff[chosen]
            y = np.array(panel.rows(entity)[: int(cutoff.max()) + 1, : panel.n_targets], dtype=np.float64)
            last[chosen] = np.nan_to_num(last_seen(y))[cutoff]
            loud = np.where(np.nan_to_num(y) != 0, np.arange(len(y))[:, None], -1)
            silent[chosen] = cutoff[:, None] - np.maximum.accumulate(loud, axis=0)[cutoff]
        return last, silent
