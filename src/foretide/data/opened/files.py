"""Which Parquet files make up a table, what is in them, and their rows in batches."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from foretide.data.files import storage_error, storing
from foretide.data.opened.paths import list_files
from foretide.data.reading.frames import open_frame
from foretide.data.reading.rows import counted, rows_called
from foretide.data.windows import evenly
from foretide.errors import DataError

if TYPE_CHECKING:
    from foretide.data.reading.frames import FrameView

BATCH_BYTES = 8 * 2**20
"""Rows that are decoded at once, as float64."""
SAMPLED_BYTES = 2 * 2**20
"""Rows that are looked at in one place to guess roles from."""
UNIT_BYTES = 64 * 2**20
"""Rows between two notes of how far the work is."""
_FOOTER = 2**16
_UNNAMED = re.compile(r"__index_level_\d+__")
"""How pandas writes an index without a name."""
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_WHOLE = re.compile(r"-?\d{1,18}")
_NUMBER = re.compile(r"-?\d{1,18}(\.\d+)?([eE][+-]?\d+)?")


@dataclass(frozen=True)
class File:
    """One file of a table.

    Attributes
    ----------
    path : Path
    name : str
        Below the folder that was opened.
    parts : dict
        Column -> its value in this file, from folders such as ``shop=12``.
    columns : frozenset of str
        All others.
    groups : tuple of int
        Rows of each row group.
    mark : str
        Differs once the file has changed.
    """

    path: Path
    name: str
    parts: dict[str, str | None]
    columns: frozenset[str]
    groups: tuple[int, ...]
    mark: str


@dataclass(frozen=True)
class Unit:
    """Neighbouring row groups of a file that are read together."""

    file: int
    groups: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a file.

    Attributes
    ----------
    table : narwhals frame
    file : int
        Position of the file.
    name : str
        Of the file.
    first : int
        Position of the first row in it.
    """

    table: FrameView
    file: int
    name: str
    first: int

    def named(self) -> AbstractContextManager[None]:
        """Let messages name the rows by file and number.

        Returns
        -------
        context manager
        """
        return rows_called(counted(self.first, self.name))


