"""The boundary to data frames: pandas and polars in, NumPy arrays out, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pandas as pd

from foretide.errors import ConfigError, DataError, MissingExtraError, nearest

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

READERS = {".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet", ".pq": "parquet"}


def open_frame(frame: Any) -> nw.DataFrame[Any]:
    """Return any supported frame behind one interface; a DataError says what to do with others."""
    if isinstance(frame, (str, Path)):
        raise DataError(f"Expected a data frame, got the path {str(frame)!r}. Type: Panel.read({str(frame)!r}, ...)")
    if isinstance(frame, pd.Series):
        raise DataError("Expected a data frame, got a pandas Series. Type: series.reset_index()")
    try:
        return nw.from_native(frame, eager_only=True)
    except TypeError as error:
        lazy = " Collect it first: frame.collect()" if hasattr(frame, "collect") else ""
        raise DataError(f"Expected a pandas or polars data frame, got {type(frame).__name__}.{lazy}") from error
    except ValueError as error:  # narwhals refuses column names that occur twice
        names = [str(c) for c in frame.columns]
        twice = sorted({c for c in names if names.count(c) > 1})
        names_twice = ", ".join(twice) or str(error)
        raise DataError(f"Column names occur twice: {names_twice}. Rename or drop one of each.") from error


def backend_of(table: nw.DataFrame[Any]) -> str:
    """Return ``"polars"`` or ``"pandas"``: the kind of frame to answer with."""
    return "polars" if table.implementation.is_polars() else "pandas"


def is_number(series: nw.Series[Any]) -> bool:
    """Whether a column holds numbers or booleans."""
    return bool(series.dtype.is_numeric()) or series.dtype == nw.Boolean


def numbers(series: nw.Series[Any]) -> NDArray[np.floating]:
    """Return a column of numbers or booleans as floats ``[R]``, null as NaN; float32 stays float32."""
    kind = nw.Float32 if series.dtype == nw.Float32 else nw.Float64
    if series.implementation.is_pandas():
        native = series.to_native()
        dtype = np.float32 if kind == nw.Float32 else np.float64
        return np.asarray(native.to_numpy(dtype=dtype, na_value=np.nan))
    return np.asarray(series.cast(kind).fill_null(float("nan")).to_numpy())


def strings(series: nw.Series[Any]) -> pd.Series[Any]:
    """Return a column as pandas objects: text, or what is in it; null as None or NaN."""
    if isinstance(series.dtype, (nw.Categorical, nw.Enum)):
        series = series.cast(nw.String)
    native = series.to_native() if series.implementation.is_pandas() else series.to_pandas()
    if isinstance(native.dtype, pd.ArrowDtype):
        native = native.array.__arrow_array__().to_pandas()
    return pd.Series(native).reset_index(drop=True)


def codes_of(series: nw.Series[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the position of each row's value among the distinct ones, and these as text, in order of appearance.

    A missing value has the code -1.
    """
    values = series.fill_null(0).to_numpy() if series.dtype.is_integer() and not _any_null(series) else strings(series)
    codes, names = pd.factorize(values)
    return np.asarray(codes, dtype=np.int64), tuple(str(name) for name in names)


def _any_null(series: nw.Series[Any]) -> bool:
    return bool(series.null_count() > 0)


def join_ids(frame: Any, names: Sequence[str]) -> tuple[Any, str]:
    """Return the frame with a column that joins several identifiers, ``"north/milk"``, and the name of it.

    A row that lacks one of them has none. Raises :class:`DataError` where a column is absent, or where two
    combinations would share a name.
    """
    if len(names) == 1:
        return frame, names[0]
    table, joined = open_frame(frame), "/".join(names)
    known = [str(c) for c in table.columns]
    for name in names:
        if name not in known:
            raise DataError(f"There is no column {name!r} (id). {nearest(name, known)}")
    if joined in known or len(set(names)) < len(names):
        raise DataError(f"id={list(names)}: the column {joined!r} is there already. Name it: id={joined!r}.")
    parts = [codes_of(table[name]) for name in names]
    rows = pd.DataFrame({k: codes for k, (codes, _) in enumerate(parts)})
    places = rows.groupby(list(rows.columns), sort=False).ngroup().to_numpy()
    labels: list[str | None] = []
    origin: dict[str, tuple[str, ...]] = {}
    for row in rows.drop_duplicates().itertuples(index=False):
        if min(row) < 0:
            labels.append(None)
            continue
        cells = tuple(values[k] for k, (_, values) in zip(row, parts, strict=True))
        label = "/".join(cells)
        if label in origin:
            raise DataError(
                f"id={list(names)}: {origin[label]} and {cells} would both be named {label!r}. "
                "Write one of the columns without '/'."
            )
        origin[label] = cells
        labels.append(label)
    column = np.array([*labels, None], dtype=object)[places]
    return table.with_columns(
        nw.new_series(joined, column, nw.String, backend=table.implementation)
    ).to_native(), joined


def as_backend(frame: pd.DataFrame, backend: str) -> Any:
    """Return a pandas frame as it is, or as a polars frame in which NaN has become null."""
    if backend == "pandas":
        return frame
    if backend != "polars":
        raise ConfigError(f"backend is 'pandas' or 'polars', got {backend!r}. {nearest(backend, ('pandas', 'polars'))}")
    try:
        import polars as pl
    except ImportError as error:
        raise MissingExtraError("polars", "polars", "A polars frame") from error
    return pl.from_pandas(frame)


def read_table(path: str | PathLike[str], *, text: tuple[str, ...] = (), sep: str = ",", decimal: str = ".") -> Any:
    """Read a CSV or Parquet file, picked by its ending, into a pandas frame.

    Parameters
    ----------
    path : path
        Ends in ``.csv``, ``.csv.gz``, ``.parquet`` or ``.pq``.
    text : tuple of str
        CSV columns kept as text (identifiers such as ``007``).
    sep, decimal : str
        CSV separator and decimal mark.
    """
    file = Path(path)
    kind = next((k for ending, k in READERS.items() if file.name.lower().endswith(ending)), None)
    if kind is None:
        raise DataError(f"Expected a file ending in {', '.join(READERS)}; got {file.name!r}.")
    if not file.is_file():
        if not file.parent.is_dir():
            raise DataError(f"There is no folder {str(file.parent)!r} to read {file.name!r} from.")
        here = sorted(p.name for p in file.parent.iterdir() if p.suffix.lower() in READERS)
        raise DataError(f"There is no file {str(file)!r}. {nearest(file.name, here[:50])}")
    try:
        if kind == "parquet":
            return pd.read_parquet(file)
        return pd.read_csv(file, sep=sep, decimal=decimal, dtype=dict.fromkeys(text, str), low_memory=False)
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{file.name} is empty: expected a header line and rows below it.") from error
    except (ValueError, OSError) as error:
        raise DataError(f"{file.name} cannot be read as {kind}: {error}") from error
