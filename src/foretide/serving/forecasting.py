"""Requests to answers: many in one call of ``predict`` where that says the same, one by one elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.reading.accept import as_panel
from foretide.data.windows import Windows
from foretide.errors import DataError
from foretide.forecasters.levels import bounds_of

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.forecast import Forecast
    from foretide.serving.asked import Asked, Plain
    from foretide.typing import Array, Bools, Ints, Json


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a request.

    Attributes
    ----------
    answer : dict or None
        The body but for its id.
    error : Exception or None
    shared : int
        Requests that were forecast in the same call.
    """

    answer: Json | None
    error: Exception | None = None
    shared: int = 1


def forecast_all(requests: Sequence[Asked]) -> list[Outcome]:
    """Answer requests of one key.

    Parameters
    ----------
    requests : sequence of Asked
        The same settings of the same model; one alone may be anything.

    Returns
    -------
    list of Outcome
        In the same order.
    """
    if all(request.plain is not None for request in requests):
        together = _together(requests)
        if together is not None:
            return together
    return [_alone(request) for request in requests]


def _alone(request: Asked) -> Outcome:
    """Answer one request as a call from Python would be answered."""
    asked, model = request.settings, request.served.model
    traces: dict[str, Any] = {"attention": True} if asked.attention else {}
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            forecast = model.predict(
                request.frame(), levels=asked.levels, h=asked.h, quantiles=asked.quantiles, **traces
            )
            answer = _answers(forecast, [request], [np.arange(len(forecast))], forecast.panel.ids)[0]
    except Exception as error:
        return Outcome(None, error)
    texts = [str(w.message) for w in said if issubclass(w.category, UserWarning)]
    return Outcome({**answer, "warnings": list(dict.fromkeys(texts))})


def _together(requests: Sequence[Asked]) -> list[Outcome] | None:
    """Answer requests with one call; None where one of them needs a look of its own."""
    first, parts = requests[0], [request.plain for request in requests]
    model, layout = first.served.model, first.served.layout
    asked = first.settings
    plains = [part for part in parts if part is not None]
    traces: dict[str, Any] = {"attention": True} if asked.attention else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            panel, owner = _panel(plains, layout)
            if not (panel.observed > 0).all() or (model.needs_future and _without_future(panel, model.h).any()):
                return None
            windows = Windows(np.arange(panel.n_entities), panel.observed - 1)
            forecast = model.predict(
                _told_apart(panel, frozenset(layout.ids)), windows, levels=asked.levels, h=asked.h,
                quantiles=asked.quantiles, **traces,
            )  # fmt: skip
            places = [np.flatnonzero(owner == k) for k in range(len(requests))]
            answers = _answers(forecast, requests, places, panel.ids)
    except (DataError, Warning):
        return None
    return [Outcome({**answer, "warnings": []}, shared=len(requests)) for answer in answers]


def _panel(parts: Sequence[Plain], layout: Panel) -> tuple[Panel, Ints]:
    """Read the rows of several requests as one panel; return which request each series belongs to, too."""
    names = layout.names
    starts = np.cumsum([0, *(len(part.ids) for part in parts)])
    cells: dict[str, Array] = {
        names.id: np.concatenate([part.codes + start for part, start in zip(parts, starts, strict=False)]),
        names.time: np.concatenate([part.times for part in parts]),
    }
    for name in parts[0].values:
        cells[name] = np.concatenate([part.values[name] for part in parts])
    # One unnamed series is read without a column of names; here it is one of many.
    like = layout if layout.ids != ("",) else replace(layout, ids=("0",))
    panel = as_panel(pd.DataFrame(cells), like)
    place = np.array([int(label) for label in panel.ids])
    owner = np.repeat(np.arange(len(parts)), [len(part.ids) for part in parts])[place]
    every = [name for part in parts for name in part.ids]
    return replace(panel, ids=tuple(every[k] for k in place)), owner


def _told_apart(panel: Panel, known: frozenset[str]) -> Panel:
    """Return a panel in which series unknown at fit have names of their own; two requests may use one name.

    A model finds what it learned of a series by its name, which may come twice; what it sees of others, too.
    """
    taken: set[str] = set()
    names = []
    for k, name in enumerate(panel.ids):
        own = name if name in known or name not in taken else f"{name} ({k})"
        while own in taken and own not in known:
            own += "'"
        taken.add(own)
        names.append(own)
    return replace(panel, ids=tuple(names))


def _without_future(panel: Panel, h: int) -> Bools:
    """Whether a series lacks a known-future value in some step ahead of its last target, ``[N]``."""
    lacking = panel.length - panel.observed < h
    for i in np.flatnonzero(~lacking):
        ahead = panel.rows(int(i))[panel.observed[i] : panel.observed[i] + h, panel.n_targets + len(panel.past) :]
        lacking[i] = bool(np.isnan(ahead).any())
    return np.asarray(lacking) & bool(panel.future)


