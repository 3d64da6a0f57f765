"""Text columns that change over time: their labels, and codes in the place of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np
import pandas as pd

from foretide.data.reading.frames import strings
from foretide.data.reading.problems import Problem, where
from foretide.text import phrase
from foretide.typing import Array, Floats, Ints, Reals

if TYPE_CHECKING:
    from foretide.data.reading.frames import ColumnView

MOST = 1000
"""More labels than this are free text."""
FEW = 10
"""So few labels are categories even where hardly one comes twice."""
_NUMBER = r"[^\w]*\d[\d.,'’\s]*(?:[eE][+-]?\d+)?\s*[^\w]?"


def is_text(series: ColumnView) -> bool:
    """Whether a column holds text and nothing else.

    Parameters
    ----------
    series : narwhals series

    Returns
    -------
    bool
    """
    if isinstance(series.dtype, (nw.Categorical, nw.Enum)):
        return True
    if series.dtype not in (nw.String, nw.Object):
        return False
    return pd.api.types.infer_dtype(strings(series), skipna=True) == "string"


def holds_categories(series: ColumnView) -> bool:
    """Whether a column holds labels: categorical by type, or text most of which does not look like numbers.

    Words beside one or two numbers, such as 0 for none, are labels too.

    Parameters
    ----------
    series : narwhals series

    Returns
    -------
    bool
    """
    if not is_text(series):
        return False
    codes, labels = _coded(series)
    if isinstance(series.dtype, (nw.Categorical, nw.Enum)) or not len(labels):
        return len(labels) > 0
    return are_words(labels, np.bincount(codes[codes >= 0], minlength=len(labels)))


def are_words(labels: pd.Series, counts: Ints) -> bool:
    """Whether most cells of text do not look like numbers.

    Parameters
    ----------
    labels : pandas series of str ``[K]``
        Distinct texts.
    counts : int array ``[K]``
        Cells that hold each.

    Returns
    -------
    bool

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from foretide.data.reading.categories import are_words
    >>> are_words(pd.Series(["red", "blue"]), np.array([3, 4])), are_words(pd.Series(["1", "2"]), np.array([3, 4]))
    (True, False)
    """
    numeric = np.asarray(labels.str.fullmatch(_NUMBER), dtype=bool)
    words = int(counts[~numeric].sum())
    return words > int(counts.sum()) / 2 or (int(numeric.sum()) <= 2 and words > 2 * int((~numeric).sum()))


def read_categories(series: ColumnView) -> tuple[Floats, tuple[str, ...]]:
    """Return the code of each row's label, and the labels.

    Text that is empty or blank is no label.

    Parameters
    ----------
    series : narwhals series ``[R]``

    Returns
    -------
    codes : float array ``[R]``
        NaN where there is no label.
    labels : tuple of str
        Sorted.
    """
    return sorted_codes(*_coded(series))


def sorted_codes(codes: Ints, labels: Sequence[str] | pd.Series) -> tuple[Floats, tuple[str, ...]]:
    """Return codes of labels as codes of the labels in order.

    Parameters
    ----------
    codes : int array ``[R]``
        -1 for none.
    labels : sequence of str
        In the order of the codes.

    Returns
    -------
    codes : float array ``[R]``
        NaN for none.
    labels : tuple of str
        Sorted.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.reading.categories import sorted_codes
    >>> codes, labels = sorted_codes(np.array([0, 1, -1]), ["red", "blue"])
    >>> codes.tolist(), labels
    ([1.0, 0.0, nan], ('blue', 'red'))
    """
    place = np.append(np.argsort(np.argsort(labels)).astype(np.float64), np.nan)  # the code -1 picks NaN
    return place[codes], tuple(sorted(labels))


def names_of(codes: Reals, labels: tuple[str, ...]) -> Array:
    """Return the label of each code: what :func:`read_categories` read.

    Parameters
    ----------
    codes : float array ``[R]``
    labels : tuple of str

    Returns
    -------
    object array ``[R]``
        None for NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.data.reading.categories import names_of
    >>> names_of(np.array([1.0, np.nan]), ("blue", "red")).tolist()
    ['red', None]
    """
    known = np.array([*labels, None], dtype=object)
    return np.asarray(known[np.where(np.isnan(codes), len(labels), codes).astype(np.int64)])


def check_labels(name: str, codes: Reals, labels: tuple[str, ...]) -> list[Problem]:
    """Return what is wrong with a column of labels: too many for categories, always the same one; and empty cells.

    Parameters
    ----------
    name : str
        Of the column.
    codes : float array ``[R]``
    labels : tuple of str

    Returns
    -------
    list of Problem
    """
    empty = int(np.isnan(codes).sum())
    if len(labels) > MOST or len(labels) > max(FEW, len(codes) / 2):
        text = f"{where('', name)}{len(labels)} different texts in {len(codes)} rows are no categories."
        fix = "Leave the column out, or shorten its texts to a few labels."
        return [Problem("text", text, fix, column=name, count=len(labels))]
    if len(labels) == 1 and not empty and len(codes) > 1:
        text = f"{where('', name)}always {labels[0]!r}, so nothing can be learned from it."
        return [Problem("constant", text, "Leave it out.", column=name, count=len(codes), severity="warning")]
    if not empty:
        return []
    text = f"{where('', name)}{phrase('row has|rows have', empty)} no text, which is taken as none of its categories."
    return [Problem("missing", text, column=name, count=empty, severity="note")]


def most_frequent(codes: Reals, starts: Ints) -> Reals:
    """Return the code that comes most often in each stretch of rows, the smallest of several; NaN where none.

    Parameters
    ----------
    codes : float array ``[R]``
    starts : int array ``[S]``
        First row of each stretch.

    Returns
    -------
    float array ``[S]``
    """
    stretch = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(codes))))
    rows = pd.DataFrame({"stretch": stretch, "code": codes}).dropna()
    counts = rows.groupby(["stretch", "code"]).size().reset_index(name="n")
    best = counts.sort_values(["stretch", "n", "code"], ascending=[True, False, True]).drop_duplicates("stretch")
    found = np.full(len(starts), np.nan, dtype=codes.dtype)
    found[best["stretch"].to_numpy()] = best["code"].to_numpy()
    return found


def _coded(series: ColumnView) -> tuple[Ints, pd.Series]:
    """Return the position of each row's text among the distinct ones, -1 for empty and blank cells, and these."""
    codes, found = pd.factorize(strings(series))
    text = pd.Series([str(cell) for cell in found], dtype=object)
    place, labels = pd.factorize(text.where(text.str.strip() != "", None) if len(text) else text)
    return np.append(place, -1)[codes], pd.Series(labels, dtype=object)
