"""Simple forecasters that every run includes: whatever is worth its training must beat the best of them.

All of them predict every cutoff of an entity in one vectorised pass, in float64. They share these rules:

- A missing value (NaN) is skipped; nothing after a cutoff is read.
- A season position that was not observed yet (a history shorter than one season) is answered with the last
  observed value.
- A cutoff before the first observed value of a series is answered with NaN: nothing is known there.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.time.seasons import main_season, telling
from foretide.data.windows import Windows
from foretide.errors import ConfigError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.gaussian import unit_of
from foretide.forecasters.simple.history import (
    ahead_rows,
    alike,
    at_rows,
    first_known,
    last_seen,
    last_seen_row,
    season_last,
    season_level,
    side_by_side,
)
from foretide.forecasters.sizes import CYCLES, SHARES, Sizes, SpaceEntry, near

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Floats, Ints

    OneAhead = Callable[[Floats, float], Floats]


CHOICE_CYCLES = 1000
"""Settings are chosen on at most this many of the last cycles of each training series."""


class _Simple(Forecaster):
    """A forecaster whose answer is a formula of one entity's own past targets."""

    baseline = True

    def _fit(self, part: FitPart) -> None:
        pass

    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        mean = np.empty((len(windows), self.h, panel.n_targets))
        for entities, chosen, cutoffs in alike(panel, windows, self.h):
            history = side_by_side(panel, entities, 0, int(cutoffs.max()) + 1)
            ahead = self._ahead(history, cutoffs).reshape(len(cutoffs), self.h, len(entities), -1)
            mean[chosen] = ahead.transpose(2, 0, 1, 3)
        return Prediction(mean)

    @abstractmethod
    def _ahead(self, history: Floats, cutoffs: Ints) -> Floats:
        """Forecast from rows ``cutoffs`` ``[n]`` of ``history`` ``[T, C]``: ``[n, H, C]``.

        Columns are the targets of one or many entities; what becomes of one must not depend on the others.
        """


