"""Settings of a forecast given by name: ``h=7``, ``freq=D``, ``Ridge.input_size=28``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, cast

from foretide.data.reading.options import AnyOptions
from foretide.errors import ConfigError, nearest
from foretide.forecasters.table import as_typed, forecaster_class
from foretide.jobs.forecasting import Ask, named_model
from foretide.jobs.settings import read_pairs

if TYPE_CHECKING:
    from foretide.data.reading.options import FileOptions
    from foretide.jobs.tables import Roles
    from foretide.typing import Json

_OF_DATA = "data"
"""The section that holds roles and options of reading in a configuration."""


def changed_call(
    ask: Ask, roles: Roles, reading: Mapping[str, object], typed: Iterable[str]
) -> tuple[Ask, Roles, FileOptions]:
    """Return a call with settings that were typed as ``key=value``.

    Parameters
    ----------
    ask : Ask
        Its model is a name.
    roles, reading : mapping
        As for :func:`foretide.forecast`.
    typed : iterable of str
        Keys are those of the call, roles, options of reading (``data.`` may stand before these), or settings of the
        model (its name and a dot may stand before these).

    Returns
    -------
    Ask, dict, dict

    Raises
    ------
    ConfigError
        For a key that is none of these.

    Examples
    --------
    >>> changed_call(Ask(model="Ridge"), {"id": None}, {}, ["h=7", "data.freq=D", "input_size=28"])
    (Ask(h=7, model={'Ridge': {'input_size': 28}}, ...), {'id': None}, {'freq': 'D'})
    """
    ((name, settings),) = named_model("Auto" if ask.model is None else ask.model).items()
    own, of_table, of_reading = dict[str, object](), dict(roles), dict(reading)
    known = forecaster_class(name).parameters()
    asked = [f.name for f in fields(Ask) if f.name != "model"]
    for change in read_pairs(typed):
        first, _, rest = change.key.partition(".")
        value = tuple(change.value) if isinstance(change.value, list) else change.value
        key = rest if rest and first == _OF_DATA else change.key
        if rest and as_typed(first) == name:
            settings[rest] = value
        elif not rest and key in asked:
            own[key] = value
        elif key in of_table:
            of_table[key] = cast("str", value)
        elif key in AnyOptions.__annotations__:
            of_reading[key] = value
        elif not rest and key in known:
            settings[key] = value
        else:
            instead = f" The model is {name}: --model {first}" if rest and first != _OF_DATA else ""
            names = [*asked, *of_table, *AnyOptions.__annotations__, *known]
            raise ConfigError(f"--set {change.key}: no such setting.{instead or ' ' + nearest(key, names)}")
    changes: Json = {**own, "model": {name: settings}}
    return replace(ask, **changes), of_table, cast("FileOptions", of_reading)
