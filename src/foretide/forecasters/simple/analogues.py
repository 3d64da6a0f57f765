"""What followed similar windows of all series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.counts import count_like
from foretide.data.time.seasons import main_season
from foretide.data.windows import Windows, slide, truth_of
from foretide.errors import DataError
from foretide.forecasters.base import FitPart, Prediction
from foretide.forecasters.choices import joined_choices, of_each
from foretide.forecasters.lavar.recipes import Recipe
from foretide.forecasters.lavar.seasonal_base import SeasonalBase
from foretide.forecasters.lavar.standard_base import standard_base
from foretide.forecasters.simple.analogue_pools import Pools, room, some
from foretide.forecasters.simple.baselines import check_count
from foretide.forecasters.simple.calendar_es import CalendarSpec, _CalendarLevel
from foretide.forecasters.sizes import Sizes, SpaceEntry
from foretide.training.saved import prefixed, under

if TYPE_CHECKING:
    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Floats, Json

ALPHAS = (0.03, 0.1, 0.3)
"""Shares of the newest step in the plain levels that are tried beside the seasonal base."""
USUAL: tuple[int, ...] = (0, 2)
"""Centres that are taken together: 0 is the seasonal base, the others are levels of :data:`ALPHAS`."""
OTHERS: tuple[tuple[int, ...], ...] = ((0,), (0, 1), (0, 3))
MARGIN = 0.01
"""Others are taken where their loss on held-back windows is so much lower."""
JUDGED = 14_000
"""They are judged by at most so many held-back steps,"""
JUDGED_IN = 10_000
"""among so many windows of the training part."""
JUDGED_BY = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Analogues(_CalendarLevel):
    """The values that followed the most similar windows of all series.

    A window is similar to another where level, trend, share of values that are not zero, their size, their spread and
    the steps since the last one are. What followed is scaled to the window at hand (values by the levels, steps by
    what season and events make of them; small counts stay as they are), drawn half-way towards the forecast of a moving
    level, and answers as it is: its mean is the forecast, its quantiles are the intervals. No distribution is assumed,
    and a series with a short or silent past borrows from all others.

    The level is the seasonal base of :class:`LAVAR` beside a plain smoothed level, each with similar windows of its
    own. Which plain level, and whether the base is better alone, is decided by the quantile loss on the steps kept back
    for validation.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    k : int
        Similar windows that are looked at; at most a quarter of all there are.
    season : int, optional
        Steps of one season; found from the frequency and the training part by default.
    calendar : Calendar, optional
        Its country's public holidays are events.
    alias : str, optional
        Name in frames and tables.

    Notes
    -----
    Nearest-neighbour resampling (Lall & Sharma 1996, *A nearest neighbor bootstrap for resampling hydrologic time
    series*), known as the analogue ensemble in meteorology (Delle Monache et al. 2013), over a panel.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.supplies(T=200, n_targets=6, seed=1, ahead=7).panel
    >>> ft.Analogues(h=7).fit(panel).predict(panel, levels=80)
    Forecast(Analogues: 1 origins x 7 steps x 6 targets, levels [80.0])
    """

    baseline = False
    has_distribution = True
    uses_validation = True
    quick: ClassVar[Mapping[str, object]] = {"k": 30}

    def __init__(
        self,
        h: int,
        k: int = 200,
        season: int | None = None,
        *,
        calendar: CalendarSpec = None,
        alias: str | None = None,
    ) -> None:
        super().__init__(h, season, calendar=calendar, alias=alias)
        self.k = check_count("k", k) or 1
        self.taken_: tuple[int, ...] = USUAL
        self.pools_: Pools | None = None

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """How many windows are looked at."""
        return {"k": [50, 100, 200, 400]}

    def _recipes(self, season: int) -> tuple[Recipe, ...]:
        raise NotImplementedError  # its base is that of LAVAR

    def _fit(self, part: FitPart) -> None:
        panel = part.panel
        self.taken_ = self._judged(part)
        self.base_ = self._base(panel)
        self.pools_ = self._learned_from(panel, self.base_, self.taken_, room(self.h, panel.n_targets))

    def _base(self, panel: Panel) -> SeasonalBase:
        own = None if self.season is None else (main_season(panel, self.season),)
        return standard_base(panel, self.h, own, calendar=self.calendar)

    def _judged(self, part: FitPart) -> tuple[int, ...]:
        """Return the usual mixture, or one of clearly less quantile loss on held-back windows, in units of series."""
        panel, train = part.panel, part.train
        held = slide(panel, input_size=1, h=self.h, first_target=panel.first + part.train_rows)
        if not len(held) or not len(slide(train, input_size=1, h=self.h)):
            return USUAL
        base, members = self._base(train), tuple(range(1 + len(ALPHAS)))
        pools = self._learned_from(train, base, members, JUDGED_IN // panel.n_targets)
        held = held[some(len(held), JUDGED // (self.h * panel.n_targets))]
        truth, unit = truth_of(panel, held, self.h), _spread(train)[held.entity][:, None]
        centres = dict(enumerate(self._centres(panel, held, base, members, learning=True)))
        loss: dict[tuple[int, ...], float] = {}
        levels = np.array(JUDGED_BY)
        for mixed in (USUAL, *OTHERS):
            around = {m: centres[m] for m in mixed}
            error = truth[..., None] - pools.answer(panel, held, around, base.shift, self.k, JUDGED_BY)[1]
            loss[mixed] = float(np.nanmean(np.maximum(levels * error, (levels - 1) * error).mean(axis=-1) / unit))
        best = min(OTHERS, key=loss.__getitem__)
        return best if loss[best] < (1 - MARGIN) * loss[USUAL] else USUAL

    def _learned_from(self, panel: Panel, base: SeasonalBase, members: tuple[int, ...], most: int) -> Pools:
        """Keep windows of a panel around each of the centres."""
        # Most series decide how many steps must follow; those that many series do not have are left open.
        least = min(self.h, max(1, int(np.median(panel.observed)) - 1))
        windows = slide(panel, input_size=1, h=least)
        if not len(windows):
            raise DataError(
                f"{self.name} learns from what followed earlier windows, and no series has two rows in the training "
                "part. Give longer series."
            )
        windows = windows[some(len(windows), most)]
        centres = self._centres(panel, windows, base, members, learning=True)
        return Pools.learn(panel, windows, centres, base.shift, count_like(panel))

    def _centres(
        self, panel: Panel, windows: Windows, base: SeasonalBase, members: tuple[int, ...], *, learning: bool = False
    ) -> list[Floats]:
        """Forecasts ``[W, H, D]`` that values are taken around."""
        return [_member(base, m).at(panel, windows, self.h, learning=learning) for m in members]

    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        base, pools = self.base_, self.pools_
        assert base is not None
        assert pools is not None
        if panel.ids[0] not in base.ids:
            base = base.for_new(panel)
        centres = dict(enumerate(self._centres(panel, windows, base, self.taken_)))
        shift = base.shift[base.positions(panel)]
        mean, bounds = pools.answer(panel, windows, centres, shift, self.k, quantiles)
        return Prediction(mean, bounds if quantiles else None)

    def _choices(self, layout: Panel) -> pd.DataFrame:
        names = ["seasonal base" if m == 0 else f"level {ALPHAS[m - 1]:g}" for m in self.taken_]
        each, n = [name for name in layout.series for _ in names], len(layout.series)
        centres = of_each(each, "centre", names * n, 1 / len(names), own=False)
        return joined_choices([super()._choices(layout), centres])

    def state(self) -> dict[str, Array]:
        """Base and pools."""
        assert self.pools_ is not None
        return {**super().state(), **prefixed("pool.", self.pools_.arrays())}

    def facts(self) -> dict[str, object]:
        """Recipes, events and which centres were taken."""
        assert self.pools_ is not None
        return {**super().facts(), "taken": list(self.taken_), "pools": self.pools_.facts()}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Rebuild from :meth:`state` and :meth:`facts`."""
        super().restore(state, facts)
        self.taken_, self.pools_ = tuple(facts["taken"]), Pools.restore(under("pool.", state), facts["pools"])


def _member(base: SeasonalBase, m: int) -> SeasonalBase:
    """The base itself, or a plain level with the base's events."""
    if m == 0:
        return base
    one = (*base.picks.shape[:2], 1)
    recipes, known = (Recipe("profile", 1, ALPHAS[m - 1]),), np.ones_like(base.judged)
    return replace(base, recipes=recipes, picks=np.zeros(one, dtype=np.int64), weights=np.ones(one), judged=known)


def _spread(train: Panel) -> Floats:
    """Mean distance of neighbouring values of each series, ``[N, D]``; that of all where it is zero."""
    found = np.zeros((train.n_entities, train.n_targets))
    for i in range(train.n_entities):
        steps = np.abs(np.diff(train.rows(i)[: train.observed[i], : train.n_targets].astype(np.float64), axis=0))
        known = ~np.isnan(steps)
        found[i] = np.where(known, steps, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    usual = found[found > 0].mean() if (found > 0).any() else 1.0
    return np.where(found > 0, found, usual)
