"""Examples of the OpenAPI page: requests that the models in memory answer as they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.serving.forecasting import texts_of
from foretide.serving.kserve import UNITS, unit_of

if TYPE_CHECKING:
    from foretide.serving.models import Served
    from foretide.typing import Json

MOST = 200
"""Rows of an example at most."""
SHORT = 20
"""Longer examples are written as columns."""


def forecast_example(served: Served) -> Json:
    """Return the body of a request that a model can answer.

    Parameters
    ----------
    served : Served

    Returns
    -------
    dict
    """
    layout, times = served.layout, _times(served)
    texts, n = served.texts, len(times)
    rows: Json = {} if layout.ids == ("",) or layout.names.melted else {layout.names.id: ["example"] * n}
    rows[layout.names.time] = times
    for k, name in enumerate((*(layout.names.melted or layout.targets), *layout.past, *layout.future)):
        rows[name] = [texts[name][0]] * n if name in texts else _wave(n, k)
    for name in layout.static.names:
        rows[name] = [texts[name][0] if name in texts else 1.0] * n
    records = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
    asked: Json = {
        "model": served.name,
        "history": records if len(records) <= SHORT else rows,
        "h": min(3, served.model.h),
        "levels": [80],
    }
    if layout.future:
        asked["future"] = _ahead(served, rows, len(times))
    return asked


def _ahead(served: Served, rows: Json, n: int) -> list[Json]:
    layout, h = served.layout, served.model.h
    later = _times(served, n + h)[n:]
    known = {name: rows[name][0] for name in rows if name not in (*layout.targets, *layout.past, *layout.names.melted)}
    return [{**known, layout.names.time: time} for time in later]


def _times(served: Served, n: int | None = None) -> list[str | int]:
    """Return times that follow those that were learned from."""
    rows = n or min(max(served.model.min_history, 8), MOST)
    last = served.model.fitted_step(served.layout)
    return texts_of(served.layout.grid.output_times((last or 0) + 1 + np.arange(rows)))


def _wave(n: int, k: int) -> list[float]:
    return [round(float(x), 2) for x in 20 + k + 5 * np.sin(np.arange(n) * 0.9)]


def kserve_example(served: Served) -> Json | None:
    """Return a request of KServe's protocol that a model can answer; None where it has columns beside its targets.

    Parameters
    ----------
    served : Served

    Returns
    -------
    dict or None
    """
    layout, times = served.layout, _times(served)
    word = next((word for word, unit in UNITS.items() if unit == unit_of(layout.grid.freq)), None)
    if layout.past or layout.future or layout.static.names or layout.names.melted:
        return None
    if word is None and not layout.grid.is_integer:
        return None
    waves = [_wave(len(times), k) for k in range(len(layout.targets))]
    several = len(waves) > 1
    return {
        "model": served.name,
        "inputs": [
            {
                "type": "multivariate_time_series" if several else "univariate_time_series", "name": "example",
                "series": [list(row) for row in zip(*waves, strict=True)] if several else waves[0],
                "frequency": word or "day", "start_timestamp": str(times[0]),
            }
        ],
        "options": {"horizon": min(3, served.model.h), "quantiles": [0.1, 0.9]},
    }  # fmt: skip
