"""The model classes of a search: what is fixed, what is searched, and how a trial's forecaster is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from foretide.errors import ConfigError, nearest
from foretide.forecasters.artifact import to_json
from foretide.forecasters.base import Forecaster
from foretide.forecasters.naming import check_names
from foretide.forecasters.options import REQUIRED
from foretide.forecasters.sizes import Sizes
from foretide.forecasters.table import as_typed, class_place, forecaster_class
from foretide.tuning.space import Settings, Space, grid, is_inside, key_of, parameter
from foretide.tuning.spaces import default_space

if TYPE_CHECKING:
    from foretide.data.time.calendar import Calendar
    from foretide.tuning.ledger import Row
    from foretide.typing import Json

Model: TypeAlias = str | type[Forecaster] | Forecaster | Mapping[str, Mapping[str, object] | None]
"""One model of a search: a class, its name, ``{name: settings}`` or an unfitted forecaster."""
Models: TypeAlias = Model | Sequence[Model]

_LOSS_SETTINGS = ("head", "fit_mean_first", "level", "batch_size")
"""With one of these in a space, validation losses by epoch do not compare, or not at the same epoch."""


@dataclass(frozen=True)
class Candidate:
    """One model class of a search.

    Attributes
    ----------
    label : str
        Name in tables.
    kind : type
        A forecaster's class.
    h : int
    fixed : dict
        Settings that every trial has.
    space : dict
        Setting -> what it is chosen from.
    start : dict
        The searched settings' defaults: those of the first trial.
    seeded : bool
        Whether every trial gets a seed of its own.
    """

    label: str
    kind: type[Forecaster]
    h: int
    fixed: Settings
    space: Space
    start: Settings
    seeded: bool

    @property
    def prunes(self) -> bool:
        """Whether a bad trial can be told by its validation error before it ends."""
        return self.kind.watched and not any(name in self.space for name in _LOSS_SETTINGS)

    def settings(self, chosen: Mapping[str, object], seed: int | None) -> Settings:
        """Return what the constructor takes besides ``h``."""
        more = {"seed": seed} if self.seeded and seed is not None else {}
        return {**self.fixed, **chosen, **more}

    def make(self, chosen: Mapping[str, object], seed: int | None) -> Forecaster:
        """Return an unfitted forecaster with these settings."""
        kind: Callable[..., Forecaster] = self.kind
        return kind(h=self.h, **self.settings(chosen, seed))

    def histories(self) -> set[int]:
        """Return the rows that trials need up to a cutoff: of the default, and of every setting at its ends."""
        rows = set()
        for changed in [{}, *({name: end} for name, entry in self.space.items() for end in entry.ends())]:
            try:
                rows.add(int(self.make({**self.start, **changed}, 0).min_history))
            except (ConfigError, TypeError, ValueError):
                continue  # such a trial fails by itself, and says why
        return rows or {1}

    def is_exhausted(self, rows: Sequence[Row]) -> bool:
        """Whether every setting of a finite space was tried, or is being tried."""
        mine = {row.key: row.settings for row in rows if row.label == self.label and row.counts}
        inside = sum(is_inside(self.space, settings) for settings in mine.values())
        return key_of(self.start) in mine and inside >= grid(self.space)

    def to_dict(self) -> Json:
        """The candidate as JSON."""
        fixed = {name: plain(value) for name, value in self.fixed.items()}
        space = {name: entry.to_dict() for name, entry in self.space.items()}
        return {"class": class_place(self.kind), "fixed": to_json(fixed), "space": space}


def candidates_of(
    models: Models,
    *,
    h: int,
    space: Mapping[str, object] | None,
    fixed: Mapping[str, object] | None,
    calendar: Calendar | None,
    setting: Sizes,
) -> tuple[Candidate, ...]:
    """Read the classes of a search.

    Parameters
    ----------
    models : class, name, ``{name: settings}``, unfitted forecaster, or a sequence of them
    h : int
        Horizon.
    space : mapping, optional
        ``{setting: entry}``, for each class that knows the setting, or ``{class: {setting: entry}}``. It replaces the
        default space.
    fixed : mapping, optional
        Settings of every trial, in either form too.
    calendar : Calendar, optional
        For the classes that know it and have none given.
    setting : Sizes
        What default spaces depend on.

    Returns
    -------
    tuple of Candidate

    Raises
    ------
    ConfigError
        For unknown classes and settings, with the nearest name.
    """
    read = _read_all(models)
    if not read:
        raise ConfigError("There is nothing to search: name a model, e.g. ft.tune(ft.Attention, panel, h=10).")
    for label, _, own in read:
        if (its := own.pop("h", h)) != h:
            raise ConfigError(f"All models of a search forecast h={h} steps; {label} has h={its}.")
    check_names([label for label, _, _ in read])
    known = {label: known_settings(kind) for label, kind, _ in read}
    spaces, fixings = _per_label("space", space, known), _per_label("fixed", fixed, known)
    return tuple(
        _candidate(
            label, kind, {**own, **(fixings or {}).get(label, {})}, None if spaces is None else spaces[label],
            known[label], h=h, calendar=calendar, setting=setting,
        )
        for label, kind, own in read
    )  # fmt: skip


def horizon_of(models: Models) -> int:
    """Return the horizon of the first model that has one."""
    for _, _, own in _read_all(models):
        if isinstance(h := own.get("h"), (int, np.integer)):
            return int(h)
    raise ConfigError("No model says how many steps to forecast. Give h=..., the horizon.")


def known_settings(kind: type[Forecaster]) -> Settings | None:
    """Return a class's settings and their defaults, options included; None where it takes any."""
    return None if kind.takes_any() else {name: value for name, value in kind.parameters().items() if name != "h"}


