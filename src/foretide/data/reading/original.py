"""The columns of a table as it came, so that an answer has the same names and types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import narwhals as nw
import numpy as np
import pandas as pd

from foretide.data.reading.frames import as_backend, entities_of, is_number, is_time, open_frame, strings
from foretide.typing import Frame

if TYPE_CHECKING:
    import polars as pl

    from foretide.data.panel import Panel
    from foretide.data.reading.frames import ColumnView
    from foretide.typing import Array, Ints

    Native = pd.Series | pl.Series

_FORMS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m", "%Y",
    "%Y-%m-%dT%H:%M:%SZ", "%Y%m%d", "%Y%m",
)  # fmt: skip
_LOOKED_AT = 50


@dataclass(frozen=True, eq=False)
class Original:
    """What the identifiers and times of a table were, beside the panel that was made of it.

    Attributes
    ----------
    panel : Panel
    ids : mapping of str to series ``[N]``
        Column of identifiers -> the value of every entity, of the table's own type; none where there was no table, or
        its columns are the series.
    times : series or None
        Some of its times, of its own type.
    index : tuple of (str, object)
        Columns that stood in the index of a pandas frame, and what they were called there.
    names : mapping of str to object
        Columns whose names are no text -> these names.

    Examples
    --------
    >>> import pandas as pd
    >>> from foretide.data.reading.checks import look_through
    >>> from foretide.data.reading.original import Original
    >>> days = ["01.02.2024", "02.02.2024", "13.02.2024"]
    >>> frame = pd.DataFrame({"shop": [7, 7, 7], "day": days, "sold": [3.0, 1.0, 4.0]})
    >>> roles = {"id": "shop", "time": "day", "target": "sold", "past": (), "future": (), "static": ()}
    >>> found = look_through(frame, roles, {"freq": "D", "fill_gaps": True})
    >>> own = Original.of(found.panel, found.frame, found.ids, frame)
    >>> own.frame([0], [found.panel.last[0] + 1], {"sold": [2.5]}).to_dict("list")
    {'shop': [7], 'day': ['14.02.2024'], 'sold': [2.5]}
    """

    panel: Panel
    ids: Mapping[str, Native] = field(default_factory=dict)
    times: Native | None = None
    index: tuple[tuple[str, object], ...] = ()
    names: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(
        cls, panel: Panel, frame: Frame, ids: tuple[str, ...], given: object = None, *, text: bool = False
    ) -> Original:
        """Remember what a table was like.

        Parameters
        ----------
        panel : Panel
            Made of the table.
        frame : pandas or polars data frame
            The table, a row per series and step.
        ids : tuple of str
            Columns that name the entity together.
        given : object
            What a person handed in: the frame before its index became columns.
        text : bool
            Whether all cells of the table are text, as in a CSV file: times are then answered as times.

        Returns
        -------
        Original
        """
        table = open_frame(frame)
        values: dict[str, Native] = {}
        if ids and panel.ids != ("",):
            codes, labels = entities_of(table, ids)
            found, first = np.unique(codes, return_index=True)
            row = {labels[int(code)]: int(at) for code, at in zip(found, first, strict=True) if code >= 0}
            rows = [row[label] for label in panel.ids]
            values = {name: cast("Native", table[name][rows].to_native()) for name in ids}
        times = None if text else cast("Native", table[panel.names.time].head(_LOOKED_AT).to_native())
        index: tuple[tuple[str, object], ...] = ()
        names: dict[str, object] = {}
        if isinstance(given, pd.DataFrame):
            known = {str(name) for name in given.columns}
            kept = [name for name in (*ids, panel.names.time) if name in table.columns and name not in known]
            index = tuple((name, name if name in given.index.names else None) for name in kept)
            names = {str(name): name for name in given.columns if not isinstance(name, str)}
        return cls(panel, values, times, index, names)

    def frame(self, entities: Ints, steps: Ints, columns: Mapping[str, Array]) -> Frame:
        """Return rows of an answer as the table would have them.

        Parameters
        ----------
        entities, steps : int array ``[R]``
            Entity and grid step of each row.
        columns : mapping of str to array ``[R]``
            Further columns.

        Returns
        -------
        pandas or polars frame
            Identifiers and times under their own names, of their own types, in the index where they stood there.
        """
        panel, entities = self.panel, np.asarray(entities)
        answered = pd.DataFrame(dict(columns))
        times = panel.grid.output_times(np.asarray(steps))
        backend = panel.names.backend
        if backend == "polars":
            table = open_frame(as_backend(answered.assign(**{panel.names.time: times}), backend))
            when = (
                table[panel.names.time]
                if self.times is None
                else _like_polars(table[panel.names.time], self.times, panel.names.time_format)
            )
        else:
            table = open_frame(answered)
            own = (
                pd.Series(times)
                if self.times is None
                else _like_pandas(times, cast("pd.Series", self.times), panel.names.time_format)
            )
            when = nw.from_native(own.rename(panel.names.time), series_only=True)
        first = [*self._ids_of(entities), when]
        rest = [table[str(name)] for name in columns]
        return self._named([series.to_native() for series in (*first, *rest)], [s.name for s in (*first, *rest)])

    def _ids_of(self, entities: Array) -> list[ColumnView]:
        panel = self.panel
        if self.ids:
            found = [
                nw.from_native(values, series_only=True)[entities.tolist()].alias(n) for n, values in self.ids.items()
            ]
            return cast("list[ColumnView]", found)
        if panel.ids == ("",):
            return []
        made = as_backend(
            pd.DataFrame({panel.names.id: np.array(panel.ids, dtype=object)[entities]}), panel.names.backend
        )
        return [open_frame(made)[panel.names.id]]

    def _named(self, columns: list[object], names: list[str]) -> Frame:
        if self.panel.names.backend == "polars":
            import polars as pl

            return pl.DataFrame(dict(zip(names, cast("list[pl.Series]", columns), strict=True)))
        plain = [cast("pd.Series", column).reset_index(drop=True) for column in columns]
        frame = pd.concat(plain, axis=1, keys=names)
        if self.index:
            frame = frame.set_index([name for name, _ in self.index]).rename_axis([name for _, name in self.index])
        return frame.rename(columns=dict(self.names)) if self.names else frame


# -------------------------------------------------------------------- times
def _like_pandas(times: pd.Index, own: pd.Series, form: str | None) -> pd.Series:
    """Return times in the type of others; as they are where that cannot hold them."""
    kind = own.dtype
    if not isinstance(times, pd.DatetimeIndex):
        return pd.Series(times).astype(kind) if is_number(nw.from_native(own, series_only=True)) else pd.Series(times)
    if isinstance(kind, pd.PeriodDtype):
        return pd.Series(times.tz_localize(None).to_period(kind.freq))  # type: ignore[arg-type]  # that of a period fits
    if isinstance(kind, pd.DatetimeTZDtype) or kind.kind == "M":
        same_clock = (times.tz is None) == (getattr(kind, "tz", None) is None)
        return pd.Series(times.astype(kind) if same_clock else times)
    known = own.dropna()
    if len(known) and isinstance(known.iloc[0], dt.date) and not isinstance(known.iloc[0], dt.datetime):
        return pd.Series(times.date, dtype=object)
    cells = written_like(times, strings(nw.from_native(own, series_only=True)), form)
    return pd.Series(times) if cells is None else pd.Series(cells).astype(kind)


def _like_polars(times: ColumnView, own: Native, form: str | None) -> ColumnView:
    kind = nw.from_native(own, series_only=True)
    if is_time(kind):
        zone = getattr(kind.dtype, "time_zone", None)
        same_clock = not is_time(times) or (getattr(times.dtype, "time_zone", None) is None) == (zone is None)
        return times.cast(kind.dtype) if same_clock else times
    if not is_time(times):
        return times.cast(kind.dtype) if kind.dtype.is_integer() else times
    cells = written_like(pd.DatetimeIndex(times.to_pandas()), strings(kind), form)
    if cells is None:
        return times
    made = nw.new_series(times.name, cells, nw.String, backend=times.implementation)
    return cast("ColumnView", made.cast(kind.dtype))


def written_like(times: pd.DatetimeIndex, cells: pd.Series, form: str | None = None) -> list[str] | None:
    """Return times in the form that others are written in; None where that is none of the usual ones.

    Parameters
    ----------
    times : DatetimeIndex
    cells : pandas series
        Text or whole numbers.
    form : str, optional
        Tried first, a ``strptime`` format.

    Returns
    -------
    list of str or None

    Examples
    --------
    >>> import pandas as pd
    >>> written_like(pd.DatetimeIndex(["2024-03-01"]), pd.Series(["2024-01", "2024-02"]))
    ['2024-03']
    """
    known = pd.Series([str(cell) for cell in cells.dropna()], dtype=object)
    for candidate in (*([form] if form else []), *_FORMS) if len(known) else ():
        read = pd.to_datetime(known, format=candidate, errors="coerce")
        if read.notna().all() and list(read.dt.strftime(candidate)) == list(known):
            return [str(cell) for cell in times.tz_localize(None).strftime(candidate)]
    return None
