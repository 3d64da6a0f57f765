"""The settings of a forecaster: those of its signature, and the fields of the dataclasses that it takes as options."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from typing import TypeVar, cast

from foretide.errors import FOREIGN, ConfigError, nearest

T = TypeVar("T")
READING = ("id", "time", "target", "past", "future", "static", "freq")
"""What is said of a table when it is read, not of a model."""
PACE = ("devices",)
"""Settings that decide how quickly something is learned, and not what."""
REQUIRED: object = inspect.Parameter.empty
"""In place of the default of a setting that has none."""
SHOWN = 5
"""Longer defaults are summed up."""
_ENTRY = re.compile(r"^(?P<names>\w+(?:, \w+)*) : (?P<kind>.+)$")


def own_parameters(kind: type) -> tuple[dict[str, object], bool]:
    """Return what the constructor of a class names: parameter -> default, and whether it takes any other, too.

    A constructor that hands ``**options`` on takes what that of its base class names.
    """
    found: dict[str, object] = {}
    for base in kind.__mro__:
        if "__init__" not in base.__dict__:
            continue
        given = list(inspect.signature(base.__dict__["__init__"]).parameters.values())[1:]
        named = [p for p in given if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        found |= {p.name: p.default for p in named if p.name not in found}
        if not any(p.kind is p.VAR_KEYWORD for p in given):
            return found, False
    return found, True


def default_of(field: Field[object]) -> object:
    """Return the default of a dataclass's field; :data:`REQUIRED` where it has none."""
    return REQUIRED if field.default is MISSING else field.default


def decisive(settings: T) -> T:
    """Return settings without those that decide how quickly something is learned: work goes on under others.

    Parameters
    ----------
    settings : dict, list or other value of a configuration

    Returns
    -------
    As given

    Examples
    --------
    >>> from foretide.forecasters.options import decisive
    >>> decisive({"models": [{"LSTM": {"hidden": 8, "devices": 2}}]})
    {'models': [{'LSTM': {'hidden': 8}}]}
    """
    if isinstance(settings, Mapping):
        kept = {k: decisive(v) for k, v in settings.items() if k not in PACE or not isinstance(v, int)}
        return cast("T", kept)
    if isinstance(settings, (list, tuple)) and type(settings) in (list, tuple):
        return cast("T", type(settings)(decisive(one) for one in settings))
    return settings


def check_options(options: Mapping[str, object], configs: Iterable[type], others: Iterable[str] = ()) -> None:
    """Refuse options that are fields of none of some dataclasses.

    Parameters
    ----------
    options : mapping
    configs : iterable of dataclasses
    others : iterable of str
        Further settings, for the suggestion.

    Raises
    ------
    ConfigError
        With the nearest name.
    """
    known = [f.name for config in configs for f in fields(config)]
    for name in options:
        if name not in known:
            raise ConfigError(f"There is no setting {name!r}. {nearest(name, [*known, *others])}")


def check_foreign(kind: str, given: Mapping[str, object], known: Iterable[str]) -> None:
    """Refuse an argument that has another name here, and say which.

    Parameters
    ----------
    kind : str
        Whose arguments they are.
    given : mapping
        Those that were given, by name.
    known : iterable of str

    Raises
    ------
    ConfigError
        With the name to type.
    """
    known = set(known)
    for name, value in given.items():
        own = FOREIGN.get(name, name)
        if name in known or own not in {*known, *READING}:
            continue
        if own == "panel":
            raise ConfigError(f"{kind} has no argument {name!r}: the table comes first. Type: {kind}(frame)")
        value = tuple(value) if isinstance(value, list) else value
        shown = repr(value) if isinstance(value, (int, float, str, tuple)) else "..."
        if own not in known:
            how = f"it says how the table is read. Type: ft.Panel.from_frame(frame, {own}={shown})"
            raise ConfigError(f"{kind} has no argument {name!r}: {how}")
        raise ConfigError(f"{kind} has no argument {name!r}. {nearest(name, known)} Type: {own}={shown}")


def other_parameters(configs: Iterable[type], without: Iterable[str]) -> str:
    """Return the fields of some dataclasses as a section of a docstring, each with its default.

    Parameters
    ----------
    configs : iterable of dataclasses
        Whose docstrings have a section ``Attributes``.
    without : iterable of str
        Fields that the docstring has already.

    Returns
    -------
    str
    """
    left, lines = set(without), list[str]()
    for config in configs:
        defaults = {f.name: default_of(f) for f in fields(config)}
        shown = False
        for line in _attributes(config):
            if entry := _ENTRY.match(line):
                names = [name for name in entry["names"].split(", ") if name not in left]
                shown = bool(names)
                if shown:
                    values = ", ".join(_shown(defaults[name]) for name in names)
                    line = f"{', '.join(names)} : {entry['kind']}, default {values}"
            lines += [line] if shown else []
        left |= set(defaults)
    return "\n".join(["", "Other Parameters", "----------------", *lines, ""])


def _shown(default: object) -> str:
    if isinstance(default, tuple) and len(default) > SHOWN:
        return f"{len(default)} values from {default[0]:.3g} to {default[-1]:.3g}"
    return repr(default)


def _attributes(config: type) -> list[str]:
    """Return the lines of the section ``Attributes`` of a dataclass's docstring."""
    texts = [inspect.cleandoc(base.__doc__ or "").splitlines() for base in config.__mro__]
    lines = next((text for text in texts if "Attributes" in text), [])
    begin = next((k + 2 for k, line in enumerate(lines) if line == "Attributes"), len(lines))
    end = next((k - 1 for k in range(begin, len(lines)) if set(lines[k]) == {"-"}), len(lines))
    return [line for line in lines[begin:end] if line]
