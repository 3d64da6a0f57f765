"""Sections of a configuration: frozen, and a key that is not known is an error."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    field_validator,
    model_serializer,
    model_validator,
)

from foretide.data.reading.options import Options

READING = tuple(f.name for f in fields(Options) if "help" in f.metadata)
"""Options of reading a table, which stand in the section data and are flags of the commands."""


def _time_text(value: object) -> object:
    """YAML reads ``2017-01-01`` as a date; a configuration keeps times as text."""
    return str(value) if isinstance(value, dt.date) else value


Time = Annotated[int | str, BeforeValidator(_time_text)]
"""A time in a configuration: text such as ``2017-10-24 23:00``, or a whole number on integer grids."""


class Section(BaseModel):
    """One part of a configuration: frozen, and a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SyntheticConfig(Section):
    """A series made on the spot.

    Attributes
    ----------
    generator : str
        ``hourly``, ``planted_lags``, ``planted_lookup`` or ``supplies``.
    args : dict
        What the generator takes: ``T``, ``n_series``, ``seed``, ….
    """

    generator: Literal["hourly", "planted_lags", "planted_lookup", "supplies"] = "hourly"
    args: dict[str, object] = Field(default_factory=dict)


class DataConfig(Section):
    """Where the table is and what its columns are.

    Attributes
    ----------
    path : str, optional
        A CSV or Parquet file, packed or not; or a folder of Parquet files, or a pattern (``sales/*.parquet``), which
        may be larger than the memory: see :meth:`foretide.Panel.open`. Relative paths are looked for beside the
        configuration, in the folder above it, in the working folder, and under ``$FORETIDE_DATA`` by file name.
    synthetic : SyntheticConfig, optional
        Instead of ``path``.
    id : str or tuple of str, optional
        Column, or columns, that name the entity (long tables); without it the table is one entity.
    time, target, past, future, static
        Columns by role. ``past: rest`` takes every column that has no other role; so does ``target: rest`` of a table
        without ``id``.
    freq, fill_gaps, missing, resample, aggregate, tz, time_format, decimal, thousands, melt
        As in :meth:`foretide.Panel.from_frame`.
    sep, encoding : str, optional
        As in :meth:`foretide.Panel.read`; found by looking, as the three before them.
    first, last : time, optional
        Use only rows from ``first`` to ``last``, both included.
    """

    path: str | None = None
    synthetic: SyntheticConfig | None = None
    id: str | tuple[str, ...] | None = None
    time: str = "ds"
    target: str | tuple[str, ...] = "y"
    past: Literal["rest"] | tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    freq: str | int | None = None
    fill_gaps: bool = False
    missing: Literal["error", "mask", "ffill"] = "error"
    resample: str | None = None
    aggregate: str | dict[str, str] | None = None
    tz: str | None = None
    melt: bool = False
    time_format: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    sep: str | None = None
    encoding: str | None = None
    first: Time | None = None
    last: Time | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.synthetic is None):
            raise ValueError("expected exactly one of `path` (a CSV or Parquet file) and `synthetic` (a generator)")
        return self


class CalendarConfig(Section):
    """Calendar features for models that can use them.

    Attributes
    ----------
    use : bool
        Off: no calendar features.
    country, subdivision : str, optional
        Whose public holidays count, e.g. ``AU`` and ``VIC``.
    features : tuple of str, optional
        Which features; by default those that suit the frequency.
    """

    use: bool = True
    country: str | None = None
    subdivision: str | None = None
    features: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _country_first(self) -> Self:
        if self.subdivision is not None and self.country is None:
            raise ValueError(f"`subdivision: {self.subdivision}` needs a `country` beside it, e.g. `country: AU`")
        return self


class SplitConfig(Section):
    """Chronological parts: by fractions of the time axis, or by the last time of a part.

    Attributes
    ----------
    fractions : three floats
        Train, validation, test; they sum to one.
    train_until, val_until : time, optional
        Instead of fractions: the last step of the training and of the validation part.
    """

    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    train_until: Time | None = None
    val_until: Time | None = None

    @model_validator(mode="after")
    def _both_dates(self) -> Self:
        if (self.train_until is None) != (self.val_until is None):
            raise ValueError("give both `train_until` and `val_until`, or neither (then `fractions` count)")
        if abs(sum(self.fractions) - 1) > 1e-6 or min(self.fractions) < 0 or self.fractions[0] <= 0:
            raise ValueError(f"`fractions` must be positive and sum to one, got {list(self.fractions)}")
        return self


class BacktestConfig(Section):
    """Folds of ``foretide backtest``; what is not given is as in :func:`foretide.backtest`.

    Attributes
    ----------
    step : int, optional
        Steps between neighbouring cutoffs; by default the least number of at least ``h`` that reaches every phase of
        the season.
    n_windows : int, optional
        Number of folds.
    start : time, optional
        First cutoff. Without ``start`` and ``n_windows`` the folds cover the test part of ``split``.
    gap, train_size, val_size
        Steps left out before the cutoff, of a sliding training part, and kept for validation.
    refit : bool or int
        ``true``: every fold; ``3``: every third; ``false``: one fit.
    warm_start : bool
    n_jobs : int
        Fits side by side.
    """

    step: int | None = Field(default=None, ge=1)
    n_windows: int | None = Field(default=None, ge=1)
    start: Time | None = None
    gap: int = Field(default=0, ge=0)
    train_size: int | None = Field(default=None, ge=2)
    val_size: int | None = Field(default=None, ge=0)
    refit: StrictBool | int = False
    warm_start: bool = False
    n_jobs: int = Field(default=1, ge=-1)


class SearchConfig(Section):
    """Search for settings before a run fits its models; see :func:`foretide.tune`.

    Attributes
    ----------
    models : tuple of str, optional
        Which of the run's models; by default all that have settings to search.
    n_trials : int, or dict of str to int, optional
        Finished trials in all, or of each model: ``{LSTM: 3, Attention: 5}``.
    timeout : str or int, optional
        Seconds, or text such as ``30m`` or ``2h``; no trial begins later.
    n_windows, step : int, optional
        Inner folds that a trial is judged on; they end before the test part.
    sampler : {"tpe", "random"}
    pruner : {"median", "hyperband"} or None
    n_jobs : int
        Processes that work on the study.
    """

    models: tuple[str, ...] | None = None
    n_trials: int | dict[str, int] | None = None
    timeout: str | int | None = None
    n_windows: int | None = Field(default=None, ge=1)
    step: int | None = Field(default=None, ge=1)
    sampler: Literal["tpe", "random"] = "tpe"
    pruner: Literal["median", "hyperband"] | None = "median"
    n_jobs: int = Field(default=1, ge=-1)

    @field_validator("n_trials", mode="before")
    @classmethod
    def _whole_trials(cls, value: object) -> object:
        counts = list(value.values()) if isinstance(value, dict) else [value]
        if value is not None and not (counts and all(type(count) is int and count > 0 for count in counts)):
            raise ValueError("expected a whole number above 0, or one of each model: {LSTM: 3, Attention: 5}")
        return value

    @model_validator(mode="after")
    def _some_budget(self) -> Self:
        if self.n_trials is None and self.timeout is None:
            raise ValueError("give `n_trials: 30`, `timeout: 30m`, or both")
        return self


class ModelConfig(Section):
    """One model: its name and what its constructor takes besides ``h``."""

    name: str
    settings: dict[str, object] = Field(default_factory=dict)

    @model_serializer
    def _as_written(self) -> str | dict[str, object]:
        return {self.name: dict(self.settings)} if self.settings else self.name