class Persistence(_Simple):
    """Repeats the last observed value.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.Persistence(h=24).fit(panel).predict(panel)
    Forecast(Persistence: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    default_for = "always"

    def _ahead(self, history: Floats, cutoffs: Ints) -> Floats:
        return np.repeat(last_seen(history)[cutoffs][:, None, :], self.h, axis=1)


class Drift(_Simple):
    """Continues the straight line through the first and the last observed value.

    With ``y_a`` the first and ``y_b`` the last observed value up to the cutoff ``c``, the forecast of step
    ``k`` is ``y_b + (c + k - b) * (y_b - y_a) / (b - a)``; the last value alone where only one is observed.
    Hyndman & Athanasopoulos, *Forecasting: Principles and Practice*, 3rd ed., section 5.2.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.Drift(h=24).fit(panel).predict(panel)
    Forecast(Drift: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    default_for = "always"

    def _ahead(self, history: Floats, cutoffs: Ints) -> Floats:
        seen = ~np.isnan(history)
        first = np.argmax(seen, axis=0)
        start = history[first, np.arange(history.shape[1])]
        last = last_seen_row(history)[cutoffs]
        value = last_seen(history)[cutoffs]
        span = last - first
        slope = np.where(span > 0, (value - start) / np.where(span > 0, span, 1), 0.0)
        steps = (cutoffs[:, None] - last)[:, None, :] + np.arange(1, self.h + 1)[None, :, None]
        return np.asarray(value[:, None, :] + steps * slope[:, None, :])


class _Seasonal(_Simple):
    """A formula that knows the season: given, or found on the training part."""

    default_for = "always"
    learned: ClassVar[tuple[str, ...]] = ("season_",)
    chosen: ClassVar[Mapping[str, str]] = {"season": "season_"}

    def __init__(self, h: int, season: int | None = None, *, alias: str | None = None) -> None:
        super().__init__(h, alias=alias)
        self.season = check_count("season", season)
        self.season_ = season or 1

    def _fit(self, part: FitPart) -> None:
        self.season_ = int(main_season(part.train, self.season))

    def _of_season(self, table: Floats, history: Floats, cutoffs: Ints) -> Floats:
        """The last value of a table ``[T, D]`` at the season position of each step; else the last observed value."""
        found = at_rows(table, ahead_rows(cutoffs, self.h, self.season_))
        return first_known(found, last_seen(history)[cutoffs][:, None, :])


class SeasonalNaive(_Seasonal):
    """Repeats the last observed value of the same season position.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    season : int, optional
        Steps of one season; found from the frequency and the training part by default.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.SeasonalNaive(h=24, season=24).fit(panel).predict(panel)
    Forecast(SeasonalNaive: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    def _ahead(self, history: Floats, cutoffs: Ints) -> Floats:
        return self._of_season(season_last(history, self.season_), history, cutoffs)

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """The seasons of the frequency; nothing where there is at most one."""
        fitting = [season for season in at.seasons if 2 * season <= at.rows]
        return {"season": fitting} if len(fitting) > 1 else {}


class WindowMean(_Seasonal):
    """Repeats the mean of the last ``window`` steps; the last observed value where all of them are missing.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    window : int, optional
        Steps averaged over; one season by default, or ``h`` steps for a series without a season.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.WindowMean(h=24, window=48).fit(panel).predict(panel)
    Forecast(WindowMean: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    learned = ("season_", "window_")
    chosen: ClassVar[Mapping[str, str]] = {"window": "window_"}

    def __init__(self, h: int, window: int | None = None, *, alias: str | None = None) -> None:
        super().__init__(h, alias=alias)
        self.window = check_count("window", window)
        self.window_ = window or 1

    def _fit(self, part: FitPart) -> None:
        if self.window is not None:
            self.window_ = self.window
            return
        super()._fit(part)
        self.window_ = self.season_ if self.season_ > 1 else self.h

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Windows around horizon and season."""
        return {"window": near([k * size for k in (1, 2, 4) for size in (at.h, *at.seasons)], 1, at.rows)}

    def _ahead(self, history: Floats, cutoffs: Ints) -> Floats:
        rows = cutoffs[:, None] - np.arange(min(self.window_, len(history)))[None, :]
        mean = _mean_over(history, rows[:, None, :])
        return np.repeat(first_known(mean, last_seen(history)[cutoffs][:, None, :]), self.h, axis=1)


class SeasonalMean(_Seasonal):
    """Repeats the mean of the same season position over the last cycles.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    season : int, optional
        Steps of one season; found from the frequency and the training part by default.
    cycles : int, optional
        Cycles averaged over. By default chosen from :attr:`grid` on the training part, by the squared error
        one cycle ahead.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.SeasonalMean(h=24, season=24).fit(panel).predict(panel)
    Forecast(SeasonalMean: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    learned = ("season_", "cycles_")
    chosen: ClassVar[Mapping[str, str]] = {"season": "season_", "cycles": "cycles_"}
    grid = (2, 3, 4, 8, 16)

    def __init__(
        self, h: int, season: int | None = None, cycles: int | None = None, *, alias: str | None = None
    ) -> None:
        super().__init__(h, season, alias=alias)
        self.cycles = check_count("cycles", cycles)
        self.cycles_ = cycles or self.grid[0]

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Cycles averaged over."""
        return {"cycles": CYCLES}

    def _fit(self, part: FitPart) -> None:
        super()._fit(part)
        self.cycles_ = self.cycles or int(_best_setting(part.train, self.season_, self.grid, self._one_ahead))

    def _one_ahead(self, history: Floats, cycles: float) -> Floats:
        rows = np.arange(len(history))[:, None] - self.season_ * np.arange(1, min(int(cycles), len(history)) + 1)
        return _mean_over(history, rows[:, None, :])[:, 0]

    def _ahead(self, history: Floats, cutoffs: Ints) -> Floats:
        places = ahead_rows(cutoffs, min(self.h, self.season_), self.season_)
        rows = places[:, :, None] - self.season_ * np.arange(min(self.cycles_, len(history)))
        mean = first_known(_mean_over(history, rows), at_rows(season_last(history, self.season_), places))
        mean = mean[:, np.arange(self.h) % self.season_]
        return first_known(mean, last_seen(history)[cutoffs][:, None, :])


class SeasonalES(_Seasonal):
    """Repeats the exponentially smoothed level of the same season position.

    The level of a position is the mean of its observed values with weights ``(1 - alpha)^k``, ``k`` counting
    the cycles since; see :func:`foretide.forecasters.simple.history.season_level`.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    season : int, optional
        Steps of one season; found from the frequency and the training part by default.
    alpha : float, optional
        Share of the newest cycle, above 0 and at most 1. By default chosen from :attr:`grid` on the training
        part, by the squared error one cycle ahead.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.SeasonalES(h=24, season=24).fit(panel).alpha_
    0.9
    """

    learned = ("season_", "alpha_")
    chosen: ClassVar[Mapping[str, str]] = {"season": "season_", "alpha": "alpha_"}
    grid = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)

    def __init__(
        self, h: int, season: int | None = None, alpha: float | None = None, *, alias: str | None = None
    ) -> None:
        super().__init__(h, season, alias=alias)
        self.alpha = check_share("alpha", alpha)
        self.alpha_ = alpha or self.grid[0]

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Share of the newest cycle."""
        return {"alpha": SHARES}

    def _fit(self, part: FitPart) -> None:
        super()._fit(part)
        self.alpha_ = self.alpha or _best_setting(part.train, self.season_, self.grid, self._one_ahead)

    def _one_ahead(self, history: Floats, alpha: float) -> Floats:
        return at_rows(season_level(history, self.season_, alpha), np.arange(len(history)) - self.season_)

    def _ahead(self, history: Floats, cutoffs: Ints) -> Floats:
        return self._of_season(season_level(history, self.season_, self.alpha_), history, cutoffs)


def check_count(what: str, value: int | None) -> int | None:
    """Return a whole number of at least 1, or None; a :class:`ConfigError` otherwise."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ConfigError(f"{what} is a whole number of steps of at least 1, got {value!r}.")
    return int(value)


def check_share(what: str, value: float | None) -> float | None:
    """Return a share above 0 and at most 1, or None; a :class:`ConfigError` otherwise."""
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if value is not None and not (number and 0 < value <= 1):
        raise ConfigError(f"{what} is a share above 0 and at most 1, got {value!r}. Leave it out to have it chosen.")
    return value


def _mean_over(history: Floats, rows: Ints) -> Floats:
    """Mean of observed values over the last axis of ``rows`` ``[n, K, J]``: ``[n, K, D]``.

    Added up one by one, so that a row's mean does not depend on how many rows are asked for.
    """
    total = np.zeros((*rows.shape[:-1], history.shape[1]))
    count = np.zeros_like(total)
    for j in range(rows.shape[-1]):
        values = at_rows(history, rows[..., j])
        seen = ~np.isnan(values)
        total += np.where(seen, values, 0.0)
        count += seen
    return np.where(count > 0, total / np.where(count > 0, count, 1.0), np.nan)


def _best_setting(train: Panel, season: int, grid: Sequence[float], one_ahead: OneAhead) -> float:
    """Return the setting with the least squared error one cycle ahead on the training part.

    Errors are taken relative to each series' mean error over the grid, so that no series rules by its unit.
    Where nothing can be compared (less than two cycles) the middle of the grid is taken.
    """
    total = np.zeros(len(grid))
    entities = np.array(telling(train, season), dtype=np.int64)
    for some, _, (last,) in alike(train, Windows(entities, train.length[entities] - 1), len(grid)):
        history = side_by_side(train, some, max(0, last + 1 - CHOICE_CYCLES * season), last + 1)
        history /= unit_of(np.max(np.abs(history), axis=0, initial=0.0, where=~np.isnan(history)))
        errors = np.stack([((one_ahead(history, setting) - history) ** 2).T for setting in grid], axis=1)  # [B D, G, T]
        known = ~np.isnan(errors).any(axis=1, keepdims=True)
        sums = np.where(known, errors, 0.0).sum(axis=-1)
        mean = sums.mean(axis=-1, keepdims=True)
        total = np.vstack([total, sums / np.where(mean > 0, mean, 1.0)]).sum(axis=0)
    return grid[int(np.argmin(total))] if total.any() else grid[len(grid) // 2]
