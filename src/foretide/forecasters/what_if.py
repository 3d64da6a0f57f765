"""The same forecast under another known future, and what differs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.forecasters.levels import bounds_of, interval_columns, interval_levels, quantiles_of_levels
from foretide.forecasters.naming import check_columns
from foretide.forecasters.paths.source import AT_ONCE, check_draws
from foretide.forecasters.paths.totals import quantiles_of
from foretide.forecasters.scenarios import scenarios_of, side_by_side
from foretide.text import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.forecast import Forecast
    from foretide.pictures.show import Drawing
    from foretide.typing import Floats, Frame, Ints, Times

MEANING = (
    "A difference says what the model has learned to go together with a column, not what changing the column would "
    "cause: where promotions were given in good weeks, part of it is the good weeks."
)
BASELINE = "as in the table"
COLUMNS = ("cutoff", "scenario", "forecast", "what_if", "difference")


@dataclass(frozen=True, eq=False)
class WhatIf:
    """One forecast under several known futures.

    A difference is what the model has learned to go together with a column, an association; it is no causal effect of
    changing the column. Its interval is that of the difference of both forecasts drawn with the same random numbers: of
    a forecast whose distribution is shifted as a whole, every draw differs by the same, and the interval has no width.
    How sure the model can be of what it has learned is not in it.

    Attributes
    ----------
    forecast : Forecast
        Under the known future of the table, ``N`` origins.
    scenarios : mapping
        Name -> the forecast under it; means and quantiles, no paths.
    changed : mapping
        Name -> the columns that it changes.
    unused : mapping
        Name -> those of them that the model does not look at.
    bounds : mapping
        Name -> quantiles of the difference ``[N, H, D, Q]`` and of its sum over the horizon ``[N, D, Q]``; nothing
        where there is no distribution.
    levels : tuple of float
        Central interval levels in percent.

    Examples
    --------
    >>> import numpy as np, pandas as pd, foretide as ft
    >>> days, hot = pd.date_range("2024-01-01", periods=104), np.arange(104) % 3 == 0
    >>> sold = np.where(days < "2024-04-10", 4.0 + 2.0 * hot, np.nan)
    >>> panel = ft.Panel.from_frame(pd.DataFrame({"ds": days, "y": sold, "hot": 1.0 * hot}), id=None, future=["hot"])
    >>> found = ft.Ridge(h=4, input_size=7).fit(panel, intervals=False).compare(panel, {"cool": {"hot": 0}})
    >>> found.sentences()[0]
    'cool: the sum of the forecast over 4 steps goes from 18 to 16 (-11.1%).'
    """

    forecast: Forecast
    scenarios: Mapping[str, Forecast]
    changed: Mapping[str, tuple[str, ...]]
    unused: Mapping[str, tuple[str, ...]]
    bounds: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)
    levels: tuple[float, ...] = ()

    def difference(self, scenario: str | None = None) -> Floats:
        """Return by how much a scenario's mean is higher.

        Parameters
        ----------
        scenario : str, optional
            Its name; may be left out where there is one.

        Returns
        -------
        float array ``[N, H, D]``
        """
        return np.asarray(self._one(scenario).mean, dtype=np.float64) - self.forecast.mean

    def to_frame(self) -> Frame:
        """Return a long frame: id, time, ``cutoff``, ``scenario``, ``forecast``, ``what_if``, ``difference``, bounds.

        One row per scenario, series, cutoff and step; of the kind (pandas or polars) the panel was made from.

        Returns
        -------
        pandas or polars frame
        """
        return self._in_kind(self.pandas())

    def pandas(self) -> pd.DataFrame:
        """Return the same as :meth:`to_frame`, always of pandas.

        Returns
        -------
        pandas.DataFrame
        """
        return self._frame(np.arange(1, self.forecast.h + 1), lambda values: values, 0)

    def total(self) -> Frame:
        """Return the same of the sums over the horizon, one row per scenario, series and cutoff.

        The interval of a sum is that of summed paths, not the sum of intervals.

        Returns
        -------
        pandas or polars frame
        """
        added = self._frame(np.array([self.forecast.h]), lambda values: values.sum(axis=1, keepdims=True), 1)
        return self._in_kind(added)

    def plot(
        self, series: str | Iterable[str] | None = None, *, last: int | None = None, interactive: bool = False
    ) -> Drawing:
        """Draw the forecast, with its interval, and those under the scenarios beside it.

        Parameters
        ----------
        series, last, interactive
            As for :meth:`foretide.forecasters.forecast.Forecast.plot`.

        Returns
        -------
        matplotlib.figure.Figure or plotly.graph_objects.Figure
        """
        from foretide.data.drawn import AT_ONCE as FEW
        from foretide.data.drawn import IN_LIST
        from foretide.forecasters.drawn import forecast_picture
        from foretide.pictures.show import show

        forecasts = [self.forecast.renamed(BASELINE), *(own.renamed(name) for name, own in self.scenarios.items())]
        picture = forecast_picture(forecasts, series, None, last, IN_LIST if interactive else FEW)
        return show(picture, interactive=interactive)

    def sentences(self) -> list[str]:
        """Say what differs under each scenario, what the model does not look at, and what a difference means.

        Returns
        -------
        list of str
        """
        found = []
        name, size = self.forecast.model, len(self.forecast)
        for scenario in self.scenarios:
            unused = self.unused[scenario]
            if unused:
                found.append(f"{scenario}: {name} does not look at {', '.join(unused)}.")
            if len(unused) == len(self.changed[scenario]):
                continue
            change, before = (float(np.nansum(values)) for values in (self.difference(scenario), self.forecast.mean))
            share = f" ({change / abs(before):+.1%})" if before else ""
            of = f"{size} forecasts" if size > 1 else "the forecast"
            found.append(
                f"{scenario}: the sum of {of} over {self.forecast.h} steps goes from {number(before)} to "
                f"{number(before + change)}{share}."
            )
        return [*found, MEANING]

    def _one(self, scenario: str | None) -> Forecast:
        from foretide.errors import ConfigError, nearest

        if scenario is None and len(self.scenarios) == 1:
            return next(iter(self.scenarios.values()))
        if scenario is None or scenario not in self.scenarios:
            raise ConfigError(f"There is no scenario {scenario!r}. {nearest(scenario, self.scenarios)}")
        return self.scenarios[scenario]

    def _in_kind(self, frame: pd.DataFrame) -> Frame:
        from foretide.data.reading.frames import as_backend

        return as_backend(frame, self.forecast.panel.names.backend)

    def _frame(self, leads: Ints, added: Callable[[Floats], Floats], which: int) -> pd.DataFrame:
        """Return a frame of what ``added`` makes of arrays ``[N, H, D]``, and of one kind of bounds."""
        forecast, panel = self.forecast, self.forecast.panel
        n, _, d = forecast.mean.shape
        check_columns((panel.names.id, panel.names.time), COLUMNS)
        series = np.array(panel.series, dtype=object).reshape(panel.n_entities, d)[forecast.windows.entity]
        cutoffs, m = forecast.cutoff_steps, len(leads)
        ahead = np.broadcast_to((cutoffs[:, None] + leads)[:, None], (n, d, m))
        mean = added(np.asarray(forecast.mean, dtype=np.float64))
        parts = []
        for name, own in self.scenarios.items():
            other = added(np.asarray(own.mean, dtype=np.float64))
            columns: dict[str, object] = {
                panel.names.id: np.repeat(series.reshape(-1), m),
                panel.names.time: panel.grid.output_times(ahead.ravel()),
                "cutoff": panel.grid.output_times(np.repeat(cutoffs, d * m)),
                "scenario": name, "forecast": _flat(mean), "what_if": _flat(other), "difference": _flat(other - mean),
            }  # fmt: skip
            if name in self.bounds:
                bounds, held = self.bounds[name][which], quantiles_of_levels(self.levels)
                bounds = bounds if bounds.ndim == 4 else bounds[:, None]
                for level in self.levels:
                    for column, q in zip(interval_columns("difference", level), bounds_of(level), strict=True):
                        columns[column] = _flat(bounds[..., held.index(q)])
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)

    def __repr__(self) -> str:
        n, h, d = self.forecast.mean.shape
        return f"WhatIf({self.forecast.model}: {n} origins x {h} steps x {d} targets, {', '.join(self.scenarios)})"


def what_if(
    model: Forecaster, panel: Panel, changes: object, cutoffs: Times | None, levels: float | Iterable[float],
    h: int | None, n: int, seed: int,
) -> WhatIf:  # fmt: skip
    """Forecast under several known futures in one pass; see :meth:`foretide.forecasters.base.Forecaster.compare`."""
    fitted = model._fitted
    assert fitted is not None
    check_draws(n, seed)
    kept = interval_levels(levels)
    panel = fitted.indicators.labelled(panel)
    scenarios, windows = scenarios_of(changes, panel), model.origins(panel, cutoffs)
    both, apart = side_by_side(panel, windows, model.h if h is None else h, scenarios, fitted)
    drawn = fitted.dependence is not None and bool(kept)
    found = model.predict(both, apart, levels=kept if model.answers_levels else (), h=h)
    w, bounds = len(windows), {}
    if drawn and found.quantiles is not None:
        each, sums = _differences(found, w, len(scenarios), quantiles_of_levels(kept), n, seed)
        bounds = {name: (each[k], sums[k]) for k, name in enumerate(scenarios)}
    first, *others = (_of(found, panel, windows, k) for k in range(len(scenarios) + 1))
    changed = {name: tuple(own) for name, own in scenarios.items()}
    never = {column for note in found.notes if note.kind == "unused" for column in note.columns}
    unused = {}
    for (name, own), other in zip(changed.items(), others, strict=True):
        # A column may be left out for some targets only; where nothing differs, it was for all that this one moves.
        out = never if (other.mean != first.mean).any() else {*never, *found.unused}
        unused[name] = tuple(column for column in own if column in out)
    return WhatIf(first, dict(zip(scenarios, others, strict=True)), changed, unused, bounds, kept if bounds else ())


def _of(found: Forecast, panel: Panel, windows: Windows, k: int) -> Forecast:
    """Return the ``k``-th forecast of those side by side, as one of the panel."""
    w = len(windows)
    own = found.take(np.arange(k * w, (k + 1) * w))
    return replace(own, panel=panel, windows=windows, source=own.source if k == 0 else None)


def _differences(
    found: Forecast, w: int, scenarios: int, quantiles: Sequence[float], n: int, seed: int
) -> tuple[Floats, Floats]:
    """Return quantiles of the differences ``[S, W, H, D, Q]``, and of their sums over the horizon ``[S, W, D, Q]``.

    Paths of all scenarios are drawn with the same random numbers: those of a series and cutoff depend on nothing else.
    """
    _, h, d = found.mean.shape
    each = np.empty((scenarios, w, h, d, len(quantiles)))
    sums = np.empty((scenarios, w, d, len(quantiles)))
    at_once = max(1, AT_ONCE // ((scenarios + 1) * h * d * n))
    for low in range(0, w, at_once):
        some = np.arange(low, min(low + at_once, w))
        rows = (np.arange(scenarios + 1)[:, None] * w + some).ravel()
        paths = found.take(rows).sample(n, seed).reshape(scenarios + 1, len(some), n, h, d)
        moved = np.moveaxis(paths[1:] - paths[0], 2, -1)
        each[:, some] = quantiles_of(moved, quantiles)
        sums[:, some] = quantiles_of(moved.sum(axis=2), quantiles)
    return each, sums


def _flat(values: Floats) -> Floats:
    """``[N, H, D]`` -> flat, ordered origin, target, step."""
    return np.swapaxes(values, 1, 2).reshape(-1)
