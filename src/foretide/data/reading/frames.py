"""The boundary to data frames: pandas and polars in, NumPy arrays out, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import narwhals as nw
import numpy as np
import pandas as pd

from foretide.errors import ConfigError, DataError, MissingExtraError, nearest
from foretide.typing import Frame, Ints, Reals

if TYPE_CHECKING:
    import polars as pl

    FrameView: TypeAlias = nw.DataFrame[pd.DataFrame | pl.DataFrame]
    """A frame of either library behind one interface."""
    ColumnView: TypeAlias = nw.Series[pd.Series | pl.Series]


def open_frame(frame: object) -> FrameView:
    """Return any supported frame behind one interface.

    Parameters
    ----------
    frame : pandas or polars data frame

    Returns
    -------
    narwhals frame

    Raises
    ------
    DataError
        For others; it says what to do with them.
    """
    if isinstance(frame, (str, Path)):
        raise DataError(f"Expected a data frame, got the path {str(frame)!r}. Type: Panel.read({str(frame)!r}, ...)")
    if isinstance(frame, pd.Series):
        raise DataError(
            "Expected a data frame, got a pandas Series. Type: series.rename('y').rename_axis('ds').reset_index()"
        )
    if isinstance(frame, pd.DataFrame) and not all(isinstance(name, str) for name in frame.columns):
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    try:
        return nw.from_native(cast("Frame", frame), eager_only=True)
    except TypeError as error:
        lazy = " Collect it first: frame.collect()" if hasattr(frame, "collect") else ""
        raise DataError(f"Expected a pandas or polars data frame, got {type(frame).__name__}.{lazy}") from error
    except ValueError as error:  # narwhals refuses column names that occur twice
        names = [str(c) for c in cast("Frame", frame).columns]
        twice = sorted({c for c in names if names.count(c) > 1})
        names_twice = ", ".join(twice) or str(error)
        raise DataError(f"Column names occur twice: {names_twice}. Rename or drop one of each.") from error


def backend_of(table: FrameView) -> str:
    """Return the kind of frame to answer with.

    Parameters
    ----------
    table : narwhals frame

    Returns
    -------
    {"pandas", "polars"}
    """
    return "polars" if table.implementation.is_polars() else "pandas"


def is_time(series: ColumnView) -> bool:
    """Whether a column holds dates or datetimes by type.

    Parameters
    ----------
    series : narwhals series

    Returns
    -------
    bool
    """
    return series.dtype == nw.Date or isinstance(series.dtype, nw.Datetime)


def is_number(series: ColumnView) -> bool:
    """Whether a column holds numbers or booleans.

    Parameters
    ----------
    series : narwhals series

    Returns
    -------
    bool
    """
    return bool(series.dtype.is_numeric()) or series.dtype == nw.Boolean


def numbers(series: ColumnView) -> Reals:
    """Return a column of numbers or booleans as floats.

    Parameters
    ----------
    series : narwhals series ``[R]``

    Returns
    -------
    float array ``[R]``
        Null is NaN; float32 stays float32.
    """
    kind = nw.Float32 if series.dtype == nw.Float32 else nw.Float64
    if series.implementation.is_pandas():
        native = cast("pd.Series", series.to_native())
        dtype = np.float32 if kind == nw.Float32 else np.float64
        return np.asarray(native.to_numpy(dtype=dtype, na_value=np.nan))
    return np.asarray(series.cast(kind).fill_null(float("nan")).to_numpy())


def strings(series: ColumnView) -> pd.Series:
    """Return a column as pandas objects: text, or what is in it.

    Parameters
    ----------
    series : narwhals series ``[R]``

    Returns
    -------
    pandas series ``[R]``
        Null is None or NaN.
    """
    if isinstance(series.dtype, (nw.Categorical, nw.Enum)):
        series = series.cast(nw.String)
    native = series.to_native() if series.implementation.is_pandas() else series.to_pandas()
    if isinstance(native.dtype, pd.ArrowDtype):
        native = cast("pd.arrays.ArrowExtensionArray", native.array).__arrow_array__().to_pandas()
    return pd.Series(native).reset_index(drop=True)


def codes_of(series: ColumnView) -> tuple[Ints, tuple[str, ...]]:
    """Return the position of each row's value among the distinct ones, and these as text.

    Parameters
    ----------
    series : narwhals series ``[R]``

    Returns
    -------
    codes : int array ``[R]``
        -1 for a missing value, and for blank text.
    labels : tuple of str
        In order of appearance; spaces around text are no part of it.
    """
    values = series.fill_null(0).to_numpy() if series.dtype.is_integer() and not _any_null(series) else strings(series)
    try:
        codes, found = pd.factorize(values)
    except TypeError as error:  # lists and the like
        raise DataError(f"Column {series.name!r} holds objects that are no names: {error}. Make it text.") from error
    codes, labels = np.asarray(codes, dtype=np.int64), [v.strip() if isinstance(v, str) else v for v in found]
    if "" in labels or len(set(labels)) < len(labels):
        place, names = pd.factorize(pd.Series([v if v != "" else None for v in labels], dtype=object))
        codes, labels = np.append(place, -1)[codes], list(names)
    return codes, tuple(str(label) for label in labels)


def _any_null(series: ColumnView) -> bool:
    return bool(series.null_count() > 0)


def names_tuple(columns: str | Sequence[str]) -> tuple[str, ...]:
    """Return one column or several as several.

    Parameters
    ----------
    columns : str or sequence of str

    Returns
    -------
    tuple of str
    """
    return (columns,) if isinstance(columns, str) else tuple(columns)


def join_ids(frame: Frame, names: Sequence[str]) -> tuple[Frame, str | None]:
    """Return the frame with a column that joins several identifiers, ``"north/milk"``, and the name of it.

    A row that lacks one of them has none.

    Parameters
    ----------
    frame : pandas or polars data frame
    names : sequence of str

    Returns
    -------
    frame : data frame
        The same where one column, or none, names the entity.
    name : str or None

    Raises
    ------
    DataError
        Where a column is absent, or two combinations would share a name.
    """
    if len(names) < 2:
        return frame, names[0] if names else None
    table, joined = open_frame(frame), "/".join(names)
    known = [str(c) for c in table.columns]
    for name in names:
        if name not in known:
            raise DataError(f"There is no column {name!r} (id). {nearest(name, known)}")
    if joined in known or len(set(names)) < len(names):
        raise DataError(f"id={list(names)}: the column {joined!r} is there already. Name it: id={joined!r}.")
    codes, labels = entities_of(table, names)
    twice = (
        next((label for label in labels if labels.count(label) > 1), None) if len(set(labels)) < len(labels) else None
    )
    if twice is not None:
        rows = [int(np.argmax(codes == k)) for k, label in enumerate(labels) if label == twice]
        one, other = (tuple(strings(table[name]).astype(str).str.strip()[row] for name in names) for row in rows[:2])
        raise DataError(
            f"id={list(names)}: {one} and {other} would both be named {twice!r}. Write one of the columns without '/'."
        )
    cells = np.array([*labels, None], dtype=object)[codes]
    column = nw.new_series(joined, cells, nw.String, backend=table.implementation)
    return table.with_columns(column).to_native(), joined


def entities_of(table: FrameView, names: Sequence[str]) -> tuple[Ints, tuple[str, ...]]:
    """Return the entity of each row, and the names of the entities.

    Parameters
    ----------
    table : narwhals frame
    names : sequence of str
        At least one column.

    Returns
    -------
    codes : int array ``[R]``
        -1 where a part of the name is missing; numbered in order of appearance.
    labels : tuple of str
        Parts joined by ``/``.
    """
    codes, labels = codes_of(table[names[0]])
    for name in names[1:]:
        own, more = codes_of(table[name])
        both = np.where((codes < 0) | (own < 0), -1, codes * max(len(more), 1) + own)
        codes, pairs = pd.factorize(np.where(both < 0, np.nan, both))
        labels = tuple(f"{labels[int(k) // len(more)]}/{more[int(k) % len(more)]}" for k in pairs)
    return codes.astype(np.int64), labels


def columns_of_index(frame: Frame, time: str | None, ids: Sequence[str], others: Sequence[str] | None = ()) -> Frame:
    """Return a pandas frame whose times and ids stand in its index with these as columns; others as they are.

    Parameters
    ----------
    frame : any frame
    time : str or None
        Name of an index of dates that has none; ``"ds"`` for None.
    ids : sequence of str
        Names of the other levels that have none.
    others : sequence of str or None
        Further columns that may stand in the index; None: every named level may.

    Returns
    -------
    data frame
    """
    if not isinstance(frame, pd.DataFrame) or isinstance(frame.index, pd.RangeIndex):
        return frame
    index, free = frame.index, [name for name in ids if name not in (*frame.columns, *frame.index.names)]
    taken: dict[int, str] = {}
    for k, name in enumerate(index.names):
        dates = isinstance(index.get_level_values(k), (pd.DatetimeIndex, pd.PeriodIndex))
        if name is not None and (others is None or name in (time, *ids, *others)):
            taken[k] = str(name)
        elif name is None and dates and (time or "ds") not in (*frame.columns, *index.names):
            taken[k] = time or "ds"
        elif name is None and not dates and index.nlevels > 1 and free:
            taken[k] = free.pop(0)
    known = {str(column) for column in frame.columns}
    cells = {name: index.get_level_values(k) for k, name in taken.items() if name not in known}
    return frame.reset_index(drop=True).assign(**{n: pd.Series(v) for n, v in cells.items()}) if cells else frame


def as_backend(frame: pd.DataFrame, backend: str) -> Frame:
    """Return a pandas frame as it is, or as a polars frame in which NaN has become null.

    Parameters
    ----------
    frame : pandas data frame
    backend : {"pandas", "polars"}

    Returns
    -------
    data frame
    """
    if backend == "pandas":
        return frame
    if backend != "polars":
        raise ConfigError(f"backend is 'pandas' or 'polars', got {backend!r}. {nearest(backend, ('pandas', 'polars'))}")
    try:
        import polars as pl
    except ImportError as error:
        raise MissingExtraError("polars", "polars", "A polars frame") from error
    return pl.from_pandas(frame)
