"""The one call: any table in; what comes next, with intervals, and how good it is likely to be, out."""

from __future__ import annotations

import sys
import time as clock
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeAlias, Unpack, cast

from foretide.data.files import file_name
from foretide.data.reading.options import AnyOptions
from foretide.errors import ConfigError, DataError, nearest
from foretide.evaluation.rolling.backtest import backtest
from foretide.forecasters.auto.auto import Auto
from foretide.forecasters.auto.candidates import usual_candidates
from foretide.forecasters.base import Forecaster
from foretide.forecasters.levels import DEFAULT_LEVELS, interval_levels, quantile_levels
from foretide.forecasters.options import check_foreign
from foretide.forecasters.table import as_typed, forecaster_class, registered
from foretide.forecasters.wrappers.wrapper import unfitted
from foretide.jobs.config import Config
from foretide.jobs.folder import RunFolder
from foretide.jobs.forecast_folder import FORECAST, keep_forecast
from foretide.jobs.forecast_result import ForecastResult
from foretide.jobs.job import working
from foretide.jobs.prepare import Prepared
from foretide.jobs.tables import read_any
from foretide.jobs.threads import network_threads
from foretide.parallel import Where, using

if TYPE_CHECKING:
    from foretide.data.reading.options import FileOptions
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.forecasters.wrappers.wrapper import Member
    from foretide.jobs.job import Place
    from foretide.jobs.tables import Data, Source

    Columns: TypeAlias = str | Sequence[str] | None

Say = Callable[[str], None]
TIME_LIMIT = 60.0
"""Seconds that a call may take by default."""
SHARE = 0.95
"""So much of them is for finding and fitting a model; the rest is for reading and forecasting."""
LEAST_TIME = 1.0
"""Seconds left to it however long the table took to read."""
JUDGED_ON = (3, 1)
"""Origins that a named model is judged from, as far as the series are long enough."""


@dataclass(frozen=True)
class Ask:
    """What a person asks for beside the table.

    Attributes
    ----------
    h : int or None
        Steps to forecast; one season by default.
    model : Forecaster, str, {name: settings} or None
        :class:`foretide.Auto` by default.
    levels, quantiles : float, or iterable of float
    season : int or None
    time_limit : float or None
        Seconds; None: as long as it takes.
    seed : int
    """

    h: int | None = None
    model: Member | None = None
    levels: float | Iterable[float] = DEFAULT_LEVELS
    quantiles: float | Iterable[float] = ()
    season: int | None = None
    time_limit: float | None = TIME_LIMIT
    seed: int = 0

    @property
    def steps(self) -> int | None:
        """Steps to forecast, as asked for, or as the model was made for; None where neither says."""
        own = self.model.h if isinstance(self.model, Forecaster) else None
        if isinstance(self.model, Mapping):
            own = cast("int | None", next((dict(of or {}).get("h") for of in self.model.values()), None))
        return own if self.h is None else self.h

    @property
    def for_model(self) -> float | None:
        """Seconds that reading the table and finding and fitting a model may take; None where there is no limit."""
        return None if self.time_limit is None else max(SHARE * self.time_limit, min(LEAST_TIME, self.time_limit))

    def forecaster(self, h: int, time_limit: float | None) -> Forecaster:
        """Return the unfitted model.

        Parameters
        ----------
        h : int
        time_limit : float or None
            Seconds that are left.

        Returns
        -------
        Forecaster
        """
        if isinstance(self.model, Forecaster):
            return self.model.fresh() if self.model.h == h else self.model.fresh(h=h)
        season = {} if self.season is None else {"season": self.season}
        shared = {**season, "seed": self.seed, "time_limit": time_limit}
        ((name, settings),) = named_model("Auto" if self.model is None else self.model).items()
        kind = forecaster_class(name)
        known = kind.parameters()
        for key in settings:
            if key not in known and key not in kind.former and not kind.takes_any():
                check_foreign(name, {key: settings[key]}, known)
                raise ConfigError(f"{name} has no setting {key!r}. {nearest(key, known)}")
        own = {key: value for key, value in shared.items() if key in known}
        return unfitted({name: {**own, **settings, "h": h}}, h)


def named_model(model: Member) -> dict[str, dict[str, object]]:
    """Return a model as ``{name: settings}``, however its name is spelt.

    Parameters
    ----------
    model : str or {name: settings}

    Returns
    -------
    dict

    Raises
    ------
    ConfigError
        For what is none of these.

    Examples
    --------
    >>> named_model("seasonal-es")
    {'SeasonalES': {}}
    """
    named = {model: {}} if isinstance(model, str) else model
    if not isinstance(named, Mapping) or len(named) != 1:
        raise ConfigError(f"model is a forecaster, its name, or {{name: settings}}; got {model!r}.")
    return {as_typed(name): dict(settings or {}) for name, settings in named.items()}


