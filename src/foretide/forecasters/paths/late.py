"""How errors hang together, learned once it is asked for: a backtest that draws no paths need not know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from foretide.forecasters.paths.dependence import Dependence
from foretide.forecasters.paths.errors import LEVELS, past_errors, to_horizon, without_season

if TYPE_CHECKING:
    from foretide.forecasters.intervals.distribution import ErrorDistribution, Errors


@dataclass(frozen=True, eq=False)
class LateDependence:
    """The past errors that say how they hang together.

    Attributes
    ----------
    past : Errors
        Windows enough to learn from.
    distribution : ErrorDistribution
        What was learned of the size of errors.
    h, season : int
    """

    past: Errors
    distribution: ErrorDistribution
    h: int
    season: int

    @cached_property
    def learned(self) -> Dependence:
        """What they say; found once."""
        ids, past = self.distribution.ids, self.past
        if not len(past.step):
            return Dependence.none(ids, self.h, past.mean.shape[2])
        quantiles = self.distribution.quantiles(past.mean, [ids[i] for i in past.entity], past.step, LEVELS)
        found = past_errors(to_horizon(quantiles, self.h), to_horizon(past.truth, self.h), past.entity, past.step)
        return Dependence.fit(without_season(found, self.season), ids)
