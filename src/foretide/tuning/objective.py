"""What a trial is scored by: one fit before the inner cutoffs, and the error of the forecasts from all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.counts import count_like
from foretide.data.time.seasons import seasons_of
from foretide.data.windows import Windows, truth_of
from foretide.errors import ConfigError, DataError, ForetideError
from foretide.evaluation.metrics.quantiles import DECILES
from foretide.evaluation.metrics.table import METRICS, example, metric_of
from foretide.evaluation.rolling.dates import moment
from foretide.evaluation.rolling.folds import make_plan
from foretide.evaluation.rolling.members import call, members_of
from foretide.evaluation.rolling.plan import Plan
from foretide.evaluation.score import score
from foretide.forecasters.answer import first_observed
from foretide.forecasters.base import Forecaster
from foretide.forecasters.sizes import Sizes
from foretide.tuning.ledger import Baselines
from foretide.typing import Floats, Ints

if TYPE_CHECKING:
    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.data.time.calendar import Calendar
    from foretide.forecasters.forecast import Forecast
    from foretide.typing import Time

INNER = 0.4
"""Share of the training part that the inner cutoffs are spread over.

Measured on twelve seeds of the hourly generator that no benchmark is judged by: lookbacks that inner folds over a fifth
of the part chose were 0.5 % better than the default on the test part, those over two fifths 1.7 %; the best had 2.1 %.
"""
MOST_WINDOWS = 100


@dataclass(frozen=True, eq=False)
class Task:
    """Data, folds and measure of a search; the same for all trials and baselines.

    Attributes
    ----------
    panel : Panel
        Cut at the end of the training part: later rows do not exist in it.
    plan : Plan
        Inner folds that share one fit, as they lie for the series that ends last. Those of a series that ended before
        lie as far before its own end.
    windows : Windows
        The origins scored, which every candidate can forecast from.
    metric : str
    """

    panel: Panel
    plan: Plan
    windows: Windows
    metric: str

    @property
    def fit_until(self) -> Time:
        """Time of the last step that trials learn from."""
        time: Time = moment(self.panel, self.plan.fit_end(self.plan.blocks[0]))
        return time

    @cached_property
    def inner(self) -> Panel:
        """The rows of each series that trials learn from, those up to its first inner cutoff."""
        return self.panel.head(self.panel.observed - _before_end(self.panel, self.plan)[0])

    @cached_property
    def cutoffs(self) -> pd.Index:
        """Times of all origins scored."""
        return self.panel.grid.output_times(np.unique(self.windows.steps(self.panel)))

    @cached_property
    def truth(self) -> Floats:
        """Observed targets ``[N, H, D]``."""
        return truth_of(self.panel, self.windows, self.plan.h)

    @property
    def is_distribution(self) -> bool:
        """Whether the measure needs quantiles."""
        return metric_of(self.metric).quantiles is not None

    def evaluate(self, forecaster: Forecaster) -> float:
        """Fit a forecaster, forecast from every inner cutoff, and return its error in original units.

        Raises
        ------
        DataError
            When a forecast is missing where the truth is known: such a figure would not compare.
        """
        call(forecaster.fit, self.inner, **({} if self.is_distribution else {"intervals": False}))
        levels = {"levels": self._levels, "quantiles": DECILES} if self.is_distribution else {"levels": ()}
        forecast: Forecast = call(forecaster.predict, self.panel, cutoffs=self.cutoffs, **levels)
        return self.score(forecast.take(_positions(forecast.windows, self.windows)))

    def score(self, forecast: Forecast) -> float:
        """Return the error of forecasts from the windows of the task, in their order."""
        known = ~np.isnan(self.truth)
        answered = np.isfinite(forecast.mean)
        for note in forecast.notes:
            if note.kind == "failed":
                answered[note.windows] = False
        missing = int((known & ~answered).sum())
        if missing:
            raise DataError(
                f"{forecast.model} gives no finite forecast for {missing} of {int(known.sum())} points of the inner "
                "folds."
            )
        if self.is_distribution and forecast.quantiles is None:
            raise ConfigError(f"{forecast.model} has no quantiles to score {self.metric} with.")
        card = score([forecast], self.panel, train=self.inner, season=self.plan.season, baselines=[])
        return card.value(forecast.model, self.metric)

    def baselines(self, calendar: Calendar | None, without: Sequence[str]) -> Baselines:
        """Return the figures of the simple baselines, those that can be scored and are not searched themselves."""
        part = self.panel.until(self.fit_until)
        members, notes = members_of(
            [], self.panel, part, h=self.plan.h, baselines=True,
            shared={"season": self.plan.season if self.plan.season > 1 else None, "calendar": calendar},
        )  # fmt: skip
        scored: Baselines = {"figures": {}, "notes": notes}
        for member in members:
            if member.name in without:
                continue
            started, fresh = time.perf_counter(), member.fresh()
            assert isinstance(fresh, Forecaster)
            try:
                value = self.evaluate(fresh)
            except ForetideError as error:
                notes.append(f"{member.name} left out: {error}")
                continue
            scored["figures"][member.name] = {"value": value, "seconds": time.perf_counter() - started}
        return scored

    @property
    def _levels(self) -> tuple[float, ...]:
        metric = metric_of(self.metric)
        needed = metric.quantiles(metric.level) if metric.quantiles is not None else ()
        return tuple(round(100 * (1 - 2 * q), 6) for q in needed if q < 0.5) or (80, 95)


def inner_plan(part: Panel, h: int, *, n_windows: int | None, step: int | None) -> Plan:
    """Lay out the inner folds: by default over the last :data:`INNER` of the longest series, rotating.

    They lie at least ``h`` steps apart.
    """
    first = make_plan(part, h, step=step, n_windows=1)
    rows = int(part.observed.max())
    if n_windows is None:
        room = max(round(INNER * rows), h) - h
        n_windows = min(max(room // first.step + 1, 1), MOST_WINDOWS)
    return make_plan(part, h, step=first.step, n_windows=n_windows)


def setting_of(part: Panel, plan: Plan) -> Sizes:
    """Return what default spaces may know."""
    rows = part.observed - _before_end(part, plan)[0]
    rows = rows[rows > 0]
    return Sizes(int(np.median(rows)) if len(rows) else 0, plan.h, tuple(seasons_of(part.grid.freq)))


def make_task(part: Panel, plan: Plan, histories: Sequence[int], metric: str | None) -> Task:
    """Choose the windows that every candidate can forecast from.

    Parameters
    ----------
    part : Panel
        The training part.
    plan : Plan
    histories : sequence of int
        Rows that candidates need up to a cutoff. One that no series has before the first cutoff is not waited for:
        its trials fail by themselves.
    metric : str, optional
        RMSE by default, MSE for counts.
    """
    before = _before_end(part, plan)
    rows = part.observed - before[0]
    most = max([n for n in histories if n <= int(rows.max())], default=1)
    cutoff = part.observed[:, None] - before[None, :] - 1
    entity, which = np.nonzero(cutoff - first_observed(part)[:, None] >= most - 1)
    windows = Windows(entity, cutoff[entity, which])
    truth = truth_of(part, windows, plan.h)
    known = ~np.isnan(truth).all(axis=(1, 2))
    if not known.any():
        raise DataError("No truth is known for any window of the inner folds. Give more data, or set n_windows=.")
    if metric is None:
        counts = bool(count_like(part.head(rows)).all())
        metric = "mse" if counts else "rmse"
    return Task(part, plan, windows[np.flatnonzero(known)], checked_metric(metric))


def _before_end(part: Panel, plan: Plan) -> Ints:
    """Steps from each inner cutoff to the end of a series, ``[folds]``, the largest first."""
    last = int((part.first + part.observed - 1).max())
    return last - np.array([plan.fit_end(plan.blocks[0]), *(fold.cutoff for fold in plan.folds[1:])], dtype=np.int64)


def checked_metric(name: str) -> str:
    """Return a metric's name; refuse one that is unknown, or not least where forecasts are best."""
    if metric_of(name).searchable:
        return name
    known = [example(metric) for metric in METRICS.values() if metric.searchable]
    raise ConfigError(f"{name} is no error that a search can make small. Known: {', '.join(known)}.")


def _positions(windows: Windows, wanted: Windows) -> Ints:
    """Return where the wanted windows stand among others."""
    width = int(max(windows.cutoff.max(initial=0), wanted.cutoff.max(initial=0))) + 1
    keys, asked = windows.entity * width + windows.cutoff, wanted.entity * width + wanted.cutoff
    order = np.argsort(keys, kind="stable")
    at = np.searchsorted(keys[order], asked)
    inside = at < len(keys)
    inside[inside] = keys[order][at[inside]] == asked[inside]
    if not inside.all():
        raise DataError(
            f"{int((~inside).sum())} of {len(asked)} windows of the inner folds cannot be forecast: they have too "
            "little history for these settings."
        )
    return order[at]