# ---------------------------------------------------------------- the two calls
def forecast(
    data: Data, h: int | None = None, *, id: Columns = None, time: str | None = None, target: Columns = None,
    past: Columns = None, future: Columns = None, static: Columns = None, model: Member | None = None,
    levels: float | Iterable[float] = DEFAULT_LEVELS, quantiles: float | Iterable[float] = (),
    season: int | None = None, time_limit: float | None = TIME_LIMIT, seed: int = 0, checkpoint: Place | None = None,
    progress: bool | Say | None = None, executor: Where | None = None, **reading: Unpack[AnyOptions],
) -> ForecastResult:  # fmt: skip
    """Forecast what comes next in any table.

    Parameters
    ----------
    data : path, pandas or polars data frame, or Panel
        A CSV or Parquet file; a long table, one with a column per series, or one with its times in the index; a pandas
        series. Rows after the last observed ones hold what is known ahead, their targets empty.
    h : int, optional
        Steps to forecast; one season by default, and a note says so.
    id, time, target, past, future, static : str or sequence of str, optional
        Roles of columns, as in :meth:`foretide.Panel.from_frame`. Those not given are guessed, and notes say how.
    model : Forecaster, str or {name: settings}, optional
        What forecasts; :class:`foretide.Auto` by default, which tries several and blends the good ones.
    levels, quantiles : float, or iterable of float
        Central interval levels in percent, further quantiles as fractions.
    season, seed : int, optional
        Steps of one season; found by default. Equal seeds give equal forecasts unless the time limit left things out.
    time_limit : float or None
        Seconds that the call may take: Auto leaves out what would take longer. None: as long as it takes.
    checkpoint : path, optional
        As of ``Forecaster.fit``: a killed call that is made again goes on.
    progress : bool or callable, optional
        Gets a line for every step, with the time left; by default it is printed where a person watches.
    executor : str or {name: options}, optional
        Where Auto's candidates are judged, such as ``"ray"``: see :func:`foretide.parallel.using`.
    **reading
        ``freq``, ``tz``, ``decimal``, ``resample`` …, as in :meth:`foretide.Panel.read`. Unless told otherwise, missing
        values stay missing, absent steps count as missing, and rows that say the same twice count once.

    Returns
    -------
    ForecastResult
        ``.to_frame()`` in the table's own columns, ``.plot()``, ``.leaderboard()``, ``.verdict()``, ``.notes``,
        ``.report(folder)``, ``.model``.

    Raises
    ------
    DataError
        One that lists every problem of the table, with what to type.
    ConfigError
        For settings that cannot work.

    Examples
    --------
    >>> import foretide as ft
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=60), "sold": range(60)})
    >>> ft.forecast(frame, h=2, model="Drift").to_frame().sold.to_list()
    [60.0, 61.0]
    """
    roles = {"id": id, "time": time, "target": target, "past": past, "future": future, "static": static}
    call = Call.of(data, Ask(h, model, levels, quantiles, season, time_limit, seed), roles, reading)
    return call.result(_teller(progress), checkpoint, executor)


def run_forecast(
    data: Data, ask: Ask, roles: Mapping[str, Columns], reading: FileOptions, *, output: Place | None = None,
    overwrite: bool = False, progress: Say | None = None,
) -> RunFolder:  # fmt: skip
    """Forecast what comes next in a table and leave a folder with the forecast, the page and the model.

    Parameters
    ----------
    data, roles, reading
        As for :func:`forecast`.
    ask : Ask
    output : path, optional
        Folder; by default a free name under ``runs``.
    overwrite : bool
        Replace a finished forecast in that folder.
    progress : callable, optional
        Gets one line of text for every step.

    Returns
    -------
    RunFolder
        ``forecast.csv``, ``report.html`` and ``models`` in it are where to begin.

    Raises
    ------
    ConfigError, DataError
        Before anything is written, where table or settings cannot work.
    StorageError
        Where the folder cannot be written.
    """
    if output is not None:
        RunFolder.refuse(output, overwrite=overwrite)
    call = Call.of(data, ask, roles, reading)
    prepared = Prepared(call.source.panel, call.config)
    with working(FORECAST, call.config, output, overwrite=overwrite, progress=progress, prepared=prepared) as job:
        keep_forecast(job, call.result(job.step).outcome())
    return job.folder


