"""Predictive distributions of several models beside the truth they are judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from foretide.evaluation.metrics.quantiles import Quantiles

if TYPE_CHECKING:
    from foretide.evaluation.metrics.metric import Metric
    from foretide.typing import Floats


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

    def suffice(self, model: str, metric: Metric) -> bool:
        """Whether a model has the quantiles that a metric needs.

        Parameters
        ----------
        model : str
        metric : Metric

        Returns
        -------
        bool
        """
        quantiles = self.quantiles.get(model)
        if metric.shared_grid:
            return quantiles is not None and bool(self.grid) and quantiles.holds(self.grid)
        return metric.judges(quantiles)

    def judged(self, model: str, metric: Metric, windows: slice = slice(None)) -> Quantiles | None:
        """Return the quantiles of a model that a metric judges.

        Parameters
        ----------
        model : str
        metric : Metric
        windows : slice

        Returns
        -------
        Quantiles or None
            On the grid that all share, where the metric wants it.
        """
        if model not in self.quantiles:
            return None
        quantiles = self.quantiles[model].part(windows)
        return quantiles if not metric.shared_grid else Quantiles(self.grid, quantiles.at(self.grid))
