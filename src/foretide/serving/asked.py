"""A request as it is worked on: which model, which rows, which settings; and whether it can share a call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from foretide.errors import ForetideError
from foretide.forecasters.levels import DEFAULT_LEVELS, interval_levels, quantile_levels
from foretide.serving.limits import Limits, RequestError, too_large
from foretide.serving.models import Served

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.serving.tables import Columns
    from foretide.typing import Array, Ints

Key: TypeAlias = tuple[object, ...]
"""Requests of one key are forecast together."""
_LOW, _HIGH = (np.datetime64(text) for text in ("1700-01-01", "2250-01-01"))


@dataclass(frozen=True)
class Settings:
    """What is asked of a model.

    Attributes
    ----------
    h : int or None
        The first so many steps; all by default.
    levels, quantiles : tuple of float
    samples, seed : int
    notes, attention : bool
    """

    h: int | None = None
    levels: tuple[float, ...] = DEFAULT_LEVELS
    quantiles: tuple[float, ...] = ()
    samples: int = 0
    seed: int = 0
    notes: bool = True
    attention: bool = False

    def checked(self, served: Served, limits: Limits) -> Settings:
        """Return the settings as the model takes them, or refuse them before anything is computed.

        Parameters
        ----------
        served : Served
        limits : Limits

        Returns
        -------
        Settings
        """
        model = served.model
        if len(self.levels) + len(self.quantiles) > limits.levels:
            n = len(self.levels) + len(self.quantiles)
            raise too_large("levels and quantiles", n, limits.levels, "Ask for fewer.")
        if self.h is not None and self.h > model.h:
            raise RequestError(f"h: {model.name} forecasts {model.h} steps, not {self.h}.", 422, "ConfigError")
        if self.samples == 1:
            raise RequestError("samples: expected none, 0, or at least 2 paths, got 1.", 422, "ConfigError")
        if self.attention and "attention" not in model.traces:
            raise RequestError(f"attention: {model.name} has no attention to return.", 422, "ConfigError")
        levels = DEFAULT_LEVELS if self.levels == DEFAULT_LEVELS else interval_levels(self.levels)
        return replace(self, levels=levels, quantiles=quantile_levels(self.quantiles))


@dataclass(frozen=True, eq=False)
class Asked:
    """A request.

    Attributes
    ----------
    served : Served
    settings : Settings
    columns : dict
        Its rows.
    plain : Plain or None
        The same rows where they need no reading; None: they are read as any table is.
    rows : int
    """

    served: Served
    settings: Settings
    columns: Columns
    plain: Plain | None
    rows: int

    @classmethod
    def of(cls, served: Served, settings: Settings, columns: Columns, limits: Limits) -> Asked:
        """Return a request whose settings are checked, and whose answer is not too large.

        Parameters
        ----------
        served : Served
        settings : Settings
        columns : dict
        limits : Limits

        Returns
        -------
        Asked
        """
        settings = settings.checked(served, limits)
        rows = len(next(iter(columns.values())))
        n, per = _series_in(served.layout, columns), 1 + 2 * len(settings.levels) + len(settings.quantiles)
        if n > limits.series:
            raise too_large("series", n, limits.series, "Send them in several requests.")
        model = served.model
        cells = n * len(served.layout.targets) * (settings.h or model.h) * (per + settings.samples)
        if settings.attention:
            cells += n * model.h * (model.memory or rows) * int(getattr(getattr(model, "config", None), "heads", 1))
        if cells > limits.cells:
            raise too_large(
                "numbers in the answer", cells, limits.cells, "Send fewer series, or ask for fewer samples."
            )
        return cls(served, settings, columns, plain_of(served.layout, columns), rows)

    @property
    def key(self) -> Key | None:
        """What requests forecast together have in common; None for one that is forecast alone."""
        if self.plain is None or self.served.model.reads_others:
            return None
        s = self.settings
        return id(self.served), s.h, s.levels, s.quantiles, s.attention

    def frame(self) -> pd.DataFrame:
        """Return the rows as a frame."""
        return pd.DataFrame(self.columns)


@dataclass(frozen=True, eq=False)
class Plain:
    """Rows of times and numbers that can be read together with those of others.

    Attributes
    ----------
    ids : tuple of str
        The series.
    codes : int array ``[R]``
        Which one a row belongs to.
    times : datetime64 or int array ``[R]``
    values : dict
        Column that the model knows -> numbers ``[R]``.
    """

    ids: tuple[str, ...]
    codes: Ints
    times: Array
    values: Columns


def _series_in(layout: Panel, columns: Columns) -> int:
    """Count the series of a table, at least one."""
    if layout.names.id in columns:
        return max(1, len(set(columns[layout.names.id].tolist())))
    return max(1, len(layout.names.melted))


def plain_of(layout: Panel, columns: Columns) -> Plain | None:
    """Return rows that are what reading would make of them; None where reading has something to find out.

    Times are whole dates of ISO 8601 without a zone, or integers; all cells are finite numbers or missing.

    Parameters
    ----------
    layout : Panel
        What was fitted on.
    columns : dict

    Returns
    -------
    Plain or None
    """
    names, needed = layout.names, (*layout.targets, *layout.past, *layout.future, *layout.static.names)
    if names.melted or set(names.reading) & {"resample", "decimal", "thousands", "time_format"}:
        return None
    if names.time not in columns or not all(name in columns for name in needed):
        return None
    values = {name: columns[name] for name in needed}
    if any(own.dtype.kind not in "fi" or np.isinf(own).any() for own in values.values()):
        return None
    times = _plain_times(columns[names.time], integer=layout.grid.is_integer)
    if times is None:
        return None
    ids: tuple[str, ...] = ("",)
    codes: Ints = np.zeros(len(times), dtype=np.int64)
    if layout.ids != ("",):
        labels = columns.get(names.id)
        if labels is None or not (labels.dtype.kind == "i" or set(map(type, labels)) == {str}):
            return None
        ids, codes = _coded(labels)
        if not all(name.strip() for name in ids):
            return None
    elif names.id in columns:
        return None
    return Plain(ids, codes, times, values)


def _coded(labels: Array) -> tuple[tuple[str, ...], Ints]:
    """Return names in the order in which they come, and which one each row has."""
    rows = labels.tolist()
    place = {name: k for k, name in enumerate(dict.fromkeys(rows))}
    codes = np.fromiter(map(place.__getitem__, rows), dtype=np.int64, count=len(rows))
    return tuple(map(str, place)), codes


def _plain_times(cells: Array, *, integer: bool) -> Array | None:
    if integer or cells.dtype.kind == "i":
        return cells if integer and cells.dtype.kind == "i" else None
    if cells.dtype.kind == "M":
        return None if np.isnat(cells).any() else cells
    if cells.dtype != object or set(map(type, cells)) != {str}:
        return None
    texts = cells.tolist()
    days, rest = "".join([text[:10] for text in texts]), "".join([text[10:] for text in texts])
    # "now" and "today" are times to NumPy, and what follows a minute can be a zone.
    if set(days) - set("0123456789-") or set(rest) - set("T 0123456789:.") or min(map(len, texts)) < 10:
        return None
    try:
        times = np.array(texts, dtype="datetime64")
    except (ValueError, OverflowError):
        return None
    inside = not np.isnat(times).any() and bool(times.min() >= _LOW) and bool(times.max() <= _HIGH)
    return times.astype("datetime64[ns]") if inside else None


def as_refusal(error: BaseException) -> RequestError | None:
    """Return an error of a request as what is answered; None for one that is not the request's fault.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    RequestError or None
    """
    if isinstance(error, RequestError):
        return error
    own = isinstance(error, ForetideError) and not isinstance(error, (OSError, ImportError))
    return RequestError(str(error), 422, type(error).__name__) if own else None
