"""Names of models: what may stand beside each other in frames, tables and folders."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from foretide.data.files import file_name
from foretide.errors import ConfigError

if TYPE_CHECKING:
    from foretide.forecasters.declared import Declared

RESERVED = ("oracle", "cutoff", "h_step", "y")
"""Columns and rows of tables that no model can be called."""
_BOUNDS = ("-lo-", "-hi-", "-ql")
_ANOTHER = "Give one of them another name: alias='other-name'."


def folded(name: str) -> str:
    """Return what a name has in common with those that look like it, or that a file system holds for the same."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


def start_name(model: Declared) -> str:
    """Return what the closed-form start of a network is called."""
    return f"{model.name}-start"


def check_columns(columns: Iterable[str], taken: Iterable[str] = RESERVED) -> None:
    """Refuse columns of ids and times that tables of forecasts have another one of the name of."""
    reserved = set(taken)
    name = next((name for name in columns if name in reserved), None)
    if name is not None:
        raise ConfigError(
            f"The column {name!r} holds ids or times, and tables of forecasts have another one of that name. Rename "
            f"it: frame = frame.rename(columns={{{name!r}: {name + '_of_data'!r}}})"
        )


def check_names(names: Sequence[str], *, columns: Iterable[str] = (), another: str | None = None) -> None:
    """Refuse names of models that would share a column, a row or a file.

    Parameters
    ----------
    names : sequence of str
    columns : iterable of str
        Further columns of the frames: of ids and times.
    another : str, optional
        How to give a model another name, with ``{}`` for the present one; ``alias='other-name'`` by default.

    Raises
    ------
    ConfigError
        For names that are equal or differ in case or width of letters only, blank ones, those of columns, and those
        that are another model's bounds.
    """
    columns = tuple(columns)
    check_columns(columns)
    reserved = {folded(c): c for c in (*RESERVED, *columns)}
    places, files = dict[str, str](), dict[str, str]()
    for name in names:
        how = another.format(name) if another else _ANOTHER
        key, file = folded(name), folded(file_name(name))
        if not key or not name.isprintable():
            raise ConfigError(f"A model is called {name!r}. A name has visible characters: {how}")
        if key in reserved:
            raise ConfigError(f"A model is called {name!r}, which stands for something else in the tables. {how}")
        if key in places and places[key] == name:
            raise ConfigError(f"Two models are called {name!r}. {how}")
        if key in places:
            raise ConfigError(
                f"Two models are called {places[key]!r} and {name!r}, which many file systems and readers take for "
                f"one name. {how}"
            )
        if file in files:
            raise ConfigError(f"Two models are called {files[file]!r} and {name!r}, whose files have one name. {how}")
        places[key], files[file] = name, name
    for key, name in places.items():
        owner = next((o for o in places for b in _BOUNDS if key.startswith(f"{o}{b}")), None)
        if owner is not None:
            how = another.format(name) if another else _ANOTHER
            raise ConfigError(f"A model is called {name!r}, as bounds of {places[owner]!r} are. {how}")
