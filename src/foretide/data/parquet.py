"""Parquet files of results: quick to write, no larger than need be, and long lists that would swell a JSON file."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

LOOKED_AT = 10_000
"""Whether numbers of a column repeat is seen from so many of its first rows."""
AT_ONCE = 250_000
"""Rows that are written at once."""
LONG = 1_000
"""A list of so many entries holds something of each series, and is no part of what a person reads."""
PLACE = "__list__"


def write_parquet(
    frame: pd.DataFrame | Iterable[pd.DataFrame], path: Path, more: Mapping[str, bytes] | None = None
) -> None:
    """Write a frame; of numbers that hardly repeat no dictionary is made, which would take time and room.

    Parameters
    ----------
    frame : DataFrame, or iterable of them
        Or its parts in order, at least one, all with the columns and types of the first.
    path : Path
    more : mapping, optional
        What else the file carries, by name: text as bytes.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = _parts_of(frame) if isinstance(frame, pd.DataFrame) else iter(frame)
    part = next(parts)
    schema = pa.Schema.from_pandas(frame if isinstance(frame, pd.DataFrame) else part, preserve_index=False)
    if more:
        carried = {name.encode(): value for name, value in more.items()}
        schema = schema.with_metadata({**(schema.metadata or {}), **carried})
    first = pa.Table.from_pandas(part.head(LOOKED_AT), schema=schema)
    kept = [
        field.name for field in schema if not pa.types.is_floating(field.type) or _repeats(first.column(field.name))
    ]
    with pq.ParquetWriter(path, schema, use_dictionary=kept or False) as writer:
        for one in itertools.chain([part], parts):
            writer.write_table(pa.Table.from_pandas(one, schema=schema).replace_schema_metadata(schema.metadata))


def _parts_of(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for low in range(0, max(len(frame), 1), AT_ONCE):  # a second copy of a large table would need its memory again
        yield frame.iloc[low : low + AT_ONCE]


def _repeats(column: pa.ChunkedArray) -> bool:
    return 2 * len(column.unique()) < len(column)


def without_long_lists(value: Any, least: int = LONG) -> tuple[Any, bytes]:
    """Take long lists of texts, numbers or flags out of nested lists, tuples, dictionaries and arrays.

    Parameters
    ----------
    value : object
        What JSON holds, arrays and tuples too.
    least : int
        Entries of a list that is long.

    Returns
    -------
    object
        With a mark in the place of each long list.
    bytes
        The lists, for :func:`with_long_lists`; none where there is no long one.

    Examples
    --------
    >>> short, lists = without_long_lists({"a": 1, "ids": ("x", "y") * 2}, least=4)
    >>> short
    {'a': 1, 'ids': {'__list__': 0, 'tuple': True}}
    >>> with_long_lists(short, lists)
    {'a': 1, 'ids': ('x', 'y', 'x', 'y')}
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    lists: list[pa.Array] = []
    short = _shortened(value, least, lists)
    if not lists:
        return short, b""
    table = pa.table({str(k): pa.array([own.to_pylist()], pa.list_(own.type)) for k, own in enumerate(lists)})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return short, sink.getvalue()


def with_long_lists(value: Any, content: bytes) -> Any:
    """Put the lists back that :func:`without_long_lists` took out; arrays stay arrays.

    Parameters
    ----------
    value : object
    content : bytes

    Returns
    -------
    object
    """
    if not content:
        return value
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    return _whole(value, [table.column(str(k))[0] for k in range(table.num_columns)])


def _shortened(value: Any, least: int, lists: list[pa.Array]) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(item, least, lists) for key, item in value.items()}
    if _is_long(value, least):
        lists.append(_column(value))
        mark: dict[str, object] = {PLACE: len(lists) - 1}
        if isinstance(value, tuple):
            mark["tuple"] = True
        if isinstance(value, np.ndarray):
            mark["shape"] = list(value.shape)
        return mark
    if isinstance(value, (list, tuple)):
        return type(value)([_shortened(item, least, lists) for item in value])
    return value


def _is_long(value: Any, least: int) -> bool:
    """Whether a value is a long array of numbers, or a long list of texts, numbers or flags, all of one type."""
    if isinstance(value, np.ndarray):
        return value.size >= least and value.dtype.kind in "fiub"
    if not isinstance(value, (list, tuple)) or len(value) < least:
        return False
    return type(value[0]) in (str, bool, int, float) and len({type(item) for item in value}) == 1


def _column(value: Any) -> pa.Array:
    import pyarrow as pa

    return pa.array(value.ravel() if isinstance(value, np.ndarray) else value)


def _whole(value: Any, lists: list[Any]) -> Any:
    if isinstance(value, list):
        return [_whole(item, lists) for item in value]
    if isinstance(value, tuple):
        return tuple(_whole(item, lists) for item in value)
    if not isinstance(value, dict):
        return value
    if PLACE not in value:
        return {key: _whole(item, lists) for key, item in value.items()}
    own = lists[value[PLACE]].values
    if "shape" in value:
        return own.to_numpy(zero_copy_only=False).reshape(value["shape"])
    return tuple(own.to_pylist()) if value.get("tuple") else own.to_pylist()
