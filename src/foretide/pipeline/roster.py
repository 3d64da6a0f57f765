"""Which forecasters a run has: those asked for, and the simple baselines unasked."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretide.errors import ConfigError, nearest
from foretide.forecasters.artifact import forecaster_class

if TYPE_CHECKING:
    from foretide.forecasters.base import Forecaster
    from foretide.pipeline.config import Config, ModelConfig

UNASKED = ("Persistence", "SeasonalNaive", "WindowMean", "SeasonalMean", "SeasonalES", "Drift", "Ridge")
"""Run beside every model, so that skill is stated against the best of them."""
BASELINES = (*UNASKED, "ARIMA", "VAR", "Stats")
"""What skill is measured against, where it runs: everything that is no network."""


@dataclass(frozen=True)
class Entry:
    """One forecaster of a run.

    Attributes
    ----------
    forecaster : Forecaster
        Not fitted yet.
    baseline : bool
        Whether skill is measured against it.
    asked : bool
        Whether the configuration names it.
    """

    forecaster: Forecaster
    baseline: bool
    asked: bool

    @property
    def name(self) -> str:
        """Name in frames and tables."""
        return self.forecaster.name


def roster(config: Config, calendar: Any = None) -> list[Entry]:
    """Build every forecaster of a run, baselines first.

    Parameters
    ----------
    config : Config
    calendar : Calendar, optional
        Handed to the models that can use one.

    Raises
    ------
    ConfigError
        For an unknown model or setting, with the nearest known name, and for two models of the same name.
    """
    asked = [model.name for model in config.models]
    entries = []
    if config.baselines:
        entries = [Entry(_build(name, {}, config, calendar), True, False) for name in UNASKED if name not in asked]
    for model in config.models:
        entries += [Entry(f, model.name in BASELINES, True) for f in _per_seed(model, config, calendar)]
    names = [entry.name for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"Two models are called {twice[0]!r}. Name one of them: {{{twice[0]}: {{alias: other-name}}}}."
        )
    return entries


def _per_seed(model: ModelConfig, config: Config, calendar: Any) -> list[Forecaster]:
    """One forecaster, or one per seed where the model draws random numbers and several seeds are asked for."""
    if len(config.seeds) == 1 or "seed" in model.settings or "seed" not in _parameters(forecaster_class(model.name)):
        return [_build(model.name, model.settings, config, calendar)]
    base = model.settings.get("alias") or model.name
    return [
        _build(model.name, {**model.settings, "seed": seed, "alias": f"{base}-seed{seed}"}, config, calendar)
        for seed in config.seeds
    ]


def _parameters(cls: type[Forecaster]) -> dict[str, inspect.Parameter]:
    return {
        k: p for k, p in inspect.signature(cls).parameters.items() if p.kind is not inspect.Parameter.VAR_POSITIONAL
    }


def _build(name: str, settings: dict[str, Any], config: Config, calendar: Any) -> Forecaster:
    cls = forecaster_class(name)
    known = _parameters(cls)
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
    for key in settings:
        if key not in known and not open_ended:
            raise ConfigError(f"models.{name}.{key}: no such setting. {nearest(key, known)}")
    shared = {"input_size": config.input_size, "seed": config.seeds[0], "calendar": calendar}
    if config.season is not None:
        shared["season"] = config.season
    given = {key: value for key, value in shared.items() if key in known}
    given.update(settings)
    given.setdefault("h", config.h)
    if given["h"] != config.h:
        raise ConfigError(f"models.{name}.h: all models of a run share one horizon, h: {config.h}; got {given['h']}.")
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    try:
        return cls(**given)
    except TypeError as error:
        raise ConfigError(f"models.{name}: {error}") from error