def _read_all(models: Models) -> list[tuple[str, type[Forecaster], Settings]]:
    """Return label, class and the settings that were given, the horizon among them, of one model or several."""
    return [_read(m) for m in models] if isinstance(models, (list, tuple)) else [_read(models)]


def _read(model: object) -> tuple[str, type[Forecaster], Settings]:
    if isinstance(model, Mapping):
        if len(model) != 1:
            raise ConfigError(f"Expected one {{name: settings}}, got {dict(model)!r}.")
        ((name, settings),) = model.items()
        kind, own = forecaster_class(as_typed(str(name))), dict(settings or {})
        return str(own.get("alias") or kind.__name__), kind, own
    if isinstance(model, str):
        model = forecaster_class(as_typed(model))
    if isinstance(model, type) and issubclass(model, Forecaster):
        return model.__name__, model, {}
    if not isinstance(model, Forecaster):
        raise ConfigError(f"Expected a forecaster's class, its name, or an unfitted one; got {model!r}.")
    defaults = known_settings(type(model)) or {}
    return model.name, type(model), {
        k: v for k, v in model.settings().items() if not _same(v, defaults.get(k, REQUIRED))
    }  # fmt: skip


def _per_label(
    what: str, entries: Mapping[str, object] | None, known: Mapping[str, Settings | None]
) -> dict[str, Settings] | None:
    """Hand the entries of a mapping to the classes they are for."""
    if entries is None:
        return None
    if not isinstance(entries, Mapping):
        raise ConfigError(f"{what} is a dictionary of settings, or of classes and their settings; got {entries!r}.")
    labels = {label.lower(): label for label in known}
    by_label = {
        labels[str(name).lower()]: dict(value)
        for name, value in entries.items()
        if str(name).lower() in labels and isinstance(value, Mapping)
    }
    if entries and len(by_label) == len(entries):
        for label, own in by_label.items():
            _refuse_unknown(own, {label: known[label]})
        return {label: by_label.get(label, {}) for label in known}
    _refuse_unknown(entries, known)
    return {label: {k: v for k, v in entries.items() if own is None or k in own} for label, own in known.items()}


def _refuse_unknown(entries: Mapping[str, object], known: Mapping[str, Settings | None]) -> None:
    for name in entries:
        if not any(own is None or name in own for own in known.values()):
            names = [n for own in known.values() if own is not None for n in own]
            raise ConfigError(f"{', '.join(known)} has no setting {name!r}. {nearest(name, dict.fromkeys(names))}")


def _candidate(
    label: str,
    kind: type[Forecaster],
    fixed: Settings,
    entries: Settings | None,
    known: Settings | None,
    *,
    h: int,
    calendar: Calendar | None,
    setting: Sizes,
) -> Candidate:
    _refuse_unknown(fixed, {label: known})
    if known is not None and "calendar" in known and "calendar" not in kind.unshared and calendar is not None:
        fixed = {"calendar": calendar, **fixed}
    if entries is not None:
        space = {name: parameter(name, entry) for name, entry in entries.items()}
    else:
        space = default_space(kind, setting)
        space = {k: v for k, v in space.items() if k not in fixed and (known is None or k in known)}
    if "h" in space or "alias" in space:
        raise ConfigError("Neither h nor alias can be searched: all trials forecast the same steps.")
    defaults = known or {}
    start = {name: fixed.get(name, defaults.get(name, REQUIRED)) for name in space}
    for name, value in start.items():
        if value is REQUIRED:
            start[name] = space[name].ends()[0]
        elif isinstance(value, list):
            start[name] = tuple(value)
    seeded = "seed" in defaults and "seed" not in fixed and "seed" not in space
    candidate = Candidate(label, kind, h, {k: v for k, v in fixed.items() if k not in space}, space, start, seeded)
    candidate.make(start, 0)  # what cannot be made at all is said before anything is fitted
    return candidate


def _same(a: object, b: object) -> bool:
    if a is b:
        return True
    simple = (type(None), bool, int, float, str, tuple, list, dict)
    if not isinstance(a, simple) or not isinstance(b, simple):
        return False
    return key_of({"": list(a) if isinstance(a, tuple) else a}) == key_of({"": list(b) if isinstance(b, tuple) else b})


def plain(value: object) -> object:
    """Return a setting in a form that JSON can hold: calendars and forecasters by their own settings."""
    if isinstance(value, Forecaster):
        return {type(value).__name__: {k: plain(v) for k, v in value.settings().items()}}
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value
