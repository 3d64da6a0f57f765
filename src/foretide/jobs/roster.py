"""Which forecasters a run has: those asked for, and the simple baselines that run by default."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from foretide.errors import ConfigError, MissingExtraError, nearest
from foretide.evaluation.rolling.members import Member
from foretide.forecasters.naming import check_names
from foretide.forecasters.options import REQUIRED
from foretide.forecasters.simple.default_set import default_names, is_baseline, simple_set
from foretide.forecasters.table import EVERY, forecaster_class
from foretide.jobs.mistakes import Mistake, MistakesError, mistakes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from foretide.data.time.calendar import Calendar
    from foretide.forecasters.base import Forecaster
    from foretide.jobs.config import Config
    from foretide.jobs.sections import ModelConfig
    from foretide.typing import Json

RENAME = "Name one of them: {{{}: {{alias: other-name}}}}."
"""How a configuration gives a model another name."""


def roster(
    config: Config,
    calendar: Calendar | None = None,
    *,
    counts: bool = False,
    freq: str | int = "D",
    say: Callable[[str], None] | None = None,
) -> list[Member]:
    """Build every forecaster of a run, baselines first.

    Parameters
    ----------
    config : Config
    calendar : Calendar, optional
        Handed to the models that can use one.
    counts : bool
        Whether every target is a count: the intermittent baselines run too.
    freq : str or int
        Step of the grid: without a season there is no CalendarES.
    say : callable, optional
        Gets a line for every baseline that cannot run because a package is missing.

    Returns
    -------
    list of Member
        Not fitted yet.

    Raises
    ------
    ConfigError
        For all unknown models and settings, with the nearest known names, and for two models of the same name.
    """
    shared = {"input_size": config.input_size, "seed": config.seeds[0], "calendar": calendar}
    if config.season is not None:
        shared["season"] = config.season
    asked, mistakes = [], []
    for model in config.models:
        try:
            asked += _per_seed(model, config, shared)
        except (ConfigError, MissingExtraError) as error:
            mistakes += mistakes_of(error, ("models", model.name))
    if mistakes:
        first = mistakes[0].error
        raise first if len(mistakes) == 1 and isinstance(first, MissingExtraError) else MistakesError(mistakes)
    entries = [Member(f, is_baseline(f), True) for f in asked]
    if config.baselines:
        found, notes = simple_set(config.h, counts=counts, freq=freq, shared=shared, beside=asked)
        entries = [*(Member(forecaster, True, False) for forecaster in found), *entries]
        if say is not None:
            for note in notes:
                say(note)
    ids = (config.data.id,) if isinstance(config.data.id, str) else config.data.id or ()
    columns = [*ids, *([config.data.time] if config.data.time is not None else [])]
    check_names([entry.name for entry in entries], columns=columns, another=RENAME)
    # Which baselines run by default is known when the data are.
    defaults = default_names(counts=True, seasonal=True) if config.baselines else ()
    check_ablations(config, [*(entry.name for entry in entries), *defaults])
    return entries


def check_ablations(config: Config, names: Sequence[str]) -> None:
    """Refuse ablations that name other models than those of a run.

    Parameters
    ----------
    config : Config
    names : sequence of str
        Its models.

    Raises
    ------
    ConfigError
        For all that are not among them, with the nearest names.
    """
    wrong = [
        Mistake(("ablations", title), f"no model of this run is {model!r}. {nearest(model, names)}")
        for title, models in config.ablations.items()
        for model in models
        if model not in names
    ]
    if wrong:
        raise MistakesError(wrong)


def _per_seed(model: ModelConfig, config: Config, shared: Mapping[str, object]) -> list[Forecaster]:
    """One forecaster, or one per seed where the model draws random numbers and several seeds are asked for."""
    if len(config.seeds) == 1 or "seed" in model.settings or "seed" not in forecaster_class(model.name).parameters():
        return [_build(model.name, model.settings, config, shared)]
    base = model.settings.get("alias") or model.name
    return [
        _build(model.name, {**model.settings, "seed": seed, "alias": f"{base}-seed{seed}"}, config, shared)
        for seed in config.seeds
    ]


def _build(name: str, settings: Json, config: Config, shared: Mapping[str, object]) -> Forecaster:
    cls = forecaster_class(name)
    known = cls.parameters()
    unknown = [key for key in settings if key not in known and key not in cls.former and not cls.takes_any()]
    if unknown:
        raise MistakesError(
            [Mistake(("models", name, key), f"no such setting. {nearest(key, known)}") for key in unknown]
        )
    given: Json = {key: value for key, value in shared.items() if key in known and key not in cls.unshared}
    given.update(settings)
    given.setdefault("h", config.h)
    if given["h"] != config.h:
        raise ConfigError(f"models.{name}.h: all models of a run share one horizon, h: {config.h}; got {given['h']}.")
    if cls.nests is not None and (cls.nests in settings or known[cls.nests] is REQUIRED):
        given = {key: value for key, value in given.items() if key in settings or known.get(key) is REQUIRED}
        given[cls.nests] = _inner(name, cls.nests, settings.get(cls.nests), config, shared)
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    try:
        return cls(**given)
    except TypeError as error:
        raise ConfigError(f"models.{name}: {error}") from error
    except MistakesError:
        raise
    except ConfigError as error:
        key = next((key for key in settings if re.match(rf"\W*{re.escape(key)}\b", str(error))), None)
        raise MistakesError([Mistake(("models", name, *([] if key is None else [key])), str(error), error)]) from error


def _inner(
    name: str, setting: str, members: object, config: Config, shared: Mapping[str, object]
) -> Forecaster | list[Forecaster]:
    """Build the forecasters inside another one, with the settings that all models of a run share."""
    many = setting != "model"
    built = []
    for member in members if many and isinstance(members, (list, tuple)) else [members]:
        named = {member: {}} if isinstance(member, str) else member
        if not isinstance(named, dict) or len(named) != 1:
            raise ConfigError(
                f"models.{name}.{setting}: expected "
                + ("a list such as [LSTM, {Attention: {hidden: 64}}]" if many else "a model such as ARIMA")
                + f", got {members!r}."
            )
        ((kind, settings),) = named.items()
        if settings is not None and not isinstance(settings, dict):
            raise ConfigError(
                f"models.{name}.{setting}: expected {{{kind}: {{setting: value}}}}, got {settings!r} in it."
            )
        built.append(_build(str(kind), dict(settings or {}), config, shared))
    return built if many else built[0]


# ---------------------------------------------------------------- what is searched
def label_of(model: ModelConfig) -> str:
    """Return a model's name in tables.

    Parameters
    ----------
    model : ModelConfig

    Returns
    -------
    str
    """
    return str(model.settings.get("alias") or model.name)


def searched(config: Config) -> tuple[ModelConfig, ...]:
    """Return the models of a configuration whose settings are searched, after a check of their names.

    Parameters
    ----------
    config : Config

    Returns
    -------
    tuple of ModelConfig
    """
    existing = [model for model in config.models if model.name in EVERY]
    usable = {label_of(model): model for model in existing if forecaster_class(model.name).nests is None}
    search = config.search
    trials = search.n_trials if search is not None and isinstance(search.n_trials, dict) else None
    wanted = None if search is None else search.models or trials
    mistakes = [
        Mistake(("search", key), f"the run has no model {name!r} to search. {nearest(name, usable)}")
        for key, names in (("models", (search and search.models) or ()), ("n_trials", trials or ()))
        for name in names if name not in usable
    ]  # fmt: skip
    if mistakes:
        raise MistakesError(mistakes)
    found = tuple(model for name, model in usable.items() if wanted is None or name in wanted)
    if not found:
        raise ConfigError("There is nothing to search: name a model in `models` that is not made of others.")
    return found
