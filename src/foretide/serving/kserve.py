"""KServe's protocol for time series: its requests as ours, and our answers as its own."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from foretide.errors import DataError, ForetideError
from foretide.serving.asked import Settings
from foretide.serving.limits import Limits, RequestError, too_large
from foretide.serving.models import Served

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.serving.tables import Columns
    from foretide.typing import Array, Json

UNITS = {
    "second": "s",
    "minute": "min",
    "hour": "h",
    "day": "D",
    "week": "W",
    "month": "M",
    "quarter": "Q",
    "year": "Y",
}
"""Frequency of the protocol -> the unit of steps it stands for; ``S``, ``T`` … are short for them."""
_SHORT = {"S": "s", "T": "min", "H": "h", "D": "D", "W": "W", "M": "M", "Q": "Q", "Y": "Y"}
_NUMBER = {"type": ["number", "null"]}
Values = Annotated[
    Any,
    WithJsonSchema(
        {
            "oneOf": [
                {"type": "array", "minItems": 1, "items": _NUMBER},
                {"type": "array", "minItems": 1, "items": {"type": "array", "minItems": 1, "items": _NUMBER}},
            ]
        }
    ),
]


class Input(BaseModel):
    """A series that is to be continued."""

    model_config = ConfigDict(extra="allow", strict=True)

    type: Annotated[str, Field(pattern="^(univariate|multivariate)_time_series$")] = "univariate_time_series"
    name: str = Field(max_length=200)
    series: Values = Field(description="Values, the oldest first; of several targets a list of them for each time.")
    frequency: Annotated[str, Field(json_schema_extra={"enum": [*UNITS, *_SHORT]})]
    start_timestamp: str | None = Field(None, max_length=100, description="Time of the first value, ISO 8601.")


class Options(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="allow", strict=True)

    horizon: Annotated[int, Field(ge=1, le=1_000_000)]
    quantiles: list[float] | None = None


class Request(BaseModel):
    """A request of KServe's protocol for time series."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: Annotated[str, Field(max_length=200)]
    inputs: Annotated[list[Input], Field(min_length=1)]
    options: Options
    metadata: dict[str, Any] | None = None


class Continuation(BaseModel):
    """The forecast of one series."""

    type: str
    name: str
    mean_forecast: list[Any]
    frequency: str
    start_timestamp: str
    quantiles: dict[str, list[Any]] | None = None


class Output(BaseModel):
    """All forecasts of a request."""

    type: str
    id: str
    status: str
    content: list[Continuation]
    error: dict[str, Any] | None = None


class Response(BaseModel):
    """An answer of KServe's protocol for time series."""

    id: str
    created_at: int
    status: str
    error: dict[str, Any] | None = None
    model: str
    outputs: list[Output]


def unit_of(freq: str | int) -> str | None:
    """Return the unit of a model's steps, or None where they are several of one, or none of the protocol's.

    Parameters
    ----------
    freq : str or int

    Returns
    -------
    str or None

    Examples
    --------
    >>> from foretide.serving.kserve import unit_of
    >>> unit_of("h"), unit_of("MS"), unit_of("W-SUN"), unit_of("15min")
    ('h', 'M', 'W', None)
    """
    found = re.fullmatch(r"(s|min|h|D|W|M|Q|Y)[SE]?(-[A-Z]{3})?", str(freq))
    return found[1] if found else None


def read_request(asked: Request, served: Served, limits: Limits) -> tuple[Settings, Columns]:
    """Return a request as the model takes it.

    Parameters
    ----------
    asked : Request
    served : Served
    limits : Limits

    Returns
    -------
    settings : Settings
    columns : dict

    Raises
    ------
    RequestError
        Where the steps are not those of the model, where a series has no time, or where the model needs columns that
        the protocol does not have.
    """
    layout, model = served.layout, served.model
    others = [*layout.past, *layout.future, *layout.static.names]
    if others or layout.names.melted:
        needs = f"needs the columns {', '.join(others)}" if others else "reads tables of several series in columns"
        raise RequestError(f"{model.name} {needs}, which this protocol does not have. Use /v1/forecast.")
    if len(asked.inputs) > limits.series:
        raise too_large("series", len(asked.inputs), limits.series, "Send them in several requests.")
    if layout.ids == ("",) and len(asked.inputs) > 1:
        raise RequestError(f"{model.name} was fitted on one series without a name, and forecasts one in a request.")
    d = len(layout.targets)
    parts = [_values(entry, d) for entry in asked.inputs]
    if sum(len(values) for values in parts) > limits.rows:
        n = sum(len(values) for values in parts)
        raise too_large("rows", n, limits.rows, "Send the latest rows of each series only.")
    times = [_times(entry, len(own), layout, served) for entry, own in zip(asked.inputs, parts, strict=True)]
    values = np.concatenate(parts)
    columns: Columns = {name: values[:, k].copy() for k, name in enumerate(layout.targets)}
    columns[layout.names.time] = _joined(times)
    if layout.ids != ("",):
        names = np.array([entry.name for entry in asked.inputs], dtype=object)
        columns[layout.names.id] = np.repeat(names, [len(own) for own in parts])
    wanted = tuple(asked.options.quantiles or ())
    return Settings(asked.options.horizon, (), wanted, notes=False), columns


