"""Predictive distributions of several models beside the truth they are judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from foretide.evaluation.metrics.quantiles import Quantiles, distribution_metric, interval_metrics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Distributions:
    """Predictive distributions beside the truth they are judged on.

    Attributes
    ----------
    truth : float array ``[N, H, D]``
        NaN where a point does not count, or where some distribution is not whole.
    quantiles : dict
        Model -> :class:`Quantiles` ``[N, H, D, Q]``, for the models that have a distribution.
    levels : tuple of float
        Central levels in percent that are reported.
    grid : tuple of float
        Levels that CRPS is computed from, the same for all; empty where no grid is dense enough.
    columns : tuple of float
        Quantiles that were asked for by themselves; each is a column of frames.
    """

    truth: Floats
    quantiles: dict[str, Quantiles]
    levels: tuple[float, ...] = ()
    grid: tuple[float, ...] = ()
    columns: tuple[float, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the measures that at least one distribution can be judged by."""
        names = ("wql", "crps", *interval_metrics(self.levels))
        return tuple(name for name in names if any(self.known(name, model) for model in self.quantiles))

    def known(self, metric: str, model: str) -> bool:
        """Whether the quantiles of a model suffice for a measure."""
        distribution, found = self.quantiles.get(model), distribution_metric(metric)
        if metric == "crps":
            return distribution is not None and bool(self.grid) and distribution.holds(self.grid)
        return found is not None and found.known_of(distribution)

    def points(self, metric: str, model: str) -> Floats:
        """Return the figure of each point, ``[N, H, D]``."""
        found, distribution = distribution_metric(metric), self.quantiles[model]
        assert found is not None
        if metric == "crps":
            distribution = Quantiles(self.grid, distribution.at(self.grid))
        return found.point(self.truth, distribution)
