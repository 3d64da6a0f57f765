"""Settings given by name beside a configuration: ``h=7``, ``data.target=sales``, ``LSTM.epochs=3``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from foretide.errors import ConfigError, nearest
from foretide.jobs.yaml import read_yaml
from foretide.text import is_whole
from foretide.typing import Json

Loc = tuple[int | str, ...]
"""Where a value stands in a configuration: keys and places of lists, from the top."""


@dataclass(frozen=True)
class Change:
    """One setting that was typed.

    Attributes
    ----------
    text : str
        As it was typed, for messages.
    key : str
        With dots.
    value : object
    """

    text: str
    key: str
    value: object

    @property
    def parts(self) -> tuple[str, ...]:
        """The key without its dots."""
        return tuple(self.key.split("."))


def read_pairs(typed: Iterable[str]) -> list[Change]:
    """Read ``key=value`` texts; values are YAML, as in a configuration.

    Parameters
    ----------
    typed : iterable of str

    Returns
    -------
    list of Change

    Raises
    ------
    ConfigError
        With all texts that are not of this form, and for a key that is given twice.

    Examples
    --------
    >>> from foretide.jobs.settings import read_pairs
    >>> [(change.key, change.value) for change in read_pairs(["h=7", "LSTM.lr=1e-3", "models=[LSTM, Ridge]"])]
    [('h', 7), ('LSTM.lr', 0.001), ('models', ['LSTM', 'Ridge'])]
    """
    changes: dict[str, Change] = {}
    wrong = []
    for text in typed:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not all(part.replace("-", "_").isidentifier() or is_whole(part) for part in key.split(".")):
            wrong.append(f"--set {text}: expected key=value, such as --set season=7")
        elif key in changes:
            wrong.append(f"--set {key} is given twice.")
        else:
            try:
                changes[key] = Change(text, key, read_yaml(value))
            except ConfigError:
                wrong.append(f"--set {text}: the value is not valid YAML. Put text with signs in quotes.")
    if wrong:
        raise ConfigError("\n".join(wrong))
    return list(changes.values())


def changed(raw: Mapping[str, object], changes: Sequence[Change], known: Iterable[str]) -> tuple[Json, dict[Loc, str]]:
    """Return a configuration with settings changed, before it is checked, and where each of them stands now.

    Parameters
    ----------
    raw : mapping
        As read from YAML. It is not changed.
    changes : sequence of Change
        A key begins with one of the configuration (``data.target``, ``models.0.epochs``), or with the name of one of
        its models (``LSTM.epochs``).
    known : iterable of str
        The keys of a configuration.

    Returns
    -------
    dict, dict
        The configuration; place -> the setting as it was typed.

    Raises
    ------
    ConfigError
        With every key that leads nowhere, and the nearest one.

    Examples
    --------
    >>> from foretide.jobs.settings import changed, read_pairs
    >>> changed({"models": ["LSTM"]}, read_pairs(["LSTM.epochs=3"]), ["models"])
    ({'models': [{'LSTM': {'epochs': 3}}]}, {('models', 0, 'LSTM', 'epochs'): '--set LSTM.epochs=3'})
    """
    keys, made, places, wrong = list(known), _copy(dict(raw)), {}, []
    assert isinstance(made, dict)
    for change in sorted(changes, key=lambda change: len(change.parts)):  # models=[...] before LSTM.epochs=3
        try:
            for loc in _apply(made, change, keys):
                places[loc] = f"--set {change.text}"
        except ConfigError as error:
            wrong.append(f"--set {change.text}: {error}")
    if wrong:
        raise ConfigError("\n".join(wrong))
    return made, places


def _copy(value: object) -> object:
    """Copy the containers of a configuration."""
    if isinstance(value, Mapping):
        return {key: _copy(entry) for key, entry in value.items()}
    return [_copy(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _apply(made: Json, change: Change, keys: Sequence[str]) -> list[Loc]:
    first, *rest = change.parts
    if first not in keys:
        named = _models(made, first)
        if not named:
            raise ConfigError(_unknown(made, first, keys))
        if not rest:
            raise ConfigError(f"{first} is a model. Type one of its settings: --set {first}.epochs=3")
        return [_within_model(made, index, rest, change.value) for index in named]
    if first == "models" and rest:
        entries = _entries(made)
        named = [int(rest[0])] if is_whole(rest[0]) else _models(made, rest[0])
        if not named or max(named) >= len(entries):
            names = [_name_of(entry) for entry in entries]
            raise ConfigError(f"there is no models.{rest[0]}. {nearest(rest[0], names)} The first one is models.0.")
        if rest[1:]:
            return [_within_model(made, index, rest[1:], change.value) for index in named]
    return [(first, *_put(made, first, rest, change.value))]


def _entries(made: Json) -> list[object]:
    """Return the models of a configuration as a list that can be changed."""
    models = made.get("models", ["Attention"])
    if isinstance(models, dict):
        models = [{name: settings} for name, settings in models.items()]
    made["models"] = models if isinstance(models, list) else [models]
    entries: list[object] = made["models"]
    return entries


def _name_of(entry: object) -> str:
    if isinstance(entry, Mapping):
        return str(entry["name"] if "name" in entry else next(iter(entry), ""))
    return str(entry)


def _settings_of(entry: object) -> Json:
    """Return the settings in an entry of ``models``, which are its own."""
    if not isinstance(entry, Mapping):
        return {}
    settings = entry.get("settings") if "name" in entry else next(iter(entry.values()), None)
    return dict(settings) if isinstance(settings, Mapping) else {}


def _models(made: Json, name: str) -> list[int]:
    """Return the places of the models of a name or alias; case and hyphens do not matter."""
    wanted = name.lower().replace("-", "")
    entries = [(_name_of(entry), str(_settings_of(entry).get("alias", ""))) for entry in _entries(dict(made))]
    by_alias = [k for k, (_, alias) in enumerate(entries) if alias == name]
    return by_alias or [k for k, (known, _) in enumerate(entries) if known.lower() == wanted]


def _within_model(made: Json, index: int, rest: Sequence[str], value: object) -> Loc:
    entries = _entries(made)
    name, settings = _name_of(entries[index]), _settings_of(entries[index])
    path = list(rest[1:]) if rest[0].lower() == name.lower() and rest[1:] else list(rest)
    entries[index] = {name: settings}
    return ("models", index, name, path[0], *_put(settings, path[0], path[1:], value))


def _put(inside: Json, key: str, rest: Sequence[str], value: object) -> Loc:
    """Put a value where the keys lead to; sections that are absent are made. Return the keys behind the first."""
    if not rest:
        inside[key] = value
        return ()
    at, below = rest[0], inside.get(key)
    if isinstance(below, list):
        if not is_whole(at) or int(at) >= len(below):
            raise ConfigError(f"{key} is a list of {len(below)}; type {key}.0 for its first entry.")
        numbered: Json = dict(enumerate(below))  # type: ignore[arg-type]
        found = _put(numbered, int(at), rest[1:], value)  # type: ignore[arg-type]
        inside[key] = list(numbered.values())
        return (int(at), *found)
    if below is None and is_whole(at):
        raise ConfigError(f"{key} has no entries yet. Type all of them: --set '{key}=[...]'")
    if below is None or below == at:  # a model by its name alone has no settings yet
        inside[key] = {} if below is None else {at: {}}
    elif not isinstance(below, dict):
        raise ConfigError(f"{key} is {below!r}, which has nothing inside that could be set.")
    return (at, *_put(inside[key], at, rest[1:], value))


def _unknown(made: Json, name: str, keys: Sequence[str]) -> str:
    from foretide.forecasters.table import EVERY, as_typed

    names = [_name_of(entry) for entry in _entries(dict(made))]
    if as_typed(name) in EVERY:
        listed = ", ".join([*names, as_typed(name)])
        return f"the configuration has no model {as_typed(name)}. Add it: --set 'models=[{listed}]'"
    return f"no such key, and no such model. {nearest(name, [*keys, *names])}"
