"""What :func:`foretide.forecast` returns: the future, how good it is likely to be, and the model behind it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.errors import ForetideError
from foretide.evaluation.score import score
from foretide.forecasters.auto.auto import Auto
from foretide.forecasters.levels import bounds_of, interval_columns, quantile_column
from foretide.jobs.forecast_folder import Outcome, write_forecast
from foretide.jobs.store import REPORT
from foretide.text import phrase, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from foretide.data.panel import Panel
    from foretide.data.reading.original import Original
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.forecast import Forecast
    from foretide.jobs.config import Config
    from foretide.jobs.job import Place
    from foretide.pictures.show import Drawing
    from foretide.typing import Array, Frame, Ints, Reals

SHOWN_ROWS, SHOWN_WIDTH = 10, 7
SHOWN_COLUMNS = ("model", "kind", "wql", "mase", "rmse", "skill_vs_best_baseline")


@dataclass(frozen=True, eq=False)
class ForecastResult:
    """What comes next, from one call of :func:`foretide.forecast`.

    Attributes
    ----------
    forecast : Forecast
        The forecast from the end of every series, with its intervals.
    model : Forecaster
        What made it, fitted on everything; saved, loaded and asked again as any other.
    notes : tuple of str
        How the table was read, what is odd about it, and what there is to know of single forecasts.
    config : Config
        The call as a configuration.
    original : Original
        The columns of the table as they came.
    judged : Scorecard or None
        Of a model that was named: how it and the simple baselines did on the last part of every series; None where the
        series are too short, and of :class:`foretide.Auto`, which judges by itself.

    Examples
    --------
    >>> import foretide as ft
    >>> import pandas as pd
    >>> sales = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=56), "sold": [3.0, 1, 4, 1, 5, 9, 2] * 8})
    >>> result = ft.forecast(sales, h=7, model="SeasonalNaive")
    >>> result.to_frame().columns.to_list()
    ['day', 'sold', 'sold-lo-80', 'sold-hi-80', 'sold-lo-95', 'sold-hi-95']
    """

    forecast: Forecast
    model: Forecaster
    notes: tuple[str, ...]
    config: Config = field(repr=False)
    original: Original = field(repr=False)
    judged: Scorecard | None = field(default=None, repr=False)

    @property
    def panel(self) -> Panel:
        """The table as a panel."""
        return self.forecast.panel

    @property
    def h(self) -> int:
        """Steps forecast."""
        return self.forecast.h

    # ---------------------------------------------------------------- the future
    def to_frame(self) -> Frame:
        """Return the forecast in the columns of the table it was made from, of the same kind (pandas or polars).

        A long table is answered by a long one: its identifiers and times as they were, the forecast under the name of
        the target, the bounds of level 80 under ``<target>-lo-80`` and ``<target>-hi-80``, quantiles asked for under
        ``<target>-ql0.1``. A table with a column per series is answered by one.

        Returns
        -------
        pandas or polars frame

        Examples
        --------
        >>> import foretide as ft
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-01", periods=70)
        >>> wide = pd.DataFrame({"day": days, "tea": range(70), "milk": range(7, 77)})
        >>> ft.forecast(wide, h=2, model="Drift", levels=()).to_frame()
                 day   tea  milk
        0 2024-03-11  70.0  77.0
        1 2024-03-12  71.0  78.0
        """
        forecast, panel = self.forecast, self.panel
        ahead = forecast.cutoff_steps[:, None] + np.arange(1, forecast.h + 1)
        names = panel.names.melted if panel.names.melted else panel.targets
        if panel.names.melted:
            return self._wide(ahead, names)
        entity = np.repeat(forecast.windows.entity, forecast.h)
        cells = {
            column: values[..., d].reshape(-1)
            for column_of, values in self._parts()
            for d, column in enumerate(map(column_of, names))
        }
        return self.original.frame(entity, ahead.reshape(-1), self._ordered(cells, names))

    def _parts(self) -> list[tuple[_Name, Reals]]:
        """Mean and bounds ``[N, H, D]``, each with the name of its column by that of the series."""
        forecast = self.forecast
        parts: list[tuple[_Name, Reals]] = [(_Name(), forecast.mean)]
        for level in forecast.levels:
            parts += [(_Name(level, side), forecast.quantile(bound)) for side, bound in enumerate(bounds_of(level))]
        return [*parts, *((_Name(q), forecast.quantile(q)) for q in forecast.quantile_columns)]

    def _wide(self, ahead: Ints, names: tuple[str, ...]) -> Frame:
        """One row per step, one column per series and bound; empty where a series is not forecast for a step."""
        forecast, panel = self.forecast, self.panel
        steps = np.unique(ahead)
        cells = {}
        for name_of, values in self._parts():
            for k, entity in enumerate(forecast.windows.entity):
                column = np.full(len(steps), np.nan)
                column[np.searchsorted(steps, ahead[k])] = values[k, :, 0]
                cells[name_of(panel.ids[entity])] = column
        own = _without_ids(self.original)
        return own.frame(np.zeros(len(steps), np.int64), steps, self._ordered(cells, names))

    def _ordered(self, cells: Mapping[str, Array], names: tuple[str, ...]) -> dict[str, Array]:
        """The forecasts in the order of the table's columns, then the bounds series by series."""
        means = [name for name in names if name in cells]
        bounds = [column for name in means for of, _ in self._parts()[1:] if (column := of(name)) in cells]
        return {column: cells[column] for column in (*means, *bounds)}

    # ---------------------------------------------------------------- how good it is
    @cached_property
    def card(self) -> Scorecard | None:
        """How the model and others did on the last part of every series, held back; None where that is not known."""
        if not isinstance(self.model, Auto):
            return self.judged
        trials = list(self.model.trials_.values())
        try:
            return score(trials, season=self.config.season, starts=self.model.starts) if trials else None
        except ForetideError:
            return None  # no window that all candidates could forecast

    def leaderboard(self) -> pd.DataFrame:
        """Return how the candidates did on the last part of every series, which was held back; the best first.

        Returns
        -------
        DataFrame
            As :meth:`foretide.Auto.leaderboard`; of another model as :meth:`foretide.Scorecard.leaderboard`, and empty
            where the series are too short to judge it.

        Examples
        --------
        >>> import foretide as ft
        >>> series = ft.synthetic.hourly(T=240, n_series=1, seed=1).panel
        >>> result = ft.forecast(series, h=24, model={"Auto": {"candidates": ["SeasonalNaive", "Drift"]}})
        >>> result.leaderboard().candidate.to_list()
        ['SeasonalNaive', 'Drift']
        """
        if isinstance(self.model, Auto):
            return self.model.leaderboard()
        if self.card is None:
            return pd.DataFrame()
        board = self.card.pandas(self.card.leaderboard())
        return board[[name for name in SHOWN_COLUMNS if name in board]]

    def verdict(self) -> str:
        """Say what made the forecast, and how it did against the best simple baseline on the part held back.

        Returns
        -------
        str

        Examples
        --------
        >>> import foretide as ft
        >>> series = ft.synthetic.hourly(T=240, n_series=1, seed=1).panel
        >>> result = ft.forecast(series, h=24, model={"Auto": {"candidates": ["SeasonalNaive", "Drift"]}})
        >>> print(result.verdict())  # doctest: +ELLIPSIS
        Auto is SeasonalNaive. ...
        """
        if isinstance(self.model, Auto):
            return self.model.verdict()
        if self.card is None:
            return f"{self.model.name}: the series are too short to say how good it is."
        return self.card.verdict()

    # ---------------------------------------------------------------- looking and keeping
    def plot(self, series: str | Iterable[str] | None = None, *, interactive: bool = False) -> Drawing:
        """Draw history, forecast and intervals.

        Parameters
        ----------
        series : str, or iterable of str, optional
            Which series, by the name of the entity too; a few typical ones by default.
        interactive : bool
            A Plotly figure instead of one of matplotlib.

        Returns
        -------
        figure
            As of :meth:`foretide.Forecast.plot`.

        Examples
        --------
        >>> import foretide as ft
        >>> series = ft.synthetic.hourly(T=120, n_series=1, seed=1).panel
        >>> len(ft.forecast(series, h=12, model="Drift").plot().axes)
        1
        """
        return self.forecast.plot(series, interactive=interactive)

    def report(self, folder: Place, *, overwrite: bool = False) -> Path:
        """Write a folder with the page, the forecast as CSV and Parquet, and the model.

        Parameters
        ----------
        folder : path
            ``foretide predict`` and ``foretide report`` read it.
        overwrite : bool
            Replace a finished forecast there.

        Returns
        -------
        Path
            Of the page.

        Raises
        ------
        ConfigError
            Where something else lies in the folder; nothing of it is touched.
        StorageError
            Where it cannot be written.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.forecast("sales.csv", h=12).report("next")  # doctest: +SKIP
        PosixPath('next/report.html')
        """
        return write_forecast(self.outcome(), self.config, folder, overwrite=overwrite).path / REPORT.file

    def outcome(self) -> Outcome:
        """Return what a folder keeps of it.

        Returns
        -------
        Outcome
        """
        return Outcome(
            self.forecast, self.model, self._plain(), self.leaderboard(), self.verdict(), self.notes, self.card
        )

    def __repr__(self) -> str:
        shown = self._head().to_string(index=False, float_format=lambda x: f"{x:.6g}")
        return "\n".join([self._title(), self.verdict(), "", shown, *self._more()])

    def _repr_html_(self) -> str:
        from html import escape

        table = self._head().to_html(index=False, float_format=lambda x: f"{x:.6g}", border=0)
        more = "".join(f"<p>{escape(line)}</p>" for line in self._more())
        return f"<div><p><b>{escape(self._title())}</b></p><p>{escape(self.verdict())}</p>{table}{more}</div>"

    def _title(self) -> str:
        panel, h = self.panel, self.forecast.h
        unit = unit_of(panel.grid.freq, plural=h != 1)
        what = "" if panel.names.melted or panel.n_targets > 1 else f" of {panel.targets[0]}"
        series = len(np.unique(self.forecast.windows.entity)) * panel.n_targets
        ahead = f"{h} {unit}" if h > 1 else unit
        return f"Forecast{what}: the next {ahead}" + (f" of {series} series" if series > 1 else "")

    def _head(self) -> pd.DataFrame:
        """The first rows and columns, for a look."""
        return self._plain().iloc[:SHOWN_ROWS, :SHOWN_WIDTH]

    def _plain(self) -> pd.DataFrame:
        """The forecast as a pandas frame without an index of its own, for files and looks."""
        table = self.to_frame()
        if not isinstance(table, pd.DataFrame):
            return pd.DataFrame(table.to_pandas())
        if not self.original.index:
            return table
        return table.reset_index(names=[name for name, _ in self.original.index])

    def _more(self) -> list[str]:
        table = self._plain()
        rows, columns = max(0, len(table) - SHOWN_ROWS), max(0, table.shape[1] - SHOWN_WIDTH)
        left = [phrase("row", rows)] * bool(rows) + [phrase("column", columns)] * bool(columns)
        lines = [f"… and {' and '.join(left)} more: .to_frame()"] * bool(left)
        lines += [f"{phrase('note', len(self.notes))}: .notes"] * bool(self.notes)
        return [*lines, "Further: .plot(), .leaderboard(), .report(folder), .model"]


@dataclass(frozen=True)
class _Name:
    """The column of the mean, of a quantile, or of one side of an interval, by the name of the series."""

    level: float | None = None
    side: int | None = None

    def __call__(self, series: str) -> str:
        if self.level is None:
            return series
        if self.side is None:
            return quantile_column(series, self.level)
        return interval_columns(series, self.level)[self.side]


def _without_ids(original: Original) -> Original:
    """The same table without a column of identifiers, which a table with a column per series has not."""
    return replace(original, ids={}, panel=replace(original.panel, ids=("",)))