@dataclass(frozen=True, eq=False)
class Files:
    """All files of a table, in the order of their names.

    Attributes
    ----------
    files : tuple of File
    types : dict
        Column -> type -> name of the first file that has it so; files without rows count where all are so.
    """

    files: tuple[File, ...]
    types: dict[str, dict[pa.DataType, str]]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(self.types)

    @property
    def in_all(self) -> tuple[str, ...]:
        """Names of columns that no file with rows lacks."""
        return tuple(name for name in self.types if self.lacking(name) is None)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(sum(file.groups) for file in self.files)

    @property
    def mark(self) -> str:
        """Sixteen digits that differ once a file has changed, come or gone."""
        return hashlib.sha256(repr([(f.name, f.mark) for f in self.files]).encode()).hexdigest()[:16]

    def lacking(self, name: str) -> File | None:
        """Return the first file with rows that lacks a column.

        Parameters
        ----------
        name : str

        Returns
        -------
        File or None
        """
        return next((f for f in self.files if f.groups and name not in f.columns and name not in f.parts), None)

    def units(self, row_bytes: int) -> list[Unit]:
        """Return what is read step by step.

        Parameters
        ----------
        row_bytes : int

        Returns
        -------
        list of Unit
        """
        found: list[Unit] = []
        for k, file in enumerate(self.files):
            some: list[int] = []
            for group in range(len(file.groups)):
                if some and sum(file.groups[g] for g in [*some, group]) * row_bytes > UNIT_BYTES:
                    found.append(Unit(k, tuple(some)))
                    some = []
                some.append(group)
            found += [Unit(k, tuple(some))] if some else []
        return found

    def sample(self, most: int = 16) -> pd.DataFrame:
        """Return the first rows of some units, evenly spread, the last one among them: enough to guess roles from.

        Parameters
        ----------
        most : int
            Units.

        Returns
        -------
        pandas data frame
            With the columns that all files have.

        Raises
        ------
        DataError
            Where there are no rows.
        """
        columns = self.in_all
        units = self.units(8 * len(columns))
        if not units:
            raise DataError("The files have no rows. Expected at least one row per time.")
        chosen = [units[k] for k in evenly(len(units), most, newest=True)]
        frames = [next(self.batches(unit, columns, size=SAMPLED_BYTES)).table.to_native() for unit in chosen]
        return pd.concat(frames, ignore_index=True)  # type: ignore[arg-type]  # they are of pandas

    def batches(
        self, unit: Unit, columns: Sequence[str], as_text: Sequence[str] = (), *, size: int = BATCH_BYTES
    ) -> Iterator[Batch]:
        """Yield the rows of a unit in order.

        Parameters
        ----------
        unit : Unit
        columns : sequence of str
        as_text : sequence of str
            Those from the names of folders that are taken as they are written there: ``007`` is no 7.
        size : int
            Bytes of a batch, about.

        Yields
        ------
        Batch

        Raises
        ------
        DataError, StorageError
            Where a file is damaged, or cannot be read.
        """
        file = self.files[unit.file]
        most = max(64, size // (8 * max(len(columns), 1)))
        own, first = [name for name in columns if name not in file.parts], sum(file.groups[: unit.groups[0]])
        try:
            with pq.ParquetFile(file.path, buffer_size=2**20) as content:
                for batch in content.iter_batches(most, row_groups=list(unit.groups), columns=own, use_threads=False):
                    frame = batch.to_pandas(ignore_metadata=True)
                    for name in columns:
                        if name in file.parts:
                            frame[name] = self._part(name, file, len(frame), text=name in as_text)
                    yield Batch(open_frame(frame), unit.file, file.name, first)
                    first += len(frame)
        except (pa.ArrowException, OSError) as error:
            raise _unsound(file.name, error) from error

    def _part(self, name: str, file: File, rows: int, *, text: bool) -> pd.Series:
        """Return a column from the name of a folder."""
        (kind,), value = self.types[name], file.parts[name]
        if text or pa.types.is_string(kind):
            return pd.Series([value] * rows, dtype=object)
        if pa.types.is_integer(kind):
            return pd.Series(int(str(value)), range(rows), np.int64)
        return pd.Series(np.nan if value is None else float(value), range(rows), np.float64)


def find_files(path: str | os.PathLike[str]) -> Files:
    """Return the files of a folder and its folders, of a pattern, or one file.

    Parameters
    ----------
    path : path
        Hidden files, and those whose names begin with ``_``, are no part of a folder.

    Returns
    -------
    Files

    Raises
    ------
    DataError
        Where there are none, or one is no sound Parquet.
    """
    root, found = list_files(os.path.expanduser(os.fspath(path)))
    files: list[File] = []
    types: dict[str, dict[pa.DataType, str]] = {}
    without_rows: dict[str, dict[pa.DataType, str]] = {}
    known: dict[frozenset[str], frozenset[str]] = {}  # most files have the same columns: they are kept once
    for one in found:
        file, schema = _file(one, root, known)
        files.append(file)
        if file.parts.keys() != files[0].parts.keys():
            raise DataError(
                f"{files[0].name} lies in folders of {list(files[0].parts)}, {file.name} of {list(file.parts)}. "
                "Let folders name the same columns everywhere."
            )
        for field in schema:
            if field.name in file.columns:
                kept = types if file.groups else without_rows
                kept.setdefault(field.name, {}).setdefault(field.type, file.name)
    types = types or without_rows
    for name in files[0].parts:
        types[name] = {_type_of([file.parts[name] for file in files]): files[0].name}
    return Files(tuple(files), types)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text, or categories.

    Parameters
    ----------
    kind : pyarrow type

    Returns
    -------
    bool
    """
    alike = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_dictionary)
    return any(is_so(kind) for is_so in alike)


def _file(path: Path, root: Path, known: dict[frozenset[str], frozenset[str]]) -> tuple[File, pa.Schema]:
    below = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    pairs = [part.partition("=") for part in below.parts[:-1] if "=" in part]
    parts = {name: None if value == _NO_VALUE else unquote(value) for name, _, value in pairs}
    with storing(path, deed="read"):
        about = path.stat()
        with path.open("rb") as file:
            file.seek(max(0, about.st_size - _FOOTER))
            mark = hashlib.sha256(file.read()).hexdigest()[:16]
    try:
        with pq.ParquetFile(path) as content:
            groups = tuple(content.metadata.row_group(k).num_rows for k in range(content.metadata.num_row_groups))
            schema = content.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise _unsound(str(path), error) from error
    names = frozenset(n for n in schema.names if n not in parts and not _UNNAMED.fullmatch(n))
    mark = f"{about.st_size} {about.st_mtime_ns} {mark}"
    groups = tuple(groups) if sum(groups) else ()
    return File(path, str(below), parts, known.setdefault(names, names), groups, mark), schema


def _unsound(name: str, error: Exception) -> Exception:
    """Return what is said of a file that cannot be read: by the system, or as it is damaged."""
    if isinstance(error, OSError) and error.errno:
        return storage_error(error, name, deed="read")
    reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return DataError(f"{name} is no sound Parquet file ({reason}). Copy or write it anew.")


def _type_of(values: Sequence[str | None]) -> pa.DataType:
    """Return what values from the names of folders are: whole numbers, numbers, or text."""
    written = [value for value in values if value is not None]
    if len(written) == len(values) and all(map(_WHOLE.fullmatch, written)):
        return pa.int64()
    return pa.float64() if written and all(map(_NUMBER.fullmatch, written)) else pa.string()


def text_cells(table: FrameView, name: str) -> tuple[np.ndarray, list[str]]:
    """Return the position of each row's text among the distinct ones, -1 for none, and these.

    Parameters
    ----------
    table : narwhals frame
    name : str

    Returns
    -------
    codes : int array ``[n]``
    labels : list of str
    """
    series = table[name]
    native = (
        series.cast(nw.String).to_native()
        if isinstance(series.dtype, (nw.Categorical, nw.Enum))
        else series.to_native()
    )
    codes, found = pd.factorize(native)
    blank = np.array([not str(cell).strip() for cell in found] + [True], dtype=bool)
    return np.where(blank[codes], -1, codes), [str(cell) for cell in found]
