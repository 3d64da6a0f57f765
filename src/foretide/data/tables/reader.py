"""One reader for every table that foretide takes as a file."""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from foretide.data.exports import unguarded, unguarded_names
from foretide.data.reading.problems import Problem
from foretide.data.reading.rows import Rows, counted, lines, rows_called
from foretide.data.tables.form import Form, Origin
from foretide.data.tables.limits import CELL, current
from foretide.data.tables.numerals import MISSING, Column, Pair, all_match, any_match, convert, doubt, look, settle
from foretide.data.tables.source import Source, open_source
from foretide.data.tables.text import Text, header_of, lines_of, read_text, unsound_row
from foretide.errors import DataError
from foretide.text import phrase
from foretide.typing import Array, Bools, Ints

_BLOCK = (1 << 31) - 2
_CODES = r"^0\d+$"
"""Digits behind a zero are a code, not a number."""
_VALUE = r"[-+(]?\d"
_NUMERIC = r"^\s*$|^\s*[-+(]?[\d.,' ]*\d[\d.,' ]*(?:[eE][-+]?\d+)?\)?\s*$|^\s*(?i:n/?a|nan|null)\s*$"
_MONTHS = (r"^(?:0?[1-9]|1[0-2])\.(?:19|20)\d\d$", r"^(?:19|20)\d\d\.(?:0[1-9]|1[0-2])$")


@dataclass(frozen=True)
class Table:
    """A table read from a file.

    Attributes
    ----------
    frame : pandas data frame
        Numbers where every value of a column is one, text elsewhere.
    origin : Origin
    doubts : dict of str to Problem
        Columns that look like numbers, stayed text, and why.
    cells : dict of str to string array
        The text of every column; none for Parquet.
    rows : Rows
        What the rows are called in messages.
    """

    frame: pd.DataFrame
    origin: Origin
    doubts: dict[str, Problem] = field(default_factory=dict)
    cells: dict[str, pa.ChunkedArray] = field(default_factory=dict, repr=False)
    rows: Rows = field(default_factory=counted, repr=False)

    def with_text(self, names: Iterable[str]) -> Table:
        """Return the table with some columns as they are written (identifiers such as ``007`` or ``NA``, times).

        Whole numbers stay numbers.

        Parameters
        ----------
        names : iterable of str

        Returns
        -------
        Table
        """
        kept = {n: _plain(self.cells[n]) for n in names if n in self.cells and not _whole(self.cells[n])}
        return replace(self, frame=self.frame.assign(**kept)) if kept else self


def read_table(
    path: str | os.PathLike[str], *, text: Iterable[str] = (), preset: Form | None = None, likely: Form | None = None
) -> Table:
    """Read a CSV or Parquet file into a pandas frame; what is not given is found by looking.

    Parameters
    ----------
    path : path
        Ends in ``.csv``, ``.tsv``, ``.tab``, ``.txt``, ``.dat``, ``.parquet`` or ``.pq``, maybe followed by ``.gz``,
        ``.bz2``, ``.xz`` or ``.zip``; ``-`` is standard input.
    text : iterable of str
        Columns kept as text (identifiers such as ``007`` or ``NA``, times).
    preset : Form, optional
        What holds without a look.
    likely : Form, optional
        Of a table of the same kind, taken where a look leaves it open.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        When the file cannot be read, with the line where it is known.
    """
    source = open_source(path)
    if source.is_parquet:
        return Table(_parquet(source), Origin(source.name, Form()))
    preset, likely = (preset or Form()).checked(), likely or Form()
    content = read_text(source.data, source.name, preset, likely)
    name, found, titles = source.name, content.form, content.left_out
    cells, left_out, rows = _cells(content, name)
    del source, content  # the bytes of the file, which may be many
    kept = set(text)
    columns = {
        column: look(column, cell, preset)
        for column, cell in cells.items()
        if not any_match(cell, _CODES) and (column not in kept or _whole(cell)) and not _months(cell)
    }
    chosen = settle(list(columns.values()), likely, found.sep)
    with rows_called(rows):
        frame, doubts = _converted(cells, columns, chosen, preset)
    decimal, thousands = _marks(columns, chosen)
    form = replace(found, decimal=decimal, thousands=thousands, time_format=preset.time_format)
    if titles:
        left_out = (f"{phrase('line|lines', titles)} above the header", *left_out)
    return Table(pd.DataFrame(frame), Origin(name, form, left_out), doubts, cells, rows)


def _converted(
    cells: dict[str, pa.ChunkedArray], columns: dict[str, Column], chosen: dict[str, Pair], preset: Form
) -> tuple[dict[str, Array | pd.Series | None], dict[str, Problem]]:
    """Return every column as numbers where it holds them, else as text, and why some that look like numbers do not."""
    frame: dict[str, Array | pd.Series | None] = {}
    doubts: dict[str, Problem] = {}
    for name, cell in cells.items():
        if name in chosen and not _only_signs(cell, columns[name]):
            frame[name], problem = convert(columns[name], chosen[name])
        else:
            frame[name], problem = None, doubt(columns[name], preset) if name in columns else None
        if frame[name] is None:
            frame[name] = _plain(cell)
        if problem is not None:
            doubts[name] = problem
    return frame, doubts


