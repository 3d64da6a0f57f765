"""CSV for people: a cell of text that a spreadsheet would take for a formula is written so that it stays text.

Spreadsheets run what begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return. Ids, categories and names of
columns come from tables that others may have written. Such a text gets an apostrophe in front; the reader of tables
takes it away again, unless the column holds a formula without one. Numbers stay numbers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from foretide.data.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

DANGEROUS = r"[=+\-@\t\r\uff0b\uff0d\uff1d\uff20]"
"""First characters of a formula, the wide ones of East Asian keyboards included."""
GUARD = "'"
_FORMULA = re.compile(rf"[\s\x00]*{GUARD}*{DANGEROUS}")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?%?")


def guarded(text: object) -> object:
    """Return a cell as a spreadsheet may see it: a text that would be a formula gets an apostrophe in front.

    Parameters
    ----------
    text : object
        Anything but text stays as it is, and so does a text that is a number, such as ``-5``.

    Returns
    -------
    object

    Examples
    --------
    >>> from foretide.data.exports import guarded
    >>> guarded("=1+1"), guarded("-5"), guarded("shop 1"), guarded(-2.5)
    ("'=1+1", '-5', 'shop 1', -2.5)
    """
    if not isinstance(text, str) or not _FORMULA.match(text) or _NUMBER.fullmatch(text):
        return text
    return GUARD + text


def guarded_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose text, and names of columns, hold no formula; the same one where there is none.

    Parameters
    ----------
    frame : DataFrame

    Returns
    -------
    DataFrame
    """
    names = [guarded(name) for name in frame.columns]
    changed: dict[int, pd.Series] = {}
    for k, kind in enumerate(frame.dtypes):
        if not (pd.api.types.is_object_dtype(kind) or isinstance(kind, (pd.StringDtype, pd.CategoricalDtype))):
            continue
        column = frame.iloc[:, k].astype(object)
        kept = {value: guarded(value) for value in column.unique() if isinstance(value, str)}
        bad = {value: text for value, text in kept.items() if text != value}
        if bad:
            changed[k] = column.map(lambda value, bad=bad: bad.get(value, value) if isinstance(value, str) else value)
    if not changed and names == list(frame.columns):
        return frame
    columns = [changed.get(k, frame.iloc[:, k]) for k in range(frame.shape[1])]
    made = pd.concat(columns, axis=1) if columns else frame.copy()
    return made.set_axis(names, axis=1)


def csv_text(frame: pd.DataFrame, *, float_format: str | None = None) -> str:
    r"""Return a frame as CSV without its index, formulas guarded.

    Parameters
    ----------
    frame : DataFrame
    float_format : str, optional
        Of numbers, such as ``%.10g``.

    Returns
    -------
    str

    Examples
    --------
    >>> import pandas as pd
    >>> from foretide.data.exports import csv_text
    >>> csv_text(pd.DataFrame({"id": ["@home"], "y": [-1.5]}))
    "id,y\n'@home,-1.5\n"
    """
    return str(guarded_frame(frame).to_csv(index=False, float_format=float_format, lineterminator="\n"))


def write_csv(frame: pd.DataFrame, path: Path, *, float_format: str | None = None) -> Path:
    """Write a frame as CSV, whole or not at all, formulas guarded.

    Parameters
    ----------
    frame : DataFrame
    path : Path
    float_format : str, optional

    Returns
    -------
    Path
    """
    made = guarded_frame(frame)
    return write_whole(path, lambda part: made.to_csv(part, index=False, float_format=float_format))


def unguarded_names(names: Iterable[str]) -> list[str]:
    """Return names of columns without the apostrophe of :func:`guarded`, where no other begins as a formula does.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    list of str

    Examples
    --------
    >>> from foretide.data.exports import unguarded_names
    >>> unguarded_names(["ds", "'=x"]), unguarded_names(["=x", "'=x"])
    (['ds', '=x'], ['=x', "'=x"])
    """
    kept = list(names)
    if any(guarded(name) != name and not name.startswith(GUARD) for name in kept):
        return kept
    return [name[1:] if name.startswith(GUARD) and guarded(name[1:]) == name else name for name in kept]


def unguarded(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of text without the apostrophes of :func:`guarded`; one that :func:`guarded` did not write stays.

    Parameters
    ----------
    cells : string array

    Returns
    -------
    string array
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pc.any(pc.starts_with(cells, GUARD)).as_py():
        return cells
    coded = pc.dictionary_encode(cells).combine_chunks()
    words = unguarded_names(coded.dictionary.to_pylist())
    return pa.chunked_array(
        [pa.DictionaryArray.from_arrays(coded.indices, pa.array(words, pa.string())).cast(pa.string())]
    )
