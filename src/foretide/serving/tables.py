"""Tables of requests: JSON rows or a Parquet file to columns, with limits checked before memory is taken."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from foretide.serving.limits import Limits, RequestError, too_large

if TYPE_CHECKING:
    from foretide.typing import Array

Columns: TypeAlias = "dict[str, Array]"
PARQUET = "application/vnd.apache.parquet"
UNPACKED = 8
"""A Parquet table may be so many times as large once unpacked as a body may be."""


def read_json(body: bytes) -> Any:
    """Read JSON as its standard has it: no NaN, no Infinity, nothing nested without end.

    Parameters
    ----------
    body : bytes

    Returns
    -------
    object

    Raises
    ------
    RequestError
        For anything else.

    Examples
    --------
    >>> from foretide.serving.tables import read_json
    >>> read_json(b'{"h": 3}')
    {'h': 3}
    """
    try:
        found = json.loads(body, parse_constant=_refuse_constant)
        if b"\\ud" in body or b"\\uD" in body:  # half a character can be written, and is no text
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except UnicodeEncodeError:
        raise RequestError("The body holds half of a character (a lone surrogate), which is no text.") from None
    except RecursionError:
        raise RequestError("The body is nested too deeply. A table is a list of rows, each with plain cells.") from None
    except UnicodeDecodeError as error:
        raise RequestError(f"The body is not UTF-8 text (byte {error.start}).", 400) from None
    except json.JSONDecodeError as error:
        raise RequestError(f"The body is not JSON: {error.msg}, character {error.pos}.", 400) from None
    except ValueError:  # a whole number of thousands of digits
        raise RequestError("The body holds a number of too many digits.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise RequestError(f"The body holds {name}, which JSON does not have. Write null for a missing value.")


def columns_of(history: object, future: object, limits: Limits) -> Columns:
    """Return the rows of a request as columns, those known ahead after the history.

    Parameters
    ----------
    history, future : list of dict, dict of list, or None
    limits : Limits

    Returns
    -------
    dict
        Name -> numbers, whole numbers or booleans, or objects of what is none of these.

    Raises
    ------
    RequestError
        For what is no table, and beyond a limit.
    """
    parts = [
        _cells(rows, name, limits) for rows, name in ((history, "history"), (future, "future")) if rows is not None
    ]
    if not parts:
        raise RequestError("history: expected the rows of a table, such as [{...}, {...}], got nothing.")
    rows = [len(next(iter(part.values()))) for part in parts]
    if sum(rows) > limits.rows:
        raise too_large("rows", sum(rows), limits.rows, "Send the latest rows of each series only.")
    names = dict.fromkeys(chain.from_iterable(parts))
    if len(names) > limits.columns:
        raise too_large("columns", len(names), limits.columns, "Send those that the model was fitted on.")
    if len(parts) == 1:
        return {name: _typed(name, cells, limits) for name, cells in parts[0].items()}
    whole = {
        name: list(chain.from_iterable(part.get(name) or [None] * n for part, n in zip(parts, rows, strict=True)))
        for name in names
    }
    return {name: _typed(name, cells, limits) for name, cells in whole.items()}


def _cells(rows: object, what: str, limits: Limits) -> Mapping[str, Sequence[object]]:
    """Return records or columns as columns of one length."""
    if isinstance(rows, dict) and rows and all(isinstance(cells, list) for cells in rows.values()):
        lengths = {len(cells) for cells in rows.values()}
        if len(lengths) > 1:
            raise RequestError(f"{what}: the columns have {min(lengths)} to {max(lengths)} rows. Expected one length.")
        found: Mapping[str, Sequence[object]] = rows
    elif isinstance(rows, list) and rows and all(type(row) is dict for row in rows):
        if len(rows) > limits.rows:
            raise too_large("rows", len(rows), limits.rows, "Send the latest rows of each series only.")
        names = list(dict.fromkeys(chain.from_iterable(rows)))
        if len(names) > limits.columns:
            raise too_large("columns", len(names), limits.columns, "Send those that the model was fitted on.")
        found = {name: _column_of(rows, name) for name in names}
    else:
        got = "no rows" if rows == [] or rows == {} else _kind(rows)
        raise RequestError(f"{what}: expected rows, [{{...}}, {{...}}], or columns, {{name: [...]}}; got {got}.")
    if not found or not len(next(iter(found.values()))):
        raise RequestError(f"{what}: expected at least one row, got none.")
    return found


def _column_of(rows: list[dict[str, object]], name: str) -> list[object]:
    try:
        return list(map(itemgetter(name), rows))
    except KeyError:
        return [row.get(name) for row in rows]


def _kind(value: object) -> str:
    words = {
        list: "a list",
        dict: "an object",
        str: "a text",
        bool: "a truth value",
        int: "a number",
        float: "a number",
    }
    return words.get(type(value), "something else")


def _typed(name: str, cells: Sequence[object], limits: Limits) -> Array:
    """Return the cells of a column as an array: of floats where they are numbers or missing."""
    if len(name) > limits.text:
        raise too_large("characters in the name of a column", len(name), limits.text, "Shorten it.")
    kinds = set(map(type, cells))
    try:
        if kinds == {int}:
            return np.array(cells, dtype=np.int64)
        if kinds <= {int, float, type(None)}:
            return np.array(cells, dtype=np.float64)
    except OverflowError:
        raise RequestError(f"Column {name!r} holds a whole number that is too large to compute with.") from None
    if kinds == {bool}:
        return np.array(cells, dtype=bool)
    if kinds & {dict, list}:
        kind = "an object" if dict in kinds else "a list"
        raise RequestError(f"Column {name!r}: a cell is a number, a text, true, false or null, got {kind}.")
    texts: Any = cells if kinds == {str} else [cell for cell in cells if isinstance(cell, str)]
    longest = max(map(len, texts), default=0)
    if longest > limits.text:
        raise too_large(f"characters in a cell of column {name!r}", longest, limits.text, "Shorten it.")
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found


def read_parquet(body: bytes, limits: Limits) -> Columns:
    """Read a Parquet file as columns.

    What the file says of its size is checked before anything is unpacked, and text is unpacked as codes.

    Parameters
    ----------
    body : bytes
    limits : Limits

    Returns
    -------
    dict

    Raises
    ------
    RequestError
        For what is no Parquet file, for nested columns, and beyond a limit.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sizes = {"thrift_string_size_limit": 1_000_000, "thrift_container_size_limit": 100_000}
    try:
        about = pq.ParquetFile(io.BytesIO(body), **sizes)
        _check_size(about, limits)
        texts = [f.name for f in about.schema_arrow if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        table = pq.ParquetFile(io.BytesIO(body), read_dictionary=texts, **sizes).read(use_threads=False)
        _check_texts(table, limits)
        frame = table.to_pandas(ignore_metadata=True, use_threads=False)
    except (pa.ArrowException, OSError, ValueError, OverflowError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError("The body is not a Parquet file that can be read.", 400) from None
    return {str(name): _column(frame[name]) for name in frame.columns}


def _check_size(about: Any, limits: Limits) -> None:
    import pyarrow as pa

    metadata, schema = about.metadata, about.schema_arrow
    if metadata.num_rows > limits.rows:
        raise too_large("rows", metadata.num_rows, limits.rows, "Send the latest rows of each series only.")
    if metadata.num_columns > limits.columns:
        raise too_large("columns", metadata.num_columns, limits.columns, "Send those that the model was fitted on.")
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    rows = sum(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
    if size > UNPACKED * limits.bytes:
        raise too_large("bytes, unpacked", size, UNPACKED * limits.bytes, "Send the latest rows of each series only.")
    if rows != metadata.num_rows or size < 0:
        raise RequestError("The Parquet file contradicts itself on its rows.", 400)
    if not metadata.num_rows:
        raise RequestError("history: expected at least one row, got none.")
    if len(set(schema.names)) < len(schema.names):
        raise RequestError("The Parquet file has two columns of one name.")
    for field in schema:
        if not (pa.types.is_primitive(field.type) or _is_text(field.type)):
            kind = str(field.type)[:50]
            raise RequestError(
                f"Column {field.name!r}: a cell is a number, a text, a time or a truth value, got {kind}."
            )


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(plain) or pa.types.is_large_string(plain) or pa.types.is_null(plain))


def _check_texts(table: Any, limits: Limits) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_dictionary(field.type):
            longest = max((pc.max(pc.utf8_length(chunk.dictionary)).as_py() or 0 for chunk in column.chunks), default=0)
            if longest > limits.text:
                raise too_large(f"characters in a cell of column {field.name!r}", longest, limits.text, "Shorten it.")


def _column(series: Any) -> Array:
    """Return a column of a frame as the array that JSON would have given, or as it is."""
    if series.dtype.kind in "iufbM" and getattr(series.dtype, "tz", None) is None:
        return np.asarray(series.to_numpy())
    if getattr(series.dtype, "tz", None) is not None:
        return np.asarray(series.astype(object).to_numpy())
    found = series.astype(object).to_numpy(dtype=object, copy=True)
    found[np.asarray(series.isna())] = None
    return np.asarray(found)
