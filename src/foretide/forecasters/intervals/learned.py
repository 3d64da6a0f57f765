"""The predictive distribution that every model has by default: its own, or that of its past errors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.time.seasons import main_season
from foretide.errors import ForetideError
from foretide.forecasters.intervals.distribution import ErrorDistribution, kinds_of, suited
from foretide.forecasters.intervals.past import PastForecasts, past_forecasts
from foretide.forecasters.part import kept_history
from foretide.training.saved import arrays_of, facts_of, restored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.answer import Prediction, Quantiles
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.part import FitPart
    from foretide.typing import Array, Json

FEWEST = 5
"""Of fewer held-back origins, all series together, errors inside the fit say more."""
BORROWED = "the intervals are those of a simple stand-in around the forecast: {}"
INSIDE = "the intervals come from errors on steps it was fitted on and may be too narrow: {}"
BEYOND = "the intervals of later steps are as wide as the last ones known: {}"
UNSAVED = BORROWED.format("it was saved by a foretide that kept no past errors")


@dataclass(frozen=True, eq=False)
class Intervals:
    """What past errors say of the targets that a model has no distribution of.

    Attributes
    ----------
    errors : ErrorDistribution or None
        None where no past forecast could be compared with the truth: the spread is that of the stand-in then.
    note : str
        What is to be known of them; empty where all is well.
    """

    errors: ErrorDistribution | None = None
    note: str = ""

    @classmethod
    def learn(cls, model: Forecaster, part: FitPart) -> tuple[Intervals, PastForecasts | None]:
        """Let a fitted model forecast the end of its part from inside it.

        Parameters
        ----------
        model : Forecaster
        part : FitPart
            What it was fitted on.

        Returns
        -------
        Intervals
        PastForecasts or None
            What they come from.
        """
        # In an array of its own: what comes after the part is then not even behind it.
        part = replace(part, panel=kept_history(part.panel, None))
        panel, season = part.panel, int(main_season(part.train))
        fewest = FEWEST if model.spares_validation else 1
        try:
            past = past_forecasts(model, panel, season, lambda rows: model._early(part, rows), fewest=fewest)
        except ForetideError as error:
            past = f"no past forecast could be made ({error})"
        if not isinstance(past, str) and not np.isfinite(past.errors.truth - past.errors.mean).any():
            past = "no truth is known of any past forecast"
        if isinstance(past, str):
            return cls(None, BORROWED.format(past)), None
        errors = ErrorDistribution.fit(past.errors, suited(kinds_of(panel), past.errors), panel.ids, model.h, season)
        said = [words.format(why) for words, why in ((INSIDE, past.inside), (BEYOND, past.beyond)) if why]
        return cls(errors, "; ".join(said)), past

    def added(
        self, got: Prediction, model: Forecaster, panel: Panel, windows: Windows, quantiles: Quantiles
    ) -> Prediction:
        """Return a model's own forecast with quantiles of the targets that it has no distribution of.

        Parameters
        ----------
        got : Prediction
        model : Forecaster
        panel : Panel
        windows : Windows
        quantiles : tuple of float

        Returns
        -------
        Prediction
            Quantiles are NaN where there are no past errors.
        """
        if not quantiles:
            return got
        mean = np.asarray(got.mean, dtype=np.float64)
        if self.errors is None:
            made = np.full((*mean.shape, len(quantiles)), np.nan)
        else:
            names = [panel.ids[i] for i in windows.entity]
            made = self.errors.quantiles(mean, names, windows.steps(panel), quantiles)
        points = model._points(panel.targets)
        own = made if got.quantiles is None else np.where(points[:, None], made, got.quantiles)
        return replace(got, quantiles=own)

    # ---------------------------------------------------------------- saving
    def arrays(self) -> dict[str, Array]:
        """What the errors said, as arrays."""
        return {} if self.errors is None else arrays_of(self.errors)

    def facts(self) -> dict[str, object]:
        """The rest, as JSON."""
        return {"note": self.note, "errors": None if self.errors is None else facts_of(self.errors)}

    @classmethod
    def restore(cls, facts: Json, arrays: Mapping[str, Array]) -> Intervals:
        """Rebuild from :meth:`facts` and :meth:`arrays`."""
        kept = facts["errors"]
        return cls(None if kept is None else restored(ErrorDistribution, arrays, kept), facts["note"])