def _cells(content: Text, name: str) -> tuple[dict[str, pa.ChunkedArray], tuple[str, ...], Rows]:
    """Return the text of every column by its name, what is left out, and what the rows are called."""
    sep = content.form.sep or ","
    header = header_of(content.data, sep)
    current().check(name, rows=content.data.count(b"\n"), columns=len(header))
    data = content.data if content.data.endswith(b"\n") else content.data + b"\n"
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(data),
            read_options=pa.csv.ReadOptions(
                use_threads=False, block_size=min(len(data) + 1, _BLOCK), autogenerate_column_names=True
            ),
            parse_options=pa.csv.ParseOptions(delimiter=sep, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(column_types={f"f{k}": pa.string() for k in range(len(header))}),
        )
    except pa.ArrowException as error:
        raise DataError(
            _ragged(content, sep, len(header), name) or f"{name} cannot be read as a table: {error}."
        ) from error
    # A quotation mark that is not closed swallows the lines below it.
    quotes, breaks = data.count(b'"'), data.count(b"\n")
    if quotes % 2 or (quotes and table.num_rows < breaks and table.num_rows < _filled(data)):
        ragged = _ragged(content, sep, len(header), name)
        if ragged:
            raise DataError(ragged)
    names = unguarded_names(str(table.column(k)[0]).strip() for k in range(table.num_columns))
    _check_names(names, content, name)
    if table.num_rows < 2:
        raise DataError(f"{name} has a header and nothing below it. Expected at least one row per time.")
    numbers = lines_of(data, content.line, table.num_rows)
    table, units = _without_units(table.slice(1))
    table, filled = _without_empty(table)
    empty = int((~filled).sum()) if filled is not None else 0
    cells, left_out = _named(names, table)
    said = ["the row below the header, which holds no values"] * units
    said += [phrase("empty row|empty rows", empty)] * bool(empty)
    return cells, (*left_out, *said), _rows(numbers, units, filled)


def _filled(data: bytes) -> int:
    """Return how many lines are not empty."""
    return sum(line != b"\n" for line in io.BytesIO(data))


def _without_units(table: pa.Table) -> tuple[pa.Table, bool]:
    """Leave out a first row of words, as of units or a second header, above columns of numbers only."""
    if table.num_rows < 3:
        return table, False
    below = table.slice(1)
    numeric = 0
    for k in range(table.num_columns):
        cell, column = str(table.column(k)[0]).strip(), below.column(k)
        if cell in MISSING:
            continue
        if re.match(_VALUE, cell) or (any(c.isdigit() for c in cell) and not all_match(column, _NUMERIC)):
            return table, False
        numeric += all_match(column, _NUMERIC) and any_match(column, r"\d")
    return (below, True) if numeric else (table, False)


def _rows(numbers: range | Ints | None, units: bool, filled: Bools | None) -> Rows:
    """Return what the rows are called that are left below the header, by the lines of all rows."""
    if numbers is None:
        return counted()
    below = numbers[1 + units :]
    return lines(below if filled is None else np.asarray(below)[filled])


def _without_empty(table: pa.Table) -> tuple[pa.Table, Bools | None]:
    """Leave out rows of empty cells, such as spreadsheets leave below a table; return which stay, None for all."""
    filled: pa.ChunkedArray | None = None
    for k in range(table.num_columns):
        full = pc.match_substring_regex(table.column(k), r"\S")
        filled = full if filled is None else pc.or_(filled, full)
        if pc.all(filled).as_py():
            return table, None
    mask: Bools = np.array([False]) if filled is None else filled.to_numpy().astype(np.bool_)
    return table.filter(pa.array(mask)), mask


def _ragged(content: Text, sep: str, width: int, name: str) -> str | None:
    bad = unsound_row(content.body, sep, width)
    if bad is None:
        return None
    above, what = bad
    return f"{name}, line {content.line + above}: {what}. Correct the line; a cell that holds {sep!r} is put in quotes."


def _check_names(names: list[str], content: Text, file: str) -> None:
    given = [name for name in names if name]
    twice = sorted(name for name, times in Counter(given).items() if times > 1)
    if twice:
        raise DataError(f"{file}: column names occur twice: {', '.join(twice[:5])}. Rename or drop one of each.")
    if not any(c.isalpha() for name in given for c in name):
        shown = (content.form.sep or ",").join(names)[:60]
        raise DataError(
            f"{file} has no header: line {content.line} is {shown!r}. Write the names of the columns above it, such as "
            f"ds{content.form.sep}y."
        )


