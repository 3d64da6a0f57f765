"""What every forecaster returns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from foretide.data.reading.accept import as_panel
from foretide.data.windows import Windows, observed_at
from foretide.errors import ConfigError
from foretide.forecasters.levels import (
    DEFAULT_LEVELS,
    bounds_of,
    interval_columns,
    quantile_column,
    quantile_levels,
)
from foretide.forecasters.naming import check_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Note
    from foretide.forecasters.paths.source import Source
    from foretide.pictures.show import Drawing
    from foretide.typing import Bools, Floats, Frame, Ints, Reals


UNUSED = ("unused", "left-out")
"""Kinds of notes on columns that do not enter a forecast."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """Forecasts of one model from many origins.

    Attributes
    ----------
    model : str
        Name of the model; the name of its column.
    panel : Panel
        The panel the forecasts belong to (for names and times; its values are not copied).
    windows : Windows
        The origins, ``N`` of them.
    mean : float array ``[N, H, D]``
        Point forecasts in original units.
    levels : tuple of float
        Central interval levels in percent, e.g. ``(80, 95)``; empty where means alone were asked for.
    quantile_levels : tuple of float
        Quantiles that ``quantiles`` holds, ascending, as fractions.
    quantiles : float array ``[N, H, D, Q]`` or None
    extras : dict
        Traces asked for, e.g. ``"attention"``: array ``[N, M, H, L]``.
    notes : tuple of Note
        What there is to know of single forecasts: made by a stand-in, far outside the history, a column not used.
    quantile_columns : tuple of float
        Quantiles asked for by themselves, beside those of the levels; each has a column in :meth:`to_frame`.
    baseline : bool
        Whether the model is one that skill is measured against.
    source : Source or None
        The fitted model behind it, from which :meth:`sample` draws; None where it does not come from ``predict``.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> forecast = ft.SeasonalNaive(h=24, season=24).fit(panel).predict(panel)
    >>> forecast.mean.shape
    (1, 24, 1)
    """

    model: str
    panel: Panel
    windows: Windows
    mean: Reals
    levels: tuple[float, ...] = ()
    quantile_levels: tuple[float, ...] = ()
    quantiles: Reals | None = None
    extras: dict[str, Reals] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    quantile_columns: tuple[float, ...] = ()
    baseline: bool = False
    source: Source | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def h(self) -> int:
        """Horizon, ``H``."""
        return int(self.mean.shape[1])

    @property
    def cutoff_steps(self) -> Ints:
        """Grid step of each origin, ``[N]``."""
        return self.windows.steps(self.panel)

    def quantile(self, level: float) -> Reals:
        """Forecast of one quantile, a fraction, ``[N, H, D]``.

        Raises
        ------
        ConfigError
            For a quantile that was not asked of ``predict``, with what to type.

        Parameters
        ----------
        level : float
            A fraction.

        Returns
        -------
        float array ``[N, H, D]``

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> model = ft.SeasonalNaive(h=24, season=24).fit(panel)
        >>> model.predict(panel, quantiles=0.9).quantile(0.9).shape
        (1, 24, 1)
        """
        (wanted,) = quantile_levels(level)
        if self.quantiles is None:
            raise ConfigError(
                f"{self.model} has no quantiles: it was asked for means only. Ask for them: "
                "model.predict(panel, levels=(80, 95)), after a fit without intervals=False"
            )
        for k, known in enumerate(self.quantile_levels):
            if abs(known - wanted) < 1e-9:
                return self.quantiles[..., k]
        asked = ", ".join(f"{q:.10g}" for q in sorted({*self.quantile_columns, wanted}))
        raise ConfigError(
            f"{self.model} holds the quantiles {self.quantile_levels}, not {wanted:.10g}. "
            f"Ask for it: model.predict(panel, quantiles=[{asked}])"
        )

    def sample(self, n: int = 1000, seed: int = 0) -> Floats:
        """Draw joint futures: paths over the whole horizon, of all series of a cutoff together.

        At each step the values of a series' paths are those of its predictive distribution, evenly spread: their
        quantiles are those of the forecast. Which values go together, over steps, targets and series, follows
        correlations that the model's past errors show (a Gaussian copula), drawn towards independence where these
        are few. So a sum of paths, over a lead time or over shops, has the distribution of the sum. Paths of a
        series and cutoff are the same in any table.

        The array holds ``N * n * H * D`` numbers of 8 bytes; :meth:`total` needs no such array, and
        ``forecast.take(rows).sample()`` draws some series alone.

        Parameters
        ----------
        n : int
            Paths of each series and cutoff.
        seed : int

        Returns
        -------
        float array ``[N, n, H, D]``
            Whole numbers where the quantiles are; NaN where there is no distribution.

        Raises
        ------
        ConfigError
            For a model that was fitted with ``intervals=False``, or again since it made this forecast.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> forecast = ft.SeasonalNaive(h=24, season=24).fit(panel).predict(panel)
        >>> forecast.sample(n=200).sum(axis=2).shape
        (1, 200, 1)
        """
        from foretide.forecasters.paths.source import check_draws, paths_of

        check_draws(n, seed)
        _, h, d = self.mean.shape
        out = np.empty((len(self), int(n), h, d))
        for at, paths in paths_of(self, n, seed):
            out[at] = paths
        return out

    def total(
        self, steps: int | Sequence[int] | Literal["each"] | None = None, *,
        by: str | Mapping[str, str] | None = None, levels: float | Iterable[float] = DEFAULT_LEVELS,
        quantiles: float | Iterable[float] = (), n: int = 1000, seed: int = 0,
    ) -> Frame:  # fmt: skip
        """Return sums over steps, or over series, or both, with their intervals, from the paths of :meth:`sample`.

        The quantiles of a sum are not the sum of the quantiles: how far errors add up or cancel is what paths know.
        The mean is the sum of the means.

        Parameters
        ----------
        steps : int, sequence of int, or "each"
            The first so many steps are added up, such as those of a lead time; a row for each of several. By default
            the whole horizon; ``"each"`` keeps every step by itself.
        by : str or mapping, optional
            What series are added up: ``"all"``, those of each value of a static column, or those of each group of a
            mapping ``{series or entity: group}``. By default every series stays by itself.
        levels, quantiles
            As for ``predict``. The stock that lasts a lead time of 7 steps with probability 95 % is
            ``total(7, quantiles=0.95)``.
        n, seed : int
            Paths, as for :meth:`sample`.

        Returns
        -------
        pandas or polars frame
            Columns as those of :meth:`to_frame`: series or group, the last step of the sum, ``cutoff``, mean, bounds.
            Only series of one cutoff are added up. A sum with an unknown part is NaN.

        Raises
        ------
        ConfigError
            For steps beyond the horizon, for an unknown column or group, and as :meth:`sample`.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, n_series=3, seed=1).panel
        >>> forecast = ft.SeasonalNaive(h=24, season=24).fit(panel).predict(panel)
        >>> week = forecast.total(by="all", levels=80)
        >>> list(week.columns), len(week), len(forecast.total([6, 12]))
        (['unique_id', 'ds', 'cutoff', 'SeasonalNaive', 'SeasonalNaive-lo-80', 'SeasonalNaive-hi-80'], 1, 2)
        """
        from foretide.data.reading.frames import as_backend
        from foretide.forecasters.paths.totals import totals

        return as_backend(totals(self, steps, by, levels, quantiles, n, seed), self.panel.names.backend)

    def truth(self, panel: Panel | Frame | None = None) -> Floats:
        """Observed targets beside the forecasts, ``[N, H, D]``; NaN where not observed (yet).

        Parameters
        ----------
        panel : Panel, pandas or polars data frame, optional
            A table that holds what came; that of the forecast by default. Series and times are found in it by
            their names, so it may begin after the cutoffs.

        Returns
        -------
        float array ``[N, H, D]``

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> forecast = ft.SeasonalNaive(h=24, season=24).fit(panel).predict(panel)
        >>> forecast.truth().shape
        (1, 24, 1)
        """
        held = self.panel if panel is None else as_panel(panel, self.panel)
        ahead = self.cutoff_steps[:, None] + np.arange(1, self.h + 1)
        return observed_at(held, self.panel, self.windows.entity, ahead)

    @property
    def unused(self) -> tuple[str, ...]:
        """Known-future columns that enter none of the forecasts; what is left out for some targets only is a note."""
        out: dict[str, Bools] = {}
        for note in self.notes:
            about = [not note.targets or target in note.targets for target in self.panel.targets]
            for column in note.columns if note.kind in UNUSED else ():
                left = out.setdefault(column, np.zeros((len(self), len(about)), dtype=bool))
                left[np.ix_(note.windows, np.flatnonzero(about))] = True
        return tuple(column for column, left in out.items() if left.all())

    def take(self, chosen: Ints) -> Forecast:
        """Return the forecasts of some windows, by their positions.

        Parameters
        ----------
        chosen : int array
            Positions of the windows.

        Returns
        -------
        Forecast

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> forecast = ft.SeasonalNaive(h=24, season=24).fit(panel).predict(panel)
        >>> import numpy as np
        >>> len(forecast.take(np.array([0])))
        1
        """
        n = len(self)
        if len(chosen) == n and np.array_equal(chosen, np.arange(n)):
            return self
        quantiles = None if self.quantiles is None else self.quantiles[chosen]
        extras = {k: v[chosen] if isinstance(v, np.ndarray) and len(v) == n else v for k, v in self.extras.items()}
        notes = tuple(note for note in (own.take(chosen, n) for own in self.notes) if len(note.windows))
        return replace(
            self, windows=self.windows[chosen], mean=self.mean[chosen], quantiles=quantiles, extras=extras, notes=notes
        )

    def note_texts(self) -> list[str]:
        """Return what there is to know of each forecast, ``N`` texts, empty where there is nothing.

        Returns
        -------
        list of str

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> forecast = ft.SeasonalNaive(h=24, season=24).fit(panel).predict(panel)
        >>> forecast.note_texts()
        ['']
        """
        found: list[list[str]] = [[] for _ in range(len(self))]
        for note in self.notes:
            for k in note.windows:
                found[int(k)].append(note.text)
        return ["; ".join(texts) for texts in found]

    def summary(self) -> list[str]:
        """Return one sentence for each kind of note: how many forecasts, of which series, and what.

        Returns
        -------
        list of str

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> forecast = ft.SeasonalNaive(h=24, season=24).fit(panel).predict(panel)
        >>> forecast.summary()
        []
        """
        sentences = []
        for note in self.notes:
            names = list(dict.fromkeys(self.panel.ids[i] for i in self.windows.entity[note.windows]))
            shown = ", ".join(map(repr, names[:3])) + (" ..." if len(names) > 3 else "")
            everything = len(note.windows) == len(self)
            who = "all forecasts" if everything else f"{len(note.windows)} of {len(self)} forecasts ({shown})"
            sentences.append(f"{self.model}, {who}: {note.text.rstrip('.')}.")
        return sentences

    def plot(
        self, series: str | Iterable[str] | None = None, *, panel: Panel | Frame | None = None,
        last: int | None = None, interactive: bool = False,
    ) -> Drawing:  # fmt: skip
        """Draw forecasts with their intervals, behind the last stretch of history, and beside the truth where known.

        Of several cutoffs the last ones whose forecasts do not overlap are drawn; each cutoff is a dotted line.

        Parameters
        ----------
        series : str, or iterable of str, optional
            Names as in ``panel.series``, or of entities. By default up to six, from the most typical to the least.
        panel : Panel, pandas or polars data frame, optional
            A table that holds what came, as in :meth:`truth`.
        last : int, optional
            Steps of history; four times the horizon, and at least 30, by default.
        interactive : bool
            Whether to return a plotly figure, with a list of the series.

        Returns
        -------
        matplotlib.figure.Figure or plotly.graph_objects.Figure

        Raises
        ------
        DataError
            For a series that has no forecast.
        MissingExtraError
            For ``interactive=True`` without the package plotly.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> forecast = ft.SeasonalNaive(h=24, season=24).fit(panel).predict(panel)
        >>> figure = forecast.plot()
        >>> figure.axes[0].get_xlabel()
        'time, hours'
        """
        from foretide.data.drawn import AT_ONCE, IN_LIST
        from foretide.forecasters.drawn import forecast_picture
        from foretide.pictures.show import show

        drawn = forecast_picture([self], series, panel, last, IN_LIST if interactive else AT_ONCE)
        return show(drawn, interactive=interactive)

    def renamed(self, model: str) -> Forecast:
        """Return the same forecast under another model name.

        Parameters
        ----------
        model : str

        Returns
        -------
        Forecast

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> forecast = ft.SeasonalNaive(h=24, season=24).fit(panel).predict(panel)
        >>> forecast.renamed("naive").model
        'naive'
        """
        return replace(self, model=model)

    def to_frame(self, *, notes: bool = False) -> Frame:
        """Return a long frame: id, time, ``cutoff``, ``<Model>``, ``<Model>-lo-80``, ``<Model>-hi-80`` ….

        One row per series, cutoff and step; of the kind (pandas or polars) the panel was made from. ``notes=True``
        adds a column ``note`` that says of each row what there is to know of it.

        The bounds of level 80 stand under ``<Model>-lo-80`` and ``<Model>-hi-80``, every quantile that was asked for by
        itself under ``<Model>-ql0.1``, whether or not it bounds an interval too.

        Parameters
        ----------
        notes : bool
            Whether a column ``note`` says of each row what there is to know of it.

        Returns
        -------
        pandas or polars frame

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> forecast = ft.SeasonalNaive(h=24, season=24).fit(panel).predict(panel)
        >>> list(forecast.to_frame().columns)  # doctest: +ELLIPSIS
        ['unique_id', 'ds', 'cutoff', 'SeasonalNaive', 'SeasonalNaive-lo-80', ... 'SeasonalNaive-hi-95']
        """
        from foretide.data.reading.frames import as_backend

        return as_backend(self.pandas(notes=notes), self.panel.names.backend)

    def pandas(self, *, notes: bool = False) -> pd.DataFrame:
        """Return the same as :meth:`to_frame`, always of pandas.

        Parameters
        ----------
        notes : bool
            Whether a column ``note`` says of each row what there is to know of it.

        Returns
        -------
        pandas.DataFrame

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> len(ft.Drift(h=24).fit(panel).predict(panel).pandas())
        24
        """
        panel, (_, h, d) = self.panel, self.mean.shape
        check_columns((panel.names.id, panel.names.time), ("cutoff", self.model, *(["note"] if notes else [])))
        cutoffs = self.cutoff_steps
        ahead = cutoffs[:, None] + np.arange(1, h + 1)
        series = np.array(panel.series, dtype=object).reshape(panel.n_entities, d)[self.windows.entity]
        columns: dict[str, object] = {
            panel.names.id: np.repeat(series.reshape(-1), h),
            panel.names.time: panel.grid.output_times(np.repeat(ahead[:, None, :], d, axis=1)),
            "cutoff": panel.grid.output_times(np.repeat(cutoffs, d * h)),
            self.model: _series_first(self.mean),
        }
        for level in self.levels:
            for name, bound in zip(interval_columns(self.model, level), bounds_of(level), strict=True):
                columns[name] = _series_first(self.quantile(bound))
        for quantile in self.quantile_columns:
            columns[quantile_column(self.model, quantile)] = _series_first(self.quantile(quantile))
        if notes:
            columns["note"] = np.repeat(np.array(self.note_texts(), dtype=object), d * h)
        return pd.DataFrame(columns)

    def _repr_html_(self) -> str:
        from html import escape

        first = self.take(np.arange(min(1, len(self)))).pandas()
        shown = first.head(24).to_html(index=False, float_format=lambda x: f"{x:.4g}", border=0)
        return f"<div><p><b>{escape(repr(self))}</b></p>{shown}</div>"

    def __repr__(self) -> str:
        n, h, d = self.mean.shape
        noted = len({int(k) for note in self.notes if note.kind not in UNUSED for k in note.windows})
        more = f", {noted} with notes" if noted else ""
        return f"Forecast({self.model}: {n} origins x {h} steps x {d} targets, levels {list(self.levels)}{more})"


def _series_first(values: Reals) -> Reals:
    """``[N, H, D]`` -> flat, ordered origin, target, step."""
    return np.swapaxes(values, 1, 2).reshape(-1)
