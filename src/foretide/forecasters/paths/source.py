"""Where the paths of a forecast come from: the model that made it, and what its past errors say."""

from __future__ import annotations

import hashlib
import warnings
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.errors import ConfigError
from foretide.forecasters.paths.margins import GRID, spread_evenly
from foretide.seeding import numpy_generator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.fitted import Fitted
    from foretide.forecasters.forecast import Forecast
    from foretide.typing import Floats, Ints

AT_ONCE = 4_000_000
"""Paths are made for so many windows at a time that they, and the quantiles behind them, hold about so many numbers."""
CLOSE = 1e-9
"""Levels this close are one."""


@dataclass(frozen=True, eq=False)
class Source:
    """The fitted model behind a forecast.

    Attributes
    ----------
    model : Forecaster
    fitted : Fitted
        As it was when it forecast.
    """

    model: Forecaster
    fitted: Fitted

    @classmethod
    def of(cls, model: Forecaster) -> Source:
        """Return the source of what a fitted model forecasts now."""
        assert model._fitted is not None
        return cls(model, model._fitted)

    def check(self) -> None:
        """Raise a :class:`ConfigError` where no paths can be drawn any more, or never could."""
        name = self.model.name
        if self.model._fitted is not self.fitted:
            raise ConfigError(
                f"{name} was fitted again, or has remembered rows, since it made this forecast. Forecast anew before "
                "you sample: model.predict(panel).sample()"
            )
        if self.fitted.dependence is None:
            raise ConfigError(
                f"{name} does not know how its errors hang together: it was fitted with intervals=False, or saved by "
                "a foretide that did not look. Fit it again: model.fit(panel)"
            )

    def values(self, forecast: Forecast, at: slice, n: int) -> Floats:
        """Return ``n`` equally likely values of some predictive distributions, ascending, ``[W, h, D, n]``."""
        panel, limits = forecast.panel, self.model.quantile_range
        levels = tuple(sorted({*GRID, *forecast.quantile_levels}))
        if limits is not None:
            low, high = limits
            levels = (low, *(q for q in levels if low + CLOSE < q < high - CLOSE), high)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what there is to say was said when it forecast
            got, _ = copy(self.model)._seen(panel, forecast.windows[at], levels, (), forecast.h)
        mean = np.asarray(forecast.mean[at], dtype=np.float64)
        if got.quantiles is None:
            return np.full((*mean.shape, n), np.nan)
        quantiles = np.array(got.quantiles, dtype=np.float64)
        if forecast.quantiles is not None:
            _anchor(quantiles, levels, np.asarray(forecast.quantiles[at]), forecast.quantile_levels)
        assert self.fitted.stand_in is not None
        never = np.array(self.fitted.stand_in.nonnegative)[_order(self.fitted.targets, panel.targets)]
        return spread_evenly(mean, quantiles, levels, n, never)

    def orders(self, forecast: Forecast, at: slice, n: int, seed: int) -> Ints:
        """Return which of ``n`` paths has the lowest, the next ... value of each distribution, ``[W, h, D, n]``."""
        panel, windows, dependence = forecast.panel, forecast.windows[at], self.fitted.joint
        assert dependence is not None
        steps = windows.steps(panel)
        distinct = np.unique(steps)
        times = {int(s): _number(str(t)) for s, t in zip(distinct, panel.grid.times(distinct), strict=True)}
        ours = {s: numpy_generator(seed, 0, t) for s, t in times.items()}
        names = [panel.ids[i] for i in windows.entity]
        mine = [numpy_generator(seed, 1, times[int(s)], _number(name)) for s, name in zip(steps, names, strict=True)]
        with self.model._as_loaded():
            made = dependence.scores(names, [ours[int(s)] for s in steps], mine, n)[:, : forecast.h]
        return np.argsort(made[:, :, _order(self.fitted.targets, panel.targets)], axis=-1)


def check_draws(n: int, seed: int) -> None:
    """Raise a :class:`ConfigError` for a number of paths, or a seed, that is none."""
    for name, value, least in (("n", n, 2), ("seed", seed, 0)):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
            raise ConfigError(
                f"{name} is a whole number of at least {least}, got {value!r}. Type: sample(n=1000, seed=0)"
            )


def paths_of(forecast: Forecast, n: int, seed: int) -> Iterator[tuple[slice, Floats]]:
    """Yield paths ``[W, n, h, D]`` of a few windows at a time, and the place of these in the forecast.

    A window's paths depend on its series, its cutoff and the seed, not on what else is in the forecast.

    Parameters
    ----------
    forecast : Forecast
    n, seed : int

    Yields
    ------
    slice, float array ``[W, n, h, D]``

    Raises
    ------
    ConfigError
        For a number or a seed that is none, and where the forecast knows no model that paths could come from.
    """
    check_draws(n, seed)
    source = forecast.source
    if source is None:
        raise ConfigError(
            f"This forecast of {forecast.model} does not come from predict, so there is no model to draw paths from. "
            "Type: model.predict(panel, cutoffs).sample()"
        )
    source.check()
    _, h, d = forecast.mean.shape
    width = max(1, AT_ONCE // (h * d * max(n, len(GRID))))
    for low in range(0, len(forecast), width):
        at = slice(low, min(low + width, len(forecast)))
        paths = np.empty((at.stop - at.start, h, d, int(n)))
        np.put_along_axis(
            paths, source.orders(forecast, at, int(n), int(seed)), source.values(forecast, at, int(n)), axis=-1
        )
        yield at, np.moveaxis(paths, -1, 1)


def _anchor(quantiles: Floats, levels: Sequence[float], held: Floats, at: Sequence[float]) -> None:
    """Put the quantiles that a forecast holds among finer ones ``[..., Q]``, which then lie between them."""
    for k, level in enumerate(at):
        near = np.flatnonzero(np.abs(np.asarray(levels) - level) < CLOSE)
        if not len(near):
            continue
        place, fixed = int(near[0]), held[..., k, None]
        quantiles[..., :place] = np.fmin(quantiles[..., :place], fixed)
        quantiles[..., place:] = np.fmax(quantiles[..., place:], fixed)
        quantiles[..., place] = np.where(np.isnan(fixed[..., 0]), quantiles[..., place], fixed[..., 0])


def _order(fitted: Sequence[str], wanted: Sequence[str]) -> list[int]:
    return [list(fitted).index(name) for name in wanted]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
