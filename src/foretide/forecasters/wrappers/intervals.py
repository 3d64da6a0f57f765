"""Intervals for any point forecaster, learned from its own past errors."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

import numpy as np

from foretide.data.counts import are_counts
from foretide.data.time.seasons import main_season
from foretide.errors import ConfigError, DataError, nearest
from foretide.forecasters.base import FitPart, Prediction
from foretide.forecasters.intervals.distribution import DISTRIBUTIONS, WHOLE, ErrorDistribution, kinds_of, suited
from foretide.forecasters.wrappers.past_errors import ResidualWrapper
from foretide.forecasters.wrappers.wrapper import Member

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Bools, Json

ErrorKind: TypeAlias = Literal["auto", "negative_binomial", "normal", "empirical"]


class WithIntervals(ResidualWrapper):
    """A point forecaster with intervals whose width is learned from its own past errors.

    At ``fit`` the model is fitted twice: on the steps before the last 30 % of the part, so that its forecasts there,
    from up to 60 origins that pass through all season positions, show errors it did not learn from; and then on the
    whole part for the forecasts to come. What the errors say about a series and a part of the horizon is drawn
    towards what they say about all.

    Distributions:

    - ``"negative_binomial"``, for counts: the mean is the point forecast, the dispersion is found by maximum
      likelihood. Where the model forecasts nothing at all, the mean is what was observed when it last did so.
    - ``"normal"``: the standard deviation is that of the errors.
    - ``"empirical"``: quantiles of the errors, added to the point forecast; whole and not negative for counts.
    - ``"auto"``: the model's own distribution where it has one; otherwise negative binomial for targets that are
      treated as counts (:func:`foretide.data.counts.count_like`), normal for the others.

    The point forecast is that of the model, unchanged, and so is its name.

    Parameters
    ----------
    model : Forecaster, str or {name: settings}
        The model; a forecaster is copied and not fitted itself.
    distribution : {"auto", "negative_binomial", "normal", "empirical"}
    h : int, optional
        Steps forecast; by default that of the model.
    alias : str, optional
        Name in frames and tables; the model's by default.
    law : str, optional
        The former name of ``distribution``.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.WithIntervals(ft.SeasonalES(h=24, season=24)).fit(panel).predict(panel)
    Forecast(SeasonalES: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    former: ClassVar[Mapping[str, str]] = {"law": "distribution"}
    quick: ClassVar[Mapping[str, object]] = {"model": {"SeasonalES": {}}}
    keeps = ("distribution", "errors_", ErrorDistribution)

    def __init__(
        self,
        model: Member,
        distribution: ErrorKind = "auto",
        *,
        h: int | None = None,
        alias: str | None = None,
        law: ErrorKind | None = None,
    ) -> None:
        if law is not None:
            warnings.warn(
                f"law is called distribution now. Type distribution={law!r}.", DeprecationWarning, stacklevel=2
            )
            distribution = law
        if distribution not in ("auto", *DISTRIBUTIONS):
            raise ConfigError(
                f"There is no distribution {distribution!r}. {nearest(distribution, ('auto', *DISTRIBUTIONS))}"
            )
        super().__init__(model, h, alias=alias)
        self.distribution: ErrorKind = distribution
        self.errors_: ErrorDistribution | None = None
        """What the errors said; None before fit, and for a model that keeps its own distribution."""

    @property
    def keeps_distribution(self) -> bool:
        """Whether the model's own distribution is passed through."""
        return self.distribution == "auto" and self.inner.has_distribution

    @property
    def quantile_range(self) -> tuple[float, float] | None:
        """Outermost quantiles of the model's own distribution, where that is passed through."""
        return self.inner.quantile_range if self.keeps_distribution else None

    def _points(self, targets: tuple[str, ...]) -> Bools:
        return self.inner._points(targets) if self.keeps_distribution else super()._points(targets)

    # ---------------------------------------------------------------- learning
    def _fit(self, part: FitPart) -> None:
        self.errors_ = None
        kinds = None if self.keeps_distribution else self._kinds(part.panel)
        super()._fit(part)
        if kinds is not None:
            season = int(main_season(part.train))
            past = self._past_forecasts(part.panel, season)
            kinds = suited(kinds, past.errors) if self.distribution == "auto" else kinds
            self.errors_ = ErrorDistribution.fit(past.errors, kinds, part.panel.ids, self.h, season)

    def _kinds(self, panel: Panel) -> tuple[str, ...]:
        """Return the distribution of each target."""
        counts = are_counts(panel)
        if self.distribution == "negative_binomial" and not counts.all():
            wrong = panel.targets[int(np.argmin(counts))]
            raise DataError(
                "A negative binomial distribution needs counts, whole numbers of at least 0; "
                f"target {wrong!r} has other "
                "values. Take distribution='normal', or 'auto' to choose by target."
            )
        if self.distribution == "empirical":
            return tuple(WHOLE["empirical"] if count else "empirical" for count in counts)
        return kinds_of(panel) if self.distribution == "auto" else (self.distribution,) * panel.n_targets

    # ---------------------------------------------------------------- forecasting
    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        if self.errors_ is None:
            return self.inner._answer(panel, windows, quantiles, traces)
        got = self.inner._answer(panel, windows, (), traces)
        if not quantiles:
            return got
        names = [panel.ids[i] for i in windows.entity]
        found = self.errors_.quantiles(np.asarray(got.mean, dtype=np.float64), names, windows.steps(panel), quantiles)
        return replace(got, quantiles=found)

    # ---------------------------------------------------------------- keeping
    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Rebuild from :meth:`state` and :meth:`facts`."""
        if "law" in facts:  # as it was saved before
            state = {name.replace("law/", "distribution/", 1): array for name, array in state.items()}
            facts = {**facts, "distribution": facts["law"]}
        super().restore(state, facts)
