"""Same-season levels times calendar factors: the baseline that knows weekdays and holidays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from foretide.data.time.calendar import Calendar
from foretide.data.time.seasons import main_season, seasons_of
from foretide.errors import ConfigError, NotFittedError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.choices import joined_choices, same_for_all
from foretide.forecasters.lavar.recipe_choice import ALIKE
from foretide.forecasters.lavar.recipes import Recipe
from foretide.forecasters.lavar.seasonal_base import SeasonalBase
from foretide.forecasters.simple.baselines import check_count, check_share
from foretide.forecasters.sizes import CYCLES, SHARES, Sizes, SpaceEntry

if TYPE_CHECKING:
    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Ints, Json


CalendarSpec: TypeAlias = Calendar | Mapping[str, object] | None
"""A calendar as a person gives it: one, or its settings as a file holds them."""


class _CalendarLevel(Forecaster):
    """A same-season level times the factors of the events of a day."""

    knows_ids = True
    uses_future = True
    baseline = True

    def __init__(
        self,
        h: int,
        season: int | None = None,
        *,
        calendar: CalendarSpec = None,
        alias: str | None = None,
    ) -> None:
        super().__init__(h, alias=alias)
        self.season = check_count("season", season)
        self.calendar = calendar_of(calendar)
        self.base_: SeasonalBase | None = None

    @abstractmethod
    def _recipes(self, season: int) -> tuple[Recipe, ...]:
        """Candidates for a season."""

    @property
    def needs_future(self) -> bool:
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return self.base_ is not None and bool(self.base_.events.columns)

    def _learnable(self, part: FitPart) -> Ints:
        # A whole season before h rows to judge by; what shorter ones prefer is chance.
        return part.with_windows(int(self.season or min(seasons_of(part.panel.grid.freq), default=1)) + 1, self.h)

    def _unused(self, panel: Panel, future: tuple[str, ...]) -> tuple[str, ...]:
        """Columns that mark no events."""
        marks = set(future if self.base_ is None else self.base_.events.columns)
        return tuple(c for c in future if not marks.intersection((c, *panel.indicators.get(c, ()))))

    def _fit(self, part: FitPart) -> None:
        season = int(main_season(part.train, self.season))
        recipes = self._recipes(season)
        self.base_ = SeasonalBase.fit(
            part.train, self.h, recipes, season, calendar=self.calendar, top=len(recipes), temperature=ALIKE
        )

    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        base = self.base_
        assert base is not None
        if panel.ids[0] not in base.ids:
            base = base.for_new(panel)
        return Prediction(base.at(panel, windows, self.h))

    def factors(self) -> pd.DataFrame:
        """Return what each event multiplies each series by: one row per event, one column per series (in fit order).

        Returns
        -------
        pandas.DataFrame
            One row per event, one column per series, in the order of the fit.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.supplies(T=400, seed=1).panel
        >>> model = ft.CalendarES(h=7, calendar=ft.Calendar(("weekday",), country="DE")).fit(panel)
        >>> model.factors().shape[1] == panel.n_targets
        True
        """
        import pandas as pd

        if self.base_ is None:
            raise NotFittedError(f"{self.name} is not fitted. Type: model.fit(panel, until=...)")
        entities, events, targets = self.base_.factors.shape
        table = np.moveaxis(self.base_.factors, 1, 0).reshape(events, entities * targets)
        return pd.DataFrame(table, index=pd.Index(self.base_.events.names, name="event"))

    def _choices(self, layout: Panel) -> pd.DataFrame:
        base = self.base_
        assert base is not None
        return joined_choices([
            same_for_all(layout.series, {"season": base.season} if self.season is None else {}),
            *([base.choices(layout.series)] if len(base.recipes) > 1 else []),
        ])  # fmt: skip

    def state(self) -> dict[str, Array]:
        """Choices, profiles and factors."""
        assert self.base_ is not None
        return self.base_.arrays()

    def facts(self) -> dict[str, object]:
        """Recipes and events."""
        assert self.base_ is not None
        return self.base_.facts()

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Rebuild from :meth:`state` and :meth:`facts`."""
        self.base_ = SeasonalBase.restore(state, facts)


class CalendarES(_CalendarLevel):
    """Exponentially smoothed level of the same season position, times calendar factors.

    Events are rare 0/1 known-future columns, unusual values of those of few whole numbers or of words and, with a
    calendar that has a country, its public holidays; on daily and finer steps the open day before and the open day
    after an event are events of their own. Their factors are estimated on the training part, drawn towards those of
    all series together, and these towards one; event days enter the level only as far as their factor lets them.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    season : int, optional
        Steps of one season; found from the frequency and the training part by default.
    alpha : float, optional
        Share of the newest cycle, above 0 and at most 1. By default a mean of the levels with those of :attr:`grid`,
        weighed by their squared errors over ``h`` steps of the training part; errors of a series are drawn towards
        those of all series.
    calendar : Calendar, optional
        Its country's public holidays are events.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.CalendarES(h=24, season=24).fit(panel).predict(panel)
    Forecast(CalendarES: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    default_for = "seasonal counts"
    grid = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7)

    def __init__(
        self,
        h: int,
        season: int | None = None,
        alpha: float | None = None,
        *,
        calendar: CalendarSpec = None,
        alias: str | None = None,
    ) -> None:
        super().__init__(h, season, calendar=calendar, alias=alias)
        self.alpha = check_share("alpha", alpha)

    def _recipes(self, season: int) -> tuple[Recipe, ...]:
        return tuple(Recipe("level", season, a) for a in ((self.alpha,) if self.alpha else self.grid))

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Share of the newest cycle."""
        return {"alpha": SHARES}


class CalendarMean(_CalendarLevel):
    """Mean of the same season position over the last cycles, times calendar factors; see :class:`CalendarES`.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    season : int, optional
        Steps of one season; found from the frequency and the training part by default.
    cycles : int, optional
        Cycles averaged over; by default a mean over those of :attr:`grid`, weighed as in :class:`CalendarES`.
    calendar : Calendar, optional
        Its country's public holidays are events.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.CalendarMean(h=24, season=24).fit(panel).predict(panel)
    Forecast(CalendarMean: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    grid = (2, 4, 8, 16)

    def __init__(
        self,
        h: int,
        season: int | None = None,
        cycles: int | None = None,
        *,
        calendar: CalendarSpec = None,
        alias: str | None = None,
    ) -> None:
        super().__init__(h, season, calendar=calendar, alias=alias)
        self.cycles = check_count("cycles", cycles)

    def _recipes(self, season: int) -> tuple[Recipe, ...]:
        return tuple(Recipe("mean", season, float(c)) for c in ((self.cycles,) if self.cycles else self.grid))

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Cycles averaged over."""
        return {"cycles": CYCLES}


def calendar_of(given: CalendarSpec | str) -> Calendar | None:
    """Return a calendar from one, from its settings, or None; a :class:`ConfigError` otherwise."""
    if given is None or isinstance(given, Calendar):
        return given
    if isinstance(given, Mapping):
        return Calendar.from_dict(dict(given))
    raise ConfigError(f"calendar is None or a foretide Calendar, e.g. ft.Calendar(country='DE'); got {given!r}.")
