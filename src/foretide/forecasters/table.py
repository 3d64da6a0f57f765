"""The one table of forecasters: public names, names in files, configurations and commands follow from it."""

from __future__ import annotations

from collections import ChainMap
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.errors import ConfigError, nearest
from foretide.lazy import names_in, resolve

if TYPE_CHECKING:
    from foretide.forecasters.base import Forecaster

FORECASTERS: dict[str, str] = names_in(Path(__file__).with_name("__init__.pyi"), "foretide.forecasters")
"""Name -> ``module:class``, in the order of ``__init__.pyi``; a module is imported when first asked for."""
ADAPTERS: dict[str, str] = names_in(
    Path(__file__).with_name("adapters") / "__init__.pyi", "foretide.forecasters.adapters"
)
"""The same of foreign models, which are public as ``ft.adapters.<name>``."""
EVERY: ChainMap[str, str] = ChainMap(FORECASTERS, ADAPTERS)
"""Both: what a configuration can name, and what can be saved."""


def forecaster_class(name: str) -> type[Forecaster]:
    """Return a forecaster's class by its name.

    Parameters
    ----------
    name : str
        As it stands in :data:`EVERY`.

    Returns
    -------
    type

    Raises
    ------
    ConfigError
        Where there is none, with the nearest name.

    Examples
    --------
    >>> forecaster_class("SeasonalNaive")(h=7, season=7)
    SeasonalNaive(h=7, season=7)
    """
    if name not in EVERY:
        raise ConfigError(f"There is no forecaster {name!r}. {nearest(name, EVERY)}")
    kind = resolve("foretide.forecasters", name, EVERY)
    assert isinstance(kind, type)
    return kind


def as_typed(name: str) -> str:
    """Return the name that is meant by one on a command line, where case and hyphens do not matter.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        A name of :data:`EVERY`, or ``name`` itself where none is meant.

    Examples
    --------
    >>> as_typed("seasonal-naive")
    'SeasonalNaive'
    """
    plain = {known.lower(): known for known in EVERY}
    return plain.get(name.strip().lower().replace("-", ""), name)


def registered(kind: type) -> str | None:
    """Return the name of a class in the table.

    Parameters
    ----------
    kind : type

    Returns
    -------
    str or None
        None for one that is not in it, whatever it is called.
    """
    place = f"{kind.__module__}:{kind.__qualname__}"
    return next((name for name, known in EVERY.items() if known == place), None)


def class_place(kind: type) -> str:
    """Return what tells a class from all others.

    Parameters
    ----------
    kind : type

    Returns
    -------
    str
        Its name in the table, or module and name.
    """
    return registered(kind) or f"{kind.__module__}.{kind.__qualname__}"