# ---------------------------------------------------------------- what both do
@dataclass(frozen=True, eq=False)
class Call:
    """A call that was checked: its table is read, its model made.

    Attributes
    ----------
    source : Source
    model : Forecaster
        Not fitted yet.
    config : Config
        The call as a configuration.
    """

    source: Source
    model: Forecaster
    config: Config

    @classmethod
    def of(cls, data: Data, ask: Ask, roles: Mapping[str, Columns], reading: Mapping[str, object]) -> Call:
        """Read the table, settle the horizon, and make the model; nothing is fitted.

        Parameters
        ----------
        data, roles, reading
            As for :func:`forecast`.
        ask : Ask

        Returns
        -------
        Call
        """
        notes = list[str]()
        _check_names(reading, roles)
        levels, quantiles = interval_levels(ask.levels), quantile_levels(ask.quantiles)
        ask.forecaster(ask.steps or 1, ask.time_limit)  # what cannot be made is said before a long read
        began = clock.perf_counter()
        with _noting(notes):
            source = read_any(data, roles, cast("FileOptions", reading))
        h = ask.steps
        if h is None:
            h, said = source.steps(ask.season)
            notes.append(said)
        source = source.reaching(h, roles["future"])
        model = ask.forecaster(h, ask.for_model)
        if isinstance(model, Auto) and model.time_limit is not None:  # no setting: those are the same at every call
            model.spent = min(clock.perf_counter() - began, max(model.time_limit - LEAST_TIME, 0.0))
        config = Config.model_validate({
            "name": file_name(source.name or "table"), "data": source.section, "h": h, "models": [_entry(model)],
            "season": ask.season, "levels": levels, "quantiles": quantiles or None, "seeds": [ask.seed],
        })  # fmt: skip
        return cls(replace(source, notes=(*source.notes, *notes)), model, config)

    def result(
        self, say: Say, checkpoint: Place | None = None, executor: Where | None = None,
    ) -> ForecastResult:  # fmt: skip
        """Fit the model on everything, forecast from the end of every series, and say how good that is.

        Parameters
        ----------
        say : callable
            Gets one line of text for every step.
        checkpoint : path, optional
            Of the fit.
        executor : str or {name: options}, optional

        Returns
        -------
        ForecastResult
        """
        panel, model, notes = self.source.panel, self.model, list(self.source.notes)
        card = None
        with _noting(notes), network_threads(self.tried(), self.config.threads), using(executor):
            if isinstance(model, Auto):
                model.progress = say
            else:
                say(f"judging {model.name} on the last part of every series")
                card = self._judged()
                say(f"fitting {model.name} on everything")
            model.fit(panel, checkpoint=checkpoint)
            say("forecasting")
            ahead = model.predict(panel, levels=self.config.levels, quantiles=self.config.quantiles or ())
        notes += ahead.summary()
        return ForecastResult(ahead, model, tuple(dict.fromkeys(notes)), self.config, self.source.original, card)

    def tried(self) -> Sequence[Forecaster]:
        """Return what will be fitted, of Auto its candidates; where none is a network, PyTorch need not be imported.

        Returns
        -------
        sequence of Forecaster
        """
        if isinstance(model := self.model, Auto) and model.candidates is None:
            return usual_candidates(self.source.panel, model.h, {"season": model.season, "seed": model.seed}).models
        return [model]

    def _judged(self) -> Scorecard | None:
        """Backtest a model that was named beside the simple baselines; None where the series are too short."""
        panel, h, season = self.source.panel, self.config.h, self.config.season
        for n_windows in JUDGED_ON:
            try:
                return backtest(self.model.fresh(), panel, h=h, n_windows=n_windows, season=season, refit=False)
            except (ConfigError, DataError):
                continue  # so many origins do not fit into the series
        return None


def _check_names(reading: Mapping[str, object], roles: Mapping[str, Columns]) -> None:
    """Refuse arguments that are none; those of other libraries are answered with the name here."""
    own = ("checkpoint", "progress", "executor")
    names = ("h", *roles, *(f.name for f in fields(Ask)), *own, *AnyOptions.__annotations__)
    for name in reading:
        if name not in AnyOptions.__annotations__:
            check_foreign("ft.forecast", {name: reading[name]}, names)
            raise ConfigError(f"ft.forecast has no argument {name!r}. {nearest(name, names)}")


def _entry(model: Forecaster) -> dict[str, dict[str, object]]:
    """Return a model as a configuration names it."""
    settings = {key: value for key, value in model.settings().items() if key != "h" and value is not None}
    return {registered(type(model)) or type(model).__name__: settings}


@contextmanager
def _noting(notes: list[str]) -> Iterator[None]:
    """Collect what is warned of as notes; warnings that are for programmers stay warnings."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
    for one in said:
        if issubclass(one.category, UserWarning):
            notes.append(str(one.message))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def _teller(progress: bool | Say | None) -> Say:
    """Return what gets the lines of progress: printed where a person watches, unless it is said otherwise."""
    if callable(progress):
        return progress
    watched = progress if progress is not None else sys.stderr.isatty() or hasattr(sys, "ps1")
    return _print if watched else lambda _: None


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