def _named(names: list[str], table: pa.Table) -> tuple[dict[str, pa.ChunkedArray], tuple[str, ...]]:
    """Return the columns by name; those without one are left out where they are empty or count the rows."""
    cells, left_out = {}, []
    for k, name in enumerate(names):
        cell = pc.utf8_trim_whitespace(table.column(k))
        if not name and k == len(names) - 1 and not pc.any(pc.not_equal(cell, "")).as_py():
            continue
        if not name and k == 0 and _counts_rows(cell):
            left_out.append("the first column, which has no name and counts the rows")
            continue
        cells[name or f"Unnamed: {k}"] = unguarded(cell)
    return cells, tuple(left_out)


def _counts_rows(cell: pa.ChunkedArray) -> bool:
    n = len(cell)
    if not n or cell[0].as_py() not in ("0", "1") or not _whole(cell):
        return False
    values = cell.cast(pa.int64()).to_numpy()
    return bool((values == np.arange(n) + values[0]).all())


def _whole(cell: pa.ChunkedArray) -> bool:
    return all_match(cell, r"^-?\d{1,18}$")


def _only_signs(cell: pa.ChunkedArray, column: Column) -> bool:
    """Whether every cell is a word for no value, such as NA, which may be a name too."""
    return column.text.null_count == len(cell) and bool(pc.any(pc.not_equal(cell, "")).as_py())


def _months(cell: pa.ChunkedArray) -> bool:
    """Whether a column holds months such as ``01.2024``, which would pass for numbers."""
    head = cell.slice(0, 1000)
    return len(head) > 2 and any(all_match(head, form) for form in _MONTHS)


def _plain(cell: pa.ChunkedArray) -> pd.Series:
    """Return a column that is not made of numbers: booleans, or text in which an empty cell is missing."""
    cell = pc.if_else(pc.equal(cell, ""), pa.scalar(None, pa.string()), cell)
    known = pc.drop_null(cell)
    if len(known) and all_match(known, "^(?i:true|false)$"):
        truth: pd.Series = pc.equal(pc.utf8_lower(cell), "true").to_pandas()
        return truth if not cell.null_count else truth.astype("boolean")
    text: pd.Series = cell.to_pandas()
    return text


def _marks(columns: dict[str, Column], chosen: dict[str, Pair]) -> tuple[str | None, str | None]:
    """Return the marks that all columns with marks share, None where they have none or differ."""
    pairs = [pair for name, pair in chosen.items() if not columns[name].plain or pair[1]]
    decimals, thousands = {d for d, _ in pairs}, {t for _, t in pairs if t}
    return (decimals.pop() if len(decimals) == 1 else None), (thousands.pop() if len(thousands) == 1 else None)


# -------------------------------------------------------------------- Parquet
def _columns(source: Source) -> pa.Table:
    """Read the columns of Parquet; what they would fill is found before they do.

    Few bytes can stand for any number of rows, and one long text for every row of a column.
    """
    limits = current()
    with pa.parquet.ParquetFile(pa.BufferReader(source.data)) as file:
        about, schema = file.metadata, file.schema_arrow
        limits.check(source.name, rows=about.num_rows, columns=about.num_columns)
        groups = [about.row_group(k) for k in range(about.num_row_groups)]
        cells = sum(group.column(k).num_values for group in groups for k in range(group.num_columns))
        stated = sum(group.column(k).total_uncompressed_size for group in groups for k in range(group.num_columns))
        limits.check(source.name, size=max(CELL * cells, stated))
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_binary(field.type)]
    table = pa.parquet.read_table(pa.BufferReader(source.data), use_threads=False, read_dictionary=texts)
    coded = [k for k, field in enumerate(table.schema) if pa.types.is_dictionary(field.type)]
    limits.check(source.name, size=CELL * cells + sum(_text_size(table.column(k)) for k in coded))
    for k in coded:
        field = table.schema.field(k)
        if field.name in texts:
            table = table.set_column(k, field.name, table.column(k).cast(field.type.value_type))
    return table


def _text_size(column: pa.ChunkedArray) -> int:
    """Return the bytes of a column of text, of which each distinct one is held once, were all of it written out."""
    total = 0
    kind = column.type.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)):
        return total
    for part in column.chunks:
        lengths = pc.cast(pc.binary_length(part.dictionary), pa.int64())
        total += int(pc.sum(lengths.take(part.indices)).as_py() or 0)
    return total


def _parquet(source: Source) -> pd.DataFrame:
    """Read Parquet; a named index of pandas is an ordinary column, one without a name stays the index."""
    try:
        frame: pd.DataFrame = _columns(source).to_pandas(ignore_metadata=True)
    except DataError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DataError(f"{source.name} is no sound Parquet file ({reason}). Copy or write it anew.") from error
    index = [name for name in frame.columns if str(name).startswith("__index_level_")]
    return frame.set_index(index).rename_axis([None] * len(index)) if index else frame
