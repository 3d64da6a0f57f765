"""What decides a piece of work, in a few digits: other values, other digits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.pieces import pieces, rows_of

if TYPE_CHECKING:
    from foretide.data.panel import Panel


def digest(*parts: object) -> str:
    """Return 16 digits that differ for different values.

    Parameters
    ----------
    *parts : object
        Arrays, mappings of names to arrays, or what shows all of itself in its ``repr``.

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.data.digests import digest
    >>> digest(1, "a") == digest(1, "a"), digest(1, "a") == digest("1", "a")
    (True, False)
    """
    told = hashlib.sha256()
    for part in parts:
        named = {"": part} if isinstance(part, np.ndarray) else part
        if isinstance(named, Mapping) and named and all(isinstance(value, np.ndarray) for value in named.values()):
            for key in sorted(named):
                told.update(f"{key} {named[key].dtype} {named[key].shape}".encode())
                told.update(np.ascontiguousarray(named[key]).tobytes())
        else:
            told.update(repr(part).encode("utf-8", "surrogatepass"))
        told.update(b"\0")
    return told.hexdigest()[:16]


def leaves(value: object) -> Iterator[object]:
    """Yield what a value is made of, as :func:`digest` takes it: that of data classes, mappings and sequences.

    Parameters
    ----------
    value : object

    Yields
    ------
    object

    Examples
    --------
    >>> from foretide.data.digests import leaves
    >>> list(leaves([{"a": 1}, (2, "b")]))
    [('list', 2), ('dict', 2), 'a', 1, (2, 'b')]
    """
    if is_dataclass(value) and not isinstance(value, type):
        inside: list[object] = [getattr(value, one.name) for one in fields(value)]
    elif isinstance(value, Mapping):
        inside = [one for pair in value.items() for one in pair]
    elif isinstance(value, np.ndarray) and value.dtype == object:
        inside = [value.shape, value.ravel().tolist()]
    elif isinstance(value, (list, tuple)) and not all(isinstance(one, (str, int, float, type(None))) for one in value):
        inside = list(value)
    else:
        yield value
        return
    yield type(value).__qualname__, len(inside)
    for one in inside:
        yield from leaves(one)


def digest_of_panel(panel: Panel) -> str:
    """Return a digest of all that a forecaster can see of a panel: values, times, names, roles.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    str
    """
    told = hashlib.sha256()
    names = (panel.ids, panel.targets, panel.past, panel.future, panel.static.names, panel.categories, panel.indicators)
    told.update(repr((panel.grid, *names, panel.first.tolist())).encode())
    told.update(np.ascontiguousarray(panel.static.values).tobytes())
    for piece in pieces(panel.length, panel.values.itemsize * panel.values.shape[1]):
        told.update(np.ascontiguousarray(rows_of(panel, piece.start, piece.stop)).data)
    return told.hexdigest()
