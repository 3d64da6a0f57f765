"""Which Parquet files make up a table, what is in them, and their rows in batches."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from foretide.data.files import storing
from foretide.data.reading.frames import open_frame
from foretide.data.tables.source import PARQUET
from foretide.data.windows import evenly
from foretide.errors import DataError, nearest

if TYPE_CHECKING:
    from foretide.data.reading.frames import FrameView

BATCH_BYTES = 8 * 2**20
"""Rows that are decoded at once, as float64."""
UNIT_BYTES = 64 * 2**20
"""Rows between two notes of how far the work is."""
_FOOTER = 2**16
_UNNAMED = re.compile(r"__index_level_\d+__")
"""How pandas writes an index without a name."""
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


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
    groups : tuple of int
        Rows of each row group.
    mark : str
        Differs once the file has changed.
    """

    path: Path
    name: str
    parts: dict[str, str | None]
    groups: tuple[int, ...]
    mark: str


@dataclass(frozen=True)
class Unit:
    """Neighbouring row groups of a file that are read together."""

    file: int
    groups: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Files:
    """All files of a table, in the order of their names.

    Attributes
    ----------
    files : tuple of File
    schema : pyarrow schema
        Columns of the first file, and those from the names of folders.
    numbers : frozenset of str
        Columns from the names of folders all of whose values are whole numbers.
    """

    files: tuple[File, ...]
    schema: pa.Schema
    numbers: frozenset[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(self.schema.names)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(sum(file.groups) for file in self.files)

    @property
    def mark(self) -> str:
        """Sixteen digits that differ once a file has changed, come or gone."""
        return hashlib.sha256(repr([(f.name, f.mark) for f in self.files]).encode()).hexdigest()[:16]

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
        """
        units = self.units(8 * len(self.columns))
        chosen = [units[k] for k in evenly(len(units), most, newest=True)]
        frames = [next(self.batches(unit, self.columns), None) for unit in chosen]
        return pd.concat([f.to_native() for f in frames if f is not None], ignore_index=True)  # type: ignore[misc]

    def batches(self, unit: Unit, columns: Sequence[str]) -> Iterator[FrameView]:
        """Yield the rows of a unit in order, as frames.

        Parameters
        ----------
        unit : Unit
        columns : sequence of str

        Yields
        ------
        narwhals frame

        Raises
        ------
        DataError
            Where a file cannot be read, or lacks a column.
        """
        file = self.files[unit.file]
        size = max(64, BATCH_BYTES // (8 * max(len(columns), 1)))
        own = [name for name in columns if name not in file.parts]
        try:
            with pq.ParquetFile(file.path, buffer_size=2**20) as content:
                known = content.schema_arrow.names
                for name in own:
                    if name not in known:
                        raise DataError(f"{file.name} has no column {name!r}, other files do. {nearest(name, known)}")
                for batch in content.iter_batches(size, row_groups=list(unit.groups), columns=own, use_threads=False):
                    frame = batch.to_pandas(ignore_metadata=True)
                    yield open_frame(self._with_parts(frame, file, columns))
        except (pa.ArrowException, OSError) as error:
            raise _unsound(file.name, error) from error

    def _with_parts(self, frame: pd.DataFrame, file: File, columns: Sequence[str]) -> pd.DataFrame:
        for name in columns:
            if name in file.parts:
                value = file.parts[name]
                number = name in self.numbers and value is not None
                frame[name] = pd.Series(int(value) if number else value, frame.index, None if number else object)  # type: ignore[arg-type]
        return frame


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
    typed = os.path.expanduser(os.fspath(path))
    root, found = _found(typed)
    if not found:
        raise DataError(
            f"There is no Parquet file in {typed}. Name a folder, a pattern such as 'sales/*.parquet', or a file. "
            "CSV files are read whole: Panel.read(...)."
        )
    files, schemas = zip(*(_file(one, root) for one in found), strict=True)
    parts = {name: [file.parts.get(name) for file in files] for name in files[0].parts}
    for file in files:
        if file.parts.keys() != parts.keys():
            raise DataError(f"{files[0].name} lies in folders of {list(parts)}, {file.name} of {list(file.parts)}.")
    numbers = frozenset(n for n, all_ in parts.items() if all(v is not None and _is_whole(v) for v in all_))
    schema = schemas[0]
    for name in schema.names:
        if _UNNAMED.fullmatch(name):
            schema = schema.remove(schema.get_field_index(name))
    for name in parts:
        if name in schema.names:
            schema = schema.remove(schema.get_field_index(name))
        schema = schema.append(pa.field(name, pa.int64() if name in numbers else pa.string()))
    kinds = {f.name: [s.field(f.name).type for s in schemas if f.name in s.names] for f in schema}
    for name, types in kinds.items():  # one file of doubles makes a column of doubles
        if any(kind != types[0] for kind in types) and pa.types.is_float32(types[0]):
            schema = schema.set(schema.get_field_index(name), pa.field(name, pa.float64()))
    return Files(tuple(files), schema, numbers)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text.

    Parameters
    ----------
    kind : pyarrow type

    Returns
    -------
    bool
    """
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner))


def _found(typed: str) -> tuple[Path, list[Path]]:
    path = Path(typed)
    if path.is_dir():
        below = [p for p in path.rglob("*") if p.suffix.lower() in PARQUET and p.is_file()]
        shown = [p for p in below if not any(part[:1] in "._" for part in p.relative_to(path).parts)]
        return path, sorted(shown, key=lambda p: p.relative_to(path).parts)
    if path.is_file():
        return path.parent, [path]
    fixed = [part for part in path.parts if not glob.has_magic(part)]
    root = Path(*fixed[: next((k for k, part in enumerate(path.parts) if glob.has_magic(part)), 0)] or ["."])
    return root, sorted((Path(p) for p in glob.glob(typed, recursive=True) if Path(p).is_file()), key=lambda p: p.parts)


def _file(path: Path, root: Path) -> tuple[File, pa.Schema]:
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
    return File(path, str(below), parts, groups, f"{about.st_size} {about.st_mtime_ns} {mark}"), schema


def _unsound(name: str, error: Exception) -> DataError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(f"{name} is no sound Parquet file ({reason}). Copy or write it anew.")


def _is_whole(text: str) -> bool:
    return text.lstrip("-").isdecimal() and str(int(text)) == text and abs(int(text)) < 2**62


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