def _values(entry: Input, d: int) -> Array:
    """Return the values of a series, ``[T, D]``."""
    kind = "a list of numbers" if d == 1 else f"a list of lists of {d} numbers, one for each time"
    rows = entry.series
    fine = isinstance(rows, list) and bool(rows)
    if (fine and d > 1) or (fine and isinstance(rows[0], list)):
        fine = all(isinstance(row, list) and len(row) == d for row in rows)
        cells = [cell for row in rows for cell in row] if fine else []
    else:
        cells = rows if fine else []
    if not fine or not set(map(type, cells)) <= {int, float, type(None)}:
        raise RequestError(f"series of {entry.name!r}: expected {kind}.")
    try:
        return np.array(cells, dtype=np.float64).reshape(-1, d)
    except OverflowError:
        raise RequestError(f"series of {entry.name!r}: a whole number is too large to compute with.") from None


def _times(entry: Input, n: int, layout: Panel, served: Served) -> pd.Index:
    """Return the times of a series, from its first one on, on the steps of the model."""
    grid, name = layout.grid, served.model.name
    unit = UNITS.get(entry.frequency) or _SHORT.get(entry.frequency)
    if unit is None:
        raise RequestError(f"frequency: expected one of {', '.join((*UNITS, *_SHORT))}, got {entry.frequency[:50]!r}.")
    if grid.is_integer:
        start = entry.start_timestamp or "0"
        if not re.fullmatch(r"-?\d{1,15}", start):
            raise RequestError(f"start_timestamp: {name} counts time in whole numbers, got {start!r}.")
        return pd.Index(int(start) + np.arange(n) * int(grid.freq))
    if unit != unit_of(grid.freq):
        raise RequestError(
            f"frequency: {name} was fitted on steps of {grid.freq!r}, got {entry.frequency!r}. Steps that this "
            "protocol has no word for go to /v1/forecast."
        )
    if entry.start_timestamp is None:
        raise RequestError(
            f"start_timestamp: expected the time of the first value of {entry.name!r}, for what {name} learned of "
            "seasons belongs to times. Type it as 2024-01-01T00:00:00."
        )
    try:
        first = grid.step_of(entry.start_timestamp)
        return grid.output_times(first + np.arange(n))
    except ForetideError as error:
        raise RequestError(f"start_timestamp: {error}", 422, type(error).__name__) from None
    except (ValueError, OverflowError):
        raise RequestError(f"start_timestamp: expected a time, got {entry.start_timestamp!r}.") from None


def _joined(times: list[pd.Index]) -> Array:
    whole = times[0].append(times[1:])
    if not isinstance(whole, pd.DatetimeIndex):
        return np.asarray(whole, dtype=np.int64)
    return np.asarray(whole.to_numpy() if whole.tz is None else whole.astype(object).to_numpy())


def write_response(answer: Json, asked: Request, served: Served) -> Json:
    """Return an answer as KServe's protocol has it.

    Parameters
    ----------
    answer : dict
        As of ``/v1/forecast``.
    asked : Request
    served : Served

    Returns
    -------
    dict
    """
    d = len(served.layout.targets)
    rows = answer["forecasts"]
    if len(rows) != d * len(asked.inputs):
        raise DataError("A series has no observed value, so there is nothing to forecast from.")
    content = []
    for k, entry in enumerate(asked.inputs):
        own = rows[k * d : (k + 1) * d]
        one: Json = {
            "type": entry.type, "name": entry.name, "frequency": entry.frequency,
            "mean_forecast": _turned([row["mean"] for row in own]), "start_timestamp": str(own[0]["times"][0]),
        }  # fmt: skip
        if asked.options.quantiles:
            levels = own[0]["quantiles"]
            one["quantiles"] = {level: _turned([row["quantiles"][level] for row in own]) for level in levels}
        content.append(one)
    output = {"type": "time_series_forecast", "id": answer["id"], "status": "completed", "content": content}
    return {
        "id": answer["id"], "created_at": int(time.time()), "status": "completed", "model": asked.model,
        "outputs": [output],
    }  # fmt: skip


def _turned(columns: list[list[Any]]) -> list[Any]:
    """Return the values of one target as they are, and those of several as a list of them for each time."""
    return columns[0] if len(columns) == 1 else [list(row) for row in zip(*columns, strict=True)]
