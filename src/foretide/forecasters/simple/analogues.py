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
from foretide.forecasters.lavar.recipes import Recipe
from foretide.forecasters.lavar.seasonal_base import SeasonalBase
from foretide.forecasters.lavar.standard_base import standard_base
from foretide.forecasters.simple.analogue_pool import Pool, mixture
from foretide.forecasters.simple.analogue_states import States
from foretide.forecasters.simple.baselines import check_count
from foretide.forecasters.simple.calendar_es import CalendarSpec, _CalendarLevel
from foretide.forecasters.sizes import Sizes, SpaceEntry
from foretide.seeding import numpy_generator
from foretide.training.saved import arrays_of, facts_of, prefixed, rebuilt, under

if TYPE_CHECKING:
    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Bools, Floats, Ints, Json

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
MOST_WINDOWS, MOST_NUMBERS = 50_000, 2_000_000
"""At most so many windows of single series, and numbers in all, are kept of each pool."""


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
        Similar windows that are looked at.
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
    >>> panel = ft.synthetic.supplies(T=200, n_targets=6, seed=1).panel
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
        self.whole_: Bools = np.zeros(0, dtype=bool)
        self.pools_: dict[str, Pool] = {}

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """How many windows are looked at."""
        return {"k": [50, 100, 200, 400]}

    def _recipes(self, season: int) -> tuple[Recipe, ...]:
        raise NotImplementedError  # its base is that of LAVAR

    def _fit(self, part: FitPart) -> None:
        panel = part.panel
        self.whole_ = count_like(part.train)
        self.taken_ = self._judged(part)
        self.base_ = self._base(panel)
        self.pools_ = self._learned_from(panel, self.base_, self.taken_, MOST_WINDOWS)

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
        pools = self._learned_from(train, base, members, JUDGED_IN)
        held = _some(held, JUDGED // (self.h * panel.n_targets))
        truth, unit = truth_of(panel, held, self.h), _spread(train)[held.entity][:, None]
        centres, states = self._centres(panel, held, base, members, learning=True), States.at(panel, held, base.shift)
        loss: dict[tuple[int, ...], float] = {}
        levels = np.array(JUDGED_BY)
        for mixed in (USUAL, *OTHERS):
            _, found = self._mixed(pools, mixed, centres, states, base.shift[held.entity], JUDGED_BY)
            error = truth[..., None] - found
            loss[mixed] = float(np.nanmean(np.maximum(levels * error, (levels - 1) * error).mean(axis=-1) / unit))
        best = min(OTHERS, key=loss.__getitem__)
        return best if loss[best] < (1 - MARGIN) * loss[USUAL] else USUAL

    def _learned_from(self, panel: Panel, base: SeasonalBase, members: tuple[int, ...], most: int) -> dict[str, Pool]:
        """Keep windows of a panel around each of the centres, by ``<kind of targets>.<centre>``."""
        # Most series decide how many steps must follow; those that many series do not have are left open.
        least = min(self.h, max(1, int(np.median(panel.observed)) - 1))
        windows = slide(panel, input_size=1, h=least)
        if not len(windows):
            raise DataError(
                f"{self.name} learns from what followed earlier windows, and no series has two rows in the training "
                "part. Give longer series."
            )
        numbers = MOST_NUMBERS // (2 * self.h + 8)
        windows = _some(windows, max(1, min(most, numbers) // panel.n_targets))
        later = truth_of(panel, windows, self.h) + base.shift[windows.entity][:, None]
        later[windows.cutoff[:, None] + np.arange(1, self.h + 1) >= panel.observed[windows.entity][:, None]] = np.nan
        states = States.at(panel, windows, base.shift)
        centres = self._centres(panel, windows, base, members, learning=True)
        return {
            f"{kind}.{m}": Pool.of(
                _flat(centres[m], columns), states.flat(columns), _flat(later, columns), kind == "whole"
            )
            for kind, columns in self._kinds().items()
            for m in members
        }

    def _kinds(self) -> dict[str, Ints]:
        """Targets that are counts, and the others."""
        found = {"whole": np.flatnonzero(self.whole_), "real": np.flatnonzero(~self.whole_)}
        return {kind: columns for kind, columns in found.items() if len(columns)}

    def _centres(
        self, panel: Panel, windows: Windows, base: SeasonalBase, members: tuple[int, ...], *, learning: bool = False
    ) -> dict[int, Floats]:
        """Forecasts ``[W, H, D]`` that values are taken around, shifted as series are, none below zero."""
        shift = base.shift[base.positions(panel)][windows.entity][:, None]
        return {
            m: np.maximum(_member(base, m).at(panel, windows, self.h, learning=learning) + shift, 0.0) for m in members
        }

    def _mixed(
        self, pools: dict[str, Pool], members: tuple[int, ...], centres: dict[int, Floats], states: States,
        shift: Floats, quantiles: Quantiles,
    ) -> tuple[Floats, Floats]:  # fmt: skip
        """Mean ``[W, H, D]`` and quantiles ``[W, H, D, Q]`` of a mixture."""
        w, h, d = centres[members[0]].shape
        mean, bounds = np.empty((w, h, d)), np.empty((w, h, d, len(quantiles)))
        for kind, columns in self._kinds().items():
            own, around = [pools[f"{kind}.{m}"] for m in members], [_flat(centres[m], columns) for m in members]
            found = mixture(own, around, states.flat(columns), self.k, quantiles)
            mean[:, :, columns] = found[0].reshape(w, len(columns), h).swapaxes(1, 2)
            bounds[:, :, columns] = found[1].reshape(w, len(columns), h, -1).swapaxes(1, 2)
        return mean - shift[:, None], bounds - shift[:, None, :, None]

    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        base = self.base_
        assert base is not None
        if panel.ids[0] not in base.ids:
            base = base.for_new(panel)
        centres = self._centres(panel, windows, base, self.taken_)
        shift = base.shift[base.positions(panel)]
        states = States.at(panel, windows, shift)
        mean, bounds = self._mixed(self.pools_, self.taken_, centres, states, shift[windows.entity], quantiles)
        return Prediction(mean, bounds if quantiles else None)

    def choices(self) -> pd.DataFrame:
        """Return what was chosen for each series.

        Returns
        -------
        DataFrame
            ``series, recipe, weight, own`` of the seasonal base, as of :meth:`CalendarES.choices`, and ``centre``: what
            the values that followed are taken around, the same for all.

        Raises
        ------
        NotFittedError
            Before ``fit``.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.supplies(T=200, n_targets=6, seed=1).panel
        >>> ft.Analogues(h=7).fit(panel).choices().centre[0]
        'seasonal base and level 0.03'
        """
        names = ["seasonal base" if m == 0 else f"level {ALPHAS[m - 1]:g}" for m in self.taken_]
        return super().choices().assign(centre=" and ".join(names))

    def state(self) -> dict[str, Array]:
        """Base and pools."""
        found = {**super().state(), "whole": self.whole_}
        for name, pool in self.pools_.items():
            found |= prefixed(f"pool.{name}.", arrays_of(pool))
        return found

    def facts(self) -> dict[str, object]:
        """Recipes, events and which centres were taken."""
        pools = {name: facts_of(pool) for name, pool in self.pools_.items()}
        return {**super().facts(), "taken": list(self.taken_), "pools": pools}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Rebuild from :meth:`state` and :meth:`facts`."""
        super().restore(state, facts)
        self.whole_, self.taken_ = np.asarray(state["whole"], dtype=bool), tuple(facts["taken"])
        self.pools_ = {
            name: rebuilt(Pool, under(f"pool.{name}.", state), held) for name, held in facts["pools"].items()
        }


def _member(base: SeasonalBase, m: int) -> SeasonalBase:
    """The base itself, or a plain level with the base's events."""
    if m == 0:
        return base
    one = (*base.picks.shape[:2], 1)
    recipes, known = (Recipe("profile", 1, ALPHAS[m - 1]),), np.ones_like(base.judged)
    return replace(base, recipes=recipes, picks=np.zeros(one, dtype=np.int64), weights=np.ones(one), judged=known)


def _some(windows: Windows, most: int) -> Windows:
    """At most so many windows, at random, so that all season positions stay among them."""
    if len(windows) <= most:
        return windows
    return windows[np.sort(numpy_generator(0).choice(len(windows), max(1, most), replace=False))]


def _flat(values: Floats, columns: Ints) -> Floats:
    """``[W, H, D]`` -> ``[W D', H]``, windows outer."""
    return np.ascontiguousarray(values[:, :, columns].swapaxes(1, 2)).reshape(-1, values.shape[1])


def _spread(train: Panel) -> Floats:
    """Mean distance of neighbouring values of each series, ``[N, D]``; that of all where it is zero."""
    found = np.zeros((train.n_entities, train.n_targets))
    for i in range(train.n_entities):
        steps = np.abs(np.diff(train.rows(i)[: train.observed[i], : train.n_targets].astype(np.float64), axis=0))
        known = ~np.isnan(steps)
        found[i] = np.where(known, steps, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    usual = found[found > 0].mean() if (found > 0).any() else 1.0
    return np.where(found > 0, found, usual)