# ---------------------------------------------------------------- answers
def _answers(forecast: Forecast, requests: Sequence[Asked], places: Sequence[Ints], ids: tuple[str, ...]) -> list[Json]:
    """Return the answer of every request, whose forecasts stand at ``places`` of a common one."""
    panel, (n, h, _) = replace(forecast.panel, ids=ids), forecast.mean.shape
    steps = forecast.cutoff_steps
    ahead = texts_of(panel.grid.output_times((steps[:, None] + np.arange(1, h + 1)).reshape(-1)))
    times = [ahead[k * h : (k + 1) * h] for k in range(n)]
    cutoffs = texts_of(panel.grid.output_times(steps))
    asked, names = requests[0].settings, panel.names
    mean = np.swapaxes(np.asarray(forecast.mean, dtype=np.float64), 1, 2)
    bounds = {f"{level:.10g}": [_steps(forecast, q) for q in bounds_of(level)] for level in forecast.levels}
    quantiles = {f"{q:.10g}": _steps(forecast, q) for q in forecast.quantile_columns}
    notes = forecast.note_texts() if any(request.settings.notes for request in requests) else [""] * n
    found: list[Json] = []
    for request, own in zip(requests, places, strict=True):
        samples = _samples(forecast, panel, request, own)
        rows = []
        for j, k in enumerate(own.tolist()):
            entity = int(forecast.windows.entity[k])
            for t, target in enumerate(panel.targets):
                row: Json = {
                    "id": panel.series_name(entity, t), "target": target, "cutoff": cutoffs[k], "times": times[k],
                    "mean": numbers(mean[k, t]),
                    "intervals": {
                        name: {"lower": numbers(low[k, t]), "upper": numbers(high[k, t])}
                        for name, (low, high) in bounds.items()
                    },
                    "quantiles": {name: numbers(own_q[k, t]) for name, own_q in quantiles.items()},
                }  # fmt: skip
                if samples is not None:
                    row["samples"] = [numbers(path) for path in samples[j, :, :, t]]
                if request.settings.notes and notes[k]:
                    row["note"] = notes[k]
                rows.append(row)
        answer: Json = {
            "model": request.served.name, "version": request.served.version, "forecaster": forecast.model,
            "columns": {"id": names.id, "time": names.time}, "zone": panel.grid.tz, "forecasts": rows,
        }  # fmt: skip
        if asked.attention:
            weights = np.asarray(forecast.extras["attention"])
            answer["attention"] = [
                {"id": panel.ids[int(forecast.windows.entity[k])], "cutoff": cutoffs[k], "weights": nested(weights[k])}
                for k in own.tolist()
            ]
        found.append(answer)
    return found


def _steps(forecast: Forecast, quantile: float) -> Array:
    return np.swapaxes(np.asarray(forecast.quantile(quantile), dtype=np.float64), 1, 2)


def _samples(forecast: Forecast, panel: Panel, request: Asked, own: Ints) -> Array | None:
    """Return the paths of a request's forecasts ``[n, paths, H, D]``, or None where it asks for none.

    They are drawn from its own series under their own names, which decide what is drawn.
    """
    asked = request.settings
    if not asked.samples:
        return None
    windows = forecast.windows[own]
    alone = Windows(np.arange(len(own)), windows.cutoff)
    return replace(forecast.take(own), panel=panel.take(windows.entity), windows=alone).sample(
        asked.samples, asked.seed
    )


def texts_of(times: pd.Index) -> list[str | int]:
    """Return times as JSON has them: ISO 8601, or integers.

    Parameters
    ----------
    times : index

    Returns
    -------
    list

    Examples
    --------
    >>> import pandas as pd
    >>> from foretide.serving.forecasting import texts_of
    >>> texts_of(pd.date_range("2024-01-01", periods=2, freq="h"))
    ['2024-01-01T00:00:00', '2024-01-01T01:00:00']
    """
    if not isinstance(times, pd.DatetimeIndex):
        return [int(time) for time in times]
    if times.tz is None:
        stamps = times.to_numpy().astype("datetime64[ns]")
        whole = stamps.astype("datetime64[s]")
        exact = whole if (whole == stamps).all() else stamps
        return list(np.datetime_as_string(exact).tolist())
    return [time.isoformat() for time in times]


def numbers(values: Array) -> list[float | None]:
    """Return numbers as JSON has them: what is missing is None.

    Parameters
    ----------
    values : float array ``[n]``

    Returns
    -------
    list
    """
    found: list[float | None] = values.tolist()
    if np.isfinite(values).all():
        return found
    return [x if x is not None and np.isfinite(x) else None for x in found]


def nested(values: Array) -> list[Any]:
    """Return an array of any depth as lists, as :func:`numbers` does.

    Parameters
    ----------
    values : float array

    Returns
    -------
    list
    """
    return numbers(values) if values.ndim == 1 else [nested(part) for part in values]
